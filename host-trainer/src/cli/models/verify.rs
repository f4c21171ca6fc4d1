//! `host-trainer models verify`: whether the store is whole.

use super::args::{Answer, Place};
use crate::output::Format;
use clap::Args;
use shared::failure::{Failure, printable};
use shared::printer::Printer;

/// Check the store: read and hash every object, run every self-test, follow every audit trail, and list the problems.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

impl Verify {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let found = registry.verify().await?;
        let rows = found.problems.iter().map(|problem| vec![problem.clone()]).collect();
        match self.answer.format {
            Format::Human => {
                let checked = format!("{} models and {} promotions checked\n", found.models, found.promotions);
                printer.data(&checked)?;
                for problem in &found.problems {
                    printer.data(&format!("{}\n", printable(problem)))?;
                }
            }
            format => super::answer::write(printer, format, &found, &["problem"], rows, 1)?,
        }
        match found.problems.len() {
            0 => Ok(()),
            n => Err(Failure::data(format!("{}: {n} things are wrong", registry.name()))
                .help("restore what is named from another copy of the store")),
        }
    }
}
