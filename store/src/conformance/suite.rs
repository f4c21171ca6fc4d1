//! The suite. It panics where something is not as it must be, as tests do.

use super::faults::Faults;
use super::folder::{fill, read_all};
use crate::snapshot::{Moved, branches, verify};
use crate::work::{CommitOptions, Progress, Pulled, Pushed, WorkingCopy};
use crate::{Append, Digest, Key, Ledger, Store};
use object_store::ObjectStore;
use shared::failure::{Failure, Kind};
use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

/// Attempts until something must have worked.
const ATTEMPTS: usize = 400;

/// What a test that fails says.
#[track_caller]
fn must<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|e| panic!("{what}: {e}"))
}

/// Does something until it works, as a user would who runs the same command again. Faults are I/O or, where half an answer came,
/// damaged data; anything else is a failure of the test.
async fn until<T, F: Future<Output = Result<T, Failure>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(value) => return value,
            Err(failure) if matches!(failure.kind, Kind::Io | Kind::Data) => last = Some(failure),
            Err(failure) => panic!("{what}: {failure}"),
        }
    }
    panic!("{what}: not once in {ATTEMPTS} attempts: {last:?}")
}

fn options(message: &str) -> CommitOptions {
    CommitOptions {
        message: message.into(),
        author: "suite".into(),
        program: "suite".into(),
        ..CommitOptions::default()
    }
}

fn opened(root: &Path, store: &Store) -> WorkingCopy {
    fs::create_dir_all(root).unwrap_or_else(|e| panic!("{e}"));
    if root.join(crate::work::FOLDER).join("config.json").exists() {
        must(WorkingCopy::open_over(root, store.clone()), "open")
    } else {
        must(WorkingCopy::init(root, "memory:", store.clone(), "", "main"), "init")
    }
}

async fn commit(root: &Path, store: &Store, message: &str) -> Option<Digest> {
    until("commit", || async { opened(root, store).commit(&options(message)).await }).await
}

async fn push(root: &Path, store: &Store) -> Pushed {
    until("push", || async { opened(root, store).push(4).await }).await
}

async fn pull(root: &Path, store: &Store) -> Pulled {
    until("pull", || async { opened(root, store).pull(false, 4).await }).await
}

/// Runs the suite on a store. `clean` is the same store without faults, by which the results are judged.
pub async fn run(store: &Store, clean: &Store) {
    until("make", || async { store.make().await.map_err(Failure::from) }).await;
    ledgers(store).await;
    run_one_by_one(store, clean).await;
}

/// The suite without writers that race: for servers that look whether an object exists and then write it, in two steps. Nothing
/// can be kept on those by more than one writer at a time.
pub async fn run_one_by_one(store: &Store, clean: &Store) {
    until("make", || async { store.make().await.map_err(Failure::from) }).await;
    objects(store).await;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    round_trip(folder.path(), store, clean).await;
    two_pushers(folder.path(), store).await;
    let report = must(verify(clean, 4, &Progress::default()).await, "verify");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    assert!(report.snapshots >= 5 && report.branches == 1, "{report:?}");
}

async fn objects(store: &Store) {
    let key = |name: &str| must(Key::new(name), "a key");
    let retry = |e: crate::Error| Failure::from(e);
    let a = key("suite/a");
    // Whoever creates first wins, even where the answer was lost.
    let mut created = false;
    for content in ["first", "second", "third"] {
        let mine = until("create", || async { store.create(&a, content.into()).await.map_err(retry) }).await;
        assert!(!(created && mine), "two writers created one object");
        created |= mine;
        let stands = until("get", || async { store.get(&a, 10).await.map_err(retry) }).await;
        assert_eq!(stands.as_deref(), Some("first".as_bytes()));
    }
    assert_eq!(until("get", || async { store.get(&key("suite/none"), 10).await.map_err(retry) }).await, None);
    let large = until("get", || async {
        match store.get(&a, 4).await {
            Err(crate::Error::TooLarge { size, .. }) => Ok(size),
            Err(e) => Err(retry(e)),
            Ok(_) => panic!("an object over the cap was read"),
        }
    });
    assert_eq!(large.await, 5);
    for name in ["suite/c", "suite/b/deep", "suite-beside"] {
        until("put", || async { store.put(&key(name), "0123456789".into()).await.map_err(retry) }).await;
    }
    let names = until("list", || async { store.list(&key("suite"), None).await.map_err(retry) }).await;
    assert_eq!(names, [key("suite/a"), key("suite/b/deep"), key("suite/c")]);
    let after = until("list", || async { store.list(&key("suite"), Some(&a)).await.map_err(retry) }).await;
    assert_eq!(after, names[1..]);
    let parts =
        until("ranges", || async { store.get_ranges(&key("suite/c"), &[1..3, 7..10]).await.map_err(retry) }).await;
    assert_eq!(parts, ["12", "789"]);
    for name in ["suite/a", "suite/a", "suite/b/deep", "suite/c", "suite-beside"] {
        until("delete", || async { store.delete(&key(name)).await.map_err(retry) }).await;
    }
    let left = until("list", || async { store.list(&key("suite"), None).await.map_err(retry) }).await;
    assert!(left.is_empty(), "{left:?}");
}

