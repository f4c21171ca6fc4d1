//! Sensors against the definitions of their families, and against what holds for all of them.
#![allow(missing_docs)]

use proptest::prelude::*;
use shared::random::Random;
use shared::sensor::SensorFamily;
use shared::units::Micros;
use simulate::{Register, SensorFilter, SensorModel};

fn watts_of(register: Register) -> f64 {
    match register {
        Register::Power { mv, ma } => f64::from(mv) * f64::from(ma) * 1e-6,
        Register::Energy { microjoules } => microjoules,
    }
}

fn run(model: SensorModel, start_w: f64, pieces: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let mut filter = SensorFilter::new(model, 0, start_w, Random::new(5));
    let (mut out, mut end) = (Vec::new(), 0);
    for &(length, watts) in pieces {
        end += length;
        filter.advance(end, watts, &mut |t, _, new| out.push((t, watts_of(new))));
    }
    out
}

/// The load behind the smoothing in steps of a microsecond, and the mean of each step.
fn small_steps(smoothing_ns: u64, start_w: f64, pieces: &[(u64, f64)]) -> Vec<f64> {
    let (mut y, mut trace) = (start_w, Vec::new());
    let kept = if smoothing_ns == 0 { 0.0 } else { (-1_000.0 / smoothing_ns as f64).exp() };
    for &(length, watts) in pieces {
        for _ in 0..length / 1_000 {
            let old = y;
            y = watts + (y - watts) * kept;
            trace.push(if smoothing_ns == 0 { watts } else { 0.5 * (old + y) });
        }
    }
    trace
}

fn mean(trace: &[f64], from: f64, to: f64) -> f64 {
    let (from, to) = ((from / 1e3).round().max(0.0) as usize, (to / 1e3).round() as usize);
    let slice = &trace[from.min(to - 1)..to.min(trace.len())];
    slice.iter().sum::<f64>() / slice.len() as f64
}

fn pieces() -> Vec<(u64, f64)> {
    (0..60).map(|i| (300_000 + i * 17_000, 4.0 + (i * 7 % 11) as f64)).collect()
}

/// Each family against sums over its definition, far enough from the start that no window reaches before it.
#[test]
fn families_agree_with_their_definitions() {
    let us = Micros;
    for smoothing_ns in [0, 400_000] {
        let trace = small_steps(smoothing_ns, 4.0, &pieces());
        for family in [
            SensorFamily::Window { refresh: us(2_200.0), window: us(1_100.0) },
            SensorFamily::Window { refresh: us(1_000.0), window: us(5_000.0) },
            SensorFamily::Meter { period: us(700.0) },
            SensorFamily::Block { samples: 4, conversion: us(140.0), spacing: us(840.0) },
            SensorFamily::Recursive { samples: 1, conversion: us(140.0), cycle: us(280.0) },
            SensorFamily::Recursive { samples: 4, conversion: us(332.0), cycle: us(1_992.0) },
        ] {
            let model = SensorModel { smoothing_ns, ..SensorModel::plain(family) };
            let got = run(model, 4.0, &pieces());
            assert!(got.len() > 8, "{family:?}: {}", got.len());
            let mut state = 4.0;
            for (index, (t, watts)) in got.iter().enumerate() {
                let t = *t as f64;
                let window =
                    |k: f64, spacing: f64, length: f64| mean(&trace, t - k * spacing - length, t - k * spacing);
                let (wanted, whole) = match family {
                    SensorFamily::Window { window: length, .. } => {
                        (window(0.0, 0.0, length.0 * 1e3), t > length.0 * 1e3)
                    }
                    SensorFamily::Meter { period } => (window(0.0, 0.0, period.0 * 1e3), index > 0),
                    SensorFamily::Block { samples, conversion, spacing } => {
                        let mean_of = |k| window(f64::from(k), spacing.0 * 1e3, conversion.0 * 1e3);
                        // The first block may have begun before the start.
                        (
                            if index > 0 { (0..samples).map(mean_of).sum::<f64>() / f64::from(samples) } else { 0.0 },
                            index > 0,
                        )
                    }
                    SensorFamily::Recursive { samples, conversion, .. } => {
                        let whole = t > conversion.0 * 1e3;
                        let newest = if whole { window(0.0, 0.0, conversion.0 * 1e3) } else { *watts };
                        state = if whole { state + (newest - state) / f64::from(samples) } else { *watts };
                        (state, whole)
                    }
                    _ => continue,
                };
                assert!(!whole || (watts - wanted).abs() < 0.03, "{family:?} at {t}: {watts} {wanted}");
            }
        }
    }
}

