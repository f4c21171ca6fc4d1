//! What board this is. Everything is optional: paths come from public code and documents, and differ between releases.

use crate::power::Root;
use shared::device::Clocks;
use shared::power_modes::PowerModes;
use shared::run_folder::Board;

/// Probes the board; what cannot be found out is `None`.
#[must_use]
pub fn probe(root: &Root) -> Board {
    let l4t = root.text("/etc/nv_tegra_release").and_then(|text| l4t_release(&text));
    let status = root.text(POWER_MODE_FILE);
    let power_modes = root.text(POWER_MODES_FILE).map(|text| PowerModes::parse(&text));
    let power_mode = status.as_deref().and_then(mode_of);
    let named = power_mode.zip(power_modes.as_ref()).and_then(|(id, modes)| modes.numbered(id));
    let power_mode_name = named.map(|mode| mode.name.clone());
    Board {
        model: root.text("/proc/device-tree/model").or_else(|| root.text("/sys/class/dmi/id/product_name")),
        jetpack: l4t.as_deref().and_then(jetpack_of).map(str::to_owned),
        l4t,
        kernel: root.text("/proc/sys/kernel/osrelease"),
        power_mode,
        power_mode_name,
        clocks_locked: clocks_locked(root),
        fan_pwm: fan_pwm(root),
        cpus: root.text("/sys/devices/system/cpu/online").map(|list| count_cpus(&list)),
        memory_bytes: root.text("/proc/meminfo").and_then(|text| memory_bytes(&text)),
        compatible: root.text("/proc/device-tree/compatible").map(|list| list.trim_matches('\0').replace('\0', ",")),
        power_modes,
        clocks: clocks(root),
        fan_profile: status.as_deref().and_then(fan_profile_of),
    }
}

/// `# R36 (release), REVISION: 4.3, …` is 36.4.3.
fn l4t_release(text: &str) -> Option<String> {
    let major = text.split_once('R')?.1.split(|c: char| !c.is_ascii_digit()).next()?;
    let revision = text.split_once("REVISION:")?.1.split(',').next()?.trim();
    let sound = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || c == '.');
    (sound(major) && sound(revision)).then(|| format!("{major}.{revision}"))
}

/// The JetPack release that an L4T release came with.
fn jetpack_of(l4t: &str) -> Option<&'static str> {
    let exact = [
        ("36.5.0", "6.2.2"),
        ("36.4.7", "6.2.1"),
        ("36.4.4", "6.2.1"),
        ("36.4.3", "6.2"),
        ("36.4.0", "6.1"),
        ("36.3.0", "6.0"),
    ];
    if let Some((_, jetpack)) = exact.iter().find(|(release, _)| *release == l4t) {
        return Some(jetpack);
    }
    match l4t.split('.').next()? {
        "32" => Some("4"),
        "34" | "35" => Some("5"),
        "36" => Some("6"),
        "38" | "39" => Some("7"),
        _ => None,
    }
}

/// Where the power mode stands, and where its names do.
pub(super) const POWER_MODE_FILE: &str = "/var/lib/nvpmodel/status";
const POWER_MODES_FILE: &str = "/etc/nvpmodel.conf";

/// Highest clocks that are allowed now: of the GPU by devfreq, of the CPUs by cpufreq, of the memory by the power management's
/// firmware, which only root can ask.
fn clocks(root: &Root) -> Clocks {
    let mhz = |path: &std::path::Path, per_mhz: f64| {
        let value = crate::power::read_number(path).filter(|value| *value > 0)?;
        Some(value as f64 / per_mhz)
    };
    let cpus = root.entries("/sys/devices/system/cpu");
    let cpu = cpus.iter().filter_map(|folder| mhz(&folder.join("cpufreq/scaling_max_freq"), 1e3)).reduce(f64::max);
    Clocks {
        gpu_mhz: gpu_devfreq(root).and_then(|folder| mhz(&folder.join("max_freq"), 1e6)),
        emc_mhz: mhz(&root.path("/sys/kernel/debug/bpmp/debug/clk/emc/max_rate"), 1e6),
        cpu_mhz: cpu,
        dla_mhz: None,
    }
}

