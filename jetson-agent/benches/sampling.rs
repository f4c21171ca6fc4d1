//! How fast, how evenly and at what cost rails are read: files kept open and re-read, as the agent does, against files
//! opened, read and closed for every value, as the reference does.
//!
//! `cargo bench -p jetson-agent --bench sampling`. Both read the same files: two attributes of this machine's own sysfs
//! (a network interface's), standing in for a sensor's voltage and current, so the kernel's part of a read is real, and the
//! bus behind a real sensor is not. Times are of this machine; only the ratios mean something elsewhere.

#![allow(clippy::print_stdout)]

use jetson_agent::power::{Root, SamplerOptions, find_hwmon, sample_briefly};
use jetson_agent::sys;
use shared::run_folder::Sample;
use std::path::Path;
use std::time::Duration;

const SECONDS: u64 = 3;
const ATTRIBUTES: [&str; 2] = ["/sys/class/net/lo/mtu", "/sys/class/net/lo/tx_queue_len"];

struct Figures {
    hz: f64,
    jitter_us: f64,
    cpu_us: f64,
}

fn figures(stamps: &[u64], cpu_ns: u64) -> Figures {
    let n = stamps.len().max(2);
    let span = (stamps[n - 1] - stamps[0]) as f64;
    let mean = span / (n - 1) as f64;
    let variance = stamps.windows(2).map(|p| ((p[1] - p[0]) as f64 - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    Figures { hz: 1e9 / mean, jitter_us: variance.sqrt() * 1e-3, cpu_us: cpu_ns as f64 * 1e-3 / n as f64 }
}

/// The reference's way: for each value the path is opened, the text read and parsed, the file closed.
fn open_read_close(voltage: &Path, current: &Path) -> Figures {
    let number = |path: &Path| -> f64 {
        std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)
    };
    let (start, cpu) = (sys::monotonic_ns(), sys::process_cpu_ns());
    let mut samples = Vec::new();
    while sys::monotonic_ns() - start < SECONDS * 1_000_000_000 {
        let (mv, ma) = (number(voltage) as f32, number(current) as f32);
        samples.push(Sample { t_ns: sys::monotonic_ns(), rail: 0, mv, ma });
    }
    let cpu = sys::process_cpu_ns() - cpu;
    figures(&samples.iter().map(|s| s.t_ns).collect::<Vec<_>>(), cpu)
}

fn agent(root: &Root, rate_hz: Option<f64>) -> Option<(Figures, f64)> {
    let source = find_hwmon(root)?.source.ok()?;
    let cpu = sys::process_cpu_ns();
    let options = SamplerOptions { rate_hz, realtime: false };
    let (samples, outcome, _) = sample_briefly(source, options, Duration::from_secs(SECONDS)).ok()?;
    let cpu = sys::process_cpu_ns() - cpu;
    Some((figures(&samples.iter().map(|s| s.t_ns).collect::<Vec<_>>(), cpu), outcome.report.cpu_share))
}

fn main() -> std::io::Result<()> {
    if ATTRIBUTES.iter().any(|path| !Path::new(path).exists()) {
        println!("skipped: this machine has no {ATTRIBUTES:?}");
        return Ok(());
    }
    let board = tempfile::tempdir()?;
    let chip = board.path().join("sys/class/hwmon/hwmon0");
    std::fs::create_dir_all(&chip)?;
    std::fs::write(chip.join("name"), "ina3221\n")?;
    std::fs::write(chip.join("in1_label"), "VDD_IN\n")?;
    std::os::unix::fs::symlink(ATTRIBUTES[0], chip.join("in1_input"))?;
    std::os::unix::fs::symlink(ATTRIBUTES[1], chip.join("curr1_input"))?;
    let root = Root::new(Some(board.path()));
    println!(
        "{:<40} {:>12} {:>12} {:>14}",
        "back to back, 3 s each, three rounds", "readings/s", "jitter us", "CPU us/reading"
    );
    for _ in 0..3 {
        let theirs = open_read_close(&chip.join("in1_input"), &chip.join("curr1_input"));
        let Some((ours, _)) = agent(&root, None) else { break };
        for (name, f) in [("open, read, close", &theirs), ("kept open (agent)", &ours)] {
            println!("{name:<40} {:>12.0} {:>12.2} {:>14.3}", f.hz, f.jitter_us, f.cpu_us);
        }
        println!(
            "{:<40} {:>12.2} {:>12.2} {:>14.2}",
            "ratio, agent to reference",
            ours.hz / theirs.hz,
            ours.jitter_us / theirs.jitter_us,
            ours.cpu_us / theirs.cpu_us
        );
    }
    println!("\n{:<40} {:>12} {:>12} {:>14}", "at a set rate", "readings/s", "jitter us", "CPU share %");
    for hz in [100.0, 1_000.0, 5_000.0] {
        if let Some((f, share)) = agent(&root, Some(hz)) {
            println!(
                "{:<40} {:>12.1} {:>12.1} {:>14.3}",
                format!("agent at {hz} Hz"),
                f.hz,
                f.jitter_us,
                share * 100.0
            );
        }
    }
    Ok(())
}
