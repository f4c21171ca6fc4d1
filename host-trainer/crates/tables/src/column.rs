//! Columns of a table that is to be written.

use polars_core::prelude::{Column, DataFrame, DataType, NamedFrom, PolarsError, Series};
use std::io;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Whole numbers, 64 bits.
    Integer,
    /// Floating-point numbers, 64 bits.
    Number,
    /// Text in UTF-8.
    Text,
}

impl ColumnType {
    pub(crate) fn polars(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Text => DataType::String,
        }
    }
}

/// The values of a column. `None` is an empty field in CSV and a null in Parquet.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData<'a> {
    /// Whole numbers.
    Integers(Vec<Option<i64>>),
    /// Floating-point numbers.
    Numbers(Vec<Option<f64>>),
    /// Text.
    Texts(Vec<Option<&'a str>>),
}

impl ColumnData<'_> {
    /// What the values are.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        match self {
            Self::Integers(_) => ColumnType::Integer,
            Self::Numbers(_) => ColumnType::Number,
            Self::Texts(_) => ColumnType::Text,
        }
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    fn into_polars(self, name: &str) -> Column {
        let series = match self {
            Self::Integers(values) => Series::new(name.into(), values),
            Self::Numbers(values) => Series::new(name.into(), values),
            Self::Texts(values) => Series::new(name.into(), values),
        };
        series.into()
    }
}

/// Puts columns together. Columns of different lengths, and two of one name, are errors.
pub(crate) fn assemble<'a>(
    columns: impl IntoIterator<Item = (&'a str, ColumnData<'a>)>,
) -> Result<DataFrame, PolarsError> {
    DataFrame::new_infer_height(columns.into_iter().map(|(name, data)| data.into_polars(name)).collect())
}

/// An error of polars as one of the sink.
pub(crate) fn as_io(error: PolarsError) -> io::Error {
    match error {
        PolarsError::IO { error, .. } => io::Error::new(error.kind(), error.to_string()),
        other => io::Error::other(other.to_string()),
    }
}
