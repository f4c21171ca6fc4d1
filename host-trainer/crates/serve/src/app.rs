//! The state that every handler shares.

use super::access::AccessControl;
use super::batches::Batches;
use super::blocking::BlockingPool;
use super::events::Events;
use super::metrics::Metrics;
use super::models::Deployments;
use super::predict::Predictor;
use super::settings::{Limits, Settings};
use super::studies::StudyRunner;
use super::uploads::Uploads;
use shared::failure::Failure;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// The state that every handler shares.
#[derive(Debug)]
pub(crate) struct App {
    /// Limits on requests.
    pub(crate) limits: Limits,
    /// The checks on every request.
    pub(crate) access: AccessControl,
    /// The models that answer.
    pub(crate) models: Arc<Deployments>,
    /// The queue to the workers that predict.
    pub(crate) predictor: Predictor,
    /// Metrics for Prometheus.
    pub(crate) metrics: Arc<Metrics>,
    /// Events for connected clients.
    pub(crate) events: Events,
    /// Engines that were uploaded through the page.
    pub(crate) uploads: Uploads,
    /// The studies of this server.
    pub(crate) studies: Arc<StudyRunner>,
    /// The batches of its folder.
    pub(crate) batches: Arc<Batches>,
    /// The training data of studies and batches.
    pub(crate) data: Option<PathBuf>,
    /// Work that must not run on the threads that serve connections.
    pub(crate) blocking: BlockingPool,
    closing: watch::Sender<bool>,
}

impl App {
    /// Loads the models and starts the workers.
    ///
    /// # Errors
    /// Models that cannot be loaded; a state folder that cannot be read.
    pub(crate) async fn new(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let (metrics, events) = (Arc::new(Metrics::default()), Events::default());
        let models = Arc::new(Deployments::open(&settings.models, Arc::clone(&metrics), events.clone()).await?);
        let predictor = Predictor::start(settings, &models, &metrics)?;
        let blocking = BlockingPool::new(settings.workers);
        let studies = StudyRunner::open(settings, blocking.clone())?;
        studies.check_location().await?;
        Ok(Arc::new(Self {
            limits: settings.limits.clone(),
            access: AccessControl::new(settings),
            models,
            predictor,
            metrics,
            events,
            uploads: Uploads::open(&settings.state.join("engines"))?,
            studies: Arc::new(studies),
            batches: Arc::new(Batches::new(settings.batches.clone(), blocking.clone())),
            data: settings.data.clone(),
            blocking,
            closing: watch::Sender::new(false),
        }))
    }

    /// Becomes true when the server shuts down. Endless streams end then.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Tells everything that waits on [`App::closing`] that the server shuts down.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}
