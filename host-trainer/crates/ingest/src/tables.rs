//! Flat CSV files: power by time, and layers by run.

use super::layer_runs::LayerRuns;
use super::timing::{PowerRow, Timed, in_time, refused};
use shared::clock::{ChangeKind, Scale, read_series};
use shared::failure::Failure;
use shared::run_folder::{Diagnostics, stamp};
use shared::units::{Milliamps, Millivolts};
use std::collections::HashMap;

/// How a time column is read: its name, and nanoseconds of one unit; none for the reference's stamps.
const TIMES: [(&str, Option<f64>); 8] = [
    ("timestamp", None),
    ("t_ns", Some(1.0)),
    ("t_us", Some(1e3)),
    ("t_ms", Some(1e6)),
    ("time_ms", Some(1e6)),
    ("t_s", Some(1e9)),
    ("time_s", Some(1e9)),
    ("time", Some(1e9)),
];

/// A layer's run is shorter than this, in ms: eleven days.
const LONGEST_MS: f64 = 1e9;

/// A sheet with its columns by name in lower case.
struct Sheet {
    columns: HashMap<String, usize>,
    records: Vec<csv::StringRecord>,
}

fn sheet(content: &[u8], header: Option<&str>) -> Result<Sheet, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(header.is_none())
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
    let names: Vec<String> = match header {
        Some(header) => header.split(',').map(str::to_owned).collect(),
        None => reader.headers().map_err(|e| e.to_string())?.iter().map(str::to_lowercase).collect(),
    };
    let columns = names.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    let records = reader.records().filter_map(Result::ok).collect();
    Ok(Sheet { columns, records })
}

impl Sheet {
    fn number(&self, record: &csv::StringRecord, name: &str) -> Option<f64> {
        record.get(*self.columns.get(name)?)?.parse::<f64>().ok().filter(|v| v.is_finite())
    }

    /// Time of a row in ns, by whichever column there is. A number that no time can be is none.
    fn time(&self, record: &csv::StringRecord) -> Option<i64> {
        TIMES.iter().find_map(|(name, unit)| match unit {
            Some(unit) => {
                self.number(record, name).map(|v| (v * unit).round()).filter(|ns| ns.abs() < 2e18).map(|ns| ns as i64)
            }
            None => stamp::parse_stamp(record.get(*self.columns.get(*name)?)?),
        })
    }

    /// What the time column's numbers stand for.
    fn scale(&self) -> Scale {
        let unit = TIMES.iter().find(|(name, _)| self.columns.contains_key(*name)).and_then(|(_, unit)| *unit);
        unit.map_or(Scale::Wall, |unit| Scale::Counter { unit_ns: unit as i64 })
    }
}

/// Reads power by time. Columns: a time (`timestamp` as in the reference's logs, or `t_us`, `t_ms`, `t_s`, …); and `mv` and
/// `ma`, `v` and `a`, or one of `uw`, `mw`, `w`. Without a header the columns are `t_us,V,A`, as home-made meters write.
///
/// ```
/// let (power, diagnostics) = ingest::tables::power(b"t_us,V,A\n0,5.0,1.2\n100,5.0,1.3\n")?;
/// assert_eq!((power.readings.len(), diagnostics.bad), (2, 0));
/// assert_eq!(power.readings[1].power().0, 6.5);
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// When no row can be read at all, or time goes back for no certain reason.
pub fn power(content: &[u8]) -> Result<(Timed, Diagnostics), Failure> {
    let headless = content.trim_ascii_start().first().is_some_and(|b| b.is_ascii_digit() || *b == b'-');
    let sheet = sheet(content, headless.then_some("t_us,v,a")).map_err(Failure::data)?;
    let mut rows = Vec::with_capacity(sheet.records.len());
    let mut diagnostics = Diagnostics::default();
    for record in &sheet.records {
        let value = |name: &str| sheet.number(record, name);
        let pair =
            |volts: &str, amps: &str, unit: f64| value(volts).zip(value(amps)).map(|(v, a)| (v * unit, a * unit));
        // A power alone is written as that many milliamperes at one volt.
        let alone = |name: &str, milliwatts: f64| value(name).map(|p| (1000.0, p * milliwatts));
        let power = pair("mv", "ma", 1.0)
            .or_else(|| pair("v", "a", 1e3))
            .or_else(|| alone("uw", 1e-3))
            .or_else(|| alone("mw", 1.0))
            .or_else(|| alone("w", 1e3));
        let line = line_of(record);
        match sheet.time(record).zip(power) {
            Some((stamp, (mv, ma))) => {
                rows.push(PowerRow { line, stamp_ns: Some(stamp), voltage: Millivolts(mv), current: Milliamps(ma) })
            }
            None => diagnostics.note(|| format!("line {line} has no time and power")),
        }
    }
    if rows.is_empty() {
        return Err(Failure::data(
            "holds no row with a time (`timestamp`, `t_us`, `t_ms`, `t_s`) and a power (`mv` and `ma`, `v` and `a`, \
                    `mw`, `w`)",
        ));
    }
    Ok((in_time(&rows, sheet.scale(), None)?, diagnostics))
}

