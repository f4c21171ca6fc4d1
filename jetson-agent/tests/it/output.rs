//! The help of every command and what commands write for people, held in snapshots.
//! `INSTA_UPDATE=always cargo test -p jetson-agent --test it output` writes them again.

use crate::support::{agent, orin_nano, write_load};
use std::path::Path;
use std::process::{Command, Stdio};

/// The agent without a terminal.
fn plain(folder: &Path) -> Command {
    let mut command = agent(folder);
    command.env("COLUMNS", "100").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Settings of every snapshot: figures of this machine and this run are replaced.
fn settings(folder: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(&folder.display().to_string().replace('.', r"\."), "[folder]");
    settings.add_filter(&env!("CARGO_PKG_VERSION").replace('.', r"\."), "[version]");
    settings
}

fn check(name: &str, folder: &Path, command: &mut Command, filters: &[(&str, &str)]) {
    let output = command.output().expect("the agent runs");
    let mut transcript = String::new();
    for (stream, content) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !content.is_empty() {
            transcript += &format!("--- {stream}\n{}\n", String::from_utf8_lossy(content).trim_end());
        }
    }
    transcript += &format!("--- exit code {}\n", output.status.code().expect("it ended by itself"));
    let mut settings = settings(folder);
    for (pattern, replacement) in filters {
        settings.add_filter(pattern, *replacement);
    }
    settings.bind(|| insta::assert_snapshot!(name, transcript));
}

/// Options and commands differ with the features that are compiled in; these are the default ones.
#[cfg(not(any(feature = "push", feature = "tensorrt")))]
#[test]
fn every_command_explains_itself() {
    use clap::CommandFactory;

    let folder = tempfile::tempdir().expect("temporary folder");
    let cli = jetson_agent::cli::Cli::command();
    let visible = cli.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    let names: Vec<&str> = visible.map(clap::Command::get_name).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in [""].iter().chain(&names) {
        let mut command = plain(folder.path());
        // The imitated board is no option that help shows, but its value would show.
        command.env_remove("JETSON_AGENT_ROOT").args(name.split_whitespace()).arg("--help");
        let output = command.output().expect("the agent runs");
        assert!(output.status.success(), "{name}");
        let text = String::from_utf8(output.stdout).expect("text");
        let snapshot = format!("help{}{name}", if name.is_empty() { "" } else { "-" });
        settings(folder.path()).bind(|| insta::assert_snapshot!(snapshot, text));
    }
}

#[cfg(feature = "push")]
#[test]
fn push_explains_itself() {
    let folder = tempfile::tempdir().expect("temporary folder");
    check("help-push", folder.path(), plain(folder.path()).args(["push", "--help"]), &[]);
}

#[test]
fn a_run_in_virtual_time_from_profile_to_recover() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let here = folder.path();
    write_load(here);
    let steps: [(&str, &[&str]); 6] = [
        (
            "profile",
            &[
                "profile",
                "--runner",
                "simulated",
                "--simulate-fast",
                "--simulate-load",
                "load.json",
                "--name",
                "tiny",
                "--runs",
                "200",
                "--profiled",
                "50",
                "--idle",
                "1s",
            ],
        ),
        (
            "profile-again",
            &["profile", "--runner", "simulated", "--simulate-fast", "--simulate-load", "load.json", "--name", "tiny"],
        ),
        ("info", &["info", "raw_data/tiny"]),
        ("verify", &["verify", "raw_data/tiny"]),
        ("recover", &["recover", "raw_data/tiny"]),
        ("verify-nowhere", &["verify", "nowhere"]),
    ];
    for (name, arguments) in steps {
        check(name, here, plain(here).args(arguments), &[]);
    }
}

#[test]
fn a_board_is_described_and_mistakes_are_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let here = folder.path();
    let board = here.join("board");
    orin_nano(&board);
    let on_board = |arguments: &[&str]| {
        let mut command = plain(here);
        command.env("JETSON_AGENT_ROOT", &board).args(arguments);
        command
    };
    check("rails", here, &mut on_board(&["rails", "--duration", "50ms"]), &[(r"read \d+ times", "read [rate] times")]);
    check("rails-nowhere", here, plain(here).arg("rails"), &[]);
    let steps: [(&str, &[&str]); 7] = [
        ("mistake-command", &["profil"]),
        ("mistake-nothing-to-run", &["profile"]),
        ("mistake-duration", &["idle", "--duration", "5days"]),
        ("mistake-rate", &["idle", "--rate", "fast"]),
        ("mistake-source", &["idle", "--source", "hwmom"]),
        ("mistake-shape", &["profile", "--shape", "x:1x-3"]),
        ("mistake-plan", &["experiment", "nowhere.toml"]),
    ];
    for (name, arguments) in steps {
        check(name, here, plain(here).args(arguments), &[]);
    }
}
