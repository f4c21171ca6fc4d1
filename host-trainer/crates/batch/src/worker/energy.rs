//! What the processors of this machine use.

use std::path::Path;

/// Energy that the processor packages of this machine have used since some time, joules; none where it cannot be read, as usual
/// for all but root.
pub(super) fn package_joules() -> Option<f64> {
    let zones = std::fs::read_dir(Path::new("/sys/class/powercap")).ok()?;
    let packages = zones.flatten().filter(|zone| {
        let name = zone.file_name().to_string_lossy().into_owned();
        name.strip_prefix("intel-rapl:").is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let energies: Option<Vec<f64>> = packages
        .map(|zone| std::fs::read_to_string(zone.path().join("energy_uj")).ok()?.trim().parse::<f64>().ok())
        .collect();
    energies.filter(|energies| !energies.is_empty()).map(|energies| energies.iter().sum::<f64>() * 1e-6)
}
