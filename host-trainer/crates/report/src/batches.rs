//! Charts of a batch: scores by model, losses by epoch, time.

use super::losses::{self, Losses};
use super::table::table;
use batch::LossSoFar;
use batch::folder::Batch;
use batch::results::TaskResult;
use batch::status::Status;
use batch::training::Curve;
use charts::{Axis, Bar, Bars, LOOKS, Plot, Point};
use maud::{Markup, html};
use shared::figures::figure;
use std::collections::BTreeMap;

/// Models of which losses are drawn.
const MOST_LOSSES: usize = 12;
/// Digits of a task's name that are shown.
const DIGITS: usize = 12;

fn short(task: &str) -> &str {
    task.get(..DIGITS).unwrap_or(task)
}

/// Scores that can be compared: of one data set, by one figure, judged on the same kind of rows.
struct Comparable<'a> {
    dataset: &'a str,
    score_of: &'a str,
    judged_on: &'a str,
    results: Vec<&'a TaskResult>,
}

impl<'a> Comparable<'a> {
    fn of(batch: &'a Batch, results: &'a [TaskResult]) -> Vec<Self> {
        let mut groups: BTreeMap<(&str, &str, &str), Vec<&TaskResult>> = BTreeMap::new();
        for result in results {
            let dataset = batch.content.datasets.get(&result.dataset);
            let name = dataset.map_or(result.dataset.as_str(), |dataset| dataset.name.as_str());
            groups.entry((name, &result.score_of, &result.judged_on)).or_default().push(result);
        }
        let group = |((dataset, score_of, judged_on), results)| Self { dataset, score_of, judged_on, results };
        groups.into_iter().map(group).collect()
    }

    fn score(&self) -> String {
        format!("{}, {}", self.score_of, self.judged_on)
    }

    /// The best score of each model, and how far its tasks reach. Where the same model was trained in several ways, each way has a
    /// bar.
    fn scores(&self, id: &str, batch: &Batch) -> Markup {
        let trainings = self.results.iter().map(|result| &result.training);
        let several = trainings.collect::<std::collections::BTreeSet<_>>().len() > 1;
        let mut spans: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for result in &self.results {
            let training = batch.content.training_names.get(&result.training).unwrap_or(&result.training);
            let name = if several { format!("{}, {}", result.label, training) } else { result.label.clone() };
            let (low, high) = spans.entry(name).or_insert((result.score, result.score));
            (*low, *high) = (low.min(result.score), high.max(result.score));
        }
        let bar = |(name, (low, high))| Bar { name, value: low, range: (low < high).then_some((low, high)) };
        let mut bars: Vec<Bar> = spans.into_iter().map(bar).collect();
        bars.sort_by(|a, b| a.value.total_cmp(&b.value));
        Bars::new(
            id,
            &format!("Score by model on {}", self.dataset),
            "Best score of each model, the best first; whiskers reach to the worst of its tasks",
            Axis::linear(self.score()),
            bars,
        )
        .render()
    }

    /// The score of each task over the time that it took, by class.
    fn times(&self, id: &str) -> Markup {
        let mut classes: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
        for result in &self.results {
            let class = result.label.split('.').next().unwrap_or_default();
            let name = format!("{}, task {}", result.label, short(&result.task));
            classes.entry(class).or_default().push(Point::named(name, result.seconds, result.score));
        }
        let mut plot = Plot::new(
            id,
            &format!("Score over time on {}", self.dataset),
            "Score of each task over the seconds that its training took, by class",
            Axis::log("training, s"),
            Axis::linear(self.score()),
        );
        let left = classes.len().saturating_sub(LOOKS);
        for (class, points) in classes.into_iter().take(LOOKS) {
            plot = plot.points(class, points);
        }
        if left > 0 { plot.note(format!("{left} more classes are left out.")) } else { plot }.render()
    }
}

/// The losses of a task's networks by epoch; none where nothing has been told of them. `id` is unique in the page.
///
/// ```
/// use batch::training::Curve;
///
/// let curve = Curve {
///     member: 0, training: vec![0.9, 0.5], validation: vec![Some(1.0), Some(0.6)], regularisation: vec![0.0; 2],
///     learning_rate: vec![0.01; 2], best_epoch: 2, best_loss: 0.6,
/// };
/// let chart = report::loss_curves("losses", "classifier.clu_one", &[curve]).expect("a chart").into_string();
/// assert!(chart.contains("validation"));
/// assert!(report::loss_curves("losses", "classifier.clu_one", &[]).is_none());
/// ```
#[must_use]
pub fn loss_curves(id: &str, title: &str, curves: &[Curve]) -> Option<Markup> {
    let point = |(epoch, loss): (usize, f64)| Point::new(epoch as f64 + 1.0, loss);
    let networks: Vec<Losses> = curves
        .iter()
        .map(|curve| Losses {
            training: curve.training.iter().copied().enumerate().map(point).collect(),
            validation: curve
                .validation
                .iter()
                .enumerate()
                .filter_map(|(e, loss)| Some(point((e, (*loss)?))))
                .collect(),
            best_epoch: Some(curve.best_epoch as u64).filter(|epoch| *epoch > 0),
        })
        .collect();
    losses::plot(id, title, &networks).map(|plot| plot.render())
}

