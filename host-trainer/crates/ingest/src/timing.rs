//! Rows of a file put in time, and what had to be done for it.

use shared::clock::{ChangeKind, Scale, Series, TimeError, read_series};
use shared::failure::Failure;
use shared::run_folder::PowerReading;
use shared::run_folder::stamp::midnight_ns;
use std::ops::Range;

/// Places that a note names; the rest is counted.
const NAMED: usize = 3;
/// Years that a run folder's stamps may have.
const YEARS: Range<i64> = 1900..2150;

/// What was found about the times of a file's rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Times {
    /// Stretches of readings without a gap between them; only these were covered by measurement.
    pub stretches: Vec<Range<usize>>,
    /// The usual time between readings in ns, as the stamps tell it.
    pub interval_ns: Option<i64>,
    /// What was found about the clock, one sentence each.
    pub notes: Vec<String>,
    /// The range of a counter that began again, and was unwrapped.
    pub wrapped_ns: Option<i64>,
    /// Whether the clock was set: stamps of another file of that clock do not fit any more.
    pub was_set: bool,
}

/// Readings in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timed {
    /// The readings.
    pub readings: Vec<PowerReading>,
    /// What was found about their times.
    pub times: Times,
}

/// Puts readings in time, by the stamps of their rows. `given_ns` is the interval that the user named; `line` is a row's line
/// in the file.
///
/// # Errors
/// When time goes back for no certain reason, or leaves the years that a run folder can hold.
pub(crate) fn in_time(
    stamps_ns: &[Option<i64>],
    readings: &[PowerReading],
    scale: Scale,
    given_ns: Option<i64>,
    line: impl Fn(usize) -> u64,
) -> Result<Timed, Failure> {
    let series = read_series(stamps_ns, scale, given_ns).map_err(|error| refused(error, &line))?;
    let times = years(&series, scale).ok_or_else(|| {
        Failure::data(format!("its times leave the years from {} to {}", YEARS.start, YEARS.end - 1))
            .help("check the unit of the time column")
    })?;
    let readings = series.rows.iter().zip(times).map(|(&row, wall_ns)| PowerReading { wall_ns, ..readings[row] });
    let wrapped = series.changes.iter().find(|change| change.kind == ChangeKind::Wrapped);
    Ok(Timed {
        readings: readings.collect(),
        times: Times {
            stretches: series.stretches(),
            interval_ns: series.interval_ns,
            notes: notes(&series, given_ns, |at| series.rows.get(at).map_or(0, |&row| line(row))),
            wrapped_ns: wrapped.map(|change| change.by_ns),
            was_set: series.changes.iter().any(|change| change.kind == ChangeKind::Set),
        },
    })
}

/// The times, moved so that a run folder can hold them: a signed counter begins at zero. `None` when they cannot be.
fn years(series: &Series, scale: Scale) -> Option<Vec<i64>> {
    let first = series.times_ns.first().copied().unwrap_or(0);
    let shift = if matches!(scale, Scale::Counter { .. }) && first < 0 { first.checked_neg()? } else { 0 };
    let range = midnight_ns(YEARS.start, 1, 1)?..midnight_ns(YEARS.end - 1, 12, 31)?;
    series.times_ns.iter().map(|time| time.checked_add(shift).filter(|time| range.contains(time))).collect()
}

/// The failure of a series whose time goes back.
pub(crate) fn refused(error: TimeError, line: impl Fn(usize) -> u64) -> Failure {
    match error {
        TimeError::GoesBack { row, by_ns, count } => {
            let more = if count > 1 { format!(", and goes back {count} times in all") } else { String::new() };
            Failure::data(format!("time goes back by {}{more}; nothing certain explains it", span(by_ns)))
                .place(format!("line {}", line(row)))
                .help("cut the file where its clock was set or its device restarted, and import each part")
        }
        TimeError::TooLarge { row } => Failure::data("its time is out of range")
            .place(format!("line {}", line(row)))
            .help("check the unit of the time column"),
    }
}

/// What was found about a clock, one sentence for each kind of change.
fn notes(series: &Series, given_ns: Option<i64>, line: impl Fn(usize) -> u64) -> Vec<String> {
    let mut notes = Vec::new();
    let usual = series.interval_ns.map_or_else(String::new, |ns| format!(" where readings are {} apart", span(ns)));
    for kind in [ChangeKind::Wrapped, ChangeKind::Set, ChangeKind::Misfit, ChangeKind::Gap] {
        let found: Vec<_> = series.changes.iter().filter(|change| change.kind == kind).collect();
        let places = found.iter().take(NAMED).map(|change| {
            let (line, by) = (line(change.at), span(change.by_ns));
            match kind {
                ChangeKind::Wrapped => format!("line {line}: the counter begins again after {by}"),
                ChangeKind::Set if change.by_ns < 0 => format!("line {line}: the clock was set back by {by}"),
                ChangeKind::Set => format!("line {line}: the clock was set ahead by {by}"),
                ChangeKind::Misfit => format!("line {line}: its time is {by} off its neighbours'"),
                ChangeKind::Gap => format!("line {line}: {by} without a reading{usual}"),
            }
        });
        let mut sentence = places.collect::<Vec<_>>().join("; ");
        if sentence.is_empty() {
            continue;
        }
        if found.len() > NAMED {
            sentence += &format!("; and {} more", found.len() - NAMED);
        }
        notes.push(
            sentence
                + match kind {
                    ChangeKind::Wrapped => ": undone",
                    ChangeKind::Set => ": the step is left out of the time",
                    ChangeKind::Misfit => ": put between them",
                    ChangeKind::Gap => ": no inference is counted in it",
                },
        );
    }
    if series.sorted {
        notes.push("its rows were not in order of time: sorted".into());
    }
    if series.unstamped > 0 && series.unstamped < series.rows.len() {
        notes.push(format!("{} lines have no time of their own: put between their neighbours", series.unstamped));
    }
    if let Some(given) = given_ns.filter(|_| series.contradicts) {
        let told = series.interval_ns.map_or_else(|| "closer".into(), |ns| format!("{} apart", span(ns)));
        notes.push(format!(
            "--interval-ms {} does not fit the stamps, by which the lines are {told}: the stamps are used",
            given as f64 * 1e-6
        ));
    }
    notes
}

/// A span of time for people, without its sign.
pub(crate) fn span(ns: i64) -> String {
    let ns = ns.unsigned_abs() as f64;
    let (value, unit) = match ns {
        ns if ns < 1e6 => (ns * 1e-3, "µs"),
        ns if ns < 1e9 => (ns * 1e-6, "ms"),
        _ => (ns * 1e-9, "s"),
    };
    let text = format!("{value:.6}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}
