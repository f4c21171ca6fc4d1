//! The board's own sensors as the kernel's hwmon shows them: INA3221 on JetPack 5 and later, INA238 on Thor.
//!
//! Chips are found by the driver's name and channels by their label, never by bus address. All chips together are one
//! source, since one board's rails belong together. Millivolts are `inN_input`, milliamps `currN_input`.

use super::boards::total_of;
use super::chip::{ChipKind, settings};
use super::sysfs::{NumberFile, Root, read_number, read_text};
use super::{Candidate, PowerSource, SourceError, Unusable};
use crate::sys;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor};
use std::path::{Path, PathBuf};

struct Channel {
    voltage: NumberFile,
    current: NumberFile,
}

struct Hwmon {
    setup: PowerSetup,
    channels: Vec<Channel>,
}

impl PowerSource for Hwmon {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        for (rail, channel) in (0..).zip(&self.channels) {
            // Voltage first, as the reference does: the current, which changes more, is then the fresher of the two.
            let mv = channel.voltage.read()?;
            let ma = channel.current.read()?;
            out.push(Sample { t_ns: sys::monotonic_ns(), rail, mv: mv as f32, ma: ma as f32 });
        }
        Ok(())
    }
}

/// Finds INA3221 and INA238 chips. Nothing when there is none.
#[must_use]
pub fn find_hwmon(root: &Root) -> Option<Candidate> {
    let chips: Vec<(PathBuf, ChipKind)> = root
        .entries("/sys/class/hwmon")
        .into_iter()
        .filter_map(|folder| Some((folder.clone(), ChipKind::of(&read_text(&folder.join("name"))?)?)))
        .collect();
    if chips.is_empty() {
        return None;
    }
    let place = chips.iter().map(|(folder, _)| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let kind = if chips.iter().all(|(_, kind)| *kind == ChipKind::Ina238) { "ina238" } else { "hwmon" };
    Some(Candidate { kind, place, source: open(&chips, kind).map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn open(chips: &[(PathBuf, ChipKind)], kind: &str) -> Result<Hwmon, Unusable> {
    let (mut rails, mut channels) = (Vec::new(), Vec::new());
    for (folder, kind) in chips {
        for number in 1..=kind.channels() {
            let Some(label) = label(folder, *kind, number) else { continue };
            let voltage = open_number(folder.join(format!("in{number}_input")))?;
            let current = open_number(folder.join(format!("curr{number}_input")))?;
            rails.push(Rail {
                label,
                place: folder.join(format!("curr{number}_input")).display().to_string(),
                voltage_measured: true,
                sensor: sensor(folder, *kind, number),
            });
            channels.push(Channel { voltage, current });
        }
    }
    if rails.is_empty() {
        return Err(Unusable {
            why: "the chip has no connected channel".into(),
            advice: "check the labels in the chip's hwmon folder".into(),
        });
    }
    let total = total_of(&rails);
    Ok(Hwmon { setup: PowerSetup { source: kind.into(), rails, total, requested_hz: None }, channels })
}

/// A connected channel's label. `NC` is not connected; a channel switched off reads nothing.
fn label(folder: &Path, kind: ChipKind, number: u32) -> Option<String> {
    if read_number(&folder.join(format!("in{number}_enable"))) == Some(0) {
        return None;
    }
    let label = read_text(&folder.join(format!("in{number}_label")))
        .or_else(|| read_text(&folder.join(format!("curr{number}_label"))));
    match (label, kind) {
        (Some(label), _) if label.eq_ignore_ascii_case("nc") => None,
        (Some(label), _) => Some(label),
        // Thor's INA238 stands at the module's input and bears no label.
        (None, ChipKind::Ina238) => Some("VIN".into()),
        (None, ChipKind::Ina3221) => {
            folder.join(format!("curr{number}_input")).exists().then(|| format!("channel {number}"))
        }
    }
}

fn open_number(path: PathBuf) -> Result<NumberFile, Unusable> {
    NumberFile::open(path.clone()).map_err(|e| match e.kind() {
        std::io::ErrorKind::PermissionDenied => Unusable {
            why: format!("{}: permission denied", path.display()),
            advice: "let your user read it with the udev rule of docs/agent.md, or run with sudo".into(),
        },
        _ => Unusable { why: format!("{}: {e}", path.display()), advice: "check the kernel's messages (dmesg)".into() },
    })
}

/// What the driver tells of the sensor. INA3221: 40 µV over the shunt is one step of current, 8 mV one of voltage (data
/// sheet, 8.6.2). `samples` and `update_interval` are recorded as they stand, and as settings as far as they determine them.
fn sensor(folder: &Path, kind: ChipKind, number: u32) -> Sensor {
    let positive =
        |name: String| read_number(&folder.join(name)).and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    let shunt = positive(format!("shunt{number}_resistor")).or_else(|| positive("shunt_resistor".into()));
    let settings = settings(folder, kind, number);
    let family = settings.family(kind.name());
    let known_from = settings.conversions_from.as_deref().filter(|from| *from == "assumed").unwrap_or("driver");
    let sensor = Sensor {
        chip: Some(kind.name().into()),
        quantum_ma: match kind {
            ChipKind::Ina3221 => shunt.map(|micro_ohm| 40.0 / micro_ohm as f64 * 1e3),
            ChipKind::Ina238 => None,
        },
        quantum_mv: Some(match kind {
            ChipKind::Ina3221 => 8.0,
            ChipKind::Ina238 => 3.125,
        }),
        shunt_micro_ohm: shunt,
        samples: positive("samples".into()),
        update_interval_ms: positive("update_interval".into()),
        known_from: Some(known_from.into()),
        settings: Some(settings),
        ..Sensor::default()
    };
    match family {
        Some(family) => sensor.with_family(family),
        None => sensor,
    }
}
