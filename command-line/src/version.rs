//! What a program was built from and what it finds.

use std::fmt::Write;

/// A library or program that is looked for when a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// What it is called.
    pub name: String,
    /// Its version or place, or why it is not used.
    pub found: Result<String, String>,
}

/// The text of `--version` behind the program's name: version, commit, build, features, and what was found.
///
/// ```
/// use command_line::{Library, version};
///
/// let text = version("0.1.0", &["push"], &[Library { name: "NVML".into(), found: Err("not installed".into()) }]);
/// assert!(text.starts_with("0.1.0\ncommit "));
/// assert!(text.ends_with("features: push\nNVML: none (not installed)"));
/// ```
#[must_use]
pub fn version(number: &str, features: &[&str], libraries: &[Library]) -> String {
    let commit = option_env!("LAYERJOULE_BUILD_COMMIT").unwrap_or("not recorded");
    let features = if features.is_empty() { "default".to_owned() } else { features.join(", ") };
    let mut text = format!(
        "{number}\ncommit {commit}, {} build for {}\nfeatures: {features}",
        env!("LAYERJOULE_BUILD_PROFILE"),
        env!("LAYERJOULE_BUILD_TARGET")
    );
    for library in libraries {
        // Writing to a string cannot fail.
        let _ = match &library.found {
            Ok(found) => write!(text, "\n{}: {found}", library.name),
            Err(why) => write!(text, "\n{}: none ({why})", library.name),
        };
    }
    text
}
