//! Campaigns: what is measured of a plan, what becomes of what cannot be, and that the same command goes on wherever it was cut off.

use crate::onnx_file::{bytes, initializer, node, number, value};
use crate::support::{agent, code, json, orin_nano, run, stderr, tree, wait_until};
use jetson_agent::onnx::components;
use shared::campaign::{
    CampaignPlan, Expectation, FORMAT_VERSION, ItemKind, Outcome, PROGRESS_FILE, PlanItem, ProgressLog,
};
use shared::random::SplitMix64;
use shared::run_folder::{Manifest, RunFolder, Status};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LENET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json");

fn item(id: &str, kind: ItemKind) -> PlanItem {
    PlanItem {
        id: id.into(),
        kind,
        onnx: format!("models/{id}.onnx"),
        engine_info: format!("models/{id}.json"),
        precision: "fp32".into(),
        pass_s: 0.15,
        inferences: 300,
        expected_s: 0.5,
        gain: 0.1,
        held_out: false,
    }
}

/// A plan whose items are all of one small network; those whose name begins with `broken` hold nothing.
fn write_plan(home: &Path, ids: &[&str], modes: &[&str]) -> CampaignPlan {
    let plan = CampaignPlan {
        format_version: FORMAT_VERSION,
        program: "test".into(),
        board: "orin-nano".into(),
        modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
        power: true,
        time_s: 3600.0,
        seed: 1,
        strategy: "plan".into(),
        expectation: Expectation::default(),
        items: ids.iter().map(|id| item(id, ItemKind::Network)).collect(),
    };
    let folder = home.join("plan");
    std::fs::create_dir_all(folder.join("models")).expect("creates");
    for item in &plan.items {
        let engine = if item.id.starts_with("broken") { b"{}".to_vec() } else { std::fs::read(LENET).expect("reads") };
        std::fs::write(folder.join(&item.engine_info), engine).expect("writes");
        std::fs::write(folder.join(&item.onnx), "not looked at").expect("writes");
    }
    plan.write(&folder).expect("writes");
    plan
}

fn campaign(home: &Path, extra: &[&str]) -> Command {
    let mut command = agent(home);
    command.args(["campaign", "plan", "--runner", "simulated", "--idle", "300ms", "--rest", "20ms"]).args(extra);
    command
}

fn progress(home: &Path) -> ProgressLog {
    ProgressLog::read(&home.join("plan")).expect("reads")
}

fn status(home: &Path, run: &str) -> Status {
    Manifest::read(&home.join("plan/runs").join(run).join("manifest.json")).expect("reads").status
}

#[test]
fn what_fails_is_named_and_the_others_are_measured() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a", "broken", "b"], &[]);
    let output = run(&mut campaign(home.path(), &["--simulate-fast", "--format", "json"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer = json(&output);
    assert_eq!((answer["done"].as_u64(), answer["left"].as_u64()), (Some(2), Some(0)), "{answer}");
    assert_eq!(answer["faults"][0]["item"], "broken");
    assert!(!answer["faults"][0]["reason"].as_str().expect("a reason").is_empty());
    assert!(
        answer["latencies"][0]["latency"]["p99_ms"].as_f64() >= answer["latencies"][0]["latency"]["p50_ms"].as_f64()
    );
    assert!(home.path().join("plan/runs/idling_power.json").exists());
    assert_eq!((status(home.path(), "a"), status(home.path(), "b")), (Status::Complete, Status::Complete));
    // Nothing is left: neither what is done nor what failed is run again.
    let before = progress(home.path());
    assert_eq!(code(&run(&mut campaign(home.path(), &["--simulate-fast"]))), 0);
    assert_eq!(progress(home.path()), before);
    std::fs::copy(LENET, home.path().join("plan/models/broken.json")).expect("copies");
    assert_eq!(code(&run(&mut campaign(home.path(), &["--simulate-fast", "--retry-failed"]))), 0);
    assert_eq!(progress(home.path()).latest()[&(None, "broken")].outcome, Outcome::Done);
}

#[test]
fn a_runner_that_is_not_there_fails_no_item() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut plan = write_plan(home.path(), &["a", "b"], &[]);
    (plan.board, plan.power) = ("cpu".into(), false);
    plan.write(&home.path().join("plan")).expect("writes");
    let output = run(agent(home.path()).args(["campaign", "plan", "--onnxruntime", "/nonexistent/libonnxruntime.so"]));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("--onnxruntime"), "{}", stderr(&output));
    assert!(progress(home.path()).records.is_empty());
}

