//! Configuration files: defaults of options, for all commands or for one.
//!
//! ```toml
//! quiet = true             # an option of every command
//!
//! [predict]                # options of one command
//! device = "orin-nano@15W"
//!
//! [models.promote]         # of a command below a command
//! store = "s3://bucket/models"
//! ```
//!
//! A flag goes before the environment, the environment before a file, the nearer file before the other, and any file before the built-in
//! default. Unknown keys are refused with a near name.

use clap::{Arg, ArgAction, Command};
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use shared::near::near;
use std::path::{Path, PathBuf};
use toml::Value;

/// One option that a file sets.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// The commands that lead to it; empty for an option of every command.
    command: Vec<String>,
    /// The option's identifier in clap.
    id: String,
    values: Vec<String>,
    file: PathBuf,
}

/// What configuration files set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Configuration {
    entries: Vec<Entry>,
    /// The files that were read, the one that goes before the others last.
    pub files: Vec<PathBuf>,
}

/// Where an option's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// Nothing sets it.
    Unset,
}

/// An option as it stands without flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The command, words joined by blanks; empty for options of every command.
    pub command: String,
    /// The option's long name.
    pub option: String,
    /// Its values.
    pub values: Vec<String>,
    /// Where they come from.
    pub origin: Origin,
}

/// Options that a file does not set: they decide about the program itself, or about the files.
const NOT_SET: [&str; 3] = ["help", "version", "config"];

