//! Studies on engines: processes here, and stand-ins for ssh and Slurm.

use crate::{PATIENCE, Worker, essence, json, run, stand_ins, studies, training_data, tune};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn show(folder: &Path, study: &str, database: &str) -> Option<Value> {
    serde_json::from_slice(&studies(folder, &["show", study, "--no-engine", "--format", "json"], database).stdout).ok()
}

/// Waits until something holds of a study.
fn until(folder: &Path, study: &str, database: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        match show(folder, study, database) {
            Some(shown) if holds(&shown) => return shown,
            shown => assert!(began.elapsed() < PATIENCE, "{what}: {shown:?}"),
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn running(study: &Value) -> Vec<String> {
    let trials = study["history"].as_array().into_iter().flatten();
    trials.filter(|trial| trial["state"] == "running").filter_map(|t| t["owner"].as_str().map(str::to_owned)).collect()
}

fn finished(study: &Value) -> usize {
    let is = |trial: &&Value| ["complete", "pruned"].iter().any(|state| trial["state"] == **state);
    study["history"].as_array().into_iter().flatten().filter(is).count()
}

/// Kills a worker that holds a trial, and gives its name; none where the study was over before one was seen.
fn kill_one(folder: &Path, study: &str, database: &str, trials: usize) -> Option<String> {
    let over = |study: &Value| !running(study).is_empty() || finished(study) == trials;
    let owner = running(&until(folder, study, database, "a trial runs", over)).into_iter().next()?;
    kill("-KILL", owner.rsplit(':').next().expect("a process")).then_some(owner)
}

/// The processes that were submitted first.
fn processes(folder: &Path, study: &str) -> Vec<u64> {
    let path = folder.join("tunes").join(study).join("submissions/000001.json");
    let record: Value = serde_json::from_slice(&fs::read(path).expect("a submission")).expect("JSON");
    record["started"]["processes"].as_array().expect("processes").iter().filter_map(Value::as_u64).collect()
}

fn is_there(process: u64) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// False where there is no such process any more.
fn kill(signal: &str, process: &str) -> bool {
    Command::new("kill").args([signal, process]).stderr(Stdio::null()).status().expect("kill").success()
}

/// A study of three processes here, of which one is killed; none where it was over before one could be.
fn by_three(folder: &Path, arguments: &[&str], trials: usize) -> Option<Value> {
    let count = trials.to_string();
    let on = ["--trials", &count, "--on", "local", "--workers", "3"];
    let mut command = tune(folder, "studies.sqlite", &[arguments, &on].concat());
    let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let owner = kill_one(folder, arguments[1], "studies.sqlite", trials);
    let output = waiting.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", says(&output));
    let process = owner?.rsplit(':').next().expect("a process").to_owned();
    assert!(processes(folder, arguments[1]).iter().any(|started| started.to_string() == process), "{process}");
    // One that had ended when it was killed was not killed.
    let said = says(&output);
    (said.contains("signal: 9") && said.contains("local-")).then(|| json(&output))
}

#[test]
fn three_processes_of_which_one_is_killed_leave_the_study_that_one_would() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    training_data(folder);
    let rest = ["--pruner", "median", "--lease", "1.5", "--seed", "3", "--format", "json"];
    // A fast machine ends a short study before anybody can look.
    let mut attempts = [("many", 48), ("more", 200), ("most", 1000)].into_iter().filter_map(|(study, trials)| {
        let arguments = [&["--study-id", study][..], &rest].concat();
        by_three(folder, &arguments, trials).map(|document| (arguments, trials, document))
    });
    let (arguments, trials, by_three) = attempts.next().expect("a process that was killed");
    let with = |trials: usize, also: &[&str], database: &str| {
        let count = trials.to_string();
        tune(folder, database, &[&arguments[..], &["--trials", &count], also].concat())
    };
    let by_one = json(&run(with(trials, &[], "one.sqlite")));
    assert_eq!((essence(&by_three).len(), essence(&by_three)), (trials, essence(&by_one)));
    let (study, on) = (arguments[1], ["--on", "local", "--workers", "3"]);

    // With more trials the folder is taken again, and what waits exports as ever.
    let grown = json(&run(with(trials + 2, &[&on[..], &["--export", "best.toml"]].concat(), "studies.sqlite")));
    assert_eq!(grown["history"].as_array().map(Vec::len), Some(trials + 2));
    assert!(folder.join("best.toml").exists());
    // Moved, and without the data that it was made from, it is the same; another study does not get its folder.
    fs::rename(folder.join("data"), folder.join("away")).expect("moved");
    fs::rename(folder.join("tunes").join(study), folder.join("elsewhere")).expect("moved");
    let output = studies(folder, &["work", "elsewhere"], "again.sqlite");
    assert!(output.status.success(), "{}", says(&output));
    let again = show(folder, study, "again.sqlite").expect("a study");
    assert_eq!(essence(&again), essence(&grown));
    fs::rename(folder.join("away"), folder.join("data")).expect("moved");
    fs::create_dir_all(folder.join("tunes")).expect("folder");
    fs::rename(folder.join("elsewhere"), folder.join("tunes").join(study)).expect("moved");
    let other = [&on[..], &["--generation", "4"]].concat();
    let refused = with(trials, &other, "other.sqlite").output().expect("runs");
    assert_eq!(refused.status.code(), Some(2), "{}", says(&refused));
    assert!(says(&refused).contains("begun with another generation"), "{}", says(&refused));
    let data = fs::read_dir(folder.join("tunes").join(study).join("data"))
        .expect("data")
        .flatten()
        .next()
        .expect("a copy")
        .path();
    fs::write(
        data.join("dense.csv"),
        fs::read_to_string(data.join("dense.csv")).expect("text") + "g,1,64,32,5,1.0,d\n",
    )
    .expect("written");
    let changed = studies(folder, &["work", study], "again.sqlite");
    assert_eq!(changed.status.code(), Some(3), "{}", says(&changed));
    assert!(says(&changed).contains("not those that the study was begun with"), "{}", says(&changed));
}

#[test]
fn an_interrupt_ends_the_processes_and_releases_their_trials() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    training_data(folder);
    let arguments =
        ["--trials", "100000", "--study-id", "long", "--sampler", "random", "--on", "local", "--workers", "2"];
    let mut command = tune(folder, "studies.sqlite", &arguments);
    let mut waiting = Worker(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts"));
    until(folder, "long", "studies.sqlite", "both work", |study| running(study).len() == 2);
    let started = processes(folder, "long");
    kill("-INT", &waiting.0.id().to_string());
    assert_eq!(waiting.0.wait().expect("ends").code(), Some(130));
    assert!(started.len() == 2 && !started.iter().any(|process| is_there(*process)), "{started:?}");
    let shown = show(folder, "long", "studies.sqlite").expect("a study");
    assert!(running(&shown).is_empty(), "trials in hand are for others now");

    // In the background, by the folder alone; told to stop, they hand back as well.
    let submitted = studies(folder, &["submit", "long"], "studies.sqlite");
    assert!(submitted.status.success() && says(&submitted).contains("2 processes"), "{}", says(&submitted));
    until(folder, "long", "studies.sqlite", "both work again", |study| running(study).len() == 2);
    let cancelled = studies_alone(folder, &["cancel", "long"]);
    assert!(cancelled.status.success(), "{}", says(&cancelled));
    let shown = until(folder, "long", "studies.sqlite", "nobody works", |study| running(study).is_empty());
    let lost =
        shown["history"].as_array().expect("trials").iter().filter_map(|trial| trial["lost"].as_i64()).sum::<i64>();
    assert_eq!(lost, 0, "all were handed back");
}

/// `studies` without a database.
fn studies_alone(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder).env_remove("HOST_TRAINER_STUDIES").arg("studies").args(arguments);
    stand_ins::use_in(&mut command, folder);
    command.output().expect("runs")
}

