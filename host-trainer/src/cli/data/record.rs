//! `data init`, `data commit`.

use super::session::{At, account, bytes, create, short};
use clap::Args;
use shared::failure::Failure;
use store::Store;
use store::work::{CommitOptions, WorkingCopy};

/// Start versioning a folder, with a store to push to.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The store: a folder, s3://bucket/folder, gs://…, az://…, https://… (read only). Credentials come from the environment
    /// or the profile, never from the URL.
    url: String,
    /// Folder within the snapshots that this folder corresponds to [default: their root].
    #[arg(long, value_name = "FOLDER", default_value = "")]
    remote_dir_path: String,
    /// Branch to start on.
    #[arg(long, default_value = "main")]
    branch: String,
}

impl Init {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let store = Store::open(&self.url)?;
        WorkingCopy::check_init(&at.folder, &store, &self.remote_dir_path, &self.branch)?;
        let made = at.run(None, async {
            match store.make().await {
                // A folder can be put under version while its store is out of reach.
                Err(error @ store::Error::Backend { .. }) => Ok(Err(error)),
                made => Ok(Ok(made?)),
            }
        })?;
        create(&at.folder)?;
        let mut copy = WorkingCopy::init(&at.folder, &self.url, store, &self.remote_dir_path, &self.branch)?;
        let fetched = match made {
            Ok(()) => at.run(None, copy.fetch()),
            Err(error) => Err(error.into()),
        };
        let known = copy.branches().get(&self.branch).is_some_and(|(_, there)| there.is_some());
        at.printer.say(format!("{} keeps {}, branch {}", copy.store().name(), at.folder.display(), self.branch));
        match fetched {
            Ok(()) if known => at.printer.say("the branch has snapshots: `data pull` brings them here"),
            Ok(()) => {}
            Err(failure) => at.printer.warn(format!("the store cannot be read now: {}", failure.message)),
        }
        Ok(())
    }
}

/// Record the folder's current state. Nothing is sent; new content is copied, so that the snapshot stays complete even if
/// files change.
#[derive(Debug, Args)]
pub(super) struct Commit {
    /// Message that describes the change.
    #[arg(long, short)]
    message: String,
    /// Author [default: the account's name].
    #[arg(long, env = "HOST_TRAINER_AUTHOR")]
    author: Option<String>,
}

impl Commit {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        let options = CommitOptions {
            message: self.message.clone(),
            author: self.author.clone().unwrap_or_else(account),
            program: format!("host-trainer {}", env!("CARGO_PKG_VERSION")),
            ..CommitOptions::default()
        };
        let progress = copy.progress();
        let committed = at.run(Some(progress), async {
            let committed = copy.commit(&options).await?;
            match committed {
                Some(digest) => Ok(Some((digest, copy.objects().snapshot(digest).await?))),
                None => Ok(None),
            }
        })?;
        match committed {
            None => at.printer.say("nothing has changed"),
            Some((digest, snapshot)) => {
                at.printer.data(&format!("{digest}\n"))?;
                at.printer.say(format!(
                    "{} on {}: {} files, {}, {} runs",
                    short(digest),
                    copy.state().branch,
                    snapshot.files,
                    bytes(snapshot.bytes),
                    snapshot.runs.len()
                ));
            }
        }
        Ok(())
    }
}
