//! Choices of the library as values of options.

use align::method::Method;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use tune::objective::Metric;
use tune::pruner::Pruner;
use tune::sampler::Sampler;

/// A type of the library with few values, each with a name.
pub(super) trait Choice: Copy + Send + Sync + 'static {
    /// Every value.
    const VALUES: &'static [Self];

    /// What a user writes.
    fn label(self) -> &'static str;

    /// What the help says of it; empty where the name says enough.
    fn help(self) -> &'static str {
        ""
    }
}

/// Parses an option whose value is one of a type's names.
pub(super) fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    let possible = T::VALUES.iter().map(|value| {
        let possible = PossibleValue::new(value.label());
        if value.help().is_empty() { possible } else { possible.help(value.help()) }
    });
    PossibleValuesParser::new(possible).try_map(|name| {
        T::VALUES.iter().copied().find(|value| value.label() == name).ok_or_else(|| format!("no value `{name}`"))
    })
}

impl Choice for Kind {
    const VALUES: &'static [Self] = Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        self.description()
    }
}

impl Choice for Method {
    const VALUES: &'static [Self] = Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        self.description()
    }
}

impl Choice for Sampler {
    const VALUES: &'static [Self] = Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }
}

impl Choice for Pruner {
    const VALUES: &'static [Self] = Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }
}

impl Choice for Metric {
    const VALUES: &'static [Self] = Self::ALL;

    fn label(self) -> &'static str {
        self.name()
    }
}

impl Choice for Measurand {
    const VALUES: &'static [Self] = &[Self::Power, Self::Runtime, Self::Energy];

    fn label(self) -> &'static str {
        self.name()
    }
}
