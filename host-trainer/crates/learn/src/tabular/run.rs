//! A whole fit of a table: the tags' rows, a model for each tag, and the folders that receive them.

use super::{Fitted, Source, TableCard, TableData, fit, read, tags};
use crate::fit::plan::Plan;
use crate::model::check_device_name;
use estimators::FitError;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::path::{Path, PathBuf};

/// A model to be: the name of its folder, and the rows.
#[derive(Debug, Clone)]
pub struct Tagged {
    /// The folder's name.
    pub name: String,
    /// Rows read; [`data`](Self::data) holds fewer where they are sampled.
    pub rows: usize,
    /// The rows.
    pub data: TableData,
}

/// Reads the rows of each tag, or of all tags where none is named, and what was unexpected in them. `names` are the models'
/// folders, one a tag; where there are none the tags name them. With `samples`, so many rows of each tag are kept.
///
/// # Errors
/// A source without columns, as many names as tags not given, a name that no folder can have, or a database that lacks the
/// table.
pub async fn read_tagged(
    source: &Source,
    wanted: &[String],
    names: &[String],
    samples: Option<usize>,
) -> Result<(Vec<Tagged>, Vec<String>), Failure> {
    if source.inputs.is_empty() || source.outputs.is_empty() {
        return Err(Failure::usage("a table needs --input-cols and --output-cols"));
    }
    if !names.is_empty() && names.len() != wanted.len() {
        return Err(Failure::usage("there must be as many --short-name as --func-tag"));
    }
    let mut notes = Vec::new();
    let known = tags(source, &mut notes).await?;
    let tags = if wanted.is_empty() { &known } else { wanted };
    let mut tagged = Vec::new();
    for (i, tag) in tags.iter().enumerate() {
        let name = names.get(i).unwrap_or(tag).clone();
        check_device_name(&name).map_err(|failure| {
            Failure::usage(format!("`{name}` is no name for a folder"))
                .help("give one by --short-name")
                .caused_by(failure)
        })?;
        let data = read(source, tag).await?;
        let rows = data.len();
        let data = samples.map_or_else(|| data.clone(), |samples| data.sample(samples));
        tagged.push(Tagged { name, rows, data });
    }
    Ok((tagged, notes))
}

/// A fitted table with the folder that it lies in.
#[derive(Debug)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// Graphs written.
    pub graphs: usize,
    /// The card.
    pub card: TableCard,
}

/// Fits a model for each tag, one after the other, and writes each below `out` as soon as it is fitted. `done` hears of each.
///
/// # Errors
/// A fit that fails, or a folder that cannot be written.
pub fn fit_tagged(
    tagged: &[Tagged],
    plan: &Plan,
    out: &Path,
    done: &mut dyn FnMut(&Written),
) -> Result<Vec<Written>, Failure> {
    let mut all = Vec::new();
    for Tagged { name, data, .. } in tagged {
        let failed = |e: FitError| Failure::new(Kind::Data, format!("{}: {e}", data.tag)).caused_by(e);
        let written = write(fit(data, plan).map_err(failed)?, &out.join(name))?;
        done(&written);
        all.push(written);
    }
    Ok(all)
}

/// Writes a fitted table: a graph an output, and the card.
fn write(fitted: Fitted, folder: &Path) -> Result<Written, Failure> {
    std::fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "create", &e))?;
    for (output, graph) in &fitted.graphs {
        // A column may have a name that no file can have.
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let file = output.chars().map(plain).collect::<String>();
        write_atomic(&folder.join(format!("{file}.onnx")), graph)?;
    }
    let text = serde_json::to_string_pretty(&fitted.card).map_err(|e| Failure::from_error(Kind::Data, e))?;
    write_atomic(&folder.join("card.json"), format!("{text}\n").as_bytes())?;
    Ok(Written { folder: folder.to_owned(), graphs: fitted.graphs.len(), card: fitted.card })
}
