//! Flat CSV files: power by time, and layers by run.

use super::layer_runs::LayerRuns;
use shared::run_folder::{Diagnostics, PowerReading, stamp};
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

    /// Time of a row in ns, by whichever column there is.
    fn time(&self, record: &csv::StringRecord) -> Option<i64> {
        TIMES.iter().find_map(|(name, unit)| match unit {
            Some(unit) => self.number(record, name).map(|v| (v * unit).round() as i64),
            None => stamp::parse_stamp(record.get(*self.columns.get(*name)?)?),
        })
    }
}

/// Reads power by time. Columns: a time (`timestamp` as in the reference's logs, or `t_us`, `t_ms`, `t_s`, …); and `mv` and
/// `ma`, `v` and `a`, or one of `uw`, `mw`, `w`. Without a header the columns are `t_us,V,A`, as home-made meters write.
///
/// ```
/// let (readings, diagnostics) = ingest::tables::power(b"t_us,V,A\n0,5.0,1.2\n100,5.0,1.3\n")?;
/// assert_eq!((readings.len(), diagnostics.bad), (2, 0));
/// assert_eq!(readings[1].power().0, 6.5);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong, in words, when no row can be read at all.
pub fn power(content: &[u8]) -> Result<(Vec<PowerReading>, Diagnostics), String> {
    let headless = content.trim_ascii_start().first().is_some_and(|b| b.is_ascii_digit() || *b == b'-');
    let sheet = sheet(content, headless.then_some("t_us,v,a"))?;
    let mut readings = Vec::with_capacity(sheet.records.len());
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
        match sheet.time(record).zip(power) {
            Some((wall_ns, (mv, ma))) => {
                readings.push(PowerReading { wall_ns, voltage: Millivolts(mv), current: Milliamps(ma) });
            }
            None => {
                let line = record.position().map_or(0, csv::Position::line);
                diagnostics.note(|| format!("line {line} tells no time and power"));
            }
        }
    }
    if readings.is_empty() {
        return Err(
            "holds no row with a time (`timestamp`, `t_us`, `t_ms`, `t_s`) and a power (`mv` and `ma`, `v` and `a`, \
                    `mw`, `w`)"
                .into(),
        );
    }
    readings.sort_by_key(|r| r.wall_ns);
    Ok((readings, diagnostics))
}

/// Reads layers by run. Columns: `layer_name`, a run time (`runtime_ms`, `layer_run_time`, `runtime`, `ms`), and the end of the
/// run where it is known, as a time of [`power`]. A layer's rows are its runs, in order.
///
/// # Errors
/// What is wrong, in words, when no row can be read at all.
pub fn layers(content: &[u8]) -> Result<(Vec<LayerRuns>, Diagnostics), String> {
    let sheet = sheet(content, None)?;
    let name = *sheet
        .columns
        .get("layer_name")
        .or_else(|| sheet.columns.get("name"))
        .ok_or("lacks the column `layer_name`")?;
    let mut layers: Vec<LayerRuns> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut diagnostics = Diagnostics::default();
    for record in &sheet.records {
        let ms = ["runtime_ms", "layer_run_time", "runtime", "ms"].iter().find_map(|c| sheet.number(record, c));
        match record.get(name).filter(|n| !n.is_empty()).zip(ms.filter(|ms| *ms >= 0.0)) {
            Some((name, ms)) => {
                let place = *places.entry(name.to_owned()).or_insert_with(|| {
                    layers.push(LayerRuns { name: name.to_owned(), runs: Vec::new() });
                    layers.len() - 1
                });
                layers[place].runs.push((ms, sheet.time(record)));
            }
            None => {
                let line = record.position().map_or(0, csv::Position::line);
                diagnostics.note(|| format!("line {line} tells no layer and run time"));
            }
        }
    }
    if layers.is_empty() {
        return Err("holds no row with `layer_name` and `runtime_ms`".into());
    }
    Ok((layers, diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_in_several_shapes() {
        let watts = |text: &str| -> Vec<f64> {
            power(text.as_bytes()).expect("readings").0.iter().map(|r| (r.power().0 * 1e9).round() / 1e9).collect()
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
