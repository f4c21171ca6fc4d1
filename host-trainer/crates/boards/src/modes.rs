//! Public Jetson modules: their power modes with the clocks that they cap, and their peaks.
//!
//! Every row names its source, and whether it was compared with it. A value that its source does not give is unknown. Modes of one's own, or of another release, are
//! read from `nvpmodel.conf` ([`shared::power_modes`]) and count before this table.

use shared::device::Clocks;
use shared::power_modes::{PowerMode, PowerModes};

/// A public module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Board {
    /// Its short name, as in [`shared::device::MODULES`].
    pub name: &'static str,
    /// What it can do at most.
    pub peaks: Peaks,
    /// Its predefined power modes.
    pub modes: &'static [Mode],
}

/// What a module can do at most. Rates are products of units and clocks, so that they hold at other clocks too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peaks {
    /// Dense multiply-accumulates of the whole GPU in one cycle, in 32 bits.
    pub fp32_macs_per_cycle: f64,
    /// The same in 16 bits.
    pub fp16_macs_per_cycle: f64,
    /// The same in 8 bits; none for a GPU without such units.
    pub int8_macs_per_cycle: Option<f64>,
    /// Bytes that the memory moves in one cycle of its controller's clock: two transfers of the bus's width.
    pub bytes_per_cycle: f64,
    /// Highest clock of the GPU, MHz.
    pub gpu_mhz: f64,
    /// Highest clock of the memory, MHz.
    pub emc_mhz: f64,
    /// Clusters of its GPU (texture-processing clusters); not known of every board.
    pub gpu_clusters: Option<u32>,
    /// Where these come from.
    pub source: &'static str,
}

impl Peaks {
    /// Dense multiply-accumulates per second at the highest clock, for numbers of so many bits; none where the GPU has no
    /// units for them.
    #[must_use]
    pub fn macs_per_second(&self, bits: u32) -> Option<f64> {
        let per_cycle = match bits {
            32 => Some(self.fp32_macs_per_cycle),
            16 => Some(self.fp16_macs_per_cycle),
            8 => self.int8_macs_per_cycle,
            _ => None,
        };
        per_cycle.map(|macs| macs * self.gpu_mhz * 1e6)
    }

    /// Bytes per second at the highest clock.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes_per_cycle * self.emc_mhz * 1e6
    }

    /// The peaks at other clocks; a clock that is not given stays the highest.
    #[must_use]
    pub fn at(self, clocks: Clocks) -> Self {
        Self {
            gpu_mhz: clocks.gpu_mhz.unwrap_or(self.gpu_mhz),
            emc_mhz: clocks.emc_mhz.unwrap_or(self.emc_mhz),
            ..self
        }
    }
}

/// A predefined power mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// The power that it is meant for, W; none for an uncapped mode. The firmware lowers clocks beyond it; no law here does.
    pub watts: Option<f64>,
    /// The GPU's clock, MHz: its cap, or the highest where it has none.
    pub gpu_mhz: Option<f64>,
    /// The memory's clock, MHz, likewise.
    pub emc_mhz: Option<f64>,
    /// The CPUs' clock, MHz, likewise.
    pub cpu_mhz: Option<f64>,
    /// The deep-learning accelerators' clock, MHz, likewise.
    pub dla_mhz: Option<f64>,
    /// CPU cores that are on.
    pub cpus: Option<u32>,
    /// Clusters of the GPU (texture-processing clusters) that are on; not known of every mode.
    pub gpu_clusters: Option<u32>,
    /// Where the row comes from.
    pub source: &'static str,
}

impl Mode {
    /// Its clocks.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        Clocks { gpu_mhz: self.gpu_mhz, emc_mhz: self.emc_mhz, cpu_mhz: self.cpu_mhz, dla_mhz: self.dla_mhz }
    }
}

