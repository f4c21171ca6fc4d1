//! A command line as data.

use clap::{Arg, ArgAction, Command};
use serde_json::{Value, json};

/// A command with its options, their defaults and values, and the commands below it. Hidden ones are left out, and options of
/// every command stand only at the top.
///
/// ```
/// use clap::{Arg, Command};
///
/// let command = Command::new("tool").arg(Arg::new("rate").long("rate").default_value("1000").help("Readings a second"));
/// let described = command_line::describe(&command);
/// assert_eq!(described["schema_version"], 1);
/// assert_eq!(described["options"][0]["flag"], "--rate");
/// assert_eq!(described["options"][0]["default"], serde_json::json!(["1000"]));
/// ```
#[must_use]
pub fn describe(command: &Command) -> Value {
    let mut built = command.clone();
    built.build();
    let mut described = one(&built, true);
    if let Value::Object(described) = &mut described {
        described.insert("schema_version".into(), json!(1));
        described.insert("version".into(), json!(command.get_version()));
    }
    described
}

fn one(command: &Command, top: bool) -> Value {
    let text = |text: Option<&clap::builder::StyledStr>| text.map(|text| text.to_string());
    let shown = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(shown)
        .filter(|arg| top || !arg.is_global_set())
        .partition(|arg| arg.is_positional());
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    json!({
        "name": command.get_name(),
        "aliases": command.get_visible_aliases().collect::<Vec<_>>(),
        "about": text(command.get_about()),
        "long_about": text(command.get_long_about()),
        "after_help": text(command.get_after_help()),
        "arguments": positionals.into_iter().map(argument).collect::<Vec<_>>(),
        "options": options.into_iter().map(argument).collect::<Vec<_>>(),
        "commands": below.map(|below| one(below, false)).collect::<Vec<_>>(),
    })
}

fn argument(arg: &Arg) -> Value {
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let values: Vec<Value> = arg
        .get_possible_values()
        .iter()
        .filter(|value| takes_value && !value.is_hide_set())
        .map(|value| json!({ "value": value.get_name(), "help": value.get_help().map(ToString::to_string) }))
        .collect();
    let lossy = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let default = arg.get_default_values().iter().map(|value| lossy(value)).collect::<Vec<_>>();
    json!({
        "id": arg.get_id().as_str(),
        "flag": arg.get_long().map(|long| format!("--{long}")),
        "short": arg.get_short().map(|short| format!("-{short}")),
        "help": arg.get_help().map(ToString::to_string),
        "long_help": arg.get_long_help().map(ToString::to_string),
        "takes_value": takes_value,
        "value_name": arg.get_value_names().filter(|_| takes_value).map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "required": arg.is_required_set(),
        "repeats": matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
            || arg.get_num_args().is_some_and(|range| range.max_values() > 1),
        "global": arg.is_global_set(),
        "default": if takes_value { default } else { Vec::new() },
        "environment": arg.get_env().map(lossy),
        "values": values,
    })
}
