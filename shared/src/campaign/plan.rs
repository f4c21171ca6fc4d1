//! The plan: what is measured, in which order.

use crate::device::DeviceName;
use crate::failure::{Failure, Kind};
use crate::fs::{read_capped, write_atomic};
use crate::limits;
use crate::run_folder::RunFolder;
use crate::text::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Version of the plan's format.
pub const FORMAT_VERSION: u32 = 1;
/// The plan's file in its folder.
pub const PLAN_FILE: &str = "plan.json";
/// The folder of models in a plan's folder.
pub const MODELS_FOLDER: &str = "models";
/// The folder of what was learned from a plan's runs.
pub const LEARNED_FOLDER: &str = "learned";
/// The folder of runs.
const RUNS_FOLDER: &str = "runs";

/// What an item runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// A whole network.
    Network,
    /// Several single layers in one model. Their run times are measured.
    Layers,
    /// One layer in a model of its own, over and over, so that a slow sensor shows its power.
    Loop,
}

/// One thing to measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanItem {
    /// Its name, and that of its run folder.
    pub id: String,
    /// What it runs.
    pub kind: ItemKind,
    /// The ONNX model, relative to the plan's folder.
    pub onnx: String,
    /// The layers that it is expected to have, an engine info, relative to the plan's folder. The simulated runner runs it.
    pub engine_info: String,
    /// Number format to build for: `fp32`, `fp16`, `int8` or `best`.
    pub precision: String,
    /// About how long the pass with power and the one with the profiler take each, s.
    pub pass_s: f64,
    /// Most inferences of each of both passes.
    pub inferences: u32,
    /// How long the item is expected to take in all, s.
    pub expected_s: f64,
    /// By how much it is expected to raise the share of run time that what was measured covers, 0 to 1.
    pub gain: f64,
    /// Whether `learn` keeps it back to judge the models.
    pub held_out: bool,
}

impl PlanItem {
    /// The run folder of one of its layers, where they are measured one by one because the model of all of them fails.
    ///
    /// ```
    /// # let text = r#"{"id": "layers-001", "kind": "layers", "onnx": "a", "engine_info": "b", "precision": "fp32", "pass_s": 1,
    /// #     "inferences": 1, "expected_s": 1, "gain": 0, "held_out": false}"#;
    /// # let item: shared::campaign::PlanItem = serde_json::from_str(text)?;
    /// assert_eq!(item.part(3), "layers-001-layer3");
    /// assert!(item.owns("layers-001") && item.owns("layers-001-layer3") && !item.owns("layers-0012"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn part(&self, layer: usize) -> String {
        format!("{}-layer{layer}", self.id)
    }

    /// Whether a run folder of this name is its own, or that of one of its layers.
    #[must_use]
    pub fn owns(&self, run: &str) -> bool {
        let Some(rest) = run.strip_prefix(&self.id) else { return false };
        let digits = || rest.strip_prefix("-layer").filter(|digits| !digits.is_empty());
        rest.is_empty() || digits().is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()))
    }
}

/// What a plan is expected to reach.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Layers that the plan is to cover.
    pub layers: u64,
    /// Share of their run time that lies near a measured layer before the plan, 0 to 1.
    pub covered_before: f64,
    /// The same after it.
    pub covered_after: f64,
    /// Mean ratio of sizes up to which a layer counts as near.
    pub near_ratio: f64,
}

/// A plan of measurements. Items stand in the order in which they are measured: those that teach most come first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignPlan {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// The program that wrote it, with its version.
    pub program: String,
    /// The board, without a power mode.
    pub board: String,
    /// Power modes to measure in, by name; empty measures as the board stands.
    pub modes: Vec<String>,
    /// Whether power is to be measured; else run times alone.
    pub power: bool,
    /// How long measuring in all modes may take, s.
    pub time_s: f64,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How items were chosen.
    pub strategy: String,
    /// What it is expected to reach.
    pub expectation: Expectation,
    /// What is measured, in order.
    pub items: Vec<PlanItem>,
}

/// The part of a plan that is read before the rest, which another version may have changed.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

