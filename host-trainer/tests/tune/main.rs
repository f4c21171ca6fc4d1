//! Studies as users meet them: the real binary, several processes at once, killed at random.

#![allow(clippy::print_stdout)]

mod engines;
#[path = "../stand_ins/mod.rs"]
mod stand_ins;

use shared::random::SplitMix64;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest that a study of these tests may take, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(540);

/// Dense layers of six networks; one more is kept back for testing.
fn training_data(folder: &Path) {
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
    for (number, network) in ["a", "b", "c", "d", "e", "f", "vgg16"].into_iter().enumerate() {
        for layer in 1..=6usize {
            let (input, output) = (64 * layer * (number + 1), 32 * (1 + layer * 7 % 5));
            let noise = 1.0 + 0.05 * ((layer * 31 + number * 17) % 7) as f64 / 7.0;
            let runtime = (0.01 + (input * output) as f64 * 1e-7) * noise;
            writeln!(text, "{network},1,{input},{output},5000000,{runtime},d{layer}").expect("text");
        }
    }
    fs::create_dir_all(folder.join("data")).expect("folder");
    fs::write(folder.join("data/dense.csv"), text).expect("data");
    // Cheap fits, and enough of them apart.
    fs::write(folder.join("base.toml"), "[lasso]\nalphas = 12\nfolds = 3\n[evaluation]\nfolds = 3\n").expect("plan");
    fs::write(
        folder.join("space.toml"),
        "kind = [\"lasso\", \"physics\"]\n\
         lasso.weighting = [\"equal\", \"relative\"]\n\
         lasso.eps = { low = 1e-5, high = 1e-1, log = true }\n\
         lasso.models.dense.runtime.degree = { low = 1, high = 2 }\n",
    )
    .expect("space");
}

fn tune(folder: &Path, database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command
        .current_dir(folder)
        .env("HOST_TRAINER_STUDIES", database)
        .args(["tune", "--data", "data", "--config", "base.toml", "--space", "space.toml", "--layer-kinds", "dense"])
        .args(arguments);
    command
}

/// Runs a command that must succeed, and within a test's patience: one that hangs is named, with what it said so far.
fn run(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let began = Instant::now();
    let status = loop {
        match child.try_wait().expect("a process") {
            Some(status) => break Some(status),
            None if began.elapsed() > PATIENCE => break None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let _ = child.kill();
    let [stdout, stderr] = [stdout, stderr].map(|reading| reading.join().expect("read"));
    let said = String::from_utf8_lossy(&stderr);
    let status = status.unwrap_or_else(|| panic!("{command:?} does not end: {said}"));
    assert!(status.success(), "{command:?}: {said}");
    Output { status, stdout, stderr }
}

/// Reads all that a process writes, meanwhile.
fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        pipe.expect("a pipe").read_to_end(&mut all).expect("readable");
        all
    })
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Of a study's document all that must not depend on who worked on it, when and how often.
fn essence(document: &serde_json::Value) -> Vec<String> {
    let trials = document["history"].as_array().expect("trials");
    let essence = |t: &serde_json::Value| {
        format!("{} {} {} {} {}", t["number"], t["state"], t["parameters"], t["value"], t["steps"])
    };
    trials.iter().map(essence).collect()
}

