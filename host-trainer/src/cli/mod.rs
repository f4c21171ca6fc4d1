//! The command line: one module a command.

mod align;
mod batch;
mod data;
mod dataset;
mod evaluate;
mod fit;
mod ingest;
mod models;
mod predict;
mod progress;
mod report;
mod runtime;
mod serve;
mod studies;
mod tabular;
mod tune;
mod values;

use clap::{Args, Parser, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Trains predictors of what a CNN costs on a Jetson, layer by layer, and predicts with them.
#[derive(Debug, Parser)]
#[command(name = "host-trainer", version, about, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 the answer is no, 2 usage, 3 bad data, 4 device, 5 I/O, 130 interrupted")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
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
    Data(data::Data),
    Dataset(dataset::Dataset),
    Evaluate(evaluate::Evaluate),
    Fit(fit::Fit),
    Ingest(ingest::Ingest),
    Models(models::Models),
    Predict(predict::Predict),
    Report(report::ReportCommand),
    Serve(serve::Serve),
    Studies(studies::StudiesCommand),
    Tune(tune::Tune),
}

impl Global {
    /// The printer these options ask for.
    #[must_use]
    pub fn printer(&self) -> Printer {
        Printer { quiet: self.quiet, no_progress: self.no_progress, verbose: self.verbose }
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever keeps the command from doing what it was asked to.
    pub fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.command {
            Command::Align(command) => command.run(printer),
            Command::Batch(command) => command.run(printer),
            Command::Data(command) => command.run(printer),
            Command::Dataset(command) => command.run(printer),
            Command::Evaluate(command) => command.run(printer),
            Command::Fit(command) => command.run(printer),
            Command::Ingest(command) => command.run(printer),
            Command::Models(command) => command.run(printer),
            Command::Predict(command) => command.run(printer),
            Command::Report(command) => command.run(printer),
            Command::Serve(command) => command.run(printer),
            Command::Studies(command) => command.run(printer),
            Command::Tune(command) => command.run(printer),
        }
    }
}
