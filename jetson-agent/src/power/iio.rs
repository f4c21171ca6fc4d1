//! Power chips under iio: NVIDIA's drivers of JetPack 4 (`ina3221x`, `ina219x`, `ina230x`) give `in_voltageN_input` in mV and
//! `in_currentN_input` in mA; the kernel's `ina2xx-adc` gives `in_voltage1_raw` and `in_current3_raw`, each with a scale.

use super::channels::{Channel, Channels, Figure, Found, Refusal};
use super::chips::Chip;
use super::sysfs::{Root, read_number, read_text};
use super::{Candidate, PowerSource};
use shared::run_folder::{Rail, Sensor};
use std::path::{Path, PathBuf};

/// Where the devices are looked for.
pub(super) const FOLDER: &str = "/sys/bus/iio/devices";
/// Where single-channel chips keep their bus voltage and current: NVIDIA's drivers, and the kernel's.
const PLACES: [(u32, u32); 2] = [(0, 0), (1, 3)];

/// Finds power chips. Nothing when there is none.
#[must_use]
pub fn find_iio(root: &Root) -> Option<Candidate> {
    let devices: Vec<(PathBuf, &Chip)> = root
        .entries(FOLDER)
        .into_iter()
        .filter_map(|folder| Some((folder.clone(), Chip::of(&read_text(&folder.join("name"))?)?)))
        .collect();
    if devices.is_empty() {
        return None;
    }
    let place = devices.iter().map(|(folder, _)| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let found = devices.iter().flat_map(|(folder, chip)| found(folder, chip)).collect();
    let source = Channels::join("iio", found, "check rail_name_0 to rail_name_2 in the device's folder");
    Some(Candidate { kind: "iio", place, source: source.map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn found(folder: &Path, chip: &Chip) -> Vec<Found> {
    let named: Vec<(u32, String)> =
        (0..3).filter_map(|n| Some((n, read_text(&folder.join(format!("rail_name_{n}")))?))).collect();
    if !named.is_empty() || chip.channels > 1 {
        let connected = named.into_iter().filter(|(_, label)| !label.eq_ignore_ascii_case("nc"));
        return connected.map(|(n, label)| channel(folder, chip, label, (n, n))).collect();
    }
    let label = ["rail_name", "label"].iter().find_map(|name| read_text(&folder.join(name)));
    let exists =
        |kind: &str, n: u32| ["input", "raw"].iter().any(|form| folder.join(format!("in_{kind}{n}_{form}")).exists());
    let place = PLACES.into_iter().find(|(_, current)| exists("current", *current));
    let place =
        place.or_else(|| PLACES.into_iter().find(|(voltage, _)| exists("voltage", *voltage))).unwrap_or(PLACES[0]);
    vec![channel(folder, chip, label.unwrap_or_else(|| chip.name.into()), place)]
}

fn channel(folder: &Path, chip: &Chip, label: String, (voltage, current): (u32, u32)) -> Found {
    let rail = Rail {
        label: label.clone(),
        place: folder.join(format!("in_current{current}_input")).display().to_string(),
        voltage_measured: true,
        sensor: Sensor {
            chip: Some(chip.name.into()),
            shunt_micro_ohm: read_number(&folder.join(format!("rail_shunt_{current}")))
                .and_then(|v| u64::try_from(v).ok()),
            quantum_mv: Some(chip.quantum_mv),
            known_from: Some("driver".into()),
            ..Sensor::default()
        },
    };
    let open = || {
        let voltage = figure(folder, &format!("in_voltage{voltage}"))?;
        Ok(Channel { rail, voltage, current: figure(folder, &format!("in_current{current}"))? })
    };
    Found { label, channel: open() }
}

/// A figure in mV or mA: `NAME_input`, or `NAME_raw` times `NAME_scale`.
fn figure(folder: &Path, name: &str) -> Result<Figure, Refusal> {
    let raw = folder.join(format!("{name}_raw"));
    let input = folder.join(format!("{name}_input"));
    if input.exists() || !raw.exists() {
        return Figure::open(&input, 1.0);
    }
    let path = folder.join(format!("{name}_scale"));
    match read_text(&path).and_then(|text| text.parse::<f64>().ok()).filter(|scale| scale.is_normal()) {
        Some(scale) => Figure::open(&raw, scale),
        None => Err(Refusal::new(format!("{}: no scale in it", path.display()))),
    }
}
