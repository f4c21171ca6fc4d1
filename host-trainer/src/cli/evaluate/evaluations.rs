//! An evaluation in the three formats.

use crate::output::metrics::{figures, names, numbers, titles};
use crate::output::{self, Csv, Format, figure, number, render};
use estimators::metric_columns::{COUNT, MAPE, MetricColumn, NON_POSITIVE, R2, RMSPE, WITHIN_10};
use learn::evaluate::{Evaluation, EvaluationRow};
use learn::fit::kinds::Kind;
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;

const METRICS: [MetricColumn; 6] = [COUNT, MAPE, RMSPE, WITHIN_10, R2, NON_POSITIVE];

/// A line with the folder it judges, or the device left out of, where there are several.
#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<String>,
    #[serde(flatten)]
    line: &'a EvaluationRow,
}

/// Prints evaluations, each with the folder of models or the device that it is of.
pub(super) fn print(evaluations: &[(String, Evaluation)], format: Format, printer: &Printer) -> Result<(), Failure> {
    let several = evaluations.len() > 1;
    let rows: Vec<Row<'_>> = evaluations
        .iter()
        .flat_map(|(models, evaluation)| {
            let models = several.then(|| models.clone());
            evaluation.rows.iter().map(move |line| Row { models: models.clone(), line })
        })
        .collect();
    output::write(printer, format, &rows, || csv(&rows), || human(&rows))
}

/// The error of a baseline kind on a row's measurements.
fn baseline_error(row: &EvaluationRow, kind: Kind) -> Option<f64> {
    row.baselines.get(kind.name())?.mape_percent
}

fn csv(rows: &[Row<'_>]) -> Result<String, Failure> {
    let mut header = vec!["models", "kind", "target", "network"];
    header.extend(names(&METRICS));
    header.extend(["interval_90_coverage_percent", "without_model"]);
    let baselines: Vec<String> = Kind::baselines().map(|kind| format!("{}_mape_percent", kind.name())).collect();
    header.extend(baselines.iter().map(String::as_str));
    let row = |Row { models, line }: &Row<'_>| {
        let mut record = vec![
            models.clone().unwrap_or_default(),
            line.kind.to_owned(),
            line.target.name().to_owned(),
            line.network.clone().unwrap_or_default(),
        ];
        record.extend(numbers(&METRICS, &line.metrics));
        record.extend([number(line.interval_90_coverage_percent), line.without_model.to_string()]);
        record.extend(Kind::baselines().map(|kind| number(baseline_error(line, kind))));
        record
    };
    Csv::text(header, rows.iter().map(row))
}

fn human(rows: &[Row<'_>]) -> String {
    let several = rows.iter().any(|row| row.models.is_some());
    let by_network = rows.iter().any(|row| row.line.network.is_some());
    let mut header = vec!["kind", "target"];
    header.extend(several.then_some("models"));
    header.extend(by_network.then_some("network"));
    let numbers_from = header.len();
    header.extend(titles(&METRICS));
    header.extend(["in 90 % interval", "no model"]);
    let baselines: Vec<String> = Kind::baselines().map(|kind| format!("{} MAPE %", kind.name())).collect();
    header.extend(baselines.iter().map(String::as_str));
    let mut sorted: Vec<&Row<'_>> = rows.iter().collect();
    if several {
        // Side by side: the same line of every folder next to each other.
        let first = |row: &Row<'_>| {
            let same = |other: &&Row<'_>| {
                let key = |r: &Row<'_>| (r.line.kind, r.line.target, r.line.network.clone());
                key(other) == key(row)
            };
            rows.iter().position(|other| same(&other)).unwrap_or(usize::MAX)
        };
        sorted.sort_by_key(|row| first(row));
    }
    let cells = |row: &&Row<'_>| {
        let line = row.line;
        let mut cells = vec![line.kind.to_owned(), line.target.name().to_owned()];
        cells.extend(several.then(|| row.models.clone().unwrap_or_default()));
        cells.extend(by_network.then(|| line.network.clone().unwrap_or_else(|| "all".to_owned())));
        cells.extend(figures(&METRICS, &line.metrics));
        cells.extend([figure(line.interval_90_coverage_percent, 1), line.without_model.to_string()]);
        cells.extend(Kind::baselines().map(|kind| figure(baseline_error(line, kind), 1)));
        cells
    };
    render(&header, sorted.iter().map(cells).collect(), numbers_from)
}
