//! `models`: from registering to rolling back.

use crate::fits::training_data;
use std::fs;

#[test]
fn from_register_to_rollback() {
    let session = training_data();
    session.prepare("fit --data data --config plan.toml --out first --device board");
    session.prepare("fit --data data --config plan.toml --out second --device board --kind physics");
    let at = "--store store";
    session.check("models-list-nowhere", &format!("models list {at}"));
    session.check("models-register", &format!("models register first {at} --data-revision r1"));
    session.check("models-register-csv", &format!("models register first {at} --format csv"));
    session.check("models-promote-all", &format!("models promote --all-better {at}"));
    session.prepare(&format!("models register second {at}"));
    for format in ["human", "csv", "json"] {
        session.check(&format!("models-compare-{format}"), &format!("models compare {at} --format {format}"));
    }
    session.check("models-compare-data", &format!("models compare {at} --data data"));
    session.check("models-promote", &format!("models promote board/dense/runtime@2 {at} --force --reason better"));
    session.check("models-promote-declined", &format!("models promote board/dense/power@2 {at} --on test"));
    session.check("models-rollback", &format!("models rollback board/dense/runtime {at} --reason worse"));
    for format in ["human", "csv", "json"] {
        session.check(&format!("models-list-{format}"), &format!("models list {at} --format {format}"));
        session.check(&format!("models-history-{format}"), &format!("models history board {at} --format {format}"));
        let show = format!("models show board/dense/runtime@1 {at} --format {format}");
        session.check(&format!("models-show-{format}"), &show);
    }
    session.check("models-export", &format!("models export exported {at}"));
    session.check("models-import", "models import exported --store another");
    session.check("models-verify", &format!("models verify {at}"));
    session.check("models-verify-json", &format!("models verify {at} --format json"));
    session.check("models-metric", &format!("models compare {at} --metric mapes"));
    session.check("models-unknown", &format!("models show board/dense/runtime@9 {at}"));
    session.check("predict-store", "predict --trt-engine-path nowhere.json --store store");
    assert!(fs::exists(session.path("exported/board/device.json")).expect("a folder"));
}
