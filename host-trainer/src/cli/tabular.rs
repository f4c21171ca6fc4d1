//! Tables of SQLite databases as commands are told of them.

use crate::output::{Csv, Format, figure, json, render};
use clap::{Args, ValueEnum};
use learn::fit::plan::Plan;
use learn::tabular::{Source, TableCard, Tagged, Written, Zeros, check_kind, fit_tagged, read_tagged, sample};
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// A table of SQLite databases.
#[derive(Debug, Args)]
pub(super) struct TableArgs {
    /// Folder of SQLite databases (`*.db`, `*.sqlite`); trains on one of their tables instead of layers.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub(super) dbs_dir: Option<PathBuf>,
    /// Train on 1,000 generated rows in place of data, to try the command.
    #[arg(long, conflicts_with_all = ["data", "dbs_dir", "input_cols"])]
    sample_data: bool,
    /// Table to train on.
    #[arg(long, value_name = "NAME", default_value = "training_data", requires = "dbs_dir")]
    table_name: String,
    /// Columns to predict.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "dbs_dir")]
    output_cols: Vec<String>,
    /// Column whose values divide the rows; each value gets a model of its own.
    #[arg(long, value_name = "NAME", default_value = "image_tag", requires = "dbs_dir")]
    tag_column: String,
    /// Values of that column to train on [default: all]. May be repeated.
    #[arg(long, value_name = "TAG", requires = "dbs_dir")]
    func_tag: Vec<String>,
    /// Folder names of the models, one for each --func-tag in order [default: the tags]. May be repeated.
    #[arg(long, value_name = "NAME", requires = "func_tag")]
    short_name: Vec<String>,
    /// Treatment of rows with a zero, which in some data marks a missing measurement.
    #[arg(long, value_enum, default_value_t, requires = "dbs_dir")]
    zeros: ZerosArg,
    /// Columns in which zero is a valid value.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "dbs_dir")]
    zero_is_a_value: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ZerosArg {
    /// Keep them.
    #[default]
    Keep,
    /// Leave them out.
    Drop,
}

impl TableArgs {
    /// Whether rows are generated.
    pub(super) fn is_sample(&self) -> bool {
        self.sample_data
    }

    /// Where rows come from.
    pub(super) fn source(&self, inputs: &[String]) -> Result<Source, Failure> {
        let folder = self.dbs_dir.clone().ok_or_else(|| Failure::usage("no --dbs-dir was given"))?;
        let columns = |names: &[String]| -> Vec<String> {
            names.iter().flat_map(|names| names.split(',')).map(|name| name.trim().to_owned()).collect()
        };
        Ok(Source {
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
        })
    }

    /// The rows of each tag asked for, or of all.
    pub(super) fn read(&self, inputs: &[String], plan: &Plan, printer: &Printer) -> Result<Vec<Tagged>, Failure> {
        // Before rows are read, of which there may be millions.
        check_kind(plan).map_err(|e| Failure::from_error(Kind::Usage, e))?;
        if self.sample_data {
            let mut sample = sample();
            let (inputs, outputs) = (sample.data.inputs.join(" and "), sample.data.outputs.join(" and "));
            printer.say(format!("sample: {} generated rows of {inputs}, for {outputs}", sample.rows));
            if let Some(samples) = plan.samples {
                sample.data.sample(samples);
            }
            return Ok(vec![sample]);
        }
        let source = self.source(inputs)?;
        let read = read_tagged(&source, &self.func_tag, &self.short_name, plan.samples);
        let (tagged, notes) = super::runtime::block_on(read)??;
        notes.iter().for_each(|note| printer.warn(note));
        for Tagged { rows, data, .. } in &tagged {
            printer.say(format!(
                "{}: {rows} rows; {} with zeros, {}; {} without numbers, left out",
                data.tag,
                data.with_zeros,
                if source.zeros == Zeros::Drop { "left out" } else { "kept" },
                data.no_numbers
            ));
        }
        Ok(tagged)
    }
}

/// Fits a model for each tag, writes them below a folder, and says where they are.
pub(super) fn fit(tagged: &[Tagged], plan: &Plan, out: &Path, printer: &Printer) -> Result<Vec<TableCard>, Failure> {
    let written = fit_tagged(tagged, plan, out, &mut |written| say_written(written, printer))?;
    Ok(written.into_iter().map(|written| written.card).collect())
}

/// Says where the models of a tag are.
pub(super) fn say_written(written: &Written, printer: &Printer) {
    printer.say(format!("{} models in {}", written.graphs, written.folder.display()));
}

/// Says how good models are.
pub(super) fn print(cards: &[TableCard], format: Format, printer: &Printer) -> Result<(), Failure> {
    let header = ["tag", "output", "set", "n", "RMSPE %", "MAPE %", "RMSE", "MAE", "R²"];
    printer.data(&match format {
        Format::Json => json(cards)?,
        Format::Csv => Csv::text(header, rows(cards))?,
        Format::Human => render(&header, rows(cards), 3),
    })
}

fn rows(cards: &[TableCard]) -> Vec<Vec<String>> {
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
    rows
}
