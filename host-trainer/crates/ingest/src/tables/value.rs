//! A column of numbers, and what is common to all tables.

use crate::columns::Column;
use crate::sheet::Sheet;
use crate::times::Times;
use csv::StringRecord;
use shared::failure::Failure;
use shared::text::{DecimalSign, Quantity, Unit, number, number_and_unit};

/// A column of numbers.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) column: Column,
    pub(super) sign: Option<DecimalSign>,
}

impl Value {
    pub(super) fn new(column: Column) -> Self {
        Self { column, sign: None }
    }

    /// The value in thousandths of the SI unit. A unit behind the number wins over the header's.
    pub(super) fn read(&self, record: &StringRecord) -> Option<f64> {
        let (value, unit) = number_and_unit(record.get(self.column.place)?, self.sign)?;
        let exponent = unit.map(|unit| unit.exponent).or(self.column.exponent)?;
        Some(Unit { quantity: Quantity::Power, exponent: exponent + 3 }.to_si(value))
    }

    /// Why a row has no value.
    pub(super) fn refusal(&self, record: &StringRecord) -> String {
        let name = &self.column.header;
        match record.get(self.column.place).unwrap_or_default() {
            "" => format!("has no `{name}`"),
            field if self.sign.is_none() && number(field, Some(DecimalSign::Comma)).is_some() => {
                format!("has a `{name}` whose comma may be a decimal sign or separate thousands: `{field}`")
            }
            field => format!("has a `{name}` that is not a number: `{field}`"),
        }
    }
}

/// The column of time that can be read: of several, the likeliest whose first field is a time.
pub(super) fn chosen_time(sheet: &Sheet<'_>, columns: &mut Vec<Column>, signs: &[Option<DecimalSign>]) -> Times {
    let first = sheet.first_row();
    let candidates = columns.drain(..).zip(signs).map(|(column, sign)| Times::new(column, *sign));
    let mut candidates: Vec<Times> = candidates.collect();
    let readable =
        |times: &Times| first.get(times.column.place).is_some_and(|field| times.clone().read(field).is_some());
    let chosen = candidates.iter().position(readable).unwrap_or(0);
    let chosen = candidates.swap_remove(chosen);
    let field = first.get(chosen.column.place).map_or("", String::as_str);
    chosen.with_date(sheet.columns.named(&["date"]), field)
}

/// A file of which no row was read: the first reason stands for all.
pub(super) fn nothing_read(
    sheet: &Sheet<'_>,
    named: &[String],
    refused: Option<(String, String)>,
    help: &str,
) -> Failure {
    match (named.first(), refused) {
        (None, _) => sheet.refuse("has no rows below its header", help),
        (Some(first), Some((message, times_help))) if first.ends_with(&message) => {
            sheet.refuse(&format!("has no row that can be read: {first}"), times_help)
        }
        (Some(first), _) => sheet.refuse(&format!("has no row that can be read: {first}"), help),
    }
}
