//! Finding the sources of this machine.

use super::hwmon::find_hwmon;
use super::iio::find_iio;
use super::nvml::find_nvml;
use super::powercap::find_powercap;
use super::source::Candidate;
use super::sysfs::Root;

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
