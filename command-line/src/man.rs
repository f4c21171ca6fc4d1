//! Man pages.

use clap::Command;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::path::{Path, PathBuf};

/// A man page for a command and one for each command below it that help shows: (file name, page).
///
/// # Errors
/// When a page cannot be written to memory: a fault of the program.
///
/// ```
/// let command = clap::Command::new("tool").about("Does it").subcommand(clap::Command::new("measure").about("Measures"));
/// let pages = command_line::man_pages(&command).unwrap();
/// assert_eq!(pages.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["tool.1", "tool-measure.1"]);
/// assert!(String::from_utf8_lossy(&pages[1].1).contains(".SH SYNOPSIS"));
/// ```
pub fn man_pages(command: &Command) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut built = command.clone();
    built.build();
    let mut pages = Vec::new();
    add(&built, None, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, parent: Option<&str>, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let name =
        parent.map_or_else(|| command.get_name().to_owned(), |parent| format!("{parent}-{}", command.get_name()));
    let page = clap_mangen::Man::new(command.clone()).title(name.to_uppercase());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|e| Failure::from_error(Kind::Io, e))?;
    pages.push((format!("{name}.1"), text));
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below.into_iter().try_for_each(|below| add(below, Some(&name), pages))
}

/// Writes the man pages of a command into a folder; where they are.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_man_pages(command: &Command, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut written = Vec::new();
    for (name, page) in man_pages(command)? {
        let path = folder.join(name);
        write_atomic(&path, &page)?;
        written.push(path);
    }
    Ok(written)
}
