//! The commands that every program has.

use super::completions::{Shell, completions};
use super::config::{Configuration, Origin, Setting};
use super::describe::describe;
use super::man::write_man_pages;
use super::parse::find_command;
use clap::{Command, Subcommand};
use serde_json::json;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::PathBuf;

/// The commands that every program has.
#[derive(Debug, Subcommand)]
pub enum FrontCommand {
    /// Print this help, or that of a command; with --json the whole command line as data.
    Help {
        /// The command, one word after the other.
        command: Vec<String>,
        /// Commands, options, their defaults and values as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the script with which a shell completes this program's commands and options.
    #[command(after_help = "bash: … completions bash > ~/.local/share/bash-completion/completions/PROGRAM\n\
                            zsh:  … completions zsh > a folder of $fpath, as _PROGRAM\n\
                            fish: … completions fish > ~/.config/fish/completions/PROGRAM.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write man pages, one for each command, into a folder.
    Man {
        /// The folder, such as ~/.local/share/man/man1.
        folder: PathBuf,
    },
    /// Show what configuration files and the environment set.
    Config {
        /// What to show.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What `config` does.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every option that is set, as it stands without flags: built-in defaults, files, environment.
    Show {
        /// Only options of this command, one word after the other.
        command: Vec<String>,
        /// Say of each option where its value comes from.
        #[arg(long)]
        origin: bool,
        /// As JSON, with origins and with options that nothing sets.
        #[arg(long)]
        json: bool,
    },
    /// Print where the configuration file is looked for.
    Path,
}

/// Where a program's configuration is looked for: the file that the variable `PROGRAM_SETTINGS` names, else
/// `$XDG_CONFIG_HOME/layerjoule/PROGRAM.toml`, else `~/.config/layerjoule/PROGRAM.toml`. A file in the working folder is not
/// read: options can name libraries to load, and a downloaded folder must not choose them. An empty variable switches
/// configuration off.
#[must_use]
pub fn configuration_files(program: &str) -> Vec<PathBuf> {
    let variable = format!("{}_SETTINGS", program.to_uppercase().replace('-', "_"));
    if let Some(path) = std::env::var_os(variable) {
        return if path.is_empty() { Vec::new() } else { vec![path.into()] };
    }
    let folder = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    config.into_iter().map(|config| config.join("layerjoule").join(format!("{program}.toml"))).collect()
}

impl FrontCommand {
    /// Runs the command. `command` is the program's, `files` where its configuration is looked for.
    ///
    /// # Errors
    /// When a command is not known or a folder cannot be written.
    pub fn run(
        self,
        command: &Command,
        configuration: &Configuration,
        files: &[PathBuf],
        printer: &Printer,
    ) -> Result<(), Failure> {
        match self {
            Self::Help { command: words, json } => help(command, &words, json, printer),
            Self::Completions { shell } => printer.data(&completions(&mut command.clone(), shell)),
            Self::Man { folder } => {
                let written = write_man_pages(command, &folder)?;
                printer.say(format!("wrote {} man pages into {}", written.len(), folder.display()));
                Ok(())
            }
            Self::Config { command: ConfigCommand::Path } => {
                files.iter().try_for_each(|path| printer.data(&format!("{}\n", path.display())))
            }
            Self::Config { command: ConfigCommand::Show { command: words, origin, json } } => {
                let mut built = command.clone();
                built.build();
                find_command(&built, &words)?;
                let of = words.join(" ");
                let mut settings = configuration.settings(command);
                settings.retain(|setting| {
                    of.is_empty() || setting.command == of || setting.command.starts_with(&format!("{of} "))
                });
                printer.data(&if json { as_json(&settings)? } else { as_text(&settings, origin) })
            }
        }
    }
}

fn help(command: &Command, words: &[String], json: bool, printer: &Printer) -> Result<(), Failure> {
    let mut built = command.clone();
    built.build();
    let found = find_command(&built, words)?;
    if json {
        let text = serde_json::to_string_pretty(&describe(found)).map_err(|e| Failure::from_error(Kind::Data, e))?;
        return printer.data(&(text + "\n"));
    }
    printer.data(&found.clone().render_long_help().to_string())
}

fn origin_text(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".into(),
        Origin::File(path) => path.display().to_string(),
        Origin::Environment(name) => format!("${name}"),
        Origin::Unset => "not set".into(),
    }
}

fn as_text(settings: &[Setting], origin: bool) -> String {
    let mut text = String::new();
    let mut section = None;
    for setting in settings.iter().filter(|setting| setting.origin != Origin::Unset) {
        if section != Some(&setting.command) {
            if section.is_some() {
                text.push('\n');
            }
            if !setting.command.is_empty() {
                text += &format!("[{}]\n", setting.command.replace(' ', "."));
            }
            section = Some(&setting.command);
        }
        let quoted: Vec<String> = setting.values.iter().map(|value| quoted(value)).collect();
        let value = if let [one] = quoted.as_slice() { one.clone() } else { format!("[{}]", quoted.join(", ")) };
        let line = format!("{} = {value}", setting.option);
        text += &if origin { format!("{line:<48} # {}\n", origin_text(&setting.origin)) } else { line + "\n" };
    }
    text
}

/// A value as TOML has it, so that what is shown can be put into a file.
fn quoted(value: &str) -> String {
    match value {
        "true" | "false" => value.to_owned(),
        number if number.parse::<i64>().is_ok_and(|n| n.to_string() == number) => number.to_owned(),
        text => toml::Value::String(text.to_owned()).to_string(),
    }
}

fn as_json(settings: &[Setting]) -> Result<String, Failure> {
    let list: Vec<_> = settings
        .iter()
        .map(|setting| {
            json!({
                "command": setting.command,
                "option": setting.option,
                "values": setting.values,
                "origin": match setting.origin {
                    Origin::Default => "default",
                    Origin::File(_) => "file",
                    Origin::Environment(_) => "environment",
                    Origin::Unset => "unset",
                },
                "from": match &setting.origin {
                    Origin::File(path) => Some(path.display().to_string()),
                    Origin::Environment(name) => Some(name.clone()),
                    _ => None,
                },
            })
        })
        .collect();
    serde_json::to_string_pretty(&list).map(|text| text + "\n").map_err(|e| Failure::from_error(Kind::Data, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_file_again() {
        let setting = |command: &str, option: &str, values: &[&str]| Setting {
            command: command.into(),
            option: option.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            origin: Origin::Default,
        };
        let settings = [
            setting("", "quiet", &["true"]),
            setting("models promote", "store", &["a \"b\""]),
            setting("models promote", "top", &["3"]),
            setting("models promote", "rate", &["010"]),
            setting("models promote", "models", &["x", "y"]),
        ];
        let table: toml::Table = as_text(&settings, true).parse().expect("TOML");
        assert_eq!(table["quiet"].as_bool(), Some(true));
        let promote = &table["models"]["promote"];
        assert_eq!((promote["store"].as_str(), promote["top"].as_integer()), (Some("a \"b\""), Some(3)));
        assert_eq!((promote["rate"].as_str(), promote["models"].as_array().map(Vec::len)), (Some("010"), Some(2)));
    }
}
