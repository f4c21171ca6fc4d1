//! An engine in the power modes of its board: the candidates with their Pareto front, as a chart and as a table.

use super::table::table;
use charts::{Axis, Plot, Point};
use learn::what_if::{Choice, Outlook};
use maud::{Markup, html};
use shared::figures::{figure, known};

/// An engine in several power modes, and which of them suits best.
#[derive(Debug, Clone)]
pub struct EngineModes {
    /// What the engine would cost in each.
    pub outlooks: Vec<Outlook>,
    /// The choice among them.
    pub choice: Choice,
    /// What a reader should know of them.
    pub caveats: Vec<String>,
}

/// The chart of a choice: the time of an inference against its energy per image, or against images per second where no energy is
/// known. Candidates come with the name of their engine, which is empty where there is one engine only.
#[must_use]
pub fn choice_chart(id: &str, candidates: &[(&str, &Outlook)], choice: &Choice) -> Markup {
    let point = |place: usize| {
        let (engine, outlook) = candidates[place];
        let cost = outlook.cost()?;
        let y = if choice.knows_energy() { cost.energy_per_image()?.0 } else { outlook.throughput? };
        let engine = if engine.is_empty() { String::new() } else { format!("{engine}, ") };
        Some(Point::named(format!("{engine}{}", outlook.setting_name()), cost.latency.0, y))
    };
    let other = |place: &usize| choice.mark(*place).is_empty();
    let candidate_points: Vec<Point> = (0..candidates.len()).filter(other).filter_map(point).collect();
    let (what, y) = if choice.knows_energy() {
        ("energy per image", Axis::log("energy per image, mJ"))
    } else {
        ("images per second", Axis::log("images per second"))
    };
    let mut plot = Plot::new(
        id,
        "Power modes and batches",
        &format!("time of one inference against {what} of each candidate, with the Pareto front"),
        Axis::log("time of one inference, ms"),
        y,
    )
    .wide()
    .points("candidates", candidate_points)
    .line("Pareto front", choice.front.iter().copied().filter_map(point).collect(), true)
    .points("chosen", choice.chosen.into_iter().filter_map(point).collect());
    if let Some(limit) = choice.limit {
        plot = plot.note(format!(
            "Limit: {} ms with a probability of {:.0} %.",
            limit.latency.0,
            100.0 * limit.probability
        ));
    }
    if !choice.knows_energy() {
        plot = plot.note("Energy is not known of any candidate: images per second stand in its place.");
    }
    let missing = (0..candidates.len()).filter(|place| point(*place).is_none()).count();
    if missing > 0 {
        plot = plot.note(format!("Not shown: {missing} candidates whose run time or {what} is not known."));
    }
    plot.render()
}

/// The part of an engine's section.
pub(super) fn section(id: &str, modes: &EngineModes) -> Markup {
    let candidates: Vec<(&str, &Outlook)> = modes.outlooks.iter().map(|outlook| ("", outlook)).collect();
    let rows: Vec<Vec<String>> = modes
        .outlooks
        .iter()
        .enumerate()
        .map(|(place, outlook)| {
            vec![
                outlook.mode_name().to_owned(),
                outlook.origin.name().to_owned(),
                modes.choice.mark(place).to_owned(),
                figure(Some(outlook.gpu_mhz), 0),
                figure(Some(outlook.emc_mhz), 0),
                known(outlook.batch, |batch| batch.to_string()),
                figure(outlook.runtime_ms.map(|t| t.0), 3),
                figure(outlook.energy_mj.map(|e| e.0), 3),
                figure(outlook.power_w.map(|p| p.0), 2),
            ]
        })
        .collect();
    let header = ["mode", "time from", "", "GPU MHz", "EMC MHz", "batch", "ms", "mJ", "W"];
    html! {
        (choice_chart(&format!("{id}-modes"), &candidates, &modes.choice))
        details {
            summary { "Power modes as a table" }
            (table("Power modes", &header, 3, &rows))
            @if !modes.caveats.is_empty() {
                ul { @for caveat in &modes.caveats { li { (shared::failure::printable(caveat)) } } }
            }
        }
    }
}