#[test]
fn what_an_engine_lacks_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    training_data(folder);
    let refused = |database: &str, arguments: &[&str], code: i32, what: &str| {
        let output = tune(folder, database, &[&["--trials", "4"], arguments].concat()).output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", says(&output));
        assert!(says(&output).contains(what), "{arguments:?}: {}", says(&output));
        assert!(!folder.join("tunes").exists() && !folder.join("studies.sqlite").exists(), "{arguments:?}");
    };
    for engine in ["slurm", "kubernetes", "ssh:a,b", "ssh:a"] {
        refused("studies.sqlite", &["--on", engine], 2, "keep the study in PostgreSQL");
    }
    refused("postgres://me@db/x", &["--on", "slurm", "--export", "best.toml"], 2, "the same command without --on");
    refused("postgres://me@db/x", &["--on", "kubernetes"], 2, "--image");
    refused("postgres://me@db/x", &["--on", "kubernetes", "--image", "x"], 2, "pods cannot reach the study folder");
    refused("studies.sqlite", &["--on", "lsf"], 2, "known are local, slurm, kubernetes");
    refused("studies.sqlite", &["--cpus", "4"], 2, "name one by --on");
    refused("studies.sqlite", &["--workers", "4"], 2, "--on");
    refused("studies.sqlite", &["--on", "local", "--study-id", ".x"], 2, "no name for a folder");
    // Nobody listens there.
    refused("postgres://me:hunter2@127.0.0.1:1/none", &["--on", "slurm"], 5, "127.0.0.1:1");
    let output = studies_alone(folder, &["work", "nowhere"]);
    assert_eq!(output.status.code(), Some(5), "{}", says(&output));
    assert!(says(&output).contains("there is no folder of a study `nowhere`"), "{}", says(&output));
}

