//! Reads training data from a folder, in either layout:
//!
//! - `<network>/<table>.csv`, the reference's; the folder's name is the network's;
//! - `<table>.csv` with a `model` column.
//!
//! `networks.csv` beside them holds whole-network totals. Columns are found by name. The reference's are required, ours
//! optional; unknown ones are passed over.

use super::{NetworkTotal, Row, TrainingData};
use crate::features::LayerSpec;
use crate::features::columns::{StoredColumn, reference_columns};
use sha2::{Digest, Sha256};
use shared::engine::{Precision, Table};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Reads every training table below a folder.
///
/// # Errors
/// A folder without training data, a missing column, a field that is no number: each names file, line and column.
pub fn read(folder: &Path) -> Result<TrainingData, Failure> {
    let mut data = TrainingData::default();
    let mut hasher = Sha256::new();
    let mut unknown = Vec::new();
    for (path, network) in files(folder)? {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        let table = Table::from_name(&stem);
        if table.is_none() && stem != "networks" {
            if !stem.ends_with("_stats") {
                unknown.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
            }
            continue;
        }
        let content = read_capped(&path, limits::TABLE_BYTES)?;
        hasher.update(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
        let sheet = Sheet::parse(&path, &content)?;
        match table {
            Some(table) => {
                let rows = table_rows(&sheet, table, network.as_deref(), &mut data.notes)?;
                data.tables.entry(table).or_default().extend(rows);
            }
            None if network.is_none() => data.totals = totals(&sheet)?,
            None => unknown.push(path.display().to_string()),
        }
    }
    data.tables.retain(|_, rows| !rows.is_empty());
    if data.tables.is_empty() {
        return Err(nothing_found(folder, &unknown));
    }
    if !unknown.is_empty() {
        data.notes.push(format!(
            "passed over, no layer kind of that name: {} (layer kinds: {})",
            unknown.join(", "),
            Table::ALL.map(Table::name).join(", ")
        ));
    }
    data.hash = format!("{:x}", hasher.finalize());
    Ok(data)
}

fn nothing_found(folder: &Path, unknown: &[String]) -> Failure {
    let message = if unknown.is_empty() {
        "holds no training rows".to_owned()
    } else {
        format!("holds no table of a known layer kind, only {}", unknown.join(", "))
    };
    Failure::data(message).at(folder).help(format!(
        "expected `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column; kinds are {}",
        Table::ALL.map(Table::name).join(", ")
    ))
}

/// CSV files of a folder and of its folders, sorted, each with the network its folder names.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, Failure> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let network = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if network.as_deref().is_some_and(|name| name.starts_with('.')) {
                continue;
            }
            found.extend(entries(&path)?.into_iter().filter(|p| is_csv(p)).map(|p| (p, network.clone())));
        } else if is_csv(&path) {
            found.push((path, None));
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listing = std::fs::read_dir(folder).map_err(|e| Failure::io(folder, "list", &e))?;
    let mut paths = Vec::new();
    for entry in listing {
        paths.push(entry.map_err(|e| Failure::io(folder, "list", &e))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "csv") && path.is_file()
}

/// A CSV file, its columns by name.
struct Sheet<'a> {
    path: &'a Path,
    columns: HashMap<String, usize>,
    records: Vec<csv::StringRecord>,
}

impl<'a> Sheet<'a> {
    fn parse(path: &'a Path, content: &[u8]) -> Result<Self, Failure> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(content);
        let header = reader.headers().map_err(|e| csv_failure(path, &e))?.clone();
        let columns = header.iter().enumerate().map(|(i, name)| (name.to_owned(), i)).collect();
        let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(|e| csv_failure(path, &e))?;
        Ok(Self { path, columns, records })
    }

    fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    fn require(&self, column: &str) -> Result<(), Failure> {
        if self.has(column) {
            return Ok(());
        }
        let mut present: Vec<_> = self.columns.keys().map(String::as_str).collect();
        present.sort_unstable();
        Err(Failure::data(format!("the column `{column}` is missing"))
            .at(self.path)
            .place("header")
            .help(format!("it has {}", present.join(", "))))
    }

