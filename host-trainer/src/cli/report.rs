//! `host-trainer report`: models and data in, one page about them out.

use super::batch::place::Place as Batches;
use super::model_source::shipped;
use super::progress;
use super::tune::place::{self, Place};
use crate::cli::values::choice;
use batch::folder::{Batch, find};
use batch::status::{Status, status};
use clap::Args;
use learn::evaluate::{
    Baselines, CurvePlan, Pairs, Refit, Shuffles, evaluation_rows, fits, importance_of_models, learning_curve, pairs,
};
use learn::fit::kinds::Kind;
use learn::fit::options::PlanOptions;
use learn::model::default_device;
use learn::predict::{EngineInput, Models};
use learn::training::{self, TrainingData};
use learn::what_if::{Anchors, Choice, SettingOptions, caveats, explore, settings};
use report::{EngineModes, EngineView, Report, Trainings, work_of};
use shared::engine;
use shared::failure::{Failure, Kind as FailureKind};
use shared::fs::write_atomic;
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use tune::studies::{Study, StudyError, Trial};

/// Write an HTML report: models with their accuracy, errors and what the data cannot show; tuning studies; batches.
#[derive(Debug, Args)]
pub(super) struct ReportCommand {
    /// Folder of models.
    #[arg(long, value_name = "DIR", default_value = "trained_models", env = "HOST_TRAINER_MODELS")]
    models: PathBuf,
    /// Folder of evaluation data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column. Without it, the report shows
    /// studies and batches alone.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["study", "batch"])]
    data: Option<PathBuf>,
    /// HTML file to write; it is self-contained.
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Device whose models are evaluated [default: the folder's default device].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Engine-info JSON to show layer by layer. May be repeated.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "data")]
    engine: Vec<PathBuf>,
    /// Power mode in which the device was measured, where nothing recorded it: engines are shown in the board's other modes too.
    #[arg(long, value_name = "NAME", requires = "engine")]
    own_mode: Option<String>,
    /// Optimisation profile, for engines with several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: usize,
    /// Include the permutation importance of each feature.
    #[arg(long, requires = "data")]
    importance: bool,
    /// Include a learning curve; this refits models several times.
    #[arg(long, requires = "data")]
    learning_curve: bool,
    /// Model kind of the learning curve [default: the configuration's, else that of the models].
    #[arg(long, value_parser = choice::<Kind>(), requires = "learning_curve")]
    kind: Option<Kind>,
    /// Configuration of its fits (TOML).
    #[arg(long, value_name = "FILE", requires = "learning_curve")]
    config: Option<PathBuf>,
    /// Repetitions of the shuffles and of the learning curve.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Seed for shuffling and for the choice of held-out networks.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Tuning study to include. May be repeated.
    #[arg(long, value_name = "NAME")]
    study: Vec<String>,
    #[command(flatten)]
    studies: Place,
    /// Batch to include: its folder, its name, or its number among all batches. May be repeated.
    #[arg(long, value_name = "BATCH")]
    batch: Vec<String>,
    #[command(flatten)]
    batches: Batches,
}

impl ReportCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let trainings = Trainings { studies: self.studies(printer)?, batches: self.batches(printer)? };
        let Some(folder) = &self.data else {
            write_atomic(&self.out, trainings.render().as_bytes())?;
            let (studies, batches) = (trainings.studies.len(), trainings.batches.len());
            printer.say(format!("report on {studies} studies and {batches} batches in {}", self.out.display()));
            return Ok(());
        };
        self.of_models(folder, trainings, printer)
    }

    /// The report on models, judged on the data of a folder.
    fn of_models(&self, data_folder: &Path, trainings: Trainings, printer: &Printer) -> Result<(), Failure> {
        let data = training::read(data_folder)?;
        for note in &data.notes {
            printer.warn(note);
        }
        let folder = shipped(&self.models);
        let device = match &self.device {
            Some(device) => device.clone(),
            None => default_device(&folder)?,
        };
        let in_data = data.name_of(&device).to_owned();
        if in_data != device {
            printer.warn(format!("the data were measured on {in_data}, the models are for {device}"));
        }
        let models = Models::open(&folder, &device)?;
        let (engines, unknown_modes) = self.engines(&models, &folder)?;
        models.load(&shared::engine::Table::ALL.into_iter().collect())?;
        let of_data = |failure: Failure| failure.default_path(data_folder);
        let Pairs { pairs, mut notes } = pairs(&models, &data, &in_data, &Baselines::default()).map_err(of_data)?;
        // The page may be passed on: where the data lay is nobody's business.
        let folder = format!("{}/", data_folder.display().to_string().trim_end_matches('/'));
        notes.extend(data.notes.iter().map(|note| note.replace(&folder, "")));
        if in_data != device {
            notes.push(format!("The data were measured on {in_data}, the models are for {device}."));
        }
        notes.extend(unknown_modes.map(|why| format!("Engines are shown in no other power mode: {why}; say by --own-mode in which mode the device was measured.")));
        let importance = self.importance.then(|| {
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let shuffles = Shuffles { repeats: self.repeats as usize, seed: self.seed };
            let found = importance_of_models(&models, &data, &in_data, shuffles, &|| bar.inc(1));
            bar.finish_and_clear();
            found
        });
        let report = Report {
            device: models.device(),
            cards: models.cards().cloned().collect(),
            lines: evaluation_rows(&pairs, false),
            pairs,
            notes,
            engines,
            curve: self.curve(&models, &data, &in_data, printer).transpose().map_err(of_data)?,
            importance: importance.transpose().map_err(of_data)?,
            trainings,
            data: &data,
        };
        write_atomic(&self.out, report.render().as_bytes())?;
        printer.say(format!("report on {} models in {}", report.cards.len(), self.out.display()));
        Ok(())
    }

    /// The engines, and why they are not shown in other power modes, where they are not.
    fn engines(&self, models: &Models, folder: &Path) -> Result<(Vec<EngineView>, Option<String>), Failure> {
        if self.engine.is_empty() {
            return Ok((Vec::new(), None));
        }
        let anchors = match Anchors::open(folder, Some(&models.device().name), self.own_mode.as_deref()) {
            Ok(anchors) => Ok(anchors),
            // Clocks that are not known are no fault of the report; a mode that the board lacks is.
            Err(failure) if failure.kind == FailureKind::Data => Err(failure.message),
            Err(failure) => return Err(failure),
        };
        let view = |file: &PathBuf| {
            let (engine, diagnostics) = engine::read(file)?;
            let input = EngineInput { engine: &engine, diagnostics: &diagnostics, profile: self.profile };
            let of_file = |failure: Failure| failure.default_path(file);
            let prediction = models.predict(&engine, &diagnostics, self.profile).map_err(of_file)?;
            let modes = anchors.as_ref().ok().map(|anchors| in_modes(anchors, &input)).transpose().map_err(of_file)?;
            let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            Ok(EngineView { name, prediction, work: work_of(&engine), modes })
        };
        Ok((self.engine.iter().map(view).collect::<Result<_, Failure>>()?, anchors.as_ref().err().cloned()))
    }

    fn curve(
        &self,
        models: &Models,
        data: &TrainingData,
        in_data: &str,
        printer: &Printer,
    ) -> Option<Result<(String, learn::evaluate::Curve), Failure>> {
        self.learning_curve.then(|| {
            let of_models = || models.cards().find_map(|card| card.model_kind.parse().ok());
            let kind = self.kind.or_else(|| of_models().filter(|_| self.config.is_none()));
            let plan = PlanOptions { config: self.config.as_deref(), kind, ..PlanOptions::default() }.plan()?;
            let estimator = plan.estimator();
            let refit = Refit {
                data,
                device: in_data,
                estimator: estimator.as_ref(),
                folds: plan.evaluation.folds,
                negative_predictions: plan.reference_faults.negative_predictions,
            };
            let curve = CurvePlan { repeats: self.repeats as usize, seed: self.seed };
            let bar = progress::bar(printer, fits(data, curve) as u64, "fits");
            let drawn = learning_curve(&refit, curve, &|| bar.inc(1));
            bar.finish_and_clear();
            Ok((plan.kind.name().to_owned(), drawn?))
        })
    }

    /// The studies asked for, with their trials.
    fn studies(&self, printer: &Printer) -> Result<Vec<(Study, Vec<Trial>)>, Failure> {
        if self.study.is_empty() {
            return Ok(Vec::new());
        }
        let runtime = super::runtime::build()?;
        let (studies, location) = self.studies.read(&runtime, printer)?;
        let read = runtime.block_on(async {
            let mut read = Vec::new();
            for name in &self.study {
                read.push((studies.study(name).await?, studies.trials(name).await?));
            }
            studies.close().await;
            Ok::<_, StudyError>(read)
        });
        read.map_err(|e| place::failure(&location, e))
    }

    /// The batches asked for, and how each stands.
    fn batches(&self, printer: &Printer) -> Result<Vec<(Batch, Status)>, Failure> {
        let one = |name: &String| {
            let batch = Batch::open(&find(&self.batches.batches, name)?)?;
            // What the engine says of its jobs is not what a report is kept for.
            let status = super::runtime::block_on(status(&batch, false))??;
            status.notes.iter().for_each(|note| printer.warn(note));
            Ok((batch, status))
        };
        self.batch.iter().map(one).collect()
    }
}

/// An engine in every power mode of its board.
fn in_modes(anchors: &Anchors, input: &EngineInput<'_>) -> Result<EngineModes, Failure> {
    let all = SettingOptions { modes: vec!["all".to_owned()], ..SettingOptions::default() };
    let outlooks = explore(anchors, input, &settings(anchors, &all)?)?;
    let (choice, caveats) = (Choice::among(&outlooks, None, None), caveats(anchors, &outlooks));
    Ok(EngineModes { outlooks, choice, caveats })
}
