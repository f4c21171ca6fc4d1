//! The command line: one file a command, each with its clap type and its run function.

mod campaign;
mod context;
mod design;
mod doctor;
mod experiment;
mod idle;
mod info;
mod measure;
mod parts;
mod profile;
mod progress;
#[cfg(feature = "push")]
mod push;
mod rails;
mod recover;
mod replay;
mod restore;
mod runner_args;
mod simulated_args;
mod source_args;
mod values;
mod verify;
mod version;
mod watch;

use crate::power::Root;
use crate::sys;
use clap::{Args, Parser, Subcommand};
use command_line::{FrontCommand, Parsed, configuration_files};
use context::{Context, Format};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs TensorRT engines on a Jetson while it samples the power rails and the layer timings.
///
/// Exit codes: 0 done, 1 the answer is no, 2 usage, 3 bad data, 4 device, 5 input or output, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "jetson-agent", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Say nothing but data and failures.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Draw no progress bars.
    #[arg(long, global = true)]
    no_progress: bool,
    /// Show what caused a failure.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// How data are written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// A folder that imitates a board: /sys, /proc, /etc and /var are looked for below it.
    #[arg(long, global = true, hide = true, env = "JETSON_AGENT_ROOT")]
    root: Option<PathBuf>,
}

impl GlobalArgs {
    /// The printer these options ask for.
    #[must_use]
    pub fn printer(&self) -> Printer {
        Printer { quiet: self.quiet, no_progress: self.no_progress, verbose: self.verbose }
    }

    fn root(&self) -> Root {
        Root::new(self.root.as_deref())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the power rails that can be read, each with a reading, its rate and what keeps the others from being read.
    Rails(rails::RailsArgs),
    /// Measure what the board draws when nothing runs.
    Idle(idle::IdleArgs),
    Watch(Box<watch::WatchArgs>),
    Export(Box<watch::ExportArgs>),
    Measure(Box<measure::MeasureArgs>),
    /// Run an engine and measure power and layer times into a run folder.
    Profile(Box<profile::ProfileArgs>),
    /// Measure every model of a plan; the same command goes on where it was cut off.
    Experiment(experiment::ExperimentArgs),
    Campaign(Box<campaign::CampaignArgs>),
    /// Check whether this board, as it stands, gives measurements that one can trust.
    Doctor(doctor::DoctorArgs),
    /// Seal a run that was cut off.
    Recover(recover::RecoverArgs),
    /// Write a recorded run's power readings to stdout, at the pace at which they were taken.
    Replay(replay::ReplayArgs),
    /// Put run folders under version in an object store: a folder, S3, Google Cloud, Azure.
    #[cfg(feature = "push")]
    Push(push::PushArgs),
    /// Say what a run folder holds.
    Info(info::InfoArgs),
    /// Check that a run folder is whole, and say what is missing if not.
    Verify(verify::VerifyArgs),
    #[command(flatten)]
    Front(FrontCommand),
    /// Write sensor settings back when the session that changed them has ended. The agent starts it itself.
    #[command(hide = true)]
    RestoreSensor,
    /// Set the power mode back when the session that changed it has ended. The agent starts it itself.
    #[command(hide = true)]
    RestoreMode,
}

/// Parses this process's command line, with what its configuration file sets.
///
/// # Errors
/// When the configuration file is wrong.
pub fn parse() -> Result<Parsed<Cli>, Failure> {
    command_line::parse(&configuration_files(PROGRAM), version::version)
}

/// The program's name.
const PROGRAM: &str = "jetson-agent";

impl Cli {
    /// Runs the command; its exit code where it does not fail.
    ///
    /// # Errors
    /// The failure that becomes the exit code.
    pub fn run(parsed: Parsed<Self>, printer: &Printer) -> Result<ExitCode, Failure> {
        sys::ignore_file_size_signal();
        let Parsed { cli, command, configuration } = parsed;
        let context = Context { printer: *printer, root: cli.global.root(), format: cli.global.format };
        let done = match cli.command {
            // Its exit code is that of the command that it measures.
            Command::Measure(args) => return args.run(&context),
            Command::Rails(args) => args.run(&context),
            Command::Watch(args) => args.run(&context),
            Command::Export(args) => args.run(&context),
            Command::Idle(args) => args.run(&context),
            Command::Profile(args) => match args.design() {
                Some(design) => args.run_design(&context, design),
                None => args.run(&context),
            },
            Command::Experiment(args) => args.run(&context),
            Command::Campaign(args) => args.run(&context),
            Command::Doctor(args) => args.run(&context),
            Command::Recover(args) => args.run(&context),
            Command::Replay(args) => args.run(&context),
            #[cfg(feature = "push")]
            Command::Push(args) => args.run(&context),
            Command::Info(args) => args.run(&context),
            Command::Verify(args) => args.run(&context),
            Command::Front(front) => front.run(&command, &configuration, &configuration_files(PROGRAM), printer),
            Command::RestoreSensor => restore::run(),
            Command::RestoreMode => restore::run_mode(),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
