//! Whether a run folder is whole, and what is missing if not.

use shared::failure::Failure;
use shared::run_folder::{
    LogContent, Manifest, ModelRun, PowerLogReader, RunFolder, Status, Verdict, read_layer_latencies, read_sample_log,
    total_readings,
};
use std::fs::File;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The file it concerns.
    pub file: String,
    /// What was found.
    pub verdict: Verdict,
    /// In a sentence.
    pub message: String,
}

/// Checks a run folder: every frame of the log, the counts it was sealed with, and that the reference's files hold the
/// same. Nothing is changed.
///
/// # Errors
/// When the folder is not there at all.
pub fn verify(run: &RunFolder) -> Result<Vec<Finding>, Failure> {
    std::fs::read_dir(run.path()).map_err(|e| Failure::io(run.path(), "read", &e))?;
    let mut findings = Vec::new();
    let mut find = |path: &std::path::Path, verdict: Verdict, message: String| {
        let file = path.strip_prefix(run.path()).unwrap_or(path).display().to_string();
        findings.push(Finding { file, verdict, message });
    };
    let manifest = match Manifest::read(&run.manifest()) {
        Ok(manifest) => {
            let (verdict, message) = match manifest.status {
                Status::Complete => (Verdict::Pass, "the run is complete".to_owned()),
                Status::Running => (
                    Verdict::Fail,
                    "the run was not sealed: it still goes on, or `jetson-agent recover` seals it".to_owned(),
                ),
                Status::Interrupted => (Verdict::Warn, "the run was ended by the user".to_owned()),
                Status::Failed | Status::Recovered => (
                    Verdict::Warn,
                    format!("the run ended early: {}", manifest.failure.as_deref().unwrap_or("unknown")),
                ),
            };
            find(&run.manifest(), verdict, message);
            Some(manifest)
        }
        Err(failure) => {
            find(&run.manifest(), Verdict::Fail, failure.message);
            None
        }
    };
    for step in manifest.iter().filter_map(|manifest| manifest.design.as_ref()).flat_map(|design| &design.steps) {
        let further = run.path().join(&step.folder).join("manifest.json");
        match Manifest::read(&further).map(|manifest| manifest.status) {
            Ok(Status::Complete) => find(&further, Verdict::Pass, "the further run is complete".to_owned()),
            Ok(status) => find(&further, Verdict::Warn, format!("the further run is not complete: {status:?}")),
            Err(_) => find(&further, Verdict::Warn, "was not measured: the same command goes on from here".to_owned()),
        }
    }
    let content = match read_sample_log(&run.sample_log()) {
        Ok(content) => content,
        Err(failure) => {
            find(&run.sample_log(), Verdict::Fail, failure.message);
            return Ok(findings);
        }
    };
    // A run that was cut off has no seal and may end in a torn frame; once recovered, its manifest says what it holds.
    let recovered = manifest
        .as_ref()
        .is_some_and(|manifest| manifest.status == Status::Recovered && manifest.counts == content.counts);
    let (verdict, message) = judge_log(&content, recovered);
    find(&run.sample_log(), verdict, message);
    if let Some(manifest) = manifest.or_else(|| content.manifest.clone()) {
        check_reference_files(run, &manifest, &content, &mut find);
    }
    Ok(findings)
}

fn judge_log(content: &LogContent, recovered: bool) -> (Verdict, String) {
    let damage = content.damage;
    let held = format!(
        "{} frames, {} samples, {} inferences, {} layer cycles",
        damage.frames,
        content.counts.samples,
        content.counts.power_inferences + content.counts.profiled_inferences,
        content.counts.layer_cycles
    );
    let (mut missing, mut cut_off) = (Vec::new(), Vec::new());
    if damage.no_magic {
        missing.push("it does not begin as a sample log".to_owned());
    }
    if damage.missing > 0 {
        missing.push(format!("{} frames are missing ({} damaged bytes)", damage.missing, damage.skipped_bytes));
    }
    if content.unknown_records > 0 {
        missing.push(format!("{} records are of another version", content.unknown_records));
    }
    match content.seal {
        Some(seal) if seal != content.counts => missing.push(format!(
            "sealed with {} samples, {} inferences and {} layer cycles",
            seal.samples,
            seal.power_inferences + seal.profiled_inferences,
            seal.layer_cycles
        )),
        None => cut_off.push("it was not sealed".to_owned()),
        _ => {}
    }
    if damage.torn_bytes > 0 {
        cut_off.push(format!("{} bytes of a torn frame at the end", damage.torn_bytes));
    }
    let verdict = match (missing.is_empty(), cut_off.is_empty()) {
        (true, true) => return (Verdict::Pass, held),
        (true, false) if recovered => Verdict::Warn,
        _ => Verdict::Fail,
    };
    missing.append(&mut cut_off);
    (verdict, format!("{held}; {}", missing.join("; ")))
}

fn check_reference_files(
    run: &RunFolder,
    manifest: &Manifest,
    content: &LogContent,
    find: &mut dyn FnMut(&std::path::Path, Verdict, String),
) {
    let compare = |what: &str, found: u64, held: u64| {
        if found == held {
            (Verdict::Pass, format!("{found} {what}"))
        } else {
            (Verdict::Fail, format!("{found} {what}, the sample log holds {held}"))
        }
    };
    let power_log = run.power_log();
    match File::open(&power_log) {
        Ok(file) => {
            let lines = PowerLogReader::new(file).filter(|l| matches!(l, Ok(Ok(_)))).count() as u64;
            let held = total_readings(&manifest.power, &content.samples).count() as u64;
            let (verdict, message) = compare("readings", lines, held);
            find(&power_log, verdict, message);
        }
        Err(e) => find(&power_log, Verdict::Fail, e.to_string()),
    }
    match ModelRun::read(&run.model_run()) {
        Ok(model) => {
            let held = match content.counts.power_inferences {
                0 => content.counts.profiled_inferences,
                inferences => inferences,
            };
            let (verdict, message) = compare("latencies", model.latencies.len() as u64, held);
            find(&run.model_run(), verdict, message);
        }
        Err(failure) => find(&run.model_run(), Verdict::Fail, failure.message),
    }
    match read_layer_latencies(&run.layer_latency()) {
        Ok(latencies) => {
            let entries: u64 = latencies.layers.iter().map(|(_, entries)| entries.len() as u64).sum();
            let held: u64 = content.layers.iter().map(|(_, runs)| runs.len() as u64).sum();
            let (verdict, message) = compare("layer times", entries, held);
            find(&run.layer_latency(), verdict, message);
        }
        Err(failure) => find(&run.layer_latency(), Verdict::Fail, failure.message),
    }
    let engine_info = run.engine_info();
    match shared::engine::read(&engine_info) {
        Ok((engine, _)) => find(&engine_info, Verdict::Pass, format!("{} layers", engine.layers.len())),
        // Without it the run is still a measurement, only harder to learn from.
        Err(failure) => find(&engine_info, Verdict::Warn, failure.message),
    }
}
