//! Imitated boards: the right rails, the right total, the right advice.

use crate::support::{agent, code, ina3221, json, orin_nano, run, stderr, tree, unreadable};
use serde_json::Value;
use std::path::Path;

fn ask(root: &Path, command: &str) -> (Value, i32, String) {
    let output = run(agent(root).args(["--root", root.to_str().expect("UTF-8"), "--format", "json", command]));
    let value = if output.stdout.is_empty() { Value::Null } else { json(&output) };
    (value, code(&output), stderr(&output))
}

fn labels(source: &Value) -> Vec<String> {
    let rails = source["rails"].as_array().expect("rails");
    rails.iter().map(|rail| rail["label"].as_str().expect("label").to_owned()).collect()
}

pub(crate) fn board() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn check<'a>(doctor: &'a Value, name: &str) -> &'a Value {
    let checks = doctor["checks"].as_array().expect("checks");
    checks.iter().find(|c| c["name"].as_str().is_some_and(|n| n.starts_with(name))).unwrap_or(&Value::Null)
}

#[test]
fn orin_nano_has_a_total_rail() {
    let root = board();
    orin_nano(root.path());
    let (rails, code, _) = ask(root.path(), "rails");
    assert_eq!(code, 0);
    let source = &rails["sources"][0];
    assert_eq!(source["kind"], "hwmon");
    assert_eq!(labels(source), ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]);
    assert_eq!(source["total"], "VDD_IN");
    assert!((source["total_watts"].as_f64().expect("watts") - 5.488_768).abs() < 1e-4);
    let (doctor, code, _) = ask(root.path(), "doctor");
    assert_eq!(code, 0);
    assert_eq!(check(&doctor, "board")["message"], "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super");
    assert_eq!(check(&doctor, "jetpack")["message"], "L4T 36.4.3, JetPack 6.2");
    assert_eq!(check(&doctor, "power mode")["message"], "2 (MAXN_SUPER)");
    assert_eq!(check(&doctor, "clocks")["verdict"], "PASS");
    assert_eq!(check(&doctor, "temperature")["message"], "cpu-thermal has 48.1 °C");
    // The boot script's averaging makes readings lag.
    assert_eq!(check(&doctor, "power rails")["verdict"], "WARN");
    assert!(check(&doctor, "power rails")["advice"].as_str().expect("advice").contains("--sensor fast"));
    // AVG 512 over three channels of 140 µs: seen a sixth of the time, 0.43 s late.
    let sensor = &source["rails"][0]["sensor"];
    assert_eq!(sensor["family"]["family"], "recursive");
    assert_eq!(
        (sensor["averaging"].as_u64(), sensor["conversions_from"].as_str()),
        (Some(512), Some("update_interval"))
    );
    assert!((sensor["refresh_ms"].as_f64().expect("ms") - 0.84).abs() < 1e-9);
    assert!((sensor["duty"].as_f64().expect("a share") - 1.0 / 6.0).abs() < 1e-9);
    assert!((sensor["lag_ms"].as_f64().expect("ms") - 429.31).abs() < 0.01);
}

#[test]
fn agx_orin_has_none_and_the_sum_counts_nothing_twice() {
    let root = board();
    ina3221(
        root.path(),
        4,
        "1",
        &[
            ("VDD_GPU_SOC", "19000", "100", "2000"),
            ("VDD_CPU_CV", "19000", "50", "2000"),
            ("VIN_SYS_5V0", "5000", "1000", "2000"),
        ],
    );
    ina3221(
        root.path(),
        5,
        "1",
        &[("NC", "0", "0", "2000"), ("VDDQ_VDD2_1V8AO", "5000", "400", "2000"), ("NC", "0", "0", "1")],
    );
    let (rails, code, _) = ask(root.path(), "rails");
    assert_eq!(code, 0);
    let source = &rails["sources"][0];
    assert_eq!(labels(source), ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]);
    assert_eq!(source["total"], "sum of VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0");
    assert!((source["total_watts"].as_f64().expect("watts") - 7.85).abs() < 1e-4);
    let (doctor, _, _) = ask(root.path(), "doctor");
    assert!(check(&doctor, "power rails")["message"].as_str().expect("message").contains("sum of rails"));
}

