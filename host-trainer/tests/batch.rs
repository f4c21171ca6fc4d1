//! Batches as users meet them: the real binary, and a stand-in for Slurm that runs scripts as processes.

#![allow(clippy::unwrap_used)]

mod functions;
mod stand_ins;

use functions::write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(300);

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder).arg("batch").args(arguments);
    stand_ins::use_in(&mut command, folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let output = command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_slice(&run(folder, arguments).stdout).unwrap()
}

/// Of each result all that must not depend on who worked on it, by task.
fn essences(results: &serde_json::Value) -> Vec<String> {
    let of =
        |r: &serde_json::Value| format!("{} {} {} {} {}", r["task"], r["score"], r["losses"], r["files"], r["metrics"]);
    let mut all: Vec<String> = results.as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

/// Waits until something holds of the first batch.
fn until(folder: &Path, what: &str, mut holds: impl FnMut(&serde_json::Value) -> bool) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let shown = json(folder, &["show", "--format", "json"]);
        if holds(&shown[0]) {
            return shown[0].clone();
        }
        assert!(began.elapsed() < PATIENCE, "{what}: {shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn batch_folder(output: &Output, folder: &Path) -> PathBuf {
    folder.join(String::from_utf8_lossy(&output.stdout).trim())
}

#[test]
fn slurm_runs_a_batch_a_killed_worker_is_lost_and_its_task_is_retried() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    // Long enough that a worker can be killed in the middle of it.
    write(folder, 8_000);
    stand_ins::write(folder);
    let generate = ["generate", "--no-trial", "--models", "autoencoder.classical=3", "--desc", "slurm: test"];
    let batch = batch_folder(&run(folder, &[&generate[..], &["--on", "slurm", "--workers", "2"]].concat()), folder);
    assert!(batch.join("slurm/worker.sh").exists());
    run(folder, &["submit", "1"]);
    let shown = until(folder, "both work", |shown| shown["counts"]["running"] == 2);
    assert_eq!(shown["slurm"]["RUNNING"], 2);
    // A worker dies without a word: Slurm says so at once, its lease only later.
    let status = json(folder, &["status", "1", "--state", "running", "--format", "json"]);
    let owner = status["tasks"][0]["owner"].as_str().unwrap().to_owned();
    let process = owner.rsplit(':').next().unwrap();
    assert!(owner.starts_with("slurm/100_"), "{owner}");
    assert!(Command::new("kill").args(["-KILL", process]).status().unwrap().success());
    until(folder, "it is shown as lost", |shown| shown["counts"]["lost"] == 1);
    run(folder, &["retry", "1"]);
    run(folder, &["add", "--to", "1", "--models", "classifier.clu_one=1"]);
    // Only one class; then all that is left.
    run(folder, &["submit", "1", "classifier.clu_one", "--workers", "1"]);
    run(folder, &["submit", "1", "--workers", "1"]);
    let shown = until(folder, "all is done", |shown| shown["counts"]["done"] == 4);
    assert_eq!((&shown["counts"]["lost"], &shown["counts"]["failed"]), (&0.into(), &0.into()), "{shown}");
    let by_slurm = essences(&json(folder, &["results", "1", "--format", "json"]));
    // The same tasks by one process here.
    let local = batch_folder(&run(folder, &[&generate[..], &["--batches", "local"]].concat()), folder);
    run(folder, &["add", "--to", &local.display().to_string(), "--models", "classifier.clu_one=1"]);
    run(folder, &["work", &local.display().to_string()]);
    let here = essences(&json(folder, &["results", &local.display().to_string(), "--format", "json"]));
    assert_eq!((here.len(), by_slurm), (4, here));
    run(folder, &["cancel", "1"]);
    assert_eq!(fs::read_to_string(folder.join("cancelled")).unwrap().lines().count(), 3);
}

#[test]
fn a_worker_that_is_told_to_stop_hands_back_within_its_grace() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 100_000);
    run(folder, &["generate", "--no-trial", "--models", "autoencoder.classical"]);
    let mut worker = command(folder, &["work", "1", "--checkpoint-after", "0.1"]).spawn().unwrap();
    until(folder, "it works", |shown| shown["counts"]["running"] == 1);
    std::thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap().success());
    let began = Instant::now();
    assert_eq!(worker.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(20));
    let shown = json(folder, &["show", "1", "--format", "json"]);
    assert_eq!(
        (&shown[0]["counts"]["pending"], shown[0]["workers"].as_array().unwrap().len()),
        (&1.into(), 0),
        "{shown}"
    );
    // Local workers are started and ended by the engine as well.
    run(folder, &["submit", "1"]);
    until(folder, "it works again", |shown| shown["counts"]["running"] == 1);
    run(folder, &["cancel", "1"]);
    until(folder, "nobody works", |shown| {
        shown["counts"]["cancelled"] == 1 && shown["workers"].as_array().unwrap().is_empty()
    });
    let log = fs::read_to_string(
        fs::read_dir(folder.join("batches"))
            .unwrap()
            .flatten()
            .find(|e| e.path().is_dir())
            .unwrap()
            .path()
            .join("logs/local-1.log"),
    )
    .unwrap();
    assert!(log.contains("taken up after epoch"), "{log}");
}

