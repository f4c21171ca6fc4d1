//! The registry on every kind of store: what holds for one holds for all.

#![allow(clippy::expect_used)]

mod cli;
mod faults;
mod fixtures;
mod mlflow;

use fixtures::{Forge, Part};
use learn::model::Target;
use registry::{
    Action, Alias, Cache, Criterion, Error, EvaluationSet, Metric, Outcome, Provenance, Registry, Request, Verdict,
    open_deployed,
};
use shared::engine::Table;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn alias() -> Alias {
    Alias::new("board", Table::Dense, Target::Runtime).expect("a name")
}

fn who(name: &str) -> Provenance {
    Provenance { data_revision: Some("r1".into()), who: name.into() }
}

fn request(who: &str) -> Request {
    Request { who: who.into(), ..Request::default() }
}

fn forced(reason: &str) -> Request {
    Request { force: true, reason: Some(reason.into()), who: "tester".into(), ..Request::default() }
}

#[tokio::test]
async fn a_models_life_is_the_same_on_every_store() {
    for store in fixtures::local_stores().await {
        live_a_whole_life(store).await;
    }
}

#[tokio::test]
#[ignore = "needs the bucket that LAYERJOULE_TEST_S3_URL names: .ci/models"]
async fn a_models_life_is_the_same_on_every_store_in_s3() {
    live_a_whole_life(fixtures::s3_store("life")).await;
}

async fn live_a_whole_life(store: store::Store) {
    let registry = Registry::over(store);
    let forge = Forge::new();
    let [good, worse, better] = [(1.0, 5.0), (2.0, 9.0), (3.0, 3.0)]
        .map(|(scale, mape)| forge.model(Part { scale, mape: Some(mape), ..Part::default() }));
    let mut versions = Vec::new();
    for folder in [&good, &worse, &better] {
        let registered = registry.register(folder, None, &who("tester")).await.expect("registered");
        assert!(registered[0].new);
        versions.push(registered[0].version.clone());
    }
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2, 3]);
    let again = registry.register(&good, Some("board"), &who("another")).await.expect("known");
    assert!(!again[0].new && again[0].version == versions[0], "the first to register stands");

    assert!(matches!(registry.deployed("board").await, Err(Error::Unknown(_))));
    let before = registry.generation(None).await.expect("listed");
    let first = registry.promote(&versions[0], &request("tester")).await.expect("decided");
    assert!(matches!(&first, Outcome::Promoted(entry) if entry.number == 1 && !entry.value.forced));
    let since = registry.changed(Some("board"), &before, Duration::from_millis(5)).await.expect("changed");
    assert_ne!(since, before);
    assert!(matches!(registry.promote(&versions[0], &request("tester")).await.expect("decided"), Outcome::Already(_)));
    let declined = registry.promote(&versions[1], &request("tester")).await.expect("decided");
    assert!(matches!(&declined, Outcome::Declined { reason, .. } if reason.contains("9.0000")), "{declined:?}");
    assert!(matches!(
        registry.promote(&versions[1], &Request { force: true, ..request("tester") }).await,
        Err(Error::Name(_))
    ));
    assert_eq!(registry.generation(Some("board")).await.expect("listed"), since);
    assert_eq!(registry.best(&alias(), &Criterion::default()).await.expect("found"), Some(versions[2].clone()));
    registry.promote(&versions[2], &request("tester")).await.expect("decided");
    let back = registry.rollback(&alias(), None, Some("too hot"), "tester").await.expect("taken back");
    assert_eq!((back.value.to, &back.value.declined), (versions[0].record.model, &vec![versions[2].record.model]));
    // Better, and taken back: no longer by itself.
    let refused = registry.promote(&versions[2], &request("tester")).await.expect("decided");
    assert!(matches!(&refused, Outcome::Declined { reason, .. } if reason.contains("rollback")), "{refused:?}");
    assert_eq!(registry.best(&alias(), &Criterion::default()).await.expect("found").map(|v| v.version), Some(2));
    let by_hand = registry.promote(&versions[1], &forced("it was measured again")).await.expect("decided");
    assert!(matches!(by_hand, Outcome::Promoted(entry) if entry.value.forced));

    let history = registry.history(Some("board")).await.expect("read");
    let story: Vec<(u64, Action, u64)> =
        history.iter().map(|entry| (entry.number, entry.value.action, entry.value.version)).collect();
    use Action::{Promote, Rollback};
    assert_eq!(story, [(1, Promote, 1), (2, Promote, 3), (3, Rollback, 1), (4, Promote, 2)]);
    assert!(history.iter().all(|entry| entry.value.stamp.when.ends_with('Z')));
    let deployment = registry.deployed("board").await.expect("deployed");
    let models = registry.models(&deployment, None).await.expect("opened");
    assert_eq!(fixtures::prediction(&models), 2.0);
    let verified = registry.verify().await.expect("read");
    assert_eq!((verified.models, verified.promotions, verified.problems), (3, 4, Vec::<String>::new()));
}

