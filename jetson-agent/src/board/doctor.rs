//! Whether this board, as it stands, gives measurements that one can trust.

use super::probe::{POWER_MODE_FILE, is_jetson, locks, probe};
use super::state::{read_state, throttle_events};
use crate::power::{Candidate, PowerSource, Root, absence, total_lacks};
use crate::sys;
use shared::run_folder::{Check, Total, Verdict};
use std::path::{Path, PathBuf};

/// What is examined beside the board's own files.
pub struct DoctorInput<'a> {
    /// Where the board's files are.
    pub root: &'a Root,
    /// The power sources found.
    pub candidates: &'a [Candidate],
    /// Where run folders would go.
    pub result_dir: PathBuf,
    /// What `trtexec` says of itself: its path and version, or why there is none.
    pub trtexec: Result<(PathBuf, Option<String>), String>,
    /// TensorRT's library: its version, or why it cannot be opened.
    pub tensorrt: Result<String, String>,
}

fn check(name: &str, verdict: Verdict, message: impl Into<String>, advice: &str) -> Check {
    let advice = (verdict != Verdict::Pass).then(|| advice.to_owned());
    Check { name: name.into(), verdict, message: message.into(), advice }
}

/// Examines the board.
#[must_use]
pub fn examine(input: &DoctorInput<'_>) -> Vec<Check> {
    let root = input.root;
    let board = probe(root);
    let mut checks = power_checks(root, input.candidates);
    checks.push(match &board.model {
        Some(model) => check("board", Verdict::Pass, model.clone(), ""),
        None => check(
            "board",
            Verdict::Warn,
            not_known(root, &["/proc/device-tree/model", "/sys/class/dmi/id/product_name"]),
            "name it in your notes",
        ),
    });
    checks.push(release_check(root, board.l4t.as_deref(), board.jetpack.as_deref()));
    checks.push(match (board.power_mode, &board.power_mode_name) {
        (Some(mode), name) => {
            check("power mode", Verdict::Pass, format!("{mode} ({})", name.as_deref().unwrap_or("name not known")), "")
        }
        (None, _) => check(
            "power mode",
            Verdict::Warn,
            not_known(root, &[POWER_MODE_FILE]),
            "set it with `sudo nvpmodel -m` and note it",
        ),
    });
    checks.push(clocks_check(root, board.clocks_locked));
    checks.extend(heat_checks(root, board.fan_pwm));
    checks.push(swap_check(root));
    checks.push(disk_check(&input.result_dir));
    checks.push(match &input.trtexec {
        Ok((path, version)) => check(
            "trtexec",
            Verdict::Pass,
            format!("{} ({})", path.display(), version.as_deref().unwrap_or("version unknown")),
            "",
        ),
        Err(why) => check(
            "trtexec",
            Verdict::Warn,
            why.clone(),
            "install the package `libnvinfer-bin`, or give its path with --trtexec",
        ),
    });
    checks.push(match &input.tensorrt {
        Ok(version) => check("tensorrt", Verdict::Pass, version.clone(), ""),
        Err(why) => check("tensorrt", Verdict::Warn, why.clone(), "install JetPack's TensorRT packages"),
    });
    checks.push(clock_check());
    checks
}

/// `not known: A is not there, and B says nothing of it`: which files were looked at.
fn not_known(root: &Root, files: &[&str]) -> String {
    let said = files.iter().map(|file| {
        let why = match std::fs::File::open(root.path(file)) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "is not there".to_owned(),
            Err(e) => format!("cannot be read ({e})"),
            Ok(_) if root.text(file).is_none() => "is empty or cannot be read".to_owned(),
            Ok(_) => "does not say it in a known form".to_owned(),
        };
        format!("{file} {why}")
    });
    format!("not known: {}", shared::boards::list(&said.collect::<Vec<_>>()))
}

