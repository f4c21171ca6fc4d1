//! Charts of a tuning study: how its score fell from trial to trial, and how it goes with each option.

use charts::{Axis, Bar, Bars, Plot, Point};
use maud::{Markup, html};
use std::collections::BTreeMap;
use tune::studies::{Study, Trial, TrialState};

/// Options of a study that have a chart.
const MOST_OPTIONS: usize = 12;
/// Words that an option has a bar for.
const MOST_WORDS: usize = 20;
/// Values that span more than this factor stand on a logarithmic axis.
const WIDE: f64 = 50.0;

/// Complete trials with their score.
fn complete(trials: &[Trial]) -> impl Iterator<Item = (&Trial, f64)> {
    let such = trials.iter().filter(|trial| trial.state == TrialState::Complete);
    such.filter_map(|trial| Some((trial, trial.value.filter(|value| value.is_finite())?)))
}

/// An axis that shows all of these values: logarithmic where they are positive and far apart.
fn axis(label: &str, values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    if low > 0.0 && high / low > WIDE { Axis::log(label) } else { Axis::linear(label) }
}

fn options_of(trial: &Trial) -> String {
    trial.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The score of each trial by its number, and the best so far. `id` is unique in the page; `objective` names the score, of which less
/// is better.
///
/// ```
/// use tune::studies::{Trial, TrialState};
///
/// let trial = |number, value| Trial {
///     number, state: TrialState::Complete, parameters: Default::default(), value: Some(value), steps: Vec::new(),
///     reason: None, owner: None, token: 1, failures: 0, lost: 0, started_ms: None, finished_ms: None,
/// };
/// let chart = report::history("history", "mape", &[trial(0, 9.0), trial(1, 7.0)]).into_string();
/// assert!(chart.contains("best so far") && chart.contains("mape"));
/// ```
#[must_use]
pub fn history(id: &str, objective: &str, trials: &[Trial]) -> Markup {
    let point = |(trial, value): (&Trial, f64)| {
        let name = format!("trial {} {}: {}", trial.number, trial.state.name(), options_of(trial));
        Point::named(name, trial.number as f64, value)
    };
    let early: Vec<Point> = trials
        .iter()
        .filter(|trial| trial.state == TrialState::Pruned)
        .filter_map(|trial| Some(point((trial, trial.value?))))
        .collect();
    let mut best = f64::INFINITY;
    let mut steps: Vec<Point> = Vec::new();
    for (trial, value) in complete(trials) {
        let x = trial.number as f64;
        if best.is_finite() {
            steps.push(Point::new(x, best));
        }
        best = best.min(value);
        steps.push(Point::new(x, best));
    }
    let values = complete(trials).map(|(_, value)| value).chain(early.iter().map(|point| point.y));
    let mut plot = Plot::new(
        id,
        "Score by trial",
        "Score of each trial by its number, and the best so far",
        Axis::linear("trial"),
        axis(objective, values),
    )
    .wide()
    .points("complete", complete(trials).map(point).collect());
    if !early.is_empty() {
        plot = plot.points("stopped early", early);
    }
    plot.line("best so far", steps, false).render()
}

/// An option as a number: itself, or the sum of a list of widths.
fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(value) => Some(*value as f64),
        toml::Value::Float(value) => Some(*value),
        toml::Value::Array(list) if !list.is_empty() => list.iter().map(number).sum(),
        _ => None,
    }
}

/// A chart for each option that differs between complete trials: the score over its value, or the best score of each of its words.
/// `id` begins their identifiers.
///
/// ```
/// use tune::studies::{Trial, TrialState};
///
/// let trial = |number, rate: f64| Trial {
///     number, state: TrialState::Complete, parameters: [("mlp.learning_rate".to_owned(), rate.into())].into(),
///     value: Some(10.0 - rate), steps: Vec::new(), reason: None, owner: None, token: 1, failures: 0, lost: 0,
///     started_ms: None, finished_ms: None,
/// };
/// assert_eq!(report::options("option", "mape", &[trial(0, 0.1), trial(1, 0.2)]).len(), 1);
/// assert!(report::options("option", "mape", &[trial(0, 0.1), trial(1, 0.1)]).is_empty(), "it does not differ");
/// ```
#[must_use]
pub fn options(id: &str, objective: &str, trials: &[Trial]) -> Vec<Markup> {
    let mut values: BTreeMap<&str, Vec<(&Trial, &toml::Value, f64)>> = BTreeMap::new();
    for (trial, score) in complete(trials) {
        for (name, value) in &trial.parameters {
            values.entry(name).or_default().push((trial, value, score));
        }
    }
    let differs = |tried: &&Vec<(&Trial, &toml::Value, f64)>| tried.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let varied = values.iter().filter(|(_, tried)| differs(tried)).take(MOST_OPTIONS);
    varied
        .enumerate()
        .map(|(number, (name, tried))| option(&format!("{id}-{number}"), name, objective, tried))
        .collect()
}