#[test]
fn xavier_nx_and_a_nano_with_jetpack_4_are_read_through_iio() {
    for (model, labels_in, total) in [
        ("NVIDIA Jetson Nano Developer Kit", ["POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"], "POM_5V_IN"),
        ("NVIDIA Jetson Xavier NX Developer Kit", ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"], "VDD_IN"),
    ] {
        let root = board();
        tree(
            root.path(),
            &[
                ("proc/device-tree/model", model),
                (
                    "etc/nv_tegra_release",
                    "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64",
                ),
                ("sys/bus/iio/devices/iio:device0/name", "ina3221x"),
                ("sys/bus/iio/devices/iio:device1/name", "another"),
            ],
        );
        for (index, label) in labels_in.iter().enumerate() {
            let folder = "sys/bus/iio/devices/iio:device0";
            tree(
                root.path(),
                &[
                    (&format!("{folder}/rail_name_{index}"), label),
                    (&format!("{folder}/in_voltage{index}_input"), "5000"),
                    (&format!("{folder}/in_current{index}_input"), "400"),
                ],
            );
        }
        let (rails, code, _) = ask(root.path(), "rails");
        assert_eq!(code, 0, "{model}");
        let source = &rails["sources"][0];
        assert_eq!(source["kind"], "iio");
        assert_eq!(labels(source), labels_in);
        assert_eq!(source["total"], total);
        assert!((source["total_watts"].as_f64().expect("watts") - 2.0).abs() < 1e-6);
        let (doctor, _, _) = ask(root.path(), "doctor");
        assert_eq!(check(&doctor, "jetpack")["message"], "L4T 32.7.1, JetPack 4");
    }
}

#[test]
fn xavier_nx_with_jetpack_5_is_read_through_hwmon() {
    let root = board();
    let rails = [
        ("VDD_IN", "5000", "1200", "5000"),
        ("VDD_CPU_GPU_CV", "5000", "300", "5000"),
        ("VDD_SOC", "5000", "300", "5000"),
    ];
    ina3221(root.path(), 0, "1", &rails);
    let (answer, _, _) = ask(root.path(), "rails");
    assert_eq!(answer["sources"][0]["total"], "VDD_IN");
}

#[test]
fn thor_adds_the_input_of_an_ina238() {
    let root = board();
    ina3221(
        root.path(),
        2,
        "1",
        &[
            ("VDD_GPU", "19000", "700", "2000"),
            ("VDD_CPU_SOC_MSS", "19000", "300", "2000"),
            ("VIN_SYS_5V0", "5000", "900", "2000"),
        ],
    );
    tree(
        root.path(),
        &[
            ("sys/class/hwmon/hwmon3/name", "ina238"),
            ("sys/class/hwmon/hwmon3/in0_input", "4"),
            ("sys/class/hwmon/hwmon3/in1_input", "19050"),
            ("sys/class/hwmon/hwmon3/curr1_input", "1800"),
            // The USB-C controller's supply is no rail of the board.
            ("sys/class/hwmon/hwmon6/name", "ucsi_source_psy_1"),
            ("sys/class/hwmon/hwmon6/in0_input", "20000"),
            ("sys/class/hwmon/hwmon6/curr1_input", "5000"),
        ],
    );
    let (rails, _, _) = ask(root.path(), "rails");
    let source = &rails["sources"][0];
    assert_eq!(labels(source), ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"]);
    assert_eq!(source["total"], "VIN");
    assert!((source["total_watts"].as_f64().expect("watts") - 34.29).abs() < 1e-3);
}

#[test]
fn a_desktop_without_sensors_gets_advice_and_one_with_counters_is_read() {
    let root = board();
    tree(root.path(), &[("sys/class/dmi/id/product_name", "Desktop"), ("sys/class/hwmon/hwmon0/name", "coretemp")]);
    let (rails, code, said) = ask(root.path(), "rails");
    assert_eq!((code, rails["sources"].as_array().map(Vec::len)), (4, Some(0)));
    assert!(said.contains("--source serial"), "{said}");
    let (doctor, code, _) = ask(root.path(), "doctor");
    assert_eq!(code, 1);
    assert_eq!(check(&doctor, "power rails")["verdict"], "FAIL");
    tree(
        root.path(),
        &[
            ("sys/class/powercap/intel-rapl:0/name", "package-0"),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "1000000"),
            ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850"),
            ("sys/class/powercap/intel-rapl:0:0/name", "core"),
            ("sys/class/powercap/intel-rapl:0:0/energy_uj", "500000"),
        ],
    );
    let (rails, code, _) = ask(root.path(), "rails");
    assert_eq!(code, 0);
    assert_eq!(labels(&rails["sources"][0]), ["package-0"]);
    assert_eq!(rails["sources"][0]["total_watts"], 0.0);
}

/// The rails of a source by label, with what they draw and why they cannot be read.
fn rail<'a>(source: &'a Value, label: &str) -> &'a Value {
    let rails = source["rails"].as_array().expect("rails");
    rails.iter().find(|rail| rail["label"] == label).unwrap_or(&Value::Null)
}

