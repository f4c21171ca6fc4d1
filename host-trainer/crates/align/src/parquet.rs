//! The mapping as Parquet, for those whose tools read that: the same columns under the same names, typed.

use super::mapping::{HEADER, LayerColumns, RowPower};
use shared::units::{Microwatts, Millis};
use std::io::{self, Write};
use tables::{ColumnData, ColumnType, ParquetWriter};

/// Name of the file.
pub const FILE: &str = "power_runtime_mapping_layerwise.parquet";

/// Rows of one row group; bounds the memory that writing takes.
const GROUP_ROWS: usize = 1 << 16;

/// A row of the mapping.
#[derive(Debug, Clone, Copy)]
pub struct MappingRow {
    /// Number of the inference, from 1.
    pub cycle: u64,
    /// The layer: position in the columns that the writer was made with.
    pub layer: usize,
    /// Run time.
    pub runtime: Millis,
    /// Power.
    pub power: RowPower,
    /// Readings behind it.
    pub samples: Option<u64>,
}

/// Writes rows as Parquet, group by group. A missing value is a null.
pub struct ParquetRows<W: Write> {
    writer: ParquetWriter<W>,
    layers: Vec<LayerColumns>,
    group: Vec<MappingRow>,
}

impl<W: Write> ParquetRows<W> {
    /// Starts a file of rows of these layers.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn start(out: W, layers: Vec<LayerColumns>) -> io::Result<Self> {
        let kind = |name| match name {
            "cycle" | "layer_index" | "power_samples" => ColumnType::Integer,
            "layer_name" | "layer_type" | "power_verdict" | "power_method" => ColumnType::Text,
            _ => ColumnType::Number,
        };
        let columns: Vec<_> = HEADER.trim_end().split(',').map(|name| (name, kind(name))).collect();
        let writer = ParquetWriter::new(out, &columns)?;
        Ok(Self { writer, layers, group: Vec::with_capacity(GROUP_ROWS) })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn push(&mut self, row: MappingRow) -> io::Result<()> {
        self.group.push(row);
        if self.group.len() == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, and the file's end.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.group.is_empty() {
            self.write_group()?;
        }
        self.writer.finish()
    }

    /// Writes the columns in the order of [`HEADER`].
    fn write_group(&mut self) -> io::Result<()> {
        let (rows, layers) = (&self.group, &self.layers);
        let layer = |row: &MappingRow| &layers[row.layer];
        let whole = |value: fn(&MappingRow, &LayerColumns) -> Option<u64>| {
            let values = rows.iter().map(|row| value(row, layer(row)).and_then(|value| i64::try_from(value).ok()));
            ColumnData::Integers(values.collect())
        };
        let micro = |power: fn(&RowPower) -> Option<Microwatts>| {
            ColumnData::Numbers(rows.iter().map(|row| power(&row.power).map(|p| p.0)).collect())
        };
        let text = |text: fn(&LayerColumns) -> &str| {
            ColumnData::Texts(rows.iter().map(|row| Some(text(layer(row))).filter(|text| !text.is_empty())).collect())
        };
        self.writer.write(vec![
            whole(|row, _| Some(row.cycle)),
            text(|layer| &layer.name),
            text(|layer| &layer.layer_type),
            micro(|power| power.including),
            micro(|power| power.excluding),
            ColumnData::Numbers(rows.iter().map(|row| Some(row.runtime.0)).collect()),
            whole(|_, layer| Some(layer.index as u64)),
            micro(|power| power.interval.map(|i| i.0)),
            micro(|power| power.interval.map(|i| i.1)),
            whole(|row, _| row.samples),
            text(|layer| layer.verdict),
            text(|layer| layer.method),
        ])?;
        self.group.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fs::read_capped;
    use std::fs::File;
    use tables::Frame;

    #[test]
    fn rows_come_back_typed_with_nulls_for_missing_values() {
        let layer = |index: usize, name: &str, verdict: &'static str| LayerColumns {
            index,
            name: name.into(),
            layer_type: "CaskConvolution".into(),
            verdict,
            method: "deconvolve",
            ..LayerColumns::default()
        };
        let folder = tempfile::tempdir().expect("temporary folder");
        let target = folder.path().join(FILE);
        let layers = vec![layer(0, "conv, 1", "measured"), layer(1, "pool", "")];
        let mut out = ParquetRows::start(File::create(&target).expect("file"), layers).expect("starts");
        for cycle in 1..=3 {
            let power = RowPower { including: Some(Microwatts(6_000_000.5)), ..RowPower::default() };
            let row = MappingRow { cycle, layer: 0, runtime: Millis(0.25), power, samples: Some(12) };
            out.push(row).expect("pushes");
            let other =
                MappingRow { layer: 1, runtime: Millis(0.125), power: RowPower::default(), samples: None, ..row };
            out.push(other).expect("pushes");
        }
        out.finish().expect("finishes");
        let frame = Frame::parse(&target, &read_capped(&target, 1 << 20).expect("file")).expect("Parquet");
        let number = |row, column: &str| frame.number(row, column).expect("a number");
        let text = |row, column: &str| frame.text(row, column).expect("text");
        assert_eq!(frame.rows(), 6);
        assert_eq!(number(2, "cycle"), Some(2.0));
        assert_eq!(text(2, "layer_name"), Some("conv, 1"));
        assert_eq!(number(2, "layer_power_including_idle_power_micro_watt"), Some(6_000_000.5));
        assert_eq!((number(2, "layer_index"), number(2, "power_samples")), (Some(0.0), Some(12.0)));
        assert_eq!(number(3, "layer_power_including_idle_power_micro_watt"), None, "a missing value is a null");
        assert_eq!(text(3, "power_verdict"), None, "a missing value is a null");
        assert_eq!(number(3, "layer_run_time"), Some(0.125));
    }
}
