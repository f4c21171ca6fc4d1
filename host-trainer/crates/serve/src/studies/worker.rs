//! The worker: it runs the studies of the queue.

use super::data::StudyData;
use super::error::study_failure;
use super::progress::progress_event;
use super::runner::StudyRunner;
use crate::events::Events;
use learn::fit::plan::Plan;
use shared::failure::Failure;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tune::objective::LayerObjective;
use tune::studies::{Progress, Study};
use tune::worker::{LEASE, Worker, owner};

/// Interval between checks of a study's progress.
const CHECK: Duration = Duration::from_millis(400);

/// Runs the studies of the queue, one after the other, until the server closes. The next server resumes the running one.
pub(crate) async fn work(runner: Arc<StudyRunner>, events: Events, mut closing: watch::Receiver<bool>) {
    loop {
        let Some((name, stop)) = runner.next() else {
            tokio::select! {
                () = runner.woken() => continue,
                () = until_closed(&mut closing) => return,
            }
        };
        let stopped = stop.clone();
        let run = run(&runner, &events, &name, &stop);
        tokio::pin!(run);
        let outcome = tokio::select! {
            outcome = &mut run => outcome,
            () = until_closed(&mut closing) => {
                // It stays in the queue. Its trials are released for the next server.
                stopped.cancel();
                let _ = run.await;
                return;
            }
        };
        if let Err(failure) = &outcome {
            tracing::error!(study = name, error = %failure, "a study cannot go on");
        }
        runner.finished(&name, &outcome);
        report(&runner, &events, &name).await;
    }
}

async fn until_closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Runs one study until it is done or stopped.
async fn run(runner: &Arc<StudyRunner>, events: &Events, name: &str, stop: &CancellationToken) -> Result<(), Failure> {
    let studies = runner.changeable().await.map_err(study_failure)?.clone();
    let study = studies.study(name).await.map_err(study_failure)?;
    let (own, data) = (study.clone(), Arc::clone(runner.data()));
    let objective = tokio::task::spawn_blocking(move || objective(&data, &own))
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
            done = &mut worked => return done.map_err(study_failure),
            progress = studies.changed(name, last.as_ref(), CHECK) => {
                let progress = progress.map_err(study_failure)?;
                events.send(progress_event(name, runner.status().state(name, &progress), &progress));
                last = Some(progress);
            }
        }
    }
}

/// The objective of a study on this server's data.
fn objective(data: &StudyData, study: &Study) -> Result<LayerObjective, Failure> {
    let specification = &study.specification;
    let garbled =
        |what: &str, e: toml::de::Error| Failure::data(format!("the study's {what} cannot be read: {}", e.message()));
    if specification.objective.contains_key("of") {
        return Err(Failure::usage("the study is about a table of its own, which this server does not have")
            .help("go on with it by `host-trainer tune`"));
    }
    let plan: Plan = specification.plan.clone().try_into().map_err(|e| garbled("plan", e))?;
    let settings = specification.objective.clone().try_into().map_err(|e| garbled("objective", e))?;
    let data = data.read(plan.samples)?;
    if data.hash != specification.data_sha256 {
        return Err(Failure::usage("the study was begun on other data than this server has")
            .help("start the server with --data naming the data that the study was begun on"));
    }
    LayerObjective::new(&plan, &data, settings).map_err(Failure::usage)
}

/// Sends the progress of a study to the connected clients.
async fn report(runner: &StudyRunner, events: &Events, name: &str) {
    let Ok(studies) = runner.database_of(name).await else { return };
    if let Ok(progress) = studies.progress(name).await {
        events.send(progress_event(name, runner.status().state(name, &progress), &progress));
    }
}
