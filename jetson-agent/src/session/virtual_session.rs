//! Measuring a simulated model in virtual time: the same run folder, without the waiting.

use super::profile::refuse_existing;
use super::{RunLog, program, write_reference_files};
use crate::power::Root;
use crate::sys;
use crate::{board, runner};
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use shared::run_folder::{Clock, Manifest, RunFolder, SamplingReport, Status, read_sample_log};
use simulate::{VirtualRun, simulate};

/// Simulates a run into a run folder. `virtual_run.start_ns` of 0 is now.
///
/// # Errors
/// When the load makes no sense or the folder cannot be written.
pub fn profile_virtually(
    run: &RunFolder,
    virtual_run: &VirtualRun,
    job: &crate::runner::Job,
    engine_info: Option<&[u8]>,
    root: &Root,
) -> Result<Manifest, Failure> {
    refuse_existing(run)?;
    virtual_run.load.check().map_err(Failure::usage)?;
    virtual_run.sensor.check().map_err(Failure::usage)?;
    let mut virtual_run = virtual_run.clone();
    if virtual_run.start_ns == 0 {
        virtual_run.start_ns = sys::monotonic_ns();
    }
    let timing = runner::SimulatedTiming { stamp: virtual_run.passes.stamp, with_power: virtual_run.passes.with_power };
    let prepared = runner::describe_simulated(job, &virtual_run.load, timing);
    let mut manifest = Manifest::new(run.model(), &program());
    let (offset, at) = sys::clock_offset();
    manifest.clock = Clock { wall_minus_monotonic_ns: offset, measured_at_ns: at, drift_ns: Some(0) };
    manifest.power = crate::power::simulated_setup(&virtual_run.sensor);
    if virtual_run.poll.period_ns > 0 {
        manifest.power.requested_hz = Some(1e9 / virtual_run.poll.period_ns as f64);
    }
    manifest.runner = prepared.setup;
    manifest.layer_times = prepared.layer_times;
    manifest.layers = prepared.layers;
    manifest.board = board::probe(root);
    let mut log = RunLog::create(&run.sample_log(), &manifest)?;
    manifest.write(&run.manifest())?;
    if let Some(engine_info) = engine_info {
        write_atomic(&run.engine_info(), engine_info)?;
    }
    let (passes, truth, end_ns) = simulate(&virtual_run, &mut |record| log.append(&record))?;
    manifest.passes = passes;
    manifest.counts = log.counts();
    let seconds = (end_ns - virtual_run.start_ns) as f64 * 1e-9;
    manifest.sampling = Some(SamplingReport {
        achieved_hz: manifest.counts.samples as f64 / seconds,
        refresh_ms: Some(virtual_run.sensor.family.refresh().0 * 1e-3),
        ..SamplingReport::default()
    });
    manifest.status = Status::Complete;
    log.seal(&manifest)?;
    manifest.write(&run.manifest())?;
    let truth = serde_json::to_vec_pretty(&truth).map_err(|e| Failure::from_error(Kind::Data, e))?;
    write_atomic(&run.truth(), &truth)?;
    write_reference_files(run, &manifest, &read_sample_log(&run.sample_log())?)?;
    Ok(manifest)
}
