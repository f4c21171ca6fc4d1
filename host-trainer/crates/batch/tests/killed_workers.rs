//! Workers that are killed at random moments: every task has one result, that of an undisturbed run.
//!
//! The test starts itself as the workers, so that real processes die of real signals. CI asks for a thousand tasks, sixteen workers
//! and two hundred kills; without that it is a small one. `LAYERJOULE_TEST_ONLY=store` leaves the other places of tasks out.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod fixture;

use batch::configuration::ModelChoice;
use batch::folder::{Batch, Keeper, Use};
use batch::queue::State;
use fixture::{essences, generate, results, settings, work_off, write};
use shared::random::SplitMix64;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A worker is told its batch by it.
const WORKER: &str = "LAYERJOULE_TEST_BATCH_WORKER";
/// Longest that a run may take, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(1_500);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match std::env::var_os(WORKER) {
        Some(root) => {
            let settings = batch::worker::Settings { lease: Duration::from_secs(2), jobs: 1, ..settings() };
            runtime.block_on(work_off(Path::new(&root), settings));
        }
        None => {
            let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
            if wanted.is_none_or(|name| "killed_workers".contains(&name)) {
                runtime.block_on(killed());
            }
        }
    }
}

fn asked(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

async fn killed() {
    let tasks = asked("LAYERJOULE_TEST_TASKS", 60);
    let (workers, kills) = (asked("LAYERJOULE_TEST_WORKERS", 4), asked("LAYERJOULE_TEST_KILLS", 12));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3).await;
    let models = ModelChoice::parse(&format!("classifier.clu_one={}", tasks / 2)).unwrap();
    let both = [models, ModelChoice::parse(&format!("autoencoder.classical={}", tasks - tasks / 2)).unwrap()].concat();
    let mut places = vec![Keeper::Sqlite, Keeper::Folder];
    if let Ok(url) = std::env::var("LAYERJOULE_TEST_POSTGRES_URL") {
        // Its password goes by the environment, as a user's would.
        unsafe { std::env::set_var(batch::folder::DATABASE_VARIABLE, &url) };
        places.push(Keeper::Postgres("postgres://by-the-environment/x".into()));
    }
    if let Ok(url) = std::env::var("LAYERJOULE_TEST_S3_URL") {
        places.push(Keeper::Store(format!("{url}/killed-{}", std::process::id())));
    }
    if let Ok(only) = std::env::var("LAYERJOULE_TEST_ONLY") {
        places.retain(|place| only.split(',').any(|name| name == place.name()));
        assert!(!places.is_empty(), "LAYERJOULE_TEST_ONLY={only} is no place of tasks");
    }
    let calm = batch::generate::Generate { models: both.clone(), ..generate(folder.path()) }.run().await.unwrap();
    work_off(&calm.root, settings()).await;
    let expected = essences(&results(&calm).await);
    assert_eq!(expected.len() as u64, tasks);
    for place in places {
        let name = place.name();
        let settings =
            batch::generate::Generate { models: both.clone(), queue: Some(place), ..generate(folder.path()) };
        let batch = settings.run().await.unwrap();
        let began = Instant::now();
        let (killed, lost) = kill_at_random(&batch, workers as usize, kills as usize).await;
        let batch = Batch::open(&batch.root).unwrap();
        let found = results(&batch).await;
        let names: BTreeSet<&str> = found.iter().map(|result| result.task.as_str()).collect();
        println!(
            "{name}: {tasks} tasks, {workers} workers, {killed} killed, {lost} tasks taken up again, {:.0} s",
            began.elapsed().as_secs_f64()
        );
        assert_eq!((found.len() as u64, names.len() as u64), (tasks, tasks), "one result each");
        assert_eq!(essences(&found), expected, "{name}");
        // The last tasks may be done between two looks.
        assert!(10 * killed as u64 >= 9 * kills, "{name}: the batch ended after {killed} of {kills} kills");
    }
}

fn start(root: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(WORKER, root).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Has processes work on a batch, and kills them until the kills are spent; then lets them end. The kills, and the tasks that were
/// lost with a worker.
async fn kill_at_random(batch: &Batch, workers: usize, kills: usize) -> (usize, u64) {
    let (began, mut random, mut killed) = (Instant::now(), SplitMix64::new(5), 0);
    let mut children: Vec<Child> = (0..workers).map(|_| start(&batch.root)).collect();
    let queue = batch.queue(Use::Look).await.unwrap();
    loop {
        assert!(began.elapsed() < PATIENCE, "the batch does not end; {killed} were killed");
        let rows = queue.rows().await.unwrap();
        let (done, running) = rows.iter().fold((0, 0), |(done, running), row| match row.state {
            State::Done => (done + 1, running),
            State::Running => (done, running + 1),
            State::Failed => panic!("{row:?}"),
            _ => (done, running),
        });
        if done == rows.len() {
            break;
        }
        // The kills are spread over the tasks: as many as are due by what is done, and some more while somebody has a task.
        let due = (done + 1) * kills / rows.len().max(1);
        while killed < kills && (killed <= due || running > 0 && random.uniform() < 0.3) {
            let child = &mut children[random.below(workers)];
            child.kill().unwrap();
            child.wait().unwrap();
            *child = start(&batch.root);
            killed += 1;
        }
        tokio::time::sleep(Duration::from_millis((random.uniform() * 60.0) as u64)).await;
    }
    for mut child in children {
        // It ends by itself where nothing is left; one that was just started may still be reading.
        let _ = child.wait();
    }
    let rows = queue.rows().await.unwrap();
    (killed, rows.iter().map(|row| row.lost).sum())
}
