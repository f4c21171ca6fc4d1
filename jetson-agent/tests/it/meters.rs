//! External meters over pseudo-terminals, and NVML with a library of ours.

use crate::support::{agent, code, json, profile, run, shared_library, stderr, wait_for_samples};
use shared::run_folder::{Manifest, RunFolder, Status, read_sample_log};
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The meter's end of a pseudo-terminal, and the port that the agent opens.
pub(crate) fn pty() -> (File, String) {
    // SAFETY: a fresh descriptor that nobody else has; the name's buffer is ours and large enough.
    unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(master >= 0 && libc::grantpt(master) == 0 && libc::unlockpt(master) == 0, "no pseudo-terminal");
        let mut name = [0_i8 as libc::c_char; 128];
        assert_eq!(libc::ptsname_r(master, name.as_mut_ptr(), name.len()), 0);
        let port = CStr::from_ptr(name.as_ptr()).to_str().expect("UTF-8").to_owned();
        // Raw from the start, or the line discipline would echo and change what the meter writes.
        let mut settings = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(master, &raw mut settings), 0);
        libc::cfmakeraw(&raw mut settings);
        assert_eq!(libc::tcsetattr(master, libc::TCSANOW, &raw const settings), 0);
        let flags = libc::fcntl(master, libc::F_GETFL);
        libc::fcntl(master, libc::F_SETFL, flags | libc::O_NONBLOCK);
        (File::from_raw_fd(master), port)
    }
}

