//! How layer powers are found.

use serde::{Deserialize, Serialize};

/// How layer powers are found.
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
}