#[test]
fn the_exported_plan_reproduces_the_score_to_the_last_digit() {
    let folder = tempfile::tempdir().expect("folder");
    training_data(folder.path());
    let arguments =
        ["--trials", "12", "--export", "best.toml", "--format", "json", "--out", "models", "--pruner", "median"];
    let document = json(&run(tune(folder.path(), "studies.sqlite", &arguments)));
    let best = document["best"]["value"].as_f64().expect("a value");
    assert_eq!(document["history"].as_array().map(Vec::len), Some(12));

    let mut fit = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    fit.current_dir(folder.path());
    fit.args(["fit", "--data", "data", "--config", "best.toml", "--out", "again", "--format", "json"]);
    let lines = json(&run(fit));
    let is_score = |line: &&serde_json::Value| {
        line["target"] == "runtime" && line["set"].as_str().is_some_and(|set| set.starts_with("cross-validation"))
    };
    let line = lines.as_array().expect("lines").iter().find(is_score).expect("a cross-validated score");
    assert_eq!(line["mape_percent"].as_f64(), Some(best));
    assert_eq!(line["n"], 36, "the test network takes no part");
    let model = "unnamed-device/dense/runtime/model.onnx";
    let read = |out: &str| fs::read(folder.path().join(out).join(model)).expect("a model");
    assert_eq!(read("models"), read("again"), "--out holds what fit makes of the export");

    // The same command has nothing left to do; with more trials it goes on.
    let again = json(&run(tune(folder.path(), "studies.sqlite", &arguments)));
    assert_eq!(essence(&again), essence(&document));
    let mut more = arguments;
    more[1] = "15";
    let grown = json(&run(tune(folder.path(), "studies.sqlite", &more)));
    assert_eq!(essence(&grown)[..12], essence(&document)[..]);
    assert_eq!(grown["history"].as_array().map(Vec::len), Some(15));

    let mut listed = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    listed.current_dir(folder.path()).args(["studies", "list", "--format", "json"]);
    let listed = json(&run(listed));
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["progress"]["counts"]["running"], 0);
}

