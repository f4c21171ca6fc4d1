//! The help of every command.

use crate::session::{program, settings};
use clap::CommandFactory;
use host_trainer::cli::Cli;

/// Every command with its words, the program itself first.
fn commands(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
    found.push(words.to_vec());
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        commands(below, &[words, &[below.get_name().to_owned()]].concat(), found);
    }
}

#[test]
fn every_command_explains_itself() {
    let mut found = Vec::new();
    commands(&Cli::command(), &[], &mut found);
    assert!(found.len() > 30, "{found:?}");
    for words in found {
        let output = program().args(&words).arg("--help").output().expect("the program runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        let name = [&["help".to_owned()], words.as_slice()].concat().join("-");
        settings().bind(|| insta::assert_snapshot!(name, text));
    }
}
