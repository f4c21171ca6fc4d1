//! The outlook of an engine in each setting.

use super::anchors::{Anchor, Anchors};
use super::batch::{own_batch, rebatched, retyped};
use super::settings::Setting;
use crate::predict::{Bounds, EngineInput, Prediction};
use boards::choice::Cost;
use boards::power_law::{PowerLaw, PowerPoint, Top};
use boards::quantile;
use boards::time_law::{ClockPair, Shares, TimeLaw, TimePoint};
use serde::Serialize;
use shared::engine::{Engine, Precision};
use shared::failure::Failure;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A layer's share of arithmetic and memory may differ from its network's by this factor at most.
const MOST_INTENSITY: f64 = 30.0;

/// Where an outlook's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Models of exactly this mode.
    Model,
    /// The law of clocks, between modes with models.
    Interpolated,
    /// The law of clocks, from one mode or beyond those with models.
    Extrapolated,
}

impl Origin {
    /// The word for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Interpolated => "interpolated",
            Self::Extrapolated => "extrapolated",
        }
    }
}

/// The time of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerTime {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub layer_name: String,
    /// Run time, ms; none where nothing predicts it.
    pub runtime_ms: Option<Millis>,
}

/// What an engine would cost in one setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The board.
    pub board: String,
    /// The power mode; none for clocks that were given.
    pub mode: Option<String>,
    /// The GPU's clock.
    pub gpu_mhz: f64,
    /// The memory's clock.
    pub emc_mhz: f64,
    /// Images per inference; none where the engine does not tell.
    pub batch: Option<u32>,
    /// The number format that was asked for; none for the engine's own.
    pub precision: Option<Precision>,
    /// Run time of all layers, ms; a lower bound where layers are missing.
    pub runtime_ms: Option<Millis>,
    /// Bounds of it; none where the models come without an interval, or for a lower bound.
    pub runtime_bounds: Option<Bounds>,
    /// Standard deviation of the run time's logarithm.
    pub runtime_log_sd: Option<f64>,
    /// Energy of one inference, mJ.
    pub energy_mj: Option<Millijoules>,
    /// Mean power, W.
    pub power_w: Option<Watts>,
    /// Images per second.
    pub throughput: Option<f64>,
    /// Where the time comes from.
    pub origin: Origin,
    /// Layers without a time.
    pub missing_layers: usize,
    /// Layers outside the range that training saw, in this batch and number format.
    pub layers_outside_training_range: usize,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Times by layer.
    pub layers: Vec<LayerTime>,
}

impl Outlook {
    /// The mode, or that clocks were given.
    #[must_use]
    pub fn mode_name(&self) -> &str {
        self.mode.as_deref().unwrap_or("(clocks given)")
    }

    /// Mode, batch and number format, as far as they are known.
    #[must_use]
    pub fn setting_name(&self) -> String {
        let batch = self.batch.map_or_else(String::new, |batch| format!(", batch {batch}"));
        let precision = self.precision.map_or_else(String::new, |precision| format!(", {}", precision.name()));
        format!("{}{batch}{precision}", self.mode_name())
    }

    /// What a choice compares; none where the run time is not known as a whole.
    #[must_use]
    pub fn cost(&self) -> Option<Cost> {
        let latency = self.runtime_ms.filter(|time| self.missing_layers == 0 && time.0 > 0.0)?;
        let batch = f64::from(self.batch.unwrap_or(1));
        Some(Cost { batch, latency, latency_log_sd: self.runtime_log_sd, energy: self.energy_mj })
    }
}

/// Predicts an engine in every setting, in their order.
///
/// # Errors
/// A model that cannot be loaded or run, an engine without layers of the profile, or one whose batch cannot be changed.
pub fn explore(anchors: &Anchors, input: &EngineInput<'_>, settings: &[Setting]) -> Result<Vec<Outlook>, Failure> {
    let mut variants: BTreeMap<(Option<u32>, Option<Precision>), Variant> = BTreeMap::new();
    let mut outlooks = Vec::new();
    for setting in settings {
        let key = (setting.batch, setting.precision);
        let variant = match variants.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Variant::of(anchors, input, key)?),
        };
        outlooks.push(variant.outlook(anchors, setting));
    }
    Ok(outlooks)
}

/// An engine in one batch and number format, predicted by every anchor.
struct Variant {
    engine: Engine,
    batch: Option<u32>,
    predictions: Vec<Prediction>,
    notes: Vec<String>,
}

