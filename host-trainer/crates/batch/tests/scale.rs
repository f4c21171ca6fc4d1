//! Many workers on each kind of queue: every task is accepted once, and nothing is lost. Prints what that took.
//!
//! Each worker has a handle of its own, as a process would have; it claims, gives a sign of life, reports, and trains nothing. A small
//! run is a test; `benches/batches/run` asks for 500 workers and 10,000 tasks, and names a PostgreSQL and an S3 server.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use batch::queue::conformance::entries;
use batch::queue::{Asking, Next, ObjectQueue, Outcome, Queue, QueueError, SqlQueue, State};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use shared::random::SplitMix64;
use sqlx::{Connection, PgConnection, Row};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use store::{Key, Store};
use tokio::sync::{Barrier, Semaphore};
use tune::database::Location;

/// Longer than a request waits at the slowest server here.
const LEASE: Duration = Duration::from_secs(600);
/// Longest that a queue is asked again.
const PATIENCE: Duration = Duration::from_secs(400);
/// Workers that connect at once before all begin.
const CONNECTING: usize = 16;

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if wanted.is_none_or(|name| "scale".contains(&name)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(all());
    }
}

fn asked(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

/// Where a queue is kept.
enum Place {
    Sql(Location),
    Url(String),
    /// In memory, with a delay of each request.
    Slow(Arc<dyn ObjectStore>),
}

/// A worker's own handle, and the store whose requests it counts.
type Handle = (Arc<dyn Queue>, Option<Store>);

impl Place {
    async fn open(&self, batch: &str) -> Handle {
        let objects = |store: Store| -> Handle {
            let folder = Key::new(format!("batches/{batch}")).unwrap();
            (Arc::new(ObjectQueue::new(store.clone(), folder)), Some(store))
        };
        match self {
            Self::Sql(location) => (Arc::new(SqlQueue::make(location, batch).await.unwrap()), None),
            Self::Url(url) => objects(Store::open(url).unwrap()),
            Self::Slow(backend) => objects(Store::over(Arc::clone(backend), None, "memory")),
        }
    }

    /// Statements that a PostgreSQL has committed so far.
    async fn statements(&self) -> Option<i64> {
        let Self::Sql(Location::Postgres(url)) = self else { return None };
        // A server counts what its connections have done when they end, or a while later.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
        let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let count = sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0);
        connection.close().await.unwrap();
        Some(count)
    }
}

/// What a worker did.
#[derive(Default)]
struct Work {
    accepted: Vec<String>,
    refused: usize,
    /// Times that it asked again.
    again: usize,
    claims: Vec<Duration>,
    requests: u64,
    /// When its last task was accepted, since all began.
    last: Duration,
}

/// Asks again where a queue cannot be reached, as a worker does: there may be more workers than a server answers in a minute.
async fn patient<T, F: Future<Output = Result<T, QueueError>>>(again: &mut usize, mut ask: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(e) => assert!(began.elapsed() < PATIENCE, "{e}"),
        }
        *again += 1;
    }
}

async fn work(handle: Handle, number: u64, began: Instant) -> Work {
    let (queue, store) = handle;
    let (owner, mut random) = (format!("worker {number}"), SplitMix64::keyed(&[3, number]));
    let (mut work, mut idle) = (Work::default(), Duration::from_millis(200));
    let mut again = 0;
    patient(&mut again, || queue.seen(&owner, None)).await;
    loop {
        let asking = Asking { owner: &owner, lease: LEASE, only: &[] };
        let asked = Instant::now();
        match patient(&mut again, || queue.next(&asking)).await {
            Next::Done => break,
            Next::Wait => {
                tokio::time::sleep(idle.mul_f64(0.5 + random.uniform())).await;
                idle = (idle * 2).min(Duration::from_secs(60));
            }
            Next::Task(claim) => {
                work.claims.push(asked.elapsed());
                idle = Duration::from_millis(200);
                patient(&mut again, || queue.seen(&owner, Some(&claim.id))).await;
                let stands = patient(&mut again, || queue.renew(&claim, LEASE)).await;
                let done = Outcome::Done(format!("{{\"by\":\"{owner}\"}}"));
                if patient(&mut again, || queue.finish(&claim, &done)).await {
                    assert!(stands, "accepted from one whose claim had gone");
                    work.accepted.push(claim.id);
                    work.last = began.elapsed();
                } else {
                    work.refused += 1;
                }
            }
        }
    }
    patient(&mut again, || queue.gone(&owner)).await;
    queue.close().await;
    work.again = again;
    work.requests = store.map_or(0, |store| store.traffic().requests);
    work
}

