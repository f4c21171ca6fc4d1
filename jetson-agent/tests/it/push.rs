//! Run folders pushed from two boards to one store.

use crate::support::{agent, code, json, profile, run, stderr};
use shared::run_folder::{Manifest, RunFolder, Status};
use std::path::Path;

fn push(folder: &Path, extra: &[&str]) -> std::process::Output {
    run(agent(folder).args(["--format", "json", "push"]).args(extra))
}

#[test]
fn two_boards_push_their_runs_and_what_a_board_removes_is_kept() {
    let (home, other) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let store = home.path().join("store").display().to_string();
    for folder in [home.path(), other.path()] {
        let output = run(&mut profile(folder, &["--runs", "50", "--simulate-fast", "--quiet"]));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    assert_eq!(code(&push(home.path(), &[])), 2, "no store is known yet");
    let answer = json(&push(home.path(), &["--remote", &store, "--branch", "lab"]));
    assert_eq!(answer["branch"], "lab");
    let first = answer["snapshot"].as_str().expect("a snapshot").to_owned();
    // Nothing new: the same snapshot, and nothing but a look at the branch.
    let again = json(&push(home.path(), &[]));
    assert_eq!((again["snapshot"].as_str(), again["sent_bytes"].as_u64()), (Some(first.as_str()), Some(0)));

    // Another board, the same branch: its run is added.
    let raw = other.path().join("raw_data");
    std::fs::rename(raw.join("tiny"), raw.join("second")).expect("renamed");
    json(&push(other.path(), &["--remote", &store, "--branch", "lab"]));

    // The first board removes its run and has one that still goes on.
    std::fs::remove_dir_all(home.path().join("raw_data/tiny")).expect("removed");
    let going = RunFolder::new(&home.path().join("raw_data"), "going");
    std::fs::create_dir_all(going.path()).expect("folder");
    let manifest = Manifest { status: Status::Running, ..Manifest::new("going", "test") };
    std::fs::write(going.manifest(), serde_json::to_vec(&manifest).expect("JSON")).expect("written");
    std::fs::write(home.path().join("raw_data/idling_power.json"), "{}").expect("written");
    let output = push(home.path(), &[]);
    assert_eq!(json(&output)["running"][0], "going");
    assert!(stderr(&output).contains("recover"), "{}", stderr(&output));

    let copy = home.path().join("copy");
    std::fs::create_dir(&copy).expect("folder");
    let opened = store::Store::open(&store).expect("a store");
    let mut reader = store::work::WorkingCopy::init(&copy, &store, opened, "", "lab").expect("init");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(reader.pull(false, 4)).expect("pulled");
    for path in ["raw_data/tiny/samples.eplog", "raw_data/second/samples.eplog", "raw_data/idling_power.json"] {
        assert!(copy.join(path).exists(), "{path}");
    }
    assert!(!copy.join("raw_data/going").exists());
}
