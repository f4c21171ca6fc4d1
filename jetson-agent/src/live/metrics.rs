//! A view in Prometheus' text format, version 0.0.4.
//!
//! Names follow Prometheus' rules: a prefix, base units, `_total` for what only grows. What is not known is absent.

use super::view::{RailView, View};
use std::fmt::Write;

/// A view as Prometheus reads it.
///
/// ```
/// use jetson_agent::live::{RailView, View, metrics};
///
/// let rail = RailView { label: "VDD_IN".into(), watts: Some(5.5), ..RailView::default() };
/// let text = metrics(&View { rails: vec![rail], ..View::default() });
/// assert!(text.contains("\njetson_rail_power_watts{rail=\"VDD_IN\"} 5.5\n"));
/// assert!(!text.contains("jetson_gpu_utilization_ratio"), "what is not known is absent");
/// ```
#[must_use]
pub fn metrics(view: &View) -> String {
    let mut page = Page::default();
    let board = [
        ("model", view.board.clone().unwrap_or_default()),
        ("power_mode", view.power_mode.clone().unwrap_or_default()),
        ("source", view.source.clone()),
        ("agent_version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    page.family("jetson_board_info", "gauge", "The board and where its power is read; what is not known is empty.");
    page.sample("jetson_board_info", &board, Some(1.0));

    let total = |of: fn(&RailView) -> Option<f64>| view.total.as_ref().and_then(of);
    page.single(
        "jetson_board_power_watts",
        "gauge",
        "Power of the whole board, mean of the last interval.",
        total(|t| t.watts),
    );
    page.single(
        "jetson_board_energy_joules_total",
        "counter",
        "Energy of the whole board since the start.",
        total(|t| t.joules),
    );
    page.single(
        "jetson_board_peak_power_watts",
        "gauge",
        "Highest reading of the whole board since the start.",
        total(|t| t.peak_watts),
    );

    let rails = |page: &mut Page, name: &str, kind: &str, help: &str, of: fn(&RailView) -> Option<f64>| {
        let values = view.rails.iter().map(|rail| (rail.label.clone(), of(rail)));
        page.labelled(name, kind, help, "rail", values);
    };
    rails(&mut page, "jetson_rail_power_watts", "gauge", "Power of a rail, mean of the last interval.", |r| r.watts);
    rails(&mut page, "jetson_rail_voltage_volts", "gauge", "Voltage of a rail, last reading.", |r| r.volts);
    rails(&mut page, "jetson_rail_current_amperes", "gauge", "Current of a rail, last reading.", |r| r.amperes);
    rails(&mut page, "jetson_rail_energy_joules_total", "counter", "Energy of a rail since the start.", |r| r.joules);

    let temperatures = view.temperatures_c.iter().map(|(zone, celsius)| (zone.clone(), Some(*celsius)));
    page.labelled("jetson_temperature_celsius", "gauge", "Temperature of a thermal zone.", "zone", temperatures);
    let clocks = view.clocks_mhz.iter().map(|(unit, mhz)| (unit.clone(), Some(*mhz * 1e6)));
    page.labelled("jetson_clock_frequency_hertz", "gauge", "Clock of a unit.", "unit", clocks);
    page.single("jetson_gpu_utilization_ratio", "gauge", "Load of the GPU from 0 to 1.", view.gpu_load);
    let events = view.throttling.iter().map(|throttle| (throttle.counter.clone(), Some(throttle.events as f64)));
    page.labelled("jetson_throttle_events_total", "counter", "Throttle events since boot.", "counter", events);

    let sampling = &view.sampling;
    page.single(
        "jetson_sensor_readings_total",
        "counter",
        "Readings of each rail since the start.",
        Some(sampling.readings as f64),
    );
    page.single(
        "jetson_sensor_reading_rate_hertz",
        "gauge",
        "Readings per second in the last interval.",
        Some(sampling.readings_hz),
    );
    page.single(
        "jetson_sensor_effective_rate_hertz",
        "gauge",
        "New values per second: not more than readings, and not more than the slowest sensor has.",
        sampling.effective_hz,
    );
    page.single(
        "jetson_agent_cpu_seconds_total",
        "counter",
        "CPU time of the agent since the start.",
        Some(view.agent_cpu_seconds),
    );
    page.single(
        "jetson_agent_view_timestamp_seconds",
        "gauge",
        "When these values were taken, Unix time.",
        Some(view.unix_seconds),
    );
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, String)], value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        self.text += name;
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{}\"", if index == 0 { "{" } else { "," }, escaped(text));
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: Option<f64>) {
        if value.is_some_and(f64::is_finite) {
            self.family(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    /// One sample for each label; of labels that repeat, only the first, since Prometheus refuses the page otherwise.
    fn labelled(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, Option<f64>)>,
    ) {
        let mut seen: Vec<String> = Vec::new();
        for (text, value) in values {
            if value.is_none() || seen.contains(&text) {
                continue;
            }
            if seen.is_empty() {
                self.family(name, kind, help);
            }
            self.sample(name, &[(label, text.clone())], value);
            seen.push(text);
        }
    }
}

/// A label's value with what the format reserves escaped, and other control characters made visible.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\\' => vec!['\\', '\\'],
            '"' => vec!['\\', '"'],
            '\n' => vec!['\\', 'n'],
            c if c.is_control() => vec![char::REPLACEMENT_CHARACTER],
            c => vec![c],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_none_repeats() {
        let rail = |label: &str, watts| RailView { label: label.into(), watts, ..RailView::default() };
        let view = View {
            rails: vec![
                rail("a\"b\\c\nd\u{7}", Some(1.0)),
                rail("x", None),
                rail("y", Some(2.0)),
                rail("y", Some(3.0)),
            ],
            ..View::default()
        };
        let text = metrics(&view);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("jetson_rail_power_watts")).collect();
        assert_eq!(
            lines,
            ["jetson_rail_power_watts{rail=\"a\\\"b\\\\c\\nd\u{fffd}\"} 1", "jetson_rail_power_watts{rail=\"y\"} 2"]
        );
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn every_family_has_help_and_type_once_and_before_its_samples() {
        let full = RailView {
            label: "VDD_IN".into(),
            watts: Some(1.0),
            volts: Some(5.0),
            amperes: Some(0.2),
            joules: Some(3.0),
            peak_watts: Some(2.0),
            ..RailView::default()
        };
        let view = View {
            total: Some(full.clone()),
            rails: vec![full],
            gpu_load: Some(0.5),
            temperatures_c: vec![("cpu".into(), 40.0)],
            ..View::default()
        };
        let text = metrics(&view);
        let mut typed = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a kind");
                assert!(!typed.contains(&name.to_owned()), "{name} twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                typed.push(name.to_owned());
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().expect("a name");
                assert_eq!(typed.last().map(String::as_str), Some(name));
            }
        }
        assert!(typed.len() > 12, "{typed:?}");
    }
}
