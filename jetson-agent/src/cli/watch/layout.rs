//! How a view looks: lines of a given width.

use crate::live::{RailView, View};
use shared::failure::printable;

/// Whether lines carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Text alone.
    Plain,
    /// Bold totals and dim headings.
    Coloured,
}

/// A terminal this wide has two columns.
const WIDE: usize = 120;
/// What the left of two columns takes.
const LEFT: usize = 80;
/// Blocks of a curve, an eighth of a row each.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A line with its style.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    text: String,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Plain,
    Bold,
    Dim,
}

fn plain(text: impl Into<String>) -> Line {
    Line { text: text.into(), weight: Weight::Plain }
}

fn dim(text: impl Into<String>) -> Line {
    Line { text: text.into(), weight: Weight::Dim }
}

impl Line {
    /// The line cut or filled to a width.
    fn fitted(&self, width: usize, style: Style) -> String {
        let length = self.text.chars().count();
        let text = if length > width {
            let cut: String = self.text.chars().take(width.saturating_sub(1)).collect();
            if width == 0 { cut } else { cut + "…" }
        } else {
            self.text.clone() + &" ".repeat(width - length)
        };
        match (style, self.weight) {
            (Style::Plain, _) | (_, Weight::Plain) => text,
            (_, Weight::Bold) => format!("\x1b[1m{text}\x1b[0m"),
            (_, Weight::Dim) => format!("\x1b[2m{text}\x1b[0m"),
        }
    }
}

/// A view as lines of a terminal, not more than it has rows.
pub(super) fn screen(view: &View, history: &[f64], columns: usize, rows: usize, style: Style) -> Vec<String> {
    let mut lines = vec![title(view)];
    lines.push(plain(""));
    if columns >= WIDE {
        let right = columns - LEFT - 2;
        let mut left = rails(view, LEFT);
        left.push(plain(""));
        left.extend(reading(view));
        let mut side = board(view, right);
        let height = rows.saturating_sub(left.len().max(side.len()) + 5).min(10);
        let fill = |lines: &mut Vec<Line>, n: usize| lines.resize(n.max(lines.len()), plain(""));
        let n = left.len().max(side.len());
        fill(&mut left, n);
        fill(&mut side, n);
        let joined: Vec<String> = left
            .iter()
            .zip(&side)
            .map(|(left, right_line)| format!("{}  {}", left.fitted(LEFT, style), right_line.fitted(right, style)))
            .collect();
        let head: Vec<String> = lines.iter().map(|line| line.fitted(columns, style)).collect();
        let tail: Vec<String> =
            curve(history, columns, height).iter().map(|line| line.fitted(columns, style)).collect();
        return head.into_iter().chain(joined).chain(tail).take(rows.max(1)).collect();
    }
    lines.extend(rails(view, columns));
    lines.push(plain(""));
    lines.extend(board(view, columns));
    lines.extend(reading(view));
    let height = rows.saturating_sub(lines.len() + 3).min(8);
    lines.extend(curve(history, columns, height));
    lines.iter().map(|line| line.fitted(columns, style)).take(rows.max(1)).collect()
}

fn title(view: &View) -> Line {
    let seconds = view.elapsed_seconds as u64;
    let clock = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let board = view.board.as_deref().map_or(String::new(), |board| format!("  {}", printable(board)));
    let mode = view.power_mode.as_deref().map_or(String::new(), |mode| format!("  mode {}", printable(mode)));
    dim(format!("jetson-agent  {clock}  q quits  {}{mode}{board}", view.source))
}

fn watts(value: Option<f64>) -> String {
    value.map_or("?".into(), |watts| format!("{watts:.3}"))
}

fn energy(value: Option<f64>) -> String {
    match value {
        None => "?".into(),
        Some(joules) if joules >= 3.6e6 => format!("{:.3} kWh", joules / 3.6e6),
        Some(joules) if joules >= 1e5 => format!("{:.2} kJ", joules * 1e-3),
        Some(joules) => format!("{joules:.2} J"),
    }
}

/// The table of rails: 72 columns and a bar in what is left.
fn rails(view: &View, width: usize) -> Vec<Line> {
    let mut lines =
        vec![dim(format!("{:<20}{:>10}{:>10}{:>10}{:>10}{:>12}", "W", "now", "lowest", "highest", "mean", "energy"))];
    let scale = view.total.iter().chain(&view.rails).filter_map(|rail| rail.peak_watts).fold(0.0, f64::max);
    let room = width.saturating_sub(74);
    let row = |rail: &RailView, label: String, weight| {
        let label: String = printable(&label).chars().take(19).collect();
        let filled =
            rail.watts.filter(|_| scale > 0.0).map_or(0.0, |watts| (watts / scale).clamp(0.0, 1.0) * room as f64);
        let text = format!(
            "{label:<20}{:>10}{:>10}{:>10}{:>10}{:>12}  {}",
            watts(rail.watts),
            watts(rail.lowest_watts),
            watts(rail.highest_watts),
            watts(rail.mean_watts),
            energy(rail.joules),
            "█".repeat(filled.round() as usize)
        );
        Line { text, weight }
    };
    match &view.total {
        Some(total) => lines.push(row(total, "total".into(), Weight::Bold)),
        None => lines.push(plain("total: not known, no rail or sum of rails stands for the board")),
    }
    lines.extend(view.rails.iter().map(|rail| row(rail, rail.label.clone(), Weight::Plain)));
    lines
}

