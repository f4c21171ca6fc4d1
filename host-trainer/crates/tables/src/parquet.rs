//! Parquet, read whole and written group by group.

use crate::column::{ColumnData, ColumnType, as_io, assemble};
use crate::pages::declared_bytes;
use polars_core::prelude::{DataFrame, Field, Schema};
use polars_io::parquet::write::BatchedWriter;
use polars_io::prelude::{ParallelStrategy, ParquetCompression, ParquetReader, SerReader};
use shared::failure::Failure;
use std::cell::Cell;
use std::io::{self, Cursor, Write};
use std::panic::{self, UnwindSafe};
use std::path::Path;
use std::sync::Once;

/// What a failure says of files that can be read.
const READABLE: &str = "columns of text, and of numbers of 32 or 64 bits, can be read";

/// Reads a file's content. Its size in memory, as the file's footer and the headers of its pages declare it, is checked first.
///
/// # Errors
/// Content that is not Parquet, is damaged, or would take more memory than `limit` bytes.
pub(crate) fn read(path: &Path, content: &[u8], limit: u64) -> Result<DataFrame, Failure> {
    let read = quietly(|| read_within(content, limit));
    read.unwrap_or_else(|| Err("the file is damaged".to_owned()))
        .map_err(|why| Failure::data(format!("cannot be read as Parquet: {why}")).at(path).help(READABLE))
}

thread_local! {
    /// Whether panics of this thread are caught and become errors.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that panics on damaged files, as polars does. None if it panics, without the message that a panic prints.
fn quietly<T>(run: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                print(panic);
            }
        }));
    });
    CAUGHT.set(true);
    let result = panic::catch_unwind(run);
    CAUGHT.set(false);
    result.ok()
}

fn read_within(content: &[u8], limit: u64) -> Result<DataFrame, String> {
    // On this thread: a panic in one of polars' own would not be caught.
    let mut reader = ParquetReader::new(Cursor::new(content)).read_parallel(ParallelStrategy::None);
    let metadata = reader.get_metadata().map_err(|e| e.to_string())?;
    let mut needed = 0_u64;
    for group in &metadata.row_groups {
        let values =
            group.parquet_columns().iter().map(|column| column.num_values().max(group.num_rows() as i64) as u64);
        let bytes = values.fold(0_u64, |sum, values| sum.saturating_add(values.saturating_mul(8)));
        needed = needed.saturating_add(bytes.max(group.total_byte_size() as u64));
    }
    let within = |needed: u64| match needed {
        needed if needed > limit => Err(format!("it would take {needed} bytes of memory, and the limit is {limit}")),
        _ => Ok(()),
    };
    within(needed)?;
    let mut needed = 0_u64;
    for column in metadata.row_groups.iter().flat_map(|group| group.parquet_columns()) {
        let range = column.byte_range();
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let chunk = range.and_then(|(start, end)| content.get(start..end)).ok_or("a column ends beyond the file")?;
        needed = needed.saturating_add(declared_bytes(chunk, column.num_values())?);
        within(needed)?;
    }
    reader.finish().map_err(|e| e.to_string())
}

/// How every file is written: nothing is compressed, so that every reader can read it, and no thread is started.
pub(crate) fn options<W: Write>(out: W) -> polars_io::prelude::ParquetWriter<W> {
    let writer = polars_io::prelude::ParquetWriter::new(out);
    writer.with_compression(ParquetCompression::Uncompressed).set_parallel(false)
}

/// Writes Parquet group by group, so that a table need not be held whole.
///
/// ```
/// use tables::{ColumnData, ColumnType, Frame, ParquetWriter};
///
/// let mut out = Vec::new();
/// let mut writer = ParquetWriter::new(&mut out, &[("layer", ColumnType::Text), ("power", ColumnType::Number)])?;
/// writer.write(vec![ColumnData::Texts(vec![Some("conv")]), ColumnData::Numbers(vec![Some(5.5)])])?;
/// writer.write(vec![ColumnData::Texts(vec![Some("pool")]), ColumnData::Numbers(vec![None])])?;
/// writer.finish()?;
///
/// let frame = Frame::from_parquet("layers.parquet".as_ref(), &out).expect("Parquet");
/// assert_eq!((frame.rows(), frame.number(0, "power").expect("a number")), (2, Some(5.5)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ParquetWriter<W: Write> {
    writer: BatchedWriter<W>,
    columns: Vec<(String, ColumnType)>,
}

