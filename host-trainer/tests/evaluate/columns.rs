//! What features, columns and more data are worth.

use super::law::{data, fit, host_trainer, path};
use serde_json::Value;

fn answer(arguments: &[&str], threads: &str) -> Vec<Value> {
    let output = host_trainer(&[&["evaluate", "--format", "json"], arguments].concat(), threads);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().unwrap_or_else(|| panic!("{key} in {line}"))
}

fn of<'a>(lines: &'a [Value], kind: &str, target: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["kind"] == kind && l["target"] == target).collect()
}

#[test]
fn what_a_law_does_not_depend_on_is_worth_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let (train, test, models) = (folder.path().join("train"), folder.path().join("test"), folder.path().join("models"));
    data(&train, 0..40, true);
    data(&test, 40..60, true);
    fit("physics", &train, &models, "2");

    let asked = ["--importance", "--repeats", "3", "--seed", "7", "--models", path(&models), "--data"];
    let unseen = answer(&[&asked[..], &[path(&test)]].concat(), "2");
    let runtime = of(&unseen, "convolutional", "runtime");
    assert!(runtime.iter().all(|line| line["held_out"] == true && number(line, "n") > 20.0), "{runtime:?}");
    // Largest first; a square kernel's two sides go together.
    assert!(runtime.windows(2).all(|pair| number(pair[0], "rise_points") >= number(pair[1], "rise_points")));
    assert!(runtime.iter().any(|line| line["column"] == "kernel_0 = kernel_1"), "{runtime:?}");
    assert!(number(runtime[0], "rise_points") > 10.0, "{runtime:?}");
    // What never changes cannot be judged, and is not listed.
    assert!(runtime.iter().all(|line| line["column"] != "batch_size"));
    // The law of dense layers reads their inputs; power is one number for all of them.
    let dense = of(&unseen, "dense", "power");
    assert!(dense.iter().all(|line| number(line, "rise_points").abs() < 1.0), "{dense:?}");

    // The same whatever the threads; another seed shuffles otherwise.
    assert_eq!(unseen, answer(&[&asked[..], &[path(&test)]].concat(), "4"));
    let other = ["--importance", "--repeats", "3", "--seed", "8", "--models", path(&models), "--data", path(&test)];
    assert_ne!(unseen, answer(&other, "2"));
    // Rows that training saw are told apart.
    let seen = answer(&[&asked[..], &[path(&train)]].concat(), "2");
    assert!(seen.iter().all(|line| line["held_out"] == false), "{seen:?}");
    let of_kind = answer(&["--importance", "--kind", "physics", "--data", path(&test)], "2");
    assert!(of_kind.iter().all(|line| line["held_out"] == true));
    assert!(number(of(&of_kind, "convolutional", "runtime")[0], "rise_points") > 10.0);
}

#[test]
fn a_kind_does_worse_without_a_column_that_the_law_reads() {
    let folder = tempfile::tempdir().expect("folder");
    data(folder.path(), 0..40, true);
    let lines = answer(&["--leave-one-column-out", "--kind", "physics", "--data", path(folder.path())], "2");
    let runtime = of(&lines, "convolutional", "runtime");
    let rise = |column: &str| {
        let line =
            runtime.iter().find(|line| line["column"] == column).unwrap_or_else(|| panic!("{column}: {runtime:?}"));
        number(line, "rise_points")
    };
    assert!(rise("kernel_0 = kernel_1") > 10.0, "{runtime:?}");
    assert!(number(runtime[0], "mape_percent") < 5.0);
    assert_eq!(lines, answer(&["--leave-one-column-out", "--kind", "physics", "--data", path(folder.path())], "1"));
    let csv = host_trainer(
        &["evaluate", "--leave-one-column-out", "--kind", "physics", "--format", "csv", "--data", path(folder.path())],
        "2",
    );
    let csv = String::from_utf8(csv.stdout).expect("text");
    assert!(csv.starts_with("models,kind,target,column,n,networks,held_out,"), "{csv}");
    assert_eq!(csv.lines().count(), lines.len() + 1);
}

#[test]
fn a_learning_curve_falls_and_is_the_same_for_the_same_seed() {
    let folder = tempfile::tempdir().expect("folder");
    data(folder.path(), 0..40, true);
    let asked = ["--learning-curve", "--kind", "physics", "--repeats", "3", "--data", path(folder.path())];
    let lines = answer(&asked, "2");
    let runtime = of(&lines, "network", "runtime");
    let (first, last) = (runtime[0], runtime[runtime.len() - 1]);
    assert_eq!((&first["unit"], number(last, "size")), (&Value::from("networks"), 32.0));
    assert_eq!(number(last, "n"), 8.0);
    assert!(number(first, "mape_percent") > number(last, "mape_percent"), "{runtime:?}");
    assert!(number(last, "mape_percent") < 3.0, "{runtime:?}");
    assert_eq!(lines, answer(&asked, "4"));

    // One network: the curve is over its rows.
    let one = folder.path().join("one");
    data(&one, 0..40, true);
    for table in ["convolutional.csv", "dense.csv"] {
        let text = std::fs::read_to_string(one.join(table)).expect("table");
        let renamed: Vec<String> = text
            .lines()
            .map(|line| match line.split_once(',') {
                Some((network, rest)) if network.starts_with('n') => format!("sweep,{rest}"),
                _ => line.to_owned(),
            })
            .collect();
        std::fs::write(one.join(table), renamed.join("\n")).expect("table");
    }
    std::fs::remove_file(one.join("networks.csv")).expect("totals");
    let rows = answer(&["--learning-curve", "--kind", "physics", "--repeats", "2", "--data", path(&one)], "2");
    assert!(rows.iter().all(|line| line["unit"] == "rows" && line["kind"] != "network"), "{rows:?}");
}

#[test]
fn questions_that_do_not_fit_together_are_refused() {
    for arguments in [
        &["--data", "x"][..],
        &["--data", "x", "--kind", "physics"],
        &["--data", "x", "--models", "m", "--learning-curve"],
        &["--data", "x", "--kind", "physics", "--importance", "--learning-curve"],
        &["--data", "x", "--models", "m", "--kind", "physics", "--importance"],
    ] {
        let output = host_trainer(&[&["evaluate"], arguments].concat(), "1");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
