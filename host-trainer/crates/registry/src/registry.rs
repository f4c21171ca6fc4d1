//! The registry itself: where its objects lie in a store, and the files of one model.

use super::alias::Alias;
use super::cache::Cache;
use super::error::Error;
use super::promotion::Promotion;
use super::record::Record;
use bytes::Bytes;
use learn::model::{Artefact, Device};
use shared::limits;
use std::path::{Path, PathBuf};
use store::{Digest, Key, Ledger, Store};

/// Models under version in a store. Cloning it is cheap and gives the same registry.
///
/// Models are registered, promoted, and taken back again:
///
/// ```
/// use registry::{Outcome, Provenance, Registry, Request};
/// use std::path::Path;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), registry::Error> {
/// let registry = Registry::over(store::Store::memory());
/// let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../trained_models"));
/// let provenance = Provenance { who: "me@desk".into(), ..Provenance::default() };
/// let registered = registry.register(folder, Some("jetson-orin-nano"), &provenance).await?;
///
/// let model = &registered[0].version;
/// let request = Request { who: "me@desk".into(), ..Request::default() };
/// assert!(matches!(registry.promote(model, &request).await?, Outcome::Promoted(_)));
/// assert!(matches!(registry.promote(model, &request).await?, Outcome::Already(_)));
/// let deployment = registry.deployed("jetson-orin-nano").await?;
/// assert_eq!(deployment.models[0].to, model.record.model);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) store: Store,
}

impl Registry {
    /// The registry in the store at a URL or in a folder. Nothing is asked of it yet, and nothing is made:
    /// [`Registry::register`] makes the store where it is not there.
    ///
    /// # Errors
    /// A URL that names no store.
    pub fn open(url: &str) -> Result<Self, Error> {
        Ok(Self::over(Store::open(url)?))
    }

    /// Sees that the store is there. Whoever lists does so by itself.
    ///
    /// # Errors
    /// [`store::Error::Absent`], or what the store says.
    pub async fn require(&self) -> Result<(), Error> {
        Ok(self.store.require().await?)
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

    pub(super) fn registered(&self, alias: &Alias) -> Result<Ledger, Error> {
        Ok(Ledger::new(self.store.clone(), Key::new(format!("{REGISTERED}/{alias}"))?))
    }

    pub(super) fn promotions(&self, alias: &Alias) -> Result<Ledger, Error> {
        Ok(Ledger::new(self.store.clone(), Key::new(format!("{PROMOTIONS}/{alias}"))?))
    }

    pub(super) async fn put_blob(&self, content: Vec<u8>) -> Result<Digest, Error> {
        Ok(self.store.keep_blob(&Key::new(BLOBS)?, Bytes::from(content)).await?)
    }

    pub(super) async fn blob(&self, digest: Digest, limit: u64) -> Result<Bytes, Error> {
        Ok(self.store.get_blob(&Key::new(BLOBS)?, digest, limit).await?)
    }

    /// The bytes of a model's card, graph and device file, each checked by its hash, from a cache where that has them.
    pub(super) async fn files(&self, named: Named, cache: Option<&Cache>) -> Result<Files, Error> {
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
    pub(super) fn origin(&self, alias: &Alias) -> PathBuf {
        Path::new(self.name()).join(alias.to_string())
    }
}

const BLOBS: &str = "models/blobs";
pub(super) const REGISTERED: &str = "models/registered";
pub(super) const PROMOTIONS: &str = "models/promotions";

/// The names of a model's files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) model: Digest,
    pub(super) onnx: Digest,
    pub(super) device_file: Digest,
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
pub(super) struct Files {
    pub(super) card: Vec<u8>,
    pub(super) onnx: Vec<u8>,
    pub(super) device: Vec<u8>,
}

impl Files {
    pub(super) fn parse(self, origin: &Path) -> Result<(Artefact, Device), Error> {
        let device = Device::parse(&self.device, &origin.join(learn::model::DEVICE_FILE))?;
        Ok((Artefact::parse(&self.card, self.onnx, origin)?, device))
    }
}