impl CampaignPlan {
    /// Reads the plan of a folder.
    ///
    /// # Errors
    /// When there is none, it has another format version or an unknown key, or an item's name or path is unusable.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PLAN_FILE);
        let content = read_capped(&path, limits::SMALL_FILE_BYTES)?;
        let wrong = |e: serde_json::Error| {
            let place = format!("line {}", e.line());
            Failure::from_error(Kind::Data, e).at(&path).place(place)
        };
        let Versioned { format_version } = json::from_slice(&content).map_err(wrong)?;
        if format_version != FORMAT_VERSION {
            let help = if format_version > FORMAT_VERSION {
                "update this program"
            } else {
                "make the plan again with `host-trainer campaign plan`"
            };
            let message = format!("has format version {format_version}, this program reads version {FORMAT_VERSION}");
            return Err(Failure::data(message).at(&path).help(help));
        }
        let plan: Self = json::from_slice(&content).map_err(wrong)?;
        plan.check().map_err(|message| Failure::data(message).at(&path))?;
        Ok(plan)
    }

    /// Writes the plan into a folder, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e))?;
        text.push(b'\n');
        write_atomic(&folder.join(PLAN_FILE), &text)
    }

    /// Checks what types cannot: the plan may come from anywhere, and its names become paths.
    fn check(&self) -> Result<(), String> {
        if self.items.is_empty() {
            return Err("has no items".into());
        }
        let mut names = BTreeSet::new();
        for mode in &self.modes {
            if !RunFolder::is_model_name(mode) || !names.insert(mode) {
                return Err(format!("`{mode}` cannot name a power mode here, or stands twice"));
            }
        }
        let device = self.board.parse::<DeviceName>().ok().filter(|device| device.mode().is_none());
        if device.is_none() {
            return Err(format!("`{}` is not the name of a board", self.board));
        }
        for item in &self.items {
            if !RunFolder::is_model_name(&item.id) || !names.insert(&item.id) {
                return Err(format!("item `{}` cannot name a run folder, or stands twice", item.id));
            }
            for file in [&item.onnx, &item.engine_info] {
                let within = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
                if file.is_empty() || !within {
                    return Err(format!("item `{}`: `{file}` is not a path within the plan's folder", item.id));
                }
            }
            if !["fp32", "fp16", "int8", "best"].contains(&item.precision.as_str()) {
                return Err(format!("item `{}`: `{}` is not a precision", item.id, item.precision));
            }
            let sound = |seconds: f64| seconds.is_finite() && (0.0..=1e6).contains(&seconds);
            if !sound(item.pass_s) || !sound(item.expected_s) || item.inferences == 0 {
                return Err(format!("item `{}`: its times and inferences make no sense", item.id));
            }
        }
        Ok(())
    }

    /// The folder of the runs in a mode; `None` as the board stands.
    ///
    /// ```
    /// use shared::campaign::CampaignPlan;
    /// use std::path::Path;
    ///
    /// let plan = Path::new("plan");
    /// assert_eq!(CampaignPlan::runs(plan, None), Path::new("plan/runs"));
    /// assert_eq!(CampaignPlan::runs(plan, Some("15W")), Path::new("plan/runs/15W"));
    /// ```
    #[must_use]
    pub fn runs(folder: &Path, mode: Option<&str>) -> PathBuf {
        let runs = folder.join(RUNS_FOLDER);
        mode.map_or_else(|| runs.clone(), |mode| runs.join(mode))
    }

    /// The modes to measure in: those of the plan, or the one that the board is in, whatever it is.
    #[must_use]
    pub fn modes(&self) -> Vec<Option<&str>> {
        if self.modes.is_empty() { vec![None] } else { self.modes.iter().map(|mode| Some(mode.as_str())).collect() }
    }

    /// How long all items are expected to take in all modes, s.
    #[must_use]
    pub fn expected_s(&self) -> f64 {
        self.items.iter().map(|item| item.expected_s).sum::<f64>() * self.modes().len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> CampaignPlan {
        CampaignPlan {
            format_version: FORMAT_VERSION,
            program: "host-trainer 0.1.0".into(),
            board: "orin-nano".into(),
            modes: vec!["15W".into()],
            power: true,
            time_s: 60.0,
            seed: 1,
            strategy: "plan".into(),
            expectation: Expectation::default(),
            items: vec![PlanItem {
                id: "network-1".into(),
                kind: ItemKind::Network,
                onnx: "models/network-1.onnx".into(),
                engine_info: "models/network-1.json".into(),
                precision: "fp16".into(),
                pass_s: 1.0,
                inferences: 100,
                expected_s: 20.0,
                gain: 0.5,
                held_out: false,
            }],
        }
    }

    fn read_changed(change: impl FnOnce(&mut serde_json::Value)) -> Result<CampaignPlan, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut value = serde_json::to_value(plan()).expect("serialises");
        change(&mut value);
        std::fs::write(folder.path().join(PLAN_FILE), value.to_string()).expect("writes");
        CampaignPlan::read(folder.path())
    }

    #[test]
    fn a_plan_survives_its_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        plan().write(folder.path()).expect("writes");
        assert_eq!(CampaignPlan::read(folder.path()).expect("reads"), plan());
    }

    #[test]
    fn other_versions_and_unknown_keys_are_refused() {
        let newer = read_changed(|plan| {
            plan["format_version"] = 2.into();
            plan["new"] = true.into();
        });
        let newer = newer.expect_err("a newer version");
        assert!(newer.message.contains("version 2") && newer.help.as_deref() == Some("update this program"));
        let unknown = read_changed(|plan| plan["items"][0]["repeats"] = 3.into()).expect_err("an unknown key");
        assert!(unknown.message.contains("repeats"), "{unknown}");
        assert!(read_changed(|_| ()).is_ok());
    }

    #[test]
    fn names_and_paths_stay_in_the_folder() {
        for (key, value) in [("id", "../x"), ("onnx", "../x.onnx"), ("onnx", "/etc/passwd"), ("precision", "fp3")] {
            let refused = read_changed(|plan| plan["items"][0][key] = value.into());
            assert!(refused.is_err(), "{key} {value}");
        }
        assert!(read_changed(|plan| plan["modes"][0] = "../..".into()).is_err());
        assert!(read_changed(|plan| plan["board"] = "a@b".into()).is_err());
        let twice = read_changed(|plan| {
            let first = plan["items"][0].clone();
            plan["items"].as_array_mut().expect("items").push(first);
        });
        assert!(twice.expect_err("a name twice").message.contains("twice"));
    }
}
