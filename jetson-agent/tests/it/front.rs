//! Completions, man pages, versions, help as JSON and the configuration file.

use crate::support::{agent, code, json, run, stderr};
use std::path::Path;
use std::process::Command;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// Whether a program is on this machine.
fn is_there(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn text(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn shells_take_the_completions() {
    let home = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(agent(home.path()).args(["completions", shell]));
        for word in ["measure", "prometheus", "powercap"] {
            assert!(shell == "bash" && word == "powercap" || script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("restore-sensor"), "{shell}: hidden commands stay hidden");
        let path = home.path().join(shell);
        std::fs::write(&path, script).expect("writes");
        // A shell that is not installed here cannot judge; CI has bash.
        if is_there(shell) {
            let output = Command::new(shell).arg("-n").arg(&path).output().expect("the shell runs");
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(shell != "bash" || is_there("bash"), "bash is everywhere");
    }
    // What bash offers behind `jetson-agent wat`.
    let script = r#"source ./bash
        complete=$(complete -p jetson-agent | sed -E 's/.*-F ([^ ]+) .*/\1/')
        COMP_WORDS=(jetson-agent wat) COMP_CWORD=1
        $complete jetson-agent wat jetson-agent
        echo "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", script]).current_dir(home.path()).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "watch", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn man_pages_are_whole_and_render() {
    let home = folder();
    text(agent(home.path()).args(["man", "man1"]));
    let pages: Vec<String> = std::fs::read_dir(home.path().join("man1"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    for page in ["jetson-agent.1", "jetson-agent-measure.1", "jetson-agent-watch.1", "jetson-agent-config-show.1"] {
        assert!(pages.iter().any(|name| name == page), "{page}: {pages:?}");
    }
    assert!(!pages.iter().any(|name| name.contains("restore")));
    if is_there("man") {
        for page in &pages {
            let output = Command::new("man")
                .args(["--warnings=all", "-l"])
                .arg(home.path().join("man1").join(page))
                .env("MANWIDTH", "100")
                .env("LC_ALL", "C.UTF-8")
                .output()
                .expect("man runs");
            let shown = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && shown.contains("SYNOPSIS"),
                "{page}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn the_version_says_what_it_was_built_from_and_what_it_finds() {
    let home = folder();
    let long = text(agent(home.path()).arg("--version"));
    for part in [
        concat!("jetson-agent ", env!("CARGO_PKG_VERSION")),
        "\ncommit ",
        "\nfeatures: ",
        "\nTensorRT: ",
        "\nNVML: ",
        "\nONNX Runtime: ",
    ] {
        assert!(long.contains(part), "{part}: {long}");
    }
    assert_eq!(text(agent(home.path()).arg("-V")).trim(), concat!("jetson-agent ", env!("CARGO_PKG_VERSION")));
    // Behind `--` it is the command's.
    let output = run(agent(home.path()).args([
        "-q",
        "measure",
        "--source",
        "simulated",
        "--idle",
        "0",
        "-o",
        "out",
        "--",
        "printf",
        "%s",
        "--version",
    ]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--version");
}

#[test]
fn the_command_line_is_data() {
    let home = folder();
    let all = json(&run(agent(home.path()).args(["help", "--json"])));
    assert_eq!((all["schema_version"].as_u64(), all["name"].as_str()), (Some(1), Some("jetson-agent")));
    let commands = all["commands"].as_array().expect("commands");
    let watch = commands.iter().find(|command| command["name"] == "watch").expect("watch");
    let option = |flag: &str| {
        watch["options"].as_array().and_then(|o| o.iter().find(|o| o["flag"] == flag)).cloned().expect("an option")
    };
    assert_eq!(
        (option("--interval")["default"][0].as_str(), option("--interval")["takes_value"].as_bool()),
        (Some("1s"), Some(true))
    );
    assert_eq!(option("--sensor")["values"][1]["value"], "fast");
    assert!(!commands.iter().any(|command| command["name"] == "restore-sensor"));
    let one = json(&run(agent(home.path()).args(["help", "measure", "--json"])));
    assert_eq!(one["arguments"][0]["required"], true);
    let wrong = run(agent(home.path()).args(["help", "mesure"]));
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("did you mean `measure`?"), "{}", stderr(&wrong));
}

fn configured(folder: &Path, content: &str) -> Command {
    let path = folder.join("config/layerjoule/jetson-agent.toml");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    std::fs::write(&path, content).expect("writes");
    let mut agent = agent(folder);
    agent.env("XDG_CONFIG_HOME", folder.join("config"));
    agent
}

#[test]
fn a_file_sets_options_and_their_origin_is_shown() {
    let home = folder();
    let file = "format = \"json\"\n[rails]\nduration = \"20ms\"\n";
    let shown = text(configured(home.path(), file).args(["config", "show", "--origin"]));
    assert!(shown.contains("format = \"json\"") && shown.contains("jetson-agent.toml"), "{shown}");
    let settings = json(&run(configured(home.path(), file).args(["config", "show", "rails", "--json"])));
    let settings = settings.as_array().expect("settings");
    let origin = |option: &str| settings.iter().find(|s| s["option"] == option).map(|s| s["origin"].clone());
    assert_eq!(origin("duration"), Some("file".into()), "{settings:?}");
    assert_eq!(origin("source"), Some("default".into()), "{settings:?}");
    // It holds: the answer is JSON without a flag.
    assert_eq!(json(&run(configured(home.path(), file).arg("rails")))["schema_version"], 1);
    let flag = run(configured(home.path(), file).args(["rails", "--format", "human"]));
    assert!(!String::from_utf8_lossy(&flag.stdout).contains("schema_version"));
    let wrong = run(configured(home.path(), "[rails]\nduraton = \"1s\"\n").arg("rails"));
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("did you mean `duration`?"), "{}", stderr(&wrong));
    // The variable names another file, or none.
    let none = run(configured(home.path(), "wrong").env("JETSON_AGENT_SETTINGS", "").args(["config", "path"]));
    assert_eq!((code(&none), none.stdout.as_slice()), (0, &b""[..]));
    let path = text(configured(home.path(), "").args(["config", "path"]));
    assert!(path.trim().ends_with("config/layerjoule/jetson-agent.toml"), "{path}");
}
