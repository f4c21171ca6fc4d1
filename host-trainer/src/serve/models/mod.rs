//! The deployed models: where they come from, and how a new set takes the place of the old.
//!
//! A set is every model of one device. It is loaded whole and proves itself (hashes, operators, self-test of every
//! model) before the pointer to the current deployment is exchanged. A request takes the pointer once and keeps what it
//! got to its end.

mod deployment;
mod folder;
pub(super) mod routes;

pub(super) use deployment::{Deployed, Deployment};

use super::App;
use super::events::{Event, Events};
use super::metrics::{Metrics, ModelSet};
use super::settings::ModelSource;
use folder::Folder;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// What a source says a device's models are, cheaply: whenever they change, so does it.
type Mark = String;

/// The current deployment, and what keeps it current.
#[derive(Debug)]
pub(super) struct Deployments {
    source: Folder,
    current: RwLock<Arc<Deployment>>,
    /// One at a time looks for new models; what it saw last of each device, loaded or refused.
    seen: Mutex<BTreeMap<String, Seen>>,
    metrics: Arc<Metrics>,
    events: Events,
}

#[derive(Debug, Clone)]
struct Seen {
    mark: Mark,
    refused: Option<String>,
}

impl Deployments {
    /// Loads the models of a source.
    ///
    /// # Errors
    /// A source that holds no models, or some that cannot be loaded: a server that starts, starts whole.
    pub(super) fn open(source: &ModelSource, metrics: Arc<Metrics>, events: Events) -> Result<Self, Failure> {
        let ModelSource::Folder(root) = source;
        let source = Folder::new(root.clone());
        let marks = source.marks()?;
        let mut devices = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for (device, mark) in marks {
            let set = source.load(&device)?;
            metrics.models.get_or_create(&labels(&set)).set(1);
            devices.insert(device.clone(), Arc::new(set));
            seen.insert(device, Seen { mark, refused: None });
        }
        let deployment = Deployment { generation: 1, default_device: source.default_device(), devices };
        Ok(Self { source, current: RwLock::new(Arc::new(deployment)), seen: Mutex::new(seen), metrics, events })
    }

    /// The models that answer now.
    pub(super) fn current(&self) -> Arc<Deployment> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Devices whose newest models were refused, and why.
    pub(super) fn refused(&self) -> BTreeMap<String, String> {
        self.seen().iter().filter_map(|(device, seen)| Some((device.clone(), seen.refused.clone()?))).collect()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for new models and lets them take over, device by device, if they prove themselves.
    pub(super) fn refresh(&self) {
        let marks = match self.source.marks() {
            Ok(marks) => marks,
            Err(failure) => {
                tracing::error!(error = %failure, "cannot look for new models; the old ones go on answering");
                return;
            }
        };
        for (device, mark) in &marks {
            if self.seen().get(device).is_some_and(|seen| seen.mark == *mark) {
                continue;
            }
            let outcome = self.source.load(device);
            let refused = match outcome {
                Ok(set) => {
                    self.exchange(set);
                    None
                }
                Err(failure) => {
                    let reason = failure.message.clone();
                    tracing::error!(%device, error = %failure, "new models refused; the old ones go on answering");
                    self.metrics.reloads_refused.inc();
                    self.events.tell(Event::ModelsRefused { device: device.clone(), reason: reason.clone() });
                    Some(reason)
                }
            };
            self.seen().insert(device.clone(), Seen { mark: mark.clone(), refused });
        }
    }

    fn exchange(&self, set: Deployed) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (device, digest) = (set.device().to_owned(), set.digest.clone());
        let mut devices = current.devices.clone();
        let old = devices.insert(device.clone(), Arc::new(set));
        if old.as_ref().is_some_and(|old| old.digest == digest) {
            return;
        }
        let generation = current.generation + 1;
        *current = Arc::new(Deployment { generation, default_device: self.source.default_device(), devices });
        drop(current);
        if let Some(old) = old {
            self.metrics.models.remove(&labels(&old));
        }
        self.metrics.models.get_or_create(&ModelSet { device: device.clone(), digest: digest.clone() }).set(1);
        self.metrics.reloads.inc();
        tracing::info!(%device, %digest, generation, "new models answer");
        self.events.tell(Event::Models { device, digest, generation });
    }
}

fn labels(set: &Deployed) -> ModelSet {
    ModelSet { device: set.device().to_owned(), digest: set.digest.clone() }
}

/// Looks for new models every `poll`, until the server closes.
pub(super) async fn watch(app: Arc<App>, poll: Duration) {
    let mut every = tokio::time::interval(poll);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut closing = app.closing();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let models = Arc::clone(&app.models);
        // A panic there is in the log by now; the next look may go better.
        let _ = tokio::task::spawn_blocking(move || models.refresh()).await;
    }
}
