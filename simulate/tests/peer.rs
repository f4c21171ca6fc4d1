//! The simulated sensors beside a second implementation in Python, `benches/sensors`, on the same loads.
//!
//! It needs Python with numpy: the one that `LAYERJOULE_PYTHON` names, else `python3`. Where there is none, the test is ignored;
//! under continuous integration it fails.
#![allow(missing_docs, clippy::print_stdout)]

use gated_tests::{peer, run};
use serde::{Deserialize, Serialize};
use shared::random::Random;
use simulate::{Reader, Register, SensorFilter, SensorModel};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

#[derive(Deserialize)]
struct Case {
    sensor: SensorModel,
    settled_w: f64,
    /// Length in ns and power in W of each piece.
    pieces: Vec<(u64, f64)>,
    read_ns: Vec<u64>,
    seed: u64,
}

#[derive(Serialize, Default)]
struct Answer {
    /// When the register was renewed, ns, and its new value: W, or µJ of an energy counter.
    renewals: Vec<(u64, f64)>,
    /// When it was read, ns, and the power that the reader makes of it, W.
    readings: Vec<(u64, Option<f64>)>,
}

fn answer(case: &Case) -> Answer {
    assert_eq!(case.sensor.check(), Ok(()));
    let mut filter = SensorFilter::new(case.sensor, 0, case.settled_w, Random::new(case.seed));
    let mut reader = Reader::new(&case.sensor, Random::new(case.seed));
    let mut answer = Answer::default();
    let (mut end, mut reads) = (0, case.read_ns.iter().copied().peekable());
    for (length, watts) in &case.pieces {
        end += length;
        let mut next = filter.now_ns();
        while next < end {
            next = reads.peek().map_or(end, |read| (*read).min(end));
            filter.advance(next, *watts, &mut |t_ns, _, new| answer.renewals.push((t_ns, value(new))));
            if reads.next_if_eq(&next).is_some() {
                let sample = reader.read(next, filter.register());
                answer.readings.push((next, sample.map(|sample| sample.power().0)));
            }
        }
    }
    answer
}

fn value(register: Register) -> f64 {
    match register {
        Register::Power { mv, ma } => f64::from(mv) * f64::from(ma) * 1e-6,
        Register::Energy { microjoules } => microjoules,
    }
}

fn python() -> Command {
    Command::new(std::env::var_os("LAYERJOULE_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn script(argument: &str) -> Command {
    let mut command = python();
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/sensors/compare.py")).arg(argument);
    command
}

fn both_implementations_answer_alike() {
    let output = script("cases").output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Case> = serde_json::from_slice(&output.stdout).expect("cases");
    let answers: Vec<Answer> = cases.iter().map(answer).collect();
    let mut child = script("check").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
    let input = serde_json::to_vec(&answers).expect("serialises");
    child.stdin.take().expect("a pipe").write_all(&input).expect("writes");
    let output = child.wait_with_output().expect("ends");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "the two implementations differ");
}

fn main() -> ExitCode {
    let there =
        python().args(["-c", "import numpy"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let missing = "needs Python with numpy: install it, or name one in LAYERJOULE_PYTHON";
    run(vec![peer("both_implementations_answer_alike", there, missing, both_implementations_answer_alike)])
}
