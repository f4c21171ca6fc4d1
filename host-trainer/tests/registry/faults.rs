//! The registry over lines that time out, servers that fail, and uploads that are torn.

use crate::fixtures::{self, Forge, Part};
use crate::{alias, forced, who};
use registry::{Error, Outcome, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::Store;
use store::conformance::Faults;

/// Of a thousand requests, so many go wrong.
const FAULTS: u64 = 80;

/// More attempts than any client needs, unless it never comes through.
const ATTEMPTS: usize = 2000;

/// Registers and promotes until both are acknowledged, as somebody does who runs a command again. The entry's number, and the
/// model's.
async fn persist(registry: &Registry, folder: &Path) -> (Option<u64>, u64) {
    let mut version = None;
    for _ in 0..ATTEMPTS {
        let Some(version) = &version else {
            match registry.register(folder, None, &who("tester")).await {
                Ok(registered) => version = registered.into_iter().next().map(|one| one.version),
                Err(Error::Store(_)) => {}
                Err(other) => panic!("{other}"),
            }
            continue;
        };
        match registry.promote(version, &forced("it was asked for")).await {
            Ok(Outcome::Promoted(entry)) => return (Some(entry.number), version.version),
            Ok(Outcome::Already(_)) => return (None, version.version),
            Ok(declined) => panic!("{declined:?}"),
            // What the line did; whatever else a torn answer looks like, it must not be taken for a decision.
            Err(Error::Store(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    panic!("never came through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_leave_whole_models_and_a_linear_trail() {
    for seed in 0..3 {
        let store = Store::memory();
        let clean = Registry::over(store.clone());
        let forge = Arc::new(Forge::new());
        let done = Arc::new(AtomicBool::new(false));
        let reader = {
            let (clean, done) = (clean.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    // Before the first promotion there is nothing; afterwards there is always something whole.
                    if let Ok(deployment) = clean.deployed("board").await {
                        let models = clean.models(&deployment, None).await.expect("always whole");
                        assert_eq!(fixtures::prediction(&models).fract(), 0.0);
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let faulty = store.with_backend(|backend| Arc::new(Faults::new(backend, seed * 100 + number, FAULTS)));
                let folder = forge.model(Part { scale: number as f64 + 1.0, ..Part::default() });
                tokio::spawn(async move { persist(&Registry::over(faulty), &folder).await })
            })
            .collect();
        let (mut acknowledged, mut versions) = (BTreeMap::new(), BTreeSet::new());
        for client in clients {
            let (number, version) = client.await.expect("no panic");
            assert!(versions.insert(version), "version {version} twice");
            if let Some(number) = number {
                assert!(acknowledged.insert(number, version).is_none(), "entry {number} twice");
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.await.expect("no panic");
        assert_eq!(versions, (1..=8).collect(), "every model once, without gaps");
        let history = clean.history(Some("board")).await.expect("read");
        assert_eq!(history.first().and_then(|entry| entry.value.from), None);
        for pair in history.windows(2) {
            assert_eq!(pair[1].number, pair[0].number + 1);
            assert_eq!(pair[1].value.from, Some(pair[0].value.to), "each follows from the one before");
        }
        for (number, version) in acknowledged {
            let entry = history.iter().find(|entry| entry.number == number).expect("what was acknowledged stands");
            assert_eq!(entry.value.version, version);
        }
        let promoted: BTreeSet<u64> = history.iter().map(|entry| entry.value.version).collect();
        assert_eq!(promoted, versions, "each was deployed at some time");
        assert_eq!(clean.verify().await.expect("read").problems, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_line_that_is_cut_after_any_write_leaves_all_or_nothing() {
    let forge = Forge::new();
    let (first, second) = (forge.model(Part::default()), forge.model(Part { scale: 2.0, ..Part::default() }));
    let mut seen = BTreeSet::new();
    // Graph, card, device file, two entries: eight writes are more than there are.
    for writes in 0..8 {
        let store = Store::memory();
        let clean = Registry::over(store.clone());
        let version = clean.register(&first, None, &who("tester")).await.expect("registered")[0].version.clone();
        clean.promote(&version, &forced("first")).await.expect("deployed");
        let cut = Registry::over(store.with_backend(|backend| Arc::new(Faults::cut_after(backend, writes))));
        let outcome = async {
            let registered = cut.register(&second, None, &who("tester")).await?;
            cut.promote(&registered[0].version, &forced("second")).await
        };
        let acknowledged = outcome.await.is_ok();
        let deployment = clean.deployed("board").await.expect("something is deployed");
        let models = clean.models(&deployment, None).await.expect("whole");
        let prediction = fixtures::prediction(&models);
        assert!(prediction == 2.0 || (!acknowledged && prediction == 1.0), "{prediction} after {writes} writes");
        let verified = clean.verify().await.expect("read");
        assert_eq!(verified.problems, Vec::<String>::new(), "after {writes} writes");
        seen.insert((clean.versions(&alias()).await.expect("read").len(), acknowledged));
        // The same again, on a line that holds, ends where it should.
        persist(&clean, &second).await;
        assert_eq!(clean.verify().await.expect("read").problems, Vec::<String>::new());
        assert_eq!(clean.versions(&alias()).await.expect("read").len(), 2);
    }
    assert!(seen.contains(&(1, false)) && seen.contains(&(2, false)) && seen.contains(&(2, true)), "{seen:?}");
}