#[test]
fn a_plan_of_which_nothing_runs_is_a_failure() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["broken"], &[]);
    let output = run(&mut campaign(home.path(), &["--simulate-fast"]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("nothing was measured"), "{}", stderr(&output));
}

#[test]
fn other_versions_unknown_keys_and_second_sessions_are_refused() {
    let home = tempfile::tempdir().expect("temporary folder");
    let plan = write_plan(home.path(), &["a"], &[]);
    let path = home.path().join("plan/plan.json");
    let with = |key: &str, value: serde_json::Value| {
        let mut changed = serde_json::to_value(&plan).expect("serialises");
        changed[key] = value;
        std::fs::write(&path, changed.to_string()).expect("writes");
        let output = run(&mut campaign(home.path(), &["--simulate-fast"]));
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        stderr(&output)
    };
    assert!(with("format_version", 2.into()).contains("version 2"));
    assert!(with("repeats", 2.into()).contains("repeats"));
    assert!(!home.path().join("plan/runs").exists());
    plan.write(&home.path().join("plan")).expect("writes");
    let open = jetson_agent::session::CampaignLog::open(&home.path().join("plan")).expect("opens");
    let output = run(&mut campaign(home.path(), &["--simulate-fast"]));
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("another session"), "{}", stderr(&output));
    drop(open);
}

