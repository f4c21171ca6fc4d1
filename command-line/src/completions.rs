//! Completions for shells.

use clap::{Command, ValueEnum};

/// The shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// The script with which a shell completes a command.
///
/// ```
/// use command_line::{Shell, completions};
///
/// let mut command = clap::Command::new("tool").subcommand(clap::Command::new("measure"));
/// let script = completions(&mut command, Shell::Bash);
/// assert!(script.contains("measure"));
/// ```
#[must_use]
pub fn completions(command: &mut Command, shell: Shell) -> String {
    let name = command.get_name().to_owned();
    command.build();
    let mut shown = visible(command);
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut shown, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The command without the commands that help does not show, which nobody should be offered.
fn visible(command: &Command) -> Command {
    // clap keeps static texts; one script is made in a process that ends with it.
    let kept = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    // The flags for help and version come again by themselves.
    let own = command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"));
    let mut shown = Command::new(kept(command.get_name()))
        .disable_help_subcommand(true)
        .args(own.cloned())
        .groups(command.get_groups().cloned())
        .subcommands(command.get_subcommands().filter(|below| !below.is_hide_set()).map(visible));
    if let Some(version) = command.get_version() {
        shown = shown.version(kept(version));
    }
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    shown
}
