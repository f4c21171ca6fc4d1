//! The command line: one module a command.

mod align;
mod batch;
mod boards;
mod campaign;
mod check;
mod choose;
mod conversions;
mod data;
mod dataset;
mod demo;
mod diff;
mod engine_args;
mod engine_info;
mod evaluate;
mod fit;
mod graph_args;
mod ingest;
mod model_source;
mod models;
mod networks;
mod outlooks;
mod predict;
mod progress;
mod report;
mod runtime;
mod serve;
mod setting_args;
mod start;
mod studies;
mod tabular;
mod trace;
mod tune;
mod values;

use clap::{Args, Parser, Subcommand};
use command_line::{FrontCommand, Library, Parsed, configuration_files};
use shared::failure::Failure;
use shared::printer::Printer;

/// Trains predictors of what a CNN costs on a Jetson, layer by layer, and predicts with them.
#[derive(Debug, Parser)]
#[command(name = "host-trainer", version, about, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 the answer is no, 2 usage, 3 bad data, 4 device, 5 I/O, 130 interrupted")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print only data, warnings and failures.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Do not draw progress bars.
    #[arg(long, global = true, env = "HOST_TRAINER_NO_PROGRESS", value_parser = clap::builder::FalseyValueParser::new())]
    no_progress: bool,
    /// Show the causes of a failure.
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Align(align::Align),
    Batch(batch::BatchCommand),
    Boards(boards::Boards),
    Campaign(campaign::Campaign),
    Check(check::Check),
    Choose(choose::Choose),
    Data(data::Data),
    Dataset(dataset::Dataset),
    Demo(demo::Demo),
    Diff(diff::Diff),
    EngineInfo(engine_info::EngineInfo),
    Evaluate(evaluate::Evaluate),
    Fit(fit::Fit),
    Ingest(ingest::Ingest),
    Models(models::Models),
    Networks(networks::Networks),
    Predict(Box<predict::Predict>),
    Report(report::ReportCommand),
    Serve(serve::Serve),
    Studies(studies::StudiesCommand),
    Trace(trace::Trace),
    Tune(Box<tune::Tune>),
    #[command(flatten)]
    Front(FrontCommand),
}

impl Global {
    /// The printer these options ask for.
    #[must_use]
    pub fn printer(&self) -> Printer {
        Printer { quiet: self.quiet, no_progress: self.no_progress, verbose: self.verbose }
    }
}

/// The program's name.
const PROGRAM: &str = "host-trainer";
/// Names the native ONNX Runtime.
const ONNX_RUNTIME: &str = "HOST_TRAINER_ONNXRUNTIME";

/// Parses this process's command line, with what its configuration file sets.
///
/// # Errors
/// When the configuration file is wrong.
pub fn parse() -> Result<Parsed<Cli>, Failure> {
    command_line::parse(&configuration_files(PROGRAM), || {
        let libraries = [("ONNX Runtime", onnx_runtime())].map(|(name, found)| Library { name: name.into(), found });
        command_line::version(env!("CARGO_PKG_VERSION"), &[], &libraries)
    })
}

/// The native ONNX Runtime that the environment names; without one, models run in the embedded runtime.
fn onnx_runtime() -> Result<String, String> {
    match std::env::var_os(ONNX_RUNTIME) {
        None => Err(format!("{} is not set; models run in the embedded runtime", ONNX_RUNTIME)),
        Some(path) if std::path::Path::new(&path).is_file() => Ok(path.to_string_lossy().into_owned()),
        Some(path) => Err(format!("{}: no such file", path.to_string_lossy())),
    }
}

impl Cli {
    /// Runs the command; without one, says what to do next.
    ///
    /// # Errors
    /// Whatever keeps the command from doing what it was asked to.
    pub fn run(parsed: Parsed<Self>, printer: &Printer) -> Result<(), Failure> {
        let Parsed { cli, command, configuration } = parsed;
        let Some(chosen) = cli.command else { return start::run(printer) };
        match chosen {
            Command::Front(front) => front.run(&command, &configuration, &configuration_files(PROGRAM), printer),
            Command::Align(command) => command.run(printer),
            Command::Batch(command) => command.run(printer),
            Command::Boards(command) => command.run(printer),
            Command::Campaign(command) => command.run(printer),
            Command::Check(command) => command.run(printer),
            Command::Choose(command) => command.run(printer),
            Command::Data(command) => command.run(printer),
            Command::Dataset(command) => command.run(printer),
            Command::Demo(command) => command.run(printer),
            Command::Diff(command) => command.run(printer),
            Command::EngineInfo(command) => command.run(printer),
            Command::Evaluate(command) => command.run(printer),
            Command::Fit(command) => command.run(printer),
            Command::Ingest(command) => command.run(printer),
            Command::Models(command) => command.run(printer),
            Command::Networks(command) => command.run(printer),
            Command::Predict(command) => command.run(printer),
            Command::Report(command) => command.run(printer),
            Command::Serve(command) => command.run(printer),
            Command::Studies(command) => command.run(printer),
            Command::Trace(command) => command.run(printer),
            Command::Tune(command) => command.run(printer),
        }
    }
}
