//! The page about studies and batches, as text: titles, keys, what marks say when they are pointed at, notes, tables.

use batch::configuration::Training;
use batch::folder::{Batch, Header, Keeper, Part};
use batch::results::TaskResult;
use batch::status::{Counts, Status};
use batch::training::Curve;
use report::Trainings;
use std::collections::BTreeMap;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::studies::{Specification, Study, Trial, TrialState};

/// The program that generated and finished what is shown.
const PROGRAM: &str = r#"{"version":"0.1.0","sha256":"00"}"#;

fn study() -> (Study, Vec<Trial>) {
    let specification = Specification {
        seed: 0,
        generation: 8,
        sampler: Sampler::Tpe,
        pruner: Pruner::Median,
        data_sha256: "00".repeat(32),
        objective: toml::Table::from_iter([("metric".to_owned(), "mape".into())]),
        plan: toml::Table::new(),
        space: toml::Table::new(),
    };
    let study = Study { name: "perceptrons <i>".into(), trials: 5, created_ms: 0, specification };
    let trial = |number: u64, state, value: Option<f64>, rate: f64, scale: &str, hidden: &[i64]| Trial {
        number,
        state,
        parameters: [
            ("mlp.learning_rate".to_owned(), toml::Value::from(rate)),
            ("mlp.target_scale".to_owned(), scale.into()),
            ("mlp.hidden".to_owned(), toml::Value::Array(hidden.iter().map(|width| (*width).into()).collect())),
            ("mlp.batch_size".to_owned(), 64.into()),
        ]
        .into(),
        value,
        steps: Vec::new(),
        reason: None,
        owner: None,
        token: 1,
        failures: 0,
        lost: 0,
        started_ms: None,
        finished_ms: None,
    };
    let trials = vec![
        trial(0, TrialState::Complete, Some(9.0), 0.001, "log", &[8]),
        trial(1, TrialState::Pruned, Some(30.0), 0.5, "log", &[8, 8]),
        trial(2, TrialState::Complete, Some(7.5), 0.1, "relative", &[16]),
        trial(3, TrialState::Failed, None, 1.0, "log", &[4]),
        trial(4, TrialState::Complete, Some(8.0), 0.02, "log", &[16, 4]),
    ];
    (study, trials)
}

fn result(task: u8, label: &str, repeat: u64, score: f64, seconds: f64) -> TaskResult {
    let curve = Curve {
        member: 0,
        training: vec![0.9, 0.5, 0.4],
        validation: vec![Some(1.0), Some(0.6), Some(0.7)],
        regularisation: vec![0.0; 3],
        learning_rate: vec![0.01; 3],
        best_epoch: 2,
        best_loss: 0.6,
    };
    TaskResult {
        schema_version: 1,
        task: format!("{task:02x}").repeat(32),
        label: label.into(),
        dataset: "unknown".into(),
        model: "m".into(),
        training: "t".into(),
        repeat,
        seed: 7,
        score,
        score_of: "mape".into(),
        judged_on: "test".into(),
        metrics: BTreeMap::new(),
        losses: if label.starts_with("layers") { Vec::new() } else { vec![curve] },
        rows: [Some(60), Some(10), Some(20)],
        files: BTreeMap::new(),
        weights: BTreeMap::new(),
        seconds,
        package_joules: None,
        machine: "host:1".into(),
        program: serde_json::from_str(PROGRAM).expect("a program"),
        log: Vec::new(),
    }
}

fn a_batch() -> (Batch, Status) {
    let header = Header {
        format: 1,
        id: "id".into(),
        name: "0001-first".into(),
        description: "Three models & a <b>".into(),
        created_ms: 0,
        program: serde_json::from_str(PROGRAM).expect("a program"),
        queue: Keeper::Sqlite,
        artefacts: "artefacts".into(),
        engine: "local".into(),
        workers: 1,
        estimate: None,
    };
    let trainings = BTreeMap::from([("t".to_owned(), Training::default())]);
    let content = Part { trainings, ..Part::default() };
    let batch = Batch { root: "batches/0001-first".into(), header, content, tasks: Vec::new(), parts: 1 };
    let results = vec![
        result(1, "classifier.clu_one", 1, 4.0, 2.0),
        result(2, "classifier.clu_one", 2, 3.5, 4.0),
        result(3, "autoencoder.classical", 1, 9.25, 60.0),
        result(4, "layers.lasso", 1, 6.0, 0.5),
    ];
    let counts = |done: u64, failed: u64, pending: u64| Counts { done, failed, pending, ..Counts::default() };
    let status = Status {
        name: "0001-first".into(),
        description: "Three models & a <b>".into(),
        created_ms: 0,
        engine: "local".into(),
        counts: counts(4, 1, 2),
        models: BTreeMap::from([
            ("classifier.clu_one".to_owned(), counts(2, 1, 0)),
            ("autoencoder.classical".to_owned(), counts(1, 0, 2)),
            ("layers.lasso".to_owned(), counts(1, 0, 0)),
        ]),
        best: BTreeMap::from([
            ("classifier.clu_one".to_owned(), 3.5),
            ("autoencoder.classical".to_owned(), 9.25),
            ("layers.lasso".to_owned(), 6.0),
        ]),
        best_task: None,
        seconds_left: None,
        workers: Vec::new(),
        submissions: Vec::new(),
        slurm: BTreeMap::new(),
        notes: Vec::new(),
        tasks: Vec::new(),
        results,
    };
    (batch, status)
}

/// The text of a page, one piece a line; the numbers of ticks are left out.
fn text(page: &str) -> String {
    let body = page.split("<body>").nth(1).expect("a body");
    let pieces = body.split('<').filter_map(|piece| piece.split_once('>'));
    let lines = pieces.filter(|(tag, text)| !tag.contains("class=\"tick\"") && !text.trim().is_empty());
    lines.map(|(_, text)| format!("{}\n", text.trim())).collect()
}

#[test]
fn studies_and_batches_have_a_page_of_their_own() {
    let page = Trainings { studies: vec![study()], batches: vec![a_batch()] }.render();
    assert!(!page.contains("<i>") && !page.contains("<b>") && !page.contains("NaN"), "{page}");
    insta::assert_snapshot!(text(&page));
}

#[test]
fn one_alone_gives_the_page_its_title_and_nothing_gives_charts_of_nothing() {
    let page = Trainings { studies: Vec::new(), batches: vec![a_batch()] }.render();
    assert!(page.contains("<h1>Batch 0001-first</h1>"), "{page}");
    let (study, _) = study();
    let (batch, status) = a_batch();
    let empty = Status { results: Vec::new(), best: BTreeMap::new(), ..status };
    let page = Trainings { studies: vec![(study, Vec::new())], batches: vec![(batch, empty)] }.render();
    assert!(page.contains("0 trials") && page.contains("There are no results yet."), "{page}");
}
