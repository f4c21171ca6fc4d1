//! Measuring a command.

use super::command::{NotStarted, find_program, start};
use super::report::{CommandEnergy, Member, RailEnergy, SensorSummary, Times, Track, rail_energy};
use crate::power::{PowerSource, Sampler, SamplerOptions, SourceError};
use crate::sys;
use shared::failure::{Failure, Kind};
use shared::run_folder::{PowerSetup, Record, Sample, Sensor, Total, TotalReadings};
use shared::units::Micros;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// What to measure and how.
#[derive(Debug, Clone)]
pub struct MeasurePlan {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// How to sample.
    pub sampling: SamplerOptions,
    /// How long idle power is read before the command; `None` chooses by the sensor, zero leaves it out.
    pub idle: Option<Duration>,
    /// How long to read on after the command; `None` chooses by the sensor.
    pub settling: Option<Duration>,
}

/// What measuring a command came to.
#[derive(Debug)]
pub enum Measured {
    /// The command ran.
    Ran(Box<CommandEnergy>),
    /// It could not be started.
    NotStarted(Box<NotStarted>),
}

/// Idle power is read this long at least.
const IDLE_NS: u64 = 2_000_000_000;
/// Readings go on this long at least; and so long where nobody knows how the sensor lags.
const SETTLING_NS: u64 = 100_000_000;
const UNKNOWN_SETTLING_NS: u64 = 1_000_000_000;
/// Longest choice of either.
const LONGEST_NS: u64 = 60_000_000_000;

/// A sensor's time constant, and how far back a reading without a lag reaches: a window, a block and its renewal.
fn memory(sensor: &Sensor) -> Option<(f64, f64)> {
    let family = sensor.family?;
    let Micros(constant) = family.time_constant();
    let behind = if constant > 0.0 { 0.0 } else { family.mean_delay().0 * 2.0 };
    Some((constant * 1e3, (behind + family.refresh().0) * 1e3))
}

/// Readings a second that miss nothing of an energy, two for each renewal of the quickest sensor: what a register repeats in between adds
/// nothing, and each reading wakes the processor whose energy is measured. `None` where a sensor's renewal is not known.
///
/// ```
/// use jetson_agent::measure::sufficient_hz;
/// use shared::run_folder::{PowerSetup, Rail, Sensor};
/// use shared::sensor::SensorFamily;
/// use shared::units::Micros;
///
/// let rail = |family| Rail { sensor: Sensor { family, ..Sensor::default() }, ..Rail::default() };
/// let meter = |us| Some(SensorFamily::Meter { period: Micros(us) });
/// let of = |rails| sufficient_hz(&PowerSetup { rails, ..PowerSetup::default() });
/// assert_eq!(of(vec![rail(meter(50_000.0)), rail(meter(10_000.0))]), Some(200.0));
/// assert_eq!(of(vec![rail(meter(50_000.0)), rail(None)]), None);
/// ```
#[must_use]
pub fn sufficient_hz(setup: &PowerSetup) -> Option<f64> {
    let renewals: Option<Vec<f64>> = setup.rails.iter().map(|rail| Some(rail.sensor.family?.refresh().0)).collect();
    let quickest = renewals?.into_iter().reduce(f64::min)?;
    (quickest > 0.0).then(|| 2e6 / quickest)
}

/// How long idle power is read: four blocks of twice the slowest sensor's time constant.
#[must_use]
pub fn idle_time(setup: &PowerSetup) -> Duration {
    let constant = setup.rails.iter().filter_map(|rail| memory(&rail.sensor)).map(|(constant, _)| constant);
    Duration::from_nanos(((8.1 * constant.fold(0.0, f64::max)) as u64).clamp(IDLE_NS, LONGEST_NS))
}

/// How long readings go on after the command, until the slowest sensor has seen all of it: five time constants and a
/// renewal leave 0.7 % of the last moment's power, over one time constant.
#[must_use]
pub fn settling_time(setup: &PowerSetup) -> Duration {
    let of = |sensor: &Sensor| match memory(sensor) {
        Some((constant, behind)) => (5.0 * constant + behind) as u64,
        None => UNKNOWN_SETTLING_NS,
    };
    let longest = setup.rails.iter().map(|rail| of(&rail.sensor)).max().unwrap_or(0);
    Duration::from_nanos(longest.clamp(SETTLING_NS, LONGEST_NS))
}

/// What is read of all rails and of the total.
struct Tracks {
    setup: PowerSetup,
    rails: Vec<Track>,
    total: Option<Track>,
    readings: TotalReadings,
    start_ns: Option<u64>,
}

impl Tracks {
    fn new(setup: &PowerSetup) -> Self {
        let rails: Vec<Track> = setup.rails.iter().map(|rail| Track::new(rail.label.clone())).collect();
        let label = |rail: &u8| setup.rails.get(usize::from(*rail)).map_or("", |rail| rail.label.as_str());
        let total = match &setup.total {
            Total::Unknown => None,
            Total::Rail(rail) => Some(label(rail).to_owned()),
            Total::Sum(rails) => Some(format!("sum of {}", rails.iter().map(label).collect::<Vec<_>>().join(" + "))),
        };
        let readings = TotalReadings::new(setup);
        Self { setup: setup.clone(), rails, total: total.map(Track::new), readings, start_ns: None }
    }

