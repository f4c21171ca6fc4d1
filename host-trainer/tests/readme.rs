//! Every command that the README and pages of `docs` show is run, in a folder that holds what a fresh clone holds and what the text assumes.

mod functions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Commands that are not run here: the tests themselves, and TensorRT's own tool, which no test machine has.
const NOT_RUN: [&str; 2] = ["cargo test --workspace", "trtexec "];

/// Pages whose pictures are what the commands before them print, to the character. Those of other pages have times of a run in them.
const EXACT: [&str; 3] = ["README.md", "docs/tutorial-budget.md", "docs/tutorial-board.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A command that a page shows.
#[derive(Debug, Default)]
struct Shown {
    /// What is typed, without its comment.
    command: String,
    /// The exit code that the comment names, as in `# exits with 1`.
    exit_code: i32,
    /// What the page says that it prints: the block of text right behind the block whose last command it is.
    picture: Option<String>,
}

/// The commands of a page's `sh` blocks, continued lines joined.
fn commands(page: &str) -> Vec<Shown> {
    let text = fs::read_to_string(root().join(page)).expect("the page").replace("\\\n", " ");
    let (mut commands, mut block, mut behind_commands) = (Vec::<Shown>::new(), None, false);
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some("text")) if behind_commands => {
                commands.last_mut().expect("a command before it").picture = Some(String::new());
                block = Some("picture");
            }
            (None, Some(kind)) => block = Some(kind),
            (Some(kind), Some(_)) => {
                behind_commands = kind == "sh";
                block = None;
            }
            (None, None) if !line.trim().is_empty() => behind_commands = false,
            (Some("sh"), None) if !line.trim().is_empty() && !line.trim_start().starts_with('#') => {
                let (command, comment) = line.split_once(" # ").unwrap_or((line, ""));
                let exit_code =
                    comment.trim().strip_prefix("exits with ").map_or(0, |code| code.parse().expect("a code"));
                commands.push(Shown { command: command.trim().to_owned(), exit_code, picture: None });
            }
            (Some("picture"), None) => {
                let last = commands.last_mut().and_then(|shown| shown.picture.as_mut()).expect("a picture");
                last.push_str(&format!("{line}\n"));
            }
            _ => {}
        }
    }
    commands
}

/// Writes the files that a page shows: blocks in TOML whose first line is their name, as in `# budgets.toml`.
fn write_files(page: &str, folder: &Path) {
    let text = fs::read_to_string(root().join(page)).expect("the page");
    for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# "));
        if let Some(name) = name.filter(|name| name.ends_with(".toml") && !name.contains([' ', '/'])) {
            fs::write(folder.join(name), block).expect("file");
        }
    }
}

/// The program a command names, as built for this test run, and its arguments.
fn resolve(command: &str) -> Option<(PathBuf, Vec<String>)> {
    let host = PathBuf::from(env!("CARGO_BIN_EXE_host-trainer"));
    // The agent belongs to another package; cargo builds it into the same folder.
    let agent = host.with_file_name("jetson-agent");
    for (prefix, program) in [
        ("cargo run --release -p host-trainer -- ", &host),
        ("host-trainer ", &host),
        ("cargo run --release -p jetson-agent -- ", &agent),
        ("jetson-agent ", &agent),
    ] {
        if let Some(arguments) = command.strip_prefix(prefix) {
            return Some((program.clone(), words(arguments)));
        }
    }
    None
}

/// Builds the agent where `cargo test` was asked for this package alone.
fn build_agent(program: &Path) {
    let folder = program.parent().expect("the folder of a profile");
    let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile");
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--package",
            "jetson-agent",
            "--profile",
            if profile == "debug" { "dev" } else { profile },
        ])
        .arg("--target-dir")
        .arg(folder.parent().expect("the target folder"))
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Words as a shell takes them: what stands in double quotes is one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in text.split('"').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// A training table of three networks, enough for one kind.
fn training_data(folder: &Path) {
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
    for (number, network) in ["one", "two", "three"].into_iter().enumerate() {
        for layer in 1..=8 {
            let (input, output) = (64 * layer * (number + 1), 32 * layer);
            text.push_str(&format!(
                "{network},1,{input},{output},5000000,{},d{layer}\n",
                0.01 + (input * output) as f64 * 1e-7
            ));
        }
    }
    fs::create_dir_all(folder).expect("folder");
    fs::write(folder.join("dense.csv"), text).expect("file");
}

