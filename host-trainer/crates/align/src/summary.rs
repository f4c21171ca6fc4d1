//! The quality report in a few lines.

use super::families::FamilySource;
use super::quality::{Quality, Verdict};
use super::stamps::Stamps;
use shared::sensor::SensorFamily;
use shared::units::Millis;

/// What was found and its value, in the order in which people want to know.
#[must_use]
pub fn lines(quality: &Quality) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let energy = &quality.energy;
    if let Some(power) = energy.power {
        let error = energy.power_error.map_or(String::new(), |e| format!(" ± {:.3}", e.0));
        lines.push(("power", format!("{:.3}{error} W while inferring back to back", power.0)));
        if let (Some(mj), Some(period)) = (energy.energy, energy.period) {
            let net = energy.net_energy.map_or(String::new(), |net| format!(", {net:.3} above idle"));
            lines.push(("energy per inference", format!("{mj:.3} in {period:.3}{net}")));
        }
    } else if quality.window.is_none() {
        let why = match quality.sensor.readings {
            0 => "not known: the power log has no readings",
            _ if quality.timeline.counts.cycles == 0 => "not known: no inference was found",
            _ => "not known: no reading lies within the inferences",
        };
        lines.push(("power", why.into()));
    }
    if let Some((power, period, energy)) = energy.unprofiled {
        lines.push(("without the profiler", format!("{energy:.3} in {period:.3}, {power:.3}")));
    }
    if let (Some(layers), Some(outside), Some(closure)) = (energy.layers_energy, energy.outside_energy, energy.closure)
    {
        lines.push((
            "energy adds up",
            format!("{layers:.3} in layers + {outside:.3} outside them, {closure:.0e} from the whole"),
        ));
    }
    if let (Some(power), Some(half)) = (energy.outside_power, energy.outside_half) {
        let from = match (energy.outside_measured, energy.idle) {
            (true, _) => "measured",
            (false, Some(idle)) if (power - idle).0.abs() < 5e-3 => "not measured: taken as idle power",
            (false, _) => "not measured: between idle and the layers' mean",
        };
        lines.push(("outside the layers", format!("{:.3} ± {:.3} W, {from}", power.0, half.0)));
    }
    if let (Some(before), Some(after)) = (energy.idle_ends.before, energy.idle_ends.after) {
        lines.push(("idle power", format!("{before:.3} before, {after:.3} after the run")));
    }
    if !quality.layers.is_empty() {
        let count = |v: Verdict| quality.layers.iter().filter(|l| l.verdict == v).count();
        lines.push((
            "layers",
            format!(
                "{} measured, {} attributed, {} not identifiable",
                count(Verdict::Measured),
                count(Verdict::Attributed),
                count(Verdict::NotIdentifiable)
            ),
        ));
    }
    for group in &quality.groups {
        if let (Some(energy), Some(half)) = (group.energy, group.energy_half) {
            let layers = group.last - group.first + 1;
            let names = format!("layers {} to {}", group.first, group.last);
            lines.push((
                "together",
                format!("{names} ({layers}): {:.3} ± {half:.3}, {}", energy.0, group.verdict.name()),
            ));
        }
    }
    if let Some(window) = &quality.window {
        let share = window.empty as f64 / window.rows.max(1) as f64 * 100.0;
        lines.push((
            "rows",
            format!(
                "{}, {share:.1} % of them without a reading; {} measurements lost at the log's end",
                window.rows, window.dropped
            ),
        ));
    }
    lines.push(("sensor", sensor(quality)));
    lines.extend(response(quality).map(|text| ("response", text)));
    lines.extend(checks(quality).map(|text| ("checks", text)));
    lines.push(("inferences", timeline(quality)));
    lines
}

fn sensor(quality: &Quality) -> String {
    let sensor = &quality.sensor;
    let response = &sensor.response;
    let mut text = match (sensor.readings, sensor.read_period) {
        (0, _) => return "no readings".into(),
        (1, _) => "1 reading".to_owned(),
        (readings, Some(period)) => format!("{readings} readings, one every {period:.3}"),
        (readings, None) => format!("{readings} readings"),
    };
    match response.refresh {
        Some(refresh) => text += &format!(", renewed every {:.3}", Millis::from(refresh)),
        None if sensor.repeated > 0 => text += &format!(", {} of them repeated", sensor.repeated),
        None => {}
    }
    if let Some(quantum) = sensor.quantum {
        text += &format!(", steps of {quantum}");
    }
    text
}

/// The family, its parameters and where they are from.
fn response(quality: &Quality) -> Option<String> {
    let fitted = quality.response.filter(|_| quality.samples > 0)?;
    let ms = |us: f64| format!("{:.3} ms", us / 1e3);
    let mut text = match fitted.family {
        SensorFamily::Window { window, .. } => format!("mean over {}", ms(window.0)),
        SensorFamily::Block { samples, conversion, spacing } => {
            format!("block of {samples} conversions of {}, {} apart", ms(conversion.0), ms(spacing.0))
        }
        SensorFamily::Recursive { samples, conversion, cycle } => {
            format!("recursive mean of {samples} conversions of {}, {} apart", ms(conversion.0), ms(cycle.0))
        }
        SensorFamily::Meter { period } => format!("gapless mean over {}", ms(period.0)),
        SensorFamily::Counter { refresh } => format!("energy counter, renewed every {}", ms(refresh.0)),
        SensorFamily::Filtered { lag, .. } => format!("first-order lag of {:.1}", Millis::from(lag)),
    };
    if fitted.smoothing_us >= 1.0 {
        text += &format!(", behind {} of smoothing", ms(fitted.smoothing_us));
    }
    let from = match quality.family_from {
        FamilySource::Manifest => "from the manifest".to_owned(),
        FamilySource::Given => "given".to_owned(),
        FamilySource::Step => "from the step in the log".to_owned(),
        FamilySource::Unknown => "assumed: the log does not tell".to_owned(),
        FamilySource::Data => match quality.families.get(1) {
            Some((next, odds)) => format!("from the data; {} is less likely by e^{:.0}", next.name(), -odds),
            None => "from the data".to_owned(),
        },
    };
    Some(format!("{text} ({from})"))
}

fn checks(quality: &Quality) -> Option<String> {
    let checks = &quality.checks;
    let noise = quality.noise?;
    let figure = |v: Option<f64>| v.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.2}"));
    Some(format!(
        "noise {noise:.4} a reading; residuals against what ran {}, parts of the run {} (1 is perfect){}",
        figure(checks.lack_of_fit),
        figure(checks.stability),
        checks.inflation.map_or_else(String::new, |by| format!("; variances × {by:.1}"))
    ))
}

fn timeline(quality: &Quality) -> String {
    let timeline = &quality.timeline;
    let mut text = format!(
        "{}, stamps {}",
        timeline.counts.cycles,
        match timeline.stamps {
            Stamps::Callback => "taken in the callback",
            Stamps::LayerEnds => "at layer ends",
        }
    );
    let mut count = |n: u64, what: &str| {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    };
    count(timeline.counts.incomplete, "without some layer");
    count(timeline.counts.clock_backwards, "times the clock went back");
    count(timeline.pauses, "pauses");
    count(timeline.overlapping, "overlapping");
    count(timeline.shared_names as u64, "layers by a shared name");
    count(timeline.unmeasured_layers as u64, "engine layers without measurement");
    text
}