fn release_check(root: &Root, l4t: Option<&str>, jetpack: Option<&str>) -> Check {
    const FILE: &str = "/etc/nv_tegra_release";
    if let Some(l4t) = l4t {
        let jetpack = jetpack.unwrap_or("not known");
        return check("jetpack", Verdict::Pass, format!("L4T {l4t}, JetPack {jetpack}"), "");
    }
    let what = match is_jetson(root) {
        Some(true) => "; the device tree says that this is a Jetson",
        Some(false) => "; by its device tree this is not a Jetson",
        None => "; nor is there a device tree that says whether this is a Jetson",
    };
    let message = format!("the L4T release is {}{what}", not_known(root, &[FILE]));
    check(
        "jetpack",
        Verdict::Warn,
        message,
        "measure on the board itself, and note its release: `dpkg -l nvidia-l4t-core`",
    )
}

fn clocks_check(root: &Root, locked: Option<bool>) -> Check {
    let advice = "lock them with `sudo jetson_clocks`, else runs differ";
    match locked {
        Some(true) => check("clocks", Verdict::Pass, "locked", ""),
        Some(false) => check("clocks", Verdict::Warn, "they follow the load", advice),
        None => {
            let of = |known: Option<bool>, name: &str, place: &str| match known {
                Some(_) => format!("{name} locked"),
                None => format!("{name} not known (no limits can be read under {place})"),
            };
            let (gpu, cpus) = locks(root);
            let message = format!(
                "{}, {}",
                of(gpu, "GPU", "/sys/class/devfreq"),
                of(cpus, "CPUs", "/sys/devices/system/cpu/cpu*/cpufreq")
            );
            check("clocks", Verdict::Warn, message, advice)
        }
    }
}

fn power_checks(root: &Root, candidates: &[Candidate]) -> Vec<Check> {
    if candidates.is_empty() {
        return vec![check(
            "power rails",
            Verdict::Fail,
            absence(root),
            "attach an external meter (--source serial:…), or try the pipeline with --source simulated",
        )];
    }
    candidates
        .iter()
        .map(|candidate| match &candidate.source {
            Err(unusable) => Check {
                name: format!("power rails ({})", candidate.kind),
                verdict: if candidates.iter().any(|c| c.source.is_ok()) { Verdict::Warn } else { Verdict::Fail },
                message: unusable.why.clone(),
                advice: Some(unusable.advice.clone()),
            },
            Ok(source) => source_check(&format!("power rails ({})", candidate.kind), source.as_ref()),
        })
        .collect()
}

fn source_check(name: &str, source: &dyn PowerSource) -> Check {
    let setup = source.setup();
    let labels = setup.rails.iter().map(|rail| rail.label.as_str()).collect::<Vec<_>>().join(", ");
    let slow = setup.rails.iter().filter_map(|rail| rail.sensor.samples).max().unwrap_or(1);
    if let Some(why) = total_lacks(source) {
        return check(name, Verdict::Warn, format!("{labels}; {why}"), "check the kernel's messages (dmesg)");
    }
    if let Some(unread) = source.unread().first() {
        let message = format!("{labels}; {} cannot be read: {}", unread.label, unread.why);
        return check(name, Verdict::Warn, message, "the total does not need it; check the kernel's messages (dmesg)");
    }
    match &setup.total {
        Total::Unknown => check(name, Verdict::Warn, format!("{labels}; no total"), "say which rail you compare"),
        _ if slow > 4 => check(
            name,
            Verdict::Warn,
            format!("{labels}; the sensor averages {slow} samples"),
            "readings lag the load: measure with --sensor fast (as root), and see docs/sensors.md",
        ),
        Total::Sum(_) => check(
            name,
            Verdict::Warn,
            format!("{labels}; the total is a sum of rails"),
            "what no sensor sees, such as the carrier board, is left out",
        ),
        Total::Rail(index) => {
            let total = setup.rails.get(usize::from(*index)).map_or("", |rail| rail.label.as_str());
            check(name, Verdict::Pass, format!("{labels}; total {total}"), "")
        }
    }
}