#[test]
fn a_step_through_the_boot_setting_decays_by_one_five_hundred_twelfth_per_cycle() {
    let plain = SensorModel::plain(SensorModel::ina3221_boot().family);
    let got = run(plain, 9.0, &[(2_000_000_000, 7.0)]);
    assert!(got.windows(2).all(|pair| pair[1].0 - pair[0].0 == 840_000));
    for (cycle, (t, watts)) in (1..).zip(&got).skip(1) {
        // The first conversion may have begun before the step.
        let wanted = |cycle: f64| 7.0 + 2.0 * (511.0_f64 / 512.0).powf(cycle);
        assert!(
            *watts <= wanted(f64::from(cycle) - 1.0) + 1e-5 && *watts >= wanted(f64::from(cycle)) - 1e-5,
            "at {t}: {watts} {}",
            wanted(f64::from(cycle))
        );
    }
}

#[test]
fn a_delay_hides_a_renewal_and_a_slow_clock_stretches_everything() {
    let family = SensorFamily::Window { refresh: Micros(1_000.0), window: Micros(500.0) };
    let plain = SensorModel::plain(family);
    let late = run(SensorModel { delay_ns: 140_000, ..plain }, 4.0, &pieces());
    let prompt = run(plain, 4.0, &pieces());
    for (late, prompt) in late.iter().zip(&prompt) {
        assert_eq!(late, &(prompt.0 + 140_000, prompt.1));
    }
    let slow = run(SensorModel { clock_error: 0.05, ..plain }, 4.0, &pieces());
    assert!(slow.windows(2).all(|pair| pair[1].0 - pair[0].0 == 1_050_000));
}

#[test]
fn readings_are_multiples_of_the_quantum() {
    for (_, watts) in run(SensorModel::ina3221_fast(), 4.0, &[(50_000_000, 6.1)]) {
        let steps = watts / 5.008 * 1e3 / 8.0;
        assert!((steps - steps.round()).abs() < 1e-3);
    }
}

#[test]
fn noise_behind_the_averaging_is_as_small_as_the_model_says() {
    for model in [SensorModel::ina226(), SensorModel::ina3221(16, 140.0, 3)] {
        let model = SensorModel { quantum_ma: 0.0, conversion_quantum_ma: 0.0, bus_mv: 5_000.0, ..model };
        let readings = run(model, 6.0, &[(20_000_000_000, 6.0)]);
        let ma: Vec<f64> = readings.iter().map(|(_, watts)| watts / 5e-3).collect();
        let mean = ma.iter().sum::<f64>() / ma.len() as f64;
        let deviation = (ma.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / ma.len() as f64).sqrt();
        let wanted = model.reading_noise_ma();
        assert!((deviation / wanted - 1.0).abs() < 0.1, "{deviation} {wanted}");
    }
}

proptest! {
    /// A meter and an energy counter lose no energy, smoothed or not: what they add up to is the load's integral, less
    /// what the smoothing still holds.
    #[test]
    fn what_loses_no_time_conserves_energy(
        powers in proptest::collection::vec((1_000_u64..400_000, 1.0_f64..20.0), 5..60),
    ) {
        let total: u64 = powers.iter().map(|p| p.0).sum();
        let truth = |from: u64, to: u64| {
            let (mut at, mut truth) = (0_u64, 0.0);
            for (length, watts) in &powers {
                let overlap = (at + length).min(to).saturating_sub(at.max(from));
                truth += overlap as f64 * 1e-9 * watts;
                at += length;
            }
            truth
        };
        let readings = run(SensorModel::ideal_meter(), 4.0, &powers);
        prop_assume!(readings.len() >= 2);
        let (first, last) = (readings[0].0, readings[readings.len() - 1].0);
        prop_assert!(last <= total);
        let measured: f64 = readings[1..].iter().map(|(_, w)| w * 50e-6).sum();
        prop_assert!((measured - truth(first, last)).abs() < 1e-6 * truth(first, last).max(1e-9));
        let counter = SensorModel::plain(SensorFamily::Counter { refresh: Micros(70.0) });
        for (t, microjoules) in run(counter, 4.0, &powers) {
            prop_assert!((microjoules - truth(0, t) * 1e6).abs() < 1e-6 * truth(0, t).max(1e-9) * 1e6);
        }
    }

    /// Constant power is read as that power by every family, whatever lies in front.
    #[test]
    fn constant_power_is_read_as_it_is(watts in 0.5_f64..60.0, smoothing_ns in 0_u64..3_000_000, which in 0_usize..13) {
        let name = SensorModel::names().nth(which).expect("there are as many names");
        let named = SensorModel::named(name).expect("has a name");
        prop_assume!(!matches!(named.family, SensorFamily::Counter { .. }));
        let model = SensorModel { smoothing_ns, bus_mv: 5_000.0, ..SensorModel::plain(named.family) };
        for (t, got) in run(model, watts, &[(300_000_000, watts)]) {
            prop_assert!((got / watts - 1.0).abs() < 1e-6, "{name} at {t}: {got} {watts}");
        }
    }
}