const R36_CONF: &str = "nvpmodel_p3767_0003_super.conf and nvpmodel_p3767_0000_super.conf of Jetson Linux r36.4.3";
const R35_CONF: &str = "NVIDIA, nvpmodel_p3701_0000.conf, nvpmodel_p3701_0004.conf and nvpmodel_p3767_0003.conf of 2023, as LineageOS's android_device_nvidia_concord holds them";
const R35: &str = "NVIDIA, Jetson Linux Developer Guide r35.4.1, Supported Modes and Power Efficiency, Orin series; not yet compared with it";
const R35_XAVIER: &str = "NVIDIA, Jetson Linux Developer Guide r35.4.1, Supported Modes and Power Efficiency, Xavier series; not yet compared with it";
const R32_XAVIER: &str =
    "NVIDIA, L4T Development Guide 32.7.5, Power Management for Jetson AGX Xavier; not yet compared with it";
const R32_TX2: &str = "NVIDIA, L4T Development Guide 32.7.5, Power Management for Jetson TX2, and its nvpmodel.conf; not yet compared with it";
const R32_NANO: &str = "NVIDIA, L4T Development Guide 32.7.5, Power Management for Jetson Nano";
const ORIN_BRIEF: &str = "NVIDIA, Jetson AGX Orin Series Technical Brief 1.2 (tensor core: 256 FP16, 512 INT8 MACs a cycle); not yet compared with it";
const ORIN_NX_SHEET: &str = "NVIDIA, Jetson Orin NX Series data sheet DS-10712-001; tensor cores as in AGX Orin's technical brief; not yet compared with it";
const ORIN_NANO_SHEET: &str = "NVIDIA, Jetson Orin Nano Series data sheet DS-11105-001; tensor cores as in AGX Orin's technical brief; not yet compared with it";
const XAVIER_BLOG: &str = "NVIDIA, Jetson AGX Xavier data sheet DS-09654-002 (tensor core: 64 FP16, 128 INT8 MACs a cycle); not yet compared with it";
const XAVIER_NX_SHEET: &str =
    "NVIDIA, Jetson Xavier NX data sheet DS-10184-001; tensor cores as in AGX Xavier; not yet compared with it";
const TX2_SHEET: &str =
    "NVIDIA, Jetson TX2 Series data sheet DS-08940-001 (256 cores, FP16 at twice FP32); not yet compared with it";
const NANO_SHEET: &str =
    "NVIDIA, Jetson Nano data sheet DS-09366-001 (128 cores, FP16 at twice FP32); not yet compared with it";

/// A row without clocks of its own.
const fn row(id: u32, name: &'static str, watts: Option<f64>, source: &'static str) -> Mode {
    Mode {
        id,
        name,
        watts,
        gpu_mhz: None,
        emc_mhz: None,
        cpu_mhz: None,
        dla_mhz: None,
        cpus: None,
        gpu_clusters: None,
        source,
    }
}

/// A row with clocks of GPU and memory, cores and clock of the CPUs.
const fn mode(
    id: u32,
    name: &'static str,
    watts: Option<f64>,
    clocks: [f64; 2],
    cpus: (u32, f64),
    source: &'static str,
) -> Mode {
    let mut mode = row(id, name, watts, source);
    mode.gpu_mhz = Some(clocks[0]);
    mode.emc_mhz = Some(clocks[1]);
    mode.cpus = Some(cpus.0);
    mode.cpu_mhz = Some(cpus.1);
    mode
}

/// A row with clocks of GPU and memory alone.
const fn clocks(id: u32, name: &'static str, watts: Option<f64>, clocks: [f64; 2], source: &'static str) -> Mode {
    let mut mode = row(id, name, watts, source);
    mode.gpu_mhz = Some(clocks[0]);
    mode.emc_mhz = Some(clocks[1]);
    mode
}

/// The same mode with the accelerators' clock.
const fn dla(mut mode: Mode, mhz: f64) -> Mode {
    mode.dla_mhz = Some(mhz);
    mode
}

