//! Batches from a configuration to a model, and what goes wrong on the way.
#![allow(clippy::unwrap_used)]

mod fixture;

use batch::configuration::ModelChoice;
use batch::folder::{Batch, Keeper, Use, batches, find};
use batch::queue::{Asking, Next, Outcome, State};
use batch::status::{Shown, cancel_tasks, retry, status};
use batch::worker::{Event, Settings, Worker};
use batch::{gc, promote};
use engines::{Engine, Resources, Secret};
use fixture::{essences, generate, in_folder, results, settings, work_off, write};
use shared::failure::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_moved_runs_and_comes_to_the_same_wherever_tasks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4).await;
    let models = ModelChoice::parse("classifier.clu_one=2, autoencoder.classical").unwrap();
    let mut all = Vec::new();
    for queue in [None, in_folder()] {
        let batch = batch::generate::Generate { models: models.clone(), array: 2, queue, ..generate(folder.path()) };
        let batch = batch.run().await.unwrap();
        assert_eq!(batch.tasks.len(), 6);
        assert!(!batch.name().contains(':'), "{}", batch.name());
        // Its own data, nothing else: the sources are gone and the folder is elsewhere.
        let place = folder.path().join(format!("moved-{}", batch.header.queue.name()));
        fs::rename(&batch.root, &place).unwrap();
        let hidden = folder.path().join("away");
        fs::rename(folder.path().join("dbs"), &hidden).unwrap();
        work_off(&place, settings()).await;
        fs::rename(&hidden, folder.path().join("dbs")).unwrap();
        let batch = Batch::open(&place).unwrap();
        let found = results(&batch).await;
        assert_eq!(found.len(), 6);
        let seeds: BTreeSet<u64> = found.iter().map(|result| result.seed).collect();
        assert_eq!(seeds.len(), 6, "each from a seed of its own");
        for result in &found {
            assert!(result.score.is_finite() && result.score > 0.0);
            assert_eq!(result.rows, [Some(39), Some(9), Some(12)]);
            assert_eq!(result.metrics.len(), 2);
            let curve = &result.losses[0];
            assert_eq!((curve.training.len(), curve.validation.len(), curve.regularisation.len()), (4, 4, 4));
            assert_eq!(result.files.keys().map(String::as_str).collect::<Vec<_>>(), ["card.json", "y.onnx", "z.onnx"]);
        }
        all.push(essences(&found));
    }
    assert_eq!(all[0], all[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_are_added_meanwhile_are_worked_on_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let settings_of = generate(folder.path());
    let mut batch = settings_of.run().await.unwrap();
    let before = status(&batch, false).await.unwrap();
    assert_eq!((before.counts.pending, before.counts.all(), before.models.len()), (2, 2, 2));
    assert_eq!(before.seconds_left, None, "nobody works, so nothing is known");
    work_off(&batch.root, settings()).await;
    let more =
        batch::generate::Generate { models: ModelChoice::parse("classifier.*=3").unwrap(), ..generate(folder.path()) };
    assert_eq!(more.add_to(&mut batch).await.unwrap(), 3);
    assert_eq!(more.add_to(&mut batch).await.unwrap(), 3, "again is more, not the same");
    let names: BTreeSet<&str> = batch.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(names.len(), 8, "every repeat has a name of its own");
    let shown = status(&batch, false).await.unwrap();
    assert_eq!((shown.counts.done, shown.counts.pending), (2, 6));
    assert_eq!(shown.models["classifier.clu_one"].pending, 6);
    work_off(&batch.root, settings()).await;
    let shown = status(&batch, false).await.unwrap();
    assert_eq!((shown.counts.done, shown.seconds_left), (8, Some(0.0)));
    assert!(shown.best["classifier.clu_one"] >= shown.results.iter().map(|r| r.score).fold(f64::INFINITY, f64::min));
    let only = batches(&folder.path().join("batches")).unwrap().0;
    assert_eq!(only.len(), 1);
    assert_eq!(find(&folder.path().join("batches"), "1").unwrap(), only[0].root);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_back_and_the_next_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 60).await;
    let never = batch::generate::Generate { early_stop: Some(false), ..generate(folder.path()) };
    let one = batch::generate::Generate { models: ModelChoice::parse("autoencoder.classical").unwrap(), ..never };
    let calm = one.run().await.unwrap();
    work_off(&calm.root, settings()).await;
    for queue in [Some(Keeper::Sqlite), in_folder()] {
        let batch = batch::generate::Generate { queue, ..one.clone() }.run().await.unwrap();
        let mut stops = 0;
        let seen = Arc::new(Mutex::new(Vec::new()));
        while results(&batch).await.is_empty() {
            let stop = CancellationToken::new();
            let (begun, told, heard) = (Arc::new(AtomicBool::new(false)), stop.clone(), Arc::clone(&seen));
            let noticed = Arc::clone(&begun);
            let settings = Settings { jobs: 1, ..settings() };
            let worker = Worker::new(Batch::open(&batch.root).unwrap(), settings, move |event| {
                if let Event::Claimed { from_epoch, .. } = event {
                    heard.lock().unwrap().push(from_epoch);
                    noticed.store(true, Ordering::Relaxed);
                }
            });
            let worker = Arc::new(worker.await.unwrap());
            if stops < 3 {
                stops += 1;
                tokio::spawn(async move {
                    while !begun.load(Ordering::Relaxed) {
                        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    }
                    told.cancel();
                });
            }
            worker.run(&stop).await.unwrap();
        }
        let claims = seen.lock().unwrap().clone();
        assert!(claims.len() >= 2 && claims[0].is_none(), "{claims:?}");
        assert!(claims[1..].iter().all(|from| from.is_some_and(|epoch| epoch > 0)), "{claims:?}");
        assert_eq!(essences(&results(&batch).await), essences(&results(&calm).await));
        let left = fs::read_dir(batch.root.join("artefacts/checkpoints")).into_iter().flatten().flatten();
        let files = left.flat_map(|task| fs::read_dir(task.path()).unwrap().flatten()).count();
        assert_eq!(files, 0, "a finished task needs no checkpoints");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_trained_promoted_and_registered() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    fs::write(
        folder.path().join("batch.toml"),
        "[datasets.board]\nkind = \"layers\"\npath = \"layers\"\ndevice = \"board\"\ntest_networks = [\"d\"]\n\
         [models.simple.physics]\nkind = \"physics\"\n[models.simple.mean]\nkind = \"constant\"\n\
         [training.t]\nfolds = 0\n",
    )
    .unwrap();
    let batch = generate(folder.path()).run().await.unwrap();
    work_off(&batch.root, settings()).await;
    let found = results(&batch).await;
    assert_eq!(found.len(), 2);
    let best = promote::best(&batch, &[], None).await.unwrap();
    assert_eq!((best.label.as_str(), best.judged_on.as_str()), ("simple.physics", "test"));
    let out = folder.path().join("best");
    promote::export(&batch, &best, &out).await.unwrap();
    assert!(out.join("board/dense/runtime/model.onnx").exists() && out.join("result.json").exists());
    let registry = registry::Registry::over(store::Store::memory());
    let registered = promote::register(&batch, &best, &registry).await.unwrap();
    assert!(!registered.is_empty() && registered.iter().all(|one| one.new));
    let none = promote::best(&batch, &["simple.phisics".into()], None).await.unwrap_err();
    assert!(none.to_string().contains("did you mean `simple.physics`?"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_tasks_say_why_and_are_tried_again_when_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    // Sixty rows leave too few to train on.
    let text = fs::read_to_string(folder.path().join("batch.toml")).unwrap();
    fs::write(folder.path().join("batch.toml"), text.replace("kind = \"table\"", "kind = \"table\"\nsamples = 20"))
        .unwrap();
    let trial = batch::generate::Generate { trial: true, ..generate(folder.path()) }.run().await.unwrap_err();
    assert!(trial.to_string().contains("a task that was tried fails"), "{trial}");
    assert_eq!(fs::read_dir(folder.path().join("batches")).map_or(0, |e| e.count()), 0, "nothing is left of it");
    let batch = generate(folder.path()).run().await.unwrap();
    work_off(&batch.root, settings()).await;
    let shown = status(&batch, false).await.unwrap();
    assert_eq!(shown.counts.failed, 2);
    assert!(shown.tasks.iter().all(|task| task.row.reason.as_deref().is_some_and(|reason| reason.contains("too few"))));
    assert_eq!(retry(&batch, &["classifier.clu_one".into()]).await.unwrap().len(), 1);
    let shown = status(&batch, false).await.unwrap();
    assert_eq!((shown.counts.failed, shown.counts.pending), (1, 1));
    assert_eq!(cancel_tasks(&batch, &[]).await.unwrap().len(), 1);
    let shown = status(&batch, false).await.unwrap();
    assert_eq!(shown.tasks.iter().filter(|task| task.shown == Shown::Cancelled).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_that_generate_at_once_get_a_folder_each() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let settings = generate(folder.path());
            tokio::spawn(async move { settings.run().await.unwrap().name() })
        })
        .collect();
    let mut names = BTreeSet::new();
    for task in tasks {
        names.insert(task.await.unwrap());
    }
    let numbers: BTreeSet<&str> = names.iter().filter_map(|name| name.split('-').next()).collect();
    assert_eq!((names.len(), numbers.len()), (8, 8), "{names:?}");
    let (found, wrong) = batches(&folder.path().join("batches")).unwrap();
    assert_eq!((found.len(), wrong.len()), (8, 0));
    // Two that add at once both add.
    let mut adding = Vec::new();
    for _ in 0..4 {
        let (settings, root) = (generate(folder.path()), found[0].root.clone());
        adding.push(tokio::spawn(async move { settings.add_to(&mut Batch::open(&root).unwrap()).await.unwrap() }));
    }
    for task in adding {
        assert_eq!(task.await.unwrap(), 2);
    }
    let grown = Batch::open(&found[0].root).unwrap();
    let names: BTreeSet<&str> = grown.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!((grown.tasks.len(), names.len()), (10, 10));
    assert_eq!(grown.queue(Use::Look).await.unwrap().rows().await.unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let refused = async |change: &dyn Fn(&mut batch::generate::Generate)| {
        let mut settings = generate(folder.path());
        change(&mut settings);
        let failure = settings.run().await.expect_err("refused");
        let left = fs::read_dir(folder.path().join("batches")).into_iter().flatten().flatten();
        let left: Vec<String> =
            left.map(|e| e.file_name().to_string_lossy().into_owned()).filter(|name| name != ".lock").collect();
        assert!(left.is_empty(), "{left:?}");
        (failure.kind, failure.report(false))
    };
    let unknown = refused(&|g| g.models = ModelChoice::parse("classifier.clu_on=3").unwrap()).await;
    assert!(unknown.1.contains("did you mean `classifier.clu_one`?"), "{}", unknown.1);
    assert_eq!(unknown.0, Kind::Usage);
    // Nobody listens on the discard port.
    let url = "postgres://me@127.0.0.1:9/none".to_owned();
    let away = refused(&|g| g.queue = Some(Keeper::Postgres(url.clone()))).await;
    assert_eq!(away.0, Kind::Io, "{}", away.1);
    assert!(away.1.contains("127.0.0.1:9") && away.1.contains("check that the database can be reached"), "{}", away.1);
    let many = refused(&|g| g.array = 1_000_000).await;
    assert!(many.1.contains("more than the 1,000,000"), "{}", many.1);
    let sqlite = refused(&|g| (g.engine, g.queue) = (Engine::Slurm, Some(Keeper::Sqlite))).await;
    assert!(sqlite.1.contains("take --queue folder"), "{}", sqlite.1);
    let image = refused(&|g| g.engine = Engine::Kubernetes).await;
    assert!(image.1.contains("--image"), "{}", image.1);
    let text = fs::read_to_string(folder.path().join("batch.toml")).unwrap();
    for (from, to, says) in [
        (
            "[models.classifier.clu_one]\n",
            "[models.classifier.clu_one]\nkind = \"lasso\"\n",
            "classifier.clu_one on functions: lasso",
        ),
        ("inputs = [\"a\", \"b\"]", "inputs = [\"a\", \"bb\"]", "no column `bb`"),
        ("path = \"dbs\"", "path = \"db\"", "cannot list"),
        ("path = \"dbs\"", "path = \"dbs\"\nsha256 = \"00\"", "not 00"),
    ] {
        fs::write(folder.path().join("batch.toml"), text.replace(from, to)).unwrap();
        let wrong = refused(&|_| {}).await;
        assert!(wrong.1.contains(says), "{to}: {}", wrong.1);
    }
    fs::write(folder.path().join("batch.toml"), text).unwrap();

    let batch = generate(folder.path()).run().await.unwrap();
    let worker = Worker::new(batch.clone(), Settings { only: vec!["class.x".into()], ..settings() }, |_| {}).await;
    assert!(worker.unwrap_err().to_string().contains("no model of the batch is called `class.x`"));
    // What a newer version wrote is told from what is damaged.
    let path = batch.root.join("batch.json");
    let header = fs::read_to_string(&path).unwrap();
    for (text, says) in [
        (header.replace("\"format\": 1", "\"format\": 2"), "was written by a newer version"),
        ("{\"format\": 7, \"all\": \"new\"}".to_owned(), "was written by a newer version"),
        (header[..header.len() / 2].to_owned(), "is no description of a batch"),
    ] {
        fs::write(&path, text).unwrap();
        let failure = Batch::open(&batch.root).unwrap_err();
        assert!(failure.to_string().contains(says) && failure.kind == Kind::Data, "{failure}");
    }
    fs::write(&path, header).unwrap();
    // Data that were changed are noticed by the worker, and the task goes to nobody's account.
    let data = fs::read_dir(batch.root.join("data")).unwrap().flatten().next().unwrap().path();
    fs::remove_file(data.join("a.db")).unwrap();
    let worker = Arc::new(Worker::new(Batch::open(&batch.root).unwrap(), settings(), |_| {}).await.unwrap());
    assert!(worker.run(&CancellationToken::new()).await.is_err());
    let rows = batch.queue(Use::Look).await.unwrap().rows().await.unwrap();
    assert!(rows.iter().all(|row| row.state == State::Pending && row.failures == 0), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_ends_the_worker_and_costs_no_task() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let batch = generate(folder.path()).run().await.unwrap();
    let worker = Worker::new(batch.clone(), settings(), |_| {}).await.unwrap();
    // As a disk that has gone away.
    fs::rename(batch.root.join("artefacts"), batch.root.join("gone")).unwrap();
    let failure = Arc::new(worker).run(&CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Io, "{failure}");
    let rows = batch.queue(Use::Look).await.unwrap().rows().await.unwrap();
    assert!(rows.iter().all(|row| row.state == State::Pending && row.failures == 0), "{rows:?}");
    fs::rename(batch.root.join("gone"), batch.root.join("artefacts")).unwrap();
    work_off(&batch.root, settings()).await;
    assert_eq!(results(&batch).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_in_a_store_is_worked_on_without_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let url = format!("file://{}", folder.path().join("bucket").display());
    let queue = Some(Keeper::parse(&format!("file://{}", folder.path().join("queue").display())).unwrap());
    let batch =
        batch::generate::Generate { artefacts: Some(url), queue, ..generate(folder.path()) }.run().await.unwrap();
    let place = batch.published();
    fs::rename(&batch.root, folder.path().join("far-away")).unwrap();
    let cache = folder.path().join("cache");
    let fetched = Batch::find(&place, &cache).await.unwrap();
    assert_eq!(fetched.tasks, batch.tasks);
    work_off(&fetched.root, settings()).await;
    assert_eq!(results(&Batch::open(&folder.path().join("far-away")).unwrap()).await.len(), 2);
    let wrong = format!("{}0", place);
    assert!(Batch::find(&wrong, &cache).await.unwrap_err().to_string().contains("there is no batch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_removed_and_what_results_name_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4).await;
    let text = fs::read_to_string(folder.path().join("batch.toml")).unwrap();
    fs::write(folder.path().join("batch.toml"), text + "keep_weights_every = 2\n").unwrap();
    let batch = generate(folder.path()).run().await.unwrap();
    work_off(&batch.root, settings()).await;
    let found = results(&batch).await;
    assert!(found.iter().all(|result| result.weights.keys().copied().collect::<Vec<_>>() == [2, 4]), "{found:?}");
    let artefacts = batch.artefacts().await.unwrap();
    let litter = store::Key::new("files/ab/litter").unwrap();
    artefacts.put(&litter, b"left by one that was killed".to_vec().into()).await.unwrap();
    let dry = gc::collect(&batch, None, true).await.unwrap();
    assert_eq!(dry.objects, 1);
    assert_eq!(gc::collect(&batch, None, false).await.unwrap(), dry);
    assert_eq!(gc::collect(&batch, None, false).await.unwrap().objects, 0);
    let best = promote::best(&batch, &[], None).await.unwrap();
    promote::export(&batch, &best, &folder.path().join("best")).await.unwrap();
    assert!(gc::collect(&batch, Some(0), true).await.unwrap().objects >= 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_have_secrets_by_reference_and_no_host_network() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let resources = Resources {
        image: Some("registry.example.org/layerjoule:1".into()),
        volume_claim: Some("batches".into()),
        gpus: 1,
        memory_mib: Some(2048),
        secrets: Secret::parse("database:PGPASSWORD").unwrap(),
        nodes: vec!["gpu_mem_size=11GB|24GB".into()],
        ..Resources::default()
    };
    let kubernetes = batch::generate::Generate {
        engine: Engine::Kubernetes,
        resources: resources.clone(),
        array: 5,
        ..generate(folder.path())
    };
    let batch = kubernetes.run().await.unwrap();
    let read = |name: &str| fs::read_to_string(batch.root.join(name)).unwrap();
    let (indexed, plain) = (read("kubernetes/job-indexed.yaml"), read("kubernetes/job.yaml"));
    for text in [&indexed, &plain] {
        for says in ["secretKeyRef", "claimName: batches", "gpu_mem_size", "memory: \"2048Mi\"", "nvidia.com/gpu: 1"] {
            assert!(text.contains(says), "{says}: {text}");
        }
        assert!(!text.contains("hostNetwork") && !text.contains("hostPath"));
        assert!(text.contains(&format!("/batches/{}", batch.name())), "{text}");
    }
    assert!(indexed.contains("completionMode: Indexed") && !plain.contains("completions"));
    // For the validator of CI.
    if let Some(out) = std::env::var_os("LAYERJOULE_TEST_MANIFESTS") {
        for name in ["job-indexed.yaml", "job.yaml"] {
            fs::copy(batch.root.join("kubernetes").join(name), Path::new(&out).join(name)).unwrap();
        }
    }
    let slurm = batch::generate::Generate {
        engine: Engine::Slurm,
        resources: Resources { time: Some("16:10:00".into()), memory_mib: Some(500), ..Resources::default() },
        ..generate(folder.path())
    };
    let batch = slurm.run().await.unwrap();
    let script = fs::read_to_string(batch.root.join("slurm/worker.sh")).unwrap();
    for says in ["--requeue", "--open-mode=append", "--signal=B:TERM@60", "--time=16:10:00", "--mem=500M"] {
        assert!(script.contains(says), "{script}");
    }
    let root = folder.path().display().to_string();
    for file in ["submit.sh", "slurm/worker.sh", "batch.json", "parts/000001.json"] {
        let text = fs::read_to_string(batch.root.join(file)).unwrap();
        assert!(!text.contains(&root), "{file} names a place of this machine: {text}");
    }
}

/// Names with content, and when each folder was changed, below a folder.
fn everything(root: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        let content = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
        found.insert(path.clone(), (fs::metadata(&path).unwrap().modified().unwrap(), content));
    }
    found
}

/// Also of folders that nobody but root could write to; and a folder that was changed and put back has another time.
#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_batch_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2).await;
    let elsewhere = Keeper::parse(&format!("file://{}", folder.path().join("elsewhere").display())).unwrap();
    for queue in [Keeper::Sqlite, Keeper::Folder, elsewhere] {
        let generate = batch::generate::Generate { array: 3, queue: Some(queue), ..generate(folder.path()) };
        let batch = generate.run().await.unwrap();
        let look = async || {
            let before = everything(folder.path());
            for path in before.keys() {
                fs::set_permissions(path, Permissions::from_mode(if path.is_dir() { 0o555 } else { 0o444 })).unwrap();
            }
            let status = status(&batch, false).await.unwrap();
            assert_eq!(results(&batch).await.len() as u64, status.counts.done);
            batch::unfinished(&batch).await.unwrap();
            assert_eq!(batches(&folder.path().join("batches")).unwrap().1.len(), 0);
            let after = everything(folder.path());
            for path in before.keys() {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
            }
            assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
            let changed = before.iter().filter(|(path, (time, content))| {
                // SQLite puts files next to its own while it reads, and takes them away.
                after[*path].1 != *content || batch.header.queue != Keeper::Sqlite && after[*path].0 != *time
            });
            assert_eq!(changed.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
            status.counts
        };
        let before = look().await;
        assert_eq!((before.pending, before.done), (6, 0), "nobody has touched it");
        // A worker holds one, one is done, one has failed once.
        let queue = batch.queue(Use::Change).await.unwrap();
        queue.seen("me", None).await.unwrap();
        let asking = Asking { owner: "me", lease: Duration::from_secs(60), only: &[] };
        let mut claims = Vec::new();
        while let Next::Task(claim) = queue.next(&asking).await.unwrap() {
            claims.push(claim);
        }
        queue.finish(&claims[0], &Outcome::Failed("a pity".into())).await.unwrap();
        queue.keep(&claims[1], r#"{"sha256":"ab","epochs":7,"seconds":1.5}"#).await.unwrap();
        queue.close().await;
        let half = look().await;
        assert_eq!((half.pending, half.running, half.lost), (1, 5, 0));
        assert_eq!(cancel_tasks(&batch, &[]).await.unwrap().len(), 6);
        retry(&batch, &[]).await.unwrap();
        work_off(&batch.root, settings()).await;
        assert_eq!(look().await.done, 6);
    }
}
