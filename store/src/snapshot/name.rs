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
        "." => Err("stands for its own folder"),
        ".." => Err("would climb out of its folder"),
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

/// The target of a link without its empty steps: what is recorded of it. `.`, `//` and a `/` at the end lead nowhere; `name/..`
/// leads nowhere if `is_folder` says that `name`, a path from the link's folder, is a folder and not a link. A target that consists
/// of nothing else is `.`, the link's own folder. An absolute target stays as it is.
///
/// ```
/// use store::snapshot::plain_link;
///
/// assert_eq!(plain_link("./sub//f.txt", |_| false), "sub/f.txt");
/// assert_eq!(plain_link("sub/../f.txt", |name| name == "sub"), "f.txt");
/// assert_eq!(plain_link("link/../f.txt", |_| false), "link/../f.txt");
/// assert_eq!(plain_link("./", |_| false), ".");
/// ```
#[must_use]
pub fn plain_link(target: &str, is_folder: impl Fn(&str) -> bool) -> String {
    if target.is_empty() || target.starts_with('/') {
        return target.to_owned();
    }
    let mut steps: Vec<&str> = Vec::new();
    for step in target.split('/').filter(|step| !matches!(*step, "" | ".")) {
        let back = step == ".." && steps.last().is_some_and(|last| *last != "..") && is_folder(&steps.join("/"));
        if back {
            steps.pop();
        } else {
            steps.push(step);
        }
    }
    if steps.is_empty() { ".".to_owned() } else { steps.join("/") }
}

/// Checks where a symbolic link leads, as [`plain_link`] gives it. `depth` is the number of folders it lies in. It may climb only at its beginning, and
/// no further than the root; since every link keeps to that, none leads out by way of another.
///
/// # Errors
/// What is wrong with it, as words that follow the target.
pub fn check_link(target: &str, depth: usize) -> Result<(), &'static str> {
    if target.is_empty() || target.len() > 4096 {
        return Err("is no target of a link");
    }
    if target.starts_with('/') {
        return Err("is absolute and leads out of the folder on any other machine");
    }
    if target == "." {
        return Ok(());
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
    use proptest::prelude::*;

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
        assert!(check_link("b", 0).is_ok() && check_link(".", 0).is_ok());
        for (target, depth) in
            [("/etc", 3), ("../b", 0), ("../../b", 1), ("a/../../b", 5), ("a//b", 0), ("a/.", 0), ("", 1), ("a\n", 0)]
        {
            assert!(check_link(target, depth).is_err(), "{target:?}");
        }
    }

    #[test]
    fn empty_steps_of_a_link_are_no_reason_to_refuse_it() {
        let folders = |path: &str| matches!(path, "sub" | "sub/deep");
        for (target, plain) in [
            ("./f.txt", "f.txt"),
            ("sub/", "sub"),
            ("sub//.//g.txt", "sub/g.txt"),
            ("sub/deep/../../f.txt", "f.txt"),
            ("sub/..", "."),
            (".", "."),
        ] {
            assert_eq!(plain_link(target, folders), plain, "{target}");
            assert!(check_link(plain, 0).is_ok(), "{target}");
        }
        // What leads out leads out however it is spelt, and `..` behind a link may lead anywhere.
        for target in ["./../f.txt", "sub/../../f.txt", "/etc/", "other/../f.txt", "sub/other/../../f.txt"] {
            assert!(check_link(&plain_link(target, folders), 0).is_err(), "{target}");
        }
    }

    #[test]
    fn branches_have_plain_names() {
        assert!(check_ref("orin-nano_2.1").is_ok());
        for name in ["", "a/b", "..", "-x", "HEAD", "a b"] {
            assert!(check_ref(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_link_is_plain_and_leads_to_the_same_place(steps in prop::collection::vec("[ab.]{0,2}", 1..8)) {
            let target = steps.join("/");
            let plain = plain_link(&target, |_| true);
            prop_assert_eq!(plain_link(&plain, |_| true), plain.clone());
            let resolve = |target: &str| {
                let (mut climbs, mut names) = (0, Vec::new());
                for step in target.split('/') {
                    match step {
                        "" | "." => {}
                        ".." if names.pop().is_none() => climbs += 1,
                        ".." => {}
                        name => names.push(name.to_owned()),
                    }
                }
                (climbs, names)
            };
            prop_assume!(!target.is_empty() && !target.starts_with('/'));
            prop_assert_eq!(resolve(&target), resolve(&plain));
        }
    }
}
