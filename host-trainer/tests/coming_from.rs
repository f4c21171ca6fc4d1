//! Each row of docs/coming-from.md: options by the program's help, keys of `batch.toml` by the program's own list of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/coming-from.md")).expect("the page")
}

/// Text in backticks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Everything that a command's help names.
fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_host-trainer")).args(command).arg("--help").output().expect("runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The keys of a section of a configuration, as the program lists them where it is given one that it does not know.
fn keys(section: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("folder");
    let begin = "[datasets.d]\nkind = \"layers\"\npath = \"x\"\n[models.a.b]\nkind = \"physics\"\n";
    let text = match section {
        "datasets" => "[datasets.d]\nkind = \"layers\"\npath = \"x\"\n\"0\" = 1\n[models.a.b]\n".to_owned(),
        "training" => format!("{begin}[training.t]\n\"0\" = 1\n"),
        "tasks" => format!("{begin}[[tasks]]\n\"0\" = 1\n"),
        other => panic!("no section {other}"),
    };
    fs::write(folder.path().join("batch.toml"), text).expect("file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    let output = command.current_dir(folder.path()).args(["batch", "generate"]).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let known: BTreeSet<String> = code(&said).into_iter().map(str::to_owned).collect();
    assert!(known.len() > 4, "{said}");
    known
}

#[test]
fn every_row_holds() {
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut rows, mut checked) = (0, 0);
    for line in page().lines().filter(|line| line.starts_with("| ") && !line.starts_with("| there")) {
        // A bar in a code span is written with a backslash.
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [there, here] = cells.as_slice() else { panic!("a row of two cells: {line}") };
        assert!(!there.is_empty() && !here.is_empty(), "{line}");
        rows += 1;
        for span in code(here) {
            if let Some(command) = span.strip_prefix("host-trainer ") {
                let (words, options): (Vec<&str>, Vec<&str>) =
                    command.split(' ').partition(|word| !word.starts_with('-'));
                let key: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                let help = helps.entry(key).or_insert_with(|| help(&words));
                for option in options {
                    let known = help.split([' ', '\n', ',', ']', '=', '[']).any(|word| word == option);
                    assert!(known, "{words:?} has no {option}: {line}");
                }
                checked += 1;
            } else if let Some(place) = span.strip_prefix("batch.toml: ") {
                let mut words = place.split(' ');
                let section = words.next().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                checked += 1;
                if section == "models" {
                    assert_eq!(words.next(), None, "models have a plan's options: {line}");
                    continue;
                }
                let known = sections.entry(section.clone()).or_insert_with(|| keys(&section));
                for key in words {
                    assert!(known.contains(key), "{section} has no `{key}`: {known:?}: {line}");
                }
            }
        }
    }
    assert!(rows >= 60 && checked >= 50, "{rows} rows, {checked} checked");
}

#[test]
fn aliases_of_netrain_s_options_work() {
    let folder = tempfile::tempdir().expect("folder");
    let output = Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .current_dir(folder.path())
        .args([
            "batch",
            "generate",
            "--models",
            "a.b=10, c.d=45",
            "--gpu",
            "--array=200",
            "--desc",
            "Initial training test",
        ])
        .args(["--epoch_samples=10000", "--nb_epoch=1000", "--intelligent"])
        .output()
        .expect("runs");
    // Every option is known; only the configuration is not there.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("batch.toml"), "{said}");
}
