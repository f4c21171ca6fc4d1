//! Comparing attribution with the truth of simulated runs.

use align::attribute::attribute;
use align::batch::{Batch, Inferences};
use align::evidence::Evidence;
use align::execution_order::sort_by_execution;
use align::input::AttributionInput;
use align::solve::NINETY;
use align::stamps::classify;
use align::survey::{Survey, survey};
use align::text_inferences::TextInferences;
use align::timeline::usual_period;
use align::window;
use shared::run_folder::frames::FrameWriter;
use shared::run_folder::stamp::format_stamp;
use shared::run_folder::{
    Diagnostics, LayerStamp, LayerTimes, Manifest, PowerLogReader, Rail, Record, Status, Total, index_layers,
};
use shared::sensor::SensorResponse;
use shared::units::Watts;
use simulate::{Load, PassPlan, PollModel, SensorModel, Truth, VirtualRun};
use std::convert::Infallible;
use std::io::{self, Write};

mod board;
mod bound;
mod experiment;
mod judge;
mod steps;

use board::{WALL_NS, latency_file};

pub use board::{Board, BoardRun, Disturbances, Reader};
pub use experiment::ExperimentPlan;
pub use judge::{Judged, align_folder, judge};

/// A simulated run in EdgeProfiler's text formats, in memory.
#[derive(Debug, Clone)]
pub struct Logs {
    /// The power log.
    pub power: Vec<u8>,
    /// The latency file.
    pub latency: Vec<u8>,
    /// What the agent's sample log holds of the same run.
    pub records: Vec<Record>,
    /// What the layers' stamps mark.
    pub stamp: LayerStamp,
    /// What was true.
    pub truth: Truth,
}

/// Simulates `runs` inferences with layers reported in the power pass, as EdgeProfiler does.
#[must_use]
pub fn simulate_logs(load: &Load, sensor: SensorModel, poll: PollModel, runs: u32, callback: bool, seed: u64) -> Logs {
    let stamp = if callback { LayerStamp::Callback } else { LayerStamp::LayerEnd };
    let run = VirtualRun {
        load: load.clone(),
        sensor,
        poll,
        passes: PassPlan { warmup: 50, runs, profiled: 0, with_power: true, stamp, idle_ns: 2_000_000_000 },
        start_ns: 1_000_000_000,
        seed,
    };
    let mut power = Vec::new();
    let mut lists: Vec<Vec<u8>> = vec![Vec::new(); load.layers.len()];
    let wall = |ns: u64| format_stamp(WALL_NS.saturating_add_unsigned(ns));
    let mut records = Vec::new();
    let outcome = simulate::simulate::<Infallible>(&run, &mut |record| {
        match &record {
            Record::Samples(samples) => {
                for s in samples {
                    let _ = writeln!(power, "{},{:?},{:?}", wall(s.t_ns), f64::from(s.mv), f64::from(s.ma));
                }
            }
            Record::Layers { runs, .. } => {
                for (list, run) in lists.iter_mut().zip(runs) {
                    let separator = if list.is_empty() { "" } else { "," };
                    let _ = write!(list, "{separator}[{:?},\"{}\"]", f64::from(run.ms), wall(run.stamp_ns));
                }
            }
            _ => {}
        }
        records.push(record);
        Ok(())
    });
    let Ok((_, truth, _)) = outcome;
    let latency = latency_file(&load.layers, &lists);
    Logs { power, latency, records, stamp, truth }
}

impl Logs {
    /// The same run as the agent leaves it: its manifest and its sealed sample log.
    ///
    /// # Errors
    /// Never in practice: it writes to memory.
    pub fn agent(&self, model: &str) -> io::Result<(Manifest, Vec<u8>)> {
        let mut manifest = Manifest::new(model, "simulated");
        manifest.status = Status::Complete;
        manifest.clock.wall_minus_monotonic_ns = WALL_NS;
        manifest.power.rails = vec![Rail { label: "VDD_IN".into(), ..Rail::default() }];
        manifest.power.total = Total::Rail(0);
        manifest.layer_times = LayerTimes { stamp: self.stamp, with_power: true, cycles_per_entry: 1 };
        manifest.layers = self.truth.layers.iter().map(|layer| layer.name.clone()).collect();
        let mut log = FrameWriter::start(Vec::new())?;
        log.append(&Record::Manifest(Box::new(manifest.clone())).encode())?;
        for record in &self.records {
            log.append(&record.encode())?;
            manifest.counts.add(record);
        }
        log.append(&Record::Manifest(Box::new(manifest.clone())).encode())?;
        log.append(&Record::Seal(manifest.counts).encode())?;
        Ok((manifest, std::mem::take(log.sink())))
    }
}