/// The losses of a task that is not finished, as its worker kept them last; none where nothing has been told of them. `id` is unique in
/// the page.
///
/// ```
/// use batch::LossSoFar;
///
/// let losses = LossSoFar { epochs: vec![10, 20], training: vec![Some(0.9), Some(0.5)], validation: vec![None; 2] };
/// assert!(report::losses_so_far("running", "classifier.clu_one", &[losses]).is_some());
/// ```
#[must_use]
pub fn losses_so_far(id: &str, title: &str, losses: &[LossSoFar]) -> Option<Markup> {
    let networks: Vec<Losses> = losses
        .iter()
        .map(|network| {
            let points = |losses: &[Option<f64>]| -> Vec<Point> {
                let known = network.epochs.iter().zip(losses).filter_map(|(epoch, loss)| Some((*epoch, (*loss)?)));
                known.map(|(epoch, loss)| Point::new(epoch as f64, loss)).collect()
            };
            Losses { training: points(&network.training), validation: points(&network.validation), best_epoch: None }
        })
        .collect();
    losses::plot(id, title, &networks).map(|plot| plot.render())
}

/// Charts of a batch's results: scores by model and over time of everything that can be compared, and the losses of each model's best
/// task. `id` begins their identifiers.
#[must_use]
pub fn result_charts(id: &str, batch: &Batch, results: &[TaskResult]) -> Vec<Markup> {
    let mut charts = Vec::new();
    for (number, group) in Comparable::of(batch, results).iter().enumerate() {
        charts.push(group.scores(&format!("{id}-scores-{number}"), batch));
        charts.push(group.times(&format!("{id}-times-{number}")));
    }
    let mut best: BTreeMap<&str, &TaskResult> = BTreeMap::new();
    for result in results.iter().filter(|result| !result.losses.is_empty()) {
        let kept = best.entry(&result.label).or_insert(result);
        if (result.score, &result.task) < (kept.score, &kept.task) {
            *kept = result;
        }
    }
    charts.extend(best.iter().take(MOST_LOSSES).enumerate().filter_map(|(number, (label, result))| {
        let title = format!("Loss of {label}, task {}", short(&result.task));
        loss_curves(&format!("{id}-loss-{number}"), &title, &result.losses)
    }));
    charts
}

/// The section of a batch; `id` begins the identifiers of its charts.
pub(super) fn section(id: &str, batch: &Batch, status: &Status) -> Markup {
    let counts = &status.counts;
    let states: Vec<String> = [
        (counts.done, "done"),
        (counts.running, "running"),
        (counts.pending, "pending"),
        (counts.failed, "failed"),
        (counts.lost, "lost"),
        (counts.cancelled, "cancelled"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{} {state}", charts::number(count as f64)))
    .collect();
    let rows: Vec<Vec<String>> = status.models.iter().map(|(label, counts)| row(label, counts, status)).collect();
    let with_losses = status.results.iter().filter(|result| !result.losses.is_empty());
    let models = with_losses.map(|result| &result.label).collect::<std::collections::BTreeSet<_>>().len();
    html! {
        @if !status.description.is_empty() { p { (shared::failure::printable(&status.description)) } }
        p {
            (charts::number(counts.all() as f64)) @if counts.all() == 1 { " task" } @else { " tasks" }
            @if !states.is_empty() { ": " (states.join(", ")) } "."
        }
        (table(
            &format!("Models of {}", status.name),
            &["model", "tasks", "done", "failed", "best score", "mean score", "mean s", "mean epochs"],
            1,
            &rows,
        ))
        @if status.results.is_empty() { p { "There are no results yet." } }
        div class="grid" { @for chart in result_charts(id, batch, &status.results) { (chart) } }
        @if models > MOST_LOSSES { p { "Losses are drawn of " (MOST_LOSSES) " of the " (models) " models." } }
    }
}

fn row(label: &str, counts: &batch::status::Counts, status: &Status) -> Vec<String> {
    let results: Vec<&TaskResult> = status.results.iter().filter(|result| result.label == label).collect();
    let mean = |of: &dyn Fn(&TaskResult) -> Option<f64>| {
        let values: Vec<f64> = results.iter().filter_map(|result| of(result)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let epochs = |result: &TaskResult| result.losses.iter().map(|curve| curve.training.len() as f64).reduce(f64::max);
    vec![
        label.to_owned(),
        counts.all().to_string(),
        counts.done.to_string(),
        counts.failed.to_string(),
        figure(status.best.get(label).copied(), 3),
        figure(mean(&|result| Some(result.score)), 3),
        figure(mean(&|result| Some(result.seconds)), 1),
        figure(mean(&epochs), 0),
    ]
}
