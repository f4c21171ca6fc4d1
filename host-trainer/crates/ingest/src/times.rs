//! A column of times: dates, epochs, or a counter of a unit.

use super::columns::Column;
use csv::StringRecord;
use shared::clock::Scale;
use shared::text::{DecimalSign, Epoch, Moment, number, scaled_ns};
use std::borrow::Cow;

/// After a day, times of day begin again.
const DAY_NS: i64 = 86_400_000_000_000;

/// How a column's times are read, as its first reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Dates with times of day.
    Moments,
    /// Times of day alone.
    OfDay,
    /// Numbers of a unit that is `10^exponent` ns.
    Numbers(i32),
    /// The same, counted from 1970.
    Epoch(i32),
}

/// A column of times.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) column: Column,
    sign: Option<DecimalSign>,
    kind: Option<Kind>,
    /// Place of the column of dates, where times of day stand beside one.
    date: Option<usize>,
}

impl Times {
    /// A column none of whose fields was read yet.
    pub(crate) fn new(column: Column, sign: Option<DecimalSign>) -> Self {
        Self { column, sign, kind: None, date: None }
    }

    /// Takes dates from another column, if this one has times of day.
    pub(crate) fn with_date(mut self, place: Option<usize>, first: &str) -> Self {
        self.date = place.filter(|_| Moment::of_day(first).is_some());
        self
    }

    /// The field of a row, with its date where that stands in another column.
    pub(crate) fn field<'a>(&self, record: &'a StringRecord) -> Cow<'a, str> {
        let field = record.get(self.column.place).unwrap_or_default();
        match self.date.and_then(|place| record.get(place)) {
            Some(date) => Cow::Owned(format!("{date} {field}")),
            None => Cow::Borrowed(field),
        }
    }

    /// The time of a field in ns. The first field that is one says how all are read: a column changes neither its unit nor its form.
    pub(crate) fn read(&mut self, field: &str) -> Option<i64> {
        if self.kind.is_none() {
            self.kind = self.kind_of(field);
        }
        match self.kind? {
            Kind::Moments => Moment::of(field).map(|moment| moment.unix_ns),
            Kind::OfDay => Moment::of_day(field),
            Kind::Numbers(exponent) | Kind::Epoch(exponent) => scaled_ns(field, exponent, self.sign),
        }
    }

    fn kind_of(&self, field: &str) -> Option<Kind> {
        if Moment::of(field).is_some() {
            return Some(Kind::Moments);
        }
        if Moment::of_day(field).is_some() {
            return Some(Kind::OfDay);
        }
        let value = number(field, self.sign)?;
        // What the header says wins; `time` alone counts seconds unless it is an epoch in another unit.
        let epoch = Epoch::of(value).map(Epoch::exponent).filter(|_| !self.is_labelled());
        epoch.map(Kind::Epoch).or(self.column.exponent.map(|exponent| Kind::Numbers(exponent + 9)))
    }

    /// What the times that were read stand for.
    pub(crate) fn scale(&self) -> Scale {
        match self.kind {
            Some(Kind::Numbers(exponent)) => {
                let unit_ns = u32::try_from(exponent).ok().and_then(|exponent| 10_i64.checked_pow(exponent));
                Scale::Counter { unit_ns: unit_ns.unwrap_or(1) }
            }
            Some(Kind::OfDay) => Scale::Cyclic { range_ns: DAY_NS },
            _ => Scale::Wall,
        }
    }

    /// Whether the header names the unit.
    fn is_labelled(&self) -> bool {
        self.column.exponent.is_some()
            && self.column.header.trim_start_matches('#').trim().to_lowercase() != self.column.name
    }

    /// Why a field is no time, and what would be.
    pub(crate) fn refusal(&self, field: &str) -> (String, String) {
        let name = &self.column.header;
        let is_number = number(field, self.sign).is_some();
        if is_number && self.kind.is_none() {
            return (
                format!("`{name}` is `{field}`, a number without a unit that is not an epoch"),
                format!("name the unit in the header: `{name} (ms)`, `{name} (s)`, or `t_us`"),
            );
        }
        (
            format!("`{name}` is `{field}`, which is not a time"),
            "times are dates such as 2024-05-01T10:00:00.000Z, epochs, or numbers of a unit that the header names: `t_us`, \
             `time (ms)`"
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Columns;
    use super::*;
    use shared::text::Quantity;

    fn times(header: &str) -> Times {
        let columns = Columns::new(vec![header.to_owned()]);
        Times::new(columns.of(Quantity::Time).remove(0), None)
    }

    #[test]
    fn the_first_time_says_how_all_are_read() {
        let ns = 1_714_557_600_000_000_000;
        for (header, field, expected) in [
            ("timestamp", "2024-05-01T10:00:00Z", Some(ns)),
            ("timestamp", "1714557600", Some(ns)),
            ("timestamp", "1714557600000000", Some(ns)),
            ("timestamp", "0.5", None),
            ("time", "0.5", Some(500_000_000)),
            ("#time", "0.5", Some(500_000_000)),
            ("Time", "1714557600000", Some(ns)),
            ("time (s)", "1714557600000", None),
            ("t_ms", "100", Some(100_000_000)),
            ("t_us", "1714557600", Some(1_714_557_600_000)),
            ("time", "00:00:01", Some(1_000_000_000)),
        ] {
            assert_eq!(times(header).read(field), expected, "{header} {field}");
        }
        let mut day = times("time");
        assert_eq!(day.read("23:59:59"), Some(DAY_NS - 1_000_000_000));
        assert_eq!(day.scale(), Scale::Cyclic { range_ns: DAY_NS });
        let mut micros = times("t_us");
        assert_eq!((micros.read("5"), micros.scale()), (Some(5_000), Scale::Counter { unit_ns: 1_000 }));
        let mut epoch = times("time");
        assert_eq!((epoch.read("1714557600"), epoch.scale()), (Some(ns), Scale::Wall));
        let mut mixed = times("timestamp");
        assert!(mixed.read("x").is_none() && mixed.read("1714557600").is_some());
        assert!(mixed.read("2024-05-01T10:00:00Z").is_none() && mixed.read("1714557601").is_some());
    }
}
