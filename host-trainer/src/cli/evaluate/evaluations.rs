//! An evaluation in the three formats.

use crate::output::{self, Csv, Format, figure, number, render};
use learn::evaluate::{Evaluation, EvaluationRow};
use learn::fit::kinds::Kind;
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;

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
    let mut header = vec![
        "models",
        "kind",
        "target",
        "network",
        "n",
        "mape_percent",
        "rmspe_percent",
        "within_10_percent",
        "r2",
        "non_positive",
        "interval_90_coverage_percent",
        "without_model",
    ];
    let baselines: Vec<String> = Kind::baselines().map(|kind| format!("{}_mape_percent", kind.name())).collect();
    header.extend(baselines.iter().map(String::as_str));
    let row = |Row { models, line }: &Row<'_>| {
        let m = &line.metrics;
        let mut record = vec![
            models.clone().unwrap_or_default(),
            line.kind.to_owned(),
            line.target.name().to_owned(),
            line.network.clone().unwrap_or_default(),
            m.n.to_string(),
            number(m.mape_percent),
            number(m.rmspe_percent),
            number(m.within_10_percent),
            number(m.r2),
            m.non_positive.to_string(),
            number(line.interval_90_coverage_percent),
            line.without_model.to_string(),
        ];
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
    header.extend(["n", "MAPE %", "RMSPE %", "within 10 %", "R²", "non-positive", "in 90 % interval", "no model"]);
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
        let (line, m) = (row.line, &row.line.metrics);
        let mut cells = vec![line.kind.to_owned(), line.target.name().to_owned()];
        cells.extend(several.then(|| row.models.clone().unwrap_or_default()));
        cells.extend(by_network.then(|| line.network.clone().unwrap_or_else(|| "all".to_owned())));
        cells.extend([
            m.n.to_string(),
            figure(m.mape_percent, 2),
            figure(m.rmspe_percent, 2),
            figure(m.within_10_percent, 1),
            figure(m.r2, 4),
            m.non_positive.to_string(),
            figure(line.interval_90_coverage_percent, 1),
            line.without_model.to_string(),
        ]);
        cells.extend(Kind::baselines().map(|kind| figure(baseline_error(line, kind), 1)));
        cells
    };
    render(&header, sorted.iter().map(cells).collect(), numbers_from)
}