fn agx_orin(root: &Path) {
    ina3221(
        root,
        1,
        "1",
        &[
            ("VDD_GPU_SOC", "20000", "600", "2000"),
            ("VDD_CPU_CV", "20000", "150", "2000"),
            ("VIN_SYS_5V0", "5000", "1000", "2000"),
        ],
    );
    ina3221(root, 2, "1", &[("AUX", "5000", "1", "2000"), ("VDDQ_VDD2_1V8AO", "5000", "200", "2000")]);
}

#[test]
fn a_channel_that_cannot_be_read_takes_no_other_with_it() {
    let root = board();
    agx_orin(root.path());
    unreadable(root.path(), "sys/class/hwmon/hwmon2/in1_input");
    let (rails, code, _) = ask(root.path(), "rails");
    assert_eq!(code, 0);
    let source = &rails["sources"][0];
    assert_eq!(rail(source, "VDDQ_VDD2_1V8AO")["watts"], 1.0);
    let problem = rail(source, "AUX")["problem"].as_str().expect("a problem");
    assert!(problem.contains("hwmon2/in1_input") && problem.contains("Input/output error"), "{problem}");
    // The table knows the board's total, and that it does not need the foreign rail.
    assert!((source["total_watts"].as_f64().expect("watts") - 20.0).abs() < 1e-6, "{source}");
    let (doctor, _, _) = ask(root.path(), "doctor");
    let found = check(&doctor, "power rails");
    assert_eq!(found["verdict"], "WARN");
    assert!(found["message"].as_str().expect("message").contains("hwmon2/in1_input"), "{found}");
}

#[test]
fn a_total_that_lacks_a_part_is_not_known_and_not_smaller() {
    let root = board();
    agx_orin(root.path());
    unreadable(root.path(), "sys/class/hwmon/hwmon1/curr2_input");
    let (rails, code, _) = ask(root.path(), "rails");
    let source = &rails["sources"][0];
    assert_eq!((code, &source["total_watts"]), (0, &Value::Null));
    assert!(source["total_problem"].as_str().expect("why").contains("VDD_CPU_CV"), "{source}");
    assert_eq!(rail(source, "VDD_GPU_SOC")["watts"], 12.0);
    let root_text = root.path().to_str().expect("UTF-8");
    let output = run(agent(root.path()).args(["--root", root_text, "idle", "--duration", "50ms", "--no-realtime"]));
    assert_eq!(crate::support::code(&output), 4);
    assert!(
        stderr(&output).contains("lacks VDD_CPU_CV") && stderr(&output).contains("curr2_input"),
        "{}",
        stderr(&output)
    );
    assert!(!root.path().join("raw_data").exists());
}

