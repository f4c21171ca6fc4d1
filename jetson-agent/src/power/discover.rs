//! Finding the sources of this machine.

use super::chips::Chip;
use super::hwmon::{self, find_hwmon};
use super::iio::{self, find_iio};
use super::nvml::find_nvml;
use super::powercap::find_powercap;
use super::source::Candidate;
use super::sysfs::{Root, read_text};

/// Every source that can be discovered without configuration, best first: the board's own sensors, then a GPU's, then
/// the processor's counters.
#[must_use]
pub fn discover(root: &Root) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = find_hwmon(root).into_iter().collect();
    found.extend(find_iio(root));
    if root.is_real() {
        found.extend(find_nvml(None));
    }
    found.extend(find_powercap(root));
    found
}

/// What was looked for and not found, and what was found instead, as one sentence.
#[must_use]
pub fn absence(root: &Root) -> String {
    let mut folders = vec![hwmon::FOLDER, iio::FOLDER];
    folders.retain(|folder| !root.path(folder).exists());
    let mut text = format!(
        "no power sensor was found: no INA3221 and no chip of the INA2xx family under {} and {}",
        hwmon::FOLDER,
        iio::FOLDER
    );
    if !folders.is_empty() {
        text += &format!(" ({} cannot be listed)", if folders.len() == 1 { folders[0] } else { "which" });
    }
    text += ", no package counter under /sys/class/powercap";
    if root.is_real() {
        text += ", no GPU that NVML reads";
    }
    let others = others(root);
    if !others.is_empty() {
        text += &format!("; found, but not supported: {}", shared::boards::list(&others));
    }
    text
}

/// Devices with a current or a power that are none of the chips that are read.
fn others(root: &Root) -> Vec<String> {
    let mut others = Vec::new();
    for place in [hwmon::FOLDER, iio::FOLDER] {
        for folder in root.entries(place) {
            let Some(name) = read_text(&folder.join("name")).filter(|name| Chip::of(name).is_none()) else { continue };
            let measures = std::fs::read_dir(&folder).into_iter().flatten().flatten().any(|entry| {
                let file = entry.file_name().to_string_lossy().into_owned();
                let figure = ["curr", "power", "in_current", "in_power"].iter().any(|kind| file.starts_with(kind));
                figure && ["_input", "_raw", "_average"].iter().any(|end| file.ends_with(end))
            });
            if measures {
                others.push(format!("{name} ({})", folder.display()));
            }
        }
    }
    others
}
