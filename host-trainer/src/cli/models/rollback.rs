//! `host-trainer models rollback`: back to what was deployed before.

use super::args::{Answer, Place};
use super::mlflow::Tell;
use clap::Args;
use registry::{Alias, who};
use shared::failure::Failure;
use shared::printer::Printer;

/// Roll back to an earlier model. The model taken back counts as declined: only --force deploys it again.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// DEVICE/KIND/TARGET.
    #[arg(value_name = "DEVICE/KIND/TARGET")]
    of: String,
    /// Model to go back to; it must have been deployed before: DEVICE/KIND/TARGET@VERSION or the first digits of its name
    /// [default: the one deployed before].
    #[arg(long, value_name = "MODEL")]
    to: Option<String>,
    /// Reason, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tell: Tell,
    #[command(flatten)]
    answer: Answer,
}

impl Rollback {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let alias: Alias = self.of.parse()?;
        let to = match &self.to {
            None => None,
            Some(reference) => {
                let version = registry.find(reference).await?;
                if version.record.alias != alias {
                    return Err(Failure::usage(format!("{reference} is a model of {}", version.record.alias)));
                }
                Some(version.record.model)
            }
        };
        let entry = registry.rollback(&alias, to, self.reason.as_deref(), &who()).await?;
        super::list::write(&[entry], self.answer.format, printer)?;
        self.tell.of(&registry, Some(alias.device()), printer).await
    }
}
