//! A plan of several models, each measured several times, that goes on where it was cut off.
//!
//! The run folders are the only state: a folder whose manifest says that it is complete is done, one that was cut off is
//! sealed, set aside and measured again.

use super::recover;
use serde::Deserialize;
use shared::failure::Failure;
use shared::limits;
use shared::run_folder::{Manifest, RunFolder, Status};
use shared::text::read_text;
use std::path::{Path, PathBuf};

/// The plan, as its TOML file says it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentPlan {
    /// Where run folders go.
    pub result_dir: PathBuf,
    /// How long to measure idle power first (`"120s"`); `"0s"` leaves it out.
    #[serde(default = "two_minutes")]
    pub idle: String,
    /// How long to rest before each model.
    #[serde(default = "half_a_minute")]
    pub cool_down: String,
    /// How often each model is measured.
    #[serde(default = "one")]
    pub repeats: u32,
    /// Power source, as `--source`.
    #[serde(default)]
    pub source: Option<String>,
    /// Readings a second, as `--rate`.
    #[serde(default)]
    pub rate: Option<String>,
    /// Setting of the board's sensor, as `--sensor`.
    #[serde(default)]
    pub sensor: Option<String>,
    /// Runner, as `--runner`.
    #[serde(default)]
    pub runner: Option<String>,
    /// Cycles of models that do not set their own.
    #[serde(default)]
    pub runs: Option<u32>,
    /// Warm-up cycles of models that do not set their own.
    #[serde(default)]
    pub warmup: Option<u32>,
    /// Profiled cycles of models that do not set their own.
    #[serde(default)]
    pub profiled: Option<u32>,
    /// About how long the power pass and the profiled pass of a model may take each, as `--pass-time`.
    #[serde(default)]
    pub pass_time: Option<String>,
    /// Idle time recorded before and after each model, as `--idle`.
    #[serde(default)]
    pub rest: Option<String>,
    /// The models.
    #[serde(rename = "model")]
    pub models: Vec<ModelPlan>,
}

/// One model of a plan.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// Its name, and its run folder's.
    pub name: String,
    /// A serialised engine.
    #[serde(default)]
    pub engine: Option<PathBuf>,
    /// An ONNX model.
    #[serde(default)]
    pub onnx: Option<PathBuf>,
    /// An engine info, for the simulated runner.
    #[serde(default)]
    pub engine_info: Option<PathBuf>,
    /// Input shapes, as `--shape`.
    #[serde(default)]
    pub shapes: Vec<String>,
    /// `fp32`, `fp16`, `int8` or `best`.
    #[serde(default)]
    pub precision: Option<String>,
    /// Cycles.
    #[serde(default)]
    pub runs: Option<u32>,
    /// Warm-up cycles.
    #[serde(default)]
    pub warmup: Option<u32>,
    /// Cycles with the profiler.
    #[serde(default)]
    pub profiled: Option<u32>,
}

fn two_minutes() -> String {
    "120s".into()
}

fn half_a_minute() -> String {
    "30s".into()
}

fn one() -> u32 {
    1
}

impl ExperimentPlan {
    /// Reads a plan. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key, names a model twice, or gives a model nothing to run.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, limits::SMALL_FILE_BYTES)?;
        let mut plan: Self = toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let failure = Failure::usage(e.message().to_owned()).at(path);
            match line {
                Some(line) => failure.place(format!("line {line}")),
                None => failure,
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        plan.result_dir = folder.join(&plan.result_dir);
        for model in &mut plan.models {
            for file in [&mut model.engine, &mut model.onnx, &mut model.engine_info].into_iter().flatten() {
                *file = folder.join(&file);
            }
        }
        plan.check().map_err(|message| Failure::usage(message).at(path))?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.models.is_empty() {
            return Err("names no [[model]]".into());
        }
        if !(1..=1000).contains(&self.repeats) {
            return Err(format!("`repeats` is {}, it needs to be 1 to 1000", self.repeats));
        }
        for (index, model) in self.models.iter().enumerate() {
            if !RunFolder::is_model_name(&model.name) {
                return Err(format!("`{}` cannot name a run folder", model.name));
            }
            if self.models[..index].iter().any(|other| other.name == model.name) {
                return Err(format!("model `{}` is there twice", model.name));
            }
            let given = [&model.engine, &model.onnx, &model.engine_info].into_iter().flatten().count();
            if given != 1 {
                return Err(format!("model `{}` needs one of `engine`, `onnx` and `engine_info`", model.name));
            }
        }
        Ok(())
    }
}

