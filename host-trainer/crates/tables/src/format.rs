//! The file formats of tables.

use std::path::Path;

/// A file format of tables.
///
/// ```
/// use tables::TableFormat;
///
/// assert_eq!(TableFormat::of("tables/dense.parquet".as_ref()), TableFormat::Parquet);
/// assert_eq!(TableFormat::of("tables/dense.csv".as_ref()), TableFormat::Csv);
/// assert_eq!(TableFormat::Parquet.extension(), "parquet");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableFormat {
    /// Text, a header and a line per row.
    #[default]
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Parquet];

    /// The format of a file by its name: Parquet if it ends in `.parquet`, otherwise CSV.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let parquet = Self::Parquet.extension();
        let found = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(parquet));
        if found { Self::Parquet } else { Self::Csv }
    }

    /// The ending of a file's name, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}
