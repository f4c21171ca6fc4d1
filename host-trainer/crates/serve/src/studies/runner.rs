//! The studies of this server, and the queue of its worker.

use super::data::StudyData;
use super::error::request_error;
use super::request::{CheckedStudy, StudyRequest};
use crate::blocking::BlockingPool;
use crate::error::ApiError;
use crate::settings::Settings;
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;
use tune::studies::{Location, Progress, Studies, Study, StudyError};

/// The most studies in the queue.
const CAPACITY: usize = 100;

/// The studies of this server: their database, the data they train on, and the queue of its worker.
#[derive(Debug)]
pub(crate) struct StudyRunner {
    location: Location,
    /// The database opened to be read, once it is there.
    reading: OnceCell<Studies>,
    /// The database opened to be changed.
    changing: OnceCell<Studies>,
    data: Arc<StudyData>,
    blocking: BlockingPool,
    queue_file: PathBuf,
    queue: Mutex<QueueState>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    names: Vec<String>,
    /// The running study, and the token that stops it.
    running: Option<(String, CancellationToken)>,
    /// The last study that failed, and why.
    failure: Option<(String, String)>,
}

/// What the worker does at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueueStatus {
    /// The running study.
    pub(crate) running: Option<String>,
    /// The studies that were started, in order, including the running one.
    pub(crate) queue: Vec<String>,
    /// The last study that failed, and why.
    pub(crate) failure: Option<(String, String)>,
}

impl QueueStatus {
    /// The state of a study: `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
    pub(crate) fn state(&self, name: &str, progress: &Progress) -> &'static str {
        if progress.is_done() {
            "done"
        } else if self.running.as_deref() == Some(name) {
            "running"
        } else if self.queue.iter().any(|queued| queued == name) {
            "waiting"
        } else if progress.counts.running > 0 {
            "running elsewhere"
        } else {
            "stopped"
        }
    }
}

