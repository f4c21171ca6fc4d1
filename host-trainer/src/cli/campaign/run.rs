//! `host-trainer campaign run`.

use crate::cli::{progress, runtime};
use crate::output::{Csv, Format, write};
use campaign::remote::{BoardReport, BoardRun, Host, Said};
use clap::Args;
use indicatif::ProgressBar;
use shared::campaign::Outcome;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::time::Duration;

/// Measure a plan on a board over ssh: copy the agent and the plan, run it there, follow it, fetch the runs. The same command goes on
/// where it was cut off, and copies only what is missing.
///
/// The agent goes on without a connection. Ctrl-C ends following alone; --stop ends the agent.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Folder of the plan; the runs go into it.
    #[arg(value_name = "DIR", default_value = "plan")]
    plan: PathBuf,
    /// Board, as ssh names it: HOST or USER@HOST. Your ssh configuration and keys have to let you in without a question.
    #[arg(long, value_name = "HOST")]
    on: Host,
    /// Agent for the board's processor [default: beside this program or in a target folder].
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Folder of the campaign on the board [default: one below ~/.layerjoule/campaigns, named after the plan].
    #[arg(long, value_name = "DIR")]
    board_dir: Option<String>,
    /// Run the agent as root, by sudo. At a terminal, sudo asks for the password itself.
    #[arg(long)]
    sudo: bool,
    /// End the agent on the board after the cycle under way, and fetch what was measured.
    #[arg(long, conflicts_with_all = ["set_modes", "time", "until_steady", "cool_to", "retry_failed", "item_limit", "options"])]
    stop: bool,
    /// How long to wait for a board that is out of reach, before this program ends. The agent goes on.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = command_line::duration)]
    patience: Duration,
    /// Set the power modes of the plan; the board's own is restored afterwards. Needs root: --sudo.
    #[arg(long)]
    set_modes: bool,
    /// How long measuring may take in all, earlier sessions included [default: the plan's time].
    #[arg(long, value_name = "TIME", value_parser = command_line::duration)]
    time: Option<Duration>,
    /// Run the first network of each mode until its latency no longer changes before anything is measured.
    #[arg(long)]
    until_steady: bool,
    /// Wait before each item until no zone is warmer than this, in °C.
    #[arg(long, value_name = "CELSIUS", conflicts_with = "until_steady")]
    cool_to: Option<f64>,
    /// Measure items again that failed before.
    #[arg(long)]
    retry_failed: bool,
    /// How long an item may take before it is ended as failed [default: by its expected time].
    #[arg(long, value_name = "TIME", value_parser = command_line::duration)]
    item_limit: Option<Duration>,
    /// Format of the report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Further options of `jetson-agent campaign`.
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

impl Run {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let runtime = runtime::build()?;
        let interrupted = runtime::interruption(&runtime)?;
        let options = self.agent_options();
        let run = BoardRun {
            plan: &self.plan,
            host: &self.on,
            folder: self.board_dir.as_deref(),
            agent: self.agent.as_deref(),
            options: &options,
            retries_failed: options.iter().any(|option| option == "--retry-failed"),
            sudo: self.sudo,
            patience: self.patience,
            interrupted: &interrupted,
        };
        let mut bar: Option<ProgressBar> = None;
        let mut say = |said: Said| match said {
            Said::Step(text) | Said::Agent(text) => printer.say(text),
            Said::Warning(text) => printer.warn(text),
            Said::Fetched { done, all } => {
                bar.get_or_insert_with(|| progress::bar(printer, all, "files")).set_position(done);
                if let Some(bar) = bar.take_if(|_| done == all) {
                    bar.finish_and_clear();
                }
            }
        };
        let (report, failure) = if self.stop { (run.stop(&mut say)?, None) } else { run.measure(&mut say)? };
        show(&report, self.format, printer)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let plan = self.plan.display();
        if report.left > 0 {
            printer.say(format!("{} items are left: the same command goes on, --time gives more of it", report.left));
        }
        if report.done > 0 {
            printer.say(format!("next: `host-trainer campaign learn {plan}`"));
        }
        Ok(())
    }

    /// The options of the agent, in its words.
    fn agent_options(&self) -> Vec<String> {
        let seconds = |time: Duration| format!("{}s", time.as_secs_f64());
        let flags = [
            ("--set-modes", self.set_modes),
            ("--until-steady", self.until_steady),
            ("--retry-failed", self.retry_failed),
        ];
        let values = [
            ("--time", self.time.map(seconds)),
            ("--cool-to", self.cool_to.map(|celsius| celsius.to_string())),
            ("--item-limit", self.item_limit.map(seconds)),
        ];
        let mut options: Vec<String> = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()).collect();
        options.extend(values.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))));
        options.extend(self.options.iter().cloned());
        options
    }
}

fn show(report: &BoardReport, format: Format, printer: &Printer) -> Result<(), Failure> {
    let outcome = |outcome: Outcome| match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
    };
    let rows = || {
        let cells = |fault: &campaign::remote::BoardFault| {
            let mode = fault.mode.clone().unwrap_or_default();
            vec![mode, fault.item.clone(), outcome(fault.outcome).to_owned(), fault.reason.clone()]
        };
        report.faults.iter().map(cells).collect::<Vec<_>>()
    };
    let human = || {
        let mut text = format!(
            "{} of {} items are measured, {} failed or were skipped, {} are left; {} files fetched\n",
            report.done,
            report.items,
            report.faults.len(),
            report.left,
            report.fetched_files
        );
        for fault in &report.faults {
            let mode = fault.mode.as_ref().map_or_else(String::new, |mode| format!("{mode}/"));
            text += &format!("{mode}{}: {}: {}\n", fault.item, outcome(fault.outcome), fault.reason);
        }
        text
    };
    write(printer, format, report, || Csv::text(["mode", "item", "outcome", "reason"], rows()), human)
}
