//! The deployed models: where they come from, and how a new set takes the place of the old.
//!
//! A set is every model of one device. It is loaded whole and proves itself (hashes, operators, self-test of every
//! model) before the pointer to the current deployment is exchanged. A request takes the pointer once and keeps what it
//! got to its end.

mod deployment;
mod folder;
pub(super) mod routes;
mod source;
pub(super) mod store;

pub(super) use deployment::{Deployed, Deployment};

use super::App;
use super::events::{Event, Events};
use super::metrics::{Metrics, ModelSet};
use super::settings::ModelSource;
use registry::Registry;
use shared::failure::{Failure, Kind};
use source::{Mark, Source};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// The current deployment, and what keeps it current.
#[derive(Debug)]
pub(super) struct Deployments {
    source: Source,
    current: RwLock<Arc<Deployment>>,
    /// What was seen last of each device, loaded or refused.
    seen: Mutex<BTreeMap<String, Seen>>,
    /// One at a time looks for new models.
    looking: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
    events: Events,
}

#[derive(Debug, Clone)]
struct Seen {
    /// None where the source failed: whatever it holds then is worth another look.
    mark: Option<Mark>,
    refused: Option<String>,
}

impl Deployments {
    /// Loads the models of a source. A device whose models are bad is left out, and a store may hold none yet.
    ///
    /// # Errors
    /// A source that cannot be read, and one whose models are all bad.
    pub(super) async fn open(source: &ModelSource, metrics: Arc<Metrics>, events: Events) -> Result<Self, Failure> {
        let source = Source::open(source)?;
        let marks = source.marks().await?;
        let deployment =
            Deployment { generation: 1, default_device: source.default_device(&marks), devices: BTreeMap::new() };
        let deployments = Self {
            source,
            current: RwLock::new(Arc::new(deployment)),
            seen: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            metrics,
            events,
        };
        let mut last = None;
        for (device, mark) in &marks {
            if let Err(failure) = deployments.load(device, mark).await {
                last = Some(failure);
            }
        }
        match last {
            Some(failure) if deployments.current().devices.is_empty() => Err(failure),
            _ => Ok(deployments),
        }
    }

    /// The models that answer now.
    pub(super) fn current(&self) -> Arc<Deployment> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The registry that the models come from, if they do.
    pub(super) fn registry(&self) -> Option<&Registry> {
        match &self.source {
            Source::Store(store) => Some(store.registry()),
            Source::Folder(_) => None,
        }
    }

    /// Devices whose newest models were refused, and why.
    pub(super) fn refused(&self) -> BTreeMap<String, String> {
        self.seen().iter().filter_map(|(device, seen)| Some((device.clone(), seen.refused.clone()?))).collect()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for new models and lets them take over, device by device, if they prove themselves.
    pub(super) async fn refresh(&self) {
        let _alone = self.looking.lock().await;
        let marks = match self.source.marks().await {
            Ok(marks) => marks,
            Err(failure) => {
                tracing::error!(error = %failure, "cannot look for new models; the old ones go on answering");
                return;
            }
        };
        for (device, mark) in &marks {
            if self.seen().get(device).is_none_or(|seen| seen.mark.as_ref() != Some(mark)) {
                // What is refused is in the log and in what `/readyz` says.
                let _ = self.load(device, mark).await;
            }
        }
    }

    /// Loads the models of a device and lets them take over.
    async fn load(&self, device: &str, mark: &Mark) -> Result<(), Failure> {
        let old = self.current().devices.get(device).cloned();
        let loaded = self.source.load(device, old).await;
        let (seen, outcome) = match loaded {
            Ok(set) => {
                self.exchange(set);
                (Seen { mark: Some(mark.clone()), refused: None }, Ok(()))
            }
            Err(failure) => {
                let reason = failure.message.clone();
                let known = self.seen().get(device).and_then(|seen| seen.refused.clone());
                // A store out of reach is tried again at every look, and need not be told of every time.
                if known.as_ref() != Some(&reason) {
                    tracing::error!(%device, error = %failure, "new models refused; the old ones go on answering");
                    self.metrics.reloads_refused.inc();
                    self.events.tell(Event::ModelsRefused { device: device.to_owned(), reason: reason.clone() });
                }
                let mark = (failure.kind != Kind::Io).then(|| mark.clone());
                (Seen { mark, refused: Some(reason) }, Err(failure))
            }
        };
        self.seen().insert(device.to_owned(), seen);
        outcome
    }

    fn exchange(&self, set: Deployed) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (device, digest) = (set.device().to_owned(), set.digest.clone());
        let mut devices = current.devices.clone();
        let old = devices.insert(device.clone(), Arc::new(set));
        let is_same = old.as_ref().is_some_and(|old| old.digest == digest);
        let generation = current.generation + u64::from(!is_same);
        let marks = devices.keys().map(|device| (device.clone(), Mark::new())).collect();
        *current = Arc::new(Deployment { generation, default_device: self.source.default_device(&marks), devices });
        drop(current);
        if is_same {
            return;
        }
        if let Some(old) = old {
            self.metrics.models.remove(&ModelSet { device: device.clone(), digest: old.digest.clone() });
        }
        self.metrics.models.get_or_create(&ModelSet { device: device.clone(), digest: digest.clone() }).set(1);
        self.metrics.reloads.inc();
        tracing::info!(%device, %digest, generation, "models answer");
        self.events.tell(Event::Models { device, digest, generation });
    }
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
        app.models.refresh().await;
    }
}
