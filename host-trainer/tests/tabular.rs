//! Tables of SQLite databases as users train on them: the real binary on databases made here.

use onnx::Model;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Calls of two functions in two databases: `time = 3 + size · calls / 100`, `memory = 20 + size`; ten rows of zeros and
/// three without numbers.
async fn databases(folder: &Path) {
    fs::create_dir_all(folder.join("dbs")).expect("folder");
    for (number, file) in ["one.db", "two.sqlite"].into_iter().enumerate() {
        let options = SqliteConnectOptions::new().filename(folder.join("dbs").join(file)).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("a database");
        sqlx::query("CREATE TABLE calls (tag TEXT, size REAL, calls INTEGER, time REAL, memory)")
            .execute(&mut connection)
            .await
            .expect("a table");
        for i in 0..90 {
            let (size, calls) = (f64::from(1 + (i * 37 + i32::try_from(number).expect("small")) % 50), 1 + i % 7);
            let dead = number == 0 && i % 9 == 0;
            for tag in ["thumbnail", "echo"] {
                let time = if dead && tag == "echo" { 0.0 } else { 3.0 + size * f64::from(calls) / 100.0 };
                let memory = if number == 1 && i % 30 == 0 { "unknown".to_owned() } else { String::new() };
                sqlx::query("INSERT INTO calls VALUES ($1, $2, $3, $4, CASE WHEN $5 = '' THEN $6 ELSE $5 END)")
                    .bind(tag)
                    .bind(size)
                    .bind(calls)
                    .bind(time)
                    .bind(memory)
                    .bind(20.0 + size)
                    .execute(&mut connection)
                    .await
                    .expect("a row");
            }
        }
        connection.close().await.expect("closes");
    }
    fs::write(folder.join("dbs/broken.db"), "no database").expect("file");
    let plan = "kind = \"mlp\"\n[mlp]\nepochs = 60\nmembers = 1\nhidden = [16]\n[evaluation]\nfolds = 3\n";
    fs::write(folder.join("base.toml"), plan).expect("plan");
    fs::write(folder.join("space.toml"), "mlp.learning_rate = { low = 1e-3, high = 3e-2, log = true }\n")
        .expect("space");
}