/// Ten sessions, each killed at another moment; the last one ends by itself.
#[test]
fn killed_at_random_moments_nothing_is_lost() {
    let home = tempfile::tempdir().expect("temporary folder");
    let ids = ["a", "b", "broken", "c", "d", "e", "f", "g"];
    write_plan(home.path(), &ids, &[]);
    let mut random = SplitMix64::new(7);
    let mut done: Vec<String> = Vec::new();
    for kill in 0..10 {
        let mut command = campaign(home.path(), &["--quiet", "--no-realtime"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(Duration::from_secs_f64(0.1 + 0.9 * random.uniform()));
        child.kill().expect("kills");
        child.wait().expect("waits");
        let log = progress(home.path());
        let recorded: Vec<String> = log.records.iter().map(|record| record.item.clone()).collect();
        assert!(recorded.starts_with(&done), "kill {kill}: {recorded:?} after {done:?}");
        done = recorded;
    }
    let last = run(&mut campaign(home.path(), &["--no-realtime"]));
    assert_eq!(code(&last), 0, "{}", stderr(&last));
    let log = progress(home.path());
    assert!(log.damage.is_clean(), "{:?}", log.damage);
    for id in ids {
        let records = log.records.iter().filter(|record| record.item == id).count();
        assert_eq!(records, 1, "{id} was recorded {records} times");
        if id == "broken" {
            assert_eq!(log.latest()[&(None, id)].outcome, Outcome::Failed);
        } else {
            assert_eq!((log.latest()[&(None, id)].outcome, status(home.path(), id)), (Outcome::Done, Status::Complete));
        }
    }
    // What was cut off is sealed and set aside.
    for entry in std::fs::read_dir(home.path().join("plan/runs")).expect("lists").flatten() {
        if let Ok(manifest) = Manifest::read(&entry.path().join("manifest.json")) {
            assert_ne!(manifest.status, Status::Running, "{}", entry.path().display());
        }
    }
}

#[test]
fn an_interrupted_campaign_ends_whole_and_goes_on() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a", "b", "c"], &[]);
    let mut child = campaign(home.path(), &["--no-realtime"]).stdout(Stdio::null()).spawn().expect("starts");
    wait_until(&mut child, "it has measured an item", || !progress(home.path()).records.is_empty());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("runs").success());
    assert_eq!(child.wait().expect("waits").code(), Some(130));
    let before = progress(home.path()).records.len();
    assert!((1..3).contains(&before));
    let output = run(&mut campaign(home.path(), &["--no-realtime"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!((0..3).all(|i| status(home.path(), ["a", "b", "c"][i]) == Status::Complete));
}

#[test]
fn the_time_ends_a_campaign_and_more_of_it_goes_on() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a", "b"], &[]);
    let output = run(&mut campaign(home.path(), &["--simulate-fast", "--time", "400ms"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("2 items are left"), "{}", stderr(&output));
    let output = run(&mut campaign(home.path(), &["--simulate-fast", "--time", "10m"]));
    assert_eq!((code(&output), progress(home.path()).records.len()), (0, 2), "{}", stderr(&output));
}

/// A board with a program that sets its modes: by writing where the real one does.
fn board_with_modes(home: &Path) {
    orin_nano(home);
    let program = "#!/bin/sh\ncase $2 in 1) echo 'mode 1 is not supported' >&2; exit 1;; esac\n\
                   printf 'pmode:%04d\\n' \"$2\" >\"$(dirname \"$0\")/../../var/lib/nvpmodel/status\"\n";
    tree(home, &[("usr/sbin/nvpmodel", program)]);
    let modes = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >";
    tree(home, &[("etc/nvpmodel.conf", modes)]);
    let path = home.join("usr/sbin/nvpmodel");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("sets");
}

fn with_root<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command.env("JETSON_AGENT_ROOT", home)
}

fn mode(home: &Path) -> String {
    std::fs::read_to_string(home.join("var/lib/nvpmodel/status")).expect("reads").trim().to_owned()
}

#[test]
fn modes_are_set_restored_and_skipped_where_they_cannot_be_set() {
    let home = tempfile::tempdir().expect("temporary folder");
    board_with_modes(home.path());
    write_plan(home.path(), &["a"], &["15W", "7W", "MAXN_SUPER", "99W"]);
    let refused = run(with_root(&mut campaign(home.path(), &["--simulate-fast"]), home.path()));
    assert_eq!(code(&refused), 2, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--set-modes") && mode(home.path()) == "pmode:0002", "{}", stderr(&refused));
    let output = run(with_root(&mut campaign(home.path(), &["--simulate-fast", "--set-modes"]), home.path()));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(mode(home.path()), "pmode:0002");
    for name in ["15W", "MAXN_SUPER"] {
        let manifest =
            Manifest::read(&home.path().join("plan/runs").join(name).join("a/manifest.json")).expect("reads");
        assert_eq!((manifest.status, manifest.board.power_mode_name.as_deref()), (Status::Complete, Some(name)));
    }
    let log = progress(home.path());
    let skipped = |name| log.latest()[&(Some(name), "a")].clone();
    assert_eq!((skipped("7W").outcome, skipped("99W").outcome), (Outcome::Skipped, Outcome::Skipped));
    assert!(skipped("7W").reason.expect("a reason").contains("mode 1 is not supported"));
    assert!(skipped("99W").reason.expect("a reason").contains("15W, 7W, MAXN_SUPER"));
}

#[test]
fn the_mode_is_restored_when_the_agent_is_killed() {
    let home = tempfile::tempdir().expect("temporary folder");
    board_with_modes(home.path());
    write_plan(home.path(), &["a", "b", "c", "d"], &["15W"]);
    let mut command = campaign(home.path(), &["--set-modes", "--no-realtime", "--quiet"]);
    let mut child = with_root(&mut command, home.path()).stdout(Stdio::null()).spawn().expect("starts");
    wait_until(&mut child, "the mode is set", || mode(home.path()) == "pmode:0000");
    child.kill().expect("kills");
    child.wait().expect("waits");
    let began = std::time::Instant::now();
    while mode(home.path()) != "pmode:0002" {
        assert!(began.elapsed() < Duration::from_secs(60), "the mode is still {}", mode(home.path()));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_board_that_becomes_steady_says_when() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a"], &[]);
    let extra = ["--until-steady", "--steady-stretch", "60ms", "--no-realtime", "--format", "json"];
    let output = run(&mut campaign(home.path(), &extra));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer = json(&output);
    let steady = &answer["steady"][0][1];
    assert!(steady["stretches"].as_u64() >= Some(2) && steady["first_ms"].as_f64() > Some(0.0), "{answer}");
    assert!(steady["throttle_events"].is_null(), "there is no counter");
    assert!(home.path().join("plan/steady/a-0/manifest.json").exists());
}

/// Whether a process is there and not a zombie.
fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !(stat.is_empty() || stat.contains(") Z ") || stat.contains(") X "))
}

#[test]
fn an_engine_that_hangs_is_ended_with_its_processes_and_the_next_item_follows() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut plan = write_plan(home.path(), &["a", "hangs-building", "hangs-running", "b"], &[]);
    (plan.power, plan.time_s) = (false, 90.0);
    // By what those that hang take, the last one would no longer fit into the time.
    for (item, expected_s) in plan.items.iter_mut().zip([2.0, 0.1, 0.1, 6.0]) {
        item.expected_s = expected_s;
    }
    plan.write(&home.path().join("plan")).expect("writes");
    let stand_in = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/trtexec");
    // Long enough for a busy machine to run what does not hang.
    let extra = ["campaign", "plan", "--trtexec", stand_in, "--item-limit", "12s", "--format", "json"];
    let output = run(agent(home.path()).args(extra));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer = json(&output);
    assert_eq!((answer["done"].as_u64(), answer["left"].as_u64()), (Some(2), Some(0)), "{answer}");
    let log = progress(home.path());
    for (item, call) in [("hangs-building", "build"), ("hangs-running", "power")] {
        let record = log.latest()[&(None, item)].clone();
        let reason = record.reason.clone().expect("a reason");
        assert_eq!(record.outcome, Outcome::Failed);
        assert!(reason.contains("within 12 s, its limit") && reason.contains(call), "{reason}");
        assert!((12.0..60.0).contains(&record.seconds), "{record:?}");
        let said = home.path().join("plan/runs").join(item).join(format!("trtexec/trtexec_{call}.log"));
        let said = std::fs::read_to_string(said).expect("reads");
        let process = said.lines().find_map(|line| line.strip_prefix("hangs with ")).expect("a process below it");
        // The kernel gets to it.
        let began = std::time::Instant::now();
        while is_alive(process) {
            assert!(began.elapsed() < Duration::from_secs(60), "{item}: process {process} is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert_eq!(status(home.path(), "hangs-running"), Status::Failed);
    assert_eq!((status(home.path(), "a"), status(home.path(), "b")), (Status::Complete, Status::Complete));
}

#[test]
fn what_cannot_be_ended_ends_the_agent_and_is_not_tried_again() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a", "b"], &[]);
    let hang = ["--no-realtime", "--simulate-hang-at", "3", "--item-limit", "2s", "--item-grace", "100ms"];
    let output = run(&mut campaign(home.path(), &hang));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("the agent ends with it"), "{}", stderr(&output));
    assert_eq!(progress(home.path()).latest()[&(None, "a")].outcome, Outcome::Failed);
    let output = run(&mut campaign(home.path(), &["--no-realtime"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let log = progress(home.path());
    assert_eq!(
        (log.latest()[&(None, "a")].outcome, log.latest()[&(None, "b")].outcome),
        (Outcome::Failed, Outcome::Done)
    );
}

#[test]
fn an_item_that_takes_too_long_without_hanging_is_ended_after_its_cycle() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut plan = write_plan(home.path(), &["long", "b"], &[]);
    (plan.items[0].pass_s, plan.items[0].inferences) = (600.0, 1_000_000);
    plan.write(&home.path().join("plan")).expect("writes");
    let output = run(&mut campaign(home.path(), &["--no-realtime", "--item-limit", "8s"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let log = progress(home.path());
    assert_eq!(
        (log.latest()[&(None, "long")].outcome, log.latest()[&(None, "b")].outcome),
        (Outcome::Failed, Outcome::Done)
    );
    assert_eq!(status(home.path(), "long"), Status::Failed, "what was measured is no complete run");
}

/// What ends one item must not be there when the next one begins: a run without a cycle would count as complete.
#[test]
fn a_sensor_that_is_lost_with_every_item_leaves_no_empty_run() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path(), &["a", "b"], &[]);
    let output = run(&mut campaign(home.path(), &["--no-realtime", "--simulate-sensor-loss-after", "40"]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let log = progress(home.path());
    for item in ["a", "b"] {
        assert_eq!((log.latest()[&(None, item)].outcome, status(home.path(), item)), (Outcome::Failed, Status::Failed));
    }
}

fn side_by_side(second: &str) -> Vec<u8> {
    let graph = [
        node("MatMul", "layer0", &["x0", "w0"], "p", &[]),
        node("Relu", "layer0_relu", &["p"], "y0", &[]),
        node(second, "layer1", &["x1"], "y1", &[]),
        bytes(2, b"two"),
        bytes(5, &initializer("w0", &[8, 8])),
        bytes(11, &value("x0", &[1, 8])),
        bytes(11, &value("x1", &[1, 16])),
        bytes(12, &value("y0", &[1, 8])),
        bytes(12, &value("y1", &[1, 16])),
    ];
    [number(1, 8), bytes(8, &number(2, 13)), bytes(7, &graph.concat())].concat()
}

#[test]
fn layers_side_by_side_are_parts_of_their_own() {
    let parts = components(&side_by_side("Relu")).expect("reads");
    let names: Vec<Vec<&str>> = parts.iter().map(|part| part.iter().map(String::as_str).collect()).collect();
    assert_eq!(names, [vec!["layer0", "layer0_relu"], vec!["layer1"]]);
    assert!(components(b"no model").is_err());
}

/// One layer that the library does not know keeps the whole file from running, and not the other layer.
#[test]
#[ignore = "needs the library that JETSON_AGENT_ONNXRUNTIME names"]
fn onnxruntime_layers_are_measured_one_by_one_where_the_file_fails() {
    let library = crate::onnxruntime::library();
    let home = tempfile::tempdir().expect("temporary folder");
    let mut plan = write_plan(home.path(), &["broken-network", "layers-001", "layers-002"], &[]);
    (plan.board, plan.power) = ("cpu".into(), false);
    plan.items.iter_mut().skip(1).for_each(|item| item.kind = ItemKind::Layers);
    let folder = home.path().join("plan");
    plan.write(&folder).expect("writes");
    std::fs::write(folder.join("models/layers-001.onnx"), side_by_side("Nonsense")).expect("writes");
    std::fs::write(folder.join("models/layers-002.onnx"), side_by_side("Relu")).expect("writes");
    let output = run(agent(home.path()).args(["campaign", "plan", "--onnxruntime", &library, "--format", "json"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer = json(&output);
    assert_eq!((answer["done"].as_u64(), answer["faults"][0]["item"].as_str()), (Some(2), Some("broken-network")));
    assert_eq!(status(home.path(), "layers-001-layer0"), Status::Complete);
    assert_eq!(status(home.path(), "layers-002"), Status::Complete);
    let reason = progress(home.path()).latest()[&(None, "layers-001")].reason.clone().expect("a reason");
    assert!(reason.contains("1 of 2") && reason.contains("layer 1"), "{reason}");
    let run_folder = RunFolder::new(&folder.join("runs"), "layers-002");
    assert!(run_folder.engine_info().exists() && folder.join(PROGRESS_FILE).exists());
}
