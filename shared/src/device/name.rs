//! The name of a device: `board@mode`.

use crate::near::near;
use std::fmt;
use std::str::FromStr;

/// The character between board and mode. It stands in names of folders and objects as it is: every file system and object
/// store takes it.
const AT: char = '@';

/// The name of a device: a board, and the power mode that it is in where that is known.
///
/// ```
/// use shared::device::DeviceName;
///
/// let name: DeviceName = "orin-nano@15W".parse()?;
/// assert_eq!((name.board(), name.mode()), ("orin-nano", Some("15W")));
/// assert_eq!(name.to_string(), "orin-nano@15W");
/// assert_eq!("desktop-gpu".parse::<DeviceName>()?.mode(), None, "a mode that nobody recorded is unknown");
/// assert!("a/b".parse::<DeviceName>().is_err() && "a@b@c".parse::<DeviceName>().is_err());
/// # Ok::<(), shared::device::DeviceNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName {
    board: String,
    mode: Option<String>,
}

/// A text that cannot name a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name for a device")]
pub struct DeviceNameError(String);

impl DeviceName {
    /// A board in a mode. Characters that a name cannot have become `-`; none where nothing is left of the board.
    ///
    /// ```
    /// use shared::device::DeviceName;
    ///
    /// let name = DeviceName::cleaned("Jetson (X) Kit", Some("MAXN SUPER")).expect("a name");
    /// assert_eq!(name.to_string(), "Jetson -X- Kit@MAXN SUPER");
    /// assert_eq!(DeviceName::cleaned("...", None), None);
    /// ```
    #[must_use]
    pub fn cleaned(board: &str, mode: Option<&str>) -> Option<Self> {
        let clean = |text: &str, most: usize| {
            let text: String = text.trim().chars().map(|c| if is_plain(c) { c } else { '-' }).take(most).collect();
            Some(text.trim_start_matches('.').trim_end().to_owned()).filter(|text| !text.is_empty())
        };
        let board = clean(board, MOST_BYTES - MOST_MODE_BYTES - 1)?;
        Some(Self { board, mode: mode.and_then(|mode| clean(mode, MOST_MODE_BYTES)) })
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> &str {
        &self.board
    }

    /// The power mode; none where it is unknown.
    #[must_use]
    pub fn mode(&self) -> Option<&str> {
        self.mode.as_deref()
    }
}

/// Longest name, in bytes.
const MOST_BYTES: usize = 100;
/// Longest mode of a name that is made from foreign text, in bytes.
const MOST_MODE_BYTES: usize = 40;

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ')
}

impl FromStr for DeviceName {
    type Err = DeviceNameError;

    fn from_str(text: &str) -> Result<Self, DeviceNameError> {
        let (board, mode) = match text.split_once(AT) {
            Some((board, mode)) => (board, Some(mode)),
            None => (text, None),
        };
        let sound = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain);
        if text.len() > MOST_BYTES || !sound(board) || !mode.is_none_or(sound) {
            return Err(DeviceNameError(text.chars().filter(|c| !c.is_control()).take(MOST_BYTES).collect()));
        }
        Ok(Self { board: board.to_owned(), mode: mode.map(str::to_owned) })
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.board)?;
        self.mode.as_ref().map_or(Ok(()), |mode| write!(f, "{AT}{mode}"))
    }
}

/// What to say to someone who asked for a device that is not among the known ones: the modes of its board where that is
/// known, else near names.
///
/// ```
/// use shared::device::nearest_devices;
///
/// let known = ["orin-nano@15W", "orin-nano@25W", "tx2"];
/// assert_eq!(nearest_devices("orin-nano", &known), "; name the power mode: orin-nano@15W, orin-nano@25W");
/// assert_eq!(nearest_devices("orin-nano@7W", &known), "; known of orin-nano are orin-nano@15W, orin-nano@25W");
/// assert_eq!(nearest_devices("orin-nanno@15W", &known), "; did you mean `orin-nano@15W`?");
/// ```
#[must_use]
pub fn nearest_devices(wanted: &str, known: &[&str]) -> String {
    let board_of = |name: &str| name.split_once(AT).map_or(name, |(board, _)| board).to_ascii_lowercase();
    let of_board: Vec<&str> = known.iter().copied().filter(|name| board_of(name) == board_of(wanted)).collect();
    let same = of_board.iter().find(|name| name.eq_ignore_ascii_case(wanted));
    match (same, of_board.is_empty()) {
        (Some(same), _) => format!("; did you mean `{same}`?"),
        (None, true) => near(wanted, known),
        (None, false) if wanted.contains(AT) => {
            format!("; known of {} are {}", board_of(wanted), of_board.join(", "))
        }
        (None, false) => format!("; name the power mode: {}", of_board.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cleaned_name_is_a_name(board in "\\PC{0,200}", mode in proptest::option::of("\\PC{0,200}")) {
            if let Some(name) = DeviceName::cleaned(&board, mode.as_deref()) {
                prop_assert_eq!(name.to_string().parse::<DeviceName>(), Ok(name));
            }
        }

        #[test]
        fn a_name_survives_its_text(text in "[A-Za-z0-9@. -]{1,12}") {
            if let Ok(name) = text.parse::<DeviceName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }

    #[test]
    fn names_that_climb_or_end_are_refused() {
        for text in ["", "@", "a@", "@a", ".a", "a@.b", "a/b", "a\\b", "a:b", "a@b@c", "ä", "a\nb", &"a".repeat(101)] {
            assert!(text.parse::<DeviceName>().is_err(), "{text}");
        }
    }
}