async fn measure(name: &str, place: Place, workers: u64, tasks: u64) {
    let batch = format!("{}-{}", std::process::id(), UNIX_EPOCH.elapsed().unwrap().as_millis());
    let (queue, _) = place.open(&batch).await;
    let began = Instant::now();
    queue.enter(&entries(tasks as usize)).await.unwrap();
    let entered = began.elapsed();
    queue.close().await;
    let statements = place.statements().await;
    let place = Arc::new(place);
    let barrier = Arc::new(Barrier::new(workers as usize + 1));
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let handles: Vec<_> = (0..workers)
        .map(|number| {
            let (place, barrier, batch) = (Arc::clone(&place), Arc::clone(&barrier), batch.clone());
            let connecting = Arc::clone(&connecting);
            tokio::spawn(async move {
                let permit = connecting.acquire().await.unwrap();
                let handle = place.open(&batch).await;
                if handle.1.is_some() {
                    // What a database knows by itself.
                    handle.0.enter(&entries(tasks as usize)).await.unwrap();
                }
                drop(permit);
                barrier.wait().await;
                work(handle, number, Instant::now()).await
            })
        })
        .collect();
    barrier.wait().await;
    let mut all = Vec::new();
    for handle in handles {
        all.push(handle.await.unwrap());
    }
    let statements = match statements {
        Some(before) => place.statements().await.map(|after| (after - before) as u64),
        None => None,
    };
    let requests = all.iter().map(|work| work.requests).sum::<u64>() + statements.unwrap_or(0);
    let accepted: Vec<&String> = all.iter().flat_map(|work| &work.accepted).collect();
    let distinct = accepted.iter().collect::<BTreeSet<_>>().len();
    let seconds = all.iter().map(|work| work.last).max().unwrap().as_secs_f64();
    let mut claims: Vec<Duration> = all.iter().flat_map(|work| work.claims.clone()).collect();
    claims.sort_unstable();
    let (queue, _) = place.open(&batch).await;
    queue.enter(&entries(tasks as usize)).await.unwrap();
    let began = Instant::now();
    let rows = queue.rows().await.unwrap();
    let shown = began.elapsed();
    let done = rows.iter().filter(|row| row.state == State::Done).count();
    let results = queue.results().await.unwrap().len();
    queue.close().await;
    let per_task = if requests == 0 { "–".to_owned() } else { format!("{:.1}", requests as f64 / tasks as f64) };
    println!(
        "| {name} | {workers} | {tasks} | {seconds:.1} | {:.0} | {per_task} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {} |",
        distinct as f64 / seconds,
        claims[claims.len() / 2].as_secs_f64() * 1e3,
        claims[claims.len() * 99 / 100].as_secs_f64() * 1e3,
        entered.as_secs_f64() * 1e3,
        shown.as_secs_f64() * 1e3,
        accepted.len() - distinct,
        tasks as usize - results.min(done),
    );
    let again = all.iter().map(|work| work.again).sum::<usize>();
    if again > 0 {
        println!("{name}: a request was made again {again} times");
    }
    assert_eq!((accepted.len() as u64, distinct as u64), (tasks, tasks), "each task is accepted once");
    assert_eq!((rows.len() as u64, done as u64, results as u64), (tasks, tasks, tasks), "nothing is lost");
    assert_eq!(all.iter().map(|work| work.refused).sum::<usize>(), 0, "nobody was taken for dead");
    // A try that was lost to a quicker worker costs too, but there are few of them.
    if requests > 0 {
        assert!(requests < 16 * tasks + 60 * workers, "{requests} requests");
    }
}

fn local(folder: &Path, name: &str) -> Place {
    match name {
        "SQLite" => Place::Sql(Location::File(folder.join("tasks.sqlite"))),
        _ => Place::Url(folder.join("store").display().to_string()),
    }
}

async fn all() {
    let (workers, tasks) = (asked("LAYERJOULE_SCALE_WORKERS", 50), asked("LAYERJOULE_SCALE_TASKS", 200));
    let only = std::env::var("LAYERJOULE_SCALE_ONLY").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    println!(
        "| kept in | workers | tasks | s | claims/s | requests per task | claim, median ms | 99 % ms | entered, ms | shown, ms \
         | duplicates | lost |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut places = vec![("SQLite", local(folder.path(), "SQLite")), ("folder", local(folder.path(), "folder"))];
    // What a request to S3 takes within its region.
    let delay = Duration::from_millis(20);
    let config = ThrottleConfig {
        wait_get_per_call: delay,
        wait_put_per_call: delay,
        wait_delete_per_call: delay,
        wait_list_per_call: delay,
        ..ThrottleConfig::default()
    };
    places.push(("object store with 20 ms", Place::Slow(Arc::new(ThrottledStore::new(InMemory::new(), config)))));
    if let Ok(url) = std::env::var("LAYERJOULE_TEST_POSTGRES_URL") {
        places.push(("PostgreSQL", Place::Sql(Location::parse(&url).unwrap())));
    }
    if let Ok(url) = std::env::var("LAYERJOULE_TEST_S3_URL") {
        places.push(("S3", Place::Url(format!("{url}/scale"))));
    }
    for (name, place) in places {
        if only.is_empty() || only.split(',').any(|only| only == name) {
            measure(name, place, workers, tasks).await;
        }
    }
}