#[test]
fn idle_goes_on_without_a_rail_that_the_total_does_not_need() {
    let root = board();
    orin_nano(root.path());
    unreadable(root.path(), "sys/class/hwmon/hwmon1/curr2_input");
    let root_text = root.path().to_str().expect("UTF-8");
    let output = run(agent(root.path()).args([
        "--root",
        root_text,
        "--format",
        "json",
        "idle",
        "--duration",
        "50ms",
        "--no-realtime",
    ]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!((json(&output)["avg_idle_power"].as_f64().expect("power") - 5_488_768.0).abs() < 1.0);
    assert!(
        stderr(&output).contains("VDD_CPU_GPU_CV") && stderr(&output).contains("curr2_input"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn iio_reads_the_rails_whose_files_are_there() {
    let root = board();
    let folder = "sys/bus/iio/devices/iio:device0";
    tree(root.path(), &[(&format!("{folder}/name"), "ina3221x")]);
    for (index, label) in ["VDD_IN", "VDD_CPU", "VDD_SOC"].iter().enumerate() {
        tree(
            root.path(),
            &[
                (&format!("{folder}/rail_name_{index}"), label),
                (&format!("{folder}/in_voltage{index}_input"), "5000"),
                (&format!("{folder}/in_current{index}_input"), "400"),
            ],
        );
    }
    std::fs::remove_file(root.path().join(folder).join("in_current2_input")).expect("removes");
    let (rails, code, _) = ask(root.path(), "rails");
    let source = &rails["sources"][0];
    assert_eq!((code, &source["total"], &source["total_watts"]), (0, &"VDD_IN".into(), &2.0.into()));
    assert!(
        rail(source, "VDD_SOC")["problem"].as_str().expect("a problem").contains("in_current2_input: is not there")
    );
    // Without the total's own file nothing stands for it.
    std::fs::remove_file(root.path().join(folder).join("in_voltage0_input")).expect("removes");
    let (rails, code, _) = ask(root.path(), "rails");
    assert_eq!((code, &rails["sources"][0]["total_watts"]), (0, &Value::Null));
}

#[test]
fn meters_of_carrier_boards_are_read_under_hwmon_and_iio() {
    for chip in ["ina219", "ina220", "ina226", "ina230", "ina231", "ina238", "ina260"] {
        let root = board();
        tree(
            root.path(),
            &[
                ("sys/class/hwmon/hwmon2/name", chip),
                ("sys/class/hwmon/hwmon2/in0_input", "12"),
                ("sys/class/hwmon/hwmon2/in1_input", "5000"),
                ("sys/class/hwmon/hwmon2/curr1_input", "1200"),
            ],
        );
        let (rails, code, said) = ask(root.path(), "rails");
        let source = &rails["sources"][0];
        assert_eq!((code, labels(source)), (0, vec![chip.to_owned()]), "{said}");
        assert!((source["total_watts"].as_f64().expect("watts") - 6.0).abs() < 1e-6);
    }
    let root = board();
    let folder = "sys/bus/iio/devices/iio:device1";
    for (file, text) in [
        ("name", "ina226"),
        ("in_voltage0_raw", "480"),
        ("in_voltage0_scale", "0.0025"),
        ("in_voltage1_raw", "4000"),
        ("in_voltage1_scale", "1.25"),
        ("in_current3_raw", "2400"),
        ("in_current3_scale", "0.5"),
    ] {
        tree(root.path(), &[(&format!("{folder}/{file}"), text)]);
    }
    let (rails, code, said) = ask(root.path(), "rails");
    assert_eq!(code, 0, "{said}");
    assert!((rails["sources"][0]["total_watts"].as_f64().expect("watts") - 6.0).abs() < 1e-6, "{rails}");
}

#[test]
fn rails_of_one_source_are_listed_alone() {
    let root = board();
    orin_nano(root.path());
    let counter = "sys/class/powercap/intel-rapl:0";
    for (file, text) in [("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "262143328850")] {
        tree(root.path(), &[(&format!("{counter}/{file}"), text)]);
    }
    let of = |source: &str| {
        let folder = root.path().to_str().expect("UTF-8");
        let output = run(agent(root.path()).args(["--root", folder, "--format", "json", "rails", "--source", source]));
        let answer = if output.stdout.is_empty() { Value::Null } else { json(&output) };
        let sources = answer["sources"].as_array().cloned().unwrap_or_default();
        let kinds: Vec<String> = sources.iter().map(|s| s["kind"].as_str().expect("kind").to_owned()).collect();
        (kinds, sources, code(&output), stderr(&output))
    };
    let (kinds, _, code, _) = of("auto");
    assert_eq!((kinds, code), (vec!["hwmon".to_owned(), "powercap".into()], 0));
    let (kinds, sources, code, _) = of("hwmon");
    assert_eq!((kinds, code), (vec!["hwmon".to_owned()], 0));
    assert_eq!(labels(&sources[0]), ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]);
    let (kinds, sources, code, said) = of("simulated");
    assert_eq!((kinds, code), (vec!["simulated".to_owned()], 0), "{said}");
    // The simulated board draws 4.2 W when nothing runs.
    let watts = sources[0]["total_watts"].as_f64().expect("watts");
    assert!((3.5..5.0).contains(&watts), "{watts}");
    let (kinds, _, code, said) = of("iio");
    assert_eq!((kinds.len(), code), (0, 4));
    assert!(said.contains("no `iio` source was found"), "{said}");
    let (_, _, code, said) = of("replay:nowhere");
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("nowhere"), "{said}");
    let (_, _, code, said) = of("none");
    assert_eq!(code, 2);
    assert!(said.contains("nothing to read"), "{said}");
}

#[test]
fn what_was_found_instead_of_a_sensor_is_named() {
    let root = board();
    tree(root.path(), &[("sys/class/hwmon/hwmon5/name", "ltc2945"), ("sys/class/hwmon/hwmon5/curr1_input", "1200")]);
    let (_, code, said) = ask(root.path(), "rails");
    assert_eq!(code, 4);
    for part in ["INA3221", "/sys/class/hwmon", "/sys/bus/iio/devices", "ltc2945", "not supported"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_not_known() {
    let root = board();
    tree(
        root.path(),
        &[
            ("proc/device-tree/model", "NVIDIA Jetson AGX Orin Developer Kit\0"),
            ("proc/device-tree/compatible", "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0"),
        ],
    );
    agx_orin(root.path());
    let (doctor, code, _) = ask(root.path(), "doctor");
    assert_eq!(code, 0);
    for (name, file) in [
        ("jetpack", "/etc/nv_tegra_release"),
        ("swap", "/proc/meminfo"),
        ("throttling", "oc*_event_cnt"),
        ("power mode", "/var/lib/nvpmodel/status"),
        ("temperature", "/sys/class/thermal"),
        ("clocks", "/sys/class/devfreq"),
    ] {
        let check = check(&doctor, name);
        let message = check["message"].as_str().expect("message");
        assert!(
            check["verdict"] == "WARN" && message.contains("not known") && message.contains(file),
            "{name}: {check}"
        );
    }
    let release = check(&doctor, "jetpack")["message"].as_str().expect("message").to_owned();
    assert!(release.contains("this is a Jetson"), "{release}");
    // A fact has its evidence.
    tree(
        root.path(),
        &[
            ("proc/meminfo", "MemTotal: 7802000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB"),
            ("sys/class/hwmon/hwmon7/name", "soctherm_oc"),
            ("sys/class/hwmon/hwmon7/oc1_event_cnt", "0"),
            ("var/lib/nvpmodel/status", "pmode:0002\nfmode:cool"),
            ("etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >"),
            // Only the processors are locked: the GPU's clocks are not known.
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "1728000"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1728000"),
        ],
    );
    let (doctor, _, _) = ask(root.path(), "doctor");
    assert_eq!(check(&doctor, "swap")["message"], "none");
    assert_eq!(check(&doctor, "throttling")["message"], "no over-current event in 1 counters");
    assert_eq!(check(&doctor, "power mode")["message"], "2 (15W)");
    assert_eq!(check(&doctor, "clocks")["verdict"], "WARN");
}
