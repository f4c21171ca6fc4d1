//! JetPack 4: NVIDIA's `ina3221x` driver under iio. `in_voltageN_input` is mV, `in_currentN_input` mA.

use super::boards::total_of;
use super::sysfs::{NumberFile, Root, read_number, read_text};
use super::{Candidate, PowerSource, SourceError, Unusable};
use crate::sys;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor};
use std::path::PathBuf;

struct Iio {
    setup: PowerSetup,
    channels: Vec<(NumberFile, NumberFile)>,
}

impl PowerSource for Iio {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        for (rail, (voltage, current)) in (0..).zip(&self.channels) {
            let (mv, ma) = (voltage.read()?, current.read()?);
            out.push(Sample { t_ns: sys::monotonic_ns(), rail, mv: mv as f32, ma: ma as f32 });
        }
        Ok(())
    }
}

/// Finds `ina3221x` devices. Nothing when there is none.
#[must_use]
pub fn find_iio(root: &Root) -> Option<Candidate> {
    let devices: Vec<PathBuf> = root
        .entries("/sys/bus/iio/devices")
        .into_iter()
        .filter(|folder| read_text(&folder.join("name")).is_some_and(|name| name == "ina3221x"))
        .collect();
    if devices.is_empty() {
        return None;
    }
    let place = devices.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    Some(Candidate { kind: "iio", place, source: open(&devices).map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn open(devices: &[PathBuf]) -> Result<Iio, Unusable> {
    let (mut rails, mut channels) = (Vec::new(), Vec::new());
    for folder in devices {
        for number in 0..3 {
            let Some(label) = read_text(&folder.join(format!("rail_name_{number}"))) else { continue };
            if label.eq_ignore_ascii_case("nc") {
                continue;
            }
            let open = |name: String| {
                NumberFile::open(folder.join(&name)).map_err(|e| Unusable {
                    why: format!("{}: {e}", folder.join(&name).display()),
                    advice: "JetPack 4 lets only root read some of these files: run with sudo or change their mode"
                        .into(),
                })
            };
            channels.push((open(format!("in_voltage{number}_input"))?, open(format!("in_current{number}_input"))?));
            rails.push(Rail {
                label,
                place: folder.join(format!("in_current{number}_input")).display().to_string(),
                voltage_measured: true,
                sensor: Sensor {
                    chip: Some("ina3221".into()),
                    shunt_micro_ohm: read_number(&folder.join(format!("rail_shunt_{number}")))
                        .and_then(|v| u64::try_from(v).ok()),
                    quantum_mv: Some(8.0),
                    known_from: Some("driver".into()),
                    ..Sensor::default()
                },
            });
        }
    }
    if rails.is_empty() {
        return Err(Unusable {
            why: "the device names no rail".into(),
            advice: "check rail_name_0 to rail_name_2 in the device's folder".into(),
        });
    }
    let total = total_of(&rails);
    Ok(Iio { setup: PowerSetup { source: "iio".into(), rails, total, requested_hz: None }, channels })
}
