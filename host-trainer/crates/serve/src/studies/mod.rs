//! Studies on this machine: one worker, a queue that outlives the process, and clients told of every trial.
//!
//! Trials live in a database (`tune::studies`) that `host-trainer tune` shares: other processes may work on the same
//! studies, and what they do shows here as well. The queue is a file with the names of the studies that were started here
//! and are not done.

mod follow;
mod order;
pub(super) mod routes;

pub(super) use order::{Checked, Order};

use super::App;
use super::error::ApiError;
use super::events::Event;
use super::page::aside;
use super::settings::Settings;
use learn::fit::plan::Plan;
use learn::training::{self, TrainingData};
use shared::failure::{Failure, Kind, printable};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;
use tune::objective::LayerObjective;
use tune::studies::{Location, Progress, Studies, Study, StudyError};
use tune::worker::{LEASE, Worker, owner};

/// How often a study's progress is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Studies that wait in the queue.
const QUEUE: usize = 100;

/// The place where studies are worked on.
#[derive(Debug)]
pub(super) struct Bench {
    location: Location,
    studies: OnceCell<Studies>,
    data: Option<PathBuf>,
    queue_file: PathBuf,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: Vec<String>,
    /// The study worked on, and what stops that.
    running: Option<(String, CancellationToken)>,
    /// Why the study worked on last could not go on.
    failure: Option<(String, String)>,
}

/// What the worker is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Situation {
    /// The study worked on.
    pub(super) running: Option<String>,
    /// Studies that were started, in order, the one worked on included.
    pub(super) queue: Vec<String>,
    /// A study that could not go on, and why.
    pub(super) failure: Option<(String, String)>,
}

