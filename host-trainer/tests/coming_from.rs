//! Each row of docs/coming-from.md: options by the program's help, keys of `batch.toml` by the program's own list of them.

mod functions;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest that a command of an example takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every option, file, constant and field that Netrain's documentation names.
const NETRAIN: &[&str] = &[
    "trainscripts_builder generate",
    "trainscripts_builder add",
    "trainscripts_builder show",
    "`--help`",
    "--gpu",
    "--models",
    "--array",
    "--nb_epoch",
    "--epoch_samples",
    "--run",
    "--intelligent",
    "--desc",
    "runbatch.sh",
    "modelclass-modelarch-sbatch.sh",
    "TRAININGS_DATA_DIR",
    "PATH_PREFIX",
    "GPU_ENV",
    "NORMAL_ENV",
    "MAIN_SCRIPT",
    "netrain_main.py",
    "app.run()",
    "\"class\"",
    "\"architecture\"",
    "\"nb_epoch\"",
    "\"epoch_samples\"",
    "\"nnets\"",
    "\"intelligent\"",
    "\"wpath\"",
    "\"archpath\"",
    "\"metricspath\"",
    "\"trainingrun\"",
    "\"name\"",
    "\"model_generator\"",
    "\"training_generator\"",
    "\"evaluation_generator\"",
    "\"optimizer\"",
    "\"loss\"",
    "disk space",
];

/// Every table, field, function and setting that Synicix's documentation names.
const SYNICIX: &str = "DatasetConfig ModelConfig TrainingConfig TrainingTask TrainingResult insert_tuples insert_tuple fetch('KEY') \
    dataset_config_md5_hash dataset_file_name dataset_type dataset_class_module_name dataset_class_name dataset_class_params \
    train_sampler_module_name train_sampler_class_name train_sampler_class_params validation_sampler_module_name \
    validation_sampler_class_name validation_sampler_class_params test_sampler_module_name test_sampler_class_name \
    test_sampler_class_params input_shape output_shape additional_model_params __len__ __getitem__ get_additional_model_params \
    model_config_md5_hash model_class_module_name model_class_name model_class_params num_hidden_layers hidden_size l1_loss_lamda \
    l2_loss_lamda forward training_config_md5_hash trainer_class_module_name trainer_class_name trainer_class_params batch_size \
    epoch_limit optimizer_class_module_name optimizer_class_name optimizer_class_params criterion_class_module_name \
    criterion_class_name criterion_class_params device model_save_path max_epoch train validate evaluate \
    return_outputs_targets_and_loss load_best_performing_model training_task_md5_hash test_score training_epoch_loss_history \
    validation_epoch_loss_history regularization_loss_history model_class_params_history utc_insert_time dataset_dir \
    dataset_cache_dir model_save_dir external_training_result num_workers reserve_jobs=True order='random' parallelism \
    restartPolicy hostNetwork tolerations volumes hostPath volumeMounts affinity gpu_mem_size tensor_cores image nvidia.com/gpu env \
    secretKeyRef DJ_HOST DJ_USER DJ_PASS GITHUB_USERNAME GITHUB_PASSWORD fp16 notebook";

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/coming-from.md")).expect("the page")
}

/// The rows of the page by its sections: what is there, and what is here.
fn rows(page: &str) -> Vec<(&str, &str, &str)> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        if line.starts_with("| ") && !line.starts_with("| there") {
            // A bar in a code span is written with a backslash.
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [there, here] = cells.as_slice() else { panic!("a row of two cells: {line}") };
            assert!(!there.is_empty() && !here.is_empty(), "{line}");
            rows.push((section, *there, *here));
        }
    }
    rows
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
    let page = page();
    let rows = rows(&page);
    for (_, there, here) in &rows {
        let mut checked = 0;
        for span in code(here) {
            if let Some(command) = span.strip_prefix("host-trainer ") {
                let (words, options): (Vec<&str>, Vec<&str>) =
                    command.split(' ').partition(|word| !word.starts_with('-'));
                let key: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                let help = helps.entry(key).or_insert_with(|| help(&words));
                for option in options {
                    let known = help.split([' ', '\n', ',', ']', '=', '[']).any(|word| word == option);
                    assert!(known, "{words:?} has no {option}: {there}");
                }
                checked += 1;
            } else if let Some(place) = span.strip_prefix("batch.toml: ") {
                let mut words = place.split(' ');
                let section = words.next().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                checked += 1;
                if section == "models" {
                    assert_eq!(words.next(), None, "models have a plan's options: {there}");
                    continue;
                }
                let known = sections.entry(section.clone()).or_insert_with(|| keys(&section));
                for key in words {
                    assert!(known.contains(key), "{section} has no `{key}`: {known:?}: {there}");
                }
            }
        }
        assert!(checked > 0 || here.starts_with("no:"), "nothing in this row can be checked: {there}: {here}");
    }
    assert!(rows.len() >= 120, "{} rows", rows.len());
}

