//! Options of model kinds, each kind's in a section of its own of a plan.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;

/// The options of a model kind.
pub trait Options: Serialize + DeserializeOwned + Clone + PartialEq + Default + Debug + Send + Sync + 'static {
    /// Name of the section in a plan; none of a kind without options.
    const SECTION: Option<&'static str>;

    /// Checks the ranges that types cannot.
    ///
    /// # Errors
    /// A sentence that names the option, with its section.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The options of a kind that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

impl Options for NoOptions {
    const SECTION: Option<&'static str> = None;
}

/// Checks one option.
///
/// # Errors
/// Says that `name` must be `range`, unless it is.
pub(crate) fn within(name: &str, is: bool, range: &str) -> Result<(), String> {
    if is { Ok(()) } else { Err(format!("`{name}` must be {range}")) }
}

/// The options that differ from their defaults, by type.
#[derive(Debug, Default)]
pub(super) struct Sections(HashMap<TypeId, Box<dyn Section>>);

impl Sections {
    /// The options of a type; the defaults unless others were set.
    pub(super) fn get<T: Options>(&self) -> T {
        let section = self.0.get(&TypeId::of::<T>());
        section.and_then(|section| section.as_any().downcast_ref::<T>()).cloned().unwrap_or_default()
    }

    pub(super) fn set<T: Options>(&mut self, options: T) {
        if options == T::default() {
            self.0.remove(&TypeId::of::<T>());
        } else {
            self.0.insert(TypeId::of::<T>(), Box::new(options));
        }
    }

    /// Checks all options.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut messages: Vec<String> = self.0.values().filter_map(|section| section.check().err()).collect();
        // A map has no order of its own.
        messages.sort();
        messages.into_iter().next().map_or(Ok(()), Err)
    }
}

impl Clone for Sections {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|(of, section)| (*of, section.copy())).collect())
    }
}

impl PartialEq for Sections {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(of, section)| other.0.get(of).is_some_and(|other| section.equals(other.as_any())))
    }
}

/// [`Options`] of any type.
trait Section: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn copy(&self) -> Box<dyn Section>;
    fn equals(&self, other: &dyn Any) -> bool;
    fn check(&self) -> Result<(), String>;
}

impl<T: Options> Section for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn copy(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn check(&self) -> Result<(), String> {
        Options::check(self)
    }
}
