//! A whole run in virtual time: nothing sleeps, 30,000 cycles take seconds.

use super::{CyclePlanner, Load, PollModel, Poller, SensorFilter, SensorModel};
use serde::{Deserialize, Serialize};
use shared::random::Random;
use shared::run_folder::{Counts, InferenceSpan, LayerRun, LayerStamp, Pass, PassSpan, Record, Sample};

/// How the passes of a simulated run go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassPlan {
    /// Cycles before anything is recorded as measured.
    pub warmup: u32,
    /// Cycles of the power pass.
    pub runs: u32,
    /// Cycles of the profiled pass; none when `with_power`.
    pub profiled: u32,
    /// Whether the power pass reports layers too, as the reference's does.
    pub with_power: bool,
    /// What layer stamps mark.
    pub stamp: LayerStamp,
    /// Idle time before the first and after the last cycle, ns.
    pub idle_ns: u64,
}

/// A run to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualRun {
    /// The load.
    pub load: Load,
    /// The sensor.
    pub sensor: SensorModel,
    /// How it is read.
    pub poll: PollModel,
    /// The passes.
    pub passes: PassPlan,
    /// When it begins, monotonic ns.
    pub start_ns: u64,
    /// Where all randomness comes from.
    pub seed: u64,
}

/// What was true of one layer in the power pass.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerTruth {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub name: String,
    /// What the board drew while it ran, idle power included, W.
    pub power_w: f64,
    /// Its mean duration in ms.
    pub duration_ms: f64,
    /// Its mean energy a cycle, idle power included, mJ.
    pub energy_mj: f64,
}

/// The truth of a simulated run, `truth.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Truth {
    /// The seed.
    pub seed: u64,
    /// Idle power in W.
    pub idle_w: f64,
    /// Power while the host works, W.
    pub host_w: f64,
    /// Layers in execution order.
    pub layers: Vec<LayerTruth>,
    /// Cycles of the power pass.
    pub cycles: u32,
    /// Energy of the power pass from its first inference's start to the end of its last host gap, idle included, mJ.
    pub energy_mj: f64,
    /// Length of the same span, ms.
    pub span_ms: f64,
    /// The sensor.
    pub sensor: Option<SensorModel>,
}

impl Truth {
    /// A truth with its layers named and nothing measured yet.
    #[must_use]
    pub fn of(load: &Load, sensor: Option<SensorModel>, seed: u64) -> Self {
        Self {
            seed,
            idle_w: load.idle.0,
            host_w: load.host.0,
            layers: load
                .layers
                .iter()
                .enumerate()
                .map(|(index, layer)| LayerTruth {
                    index,
                    name: layer.name.clone(),
                    power_w: layer.power.0,
                    ..LayerTruth::default()
                })
                .collect(),
            sensor,
            ..Self::default()
        }
    }

    /// Adds a cycle of the power pass; the means are sums until [`Truth::finish`].
    pub fn add_cycle(&mut self, cycle: &super::Cycle) {
        self.cycles += 1;
        let mut at = cycle.start_ns;
        for piece in &cycle.pieces {
            self.energy_mj += piece.watts * (piece.end_ns - at) as f64 * 1e-6;
            at = piece.end_ns;
        }
        self.span_ms += (cycle.next_ns - cycle.start_ns) as f64 * 1e-6;
        for layer in &mut self.layers {
            let ms = cycle.layer_ms(layer.index);
            layer.duration_ms += ms;
            layer.energy_mj += ms * layer.power_w;
        }
    }

    /// Turns the layers' sums into means.
    pub fn finish(&mut self) {
        let cycles = f64::from(self.cycles.max(1));
        for layer in &mut self.layers {
            layer.duration_ms /= cycles;
            layer.energy_mj /= cycles;
        }
    }
}

/// How often collected samples are handed on.
const CHUNK_NS: u64 = 1_000_000_000;

struct Board<'a, E> {
    filter: SensorFilter,
    poller: Poller,
    samples: Vec<Sample>,
    chunk_start_ns: u64,
    sink: &'a mut dyn FnMut(Record) -> Result<(), E>,
}

impl<E> Board<'_, E> {
    fn flow(&mut self, end_ns: u64, watts: f64) -> Result<(), E> {
        let Self { filter, poller, samples, .. } = self;
        filter.advance(end_ns, watts, &mut |t_ns, old, new| {
            let Some(mut due) = poller.due() else {
                samples.push(Sample { t_ns, rail: 0, mv: new.0, ma: new.1 });
                return;
            };
            while due < t_ns {
                samples.push(Sample { t_ns: due, rail: 0, mv: old.0, ma: old.1 });
                poller.step();
                due = poller.due().unwrap_or(u64::MAX);
            }
        });
        if end_ns.saturating_sub(self.chunk_start_ns) >= CHUNK_NS {
            self.hand_on(end_ns)?;
        }
        Ok(())
    }

    fn hand_on(&mut self, now_ns: u64) -> Result<(), E> {
        self.chunk_start_ns = now_ns;
        if self.samples.is_empty() { Ok(()) } else { (self.sink)(Record::Samples(std::mem::take(&mut self.samples))) }
    }
}

