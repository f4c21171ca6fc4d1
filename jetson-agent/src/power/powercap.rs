//! Energy counters of laptops and servers: Linux's powercap (Intel and AMD RAPL).
//!
//! A counter gives µJ since some moment and wraps; power is its difference over time. Only package and `psys` zones are
//! taken: core and DRAM lie within or beside them, and their sum would count twice.

use super::sysfs::{NumberFile, Root, read_number, read_text};
use super::{Candidate, PowerSource, SourceError, Unusable};
use crate::sys;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor, Total};
use shared::sensor::SensorFamily;
use shared::units::Micros;
use std::path::PathBuf;

/// Counters step about every millisecond; a difference over less than this is mostly the step.
const SHORTEST_NS: u64 = 5_000_000;

struct Zone {
    counter: NumberFile,
    /// Where the counter begins again; `None` where the kernel does not say.
    range_uj: Option<i64>,
    last: Option<(u64, i64)>,
    watts: f64,
}

struct Powercap {
    setup: PowerSetup,
    zones: Vec<Zone>,
}

impl PowerSource for Powercap {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        for (rail, zone) in (0..).zip(&mut self.zones) {
            let (mut microjoules, mut now) = (zone.counter.read()?, sys::monotonic_ns());
            if zone.last.is_none() {
                // The first reading has nothing to be a difference to.
                zone.last = Some((now, microjoules));
                sys::sleep_until(now + SHORTEST_NS);
                (microjoules, now) = (zone.counter.read()?, sys::monotonic_ns());
            }
            if let Some((then, before)) = zone.last
                && now - then >= SHORTEST_NS
            {
                let difference = match (microjoules - before, zone.range_uj) {
                    (difference, _) if difference >= 0 => Some(difference),
                    (difference, Some(range)) => Some(difference + range),
                    // Where it began again is not known: the reading before stands for this one.
                    (_, None) => None,
                };
                zone.watts = difference.map_or(zone.watts, |joules| joules as f64 * 1e3 / (now - then) as f64);
                zone.last = Some((now, microjoules));
            }
            // Power alone is known: 1 V nominal, so that milliamps are milliwatts.
            out.push(Sample { t_ns: now, rail, mv: 1_000.0, ma: (zone.watts * 1e3) as f32 });
        }
        Ok(())
    }
}

/// Finds package counters. Nothing when there is none.
#[must_use]
pub fn find_powercap(root: &Root) -> Option<Candidate> {
    let zones: Vec<(PathBuf, String)> = root
        .entries("/sys/class/powercap")
        .into_iter()
        .filter_map(|folder| {
            let name = read_text(&folder.join("name"))?;
            (name.starts_with("package") || name == "psys").then_some((folder, name))
        })
        .collect();
    let place = zones.first()?.0.display().to_string();
    Some(Candidate { kind: "powercap", place, source: open(zones).map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn open(zones: Vec<(PathBuf, String)>) -> Result<Powercap, Unusable> {
    let (mut rails, mut open) = (Vec::new(), Vec::new());
    for (folder, name) in zones {
        let path = folder.join("energy_uj");
        let counter = NumberFile::open(path.clone()).map_err(|e| Unusable {
            why: format!("{}: {e}", path.display()),
            advice: "since 2020 only root may read these counters: run with sudo, or `chmod a+r` the file".into(),
        })?;
        let range_uj = read_number(&folder.join("max_energy_range_uj")).filter(|range| *range > 0);
        rails.push(Rail {
            label: name,
            place: path.display().to_string(),
            voltage_measured: false,
            sensor: Sensor {
                family: Some(SensorFamily::Counter { refresh: Micros(1000.0) }),
                refresh_ns: Some(SHORTEST_NS),
                window_ns: Some(SHORTEST_NS),
                known_from: Some("configured".into()),
                ..Sensor::default()
            },
        });
        open.push(Zone { counter, range_uj, last: None, watts: 0.0 });
    }
    // psys covers the whole platform, packages included.
    let psys = rails.iter().position(|rail| rail.label == "psys");
    let total = match psys {
        Some(index) => Total::Rail(index as u8),
        None if rails.len() == 1 => Total::Rail(0),
        None => Total::Sum((0..rails.len() as u8).collect()),
    };
    Ok(Powercap { setup: PowerSetup { source: "powercap".into(), rails, total, requested_hz: None }, zones: open })
}
