//! `measure`: the energy of commands, held against loads that are known.

use crate::support::{agent, code, ina3221, json, orin_nano, run, stderr, tree, wait_until};
use crate::terminal::Terminal;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// `measure` on the simulated board.
fn simulated(folder: &Path, options: &[&str], command: &[&str]) -> Command {
    let mut agent = agent(folder);
    agent.args(["--quiet", "measure", "--source", "simulated", "--no-realtime"]).args(options).arg("--").args(command);
    agent
}

fn result(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("out.json")).expect("a result");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[test]
fn the_energy_of_a_known_load_lies_in_its_interval_behind_a_fast_and_a_slow_sensor() {
    let home = folder();
    // The boot script's filter of 0.43 s sees a command of half a second only in part while it runs.
    for sensor in ["ina3221-fast", "ina3221-boot", "powersensor3", "rapl"] {
        let options = ["--simulate-sensor", sensor, "--simulate-watts", "6", "--json", "-o", "out.json"];
        let output = run(&mut simulated(home.path(), &options, &["sleep", "0.5"]));
        assert_eq!(code(&output), 0, "{sensor}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{sensor}: {}", stderr(&output));
        let result = result(home.path());
        let (above, whole) = (&result["total"]["above_idle"], &result["total"]["energy"]);
        let seconds = number(&result["seconds"]);
        assert!((0.5..5.0).contains(&seconds), "{sensor}: {seconds}");
        // On a busy machine the command is started and found ended some milliseconds before and after the board knows it.
        let slack = 6.0 * 0.02;
        for (estimate, watts) in [(above, 6.0), (whole, 10.2)] {
            let error = (number(&estimate["joules"]) - watts * seconds).abs();
            let uncertainty = number(&estimate["uncertainty_joules"]);
            assert!(error <= 2.0 * uncertainty + slack, "{sensor}: {estimate} for {} J", watts * seconds);
            assert!(uncertainty < 0.35 * watts * seconds, "{sensor}: {estimate} says nothing");
        }
        assert_eq!(result["total_is"], "VDD_IN");
        assert!(number(&result["agent_joules_at_most"]) > 0.0);
        assert!(number(&result["agent_cpu_seconds"]) > 0.0);
    }
}

#[test]
fn a_slow_sensor_is_waited_for_unless_told_otherwise() {
    let home = folder();
    let options = ["--simulate-sensor", "ina3221-boot", "--settle", "100ms", "--json", "-o", "out.json"];
    let output = run(&mut simulated(home.path(), &options, &["sleep", "0.5"]));
    assert_eq!(code(&output), 0);
    let short = result(home.path());
    let lost = 5.0 * number(&short["seconds"]) - number(&short["total"]["above_idle"]["joules"]);
    // What 0.6 s show of a step behind a lag of 0.43 s.
    assert!(lost > 0.5, "{short}");
    assert!(number(&short["settling_seconds"]) < 0.2);
}

#[test]
fn exit_codes_and_streams_are_those_of_the_command() {
    let home = folder();
    let quick = ["--idle", "300ms"];
    let output = run(&mut simulated(home.path(), &quick, &["sh", "-c", "echo out; echo err >&2; exit 7"]));
    assert_eq!((code(&output), String::from_utf8_lossy(&output.stdout).as_ref()), (7, "out\n"));
    let said = stderr(&output);
    assert!(said.starts_with("err\n") && said.contains("exit code 7") && said.contains("above idle"), "{said}");
    let output = run(&mut simulated(home.path(), &quick, &["sh", "-c", "kill -TERM $$"]));
    assert_eq!(code(&output), 128 + 15);
    assert!(stderr(&output).contains("ended by signal 15"));
    for (command, expected) in [("no-such-program-here", 127), ("/etc/passwd", 126)] {
        let output = run(&mut simulated(home.path(), &[], &[command]));
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        assert!(stderr(&output).starts_with(&format!("error: {command}: cannot run")), "{}", stderr(&output));
    }
    // To stdout only when asked for.
    let output = run(&mut simulated(home.path(), &["--idle", "0", "--json", "-o", "-"], &["true"]));
    let value = json(&output);
    assert_eq!((value["exit_code"].as_i64(), value["total"]["above_idle"].is_null()), (Some(0), true));
    // The command's stdin is its own.
    let mut child =
        simulated(home.path(), &quick, &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"through").expect("writes");
    let output = child.wait_with_output().expect("waits");
    assert_eq!(output.stdout, b"through");
}

