//! What every handler shares.

use super::access::Access;
use super::events::Events;
use super::metrics::Metrics;
use super::models::Deployments;
use super::page;
use super::predict::Queue;
use super::settings::{Limits, Settings};
use super::studies::Bench;
use shared::failure::Failure;
use std::sync::Arc;
use tokio::sync::watch;

/// What every handler shares.
#[derive(Debug)]
pub struct App {
    /// Caps.
    pub limits: Limits,
    pub(super) access: Access,
    pub(super) models: Arc<Deployments>,
    pub(super) queue: Queue,
    pub(super) metrics: Arc<Metrics>,
    /// Tells connected clients.
    pub events: Events,
    pub(super) page: page::State,
    pub(super) bench: Bench,
    closing: watch::Sender<bool>,
}

impl App {
    /// Loads the models and starts the workers.
    ///
    /// # Errors
    /// Models that cannot be loaded.
    pub async fn new(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let (metrics, events) = (Arc::new(Metrics::default()), Events::default());
        let models = Arc::new(Deployments::open(&settings.models, Arc::clone(&metrics), events.clone()).await?);
        let queue = Queue::start(settings, &models, &metrics)?;
        Ok(Arc::new(Self {
            limits: settings.limits.clone(),
            access: Access::new(settings),
            models,
            queue,
            metrics,
            events,
            page: page::State::open(settings)?,
            bench: Bench::open(settings)?,
            closing: watch::Sender::new(false),
        }))
    }

    /// Becomes true when the server is asked to end; what streams without end ends then.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }
}
