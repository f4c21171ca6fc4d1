//! `host-trainer check`: engines against budgets.

use super::diff::LazyModels;
use super::graph_args::GraphArgs;
use super::model_source::ModelSource;
use crate::output::{json, render, shorten};
use budget::{Baseline, Budgets, Report, Severity, Undecided, annotations, junit, markdown};
use clap::{Args, ValueEnum};
use compare::{Side, files, read};
use shared::engine::{Diagnostic, Engine};
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use shared::run_folder::stamp;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Check engines against budgets of run time, energy, power, memory and coverage. Exit code 1 if a budget is exceeded.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Engine infos, ONNX graphs, saved predictions (`predict --format json`), `trtexec` profiles, or folders of them.
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Budgets, as TOML.
    #[arg(long, value_name = "FILE.toml")]
    budgets: PathBuf,
    /// Saved predictions that limits on change are measured against. May be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    baseline: Vec<PathBuf>,
    /// Meaning of a check that the figures do not decide.
    #[arg(long, value_enum, default_value_t)]
    undecided: UndecidedArg,
    #[command(flatten)]
    models: ModelSource,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
    #[command(flatten)]
    graph: GraphArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum UndecidedArg {
    /// It fails.
    Fail,
    /// It is a warning.
    #[default]
    Warn,
    /// It passes.
    Pass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum CheckFormat {
    /// A table for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Markdown.
    Markdown,
    /// JUnit XML.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
}

impl Check {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let budgets = Budgets::read(&self.budgets)?;
        let models = LazyModels::new(&self.models, printer);
        let graph = self.graph.options();
        let sides = |paths: &[PathBuf]| -> Result<Vec<Side>, Failure> {
            let mut sides = Vec::new();
            for file in files(paths)? {
                let predict =
                    |engine: &Engine, diagnostics: &[Diagnostic]| models.get()?.predict(engine, diagnostics, 0);
                sides.extend(read(&file, None, &graph, &predict)?);
            }
            Ok(sides)
        };
        let baseline =
            if self.baseline.is_empty() { Baseline::default() } else { Baseline::new(sides(&self.baseline)?) };
        let undecided = match self.undecided {
            UndecidedArg::Fail => Undecided::Fail,
            UndecidedArg::Warn => Undecided::Warn,
            UndecidedArg::Pass => Undecided::Pass,
        };
        let report = Report::of(&budgets, &sides(&self.files)?, &baseline, undecided);
        printer.data(&match self.format {
            CheckFormat::Human => human(&report),
            CheckFormat::Json => json(&report)?,
            CheckFormat::Markdown => markdown(&report),
            CheckFormat::Junit => junit(&report, &now()),
            CheckFormat::Github => annotations(&report),
        })?;
        if self.format == CheckFormat::Human {
            report.warnings.iter().for_each(|warning| printer.warn(warning));
        }
        if let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
            && let Err(failure) = append(Path::new(&summary), &markdown(&report))
        {
            printer.warn(format!("the summary of the job was not written: {failure}"));
        }
        if report.passed {
            return Ok(());
        }
        Err(Failure::new(Kind::AnswerIsNo, report.sentence()).at(&self.budgets))
    }
}

fn human(report: &Report) -> String {
    let rows = report.checks.iter().map(|check| {
        let verdict = match report.severity(check) {
            Severity::Error | Severity::None => check.verdict.name().to_owned(),
            Severity::Warning => format!("{} (warning)", check.verdict.name()),
        };
        vec![
            shorten(&check.network, 32),
            check.measure.label().to_owned(),
            check.value_text(),
            check.limit_text(),
            verdict,
        ]
    });
    let mut text = render(&["network", "measure", "value", "limit", "verdict"], rows.collect(), 5);
    let worst = report.worst();
    if !worst.is_empty() {
        text.push('\n');
    }
    for check in worst.iter().take(10) {
        text.push_str(&format!("{}\n", shared::failure::printable(&check.sentence())));
    }
    if worst.len() > 10 {
        text.push_str(&format!("{} more; all with --format json\n", worst.len() - 10));
    }
    text.push_str(&format!("\n{}\n", report.sentence()));
    text
}

/// The time as JUnit writes it.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ns = i64::try_from(since.as_nanos()).unwrap_or(0);
    stamp::format_rfc3339(ns).chars().take("YYYY-MM-DDTHH:MM:SS".len()).collect()
}

fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| Failure::io(path, "write", &e))
}