/// The same mode with so many of the GPU's clusters on.
const fn on(gpu_clusters: u32, mut mode: Mode) -> Mode {
    mode.gpu_clusters = Some(gpu_clusters);
    mode
}

/// The public modules whose modes or peaks are known.
pub const BOARDS: [Board; 10] = [
    Board {
        name: "orin-nano",
        peaks: Peaks {
            fp32_macs_per_cycle: 1024.0,
            fp16_macs_per_cycle: 8192.0,
            int8_macs_per_cycle: Some(16384.0),
            bytes_per_cycle: 32.0,
            gpu_mhz: 1020.0,
            emc_mhz: 3199.0,
            gpu_clusters: Some(4),
            source: ORIN_NANO_SHEET,
        },
        modes: &[
            on(4, mode(0, "15W", Some(15.0), [612.0, 2133.0], (6, 1497.6), R36_CONF)),
            on(4, mode(1, "25W", Some(25.0), [918.0, 3199.0], (6, 1344.0), R36_CONF)),
            on(4, mode(2, "MAXN_SUPER", None, [1020.0, 3199.0], (6, 1728.0), R36_CONF)),
            on(2, mode(3, "7W", Some(7.0), [408.0, 2133.0], (4, 960.0), R35_CONF)),
        ],
    },
    Board {
        name: "orin-nano-4gb",
        peaks: Peaks {
            fp32_macs_per_cycle: 512.0,
            fp16_macs_per_cycle: 4096.0,
            int8_macs_per_cycle: Some(8192.0),
            bytes_per_cycle: 16.0,
            gpu_mhz: 1020.0,
            emc_mhz: 3199.0,
            gpu_clusters: Some(2),
            source: ORIN_NANO_SHEET,
        },
        modes: &[],
    },
    Board {
        name: "orin-nx",
        peaks: Peaks {
            fp32_macs_per_cycle: 1024.0,
            fp16_macs_per_cycle: 8192.0,
            int8_macs_per_cycle: Some(16384.0),
            bytes_per_cycle: 32.0,
            gpu_mhz: 918.0,
            emc_mhz: 3199.0,
            gpu_clusters: Some(4),
            source: ORIN_NX_SHEET,
        },
        modes: &[
            on(4, mode(0, "MAXN", None, [918.0, 3199.0], (8, 1984.0), R35)),
            on(2, mode(1, "10W", Some(10.0), [612.0, 2133.0], (4, 1190.4), R36_CONF)),
            on(2, mode(2, "15W", Some(15.0), [612.0, 3199.0], (4, 1420.8), R36_CONF)),
            on(4, mode(3, "25W", Some(25.0), [408.0, 3199.0], (8, 1497.6), R36_CONF)),
            on(4, mode(4, "40W", Some(40.0), [1173.0, 3199.0], (8, 1497.6), R36_CONF)),
        ],
    },
    Board {
        name: "orin-nx-8gb",
        peaks: Peaks {
            fp32_macs_per_cycle: 1024.0,
            fp16_macs_per_cycle: 8192.0,
            int8_macs_per_cycle: Some(16384.0),
            bytes_per_cycle: 32.0,
            gpu_mhz: 765.0,
            emc_mhz: 3199.0,
            gpu_clusters: Some(4),
            source: ORIN_NX_SHEET,
        },
        modes: &[clocks(0, "MAXN", None, [765.0, 3199.0], ORIN_NX_SHEET)],
    },
    Board {
        name: "agx-orin",
        peaks: Peaks {
            fp32_macs_per_cycle: 2048.0,
            fp16_macs_per_cycle: 16384.0,
            int8_macs_per_cycle: Some(32768.0),
            bytes_per_cycle: 64.0,
            gpu_mhz: 1300.5,
            emc_mhz: 3199.0,
            gpu_clusters: Some(8),
            source: ORIN_BRIEF,
        },
        modes: &[
            on(8, dla(mode(0, "MAXN", None, [1300.5, 3199.0], (12, 2201.6), R35), 1600.0)),
            on(3, dla(mode(1, "MODE_15W", Some(15.0), [408.0, 2133.0], (4, 1113.6), R35_CONF), 614.4)),
            on(4, dla(mode(2, "MODE_30W", Some(30.0), [612.0, 3199.0], (8, 1728.0), R35_CONF), 1369.6)),
            on(8, dla(mode(3, "MODE_50W", Some(50.0), [816.0, 3199.0], (12, 1497.6), R35_CONF), 1369.6)),
        ],
    },
    Board {
        name: "agx-orin-32gb",
        peaks: Peaks {
            fp32_macs_per_cycle: 1792.0,
            fp16_macs_per_cycle: 14336.0,
            int8_macs_per_cycle: Some(28672.0),
            bytes_per_cycle: 64.0,
            gpu_mhz: 930.75,
            emc_mhz: 3199.0,
            gpu_clusters: Some(7),
            source: ORIN_BRIEF,
        },
        modes: &[
            on(7, clocks(0, "MAXN", None, [930.75, 3199.0], R35)),
            on(3, dla(mode(1, "MODE_15W", Some(15.0), [408.0, 2133.0], (4, 1113.6), R35_CONF), 614.4)),
            on(4, dla(mode(2, "MODE_30W", Some(30.0), [612.0, 3199.0], (8, 1728.0), R35_CONF), 1369.6)),
            on(7, dla(mode(3, "MODE_40W", Some(40.0), [816.0, 3199.0], (8, 1497.6), R35_CONF), 1228.8)),
        ],
    },
    Board {
        name: "agx-xavier",
        peaks: Peaks {
            fp32_macs_per_cycle: 512.0,
            fp16_macs_per_cycle: 4096.0,
            int8_macs_per_cycle: Some(8192.0),
            bytes_per_cycle: 64.0,
            gpu_mhz: 1377.0,
            emc_mhz: 2133.0,
            gpu_clusters: None,
            source: XAVIER_BLOG,
        },
        modes: &[
            dla(mode(0, "MAXN", None, [1377.0, 2133.0], (8, 2265.6), R32_XAVIER), 1395.2),
            dla(mode(1, "MODE_10W", Some(10.0), [520.0, 1066.0], (2, 1200.0), R32_XAVIER), 550.0),
            dla(mode(2, "MODE_15W", Some(15.0), [670.0, 1333.0], (4, 1200.0), R32_XAVIER), 750.0),
            dla(mode(3, "MODE_30W_ALL", Some(30.0), [900.0, 1600.0], (8, 1200.0), R32_XAVIER), 1050.0),
            dla(mode(4, "MODE_30W_6CORE", Some(30.0), [900.0, 1600.0], (6, 1450.0), R32_XAVIER), 1050.0),
            dla(mode(5, "MODE_30W_4CORE", Some(30.0), [900.0, 1600.0], (4, 1780.0), R32_XAVIER), 1050.0),
            dla(mode(6, "MODE_30W_2CORE", Some(30.0), [900.0, 1600.0], (2, 2100.0), R32_XAVIER), 1050.0),
        ],
    },
    Board {
        name: "xavier-nx",
        peaks: Peaks {
            fp32_macs_per_cycle: 384.0,
            fp16_macs_per_cycle: 3072.0,
            int8_macs_per_cycle: Some(6144.0),
            bytes_per_cycle: 32.0,
            gpu_mhz: 1100.0,
            emc_mhz: 1866.0,
            gpu_clusters: None,
            source: XAVIER_NX_SHEET,
        },
        modes: &[
            dla(mode(0, "MODE_15W_2CORE", Some(15.0), [1100.0, 1600.0], (2, 1900.0), R35_XAVIER), 1100.0),
            dla(mode(1, "MODE_15W_4CORE", Some(15.0), [1100.0, 1600.0], (4, 1400.0), R35_XAVIER), 1100.0),
            dla(mode(2, "MODE_15W_6CORE", Some(15.0), [1100.0, 1600.0], (6, 1400.0), R35_XAVIER), 1100.0),
            dla(mode(3, "MODE_10W_2CORE", Some(10.0), [800.0, 1600.0], (2, 1500.0), R35_XAVIER), 900.0),
            dla(mode(4, "MODE_10W_4CORE", Some(10.0), [800.0, 1600.0], (4, 1200.0), R35_XAVIER), 900.0),
            dla(mode(5, "MODE_10W_DESKTOP", Some(10.0), [510.0, 1600.0], (4, 1900.0), R35_XAVIER), 900.0),
            dla(mode(6, "MODE_20W_2CORE", Some(20.0), [1100.0, 1866.0], (2, 1900.0), R35_XAVIER), 1100.0),
            dla(mode(7, "MODE_20W_4CORE", Some(20.0), [1100.0, 1866.0], (4, 1400.0), R35_XAVIER), 1100.0),
            dla(mode(8, "MODE_20W_6CORE", Some(20.0), [1100.0, 1866.0], (6, 1400.0), R35_XAVIER), 1100.0),
        ],
    },
    Board {
        name: "tx2",
        peaks: Peaks {
            fp32_macs_per_cycle: 256.0,
            fp16_macs_per_cycle: 512.0,
            int8_macs_per_cycle: None,
            bytes_per_cycle: 32.0,
            gpu_mhz: 1300.5,
            emc_mhz: 1866.0,
            gpu_clusters: None,
            source: TX2_SHEET,
        },
        modes: &[
            mode(0, "MAXN", None, [1300.5, 1866.0], (6, 2035.2), R32_TX2),
            mode(1, "MAXQ", Some(7.5), [850.0, 1331.2], (4, 1200.0), R32_TX2),
            mode(2, "MAXP_CORE_ALL", Some(15.0), [1120.0, 1600.0], (6, 1400.0), R32_TX2),
            mode(3, "MAXP_CORE_ARM", Some(15.0), [1120.0, 1600.0], (4, 2000.0), R32_TX2),
            mode(4, "MAXP_CORE_DENVER", Some(15.0), [1120.0, 1600.0], (2, 2000.0), R32_TX2),
        ],
    },
    Board {
        name: "nano",
        peaks: Peaks {
            fp32_macs_per_cycle: 128.0,
            fp16_macs_per_cycle: 256.0,
            int8_macs_per_cycle: None,
            bytes_per_cycle: 16.0,
            gpu_mhz: 921.6,
            emc_mhz: 1600.0,
            gpu_clusters: None,
            source: NANO_SHEET,
        },
        modes: &[
            mode(0, "MAXN", Some(10.0), [921.6, 1600.0], (4, 1479.0), R32_NANO),
            mode(1, "5W", Some(5.0), [640.0, 1600.0], (2, 918.0), R32_NANO),
        ],
    },
];

