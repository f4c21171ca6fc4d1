//! Logs of `tegrastats`: a line every so often, with rails as `VDD_IN 4182mW/4200mW` (JetPack 5 and later) or
//! `POM_5V_IN 2500/2500` (JetPack 4), the figure before the slash being the current one in milliwatts.

use super::line_stamp::{HEAD_WORDS, Spelling};
use super::rail_words::rails;
use super::timing::{Timed, in_time};
use shared::boards::{self, Whole, whole};
use shared::clock::Scale;
use shared::failure::Failure;
use shared::run_folder::{Diagnostics, PowerReading};
use shared::units::{Milliamps, Millivolts};
use std::io::{self, BufRead, Read};

/// Lines by which rails and stamps are judged.
const JUDGED: usize = 64;
/// Lines that are kept until there are so many with rails.
const KEPT: usize = 1 << 14;
/// Rails that are kept of a log.
const RAILS: usize = 64;
/// Time between lines that bear no stamp when nothing else is known: tegrastats' own default.
const DEFAULT_NS: i64 = 1_000_000_000;

/// What a log contains.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Readings of the rail, or of the sum of rails, in time. Only power is known: the voltage is set to 1 V.
    pub power: Timed,
    /// The rails read; several are a sum.
    pub read: Vec<String>,
    /// All rails that the log names, in their order.
    pub rails: Vec<String>,
    /// How its lines tell their time; `None` when they do not.
    pub stamps: Option<&'static str>,
    /// Lines left out.
    pub diagnostics: Diagnostics,
}

/// A line: its number, the words at its head, its rails.
struct Line {
    number: u64,
    head: Vec<String>,
    rails: Vec<(String, f64)>,
}

/// What is read of each line.
struct Choice {
    parts: Vec<String>,
    spelling: Option<Spelling>,
}

/// Reads a log. `rail` names the rail to read, else the board's total is looked for. The lines' own stamps tell the time;
/// `interval_ms` is the time between lines that bear none.
///
/// ```
/// let log = b"01-28-2025 13:38:25 RAM 1/2MB VDD_IN 5990mW/6000mW VDD_SOC 1mW/1mW\n\
///             01-28-2025 13:38:26 RAM 1/2MB VDD_IN 6010mW/6000mW VDD_SOC 1mW/1mW\n";
/// let log = ingest::tegrastats::read(&log[..], None, None)?;
/// assert_eq!(log.read, ["VDD_IN"]);
/// let milliwatts: Vec<f64> = log.power.readings.iter().map(|reading| reading.current.0).collect();
/// assert_eq!(milliwatts, [5990.0, 6010.0]);
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// When the source cannot be read, or the log does not tell what was asked for.
pub fn read(source: impl BufRead, rail: Option<&str>, interval_ms: Option<f64>) -> Result<Log, Failure> {
    let mut log = Log::default();
    let (mut judged, mut with_rails, mut choice) = (Vec::new(), 0, None);
    let mut rows = Rows::default();
    // A line of tegrastats is a few hundred bytes; a file without line ends is none.
    let mut source = source.take(shared::limits::TABLE_BYTES);
    let (mut bytes, mut number) = (Vec::new(), 0_u64);
    let cannot_read = |e: io::Error| Failure::new(shared::failure::Kind::Io, format!("cannot read: {e}")).caused_by(e);
    loop {
        bytes.clear();
        let ended = source.by_ref().take(1 << 16).read_until(b'\n', &mut bytes).map_err(cannot_read)? == 0;
        if !ended {
            number += 1;
            let text = String::from_utf8_lossy(&bytes);
            if text.trim().is_empty() {
                continue;
            }
            let line = Line::of(number, &text);
            for (name, _) in &line.rails {
                if log.rails.len() < RAILS && !log.rails.contains(name) {
                    log.rails.push(name.clone());
                }
            }
            with_rails += usize::from(!line.rails.is_empty());
            judged.push(line);
        }
        // A rail that was asked for may come late.
        let is_missing = rail.is_some_and(|rail| !log.rails.iter().any(|name| name.eq_ignore_ascii_case(rail)));
        let enough = (with_rails >= JUDGED && !is_missing) || judged.len() >= KEPT;
        if choice.is_none() && (ended || enough) {
            choice = Some(Choice::of(&judged, rail, &log.rails)?);
        }
        if let Some(choice) = &choice {
            for line in judged.drain(..) {
                match choice.milliwatts(&line) {
                    Ok(milliwatts) => rows.push(&line, choice.spelling.and_then(|s| line.stamp(s)), milliwatts),
                    Err(why) => log.diagnostics.note(|| format!("line {} {why}", line.number)),
                }
            }
        }
        if ended {
            break;
        }
    }
    let Choice { parts, spelling } = choice.unwrap_or(Choice { parts: Vec::new(), spelling: None });
    if rows.lines.is_empty() {
        return Err(no_rail(&log.rails, "names no rail that can be read"));
    }
    let given_ns = interval_ms.map(|ms| (ms * 1e6) as i64);
    log.power = match spelling {
        Some(spelling) => rows.in_time(spelling.scale(), given_ns)?,
        None => without_stamps(rows, given_ns)?,
    };
    log.stamps = spelling.map(Spelling::name);
    log.read = parts;
    Ok(log)
}