impl Configuration {
    /// Reads files in order of growing weight; those that are not there are passed over.
    ///
    /// # Errors
    /// When one cannot be read, is not TOML, or sets what the command does not have.
    pub fn read(command: &Command, files: &[PathBuf]) -> Result<Self, Failure> {
        let mut command = command.clone();
        command.build();
        let mut configuration = Self::default();
        for path in files.iter().filter(|path| path.is_file()) {
            let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
            let text = String::from_utf8(content).map_err(|e| Failure::from_error(Kind::Usage, e).at(path))?;
            let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
                let line = e.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                let failure = Failure::usage(e.message()).at(path);
                line.map_or_else(|| Failure::usage(e.message()).at(path), |line| failure.place(format!("line {line}")))
                    .caused_by(e)
            })?;
            configuration.add(&command, &mut Vec::new(), &table, path)?;
            configuration.files.push(path.clone());
        }
        Ok(configuration)
    }

    fn add(
        &mut self,
        command: &Command,
        words: &mut Vec<String>,
        table: &toml::Table,
        path: &Path,
    ) -> Result<(), Failure> {
        for (key, value) in table {
            let place = || [words.as_slice(), std::slice::from_ref(key)].concat().join(".");
            if let (Value::Table(below), Some(found)) = (value, command.find_subcommand(key)) {
                words.push(key.clone());
                self.add(found, words, below, path)?;
                words.pop();
                continue;
            }
            let settable = |arg: &&Arg| {
                arg.get_long().is_some()
                    && !arg.is_hide_set()
                    && !NOT_SET.contains(&arg.get_id().as_str())
                    && (words.is_empty() || !arg.is_global_set())
            };
            let named = |arg: &&Arg| arg.get_long().is_some_and(|long| long == key || long.replace('-', "_") == *key);
            let Some(arg) = command.get_arguments().filter(settable).find(named) else {
                let mut known: Vec<&str> = command.get_arguments().filter(settable).filter_map(Arg::get_long).collect();
                known.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).map(Command::get_name));
                let of = if words.is_empty() { "every command".to_owned() } else { format!("`{}`", words.join(" ")) };
                return Err(Failure::usage(format!("no option of {of} has this name{}", near(key, &known)))
                    .at(path)
                    .place(place()));
            };
            let values = match value {
                Value::Array(values) => values.iter().map(scalar).collect(),
                one => scalar(one).map(|one| vec![one]),
            };
            let values = values
                .ok_or_else(|| Failure::usage("is neither a value nor a list of values").at(path).place(place()))?;
            check(arg, &values).map_err(|why| Failure::usage(why).at(path).place(place()))?;
            self.entries.retain(|entry| entry.command != *words || entry.id != arg.get_id().as_str());
            self.entries.push(Entry {
                command: words.clone(),
                id: arg.get_id().to_string(),
                values,
                file: path.to_owned(),
            });
        }
        Ok(())
    }

    /// The command with what the files set in the place of its defaults.
    #[must_use]
    pub fn apply(&self, command: Command) -> Command {
        self.entries.iter().fold(command, |command, entry| set(command, &entry.command, entry))
    }

    /// Every option of a command as it stands: without hidden ones and positional arguments.
    #[must_use]
    pub fn settings(&self, command: &Command) -> Vec<Setting> {
        let mut built = command.clone();
        built.build();
        let mut settings = Vec::new();
        self.collect(&built, &mut Vec::new(), &mut settings);
        settings
    }

    fn collect(&self, command: &Command, words: &mut Vec<String>, settings: &mut Vec<Setting>) {
        let shown = |arg: &&Arg| {
            arg.get_long().is_some()
                && !arg.is_hide_set()
                && !NOT_SET.contains(&arg.get_id().as_str())
                && (words.is_empty() || !arg.is_global_set())
        };
        for arg in command.get_arguments().filter(shown) {
            let entry = self.entries.iter().find(|entry| entry.command == *words && entry.id == arg.get_id().as_str());
            let environment =
                arg.get_env().and_then(|name| Some((name.to_string_lossy().into_owned(), std::env::var_os(name)?)));
            let default: Vec<String> =
                arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
            let (values, origin) = match (environment, entry) {
                // A variable may hold a secret: that it is set is said, not what it holds.
                (Some((name, value)), _) if arg.is_hide_env_values_set() => {
                    (vec![if value.is_empty() { String::new() } else { "(set)".into() }], Origin::Environment(name))
                }
                (Some((name, value)), _) => (vec![value.to_string_lossy().into_owned()], Origin::Environment(name)),
                (None, Some(entry)) => (entry.values.clone(), Origin::File(entry.file.clone())),
                (None, None) if default.is_empty() => (Vec::new(), Origin::Unset),
                (None, None) => (default, Origin::Default),
            };
            let option = arg.get_long().unwrap_or_default().to_owned();
            settings.push(Setting { command: words.join(" "), option, values, origin });
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
            words.push(below.get_name().to_owned());
            self.collect(below, words, settings);
            words.pop();
        }
    }
}

/// A value as it would stand on the command line.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Whether an option takes these values, as far as its kind says; what they mean is checked when the command runs.
fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => match values {
            [one] if one == "true" || one == "false" => Ok(()),
            _ => Err("is a switch: true or false".into()),
        },
        ArgAction::Set | ArgAction::Append => {
            let several = matches!(arg.get_action(), ArgAction::Append)
                || arg.get_num_args().is_some_and(|range| range.max_values() > 1)
                || arg.get_value_delimiter().is_some();
            if values.len() != 1 && !several {
                return Err("takes one value".into());
            }
            let possible: Vec<_> = arg.get_possible_values();
            let names: Vec<&str> = possible.iter().map(clap::builder::PossibleValue::get_name).collect();
            match values
                .iter()
                .find(|value| !possible.is_empty() && !possible.iter().any(|one| one.matches(value, false)))
            {
                Some(wrong) => Err(format!("`{wrong}` is not one of its values{}", near(wrong, &names))),
                None => Ok(()),
            }
        }
        _ => Err("cannot be set in a file".into()),
    }
}