#[test]
fn signals_reach_the_command_and_end_the_measurement_before_it() {
    let home = folder();
    let script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.02; done";
    let mut child = simulated(home.path(), &["--idle", "300ms", "--json", "-o", "out.json"], &["sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdout = child.stdout.take().expect("piped");
    let mut ready = [0; 6];
    stdout.read_exact(&mut ready).expect("the command says that it is ready");
    signal(child.id(), libc::SIGINT);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("reads");
    assert_eq!((child.wait().expect("waits").code(), rest.as_str()), (Some(9), "caught\n"));
    assert_eq!(result(home.path())["exit_code"], 9);

    // Before the command: it is not started.
    let mut child = simulated(home.path(), &["--idle", "1h"], &["touch", "started"]).spawn().expect("starts");
    // The handler is in place when the process has more than one thread: the sampler's.
    let tasks = format!("/proc/{}/task", child.id());
    wait_until(&mut child, "it samples", || std::fs::read_dir(&tasks).is_ok_and(|tasks| tasks.count() > 1));
    signal(child.id(), libc::SIGTERM);
    assert_eq!(child.wait().expect("waits").code(), Some(130));
    assert!(!home.path().join("started").exists());
}

/// At a terminal Ctrl-C goes to the whole foreground group: the command gets it once, not once more from the agent.
#[test]
fn ctrl_c_at_a_terminal_reaches_the_command_once() {
    let home = folder();
    let script = "n=0; trap 'n=$((n+1))' INT; echo ready; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.05; done; exit $((40+n))";
    let mut command = simulated(home.path(), &["--idle", "300ms", "--json", "-o", "out.json"], &["sh", "-c", script]);
    let mut terminal = Terminal::start(&mut command, 80, 24);
    terminal.wait_for("ready");
    terminal.press(b"\x03");
    let (code, output, same) = terminal.finish();
    assert_eq!((code, same), (Some(41), true), "{output}");
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: no memory is passed; the child has not been waited for.
    assert_eq!(unsafe { libc::kill(i32::try_from(pid).expect("a process"), signal) }, 0);
}

#[test]
fn a_board_without_a_sensor_does_not_run_the_command() {
    let home = folder();
    let output = run(agent(home.path()).args(["measure", "--", "touch", "started"]));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("--source serial") && !home.path().join("started").exists());
}

#[test]
fn rails_of_a_board_are_told_apart_and_their_limits_come_from_the_data_sheet() {
    let home = folder();
    orin_nano(home.path());
    let root = home.path().to_str().expect("UTF-8");
    let options = [
        "--root", root, "measure", "--idle", "1s", "--settle", "200ms", "--json", "-o", "out.json", "--", "sleep",
        "0.3",
    ];
    let output = run(agent(home.path()).args(options));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let result = result(home.path());
    let labels: Vec<&str> =
        result["rails"].as_array().expect("rails").iter().filter_map(|r| r["label"].as_str()).collect();
    assert_eq!(labels, ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]);
    let seconds = number(&result["seconds"]);
    assert!((number(&result["total"]["energy"]["joules"]) - 5.488_768 * seconds).abs() < 1e-3, "{result}");
    // Constant readings: nothing above idle.
    assert!(number(&result["total"]["above_idle"]["joules"]).abs() < 1e-6);
    // 80 µV over 5 mΩ, 16 mA, at 5.008 V: 80 mW at most.
    let parts = result["total"]["energy"]["parts"].as_array().expect("parts");
    let offset = parts.iter().find(|part| part["cause"] == "offset").expect("an offset");
    assert!((number(&offset["joules"]) - 0.080_128 / 3.0_f64.sqrt() * seconds).abs() < 1e-4, "{offset}");
    assert_eq!(result["sensors"][0]["chip"], "ina3221");
    // Two chips whose rails do not add up to a board: rails alone.
    let other = folder();
    ina3221(other.path(), 0, "1", &[("VDD_ODD", "5000", "100", "5000"), ("VDD_OTHER", "5000", "200", "5000")]);
    let root = other.path().to_str().expect("UTF-8");
    let output = run(agent(other.path()).args(["--root", root, "measure", "--idle", "500ms", "--", "true"]));
    assert!(stderr(&output).contains("VDD_OTHER"), "{}", stderr(&output));
}

/// A RAPL counter that somebody counts up with 10 W.
#[test]
fn a_counter_without_published_limits_gives_energy_and_no_interval() {
    let home = folder();
    tree(
        home.path(),
        &[
            ("sys/class/powercap/intel-rapl:0/name", "package-0"),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "000000001000000"),
            ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850"),
        ],
    );
    let counter = home.path().join("sys/class/powercap/intel-rapl:0/energy_uj");
    let file = std::fs::OpenOptions::new().write(true).open(counter).expect("opens");
    let over = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = std::time::Instant::now();
            while !over.load(Ordering::Relaxed) {
                let microjoules = 1_000_000 + (began.elapsed().as_secs_f64() * 10e6) as u64;
                file.write_all_at(format!("{microjoules:015}").as_bytes(), 0).expect("writes");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let root = home.path().to_str().expect("UTF-8");
        let options = ["--root", root, "measure", "--json", "-o", "out.json", "--", "sleep", "1"];
        let output = run(agent(home.path()).args(options));
        over.store(true, Ordering::Relaxed);
        output
    });
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let result = result(home.path());
    let energy = &result["total"]["energy"];
    assert!((number(&energy["joules"]) / number(&result["seconds"]) - 10.0).abs() < 0.5, "{result}");
    assert!(
        energy["uncertainty_joules"].is_null() && energy["unknown"][0].as_str().is_some_and(|why| why.contains("AMD"))
    );
    assert!(number(&energy["known_uncertainty_joules"]) > 0.0);
}

#[test]
fn a_source_that_is_lost_leaves_the_command_alone_and_the_energy_unknown() {
    let home = folder();
    orin_nano(home.path());
    let root = home.path().to_str().expect("UTF-8");
    let script = "for f in sys/class/hwmon/hwmon1/in1_input sys/class/hwmon/hwmon1/curr1_input; do : > $f; done; sleep 1.5; echo done";
    let options = ["--root", root, "measure", "--idle", "300ms", "--json", "-o", "out.json", "--", "sh", "-c", script];
    let output = run(agent(home.path()).args(options));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{}", stderr(&output));
    let result = result(home.path());
    assert_eq!((code(&output), result["exit_code"].as_i64()), (4, Some(0)), "{result}");
    assert!(
        result["total"]["energy"].is_null() && result["notes"][0].as_str().is_some_and(|note| note.contains("lost"))
    );
}