fn option(id: &str, name: &str, objective: &str, tried: &[(&Trial, &toml::Value, f64)]) -> Markup {
    let title = format!("Score by {name}");
    let numbers: Option<Vec<f64>> = tried.iter().map(|(_, value, _)| number(value)).collect();
    let Some(numbers) = numbers else { return words(id, &title, objective, tried) };
    let lists = tried.iter().any(|(_, value, _)| value.is_array());
    let label = if lists { format!("{name}, sum of the list") } else { name.to_owned() };
    let points = tried
        .iter()
        .zip(&numbers)
        .map(|((trial, value, score), x)| Point::named(format!("trial {}: {value}", trial.number), *x, *score));
    Plot::new(
        id,
        &title,
        "Score of each complete trial over the option's value",
        axis(&label, numbers.iter().copied()),
        axis(objective, tried.iter().map(|(_, _, score)| *score)),
    )
    .points("complete", points.collect())
    .render()
}

/// The best score of each word, and how far its trials reach.
fn words(id: &str, title: &str, objective: &str, tried: &[(&Trial, &toml::Value, f64)]) -> Markup {
    let mut spans: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (_, value, score) in tried {
        let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (low, high) = spans.entry(word).or_insert((*score, *score));
        (*low, *high) = (low.min(*score), high.max(*score));
    }
    let mut bars: Vec<Bar> = spans
        .into_iter()
        .map(|(name, (low, high))| Bar { name, value: low, range: (low < high).then_some((low, high)) })
        .collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    let left = bars.len().saturating_sub(MOST_WORDS);
    bars.truncate(MOST_WORDS);
    let chart = Bars::new(
        id,
        title,
        "Best score of the complete trials with each value, the best first; whiskers reach to the worst",
        Axis::linear(objective),
        bars,
    );
    if left > 0 { chart.note(format!("{left} more values are left out.")) } else { chart }.render()
}

/// What a study minimises, in words.
fn objective(study: &Study) -> String {
    let word = |key: &str| study.specification.objective.get(key).and_then(|value| value.as_str());
    let metric = word("metric").unwrap_or("score").to_owned();
    word("target").map_or(metric.clone(), |target| format!("{metric} of {target}"))
}

/// The section of a study; `id` begins the identifiers of its charts.
pub(super) fn section(id: &str, study: &Study, trials: &[Trial]) -> Markup {
    let mut states: Vec<(&'static str, usize)> = Vec::new();
    for trial in trials {
        match states.iter_mut().find(|(state, _)| *state == trial.state.name()) {
            Some((_, count)) => *count += 1,
            None => states.push((trial.state.name(), 1)),
        }
    }
    let told: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let objective = objective(study);
    let best = complete(trials).min_by(|a, b| a.1.total_cmp(&b.1));
    html! {
        p {
            (trials.len()) @if trials.len() == 1 { " trial" } @else { " trials" }
            @if !told.is_empty() { ": " (told.join(", ")) } ". "
            "Scores are of validation folds: the best of many is a little lucky, and test data must say how much."
        }
        @if let Some((trial, value)) = best {
            p { "Best: trial " (trial.number) ", " (objective) " " (charts::number(value)) ", with " code { (shared::failure::printable(&options_of(trial))) } "." }
        }
        (history(&format!("{id}-history"), &objective, trials))
        div class="grid" { @for chart in options(&format!("{id}-by"), &objective, trials) { (chart) } }
    }
}
