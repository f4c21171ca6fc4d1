//! `host-trainer check` and `diff` as a user and a CI job meet them: the real binary, in folders and repositories of their
//! own.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program in a folder, with no setting of this machine.
fn host_trainer(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .env("HOST_TRAINER_MODELS", folder.join("models"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Models of a simple law of a layer's work, over a range that the engines below lie in; each network lies a few percent off
/// it, so that predictions have an interval.
fn models(folder: &Path) {
    for number in 0..12 {
        let off = 1.0 + 0.01 * ((number * 7) % 11) as f64 - 0.05;
        let mut rows = String::from(
            "batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,kernel_0,kernel_1,\
             padding_0,padding_1,stride_0,stride_1,power,runtime,layer_name,groups,precision\n",
        );
        for layer in 0..16 {
            let (channels, size) = (8 << (layer % 5), [8, 16, 32, 64][(layer + number) % 4]);
            let out = channels * [1, 2][layer % 2];
            let macs = (channels * out * size * size * 9) as f64;
            rows.push_str(&format!(
                "1,{channels},{size},{size},{out},{size},{size},3,3,1,1,1,1,5000000,{},c{layer},1,fp16\n",
                off * (0.01 + macs * 2e-9)
            ));
        }
        let data = folder.join("data").join(format!("net{number}"));
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("convolutional.csv"), rows).unwrap();
    }
    ok(host_trainer(folder, "fit --data data --out models --device board --kind physics --test-models none"));
}

/// An engine of two convolutions, the second with so many output channels.
fn engine(channels: u32) -> String {
    let tensor = |name: &str, channels: u32| {
        format!(r#"{{"Name": "{name}", "Dimensions": [1, {channels}, 32, 32], "Format/Datatype": "Half"}}"#)
    };
    let layer = |name: &str, from: u32, to: u32, input: &str, output: &str| {
        format!(
            r#"{{"Name": "{name}", "LayerType": "CaskConvolution", "Kernel": [3, 3], "Stride": [1, 1], "PrePadding": [1, 1],
                "PostPadding": [1, 1], "Groups": 1, "OutMaps": {to}, "Inputs": [{}], "Outputs": [{}],
                "Weights": {{"Type": "Half", "Count": {}}}, "Metadata": "[ONNX Layer: {name}]"}}"#,
            tensor(input, from),
            tensor(output, to),
            from * to * 9
        )
    };
    format!(
        r#"{{"Layers": [{}, {}], "Bindings": ["image", "out"]}}"#,
        layer("/stem/Conv", 16, 32, "image", "features"),
        layer("/head/Conv", 32, channels, "features", "out")
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    models(folder.path());
    folder
}

#[test]
fn exit_codes_tell_pass_fail_and_mistakes() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("net.json"), engine(32)).unwrap();
    let predicted: Value =
        serde_json::from_str(&ok(host_trainer(path, "predict --trt-engine-path net.json --format json"))).unwrap();
    let runtime = predicted["totals"]["runtime_ms"].as_f64().unwrap();
    assert!(predicted["totals"]["runtime_bounds"]["lower"].as_f64().unwrap() < runtime, "{predicted}");
    let check = |budgets: &str, more: &str| {
        fs::write(path.join("budgets.toml"), budgets).unwrap();
        let output = host_trainer(path, &format!("check --budgets budgets.toml {more} net.json"));
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = check(&format!("[network.net]\nruntime_ms = {}\n", 10.0 * runtime), "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = check(&format!("[network.net]\nruntime_ms = {}\n", runtime / 10.0), "");
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stdout.contains("/head/Conv") && stderr.contains("budgets.toml: 0 of 1 limits are kept"),
        "{stdout}{stderr}"
    );
    let (code, ..) = check(&format!("[network.net]\nlevel = \"warn\"\nruntime_ms = {}\n", runtime / 10.0), "");
    assert_eq!(code, 0, "a warning does not fail");
    // The interval holds the prediction itself.
    let exactly = format!("[network.net]\nruntime_ms = {runtime}\n");
    assert_eq!(check(&exactly, "").0, 0);
    assert_eq!(check(&exactly, "--undecided fail").0, 1);
    let (code, _, stderr) = check("[network.net]\nruntime_m = 5\n", "");
    assert_eq!(code, 2);
    assert!(
        stderr.contains("line 2: unknown key `runtime_m`") && stderr.contains("did you mean `runtime_ms`?"),
        "{stderr}"
    );
    let (code, _, stderr) = check("[network.other]\nruntime_ms = 5\n", "");
    assert_eq!(code, 0);
    assert!(stderr.contains("`other` matches no network"), "{stderr}");
    let (_, stdout, _) = check(&exactly, "--format json");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["checks"][0]["verdict"], "undecided");
}

/// Commands of the `run: |` blocks of a workflow, or of the lines below `script:`, as one shell script each.
fn steps(workflow: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/ci").join(workflow)).unwrap();
    let (mut steps, mut block): (Vec<String>, Option<usize>) = (Vec::new(), None);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match block {
            Some(from) if indent > from && !line.trim().is_empty() => {
                let last = steps.last_mut().unwrap();
                last.push_str(line.trim());
                last.push('\n');
            }
            _ => block = None,
        }
        if line.trim() == "run: |" {
            steps.push(String::new());
            block = Some(indent);
        } else if let Some(command) = line.strip_prefix("    - ").filter(|_| workflow == "gitlab.yml")
            && !command.starts_with("if:")
        {
            steps.push(format!("{command}\n"));
        }
    }
    steps
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    ok(output).trim().to_owned()
}

