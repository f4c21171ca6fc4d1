//! Models under version in any object store: what was fitted, what is deployed, and who decided that when.
//!
//! In the store, below `models/`:
//!
//! - `blobs/<2 digits>/<sha256>`: graphs, cards and device files, each once;
//! - `registered/<device>/<kind>/<target>/<n>`: a ledger of the models of an [`Alias`]; entry *n* is version *n*;
//! - `promotions/<device>/<kind>/<target>/<n>`: a ledger of what was deployed; its last entry is what is deployed now, all
//!   of it together is the audit trail.
//!
//! Blobs are written before the entry that names them, so that whoever sees an entry finds a whole model. Nothing is ever
//! changed or removed. Whoever promotes reads the ledger, decides on what it says, and appends after the entry it has seen;
//! where somebody was quicker it reads and decides again. A reader takes the last entry, then the blobs that it names:
//! each alias moves at once, a device's aliases move one after the other.
//!
//! Everything here is asynchronous; the command line runs it from one place.

mod alias;
mod cache;
mod check;
mod choose;
mod error;
mod export;
pub mod mlflow;
mod promote;
mod promotion;
mod read;
mod record;
mod register;
mod revision;
mod verify;
mod yardstick;

pub use alias::Alias;
pub use cache::{Cache, Opened, open_deployed};
pub use choose::who;
pub use error::Error;
pub use promote::{Outcome, Request};
pub use promotion::{Action, Promotion, Trail};
pub use read::{Deployment, Generation, Listed, Status};
pub use record::{Provenance, Record, Stamp, Version, short};
pub use register::Registered;
pub use revision::data_revision;
pub use verify::Verification;
pub use yardstick::{Comparison, Metric, On, Score, Verdict, Yardstick};

use bytes::Bytes;
use learn::model::{Artefact, Device};
use shared::failure::Failure;
use shared::limits;
use std::path::{Path, PathBuf};
use store::{Digest, Key, Ledger, Store};

/// Models under version in a store. Cloning it is cheap and gives the same registry.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// The registry in the store at a URL or in a folder, which must exist.
    ///
    /// # Errors
    /// A URL that names no store, or a folder that is not there.
    pub fn open(url: &str) -> Result<Self, Error> {
        let local = match url::Url::parse(url) {
            Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
            Ok(_) => None,
            Err(_) => Some(PathBuf::from(url)),
        };
        match local.filter(|folder| !folder.is_dir()) {
            Some(folder) => Err(Failure::usage("there is no store")
                .at(folder)
                .help("`host-trainer models register --store` makes one")
                .into()),
            None => Self::create(url),
        }
    }

    /// As [`Registry::open`]; a folder that is not there is created.
    ///
    /// # Errors
    /// A URL that names no store, or a folder that cannot be created.
    pub fn create(url: &str) -> Result<Self, Error> {
        Ok(Self::over(Store::open(url)?))
    }

    /// The registry in a store.
    #[must_use]
    pub fn over(store: Store) -> Self {
        Self { store }
    }

    /// What messages call the store.
    #[must_use]
    pub fn name(&self) -> &str {
        self.store.name()
    }

    fn registered(&self, alias: &Alias) -> Result<Ledger, Error> {
        Ok(Ledger::new(self.store.clone(), Key::new(format!("{REGISTERED}/{alias}"))?))
    }

    fn promotions(&self, alias: &Alias) -> Result<Ledger, Error> {
        Ok(Ledger::new(self.store.clone(), Key::new(format!("{PROMOTIONS}/{alias}"))?))
    }

    async fn put_blob(&self, content: Vec<u8>) -> Result<Digest, Error> {
        Ok(self.store.keep_blob(&Key::new(BLOBS)?, Bytes::from(content)).await?)
    }

    async fn blob(&self, digest: Digest, limit: u64) -> Result<Bytes, Error> {
        Ok(self.store.get_blob(&Key::new(BLOBS)?, digest, limit).await?)
    }

    /// The bytes of a model's card, graph and device file, each checked by its hash, from a cache where that has them.
    async fn files(&self, named: Named, cache: Option<&Cache>) -> Result<Files, Error> {
        let fetch = async |digest: Digest, limit: u64| -> Result<Vec<u8>, Error> {
            if let Some(content) = cache.and_then(|cache| cache.get(digest, limit)) {
                return Ok(content);
            }
            let content = self.blob(digest, limit).await?.to_vec();
            if let Some(cache) = cache {
                cache.put(digest, &content);
            }
            Ok(content)
        };
        Ok(Files {
            card: fetch(named.model, limits::SMALL_FILE_BYTES).await?,
            onnx: fetch(named.onnx, limits::ONNX_BYTES).await?,
            device: fetch(named.device_file, limits::SMALL_FILE_BYTES).await?,
        })
    }

    /// A registered model and the device file that belongs to it.
    ///
    /// # Errors
    /// A blob that is missing or damaged, or does not hold what it should.
    pub async fn artefact(&self, record: &Record) -> Result<(Artefact, Device), Error> {
        let files = self.files(record.into(), None).await?;
        files.parse(&self.origin(&record.alias))
    }

    /// What failures call a model: the store and the alias.
    fn origin(&self, alias: &Alias) -> PathBuf {
        Path::new(self.name()).join(alias.to_string())
    }
}

const BLOBS: &str = "models/blobs";
const REGISTERED: &str = "models/registered";
const PROMOTIONS: &str = "models/promotions";

/// The names of a model's files.
#[derive(Debug, Clone, Copy)]
struct Named {
    model: Digest,
    onnx: Digest,
    device_file: Digest,
}

impl From<&Record> for Named {
    fn from(record: &Record) -> Self {
        Self { model: record.model, onnx: record.onnx, device_file: record.device_file }
    }
}

impl From<&Promotion> for Named {
    fn from(promotion: &Promotion) -> Self {
        Self { model: promotion.to, onnx: promotion.onnx, device_file: promotion.device_file }
    }
}

/// A model's files, byte by byte as they were registered.
#[derive(Debug)]
struct Files {
    card: Vec<u8>,
    onnx: Vec<u8>,
    device: Vec<u8>,
}

impl Files {
    fn parse(self, origin: &Path) -> Result<(Artefact, Device), Error> {
        let device = Device::parse(&self.device, &origin.join(learn::model::DEVICE_FILE))?;
        Ok((Artefact::parse(&self.card, self.onnx, origin)?, device))
    }
}
