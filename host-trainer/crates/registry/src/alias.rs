//! What a model can be deployed as.

use super::Error;
use learn::model::{Target, check_device_name};
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use std::fmt;
use std::str::FromStr;

/// One device, layer kind and target: at any time at most one model is deployed for it. Written
/// `jetson-orin-nano/convolutional/runtime`.
///
/// ```
/// use registry::Alias;
/// let alias: Alias = "jetson-orin-nano/convolutional/runtime".parse()?;
/// assert_eq!((alias.device(), alias.target().name()), ("jetson-orin-nano", "runtime"));
/// assert!("../orin/convolutional/runtime".parse::<Alias>().is_err());
/// # Ok::<(), registry::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Alias {
    device: String,
    table: Table,
    target: Target,
}

impl Alias {
    /// The alias of a device, layer kind and target.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that no device may have: it could climb out of the store or of a folder of models.
    pub fn new(device: &str, table: Table, target: Target) -> Result<Self, Error> {
        check_device_name(device).map_err(|failure| Error::Name(failure.message))?;
        Ok(Self { device: device.to_owned(), table, target })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The layer kind.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// What is predicted.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.device, self.table.name(), self.target.name())
    }
}

impl FromStr for Alias {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Name(format!("`{text}` is no DEVICE/KIND/TARGET: {reason}"));
        let parts: Vec<&str> = text.split('/').collect();
        let [device, table, target] = parts.as_slice() else { return Err(wrong("it has not three parts".into())) };
        let table = Table::from_name(table)
            .ok_or_else(|| wrong(format!("layer kinds are {}", Table::ALL.map(Table::name).join(", "))))?;
        let target = Target::ALL
            .into_iter()
            .find(|known| known.name() == *target)
            .ok_or_else(|| wrong("targets are power, runtime".into()))?;
        Self::new(device, table, target)
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.to_string()
    }
}

impl TryFrom<String> for Alias {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_written_and_read_back() {
        let alias = Alias::new("jetson orin.nano-8_gb", Table::Convolutional, Target::Runtime).expect("a good name");
        assert_eq!(alias.to_string(), "jetson orin.nano-8_gb/convolutional/runtime");
        assert_eq!(alias.to_string().parse::<Alias>().expect("read back"), alias);
    }

    #[test]
    fn names_that_climb_are_no_devices() {
        for device in ["", "..", ".", ".hidden", "a/b", "../a", "a\\b", "a\nb", "a\0", "ä", "a:b", "%2e%2e"] {
            assert!(Alias::new(device, Table::Dense, Target::Power).is_err(), "{device:?}");
            assert!(format!("{device}/dense/power").parse::<Alias>().is_err(), "{device:?}");
        }
        for text in ["board/dense", "board/dense/energy", "board/denser/power", "board/dense/power/x"] {
            assert!(text.parse::<Alias>().is_err(), "{text}");
        }
    }
}
