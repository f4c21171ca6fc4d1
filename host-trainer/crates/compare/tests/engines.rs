//! Real engines of one network in several precisions and of several versions of TensorRT.
#![allow(missing_docs, clippy::unwrap_used)]

use compare::{Comparison, MatchedBy, Side, read_one};
use gated_tests::{data, measured, run};
use learn::predict::Prediction;
use shared::engine::{Diagnostic, Engine};
use shared::failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured("precisions_of_one_network_are_explained", "engine_info", precisions_of_one_network_are_explained),
        measured("an_engine_equals_itself", "engine_info", an_engine_equals_itself),
        measured("versions_and_routes_are_matched", "engine_info", versions_and_routes_are_matched),
    ])
}

fn no_models(_: &Engine, _: &[Diagnostic]) -> Result<Prediction, Failure> {
    Err(Failure::usage("there are no models"))
}

fn side(graph: &str, profile: &str) -> Side {
    let path = |name: &str| data("engine_info").join(name);
    let times = (!profile.is_empty()).then(|| path(profile));
    read_one(&path(graph), times.as_deref(), &graph::Options::default(), &no_models).unwrap()
}

fn resnet(precision: &str, name: &str) -> Side {
    let file = |what: &str| format!("trex__pytorch_resnet_A100_{precision}__{name}.{what}.json");
    side(&file("graph"), &file("profile"))
}

#[allow(clippy::print_stdout)]
fn show(comparison: &Comparison) {
    if std::env::var_os("SHOW").is_some() {
        println!("{}", compare::markdown(comparison, 0));
    }
}

/// Groups on both sides, and run time in groups that only one side has as a share of that side's.
fn matched(comparison: &Comparison) -> (usize, f64) {
    let both = comparison.groups.iter().filter(|group| group.a.is_some() && group.b.is_some()).count();
    let alone: f64 = comparison
        .groups
        .iter()
        .filter(|group| group.matched_by == MatchedBy::Nothing)
        .filter_map(|group| group.a.as_ref().or(group.b.as_ref())?.runtime_ms)
        .sum();
    (both, alone / (comparison.a.runtime_ms.unwrap() + comparison.b.runtime_ms.unwrap()))
}

fn precisions_of_one_network_are_explained() {
    let fp32 = resnet("fp32", "resnet");
    let fp16 = resnet("fp16", "resnet");
    for (precision, name) in [
        ("qat", "resnet-qat"),
        ("qat-residual", "resnet-qat-residual"),
        ("qat-residual-qgap", "resnet-qat-residual-qgap"),
    ] {
        let int8 = resnet(precision, name);
        for reference in [&fp32, &fp16] {
            let comparison = Comparison::of(reference, &int8);
            show(&comparison);
            let (both, alone) = matched(&comparison);
            assert!(both >= 20 && alone < 0.02, "{precision}: {both} groups, {alone} alone");
            let sum: f64 = comparison.groups.iter().filter_map(|group| group.runtime_change_ms).sum();
            assert!((sum - comparison.runtime_change_ms.unwrap()).abs() < 1e-9, "groups add up to the whole");
        }
    }
    // Both number their operators, and differently.
    let comparison = Comparison::of(&resnet("qat", "resnet-qat"), &resnet("qat-residual", "resnet-qat-residual"));
    show(&comparison);
    assert_eq!(matched(&comparison).1, 0.0, "every layer has its like");
    for group in comparison.groups.iter().filter(|group| group.name.starts_with("Conv")) {
        let weights = [&group.a, &group.b].map(|part| part.as_ref().and_then(|part| part.weights));
        assert_eq!(weights[0], weights[1], "{}", group.name);
    }
    let comparison = Comparison::of(&fp32, &fp16);
    show(&comparison);
    assert_eq!(matched(&comparison).0, 23);
    assert!(comparison.groups.iter().all(|group| group.matched_by == MatchedBy::Operator), "same names");
}

fn an_engine_equals_itself() {
    for (graph, profile) in [
        ("evpe_desktop__trtexec_mobilenet_v2_fp16.graph.json", "evpe_desktop__trtexec_mobilenet_v2_fp16.profile.json"),
        ("trex__mobilenet.qat.graph.json", "trex__mobilenet.qat.profile.json"),
        // Its engine info lists names alone.
        ("trex__notebooks__profile.json", ""),
    ] {
        let side = side(graph, profile);
        let comparison = Comparison::of(&side, &side);
        show(&comparison);
        let unlike = comparison.groups.iter().find(|group| group.a != group.b);
        assert!(unlike.is_none(), "{graph}: {unlike:#?}");
        let whole = comparison.runtime_change_ms;
        assert!(whole.is_none_or(|change| change.abs() < 1e-12), "{graph}: {whole:?}");
    }
}

fn versions_and_routes_are_matched() {
    let a = side("trex__mobilenet.qat.graph.json", "trex__mobilenet.qat.profile.json");
    let b = side("trex__mobilenet.qat.graph_afa7a1.json", "trex__mobilenet.qat.profile_fd03f1.json");
    let comparison = Comparison::of(&a, &b);
    show(&comparison);
    let (both, alone) = matched(&comparison);
    assert!(both >= 50 && alone < 0.05, "{both} groups, {alone} alone");
}
