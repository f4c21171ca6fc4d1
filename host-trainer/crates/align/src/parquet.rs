//! The mapping as Parquet, for those whose tools read that: the same columns under the same names, typed.

use super::rows;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use shared::failure::Failure;
use shared::fs::write_atomic_with;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Name of the file.
pub const FILE: &str = "power_runtime_mapping_layerwise.parquet";

/// Rows of one row group; bounds the memory that writing takes.
const GROUP_ROWS: usize = 1 << 16;

/// How a column is stored. An empty cell is a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Text,
}

/// The kind of a column of [`rows::HEADER`].
fn kind(column: &str) -> Kind {
    match column {
        "cycle" | "layer_index" | "power_samples" => Kind::Integer,
        "layer_name" | "layer_type" | "power_verdict" | "power_method" => Kind::Text,
        _ => Kind::Number,
    }
}

/// Writes the rows of a mapping CSV of ours as Parquet, group by group.
///
/// # Errors
/// When the CSV cannot be read or the file cannot be written.
pub fn from_csv(csv: &Path, target: &Path) -> Result<(), Failure> {
    let file = File::open(csv).map_err(|e| Failure::io(csv, "read", &e))?;
    write_atomic_with(target, |out| convert(file, out).map_err(io::Error::other))
}

fn convert(csv: File, out: &mut (dyn Write + Send)) -> Result<(), ParquetError> {
    let columns: Vec<&str> = rows::HEADER.trim_end().split(',').collect();
    let fields = columns.iter().map(|name| match kind(name) {
        Kind::Integer => format!("OPTIONAL INT64 {name};"),
        Kind::Number => format!("OPTIONAL DOUBLE {name};"),
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
    });
    let schema = Arc::new(parse_message_type(&format!("message mapping {{ {} }}", fields.collect::<String>()))?);
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build());
    let mut writer = SerializedFileWriter::new(out, schema, properties)?;
    let mut reader = csv::ReaderBuilder::new().from_reader(io::BufReader::with_capacity(1 << 18, csv));
    let mut group: Vec<csv::StringRecord> = Vec::with_capacity(GROUP_ROWS);
    let external = |e: csv::Error| ParquetError::External(Box::new(e));
    for record in reader.records() {
        group.push(record.map_err(external)?);
        if group.len() == GROUP_ROWS {
            write_group(writer.next_row_group()?, &columns, &group)?;
            group.clear();
        }
    }
    if !group.is_empty() {
        write_group(writer.next_row_group()?, &columns, &group)?;
    }
    writer.close()?;
    Ok(())
}

fn write_group<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    columns: &[&str],
    rows: &[csv::StringRecord],
) -> Result<(), ParquetError> {
    for (index, name) in columns.iter().enumerate() {
        let Some(mut column) = group.next_column()? else { break };
        let cells = || rows.iter().map(|row| row.get(index).unwrap_or_default());
        let present: Vec<i16> = cells().map(|cell| i16::from(!cell.is_empty())).collect();
        let filled = || cells().filter(|cell| !cell.is_empty());
        let wrong = |cell: &str| ParquetError::General(format!("`{name}` is `{cell}`"));
        match kind(name) {
            Kind::Integer => {
                let values = filled().map(|c| c.parse().map_err(|_| wrong(c))).collect::<Result<Vec<i64>, _>>()?;
                column.typed::<Int64Type>().write_batch(&values, Some(&present), None)?;
            }
            Kind::Number => {
                let values = filled().map(|c| c.parse().map_err(|_| wrong(c))).collect::<Result<Vec<f64>, _>>()?;
                column.typed::<DoubleType>().write_batch(&values, Some(&present), None)?;
            }
            Kind::Text => {
                let values: Vec<ByteArray> = filled().map(ByteArray::from).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&present), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn rows_come_back_typed_with_nulls_for_empty_cells() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (csv, target) = (folder.path().join(rows::FILE), folder.path().join(FILE));
        let mut text = String::from(rows::HEADER);
        for cycle in 1..=3 {
            text +=
                &format!("{cycle},\"conv, 1\",CaskConvolution,6000000.5,,0.25,0,5.9e6,6.1e6,12,measured,deconvolve\n");
            text += &format!("{cycle},pool,CaskPooling,,,0.125,1,,,0,not identifiable,deconvolve\n");
        }
        std::fs::write(&csv, text).expect("mapping");
        from_csv(&csv, &target).expect("converted");
        let reader = SerializedFileReader::new(File::open(&target).expect("file")).expect("Parquet");
        let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[2].get_long(0).expect("cycle"), 2);
        assert_eq!(rows[2].get_string(1).expect("name"), "conv, 1");
        assert_eq!(rows[2].get_double(3).expect("power"), 6_000_000.5);
        assert!(rows[3].get_double(3).is_err(), "an empty cell is a null");
        assert_eq!(rows[3].get_double(5).expect("run time"), 0.125);
    }

    #[test]
    fn a_file_that_is_no_mapping_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (csv, target) = (folder.path().join(rows::FILE), folder.path().join(FILE));
        std::fs::write(&csv, format!("{}x,a,b,1,1,1,0,1,1,1,c,d\n", rows::HEADER)).expect("file");
        assert!(from_csv(&csv, &target).is_err());
        assert!(!target.exists());
    }
}
