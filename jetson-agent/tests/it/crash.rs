//! Killed, interrupted, truncated: what was measured is there.

use crate::support::{agent, code, json, profile, run, wait_for_samples, wait_until};
use shared::run_folder::frames::FrameReader;
use shared::run_folder::{Manifest, PowerLogReader, RunFolder, Status, read_sample_log};
use std::io::BufReader;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FrameReader::new(bytes);
    std::iter::from_fn(|| reader.next_frame().expect("memory")).collect()
}

/// Kills one session after a delay, checks what is left, and says whether samples were in its log by then.
fn kill_once(delay: Duration) -> bool {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut command = profile(home.path(), &["--runs", "1000000", "--quiet", "--no-realtime"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let run_folder = RunFolder::new(&home.path().join("raw_data"), "tiny");
    wait_until(&mut child, "it measures", || run_folder.manifest().exists());
    std::thread::sleep(delay);
    let sealed = std::fs::read(run_folder.sample_log()).expect("reads");
    assert!(child.try_wait().expect("waits").is_none(), "the session ended before it was killed");
    child.kill().expect("kills");
    child.wait().expect("waits");

    let left = std::fs::read(run_folder.sample_log()).expect("reads");
    let (before, after) = (frames(&sealed), frames(&left));
    assert!(after.len() >= before.len() && after[..before.len()] == before[..], "a sealed frame is gone");
    let recovered = jetson_agent::session::recover(&run_folder).expect("recovers");
    assert!(!recovered.was_sealed && recovered.missing_frames == 0 && recovered.damaged_bytes == 0);
    assert_eq!(std::fs::read(run_folder.sample_log()).expect("reads"), left, "recovering changed the log");
    let content = read_sample_log(&run_folder.sample_log()).expect("reads");
    assert_eq!(content.counts, recovered.counts);
    let lines = PowerLogReader::new(BufReader::new(std::fs::File::open(run_folder.power_log()).expect("opens")));
    assert_eq!(lines.filter(|l| matches!(l, Ok(Ok(_)))).count() as u64, content.counts.samples);
    let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.counts), (Status::Recovered, content.counts));
    let findings = jetson_agent::session::verify(&run_folder).expect("verifies");
    let log = findings.iter().find(|f| f.file == "samples.eplog").expect("the log");
    assert!(log.message.contains("it was not sealed"), "{}", log.message);
    content.counts.samples > 0
}

/// 200 sessions, each killed at another moment of its first 400 ms of measuring.
#[test]
fn kill_9_at_200_moments_loses_no_sealed_frame() {
    const SESSIONS: u32 = 200;
    let (next, measuring) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= SESSIONS {
                        return;
                    }
                    // Spread evenly but out of order, by the golden ratio.
                    let delay = Duration::from_micros(u64::from(number.wrapping_mul(2_654_435_769) % 400_000));
                    measuring.fetch_add(u32::from(kill_once(delay)), Ordering::Relaxed);
                }
            });
        }
    });
    let measuring = measuring.into_inner();
    assert!(measuring >= SESSIONS / 10, "only {measuring} of {SESSIONS} kills fell after the first sample was written");
}

#[test]
fn a_log_cut_at_every_byte_gives_its_prefix_and_verify_says_so() {
    let home = tempfile::tempdir().expect("temporary folder");
    let output = run(&mut profile(home.path(), &["--runs", "20", "--profiled", "3", "--simulate-fast"]));
    assert_eq!(code(&output), 0);
    let run_folder = RunFolder::new(&home.path().join("raw_data"), "tiny");
    let whole = std::fs::read(run_folder.sample_log()).expect("reads");
    let all = frames(&whole);
    assert!(all.len() >= 5 && whole.len() < 20_000, "{} frames, {} bytes", all.len(), whole.len());
    for cut in 0..whole.len() {
        let part = frames(&whole[..cut]);
        assert_eq!(part[..], all[..part.len()], "cut at {cut}");
    }
    for cut in [0, 4, 9, whole.len() / 2, whole.len() - 1] {
        std::fs::write(run_folder.sample_log(), &whole[..cut]).expect("writes");
        let verified = run(agent(home.path()).args(["verify", "raw_data/tiny", "--format", "json"]));
        assert_eq!((code(&verified), json(&verified)["whole"].as_bool()), (1, Some(false)), "cut at {cut}");
    }
}

#[test]
fn ctrl_c_ends_the_cycle_and_seals_the_run() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut child = profile(home.path(), &["--runs", "1000000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let run_folder = RunFolder::new(&home.path().join("raw_data"), "tiny");
    wait_for_samples(&run_folder, &mut child);
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().expect("waits").code(), Some(130));
    let manifest = Manifest::read(&run_folder.manifest()).expect("reads");
    assert_eq!((manifest.status, manifest.failure), (Status::Interrupted, None));
    let content = read_sample_log(&run_folder.sample_log()).expect("reads");
    assert!(content.damage.is_clean() && content.seal == Some(content.counts) && content.counts.samples > 0);
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/tiny"]))), 0);
}

#[test]
fn a_run_under_way_is_not_recovered() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut child = profile(home.path(), &["--runs", "1000000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    wait_until(&mut child, "it measures", || home.path().join("raw_data/tiny/manifest.json").exists());
    let output = run(agent(home.path()).args(["recover", "raw_data/tiny"]));
    child.kill().expect("kills");
    child.wait().expect("waits");
    assert_eq!(code(&output), 5);
    assert!(crate::support::stderr(&output).contains("still being written"));
    assert_eq!(code(&run(agent(home.path()).args(["recover", "raw_data/tiny"]))), 0);
}
