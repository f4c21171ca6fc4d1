//! Parsing a program's command line.

use super::config::Configuration;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error, FromArgMatches};
use shared::failure::Failure;
use shared::near::near;
use std::ffi::OsString;
use std::path::PathBuf;

/// A parsed command line.
#[derive(Debug)]
pub struct Parsed<C> {
    /// The program's own type.
    pub cli: C,
    /// The command as it was parsed, configuration included.
    pub command: Command,
    /// What files set.
    pub configuration: Configuration,
}

/// Parses this process's arguments. `long_version` is asked only for `--version`, since it looks for libraries. Help, versions and
/// wrong arguments end the process, as clap does it.
///
/// # Errors
/// When a configuration file is wrong.
pub fn parse<C: CommandFactory + FromArgMatches>(
    files: &[PathBuf],
    long_version: impl FnOnce() -> String,
) -> Result<Parsed<C>, Failure> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let options = || arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let mut command = C::command();
    if options().any(|argument| argument == "--version") {
        // clap keeps static texts; one leak in a process that ends with it.
        command = command.long_version(&*Box::leak(long_version().into_boxed_str()));
    }
    let configuration = Configuration::read(&command, files)?;
    let command = configuration.apply(command);
    let matches = command.clone().try_get_matches_from(&arguments);
    let matches = matches.unwrap_or_else(|e| with_options(e, &command, &arguments).exit());
    let cli = C::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    Ok(Parsed { cli, command, configuration })
}

/// An error of parsing which says, where a file was named without an option, by which options the command takes files.
fn with_options(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return error };
    let is_value = error.kind() == ErrorKind::UnknownArgument && !wrong.starts_with('-');
    if !is_value || error.get(ContextKind::Suggested).is_some() {
        return error;
    }
    let words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    let command = words.fold(command, |command, word| command.find_subcommand(word).unwrap_or(command));
    // What a command works on may be many files; its other options name one.
    let inputs = command.get_opts().filter(|option| option.get_num_args().is_some_and(|count| count.max_values() > 1));
    let names: Vec<String> = inputs.map(|option| format!("'{}'", option.to_string().trim_end_matches("..."))).collect();
    if !names.is_empty() {
        let tip = format!("name what to read by {}", names.join(" or "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The command below a command that some words name.
///
/// # Errors
/// When there is none, with a near name.
pub fn find_command<'a>(command: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    let mut found = command;
    for word in words {
        found = found.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> =
                found.get_subcommands().filter(|below| !below.is_hide_set()).map(Command::get_name).collect();
            Failure::usage(format!("`{}` has no command `{word}`{}", found.get_name(), near(word, &known)))
        })?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn a_file_without_its_option_is_refused_with_the_option() {
        let engine = Arg::new("engine").long("engine").value_name("FILE").num_args(1..);
        let predict = Command::new("predict").arg(engine).arg(Arg::new("models").long("models"));
        let command = Command::new("tool").subcommand(predict);
        let told = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let error = command.clone().try_get_matches_from(&arguments).expect_err("refused");
            with_options(error, &command, &arguments).to_string()
        };
        assert!(told("tool predict a.json").contains("name what to read by '--engine <FILE>'\n"));
        assert!(!told("tool predict --engines a.json").contains("name what"));
    }

    #[test]
    fn commands_are_found_by_their_words() {
        let command = Command::new("tool").subcommand(Command::new("models").subcommand(Command::new("promote")));
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(find_command(&command, &words("models promote")).expect("found").get_name(), "promote");
        let failure = find_command(&command, &words("models promte")).expect_err("unknown");
        assert_eq!(failure.message, "`models` has no command `promte`; did you mean `promote`?");
    }
}
