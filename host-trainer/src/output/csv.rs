//! Comma-separated values: quoted where it takes quoting, lines ended by a line feed.

use shared::failure::{Failure, Kind};

/// Rows under a header, in memory.
#[derive(Debug)]
pub(crate) struct Csv {
    writer: csv::Writer<Vec<u8>>,
}

impl Csv {
    /// No rows yet under a header.
    ///
    /// # Errors
    /// None that a header of text can cause.
    pub(crate) fn new<T: AsRef<[u8]>>(header: impl IntoIterator<Item = T>) -> Result<Self, Failure> {
        let mut csv = Self { writer: csv::Writer::from_writer(Vec::new()) };
        csv.row(header)?;
        Ok(csv)
    }

    /// A header with rows, as text.
    ///
    /// # Errors
    /// A row of another length than the header.
    pub(crate) fn text<T: AsRef<[u8]>>(
        header: impl IntoIterator<Item = T>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<String, Failure> {
        let mut csv = Self::new(header)?;
        rows.into_iter().try_for_each(|row| csv.row(row))?;
        csv.finish()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A row of another length than the header.
    pub(crate) fn row<T: AsRef<[u8]>>(&mut self, row: impl IntoIterator<Item = T>) -> Result<(), Failure> {
        self.writer.write_record(row).map_err(|e| Failure::from_error(Kind::Data, e))
    }

    /// The text.
    ///
    /// # Errors
    /// None that memory can cause.
    pub(crate) fn finish(self) -> Result<String, Failure> {
        let content = self.writer.into_inner().map_err(|e| Failure::from_error(Kind::Data, e.into_error()))?;
        String::from_utf8(content).map_err(|e| Failure::from_error(Kind::Data, e))
    }
}

/// A figure with all its digits, or nothing.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_a_cell_divides_nothing() {
        let text = Csv::text(["a", "b"], [vec!["1,2".into(), "x".into()]]).expect("plain rows");
        assert_eq!(text, "a,b\n\"1,2\",x\n");
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_header() {
        let failure = Csv::text(["a", "b"], [vec!["1".into()]]).expect_err("one cell is missing");
        assert!(std::error::Error::source(&failure).is_some_and(|cause| cause.is::<csv::Error>()), "{failure}");
    }
}
