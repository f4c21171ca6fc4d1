//! What the demo does, step by step.

use super::programs::Programs;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use simulate::architectures::{Options, engine_info};
use std::path::Path;
use std::process::Command;

/// The networks that models learn from.
const LEARNED: [&str; 5] = ["alexnet", "lenet", "mobilenet_v2", "resnet18", "resnet50"];
/// The network that no model has seen.
pub const NEW_NETWORK: &str = "vgg16";

/// A step: what it is for, and the commands that do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is for, in a sentence.
    pub what: &'static str,
    /// Its commands as a user would give them, in the demo's folder.
    pub commands: Vec<String>,
    /// Whether its output is worth reading.
    pub shown: bool,
}

/// All steps.
#[must_use]
pub fn steps() -> Vec<Step> {
    let record = |network: &str, result_dir: &str| {
        format!(
            "jetson-agent profile --runner simulated --simulate-fast --engine-info engines/{network}.json --name {network} \
             --runs 500 --profiled 100 --result-dir {result_dir}"
        )
    };
    let step = |what, shown, commands| Step { what, commands, shown };
    vec![
        step(
            "On the board: run five networks while power and layer times are recorded. Here the board is simulated.",
            false,
            LEARNED.map(|network| record(network, "raw_data")).to_vec(),
        ),
        step(
            "Rebuild when each layer ran, and what of the power is its own.",
            false,
            vec!["host-trainer align --raw-data-dir raw_data --result-dir preprocessed_data".into()],
        ),
        step(
            "Make training tables, one for each kind of layer.",
            false,
            vec!["host-trainer dataset --preprocessed-data-dir preprocessed_data --result-dir training_data --power total".into()],
        ),
        step(
            "Fit a model of run time and of power for each kind of layer.",
            false,
            vec!["host-trainer fit --data training_data --out models --device simulated-board --kind physics --test-models none".into()],
        ),
        step(
            "Predict a network that no model has seen.",
            true,
            vec![format!(
                "host-trainer predict --trt-engine-path engines/{NEW_NETWORK}.json --models models --top 5 --result-csv-path prediction.csv"
            )],
        ),
        step(
            "Record that network too, to see how far the prediction is off.",
            false,
            vec![record(NEW_NETWORK, "check")],
        ),
        step(
            "Write a page about the models.",
            false,
            vec!["host-trainer report --models models --data training_data --out report.html".into()],
        ),
    ]
}

/// Prepares the folder: it gets the engine infos that TensorRT would have written.
///
/// # Errors
/// When the folder holds something already or cannot be written.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if used {
        return Err(Failure::usage("is not empty")
            .at(folder)
            .help("name a folder that is not there yet, or remove this one"));
    }
    for network in LEARNED.into_iter().chain([NEW_NETWORK]) {
        let info = engine_info(network, Options::default())
            .ok_or_else(|| Failure::data(format!("the simulator does not know `{network}`")))?;
        write_atomic(&folder.join(format!("engines/{network}.json")), info.as_bytes())?;
    }
    Ok(())
}

/// Runs one command of a step in the folder; what it wrote to stdout.
///
/// # Errors
/// When it cannot be started or fails; with what it said.
pub fn run(command: &str, folder: &Path, programs: &Programs) -> Result<String, Failure> {
    let mut words = command.split_whitespace();
    let program = match words.next() {
        Some("jetson-agent") => &programs.jetson_agent,
        _ => &programs.host_trainer,
    };
    let mut child = Command::new(program);
    // Settings of the user's own store, models and configuration do not belong to the demo.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOST_TRAINER_") || text.starts_with("JETSON_AGENT_") {
            child.env_remove(&name);
        }
    }
    child.env("HOST_TRAINER_SETTINGS", "").env("JETSON_AGENT_SETTINGS", "").env("HOST_TRAINER_NO_PROGRESS", "1");
    let output = child.args(words).current_dir(folder).output().map_err(|e| Failure::io(program, "run", &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let kind = match output.status.code() {
        Some(2) => Kind::Usage,
        Some(3) => Kind::Data,
        Some(4) => Kind::Device,
        Some(130) => Kind::Interrupted,
        _ => Kind::Io,
    };
    Err(Failure::new(kind, format!("`{command}` failed: {}", said.trim().trim_start_matches("error: "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_prepared_once_and_never_one_that_is_used() {
        let folder = tempfile::tempdir().expect("temporary folder");
        prepare(folder.path()).expect("writes");
        assert!(folder.path().join("engines/vgg16.json").is_file());
        assert!(prepare(folder.path()).expect_err("used").message.contains("is not empty"));
    }

    #[test]
    fn a_command_that_fails_is_named_with_what_it_said() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let programs = Programs { host_trainer: "/bin/ls".into(), jetson_agent: "/no/such".into() };
        let failure = run("host-trainer no-such-file-here", folder.path(), &programs).expect_err("fails");
        assert!(failure.message.contains("no-such-file-here` failed: "), "{failure}");
        assert!(run("jetson-agent x", folder.path(), &programs).is_err());
    }
}
