//! `host-trainer evaluate --importance`, `--leave-one-column-out`, `--learning-curve`: what makes predictions good or bad.

use crate::output::{self, Csv, Format, change, figure, number, render};
use learn::evaluate::{Curve, CurvePoint, Effect, Effects};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;

/// A line with the folder or device that it is of, where there are several.
#[derive(Debug, Serialize)]
struct Of<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<&'a str>,
    #[serde(flatten)]
    line: &'a T,
}

/// Answers of one kind, each with the folder of models or the device that it is of.
fn lines<'a, A, T>(answers: &'a [(String, A)], of: fn(&'a A) -> &'a [T]) -> Vec<Of<'a, T>> {
    let several = answers.len() > 1;
    let lines = answers.iter().flat_map(|(name, answer)| of(answer).iter().map(move |line| (name, line)));
    lines.map(|(name, line)| Of { models: several.then_some(name.as_str()), line }).collect()
}

fn tell(notes: &[String], printer: &Printer) {
    notes.iter().for_each(|note| printer.warn(note));
}

/// Prints what columns are worth.
pub(super) fn print_effects(answers: &[(String, Effects)], format: Format, printer: &Printer) -> Result<(), Failure> {
    answers.iter().for_each(|(_, found)| tell(&found.notes, printer));
    let lines = lines(answers, |found| &found.effects);
    output::write(printer, format, &lines, || effects_csv(&lines), || effects_table(&lines, answers.len() > 1))
}

fn range(effect: &Effect) -> (Option<f64>, Option<f64>) {
    effect.mape_without_range_percent.unzip()
}

fn effects_csv(lines: &[Of<'_, Effect>]) -> Result<String, Failure> {
    let row = |of: &Of<'_, Effect>| {
        let (e, (low, high)) = (of.line, range(of.line));
        vec![
            of.models.unwrap_or_default().to_owned(),
            e.kind.to_owned(),
            e.target.name().to_owned(),
            e.column.clone(),
            e.n.to_string(),
            e.networks.to_string(),
            e.held_out.to_string(),
            e.mape_percent.to_string(),
            e.mape_without_percent.to_string(),
            number(low),
            number(high),
            e.rise_points.to_string(),
        ]
    };
    let header = [
        "models",
        "kind",
        "target",
        "column",
        "n",
        "networks",
        "held_out",
        "mape_percent",
        "mape_without_percent",
        "mape_without_lowest_percent",
        "mape_without_highest_percent",
        "rise_points",
    ];
    Csv::text(header, lines.iter().map(row))
}

fn effects_table(lines: &[Of<'_, Effect>], several: bool) -> String {
    let mut header = vec!["kind", "target", "column"];
    header.extend(several.then_some("models"));
    let numbers_from = header.len();
    header.extend(["n", "networks", "held out", "MAPE %", "without %", "from", "to", "rise"]);
    let row = |of: &Of<'_, Effect>| {
        let (e, (low, high)) = (of.line, range(of.line));
        let mut row = vec![e.kind.to_owned(), e.target.name().to_owned(), e.column.clone()];
        row.extend(of.models.map(str::to_owned));
        row.extend([
            e.n.to_string(),
            e.networks.to_string(),
            if e.held_out { "yes" } else { "no" }.to_owned(),
            figure(Some(e.mape_percent), 2),
            figure(Some(e.mape_without_percent), 2),
            figure(low, 2),
            figure(high, 2),
            change(Some(e.rise_points), 2),
        ]);
        row
    };
    render(&header, lines.iter().map(row).collect(), numbers_from)
}

/// Prints learning curves.
pub(super) fn print_curves(answers: &[(String, Curve)], format: Format, printer: &Printer) -> Result<(), Failure> {
    answers.iter().for_each(|(_, curve)| tell(&curve.notes, printer));
    let lines = lines(answers, |curve| &curve.points);
    output::write(printer, format, &lines, || curves_csv(&lines), || curves_table(&lines, answers.len() > 1))
}

fn curves_csv(lines: &[Of<'_, CurvePoint>]) -> Result<String, Failure> {
    let row = |of: &Of<'_, CurvePoint>| {
        let p = of.line;
        vec![
            of.models.unwrap_or_default().to_owned(),
            p.kind.to_owned(),
            p.target.name().to_owned(),
            p.unit.to_owned(),
            p.size.to_string(),
            p.repeats.to_string(),
            p.n.to_string(),
            p.mape_percent.to_string(),
            p.mape_range_percent.0.to_string(),
            p.mape_range_percent.1.to_string(),
        ]
    };
    let header = [
        "models",
        "kind",
        "target",
        "unit",
        "size",
        "repeats",
        "n",
        "mape_percent",
        "mape_lowest_percent",
        "mape_highest_percent",
    ];
    Csv::text(header, lines.iter().map(row))
}

fn curves_table(lines: &[Of<'_, CurvePoint>], several: bool) -> String {
    let unit = lines.first().map_or("size", |of| of.line.unit);
    let mut header = vec!["kind", "target"];
    header.extend(several.then_some("device"));
    let numbers_from = header.len();
    header.extend([unit, "repeats", "n", "MAPE %", "from", "to"]);
    let row = |of: &Of<'_, CurvePoint>| {
        let p = of.line;
        let mut row = vec![p.kind.to_owned(), p.target.name().to_owned()];
        row.extend(of.models.map(str::to_owned));
        row.extend([
            p.size.to_string(),
            p.repeats.to_string(),
            format!("{:.1}", p.n),
            figure(Some(p.mape_percent), 2),
            figure(Some(p.mape_range_percent.0), 2),
            figure(Some(p.mape_range_percent.1), 2),
        ]);
        row
    };
    render(&header, lines.iter().map(row).collect(), numbers_from)
}