impl Situation {
    /// Where a study stands, in a word.
    pub(super) fn state(&self, name: &str, progress: &Progress) -> &'static str {
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

impl Bench {
    /// Opens the queue; the database is opened when it is first needed.
    ///
    /// # Errors
    /// A place for studies that is none, or a queue that cannot be read.
    pub(super) fn open(settings: &Settings) -> Result<Self, Failure> {
        let in_state = || Location::File(settings.state.join("studies.sqlite"));
        let location = settings.studies.clone().unwrap_or_else(in_state);
        let queue_file = settings.state.join("study_queue.json");
        let queue = if queue_file.exists() {
            let text = read_capped(&queue_file, limits::SMALL_FILE_BYTES)?;
            serde_json::from_slice(&text).map_err(|e| {
                Failure::data(format!("is no queue of studies: {e}"))
                    .at(&queue_file)
                    .help("remove it; the studies stay in their database and can be started again")
            })?
        } else {
            Vec::new()
        };
        let state = Mutex::new(State { queue, ..State::default() });
        Ok(Self {
            location,
            studies: OnceCell::new(),
            data: settings.data.clone(),
            queue_file,
            state,
            wake: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The studies' database.
    ///
    /// # Errors
    /// A database that cannot be opened.
    pub(super) async fn studies(&self) -> Result<&Studies, StudyError> {
        let open = async || {
            if let (Location::File(file), Some(folder)) = (&self.location, self.queue_file.parent())
                && file.starts_with(folder)
            {
                std::fs::create_dir_all(folder)
                    .map_err(|e| StudyError::Location(format!("cannot make the folder of studies: {e}")))?;
            }
            Studies::open(&self.location).await
        };
        self.studies.get_or_try_init(open).await
    }

    /// What the worker is about.
    pub(super) fn situation(&self) -> Situation {
        let state = self.state();
        Situation {
            running: state.running.as_ref().map(|(name, _)| name.clone()),
            queue: state.queue.clone(),
            failure: state.failure.clone(),
        }
    }

    /// Whether studies can be started: there are data to train on.
    pub(super) fn has_data(&self) -> bool {
        self.data.is_some()
    }

    /// The data that studies train on, so many rows of each table, or all.
    ///
    /// # Errors
    /// No data named, some that cannot be read, or of which no rows can be drawn.
    fn read_data(&self, samples: Option<usize>) -> Result<TrainingData, Failure> {
        let folder = self.data.as_ref().ok_or_else(|| {
            Failure::usage("this server was told of no training data")
                .help("start it with --data DIR, a folder that `host-trainer dataset` wrote")
        })?;
        let mut data = training::read(folder)?;
        if let Some(samples) = samples {
            data.sample(samples).map_err(Failure::usage)?;
        }
        Ok(data)
    }

    /// Puts a study into the queue, if it is not there.
    ///
    /// # Errors
    /// A full queue, or one that cannot be written.
    pub(super) fn start(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.state();
        if state.queue.iter().any(|queued| queued == name) {
            return Ok(());
        }
        if state.queue.len() >= QUEUE {
            return Err(ApiError::busy("queue_full", "too many studies wait for the worker", 60));
        }
        state.queue.push(name.to_owned());
        state.failure.take_if(|(failed, _)| failed == name);
        self.keep(&state)?;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes a study out of the queue; trials in hand are released and can be taken up again.
    ///
    /// # Errors
    /// A queue that cannot be written.
    pub(super) fn stop(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.state();
        state.queue.retain(|queued| queued != name);
        if let Some((_, token)) = state.running.as_ref().filter(|(running, _)| running == name) {
            token.cancel();
        }
        self.keep(&state)?;
        Ok(())
    }

    fn keep(&self, state: &State) -> Result<(), Failure> {
        if let Some(folder) = self.queue_file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "make the folder of studies", &e))?;
        }
        let text = serde_json::to_vec(&state.queue).map_err(|e| Failure::data(e.to_string()))?;
        write_atomic(&self.queue_file, &text)
    }

    /// The next study, and what stops it.
    fn next(&self) -> Option<(String, CancellationToken)> {
        let mut state = self.state();
        let next = state.queue.first().map(|name| (name.clone(), CancellationToken::new()));
        state.running.clone_from(&next);
        next
    }

    /// What is done leaves the queue; what was stopped has left it already.
    fn done(&self, name: &str, outcome: &Result<(), Failure>) {
        let mut state = self.state();
        state.running = None;
        state.queue.retain(|queued| queued != name);
        if let Err(failure) = outcome {
            state.failure = Some((name.to_owned(), failure.message.clone()));
        }
        if let Err(failure) = self.keep(&state) {
            tracing::error!(error = %failure, "the queue of studies cannot be written");
        }
    }
}

/// What goes wrong with studies, as everybody is told it.
fn failure(error: StudyError) -> Failure {
    match error {
        StudyError::Database(_) | StudyError::Garbled(_) => Failure::new(Kind::Io, error.to_string()),
        other => Failure::usage(other.to_string()),
    }
}

/// A study's error as a client meets it.
impl From<StudyError> for ApiError {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Unknown(name) => Self::not_found(format!("there is no study `{}`", printable(&name))),
            other => failure(other).into(),
        }
    }
}

/// Works on the queue until the server closes; what is in hand then is gone on with by the next server.
pub(super) async fn work(app: Arc<App>) {
    let mut closing = app.closing();
    loop {
        let Some((name, stop)) = app.bench.next() else {
            tokio::select! {
                () = app.bench.wake.notified() => continue,
                () = until_closed(&mut closing) => return,
            }
        };
        let stopped = stop.clone();
        let run = run(&app, &name, &stop);
        tokio::pin!(run);
        let outcome = tokio::select! {
            outcome = &mut run => outcome,
            () = until_closed(&mut closing) => {
                // It stays in the queue; its trials are released for whoever comes next.
                stopped.cancel();
                let _ = run.await;
                return;
            }
        };
        if let Err(failure) = &outcome {
            tracing::error!(study = name, error = %failure, "a study cannot go on");
        }
        app.bench.done(&name, &outcome);
        tell(&app, &name).await;
    }
}

