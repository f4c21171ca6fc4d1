//! `host-trainer demo`: the whole path on a simulated board.

use super::runtime;
use clap::Args;
use demo::{Agreement, Programs, agreement, find_agent, prepare, run, steps};
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Go the whole path on a simulated board: record, align, fit, predict, report. Each step is shown as the command that it stands for.
///
/// Nothing is opened, sent or installed. Without --dir everything happens in a temporary folder, which is removed.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where the files go, to look at them afterwards: a folder that is not there yet.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The program jetson-agent [default: beside this program, else on the search path].
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

impl Demo {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let all = steps();
        if self.dry_run {
            for step in &all {
                printer.data(&format!("# {}\n{}\n\n", step.what, step.commands.join("\n")))?;
            }
            return Ok(());
        }
        let here = std::env::current_exe()
            .map_err(|e| Failure::new(Kind::Io, format!("cannot find this program: {e}")).caused_by(e))?;
        let programs = Programs { jetson_agent: find_agent(self.agent.as_deref(), &here)?, host_trainer: here };
        // The command under way gets the signal too and ends, so that the temporary folder can be removed.
        let runtime = runtime::build()?;
        let interrupted = runtime::interruption(&runtime)?;
        let temporary = match &self.dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|e| Failure::io(&std::env::temp_dir(), "make a folder in", &e))?),
        };
        let folder = self.dir.as_deref().or(temporary.as_ref().map(tempfile::TempDir::path)).unwrap_or(Path::new("."));
        prepare(folder)?;
        let began = Instant::now();
        for (number, step) in (1..).zip(&all) {
            printer.say(format!("{number}/{}  {}", all.len(), step.what));
            let shown = step.commands.len().min(1);
            step.commands.iter().take(shown).for_each(|command| printer.say(format!("     $ {command}")));
            if step.commands.len() > shown {
                printer.say(format!("     and the same for {} more networks", step.commands.len() - shown));
            }
            let started = Instant::now();
            for command in &step.commands {
                let output = run(command, folder, &programs);
                if interrupted.load(Ordering::SeqCst) {
                    return Err(Failure::new(Kind::Interrupted, "interrupted"));
                }
                let output = output?;
                if step.shown {
                    printer.data(&format!("\n{output}\n"))?;
                }
            }
            printer.say(format!("     {:.1} s", started.elapsed().as_secs_f64()));
        }
        printer.data(&compared(agreement(folder)?))?;
        printer.say(format!("\nall of it took {:.0} s", began.elapsed().as_secs_f64()));
        printer.say(match &self.dir {
            Some(folder) => format!("the files are in {0}; the page is {0}/report.html", folder.display()),
            None => "the files were temporary; keep them with `host-trainer demo --dir FOLDER`".to_owned(),
        });
        Ok(())
    }
}

fn compared(found: Agreement) -> String {
    let off = |predicted: f64, truth: f64| {
        if truth > 0.0 { format!("{:+.1} %", (predicted / truth - 1.0) * 100.0) } else { "?".into() }
    };
    format!(
        "\n{0:<16}{1:>12}{2:>12}{3:>10}\n{4:<16}{5:>9.3} ms{6:>9.3} ms{7:>10}\n{8:<16}{9:>9.2} mJ{10:>9.2} mJ{11:>10}\n\
         This is the simulator's truth: it shows that the path works, not how good predictions of your board are.\n",
        "vgg16, layers",
        "predicted",
        "true",
        "off by",
        "run time",
        found.predicted_ms,
        found.true_ms,
        off(found.predicted_ms, found.true_ms),
        "energy",
        found.predicted_mj,
        found.true_mj,
        off(found.predicted_mj, found.true_mj)
    )
}