fn line_of(record: &csv::StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// Reads layers by run. Columns: `layer_name`, a run time (`runtime_ms`, `layer_run_time`, `runtime`, `ms`), and the end of the
/// run where it is known, as a time of [`power`]. A layer's rows are its runs, in order.
///
/// # Errors
/// When no row can be read at all, or the clock of the ends was set between them.
pub fn layers(content: &[u8]) -> Result<(Vec<LayerRuns>, Diagnostics), Failure> {
    let sheet = sheet(content, None).map_err(Failure::data)?;
    let name = *sheet
        .columns
        .get("layer_name")
        .or_else(|| sheet.columns.get("name"))
        .ok_or_else(|| Failure::data("lacks the column `layer_name`"))?;
    let mut layers: Vec<LayerRuns> = Vec::new();
    let mut lines: Vec<Vec<u64>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut diagnostics = Diagnostics::default();
    for record in &sheet.records {
        let ms = ["runtime_ms", "layer_run_time", "runtime", "ms"].iter().find_map(|c| sheet.number(record, c));
        match record.get(name).filter(|n| !n.is_empty()).zip(ms.filter(|ms| (0.0..LONGEST_MS).contains(ms))) {
            Some((name, ms)) => {
                let place = *places.entry(name.to_owned()).or_insert_with(|| {
                    layers.push(LayerRuns { name: name.to_owned(), runs: Vec::new() });
                    lines.push(Vec::new());
                    layers.len() - 1
                });
                layers[place].runs.push((ms, sheet.time(record)));
                lines[place].push(line_of(record));
            }
            None => diagnostics.note(|| format!("line {} has no layer and run time", line_of(record))),
        }
    }
    if layers.is_empty() {
        return Err(Failure::data("holds no row with `layer_name` and `runtime_ms`"));
    }
    for (layer, lines) in layers.iter_mut().zip(&lines) {
        unwrap_ends(layer, sheet.scale(), lines)?;
    }
    Ok((layers, diagnostics))
}

/// Undoes the wraps of a counter in the ends of a layer's runs. Where their clock was set they cannot be placed against
/// the power.
fn unwrap_ends(layer: &mut LayerRuns, scale: Scale, lines: &[u64]) -> Result<(), Failure> {
    let ends: Vec<Option<i64>> = layer.runs.iter().map(|run| run.1).collect();
    if ends.windows(2).all(|pair| pair[0] <= pair[1]) {
        return Ok(());
    }
    let series = read_series(&ends, scale, None).map_err(|error| refused(error, |row| lines[row]))?;
    let set = series.changes.iter().find(|change| matches!(change.kind, ChangeKind::Set | ChangeKind::Misfit));
    if let Some(change) = set {
        return Err(Failure::data(format!("the clock of `{}`'s ends was set", layer.name))
            .place(format!("line {}", lines[change.at.min(lines.len() - 1)]))
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
    fn power_in_several_shapes() {
        let watts = |text: &str| -> Vec<f64> {
            power(text.as_bytes())
                .expect("readings")
                .0
                .readings
                .iter()
                .map(|r| (r.power().0 * 1e9).round() / 1e9)
                .collect()
        };
        assert_eq!(watts("t_us,V,A\n0,5.0,1.2\n100,5.0,1.3\n"), [6.0, 6.5]);
        assert_eq!(watts("100,5.0,1.3\n0,5.0,1.2\n"), [6.0, 6.5]);
        assert_eq!(watts("timestamp,mW\n20250128-13:38:25.5,6000\nx,1\n"), [6.0]);
        assert!(power(b"a,b\n1,2\n").is_err());
    }

    #[test]
    fn layers_keep_their_runs_in_order() {
        let text = "layer_name,runtime_ms,t_ms\na,0.5,1\nb,0.25,2\na,0.6,11\n,1,1\n";
        let (layers, diagnostics) = layers(text.as_bytes()).expect("layers");
        assert_eq!(layers[0].runs, [(0.5, Some(1_000_000)), (0.6, Some(11_000_000))]);
        assert_eq!((layers.len(), diagnostics.bad), (2, 1));
    }
}