#[tokio::test]
async fn figures_of_other_data_do_not_compare_and_given_data_judge_both() {
    let registry = Registry::over(store::Store::memory());
    let forge = Forge::new();
    let mut versions = Vec::new();
    for part in [
        Part { scale: 1.0, mape: Some(5.0), data: "a" },
        Part { scale: 1.5, mape: Some(1.0), data: "b" },
        Part { scale: 1.1, mape: None, data: "b" },
    ] {
        let registered = registry.register(&forge.model(part), None, &who("tester")).await.expect("registered");
        versions.push(registered[0].version.clone());
    }
    registry.promote(&versions[0], &request("tester")).await.expect("first");
    let declined = registry.promote(&versions[1], &request("tester")).await.expect("decided");
    assert!(matches!(&declined, Outcome::Declined { reason, .. } if reason.contains("same data")), "{declined:?}");
    // Measured: 1.1 times the first feature; the third model is exact, the second far off.
    let data = Arc::new(forge.data(1.1));
    let criterion = Criterion { metric: Metric::Mape, on: EvaluationSet::Data(Arc::clone(&data)) };
    let on_data = Request { criterion: criterion.clone(), ..request("tester") };
    let comparison = registry.compare(&versions[1], &criterion).await.expect("judged");
    assert!(matches!(comparison.verdict(), Verdict::NotBetter(_)), "{comparison:?}");
    let outcome = registry.promote(&versions[2], &on_data).await.expect("decided");
    let Outcome::Promoted(entry) = outcome else { panic!("{outcome:?}") };
    let comparison = entry.value.comparison.expect("figures");
    assert_eq!(comparison.candidate.data_sha256, data.hash);
    assert!(comparison.candidate.value.expect("a figure") < 1e-3);
    let deployed = comparison.deployed.expect("figures").value.expect("a figure");
    assert!((deployed - 100.0 / 11.0).abs() < 1e-3, "{deployed}");
    assert_eq!(comparison.candidate.trained_on, ["known"], "the data hold a network that it was trained on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_promoters_of_one_alias_leave_a_linear_trail_and_readers_see_whole_models() {
    for store in fixtures::local_stores().await {
        race_sixteen_promoters(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs the bucket that LAYERJOULE_TEST_S3_URL names: .ci/models"]
async fn sixteen_promoters_of_one_alias_leave_a_linear_trail_and_readers_see_whole_models_in_s3() {
    race_sixteen_promoters(fixtures::s3_store("promoters")).await;
}

async fn race_sixteen_promoters(store: store::Store) {
    let registry = Registry::over(store);
    let forge = Forge::new();
    let mut versions = Vec::new();
    for number in 0..17 {
        let part = Part { scale: f64::from(number) + 1.0, mape: Some(100.0 - f64::from(number)), ..Part::default() };
        let registered = registry.register(&forge.model(part), None, &who("tester")).await.expect("registered");
        versions.push(registered[0].version.clone());
    }
    registry.promote(&versions[0], &request("tester")).await.expect("first");
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (registry, done) = (registry.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let deployment = registry.deployed("board").await.expect("always something");
                let models = registry.models(&deployment, None).await.expect("always whole");
                assert_eq!(fixtures::prediction(&models), deployment.models[0].version as f64);
                seen.insert(deployment.models[0].version);
            }
            seen.len()
        })
    };
    let promoters: Vec<_> = versions[1..]
        .iter()
        .cloned()
        .map(|version| {
            let registry = registry.clone();
            tokio::spawn(async move {
                let right = forced(&format!("promoter of {}", version.version));
                registry.promote(&version, &right).await.expect("decided")
            })
        })
        .collect();
    let mut numbers = BTreeSet::new();
    for promoter in promoters {
        match promoter.await.expect("no panic") {
            Outcome::Promoted(entry) => assert!(numbers.insert(entry.number), "{} twice", entry.number),
            other => panic!("{other:?}"),
        }
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.expect("no panic") >= 1);
    assert_eq!(numbers, (2..=17).collect());
    let history = registry.history(None).await.expect("read");
    assert_eq!(history.len(), 17);
    for pair in history.windows(2) {
        assert_eq!(pair[1].value.from, Some(pair[0].value.to), "each follows from the one before");
    }
    let promoted: BTreeSet<u64> = history.iter().map(|entry| entry.value.version).collect();
    assert_eq!(promoted, (1..=17).collect(), "each exactly once");
    assert_eq!(registry.verify().await.expect("read").problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_want_only_what_is_better_none_goes_backwards() {
    let registry = Registry::over(store::Store::memory());
    let forge = Forge::new();
    let mut promoters = Vec::new();
    for number in 0..16 {
        let part = Part { scale: 1.0, mape: Some(f64::from((number * 7) % 16) + 1.0), ..Part::default() };
        let version = registry.register(&forge.model(part), None, &who("tester")).await.expect("registered")[0].clone();
        let registry = registry.clone();
        promoters.push(async move { registry.promote(&version.version, &request("tester")).await.expect("decided") });
    }
    let running: Vec<_> = promoters.into_iter().map(tokio::spawn).collect();
    for promoter in running {
        promoter.await.expect("no panic");
    }
    let history = registry.history(None).await.expect("read");
    let figures: Vec<f64> = history
        .iter()
        .map(|entry| entry.value.comparison.as_ref().and_then(|c| c.candidate.value).expect("a figure"))
        .collect();
    assert!(figures.windows(2).all(|pair| pair[1] < pair[0]), "{figures:?}");
    assert_eq!(figures.last(), Some(&1.0), "the best is deployed in the end");
}

#[tokio::test]
async fn what_may_not_be_deployed_is_neither_registered_nor_promoted() {
    let forge = Forge::new();
    for (what, folder) in forge.unfit_models() {
        let registry = Registry::over(store::Store::memory());
        let refused = registry.register(&folder, None, &who("tester")).await;
        assert!(refused.is_err(), "{what} was registered");
        // Somebody writes past the registry what it would not take.
        let memory = store::Store::memory();
        let registry = Registry::over(memory.clone());
        let smuggled = fixtures::smuggle(&memory, &folder).await;
        let promoted = registry.promote(&smuggled, &forced("I know better")).await;
        assert!(promoted.is_err(), "{what} was promoted: {promoted:?}");
        assert!(matches!(registry.deployed("board").await, Err(Error::Unknown(_))), "{what}");
        assert!(!registry.verify().await.expect("read").problems.is_empty(), "{what} passes for whole");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_named() {
    let folder = tempfile::tempdir().expect("folder");
    let url = folder.path().to_str().expect("a path");
    let registry = Registry::open(url).expect("opened");
    let forge = Forge::new();
    let version =
        registry.register(&forge.model(Part::default()), None, &who("tester")).await.expect("registered")[0].clone();
    registry.promote(&version.version, &request("tester")).await.expect("promoted");
    let record = &version.version.record;
    for digest in [record.model, record.onnx, record.device_file] {
        let digits = digest.to_string();
        let file = folder.path().join("models/blobs").join(&digits[..2]).join(&digits);
        let whole = std::fs::read(&file).expect("a blob");
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&file, &damaged).expect("damage");
        let problems = registry.verify().await.expect("read").problems;
        assert!(problems.iter().any(|problem| problem.contains(&digits)), "{problems:?}");
        let error = open_deployed(url, None, None).await.expect_err("nothing damaged is used").to_string();
        assert!(error.contains(&digits), "{error}");
        std::fs::remove_file(&file).expect("loss");
        let problems = registry.verify().await.expect("read").problems;
        assert!(problems.iter().any(|problem| problem.contains(&digits)), "{problems:?}");
        std::fs::write(&file, &whole).expect("restored");
    }
    assert_eq!(registry.verify().await.expect("read").problems, Vec::<String>::new());
    // An entry of the audit trail that is changed is found too, even where it would still make sense.
    let entry = folder.path().join("models/promotions/board/dense/runtime/000000000001");
    let whole = std::fs::read_to_string(&entry).expect("an entry");
    std::fs::write(&entry, whole.replace("tester", "tEster")).expect("damage");
    let problems = registry.verify().await.expect("read").problems;
    assert!(problems.iter().any(|problem| problem.contains("promotions/board/dense/runtime/0")), "{problems:?}");
    assert!(registry.deployed("board").await.is_err(), "what was changed is not believed");
}

#[tokio::test]
async fn a_store_out_of_reach_is_no_failure_for_one_who_has_seen_it() {
    let folder = tempfile::tempdir().expect("folder");
    let (place, cache) = (folder.path().join("store"), Cache::at(&folder.path().join("cache")));
    let url = place.to_str().expect("a path");
    let registry = Registry::open(url).expect("opened");
    let forge = Forge::new();
    let version =
        registry.register(&forge.model(Part::default()), None, &who("tester")).await.expect("registered")[0].clone();
    registry.promote(&version.version, &request("tester")).await.expect("promoted");
    let seen = open_deployed(url, None, Some(&cache)).await.expect("deployed");
    assert!(seen.offline.is_none());
    // Blobs come from the cache: the store's may be gone.
    std::fs::remove_dir_all(place.join("models/blobs")).expect("removed");
    let again = open_deployed(url, Some("board"), Some(&cache)).await.expect("from the cache");
    assert_eq!(fixtures::prediction(&again.models), fixtures::prediction(&seen.models));
    assert!(open_deployed(url, None, None).await.is_err());
    assert!(open_deployed(url, Some("../board"), Some(&cache)).await.is_err());
}

#[tokio::test]
async fn what_is_exported_is_what_is_imported_elsewhere() {
    let folder = tempfile::tempdir().expect("folder");
    let (here, there) = (Registry::over(store::Store::memory()), Registry::over(store::Store::memory()));
    let forge = Forge::new();
    let version =
        here.register(&forge.model(Part::default()), None, &who("tester")).await.expect("registered")[0].clone();
    here.promote(&version.version, &request("tester")).await.expect("promoted");
    let deployed = here.deployed_versions("board").await.expect("deployed");
    here.export(&deployed, folder.path()).await.expect("written");
    assert!(here.export(&deployed, folder.path()).await.is_err(), "nothing is overwritten");
    let imported = there.register(folder.path(), None, &who("importer")).await.expect("imported");
    assert_eq!(imported[0].version.record.model, version.version.record.model);
    let source = imported[0].version.record.imported_from.as_ref().expect("its past");
    assert_eq!((source.registered.who.as_str(), source.data_revision.as_deref()), ("tester", Some("r1")));
    assert_eq!(there.verify().await.expect("read").problems, Vec::<String>::new());
}

#[test]
fn a_server_can_hold_what_the_registry_does_across_threads() {
    fn send<T: Send>(_: T) {}
    let registry = Registry::over(store::Store::memory());
    let cache = Cache::at(std::path::Path::new("unused"));
    let request = request("tester");
    send(registry.register(std::path::Path::new("unused"), None, &Provenance::default()));
    send(registry.list(None));
    send(registry.history(None));
    send(registry.deployed("board"));
    send(registry.generation(None));
    send(registry.verify());
    send(registry.find("abcd"));
    send(registry.rollback(&alias(), None, None, "tester"));
    send(registry.best(&alias(), &request.criterion));
    send(open_deployed("memory:", None, Some(&cache)));
    let version: Option<registry::Version> = None;
    if let Some(version) = &version {
        send(registry.promote(version, &request));
        send(registry.export(std::slice::from_ref(version), std::path::Path::new("unused")));
    }
}
