//! Data to stdout, messages to stderr: the only place that writes to either.
//!
//! ```
//! use shared::failure::Failure;
//! use shared::printer::Printer;
//!
//! let printer = Printer { quiet: true, ..Printer::default() };
//! printer.data("model,power\n")?;
//! printer.say("quiet: nobody reads this");
//! printer.fail(&Failure::data("`power` is not a number").at("a.csv").place("line 3"));
//! # Ok::<(), Failure>(())
//! ```

use crate::failure::{Failure, printable};
use std::io::{self, IsTerminal, Write};

/// Where a command's output goes. Commands get one; nothing else prints.
#[derive(Debug, Clone, Copy, Default)]
pub struct Printer {
    /// Silences messages; data, warnings and failures still come.
    pub quiet: bool,
    /// Switches progress bars off.
    pub no_progress: bool,
    /// Shows the causes of a failure.
    pub verbose: bool,
}

impl Printer {
    /// Writes data to stdout, as it is. A reader that went away (`| head`) is no failure of ours, but it ends the command.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::failure::Kind::Io) when stdout cannot be written.
    pub fn data(&self, text: &str) -> Result<(), Failure> {
        self.stream(text).map(|_| ())
    }

    /// Writes data that go on and on, and reports whether somebody still reads them.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::failure::Kind::Io) when stdout cannot be written.
    pub fn stream(&self, text: &str) -> Result<bool, Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(e) => Err(Failure::stream("write to stdout", &e)),
        }
    }

    /// Writes a command's result to stderr, quiet or not, where stdout belongs to another program.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::failure::Kind::Io) when stderr cannot be written.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        let mut stderr = io::stderr().lock();
        match stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(Failure::stream("write to stderr", &e)),
        }
    }

    /// Says something to the person at the terminal.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            // Talk that nobody can read is not worth a failure.
            let _ = writeln!(io::stderr().lock(), "{}", printable(text.as_ref()));
        }
    }

    /// Warns the person at the terminal, quiet or not.
    pub fn warn(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "warning: {}", printable(text.as_ref()));
    }

    /// Reports how a command failed, with the causes where they were asked for.
    pub fn fail(&self, failure: &Failure) {
        let _ = writeln!(io::stderr().lock(), "{}", failure.report(self.verbose));
    }

    /// Whether a progress bar may be drawn: stderr is a terminal and nobody asked for silence.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.no_progress && io::stderr().is_terminal()
    }
}
