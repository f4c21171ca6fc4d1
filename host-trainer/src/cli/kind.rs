//! Model kinds as values of an option.

use crate::fit::kinds::Kind;
use clap::ValueEnum;
use clap::builder::PossibleValue;

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.description()))
    }
}
