//! The deployed models: where they come from, and how new ones replace the old.

use super::deployment::{DeployedModels, Deployment, Fingerprint};
use super::provider::ModelProvider;
use crate::events::{Event, Events};
use crate::metrics::{Metrics, ModelSet};
use crate::settings::ModelSource;
use registry::Registry;
use shared::failure::{Failure, Kind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// The current deployment, and what keeps it up to date.
#[derive(Debug)]
pub(crate) struct Deployments {
    provider: ModelProvider,
    current: RwLock<Arc<Deployment>>,
    /// What was last read of each device, whether deployed or refused.
    devices: Mutex<BTreeMap<String, DeviceState>>,
    /// Held by the one task that checks for new models.
    refreshing: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
    events: Events,
}

#[derive(Debug, Clone)]
struct DeviceState {
    /// `None` where the source failed: it is read again at the next check.
    fingerprint: Option<Fingerprint>,
    /// Why the newest models were refused.
    refused: Option<String>,
}

impl Deployments {
    /// Loads the models of a source. A device whose models are refused is left out; a store may hold none yet.
    ///
    /// # Errors
    /// A source that cannot be read, or whose models are all refused.
    pub(crate) async fn open(source: &ModelSource, metrics: Arc<Metrics>, events: Events) -> Result<Self, Failure> {
        let provider = ModelProvider::open(source)?;
        let fingerprints = provider.fingerprints().await?;
        let default_device = provider.default_device(fingerprints.keys());
        let deployment = Deployment { generation: 1, default_device, devices: BTreeMap::new() };
        let deployments = Self {
            provider,
            current: RwLock::new(Arc::new(deployment)),
            devices: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            metrics,
            events,
        };
        let mut last = None;
        for (device, fingerprint) in &fingerprints {
            if let Err(failure) = deployments.load(device, fingerprint).await {
                last = Some(failure);
            }
        }
        match last {
            Some(failure) if deployments.current().devices.is_empty() => Err(failure),
            _ => Ok(deployments),
        }
    }

    /// The deployment that answers now.
    pub(crate) fn current(&self) -> Arc<Deployment> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The registry, where the models come from a store.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        match &self.provider {
            ModelProvider::Store(store) => Some(store.registry()),
            ModelProvider::Folder(_) => None,
        }
    }

    /// The devices whose newest models were refused, and why.
    pub(crate) fn refused(&self) -> BTreeMap<String, String> {
        self.devices().iter().filter_map(|(device, state)| Some((device.clone(), state.refused.clone()?))).collect()
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<String, DeviceState>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks for new models. Those that pass validation replace the old ones, device by device.
    pub(crate) async fn refresh(&self) {
        let _guard = self.refreshing.lock().await;
        let fingerprints = match self.provider.fingerprints().await {
            Ok(fingerprints) => fingerprints,
            Err(failure) => {
                tracing::error!(error = %failure, "cannot look for new models; the old ones go on answering");
                return;
            }
        };
        for (device, fingerprint) in &fingerprints {
            let known = |state: &DeviceState| state.fingerprint.as_ref() == Some(fingerprint);
            if !self.devices().get(device).is_some_and(known) {
                // The log and `/readyz` tell of a refusal.
                let _ = self.load(device, fingerprint).await;
            }
        }
    }

    /// Loads the models of a device and deploys them.
    async fn load(&self, device: &str, fingerprint: &Fingerprint) -> Result<(), Failure> {
        let old = self.current().devices.get(device).cloned();
        let loaded = self.provider.load(device, old).await;
        let (state, outcome) = match loaded {
            Ok(models) => {
                self.deploy(models);
                (DeviceState { fingerprint: Some(fingerprint.clone()), refused: None }, Ok(()))
            }
            Err(failure) => {
                let reason = failure.message.clone();
                let known = self.devices().get(device).and_then(|state| state.refused.clone());
                // An unreachable store is tried at every check and reported once.
                if known.as_ref() != Some(&reason) {
                    tracing::error!(%device, error = %failure, "new models refused; the old ones go on answering");
                    self.metrics.reloads_refused.inc();
                    self.events.send(Event::ModelsRefused { device: device.to_owned(), reason: reason.clone() });
                }
                let fingerprint = (failure.kind != Kind::Io).then(|| fingerprint.clone());
                (DeviceState { fingerprint, refused: Some(reason) }, Err(failure))
            }
        };
        self.devices().insert(device.to_owned(), state);
        outcome
    }

    fn deploy(&self, models: DeployedModels) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (device, digest) = (models.device().to_owned(), models.digest.clone());
        let mut devices = current.devices.clone();
        let old = devices.insert(device.clone(), Arc::new(models));
        let is_same = old.as_ref().is_some_and(|old| old.digest == digest);
        let generation = current.generation + u64::from(!is_same);
        let default_device = self.provider.default_device(devices.keys());
        *current = Arc::new(Deployment { generation, default_device, devices });
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
        self.events.send(Event::Models { device, digest, generation });
    }

    /// Checks for new models every `poll`, until the server closes.
    pub(crate) async fn watch(&self, poll: Duration, mut closing: watch::Receiver<bool>) {
        let mut every = tokio::time::interval(poll);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                _ = closing.wait_for(|closing| *closing) => return,
            }
            self.refresh().await;
        }
    }
}
