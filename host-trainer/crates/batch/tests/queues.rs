//! The conformance suite of queues on SQLite, on a folder and in memory; on PostgreSQL and S3 where a server is named.
// The times of ten thousand tasks are printed, for --nocapture.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use batch::queue::conformance::{Suite, entries};
use batch::queue::{Asking, Next, ObjectQueue, Outcome, Queue, SqlQueue};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Key, Store};
use tune::database::Location;

/// Longest that a step of a busy machine takes, well above it.
const SHORT: Duration = Duration::from_millis(1500);

fn object(store: &Store, name: &str) -> Arc<dyn Queue> {
    Arc::new(ObjectQueue::new(store.clone(), Key::new(format!("queues/{name}")).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("tasks.sqlite"));
    let open = |name: String| {
        let location = location.clone();
        async move { Arc::new(SqlQueue::make(&location, &name).await.unwrap()) as Arc<dyn Queue> }
    };
    Suite { open, lease: SHORT, workers: 8, tasks: 60 }.run().await;
}

/// What was made before workers' registrations were kept is read, and used on once a worker comes.
#[tokio::test]
async fn a_database_without_registrations_is_read_and_used_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.sqlite");
    let location = Location::File(path.clone());
    let queue = SqlQueue::make(&location, "b").await.unwrap();
    queue.seen("old", None).await.unwrap();
    queue.close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute("DROP TABLE batch_registrations").await.unwrap();
    connection.close().await.unwrap();
    let looking = SqlQueue::read(&location, "b").await.unwrap();
    let workers = looking.workers().await.unwrap();
    assert_eq!((workers[0].owner.as_str(), workers[0].since_ms), ("old", None));
    looking.close().await;
    let queue = SqlQueue::make(&location, "b").await.unwrap();
    queue.seen("new", None).await.unwrap();
    let workers = queue.workers().await.unwrap();
    assert_eq!(workers.iter().map(|w| w.since_ms.is_some()).collect::<Vec<_>>(), [true, false], "{workers:?}");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let store = Store::memory();
    let open = |name: String| std::future::ready(object(&store, &name));
    Suite { open, lease: SHORT, workers: 8, tasks: 60 }.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store").display().to_string()).unwrap();
    let open = |name: String| std::future::ready(object(&store, &name));
    Suite { open, lease: SHORT, workers: 8, tasks: 60 }.run().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL that LAYERJOULE_TEST_POSTGRES_URL names: .ci/postgres"]
async fn postgresql_conforms() {
    let url = std::env::var("LAYERJOULE_TEST_POSTGRES_URL").expect("LAYERJOULE_TEST_POSTGRES_URL: see .ci/postgres");
    let location = Location::parse(&url).unwrap();
    // A batch of each run has a name of its own.
    let run = format!("{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed().unwrap().as_millis());
    let open = |name: String| {
        let (location, name) = (location.clone(), format!("{run}-{name}"));
        async move { Arc::new(SqlQueue::make(&location, &name).await.unwrap()) as Arc<dyn Queue> }
    };
    Suite { open, lease: SHORT, workers: 16, tasks: 300 }.run().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the S3 server whose bucket LAYERJOULE_TEST_S3_URL names: .ci/batches"]
async fn s3_conforms() {
    let url = std::env::var("LAYERJOULE_TEST_S3_URL").expect("LAYERJOULE_TEST_S3_URL: see .ci/batches");
    let run = format!("{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed().unwrap().as_millis());
    let store = Store::open(&format!("{url}/{run}")).unwrap();
    let open = |name: String| std::future::ready(object(&store, &name));
    // S3 tells times in whole seconds.
    Suite { open, lease: Duration::from_secs(4), workers: 8, tasks: 60 }.run().await;
}

/// Ten thousand tasks are entered, claimed and looked at; prints how long each takes.
async fn large(queue: &dyn Queue, name: &str) {
    let all = entries(10_000);
    let began = Instant::now();
    queue.enter(&all).await.unwrap();
    let entered = began.elapsed();
    let asking = Asking { owner: "me", lease: Duration::from_secs(60), only: &[] };
    let began = Instant::now();
    for _ in 0..50 {
        let Next::Task(claim) = queue.next(&asking).await.unwrap() else { panic!("a task") };
        assert!(queue.finish(&claim, &Outcome::Done("{}".into())).await.unwrap());
    }
    let claimed = began.elapsed() / 50;
    let began = Instant::now();
    assert_eq!(queue.rows().await.unwrap().len(), 10_000);
    println!(
        "{name}: entered 10,000 in {entered:?}, a claim with its result {claimed:?}, all looked at in {:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tasks_are_entered_claimed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Location::File(folder.path().join("tasks.sqlite"));
    large(&SqlQueue::make(&sqlite, "b").await.unwrap(), "SQLite").await;
    large(&*object(&Store::memory(), "b"), "memory").await;
    let store = Store::open(&folder.path().join("store").display().to_string()).unwrap();
    large(&*object(&store, "b"), "folder").await;
}