fn run(folder: &Path, verb: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder).arg(verb).args(["--dbs-dir", "dbs", "--table-name", "calls", "--tag-column", "tag"]);
    command.args(["--input-cols", "size,calls", "--output-cols", "time,memory"]).args(arguments);
    command.output().expect("runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn every_tag_gets_a_model_and_odd_rows_are_counted() {
    let folder = tempfile::tempdir().expect("folder");
    databases(folder.path()).await;
    let arguments = ["--config", "base.toml", "--out", "models", "--zeros", "drop", "--format", "json"];
    let output = run(folder.path(), "fit", &arguments);
    let cards = json(&output);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(talk.contains("broken.db"), "what cannot be read is told: {talk}");
    let tags: Vec<&str> = cards.as_array().expect("cards").iter().filter_map(|card| card["tag"].as_str()).collect();
    assert_eq!(tags, ["echo", "thumbnail"], "tags are found where none is named");
    assert_eq!((&cards[0]["rows_with_zeros"], &cards[1]["rows_with_zeros"]), (&10.into(), &0.into()));
    assert_eq!(cards[0]["rows_without_numbers"], 3);
    let rows =
        |card: &serde_json::Value| card["training_rows"].as_u64().zip(card["test_rows"].as_u64()).map(|(a, b)| a + b);
    assert_eq!((rows(&cards[0]), rows(&cards[1])), (Some(167), Some(177)));
    for output in ["time", "memory"] {
        let error = cards[1]["test"][output]["mape_percent"].as_f64().expect("a figure");
        assert!(error < 10.0, "{output} is off by {error} %");
        let graph = fs::read(folder.path().join(format!("models/thumbnail/{output}.onnx"))).expect("a graph");
        let predicted = Model::load(&graph).expect("a model").predict(&[10.0, 2.0]).expect("a prediction")[0];
        let truth = if output == "time" { 3.2 } else { 30.0 };
        assert!((predicted / truth - 1.0).abs() < 0.2, "{output}: {predicted}, {truth}");
    }
    // Kept, the zeros are no values that a logarithm has.
    let refused = run(folder.path(), "fit", &["--config", "base.toml", "--out", "kept", "--func-tag", "echo"]);
    assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[tokio::test]
async fn a_table_is_tuned_and_its_plan_reproduces_the_score() {
    let folder = tempfile::tempdir().expect("folder");
    databases(folder.path()).await;
    let arguments = ["--config", "base.toml", "--func-tag", "thumbnail", "--format", "json"];
    let tuning = ["--space", "space.toml", "--trials", "4", "--export", "best.toml", "--out", "tuned"];
    let study = json(&run(folder.path(), "tune", &[&arguments[..], &tuning[..]].concat()));
    let best = study["best"]["value"].as_f64().expect("a value");
    let fitting = ["--config", "best.toml", "--func-tag", "thumbnail", "--format", "json", "--out", "again"];
    let cards = json(&run(folder.path(), "fit", &fitting));
    let score = |output: &str| cards[0]["cross_validation"][output]["mape_percent"].as_f64().expect("a figure");
    assert_eq!((score("time") + score("memory")) / 2.0, best, "to the last digit");
    let read = |out: &str| fs::read(folder.path().join(out).join("thumbnail/time.onnx")).expect("a graph");
    assert_eq!(read("tuned"), read("again"));
    let refused = run(folder.path(), "tune", &["--config", "base.toml", "--space", "space.toml"]);
    assert_eq!(refused.status.code(), Some(2), "a study is about one tag");
    let refused = run(folder.path(), "fit", &["--out", "x", "--zero-is-a-value", "size", "--tag-column", "tga"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// A database with one table `training_data`, made by statements.
async fn database(folder: &Path, statements: &[&str]) {
    fs::create_dir_all(folder.join("dbs")).expect("folder");
    let path = folder.join("dbs/a.db");
    let _ = fs::remove_file(&path);
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a database");
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(*statement)).execute(&mut connection).await.expect(statement);
    }
    connection.close().await.expect("closes");
}

/// Rows `i = 1…40` of some columns.
fn insert(columns: &str, values: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
         INSERT INTO training_data ({columns}) SELECT {values} FROM n"
    )
}

/// Every form of table that SQLite has gives the rows of the plainest.
#[tokio::test]
async fn tables_of_every_form_are_read() {
    let folder = tempfile::tempdir().expect("folder");
    let fit = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(folder.path()).args([
            "fit",
            "--dbs-dir",
            "dbs",
            "--config",
            "base.toml",
            "--out",
            "models",
        ]);
        command.args(["--format", "json", "--output-cols", "time"]).args(arguments).output().expect("runs")
    };
    let plan = "kind = \"mlp\"\n[mlp]\nepochs = 5\nmembers = 1\nhidden = [4]\n[evaluation]\nfolds = 3\n";
    fs::write(folder.path().join("base.toml"), plan).expect("plan");
    let usual = "'echo', i * 1.5, i % 7 + 1, i / 8.0";
    let plain = "CREATE TABLE training_data (image_tag TEXT, size REAL, calls REAL, time REAL)";
    let columns = "image_tag, size, calls, time";
    let rows = insert(columns, usual);
    let keyed = insert("id, image_tag, size, calls, time", &format!("i, {usual}"));
    let texts = insert(columns, "'echo', CAST(i * 1.5 AS TEXT), i % 7 + 1, printf('%.3f', i / 8.0)");
    let commas = insert(
        columns,
        "'echo', replace(CAST(i * 1.5 AS TEXT), '.', ','), i % 7 + 1, replace(printf('%.3f', i / 8.0), '.', ',')",
    );
    let cases: [(&str, Vec<&str>); 8] = [
        ("plain", vec![plain, &rows]),
        (
            "without rowid",
            vec![
                "CREATE TABLE training_data (id INTEGER PRIMARY KEY, image_tag TEXT, size REAL, calls REAL, time REAL) WITHOUT ROWID",
                &keyed,
            ],
        ),
        (
            "a column called rowid",
            vec!["CREATE TABLE training_data (rowid TEXT, image_tag TEXT, size REAL, calls REAL, time REAL)", &rows],
        ),
        (
            "a view",
            vec![
                "CREATE TABLE kept (image_tag TEXT, size REAL, calls REAL, time REAL)",
                "CREATE VIEW training_data AS SELECT * FROM kept",
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO kept SELECT 'echo', i * 1.5, i % 7 + 1, i / 8.0 FROM n",
            ],
        ),
        (
            "a generated column",
            vec![
                "CREATE TABLE training_data (image_tag TEXT, size REAL, calls REAL, ms REAL, time REAL GENERATED ALWAYS AS (ms / 1000.0) VIRTUAL)",
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO training_data (image_tag, size, calls, ms) SELECT 'echo', i * 1.5, i % 7 + 1, i * 125.0 FROM n",
            ],
        ),
        ("texts", vec!["CREATE TABLE training_data (image_tag TEXT, size TEXT, calls TEXT, time TEXT)", &texts]),
        (
            "texts with commas",
            vec!["CREATE TABLE training_data (image_tag TEXT, size TEXT, calls TEXT, time TEXT)", &commas],
        ),
        ("other letters", vec!["CREATE TABLE Training_Data (Image_Tag TEXT, Size REAL, Calls REAL, Time REAL)", &rows]),
    ];
    let mut hashes = Vec::new();
    for (name, statements) in cases {
        database(folder.path(), &statements).await;
        let cards = json(&fit(&["--input-cols", "size,calls"]));
        let of = |field: &str| cards[0][field].as_u64().expect(field);
        assert_eq!(of("training_rows") + of("test_rows"), 40, "{name}");
        assert_eq!(of("rows_without_numbers"), 0, "{name}");
        hashes.push((name, cards[0]["data_sha256"].clone()));
    }
    assert!(hashes.iter().all(|(_, hash)| *hash == hashes[0].1 && hash.is_string()), "{hashes:?}");

    // What stays refused is said with its column.
    let words = insert(columns, "'echo', 'big', i, i");
    database(folder.path(), &["CREATE TABLE training_data (image_tag TEXT, size TEXT, calls TEXT, time TEXT)", &words])
        .await;
    for (arguments, code, expected) in [
        (
            &["--input-cols", "size,calls"][..],
            3,
            "no row of `echo` is left of 40: `size` holds no number in 40 rows, such as `big`",
        ),
        (&["--input-cols", "calls", "--func-tag", "ecko"], 3, "no row has the tag `ecko`"),
        (&["--input-cols", "sizes"], 2, "has no column `sizes`; did you mean `size`?"),
        (&["--input-cols", "size", "--table-name", "x"], 3, "name one by --table-name: it has training_data"),
    ] {
        let output = fit(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

fn host(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer")).current_dir(folder).args(arguments).output().expect("runs")
}

#[test]
fn generated_rows_try_the_commands_and_a_kind_for_layers_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let fast = ["--sample-data", "--epochs", "20", "--samples", "300", "--format", "json"];
    let cards = json(&host(folder.path(), &[&["fit", "--out", "models"], &fast[..]].concat()));
    assert_eq!(cards[0]["tag"], "sample");
    let rows = |name: &str| cards[0][name].as_u64().expect("a count");
    assert_eq!(rows("training_rows") + rows("test_rows"), 300);
    assert!(folder.path().join("models/sample/time_ms.onnx").is_file());
    let study = json(&host(folder.path(), &[&["tune", "--trials", "2"], &fast[..]].concat()));
    assert!(study["best"]["value"].as_f64().is_some_and(f64::is_finite), "{study}");
    for (wrong, said) in [
        (&["fit", "--out", "x", "--sample-data", "--kind", "lasso"][..], "takes mlp"),
        (&["fit", "--out", "x", "--sample-data", "--data", "here"], "cannot be used with"),
        (&["fit", "--out", "x", "--sample-data", "--input-cols", "a"], "cannot be used with"),
    ] {
        let refused = host(folder.path(), wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        let talk = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(talk.contains(said), "{wrong:?}: {talk}");
    }
}

#[tokio::test]
async fn a_tag_with_a_colon_gives_a_folder_without_one() {
    let folder = tempfile::tempdir().expect("folder");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
        INSERT INTO training_data SELECT 'hyperfaas-echo:latest', i, 2.0 * i + 1 FROM n";
    database(folder.path(), &["CREATE TABLE training_data (image_tag TEXT, x REAL, y REAL)", rows]).await;
    let options = ["--dbs-dir", "dbs", "--input-cols", "x", "--output-cols", "y", "--epochs", "5", "--out", "models"];
    let output = host(folder.path(), &[&["fit"], &options[..]].concat());
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && talk.contains("its models go to hyperfaas-echo-latest"), "{talk}");
    assert!(folder.path().join("models/hyperfaas-echo-latest/y.onnx").is_file());
}

/// The most memory that a fit of some rows takes at once, in bytes, as the system counts it.
#[cfg(target_os = "linux")]
async fn peak_of_a_fit(rows: usize) -> u64 {
    let folder = tempfile::tempdir().expect("folder");
    let insert = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         INSERT INTO training_data SELECT 'echo', i % 997, i % 17, i % 97, i % 211, i % 7, 1 + i % 17, 2 + i % 7, 3.5 FROM n"
    );
    let columns = "a REAL, b REAL, c REAL, d REAL, e REAL, x REAL, y REAL, z REAL";
    let table = format!("CREATE TABLE training_data (image_tag TEXT, {columns})");
    database(folder.path(), &[&table, &insert]).await;
    let plan = "kind = \"mlp\"\n[mlp]\nepochs = 1\nmembers = 2\nhidden = [4]\n[evaluation]\nfolds = 2\n";
    fs::write(folder.path().join("base.toml"), plan).expect("plan");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.current_dir(folder.path()).args(["fit", "--dbs-dir", "dbs", "--config", "base.toml", "--out", "models"]);
    command.args(["--input-cols", "a,b,c,d,e", "--output-cols", "x,y,z"]).env("RAYON_NUM_THREADS", "2");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
    let mut peak = 0;
    let done = loop {
        // The system's own peak: looking now and then misses none. What has ended says nothing any more.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if let Some(done) = child.try_wait().expect("a child") {
            break done;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(done.success() && peak > 0);
    peak
}

/// What a large table takes beyond a small one, which is the program's own share.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_table_takes_less_than_two_and_a_half_times_its_numbers() {
    let (few, many) = (1_000, 200_000);
    let (small, large) = (peak_of_a_fit(few).await, peak_of_a_fit(many).await);
    let numbers = (many * 8 * size_of::<f64>()) as u64;
    let grown = large.saturating_sub(small);
    assert!(2 * grown <= 5 * numbers, "{grown} bytes more for {numbers} bytes of numbers");
    assert!(grown >= numbers, "the rows are in memory: {grown} bytes");
}