/// Runs a script with a disk of its own at its first argument and the program as its second: what it prints, and what the program says.
///
/// # Errors
/// Why a user may not mount here.
fn on_a_small_disk(script: &str, disk: &Path, more: &[&Path], folder: &Path) -> Result<(String, String), String> {
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
        .args([disk, Path::new(env!("CARGO_BIN_EXE_host-trainer"))])
        .args(more)
        .current_dir(folder)
        .output();
    let output = output.map_err(|e| format!("no unshare here: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    if printed.contains("code") { Ok((printed, said)) } else { Err(format!("no mount here: {said}")) }
}

#[test]
fn a_disk_that_is_full_ends_a_worker_with_the_reason_and_its_tasks_are_left() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 3);
    let batch = batch_folder(&run(folder, &["generate", "--no-trial"]), folder);
    let script = "mount -t tmpfs -o size=8k tmpfs \"$1\" && { \"$2\" batch work \"$3\"; echo \"code $?\"; }";
    let artefacts = batch.join("artefacts");
    fs::create_dir_all(&artefacts).unwrap();
    let (printed, said) = match on_a_small_disk(script, &artefacts, &[&batch], folder) {
        Ok(text) => text,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    assert!(printed.contains("code 5"), "{said}");
    assert!(said.contains("No space left") || said.contains("the disk is full"), "{said}");
    let shown = json(folder, &["show", "1", "--format", "json"]);
    assert_eq!((&shown[0]["counts"]["pending"], &shown[0]["counts"]["failed"]), (&2.into(), &0.into()), "{shown}");
}

#[test]
fn a_batch_that_finds_no_space_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 3);
    let disk = folder.join("disk");
    fs::create_dir_all(&disk).unwrap();
    // From room for the data alone to room for all: wherever the space ends, nothing is left.
    let script = "for size in 4 20 28 36 44 76 1024; do
        mount -t tmpfs -o size=${size}k tmpfs \"$1\" || exit
        \"$2\" --quiet batch generate --no-trial --batches \"$1/batches\" >\"$1.out\"
        echo \"$size code $? left $(ls -A \"$1/batches\" | grep -cv '^[.]lock$')\"
        umount \"$1\"
    done";
    let began = Instant::now();
    let (printed, said) = match on_a_small_disk(script, &disk, &[], folder) {
        Ok(text) => text,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!((lines.len(), lines.last()), (7, Some(&"1024 code 0 left 1")), "{printed}{said}");
    assert!(lines[..6].iter().all(|line| line.ends_with("code 5 left 0")), "{printed}{said}");
    assert!(said.contains("the disk is full") && said.contains("free some space"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60), "nobody waits for space: {printed}{said}");
}

#[test]
fn several_that_generate_at_once_get_a_folder_each() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), 2);
    let begin = |_| command(home.path(), &["generate", "--no-trial"]).stdout(Stdio::piped()).spawn().unwrap();
    let children: Vec<std::process::Child> = (0..4).map(begin).collect();
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let places: std::collections::BTreeSet<PathBuf> = outputs.iter().map(|o| batch_folder(o, home.path())).collect();
    assert!(places.len() == 4 && outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let shown = json(home.path(), &["show", "--format", "json"]);
    let pending: Vec<&serde_json::Value> = shown.as_array().unwrap().iter().map(|b| &b["counts"]["pending"]).collect();
    assert_eq!(pending, [2, 2, 2, 2], "{shown}");
}

