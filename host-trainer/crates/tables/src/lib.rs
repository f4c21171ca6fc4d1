//! Tables in CSV and Parquet.
//!
//! [`Frame`] reads a table and answers by row and column name. Its errors name the file, the line (CSV) or row (Parquet) and
//! the column. [`write_table`] writes a table whose columns are given as [`ColumnData`], in the format of the file's name;
//! [`ParquetWriter`] writes one that is too large for memory, group by group.
//!
//! polars does the parsing and the encoding. polars names neither line nor column of what it cannot read in CSV, and takes
//! a row with too few fields for one that ends in nulls. So every CSV field is read as text, and `csv::scan` finds where
//! each row starts and whether it is whole.
//!
//! Logs of runs are no tables: they are streamed by the crate that aligns them.

mod column;
mod csv;
mod format;
mod frame;
mod pages;
mod parquet;
mod signs;
mod write;

pub use column::{ColumnData, ColumnType};
pub use format::TableFormat;
pub use frame::Frame;
pub use parquet::ParquetWriter;
pub use write::{write_csv, write_parquet, write_table};
