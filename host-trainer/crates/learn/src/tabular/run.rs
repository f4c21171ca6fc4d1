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
    let folders = folder_names(tags, names, &mut notes)?;
    let mut tagged = Vec::new();
    for (tag, name) in tags.iter().zip(folders) {
        let mut data = read(source, tag).await?;
        let rows = data.len();
        if let Some(samples) = samples {
            data.sample(samples);
        }
        tagged.push(Tagged { name, rows, data });
    }
    Ok((tagged, notes))
}

/// The folders of tags: as given, else after the tags, with `-` for what no folder's name may hold (`echo:latest`).
fn folder_names(tags: &[String], given: &[String], notes: &mut Vec<String>) -> Result<Vec<String>, Failure> {
    let mut folders: Vec<String> = Vec::new();
    for (i, tag) in tags.iter().enumerate() {
        let name = given.get(i).cloned().unwrap_or_else(|| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let name: String = tag.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
            name.trim_start_matches('.').to_owned()
        });
        let refused =
            |why: String| Failure::usage(why).help("name a folder for each tag by --func-tag and --short-name");
        check_device_name(&name).map_err(|e| refused(format!("`{name}` is no name for a folder")).caused_by(e))?;
        if let Some(other) = folders.iter().position(|folder| *folder == name) {
            return Err(refused(format!("the tags `{}` and `{tag}` both give the folder {name}", tags[other])));
        }
        if name != *tag && given.is_empty() {
            notes.push(format!("`{tag}` cannot name a folder: its models go to {name}"));
        }
        folders.push(name);
    }
    Ok(folders)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_tag_of_an_image_gives_a_folder_and_two_never_the_same() {
        let mut notes = Vec::new();
        let tags = texts(&["hyperfaas-echo:latest", "a/b", "plain"]);
        let folders = folder_names(&tags, &[], &mut notes).expect("names");
        assert_eq!(folders, ["hyperfaas-echo-latest", "a-b", "plain"]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        let failure = folder_names(&texts(&["a:1", "a/1"]), &[], &mut notes).expect_err("the same");
        assert!(failure.message.contains("`a:1` and `a/1` both give the folder a-1"), "{failure}");
        assert!(folder_names(&texts(&["x"]), &texts(&["../up"]), &mut notes).is_err());
        assert!(folder_names(&texts(&[""]), &[], &mut notes).is_err());
    }
}
