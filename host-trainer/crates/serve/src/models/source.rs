//! Where models come from: a folder, or what is deployed in a store.

use super::Deployed;
use super::folder::Folder;
use crate::settings::ModelSource;
use learn::model::{Card, Target};
use learn::predict::Models;
use registry::{Cache, Registry};
use sha2::{Digest, Sha256};
use shared::engine::Table;
use shared::failure::{Failure, Kind, printable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A self-test that lets more than this pass proves nothing.
const LOOSEST_SELF_TEST: f64 = 1e-2;

/// What a source says a device's models are, cheaply: whenever they change, so does it.
pub(super) type Mark = String;

/// Where models come from.
#[derive(Debug)]
pub(super) enum Source {
    Folder(Arc<Folder>),
    Store(StoreSource),
}

/// What is deployed in a store.
#[derive(Debug)]
pub(super) struct StoreSource {
    registry: Registry,
    /// Spares downloads; a store on this machine needs none.
    cache: Option<Cache>,
}

impl StoreSource {
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Source {
    pub(super) fn open(source: &ModelSource) -> Result<Self, Failure> {
        Ok(match source {
            ModelSource::Folder(root) => Self::Folder(Arc::new(Folder::new(root.clone()))),
            ModelSource::Store(url) => {
                let is_remote = url.contains("://") && !url.starts_with("file:");
                let cache = is_remote.then(Cache::of_user).flatten();
                Self::Store(StoreSource { registry: Registry::open(url)?, cache })
            }
        })
    }

    /// Every device that has models, with what they are.
    pub(super) async fn marks(&self) -> Result<BTreeMap<String, Mark>, Failure> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.marks()).await
            }
            Self::Store(store) => {
                let generation = store.registry.generation(None).await?;
                let mut marks = BTreeMap::new();
                for device in generation.devices() {
                    let own = store.registry.generation(Some(device)).await?;
                    marks.insert(device.to_owned(), own.to_string());
                }
                Ok(marks)
            }
        }
    }

    /// The device meant when none is named, among those that there are.
    pub(super) fn default_device(&self, devices: &BTreeMap<String, Mark>) -> Option<String> {
        match self {
            Self::Folder(folder) => folder.default_device(),
            Self::Store(_) if devices.len() == 1 => devices.keys().next().cloned(),
            Self::Store(_) => None,
        }
    }

    /// Loads the models of a device, each of which proves itself. What `old` has of the same models is kept.
    pub(super) async fn load(&self, device: &str, old: Option<Arc<Deployed>>) -> Result<Deployed, Failure> {
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
                    prove(models)
                })
                .await
            }
        }
    }
}

/// Loads every model of a set: each proves itself by its hash, its operators and its self-test.
pub(super) fn prove(models: Models) -> Result<Deployed, Failure> {
    models.load(&Table::ALL.into_iter().collect())?;
    let json = |e: serde_json::Error| Failure::data(e.to_string());
    let mut whole = Sha256::new();
    whole.update(serde_json::to_vec(models.device()).map_err(json)?);
    let mut digests = BTreeMap::new();
    for card in models.cards() {
        whole_card(card, &models.device().name)?;
        let name = format!("{}/{}", card.layer_kind.name(), card.target.name());
        whole.update(name.as_bytes());
        whole.update(serde_json::to_vec(card).map_err(json)?);
        digests.insert(name, card.onnx_sha256.clone());
    }
    if digests.is_empty() {
        let (device, targets) = (&models.device().name, Target::ALL.map(Target::name).join(" nor "));
        return Err(Failure::data(format!("{device} has models of neither {targets}")));
    }
    Ok(Deployed { models, digests, digest: format!("{:x}", whole.finalize()) })
}

/// Refuses a card that says of its model what no model of ours says. A promotion checks the same; whoever writes past the
/// promotion meets it here.
fn whole_card(card: &Card, device: &str) -> Result<(), Failure> {
    let test = &card.self_test;
    let wrong = if card.device != device {
        format!("is of `{}`, not of {device}", printable(&card.device))
    } else if card.unit != card.target.unit() {
        format!("predicts {}, not {}", printable(&card.unit), card.target.unit())
    } else if test.inputs.is_empty() || !(0.0..=LOOSEST_SELF_TEST).contains(&test.tolerance) {
        "has no self-test that would prove anything".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::data(format!("a model of {} layers {wrong}", card.layer_kind.name())))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|e| Err(Failure::new(Kind::Data, format!("the models could not be loaded: {e}"))))
}