/// A public board by its short name.
///
/// ```
/// use boards::modes::board;
///
/// let nano = board("orin-nano").expect("known");
/// let bandwidth = nano.peaks.bytes_per_second() / 1e9;
/// assert!((bandwidth - 102.4).abs() < 0.1, "as its data sheet says");
/// let mode = nano.mode("15w").expect("a mode");
/// assert_eq!((mode.gpu_mhz, mode.emc_mhz), (Some(612.0), Some(2133.0)));
/// ```
#[must_use]
pub fn board(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name.eq_ignore_ascii_case(name))
}

impl Board {
    /// A mode by its name, upper or lower case, with or without `MODE_`.
    #[must_use]
    pub fn mode(&self, name: &str) -> Option<&'static Mode> {
        self.modes.iter().find(|mode| plain_mode(mode.name) == plain_mode(name))
    }
}

/// The name of a mode as it is compared with others: in upper case, without `MODE_`.
#[must_use]
pub fn plain_mode(name: &str) -> String {
    name.to_ascii_uppercase().trim_start_matches("MODE_").to_owned()
}

/// Clusters that a mask of `nvpmodel.conf` counts on Orin, whatever the module has.
const MASKED_CLUSTERS: u32 = 8;

impl Board {
    /// The share of the GPU's clusters that a mode has on; none where it is not known.
    #[must_use]
    pub fn share_in(&self, mode: &Mode) -> Option<f64> {
        Some(f64::from(mode.gpu_clusters?) / f64::from(self.peaks.gpu_clusters?))
    }

