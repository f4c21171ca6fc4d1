//! Reasons why a Lasso cannot be fitted.

/// A Lasso that cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LassoError {
    /// A parameter is outside its range.
    #[error("{name} must be {rule}, not {found}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        found: String,
    },
    /// There are no rows or no columns.
    #[error("there is nothing to fit: {rows} rows of {columns} columns")]
    Empty {
        /// Rows of the design.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// Target, weights or folds do not have one entry a row.
    #[error("{what} has {found} entries for {rows} rows")]
    Length {
        /// Which of them.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Rows of the design.
        rows: usize,
    },
    /// The design holds NaN or an infinity.
    #[error("row {row}, column {column} of the design is not a finite number")]
    DesignNotFinite {
        /// Row of the first such value.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// The target holds NaN or an infinity.
    #[error("row {row} of the target is not a finite number")]
    TargetNotFinite {
        /// Its row.
        row: usize,
    },
    /// A weight is negative, NaN or infinite.
    #[error("the weight of row {row} is not a finite number of at least zero")]
    Weight {
        /// Its row.
        row: usize,
    },
    /// A set of rows that must be fitted or scored has no weight.
    #[error("{what} has no rows of positive weight")]
    NoWeight {
        /// The set, such as "fold 3".
        what: String,
    },
    /// The sums of products overflow.
    #[error("the values are too large: their sums of products overflow; scale the columns first")]
    Overflow,
}