impl Line {
    fn of(number: u64, text: &str) -> Self {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let rails = rails(&words);
        // What stands before the line's own content.
        let head = words.iter().take(HEAD_WORDS).take_while(|word| **word != "RAM").map(|word| (*word).to_owned());
        Self { number, head: head.collect(), rails }
    }

    fn stamp(&self, spelling: Spelling) -> Option<i64> {
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        spelling.read(&head)
    }

    fn milliwatts(&self, rail: &str) -> Option<f64> {
        self.rails.iter().find(|(name, _)| name == rail).map(|(_, mw)| *mw)
    }
}

impl Choice {
    /// Judges the first lines: which rails are read, and how the time is spelt.
    fn of(lines: &[Line], rail: Option<&str>, all: &[String]) -> Result<Self, Failure> {
        let with_rails: Vec<&Line> = lines.iter().filter(|line| !line.rails.is_empty()).collect();
        let spelling = Spelling::ALL.into_iter().find(|spelling| {
            let stamped = with_rails.iter().filter(|line| line.stamp(*spelling).is_some()).count();
            stamped > 0 && stamped * 2 >= with_rails.len()
        });
        let parts = match rail {
            Some(rail) => {
                let exact = all.iter().find(|name| *name == rail);
                let found = exact.or_else(|| all.iter().find(|name| name.eq_ignore_ascii_case(rail)));
                vec![found.cloned().ok_or_else(|| no_rail(all, &format!("names no rail `{rail}`")))?]
            }
            None => {
                // A word of a torn line is no rail of the board.
                let usual = |name: &&String| {
                    2 * with_rails.iter().filter(|line| line.milliwatts(name).is_some()).count() >= with_rails.len()
                };
                let usual: Vec<String> = all.iter().filter(usual).cloned().collect();
                match whole(&usual) {
                    Whole::Rail(one) => vec![usual[one].clone()],
                    Whole::Sum(several) => several.iter().map(|&rail| usual[rail].clone()).collect(),
                    Whole::Lacks(parts) => {
                        let lacks = format!(
                            "names no rail that stands for the whole board: {} is missing",
                            boards::list(&parts)
                        );
                        return Err(no_rail(all, &lacks));
                    }
                    Whole::Nothing => return Err(no_rail(all, "names no rail that stands for the whole board")),
                }
            }
        };
        Ok(Self { parts, spelling })
    }

    /// What the rails read draw together.
    fn milliwatts(&self, line: &Line) -> Result<f64, String> {
        let part = |part: &String| line.milliwatts(part).ok_or_else(|| format!("does not name {part}"));
        self.parts.iter().map(part).sum()
    }
}