fn heat_checks(root: &Root, fan_pwm: Option<u32>) -> Vec<Check> {
    let mut checks = Vec::new();
    let state = read_state(root, 0);
    let hottest = state.temperatures_c.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    checks.push(match hottest {
        Some((zone, c)) if *c >= 85.0 => {
            check("temperature", Verdict::Warn, format!("{zone} has {c:.1} °C"), "let it cool: it throttles soon")
        }
        Some((zone, c)) => check("temperature", Verdict::Pass, format!("{zone} has {c:.1} °C"), ""),
        None => check(
            "temperature",
            Verdict::Warn,
            "not known: no zone under /sys/class/thermal gives a temperature",
            "watch for throttling by other means",
        ),
    });
    checks.push(match throttle_events(root) {
        Some(events) => match events.iter().map(|(_, count)| count).sum::<u64>() {
            0 => check("throttling", Verdict::Pass, format!("no over-current event in {} counters", events.len()), ""),
            throttled => check(
                "throttling",
                Verdict::Warn,
                format!("{throttled} over-current events since boot"),
                "use a stronger supply or a lower power mode",
            ),
        },
        None => check(
            "throttling",
            Verdict::Warn,
            "not known: no over-current counter (oc*_event_cnt of soctherm_oc) under /sys/class/hwmon",
            "watch the clocks during the run",
        ),
    });
    if let Some(pwm) = fan_pwm {
        checks.push(if pwm == 0 {
            check("fan", Verdict::Warn, "it stands still", "set it to a fixed speed: `sudo jetson_clocks --fan`")
        } else {
            check("fan", Verdict::Pass, format!("PWM {pwm} of 255"), "")
        });
    }
    checks
}

fn swap_check(root: &Root) -> Check {
    let text = root.text("/proc/meminfo");
    let field = |name: &str| -> Option<u64> {
        text.as_ref()?.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    match (field("SwapTotal:"), field("SwapFree:")) {
        (Some(0), _) => check("swap", Verdict::Pass, "none", ""),
        (Some(total), Some(free)) if total.saturating_sub(free) > 64 << 10 => check(
            "swap",
            Verdict::Warn,
            format!("{} MiB are swapped out", total.saturating_sub(free) >> 10),
            "end what else runs, else layers wait for the disk",
        ),
        (Some(_), Some(_)) => check("swap", Verdict::Pass, "not in use", ""),
        _ => check(
            "swap",
            Verdict::Warn,
            not_known(root, &["/proc/meminfo"]),
            "look with `swapon --show`: layers that wait for the disk are slow",
        ),
    }
}

fn disk_check(folder: &Path) -> Check {
    let there = folder.ancestors().find(|path| path.exists() && !path.as_os_str().is_empty());
    let there = there.unwrap_or(Path::new("."));
    match sys::free_bytes(there) {
        Ok(free) if free < 200 << 20 => check(
            "disk",
            Verdict::Fail,
            format!("{} MiB are free at {}", free >> 20, there.display()),
            "free at least 200 MiB: a second of 20 kHz sampling takes 0.7 MB in all files",
        ),
        Ok(free) => check("disk", Verdict::Pass, format!("{} MiB are free", free >> 20), ""),
        Err(e) => check("disk", Verdict::Warn, e.to_string(), "check that the result folder can be written"),
    }
}

/// Before 2024 the board's clock battery is empty and nothing has set it: stamps then mean nothing between runs.
fn clock_check() -> Check {
    const YEAR_2024_NS: i64 = 1_704_067_200_000_000_000;
    if sys::wall_ns() < YEAR_2024_NS {
        check(
            "clock",
            Verdict::Warn,
            "the wall clock is not set",
            "run `sudo timedatectl set-ntp true` or set it by hand",
        )
    } else {
        check("clock", Verdict::Pass, "set; stamps use the monotonic clock", "")
    }
}
