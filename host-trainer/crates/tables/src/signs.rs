//! The decimal signs of a table of texts.

use polars_core::prelude::DataFrame;
use shared::text::{DecimalSign, SignEvidence};

/// The decimal sign of each column: what its fields say, or what those of the other columns say.
pub(crate) fn of(data: &DataFrame) -> Vec<Option<DecimalSign>> {
    let of_column = |column: &polars_core::prelude::Column| {
        let mut evidence = SignEvidence::default();
        if let Ok(texts) = column.str() {
            texts.iter().flatten().for_each(|field| evidence.observe(field));
        }
        evidence
    };
    let columns: Vec<SignEvidence> = data.columns().iter().map(of_column).collect();
    let mut all = SignEvidence::default();
    columns.iter().for_each(|column| all.merge(*column));
    columns.iter().map(|column| if *column == SignEvidence::default() { all.sign() } else { column.sign() }).collect()
}
