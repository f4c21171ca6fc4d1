//! Which rails a board measures, and which of them stand for its total: one table for both programs.
//!
//! Sources: NVIDIA's Jetson developer guides of L4T 32 to 38 ("Power and thermal": the rail tables of each module), the
//! device trees in the Linux kernel (`tegra210-p2180`, `tegra186-p3310` and their carriers), and the reports of
//! `jetson_stats` users about totals that were counted twice.

use crate::run_folder::Total;

/// A Jetson module with the rails that it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// The module and its variants.
    pub name: &'static str,
    /// The chip as the device tree names it.
    pub chip: &'static str,
    /// The rails that add up to the input. A single one measures it.
    pub total: &'static [&'static str],
    /// Rails that are fed by one of those; adding them would count them twice.
    pub within: &'static [&'static str],
}

/// Every Jetson. Where two modules have the same rails they share a row.
pub const BOARDS: [Board; 10] = [
    Board {
        name: "Jetson AGX Thor (T5000, T4000)",
        chip: "tegra264",
        total: &["VIN"],
        within: &["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"],
    },
    Board {
        name: "Jetson AGX Thor without the input's INA238",
        chip: "tegra264",
        total: &["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"],
        within: &[],
    },
    Board {
        name: "Jetson AGX Orin (Developer Kit, Industrial)",
        chip: "tegra234",
        total: &["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"],
        within: &["VDDQ_VDD2_1V8AO"],
    },
    Board {
        name: "Jetson Orin NX, Orin Nano, Orin Nano Super, Xavier NX",
        chip: "tegra234, tegra194",
        total: &["VDD_IN"],
        within: &["VDD_CPU_GPU_CV", "VDD_SOC"],
    },
    Board {
        name: "Jetson AGX Xavier (Developer Kit, Industrial)",
        chip: "tegra194",
        total: &["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"],
        within: &[],
    },
    Board {
        name: "Jetson Xavier NX under the first releases of JetPack 4.4",
        chip: "tegra194",
        total: &["5V_IN"],
        within: &["VDD_CPU_GPU_CV", "VDD_SOC"],
    },
    Board {
        name: "Jetson TX2, TX2i, TX2 4GB, and TX2 NX",
        chip: "tegra186",
        total: &["VDD_IN"],
        within: &[
            "VDD_SYS_GPU",
            "VDD_SYS_SOC",
            "VDD_SYS_CPU",
            "VDD_SYS_DDR",
            "VDD_SYS_SRAM",
            "VDD_4V0_WIFI",
            "VDD_WIFI",
            "VDD_DDR",
            "VDD_CPU_GPU",
        ],
    },
    Board { name: "Jetson TX1", chip: "tegra210", total: &["VDD_IN"], within: &["VDD_CPU"] },
    Board {
        name: "Jetson Nano (4GB, 2GB)",
        chip: "tegra210",
        total: &["POM_5V_IN"],
        within: &["POM_5V_GPU", "POM_5V_CPU"],
    },
    // The carrier of TX1 and TX2 measures the supply of the whole kit; its other rails are fed by it.
    Board {
        name: "carrier board of Jetson TX1 and TX2",
        chip: "tegra210, tegra186",
        total: &["VDD_MUX"],
        within: &["VDD_5V0_IO_SYS", "VDD_3V3_SYS", "VDD_3V3_IO_SLP", "VDD_1V8_IO", "VDD_M2_IN", "VDD_M.2_IN"],
    },
];

/// Rails that measure a whole input by their name, best first.
const INPUTS: [&str; 7] = ["VIN", "VDD_IN", "POM_5V_IN", "5V_IN", "VDD_TOTAL", "SYS_VIN_TOTAL", "VDD_MUX"];

/// What stands for the total of some rails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// This rail measures the input (index into the rails).
    Rail(usize),
    /// No rail measures the input; the sum of these rails, in ascending order, stands for it.
    Sum(Vec<usize>),
    /// The rails belong to a board of which the total lacks these.
    Lacks(Vec<&'static str>),
    /// There is no rail.
    Nothing,
}

/// What stands for the total of rails with these labels, upper or lower case: the rail that measures the input; else the
/// sum that the board's guide names; else, for rails of no board in the table, their sum.
///
/// ```
/// use shared::boards::{Whole, whole};
///
/// assert_eq!(whole(&["VDD_CPU_GPU_CV", "VDD_IN", "VDD_SOC"]), Whole::Rail(1));
/// let agx_orin = ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"];
/// assert_eq!(whole(&agx_orin), Whole::Sum(vec![0, 1, 2]));
/// assert_eq!(whole(&["VDD_GPU_SOC", "VIN_SYS_5V0"]), Whole::Lacks(vec!["VDD_CPU_CV"]));
/// ```
#[must_use]
pub fn whole<L: AsRef<str>>(labels: &[L]) -> Whole {
    let index = |name: &str| labels.iter().position(|label| label.as_ref().eq_ignore_ascii_case(name));
    if let Some(input) = INPUTS.into_iter().find_map(index) {
        return Whole::Rail(input);
    }
    let sums = || BOARDS.iter().filter(|board| board.total.len() > 1);
    let parts = |board: &Board| board.total.iter().map(|name| index(name)).collect::<Option<Vec<usize>>>();
    if let Some(mut parts) = sums().find_map(parts) {
        parts.sort_unstable();
        return Whole::Sum(parts);
    }
    if labels.is_empty() {
        return Whole::Nothing;
    }
    // A part of a known board without the others is a part, and no total. The board with most of its rails here is meant.
    let known = |board: &&Board| board.total.iter().chain(board.within).filter(|name| index(name).is_some()).count();
    if let Some(board) = BOARDS.iter().rev().max_by_key(known).filter(|board| known(board) > 0) {
        return Whole::Lacks(board.total.iter().filter(|name| index(name).is_none()).copied().collect());
    }
    match labels.len() {
        1 => Whole::Rail(0),
        count => Whole::Sum((0..count).collect()),
    }
}