    fn add(&mut self, sample: &Sample, end_ns: u64) {
        if sample.t_ns > end_ns {
            return;
        }
        let measured = self.setup.rails.get(usize::from(sample.rail)).is_some_and(|rail| rail.voltage_measured);
        if let Some(track) = self.rails.get_mut(usize::from(sample.rail)) {
            track.volts = measured.then_some(f64::from(sample.mv) * 1e-3);
            track.add(sample.t_ns, sample.power().0, self.start_ns);
        }
        if let Some(total) = &mut self.total
            && let Some((t_ns, voltage, current)) = self.readings.push(*sample)
        {
            total.add(t_ns, (voltage * current).0, self.start_ns);
        }
    }

    /// The command starts; the integral begins later by `delay_ns`.
    fn begin(&mut self, start_ns: u64, delay_ns: u64) {
        self.start_ns = Some(start_ns);
        self.rails.iter_mut().chain(&mut self.total).for_each(|track| track.begin(start_ns + delay_ns));
    }

    fn take(&mut self, record: &Record, end_ns: u64) {
        if let Record::Samples(samples) = record {
            samples.iter().for_each(|sample| self.add(sample, end_ns));
        }
    }

    fn energies(&self, times: Times) -> (Option<RailEnergy>, Vec<RailEnergy>) {
        let member = |index: usize| {
            let (track, rail) = (self.rails.get(index)?, self.setup.rails.get(index)?);
            Some(Member { track, sensor: &rail.sensor, source: &self.setup.source })
        };
        let of = |track: &Track, indices: &[usize]| {
            let members: Vec<Member<'_>> = indices.iter().filter_map(|index| member(*index)).collect();
            rail_energy(track, &members, times)
        };
        let parts: Vec<usize> = match &self.setup.total {
            Total::Unknown => Vec::new(),
            Total::Rail(rail) => vec![usize::from(*rail)],
            Total::Sum(rails) => rails.iter().map(|rail| usize::from(*rail)).collect(),
        };
        let total = self.total.as_ref().map(|track| of(track, &parts));
        (total, self.rails.iter().enumerate().map(|(index, track)| of(track, &[index])).collect())
    }
}