impl StudyRunner {
    /// Opens the queue. The database is opened when it is first used.
    ///
    /// # Errors
    /// A queue that cannot be read.
    pub(crate) fn open(settings: &Settings, blocking: BlockingPool) -> Result<Self, Failure> {
        let in_state = || Location::File(settings.state.join("studies.sqlite"));
        let location = settings.studies.clone().unwrap_or_else(in_state);
        let queue_file = settings.state.join("study_queue.json");
        let names = if queue_file.exists() {
            let text = read_capped(&queue_file, limits::SMALL_FILE_BYTES)?;
            serde_json::from_slice(&text).map_err(|e| {
                Failure::data(format!("is no queue of studies: {e}"))
                    .at(&queue_file)
                    .help("remove it; the studies stay in their database and can be started again")
            })?
        } else {
            Vec::new()
        };
        let queue = Mutex::new(QueueState { names, ..QueueState::default() });
        Ok(Self {
            location,
            reading: OnceCell::new(),
            changing: OnceCell::new(),
            data: Arc::new(StudyData::new(settings.data.clone())),
            blocking,
            queue_file,
            queue,
            wake: Notify::new(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, QueueState> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a file that is not a database of studies, before the server listens.
    ///
    /// # Errors
    /// [`StudyError::Foreign`].
    pub(crate) async fn check_location(&self) -> Result<(), Failure> {
        if let Location::File(path) = &self.location
            && let Err(error @ StudyError::Foreign(_)) = self.existing().await
        {
            let help = "name the database that `host-trainer tune` wrote, or a new file, by --studies";
            return Err(Failure::from_error(Kind::Data, error).at(path).help(help));
        }
        Ok(())
    }

    /// The database of studies to be read; none while no study was begun. Nothing is made.
    ///
    /// # Errors
    /// A database that cannot be opened.
    pub(crate) async fn existing(&self) -> Result<Option<&Studies>, StudyError> {
        if let Some(studies) = self.changing.get() {
            return Ok(Some(studies));
        }
        match self.reading.get_or_try_init(|| Studies::read(&self.location)).await {
            Ok(studies) => Ok(Some(studies)),
            Err(StudyError::Missing | StudyError::Empty) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every study with its progress, the newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub(crate) async fn list(&self) -> Result<Vec<(Study, Progress)>, StudyError> {
        let Some(studies) = self.existing().await? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for study in studies.list().await? {
            let progress = studies.progress(&study.name).await?;
            all.push((study, progress));
        }
        Ok(all)
    }

    /// The database in which a study is, to be read.
    ///
    /// # Errors
    /// [`StudyError::Unknown`] where no study was begun yet; a database that cannot be opened.
    pub(crate) async fn database_of(&self, name: &str) -> Result<&Studies, StudyError> {
        self.existing().await?.ok_or_else(|| StudyError::Unknown(name.to_owned()))
    }

    /// The database in which a study is, to be changed.
    ///
    /// # Errors
    /// As [`StudyRunner::database_of`].
    pub(super) async fn changeable(&self) -> Result<&Studies, StudyError> {
        self.changing.get_or_try_init(|| Studies::open(&self.location)).await
    }

    /// The database to begin a study in. It is made if it is not there.
    async fn made(&self) -> Result<&Studies, StudyError> {
        let make = async || {
            if let (Location::File(file), Some(folder)) = (&self.location, self.queue_file.parent())
                && let (Ok(file), Ok(folder)) = (std::path::absolute(file), std::path::absolute(folder))
                && file.starts_with(&folder)
            {
                std::fs::create_dir_all(folder)
                    .map_err(|e| StudyError::Location(format!("cannot make the folder of studies: {e}")))?;
            }
            Studies::make(&self.location).await
        };
        self.changing.get_or_try_init(make).await
    }

    /// What the worker does now.
    pub(crate) fn status(&self) -> QueueStatus {
        let state = self.queue();
        QueueStatus {
            running: state.running.as_ref().map(|(name, _)| name.clone()),
            queue: state.names.clone(),
            failure: state.failure.clone(),
        }
    }

    /// Whether there is training data, without which no study can be started.
    pub(crate) fn has_data(&self) -> bool {
        self.data.exists()
    }

    /// The training data.
    pub(super) fn data(&self) -> &Arc<StudyData> {
        &self.data
    }

    /// Checks a request against the training data, off the threads that serve connections.
    ///
    /// # Errors
    /// 400 and 422 for what is wrong with the request.
    pub(crate) async fn check(&self, request: StudyRequest) -> Result<(StudyRequest, CheckedStudy), ApiError> {
        let data = Arc::clone(&self.data);
        let check = move || {
            let checked = request.check(&data).map_err(request_error)?;
            Ok((request, checked))
        };
        self.blocking.run(check).await
    }

    /// Creates the study of a checked request, unless it exists, and queues it.
    ///
    /// # Errors
    /// A study of that name that differs, a database that fails, a full queue.
    pub(crate) async fn begin(&self, checked: &CheckedStudy) -> Result<(), ApiError> {
        self.made().await?.create(&checked.name, &checked.specification, checked.trials).await?;
        self.enqueue(&checked.name)
    }

    /// Queues an existing study, unless it is queued already.
    ///
    /// # Errors
    /// 404 for an unknown study, 429 for a full queue.
    pub(crate) async fn start(&self, name: &str) -> Result<(), ApiError> {
        self.database_of(name).await?.study(name).await?;
        self.enqueue(name)
    }

    /// Takes a study out of the queue. Its claimed trials are released and can be resumed.
    ///
    /// # Errors
    /// 404 for an unknown study; a queue that cannot be written.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), ApiError> {
        self.database_of(name).await?.study(name).await?;
        let mut state = self.queue();
        state.names.retain(|queued| queued != name);
        if let Some((_, token)) = state.running.as_ref().filter(|(running, _)| running == name) {
            token.cancel();
        }
        Ok(self.save(&state)?)
    }

    fn enqueue(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.queue();
        if state.names.iter().any(|queued| queued == name) {
            return Ok(());
        }
        if state.names.len() >= CAPACITY {
            return Err(ApiError::busy("queue_full", "too many studies wait for the worker", 60));
        }
        state.names.push(name.to_owned());
        state.failure.take_if(|(failed, _)| failed == name);
        self.save(&state)?;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits until a study is queued.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn save(&self, state: &QueueState) -> Result<(), Failure> {
        if let Some(folder) = self.queue_file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "make the folder of studies", &e))?;
        }
        let text = serde_json::to_vec(&state.names).map_err(|e| Failure::from_error(Kind::Data, e))?;
        write_atomic(&self.queue_file, &text)
    }

    /// Takes the first study of the queue as the running one, with the token that stops it.
    pub(super) fn next(&self) -> Option<(String, CancellationToken)> {
        let mut state = self.queue();
        let next = state.names.first().map(|name| (name.clone(), CancellationToken::new()));
        state.running.clone_from(&next);
        next
    }

    /// Removes the running study from the queue after it ended. A stopped one was removed before.
    pub(super) fn finished(&self, name: &str, outcome: &Result<(), Failure>) {
        let mut state = self.queue();
        state.running = None;
        state.names.retain(|queued| queued != name);
        if let Err(failure) = outcome {
            state.failure = Some((name.to_owned(), failure.message.clone()));
        }
        if let Err(failure) = self.save(&state) {
            tracing::error!(error = %failure, "the queue of studies cannot be written");
        }
    }
}
