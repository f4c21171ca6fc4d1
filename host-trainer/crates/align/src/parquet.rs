//! The mapping as Parquet, for those whose tools read that: the same columns under the same names, typed.

use super::mapping::{HEADER, LayerColumns, RowPower};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use shared::units::{Microwatts, Millis};
use std::io::Write;
use std::sync::Arc;

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
pub struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    layers: Vec<LayerColumns>,
    group: Vec<MappingRow>,
}

impl<W: Write + Send> ParquetRows<W> {
    /// Starts a file of rows of these layers.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn start(out: W, layers: Vec<LayerColumns>) -> Result<Self, ParquetError> {
        let fields = HEADER.trim_end().split(',').map(|name| match name {
            "cycle" | "layer_index" | "power_samples" => format!("OPTIONAL INT64 {name};"),
            "layer_name" | "layer_type" | "power_verdict" | "power_method" => {
                format!("OPTIONAL BYTE_ARRAY {name} (UTF8);")
            }
            _ => format!("OPTIONAL DOUBLE {name};"),
        });
        let schema = Arc::new(parse_message_type(&format!("message mapping {{ {} }}", fields.collect::<String>()))?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build());
        let writer = SerializedFileWriter::new(out, schema, properties)?;
        Ok(Self { writer, layers, group: Vec::with_capacity(GROUP_ROWS) })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn push(&mut self, row: MappingRow) -> Result<(), ParquetError> {
        self.group.push(row);
        if self.group.len() == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, and the file's end.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        if !self.group.is_empty() {
            self.write_group()?;
        }
        self.writer.close()?;
        Ok(())
    }

    /// Writes the columns in the order of [`HEADER`].
    fn write_group(&mut self) -> Result<(), ParquetError> {
        let (rows, layers) = (&self.group, &self.layers);
        let mut group = self.writer.next_row_group()?;
        let out = &mut group;
        let micro = |power: Option<Microwatts>| power.map(|p| p.0);
        let text = |text: &str| Some(ByteArray::from(text)).filter(|text| !text.is_empty());
        let layer = |row: &MappingRow| &layers[row.layer];
        column::<Int64Type, W>(out, rows.iter().map(|r| i64::try_from(r.cycle).ok()))?;
        column::<ByteArrayType, W>(out, rows.iter().map(|r| text(&layer(r).name)))?;
        column::<ByteArrayType, W>(out, rows.iter().map(|r| text(&layer(r).layer_type)))?;
        column::<DoubleType, W>(out, rows.iter().map(|r| micro(r.power.including)))?;
        column::<DoubleType, W>(out, rows.iter().map(|r| micro(r.power.excluding)))?;
        column::<DoubleType, W>(out, rows.iter().map(|r| Some(r.runtime.0)))?;
        column::<Int64Type, W>(out, rows.iter().map(|r| i64::try_from(layer(r).index).ok()))?;
        column::<DoubleType, W>(out, rows.iter().map(|r| micro(r.power.interval.map(|i| i.0))))?;
        column::<DoubleType, W>(out, rows.iter().map(|r| micro(r.power.interval.map(|i| i.1))))?;
        column::<Int64Type, W>(out, rows.iter().map(|r| r.samples.and_then(|s| i64::try_from(s).ok())))?;
        column::<ByteArrayType, W>(out, rows.iter().map(|r| text(layer(r).verdict)))?;
        column::<ByteArrayType, W>(out, rows.iter().map(|r| text(layer(r).method)))?;
        group.close()?;
        self.group.clear();
        Ok(())
    }
}

/// Writes the next column; `None` is a null.
fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<T::T>> + Clone,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns than a row".into()));
    };
    let present: Vec<i16> = values.clone().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&present), None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use std::fs::File;

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
        let reader = SerializedFileReader::new(File::open(&target).expect("file")).expect("Parquet");
        let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[2].get_long(0).expect("cycle"), 2);
        assert_eq!(rows[2].get_string(1).expect("name"), "conv, 1");
        assert_eq!(rows[2].get_double(3).expect("power"), 6_000_000.5);
        assert_eq!((rows[2].get_long(6).expect("index"), rows[2].get_long(9).expect("samples")), (0, 12));
        assert!(rows[3].get_double(3).is_err() && rows[3].get_string(10).is_err(), "a missing value is a null");
        assert_eq!(rows[3].get_double(5).expect("run time"), 0.125);
    }
}