/// Words joined to lines that are not longer than a width, behind a heading.
fn wrapped(heading: &str, words: &[String], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut text = format!("{heading:<12}");
    for (index, word) in words.iter().enumerate() {
        let word = printable(word);
        if index > 0 && text.chars().count() + word.chars().count() + 2 > width {
            lines.push(plain(std::mem::replace(&mut text, " ".repeat(12))));
        }
        text += &format!("{word}  ");
    }
    lines.push(plain(text.trim_end()));
    lines
}

fn board(view: &View, width: usize) -> Vec<Line> {
    let none = |what: &str| vec![format!("not known: the board shows no {what}")];
    let or_none = |words: Vec<String>, what: &str| if words.is_empty() { none(what) } else { words };
    let mut clocks: Vec<String> = Vec::new();
    // Processors at one clock are one word.
    let mut cpus: Vec<(f64, Vec<&str>)> = Vec::new();
    for (unit, mhz) in &view.clocks_mhz {
        match unit.strip_prefix("cpu") {
            Some(number) => match cpus.iter_mut().find(|(clock, _)| clock == mhz) {
                Some((_, numbers)) => numbers.push(number),
                None => cpus.push((*mhz, vec![number])),
            },
            None => clocks.push(format!("{unit} {mhz:.0}")),
        }
    }
    clocks.extend(cpus.iter().map(|(mhz, numbers)| format!("cpu {} {mhz:.0}", ranges(numbers))));
    let mut lines = wrapped("clocks MHz", &or_none(clocks, "clocks"), width);
    if let Some(load) = view.gpu_load {
        lines.push(plain(format!("{:<12}{:.0} %", "gpu load", load * 100.0)));
    }
    let temperatures: Vec<String> = view
        .temperatures_c
        .iter()
        .map(|(zone, celsius)| format!("{} {celsius:.1}", zone.trim_end_matches("-thermal")))
        .collect();
    lines.extend(wrapped("°C", &or_none(temperatures, "temperatures"), width));
    let throttling: Vec<String> = view
        .throttling
        .iter()
        .map(|throttle| format!("{} {} since boot, {} now", throttle.counter, throttle.events, throttle.since_start))
        .collect();
    let throttled = view.throttling.iter().any(|throttle| throttle.since_start > 0);
    let mut throttling = wrapped("throttling", &or_none(throttling, "counters"), width);
    if throttled {
        throttling.iter_mut().for_each(|line| line.weight = Weight::Bold);
    }
    lines.extend(throttling);
    lines
}

/// `0 1 2 5` as `0-2,5`.
fn ranges(numbers: &[&str]) -> String {
    let numbers: Vec<u32> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

fn reading(view: &View) -> Vec<Line> {
    let sampling = &view.sampling;
    let refresh = sampling
        .refresh_ms
        .map_or("how often the sensor renews is not known".to_owned(), |ms| format!("new values every {ms:.2} ms"));
    let effective = sampling.effective_hz.map_or(String::new(), |hz| format!(", {hz:.0} of them new"));
    let own = if view.elapsed_seconds > 0.0 { view.agent_cpu_seconds / view.elapsed_seconds * 100.0 } else { 0.0 };
    vec![
        plain(format!("{:<12}{:.0} per second{effective}; {refresh}", "readings", sampling.readings_hz)),
        plain(format!("{:<12}{own:.2} % of a core", "this agent")),
    ]
}

/// The course of the total, newest at the right.
fn curve(history: &[f64], columns: usize, height: usize) -> Vec<Line> {
    if height < 2 || history.len() < 2 || columns < 20 {
        return Vec::new();
    }
    let room = columns - 9;
    let shown = &history[history.len().saturating_sub(room)..];
    let (low, high) = shown.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), w| (low.min(*w), high.max(*w)));
    let span = (high - low).max(0.05 * high).max(1e-6);
    let bottom = (high - span).max(0.0);
    let mut lines = vec![plain("")];
    for row in (0..height).rev() {
        let scale = match row {
            0 => format!("{bottom:>7.2} "),
            row if row + 1 == height => format!("{high:>7.2} "),
            _ => " ".repeat(8),
        };
        let cells: String = shown
            .iter()
            .map(|watts| {
                let eighths = ((watts - bottom) / span * (height * 8) as f64).round().max(1.0) as usize;
                match eighths.saturating_sub(row * 8) {
                    0 => ' ',
                    filled => BLOCKS[filled.min(8) - 1],
                }
            })
            .collect();
        lines.push(plain(scale + &cells));
    }
    lines
}

