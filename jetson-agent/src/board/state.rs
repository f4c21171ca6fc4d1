//! How the board stands at one moment: temperatures, clocks, load, throttling.

use super::probe::gpu_devfreq;
use crate::power::{NumberFile, Root, read_text};
use shared::run_folder::BoardState;
use std::path::PathBuf;

/// What a number of the board is.
#[derive(Debug)]
enum Figure {
    Temperature(String),
    Clock { unit: String, mhz: f64 },
    GpuLoad,
    Throttling(String),
}

/// Reads the board's state again and again. The files are looked for once and stay open: reading them costs a tenth of looking for
/// them.
#[derive(Debug)]
pub struct StateReader {
    figures: Vec<(Figure, NumberFile)>,
}

impl StateReader {
    /// Looks for everything that the board offers.
    #[must_use]
    pub fn open(root: &Root) -> Self {
        let mut figures = Vec::new();
        let mut add = |figure: Figure, path: PathBuf| {
            if let Ok(file) = NumberFile::open(path) {
                figures.push((figure, file));
            }
        };
        for zone in root.entries("/sys/class/thermal") {
            if let Some(name) = read_text(&zone.join("type")) {
                add(Figure::Temperature(name), zone.join("temp"));
            }
        }
        if let Some(gpu) = gpu_devfreq(root) {
            add(Figure::Clock { unit: "gpu".into(), mhz: 1e-6 }, gpu.join("cur_freq"));
            add(Figure::GpuLoad, gpu.join("device/load"));
        }
        for cpu in root.entries("/sys/devices/system/cpu") {
            let Some(name) = cpu.file_name().map(|n| n.to_string_lossy().into_owned()) else { continue };
            let number = name.strip_prefix("cpu").filter(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
            if number.is_some() {
                add(Figure::Clock { unit: name, mhz: 1e-3 }, cpu.join("cpufreq/scaling_cur_freq"));
            }
        }
        add(Figure::Clock { unit: "emc".into(), mhz: 1e-6 }, root.path("/sys/kernel/debug/bpmp/debug/clk/emc/rate"));
        for (counter, path) in throttle_counters(root) {
            add(Figure::Throttling(counter), path);
        }
        Self { figures }
    }

    /// Reads the state. What cannot be read this time is left out.
    #[must_use]
    pub fn read(&self, t_ns: u64) -> BoardState {
        let mut state = BoardState { t_ns, ..BoardState::default() };
        for (figure, file) in &self.figures {
            let Ok(value) = file.read() else { continue };
            match figure {
                // Zones of units that are switched off report an error or −256 °C.
                Figure::Temperature(zone) if (-60_000..200_000).contains(&value) => {
                    state.temperatures_c.push((zone.clone(), value as f64 / 1e3));
                }
                Figure::Temperature(_) => {}
                Figure::Clock { unit, mhz } => state.clocks_mhz.push((unit.clone(), value as f64 * mhz)),
                Figure::GpuLoad => state.gpu_load = Some(value as f64 / 1e3),
                Figure::Throttling(counter) => {
                    if let Ok(count) = u64::try_from(value) {
                        state.throttle_events.push((counter.clone(), count));
                    }
                }
            }
        }
        state
    }
}

/// Reads the state once.
#[must_use]
pub fn read_state(root: &Root, t_ns: u64) -> BoardState {
    StateReader::open(root).read(t_ns)
}

/// Counters of over-current throttling, as Orin's `soctherm-oc-event` hwmon shows them.
fn throttle_counters(root: &Root) -> Vec<(String, PathBuf)> {
    let folders = root.entries("/sys/class/hwmon").into_iter();
    let folders = folders.filter(|folder| read_text(&folder.join("name")).is_some_and(|name| name == "soctherm_oc"));
    folders
        .flat_map(|folder| (1..=8).map(move |n| (format!("oc{n}"), folder.join(format!("oc{n}_event_cnt")))))
        .collect()
}

/// The counters of throttling. `None` where there is none that can be read: then nothing is known.
#[must_use]
pub fn throttle_events(root: &Root) -> Option<Vec<(String, u64)>> {
    let events = read_state(root, 0).throttle_events;
    (!events.is_empty()).then_some(events)
}