/// How far each way of attributing is from the truth.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Comparison {
    /// Mean absolute percentage error of layer power, weighted by run time: the window rule, over layers that it gives a
    /// power at all; the network's mean for those it does not.
    pub window: f64,
    /// Share of the run time in layers that the window rule gives no power.
    pub window_without: f64,
    /// The mean power of the run for every layer, which is what a constant could do at best.
    pub constant: f64,
    /// The layers' energy shared out by run time.
    pub share: f64,
    /// Deconvolved.
    pub deconvolve: f64,
    /// Share of layers whose 90 % interval holds the true power.
    pub coverage: f64,
    /// Mean half-width of these intervals, relative to the true power, weighted by run time.
    pub half_width: f64,
    /// Measured energy per inference over the true one, less one.
    pub energy_error: f64,
    /// Sum of the energies of layers and of the time outside them over the measured one, less one.
    pub closure: f64,
    /// Share of run time in layers that the deconvolution tells apart.
    pub identified: f64,
    /// What variances were multiplied by; absent where nothing was fitted.
    pub inflation: Option<f64>,
}

/// Attributes a simulated run and compares.
///
/// # Errors
/// Never in practice: the logs are in memory.
pub fn compare(logs: &Logs, known: SensorResponse) -> io::Result<(Comparison, Evidence, Survey)> {
    let latency = logs.latency.as_slice();
    let power = || PowerLogReader::new(logs.power.as_slice());
    let survey = survey(power(), known)?;
    let mut layers = index_layers(latency, &mut Diagnostics::default())?;
    let file_order = layers.clone();
    sort_by_execution(latency, &mut layers, |_| None)?;
    let mut batch = Batch::default();
    TextInferences::new(latency, &layers, false).next_batch(&mut batch)?;
    let input = AttributionInput {
        is_fitted: true,
        inferences: &|| Ok(Box::new(TextInferences::new(latency, &layers, false))),
        power: &|| Ok(Box::new(power())),
        layers: layers.len(),
        stamps: classify(&batch),
        period: usual_period(&batch),
        survey: &survey,
        idle: Some(Watts(logs.truth.idle_w)),
    };
    let evidence = attribute(&input)?;

    let mut sums = vec![(0.0, 0_u64); file_order.len()];
    window::apply(latency, &file_order, power(), |row| {
        if let Some(power) = row.power {
            sums[row.layer].0 += power.0 * 1e-6;
            sums[row.layer].1 += 1;
        }
        Ok(())
    })?;

    let truth = &logs.truth.layers;
    let mean = evidence.mean.map_or(f64::NAN, |mean| mean.0);
    let by_name = |name: &str| layers.iter().position(|l| l.name == name).unwrap_or(0);
    let order: Vec<usize> = truth.iter().map(|t| by_name(&t.name)).collect();
    let time: f64 = truth.iter().map(|t| t.duration_ms).sum();
    let error = |watts: &dyn Fn(usize) -> f64| -> f64 {
        truth.iter().enumerate().map(|(i, t)| (watts(i) / t.power_w - 1.0).abs() * t.duration_ms).sum::<f64>() / time
    };
    let solution = evidence.solution.as_ref();
    let fitted = |i: usize| solution.map_or(mean, |s| s.watts[order[i]]);
    let deviation = |i: usize| solution.map_or(f64::INFINITY, |s| s.deviation[order[i]]);
    let level = truth.iter().enumerate().map(|(i, t)| fitted(i) * t.duration_ms).sum::<f64>() / time;
    let file_index = |name: &str| file_order.iter().position(|l| l.name == name).unwrap_or(0);
    let rule: Vec<Option<f64>> = truth
        .iter()
        .map(|t| {
            let (sum, count) = sums[file_index(&t.name)];
            (count > 0).then(|| sum / count as f64)
        })
        .collect();
    let inside =
        truth.iter().enumerate().filter(|(i, t)| (fitted(*i) - t.power_w).abs() <= NINETY * deviation(*i)).count();
    let true_energy = logs.truth.energy_mj / f64::from(logs.truth.cycles);
    let parts = solution.map_or(f64::NAN, |s| s.watts.iter().zip(&evidence.shares).map(|(p, w)| p * w).sum());
    let comparison = Comparison {
        window: error(&|i| rule[i].unwrap_or(mean)),
        window_without: truth.iter().zip(&rule).filter(|(_, r)| r.is_none()).map(|(t, _)| t.duration_ms).sum::<f64>()
            / time,
        constant: error(&|_| mean),
        share: error(&|_| level),
        deconvolve: error(&fitted),
        coverage: inside as f64 / truth.len() as f64,
        half_width: truth
            .iter()
            .enumerate()
            .map(|(i, t)| NINETY * deviation(i) / t.power_w * t.duration_ms)
            .sum::<f64>()
            / time,
        energy_error: mean * evidence.period.0 / true_energy - 1.0,
        closure: parts / mean - 1.0,
        identified: truth
            .iter()
            .enumerate()
            .filter(|(i, _)| solution.is_some_and(|s| s.deviation[order[*i]] < 0.5 * s.prior_deviation[order[*i]]))
            .map(|(_, t)| t.duration_ms)
            .sum::<f64>()
            / time,
        inflation: evidence.checks.inflation,
    };
    Ok((comparison, evidence, survey))
}