#[test]
fn a_table_and_generated_rows_are_read_again_by_workers() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    let tune = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder).env_remove("HOST_TRAINER_STUDIES").arg("tune").args(arguments);
        json(&run(command))
    };
    let sample = [
        "--sample-data",
        "--epochs",
        "2",
        "--samples",
        "60",
        "--trials",
        "2",
        "--study-id",
        "sample",
        "--format",
        "json",
    ];
    let here = tune(&[&sample[..], &["--shared-db", "here.sqlite"]].concat());
    let there = tune(&[&sample[..], &["--on", "local", "--workers", "2"]].concat());
    assert_eq!(essence(&there), essence(&here));
    assert!(!folder.join("tunes/sample/data").exists(), "nothing to copy");

    fs::create_dir_all(folder.join("dbs")).expect("folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use sqlx::{Connection, Executor};
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("dbs/a.db")).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("a database");
        connection.execute("CREATE TABLE calls (kind TEXT, a REAL, b REAL, y REAL)").await.expect("a table");
        for i in 0..80 {
            let (kind, a, b) = (["x", "y"][i % 2], (i % 9) as f64, 2.0 + (i % 11) as f64);
            let row = sqlx::query("INSERT INTO calls VALUES ($1, $2, $3, $4)").bind(kind).bind(a);
            row.bind(b).bind(a + b).execute(&mut connection).await.expect("a row");
        }
        connection.close().await.expect("closed");
    });
    let table =
        ["--dbs-dir", "dbs", "--table-name", "calls", "--tag-column", "kind", "--func-tag", "x", "--zeros", "drop"];
    let columns =
        ["--input-cols", "a,b", "--output-cols", "y", "--epochs", "2", "--trials", "2", "--study-id", "table"];
    let all = [&table[..], &columns, &["--samples", "30", "--format", "json"]].concat();
    let here = tune(&[&all[..], &["--shared-db", "here.sqlite"]].concat());
    let there = tune(&[&all[..], &["--on", "local", "--workers", "2"]].concat());
    assert_eq!(essence(&there), essence(&here));
}

