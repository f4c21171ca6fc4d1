//! Experiments of several runs, as the manifest of their main run records them.
//!
//! One run behind a slow sensor shows the mean of a network and no more. Runs that differ in one thing show what that thing
//! costs: other pauses between inferences, one layer over and over. The main run is an ordinary run of the whole network; each
//! step is an ordinary run folder below it.

use super::status::Status;
use crate::units::{Micros, Millis, Watts};
use serde::{Deserialize, Serialize};

/// An experiment: its main run is the one whose manifest holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// What differs between the runs.
    pub kind: DesignKind,
    /// Mean time from the start of one inference of the main run to the start of the next.
    #[serde(rename = "period_ms")]
    pub period: Millis,
    /// The further runs, in the order in which they are measured.
    pub steps: Vec<DesignStep>,
    /// What an experiment with pauses came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<OutsidePower>,
}

/// The power between two inferences, from runs with different pauses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OutsidePower {
    /// Energy per inference over the period: the power of what a longer period adds, idle power included.
    #[serde(rename = "watts")]
    pub watts: Watts,
    /// Its standard deviation, from how far the runs are from a line. It does not hold what all runs have in common.
    #[serde(rename = "deviation_w")]
    pub deviation: Watts,
    /// How many runs it comes from, the main one included.
    pub runs: u32,
}

/// What differs between the runs of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesignKind {
    /// The pause between two inferences.
    Pauses,
    /// Which layer runs, over and over.
    Loops,
    /// How many of the network's first layers run.
    Prefixes,
}

impl DesignKind {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pauses => "pauses",
            Self::Loops => "loops",
            Self::Prefixes => "prefixes",
        }
    }
}

/// One further run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesignStep {
    /// Its run folder, relative to the main run's folder.
    pub folder: String,
    /// How it ended; `None` before it has.
    pub status: Option<Status>,
    /// Cycles of its power pass.
    pub cycles: u32,
    /// How long its power pass should take.
    #[serde(rename = "expected_ms")]
    pub expected: Millis,
    /// How long after the power pass's start the sensor still shows the time before: five of its time constants.
    #[serde(rename = "settled_after_ms")]
    pub settled_after: Millis,
    /// What is different in it.
    #[serde(flatten)]
    pub change: Change,
}

/// What is different in a further run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The host waits between two inferences. Energy per inference is then `E + P·pause`: the slope over several pauses is the power
    /// outside layers, and `E` the energy of an inference with the host's own gap.
    Pause {
        /// On top of the host's own gap.
        #[serde(rename = "pause_us")]
        pause: Micros,
    },
    /// One layer, with what is fused into it, runs over and over. Energy per inference is the layer's and that of the time between
    /// two inferences of it.
    Loop {
        /// The layers of the main run that it stands for, by their place in `layers`: the one that ran first, then those alike.
        layers: Vec<usize>,
        /// The layer's mean time in the main run.
        #[serde(rename = "network_ms")]
        network: Option<Millis>,
        /// Its mean time in the loop.
        #[serde(rename = "alone_ms")]
        alone: Option<Millis>,
        /// Mean time of what else its engine runs, such as reformatting of its inputs.
        #[serde(rename = "others_ms")]
        others: Option<Millis>,
        /// Whether both engines run it by the same tactic, where both say which.
        same_tactic: Option<bool>,
    },
    /// Only the first layers of the network run. The difference of two prefixes' energies per inference is the energy of the layers
    /// between them; the time between inferences cancels.
    Prefix {
        /// How many of the main run's `layers`.
        first_layers: usize,
        /// Their mean time in the main run.
        #[serde(rename = "network_ms")]
        network: Option<Millis>,
        /// Mean time of all layers of the prefix's engine.
        #[serde(rename = "alone_ms")]
        alone: Option<Millis>,
    },
}

impl Change {
    /// How much longer layers take alone than in the network, relative; `None` unless both times are known.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        match self {
            Self::Loop { network: Some(network), alone: Some(alone), .. }
            | Self::Prefix { network: Some(network), alone: Some(alone), .. }
                if network.0 > 0.0 =>
            {
                Some(*alone / *network - 1.0)
            }
            _ => None,
        }
    }

    /// Whether what ran alone is what runs in the network: by the same tactic as far as known, and within 20 % of its time.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        match self {
            Self::Pause { .. } => true,
            Self::Loop { same_tactic: Some(false), .. } => false,
            Self::Loop { .. } | Self::Prefix { .. } => self.deviation().is_some_and(|deviation| deviation.abs() <= 0.2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_design_survives_json_under_plain_names() {
        let step = |folder: &str, change| DesignStep {
            folder: folder.into(),
            status: Some(Status::Complete),
            cycles: 100,
            expected: Millis(250.0),
            settled_after: Millis(2_150.0),
            change,
        };
        let design = Design {
            kind: DesignKind::Pauses,
            period: Millis(2.5),
            outside: Some(OutsidePower { watts: Watts(4.2), deviation: Watts(0.01), runs: 4 }),
            steps: vec![
                step("design/pause-1500us", Change::Pause { pause: Micros(1_500.0) }),
                step(
                    "design/loop-3",
                    Change::Loop {
                        layers: vec![3, 7],
                        network: Some(Millis(0.1)),
                        alone: Some(Millis(0.13)),
                        others: Some(Millis(0.0)),
                        same_tactic: None,
                    },
                ),
            ],
        };
        let value = serde_json::to_value(&design).expect("serialises");
        assert_eq!((value["kind"].as_str(), value["steps"][0]["change"].as_str()), (Some("pauses"), Some("pause")));
        assert_eq!(value["steps"][0]["pause_us"], 1_500.0);
        assert_eq!(value["steps"][1]["layers"], serde_json::json!([3, 7]));
        assert_eq!(serde_json::from_value::<Design>(value).expect("reads"), design);
        assert!(design.steps[0].change.is_comparable());
        // 30 % slower than in the network.
        assert!(!design.steps[1].change.is_comparable());
    }
}