    /// The same by the mask of clusters that are off.
    fn share_with(&self, mask: u64) -> Option<f64> {
        let on = MASKED_CLUSTERS.checked_sub(mask.count_ones())?;
        Some((f64::from(on) / f64::from(self.peaks.gpu_clusters?)).min(1.0))
    }

    /// What the module can do at most in a mode: at its clocks, with the clusters that it has on. Where those are not known, all
    /// count as on.
    ///
    /// ```
    /// use boards::modes::board;
    ///
    /// let orin = board("agx-orin").expect("known");
    /// let peaks = orin.peaks_in(orin.mode("15W").expect("a mode"));
    /// assert_eq!(peaks.fp16_macs_per_cycle, 16384.0 * 3.0 / 8.0, "three of eight clusters");
    /// assert_eq!((peaks.gpu_mhz, peaks.bytes_per_cycle), (408.0, orin.peaks.bytes_per_cycle));
    /// ```
    #[must_use]
    pub fn peaks_in(&self, mode: &Mode) -> Peaks {
        let share = self.share_in(mode).unwrap_or(1.0);
        let peaks = self.peaks.at(mode.clocks());
        Peaks {
            fp32_macs_per_cycle: share * peaks.fp32_macs_per_cycle,
            fp16_macs_per_cycle: share * peaks.fp16_macs_per_cycle,
            int8_macs_per_cycle: peaks.int8_macs_per_cycle.map(|macs| share * macs),
            gpu_clusters: mode.gpu_clusters.or(peaks.gpu_clusters),
            ..peaks
        }
    }
}

