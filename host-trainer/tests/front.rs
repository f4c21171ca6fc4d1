//! What a newcomer meets: no command, completions, man pages, help as data, versions, configuration, the demo, a trace.

mod programs;

use programs::agent;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn host(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOST_TRAINER_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("XDG_CONFIG_HOME", folder.join("config")).env_remove("RUST_BACKTRACE");
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&text(command)).expect("JSON")
}

fn is_there(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn without_a_command_it_says_what_to_do_next() {
    let home = folder();
    let shown = text(&mut host(home.path()));
    assert!(shown.contains("host-trainer demo") && !shown.contains("There is a folder"), "{shown}");
    std::fs::create_dir(home.path().join("raw_data")).expect("creates");
    assert!(text(&mut host(home.path())).contains("There is a folder `raw_data` here"));
}

#[test]
fn shells_and_man_take_what_is_generated() {
    let home = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(host(home.path()).args(["completions", shell]));
        assert!(script.contains("trt-engine-path") && script.contains("promote"), "{shell}");
        let path = home.path().join(shell);
        std::fs::write(&path, script).expect("writes");
        if is_there(shell) {
            let output = Command::new(shell).arg("-n").arg(&path).output().expect("the shell runs");
            assert!(output.status.success(), "{shell}: {}", said(&output));
        }
        assert!(shell != "bash" || is_there("bash"), "bash is everywhere");
    }
    text(host(home.path()).args(["man", "man1"]));
    let page = home.path().join("man1/host-trainer-models-promote.1");
    assert!(page.is_file());
    if is_there("man") {
        let output = Command::new("man").arg("-l").arg(&page).env("LC_ALL", "C.UTF-8").output().expect("man runs");
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn the_command_line_is_data_and_the_version_says_what_was_built() {
    let home = folder();
    let all = json(host(home.path()).args(["help", "--json"]));
    let commands = all["commands"].as_array().expect("commands");
    let predict = commands.iter().find(|command| command["name"] == "predict").expect("predict");
    let option =
        predict["options"].as_array().expect("options").iter().find(|o| o["flag"] == "--onnxruntime").expect("it");
    assert_eq!(option["environment"], "HOST_TRAINER_ONNXRUNTIME");
    let models = commands.iter().find(|command| command["name"] == "models").expect("models");
    assert!(
        models["commands"].as_array().is_some_and(|below| below.iter().any(|command| command["name"] == "promote"))
    );
    let version = text(host(home.path()).arg("--version"));
    assert!(version.contains("\ncommit ") && version.contains("\nONNX Runtime: none ("), "{version}");
    let wrong = run(host(home.path()).args(["help", "models", "promot"]));
    assert!(said(&wrong).contains("did you mean `promote`?"), "{}", said(&wrong));
}

#[test]
fn a_configuration_file_sets_options_and_a_folder_that_was_downloaded_does_not() {
    let home = folder();
    let config = home.path().join("config/layerjoule/host-trainer.toml");
    std::fs::create_dir_all(config.parent().expect("a folder")).expect("creates");
    std::fs::write(&config, "[predict]\nmodels = \"from-the-file\"\n").expect("writes");
    std::fs::write(home.path().join("host-trainer.toml"), "[predict]\nmodels = \"from-here\"\n").expect("writes");
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json");
    let output = run(host(home.path()).args(["predict", "--trt-engine-path", engine]));
    assert!(said(&output).contains("from-the-file"), "{}", said(&output));
    let output =
        run(host(home.path()).args(["predict", "--trt-engine-path", engine]).env("HOST_TRAINER_MODELS", "by-variable"));
    assert!(said(&output).contains("by-variable"), "{}", said(&output));
    let shown = text(host(home.path()).args(["config", "show", "predict", "--origin"]));
    let line = shown.lines().find(|line| line.starts_with("models = ")).expect("the option");
    assert!(line.contains("from-the-file") && line.ends_with("host-trainer.toml"), "{line}");
}

#[test]
fn a_mistyped_file_gets_a_near_name() {
    let home = folder();
    std::fs::write(home.path().join("resnet18.json"), "{}").expect("writes");
    let output = run(host(home.path()).args(["predict", "--trt-engine-path", "resnt18.json"]));
    assert!(said(&output).contains("did you mean `resnet18.json`?"), "{}", said(&output));
}

#[test]
fn the_demo_goes_the_whole_path_and_leaves_nothing_behind_unless_asked() {
    let home = folder();
    let agent = agent();
    let dry = text(host(home.path()).args(["demo", "--dry-run"]));
    assert!(dry.contains("jetson-agent profile --runner simulated") && dry.contains("host-trainer fit "), "{dry}");
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).expect("creates");
    let output = run(host(home.path()).arg("demo").arg("--agent").arg(&agent).env("TMPDIR", &temporary));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("off by") && shown.contains("energy"), "{shown}");
    let said_all = said(&output);
    assert!(
        said_all.contains("$ host-trainer align --raw-data-dir raw_data") && said_all.contains("7/7"),
        "{said_all}"
    );
    assert_eq!(std::fs::read_dir(&temporary).expect("reads").count(), 0, "the temporary folder is gone");

    let output = run(host(home.path()).args(["demo", "--dir", "kept"]).arg("--agent").arg(&agent));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(home.path().join("kept/report.html").is_file() && home.path().join("kept/models").is_dir());
    let again = run(host(home.path()).args(["demo", "--dir", "kept"]).arg("--agent").arg(&agent));
    assert!(again.status.code() == Some(2) && said(&again).contains("is not empty"), "{}", said(&again));
    trace_of(home.path());
}

