//! How the models came about: what they heed, what more data would bring, how training went.

use super::input::Report;
use super::losses::{self, Losses};
use super::names::{slug, target_name};
use charts::{Axis, Bar, Bars, Plot, Point};
use learn::model::Card;
use maud::{Markup, html};

/// Networks or rows by how many: the learning curve, by target.
pub(super) fn learning_curve(report: &Report<'_>) -> Option<Markup> {
    let (kind, curve) = report.curve.as_ref()?;
    let unit = curve.points.first()?.unit;
    let mut targets: Vec<_> = curve.points.iter().map(|p| p.target).collect();
    targets.sort();
    targets.dedup();
    let charts = targets.into_iter().map(|target| {
        let words = target_name(target);
        let mut plot = Plot::new(
            &format!("curve-{}", slug(words)),
            &format!("{words}, {kind}"),
            "Error on networks kept back, over how many were trained on; mean of the repetitions",
            Axis::log(format!("{unit} trained on")),
            Axis::log("MAPE on what was kept back, %"),
        );
        let mut kinds: Vec<&'static str> = Vec::new();
        curve.points.iter().filter(|p| p.target == target).for_each(|p| {
            if !kinds.contains(&p.kind) {
                kinds.push(p.kind)
            }
        });
        for layers in kinds {
            let of_kind = curve.points.iter().filter(|p| p.target == target && p.kind == layers);
            let point = |p: &learn::evaluate::CurvePoint| {
                let (low, high) = p.mape_range_percent;
                let name = format!("{} repetitions, {low:.1} to {high:.1} %", p.repeats);
                Point::named(name, p.size as f64, p.mape_percent)
            };
            plot = plot.line(layers, of_kind.map(point).collect(), true);
        }
        plot.render()
    });
    Some(html! {
        p {
            "Models of kind " code { (kind) } " fitted on more and more of the data and judged on a fifth that is kept back, "
            "several times with others kept back. A curve that still falls says that more " (unit) " would help."
        }
        div class="grid" { @for chart in charts { (chart) } }
        @for note in &curve.notes { p { (note) } }
    })
}

pub(super) fn importance(report: &Report<'_>) -> Option<Markup> {
    let found = report.importance.as_ref()?;
    let mut models: Vec<(&'static str, learn::model::Target)> = Vec::new();
    found.effects.iter().for_each(|e| {
        if !models.contains(&(e.kind, e.target)) {
            models.push((e.kind, e.target))
        }
    });
    let charts = models.into_iter().map(|(kind, target)| {
        let effects: Vec<_> = found.effects.iter().filter(|e| (e.kind, e.target) == (kind, target)).collect();
        let bars = effects.iter().map(|e| Bar {
            name: e.column.clone(),
            value: e.rise_points,
            range: e.mape_without_range_percent.map(|(low, high)| (low - e.mape_percent, high - e.mape_percent)),
        });
        let held_out = effects.first().is_some_and(|e| e.held_out);
        Bars::new(
            &format!("importance-{}-{}", slug(kind), target.name()),
            &format!("{kind} {}", target.name()),
            "Rise of the error when a feature is shuffled among the rows, the largest first",
            Axis::linear("rise of the MAPE, percentage points"),
            bars.collect(),
        )
        .note(if held_out { "On networks that training did not see." } else { "On networks that training saw." })
        .render()
    });
    Some(html! {
        p {
            "How much worse a model predicts when one feature is shuffled among the rows. Features that go together share "
            "what they are worth, and shuffling makes layers that nobody would build: read it as what a model heeds, not as cause."
        }
        div class="grid" { @for chart in charts { (chart) } }
    })
}

/// Losses by epoch of what was trained so, from the cards.
pub(super) fn loss(report: &Report<'_>) -> Option<Markup> {
    let charts: Vec<Markup> = report.cards.iter().filter_map(loss_of).collect();
    (!charts.is_empty()).then(|| {
        html! {
            p { "On the scale on which the network learns. Training stops by the loss on validation rows." }
            div class="grid" { @for chart in charts { (chart) } }
        }
    })
}

fn loss_of(card: &Card) -> Option<Markup> {
    let members = card.fit.get("members")?.as_array()?;
    let name = format!("{} {}", card.layer_kind.name(), card.target.name());
    let networks: Vec<Losses> = members
        .iter()
        .map(|member| {
            let numbers = |key: &str| -> Vec<Option<f64>> {
                let values = member.get("curve").and_then(|curve| curve.get(key)).and_then(|v| v.as_array());
                values.map(|values| values.iter().map(serde_json::Value::as_f64).collect()).unwrap_or_default()
            };
            let epochs = numbers("epoch");
            let points = |key: &str| -> Vec<Point> {
                epochs.iter().zip(numbers(key)).filter_map(|(x, y)| Some(Point::new((*x)?, y?))).collect()
            };
            Losses {
                training: points("training_loss"),
                validation: points("validation_loss"),
                best_epoch: member.get("best_epoch").and_then(serde_json::Value::as_u64),
            }
        })
        .collect();
    losses::plot(&format!("loss-{}", slug(&name)), &name, &networks).map(|plot| plot.render())
}
