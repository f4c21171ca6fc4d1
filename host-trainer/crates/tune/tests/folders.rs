//! Folders of studies: what engines are given, and what makes them self-contained.
#![allow(clippy::unwrap_used)]

use engines::{Engine, Resources, Secret};
use learn::evaluate::Measurand;
use learn::fit::plan::Plan;
use learn::training;
use shared::failure::{Failure, Kind};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tune::database::Location;
use tune::folder::{Layout, StudyFolder};
use tune::objective::Metric;
use tune::origin::Origin;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::search::{Search, SpaceSource, space_and_sampler};
use tune::studies::Specification;
use tune::subject::{LayerError, Subject};

const URL: &str = "postgres://me:hunter2@db.example.org/studies";

/// Dense layers of four networks, and a study about them.
fn study(folder: &Path, seed: u64) -> (Specification, Origin) {
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
    for (number, network) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for layer in 1..=6_usize {
            let (input, output) = (64 * layer * (number + 1), 32 * (1 + layer * 7 % 5));
            writeln!(text, "{network},1,{input},{output},5000000,{},d{layer}", 0.01 + (input * output) as f64 * 1e-7)
                .unwrap();
        }
    }
    let data = folder.join("layers");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("dense.csv"), text).unwrap();
    fs::write(data.join("notes.txt"), "no data").unwrap();
    let plan = Plan::default();
    let error =
        LayerError { device: None, target: Measurand::Runtime, metric: Metric::Mape, kinds: vec!["dense".into()] };
    let subject = Subject::layers(training::read(&data).unwrap(), &data, &plan, error).unwrap();
    let (space, _) = space_and_sampler(&SpaceSource::Kind, None, &plan).unwrap();
    let search = Search { space, sampler: Sampler::Random, pruner: Pruner::None, seed, generation: 8 };
    (search.specification(&plan, &subject).unwrap(), Origin::Layers { folder: data })
}

