//! Layers by run.

use super::value::{Value, chosen_time, nothing_read};
use crate::layer_runs::LayerRuns;
use crate::sheet::{Sheet, Table};
use crate::timing::{Times, refused as goes_back};
use shared::clock::{ChangeKind, Scale, read_series};
use shared::failure::Failure;
use shared::text::Quantity;
use std::collections::HashMap;

/// What a file of layers needs, for messages.
const LAYERS_HELP: &str = "a file of layers has `layer_name`, a run time (`runtime_ms`, `duration (us)`) and, where it is known, the end of \
     the run as a time (`timestamp`, `t_us`)";

/// A layer's run is shorter than this, in ms: eleven days.
const LONGEST_MS: f64 = 1e9;

/// Reads layers by run. Columns: `layer_name`, a run time (`runtime_ms`, `layer_run_time` and `runtime` in ms, or one with its
/// unit), and the end of the run where it is known, as a time of [`power`](super::power). A layer's rows are its runs, in order. A row whose
/// end is there and cannot be read is left out and counted.
///
/// # Errors
/// As [`power`](super::power).
pub fn layers(content: &[u8]) -> Result<Table<LayerRuns>, Failure> {
    let mut sheet = Sheet::new(content)?;
    let name = sheet.columns.named(&["layer name", "layer", "name", "layername"]);
    let name = name.ok_or_else(|| sheet.refuse("has no column of layer names", LAYERS_HELP))?;
    let runtime = sheet.columns.duration();
    let mut times = sheet.columns.of(Quantity::Time);
    times.retain(|column| !column.name.is_empty() && runtime.as_ref().is_none_or(|r| r.place != column.place));
    let Some(runtime) = runtime else {
        let help = match times.first() {
            Some(time) => format!("`{}` is taken for the end of a run; call a run time `runtime_ms`", time.header),
            None => LAYERS_HELP.to_owned(),
        };
        return Err(sheet.refuse("has no column of run times that is understood", help));
    };
    let places: Vec<usize> = std::iter::once(runtime.place).chain(times.iter().map(|column| column.place)).collect();
    let signs = sheet.signs(&places);
    let runtime = Value { column: runtime, sign: signs[0] };
    let mut end = if times.is_empty() { None } else { Some(chosen_time(&sheet, &mut times, &signs[1..])) };
    let columns = [Some(&runtime.column), end.as_ref().map(|end| &end.column)];
    let columns = columns.into_iter().flatten().map(|column| column.header.clone());
    sheet.form.columns = std::iter::once(sheet.columns.header(name).to_owned()).chain(columns).collect();
    let mut rows: Vec<LayerRuns> = Vec::new();
    let mut places_of_runs: Vec<Vec<u64>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut refused = None;
    let diagnostics = sheet.for_each(&places, |record| {
        let layer = record.get(name).filter(|layer| !layer.is_empty()).ok_or("has no layer name")?;
        let ms = runtime.read(record).ok_or_else(|| runtime.refusal(record))?;
        if !(0.0..LONGEST_MS).contains(&ms) {
            return Err(format!("has a run time of {ms} ms"));
        }
        let mut ended = None;
        if let Some(end) = &mut end
            && record.get(end.column.place).is_some_and(|field| !field.is_empty())
        {
            let field = end.field(record);
            ended = Some(end.read(&field).ok_or_else(|| {
                let (message, help) = end.refusal(&field);
                refused.get_or_insert_with(|| (message.clone(), help));
                message
            })?);
        }
        let place = *known.entry(layer.to_owned()).or_insert_with(|| {
            rows.push(LayerRuns { name: layer.to_owned(), runs: Vec::new() });
            places_of_runs.push(Vec::new());
            rows.len() - 1
        });
        rows[place].runs.push((ms, ended));
        places_of_runs[place].push(record.position().map_or(0, csv::Position::byte));
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(nothing_read(&sheet, &diagnostics.named, refused, LAYERS_HELP));
    }
    if let Some(end) = &end {
        for (layer, places) in rows.iter_mut().zip(&places_of_runs) {
            unwrap_ends(layer, end.scale(), |run| sheet.line_at(places[run]) as u64)?;
        }
    }
    Ok(Table { rows, diagnostics, form: sheet.form, notes: sheet.notes, times: Times::default() })
}

/// Undoes the wraps of a counter in the ends of a layer's runs. Where their clock was set they cannot be placed against
/// the power.
fn unwrap_ends(layer: &mut LayerRuns, scale: Scale, line: impl Fn(usize) -> u64) -> Result<(), Failure> {
    let ends: Vec<Option<i64>> = layer.runs.iter().map(|run| run.1).collect();
    let known: Vec<i64> = ends.iter().flatten().copied().collect();
    if known.is_sorted() {
        return Ok(());
    }
    let series = read_series(&ends, scale, None).map_err(|error| goes_back(error, &line))?;
    let set = series.changes.iter().find(|change| matches!(change.kind, ChangeKind::Set | ChangeKind::Misfit));
    if let Some(change) = set {
        return Err(Failure::data(format!("the clock of the ends of `{}` was set", layer.name))
            .place(format!("line {}", line(series.rows[change.at])))
            .help("cut the file there and import each part, or leave the column of ends out"));
    }
    if !series.sorted && series.rows.len() == layer.runs.len() {
        for (run, time) in layer.runs.iter_mut().zip(series.times_ns) {
            run.1 = run.1.map(|_| time);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_keep_their_runs_in_order() {
        let text = "layer_name,runtime_ms,t_ms\na,0.5,1\nb,0.25,2\na,0.6,11\n,1,1\n";
        let table = layers(text.as_bytes()).expect("layers");
        assert_eq!(table.rows[0].runs, [(0.5, Some(1_000_000)), (0.6, Some(11_000_000))]);
        assert_eq!((table.rows.len(), table.diagnostics.bad), (2, 1));
    }

    #[test]
    fn ends_of_layers_are_read_or_named() {
        let ns = 1_714_557_600_000_000_000;
        for (text, runs) in [
            ("layer_name,runtime_ms,timestamp\na,0.5,2024-05-01T10:00:00Z\n", (0.5, Some(ns))),
            ("layer_name,runtime_ms,timestamp\na,0.5,1714557600.000\n", (0.5, Some(ns))),
            ("Layer;Duration (us);End (ms)\na;500,0;1714557600000\n", (0.5, Some(ns))),
            ("name,averageMs\na,0.5\n", (0.5, None)),
            ("name,ms,timestamp\na,0.5,\n", (0.5, None)),
            ("layer_name,layer_run_time\n\"a\",0.5\n", (0.5, None)),
            ("name\truntime\na\t0,5\n", (0.5, None)),
        ] {
            let table = layers(text.as_bytes()).unwrap_or_else(|failure| panic!("{text}: {}", failure.report(true)));
            assert_eq!((table.rows[0].name.as_str(), table.rows[0].runs[0]), ("a", runs), "{text}");
        }
        for (text, expected) in [
            ("layer_name,runtime_ms,timestamp\na,0.5,noon\n", "`timestamp` is `noon`"),
            ("layer_name,time_ms\na,0.5\n", "`time_ms` is taken for the end"),
            ("a,b\n1,2\n", "`a`, `b`"),
        ] {
            let report = layers(text.as_bytes()).expect_err(text).report(true);
            assert!(report.contains(expected), "{report}");
        }
    }
}