async fn until_closed(closing: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Works on one study until it is done or stopped.
async fn run(app: &Arc<App>, name: &str, stop: &CancellationToken) -> Result<(), Failure> {
    let studies = app.bench.studies().await.map_err(failure)?.clone();
    let study = studies.study(name).await.map_err(failure)?;
    let (told, of) = (study.clone(), Arc::clone(app));
    let objective = tokio::task::spawn_blocking(move || objective(&of.bench, &told))
        .await
        .map_err(|e| Failure::data(format!("the data could not be read: {e}")))??;
    let worker = Worker {
        studies: studies.clone(),
        study,
        objective: Arc::new(objective),
        owner: owner(),
        lease: LEASE,
        jobs: 1,
    };
    let worked = worker.run(stop);
    tokio::pin!(worked);
    let mut last: Option<Progress> = None;
    loop {
        tokio::select! {
            done = &mut worked => return done.map_err(failure),
            progress = studies.changed(name, last.as_ref(), LOOK) => {
                let progress = progress.map_err(failure)?;
                app.events.tell(moved(name, app.bench.situation().state(name, &progress), &progress));
                last = Some(progress);
            }
        }
    }
}

/// What a study minimises, from what it says of itself and this server's data.
fn objective(bench: &Bench, study: &Study) -> Result<LayerObjective, Failure> {
    let told = &study.specification;
    let garbled =
        |what: &str, e: toml::de::Error| Failure::data(format!("the study's {what} cannot be read: {}", e.message()));
    if told.objective.contains_key("of") {
        return Err(Failure::usage("the study is about a table of its own, which this server does not have")
            .help("go on with it by `host-trainer tune`"));
    }
    let plan: Plan = told.plan.clone().try_into().map_err(|e| garbled("plan", e))?;
    let settings = told.objective.clone().try_into().map_err(|e| garbled("objective", e))?;
    let data = bench.read_data(plan.samples)?;
    if data.hash != told.data_sha256 {
        return Err(Failure::usage("the study was begun on other data than this server has")
            .help("start the server with --data naming the data that the study was begun on"));
    }
    LayerObjective::new(&plan, &data, settings).map_err(Failure::usage)
}

async fn tell(app: &App, name: &str) {
    let Ok(studies) = app.bench.studies().await else { return };
    if let Ok(progress) = studies.progress(name).await {
        app.events.tell(moved(name, app.bench.situation().state(name, &progress), &progress));
    }
}

/// A study's progress as clients are told it.
fn moved(name: &str, state: &str, progress: &Progress) -> Event {
    Event::Study {
        id: name.to_owned(),
        state: state.to_owned(),
        done: progress.counts.finished(),
        trials: Some(progress.trials),
        best: progress.best.as_ref().and_then(|best| best.value),
    }
}

/// Checks an order against the data, off the threads that serve connections.
///
/// # Errors
/// What is wrong with the order.
pub(super) async fn checked(app: &Arc<App>, order: Order) -> Result<(Order, Checked), ApiError> {
    aside(app, move |app| {
        let checked = order.check(&app.bench).map_err(told)?;
        Ok((order, checked))
    })
    .await
}

/// A failure with the file's name: whoever sent it wants to know; paths of this machine are told to nobody.
fn told(failure: Failure) -> ApiError {
    let name = failure.path.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let usage = failure.kind == Kind::Usage;
    let error = ApiError::from(failure);
    match name.filter(|_| usage) {
        Some(name) => error.place(name),
        None => error,
    }
}

/// Makes the study that was ordered, if it is not there, and puts it into the queue.
///
/// # Errors
/// A study of that name that differs, a database that fails, a full queue.
pub(super) async fn begin(app: &App, checked: &Checked) -> Result<(), ApiError> {
    app.bench.studies().await?.create(&checked.name, &checked.specification, checked.trials).await?;
    app.bench.start(&checked.name)
}