#[test]
fn no_option_of_netrain_and_synicix_is_left_out() {
    let page = page();
    let rows = rows(&page);
    for (section, names) in
        [("Netrain", NETRAIN.to_vec()), ("Synicix ML Pipeline", SYNICIX.split_whitespace().collect())]
    {
        let cells: Vec<&str> = rows.iter().filter(|row| row.0 == section).map(|row| row.1).collect();
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for name in names {
            let named = cells.iter().any(|cell| {
                let mut places = cell.match_indices(name);
                places.any(|(at, _)| !cell[..at].ends_with(part) && !cell[at + name.len()..].starts_with(part))
            });
            assert!(named, "{section}: no row has `{name}`");
        }
    }
}

/// Runs a command in a folder, and gives what it prints.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let out = folder.join("printed");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder).args(arguments).stdout(fs::File::create(&out).expect("a file"));
    let mut child = command.spawn().expect("runs");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("killed");
            panic!("{arguments:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{arguments:?}");
    fs::read_to_string(out).expect("text")
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&run(folder, &[arguments, &["--format", "json"]].concat())).expect("JSON")
}

/// The example of a page: what stands behind a heading, between two fences.
fn block<'p>(page: &'p str, heading: &str, kind: &str) -> &'p str {
    let (_, rest) = page.split_once(heading).expect(heading);
    let (_, rest) = rest.split_once(&format!("```{kind}\n")).expect(kind);
    rest.split_once("```").expect("an end").0
}

/// With a class for the one name that has none in Netrain's README; the models are those of the page on batches.
#[test]
fn netrain_s_example_gives_its_tasks() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    functions::table(&folder.join("dbs/a.db"), 80);
    let batches =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/batches.md")).expect("the page");
    fs::write(folder.join("batch.toml"), block(&batches, "## Example", "toml")).expect("file");
    let page = page();
    let line = block(&page, "### Netrain's example", "sh").trim();
    let mut arguments: Vec<String> = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        match (number % 2, arguments.last_mut()) {
            // What stands in quotes belongs to the option before it.
            (1, Some(last)) => last.push_str(part),
            _ => arguments.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    assert_eq!(arguments[0], "host-trainer");
    let arguments: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
    run(folder, &[&arguments[..], &["--no-trial"]].concat());
    let shown = json(folder, &["batch", "show", "1"]);
    let pending = |label: &str| shown[0]["models"][label]["pending"].as_u64();
    assert_eq!(pending("classifier.clu_one"), Some(2_000), "{shown}");
    assert_eq!(pending("classifier.chransynth"), Some(6_400), "{shown}");
    assert_eq!(pending("autoencoder.classical"), Some(9_000), "{shown}");
    assert_eq!(shown[0]["counts"]["pending"], 17_400);
    assert_eq!(shown[0]["description"], "Initial training test");
    let root = folder.join("batches").join(shown[0]["name"].as_str().expect("a name"));
    let part = fs::read_to_string(root.join("parts/000001.json")).expect("a part");
    let part: serde_json::Value = serde_json::from_str(&part).expect("JSON");
    let training = part["trainings"].as_object().expect("trainings").values().next().expect("a training");
    assert_eq!((&training["epochs"], &training["samples_per_epoch"]), (&1_000.into(), &10_000.into()), "{training}");
}

#[test]
fn synicix_s_example_runs_as_the_page_shows_it() {
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path();
    functions::table(&folder.join("recordings/morning/a.db"), 80);
    functions::table(&folder.join("recordings/evening/a.db"), 60);
    let page = page();
    let example = page.split_once("### Synicix's example").expect("the example").1;
    fs::write(folder.join("synicix.toml"), block(example, "", "toml")).expect("file");
    let commands: Vec<&str> = block(example, "", "sh").lines().collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.strip_prefix("host-trainer ").expect(command).split_whitespace().collect();
        run(folder, &words);
    }
    let shown = json(folder, &["batch", "show", "1"]);
    assert_eq!(
        (&shown[0]["counts"]["done"], &shown[0]["submissions"][0]["workers"]),
        (&7.into(), &3.into()),
        "{shown}"
    );
    let table = fs::read_to_string(folder.join("results.csv")).expect("results");
    let header: Vec<&str> = table.lines().next().expect("a header").split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).expect(name);
    let columns = ["dataset", "architecture", "training", "repeat"].map(at);
    let mut found: Vec<String> = table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            columns.map(|column| cells[column]).join(" ")
        })
        .collect();
    found.sort();
    // The chosen part of the product, once each; the rest was not trained.
    assert_eq!(
        found,
        [
            "evening one_layer plain 0",
            "evening two_layers plain 0",
            "morning one_layer decay 0",
            "morning one_layer decay 1",
            "morning one_layer decay 2",
            "morning one_layer plain 0",
            "morning two_layers plain 0",
        ]
    );
    let results = json(folder, &["batch", "results", "1"]);
    let of = |result: &serde_json::Value| (result["label"] == "simple_mlp.one_layer").then(|| result["task"].clone());
    let best = results.as_array().expect("results").iter().find_map(of).expect("the best comes first");
    let taken = fs::read_to_string(folder.join("best/result.json")).expect("the promoted result");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&taken).expect("JSON")["task"], best);
    assert!(folder.join("best/time_ns.onnx").exists());
}