/// A mode of a board with its clocks, from the board's own file or from the public table.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownMode {
    /// Its name.
    pub name: String,
    /// The power that it is meant for, W.
    pub watts: Option<f64>,
    /// Its clocks: the caps, and the board's highest clocks where a mode has none and the board is public.
    pub clocks: Clocks,
    /// Share of the GPU's clusters that are on; none where it is not known.
    pub gpu_share: Option<f64>,
    /// Where it comes from.
    pub source: String,
}

/// The modes of a board: of its own file, where there is one, else of the public table. Empty for an unknown board.
#[must_use]
pub fn modes_of(board_name: &str, own: Option<&PowerModes>) -> Vec<KnownMode> {
    let public = board(board_name);
    let top = public.map_or_else(Clocks::default, |board| Clocks {
        gpu_mhz: Some(board.peaks.gpu_mhz),
        emc_mhz: Some(board.peaks.emc_mhz),
        ..Clocks::default()
    });
    if let Some(own) = own.filter(|own| !own.modes.is_empty()) {
        let known = |mode: &PowerMode| {
            let caps =
                Clocks { gpu_mhz: mode.gpu_mhz, emc_mhz: mode.emc_mhz, cpu_mhz: mode.cpu_mhz, dla_mhz: mode.dla_mhz };
            KnownMode {
                name: mode.name.clone(),
                watts: watts_in(&mode.name),
                clocks: caps.or(top),
                gpu_share: public.and_then(|board| board.share_with(mode.tpc_gating_mask?)),
                source: "nvpmodel.conf".to_owned(),
            }
        };
        return own.modes.iter().map(known).collect();
    }
    let known = |mode: &Mode| KnownMode {
        name: mode.name.to_owned(),
        watts: mode.watts,
        clocks: mode.clocks(),
        gpu_share: public.and_then(|board| board.share_in(mode)),
        source: mode.source.to_owned(),
    };
    public.map_or_else(Vec::new, |board| board.modes.iter().map(known).collect())
}

