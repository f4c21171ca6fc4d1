//! Where models come from: a folder, or the deployed models of a store.

use super::deployment::{DeployedModels, Fingerprint};
use super::folder::ModelFolder;
use super::validate::validate;
use crate::settings::ModelSource;
use registry::{Cache, Registry};
use shared::failure::{Failure, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An opened source of models.
#[derive(Debug)]
pub(super) enum ModelProvider {
    Folder(Arc<ModelFolder>),
    Store(ModelStore),
}

/// The deployed models of a store.
#[derive(Debug)]
pub(super) struct ModelStore {
    registry: Registry,
    /// Spares downloads. A store on this machine needs none.
    cache: Option<Cache>,
}

impl ModelStore {
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl ModelProvider {
    /// Opens a source.
    ///
    /// # Errors
    /// A store that cannot be opened.
    pub(super) fn open(source: &ModelSource) -> Result<Self, Failure> {
        Ok(match source {
            ModelSource::Folder(root) => Self::Folder(Arc::new(ModelFolder::new(root.clone()))),
            ModelSource::Store(url) => {
                let is_remote = url.contains("://") && !url.starts_with("file:");
                let cache = is_remote.then(Cache::of_user).flatten();
                Self::Store(ModelStore { registry: Registry::open(url)?, cache })
            }
        })
    }

    /// Every device that has models, with their fingerprint.
    ///
    /// # Errors
    /// A source that cannot be read.
    pub(super) async fn fingerprints(&self) -> Result<BTreeMap<String, Fingerprint>, Failure> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.fingerprints()).await
            }
            Self::Store(store) => {
                let generation = store.registry.generation(None).await?;
                let mut fingerprints = BTreeMap::new();
                for device in generation.devices() {
                    let own = store.registry.generation(Some(device)).await?;
                    fingerprints.insert(device.to_owned(), own.to_string());
                }
                Ok(fingerprints)
            }
        }
    }

    /// The device of requests that name none, among `devices`.
    pub(super) fn default_device<'a>(&self, mut devices: impl Iterator<Item = &'a String>) -> Option<String> {
        match self {
            Self::Folder(folder) => folder.default_device(),
            Self::Store(_) => devices.next().filter(|_| devices.next().is_none()).cloned(),
        }
    }

    /// Loads and validates the models of a device. Models that `old` has loaded already are shared with it.
    ///
    /// # Errors
    /// A source that cannot be read; a model that fails a check.
    pub(super) async fn load(&self, device: &str, old: Option<Arc<DeployedModels>>) -> Result<DeployedModels, Failure> {
        let device = device.to_owned();
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.load(&device)).await
            }
            Self::Store(store) => {
                let deployment = store.registry.deployed(&device).await?;
                let models = store.registry.models(&deployment, store.cache.as_ref()).await?;
                blocking(move || {
                    let models = match &old {
                        Some(old) => models.keeping(&old.models),
                        None => models,
                    };
                    validate(models)
                })
                .await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|e| Err(Failure::new(Kind::Data, format!("the models could not be loaded: {e}"))))
}