/// Whether a label stands in the table.
#[must_use]
pub fn is_known(label: &str) -> bool {
    let named = |name: &&str| name.eq_ignore_ascii_case(label);
    INPUTS.iter().any(named) || BOARDS.iter().any(|b| b.total.iter().chain(b.within).any(named))
}

/// `A`, `A and B`, `A, B and C`: how rails are listed in messages.
#[must_use]
pub fn list<L: AsRef<str>>(labels: &[L]) -> String {
    let labels: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
    match labels.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

impl Whole {
    /// As a manifest has it, with indices into its rails.
    #[must_use]
    pub fn total(&self) -> Total {
        let small = |index: &usize| u8::try_from(*index).ok();
        match self {
            Self::Rail(rail) => small(rail).map_or(Total::Unknown, Total::Rail),
            Self::Sum(rails) => rails.iter().map(small).collect::<Option<_>>().map_or(Total::Unknown, Total::Sum),
            Self::Lacks(_) | Self::Nothing => Total::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rails as each board's tegrastats and drivers list them, and their total.
    #[test]
    fn every_jetson_has_its_total() {
        let cases: [(&str, &[&str], Whole); 14] = [
            ("TX1", &["VDD_IN", "VDD_GPU", "VDD_CPU"], Whole::Rail(0)),
            (
                "TX2",
                &["VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI", "VDD_IN", "VDD_SYS_CPU", "VDD_SYS_DDR"],
                Whole::Rail(3),
            ),
            ("TX2 with its carrier", &["VDD_MUX", "VDD_5V0_IO_SYS", "VDD_3V3_SYS", "VDD_IN"], Whole::Rail(3)),
            ("TX2 NX", &["VDD_IN", "VDD_CPU_GPU", "VDD_SOC"], Whole::Rail(0)),
            ("Nano", &["POM_5V_GPU", "POM_5V_IN", "POM_5V_CPU"], Whole::Rail(1)),
            ("Xavier NX", &["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"], Whole::Rail(0)),
            ("early Xavier NX", &["5V_IN", "VDD_CPU_GPU_CV", "VDD_SOC"], Whole::Rail(0)),
            ("AGX Xavier", &["CPU", "GPU", "SOC", "CV", "VDDRQ", "SYS5V"], Whole::Sum(vec![0, 1, 2, 3, 4, 5])),
            ("Orin NX", &["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"], Whole::Rail(0)),
            ("AGX Orin", &["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"], Whole::Sum(vec![0, 1, 2])),
            ("Thor", &["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"], Whole::Rail(3)),
            ("Thor without INA238", &["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"], Whole::Sum(vec![0, 1, 2])),
            ("lower case", &["vdd_in", "vdd_soc"], Whole::Rail(0)),
            ("a total by its name", &["VDD_GPU", "VDD_TOTAL"], Whole::Rail(1)),
        ];
        for (board, labels, expected) in cases {
            assert_eq!(whole(labels), expected, "{board}");
        }
    }

    #[test]
    fn parts_of_a_known_board_are_no_total() {
        assert_eq!(whole(&["VDD_CPU_GPU_CV", "VDD_SOC"]), Whole::Lacks(vec!["VDD_IN"]));
        assert_eq!(whole(&["GPU", "CPU", "SOC", "CV", "VDDRQ"]), Whole::Lacks(vec!["SYS5V"]));
        assert_eq!(whole(&["VIN_SYS_5V0", "VDD_GPU_SOC"]), Whole::Lacks(vec!["VDD_CPU_CV"]));
        assert_eq!(whole(&["POM_5V_CPU"]), Whole::Lacks(vec!["POM_5V_IN"]));
        assert_eq!(whole::<&str>(&[]), Whole::Nothing);
    }

    #[test]
    fn rails_of_no_known_board_are_summed_and_a_single_one_stands_alone() {
        assert_eq!(whole(&["lane_a", "lane_b"]), Whole::Sum(vec![0, 1]));
        assert_eq!(whole(&["lane_a", "lane_b"]).total(), Total::Sum(vec![0, 1]));
        assert_eq!(whole(&["ina219"]).total(), Total::Rail(0));
        // A carrier's meter is added to no board's total.
        let labels = ["ina219", "VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"];
        assert_eq!(whole(&labels), Whole::Sum(vec![1, 2, 3]));
        assert!(is_known("vdd_in") && !is_known("ina219"));
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&["A", "B", "C"]), "A, B and C");
        assert_eq!((list(&["A"]), list::<&str>(&[])), ("A".into(), String::new()));
    }
}
