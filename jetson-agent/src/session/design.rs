//! Experiments of several runs: which runs, by what the main run showed, and what they come to.

use shared::failure::Failure;
use shared::run_folder::{
    Change, Design, DesignKind, DesignStep, LogContent, Manifest, OutsidePower, Pass, RunFolder, Sensor, Status, Total,
    read_sample_log, total_readings,
};
use shared::units::{Micros, Millis, Watts};
use std::time::Duration;

/// Where the further runs of a run lie, below its folder.
pub const DESIGN_FOLDER: &str = "design";

/// Time constants after which a sensor shows the time before by less than a hundredth.
const SETTLING: f64 = 5.0;
/// What an unknown sensor gets: it covers JetPack's setting of the INA3221.
const UNKNOWN_SETTLING: Millis = Millis(3_000.0);
/// What regulators and capacitors in front of a sensor take at most, several times over.
const SMOOTHING: Millis = Millis(10.0);

/// The time between the starts of two inferences, in the mean of a power pass.
///
/// # Errors
/// When the run has fewer than two inferences.
pub fn period(content: &LogContent) -> Result<Millis, Failure> {
    let starts: Vec<u64> = content.inferences_of(Pass::Power).map(|span| span.start_ns).collect();
    match (starts.first(), starts.last()) {
        (Some(first), Some(last)) if starts.len() > 1 => {
            Ok(Millis(last.saturating_sub(*first) as f64 * 1e-6 / (starts.len() - 1) as f64))
        }
        _ => Err(Failure::data("the run has fewer than two inferences in its power pass").help("raise --runs")),
    }
}

/// How long readings show the time before, for the slowest sensor of the total.
#[must_use]
pub fn settling(manifest: &Manifest) -> Millis {
    let power = &manifest.power;
    let rails: Vec<u8> = match &power.total {
        Total::Rail(rail) => vec![*rail],
        Total::Sum(rails) => rails.clone(),
        Total::Unknown => (0..).take(power.rails.len()).collect(),
    };
    let of = |sensor: &Sensor| match sensor.family {
        Some(family) => {
            let longest = (family.time_constant().0 * SETTLING).max(family.mean_delay().0 * 2.0);
            Millis::from(Micros(longest)) + SMOOTHING
        }
        None => UNKNOWN_SETTLING,
    };
    let longest = rails.iter().filter_map(|rail| power.rails.get(usize::from(*rail))).map(|rail| of(&rail.sensor).0);
    longest.reduce(f64::max).map_or(UNKNOWN_SETTLING, Millis)
}

/// Plans further runs with pauses of a half, one and two periods. Each runs for its share of `time` once the sensor has settled,
/// and at least as long as that takes. A runner that waits for whole milliseconds gets those.
#[must_use]
pub fn plan_pauses(period: Millis, settled_after: Millis, time: Duration, whole_millis: bool) -> Design {
    let mut pauses: Vec<Micros> =
        [0.5, 1.0, 2.0]
            .map(|share| Micros::from(period * share))
            .into_iter()
            .map(|pause| {
                if whole_millis {
                    Micros((pause.0 / 1e3).ceil().max(1.0) * 1e3)
                } else {
                    Micros(pause.0.ceil().max(1.0))
                }
            })
            .collect();
    pauses.dedup();
    if whole_millis && pauses.len() < 3 {
        // A short inference: whole milliseconds are longer than it, but still differ.
        pauses = [1.0, 2.0, 4.0].map(|ms| Micros(ms * 1e3)).to_vec();
    }
    let share = Millis(time.as_secs_f64() * 1e3 / pauses.len() as f64);
    let length = settled_after + Millis(share.0.max(settled_after.0));
    let step = |pause: Micros| {
        let cycle = period + Millis::from(pause);
        let cycles = ((length / cycle).ceil() as u32).clamp(50, 10_000_000);
        DesignStep {
            folder: format!("{DESIGN_FOLDER}/pause-{:.0}us", pause.0),
            status: None,
            cycles,
            expected: cycle * f64::from(cycles),
            settled_after,
            change: Change::Pause { pause },
        }
    };
    Design { kind: DesignKind::Pauses, period, steps: pauses.into_iter().map(step).collect(), outside: None }
}

/// How long the steps that are not complete will take, idle time before and after each included.
#[must_use]
pub fn time_left(design: &Design, idle: Duration) -> Duration {
    let open = design.steps.iter().filter(|step| step.status != Some(Status::Complete));
    open.map(|step| idle * 2 + Duration::from_secs_f64(step.expected.0.max(0.0) * 1e-3)).sum()
}

