//! What a study searches: a domain for each option of a plan, named as in the plan's TOML.
//!
//! A point of the space is a list of coordinates, one an axis: numbers from 0 to 1 for what is numeric, an index for what
//! is a choice. A list has an axis for its length and one for each element it may have; elements beyond its length have
//! no coordinate.

mod axis;
mod domain;
mod parse;
#[cfg(test)]
mod tests;

pub use axis::Axis;
pub use domain::{Domain, Length};

use shared::random::SplitMix64;
use std::collections::BTreeMap;
use toml::Value;

/// Coordinates of a point, in the order of [`Space::axes`].
pub type Point = Vec<Option<f64>>;
/// Values of options by their dotted names.
pub type Parameters = BTreeMap<String, Value>;

/// A search space: options by dotted name, each with its domain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    domains: BTreeMap<String, Domain>,
}

impl Space {
    /// The options with their domains, by name.
    #[must_use]
    pub fn domains(&self) -> &BTreeMap<String, Domain> {
        &self.domains
    }

    /// The axes of all options, in the order of their names.
    #[must_use]
    pub fn axes(&self) -> Vec<Axis> {
        self.domains.values().flat_map(|domain| self.axes_of(domain)).collect()
    }

    fn axes_of(&self, domain: &Domain) -> Vec<Axis> {
        match domain {
            Domain::Float { .. } | Domain::Int { .. } | Domain::Choice(_) => vec![domain.axis()],
            Domain::List { of, length } => {
                let (_, longest) = self.lengths(length);
                let own = match length {
                    Length::Between(low, high) => Some(Axis::whole(*low as i64, *high as i64, false)),
                    Length::SameAs(_) => None,
                };
                own.into_iter().chain(std::iter::repeat_n(of.axis(), longest)).collect()
            }
        }
    }

    /// Shortest and longest, those of the list that it follows where it follows one.
    fn lengths(&self, length: &Length) -> (usize, usize) {
        match length {
            Length::Between(low, high) => (*low, *high),
            Length::SameAs(name) => match self.domains.get(name) {
                Some(Domain::List { length: Length::Between(low, high), .. }) => (*low, *high),
                // Refused when the space was read.
                _ => (0, 0),
            },
        }
    }

    /// A point at random.
    #[must_use]
    pub fn random(&self, stream: &mut SplitMix64) -> Point {
        let all: Point = self.axes().iter().map(|axis| Some(axis.random(stream))).collect();
        self.trimmed(all)
    }

    /// The point without coordinates of elements beyond their lists' lengths.
    #[must_use]
    pub fn trimmed(&self, point: Point) -> Point {
        let parameters = self.parameters(&point);
        let mut trimmed = Vec::with_capacity(point.len());
        let mut coordinates = point.into_iter();
        for (name, domain) in &self.domains {
            let Domain::List { length, .. } = domain else {
                trimmed.extend(coordinates.by_ref().take(1));
                continue;
            };
            if matches!(length, Length::Between(..)) {
                trimmed.extend(coordinates.by_ref().take(1));
            }
            let kept = parameters.get(name).and_then(Value::as_array).map_or(0, Vec::len);
            let (_, longest) = self.lengths(length);
            trimmed.extend(coordinates.by_ref().take(longest).enumerate().map(|(i, x)| x.filter(|_| i < kept)));
        }
        trimmed
    }

    /// The values of a point. A coordinate that is missing counts as the middle.
    #[must_use]
    pub fn parameters(&self, point: &[Option<f64>]) -> Parameters {
        let mut parameters = Parameters::new();
        // Lists that follow another need its length, so they come second; coordinates stand by name all the same.
        let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
        let mut start = 0;
        let mut starts = Vec::new();
        for (name, domain) in &self.domains {
            if let Domain::List { length: Length::Between(low, high), .. } = domain {
                let axis = Axis::whole(*low as i64, *high as i64, false);
                let told = axis.value(coordinate(point, start, &axis)).as_integer().unwrap_or(0);
                lengths.insert(name, usize::try_from(told).unwrap_or(0));
            }
            starts.push(start);
            start += self.axes_of(domain).len();
        }
        for ((name, domain), start) in self.domains.iter().zip(starts) {
            let value = match domain {
                Domain::List { of, length } => {
                    let (length, first) = match length {
                        Length::Between(..) => (lengths.get(name.as_str()), start + 1),
                        Length::SameAs(other) => (lengths.get(other.as_str()), start),
                    };
                    let axis = of.axis();
                    let elements = first..first + length.copied().unwrap_or(0);
                    Value::Array(elements.map(|i| of.pick(&axis, coordinate(point, i, &axis))).collect())
                }
                domain => {
                    let axis = domain.axis();
                    domain.pick(&axis, coordinate(point, start, &axis))
                }
            };
            parameters.insert(name.clone(), value);
        }
        parameters
    }

    /// The point of some values; `None` where they are not of this space.
    #[must_use]
    pub fn point(&self, parameters: &Parameters) -> Option<Point> {
        let mut point = Point::new();
        for (name, domain) in &self.domains {
            let value = parameters.get(name)?;
            match domain {
                Domain::List { of, length } => {
                    let elements = value.as_array()?;
                    let (shortest, longest) = self.lengths(length);
                    if !(shortest..=longest).contains(&elements.len()) {
                        return None;
                    }
                    if let Length::Between(low, high) = length {
                        let axis = Axis::whole(*low as i64, *high as i64, false);
                        point.push(Some(axis.coordinate(&Value::Integer(elements.len() as i64))?));
                    }
                    for i in 0..longest {
                        point.push(match elements.get(i) {
                            Some(element) => Some(of.find(element)?),
                            None => None,
                        });
                    }
                }
                domain => point.push(Some(domain.find(value)?)),
            }
        }
        Some(point)
    }

    /// Every combination of the space's values by number, the last option varying fastest; `None` where some option has no
    /// countable values.
    ///
    /// # Errors
    /// A sentence that names the option whose values cannot be counted.
    pub fn grid(&self) -> Result<Grid, String> {
        let values = |(name, domain): (&String, &Domain)| match domain.values() {
            Some(values) => Ok((name.clone(), values)),
            None => Err(format!(
                "`{name}` has no countable values; give `choices`, or `steps` for how many points of the range to try"
            )),
        };
        Ok(Grid { options: self.domains.iter().map(values).collect::<Result<_, String>>()? })
    }
}

/// Every combination of some options' values.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    options: Vec<(String, Vec<Value>)>,
}

impl Grid {
    /// How many combinations there are; the largest number where there are more than can be counted.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.options.iter().fold(1u64, |product, (_, values)| product.saturating_mul(values.len() as u64))
    }

    /// Whether there is no combination.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A combination by its number, which wraps around.
    #[must_use]
    pub fn parameters(&self, number: u64) -> Parameters {
        let mut rest = number;
        let mut parameters = Parameters::new();
        for (name, values) in self.options.iter().rev() {
            let count = (values.len() as u64).max(1);
            if let Some(value) = values.get((rest % count) as usize) {
                parameters.insert(name.clone(), value.clone());
            }
            rest /= count;
        }
        parameters
    }
}

fn coordinate(point: &[Option<f64>], index: usize, axis: &Axis) -> f64 {
    point.get(index).copied().flatten().unwrap_or_else(|| axis.middle())
}