fn set(command: Command, words: &[String], entry: &Entry) -> Command {
    match words.split_first() {
        None => {
            // clap keeps static texts; files are read once in a process that ends with them.
            let values = entry.values.iter().map(|value| &*Box::leak(value.clone().into_boxed_str()));
            command.mut_arg(&entry.id, |arg| arg.default_values(values.collect::<Vec<&'static str>>()))
        }
        Some((word, rest)) => command.mut_subcommand(word, |below| set(below, rest, entry)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("tool")
            .arg(Arg::new("quiet").long("quiet").global(true).action(ArgAction::SetTrue))
            .subcommand(
                Command::new("predict")
                    .arg(Arg::new("device").long("device"))
                    .arg(Arg::new("top_layers").long("top-layers").default_value("10"))
                    .arg(Arg::new("kind").long("kind").value_parser(["physics", "hybrid"]).default_value("physics")),
            )
            .subcommand(Command::new("models").subcommand(Command::new("promote").arg(Arg::new("store").long("store"))))
    }

    fn read(texts: &[&str]) -> Result<Configuration, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let files: Vec<PathBuf> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let path = folder.path().join(format!("{index}.toml"));
                std::fs::write(&path, text).expect("writes");
                path
            })
            .collect();
        Configuration::read(&command(), &files)
    }

    #[test]
    fn files_set_defaults_and_flags_go_before_them() {
        let files = [
            "quiet = true\n[predict]\ndevice = \"a\"\ntop_layers = 3\n",
            "[predict]\ndevice = \"b\"\n[models.promote]\nstore = \"s\"\n",
        ];
        let configuration = read(&files).expect("reads");
        let command = configuration.apply(command());
        let matches = command.clone().try_get_matches_from(["tool", "predict"]).expect("parses");
        let (_, predict) = matches.subcommand().expect("a command");
        assert!(predict.get_flag("quiet"));
        assert_eq!(predict.get_one::<String>("device").map(String::as_str), Some("b"));
        assert_eq!(predict.get_one::<String>("top_layers").map(String::as_str), Some("3"));
        let matches = command.clone().try_get_matches_from(["tool", "predict", "--device", "c"]).expect("parses");
        assert_eq!(
            matches.subcommand().expect("a command").1.get_one::<String>("device").map(String::as_str),
            Some("c")
        );
        let matches = command.try_get_matches_from(["tool", "models", "promote"]).expect("parses");
        let (_, models) = matches.subcommand().expect("a command");
        assert_eq!(models.subcommand().expect("a command").1.get_one::<String>("store").map(String::as_str), Some("s"));
    }

    #[test]
    fn origins_are_told() {
        let configuration = read(&["[predict]\ndevice = \"a\"\n"]).expect("reads");
        let settings = configuration.settings(&command());
        let of = |option: &str| settings.iter().find(|s| s.option == option).expect("an option");
        assert!(matches!(&of("device").origin, Origin::File(path) if path.ends_with("0.toml")));
        assert_eq!(
            (of("top-layers").values.as_slice(), &of("top-layers").origin),
            (&["10".to_owned()][..], &Origin::Default)
        );
        assert_eq!((of("store").command.as_str(), &of("store").origin), ("models promote", &Origin::Unset));
    }

    #[test]
    fn what_is_not_an_option_is_refused_with_a_near_name() {
        for (text, says) in [
            (
                "[predict]\ndevise = 1",
                "0.toml: predict.devise: no option of `predict` has this name; did you mean `device`?",
            ),
            ("[predct]\n", "0.toml: predct: no option of every command has this name; did you mean `predict`?"),
            ("[predict]\nquiet = true", "predict.quiet: no option of `predict`"),
            ("quiet = 3", "quiet: is a switch: true or false"),
            ("[predict]\nkind = \"hybird\"", "predict.kind: `hybird` is not one of its values; did you mean `hybrid`?"),
            ("[predict]\ndevice = [1, 2]", "predict.device: takes one value"),
            ("[predict]\ndevice = 1979-05-27", "predict.device: is neither a value nor a list"),
            ("a = ", "0.toml: line 1: "),
        ] {
            let failure = read(&[text]).expect_err(text).to_string();
            assert!(failure.contains(says), "{text}: {failure}");
        }
    }
}