impl<W: Write> ParquetWriter<W> {
    /// Starts a file of these columns.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn new(out: W, columns: &[(&str, ColumnType)]) -> io::Result<Self> {
        let schema: Schema = columns.iter().map(|(name, kind)| Field::new((*name).into(), kind.polars())).collect();
        let writer = options(out).batched(&schema).map_err(as_io)?;
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Ok(Self { writer, columns })
    }

    /// Writes a group of rows: the values of each column, in the order in which the file was started.
    ///
    /// # Errors
    /// When the columns are not those that the file was started with, or differ in length, and when the sink cannot be
    /// written to.
    pub fn write(&mut self, values: Vec<ColumnData<'_>>) -> io::Result<()> {
        let expected = self.columns.iter().map(|(_, kind)| *kind);
        if !values.iter().map(ColumnData::column_type).eq(expected) {
            return Err(io::Error::other("the columns are not those of the file"));
        }
        let named = self.columns.iter().map(|(name, _)| name.as_str()).zip(values);
        let data = assemble(named).map_err(as_io)?;
        self.writer.write_batch(&data).map_err(as_io)
    }

    /// Writes the file's end.
    ///
    /// # Errors
    /// When the sink cannot be written to.
    pub fn finish(self) -> io::Result<()> {
        self.writer.finish().map(|_| ()).map_err(as_io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use proptest::prelude::*;

    fn written(groups: Vec<Vec<ColumnData<'_>>>) -> Vec<u8> {
        let columns = [("a", ColumnType::Integer), ("b", ColumnType::Number), ("c", ColumnType::Text)];
        let mut out = Vec::new();
        let mut writer = ParquetWriter::new(&mut out, &columns).expect("starts");
        for group in groups {
            writer.write(group).expect("writes");
        }
        writer.finish().expect("finishes");
        out
    }

    fn group<'a>() -> Vec<ColumnData<'a>> {
        vec![
            ColumnData::Integers(vec![Some(1), None]),
            ColumnData::Numbers(vec![None, Some(0.1)]),
            ColumnData::Texts(vec![Some("conv, 1"), None]),
        ]
    }

    #[test]
    fn groups_come_back_as_one_table_with_nulls() {
        let frame = Frame::from_parquet(Path::new("a.parquet"), &written(vec![group(), group()])).expect("Parquet");
        assert_eq!(frame.rows(), 4);
        assert_eq!(frame.number(2, "a").expect("a"), Some(1.0));
        assert_eq!(frame.number(3, "a").expect("a"), None);
        assert_eq!(frame.number(3, "b").expect("b"), Some(0.1));
        assert_eq!(frame.text(0, "c").expect("c"), Some("conv, 1"));
        assert_eq!(frame.text(1, "c").expect("c"), None);
        assert!(
            frame.text(0, "a").expect_err("numbers").to_string().contains("the column `a` holds numbers, not text")
        );
        let failure = frame.number(0, "c").expect_err("text").to_string();
        assert!(failure.contains("a.parquet: row 1: `c` is `conv, 1`, not a finite number"), "{failure}");
    }

    #[test]
    fn a_table_without_rows_is_a_table() {
        let frame = Frame::from_parquet(Path::new("a.parquet"), &written(vec![])).expect("Parquet");
        assert_eq!(frame.rows(), 0);
        assert!(frame.has("a") && frame.has("c"));
    }

    #[test]
    fn columns_of_another_file_are_refused() {
        let mut writer = ParquetWriter::new(Vec::new(), &[("a", ColumnType::Integer)]).expect("starts");
        assert!(writer.write(group()).is_err());
        assert!(writer.write(vec![ColumnData::Numbers(vec![])]).is_err());
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let whole = written(vec![group(), group()]);
        for end in 0..whole.len() {
            assert!(Frame::from_parquet(Path::new("a.parquet"), &whole[..end]).is_err(), "cut at {end}");
        }
        let failure = Frame::from_parquet(Path::new("a.parquet"), b"a,b\n1,2\n").expect_err("CSV").to_string();
        assert!(failure.contains("a.parquet: cannot be read as Parquet"), "{failure}");
    }

    #[test]
    fn a_changed_bit_is_an_error_or_another_table_and_never_a_panic() {
        let whole = written(vec![group(), group()]);
        let mut refused = 0;
        for position in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[position] ^= 1 << bit;
                refused += usize::from(Frame::from_parquet(Path::new("a.parquet"), &changed).is_err());
            }
        }
        // The last eight bytes are the footer's length and the magic number: no change of them goes through.
        assert!(refused >= 8 * 8, "{refused} were refused");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn changed_bytes_are_an_error_or_another_table_and_never_a_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        ) {
            // Texts that repeat, so that there are dictionaries.
            let layers: Vec<Option<&str>> = (0..400).map(|i| ["conv", "pool", "fc", "relu"].get(i % 5).copied()).collect();
            let numbers = |step: i64| (0..400).map(|i| Some(i * step)).collect::<Vec<_>>();
            let mut content = written(vec![vec![
                ColumnData::Integers(numbers(3)),
                ColumnData::Numbers(numbers(7).into_iter().map(|i| Some(i? as f64 / 3.0)).collect()),
                ColumnData::Texts(layers),
            ]]);
            for (place, byte) in changes {
                let place = place.index(content.len());
                content[place] = byte;
            }
            let _ = Frame::from_parquet(Path::new("a.parquet"), &content);
        }
    }

    #[test]
    fn a_table_too_large_is_refused() {
        let content = written(vec![group(), group()]);
        assert!(read(Path::new("a.parquet"), &content, 1 << 10).is_ok());
        let failure = read(Path::new("a.parquet"), &content, 4 * 8 * 3 - 1).expect_err("too large").to_string();
        assert!(failure.contains("a.parquet: cannot be read as Parquet: it would take"), "{failure}");
    }
}