/// Writes the folder of a study, or says why not.
async fn write(
    tunes: &Path,
    (specification, rows): &(Specification, Origin),
    engine: &str,
    resources: &Resources,
    artefacts: Option<&str>,
    change: impl Fn(&mut Layout<'_>),
) -> Result<StudyFolder, Failure> {
    let (engine, database): (Engine, _) = (engine.parse().unwrap(), Location::parse(URL).unwrap());
    let mut layout = Layout {
        tunes,
        name: "Lasso_1",
        specification,
        trials: 8,
        rows,
        database: &database,
        artefacts,
        engine: &engine,
        resources,
        workers: 4,
        jobs: 2,
        lease_s: 30.0,
        copy_program: false,
    };
    change(&mut layout);
    layout.write(layout.header()?).await
}

#[tokio::test]
async fn manifests_and_scripts_name_no_secret_and_no_place_of_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let study = study(home.path(), 1);
    let tunes = home.path().join("tunes");
    let resources = Resources {
        image: Some("registry.example.org/layerjoule:1".into()),
        volume_claim: Some("studies".into()),
        memory_mib: Some(2048),
        throttle: Some(2),
        secrets: Secret::parse("database:HOST_TRAINER_STUDIES").unwrap(),
        time: Some("01:00:00".into()),
        ..Resources::default()
    };
    let root = home.path().display().to_string();
    for engine in ["local", "slurm", "kubernetes", "ssh:a,b"] {
        let folder = write(&tunes, &study, engine, &resources, None, |_| {}).await.unwrap();
        for entry in walkdir::WalkDir::new(&folder.root).into_iter().flatten().filter(|e| e.file_type().is_file()) {
            // The program is this test, which has the password in its code.
            if entry.path().ends_with("bin/host-trainer") {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            let name = entry.path().display();
            assert!(!text.contains("hunter2"), "{name} has the password");
            assert!(!text.contains(&root), "{name} names a place of this machine: {text}");
        }
        assert_eq!(folder.root.join("bin/host-trainer").exists(), engine.starts_with("ssh"));
    }
    let folder = StudyFolder::find(&tunes, "Lasso_1").unwrap();
    let read = |name: &str| fs::read_to_string(folder.root.join(name)).unwrap();
    assert!(read("submit.sh").contains("exec \"$program\" studies submit \"$here\""));
    let script = read("slurm/worker.sh");
    for says in ["--requeue", "--signal=B:TERM@60", "--time=01:00:00", "\"$program\" studies work . \"$@\" &"] {
        assert!(script.contains(says), "{says}: {script}");
    }
    for (name, indexed) in [("job-indexed.yaml", true), ("job.yaml", false)] {
        let text = read(&format!("kubernetes/{name}"));
        for says in [
            "name: study-lasso-1-",
            "app.kubernetes.io/name: layerjoule-study",
            "secretKeyRef",
            "claimName: studies",
            "mountPath: \"/tunes\"",
            "\"/tunes/Lasso_1\"",
            "parallelism: 2",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
        assert!(!text.contains("hostNetwork") && text.contains("completionMode: Indexed") == indexed, "{text}");
        // For the validator of CI.
        if let Some(out) = std::env::var_os("LAYERJOULE_TEST_MANIFESTS") {
            fs::copy(folder.root.join("kubernetes").join(name), Path::new(&out).join(format!("study-{name}"))).unwrap();
        }
    }
}

#[tokio::test]
async fn a_folder_is_read_wherever_it_lies_and_refused_where_it_was_changed() {
    let home = tempfile::tempdir().unwrap();
    let first = study(home.path(), 1);
    let tunes = home.path().join("tunes");
    let plain = Resources::default();
    let folder = write(&tunes, &first, "slurm", &plain, None, |_| {}).await.unwrap();
    let header = &folder.header;
    assert_eq!(header.database.as_deref(), Some("postgres://me@db.example.org/studies"));
    assert_eq!((header.trials, header.workers, header.jobs), (8, 4, 2));
    let names: Vec<_> = walkdir::WalkDir::new(folder.root.join("data")).into_iter().flatten().collect();
    assert!(
        names.iter().any(|e| e.path().ends_with("dense.csv")) && !names.iter().any(|e| e.path().ends_with("notes.txt"))
    );
    // Again for another engine, with more of all; never for another study.
    let id = header.id.clone();
    let again =
        write(&tunes, &first, "local", &plain, None, |layout| (layout.trials, layout.workers) = (12, 6)).await.unwrap();
    assert_eq!((again.header.trials, again.header.workers, again.header.engine.as_str()), (12, 6, "local"));
    assert_ne!(again.header.id, id, "workers would read something else");
    let other = write(&tunes, &study(home.path(), 2), "slurm", &plain, None, |_| {}).await.unwrap_err();
    assert!(other.kind == Kind::Usage && other.to_string().contains("begun with another seed"), "{other}");
    let kept = StudyFolder::open(&folder.root).unwrap();
    assert_eq!(kept.header, again.header);

    let place = home.path().join("moved");
    fs::rename(&folder.root, &place).unwrap();
    fs::rename(home.path().join("layers"), home.path().join("gone")).unwrap();
    let moved = StudyFolder::open(&place).unwrap();
    let subject = moved.subject().await.unwrap();
    assert_eq!(subject.data_sha256, first.0.data_sha256);
    let path = place.join("study.json");
    let text = fs::read_to_string(&path).unwrap();
    for (text, says) in [
        (text.replace("\"format\": 1", "\"format\": 2"), "was written by a newer version"),
        (text[..text.len() / 2].to_owned(), "is no description of a study"),
    ] {
        fs::write(&path, text).unwrap();
        let failure = StudyFolder::open(&place).unwrap_err();
        assert!(failure.to_string().contains(says) && failure.kind == Kind::Data, "{failure}");
    }
    fs::write(&path, text).unwrap();
    let table =
        walkdir::WalkDir::new(place.join("data")).into_iter().flatten().find(|e| e.path().ends_with("dense.csv"));
    let table = table.unwrap().path().to_owned();
    fs::write(&table, fs::read_to_string(&table).unwrap() + "e,1,64,32,5000000,0.02,d1\n").unwrap();
    let changed = StudyFolder::open(&place).unwrap().subject().await.map(drop).unwrap_err();
    assert!(changed.kind == Kind::Data && changed.to_string().contains("not those that the study was begun with"));
}

#[tokio::test]
async fn a_folder_in_a_store_is_fetched_by_name() {
    let home = tempfile::tempdir().unwrap();
    let study = study(home.path(), 1);
    let url = format!("file://{}", home.path().join("bucket").display());
    let resources = Resources { image: Some("x".into()), ..Resources::default() };
    let tunes = home.path().join("tunes");
    let lacking = write(&tunes, &study, "kubernetes", &resources, None, |_| {}).await.unwrap_err();
    assert!(lacking.report(false).contains("--artefacts") && !tunes.exists(), "{}", lacking.report(false));
    for trials in [4, 6] {
        let folder = write(&tunes, &study, "kubernetes", &resources, Some(&url), |layout| layout.trials = trials);
        let folder = folder.await.unwrap();
        let place = format!("{url}#{}", folder.header.id);
        assert!(fs::read_to_string(folder.root.join("kubernetes/job.yaml")).unwrap().contains(&place));
        let fetched = StudyFolder::fetch(&tunes, &place, &home.path().join("cache")).await.unwrap();
        assert_eq!(fetched.header, folder.header);
        fetched.subject().await.unwrap();
    }
    let nowhere = StudyFolder::fetch(&tunes, &format!("{url}#0"), &home.path().join("cache")).await.unwrap_err();
    assert!(nowhere.to_string().contains("there is no study 0"), "{nowhere}");
}