/// Measures a command: idle power, the command, and the time that the sensor needs to see all of it. `load` is called with
/// true when the command starts and with false when it has ended; a simulated board draws by it. Signals go to the
/// command while it runs (see [`sys::hand_signals_on`]).
///
/// # Errors
/// When the source is lost or the user interrupts before the command starts. A source that is lost later leaves energies
/// unknown.
pub fn measure(
    source: Box<dyn PowerSource>,
    plan: &MeasurePlan,
    load: &(dyn Fn(bool) + Sync),
) -> Result<Measured, Failure> {
    let Some(program) = plan.command.first() else { return Err(Failure::usage("there is no command to measure")) };
    let program = match find_program(program) {
        Ok(program) => program,
        Err(why) => return Ok(Measured::NotStarted(why)),
    };
    let setup = source.setup().clone();
    let with_idle = plan.idle.is_none_or(|idle| !idle.is_zero());
    let delay = |sensor: &Sensor| sensor.family.map_or(0.0, |family| family.mean_delay().0 * 1e3) as u64;
    let delay_ns = setup.rails.iter().map(|rail| delay(&rail.sensor)).max().unwrap_or(0);
    // Without idle power the integral is that of the command, later by the sensor's mean delay.
    let delay_ns = if with_idle { 0 } else { delay_ns };
    let settling = match (plan.settling, with_idle) {
        (Some(settling), true) => sys::ns(settling),
        (None, true) => sys::ns(settling_time(&setup)),
        (_, false) => delay_ns,
    };
    let mut tracks = Tracks::new(&setup);
    let (sender, records) = channel();
    let cpu_before = sys::process_cpu_ns();
    let sampler = Sampler::start(source, plan.sampling, sender);
    let live = sampler.live();

    let idle_ns = sys::ns(plan.idle.unwrap_or_else(|| idle_time(&setup)));
    let idle_end = sys::monotonic_ns() + idle_ns;
    // A source that is quiet at first gets its time; the command starts with the first reading at the earliest.
    let first_by = idle_end + UNKNOWN_SETTLING_NS;
    loop {
        drain(&records, &mut tracks, u64::MAX);
        let now = sys::monotonic_ns();
        if sys::signal_waiting().is_some() {
            drop(sampler.finish());
            return Err(Failure::new(Kind::Interrupted, "interrupted before the command was started"));
        }
        if live.is_lost() {
            let lost = sampler.finish().map(|outcome| outcome.lost).unwrap_or_else(Some);
            let why = lost.map_or_else(String::new, |error| format!(": {error}"));
            return Err(Failure::device(format!("the power source was lost before the command was started{why}")));
        }
        if now >= idle_end && (live.readings() > 0 || now >= first_by) {
            break;
        }
    }

    let started = match start(&program, &plan.command) {
        Ok(started) => started,
        Err(why) => {
            drop(sampler.finish());
            return Ok(Measured::NotStarted(why));
        }
    };
    load(true);
    let (start_ns, pid) = (started.at_ns, started.pid());
    tracks.begin(start_ns, delay_ns);
    let ended = OnceLock::new();
    let mut notes = Vec::new();
    let end_ns = std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = sys::wait_for(pid, || {
                sys::set_child(None);
                load(false);
            });
            ended.set(end.map_err(|e| e.to_string()))
        });
        loop {
            match ended.get() {
                None => drain(&records, &mut tracks, u64::MAX),
                Some(end) => {
                    let at_ns = end.as_ref().map_or_else(|_| sys::monotonic_ns(), |end| end.at_ns);
                    let end_ns = at_ns + settling;
                    while sys::monotonic_ns() < end_ns && !live.is_lost() {
                        drain(&records, &mut tracks, end_ns);
                        if sys::signal_waiting().is_some() {
                            notes.push(
                                "interrupted while the sensor settled: the energy lacks what it had not seen yet"
                                    .into(),
                            );
                            return sys::monotonic_ns().min(end_ns);
                        }
                    }
                    return end_ns;
                }
            }
        }
    });
    let outcome = sampler.finish();
    records.try_iter().for_each(|record| tracks.take(&record, end_ns));
    let end = match ended.into_inner() {
        Some(Ok(end)) => end,
        Some(Err(why)) => return Err(Failure::new(Kind::Io, format!("cannot wait for the command: {why}"))),
        None => return Err(Failure::new(Kind::Io, "cannot wait for the command")),
    };
    let (report, lost) = match outcome {
        Ok(outcome) => (outcome.report, outcome.lost),
        Err(error) => (Default::default(), Some(error)),
    };
    let seconds = |ns: u64| ns as f64 * 1e-9;
    let times = Times {
        command: seconds(end.at_ns.saturating_sub(start_ns)),
        settling: seconds(end_ns.saturating_sub(end.at_ns)),
        end_ns,
        spacing: if report.achieved_hz > 0.0 { 1.0 / report.achieved_hz } else { 0.0 },
        with_idle,
    };
    let (mut total, mut rails) = tracks.energies(times);
    let covered = tracks.rails.iter().filter_map(|track| track.last).all(|(t_ns, _)| t_ns + 2_000_000_000 > end_ns);
    match lost {
        Some(SourceError::Ended) if covered => {}
        Some(error) => {
            notes.push(format!("the power source was lost while the command ran: {error}; its energy is not known"));
            for rail in rails.iter_mut().chain(&mut total) {
                (rail.energy, rail.above_idle, rail.mean_watts) = (None, None, None);
            }
        }
        None => {}
    }
    notes.extend(report.notes.iter().cloned());
    let longest = tracks.rails.iter().filter_map(|track| track.integral.as_ref()).map(|i| i.longest_gap_ns()).max();
    let gap = seconds(longest.unwrap_or(0));
    if gap > (10.0 * times.spacing).max(0.05) {
        notes.push(format!(
            "no reading came for {gap:.2} s at a time; what was drawn then is a guess from before and after"
        ));
    }
    let cpu = seconds(sys::process_cpu_ns() - cpu_before);
    let mean = total.as_ref().and_then(|total| total.mean_watts);
    Ok(Measured::Ran(Box::new(CommandEnergy {
        schema_version: 1,
        command: plan.command.iter().map(|part| part.to_string_lossy().into_owned()).collect(),
        exit_code: end.code,
        signal: end.signal,
        seconds: times.command,
        user_seconds: seconds(end.user_ns),
        system_seconds: seconds(end.system_ns),
        source: setup.source.clone(),
        total_is: tracks.total.as_ref().map(|track| track.label.clone()),
        total,
        rails,
        sensors: setup.rails.iter().map(|rail| SensorSummary::of(rail, &setup.source)).collect(),
        settling_seconds: times.settling,
        readings: tracks.rails.iter().filter_map(|t| t.integral.as_ref()).map(|i| i.readings()).max().unwrap_or(0),
        achieved_hz: report.achieved_hz,
        longest_gap_ms: gap * 1e3,
        agent_cpu_seconds: cpu,
        agent_joules_at_most: mean.map(|watts| watts * cpu),
        notes,
    })))
}

/// Takes what has come, or waits a fiftieth of a second for it.
fn drain(records: &Receiver<Record>, tracks: &mut Tracks, end_ns: u64) {
    match records.recv_timeout(Duration::from_millis(20)) {
        Ok(record) => tracks.take(&record, end_ns),
        Err(RecvTimeoutError::Timeout) => {}
        // The sampler has ended; nothing comes any more, but the command runs on.
        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(20)),
    }
}
