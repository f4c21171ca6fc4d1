//! How the board stands at one moment: temperatures, clocks, load, throttling.

use super::probe::gpu_devfreq;
use crate::power::{Root, read_number, read_text};
use shared::run_folder::BoardState;

/// Reads the state. Each part is left out where the board does not offer it.
#[must_use]
pub fn read_state(root: &Root, t_ns: u64) -> BoardState {
    let mut state = BoardState { t_ns, ..BoardState::default() };
    for zone in root.entries("/sys/class/thermal") {
        let Some(name) = read_text(&zone.join("type")) else { continue };
        // Zones of units that are switched off report an error or −256 °C.
        if let Some(milli) = read_number(&zone.join("temp")).filter(|milli| (-60_000..200_000).contains(milli)) {
            state.temperatures_c.push((name, milli as f64 / 1e3));
        }
    }
    if let Some(gpu) = gpu_devfreq(root) {
        if let Some(hz) = read_number(&gpu.join("cur_freq")) {
            state.clocks_mhz.push(("gpu".into(), hz as f64 / 1e6));
        }
        state.gpu_load = read_number(&gpu.join("device/load")).map(|permille| permille as f64 / 1e3);
    }
    for cpu in root.entries("/sys/devices/system/cpu") {
        let Some(name) = cpu.file_name().map(|n| n.to_string_lossy().into_owned()) else { continue };
        let numbered = name.strip_prefix("cpu").is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
        if numbered && let Some(khz) = read_number(&cpu.join("cpufreq/scaling_cur_freq")) {
            state.clocks_mhz.push((name, khz as f64 / 1e3));
        }
    }
    if let Some(hz) = read_number(&root.path("/sys/kernel/debug/bpmp/debug/clk/emc/rate")) {
        state.clocks_mhz.push(("emc".into(), hz as f64 / 1e6));
    }
    state.throttle_events = throttle_events(root).unwrap_or_default();
    state
}

/// Counters of over-current throttling, as Orin's `soctherm-oc-event` hwmon shows them. `None` where there is none that can
/// be read: then nothing is known.
pub(super) fn throttle_events(root: &Root) -> Option<Vec<(String, u64)>> {
    let mut events = Vec::new();
    for folder in root.entries("/sys/class/hwmon") {
        if read_text(&folder.join("name")).is_none_or(|name| name != "soctherm_oc") {
            continue;
        }
        for number in 1..=8 {
            let count = read_number(&folder.join(format!("oc{number}_event_cnt")));
            if let Some(count) = count.and_then(|count| u64::try_from(count).ok()) {
                events.push((format!("oc{number}"), count));
            }
        }
    }
    (!events.is_empty()).then_some(events)
}