/// Runs every command of a page, one after the other.
fn run_all(page: &str) {
    let temporary = tempfile::tempdir().expect("temporary folder");
    // Commands may name what lies beside the folder that they run in.
    let folder = temporary.path().join("work");
    for name in ["sample_data", "trained_models", "docs/ci"] {
        copy_tree(&root().join(name), &folder.join(name));
    }
    fs::copy(root().join("sample_data/resnet18_trt_engine_info.json"), folder.join("engine.json")).expect("copy");
    training_data(&folder.join("training_data"));
    training_data(&folder.join("held_out"));
    let tables = [
        ("measured.csv", "model,gpu_mhz,emc_mhz,runtime,power\na,1300.5,1866,10,12\na,650,1866,19,7\n"),
        ("wanted.csv", "model,gpu_mhz,emc_mhz\na,900,1866\n"),
        ("source.csv", "model,size,runtime\na,320,3\na,640,8\nb,320,2\nb,640,5\n"),
        ("target.csv", "model,size,runtime\na,640,12\n"),
    ];
    for (name, text) in tables {
        fs::write(folder.join(name), text).expect("file");
    }
    // As a board leaves them; no command looks into these.
    fs::create_dir_all(folder.join("raw_data/resnet18")).expect("folder");
    fs::write(folder.join("raw_data/resnet18/resnet18_power_log.log"), "20240101-00:00:00.000000,5000,1000\n")
        .expect("file");
    // `demo` looks for it beside the program.
    let agent = Path::new(env!("CARGO_BIN_EXE_host-trainer")).with_file_name("jetson-agent");
    if !agent.exists() {
        build_agent(&agent);
    }
    write_files(page, &folder);
    if page == "docs/batches.md" {
        functions::table(&folder.join("dbs/a.db"), 80);
    }
    let commands = commands(page);
    assert!(commands.len() >= 2, "{commands:?}");
    let exact = EXACT.contains(&page);
    assert!(!exact || commands.iter().any(|shown| shown.picture.is_some()), "{page} has no picture");
    for Shown { command, exit_code, picture } in commands {
        if NOT_RUN.iter().any(|prefix| command.starts_with(prefix)) {
            continue;
        }
        let (command, file) = match command.rsplit_once(" > ") {
            Some((command, file)) => (command.to_owned(), Some(file.to_owned())),
            None => (command, None),
        };
        let (program, arguments) = resolve(&command).unwrap_or_else(|| panic!("nothing runs `{command}`"));
        if !program.exists() {
            build_agent(&program);
        }
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env_remove("HOST_TRAINER_STORE")
            .env_remove("MLFLOW_TRACKING_URI")
            .env_remove("GITHUB_STEP_SUMMARY")
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit_code), "`{command}`: {said}");
        if let Some(picture) = picture.filter(|_| exact) {
            let printed = String::from_utf8_lossy(&output.stdout);
            let again = "scripts/update_pictures.py shows the page what it prints";
            assert_eq!(picture.trim(), printed.trim(), "{page} shows something else behind `{command}`; {again}");
        }
        if let Some(file) = file {
            fs::write(folder.join(file), output.stdout).expect("a file");
        }
    }
}

#[test]
fn every_command_of_the_readme_works() {
    run_all("README.md");
}

#[test]
fn the_page_on_graphs_works() {
    run_all("docs/onnx.md");
}

#[test]
fn the_page_on_campaigns_works() {
    run_all("docs/campaign.md");
}

#[test]
fn every_command_of_the_page_on_models_works() {
    run_all("docs/models.md");
}

#[test]
fn every_command_of_the_page_on_tuning_works() {
    run_all("docs/tune.md");
}

#[test]
fn every_command_of_the_page_on_reports_works() {
    run_all("docs/report.md");
}

#[test]
fn every_command_of_the_page_on_data_works() {
    run_all("docs/data.md");
}

#[test]
fn every_command_of_the_page_on_batches_works() {
    run_all("docs/batches.md");
}

#[test]
fn every_command_of_the_page_on_comparisons_works() {
    run_all("docs/diff.md");
}

#[test]
fn every_command_of_the_page_on_budgets_works() {
    run_all("docs/budgets.md");
}

#[test]
fn every_command_of_the_page_on_boards_works() {
    run_all("docs/boards.md");
}

#[test]
fn every_command_of_the_page_on_sensors_works() {
    run_all("docs/sensors.md");
}

#[test]
fn every_command_of_the_page_on_the_board_works() {
    run_all("docs/board.md");
}

#[test]
fn every_command_of_the_page_on_installing_works() {
    run_all("docs/install.md");
}

#[test]
fn the_tutorial_on_budgets_works() {
    run_all("docs/tutorial-budget.md");
}

#[test]
fn the_tutorial_on_a_board_works() {
    run_all("docs/tutorial-board.md");
}

#[test]
fn the_tutorial_on_a_cluster_works() {
    run_all("docs/tutorial-cluster.md");
}
