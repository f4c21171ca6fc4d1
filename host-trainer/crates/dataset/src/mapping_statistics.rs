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

/// The places of layers in the order of their first row.
#[derive(Debug, Default)]
struct Places {
    /// Of each layer, the number of its name, and its position or its turn.
    keys: Vec<(usize, usize)>,
    by_key: HashMap<(usize, usize), usize>,
    /// Of each layer, the one whose row followed the last time: inferences have their layers in one order, and a name that is compared
    /// need not be hashed.
    next: Vec<usize>,
    last: Option<usize>,
    names: Vec<Vec<u8>>,
    by_name: HashMap<Vec<u8>, usize>,
    /// Of each name, the inference of its last row, and its rows in that inference.
    turns: Vec<(u64, usize)>,
    cycle: u64,
}

impl Places {
    fn next_cycle(&mut self) {
        self.cycle += 1;
    }

    /// The place of a row's layer; the number of layers so far if it is new. `told` is its position, if the row has one. Otherwise, rows
    /// of one name in an inference are layers of their own, if there `are_cycles`.
    fn of(&mut self, name: &[u8], told: Option<usize>, are_cycles: bool) -> usize {
        let follower = self.last.and_then(|last| self.next.get(last)).and_then(|&next| self.keys.get(next));
        let name = match follower {
            Some(&(number, _)) if self.names[number] == name => number,
            _ => self.number(name),
        };
        let which = told.unwrap_or_else(|| {
            let (cycle, turns) = &mut self.turns[name];
            if *cycle != self.cycle {
                (*cycle, *turns) = (self.cycle, 0);
            }
            *turns += 1;
            if are_cycles { *turns - 1 } else { 0 }
        });
        let key = (name, which);
        let expected = self.last.map(|last| self.next[last]).filter(|&next| self.keys.get(next) == Some(&key));
        let place = expected.unwrap_or_else(|| {
            let new = self.keys.len();
            let place = *self.by_key.entry(key).or_insert(new);
            if place == new {
                self.keys.push(key);
                self.next.push(usize::MAX);
            }
            place
        });
        if let Some(last) = self.last.replace(place) {
            self.next[last] = place;
        }
        place
    }

    fn number(&mut self, name: &[u8]) -> usize {
        if let Some(&number) = self.by_name.get(name) {
            return number;
        }
        self.names.push(name.to_vec());
        self.by_name.insert(name.to_vec(), self.turns.len());
        self.turns.push((u64::MAX, 0));
        self.turns.len() - 1
    }
}

/// Reads a mapping file as a stream. Layers come in the order of their first row.
///
/// # Errors
/// When it cannot be read, lacks a column, or holds something that is not a number.
pub fn read(path: &Path) -> Result<Vec<LayerStatistics>, Failure> {
    parse(
        File::open(path)
            .map_err(|e| Failure::io(path, "read", &e).help("make it with `host-trainer align`, as CSV"))?,
        path,
    )
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
    // Fields are trimmed one by one where they are read: most are not.
    let mut reader =
        csv::ReaderBuilder::new().delimiter(dialect.separator.byte()).trim(csv::Trim::Headers).from_reader(text);
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
    let mut places = Places::default();
    let mut record = csv::ByteRecord::new();
    let mut last_cycle: Vec<u8> = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
        let line = record.position().map_or(0, csv::Position::line) + dialect.line as u64 - 1;
        let cell = |column: usize| record.get(column).unwrap_or_default().trim_ascii();
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
        if told.is_none() && cycle.is_some_and(|c| cell(c) != last_cycle.as_slice()) {
            places.next_cycle();
            last_cycle = cycle.map_or_else(Vec::new, |c| cell(c).to_vec());
        }
        let place = places.of(cell(name), told, cycle.is_some());
        if place == layers.len() {
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
        }
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
    /// Places by a map from each row's key alone.
    fn plain_places(rows: &[(&str, Option<usize>, u32)], are_cycles: bool) -> Vec<usize> {
        let mut places: HashMap<(&str, usize), usize> = HashMap::new();
        let mut turns: HashMap<(&str, u32), usize> = HashMap::new();
        let mut found = Vec::new();
        for &(name, told, cycle) in rows {
            let which = told.unwrap_or_else(|| {
                let turn = turns.entry((name, if are_cycles { cycle } else { 0 })).or_default();
                *turn += 1;
                if are_cycles { *turn - 1 } else { 0 }
            });
            let new = places.len();
            found.push(*places.entry((name, which)).or_insert(new));
        }
        found
    }

    #[test]
    fn layers_are_told_apart_in_every_order_of_rows() {
        // Two names, a position or none, and whether the row begins another inference: every sequence of four rows.
        let kinds: Vec<(&str, Option<usize>, bool)> = ["a", "b"]
            .into_iter()
            .flat_map(|name| [None, Some(0), Some(1)].map(|told| (name, told)))
            .flat_map(|(name, told)| [false, true].map(|begins| (name, told, begins)))
            .collect();
        let length = 4;
        for sequence in 0..kinds.len().pow(length) {
            let mut cycle = 0;
            let rows: Vec<(&str, Option<usize>, u32)> = (0..length)
                .map(|place| {
                    let (name, told, begins) = kinds[sequence / kinds.len().pow(place) % kinds.len()];
                    cycle += u32::from(begins);
                    (name, told, cycle)
                })
                .collect();
            for are_cycles in [false, true] {
                let (mut places, mut last) = (Places::default(), 0);
                let found: Vec<usize> = rows
                    .iter()
                    .map(|&(name, told, cycle)| {
                        if are_cycles && cycle != last {
                            places.next_cycle();
                            last = cycle;
                        }
                        places.of(name.as_bytes(), told, are_cycles)
                    })
                    .collect();
                assert_eq!(found, plain_places(&rows, are_cycles), "{rows:?}");
            }
        }
    }
}
