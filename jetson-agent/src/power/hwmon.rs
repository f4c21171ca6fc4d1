//! The board's own sensors as the kernel's hwmon shows them: INA3221 on JetPack 5 and later, INA238 on Thor, and the chips
//! of the INA2xx family on carrier boards.
//!
//! Chips are found by the driver's name and channels by their label, never by bus address. All chips together are one
//! source, since one board's rails belong together. Millivolts are `inN_input`, milliamps `currN_input`.

use super::channels::{Channel, Channels, Figure, Found};
use super::chip_settings::settings;
use super::chips::Chip;
use super::sysfs::{Root, read_number, read_text};
use super::{Candidate, PowerSource};
use shared::run_folder::{Rail, Sensor};
use std::path::{Path, PathBuf};

/// Where the chips are looked for.
pub(super) const FOLDER: &str = "/sys/class/hwmon";

/// Finds power chips. Nothing when there is none.
#[must_use]
pub fn find_hwmon(root: &Root) -> Option<Candidate> {
    let chips: Vec<(PathBuf, &Chip)> = root
        .entries(FOLDER)
        .into_iter()
        .filter_map(|folder| Some((folder.clone(), Chip::of(&read_text(&folder.join("name"))?)?)))
        .collect();
    if chips.is_empty() {
        return None;
    }
    let place = chips.iter().map(|(folder, _)| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let kind = if chips.iter().all(|(_, chip)| chip.name == "ina238") { "ina238" } else { "hwmon" };
    let found = found(root, &chips);
    let source = Channels::join(kind, found, "check the labels in the chip's hwmon folder");
    Some(Candidate { kind, place, source: source.map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn found(root: &Root, chips: &[(PathBuf, &Chip)]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (folder, chip) in chips {
        for number in 1..=chip.channels {
            let Some(label) = label(folder, chip, number) else { continue };
            let label = label.unwrap_or_else(|| unlabelled(root, chip, &found));
            let current = folder.join(format!("curr{number}_input"));
            let rail = Rail {
                label: label.clone(),
                place: current.display().to_string(),
                voltage_measured: true,
                sensor: sensor(folder, chip, number),
            };
            let channel = Figure::open(&folder.join(format!("in{number}_input")), 1.0)
                .and_then(|voltage| Ok(Channel { rail, voltage, current: Figure::open(&current, 1.0)? }));
            found.push(Found { label, channel });
        }
    }
    found
}

/// A connected channel's label, if it bears one; `None` for a channel that is not connected (`NC`) or switched off.
fn label(folder: &Path, chip: &Chip, number: u32) -> Option<Option<String>> {
    if read_number(&folder.join(format!("in{number}_enable"))) == Some(0) {
        return None;
    }
    let text = |name: String| read_text(&folder.join(name));
    let label = text(format!("in{number}_label"))
        .or_else(|| text(format!("curr{number}_label")))
        .or_else(|| (chip.channels == 1).then(|| text("label".into())).flatten());
    match label {
        Some(label) if label.eq_ignore_ascii_case("nc") => None,
        Some(label) => Some(Some(label)),
        None if chip.channels == 1 => Some(None),
        None => folder.join(format!("curr{number}_input")).exists().then(|| Some(format!("channel {number}"))),
    }
}

/// What a chip without a label is called: Thor's INA238 stands at the board's input, any other by its name.
fn unlabelled(root: &Root, chip: &Chip, found: &[Found]) -> String {
    let thor = || {
        root.text("/proc/device-tree/compatible").is_some_and(|text| text.contains("tegra264"))
            || found.iter().any(|f| f.label == "VDD_CPU_SOC_MSS")
    };
    if chip.name == "ina238" && thor() {
        return "VIN".into();
    }
    match found.iter().filter(|f| f.label.split(' ').next() == Some(chip.name)).count() {
        0 => chip.name.into(),
        others => format!("{} {}", chip.name, others + 1),
    }
}

/// What the driver tells of the sensor. INA3221: 40 µV over the shunt is one step of current, 8 mV one of voltage (data
/// sheet, 8.6.2). `samples` and `update_interval` are recorded as they stand, and as settings as far as they determine them.
fn sensor(folder: &Path, chip: &Chip, number: u32) -> Sensor {
    let positive =
        |name: String| read_number(&folder.join(name)).and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    let shunt = positive(format!("shunt{number}_resistor")).or_else(|| positive("shunt_resistor".into()));
    let settings = settings(folder, chip, number);
    let family = settings.family(chip.name);
    let known_from = settings.conversions_from.as_deref().filter(|from| *from == "assumed").unwrap_or("driver");
    let sensor = Sensor {
        chip: Some(chip.name.into()),
        quantum_ma: shunt.zip(chip.shunt_step_uv).map(|(micro_ohm, step_uv)| step_uv / micro_ohm as f64 * 1e3),
        quantum_mv: Some(chip.quantum_mv),
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
