//! Settings of a sensor for a run, on imitated boards: set, restored however the run ends, and in the manifest.

use crate::boards::board;
use crate::support::{code, ina3221, orin_nano, run, stderr, wait_for_samples};
use shared::run_folder::{Manifest, RunFolder, read_sample_log};
use shared::sensor::{ChipSettings, SensorFamily};
use shared::units::Micros;
use std::path::Path;

/// The settings of an imitated INA3221: `samples`, `update_interval` and which channels are on.
fn setting(root: &Path, number: u32) -> (String, String, Vec<String>) {
    let folder = root.join(format!("sys/class/hwmon/hwmon{number}"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("reads").trim().to_owned();
    let enabled = (1..=3).map(|channel| read(&format!("in{channel}_enable"))).collect();
    (read("samples"), read("update_interval"), enabled)
}

fn on(samples: &str, interval: &str, enabled: [&str; 3]) -> (String, String, Vec<String>) {
    (samples.to_owned(), interval.to_owned(), enabled.map(str::to_owned).to_vec())
}

/// A long run on the imitated board's own sensor, under way.
fn under_way(root: &Path, extra: &[&str]) -> std::process::Child {
    let options = [&["--source", "hwmon", "--runs", "1000000", "--no-realtime"], extra].concat();
    let mut child = crate::support::profile(root, &options)
        .args(["--root", root.to_str().expect("UTF-8")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let run = RunFolder::new(&root.join("raw_data"), "tiny");
    wait_for_samples(&run, &mut child);
    child
}

/// Even `kill -9` leaves the sensor as it was: the process that restores outlives the agent.
fn kill_and_wait_for_restore(root: &Path, mut child: std::process::Child) {
    child.kill().expect("kills");
    child.wait().expect("waits");
    for _ in 0..2_000 {
        if setting(root, 1) == on("512", "430", ["1", "1", "1"]) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{:?}", setting(root, 1));
}

#[test]
fn averaging_is_set_for_the_run_and_restored() {
    let root = board();
    orin_nano(root.path());
    let child = under_way(root.path(), &["--sensor-averaging", "1"]);
    assert_eq!(setting(root.path(), 1), on("1", "0", ["1", "1", "1"]));
    kill_and_wait_for_restore(root.path(), child);
}

#[test]
fn the_quickest_setting_leaves_one_channel_on_and_is_restored() {
    let root = board();
    orin_nano(root.path());
    let child = under_way(root.path(), &["--sensor", "fast"]);
    assert_eq!(setting(root.path(), 1), on("1", "0", ["1", "0", "0"]));
    kill_and_wait_for_restore(root.path(), child);
}

#[test]
fn the_manifest_holds_the_setting_at_the_start_and_at_the_end() {
    let root = board();
    orin_nano(root.path());
    let root_text = root.path().to_str().expect("UTF-8");
    let options = ["--source", "hwmon", "--sensor", "fast", "--runs", "20", "--profiled", "2", "--root", root_text];
    let output = run(&mut crate::support::profile(root.path(), &options));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("AVG 512 → 1, channels 1, 2, 3 → 1, a new value every 0.28 ms"),
        "{}",
        stderr(&output)
    );
    assert_eq!(setting(root.path(), 1), on("512", "430", ["1", "1", "1"]));
    let manifest = Manifest::read(&RunFolder::new(&root.path().join("raw_data"), "tiny").manifest()).expect("reads");
    // Read back to back, and of the three rails only the one that measures the input.
    assert_eq!((manifest.power.requested_hz, manifest.power.rails.len()), (None, 1));
    let sensor = &manifest.power.rails[0].sensor;
    assert_eq!(sensor.chip.as_deref(), Some("ina3221"));
    let family = SensorFamily::Recursive { samples: 1, conversion: Micros(140.0), cycle: Micros(280.0) };
    assert_eq!(sensor.family, Some(family));
    let settings = sensor.settings.as_ref().expect("settings");
    assert_eq!((settings.averaging, settings.channels.as_deref()), (Some(1), Some(&[1][..])));
    assert_eq!(settings.shunt_micro_ohm, Some(5_000));
    assert_eq!(sensor.settings_at_end.as_ref(), Some(settings));
    assert!(sensor.changes().is_empty());
}

#[test]
fn a_setting_that_changes_during_the_run_is_reported() {
    let root = board();
    orin_nano(root.path());
    let child = under_way(root.path(), &[]);
    std::fs::write(root.path().join("sys/class/hwmon/hwmon1/samples"), "64\n").expect("writes");
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().expect("waits");
    assert!(
        stderr(&output).contains("VDD_IN was changed during the run: averaging was 512 and became 64"),
        "{}",
        stderr(&output)
    );
    let run = RunFolder::new(&root.path().join("raw_data"), "tiny");
    let manifest = Manifest::read(&run.manifest()).expect("reads");
    let sensor = &manifest.power.rails[0].sensor;
    let averaging = |settings: &Option<ChipSettings>| settings.as_ref().and_then(|settings| settings.averaging);
    assert_eq!((averaging(&sensor.settings), averaging(&sensor.settings_at_end)), (Some(512), Some(64)));
    let content = read_sample_log(&run.sample_log()).expect("reads");
    assert_eq!(content.events.iter().filter(|event| event.kind == "sensor_changed").count(), 3);
}

#[test]
fn the_quickest_setting_of_a_sum_keeps_its_rails_and_leaves_other_chips_alone() {
    let root = board();
    let rails = [
        ("VDD_GPU_SOC", "19000", "100", "2000"),
        ("VDD_CPU_CV", "19000", "50", "2000"),
        ("VIN_SYS_5V0", "5000", "1000", "2000"),
    ];
    ina3221(root.path(), 4, "512", &rails);
    ina3221(
        root.path(),
        5,
        "512",
        &[("NC", "0", "0", "2000"), ("VDDQ_VDD2_1V8AO", "5000", "400", "2000"), ("NC", "0", "0", "1")],
    );
    let child = under_way(root.path(), &["--sensor", "fast"]);
    assert_eq!(setting(root.path(), 4), on("1", "0", ["1", "1", "1"]));
    assert_eq!(setting(root.path(), 5), on("512", "430", ["1", "1", "1"]));
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    child.wait_with_output().expect("waits");
    assert_eq!(setting(root.path(), 4), on("512", "430", ["1", "1", "1"]));
}

#[test]
fn without_a_chip_that_can_be_set_fast_is_refused() {
    let root = board();
    let root_text = root.path().to_str().expect("UTF-8");
    let output = run(&mut crate::support::profile(root.path(), &["--sensor", "fast", "--root", root_text]));
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("no INA3221 or INA238"), "{}", stderr(&output));
}

#[test]
fn a_number_of_samples_that_the_chip_has_not_is_refused() {
    let root = board();
    orin_nano(root.path());
    let root_text = root.path().to_str().expect("UTF-8");
    let output = run(&mut crate::support::profile(
        root.path(),
        &["--source", "hwmon", "--sensor-averaging", "3", "--root", root_text],
    ));
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("512"), "{}", stderr(&output));
}