/// The status file holds `pmode:0002`, on some releases with the fan's profile behind it or on a second line: `fmode:quiet`.
fn fan_profile_of(status: &str) -> Option<String> {
    let rest = status.split_once("fmode:")?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

/// The number behind `pmode:`, wherever it stands.
fn mode_of(status: &str) -> Option<u32> {
    let lower = status.to_ascii_lowercase();
    let rest = lower
        .match_indices("pmode")
        .map(|(at, key)| lower[at + key.len()..].trim_start())
        .find_map(|rest| rest.strip_prefix([':', '=']).map(str::trim_start))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether the device tree says that this is a Jetson; `None` without a device tree.
pub(super) fn is_jetson(root: &Root) -> Option<bool> {
    let compatible = root.text("/proc/device-tree/compatible");
    let model = root.text("/proc/device-tree/model");
    let tegra = |text: &String| text.contains("nvidia,tegra") || text.contains("Jetson");
    (compatible.is_some() || model.is_some()).then(|| compatible.iter().chain(&model).any(tegra))
}

/// The GPU's devfreq folder: `17000000.gpu`, `17000000.ga10b`, `gpu-gpc-0`, …
pub(super) fn gpu_devfreq(root: &Root) -> Option<std::path::PathBuf> {
    root.entries("/sys/class/devfreq").into_iter().find(|folder| {
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains("gpu") || ["gv11b", "gp10b", "ga10b"].iter().any(|chip| name.ends_with(chip))
    })
}

/// Whether a clock is locked: its minimum stands at its maximum. `None` where one of them cannot be read.
fn is_locked(folder: &std::path::Path, low: &str, high: &str) -> Option<bool> {
    let read = |name: &str| crate::power::read_text(&folder.join(name)).and_then(|t| t.parse::<u64>().ok());
    Some(read(low)? == read(high)?)
}

/// Whether the GPU's and the CPUs' clocks are locked; `None` where it cannot be read.
pub(super) fn locks(root: &Root) -> (Option<bool>, Option<bool>) {
    let gpu = gpu_devfreq(root).and_then(|folder| is_locked(&folder, "min_freq", "max_freq"));
    let numbered = |name: &str| name.strip_prefix("cpu").is_some_and(|n| n.parse::<u32>().is_ok());
    let cpus = root
        .entries("/sys/devices/system/cpu")
        .into_iter()
        .filter(|folder| folder.file_name().is_some_and(|name| numbered(&name.to_string_lossy())));
    // A processor that is switched off has no frequencies.
    let cpus: Vec<bool> =
        cpus.filter_map(|folder| is_locked(&folder.join("cpufreq"), "scaling_min_freq", "scaling_max_freq")).collect();
    (gpu, (!cpus.is_empty()).then(|| cpus.into_iter().all(|locked| locked)))
}

/// Locked clocks have their minimum at their maximum, GPU and CPUs alike. One that is not locked decides; one that cannot
/// be read leaves it open.
fn clocks_locked(root: &Root) -> Option<bool> {
    match locks(root) {
        (Some(true), Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        _ => None,
    }
}

fn fan_pwm(root: &Root) -> Option<u32> {
    root.entries("/sys/class/hwmon").into_iter().find_map(|folder| {
        let name = crate::power::read_text(&folder.join("name"))?;
        (name.contains("fan")).then(|| crate::power::read_text(&folder.join("pwm1"))?.parse().ok())?
    })
}

/// `0-3,5` is five.
fn count_cpus(list: &str) -> u32 {
    list.split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(to.trim().parse::<u32>().ok()?.checked_sub(from.trim().parse().ok()?)? + 1)
        })
        .sum()
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_from_what_nvidia_writes() {
        let text = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64";
        assert_eq!(l4t_release(text).as_deref(), Some("36.4.3"));
        assert_eq!(l4t_release("# R32 (release), REVISION: 7.1, GCID: 1").as_deref(), Some("32.7.1"));
        assert_eq!(l4t_release("Debian"), None);
        assert_eq!(jetpack_of("36.4.3"), Some("6.2"));
        assert_eq!(jetpack_of("32.7.1"), Some("4"));
        assert_eq!(jetpack_of("99.1"), None);
    }

    #[test]
    fn the_power_mode_is_found_wherever_it_stands() {
        for (text, mode) in [
            ("pmode:0002", Some(2)),
            ("pmode:0000 fmode:quiet", Some(0)),
            ("pmode:0002\nfmode:cool", Some(2)),
            ("fmode:quiet\nPMODE: 0001", Some(1)),
            ("pmode=8", Some(8)),
            ("pmode:", None),
            ("fmode:quiet", None),
            ("", None),
        ] {
            assert_eq!(mode_of(text), mode, "{text}");
        }
    }

    #[test]
    fn cpu_lists_are_counted() {
        assert_eq!(count_cpus("0-3,5"), 5);
        assert_eq!(count_cpus("0"), 1);
        assert_eq!(count_cpus("garbage"), 0);
    }
}
