//! An experiment of several runs with known truth, as the agent leaves it: a main run with pauses and loops below it.

use super::board::WALL_NS;
use crate::BoardRun;
use shared::failure::Failure;
use shared::run_folder::frames::FrameWriter;
use shared::run_folder::{
    Change, Design, DesignKind, DesignStep, LayerStamp, LayerTimes, Manifest, PassSpan, Rail, Record, RunFolder,
    Sensor, Status, Total,
};
use shared::units::{Micros, Millis};
use simulate::{Load, PassPlan, PollModel, SensorModel, Truth, VirtualRun};
use std::convert::Infallible;
use std::fs;
use std::path::Path;

/// Cycles of the main run's profiled pass.
const PROFILED: u32 = 400;

/// What an experiment measures.
#[derive(Debug, Clone)]
pub struct ExperimentPlan {
    /// The network.
    pub load: Load,
    /// The sensor.
    pub sensor: SensorModel,
    /// How it is read.
    pub poll: PollModel,
    /// How long each further run measures once the sensor has settled.
    pub time: Millis,
    /// Whether there are loops, besides pauses.
    pub loops: bool,
}

impl ExperimentPlan {
    /// Simulates the main run `net` below `folder` and its further runs, and returns what was true. The truth has no
    /// power log in it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, seed: u64) -> Result<BoardRun, Failure> {
        let main = folder.join("net");
        let settled_after = Millis(5e-3 * self.sensor.family.time_constant().0 + 20.0);
        let length = Millis(settled_after.0 + self.time.0);
        let gaps = |load: &Load| {
            let between = load.layer_gap.0 * load.layers.len() as f64;
            load.launch.0 + between + load.collect.0 + load.host_gap.0 + load.pause.0
        };
        let period = |load: &Load| Millis(load.inference().0.max(0.0) + load.host_gap.0 + load.pause.0);
        let whole = period(&self.load);
        let cycles = |load: &Load| (length.0 / period(load).0.max(gaps(load))).ceil() as u32;
        let mut steps = Vec::new();
        let mut measure = |name: String, load: &Load, change: Change, seed: u64| -> Result<(), Failure> {
            let count = cycles(load);
            self.run(&main.join(&name), load, (count, 0), seed, None)?;
            steps.push(DesignStep {
                folder: name,
                status: Some(Status::Complete),
                cycles: count,
                expected: length,
                settled_after,
                change,
            });
            Ok(())
        };
        for (k, part) in [0.5, 1.0, 2.0].into_iter().enumerate() {
            let load = Load { pause: whole * part, ..self.load.clone() };
            let pause = Micros::from(load.pause);
            measure(format!("design/pause-{k}"), &load, Change::Pause { pause }, seed + 1 + k as u64)?;
        }
        let loops = self.load.layers.iter().enumerate().filter(|(_, l)| self.loops && l.duration.0 > 0.0);
        for (l, layer) in loops {
            let load = Load { layers: vec![layer.clone()], ..self.load.clone() };
            let time = Some(layer.duration);
            let change =
                Change::Loop { layers: vec![l], network: time, alone: time, others: None, same_tactic: Some(true) };
            measure(format!("design/loop-{l}"), &load, change, seed + 10 + l as u64)?;
        }
        let kind = if self.loops { DesignKind::Loops } else { DesignKind::Pauses };
        let design = Design { kind, period: whole, steps, outside: None };
        let truth = self.run(&main, &self.load, (cycles(&self.load), PROFILED), seed, Some(design))?;
        let idle = format!("{{\"timestamp\": \"20250128-133619\", \"avg_idle_power\": {}}}", truth.idle_w * 1e6);
        let path = folder.join("idling_power.json");
        fs::write(&path, idle).map_err(|e| Failure::io(&path, "write", &e))?;
        Ok(BoardRun {
            power: Vec::new(),
            latency: Vec::new(),
            watts: truth.layers.iter().map(|layer| layer.power_w).collect(),
            durations: truth.layers.iter().map(|layer| layer.duration_ms).collect(),
            idle_w: truth.idle_w,
            mean_idle_w: truth.idle_w,
            bound: vec![f64::NAN; truth.layers.len()],
            bound_fitted: vec![f64::NAN; truth.layers.len()],
        })
    }

    /// Simulates one run into a run folder.
    fn run(
        &self,
        folder: &Path,
        load: &Load,
        (runs, profiled): (u32, u32),
        seed: u64,
        design: Option<Design>,
    ) -> Result<Truth, Failure> {
        let virtual_run = VirtualRun {
            load: load.clone(),
            sensor: self.sensor,
            poll: self.poll,
            passes: PassPlan {
                warmup: 20,
                runs,
                profiled,
                with_power: false,
                stamp: LayerStamp::Callback,
                idle_ns: 2_500_000_000,
            },
            start_ns: 1_000_000_000,
            seed,
        };
        let mut records = Vec::new();
        let outcome = simulate::simulate::<Infallible>(&virtual_run, &mut |record| {
            records.push(record);
            Ok(())
        });
        let Ok((passes, truth, _)) = outcome;
        let path = RunFolder::at(folder).ok_or_else(|| Failure::usage("no name for a run".to_owned()).at(folder))?;
        fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "create", &e))?;
        let manifest = self.manifest(path.model(), load, passes, &records, design);
        let io = |e: std::io::Error| Failure::io(&path.sample_log(), "write", &e);
        let mut log = FrameWriter::start(Vec::new()).map_err(io)?;
        log.append(&Record::Manifest(Box::new(manifest.clone())).encode()).map_err(io)?;
        for record in &records {
            log.append(&record.encode()).map_err(io)?;
        }
        log.append(&Record::Seal(manifest.counts).encode()).map_err(io)?;
        fs::write(path.sample_log(), std::mem::take(log.sink())).map_err(io)?;
        manifest.write(&path.manifest())?;
        Ok(truth)
    }

    fn manifest(
        &self,
        model: &str,
        load: &Load,
        passes: Vec<PassSpan>,
        records: &[Record],
        design: Option<Design>,
    ) -> Manifest {
        let mut manifest = Manifest::new(model, "simulated");
        manifest.status = Status::Complete;
        manifest.clock.wall_minus_monotonic_ns = WALL_NS;
        let sensor = Sensor::default().with_family(self.sensor.family);
        manifest.power.rails = vec![Rail { label: "VDD_IN".into(), sensor, ..Rail::default() }];
        manifest.power.total = Total::Rail(0);
        manifest.layer_times = LayerTimes { stamp: LayerStamp::Callback, with_power: false, cycles_per_entry: 1 };
        manifest.layers = load.layers.iter().map(|layer| layer.name.clone()).collect();
        manifest.passes = passes;
        manifest.design = design;
        records.iter().for_each(|record| manifest.counts.add(record));
        manifest
    }
}
