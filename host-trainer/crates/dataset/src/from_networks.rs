//! Training tables of networks of which only the whole was timed: a list names a graph or engine info for each.

use super::convert::{file_name, remove_stale};
use super::outcome::Outcome;
use super::provenance::Provenance;
use super::totals::{Listed, NetworkRow};
use super::training_tables;
use graph::{Build, Options, input_shape, read_engine};
use shared::digest::sha256_file;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::RunFolder;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tables::{Frame, TableFormat};

/// Makes training tables below `results` from a list of networks, and returns what became of each with its total.
///
/// The list is CSV or Parquet. Its columns: `file` (an ONNX graph or an engine info, relative to the list), at least one of
/// `runtime` (ms), `power` (W) and `energy` (mJ) of one inference, and, each optional, `model` (its name; the file's by default),
/// `family`, `source`, and for graphs `precision` (`fp16` by default), `batch_size`, `input_shape` (such as `images=1x3x320x320`).
/// All were measured on `device`; it may be empty where that has no name.
///
/// ```
/// use dataset::from_networks;
/// use tables::TableFormat;
///
/// # let folder = tempfile::tempdir()?;
/// # let list = folder.path().join("measured.csv");
/// # std::fs::write(folder.path().join("lenet.json"), r#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
/// #     "Inputs": [{"Name": "a", "Dimensions": [1, 512], "Format/Datatype": "Half"}],
/// #     "Outputs": [{"Name": "b", "Dimensions": [1, 1000], "Format/Datatype": "Half"}]}]}"#)?;
/// std::fs::write(&list, "file,runtime\nlenet.json,0.31\n")?;
/// let results = folder.path().join("training_data");
/// let networks = from_networks(&list, &results, "orin-nano@15W", TableFormat::Csv)?;
/// assert_eq!((networks[0].0.model.as_str(), networks[0].0.rows["dense"]), ("lenet", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A list that cannot be read, or a row of it that is wrong: its line is named, and so is what is wrong with the row's file.
pub fn from_networks(
    list: &Path,
    results: &Path,
    device: &str,
    format: TableFormat,
) -> Result<Vec<(Outcome, NetworkRow)>, Failure> {
    let frame = Frame::parse(list, &read_capped(list, limits::TABLE_BYTES)?)?;
    frame.require("file")?;
    let mut names = BTreeSet::new();
    let networks = (0..frame.rows()).map(|row| network(&frame, row, device)).collect::<Result<Vec<_>, _>>()?;
    for (row, network) in networks.iter().enumerate() {
        if !names.insert(network.total.model.as_str()) {
            let message = format!("`{}` is listed twice", network.total.model);
            return Err(frame.error_in(row, message).help("give each size or batch a name of its own in `model`"));
        }
    }
    networks.into_iter().map(|network| network.write(results, device, format)).collect()
}

/// A network as listed, with its layers.
struct Network {
    total: Listed,
    /// The graph or engine info, as listed.
    file: String,
    engine: shared::engine::Engine,
    notes: Vec<String>,
}

fn network(frame: &Frame, row: usize, device: &str) -> Result<Network, Failure> {
    let wrong = |message: String| frame.error_in(row, message);
    let file = frame.text(row, "file")?.ok_or_else(|| wrong("`file` is empty".to_owned()))?;
    let path = frame.path().parent().unwrap_or(Path::new("")).join(file);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let model = frame.text(row, "model")?.map_or(stem, str::to_owned);
    if !RunFolder::is_model_name(&model) {
        return Err(wrong(format!("`{model}` cannot be a network's name, which is a folder's")));
    }
    let positive = |column: &str| match frame.number(row, column)? {
        Some(value) if value <= 0.0 => Err(wrong(format!("`{column}` is {value}, and must be more than zero"))),
        other => Ok(other),
    };
    let (runtime, power, energy) = (positive("runtime")?, positive("power")?, positive("energy")?);
    if runtime.is_none() && power.is_none() && energy.is_none() {
        return Err(wrong("none of `runtime`, `power` and `energy` is given".to_owned()));
    }
    let batch = match positive("batch_size")? {
        Some(batch) if batch.fract() != 0.0 || batch > f64::from(u32::MAX) => {
            return Err(wrong(format!("`batch_size` is {batch}, not a whole number")));
        }
        other => other.map(|batch| batch as u32),
    };
    let precision: Build = frame.text(row, "precision")?.unwrap_or("fp16").parse().map_err(wrong)?;
    let input_shapes = match frame.text(row, "input_shape")? {
        Some(shape) => vec![input_shape(shape).map_err(wrong)?],
        None => Vec::new(),
    };
    let options = Options { precision, batch, input_shapes, ..Options::default() };
    let opened = read_engine(&path, &options).map_err(|failure| {
        let line = frame.error_in(row, "names a file that cannot be used").to_string();
        failure.help(line)
    })?;
    let mut notes = Vec::new();
    if !opened.diagnostics.is_empty() {
        notes.push(format!("the engine info has {} diagnostics", opened.diagnostics.len()));
    }
    let text = |column| Ok::<_, Failure>(frame.text(row, column)?.unwrap_or_default().to_owned());
    let total = Listed {
        model,
        family: text("family")?,
        source: text("source")?,
        // Layers and totals are matched by it.
        batch_size: batch.or(Some(1)),
        runtime: runtime.map(Millis),
        power: power.map(Watts),
        energy: energy.map(Millijoules),
        device: device.to_owned(),
        made_from: sha256_file(&path)?,
    };
    Ok(Network { total, file: file.to_owned(), engine: opened.engine, notes })
}