/// A meter that writes `t_us,V,A` a thousand times a second until told to stop; then it holds the port or lets go of it.
pub(crate) fn csv_meter(master: File, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<File> {
    csv_meter_from(master, stop, 0)
}

/// Such a meter whose 32-bit counter stands at `first_us` when it starts.
fn csv_meter_from(mut master: File, stop: Arc<AtomicBool>, first_us: u64) -> std::thread::JoinHandle<File> {
    std::thread::spawn(move || {
        let started = std::time::Instant::now();
        let _ = master.write_all(b"INA226 meter v1\r\n");
        while !stop.load(Ordering::Relaxed) {
            let us = started.elapsed().as_micros() as u64;
            let amps = if (us / 5_000).is_multiple_of(2) { 1.5 } else { 2.0 };
            // Before the agent opens the port nobody reads, and the buffer may be full.
            let stamp = (first_us + us) % (1 << 32);
            let _ = master.write_all(format!("{stamp},5.0,{amps}\r\n").as_bytes());
            if us % 50_000 < 1_000 {
                let _ = master.write_all(b"\x00\xffnoise,,\r\n");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        master
    })
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn tiny(home: &Path) -> RunFolder {
    RunFolder::new(&home.join("raw_data"), "tiny")
}

fn start(home: &Path, source: &str, runs: &str) -> Child {
    profile(home, &["--source", source, "--runs", runs, "--profiled", "5"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

#[test]
fn a_csv_meter_with_noise_on_its_line_is_read() {
    let (master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    let meter = csv_meter(master, Arc::clone(&stop));
    let home = home();
    let output = start(home.path(), &format!("serial:{port}"), "500").wait_with_output().expect("waits");
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(content.samples.len() > 30, "{}", content.samples.len());
    assert!(content.samples.iter().all(|s| s.mv == 5_000.0 && (s.ma == 1_500.0 || s.ma == 2_000.0)));
    assert!(content.samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
}

#[test]
fn a_counter_of_32_bits_that_begins_again_moves_no_reading() {
    let (master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    // It begins again 100 ms after its start, before or after the agent listens; the readings go on past it.
    let meter = csv_meter_from(master, Arc::clone(&stop), (1 << 32) - 100_000);
    let home = home();
    let mut child = start(home.path(), &format!("serial:{port}"), "1000000");
    wait_for_samples(&tiny(home.path()), &mut child);
    // SAFETY: the child is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().expect("waits");
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(!content.samples.is_empty(), "{}", stderr(&output));
    assert!(content.samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
    let span = content.samples[content.samples.len() - 1].t_ns - content.samples[0].t_ns;
    assert!(span < 600_000_000_000, "{span}");
    let sampling = Manifest::read(&tiny(home.path()).manifest()).expect("reads").sampling.expect("a report");
    // The greeting and the noise on the line are counted.
    assert!(sampling.rejected > 0 && stderr(&output).contains("left out"), "{sampling:?} {}", stderr(&output));
}

#[test]
fn a_cable_that_is_pulled_out_ends_the_session_with_what_was_measured() {
    let (master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    let meter = csv_meter(master, Arc::clone(&stop));
    let home = home();
    let mut child = start(home.path(), &format!("serial:{port}"), "1000000");
    wait_for_samples(&tiny(home.path()), &mut child);
    stop.store(true, Ordering::Relaxed);
    drop(meter.join().expect("joins"));
    let output = child.wait_with_output().expect("waits");
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("cable"), "{}", stderr(&output));
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    assert_eq!(manifest.status, Status::Failed);
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(content.counts.samples > 0 && content.seal == Some(content.counts) && content.damage.is_clean());
    assert_eq!(code(&run(agent(home.path()).args(["verify", "raw_data/tiny"]))), 0);
}

#[test]
fn a_line_of_garbage_and_a_wrong_port_are_named() {
    let (mut master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let meter = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let _ = master.write_all(b"\x80\x13garbage\n");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let home = home();
    let output = start(home.path(), &format!("serial:{port}"), "1000000").wait_with_output().expect("waits");
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("baud rate"), "{}", stderr(&output));
    let output = run(&mut profile(home.path(), &["--source", "serial:/dev/does-not-exist", "--result-dir", "other"]));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
}

/// A PowerSensor3 with one pair: answers the configuration and streams once started.
pub(crate) fn powersensor3(master: File, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    powersensor3_that_loses(master, stop, 0..0)
}

/// Such a device of which the sets of these microseconds never come.
fn powersensor3_that_loses(
    mut master: File,
    stop: Arc<AtomicBool>,
    lost: std::ops::Range<u64>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut streaming, mut channel, mut sent) = (None, 0, 0_u64);
        let mut command = [0_u8; 1];
        while !stop.load(Ordering::Relaxed) {
            match master.read(&mut command) {
                Ok(1) => match command[0] {
                    b'R' => {
                        channel = 0;
                        let _ = master.write_all(&record(0));
                    }
                    b's' => {
                        channel += 1;
                        let _ = if channel < 8 { master.write_all(&record(channel)) } else { master.write_all(b"D") };
                    }
                    b'S' => streaming = Some(std::time::Instant::now()),
                    b'X' if streaming.take().is_some() => {
                        let _ = master.write_all(&[0xFF, 0x3F]);
                    }
                    _ => {}
                },
                _ => std::thread::sleep(Duration::from_micros(500)),
            }
            if let Some(started) = streaming {
                // As many sets as are due, 50 µs apart, each with its time.
                let due = started.elapsed().as_micros() as u64 / 50;
                let mut bytes = Vec::new();
                while sent < due {
                    if lost.contains(&(sent * 50)) {
                        sent += 1;
                        continue;
                    }
                    let us = (sent * 50 % 1024) as u16;
                    for (sensor, level, mark) in [(7_u8, us, true), (0, 600, false), (1, 465, false)] {
                        bytes.push(0x80 | sensor << 4 | (level >> 6) as u8);
                        bytes.push(u8::from(mark) << 6 | (level & 0x3F) as u8);
                    }
                    sent += 1;
                }
                let _ = master.write_all(&bytes);
            }
        }
    })
}

fn record(channel: usize) -> Vec<u8> {
    let mut record = vec![0_u8; 41];
    record[16..19].copy_from_slice(b"12V");
    let (reference, sensitivity) = if channel.is_multiple_of(2) { (1.65_f32, 0.12_f32) } else { (0.0, 0.125) };
    record[32..36].copy_from_slice(&reference.to_le_bytes());
    record[36..40].copy_from_slice(&sensitivity.to_le_bytes());
    record[40] = u8::from(channel < 2);
    record
}

#[test]
fn a_powersensor3_is_configured_started_and_read_at_20_khz() {
    let (master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    let meter = powersensor3(master, Arc::clone(&stop));
    let home = home();
    let output = start(home.path(), &format!("serial:{port},powersensor3"), "500").wait_with_output().expect("waits");
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    assert_eq!(manifest.power.rails[0].label, "12V");
    assert_eq!(manifest.power.rails[0].sensor.refresh_ns, Some(50_000));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(content.samples.len() > 1_000, "{}", content.samples.len());
    let watts = (3.3 * 600.0 / 1023.0 - 1.65) / 0.12 * (3.3 * 465.0 / 1023.0 / 0.125);
    assert!(content.samples.iter().all(|s| (s.power().0 - watts).abs() < 1e-3));
}

#[test]
fn what_a_powersensor3_loses_is_counted_and_time_stays_true_behind_it() {
    let (master, port) = pty();
    let stop = Arc::new(AtomicBool::new(false));
    // 102.4 ms are a hundred turns of its stamp: the stamps alone show nothing.
    let meter = powersensor3_that_loses(master, Arc::clone(&stop), 300_000..402_400);
    let home = home();
    let source = format!("serial:{port},powersensor3");
    let output = run(agent(home.path()).args(["idle", "--duration", "1s", "--no-realtime", "--source", &source]));
    stop.store(true, Ordering::Relaxed);
    meter.join().expect("joins");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let path = home.path().join("raw_data/idling_power.manifest.json");
    let sampling = Manifest::read(&path).expect("reads").sampling.expect("a report");
    assert!(sampling.longest_gap_ms > 90.0 && sampling.missed > 1_500, "{sampling:?}");
    assert!(stderr(&output).contains("the stream lost about"), "{}", stderr(&output));
}

/// Builds the stand-in for NVML.
pub(crate) fn nvml_library(folder: &Path) -> PathBuf {
    shared_library(folder, "nvml.c")
}

#[test]
fn nvml_offers_instant_average_and_counter_and_takes_the_instant_one() {
    let home = home();
    let library = nvml_library(home.path());
    let output = run(&mut profile(home.path(), &["--source", &format!("nvml:{}", library.display()), "--runs", "300"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest = Manifest::read(&tiny(home.path()).manifest()).expect("reads");
    let labels: Vec<&str> = manifest.power.rails.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["GPU 0 instant", "GPU 0 average", "GPU 0 energy counter"]);
    assert_eq!(manifest.power.total, shared::run_folder::Total::Rail(0));
    assert!(manifest.power.rails.iter().all(|r| !r.voltage_measured && r.place == "Stand-in GPU"));
    let content = read_sample_log(&tiny(home.path()).sample_log()).expect("reads");
    assert!(content.samples.iter().filter(|s| s.rail == 0).all(|s| (s.power().0 - 71.5).abs() < 1e-6));
    assert!(content.samples.iter().filter(|s| s.rail == 1).all(|s| (s.power().0 - 70.25).abs() < 1e-6));
    // The counter of ours runs at 70 W; single differences jitter with the readings' times.
    let counter: Vec<f64> = content.samples.iter().filter(|s| s.rail == 2).map(|s| s.power().0).collect();
    let mean = counter[counter.len() / 4..].iter().sum::<f64>() / (counter.len() - counter.len() / 4) as f64;
    assert!((50.0..90.0).contains(&mean), "{mean}");
}

/// As on a Jetson: NVML starts, finds a device, and supports no reading.
#[test]
fn an_nvml_without_a_power_reading_is_not_chosen() {
    let home = home();
    let library = nvml_library(home.path());
    let source = format!("nvml:{}", library.display());
    let output = run(profile(home.path(), &["--source", &source]).env("STAND_IN_NVML", "jetson"));
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("no power reading") && stderr(&output).contains("hwmon"), "{}", stderr(&output));
    let absent = run(&mut profile(home.path(), &["--source", "nvml:/nonexistent.so"]));
    assert_eq!(code(&absent), 4, "{}", stderr(&absent));
    let rails = run(agent(home.path()).args(["rails", "--format", "json"]));
    assert_eq!(json(&rails)["sources"].as_array().map(Vec::len), Some(0));
}
