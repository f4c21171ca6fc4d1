//! Which rail is a board's total.
//!
//! Sources: NVIDIA's Jetson developer guides ("Power and thermal": rail tables of Orin, Xavier and Nano modules) and the
//! threads in which `jetson_stats` users found totals counted twice.

use shared::run_folder::{Rail, Total};

/// Rails that measure a module's or board's whole input, best first.
const TOTALS: [&str; 5] = ["VIN", "VDD_IN", "POM_5V_IN", "5V_IN", "VDD_TOTAL"];

/// Rails fed by a rail that is measured itself; adding them to a sum would count them twice. On AGX Orin `VIN_SYS_5V0`
/// feeds the memory's `VDDQ_VDD2_1V8AO`.
const FED_BY_ANOTHER: [(&str, &str); 1] = [("VDDQ_VDD2_1V8AO", "VIN_SYS_5V0")];

/// What stands for the total of these rails: the rail that measures the input, else the sum of those that do not
/// contain each other.
#[must_use]
pub(super) fn total_of(rails: &[Rail]) -> Total {
    let index = |label: &str| rails.iter().position(|rail| rail.label.eq_ignore_ascii_case(label)).map(|i| i as u8);
    if let Some(total) = TOTALS.into_iter().find_map(index) {
        return Total::Rail(total);
    }
    let fed = |rail: &Rail| {
        FED_BY_ANOTHER.iter().any(|(rail_fed, by)| rail.label.eq_ignore_ascii_case(rail_fed) && index(by).is_some())
    };
    let parts: Vec<u8> = (0..).zip(rails).filter(|(_, rail)| !fed(rail)).map(|(i, _)| i).collect();
    match parts.as_slice() {
        [] => Total::Unknown,
        [only] if rails.len() == 1 => Total::Rail(*only),
        _ => Total::Sum(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rails(labels: &[&str]) -> Vec<Rail> {
        labels.iter().map(|label| Rail { label: (*label).into(), ..Rail::default() }).collect()
    }

    #[test]
    fn an_input_rail_is_the_total_and_else_a_sum_counts_nothing_twice() {
        assert_eq!(total_of(&rails(&["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])), Total::Rail(0));
        assert_eq!(total_of(&rails(&["POM_5V_GPU", "POM_5V_IN", "POM_5V_CPU"])), Total::Rail(1));
        assert_eq!(total_of(&rails(&["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN"])), Total::Rail(2));
        let agx_orin = rails(&["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]);
        assert_eq!(total_of(&agx_orin), Total::Sum(vec![0, 1, 2]));
        assert_eq!(
            total_of(&rails(&["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"])),
            Total::Sum(vec![0, 1, 2, 3, 4, 5])
        );
        assert_eq!(total_of(&[]), Total::Unknown);
    }
}