/// Runs a workflow's steps one after the other, until one fails. Returns whether all worked, and what they wrote.
fn run_steps(workflow: &str, repository: &Path, base: &str) -> (bool, String) {
    let temporary = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_host-trainer"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut written = String::new();
    for step in steps(workflow) {
        // GitLab's steps use /tmp, which tests do not share.
        let step = step.replace("/tmp/", &format!("{}/", temporary.path().display()));
        let output = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", &step])
            .current_dir(repository)
            .env("PATH", &path)
            .env("BASE", base)
            .env("CI_MERGE_REQUEST_DIFF_BASE_SHA", base)
            .env("RUNNER_TEMP", temporary.path())
            .env("GITHUB_STEP_SUMMARY", temporary.path().join("summary.md"))
            .env("HOST_TRAINER_MODELS", repository.join("models"))
            .output()
            .unwrap();
        written.push_str(&text(&output.stdout));
        written.push_str(&text(&output.stderr));
        if !output.status.success() {
            written.push_str(&fs::read_to_string(temporary.path().join("summary.md")).unwrap_or_default());
            return (false, written);
        }
    }
    written.push_str(&fs::read_to_string(temporary.path().join("summary.md")).unwrap_or_default());
    (true, written)
}

#[test]
fn a_commit_that_fattens_a_layer_fails_with_the_layer_named() {
    let folder = folder();
    let path = folder.path();
    git(path, &["init", "-q"]);
    fs::create_dir(path.join("engines")).unwrap();
    fs::write(path.join("engines/net.json"), engine(32)).unwrap();
    fs::write(path.join(".gitignore"), "data\n").unwrap();
    fs::write(path.join("budgets.toml"), "[network.\"*\"]\nmax_increase = \"5 %\"\n").unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "-q", "-m", "a network"]);
    let base = git(path, &["rev-parse", "HEAD"]);
    fs::write(path.join("README.md"), "text\n").unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "-q", "-m", "words"]);
    for workflow in ["github.yml", "gitlab.yml"] {
        let (passed, written) = run_steps(workflow, path, &base);
        assert!(passed, "{workflow}: {written}");
        git(path, &["worktree", "prune"]);
    }
    fs::write(path.join("engines/net.json"), engine(64)).unwrap();
    git(path, &["commit", "-q", "-a", "-m", "a fatter head"]);
    let (passed, written) = run_steps("github.yml", path, &base);
    assert!(!passed, "{written}");
    let annotation = |measure: &str| {
        let start = format!("::error file=budgets.toml,line=2,title=net%3A {measure}");
        written.lines().find(|line| line.starts_with(&start)).unwrap_or_default()
    };
    assert!(annotation("run time").contains("/head/Conv (+"), "{written}");
    assert!(annotation("memory").contains("/head/Conv (9216 → 18432 weights)"), "{written}");
    assert!(written.contains("### ❌"), "{written}");
    git(path, &["worktree", "prune"]);
    let (passed, written) = run_steps("gitlab.yml", path, &base);
    assert!(!passed, "{written}");
    let junit = fs::read_to_string(path.join("budgets.xml")).unwrap();
    assert!(junit.contains("<failure type=\"fail\"") && junit.contains("/head/Conv"), "{junit}");
}

#[test]
fn a_saved_prediction_equals_the_engine_it_is_of() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("net.json"), engine(32)).unwrap();
    fs::write(path.join("fat.json"), engine(64)).unwrap();
    let saved = ok(host_trainer(path, "predict --trt-engine-path net.json --format json"));
    fs::write(path.join("saved.json"), saved).unwrap();
    let diff = |a: &str, b: &str| -> Value {
        serde_json::from_str(&ok(host_trainer(path, &format!("diff {a} {b} --format json")))).unwrap()
    };
    let same = diff("saved.json", "net.json");
    assert!(same["runtime_change_ms"].as_f64().unwrap().abs() < 1e-9, "{same}");
    let grown = diff("saved.json", "fat.json");
    let heads: Vec<&Value> = grown["groups"].as_array().unwrap().iter().filter(|g| g["name"] == "/head/Conv").collect();
    assert_eq!((heads.len(), &heads[0]["matched_by"]), (1, &Value::from("operator")));
    assert!(heads[0]["runtime_change_ms"].as_f64().unwrap() > 0.0);
    for format in ["human", "csv", "markdown"] {
        assert!(ok(host_trainer(path, &format!("diff saved.json fat.json --format {format}"))).contains("/head/Conv"));
    }
}

#[test]
fn totals_become_watt_hours_hours_and_grams() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("net.json"), engine(32)).unwrap();
    let asked = "predict --trt-engine-path net.json --battery 50Wh --per 1000 --carbon 400g/kWh";
    let answer: Value = serde_json::from_str(&ok(host_trainer(path, &format!("{asked} --format json")))).unwrap();
    let energy = answer["totals"]["energy_mj"].as_f64().unwrap();
    let power = answer["totals"]["average_power_w"].as_f64().unwrap();
    let footprint = |name: &str| answer["footprint"][name].as_f64().unwrap();
    assert!((footprint("energy_wh") / (energy * 1000.0 / 3.6e6) - 1.0).abs() < 1e-12);
    assert!((footprint("carbon_g") / (footprint("energy_wh") * 0.4) - 1.0).abs() < 1e-12);
    assert!((footprint("battery_hours") / (50.0 / power) - 1.0).abs() < 1e-12);
    assert!(ok(host_trainer(path, asked)).contains("battery of 50.0 Wh"));
    assert_eq!(answer["memory"]["weights_bytes"], 2 * 9 * (16 * 32 + 32 * 32));
    let mistake = host_trainer(path, "predict --trt-engine-path net.json --battery 50");
    assert_eq!(mistake.status.code(), Some(2));
    assert!(text(&mistake.stderr).contains("Wh, mWh"), "{}", text(&mistake.stderr));
}