/// A study by an engine, with the database of `.ci/postgres`; its essence must be that of one process. Gives what `also` gives, which is
/// called once it is submitted.
fn by_engine<T>(folder: &Path, (study, trials): (&str, usize), engine: &[&str], also: impl Fn(&str) -> T) -> T {
    let url = std::env::var("LAYERJOULE_TEST_POSTGRES_URL").expect("LAYERJOULE_TEST_POSTGRES_URL: see .ci/postgres");
    training_data(folder);
    stand_ins::write(folder);
    let _ = studies(folder, &["delete", study], &url);
    let count = trials.to_string();
    let arguments = ["--trials", &count, "--study-id", study, "--pruner", "median", "--lease", "2"];
    let mut command = tune(folder, &url, &[&arguments[..], engine].concat());
    stand_ins::use_in(&mut command, folder);
    let output = run(command);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("tunes/{study}\n"));
    assert!(says(&output).contains("host-trainer studies show"), "{}", says(&output));
    let given = also(&url);
    let shown = until(folder, study, &url, "the study is done", |study| finished(study) == trials);
    let mut command = tune(folder, "calm.sqlite", &[&arguments[..], &["--format", "json"]].concat());
    command.env("HOST_TRAINER_STUDIES", "calm.sqlite");
    assert_eq!(essence(&shown), essence(&json(&run(command))));
    // The same command without an engine takes the result.
    run(tune(folder, &url, &[&arguments[..], &["--export", "best.toml"]].concat()));
    assert!(folder.join("best.toml").exists());
    let password = url.split([':', '@']).nth(2).expect("a password").to_owned();
    for entry in walkdir::WalkDir::new(folder.join("tunes")).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        let content = fs::read(entry.path()).expect("read");
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains(&password), "{} has the password", entry.path().display());
    }
    let _ = studies(folder, &["delete", study], &url);
    given
}

#[test]
#[ignore = "needs the PostgreSQL that LAYERJOULE_TEST_POSTGRES_URL names: .ci/postgres"]
fn a_study_by_ssh_is_that_of_one_process() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    let url = std::env::var("LAYERJOULE_TEST_POSTGRES_URL").expect("LAYERJOULE_TEST_POSTGRES_URL: see .ci/postgres");
    // Hosts are not given a password.
    let parts: Vec<&str> = url.trim_start_matches("postgres://").split([':', '@', '/']).collect();
    let [user, password, host, port, database] = parts[..] else { panic!("user, password, host, port, database") };
    for name in ["one", "two"] {
        let pgpass = folder.join("hosts").join(name).join(".pgpass");
        fs::create_dir_all(pgpass.parent().expect("a folder")).expect("a host");
        fs::write(&pgpass, format!("{host}:{port}:{database}:{user}:{password}\n")).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&pgpass, mode).expect("private");
    }
    by_engine(folder, ("by-ssh", 12), &["--on", "ssh:one,two", "--workers", "3"], |_| {
        let there = |host: &str| folder.join("hosts").join(host).join(".layerjoule/tunes/by-ssh");
        assert!(there("one").join("bin/host-trainer").exists() && there("two").join("study.json").exists());
        assert!(there("one").join("logs/ssh-one-2.log").exists() && there("two").join("logs/ssh-two-1.log").exists());
    });
}

#[test]
#[ignore = "needs the PostgreSQL that LAYERJOULE_TEST_POSTGRES_URL names: .ci/postgres"]
fn a_study_by_slurm_is_that_of_one_process_though_a_worker_is_killed() {
    // A fast machine ends a short study before anybody can look.
    let killed = [("by-slurm", 16), ("by-slurm-2", 100), ("by-slurm-3", 500)].into_iter().any(|(study, trials)| {
        let home = tempfile::tempdir().expect("folder");
        let folder = home.path();
        let engine = ["--on", "slurm", "--workers", "2", "--time", "00:10:00"];
        by_engine(folder, (study, trials), &engine, |url| {
            let killed = kill_one(folder, study, url, trials);
            assert!(killed.as_ref().is_none_or(|owner| owner.starts_with("slurm/100_")), "{killed:?}");
            let script =
                fs::read_to_string(folder.join("tunes").join(study).join("slurm/worker.sh")).expect("a script");
            assert!(script.contains("studies work . \"$@\" &") && script.contains("--time=00:10:00"), "{script}");
            let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
            command.current_dir(folder).env("HOST_TRAINER_STUDIES", url).args(["studies", "show", study]);
            stand_ins::use_in(&mut command, folder);
            let said = says(&run(command));
            assert!(said.contains("Slurm job 100, 2 workers") && said.contains("Slurm: "), "{said}");
            killed.is_some()
        })
    });
    assert!(killed, "no worker could be killed while it held a trial");
}