/// Simulates a run. Records come in order of time, about a second of samples in each. Returns the passes, the truth and
/// when it ended.
///
/// # Errors
/// Whatever `sink` returns; it ends the simulation.
///
/// ```
/// use shared::run_folder::{LayerStamp, Record};
/// use shared::units::{Millis, Watts};
/// use simulate::{Load, LoadLayer, PassPlan, PollModel, SensorModel, VirtualRun, simulate};
///
/// let layer = LoadLayer { name: "conv1".into(), duration: Millis(0.2), power: Watts(9.0) };
/// let passes = PassPlan {
///     warmup: 5,
///     runs: 100,
///     profiled: 10,
///     with_power: false,
///     stamp: LayerStamp::LayerEnd,
///     idle_ns: 10_000_000,
/// };
/// let run = VirtualRun {
///     load: Load::of_layers(vec![layer]),
///     sensor: SensorModel::ideal_meter(),
///     poll: PollModel::streaming(),
///     passes,
///     start_ns: 0,
///     seed: 1,
/// };
/// let mut samples = 0;
/// let (passes, truth, _end_ns) = simulate(&run, &mut |record| {
///     if let Record::Samples(new) = record {
///         samples += new.len();
///     }
///     Ok::<(), std::convert::Infallible>(())
/// })
/// .expect("the sink never fails");
/// assert_eq!((passes.len(), truth.cycles), (3, 100));
/// assert!(samples > 100 && (truth.layers[0].power_w - 9.0).abs() < 1e-9);
/// ```
pub fn simulate<E>(
    run: &VirtualRun,
    sink: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(Vec<PassSpan>, Truth, u64), E> {
    let mut random = Random::new(run.seed);
    let mut planner = CyclePlanner::new(run.load.clone(), random.fork(1));
    let filter = SensorFilter::new(run.sensor, run.start_ns, run.load.idle.0, random.fork(2));
    let poller = Poller::new(run.poll, run.start_ns, random.fork(3));
    let mut stamps = random.fork(4);
    let mut truth = Truth::of(&run.load, Some(run.sensor), run.seed);
    let mut board = Board { filter, poller, samples: Vec::new(), chunk_start_ns: run.start_ns, sink };
    let mut now = run.start_ns + run.passes.idle_ns;
    board.flow(now, run.load.idle.0)?;
    let profiled = if run.passes.with_power { 0 } else { run.passes.profiled };
    let plan = [(Pass::Warmup, run.passes.warmup), (Pass::Power, run.passes.runs), (Pass::Profiled, profiled)];
    let mut passes = Vec::new();
    for (pass, cycles) in plan {
        if cycles == 0 {
            continue;
        }
        let start_ns = now;
        let mut spans = Vec::new();
        for number in 0..cycles {
            let cycle = planner.next_cycle(now);
            for piece in &cycle.pieces {
                board.flow(piece.end_ns, piece.watts)?;
            }
            spans.push(InferenceSpan { cycle: number, start_ns: cycle.start_ns, end_ns: cycle.end_ns });
            if pass == Pass::Power {
                truth.add_cycle(&cycle);
            }
            if pass == Pass::Profiled || (pass == Pass::Power && run.passes.with_power) {
                (board.sink)(Record::Layers {
                    cycle: number,
                    runs: stamp_layers(&cycle, run.passes.stamp, &mut stamps),
                })?;
            }
            if spans.len() == 256 {
                (board.sink)(Record::Inferences(pass, std::mem::take(&mut spans)))?;
            }
            now = cycle.next_ns;
        }
        if !spans.is_empty() {
            (board.sink)(Record::Inferences(pass, spans))?;
        }
        passes.push(PassSpan { pass, cycles, start_ns, end_ns: now, uncertainty_ns: 0 });
    }
    now += run.passes.idle_ns;
    board.flow(now, run.load.idle.0)?;
    board.hand_on(now)?;
    truth.finish();
    Ok((passes, truth, now))
}

/// Stamps the layers of a cycle as a profiler would.
#[must_use]
pub fn stamp_layers(cycle: &super::Cycle, stamp: LayerStamp, random: &mut Random) -> Vec<LayerRun> {
    // The callbacks come one after the other once the inference is done, 1 to 3 µs each.
    let mut callback_ns = cycle.end_ns;
    (0..cycle.layers.len())
        .map(|index| {
            callback_ns += 1_000 + (random.uniform() * 2_000.0) as u64;
            let stamp_ns = match stamp {
                LayerStamp::Callback => callback_ns,
                LayerStamp::LayerEnd => cycle.layers[index].1,
                LayerStamp::PassAverage => cycle.end_ns,
            };
            LayerRun { ms: cycle.layer_ms(index) as f32, stamp_ns }
        })
        .collect()
}

impl PassPlan {
    /// Counts without the samples, which depend on how long it takes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let profiled = if self.with_power { 0 } else { u64::from(self.profiled) };
        Counts {
            samples: 0,
            power_inferences: u64::from(self.runs),
            profiled_inferences: profiled,
            layer_cycles: if self.with_power { u64::from(self.runs) } else { profiled },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadLayer;
    use shared::units::{Millis, Watts};
    use std::convert::Infallible;

    fn run(sensor: SensorModel, poll: PollModel, stamp: LayerStamp, runs: u32) -> VirtualRun {
        let layers = (0..5)
            .map(|i| LoadLayer {
                name: format!("l{i}"),
                duration: Millis(0.1 + 0.2 * f64::from(i)),
                power: Watts(5.5 + f64::from(i * 3 % 5)),
            })
            .collect();
        VirtualRun {
            load: Load::of_layers(layers),
            sensor,
            poll,
            passes: PassPlan {
                warmup: 5,
                runs,
                profiled: 20,
                with_power: stamp == LayerStamp::Callback,
                stamp,
                idle_ns: 2_000_000_000,
            },
            start_ns: 1_000_000_000,
            seed: 11,
        }
    }

    fn collect(run: &VirtualRun) -> (Vec<Record>, Vec<PassSpan>, Truth) {
        let mut records = Vec::new();
        let Ok((passes, truth, _)) = simulate::<Infallible>(run, &mut |record| {
            records.push(record);
            Ok(())
        });
        (records, passes, truth)
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let plan = run(SensorModel::ina3221_fast(), PollModel::reference_loop(), LayerStamp::LayerEnd, 50);
        assert_eq!(collect(&plan), collect(&plan));
        let other = VirtualRun { seed: 12, ..plan.clone() };
        assert_ne!(collect(&plan).0, collect(&other).0);
    }

    #[test]
    fn the_ideal_meter_measures_the_true_energy() {
        let plan = run(SensorModel::ideal_meter(), PollModel::streaming(), LayerStamp::LayerEnd, 500);
        let (records, passes, truth) = collect(&plan);
        let power = passes.iter().find(|p| p.pass == Pass::Power).expect("power pass");
        let samples: Vec<Sample> = records
            .iter()
            .filter_map(|r| if let Record::Samples(s) = r { Some(s.clone()) } else { None })
            .flatten()
            .collect();
        let energy_mj: f64 = samples
            .iter()
            .filter(|s| s.t_ns > power.start_ns && s.t_ns <= power.end_ns)
            .map(|s| s.power().0 * 0.05)
            .sum();
        // Two half-covered readings at the ends are all that may differ: 2 × 50 µs × 10 W = 1 mJ.
        assert!((energy_mj - truth.energy_mj).abs() < 1.0, "{energy_mj} {}", truth.energy_mj);
        let layers: f64 = truth.layers.iter().map(|l| l.energy_mj).sum::<f64>() * f64::from(truth.cycles);
        assert!(layers < truth.energy_mj && layers > 0.5 * truth.energy_mj);
        assert!(samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
    }

    #[test]
    fn the_boot_setting_flattens_what_the_fast_one_shows() {
        let spread = |sensor| {
            let (records, passes, _) = collect(&run(sensor, PollModel::reference_loop(), LayerStamp::LayerEnd, 3_000));
            let power = passes.iter().find(|p| p.pass == Pass::Power).expect("power pass");
            // The last second: the lag has settled.
            let watts: Vec<f64> = records
                .iter()
                .filter_map(|r| if let Record::Samples(s) = r { Some(s) } else { None })
                .flatten()
                .filter(|s| s.t_ns > power.end_ns - 1_000_000_000 && s.t_ns <= power.end_ns)
                .map(|s| s.power().0)
                .collect();
            let mean = watts.iter().sum::<f64>() / watts.len() as f64;
            (watts.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / watts.len() as f64).sqrt()
        };
        let (fast, boot) = (spread(SensorModel::ina3221_fast()), spread(SensorModel::ina3221_boot()));
        assert!(boot < 0.05 && fast > 5.0 * boot, "{fast} {boot}");
    }

    #[test]
    fn callbacks_come_together_and_layer_ends_apart() {
        let spread = |stamp| {
            let (records, ..) = collect(&run(SensorModel::ina3221_fast(), PollModel::reference_loop(), stamp, 20));
            records
                .iter()
                .filter_map(|r| if let Record::Layers { runs, .. } = r { Some(runs) } else { None })
                .map(|runs| runs[runs.len() - 1].stamp_ns - runs[0].stamp_ns)
                .max()
                .expect("layers")
        };
        assert!(spread(LayerStamp::Callback) < 15_000);
        assert!(spread(LayerStamp::LayerEnd) > 1_000_000);
    }

    #[test]
    fn it_holds_what_its_plan_says() {
        let plan = run(SensorModel::ina3221_boot(), PollModel::reference_loop(), LayerStamp::LayerEnd, 300);
        let (records, passes, _) = collect(&plan);
        let mut counts = Counts::default();
        records.iter().for_each(|r| counts.add(r));
        assert_eq!(Counts { samples: 0, ..counts }, plan.passes.counts());
        assert_eq!(passes.len(), 3);
        assert!(counts.samples > 1_000);
    }
}
