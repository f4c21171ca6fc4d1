//! Tables of SQLite databases as commands are told of them.

use super::table::{csv, figure, render};
use clap::{Args, ValueEnum};
use learn::fit::plan::Plan;
use learn::tabular::{self, Source, TableCard, TableData, Zeros};
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// A table of SQLite databases.
#[derive(Debug, Args)]
pub(super) struct TableArgs {
    /// Folder of SQLite databases (`*.db`, `*.sqlite`), a table of which is trained on instead of layers.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub(super) dbs_dir: Option<PathBuf>,
    /// The table.
    #[arg(long, value_name = "NAME", default_value = "training_data", requires = "dbs_dir")]
    table_name: String,
    /// Columns that are predicted.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "dbs_dir")]
    output_cols: Vec<String>,
    /// Column whose values tell rows apart: one model a value.
    #[arg(long, value_name = "NAME", default_value = "image_tag", requires = "dbs_dir")]
    tag_column: String,
    /// Values of that column [default: all that there are]. May be repeated.
    #[arg(long, value_name = "TAG", requires = "dbs_dir")]
    func_tag: Vec<String>,
    /// Names of the models' folders, one a tag, in order [default: the tags]. May be repeated.
    #[arg(long, value_name = "NAME", requires = "func_tag")]
    short_name: Vec<String>,
    /// What becomes of rows with a zero, which in some measurements means that there was none.
    #[arg(long, value_enum, default_value_t, requires = "dbs_dir")]
    zeros: ZerosArg,
    /// Columns in which a zero is a value like any other.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "dbs_dir")]
    zero_is_a_value: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ZerosArg {
    /// They stay.
    #[default]
    Keep,
    /// They are left out.
    Drop,
}

/// A model to be: a folder's name and the rows.
pub(super) struct Tagged {
    pub(super) name: String,
    pub(super) data: TableData,
}

impl TableArgs {
    /// The rows of each tag asked for, or of all.
    pub(super) fn read(&self, inputs: &[String], plan: &Plan, printer: &Printer) -> Result<Vec<Tagged>, Failure> {
        let folder = self.dbs_dir.clone().ok_or_else(|| Failure::usage("no --dbs-dir was given"))?;
        let columns = |names: &[String]| -> Vec<String> {
            names.iter().flat_map(|names| names.split(',')).map(|name| name.trim().to_owned()).collect()
        };
        let source = Source {
            folder,
            table: self.table_name.clone(),
            inputs: columns(inputs),
            outputs: columns(&self.output_cols),
            tag_column: self.tag_column.clone(),
            zeros: match self.zeros {
                ZerosArg::Keep => Zeros::Keep,
                ZerosArg::Drop => Zeros::Drop,
            },
            zero_is_a_value: columns(&self.zero_is_a_value),
        };
        if source.inputs.is_empty() || source.outputs.is_empty() {
            return Err(Failure::usage("a table needs --input-cols and --output-cols"));
        }
        if !self.short_name.is_empty() && self.short_name.len() != self.func_tag.len() {
            return Err(Failure::usage("there must be as many --short-name as --func-tag"));
        }
        super::runtime::block_on(async {
            let mut notes = Vec::new();
            let known = tabular::tags(&source, &mut notes).await?;
            notes.iter().for_each(|note| printer.warn(note));
            let tags = if self.func_tag.is_empty() { known } else { self.func_tag.clone() };
            let mut tagged = Vec::new();
            for (i, tag) in tags.iter().enumerate() {
                let name = self.short_name.get(i).unwrap_or(tag).clone();
                learn::model::check_device_name(&name).map_err(|_| {
                    Failure::usage(format!("`{name}` is no name for a folder")).help("give one by --short-name")
                })?;
                let mut data = tabular::read(&source, tag).await?;
                printer.say(format!(
                    "{tag}: {} rows; {} with zeros, {}; {} without numbers, left out",
                    data.len(),
                    data.with_zeros,
                    if source.zeros == Zeros::Drop { "left out" } else { "kept" },
                    data.no_numbers
                ));
                if let Some(samples) = plan.samples {
                    data = data.sample(samples);
                }
                tagged.push(Tagged { name, data });
            }
            Ok(tagged)
        })?
    }
}

/// Fits a model for each tag, and writes them below a folder.
pub(super) fn fit(tagged: &[Tagged], plan: &Plan, out: &Path, printer: &Printer) -> Result<Vec<TableCard>, Failure> {
    let mut cards = Vec::new();
    for Tagged { name, data } in tagged {
        let fitted = tabular::fit(data, plan).map_err(|e| Failure::data(format!("{}: {e}", data.tag)))?;
        let folder = out.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io(&folder, "create", &e))?;
        for (output, graph) in &fitted.graphs {
            // A column may be named as no file can be.
            let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
            let file = output.chars().map(plain).collect::<String>();
            write_atomic(&folder.join(format!("{file}.onnx")), graph)?;
        }
        let text = serde_json::to_string_pretty(&fitted.card).map_err(|e| Failure::data(e.to_string()))?;
        write_atomic(&folder.join("card.json"), format!("{text}\n").as_bytes())?;
        printer.say(format!("{} models in {}", fitted.graphs.len(), folder.display()));
        cards.push(fitted.card);
    }
    Ok(cards)
}

/// Says how good models are.
pub(super) fn print(cards: &[TableCard], format: super::Format, printer: &Printer) -> Result<(), Failure> {
    if matches!(format, super::Format::Json) {
        let text = serde_json::to_string_pretty(cards).map_err(|e| Failure::data(e.to_string()))?;
        return printer.data(&format!("{text}\n"));
    }
    let mut rows = Vec::new();
    for card in cards {
        for (set, figures) in [("cross-validation", &card.cross_validation), ("test", &card.test)] {
            rows.extend(figures.iter().map(|(output, m)| {
                vec![
                    card.tag.clone(),
                    output.clone(),
                    set.to_owned(),
                    m.n.to_string(),
                    figure(m.rmspe_percent, 1),
                    figure(m.mape_percent, 1),
                    figure(m.rmse, 4),
                    figure(m.mae, 4),
                    figure(m.r2, 3),
                ]
            }));
        }
    }
    let header = ["tag", "output", "set", "n", "RMSPE %", "MAPE %", "RMSE", "MAE", "R²"];
    match format {
        super::Format::Csv => printer.data(&csv(&header, &rows)?),
        _ => printer.data(&render(&header, rows, 3)),
    }
}
