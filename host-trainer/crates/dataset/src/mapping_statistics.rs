//! Statistics out of a mapping's rows, for folders that have nothing else.

use align::statistics::{Distribution, LayerStatistics};
use shared::failure::Failure;
use shared::text::{self, Dialect, TextStream};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The values of one layer's rows: powers in µW, run times in ms.
#[derive(Debug, Default)]
struct Values {
    power: Distribution,
    net_power: Distribution,
    runtime: Distribution,
}

/// Reads a mapping file as a stream. Layers come in the order of their first row.
///
/// # Errors
/// When it cannot be read, lacks a column, or holds something that is not a number.
pub fn read(path: &Path) -> Result<Vec<LayerStatistics>, Failure> {
    parse(File::open(path).map_err(|e| Failure::io(path, "read", &e))?, path)
}

fn parse(source: impl Read, path: &Path) -> Result<Vec<LayerStatistics>, Failure> {
    let broken = |e: &csv::Error| match e.kind() {
        csv::ErrorKind::Io(e) => Failure::io(path, "read", e),
        _ => Failure::data(e.to_string()).at(path),
    };
    let failed = |e: io::Error| Failure::io(path, "read", &e);
    let mut text = TextStream::new(source);
    // Another program may have saved it again; one that saves decimal commas does so from the first rows on.
    let (dialect, sign) = {
        let head = String::from_utf8_lossy(text.head().map_err(failed)?);
        let dialect = Dialect::of(&head);
        (dialect, dialect.signs(&head).sign())
    };
    io::copy(&mut text.by_ref().take(dialect.start as u64), &mut io::sink()).map_err(failed)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(dialect.separator.byte()).trim(csv::Trim::All).from_reader(text);
    let header = reader.headers().map_err(|e| broken(&e))?.clone();
    let column = |name: &str| header.iter().position(|h| h == name);
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            let found = header.iter().collect::<Vec<_>>().join(", ");
            Failure::data(format!("lacks the column `{name}`; it has {found}, separated by {}", dialect.separator))
                .at(path)
                .help("make it with `host-trainer align`")
        })
    };
    let name = needed("layer_name")?;
    let layer_type = needed("layer_type")?;
    let total = needed("layer_power_including_idle_power_micro_watt")?;
    let net = needed("layer_power_excluding_idle_power_micro_watt")?;
    let runtime = needed("layer_run_time")?;
    let (cycle, index) = (column("cycle"), column("layer_index"));
    let (verdict, method) = (column("power_verdict"), column("power_method"));
    let mut layers: Vec<LayerStatistics> = Vec::new();
    let mut values: Vec<Values> = Vec::new();
    let mut places: HashMap<(Vec<u8>, usize), usize> = HashMap::new();
    let mut turns: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut record = csv::ByteRecord::new();
    let mut last_cycle: Vec<u8> = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
        let line = record.position().map_or(0, csv::Position::line) + dialect.line as u64 - 1;
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let number = |column: usize| -> Result<Option<f64>, Failure> {
            let text = String::from_utf8_lossy(cell(column));
            if text.is_empty() {
                return Ok(None);
            }
            text::number(&text, sign).map(Some).ok_or_else(|| {
                let what = header.get(column).unwrap_or_default();
                Failure::data(format!("`{what}` is `{text}`, no finite number")).at(path).place(format!("line {line}"))
            })
        };
        // Equal names are told apart by position, or by their turn within an inference.
        let told = index.and_then(|i| std::str::from_utf8(cell(i)).ok()?.parse::<usize>().ok());
        let key = match told {
            Some(index) => (cell(name).to_vec(), index),
            None => {
                if cycle.is_some_and(|c| cell(c) != last_cycle.as_slice()) {
                    turns.clear();
                    last_cycle = cycle.map_or_else(Vec::new, |c| cell(c).to_vec());
                }
                let turn = turns.entry(cell(name).to_vec()).or_default();
                *turn += 1;
                (cell(name).to_vec(), if cycle.is_some() { *turn - 1 } else { 0 })
            }
        };
        let place = *places.entry(key).or_insert_with(|| {
            let text = |column: usize| String::from_utf8_lossy(cell(column)).into_owned();
            let name = text(name);
            let turn = layers.iter().filter(|l| l.name == name).count();
            let told_verdict = verdict.zip(method).map(|(v, m)| (text(v), text(m)));
            values.push(Values::default());
            layers.push(LayerStatistics {
                name,
                layer_type: text(layer_type),
                index: told,
                turn,
                verdict: told_verdict,
                ..LayerStatistics::default()
            });
            layers.len() - 1
        });
        let values = &mut values[place];
        for (column, of) in [(total, &mut values.power), (net, &mut values.net_power), (runtime, &mut values.runtime)] {
            if let Some(value) = number(column)? {
                of.add(value);
            }
        }
    }
    for (layer, values) in layers.iter_mut().zip(&values) {
        layer.power = values.power.summary();
        layer.net_power = values.net_power.summary();
        layer.runtime = values.runtime.summary();
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_a_spreadsheet_saved_again_give_the_same_statistics() {
        let plain = "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
                     layer_power_excluding_idle_power_micro_watt,layer_run_time\n\
                     1,a,conv,6000000.5,2000000.25,0.125\n1,b,fc,5000000.5,,1.5\n2,a,conv,6000001.5,2000001.25,0.25\n";
        let read = |content: &[u8]| parse(content, Path::new("m.csv")).expect("statistics");
        let expected = read(plain.as_bytes());
        assert_eq!((expected.len(), expected[0].runtime.mean), (2, Some(0.1875)));
        let semicolons = plain.replace(',', ";").replace('.', ",").replace('\n', "\r\n");
        let tabs = format!("\u{feff}{}", plain.replace(',', "\t"));
        let utf16: Vec<u8> = tabs.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for other in [semicolons.as_bytes(), tabs.as_bytes(), &utf16] {
            assert_eq!(read(other), expected, "{}", String::from_utf8_lossy(other));
        }
        let failure = parse(&b"# x\n\na;b\n1;2\n"[..], Path::new("m.csv")).expect_err("other columns").to_string();
        assert!(failure.contains("it has a, b, separated by semicolons"), "{failure}");
        let broken = plain.replace(",0.25\n", ",?\n");
        let failure = parse(broken.as_bytes(), Path::new("m.csv")).expect_err("no number").to_string();
        assert!(failure.contains("line 4: `layer_run_time` is `?`"), "{failure}");
    }
}
