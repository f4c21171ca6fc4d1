//! The quality report in a few lines.

use super::predictability::PREDICTABLE;
use super::quality::{Quality, Verdict};
use super::stamps::Stamps;
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
    match (response.lag, quality.response) {
        (Some(lag), _) if lag.0 > 0.0 => text += &format!(", lag {:.1}", Millis::from(lag)),
        (_, Some(fitted)) if quality.predicted.is_some_and(|p| p >= PREDICTABLE) => {
            text += &format!(", averaging over {:.3} ms", fitted.window_us / 1e3);
        }
        _ => {}
    }
    text + &format!(" ({})", sensor.known_from)
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