/// The watts that a mode's name gives: `MODE_15W_2CORE` is 15.
fn watts_in(name: &str) -> Option<f64> {
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .find_map(|word| word.strip_suffix(['W', 'w'])?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::device::MODULES;
    use std::collections::BTreeSet;

    #[test]
    fn every_board_is_a_module_and_its_rows_are_sound() {
        for board in BOARDS {
            assert!(MODULES.iter().any(|module| module.name == board.name), "{}", board.name);
            let names: BTreeSet<&str> = board.modes.iter().map(|mode| mode.name).collect();
            let numbers: BTreeSet<u32> = board.modes.iter().map(|mode| mode.id).collect();
            assert_eq!((names.len(), numbers.len()), (board.modes.len(), board.modes.len()), "{}", board.name);
            for mode in board.modes {
                assert!(!mode.source.is_empty());
                assert!(mode.emc_mhz.is_none_or(|mhz| mhz <= board.peaks.emc_mhz), "{} {}", board.name, mode.name);
                let named = watts_in(mode.name);
                assert!(named.is_none() || named == mode.watts, "{} {}", board.name, mode.name);
            }
        }
    }

    #[test]
    fn bandwidths_are_those_of_the_data_sheets() {
        let sheets = [
            ("agx-orin", 204.8),
            ("orin-nx", 102.4),
            ("agx-xavier", 136.5),
            ("xavier-nx", 59.7),
            ("tx2", 59.7),
            ("nano", 25.6),
        ];
        for (name, gigabytes) in sheets {
            let peak = board(name).expect("known").peaks.bytes_per_second() / 1e9;
            assert!((peak / gigabytes - 1.0).abs() < 0.005, "{name}: {peak}");
        }
        // 170 trillion sparse 8-bit operations are 42.5 · 10¹² dense MACs.
        let int8 = board("agx-orin").and_then(|b| b.peaks.macs_per_second(8)).expect("known");
        assert!((int8 / 42.5e12 - 1.0).abs() < 0.01, "{int8}");
        assert_eq!(board("tx2").and_then(|b| b.peaks.macs_per_second(8)), None);
    }

    #[test]
    fn a_boards_own_file_counts_before_the_table() {
        let own = PowerModes::parse("< POWER_MODEL ID=0 NAME=MODE_9W >\nGPU MAX_FREQ 500000000\n");
        let masked = PowerModes::parse("< POWER_MODEL ID=1 NAME=7W >\nTPC_POWER_GATING TPC_PG_MASK 252\n");
        assert_eq!(modes_of("orin-nano", Some(&masked))[0].gpu_share, Some(0.5));
        let share = |name: &str| modes_of("agx-orin", None).into_iter().find(|mode| mode.name == name)?.gpu_share;
        assert_eq!((share("MODE_15W"), share("MAXN")), (Some(0.375), Some(1.0)));
        assert_eq!(modes_of("tx2", None)[0].gpu_share, None, "not known");
        let modes = modes_of("orin-nano", Some(&own));
        assert_eq!((modes.len(), modes[0].watts, modes[0].clocks.gpu_mhz), (1, Some(9.0), Some(500.0)));
        assert_eq!(modes[0].clocks.emc_mhz, Some(3199.0), "without a cap it is the board's highest");
        assert_eq!(modes_of("orin-nano", None).len(), 4);
        assert_eq!(modes_of("orin-nano", Some(&PowerModes::default())).len(), 4);
        assert!(modes_of("a-board", None).is_empty());
        assert_eq!(modes_of("a-board", Some(&own))[0].clocks.emc_mhz, None);
    }
}
