//! A whole run in virtual time: nothing sleeps, 30,000 cycles take seconds.

use super::cycle::{Cycle, CyclePlanner, Piece};
use super::load::Load;
use super::passes::PassPlan;
use super::sensor::{PollModel, Poller, Reader, SensorFilter, SensorModel};
use super::truth::Truth;
use serde::{Deserialize, Serialize};
use shared::random::Random;
use shared::run_folder::{BoardState, InferenceSpan, Pass, PassSpan, Record, Sample};

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

/// How often collected samples are handed on.
const CHUNK_NS: u64 = 1_000_000_000;

struct Board<'a, E> {
    filter: SensorFilter,
    poller: Poller,
    reader: Reader,
    samples: Vec<Sample>,
    chunk_start_ns: u64,
    state_ns: u64,
    sink: &'a mut dyn FnMut(Record) -> Result<(), E>,
}

impl<E> Board<'_, E> {
    fn flow(&mut self, pieces: &[Piece]) -> Result<(), E> {
        for piece in pieces {
            let Self { filter, poller, reader, samples, .. } = self;
            filter.advance(piece.end_ns, piece.watts, &mut |t_ns, old, new| {
                let Some(mut due) = poller.due() else {
                    samples.extend(reader.read(t_ns, new));
                    return;
                };
                while due < t_ns {
                    samples.extend(reader.read(due, old));
                    poller.step();
                    due = poller.due().unwrap_or(u64::MAX);
                }
            });
            if piece.end_ns.saturating_sub(self.chunk_start_ns) >= CHUNK_NS {
                self.hand_on(piece.end_ns)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, now_ns: u64) -> Result<(), E> {
        self.chunk_start_ns = now_ns;
        if self.samples.is_empty() { Ok(()) } else { (self.sink)(Record::Samples(std::mem::take(&mut self.samples))) }
    }

    /// Lets the board idle and returns its mean power; `None` for no time.
    fn idle(&mut self, planner: &mut CyclePlanner, start_ns: u64, end_ns: u64) -> Result<Option<f64>, E> {
        if end_ns <= start_ns {
            return Ok(None);
        }
        let pieces = planner.idle(start_ns, end_ns);
        self.flow(&pieces)?;
        let (mut at, mut watt_ns) = (start_ns, 0.0);
        for piece in &pieces {
            watt_ns += piece.watts * (piece.end_ns - at) as f64;
            at = piece.end_ns;
        }
        Ok(Some(watt_ns / (end_ns - start_ns) as f64))
    }

    /// Once a second, what the board's own sensors say of a temperature and a clock that change.
    fn state(&mut self, planner: &CyclePlanner, cycle: &Cycle) -> Result<(), E> {
        let changes = !planner.load().clock_changes.is_empty();
        if !(changes || planner.celsius().is_some()) || cycle.end_ns.saturating_sub(self.state_ns) < CHUNK_NS {
            return Ok(());
        }
        self.state_ns = cycle.end_ns;
        (self.sink)(Record::State(BoardState {
            t_ns: cycle.end_ns,
            temperatures_c: planner.celsius().map(|celsius| ("gpu-thermal".to_owned(), celsius)).into_iter().collect(),
            clocks_mhz: if changes { vec![("gpu".to_owned(), 1_000.0 * cycle.speed)] } else { Vec::new() },
            ..BoardState::default()
        }))
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
    let reader = Reader::new(&run.sensor, random.fork(5));
    let mut truth = Truth::of(&run.load, Some(run.sensor), run.seed);
    (truth.poll, truth.passes) = (Some(run.poll), Some(run.passes));
    let mut board =
        Board { filter, poller, reader, samples: Vec::new(), chunk_start_ns: run.start_ns, state_ns: 0, sink };
    let mut now = run.start_ns + run.passes.idle_ns;
    truth.idle_before_w = board.idle(&mut planner, run.start_ns, now)?;
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
            board.flow(&cycle.pieces)?;
            board.state(&planner, &cycle)?;
            if pass == Pass::Power {
                truth.add_cycle(&cycle);
            }
            now = cycle.next_ns;
            if run.load.profiler.loses(&mut stamps) {
                continue;
            }
            spans.push(InferenceSpan { cycle: number, start_ns: cycle.start_ns, end_ns: cycle.end_ns });
            if pass == Pass::Profiled || (pass == Pass::Power && run.passes.with_power) {
                let runs = cycle.report(&run.load.profiler, run.passes.stamp, &mut stamps);
                (board.sink)(Record::Layers { cycle: number, runs })?;
            }
            if spans.len() == 256 {
                (board.sink)(Record::Inferences(pass, std::mem::take(&mut spans)))?;
            }
        }
        if !spans.is_empty() {
            (board.sink)(Record::Inferences(pass, spans))?;
        }
        passes.push(PassSpan { pass, cycles, start_ns, end_ns: now, uncertainty_ns: 0 });
    }
    let end_ns = now + run.passes.idle_ns;
    truth.idle_after_w = board.idle(&mut planner, now, end_ns)?;
    board.hand_on(end_ns)?;
    truth.finish();
    Ok((passes, truth, end_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadLayer;
    use shared::run_folder::{Counts, LayerStamp};
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
