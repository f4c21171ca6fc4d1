//! The report: what stands in it, and that nothing in it can do harm.
//!
//! With `HOST_TRAINER_REPORT_PAGES` set, the pages are kept in that folder: `.ci/report` shows them to a browser.

use super::law::{data, fit_with, host_trainer, path};
use std::fs;
use std::path::Path;

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

/// Puts markup where a layer's name stands.
fn make_hostile(data: &Path) {
    let table = data.join("convolutional.csv");
    let text = fs::read_to_string(&table).expect("table");
    fs::write(&table, text.replace(",c0,", &format!(",\"{}\",", HOSTILE.replace('"', "\"\"")))).expect("table");
}

fn report(arguments: &[&str], out: &Path) -> String {
    let output = host_trainer(&[&["report", "--out", path(out)], arguments].concat(), "2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(out).expect("the page");
    if let Some(folder) = std::env::var_os("HOST_TRAINER_REPORT_PAGES") {
        let kept = Path::new(&folder).join(out.file_name().expect("a name"));
        fs::create_dir_all(&folder).expect("folder");
        fs::write(kept, &page).expect("the page is kept");
    }
    page
}

/// Elements nest, none is left open, and what looks like markup in text is escaped.
fn check_markup(page: &str) {
    const VOID: [&str; 1] = ["meta"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "…{}", &rest[..rest.len().min(80)]),
            None => {
                let name = tag.split_whitespace().next().unwrap_or_default();
                assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "<{tag}>");
                assert!(tag.matches('"').count().is_multiple_of(2), "<{tag}>");
                if !VOID.contains(&name) {
                    open.push(name);
                }
                // A style sheet is no markup.
                if name == "style" {
                    rest = &rest[rest.find("</style").expect("its end")..];
                }
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let distinct: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "identifiers repeat");
    for reference in page.split("url(#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(distinct.contains(reference), "#{reference} is nowhere");
    }
}

#[test]
fn a_report_holds_what_it_should_and_nothing_that_runs_or_loads() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let (train, test, models) = (at("train"), at("test"), at("models"));
    data(&train, 0..60, true);
    data(&test, 60..100, true);
    make_hostile(&train);
    make_hostile(&test);
    fit_with("mlp", "[mlp]\nepochs = 30\n", &train, &models, "2");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json");
    let engine = at("lenet.json");
    let named = HOSTILE.replace('"', "\\\"");
    let text = fs::read_to_string(sample).expect("an engine").replacen("conv1/Conv", &named, 20);
    fs::write(&engine, text).expect("engine");
    let resnet = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");

    let common = ["--models", path(&models), "--engine", path(&engine), resnet, "--importance", "--repeats", "2"];
    let held_out = report(&[&common[..], &["--data", path(&test)]].concat(), &at("held-out.html"));
    check_markup(&held_out);
    for expected in [
        "Content-Security-Policy",
        "default-src &#39;none&#39;|default-src 'none'",
        "convolutional: run time",
        "network: energy",
        "within ±10 %",
        "Error of run time over work",
        "90 % intervals of the models",
        "Promised against held, at every level",
        "Energy by layer kind, measured",
        "GFLOP/s",
        "Energy of each layer of lenet",
        "Energy of each layer of resnet18_trt_engine_info",
        "validation",
        "rise of the MAPE",
        "Held out: none of the",
        "On held-out folds",
    ] {
        let found = expected.split('|').any(|text| held_out.to_lowercase().contains(&text.to_lowercase()));
        assert!(found, "no `{expected}` in the page");
    }
    assert!(!held_out.contains("In-sample"), "these networks were not seen");
    // Neither the data's nor the engine's names become markup, and nothing is fetched or run.
    assert!(held_out.contains("&lt;script&gt;alert(1)"));
    for forbidden in ["<script", "http://", "https://", " src=", "@import", " style=\"", "onload", "NaN"] {
        assert!(!held_out.contains(forbidden), "{forbidden}");
    }
    assert_eq!(held_out, report(&[&common[..], &["--data", path(&test)]].concat(), &at("held-out.html")));

    // On the data that it was fitted on, the page says so.
    let in_sample = report(&["--models", path(&models), "--data", path(&train)], &at("in-sample.html"));
    check_markup(&in_sample);
    assert!(in_sample.contains("In-sample:") && in_sample.contains("were fitted on exactly these data"));
}

#[test]
fn a_report_of_totals_alone_shows_networks_and_a_learning_curve() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    data(&at("train"), 0..40, false);
    data(&at("test"), 30..60, false);
    fit_with("physics", "", &at("train"), &at("models"), "2");
    let (models, test) = (at("models"), at("test"));
    let arguments = ["--models", path(&models), "--data", path(&test), "--learning-curve", "--repeats", "2"];
    let page = report(&arguments, &at("totals.html"));
    check_markup(&page);
    assert!(page.contains("network: run time") && page.contains("Learning curve"), "{page}");
    assert!(page.contains("Partly in-sample: 30 of 90"), "ten of thirty networks were seen, three measurements each");
}

#[test]
fn engines_are_shown_in_other_power_modes_where_clocks_are_known() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let test = at("test");
    data(&test, 60..70, true);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../trained_models");
    let resnet = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
    let common = ["--models", shipped, "--device", "jetson-orin-nano", "--data", path(&test), "--engine", resnet];
    let unknown = report(&common, &at("mode-unknown.html"));
    assert!(unknown.contains("shown in no other power mode: the clocks of jetson-orin-nano, orin-nano are not known"));
    assert!(!unknown.contains("Pareto front"));
    let known = report(&[&common[..], &["--own-mode", "15W"]].concat(), &at("modes.html"));
    check_markup(&known);
    for expected in ["Pareto front", "energy per image, mJ", "MAXN_SUPER", "extrapolated from one mode"] {
        assert!(known.contains(expected), "no `{expected}` in the page");
    }
    let out = at("out.html");
    let wrong = [&["report", "--out", path(&out), "--own-mode", "16W"][..], &common[..]].concat();
    let output = host_trainer(&wrong, "1");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("orin-nano has no power mode 16W"));
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_reported_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let out = folder.path().join("out.html");
    data(&folder.path().join("data"), 0..20, true);
    let (models, data) = (folder.path().join("models"), folder.path().join("data"));
    fit_with("physics", "", &data, &models, "2");
    let common = ["report", "--models", path(&models), "--data", path(&data), "--out", path(&out)];
    for (more, code, words) in [
        (&["--study", "x", "--shared-db", "nowhere.sqlite"][..], 5, "nowhere.sqlite"),
        (&["--engine", "nowhere.json"], 5, "nowhere.json"),
        (&["--kind", "physics"], 2, "--learning-curve"),
    ] {
        let output = host_trainer(&[&common[..], more].concat(), "1");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!out.exists());
    }
}

#[test]
fn every_command_of_the_page_about_judging_works() {
    let folder = tempfile::tempdir().expect("folder");
    data(&folder.path().join("training_data"), 0..30, true);
    data(&folder.path().join("held_out"), 30..40, true);
    fit_with("physics", "", &folder.path().join("training_data"), &folder.path().join("models"), "2");
    let sample = folder.path().join("sample_data");
    fs::create_dir(&sample).expect("folder");
    let engine = "resnet18_trt_engine_info.json";
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data").join(engine);
    fs::copy(shipped, sample.join(engine)).expect("an engine");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report.md")).expect("the page");
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("host-trainer ")).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_host-trainer"))
            .args(command.split_whitespace())
            .current_dir(folder.path())
            .env("RAYON_NUM_THREADS", "2")
            .env_remove("HOST_TRAINER_CONFIG")
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