#[test]
fn an_interrupted_demo_removes_its_temporary_folder() {
    let home = folder();
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).expect("creates");
    let mut command = host(home.path());
    command.arg("demo").arg("--agent").arg(agent()).env("TMPDIR", &temporary);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    // A group of its own, which the signal of a terminal goes to.
    let mut child = command.process_group(0).spawn().expect("starts");
    let begun =
        || std::fs::read_dir(&temporary).expect("reads").flatten().any(|it| it.path().join("raw_data").is_dir());
    while !begun() && child.try_wait().expect("waits").is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-s", "INT", "--", &group]).status().expect("kill runs").success());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).ends_with("error: interrupted\n"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(&temporary).expect("reads").count(), 0, "the temporary folder is gone");
}

/// A trace of one of the demo's runs, with energies that add up to those of its rows.
fn trace_of(home: &Path) {
    let options = [
        "trace",
        "kept/raw_data/lenet",
        "--preprocessed-data-dir",
        "kept/preprocessed_data",
        "--cycles",
        "5",
        "--out",
        "t.json",
    ];
    let output = run(host(home).args(options));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let trace: Value =
        serde_json::from_str(&std::fs::read_to_string(home.join("t.json")).expect("reads")).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let layers: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X" && event["tid"] == 3).collect();
    assert!(!layers.is_empty() && layers.len().is_multiple_of(5), "{}", layers.len());
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"));
    // Layers of one track never overlap, or Perfetto drops them.
    let mut spans: Vec<(f64, f64)> = layers.iter().map(|event| (number(&event["ts"]), number(&event["dur"]))).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(spans.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0 + 1e-3), "layers overlap");
    let with_energy = layers.iter().filter(|event| event["args"]["energy_mj"].is_number()).count();
    assert!(with_energy > 0, "no layer has an energy");
    for event in layers.iter().filter(|event| event["args"]["energy_mj"].is_number()) {
        let energy = number(&event["args"]["power_w"]) * number(&event["dur"]) * 1e-3;
        assert!((energy - number(&event["args"]["energy_mj"])).abs() < 1e-3 * energy.abs() + 1e-6, "{event}");
    }
    assert!(events.iter().any(|event| event["ph"] == "C" && event["name"] == "VDD_IN (W)"));
    let nothing = run(host(home).args(["trace", "kept/raw_data/lenett"]));
    assert!(nothing.status.code() == Some(2), "{}", said(&nothing));
}

/// What a command that must fail says, with its exit code.
fn refused(command: &mut Command, code: i32) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json");
const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../trained_models");

#[test]
fn a_picture_for_an_engine_is_refused_with_what_would_do() {
    let home = folder();
    std::fs::write(home.path().join("cat.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect("writes");
    let text = refused(host(home.path()).args(["predict", "--trt-engine-path", "cat.png", "--models", MODELS]), 3);
    assert!(text.starts_with("error: cat.png: ") && text.contains("hint: "), "{text}");
}

#[test]
fn a_large_serialised_engine_and_a_file_without_its_option_are_told_what_to_do() {
    let home = folder();
    let engine = home.path().join("model.engine");
    std::fs::write(&engine, b"ftrt\0\0\0\0").expect("writes");
    std::fs::OpenOptions::new().write(true).open(&engine).expect("opens").set_len(65 << 20).expect("grows");
    let text = refused(host(home.path()).args(["predict", "--trt-engine-path", "model.engine", "--models", MODELS]), 3);
    assert!(text.contains("hint: export its description: `trtexec --loadEngine="), "{text}");
    let text = refused(host(home.path()).args(["predict", "model.engine"]), 2);
    assert!(text.contains("name what to read by '--trt-engine-path <FILE|DIR>' or '--onnx "), "{text}");
}

#[test]
fn without_models_the_folder_and_the_next_step_are_named() {
    let home = folder();
    let text = refused(host(home.path()).args(["predict", "--trt-engine-path", ENGINE]), 5);
    assert!(text.contains("trained_models: ") && text.contains("hint: ") && text.contains("--models"), "{text}");
}

#[test]
fn an_unknown_device_gets_a_near_name_and_the_list() {
    let home = folder();
    let options = ["predict", "--trt-engine-path", ENGINE, "--models", MODELS, "--device", "orin-nani"];
    let text = refused(host(home.path()).args(options), 2);
    assert!(text.contains("`orin-nano`") && text.contains("hint: there are models for agx-orin, "), "{text}");
}

#[test]
fn files_that_may_not_be_read_or_written_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let home = folder();
    let secret = home.path().join("engine.json");
    std::fs::copy(ENGINE, &secret).expect("copies");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).expect("sets");
    // Root may read everything unless its capabilities are taken away.
    let options = ["predict", "--models", MODELS, "--trt-engine-path"];
    let mut command = host(home.path());
    if std::fs::read(&secret).is_ok() {
        command = Command::new("setpriv");
        command.args(["--bounding-set=-all", env!("CARGO_BIN_EXE_host-trainer")]).current_dir(home.path());
    }
    let text = refused(command.args(options).arg(&secret), 5);
    assert!(text.contains("engine.json: cannot read: permission denied\nhint: check who may read"), "{text}");
}