#[test]
fn what_is_wrong_has_its_exit_code_and_its_next_step() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 2);
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let output = command(folder, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    };
    refused(&["generate", "--config", "none.toml"], 5, "none.toml");
    refused(&["generate", "--models", "classifier.clu_too"], 2, "did you mean `classifier.clu_one`?");
    refused(&["generate", "--models", "klassifier.*=3"], 2, "there is no model `klassifier.*`");
    let text = fs::read_to_string(folder.join("batch.toml")).unwrap();
    fs::write(folder.join("typo.toml"), text.replace("epochs =", "epoch =")).unwrap();
    refused(&["generate", "--config", "typo.toml"], 2, "did you mean `epochs`?");
    refused(&["generate", "--on", "lsf"], 2, "known are local, slurm, kubernetes");
    refused(&["generate", "--queue", "postgres://me:hunter2@db/x"], 2, "HOST_TRAINER_BATCH_DB");
    refused(&["generate", "--queue", "postgres://me@127.0.0.1:9/x"], 5, "127.0.0.1:9");
    refused(&["show", "7"], 5, "there is no batch `7`");
    refused(&["work", "nowhere"], 5, "there is no batch `nowhere`");
    run(folder, &["generate", "--no-trial"]);
    refused(&["status", "1", "--state", "don"], 2, "did you mean `done`?");
    refused(&["submit", "1", "classifier.x"], 2, "no model of the batch is called `classifier.x`");
    refused(&["promote", "1", "--out", "best"], 1, "there is no such result yet");
    // A database that went away, and a newer version: both are told, and hide no other batch.
    let header = batch_folder(&run(folder, &["generate", "--no-trial"]), folder).join("batch.json");
    let text = fs::read_to_string(&header).unwrap();
    let mut away: serde_json::Value = serde_json::from_str(&text).unwrap();
    away["queue"] = serde_json::json!({ "postgres": "postgres://me@127.0.0.1:9/x" });
    for (content, code, says) in [
        (away.to_string(), 5, "127.0.0.1:9"),
        (text.replace("\"format\": 1", "\"format\": 2"), 3, "was written by a newer version"),
    ] {
        fs::write(&header, content).unwrap();
        for action in ["work", "show", "results", "retry"] {
            refused(&[action, "2"], code, says);
        }
        let all = run(folder, &["show", "--format", "json"]);
        let said = String::from_utf8_lossy(&all.stderr).into_owned();
        let shown: serde_json::Value = serde_json::from_slice(&all.stdout).unwrap();
        assert!(shown.as_array().unwrap().len() == 1 && said.contains(says), "{said}");
    }
    fs::write(&header, text).unwrap();
    // Slurm is not here: the folder is written, and says where to submit from.
    let slurm = command(folder, &["generate", "--no-trial", "--on", "slurm", "--run"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(slurm.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&slurm.stderr).contains("there is no program `sbatch` here"));
}

/// A server of a folder's batches, killed when dropped.
struct Server(std::process::Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(folder: &Path) -> Self {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../trained_models");
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0", "--state", "state", "--models", models]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(child, url.trim().to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        Self::ask(reqwest::Client::new().get(format!("{}{path}", self.1)))
    }

    /// Sends a form; a redirect is followed.
    fn post(&self, path: &str, form: String) -> (u16, String) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.1));
        Self::ask(request.header("content-type", "application/x-www-form-urlencoded").body(form))
    }

    fn ask(request: reqwest::RequestBuilder) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = request.header("accept", "text/html").send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}

