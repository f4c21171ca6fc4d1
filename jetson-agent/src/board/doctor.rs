//! Whether this board, as it stands, gives measurements that one can trust.

use super::probe::probe;
use super::state::{read_state, throttle_events};
use crate::power::{Candidate, Root};
use crate::sys;
use shared::run_folder::{Check, Total, Verdict};
use std::path::PathBuf;

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
    let mut checks = power_checks(input.candidates);
    checks.push(match &board.model {
        Some(model) => check("board", Verdict::Pass, model.clone(), ""),
        None => check("board", Verdict::Warn, "the board does not say what it is", "name it in your notes"),
    });
    checks.push(match (&board.l4t, &board.jetpack) {
        (Some(l4t), jetpack) => {
            let jetpack = jetpack.as_deref().unwrap_or("unknown");
            check("jetpack", Verdict::Pass, format!("L4T {l4t}, JetPack {jetpack}"), "")
        }
        (None, _) => {
            check("jetpack", Verdict::Warn, "no L4T release: this is no Jetson", "measure on the board itself")
        }
    });
    checks.push(match (board.power_mode, &board.power_mode_name) {
        (Some(mode), name) => {
            check("power mode", Verdict::Pass, format!("{mode} ({})", name.as_deref().unwrap_or("unnamed")), "")
        }
        (None, _) => check("power mode", Verdict::Warn, "cannot be read", "set it with `sudo nvpmodel -m` and note it"),
    });
    checks.push(match board.clocks_locked {
        Some(true) => check("clocks", Verdict::Pass, "locked", ""),
        Some(false) => check(
            "clocks",
            Verdict::Warn,
            "they follow the load",
            "lock them with `sudo jetson_clocks`, else runs differ",
        ),
        None => check("clocks", Verdict::Warn, "cannot be read", "lock them with `sudo jetson_clocks`"),
    });
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

fn power_checks(candidates: &[Candidate]) -> Vec<Check> {
    if candidates.is_empty() {
        return vec![check(
            "power rails",
            Verdict::Fail,
            "no power sensor was found",
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
            Ok(source) => {
                let setup = source.setup();
                let labels = setup.rails.iter().map(|rail| rail.label.as_str()).collect::<Vec<_>>().join(", ");
                let name = format!("power rails ({})", candidate.kind);
                let slow = setup.rails.iter().filter_map(|rail| rail.sensor.samples).max().unwrap_or(1);
                match &setup.total {
                    Total::Unknown => {
                        check(&name, Verdict::Warn, format!("{labels}; no total"), "say which rail you compare")
                    }
                    _ if slow > 4 => check(
                        &name,
                        Verdict::Warn,
                        format!("{labels}; the sensor averages {slow} samples"),
                        "readings lag the load: measure with --sensor fast (as root), and see docs/sensors.md",
                    ),
                    Total::Sum(_) => check(
                        &name,
                        Verdict::Warn,
                        format!("{labels}; the total is a sum of rails"),
                        "what no sensor sees, such as the carrier board, is left out",
                    ),
                    Total::Rail(index) => {
                        let total = setup.rails.get(usize::from(*index)).map_or("", |rail| rail.label.as_str());
                        check(&name, Verdict::Pass, format!("{labels}; total {total}"), "")
                    }
                }
            }
        })
        .collect()
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
        None => check("temperature", Verdict::Warn, "no thermal zone", "watch for throttling by other means"),
    });
    let throttled: u64 = throttle_events(root).iter().map(|(_, count)| count).sum();
    if throttled > 0 {
        checks.push(check(
            "throttling",
            Verdict::Warn,
            format!("{throttled} over-current events since boot"),
            "use a stronger supply or a lower power mode",
        ));
    } else {
        checks.push(check("throttling", Verdict::Pass, "no over-current event seen", ""));
    }
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
    let used = root.text("/proc/meminfo").and_then(|text| {
        let field = |name: &str| -> Option<u64> {
            text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
        };
        field("SwapTotal:")?.checked_sub(field("SwapFree:")?)
    });
    match used {
        Some(kib) if kib > 64 << 10 => check(
            "swap",
            Verdict::Warn,
            format!("{} MiB are swapped out", kib >> 10),
            "end what else runs, else layers wait for the disk",
        ),
        Some(_) => check("swap", Verdict::Pass, "not in use", ""),
        None => check("swap", Verdict::Pass, "none", ""),
    }
}

fn disk_check(folder: &std::path::Path) -> Check {
    let there = folder.ancestors().find(|path| path.exists() && !path.as_os_str().is_empty());
    let there = there.unwrap_or(std::path::Path::new("."));
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