async fn ledgers(store: &Store) {
    // Several writers on one ledger: each number is one writer's, and every writer knows which are its own.
    let ledger = Ledger::new(store.clone(), must(Key::new("suite-ledger"), "a key"));
    let writer = |who: u64| {
        let ledger = ledger.clone();
        async move {
            let mut mine = Vec::new();
            for _ in 0..ATTEMPTS {
                if mine.len() == 5 {
                    break;
                }
                let Ok(head) = ledger.head().await else { continue };
                match ledger.append(head, &(who, mine.len())).await {
                    Ok(Append::Done(number)) => mine.push(number),
                    Ok(Append::Lost) => {}
                    // It may stand or not: whoever was told nothing looks.
                    Err(_) => loop {
                        let Ok(stands) = ledger.get::<(u64, usize)>(head + 1).await else { continue };
                        if stands == Some((who, mine.len())) {
                            mine.push(head + 1);
                        }
                        break;
                    },
                }
            }
            mine
        }
    };
    let numbers = futures_util::future::join_all((0..4).map(writer)).await;
    let all: BTreeSet<u64> = numbers.iter().flatten().copied().collect();
    assert_eq!(all, (1..=20).collect(), "{numbers:?}");
}

async fn round_trip(folder: &Path, store: &Store, clean: &Store) {
    let (one, two) = (folder.join("one"), folder.join("two"));
    opened(&one, store);
    must(fill(&one, 300, 20 << 20), "fill");
    assert!(commit(&one, store, "first").await.is_some());
    assert!(commit(&one, store, "nothing new").await.is_none());
    assert!(matches!(push(&one, store).await, Pushed::Done { .. } | Pushed::UpToDate));
    assert_eq!(push(&one, store).await, Pushed::UpToDate);
    assert!(matches!(pull(&two, store).await, Pulled::Forward(_)));
    assert_eq!(must(read_all(&one), "read"), must(read_all(&two), "read"));
    // A second push moves what has changed and little more.
    must(fs::write(one.join("runs/03/sample 3.csv"), "changed\n"), "write");
    must(fs::remove_file(one.join("runs/empty")), "remove");
    assert!(commit(&one, store, "second").await.is_some());
    let before = clean.traffic();
    assert!(matches!(push(&one, clean).await, Pushed::Done { number: 2, .. }));
    let sent = clean.traffic().sent_bytes - before.sent_bytes;
    assert!(sent < 64 << 10, "{sent} bytes for one small change");
    // A local change in another file stays; the same file is a conflict that is named.
    must(fs::write(two.join("runs/04/sample 4.csv"), "mine\n"), "write");
    assert!(matches!(pull(&two, store).await, Pulled::Forward(_)));
    assert_eq!(must(fs::read_to_string(two.join("runs/04/sample 4.csv")), "read"), "mine\n");
    assert!(!two.join("runs/empty").exists());
    must(fs::write(one.join("runs/04/sample 4.csv"), "theirs\n"), "write");
    assert!(commit(&one, store, "third").await.is_some());
    assert!(matches!(push(&one, store).await, Pushed::Done { .. } | Pushed::UpToDate));
    let refused = until("pull", || async {
        match opened(&two, store).pull(false, 4).await {
            Err(failure) if failure.kind == Kind::AnswerIsNo => Ok(failure.message),
            Err(failure) => Err(failure),
            Ok(done) => panic!("a local change was overwritten: {done:?}"),
        }
    });
    assert!(refused.await.contains("runs/04/sample 4.csv"));
    let forced = until("pull", || async { opened(&two, store).pull(true, 4).await }).await;
    assert!(matches!(forced, Pulled::Forward(_)));
    assert_eq!(must(read_all(&one), "read"), must(read_all(&two), "read"));
}

