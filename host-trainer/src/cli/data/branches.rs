//! `data branch`, `data tag`.

use super::session::{At, short};
use crate::output::{self, Csv, Format, UNKNOWN};
use clap::Args;
use shared::failure::Failure;

/// List branches, or create one at the folder's current snapshot. `data push` publishes it.
#[derive(Debug, Args)]
pub(super) struct Branch {
    /// Branch to create.
    name: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Branch {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        at.run(None, copy.fetch())?;
        if let Some(name) = &self.name {
            at.run(None, copy.create_branch(name))?;
            at.printer.say(format!("on branch {name}"));
            return Ok(());
        }
        let all = copy.branches();
        let on = copy.state().branch.clone();
        let full = self.format != Format::Human;
        let name = |digest: Option<store::Digest>| {
            digest.map_or_else(
                || if full { String::new() } else { UNKNOWN.to_owned() },
                |d| if full { d.to_string() } else { short(d) },
            )
        };
        let rows = || {
            let row = |branch: &String, here, there| {
                vec![branch.clone(), (*branch == on).to_string(), name(here), name(there)]
            };
            all.iter().map(|(branch, (here, there))| row(branch, *here, *there)).collect::<Vec<_>>()
        };
        let list: Vec<Listed<'_>> = all
            .iter()
            .map(|(branch, (here, store))| Listed { branch, checked_out: *branch == on, here: *here, store: *store })
            .collect();
        let header = ["branch", "checked_out", "here", "store"];
        output::write(
            &at.printer,
            self.format,
            &list,
            || Csv::text(header, rows()),
            || output::render(&header, rows(), header.len()),
        )
    }
}

/// A branch as JSON has it: the snapshots that it stands at in this folder and in the store.
#[derive(Debug, serde::Serialize)]
struct Listed<'a> {
    branch: &'a str,
    checked_out: bool,
    here: Option<store::Digest>,
    store: Option<store::Digest>,
}

/// List tags, or create a permanent name for a pushed snapshot.
#[derive(Debug, Args)]
pub(super) struct Tag {
    /// Tag to create.
    name: Option<String>,
    /// Snapshot to tag.
    #[arg(default_value = "HEAD")]
    revision: String,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Tag {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        if let Some(name) = &self.name {
            let digest = at.run(None, async {
                let digest = copy.resolve(&self.revision).await?;
                copy.create_tag(name, digest).await?;
                Ok(digest)
            })?;
            at.printer.say(format!("{name} is {}", short(digest)));
            return Ok(());
        }
        let tags = at.run(None, copy.tags())?;
        let rows = || tags.iter().map(|(name, digest)| vec![name.clone(), digest.to_string()]).collect::<Vec<_>>();
        let header = ["tag", "snapshot"];
        output::write(
            &at.printer,
            self.format,
            &tags,
            || Csv::text(header, rows()),
            || output::render(&header, rows(), header.len()),
        )
    }
}
