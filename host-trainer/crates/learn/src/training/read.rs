//! Reads training data from a folder, in either layout:
//!
//! - `<network>/<table>.csv`, the reference's; the folder's name is the network's;
//! - `<table>.csv` with a `model` column.
//!
//! `networks.csv` beside them holds whole-network totals, `devices.json` what is known of the devices that the rows name. Any of these tables can be Parquet, with that ending, instead.
//! Columns are found by name. The reference's are required, ours optional; unknown ones are passed over.

use super::data::{NetworkTotal, Row, TrainingData};
use crate::features::LayerSpec;
use crate::features::columns::{StoredColumn, reference_columns};
use sha2::{Digest, Sha256};
use shared::device::Hardware;
use shared::engine::{Precision, Table};
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use shared::text::json;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use tables::Frame;

/// Reads every training table below a folder.
///
/// ```
/// use learn::training;
/// use shared::engine::Table;
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("dense.csv");
/// std::fs::write(&table, "model,batch_size,input_size,output_size,power,runtime\nlenet,1,400,120,4000000,0.1\n")?;
/// let data = training::read(folder.path())?;
/// assert_eq!(data.tables[&Table::Dense][0].runtime.map(|time| time.0), Some(0.1));
///
/// std::fs::write(&table, "model,batch_size,input_size,output_size,power,runtime\nlenet,1,400,120,x,0.1\n")?;
/// let error = training::read(folder.path()).unwrap_err().to_string();
/// assert!(error.contains("dense.csv: line 2: `power` is `x`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A folder without training data, a missing column, a field that is no number: each names file, line and column.
pub fn read(folder: &Path) -> Result<TrainingData, Failure> {
    let mut data = TrainingData::default();
    let mut hasher = Sha256::new();
    let mut unknown = Vec::new();
    let mut names = HashMap::new();
    for (path, network) in files(folder)? {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        let table = Table::from_name(&stem);
        if table.is_none() && stem != "networks" {
            if !stem.ends_with("_stats") {
                unknown.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
            }
            continue;
        }
        if let Some(other) = names.insert(path.with_extension(""), path.clone()) {
            let message = format!("holds the same table as {}, and its rows would count twice", other.display());
            return Err(Failure::data(message).at(path).help("remove one of them"));
        }
        let content = read_capped(&path, limits::TABLE_BYTES)?;
        hasher.update(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
        let frame = Frame::parse(&path, &content)?;
        data.notes.extend(frame.notes().iter().map(|note| format!("{}: {note}", path.display())));
        match table {
            Some(table) => {
                let rows = table_rows(&frame, table, network.as_deref(), &mut data.notes)?;
                data.tables.entry(table).or_default().extend(rows);
            }
            None if network.is_none() => data.totals = totals(&frame)?,
            None => unknown.push(path.display().to_string()),
        }
    }
    data.tables.retain(|_, rows| !rows.is_empty());
    if let Some(content) = read_devices(folder, &mut data.hardware)? {
        hasher.update(DEVICES_FILE.as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
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

/// The file beside the tables that says what is known of each device.
pub const DEVICES_FILE: &str = "devices.json";

/// Reads what is known of the devices; returns the file's bytes, or none where there is no such file.
fn read_devices(folder: &Path, into: &mut BTreeMap<String, Hardware>) -> Result<Option<Vec<u8>>, Failure> {
    let path = folder.join(DEVICES_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let content = read_capped(&path, limits::SMALL_FILE_BYTES)?;
    *into = json::from_slice(&content).map_err(|e| {
        Failure::from_error(Kind::Data, e).at(&path).help("make it again with `host-trainer dataset`, or remove it")
    })?;
    Ok(Some(content))
}

fn nothing_found(folder: &Path, unknown: &[String]) -> Failure {
    let message = if unknown.is_empty() {
        "holds no training rows".to_owned()
    } else {
        format!("holds no table of a known layer kind, only {}", unknown.join(", "))
    };
    Failure::data(message).at(folder).help(format!(
        "expected `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column, or either as `.parquet`; kinds are {}",
        Table::ALL.map(Table::name).join(", ")
    ))
}

/// Tables of a folder and of its folders, sorted, each with the network its folder names.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, Failure> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let network = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if network.as_deref().is_some_and(|name| name.starts_with('.')) {
                continue;
            }
            found.extend(entries(&path)?.into_iter().filter(|p| is_table(p)).map(|p| (p, network.clone())));
        } else if is_table(&path) {
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

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "csv" || extension == "parquet") && path.is_file()
}

fn table_rows(
    frame: &Frame,
    table: Table,
    network: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<Row>, Failure> {
    for column in reference_columns(table) {
        frame.require(column)?;
    }
    if network.is_none() {
        frame.require("model").map_err(|failure| {
            failure.help("a table that stands beside no network folder needs a `model` column with the network's name")
        })?;
    }
    if table == Table::Convolutional && !frame.has("groups") {
        notes.push(format!(
            "{}: no `groups` column, so that every convolution counts as one group; depthwise ones will look dense",
            frame.path().display()
        ));
    }
    (0..frame.rows()).map(|row| table_row(frame, table, network, row)).collect()
}

fn table_row(frame: &Frame, table: Table, network: Option<&str>, row: usize) -> Result<Row, Failure> {
    let number = |column: &StoredColumn| {
        let name = column.name;
        if let Some(absent) = column.absent {
            return Ok(frame.number(row, name)?.unwrap_or(absent));
        }
        let value = frame.required_number(row, name)?;
        let may_be_zero = name.starts_with("padding");
        if value < 0.0 || (value == 0.0 && !may_be_zero) {
            return Err(frame.error_in(row, format!("`{name}` is {value}; a layer has none such")));
        }
        Ok(value)
    };
    let spec = LayerSpec::from_columns(table, None, number)?;
    let precision = frame.text(row, "precision")?.map(|word| {
        Precision::from_words(word).ok_or_else(|| {
            frame.error_in(row, format!("`precision` is `{word}`")).help("known are fp32, fp16, bf16, int8, fp8")
        })
    });
    let network = match network {
        Some(network) => network.to_owned(),
        None => frame.text(row, "model")?.ok_or_else(|| frame.error_in(row, "`model` is empty"))?.to_owned(),
    };
    Ok(Row {
        network,
        layer: frame.text(row, "layer_name")?.unwrap_or_default().to_owned(),
        device: frame.text(row, "device")?.map(str::to_owned),
        spec: LayerSpec { precision: precision.transpose()?, ..spec },
        power: frame.number(row, "power")?.map(Watts::from_microwatts),
        runtime: frame.number(row, "runtime")?.map(Millis),
    })
}

fn totals(frame: &Frame) -> Result<Vec<NetworkTotal>, Failure> {
    frame.require("model")?;
    let total = |row| {
        let network = frame.text(row, "model")?.ok_or_else(|| frame.error_in(row, "`model` is empty"))?;
        Ok(NetworkTotal {
            network: network.to_owned(),
            device: frame.text(row, "device")?.map(str::to_owned),
            family: frame.text(row, "family")?.map(str::to_owned),
            source: frame.text(row, "source")?.map(str::to_owned),
            batch_size: frame.number(row, "batch_size")?.unwrap_or(1.0),
            runtime: frame.number(row, "runtime")?.map(Millis),
            power: frame.number(row, "power")?.map(Watts),
            energy: frame.number(row, "energy")?.map(Millijoules),
        })
    };
    (0..frame.rows()).map(total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tables::ColumnData;

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

    /// The server and engine infos take the same words.
    #[test]
    fn a_number_format_is_read_in_every_spelling() {
        let read_one = |word: &str| {
            let rows = format!("model,batch_size,input_size,output_size,precision\na,1,10,20,{word}\n");
            let folder = folder(&[("dense.csv", rows)]);
            read(folder.path()).map(|data| data.tables[&Table::Dense][0].spec.precision)
        };
        for (word, precision) in [
            ("half", Precision::Fp16),
            ("Float16", Precision::Fp16),
            ("FP16", Precision::Fp16),
            ("bool", Precision::Bool),
        ] {
            assert_eq!(read_one(word).expect(word), Some(precision), "{word}");
        }
        let failure = read_one("fp17").expect_err("no such format").to_string();
        assert!(failure.contains("line 2: `precision` is `fp17`"), "{failure}");
    }

    fn dense_parquet(path: &Path, model: bool, runtimes: Vec<Option<f64>>) {
        let number = |value: f64| ColumnData::Numbers(vec![Some(value); runtimes.len()]);
        let text = |value| ColumnData::Texts(vec![Some(value); runtimes.len()]);
        let mut columns = vec![
            ("batch_size", ColumnData::Integers(vec![Some(1); runtimes.len()])),
            ("input_size", number(9216.0)),
            ("output_size", number(4096.0)),
            ("power", number(5e6)),
            ("layer_name", text("fc6")),
            ("runtime", ColumnData::Numbers(runtimes.clone())),
        ];
        if model {
            columns.push(("model", text("alexnet")));
        }
        tables::write_parquet(path, columns).expect("Parquet");
    }

    #[test]
    fn parquet_gives_the_rows_of_csv() {
        let csv = folder(&[
            ("alexnet/dense.csv", format!("{HEADER}\n1,9216,4096,5000000,0.5,fc6\n1,9216,4096,5e6,,fc6\n")),
            ("networks.csv", "model,runtime\nalexnet,2.5\n".to_owned()),
        ]);
        let csv = read(csv.path()).expect("CSV");
        for (name, model) in [("alexnet/dense.parquet", false), ("dense.parquet", true)] {
            let folder = folder(&[]);
            dense_parquet(&folder.path().join(name), model, vec![Some(0.5), None]);
            let totals = vec![
                ("model", ColumnData::Texts(vec![Some("alexnet")])),
                ("runtime", ColumnData::Numbers(vec![Some(2.5)])),
            ];
            tables::write_parquet(&folder.path().join("networks.parquet"), totals).expect("totals");
            let parquet = read(folder.path()).expect("Parquet");
            assert_eq!(format!("{:?}", parquet.tables), format!("{:?}", csv.tables));
            assert_eq!(format!("{:?}", parquet.totals), format!("{:?}", csv.totals));
            assert_eq!(parquet.tables[&Table::Dense].len(), 2);
        }
    }

    #[test]
    fn what_is_wrong_in_parquet_is_named_with_its_row() {
        let folder = folder(&[]);
        dense_parquet(&folder.path().join("alexnet/dense.parquet"), false, vec![Some(0.5), Some(f64::NAN)]);
        let failure = read(folder.path()).expect_err("NaN").to_string();
        assert!(failure.contains("dense.parquet: row 2: `runtime` is `NaN`, not a finite number"), "{failure}");
    }

    #[test]
    fn what_is_known_of_devices_is_read_and_counts_for_the_hash() {
        let table =
            ("dense.csv", "model,batch_size,input_size,output_size,device\na,1,10,20,orin-nano@15W\n".to_owned());
        let without = read(folder(std::slice::from_ref(&table)).path()).expect("data");
        assert!(without.hardware.is_empty());
        let known = r#"{"orin-nano@15W": {"jetpack": "6.2", "clocks": {"gpu_mhz": 612.0}, "a later field": 1}}"#;
        let with = read(folder(&[table.clone(), (DEVICES_FILE, known.to_owned())]).path()).expect("data");
        assert_eq!(with.hardware["orin-nano@15W"].clocks.gpu_mhz, Some(612.0));
        assert_ne!(with.hash, without.hash);
        let failure = read(folder(&[table, (DEVICES_FILE, "[]".to_owned())]).path()).expect_err("no object");
        assert!(failure.to_string().contains("devices.json"), "{failure}");
    }

    #[test]
    fn a_table_in_two_formats_is_refused() {
        let folder = folder(&[("a/dense.csv", format!("{HEADER}\n1,2,3,4,5,fc\n")), ("a/dense.old.csv", "x\n".into())]);
        dense_parquet(&folder.path().join("b/dense.parquet"), false, vec![Some(0.5)]);
        assert_eq!(read(folder.path()).expect("of two networks").tables[&Table::Dense].len(), 2);
        dense_parquet(&folder.path().join("a/dense.parquet"), false, vec![Some(0.5)]);
        let failure = read(folder.path()).expect_err("twice").to_string();
        assert!(failure.contains("a/dense.parquet: holds the same table as"), "{failure}");
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