async fn two_pushers(folder: &Path, store: &Store) {
    let (one, two) = (folder.join("one"), folder.join("two"));
    must(fs::write(one.join("of one"), "1"), "write");
    must(fs::write(two.join("of two"), "2"), "write");
    assert!(commit(&one, store, "of one").await.is_some());
    assert!(commit(&two, store, "of two").await.is_some());
    assert!(matches!(push(&one, store).await, Pushed::Done { .. } | Pushed::UpToDate));
    assert_eq!(push(&two, store).await, Pushed::Behind);
    assert!(matches!(pull(&two, store).await, Pulled::Rebased(1, _) | Pulled::UpToDate));
    assert!(matches!(push(&two, store).await, Pushed::Done { .. } | Pushed::UpToDate));
    pull(&one, store).await;
    assert_eq!(must(read_all(&one), "read"), must(read_all(&two), "read"));
    let log = until("log", || async {
        let mut copy = opened(&one, store);
        let head = copy.resolve("HEAD").await?;
        copy.log(head, 100).await
    });
    let titles: Vec<String> = log.await.into_iter().map(|(_, snapshot)| snapshot.message).collect();
    assert_eq!(titles, ["of two", "of one", "third", "second", "first"]);
}

/// A push is cut off after every number of writes that it can have: until the last, nobody sees anything of it, the store is in
/// order, and a second push completes it.
pub async fn half_pushes_are_invisible(backend: Arc<dyn ObjectStore>, prefix: Option<Key>) {
    let store = Store::over(Arc::clone(&backend), prefix.clone(), "whole");
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    opened(&one, &store);
    must(fill(&one, 20, 9 << 20), "fill");
    commit(&one, &store, "first").await;
    push(&one, &store).await;
    pull(&two, &store).await;
    let before = must(read_all(&two), "read");
    must(fill(&one, 40, 17 << 20), "fill");
    commit(&one, &store, "second").await;
    let mut cuts = 0;
    loop {
        let cut = Store::over(Arc::new(Faults::cut_after(Arc::clone(&backend), cuts)), prefix.clone(), "cut");
        // What was sent is sent again, so that every number of writes comes up.
        let _ = fs::remove_file(one.join(".edge/staged/sent"));
        let pushed = opened(&one, &cut).push(1).await;
        match pushed {
            Ok(_) => break,
            Err(failure) => assert_eq!(failure.kind, Kind::Io, "{failure}"),
        }
        assert_eq!(pull(&two, &store).await, Pulled::UpToDate);
        assert_eq!(must(read_all(&two), "read"), before);
        let report = must(verify(&store, 4, &Progress::default()).await, "verify");
        assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
        cuts += 1;
        assert!(cuts < 50, "the push never ends");
    }
    assert!(cuts >= 5, "a push of several packs was over after {cuts} writes");
    assert!(matches!(pull(&two, &store).await, Pulled::Forward(_)));
    assert_eq!(must(read_all(&one), "read"), must(read_all(&two), "read"));
}

/// So many writers, each with a folder of its own, add so many snapshots to one branch between them. Every one must be in the
/// history exactly once.
pub async fn writers(store: &Store, writers: usize, commits: usize) {
    // In memory where the machine has such a folder: thousands of flushes to a disk that others use say nothing here.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap_or_else(|e| panic!("{e}"));
    let tasks = (0..writers).map(|writer| {
        let (root, store) = (folder.path().join(writer.to_string()), store.clone());
        tokio::spawn(async move {
            let mut messages = Vec::new();
            opened(&root, &store);
            for number in (writer..commits).step_by(writers) {
                let message = format!("{number} by {writer}");
                must(fs::write(root.join(format!("{number}.txt")), &message), "write");
                commit(&root, &store, &message).await;
                let mut attempts = 0;
                while push(&root, &store).await == Pushed::Behind {
                    pull(&root, &store).await;
                    attempts += 1;
                    assert!(attempts < 10_000, "writer {writer} starves");
                }
                messages.push(message);
            }
            messages
        })
    });
    let mut expected = BTreeSet::new();
    for task in futures_util::future::join_all(tasks).await {
        expected.extend(task.unwrap_or_else(|e| panic!("{e}")));
    }
    assert_eq!(expected.len(), commits);
    let root = folder.path().join("reader");
    pull(&root, store).await;
    let mut copy = opened(&root, store);
    let head = must(copy.resolve("main").await, "resolve");
    let log = must(copy.log(head, usize::MAX).await, "log");
    let messages: Vec<&String> = log.iter().map(|(_, snapshot)| &snapshot.message).collect();
    assert_eq!(messages.len(), commits);
    assert_eq!(messages.into_iter().cloned().collect::<BTreeSet<_>>(), expected);
    let entries: Vec<Moved> = must(branches(store).await, "branches").remove("main").unwrap_or_default();
    let on_branch: Vec<Digest> = entries.into_iter().flat_map(|moved| moved.snapshots).collect();
    assert_eq!(on_branch, log.iter().rev().map(|(digest, _)| *digest).collect::<Vec<_>>());
    assert_eq!(must(read_all(&root), "read").len(), commits);
    let report = must(verify(store, 4, &Progress::default()).await, "verify");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
}