#[test]
fn a_grid_is_tried_once_and_an_unknown_key_refused() {
    let folder = tempfile::tempdir().expect("folder");
    training_data(folder.path());
    let grid = |text: &str| {
        fs::write(folder.path().join("grid.json"), text).expect("grid");
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder.path());
        command.args(["tune", "--data", "data", "--config", "base.toml", "--grid", "grid.json", "--format", "csv"]);
        command.output().expect("runs")
    };
    let output = grid(
        r#"{"lasso.weighting": ["equal", "relative"], "lasso.models.dense.runtime.degree": [1, 2], "kind": "lasso"}"#,
    );
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let combinations: BTreeSet<&str> = text.lines().skip(1).filter_map(|line| line.splitn(5, ',').nth(4)).collect();
    assert_eq!((text.lines().count(), combinations.len()), (5, 4), "{text}");
    let output = grid(r#"{"lasso.weigting": ["equal"]}"#);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("lasso.weigting") || message.contains("weigting"), "{message}");
    // The reference's own names are known, and so is what a perceptron has not.
    let output = grid(r#"{"KERNEL_SIZE": [3]}"#);
    assert_eq!(output.status.code(), Some(2));
}

/// A worker that is killed when its test ends, however it ends.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Works a study off by some processes at once, each killed without warning after a time that looks random, and started
/// again, until the study is done. Gives how many were killed: enough, and no more, since on a busy machine a process
/// may not live long enough to do anything.
fn killed_at_random(
    folder: &Path,
    database: &str,
    arguments: &[&str],
    processes: usize,
    most: usize,
    shortest: Duration,
    seed: u64,
) -> usize {
    let start = || {
        let mut command = tune(folder, database, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Worker(command.spawn().expect("starts"))
    };
    let mut random = SplitMix64::new(seed);
    let mut life = || shortest + shortest.mul_f64(5.0 * (random.bits() % 1000) as f64 / 1e3);
    let mut workers: Vec<(Worker, Instant)> = Vec::new();
    let (began, mut killed, mut done) = (Instant::now(), 0, 0);
    for _ in 0..processes {
        workers.push((start(), Instant::now() + life()));
    }
    while done < processes {
        assert!(began.elapsed() < PATIENCE, "the study does not end; {killed} were killed");
        std::thread::sleep(Duration::from_millis(10));
        for (worker, deadline) in &mut workers {
            match worker.0.try_wait().expect("a process") {
                Some(status) if status.success() => {
                    done += 1;
                    // It stays away; the others go on to their own end.
                    *deadline = Instant::now() + 2 * PATIENCE;
                }
                Some(_) => *worker = start(),
                None if Instant::now() > *deadline && killed < most => {
                    worker.0.kill().expect("kill");
                    worker.0.wait().expect("wait");
                    killed += 1;
                    *worker = start();
                    *deadline = Instant::now() + life();
                }
                None => {}
            }
        }
        workers.retain(|(_, deadline)| *deadline < Instant::now() + PATIENCE);
    }
    killed
}

/// Studies that are begun until a kill hits a process that holds a trial.
const ATTEMPTS: u64 = 80;

/// Trials of the studies that are killed at: many where CI asks for it.
fn trials() -> String {
    std::env::var("LAYERJOULE_TEST_TRIALS").unwrap_or_else(|_| "32".to_owned())
}

fn survives_being_killed(database: &str) {
    let folder = tempfile::tempdir().expect("folder");
    training_data(folder.path());
    let trials = trials();
    let arguments = |name: &'static str| {
        [
            "--trials",
            trials.as_str(),
            "--study-id",
            name,
            "--pruner",
            "hyperband",
            "--lease",
            "1.5",
            "--format",
            "json",
            "--seed",
            "3",
        ]
        .map(str::to_owned)
    };
    let killed_arguments = arguments("killed");
    let words: Vec<&str> = killed_arguments.iter().map(String::as_str).collect();
    let lost = |study: &serde_json::Value| -> i64 {
        study["history"].as_array().expect("trials").iter().filter_map(|trial| trial["lost"].as_i64()).sum()
    };
    // A fast machine ends the study before its processes have lived for long; a slow one needs long to begin a trial. On either
    // a process holds a trial for a small part of its life only.
    let mut attempts = [40, 120, 360, 1080].into_iter().cycle().zip(1..=ATTEMPTS).map(|(shortest, seed)| {
        // It may be there from the attempt before, or from an earlier run.
        let _ = studies(folder.path(), &["delete", "killed"], database);
        let shortest = Duration::from_millis(shortest);
        let killed = killed_at_random(folder.path(), database, &words, 4, 16, shortest, seed);
        (killed, json(&run(tune(folder.path(), database, &words))))
    });
    let (killed, after) = attempts.find(|(_, after)| lost(after) > 0).expect("a kill of a process that holds a trial");
    // One process that nothing disturbs.
    let calm_arguments = arguments("calm");
    let words: Vec<&str> = calm_arguments.iter().map(String::as_str).collect();
    let calm = json(&run(tune(folder.path(), "calm.sqlite", &words)));
    let history = after["history"].as_array().expect("trials");
    let numbers: BTreeSet<u64> = history.iter().filter_map(|trial| trial["number"].as_u64()).collect();
    println!("{} trials, {killed} processes killed, {} trials taken up again", history.len(), lost(&after));
    assert_eq!(numbers.len().to_string(), trials, "every trial counted once");
    assert_eq!(essence(&after), essence(&calm));
    let states: BTreeSet<&str> = history.iter().filter_map(|trial| trial["state"].as_str()).collect();
    assert!(states.is_subset(&BTreeSet::from(["complete", "pruned"])), "{states:?}");
    assert_eq!(after["best"]["value"], calm["best"]["value"]);
}

#[test]
fn four_processes_killed_at_random_leave_the_study_that_one_would() {
    survives_being_killed("studies.sqlite");
}

#[test]
#[ignore = "needs the PostgreSQL that LAYERJOULE_TEST_POSTGRES_URL names: .ci/postgres"]
fn so_they_do_on_postgresql() {
    let url = std::env::var("LAYERJOULE_TEST_POSTGRES_URL").expect("LAYERJOULE_TEST_POSTGRES_URL: see .ci/postgres");
    survives_being_killed(&url);
}

#[tokio::test]
#[ignore = "needs the PostgreSQL that LAYERJOULE_TEST_POSTGRES_URL names: .ci/postgres"]
async fn looking_at_a_postgresql_without_studies_makes_no_tables() {
    let url = std::env::var("LAYERJOULE_TEST_POSTGRES_URL").expect("LAYERJOULE_TEST_POSTGRES_URL: see .ci/postgres");
    let server = sqlx::PgPool::connect(&url).await.expect("the server");
    sqlx::query("DROP DATABASE IF EXISTS looked_at").execute(&server).await.expect("dropped");
    sqlx::query("CREATE DATABASE looked_at").execute(&server).await.expect("created");
    let (server_url, _) = url.rsplit_once('/').expect("a database");
    let url = format!("{server_url}/looked_at");
    let home = tempfile::tempdir().expect("folder");
    for arguments in [&["list"][..], &["show", "x"], &["delete", "x"]] {
        let output = studies(home.path(), arguments, &url);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("none was begun"), "{said}");
    }
    let database = sqlx::PgPool::connect(&url).await.expect("the database");
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&database)
        .await
        .expect("counted");
    assert_eq!(tables, 0);
    database.close().await;
    sqlx::query("DROP DATABASE looked_at").execute(&server).await.expect("dropped");
}

