//! How layer powers are found.

use serde::{Deserialize, Serialize};

/// How layer powers are found.
///
/// ```
/// use align::method::Method;
///
/// assert!(Method::ALL.contains(&Method::default()));
/// assert_eq!((Method::Share.name(), Method::Window.description()), ("share", "EdgeProfiler's rule, for comparison"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Whichever the data allow.
    #[default]
    Auto,
    /// EdgeProfiler's rule: the mean of the readings in a layer's window.
    Window,
    /// Least squares through the sensor's response.
    Deconvolve,
    /// Measured energy shared out by run time and activity.
    Share,
    /// One power for each kind of layer, from the totals of several networks.
    Totals,
}

impl Method {
    /// Every method, in the order in which the help lists them.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Window, Self::Deconvolve, Self::Share, Self::Totals];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Window => "window",
            Self::Deconvolve => "deconvolve",
            Self::Share => "share",
            Self::Totals => "totals",
        }
    }

    /// What it does, for the help.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Auto => "The best method that the data allow",
            Self::Window => "EdgeProfiler's rule, for comparison",
            Self::Deconvolve => "Least squares through the sensor's response function",
            Self::Share => "Measured energy distributed over layers by run time",
            Self::Totals => "One power for each kind of layer, from the totals of several networks",
        }
    }
}
