//! The power modes of a Jetson, as its `nvpmodel.conf` defines them: names and the caps that they put on clocks.
//!
//! The format is the one that NVIDIA's tool `nvpmodel` documents in the head of each such file: sections `< PARAM … >` that
//! name what can be set, `< POWER_MODEL ID=n NAME=name >` with one line per setting, and `< PM_CONFIG DEFAULT=n >`. The
//! reader is total: what it cannot read becomes a diagnostic with its line.

use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The modes of a board.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PowerModes {
    /// In the order of the file; numbers do not repeat.
    pub modes: Vec<PowerMode>,
    /// Number of the mode after a first boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<String>,
}

/// One power mode. A clock without a cap is `None`: the mode leaves it to the hardware.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PowerMode {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Cap of the GPU's clock, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_mhz: Option<f64>,
    /// Cap of the memory's clock, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emc_mhz: Option<f64>,
    /// Highest cap of a CPU cluster's clock, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_mhz: Option<f64>,
    /// Highest cap of a deep-learning accelerator's clock, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dla_mhz: Option<f64>,
    /// CPU cores that are switched on, if the mode says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Mask of the GPU's texture-processing clusters that are switched off, if the mode has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpc_gating_mask: Option<u64>,
}

impl PowerModes {
    /// Reads an `nvpmodel.conf`. Clocks are in Hz there, those of CPUs in kHz; 0 and −1 stand for no cap.
    ///
    /// ```
    /// use shared::power_modes::PowerModes;
    ///
    /// let modes = PowerModes::parse("< POWER_MODEL ID=1 NAME=5W >\nCPU_ONLINE CORE_0 1\nCPU_ONLINE CORE_1 0\n\
    ///     CPU_A57 MAX_FREQ 918000\nGPU MAX_FREQ 640000000\nEMC MAX_FREQ 0\n< PM_CONFIG DEFAULT=1 >\n");
    /// let mode = modes.named("5w").expect("a mode");
    /// assert_eq!((mode.gpu_mhz, mode.emc_mhz, mode.cpu_mhz, mode.cpus), (Some(640.0), None, Some(918.0), Some(1)));
    /// assert_eq!(modes.default, Some(1));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        let mut section = Section::Other;
        let mut dropped = 0_usize;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read =
                if line.starts_with('<') { all.heading(line).map(|s| section = s) } else { all.setting(line, section) };
            if let Err(why) = read {
                if all.diagnostics.len() < MOST_DIAGNOSTICS {
                    all.diagnostics.push(format!("line {number}: {why}"));
                } else {
                    dropped += 1;
                }
            }
        }
        if dropped > 0 {
            all.diagnostics.push(format!("{dropped} further lines could not be read"));
        }
        all
    }

    /// The mode with a number.
    #[must_use]
    pub fn numbered(&self, id: u32) -> Option<&PowerMode> {
        self.modes.iter().find(|mode| mode.id == id)
    }

    /// The mode with a name, upper or lower case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&PowerMode> {
        self.modes.iter().find(|mode| mode.name.eq_ignore_ascii_case(name))
    }

    /// `< KIND KEY=VALUE … >`.
    fn heading(&mut self, line: &str) -> Result<Section, String> {
        let inside = line.trim_start_matches('<').trim_end().trim_end_matches('>');
        let mut words = inside.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
        match kind {
            "POWER_MODEL" => {
                let id = fields.get("ID").and_then(|id| id.parse().ok());
                let id: u32 = id.ok_or_else(|| "a power mode without a number (ID=)".to_owned())?;
                if self.numbered(id).is_some() {
                    return Err(format!("a second power mode {id}"));
                }
                if self.modes.len() >= limits::POWER_MODES {
                    return Err(format!("more than {} power modes", limits::POWER_MODES));
                }
                let name = fields.get("NAME").copied().unwrap_or_default();
                let name = if name.is_empty() { id.to_string() } else { shortened(name) };
                self.modes.push(PowerMode { id, name, ..PowerMode::default() });
                Ok(Section::Mode)
            }
            "PM_CONFIG" => {
                let default = fields.get("DEFAULT").and_then(|id| id.parse().ok());
                self.default = Some(default.ok_or_else(|| "the default mode is not a number".to_owned())?);
                Ok(Section::Other)
            }
            "PARAM" | "FAN_CONFIG" | "GPU_POWER_GATING" | "PM_DEFAULTS" => Ok(Section::Other),
            _ => Err(format!("an unknown section {}", shortened(kind))),
        }
    }

    /// `PARAM ARGUMENT VALUE` of a mode; lines of other sections are paths.
    fn setting(&mut self, line: &str, section: Section) -> Result<(), String> {
        let (Section::Mode, Some(mode)) = (section, self.modes.last_mut()) else { return Ok(()) };
        let mut words = line.split_whitespace();
        let (Some(parameter), Some(argument), Some(value)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("`{}` has no value", shortened(line)));
        };
        let number = || {
            value
                .parse::<i64>()
                .map_err(|_| format!("{} {} is not a number", shortened(parameter), shortened(argument)))
        };
        match (parameter, argument) {
            ("CPU_ONLINE", core) if core.starts_with("CORE_") => {
                *mode.cpus.get_or_insert(0) += u32::from(number()? == 1);
            }
            ("TPC_POWER_GATING", "TPC_PG_MASK") => mode.tpc_gating_mask = u64::try_from(number()?).ok(),
            ("GPU", "MAX_FREQ") => mode.gpu_mhz = mhz(number()?, 1e6),
            ("EMC", "MAX_FREQ") => mode.emc_mhz = mhz(number()?, 1e6),
            (name, "MAX_FREQ") if name.starts_with("CPU") => raise(&mut mode.cpu_mhz, mhz(number()?, 1e3)),
            (name, "MAX_FREQ") if name.starts_with("DLA") && !name.contains("FALCON") => {
                raise(&mut mode.dla_mhz, mhz(number()?, 1e6));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Most diagnostics kept of one file.
const MOST_DIAGNOSTICS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Settings of the last mode.
    Mode,
    /// Paths and defaults.
    Other,
}

/// A clock in MHz; none for 0 and −1, which stand for no cap.
fn mhz(value: i64, per_mhz: f64) -> Option<f64> {
    (value > 0).then(|| value as f64 / per_mhz)
}

/// Keeps the highest of several clocks.
fn raise(clock: &mut Option<f64>, other: Option<f64>) {
    if let Some(other) = other {
        *clock = Some(clock.map_or(other, |clock| clock.max(other)));
    }
}

/// Foreign text in a message or a name: printable, and not longer than a name.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Written for this test in the format of NVIDIA's files.
    const EXAMPLE: &str = "\
# a comment
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/class/devfreq/gpu/max_freq

< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 1
GPU MAX_FREQ -1
EMC MAX_FREQ 0
< POWER_MODEL ID=2 NAME=MODE_15W_2CORE >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 0
TPC_POWER_GATING TPC_PG_MASK 240
CPU_A78_0 MIN_FREQ 729600
CPU_A78_0 MAX_FREQ 1113600
CPU_A78_1 MAX_FREQ 1200000
GPU MIN_FREQ 0
GPU MAX_FREQ 420750000
GPU_POWER_CONTROL_DISABLE GPU_PWR_CNTL_DIS auto
EMC MAX_FREQ 2133000000
DLA0_CORE MAX_FREQ 614400000
DLA0_FALCON MAX_FREQ 900000000

< PM_CONFIG DEFAULT=2 >
< FAN_CONFIG DEFAULT=cool >
";

    #[test]
    fn modes_are_read_with_their_caps() {
        let all = PowerModes::parse(EXAMPLE);
        assert_eq!(all.diagnostics, Vec::<String>::new());
        assert_eq!(all.default, Some(2));
        let [free, capped] = all.modes.as_slice() else { panic!("two modes, not {:?}", all.modes) };
        assert_eq!((free.name.as_str(), free.gpu_mhz, free.emc_mhz, free.cpus), ("MAXN", None, None, Some(2)));
        assert_eq!(
            *capped,
            PowerMode {
                id: 2,
                name: "MODE_15W_2CORE".into(),
                gpu_mhz: Some(420.75),
                emc_mhz: Some(2133.0),
                cpu_mhz: Some(1200.0),
                dla_mhz: Some(614.4),
                cpus: Some(1),
                tpc_gating_mask: Some(240),
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let text = "< POWER_MODEL NAME=x >\nGPU MAX_FREQ 1\n< POWER_MODEL ID=1 NAME=a >\nGPU MAX_FREQ fast\nEMC MAX_FREQ\n\
                    < POWER_MODEL ID=1 NAME=b >\n< WHAT >\n";
        let all = PowerModes::parse(text);
        let lines: Vec<&str> = all.diagnostics.iter().filter_map(|d| d.split(':').next()).collect();
        assert_eq!(lines, ["line 1", "line 4", "line 5", "line 6", "line 7"], "{:?}", all.diagnostics);
        assert_eq!(all.modes.len(), 1);
        assert_eq!(all.modes[0].gpu_mhz, None);
    }

    #[test]
    fn a_file_without_end_is_cut_off() {
        let many: String = (0..10_000).map(|n| format!("< POWER_MODEL ID={n} NAME=m >\nGPU MAX_FREQ x\n")).collect();
        let all = PowerModes::parse(&many);
        assert_eq!(all.modes.len(), limits::POWER_MODES);
        assert!(all.diagnostics.len() <= MOST_DIAGNOSTICS + 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(< POWER_MODEL ID=[0-9]{1,12} NAME=\\PC{0,4} >|GPU MAX_FREQ -?[0-9]{0,30}|< PM_CONFIG DEFAULT=\\PC{0,3}|\\PC{0,20}|\n){0,20}") {
            let all = PowerModes::parse(&text);
            prop_assert!(all.modes.iter().all(|mode| mode.gpu_mhz.is_none_or(|mhz| mhz > 0.0)));
        }
    }
}