#[test]
fn an_interrupt_releases_what_is_in_hand() {
    let folder = tempfile::tempdir().expect("folder");
    training_data(folder.path());
    let arguments = ["--trials", "100000", "--study-id", "long", "--jobs", "2", "--sampler", "random"];
    let mut command = tune(folder.path(), "studies.sqlite", &arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut worker = Worker(command.spawn().expect("starts"));
    let show = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder.path()).args(["studies", "show", "long", "--format", "json"]);
        let output = command.output().expect("runs");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()
    };
    let began = Instant::now();
    while show().is_none_or(|document| document["best"].is_null()) {
        assert!(began.elapsed() < PATIENCE, "no trial was finished");
        std::thread::sleep(Duration::from_millis(50));
    }
    let interrupt = format!("kill -INT {}", worker.0.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("sh").success());
    let status = worker.0.wait().expect("ends");
    assert_eq!(status.code(), Some(130));
    let document = show().expect("a study");
    let running = document["history"].as_array().expect("trials").iter().filter(|t| t["state"] == "running").count();
    assert_eq!(running, 0, "trials in hand are for others now");
}

#[test]
fn a_password_shows_in_no_message() {
    let folder = tempfile::tempdir().expect("folder");
    training_data(folder.path());
    // Nobody listens there.
    let output =
        tune(folder.path(), "postgres://me:hunter2@127.0.0.1:1/none", &["--trials", "1"]).output().expect("runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{message}");
    assert!(message.contains("127.0.0.1") && !message.contains("hunter2"), "{message}");
}

fn studies(folder: &Path, arguments: &[&str], database: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder).env_remove("HOST_TRAINER_STUDIES").arg("studies").args(arguments);
    command.args(["--shared-db", database]).output().expect("runs")
}

#[test]
fn looking_at_studies_makes_and_changes_nothing() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    let listed = || -> Vec<std::path::PathBuf> {
        let mut all: Vec<_> = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        all.sort();
        all
    };
    fs::write(folder.join("notes.db"), "notes\n").expect("written");
    let before = listed();
    let asking: [&[&str]; 3] = [&["list"], &["show", "x"], &["delete", "x"]];
    for (database, code, says) in [
        ("typo.db", 5, "no such database of studies"),
        ("notes.db", 3, "not a SQLite database"),
        ("no/typo.db", 5, "no such"),
    ] {
        for arguments in asking {
            let output = studies(folder, arguments, database);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{arguments:?} {database}: {said}");
            assert!(said.contains(database) && said.contains(says), "{arguments:?} {database}: {said}");
        }
    }
    training_data(folder);
    let output = tune(folder, "notes.db", &["--trials", "1"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(folder.join("notes.db")).expect("read"), b"notes\n");
    let after: Vec<_> = listed().into_iter().filter(|path| path.extension().is_some_and(|e| e != "toml")).collect();
    assert_eq!(after, before, "nothing was made");
}
