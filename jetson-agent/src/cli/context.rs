//! The context of every command: the printer, the board's root, and how answers are written.

use crate::power::Root;
use crate::session::Stop;
use clap::ValueEnum;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;

/// How data are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

/// The context of every command.
pub(super) struct Context {
    pub(super) printer: Printer,
    pub(super) root: Root,
    pub(super) format: Format,
}

impl Context {
    /// Writes an answer: as one JSON document, or in words.
    pub(super) fn answer<T: serde::Serialize>(
        &self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Human => human(value),
            Format::Json => serde_json::to_string_pretty(value).map_err(|e| Failure::from_error(Kind::Data, e))? + "\n",
        };
        self.printer.data(&text)
    }

    /// Ends what goes on without an end on the first Ctrl-C or SIGTERM, without a word.
    pub(super) fn stop_quietly_on_signals(&self) -> Result<Stop, Failure> {
        let stop = Stop::default();
        let handler = stop.clone();
        ctrlc::set_handler(move || handler.interrupt())
            .map_err(|e| Failure::new(Kind::Io, format!("cannot watch for Ctrl-C: {e}")).caused_by(e))?;
        Ok(stop)
    }

    /// Ends the session in good order on the first Ctrl-C or SIGTERM, at once on the second.
    pub(super) fn stop_on_signals(&self) -> Result<Stop, Failure> {
        let stop = Stop::default();
        let (handler, printer) = (stop.clone(), self.printer);
        ctrlc::set_handler(move || {
            if handler.is_interrupted() {
                std::process::exit(Kind::Interrupted as i32);
            }
            handler.interrupt();
            printer.say("ending the cycle and sealing the run; once more ends at once");
        })
        .map_err(|e| Failure::new(Kind::Io, format!("cannot watch for Ctrl-C: {e}")).caused_by(e))?;
        Ok(stop)
    }
}