#[test]
fn a_batch_is_shown_in_a_report_and_on_the_page_while_it_is_worked_on() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 100_000);
    let config = fs::read_to_string(folder.join("batch.toml")).unwrap();
    let short = "[training.short]\nepochs = 3\n[[tasks]]\nmodels = [\"classifier.*\"]\ntraining = [\"short\"]\nrepeats = 2\n\
                 [[tasks]]\nmodels = [\"autoencoder.*\"]\ntraining = [\"t\"]\n";
    fs::write(folder.join("batch.toml"), config + short).unwrap();
    let generated = run(folder, &["generate", "--no-trial", "--desc", "<b>both</b>"]);
    let name = batch_folder(&generated, folder).file_name().unwrap().to_string_lossy().into_owned();
    run(folder, &["work", "1", "--only", "classifier.clu_one"]);

    let report = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder).args(["report", "--out", "report.html"]).args(arguments).output().unwrap()
    };
    let output = report(&["--batch", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    for expected in [
        &format!("<h1>Batch {name}</h1>"),
        "3 tasks: 2 done, 1 pending.",
        "Score by model on functions",
        "Score over time on functions",
        "Loss of classifier.clu_one, task ",
        "&lt;b&gt;both&lt;/b&gt;",
    ] {
        assert!(page.contains(expected), "no `{expected}`: {page}");
    }
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let output = report(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(says), "{arguments:?}: {said}");
    };
    refused(&["--batch", "7"], 5, "there is no batch `7`");
    refused(&["--batch", "1", "--importance"], 2, "--data");
    refused(&[], 2, "--data");

    let server = Server::start(folder);
    let (status, list) = server.get("/batches");
    assert!(status == 200 && list.contains(&name) && list.contains("2 done") && list.contains("1 pending"), "{list}");
    assert!(list.contains("&lt;b&gt;both") && !list.contains("<b>both"), "{list}");
    let path = format!("/batches/{name}");
    let (status, idle) = server.get(&path);
    assert!(status == 200 && idle.contains("None is registered") && idle.contains("Score by model"), "{idle}");
    for wrong in ["/batches/none", "/batches/..%2fbatches", "/batches/%2e%2e%2fbatches%2f1"] {
        assert_eq!(server.get(wrong).0, 404, "{wrong}");
    }
    // A worker is seen with what it does, and the curve of what it has not finished.
    let mut worker = command(folder, &["work", "1", "--checkpoint-after", "0.1"]).spawn().unwrap();
    let began = Instant::now();
    let busy = loop {
        let busy = server.get(&path).1;
        if busy.contains("epochs so far") {
            break busy;
        }
        assert!(began.elapsed() < PATIENCE, "{busy}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let owner = json(folder, &["show", "1", "--format", "json"])[0]["workers"][0]["owner"].as_str().unwrap().to_owned();
    assert!(busy.contains(&owner) && busy.contains("Loss of autoencoder.classical, task "), "{owner}: {busy}");
    assert!(busy.contains("1 running") && busy.contains("id=\"running\""), "{busy}");
    // For programs the same.
    let (status, told) = server.get(&format!("/v1{path}"));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let running = &told["running"][0];
    assert_eq!((status, running["label"].as_str()), (200, Some("autoencoder.classical")), "{told}");
    assert!(running["epochs"].as_u64() > Some(0) && running["losses"][0]["training"][0].is_f64(), "{told}");
    assert!(Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap().success());
    worker.wait().unwrap();
    assert!(server.get(&path).1.contains("None is registered"));
}

/// By forms, as the page sends them.
#[test]
fn a_grid_that_is_sent_becomes_a_batch_whose_worker_is_stopped_and_started() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, 5);
    let first = batch_folder(&run(folder, &["generate", "--no-trial", "--desc", "data"]), folder);
    let data = format!("{}/functions", first.file_name().unwrap().to_string_lossy());
    let server = Server::start(folder);
    let grid = "mlp.hidden = [[64, 64], [48, 48]]\nmlp.members = 1\nmlp.epochs = 100000\nmlp.patience = 0";
    let form = |text: &str, workers: &str| {
        let fields = [("text", text), ("data", data.as_str()), ("workers", workers), ("description", "by a form")];
        reqwest::Url::parse_with_params("http://form/", fields).unwrap().query().unwrap().to_owned()
    };
    for (text, workers, says) in [
        ("mlp.hiden = [[3]]", "1", "hiden"),
        ("mlp.seed = [1, 2]", "1", "follows from the task"),
        (grid, "0", "1 to 256 workers"),
        ("", "1", "nothing was sent"),
    ] {
        let (status, answer) = server.post("/batches/begin", form(text, workers));
        assert!(status == 400 && answer.to_lowercase().contains(says), "{text}: {status} {answer}");
        assert!(!answer.contains(&home.path().display().to_string()), "{answer}");
    }
    assert_eq!(server.post("/batches/0009-no-such/start", String::new()).0, 404);
    assert_eq!(json(folder, &["show", "--format", "json"]).as_array().unwrap().len(), 1, "nothing was begun");

    let (status, answer) = server.post("/batches/begin", form(grid, "1"));
    assert!(status == 200 && answer.contains("by a form"), "{status} {answer}");
    let second = |what: &str, holds: &dyn Fn(&serde_json::Value) -> bool| {
        let began = Instant::now();
        loop {
            let shown = json(folder, &["show", "2", "--format", "json"])[0].clone();
            if holds(&shown) {
                return shown["name"].as_str().unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {shown}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let at_work = |count: u64| move |shown: &serde_json::Value| shown["counts"]["running"] == count;
    let name = second("a worker is at work", &at_work(1));
    let path = format!("/batches/{name}");
    let began = Instant::now();
    while !server.get(&path).1.contains("epochs so far") {
        assert!(began.elapsed() < PATIENCE, "no curve is drawn");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(server.post(&format!("{path}/stop"), String::new()).0, 200);
    second("its task is handed back", &at_work(0));
    assert_eq!(server.post(&format!("{path}/start"), "workers=2".to_owned()).0, 200);
    second("two workers are at work", &at_work(2));
    assert_eq!(server.post(&format!("{path}/stop"), String::new()).0, 200);
    second("all is handed back", &|shown| shown["counts"]["pending"] == 2 && shown["workers"] == serde_json::json!([]));
}
