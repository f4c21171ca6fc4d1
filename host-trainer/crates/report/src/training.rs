//! How the models came about: what they heed, what more data would bring, how training and tuning went.

use super::input::Report;
use super::names::{slug, target_name};
use charts::{Axis, Bar, Bars, Plot, Point};
use learn::model::Card;
use maud::{Markup, html};

/// Networks of an ensemble whose losses are drawn.
const SHOWN_MEMBERS: usize = 2;

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
    let mut plot = Plot::new(
        &format!("loss-{}", slug(&name)),
        &name,
        "Loss by epoch on training rows and on validation rows",
        Axis::linear("epoch"),
        Axis::log("loss"),
    );
    let mut drawn = false;
    for (number, member) in members.iter().enumerate().take(SHOWN_MEMBERS) {
        let numbers = |key: &str| -> Vec<Option<f64>> {
            let values = member.get("curve").and_then(|curve| curve.get(key)).and_then(|v| v.as_array());
            values.map(|values| values.iter().map(serde_json::Value::as_f64).collect()).unwrap_or_default()
        };
        let epochs = numbers("epoch");
        let which = if members.len() > 1 { format!(", network {}", number + 1) } else { String::new() };
        for (key, series) in [("training_loss", "training"), ("validation_loss", "validation")] {
            let points: Vec<Point> =
                epochs.iter().zip(numbers(key)).filter_map(|(x, y)| Some(Point::new((*x)?, y?))).collect();
            if !points.is_empty() {
                plot = plot.line(&format!("{series}{which}"), points, false);
                drawn = true;
            }
        }
    }
    if let Some(best) = members.first().and_then(|m| m.get("best_epoch")).and_then(serde_json::Value::as_u64) {
        let first = if members.len() > 1 { " of the first network" } else { "" };
        plot = plot.note(format!("Epoch {best}{first} was the best; its weights were kept."));
    }
    if members.len() > SHOWN_MEMBERS {
        plot = plot.note(format!("Shown are {SHOWN_MEMBERS} of the {} networks that are averaged.", members.len()));
    }
    drawn.then(|| plot.render())
}

pub(super) fn tuning(report: &Report<'_>) -> Option<Markup> {
    let study = report.study.as_ref()?;
    let points = |complete: bool| -> Vec<Point> {
        let of = study.trials.iter().filter(|trial| trial.complete == complete);
        of.filter_map(|t| Some(Point::named(format!("{} {}", t.state, t.parameters), t.number as f64, t.value?)))
            .collect()
    };
    let mut best: Option<f64> = None;
    let mut steps: Vec<Point> = Vec::new();
    for trial in study.trials.iter().filter(|t| t.complete) {
        let Some(value) = trial.value.filter(|v| v.is_finite()) else { continue };
        let x = trial.number as f64;
        if let Some(before) = best {
            steps.push(Point::new(x, before));
        }
        best = Some(best.map_or(value, |b| b.min(value)));
        steps.push(Point::new(x, best.unwrap_or(value)));
    }
    let mut states: Vec<(&'static str, usize)> = Vec::new();
    for trial in &study.trials {
        match states.iter_mut().find(|(state, _)| *state == trial.state) {
            Some((_, count)) => *count += 1,
            None => states.push((trial.state, 1)),
        }
    }
    let told: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let plot = Plot::new(
        "tuning-history",
        &format!("Study {}", study.name),
        "Score of each trial by its number, and the best so far",
        Axis::linear("trial"),
        Axis::log(study.objective.clone()),
    )
    .wide()
    .points("complete", points(true));
    let early = points(false);
    let plot = if early.is_empty() { plot } else { plot.points("stopped early", early) };
    let plot = plot.line("best so far", steps, false);
    Some(html! {
        p { (study.trials.len()) " trials: " (told.join(", ")) ". Scores are of validation folds: the best of many is a little lucky, and test data must say how much." }
        (plot.render())
    })
}