#[test]
fn a_port_that_is_taken_is_named_with_another_way() {
    let home = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("an address").to_string();
    let options = ["serve", "--models", MODELS, "--state", "state", "--listen", &address];
    let text = refused(host(home.path()).args(options), 5);
    assert!(text.contains(&format!("cannot listen on {address}: ")) && text.contains("port: choose another"), "{text}");
    assert!(!text.contains("INFO"), "told before anything is begun: {text}");
}

#[test]
fn a_second_server_on_a_state_folder_is_told_who_has_it() {
    let home = folder();
    let options = ["serve", "--models", MODELS, "--state", "state", "--listen", "127.0.0.1:0", "--port-file"];
    let mut first = host(home.path())
        .args(options)
        .arg("port")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let port = || std::fs::read_to_string(home.path().join("port")).unwrap_or_default().trim().to_owned();
    let begun = Instant::now();
    while port().is_empty() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = refused(host(home.path()).args(options).arg("second"), 2);
    let who = format!("process {} at http://127.0.0.1:{}", first.id(), port());
    first.kill().expect("ends");
    first.wait().expect("ends");
    assert!(text.contains("state: is in use by another server") && text.contains(&who), "{who}: {text}");
    assert!(text.contains("hint: stop that server, or name another folder by --state"), "{text}");
    assert!(!home.path().join("second").exists(), "the second served");
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_file() {
    let home = folder();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let mut command = host(home.path());
    command.args(["predict", "--trt-engine-path", ENGINE, "--models", MODELS, "--format", "json"]).stdout(full);
    let text = refused(&mut command, 5);
    assert!(text.contains("cannot write to stdout: the disk is full\nhint: free some space"), "{text}");
    // A disk of its own takes a mount.
    let script = "mount -t tmpfs -o size=4k tmpfs small && \"$@\"";
    let engine = ENGINE.replace("lenet", "resnet50");
    std::fs::create_dir(home.path().join("small")).expect("creates");
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_host-trainer")])
        .args(["predict", "--models", MODELS, "--trt-engine-path", &engine, "--result-csv-path", "small/all.csv"])
        .current_dir(home.path())
        .output();
    match output {
        Ok(output) if output.status.code() == Some(5) => {
            let text = said(&output);
            assert!(text.contains("small/all.csv: cannot write: the disk is full\nhint: free some space"), "{text}");
        }
        Ok(output) if output.status.success() => panic!("the disk was not full: {}", said(&output)),
        other => eprintln!("skipped: no mount here: {other:?}"),
    }
}

#[test]
fn a_prediction_needs_no_network_and_a_store_that_is_out_of_reach_is_named() {
    let home = folder();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let store = format!("http://{closed}/models");
    let options = ["predict", "--trt-engine-path", ENGINE, "--store", &store];
    let text = refused(host(home.path()).env("XDG_CACHE_HOME", home.path()).args(options), 5);
    assert!(text.contains(&store) && text.contains("hint: "), "{text}");
    let output = Command::new("unshare")
        .args(["--net", "--map-root-user", env!("CARGO_BIN_EXE_host-trainer"), "--quiet"])
        .args(["predict", "--models", MODELS, "--trt-engine-path", ENGINE])
        .output();
    match output {
        Ok(output) if said(&output).contains("unshare") => eprintln!("skipped: {}", said(&output)),
        Ok(output) => assert!(output.status.success(), "{}", said(&output)),
        Err(e) => eprintln!("skipped: no unshare here: {e}"),
    }
}
