//! What the command lines of both programs have in common: shell completions, man pages, help as JSON, a version that says what
//! it was built from, configuration files, durations, and exit codes. It works on any [`clap::Command`] and knows no command by name.

mod completions;
mod config;
mod describe;
mod duration;
mod exit;
mod front;
mod man;
mod parse;
mod version;

pub use completions::{Shell, completions};
pub use config::{Configuration, Origin, Setting};
pub use describe::describe;
pub use duration::duration;
pub use exit::exit;
pub use front::{ConfigCommand, FrontCommand, configuration_files};
pub use man::{man_pages, write_man_pages};
pub use parse::{Parsed, find_command, parse};
pub use version::{Library, version};
