//! Names that a snapshot may hold.

use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization;

/// Folders are followed so deep.
pub(crate) const DEPTH: usize = 64;

/// Checks the name of a file or folder.
///
/// # Errors
/// What is wrong with it, as words that follow the name.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        "." | ".." => Err("would climb out of its folder"),
        _ if name.len() > 255 => Err("is longer than 255 bytes"),
        _ if name.contains('/') => Err("holds a slash"),
        _ if name.contains('\\') => Err("holds a backslash, which other systems take for a folder"),
        _ if name.chars().any(char::is_control) => Err("holds a control character"),
        _ => Ok(()),
    }
}

/// What a name looks like to a file system that tells neither upper from lower case nor one Unicode spelling of a letter
/// from another.
#[must_use]
pub fn fold(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { name.nfc().flat_map(char::to_lowercase).nfc().collect() }
}

/// The first of some names, all different, that some file system takes for another of them.
pub(crate) fn clash<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if names.clone().all(plain) {
        return None;
    }
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(fold(name)))
}

/// Checks where a symbolic link leads. `depth` is the number of folders it lies in. It may climb only at its beginning, and
/// no further than the root; since every link keeps to that, none leads out by way of another.
///
/// # Errors
/// What is wrong with it, as words that follow the target.
pub fn check_link(target: &str, depth: usize) -> Result<(), &'static str> {
    if target.is_empty() || target.len() > 4096 {
        return Err("is no target of a link");
    }
    if target.starts_with('/') {
        return Err("leads out of the folder");
    }
    let parts: Vec<&str> = target.split('/').collect();
    let climbs = parts.iter().take_while(|part| **part == "..").count();
    if climbs > depth {
        return Err("leads out of the folder");
    }
    for part in &parts[climbs..] {
        if *part == ".." {
            return Err("climbs after it has gone down, which can lead out of the folder");
        }
        check_name(part)?;
    }
    Ok(())
}

/// Checks the name of a branch or tag.
///
/// # Errors
/// What is wrong with it, as words that follow the name.
pub fn check_ref(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        return Err("is no name: 1 to 100 letters, digits, `.`, `_` and `-`");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("is no name: it begins with neither a letter nor a digit");
    }
    if name == "HEAD" {
        return Err("is what the snapshot under the folder is called");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_hide_or_drive_a_terminal_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\b", "a\nb", "\u{1b}[2J", "\u{7f}"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "...", ".hidden", "ü", "a b", "a:b"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_clash_by_case_and_by_normalisation() {
        assert_eq!(fold("Straße.CSV"), fold("straße.csv"));
        assert_eq!(fold("u\u{308}"), fold("\u{dc}"));
        assert_ne!(fold("a"), fold("b"));
    }

    #[test]
    fn a_link_stays_inside() {
        assert!(check_link("../b/c", 1).is_ok());
        assert!(check_link("b", 0).is_ok());
        for (target, depth) in
            [("/etc", 3), ("../b", 0), ("../../b", 1), ("a/../../b", 5), ("a//b", 0), ("", 1), ("a\n", 0)]
        {
            assert!(check_link(target, depth).is_err(), "{target:?}");
        }
    }

    #[test]
    fn branches_have_plain_names() {
        assert!(check_ref("orin-nano_2.1").is_ok());
        for name in ["", "a/b", "..", "-x", "HEAD", "a b"] {
            assert!(check_ref(name).is_err(), "{name:?}");
        }
    }
}
