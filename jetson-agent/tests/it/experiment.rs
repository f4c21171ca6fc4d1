//! Plans of several models.

use crate::support::{agent, code, run, stderr, write_load};
use shared::run_folder::{Manifest, Status};
use std::path::Path;

fn write_plan(home: &Path) {
    let engine = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json"));
    let plan = format!(
        "result_dir = 'raw'\nidle = '200ms'\ncool_down = '0s'\nrepeats = 2\nrunner = 'simulated'\nruns = 40\nwarmup = 2\nprofiled = 5\n\
         [[model]]\nname = 'a'\nengine_info = '{0}'\n[[model]]\nname = 'b'\nengine_info = '{0}'\nruns = 60\n",
        engine.display()
    );
    std::fs::write(home.join("plan.toml"), plan).expect("writes");
}

#[test]
fn a_plan_goes_on_where_it_was_cut_off() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path());
    write_load(home.path());
    let measure = || run(agent(home.path()).args(["experiment", "plan.toml", "--simulate-fast"]));
    let first = measure();
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert!(home.path().join("raw/idling_power.json").exists());
    let manifest = |path: &str| Manifest::read(&home.path().join(path).join("manifest.json")).expect("reads");
    for (path, runs) in [("raw/run1/a", 40), ("raw/run1/b", 60), ("raw/run2/a", 40), ("raw/run2/b", 60)] {
        assert_eq!((manifest(path).status, manifest(path).counts.power_inferences), (Status::Complete, runs), "{path}");
    }
    // A power cut in the third measurement: no manifest of its end, half a log.
    let cut = home.path().join("raw/run2/a");
    let mut running = manifest("raw/run2/a");
    running.status = Status::Running;
    running.write(&cut.join("manifest.json")).expect("writes");
    let log = std::fs::read(cut.join("samples.eplog")).expect("reads");
    std::fs::write(cut.join("samples.eplog"), &log[..log.len() / 2]).expect("writes");
    let before =
        std::fs::metadata(home.path().join("raw/run1/a/samples.eplog")).expect("is there").modified().expect("a time");
    let second = measure();
    assert_eq!(code(&second), 0, "{}", stderr(&second));
    assert!(stderr(&second).contains("3 of 4 are measured already"), "{}", stderr(&second));
    assert_eq!(manifest("raw/run2/a").status, Status::Complete);
    assert_eq!(manifest("raw/run2/.cut-off-a-1").status, Status::Recovered);
    let after =
        std::fs::metadata(home.path().join("raw/run1/a/samples.eplog")).expect("is there").modified().expect("a time");
    assert_eq!(before, after, "a finished run was measured again");
    assert_eq!(code(&measure()), 0);
}

#[test]
fn a_wrong_plan_is_a_usage_error_with_its_line() {
    let home = tempfile::tempdir().expect("temporary folder");
    std::fs::write(home.path().join("plan.toml"), "result_dir = 'raw'\n[[model]]\nname = 'a'\nonx = 'a'\n")
        .expect("writes");
    let output = run(agent(home.path()).args(["experiment", "plan.toml"]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("line 4") && stderr(&output).contains("onx"), "{}", stderr(&output));
}

#[test]
fn a_model_that_does_not_run_keeps_no_other_from_being_measured() {
    let home = tempfile::tempdir().expect("temporary folder");
    write_plan(home.path());
    let plan = std::fs::read_to_string(home.path().join("plan.toml")).expect("reads");
    std::fs::write(home.path().join("broken.json"), "{}").expect("writes");
    let broken = plan.replacen("name = 'a'\nengine_info = '", "name = 'a'\nengine_info = 'broken.json' # '", 1);
    std::fs::write(home.path().join("plan.toml"), broken.replace("repeats = 2", "repeats = 1")).expect("writes");
    let output = run(agent(home.path()).args(["experiment", "plan.toml", "--simulate-fast"]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("not every model"), "{}", stderr(&output));
    let manifest = Manifest::read(&home.path().join("raw/b/manifest.json")).expect("reads");
    assert_eq!(manifest.status, Status::Complete);
}