/// What a run's settled part shows: the mean power and the mean time between the starts of two inferences. `None` where nothing
/// is left after the settling.
///
/// # Errors
/// When the run cannot be read.
pub fn settled_means(run: &RunFolder, settled_after: Millis) -> Result<Option<(Watts, Millis)>, Failure> {
    let manifest = Manifest::read(&run.manifest())?;
    let content = read_sample_log(&run.sample_log())?;
    let starts: Vec<u64> = content.inferences_of(Pass::Power).map(|span| span.start_ns).collect();
    let Some(from_ns) = starts.first().map(|first| first + (settled_after.0 * 1e6) as u64) else { return Ok(None) };
    let starts: Vec<u64> = starts.into_iter().filter(|start| *start >= from_ns).collect();
    let (Some(first), Some(last)) = (starts.first(), starts.last()) else { return Ok(None) };
    if starts.len() < 2 {
        return Ok(None);
    }
    let (mut sum, mut count) = (0.0, 0_u32);
    for (_, voltage, current) in
        total_readings(&manifest.power, &content.samples).filter(|(t_ns, ..)| (*first..*last).contains(t_ns))
    {
        sum += (voltage * current).0;
        count += 1;
    }
    let period = Millis((last - first) as f64 * 1e-6 / (starts.len() - 1) as f64);
    Ok((count > 0).then(|| (Watts(sum / f64::from(count)), period)))
}

/// The power outside layers, from the energies per inference of runs with different pauses: a line through energy (mean power
/// times period) over period, whose slope is the power of what a longer period adds. `None` with fewer than three runs that
/// settled.
///
/// # Errors
/// When a run cannot be read.
pub fn outside_power(run: &RunFolder, design: &Design) -> Result<Option<OutsidePower>, Failure> {
    let settled_after = design.steps.first().map_or(Millis(0.0), |step| step.settled_after);
    let mut points: Vec<(f64, f64)> = Vec::new();
    let complete = design
        .steps
        .iter()
        .filter(|step| step.status == Some(Status::Complete) && matches!(step.change, Change::Pause { .. }));
    let folders = complete.filter_map(|step| RunFolder::at(&run.path().join(&step.folder)));
    for run in std::iter::once(run.clone()).chain(folders) {
        if let Some((power, period)) = settled_means(&run, settled_after)? {
            points.push((period.0, (power * period).0));
        }
    }
    let n = points.len() as f64;
    if points.len() < 3 {
        return Ok(None);
    }
    let mean = |value: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if spread <= 0.0 {
        return Ok(None);
    }
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    let squares: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
    Ok(Some(OutsidePower {
        watts: Watts(slope),
        deviation: Watts((squares / (n - 2.0) / spread).sqrt()),
        runs: points.len() as u32,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::Rail;
    use shared::sensor::SensorFamily;

    #[test]
    fn pauses_fit_the_runner_and_last_longer_than_the_sensor_settles() {
        let settled_after = Millis(2_000.0);
        let fine = plan_pauses(Millis(3.0), settled_after, Duration::from_secs(9), false);
        let pauses = |design: &Design| -> Vec<f64> {
            let pause = |step: &DesignStep| if let Change::Pause { pause } = step.change { pause.0 } else { 0.0 };
            design.steps.iter().map(pause).collect()
        };
        assert_eq!(pauses(&fine), [1_500.0, 3_000.0, 6_000.0]);
        // Two seconds until it has settled and three to measure, at 4.5 ms.
        assert_eq!(fine.steps[0].cycles, 1_112);
        assert_eq!(fine.steps[0].folder, "design/pause-1500us");
        let whole = |period| pauses(&plan_pauses(Millis(period), settled_after, Duration::from_secs(9), true));
        assert_eq!(whole(3.2), [2_000.0, 4_000.0, 7_000.0]);
        assert_eq!(whole(0.4), [1_000.0, 2_000.0, 4_000.0]);
        // However short the time asked for.
        let short = plan_pauses(Millis(3.0), settled_after, Duration::ZERO, false);
        assert_eq!(short.steps[1].cycles, 667);
        // Three runs of five seconds and two of idling each.
        let left = time_left(&fine, Duration::from_secs(1)).as_secs_f64();
        assert!((left - 21.0).abs() < 0.1, "{left}");
    }

    #[test]
    fn settling_follows_the_slowest_sensor_of_the_total() {
        let rail = |family| Rail { sensor: Sensor { family, ..Sensor::default() }, ..Rail::default() };
        let mut manifest = Manifest::new("net", "test");
        let boot = SensorFamily::Recursive { samples: 512, conversion: Micros(140.0), cycle: Micros(840.0) };
        let meter = SensorFamily::Meter { period: Micros(50.0) };
        manifest.power.rails = vec![rail(Some(meter)), rail(Some(boot)), rail(None)];
        manifest.power.total = Total::Rail(0);
        assert!(settling(&manifest).0 < 11.0);
        manifest.power.total = Total::Sum(vec![0, 1]);
        // Five times 0.43 s.
        assert!((settling(&manifest).0 - 2_158.0).abs() < 5.0, "{:?}", settling(&manifest));
        manifest.power.total = Total::Rail(2);
        assert_eq!(settling(&manifest), UNKNOWN_SETTLING);
    }
}