impl Variant {
    fn of(
        anchors: &Anchors,
        input: &EngineInput<'_>,
        (batch, precision): (Option<u32>, Option<Precision>),
    ) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let own = own_batch(input.engine).and_then(|own| u32::try_from(own).ok());
        let mut engine = match batch.filter(|batch| Some(*batch) != own) {
            Some(batch) => {
                let (engine, unchanged) = rebatched(input.engine, batch)?;
                if unchanged > 0 {
                    notes.push(format!(
                        "{unchanged} layers have tensors whose first dimension is not the batch; those keep their size"
                    ));
                }
                notes.push(format!("batch {batch} keeps the fusions and kernels of the engine given"));
                engine
            }
            None => input.engine.clone(),
        };
        if let Some(precision) = precision {
            engine = retyped(&engine, precision);
            notes.push("another number format keeps the fusions and kernels of the engine given".to_owned());
        }
        let predict = |anchor: &Anchor| anchor.models.predict(&engine, input.diagnostics, input.profile);
        let predictions = anchors.all.iter().map(predict).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Self { batch: batch.or(own), engine, predictions, notes })
    }

    fn outlook(&self, anchors: &Anchors, setting: &Setting) -> Outlook {
        let clocks = setting.clocking.clocks;
        let here = anchors.all.iter().position(|anchor| alike(&anchor.clocks, &clocks));
        let mut notes = self.notes.clone();
        let (layers, law_sd, origin) = match here {
            Some(place) => (self.layers_of(place), 0.0, Origin::Model),
            None => self.layers_by_law(anchors, clocks),
        };
        let nearest = here.unwrap_or_else(|| nearest(anchors, clocks));
        let of_anchor = &self.predictions[nearest];
        let missing = layers.iter().filter(|layer| layer.runtime_ms.is_none()).count();
        let known: Vec<Millis> = layers.iter().filter_map(|layer| layer.runtime_ms).collect();
        let runtime = (!known.is_empty() && of_anchor.totals.runtime.at_least().is_some())
            .then(|| known.iter().copied().sum::<Millis>());
        let interval = anchors.all[nearest].models.device().runtime_total;
        let model_sd =
            interval.map(|interval| interval.upper_ratio.ln() / quantile(f64::midpoint(1.0, interval.level)));
        let log_sd = model_sd.filter(|_| missing == 0).map(|sd| sd.hypot(law_sd));
        let bounds = runtime.zip(log_sd).zip(interval).map(|((time, sd), interval)| {
            let ratio = (sd * quantile(f64::midpoint(1.0, interval.level))).exp();
            Bounds { lower: time.0 / ratio, upper: time.0 * ratio, level: interval.level }
        });
        if origin != Origin::Model {
            if origin == Origin::Extrapolated {
                notes.push(match anchors.all.as_slice() {
                    [only] => format!("extrapolated from one mode, {}", only.models.device().name),
                    _ => "extrapolated beyond the clocks of the modes with models".to_owned(),
                });
            }
            if let Some(watts) = setting.clocking.watts {
                notes.push(format!(
                    "that the mode is capped at {watts} W is not modelled: a board at its cap is slower"
                ));
            }
        }
        let power = self.power(anchors, here, clocks, runtime.filter(|_| missing == 0));
        let energy = power.zip(runtime).map(|(power, runtime)| power * runtime);
        let throughput = runtime.zip(self.batch).filter(|(time, _)| missing == 0 && time.0 > 0.0);
        Outlook {
            board: anchors.board.clone(),
            mode: setting.clocking.mode.clone(),
            gpu_mhz: clocks.gpu_mhz,
            emc_mhz: clocks.emc_mhz,
            batch: self.batch,
            precision: setting.precision,
            runtime_ms: runtime,
            runtime_bounds: bounds,
            runtime_log_sd: log_sd,
            energy_mj: energy,
            power_w: power,
            throughput: throughput.map(|(time, batch)| 1e3 * f64::from(batch) / time.0),
            origin,
            missing_layers: missing,
            layers_outside_training_range: of_anchor.totals.layers_outside_training_range,
            notes,
            layers,
        }
    }

    fn layers_of(&self, place: usize) -> Vec<LayerTime> {
        self.predictions[place]
            .layers
            .iter()
            .map(|layer| LayerTime {
                index: layer.index,
                layer_name: layer.layer_name.clone(),
                runtime_ms: layer.row.runtime_prediction,
            })
            .collect()
    }

    /// Each layer by the law through the anchors that have a time for it. Also the standard deviation of the total's logarithm:
    /// the prior's error is the same for all layers, so that theirs add up.
    fn layers_by_law(&self, anchors: &Anchors, clocks: ClockPair) -> (Vec<LayerTime>, f64, Origin) {
        let by_index: BTreeMap<usize, &shared::engine::Layer> =
            self.engine.layers.iter().map(|layer| (layer.index, layer)).collect();
        let work = |index: usize| {
            let work = by_index.get(&index).map(|layer| layer.work());
            work.map_or((0.0, 0.0), |work| (work.macs.unwrap_or(0) as f64, work.bytes_moved as f64))
        };
        let mut layers = self.layers_of(0);
        let (macs, bytes) =
            layers.iter().map(|layer| work(layer.index)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        let common = anchors.shares();
        let (mut spread, mut total, mut extrapolated) = (0.0, 0.0, false);
        for (place, layer) in layers.iter_mut().enumerate() {
            let points: Vec<TimePoint> = anchors
                .all
                .iter()
                .zip(&self.predictions)
                .filter_map(|(anchor, prediction)| {
                    let time = prediction.layers.get(place)?.row.runtime_prediction?;
                    Some(TimePoint { clocks: anchor.clocks, time })
                })
                .collect();
            if points.is_empty() {
                layer.runtime_ms = None;
                continue;
            }
            if points.iter().all(|point| point.time.0 <= 0.0) {
                layer.runtime_ms = Some(Millis(0.0));
                continue;
            }
            // A layer moves more or fewer bytes for its arithmetic than its network does as a whole.
            let (own_macs, own_bytes) = work(layer.index);
            let intensity = (own_bytes / own_macs.max(1.0)) / (bytes.max(1.0) / macs.max(1.0));
            let known = macs > 0.0 && bytes > 0.0 && own_bytes > 0.0;
            let factor = if known { intensity.clamp(1.0 / MOST_INTENSITY, MOST_INTENSITY) } else { 1.0 };
            let prior = Shares { memory_over_compute: common.memory_over_compute * factor, ..common };
            match TimeLaw::fit(&points, prior) {
                Some(law) => {
                    let at = law.at(clocks);
                    layer.runtime_ms = Some(at.time);
                    spread += at.time.0 * at.log_sd;
                    total += at.time.0;
                    extrapolated |= at.extrapolated;
                }
                None => layer.runtime_ms = None,
            }
        }
        let sd = if total > 0.0 { spread / total } else { 0.0 };
        (layers, sd, if extrapolated { Origin::Extrapolated } else { Origin::Interpolated })
    }

    /// The mean power: of the anchor that was measured here, else by the law through all whose power is known.
    fn power(&self, anchors: &Anchors, here: Option<usize>, clocks: ClockPair, time: Option<Millis>) -> Option<Watts> {
        if let Some(place) = here {
            return self.predictions[place].totals.average_power();
        }
        let time = time.filter(|time| time.0 > 0.0)?;
        let points: Vec<PowerPoint> = anchors
            .all
            .iter()
            .zip(&self.predictions)
            .filter_map(|(anchor, prediction)| {
                let (time, power) = (prediction.totals.runtime.whole()?, prediction.totals.average_power()?);
                Some(PowerPoint { gpu_mhz: anchor.clocks.gpu_mhz, time, power })
            })
            .collect();
        let highest = ClockPair { emc_mhz: clocks.emc_mhz, ..anchors.top() };
        let (layers, ..) = self.layers_by_law(anchors, highest);
        let at_top = Top { gpu_mhz: highest.gpu_mhz, time: layers.iter().filter_map(|layer| layer.runtime_ms).sum() };
        Some(PowerLaw::fit(&points, at_top)?.at(clocks.gpu_mhz, time).power)
    }
}

fn alike(a: &ClockPair, b: &ClockPair) -> bool {
    let near = |of: fn(&ClockPair) -> f64| (of(a) / of(b) - 1.0).abs() < 1e-3;
    near(|c| c.gpu_mhz) && near(|c| c.emc_mhz) && near(|c| c.gpu_share)
}

/// The anchor whose clocks are nearest, by ratio.
fn nearest(anchors: &Anchors, clocks: ClockPair) -> usize {
    let distance = |anchor: &Anchor| {
        let off = |of: fn(&ClockPair) -> f64| (of(&anchor.clocks) / of(&clocks)).ln().abs();
        off(|c| c.gpu_mhz * c.gpu_share) + off(|c| c.emc_mhz)
    };
    let order = |a: &&(usize, f64), b: &&(usize, f64)| a.1.total_cmp(&b.1);
    let distances: Vec<(usize, f64)> = anchors.all.iter().map(distance).enumerate().collect();
    distances.iter().min_by(order).map_or(0, |(place, _)| *place)
}
