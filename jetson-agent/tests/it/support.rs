//! What the tests share: the binary, a load, imitated boards.

use shared::run_folder::{RunFolder, read_sample_log};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// Longest that anything here may take, on however busy a machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until something holds. It fails when the process ends first, or after [`DEADLINE`].
pub(crate) fn wait_until(child: &mut Child, what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(child.try_wait().expect("waits").is_none(), "the process ended before {what}");
        assert!(began.elapsed() < DEADLINE, "still not after {} s: {what}", began.elapsed().as_secs());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the session has put samples and inferences into its log.
pub(crate) fn wait_for_samples(run: &RunFolder, child: &mut Child) {
    wait_until(child, "samples and inferences are in the log", || {
        read_sample_log(&run.sample_log())
            .is_ok_and(|content| content.counts.samples > 0 && content.counts.power_inferences > 0)
    });
}

/// Builds a C file of `tests/stand_in` into a library. Where Rust links there is a C compiler.
pub(crate) fn shared_library(folder: &Path, source: &str) -> PathBuf {
    let library = folder.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand_in").join(source);
    let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    assert!(status.expect("the C compiler `cc` runs").success(), "{} does not compile", source.display());
    library
}

/// The built agent, away from this machine's sensors unless a test gives it a root.
pub(crate) fn agent(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jetson-agent"));
    // What the machine's environment sets is no option of the test.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("JETSON_AGENT_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("JETSON_AGENT_ROOT", folder.join("no-board")).env_remove("RUST_BACKTRACE");
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("the agent runs")
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

/// A small load: three layers, 0.4 ms in all.
pub(crate) fn write_load(folder: &Path) -> PathBuf {
    let path = folder.join("load.json");
    let text = r#"{
        "idle": 4.2, "host": 5.0,
        "layers": [
            {"name": "conv", "duration": 0.2, "power": 9.0},
            {"name": "pool", "duration": 0.05, "power": 6.0},
            {"name": "conv", "duration": 0.1, "power": 8.0}
        ],
        "duration_deviation": 0.02, "launch": 0.02, "layer_gap": 0.001, "collect": 0.01,
        "host_gap": 0.1, "host_gap_deviation": 0.2
    }"#;
    std::fs::write(&path, text).expect("writes");
    path
}

/// `profile` of the small load with the simulated runner.
pub(crate) fn profile(folder: &Path, extra: &[&str]) -> Command {
    let load = write_load(folder);
    let mut command = agent(folder);
    command.args(["profile", "--runner", "simulated", "--name", "tiny", "--idle", "50ms", "--simulate-load"]);
    command.arg(load).args(extra);
    command
}

/// Puts files under an imitated root.
pub(crate) fn tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("creates");
        std::fs::write(path, format!("{content}\n")).expect("writes");
    }
}

/// Makes a file of an imitated root one whose every read fails with an I/O error.
pub(crate) fn unreadable(root: &Path, path: &str) {
    let path = root.join(path);
    let _ = std::fs::remove_file(&path);
    std::os::unix::fs::symlink("/proc/self/mem", path).expect("links");
}

/// An INA3221 under hwmon with up to three labelled rails of (mV, mA, µΩ).
pub(crate) fn ina3221(root: &Path, number: u32, samples: &str, rails: &[(&str, &str, &str, &str)]) {
    let folder = format!("sys/class/hwmon/hwmon{number}");
    tree(root, &[(&format!("{folder}/name"), "ina3221"), (&format!("{folder}/samples"), samples)]);
    tree(root, &[(&format!("{folder}/update_interval"), "430")]);
    for (index, (label, mv, ma, shunt)) in (1..).zip(rails) {
        tree(
            root,
            &[
                (&format!("{folder}/in{index}_label"), label),
                (&format!("{folder}/in{index}_enable"), "1"),
                (&format!("{folder}/in{index}_input"), mv),
                (&format!("{folder}/curr{index}_input"), ma),
                (&format!("{folder}/shunt{index}_resistor"), shunt),
            ],
        );
    }
    // The driver's seventh voltage is the sum of the shunt voltages, no rail.
    tree(root, &[(&format!("{folder}/in7_input"), "12"), (&format!("{folder}/in7_label"), "sum of shunt voltages")]);
}

/// An Orin Nano as JetPack 6.2 leaves it.
pub(crate) fn orin_nano(root: &Path) {
    ina3221(
        root,
        1,
        "512",
        &[
            ("VDD_IN", "5008", "1096", "5000"),
            ("VDD_CPU_GPU_CV", "5000", "320", "5000"),
            ("VDD_SOC", "5000", "290", "5000"),
        ],
    );
    tree(
        root,
        &[
            ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"),
            ("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"),
            ("var/lib/nvpmodel/status", "pmode:0002"),
            ("etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >"),
            ("sys/class/devfreq/17000000.gpu/min_freq", "1020000000"),
            ("sys/class/devfreq/17000000.gpu/max_freq", "1020000000"),
            ("sys/class/devfreq/17000000.gpu/cur_freq", "1020000000"),
            ("sys/class/devfreq/17000000.gpu/device/load", "730"),
            ("sys/devices/system/cpu/online", "0-5"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "1728000"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1728000"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1728000"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal"),
            ("sys/class/thermal/thermal_zone0/temp", "48125"),
            ("sys/class/thermal/thermal_zone1/type", "gpu-thermal"),
            ("sys/class/thermal/thermal_zone1/temp", "-256000"),
            ("sys/class/hwmon/hwmon3/name", "soctherm_oc"),
            ("sys/class/hwmon/hwmon3/oc1_event_cnt", "0"),
            ("proc/meminfo", "MemTotal: 7802000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB"),
        ],
    );
}