    fn text(&self, record: usize, column: &str) -> Option<&str> {
        let field = self.records[record].get(*self.columns.get(column)?)?;
        (!field.is_empty()).then_some(field)
    }

    /// A number, or none where the column or the field is absent.
    fn number(&self, record: usize, column: &str) -> Result<Option<f64>, Failure> {
        let Some(field) = self.text(record, column) else { return Ok(None) };
        match field.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.odd(record, format!("`{column}` is `{field}`, not a finite number"))),
        }
    }

    fn required_number(&self, record: usize, column: &str) -> Result<f64, Failure> {
        self.number(record, column)?.ok_or_else(|| self.odd(record, format!("`{column}` is empty")))
    }

    fn odd(&self, record: usize, message: String) -> Failure {
        let line = self.records[record].position().map_or(0, csv::Position::line);
        Failure::data(message).at(self.path).place(format!("line {line}")).help("mend or remove that row")
    }
}

fn csv_failure(path: &Path, error: &csv::Error) -> Failure {
    let failure = Failure::data(match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    })
    .at(path);
    match error.position() {
        Some(position) => failure.place(format!("line {}", position.line())),
        None => failure,
    }
}

fn table_rows(
    sheet: &Sheet<'_>,
    table: Table,
    network: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<Row>, Failure> {
    for column in reference_columns(table) {
        sheet.require(column)?;
    }
    if network.is_none() {
        sheet.require("model").map_err(|failure| {
            failure.help("a table that stands beside no network folder needs a `model` column with the network's name")
        })?;
    }
    if table == Table::Convolutional && !sheet.has("groups") {
        notes.push(format!(
            "{}: no `groups` column, so that every convolution counts as one group; depthwise ones will look dense",
            sheet.path.display()
        ));
    }
    (0..sheet.records.len()).map(|record| table_row(sheet, table, network, record)).collect()
}

fn table_row(sheet: &Sheet<'_>, table: Table, network: Option<&str>, record: usize) -> Result<Row, Failure> {
    let number = |column: &StoredColumn| {
        let name = column.name;
        if let Some(absent) = column.absent {
            return Ok(sheet.number(record, name)?.unwrap_or(absent));
        }
        let value = sheet.required_number(record, name)?;
        let may_be_zero = name.starts_with("padding");
        if value < 0.0 || (value == 0.0 && !may_be_zero) {
            return Err(sheet.odd(record, format!("`{name}` is {value}; a layer has none such")));
        }
        Ok(value)
    };
    let spec = LayerSpec::from_columns(table, None, number)?;
    let precision = sheet.text(record, "precision").map(|word| {
        precision(word).ok_or_else(|| {
            sheet.odd(record, format!("`precision` is `{word}`")).help("known are fp32, fp16, bf16, int8, fp8")
        })
    });
    let network = match network {
        Some(network) => network.to_owned(),
        None => sheet.text(record, "model").ok_or_else(|| sheet.odd(record, "`model` is empty".into()))?.to_owned(),
    };
    Ok(Row {
        network,
        layer: sheet.text(record, "layer_name").unwrap_or_default().to_owned(),
        device: sheet.text(record, "device").map(str::to_owned),
        spec: LayerSpec { precision: precision.transpose()?, ..spec },
        power: sheet.number(record, "power")?.map(Watts::from_microwatts),
        runtime: sheet.number(record, "runtime")?.map(Millis),
    })
}

fn precision(word: &str) -> Option<Precision> {
    serde_json::from_value(serde_json::Value::String(word.to_ascii_lowercase())).ok()
}

fn totals(sheet: &Sheet<'_>) -> Result<Vec<NetworkTotal>, Failure> {
    sheet.require("model")?;
    let row = |record| {
        let network = sheet.text(record, "model").ok_or_else(|| sheet.odd(record, "`model` is empty".into()))?;
        Ok(NetworkTotal {
            network: network.to_owned(),
            device: sheet.text(record, "device").map(str::to_owned),
            batch_size: sheet.number(record, "batch_size")?.unwrap_or(1.0),
            runtime: sheet.number(record, "runtime")?.map(Millis),
            power: sheet.number(record, "power")?.map(Watts),
            energy: sheet.number(record, "energy")?.map(Millijoules),
        })
    };
    (0..sheet.records.len()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::failure::Kind;
    use std::fs;

    const HEADER: &str = "batch_size,input_size,output_size,power,runtime,layer_name";

    fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, content).expect("file");
        }
        folder
    }

    #[test]
    fn both_layouts_give_the_same_rows() {
        let nested = folder(&[
            ("alexnet/dense.csv", format!("{HEADER}\n1,9216,4096,5000000,0.5,fc6\n")),
            ("lenet/dense.csv", format!("{HEADER}\n1,400,120,4000000,0.1,fc1\n")),
        ]);
        let flat = folder(&[(
            "dense.csv",
            format!("model,{HEADER}\nalexnet,1,9216,4096,5000000,0.5,fc6\nlenet,1,400,120,4000000,0.1,fc1\n"),
        )]);
        let (nested, flat) = (read(nested.path()).expect("nested"), read(flat.path()).expect("flat"));
        assert_eq!(format!("{:?}", nested.tables), format!("{:?}", flat.tables));
        assert_eq!(nested.networks().into_iter().collect::<Vec<_>>(), ["alexnet", "lenet"]);
        assert_eq!(nested.tables[&Table::Dense][0].power, Some(Watts(5.0)));
        assert_ne!(nested.hash, flat.hash);
    }

    #[test]
    fn extra_columns_are_read_and_absent_targets_are_none() {
        let folder = folder(&[
            (
                "dense.csv",
                "model,batch_size,input_size,output_size,layer_name,precision,weights,device\n\
                 a,1,10,20,x,INT8,200,orin\n"
                    .to_owned(),
            ),
            ("networks.csv", "model,batch_size,runtime,energy\na,1,2.5,10\n".to_owned()),
        ]);
        let data = read(folder.path()).expect("data");
        let row = &data.tables[&Table::Dense][0];
        assert_eq!((row.power, row.runtime), (None, None));
        assert_eq!(row.spec.precision, Some(Precision::Int8));
        assert_eq!(row.device.as_deref(), Some("orin"));
        assert_eq!(data.totals[0].energy, Some(Millijoules(10.0)));
        assert_eq!(data.totals[0].power, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let cases = [
            ("a/dense.csv", "batch_size,output_size,power,runtime\n1,2,3,4\n", "input_size"),
            ("a/dense.csv", "batch_size,input_size,output_size,power,runtime\n1,2,3,nan,4\n", "line 2"),
            ("a/dense.csv", "batch_size,input_size,output_size,power,runtime\n1,,3,1,4\n", "`input_size` is empty"),
            ("a/dense.csv", "batch_size,input_size,output_size,power,runtime\n1,0,3,1,4\n", "`input_size` is 0"),
            ("a/dense.csv", "batch_size,input_size,output_size,power,runtime\n1,2,3,1\n", "line 2"),
            ("dense.csv", "batch_size,input_size,output_size,power,runtime\n1,2,3,1,4\n", "`model`"),
            ("a/attention.csv", "x\n1\n", "attention.csv"),
            ("a/dense.csv", "batch_size,input_size,output_size,power,runtime\n", "no training rows"),
        ];
        for (name, content, expected) in cases {
            let folder = folder(&[(name, content.to_owned())]);
            let failure = read(folder.path()).expect_err(expected);
            assert_eq!(failure.kind, Kind::Data);
            assert!(failure.to_string().contains(expected), "{failure}");
        }
    }
}
