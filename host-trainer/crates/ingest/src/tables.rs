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

/// A CSV file's rows, read one by one, with its columns by name in lower case.
struct Rows<'a> {
    columns: HashMap<String, usize>,
    reader: csv::Reader<&'a [u8]>,
}

/// A row with the columns that it is read by.
struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    record: &'a csv::StringRecord,
}

impl<'a> Rows<'a> {
    /// The rows below a file's first line, or all of them where the columns are given.
    fn new(content: &'a [u8], header: Option<&str>) -> Result<Self, String> {
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
        Ok(Self { columns, reader })
    }

    /// Reads every row. `read` returns what a row lacks, if it lacks something; such rows are counted, and the first few named.
    fn each(mut self, mut read: impl FnMut(&Row<'_>) -> Result<(), &'static str>) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let mut record = csv::StringRecord::new();
        loop {
            let (outcome, position) = match self.reader.read_record(&mut record) {
                Ok(false) => return diagnostics,
                Ok(true) => (read(&Row { columns: &self.columns, record: &record }), record.position().cloned()),
                Err(e) => (Err("is not UTF-8 text"), e.position().cloned()),
            };
            if let Err(why) = outcome {
                let line = position.map_or(0, |position| position.line());
                diagnostics.note(|| format!("line {line} {why}"));
            }
        }
    }
}

impl Row<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.record.get(*self.columns.get(name)?)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse::<f64>().ok().filter(|v| v.is_finite())
    }

    /// Time of a row in ns, by whichever column there is.
    fn time(&self) -> Option<i64> {
        TIMES.iter().find_map(|(name, unit)| match unit {
            Some(unit) => self.number(name).map(|v| (v * unit).round() as i64),
            None => stamp::parse_stamp(self.text(name)?),
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
    let rows = Rows::new(content, headless.then_some("t_us,v,a"))?;
    let mut readings = Vec::new();
    let diagnostics = rows.each(|row| {
        let pair = |volts: &str, amps: &str, unit: f64| {
            row.number(volts).zip(row.number(amps)).map(|(v, a)| (v * unit, a * unit))
        };
        // A power alone is written as that many milliamperes at one volt.
        let alone = |name: &str, milliwatts: f64| row.number(name).map(|p| (1000.0, p * milliwatts));
        let power = pair("mv", "ma", 1.0)
            .or_else(|| pair("v", "a", 1e3))
            .or_else(|| alone("uw", 1e-3))
            .or_else(|| alone("mw", 1.0))
            .or_else(|| alone("w", 1e3));
        let (wall_ns, (mv, ma)) = row.time().zip(power).ok_or("has no time and power")?;
        readings.push(PowerReading { wall_ns, voltage: Millivolts(mv), current: Milliamps(ma) });
        Ok(())
    });
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
///
/// ```
/// let (layers, _) = ingest::tables::layers(b"layer_name,runtime_ms\nconv1,0.5\nfc,0.25\nconv1,0.6\n")?;
/// assert_eq!((layers[0].name.as_str(), layers[0].runs.len()), ("conv1", 2));
/// # Ok::<(), String>(())
/// ```
pub fn layers(content: &[u8]) -> Result<(Vec<LayerRuns>, Diagnostics), String> {
    let rows = Rows::new(content, None)?;
    let name = ["layer_name", "name"].into_iter().find(|name| rows.columns.contains_key(*name));
    let name = name.ok_or("lacks the column `layer_name`")?;
    let mut layers: Vec<LayerRuns> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let diagnostics = rows.each(|row| {
        let ms = ["runtime_ms", "layer_run_time", "runtime", "ms"].iter().find_map(|column| row.number(column));
        let layer = row.text(name).filter(|name| !name.is_empty());
        let (layer, ms) = layer.zip(ms.filter(|ms| *ms >= 0.0)).ok_or("has no layer and run time")?;
        let place = *places.entry(layer.to_owned()).or_insert_with(|| {
            layers.push(LayerRuns { name: layer.to_owned(), runs: Vec::new() });
            layers.len() - 1
        });
        layers[place].runs.push((ms, row.time()));
        Ok(())
    });
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
    fn rows_that_are_not_read_are_counted_and_named() {
        let (readings, diagnostics) = power(b"t_us,V,A\n0,5,1\n1,\xff,1\n2,5\n\n3,5,1\n").expect("readings");
        assert_eq!((readings.len(), diagnostics.bad), (2, 2));
        assert_eq!(diagnostics.named, ["line 3 is not UTF-8 text", "line 4 has no time and power"]);
    }

    #[test]
    fn layers_keep_their_runs_in_order() {
        let text = "layer_name,runtime_ms,t_ms\na,0.5,1\nb,0.25,2\na,0.6,11\n,1,1\n";
        let (layers, diagnostics) = layers(text.as_bytes()).expect("layers");
        assert_eq!(layers[0].runs, [(0.5, Some(1_000_000)), (0.6, Some(11_000_000))]);
        assert_eq!((layers.len(), diagnostics.bad), (2, 1));
    }
}