/// A view as one line for a log.
pub(super) fn line(view: &View) -> String {
    let mut words = vec![format!("{:.1} s", view.elapsed_seconds)];
    match &view.total {
        Some(total) => words.push(format!("total {} W {}", watts(total.watts), energy(total.joules))),
        None => words.push("total not known".into()),
    }
    if view.rails.len() > 1 || view.total.is_none() {
        words.extend(view.rails.iter().map(|rail| format!("{} {} W", printable(&rail.label), watts(rail.watts))));
    }
    if let Some((_, mhz)) = view.clocks_mhz.iter().find(|(unit, _)| unit == "gpu") {
        words.push(format!("gpu {mhz:.0} MHz"));
    }
    if let Some(celsius) = view.temperatures_c.iter().map(|(_, celsius)| *celsius).reduce(f64::max) {
        words.push(format!("{celsius:.1} °C"));
    }
    let throttled: u64 = view.throttling.iter().map(|throttle| throttle.since_start).sum();
    if throttled > 0 {
        words.push(format!("throttled {throttled} times"));
    }
    words.push(format!("{:.0} readings/s", view.sampling.readings_hz));
    words.join("  ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{SamplingView, ThrottleView};

    fn view() -> View {
        let rail = |label: &str, watts: f64| RailView {
            label: label.into(),
            watts: Some(watts),
            lowest_watts: Some(watts - 0.5),
            highest_watts: Some(watts + 0.5),
            mean_watts: Some(watts),
            peak_watts: Some(watts + 1.0),
            joules: Some(watts * 75.0),
            ..RailView::default()
        };
        View {
            elapsed_seconds: 3_675.0,
            board: Some("NVIDIA Jetson Orin Nano Developer Kit".into()),
            power_mode: Some("MAXN_SUPER".into()),
            source: "hwmon".into(),
            total: Some(rail("VDD_IN", 9.1)),
            rails: vec![rail("VDD_IN", 9.1), rail("VDD_CPU_GPU_CV", 3.2), rail("VDD_SOC", 1.7)],
            sampling: SamplingView {
                readings_hz: 100.0,
                refresh_ms: Some(0.84),
                effective_hz: Some(100.0),
                readings: 7500,
            },
            temperatures_c: vec![("cpu-thermal".into(), 48.1), ("gpu-thermal".into(), 47.0)],
            clocks_mhz: [("gpu", 1020.0), ("cpu0", 1728.0), ("cpu1", 1728.0), ("cpu3", 729.0), ("emc", 2133.0)]
                .map(|(unit, mhz)| (unit.to_owned(), mhz))
                .to_vec(),
            gpu_load: Some(0.73),
            throttling: vec![ThrottleView { counter: "oc1".into(), events: 4, since_start: 1 }],
            agent_cpu_seconds: 7.35,
            ..View::default()
        }
    }

    fn history() -> Vec<f64> {
        (0..300).map(|n| 5.0 + 4.0 * (f64::from(n) / 20.0).sin()).collect()
    }

    #[test]
    fn no_line_is_wider_and_no_screen_higher_than_the_terminal() {
        for columns in [1, 20, 40, 79, 80, 119, 120, 160, 300] {
            for rows in [1, 5, 24, 60] {
                let lines = screen(&view(), &history(), columns, rows, Style::Plain);
                assert!(lines.len() <= rows, "{columns} × {rows}: {}", lines.len());
                for line in lines {
                    assert_eq!(line.chars().count(), columns, "{columns} × {rows}: {line}");
                }
            }
        }
    }

    fn snapshot(name: &str, columns: usize, rows: usize) {
        let lines = screen(&view(), &history(), columns, rows, Style::Plain);
        let text: String = lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../tests/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }

    #[test]
    fn eighty_columns() {
        snapshot("watch-80", 80, 24);
    }

    #[test]
    fn a_hundred_and_sixty_columns() {
        snapshot("watch-160", 160, 40);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let empty = View { rails: vec![RailView { label: "GPU 0".into(), ..RailView::default() }], ..View::default() };
        let text = screen(&empty, &[], 80, 24, Style::Plain).join("\n");
        for said in ["total: not known", "no clocks", "no temperatures", "no counters", "renews is not known"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(line(&empty).contains("total not known"));
    }

    #[test]
    fn text_of_the_board_cannot_drive_the_terminal() {
        let mut hostile = view();
        hostile.board = Some("a\x1b[2Jb".into());
        hostile.rails[1].label = "\x1b]0;x\x07".into();
        hostile.temperatures_c[0].0 = "\x1b[1m".into();
        let text = screen(&hostile, &history(), 160, 40, Style::Plain).join("\n") + &line(&hostile);
        assert!(!text.contains('\x1b') && !text.contains('\x07'));
    }

    #[test]
    fn colours_come_in_pairs_and_leave_the_width() {
        let lines = screen(&view(), &history(), 80, 24, Style::Coloured);
        let text = lines.join("\n");
        assert_eq!(text.matches("\x1b[0m").count(), text.matches("\x1b[1m").count() + text.matches("\x1b[2m").count());
        assert!(text.contains("\x1b[1m"));
        assert_eq!(ranges(&["0", "1", "2", "5"]), "0-2,5");
    }
}
