//! A sum over layers of which some may have no figure.

use shared::figures::UNKNOWN;
use std::collections::BTreeMap;
use std::iter::Sum;

/// A sum over the layers of an engine that says what it lacks. A layer without a figure does not count as nothing: the sum is
/// then a lower bound, and not known at all if no layer that costs anything has a figure.
///
/// ```
/// use learn::predict::{Part, Total};
/// use shared::units::Millis;
///
/// let conv = Part { layer_type: "conv", is_free: false, figure: Some(Millis(2.0)) };
/// let free = Part { layer_type: "constant", is_free: true, figure: Some(Millis(0.0)) };
/// let opaque = Part { layer_type: "Myelin", is_free: false, figure: None };
///
/// assert_eq!(Total::of([conv, free]).whole(), Some(Millis(2.0)));
/// let part = Total::of([conv, opaque]);
/// assert_eq!((part.whole(), part.at_least(), part.missing_layers()), (None, Some(Millis(2.0)), 1));
/// let unknown = Total::of([opaque, free]);
/// assert_eq!((unknown.whole(), unknown.at_least()), (None, None));
/// assert_eq!(Total::of([free]).whole(), Some(Millis(0.0)), "what costs nothing is known to cost nothing");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Total<U> {
    known: Option<U>,
    missing: BTreeMap<String, usize>,
}

/// A layer's part of a total.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part<'a, U> {
    /// TensorRT's type of the layer.
    pub layer_type: &'a str,
    /// Whether the layer is known to cost nothing. Such a one tells nothing about the others.
    pub is_free: bool,
    /// Its figure, if there is one.
    pub figure: Option<U>,
}

impl<U: Copy + Sum<U>> Total<U> {
    /// The sum over layers.
    pub fn of<'a>(layers: impl IntoIterator<Item = Part<'a, U>>) -> Self {
        let (mut figures, mut any, mut missing) = (Vec::new(), false, BTreeMap::new());
        for Part { layer_type, is_free, figure } in layers {
            match figure {
                Some(figure) => {
                    any |= !is_free;
                    figures.push(figure);
                }
                None => *missing.entry(layer_type.to_owned()).or_default() += 1,
            }
        }
        let known = (any || missing.is_empty()).then(|| figures.into_iter().sum());
        Self { known, missing }
    }
}

impl<U: Copy> Total<U> {
    /// The sum, if every layer has a figure.
    #[must_use]
    pub fn whole(&self) -> Option<U> {
        self.known.filter(|_| self.is_whole())
    }

    /// The sum over the layers that have a figure: the total, or less than it. None if nothing is known.
    #[must_use]
    pub fn at_least(&self) -> Option<U> {
        self.known
    }

    /// Whether every layer has a figure.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// Layers without a figure, by their type.
    #[must_use]
    pub fn missing(&self) -> &BTreeMap<String, usize> {
        &self.missing
    }

    /// How many layers have no figure.
    #[must_use]
    pub fn missing_layers(&self) -> usize {
        self.missing.values().sum()
    }

    /// The sum for people, as `text` writes it: a lower bound says that it is one, and nothing known is `–`.
    #[must_use]
    pub fn shown(&self, text: impl FnOnce(U) -> String) -> String {
        match (self.known, self.is_whole()) {
            (Some(sum), true) => text(sum),
            (Some(sum), false) => format!("at least {}", text(sum)),
            (None, _) => UNKNOWN.to_owned(),
        }
    }
}