/// One measurement of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which model, by its place in the plan.
    pub model: usize,
    /// Which repetition, from 1.
    pub repeat: u32,
    /// Its run folder.
    pub run: RunFolder,
}

/// What remains to be measured, in order: every model once, then every model again, so that slow changes of the board
/// spread over all of them. Cut-off runs are sealed and set aside; `said` is called with a message.
///
/// # Errors
/// When a cut-off run can be neither sealed nor set aside.
pub fn steps(plan: &ExperimentPlan, said: &mut dyn FnMut(String)) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for repeat in 1..=plan.repeats {
        let root =
            if plan.repeats == 1 { plan.result_dir.clone() } else { plan.result_dir.join(format!("run{repeat}")) };
        for (index, model) in plan.models.iter().enumerate() {
            let run = RunFolder::new(&root, &model.name);
            if needs_measuring(&run, said)? {
                steps.push(Step { model: index, repeat, run });
            }
        }
    }
    Ok(steps)
}

/// Whether a run is still to be measured: it is not there, or it was cut off. A run that was cut off is sealed and set aside.
///
/// # Errors
/// When it can be neither sealed nor set aside.
pub fn needs_measuring(run: &RunFolder, said: &mut dyn FnMut(String)) -> Result<bool, Failure> {
    if !run.sample_log().exists() {
        if run.path().exists() && run.manifest().exists() {
            set_aside(run)?;
        }
        return Ok(true);
    }
    let status = Manifest::read(&run.manifest()).map(|manifest| manifest.status);
    if matches!(status, Ok(Status::Complete)) {
        return Ok(false);
    }
    if !matches!(status, Ok(Status::Interrupted | Status::Failed | Status::Recovered)) {
        match recover(run) {
            Ok(found) => said(format!(
                "{}: sealed {} samples of a run that was cut off",
                run.path().display(),
                found.counts.samples
            )),
            // What cannot be sealed is set aside as it is; it is not ours to delete.
            Err(failure) => said(failure.report(false)),
        }
    }
    let aside = set_aside(run)?;
    said(format!("{}: set aside as {}", run.path().display(), aside.display()));
    Ok(true)
}

/// Moves a run out of the way, to a name that begins with a dot so that nobody takes it for a model.
fn set_aside(run: &RunFolder) -> Result<PathBuf, Failure> {
    let parent = run.path().parent().unwrap_or(Path::new(""));
    let aside = (1..10_000)
        .map(|n| parent.join(format!(".cut-off-{}-{n}", run.model())))
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::usage("too many runs were cut off here").at(run.path()))?;
    std::fs::rename(run.path(), &aside).map_err(|e| Failure::io(run.path(), "set aside", &e))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<ExperimentPlan, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).expect("writes");
        ExperimentPlan::read(&path)
    }

    #[test]
    fn a_plan_is_read_and_its_faults_named() {
        let good = plan("result_dir = 'raw'\nrepeats = 2\n[[model]]\nname = 'a'\nonnx = 'a.onnx'\n").expect("reads");
        assert!(good.models[0].onnx.as_ref().expect("a path").ends_with("a.onnx"));
        assert_eq!(good.idle, "120s");
        for (bad, says) in [
            ("result_dir = 'raw'\n[[model]]\nname = 'a'\nonx = 'a'\n", "onx"),
            ("result_dir = 'raw'\nmodel = []\n", "[[model]]"),
            ("result_dir = 'raw'\n[[model]]\nname = '../a'\nonnx = 'a'\n", "../a"),
            ("result_dir = 'raw'\n[[model]]\nname = 'a'\n", "one of"),
        ] {
            let failure = plan(bad).expect_err("must fail");
            assert_eq!(failure.kind, shared::failure::Kind::Usage);
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }

    #[test]
    fn every_model_comes_once_before_any_comes_twice() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut plan = plan(
            "result_dir = 'raw'\nrepeats = 2\n[[model]]\nname = 'a'\nonnx = 'a'\n[[model]]\nname = 'b'\nonnx = 'b'\n",
        )
        .expect("reads");
        plan.result_dir = folder.path().to_owned();
        let steps = steps(&plan, &mut |_| {}).expect("plans");
        assert_eq!(steps.iter().map(|s| (s.repeat, s.model)).collect::<Vec<_>>(), [(1, 0), (1, 1), (2, 0), (2, 1)]);
    }
}