/// Lines that were read.
#[derive(Default)]
struct Rows {
    lines: Vec<u64>,
    stamps_ns: Vec<Option<i64>>,
    readings: Vec<PowerReading>,
}

impl Rows {
    fn push(&mut self, line: &Line, stamp_ns: Option<i64>, milliwatts: f64) {
        self.lines.push(line.number);
        self.stamps_ns.push(stamp_ns);
        let (voltage, current) = (Millivolts(1000.0), Milliamps(milliwatts));
        self.readings.push(PowerReading { wall_ns: 0, voltage, current });
    }

    fn in_time(&self, scale: Scale, given_ns: Option<i64>) -> Result<Timed, Failure> {
        in_time(&self.stamps_ns, &self.readings, scale, given_ns, |row| self.lines[row])
    }
}

/// Lines that do not tell their time lie an interval apart.
fn without_stamps(mut rows: Rows, given_ns: Option<i64>) -> Result<Timed, Failure> {
    let interval = given_ns.unwrap_or(DEFAULT_NS);
    for (stamp, at) in rows.stamps_ns.iter_mut().zip(0_i64..) {
        *stamp = Some(at.saturating_mul(interval));
    }
    let mut timed = rows.in_time(Scale::Counter { unit_ns: 1 }, None)?;
    timed.times.interval_ns = Some(interval);
    if given_ns.is_none() {
        let note = "its lines bear no time: they are taken to be 1 s apart; name the time with --interval-ms";
        timed.times.notes.push(note.into());
    }
    Ok(timed)
}

