//! Where studies are kept, as commands are told it.

use clap::Args;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tune::folder::StudyFolder;
use tune::studies::{Location, Studies, StudyError};

/// The database of studies.
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// Study database: a SQLite file or a `postgres://` URL. Give a URL with a password by the environment variable [default:
    /// studies.sqlite].
    #[arg(
        long = "shared-db",
        visible_alias = "save-state",
        value_name = "FILE|URL",
        env = "HOST_TRAINER_STUDIES",
        hide_env_values = true
    )]
    place: Option<Secret>,
}

/// Where studies are kept unless somebody says otherwise.
const DEFAULT: &str = "studies.sqlite";
/// The environment variable that names the database.
pub(in crate::cli) const VARIABLE: &str = "HOST_TRAINER_STUDIES";

/// Text that shows in no message: a URL may hold a password.
#[derive(Clone)]
struct Secret(Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl Place {
    /// The place, where none is given, that a study's folder names.
    pub(in crate::cli) fn or(self, folder: Option<&StudyFolder>) -> Self {
        let named = folder.and_then(|folder| folder.header.database.as_deref());
        Self { place: self.place.or_else(|| named.map(|url| Secret(url.into()))) }
    }

    /// What is given, which may hold a password.
    pub(in crate::cli) fn text(&self) -> &str {
        self.place.as_ref().map_or(DEFAULT, |place| &place.0)
    }

    /// The database, with a warning where others can read its password.
    ///
    /// # Errors
    /// A URL that is none.
    pub(in crate::cli) fn location(&self, printer: &Printer) -> Result<Location, Failure> {
        let location = Location::parse(self.text()).map_err(Failure::usage)?;
        let in_arguments = std::env::args().any(|argument| argument.contains(self.text()));
        if location.holds_password() && in_arguments {
            printer.warn("others on this machine can read a password among a command's arguments");
            printer.say("hint: give the URL by HOST_TRAINER_STUDIES, or the password by PGPASSWORD or ~/.pgpass");
        }
        Ok(location)
    }

    /// Opens a database that is there, to change its studies.
    pub(in crate::cli) fn open(&self, runtime: &Runtime, printer: &Printer) -> Result<(Studies, Location), Failure> {
        self.opened(runtime, printer, Studies::open)
    }

    /// Opens a database that is there, to read it only.
    pub(in crate::cli) fn read(&self, runtime: &Runtime, printer: &Printer) -> Result<(Studies, Location), Failure> {
        self.opened(runtime, printer, Studies::read)
    }

    fn opened(
        &self,
        runtime: &Runtime,
        printer: &Printer,
        open: impl AsyncFnOnce(&Location) -> Result<Studies, StudyError>,
    ) -> Result<(Studies, Location), Failure> {
        let location = self.location(printer)?;
        let studies = runtime.block_on(open(&location)).map_err(|e| failure(&location, e))?;
        Ok((studies, location))
    }
}

/// Opens a database to begin studies: it is made if it is not there.
pub(in crate::cli) fn make(location: &Location, runtime: &Runtime) -> Result<Studies, Failure> {
    runtime.block_on(Studies::make(location)).map_err(|e| failure(location, e))
}

/// What a failure of studies is to a user.
pub(in crate::cli) fn failure(location: &Location, error: StudyError) -> Failure {
    let (kind, help) = match error {
        StudyError::Location(_) => (Kind::Io, Some("make the folder first")),
        StudyError::Missing => (Kind::Io, Some("name the database that `tune` wrote, by --shared-db")),
        StudyError::Empty | StudyError::Foreign(_) => {
            (Kind::Data, Some("name the database that `tune` wrote, by --shared-db; this one was left as it is"))
        }
        StudyError::Differs { .. } => {
            (Kind::Usage, Some("the same command goes on with a study; for another one, give another --study-id"))
        }
        StudyError::Unknown(_) => (Kind::Usage, Some("`host-trainer studies list` lists them")),
        StudyError::Name(_) | StudyError::Space(_) => (Kind::Usage, None),
        StudyError::Database(_) => (Kind::Io, Some("check that the database can be reached and written")),
        StudyError::Garbled(_) => (Kind::Data, Some("give the study another name, or delete it")),
    };
    // These say the place themselves, or have nothing to do with it.
    let placeless = matches!(error, StudyError::Location(_) | StudyError::Name(_) | StudyError::Space(_));
    let mut failure = Failure::from_error(kind, error);
    if !placeless {
        failure = failure.at(location.to_string());
    }
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
