//! What goes wrong on a bench: a message, an exit code, and nothing measured lost.

use crate::support::{agent, code, orin_nano, profile, run, shared_library, stderr, wait_for_samples};
use shared::run_folder::{Manifest, RunFolder, Status, read_sample_log};
use std::path::Path;
use std::process::{Command, Stdio};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn tiny(home: &Path) -> RunFolder {
    RunFolder::new(&home.join("raw_data"), "tiny")
}

/// The run was sealed with its samples, and says why it ended.
fn assert_sealed(home: &Path, why: &str) {
    let manifest = Manifest::read(&tiny(home).manifest()).expect("reads");
    assert_eq!(manifest.status, Status::Failed);
    assert!(manifest.failure.as_deref().is_some_and(|failure| failure.contains(why)), "{:?}", manifest.failure);
    let content = read_sample_log(&tiny(home).sample_log()).expect("reads");
    assert!(content.damage.is_clean() && content.seal == Some(content.counts) && content.counts.samples > 0);
    let verified = run(agent(home).args(["verify", "raw_data/tiny"]));
    assert_eq!(code(&verified), 0, "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_runner_that_dies_ends_the_session_with_what_was_measured() {
    let home = home();
    let output = run(&mut profile(home.path(), &["--runs", "1000", "--simulate-failure-at", "100"]));
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("cycle 100") && stderr(&output).contains("raw_data/tiny"), "{}", stderr(&output));
    assert_sealed(home.path(), "cycle 100");
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert_eq!(content.counts.power_inferences, 100);
    assert!(content.events.iter().any(|event| event.kind == "runner_failed"));
}

#[test]
fn a_sensor_that_vanishes_ends_the_session() {
    let home = home();
    let output = run(&mut profile(home.path(), &["--runs", "1000000", "--simulate-sensor-loss-after", "200"]));
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("power source was lost"), "{}", stderr(&output));
    assert_sealed(home.path(), "sensor is gone");
}

#[test]
fn a_sysfs_file_that_stops_answering_ends_the_session() {
    let home = home();
    orin_nano(home.path());
    let root = home.path().to_str().expect("UTF-8");
    let mut child = profile(home.path(), &["--runs", "1000000", "--source", "hwmon", "--root", root])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    wait_for_samples(&tiny(home.path()), &mut child);
    std::fs::write(home.path().join("sys/class/hwmon/hwmon1/curr1_input"), "").expect("writes");
    let output = child.wait_with_output().expect("waits");
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("curr1_input"), "{}", stderr(&output));
    assert_sealed(home.path(), "curr1_input");
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    assert!(manifest.sampling.expect("a report").failed >= 10);
}

/// A file-size limit stands in for a full disk: the write fails in the same place.
#[test]
fn a_full_disk_stops_cleanly_and_the_log_ends_whole() {
    let home = home();
    crate::support::write_load(home.path());
    // `ulimit -f` counts blocks of 512 bytes: 40 KiB.
    let script = format!(
        "ulimit -f 80; exec {} profile --runner simulated --name tiny --idle 20ms --simulate-load load.json --runs 1000000",
        env!("CARGO_BIN_EXE_jetson-agent")
    );
    let mut command = Command::new("/bin/sh");
    command.current_dir(home.path()).args(["-c", &script]).env("JETSON_AGENT_ROOT", home.path().join("no-board"));
    let output = run(&mut command);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("samples.eplog") && stderr(&output).contains("recover"), "{}", stderr(&output));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(content.damage.is_clean(), "{:?}", content.damage);
    assert!(content.counts.samples > 100);
    // With room again, everything is there.
    let recovered = run(agent(home.path()).args(["recover", "raw_data/tiny"]));
    assert_eq!(code(&recovered), 0, "{}", stderr(&recovered));
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/tiny"]))), 0);
}

#[test]
fn what_may_not_be_read_or_written_is_named() {
    let home = home();
    let missing = run(agent(home.path()).args(["recover", "raw_data/none"]));
    assert_eq!(code(&missing), 5);
    let wrong = run(agent(home.path()).args(["profile", "--runner", "simulated", "--engine-info", "/dev/null"]));
    assert_eq!(code(&wrong), 3, "{}", stderr(&wrong));
    let nothing = run(agent(home.path()).args(["profile", "--runner", "simulated"]));
    assert_eq!(code(&nothing), 2, "{}", stderr(&nothing));
    let no_sensor = run(&mut profile(home.path(), &["--source", "hwmon"]));
    assert_eq!(code(&no_sensor), 4, "{}", stderr(&no_sensor));
    assert!(!tiny(home.path()).manifest().exists());
    // A file where the folder should be.
    std::fs::write(home.path().join("raw_data"), "").expect("writes");
    let blocked = run(&mut profile(home.path(), &["--simulate-fast"]));
    assert_eq!(code(&blocked), 5, "{}", stderr(&blocked));
    let name = run(&mut profile(home.path(), &["--name", "../x"]));
    assert_ne!(code(&name), 0);
}

#[test]
fn a_jump_of_the_wall_clock_is_recorded_and_moves_no_stamp() {
    let home = home();
    let preloaded = shared_library(home.path(), "clock_jump.c");
    let jump = home.path().join("jump");
    let mut child = profile(home.path(), &["--runs", "10000", "--profiled", "5"])
        .env("LD_PRELOAD", preloaded)
        .env("CLOCK_JUMP_FILE", &jump)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    wait_for_samples(&tiny(home.path()), &mut child);
    std::fs::write(&jump, "").expect("writes");
    let output = child.wait_with_output().expect("waits");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    let drift = manifest.clock.drift_ns.expect("a drift");
    assert!((drift - 3_600_000_000_000).abs() < 1_000_000_000, "{drift}");
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(
        content.events.iter().any(|e| e.kind == "clock_jump" && e.message.contains("+3600.")),
        "{:?}",
        content.events
    );
    assert!(content.samples.windows(2).all(|pair| pair[1].t_ns - pair[0].t_ns < 60_000_000_000));
    // The reference's log keeps one offset, so its stamps do not jump either.
    let log = std::io::BufReader::new(std::fs::File::open(tiny(home.path()).power_log()).expect("opens"));
    let stamps: Vec<i64> = shared::run_folder::PowerLogReader::new(log)
        .map(|line| line.expect("reads").expect("a sample").wall_ns)
        .collect();
    assert!(stamps.windows(2).all(|pair| (0..60_000_000_000).contains(&(pair[1] - pair[0]))));
}

#[test]
fn a_sensor_that_may_not_be_read_is_named_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let home = home();
    orin_nano(home.path());
    let current = home.path().join("sys/class/hwmon/hwmon1/curr1_input");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
    mode(home.path(), 0o755);
    mode(&current, 0o000);
    // Root may read everything, so the agent runs as nobody, from a place that nobody can reach.
    let binary = home.path().join("agent");
    std::fs::copy(env!("CARGO_BIN_EXE_jetson-agent"), &binary).expect("copies");
    mode(&binary, 0o755);
    let mut command = Command::new(&binary);
    command.current_dir(home.path()).args(["--root", home.path().to_str().expect("UTF-8"), "rails"]);
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(65_534).gid(65_534);
    }
    let output = run(&mut command);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("permission denied") && said.contains("udev rule"), "{said}");
}