fn no_rail(rails: &[String], why: &str) -> Failure {
    let failure = Failure::data(why);
    if rails.is_empty() {
        failure.help("is it a log of tegrastats? Rails stand in it as `VDD_IN 4182mW/4200mW`")
    } else {
        failure.help(format!("choose one with --rail: {}", rails.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(log: &Log) -> Vec<f64> {
        log.power.readings.iter().map(|reading| reading.current.0).collect()
    }

    fn times_ms(log: &Log) -> Vec<i64> {
        let first = log.power.readings[0].wall_ns;
        log.power.readings.iter().map(|reading| (reading.wall_ns - first) / 1_000_000).collect()
    }

    fn log_of(lines: impl Iterator<Item = String>) -> Log {
        read(lines.collect::<Vec<_>>().join("\n").as_bytes(), None, None).expect("a log")
    }

    #[test]
    fn lines_of_new_and_old_boards() {
        let new = b"01-28-2025 13:38:25 RAM 2448/7471MB (lfb 4x4MB) SWAP 0/3735MB CPU [1%@729] VDD_IN 4182mW/4200mW VDD_SOC 1434mW/1434mW\n\
            01-28-2025 13:38:25 RAM 2448/7471MB VDD_IN 4282mW/4200mW\n\ngarbage\n01-28-2025 13:38:26 VDD_IN 4382mW/4200mW\n";
        let log = read(new.as_slice(), None, Some(100.0)).expect("a log");
        assert_eq!(powers(&log), [4182.0, 4282.0, 4382.0]);
        assert_eq!(times_ms(&log)[1], 100);
        assert_eq!((log.diagnostics.bad, log.rails.len()), (1, 2));
        let old = b"RAM 1/2MB POM_5V_IN 2500/2500 POM_5V_GPU 40/40\nRAM 1/2MB POM_5V_IN 2600/2550\n";
        let log = read(old.as_slice(), None, None).expect("a log");
        assert_eq!(log.read, ["POM_5V_IN"]);
        assert_eq!(log.power.readings[1].wall_ns, 1_000_000_000);
        assert!(log.power.times.notes[0].contains("--interval-ms"), "{:?}", log.power.times.notes);
        let gpu = read(old.as_slice(), Some("pom_5v_gpu"), Some(1000.0)).expect("a log");
        assert_eq!((gpu.power.readings.len(), gpu.diagnostics.bad, gpu.power.times.notes.len()), (1, 1, 0));
    }

    #[test]
    fn totals_are_those_of_the_board() {
        let thor = "10:00:00 RAM VDD_GPU 14000mW/1mW VDD_CPU_SOC_MSS 9000mW/1mW VIN_SYS_5V0 6000mW/1mW VIN 41000mW/1mW";
        assert_eq!(powers(&log_of([thor.to_owned()].into_iter())), [41_000.0]);
        let agx = "RAM VDD_GPU_SOC 12000mW/1mW VDD_CPU_CV 3000mW/1mW VIN_SYS_5V0 5000mW/1mW VDDQ_VDD2_1V8AO 1000mW/1mW";
        let log = log_of([agx.to_owned()].into_iter());
        assert_eq!((powers(&log), log.read.len()), (vec![20_000.0], 3));
        let part = "RAM 1/2MB VDD_CPU_GPU_CV 300mW/300mW VDD_SOC 1mW/1mW";
        let failure = read(part.as_bytes(), None, None).expect_err("no total").report(false);
        assert!(failure.contains("VDD_IN is missing") && failure.contains("VDD_CPU_GPU_CV, VDD_SOC"), "{failure}");
        let failure = read(part.as_bytes(), Some("GPU"), None).expect_err("no such rail").report(false);
        assert!(failure.contains("`GPU`") && failure.contains("VDD_CPU_GPU_CV, VDD_SOC"), "{failure}");
    }

    #[test]
    fn lines_of_one_second_share_it_evenly() {
        let lines = (0..50).map(|i| format!("09-14-2023 10:00:0{} RAM VDD_IN 5000mW/5000mW", i / 10));
        let log = log_of(lines);
        assert_eq!((times_ms(&log)[49], log.power.times.interval_ns), (4900, Some(100_000_000)));
        let lines: String =
            (0..50).map(|i| format!("09-14-2023 10:00:0{} RAM VDD_IN 5000mW/5000mW\n", i / 10)).collect();
        let log = read(lines.as_bytes(), None, Some(1000.0)).expect("a log");
        assert_eq!(times_ms(&log)[49], 4900);
        assert!(log.power.times.notes[0].contains("--interval-ms 1000 does not fit"), "{:?}", log.power.times.notes);
    }

    #[test]
    fn stamps_behind_a_prefix_tell_the_time() {
        for prefix in [
            "board1: 09-14-2023 10:00:{s}",
            "2023-09-14T10:00:{s}+00:00 tegrastats[811]:",
            "Sep 14 10:00:{s} board tegrastats:",
        ] {
            let lines = (0..10)
                .map(|i| format!("{} RAM 1/2MB VDD_IN 5000mW/5000mW", prefix.replace("{s}", &format!("{:02}", 5 * i))));
            assert_eq!(times_ms(&log_of(lines))[9], 45_000, "{prefix}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_left_out_and_named() {
        let stamp = |i: i64| match i {
            0..10 => format!("01-01-1970 00:01:{i:02}"),
            _ => format!("09-14-2023 10:00:{i:02}"),
        };
        let log = log_of((0..20).map(|i| format!("{} RAM 1/2MB VDD_IN 5000mW/5000mW", stamp(i))));
        assert_eq!(times_ms(&log)[19], 19_000);
        assert_eq!(log.power.times.stretches.len(), 1);
        assert!(
            log.power.times.notes[0].starts_with("line 11: the clock was set ahead by 16946"),
            "{:?}",
            log.power.times.notes
        );
    }

    #[test]
    fn a_pause_is_no_step_and_nothing_is_counted_in_it() {
        let lines = (0..20).map(|i| format!("09-14-2023 10:0{}:{:02} RAM VDD_IN 1mW/1mW", 3 * (i / 10), i % 10));
        let log = log_of(lines);
        assert_eq!((times_ms(&log)[19], log.power.times.stretches.clone()), (189_000, vec![0..10, 10..20]));
        assert!(log.power.times.notes[0].contains("line 11: 171 s without a reading"), "{:?}", log.power.times.notes);
    }
}
