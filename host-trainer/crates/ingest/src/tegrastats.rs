//! Logs of `tegrastats`: a line every so often, with rails as `VDD_IN 4182mW/4200mW` (JetPack 5 and later) or
//! `POM_5V_IN 2500/2500` (before), present over average in milliwatts.

use shared::run_folder::{Diagnostics, PowerReading, stamp};
use shared::units::{Milliamps, Millivolts};
use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

/// Rails that stand for the whole board, in the order in which they are looked for.
const TOTALS: [&str; 5] = ["VDD_IN", "POM_5V_IN", "VIN_SYS_5V0", "5V_IN", "SYS_VIN_TOTAL"];

/// What a log holds.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Readings of the rail. Only power is known: the voltage is set to 1 V.
    pub power: Vec<PowerReading>,
    /// The rail read.
    pub rail: Option<String>,
    /// All rails that the log names.
    pub rails: BTreeSet<String>,
    /// Lines without the rail.
    pub diagnostics: Diagnostics,
}

/// Reads a log. `rail` names the rail to read, else the board's total is looked for. Lines without a time of their own,
/// and lines of the same second, are `interval_ms` apart.
///
/// ```
/// let log = b"01-28-2025 13:38:25 RAM 1/2MB VDD_IN 5990mW/6000mW VDD_SOC 1mW/1mW\n\
///             01-28-2025 13:38:26 RAM 1/2MB VDD_IN 6010mW/6000mW VDD_SOC 1mW/1mW\n";
/// let log = ingest::tegrastats::read(&log[..], None, 1000.0)?;
/// assert_eq!(log.rail.as_deref(), Some("VDD_IN"));
/// assert_eq!(log.power.iter().map(|reading| reading.current.0).collect::<Vec<_>>(), [5990.0, 6010.0]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Whatever the source says.
pub fn read(source: impl BufRead, rail: Option<&str>, interval_ms: f64) -> io::Result<Log> {
    let mut log = Log { rail: rail.map(str::to_owned), ..Log::default() };
    let interval_ns = (interval_ms * 1e6) as i64;
    let mut last_ns: Option<i64> = None;
    // A line of tegrastats is a few hundred bytes; a file without line ends is none.
    let mut source = source.take(shared::limits::TABLE_BYTES);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        if source.by_ref().take(1 << 16).read_until(b'\n', &mut line)? == 0 {
            return Ok(log);
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let rails: Vec<(&str, f64)> =
            words.windows(2).filter_map(|w| milliwatts(w[1]).filter(|_| is_rail(w[0])).map(|mw| (w[0], mw))).collect();
        for (name, _) in &rails {
            if log.rails.len() < 64 {
                log.rails.insert((*name).to_owned());
            }
        }
        if log.rail.is_none() {
            log.rail = TOTALS.iter().find(|t| rails.iter().any(|(name, _)| name == *t)).map(|t| (*t).to_owned());
        }
        let found = log.rail.as_deref().and_then(|rail| rails.iter().find(|(name, _)| *name == rail));
        let Some((_, mw)) = found else {
            log.diagnostics.note(|| format!("line {number} does not name the rail"));
            continue;
        };
        let told = words.first().zip(words.get(1)).and_then(|(date, time)| moment(date, time));
        let next = last_ns.map_or(0, |last| last + interval_ns);
        let at = told.map_or(next, |told| if last_ns.is_some_and(|last| told <= last) { next } else { told });
        last_ns = Some(at);
        log.power.push(PowerReading { wall_ns: at, voltage: Millivolts(1000.0), current: Milliamps(*mw) });
    }
}

fn is_rail(word: &str) -> bool {
    word.len() > 1
        && word.contains('V')
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// `4182mW/4200mW` or `4182/4200`: the first figure.
fn milliwatts(word: &str) -> Option<f64> {
    let (now, mean) = word.split_once('/')?;
    let figure = |text: &str| text.strip_suffix("mW").unwrap_or(text).parse::<u32>().ok().map(f64::from);
    figure(mean)?;
    figure(now)
}

/// `01-28-2025 13:38:25` in Unix ns of the log's zone.
fn moment(date: &str, time: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if (month.len(), day.len(), year.len()) != (2, 2, 4) {
        return None;
    }
    stamp::parse_stamp(&format!("{year}{month}{day}-{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_new_and_old_boards() {
        let new = b"01-28-2025 13:38:25 RAM 2448/7471MB (lfb 4x4MB) SWAP 0/3735MB CPU [1%@729] VDD_IN 4182mW/4200mW VDD_SOC 1434mW/1434mW\n\
            01-28-2025 13:38:25 RAM 2448/7471MB VDD_IN 4282mW/4200mW\n\ngarbage\n01-28-2025 13:38:26 VDD_IN 4382mW/4200mW\n";
        let log = read(new.as_slice(), None, 100.0).expect("memory");
        assert_eq!(log.power.iter().map(|p| p.current.0).collect::<Vec<_>>(), [4182.0, 4282.0, 4382.0]);
        assert_eq!(log.power[1].wall_ns - log.power[0].wall_ns, 100_000_000);
        assert_eq!((log.diagnostics.bad, log.rails.len()), (1, 2));
        let old = b"RAM 1/2MB POM_5V_IN 2500/2500 POM_5V_GPU 40/40\nRAM 1/2MB POM_5V_IN 2600/2550\n";
        let log = read(old.as_slice(), None, 1000.0).expect("memory");
        assert_eq!(log.rail.as_deref(), Some("POM_5V_IN"));
        assert_eq!(log.power[1].wall_ns, 1_000_000_000);
        let gpu = read(old.as_slice(), Some("POM_5V_GPU"), 1000.0).expect("memory");
        assert_eq!((gpu.power.len(), gpu.diagnostics.bad), (1, 1));
    }
}