impl Network {
    fn write(self, results: &Path, device: &str, format: TableFormat) -> Result<(Outcome, NetworkRow), Failure> {
        let target = results.join(&self.total.model);
        fs::create_dir_all(&target).map_err(|e| Failure::io(&target, "create", &e))?;
        let (rows, left_out) = training_tables::unmeasured(&self.engine);
        let mut outcome =
            Outcome { model: self.total.model.clone(), left_out, notes: self.notes, ..Outcome::default() };
        let mut written = Vec::new();
        for (table, rows) in &rows {
            let name = file_name(*table, format);
            training_tables::write(&target.join(&name), *table, rows, device)?;
            outcome.rows.insert(table.name().to_owned(), rows.len());
            written.push(name);
        }
        remove_stale(&target, &written)?;
        let provenance = Provenance {
            made_from: vec![(self.file, self.total.made_from.clone())],
            ..Provenance::new(self.total.model.clone(), &target, &written, &outcome.left_out)?
        };
        provenance.write(&target)?;
        Ok((outcome, self.total.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &str = r#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
        "Inputs": [{"Name": "a", "Dimensions": [1, 512], "Format/Datatype": "Half"}],
        "Outputs": [{"Name": "b", "Dimensions": [1, 1000], "Format/Datatype": "Half"}]}]}"#;

    fn listed(content: &str) -> Result<Vec<(Outcome, NetworkRow)>, String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("lenet.json"), ENGINE).expect("an engine info");
        let list = folder.path().join("measured.csv");
        fs::write(&list, content).expect("a list");
        from_networks(&list, &folder.path().join("out"), "tx2", TableFormat::Csv).map_err(|e| e.to_string())
    }

    #[test]
    fn wrong_rows_are_refused_with_their_line() {
        for (content, message) in [
            ("runtime\n1\n", "`file`"),
            ("file,runtime\n,1\n", "line 2: `file` is empty"),
            ("file,runtime\nlenet.json,1\nlenet.json,2\n", "line 3: `lenet` is listed twice"),
            ("file,runtime\nlenet.json,0\n", "line 2: `runtime` is 0"),
            ("file,runtime\nlenet.json,\n", "line 2: none of `runtime`, `power` and `energy` is given"),
            ("file,runtime,precision\nlenet.json,1,fp12\n", "line 2: `fp12` is not a precision"),
            ("file,runtime,batch_size\nlenet.json,1,1.5\n", "line 2: `batch_size` is 1.5"),
            ("file,runtime,model\nlenet.json,1,../x\n", "line 2: `../x` cannot be a network's name"),
            ("file,runtime\nabsent.json,1\n", "absent.json"),
        ] {
            let error = listed(content).expect_err(content);
            assert!(error.contains(message), "{content:?}: {error}");
        }
    }

    #[test]
    fn a_listed_network_is_read_back_with_its_family_and_source() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("lenet.json"), ENGINE).expect("an engine info");
        let list = folder.path().join("measured.csv");
        fs::write(&list, "file,model,family,source,runtime,energy\nlenet.json,lenet@28,lenet,ours,0.5,3\n")
            .expect("a list");
        let results = folder.path().join("out");
        let networks = from_networks(&list, &results, "tx2", TableFormat::Csv).expect("reads");
        let totals: Vec<NetworkRow> = networks.into_iter().map(|(_, total)| total).collect();
        crate::totals::write(&results, &totals, TableFormat::Csv).expect("writes");
        let data = learn::training::read(&results).expect("reads back");
        let total = &data.totals[0];
        assert_eq!((total.network.as_str(), total.family.as_deref()), ("lenet@28", Some("lenet")));
        assert_eq!((total.source.as_deref(), total.device.as_deref()), (Some("ours"), Some("tx2")));
        assert_eq!((total.runtime, total.energy), (Some(Millis(0.5)), Some(Millijoules(3.0))));
        assert_eq!(data.totals_of("tx2")[0].layers.len(), 1);
    }
}
