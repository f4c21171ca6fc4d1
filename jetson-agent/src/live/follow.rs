//! Following the board: readings become views, one for each interval.

use super::view::{RailView, SamplingView, ThrottleView, View};
use crate::board::{self, StateReader};
use crate::measure::Integral;
use crate::power::{PowerSource, RefreshDetector, Root, Sampler, SamplerOptions, SourceError};
use crate::session::Stop;
use crate::sys;
use shared::failure::{Failure, Kind};
use shared::run_folder::{Board, BoardState, PowerSetup, Record, Sample, Total, TotalReadings};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How to follow.
#[derive(Debug, Clone)]
pub struct FollowPlan {
    /// Where the board's files are.
    pub root: Root,
    /// How to sample.
    pub sampling: SamplerOptions,
    /// Between two views.
    pub interval: Duration,
    /// How long; `None` until stopped.
    pub duration: Option<Duration>,
}

/// Where views go.
pub trait Display {
    /// Shows a view.
    ///
    /// # Errors
    /// When it cannot be shown; following then ends.
    fn show(&mut self, view: &View) -> Result<(), Failure>;

    /// Whether the viewer has had enough; asked some ten times a second.
    fn is_over(&mut self) -> bool {
        false
    }
}

/// Between two looks at whether to end.
const PATIENCE_NS: u64 = 100_000_000;
/// The board's files are looked for again this often: a processor that was switched off and on has new ones.
const REOPEN_NS: u64 = 60_000_000_000;
/// Sampling hands readings on ten times a second: a view waits so long for those of its interval.
const HANDED_ON_NS: u64 = 110_000_000;

/// A rail, or the total, since the start and in the interval.
struct Gauge {
    label: String,
    integral: Option<Integral>,
    sum: f64,
    count: u64,
    lowest: f64,
    highest: f64,
    volts_amperes: Option<(f64, f64)>,
    first_ns: u64,
}

impl Gauge {
    fn new(label: String) -> Self {
        Self {
            label,
            integral: None,
            sum: 0.0,
            count: 0,
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            volts_amperes: None,
            first_ns: 0,
        }
    }

    fn add(&mut self, t_ns: u64, watts: f64) {
        if self.integral.is_none() {
            self.first_ns = t_ns;
        }
        self.integral.get_or_insert_with(|| Integral::from_start(t_ns)).add(t_ns, watts);
        (self.sum, self.count) = (self.sum + watts, self.count + 1);
        (self.lowest, self.highest) = (self.lowest.min(watts), self.highest.max(watts));
    }

    /// The view of the interval that ends here; the next one begins.
    fn take(&mut self) -> RailView {
        let known = self.count > 0;
        let last = self.integral.as_ref().and_then(Integral::last).map(|(t_ns, _)| t_ns);
        let joules = self.integral.as_ref().zip(last).and_then(|(integral, last)| integral.joules_until(last));
        let seconds = last.map_or(0.0, |last| (last - self.first_ns) as f64 * 1e-9);
        let view = RailView {
            label: self.label.clone(),
            watts: known.then(|| self.sum / self.count as f64),
            lowest_watts: known.then_some(self.lowest),
            highest_watts: known.then_some(self.highest),
            volts: self.volts_amperes.map(|(volts, _)| volts),
            amperes: self.volts_amperes.map(|(_, amperes)| amperes),
            mean_watts: joules.filter(|_| seconds > 0.0).map(|joules| joules / seconds),
            peak_watts: self.integral.as_ref().and_then(Integral::peak),
            joules,
        };
        (self.sum, self.count) = (0.0, 0);
        (self.lowest, self.highest) = (f64::INFINITY, f64::NEG_INFINITY);
        view
    }
}

/// Everything that is followed.
struct Gauges {
    setup: PowerSetup,
    rails: Vec<Gauge>,
    detectors: Vec<RefreshDetector>,
    total: Option<Gauge>,
    readings: TotalReadings,
    since_view: u64,
    all: u64,
}

impl Gauges {
    fn new(setup: &PowerSetup) -> Self {
        let label = |rail: &u8| setup.rails.get(usize::from(*rail)).map_or("", |rail| rail.label.as_str());
        let total = match &setup.total {
            Total::Unknown => None,
            Total::Rail(rail) => Some(label(rail).to_owned()),
            Total::Sum(rails) => Some(rails.iter().map(label).collect::<Vec<_>>().join(" + ")),
        };
        Self {
            setup: setup.clone(),
            rails: setup.rails.iter().map(|rail| Gauge::new(rail.label.clone())).collect(),
            detectors: vec![RefreshDetector::default(); setup.rails.len()],
            total: total.map(Gauge::new),
            readings: TotalReadings::new(setup),
            since_view: 0,
            all: 0,
        }
    }

    fn add(&mut self, sample: &Sample) {
        let index = usize::from(sample.rail);
        let (Some(gauge), Some(rail)) = (self.rails.get_mut(index), self.setup.rails.get(index)) else { return };
        gauge.add(sample.t_ns, sample.power().0);
        let measured = rail.voltage_measured;
        gauge.volts_amperes = measured.then_some((f64::from(sample.mv) * 1e-3, f64::from(sample.ma) * 1e-3));
        if let Some(detector) = self.detectors.get_mut(index) {
            detector.add(sample);
        }
        if let Some(total) = &mut self.total
            && let Some((t_ns, voltage, current)) = self.readings.push(*sample)
        {
            total.add(t_ns, (voltage * current).0);
        }
        if sample.rail == 0 {
            (self.since_view, self.all) = (self.since_view + 1, self.all + 1);
        }
    }

    /// Between two new values of the slowest sensor, ms: by its chip, else as readings showed it.
    fn refresh_ms(&self) -> Option<f64> {
        let of = |(rail, detector): (&shared::run_folder::Rail, &RefreshDetector)| match rail.sensor.family {
            Some(family) => Some(family.refresh().0 * 1e-3),
            None => detector.period_ns().map(|ns| ns as f64 * 1e-6),
        };
        self.setup.rails.iter().zip(&self.detectors).filter_map(of).reduce(f64::max)
    }

    fn sampling(&mut self, seconds: f64) -> SamplingView {
        let readings_hz = self.since_view as f64 / seconds.max(1e-9);
        let refresh_ms = self.refresh_ms();
        self.since_view = 0;
        let effective_hz = refresh_ms.map(|ms| readings_hz.min(1e3 / ms.max(1e-6)));
        SamplingView { readings_hz, refresh_ms, effective_hz, readings: self.all }
    }
}

fn throttling(state: &BoardState, first: &BoardState) -> Vec<ThrottleView> {
    let before =
        |counter: &str| first.throttle_events.iter().find(|(name, _)| name == counter).map(|(_, count)| *count);
    let view = |(counter, events): &(String, u64)| ThrottleView {
        counter: counter.clone(),
        events: *events,
        since_start: events.saturating_sub(before(counter).unwrap_or(*events)),
    };
    state.throttle_events.iter().map(view).collect()
}

/// Follows a source until the time is over, the display has had enough, or `stop` is set. `tick` is called with the seconds
/// since the start before each look; a simulated board draws by it.
///
/// # Errors
/// When the source is lost, or the display fails.
pub fn follow(
    source: Box<dyn PowerSource>,
    plan: &FollowPlan,
    stop: &Stop,
    display: &mut dyn Display,
    tick: &mut dyn FnMut(f64),
) -> Result<(), Failure> {
    let board = board::probe(&plan.root);
    let mut gauges = Gauges::new(source.setup());
    let (sender, records) = channel();
    let (start_ns, start_cpu) = (sys::monotonic_ns(), sys::process_cpu_ns());
    let mut reader = StateReader::open(&plan.root);
    let (first, mut opened) = (reader.read(start_ns), start_ns);
    let sampler = Sampler::start(source, plan.sampling, sender);
    let live = sampler.live();
    let interval = sys::ns(plan.interval);
    let end_ns = plan.duration.map_or(u64::MAX, |duration| start_ns.saturating_add(sys::ns(duration)));
    let (mut viewed, mut due) = (start_ns, start_ns + interval.max(HANDED_ON_NS).min(sys::ns(Duration::from_secs(1))));
    let shown = loop {
        let now = sys::monotonic_ns();
        tick((now - start_ns) as f64 * 1e-9);
        take(&records, &mut gauges);
        let over = now >= end_ns || stop.is_set() || live.is_lost();
        if now >= due || (over && gauges.since_view > 0) {
            due = now.max(due) + interval;
            if now - opened >= REOPEN_NS {
                (reader, opened) = (StateReader::open(&plan.root), now);
            }
            let state = reader.read(now);
            let view = view(&board, &first, state, &mut gauges, (start_ns, viewed, now), start_cpu);
            viewed = now;
            if let Err(failure) = display.show(&view) {
                break Err(failure);
            }
        }
        if over || display.is_over() {
            break Ok(());
        }
        sys::sleep_until(due.min(end_ns).min(now + PATIENCE_NS).max(now + 1_000_000));
    };
    let outcome = sampler.finish().map_err(|e| Failure::from_error(Kind::Device, e))?;
    shown?;
    match outcome.lost {
        Some(SourceError::Ended) | None => Ok(()),
        Some(error) => Err(Failure::device(format!("the power source was lost: {error}"))),
    }
}

fn take(records: &Receiver<Record>, gauges: &mut Gauges) {
    for record in records.try_iter() {
        if let Record::Samples(samples) = record {
            samples.iter().for_each(|sample| gauges.add(sample));
        }
    }
}

fn view(
    board: &Board,
    first: &BoardState,
    state: BoardState,
    gauges: &mut Gauges,
    (start_ns, viewed, now): (u64, u64, u64),
    start_cpu: u64,
) -> View {
    let seconds = |ns: u64| ns as f64 * 1e-9;
    let mode = board.power_mode_name.clone().or_else(|| board.power_mode.map(|mode| mode.to_string()));
    View {
        schema_version: 1,
        unix_seconds: sys::wall_ns() as f64 * 1e-9,
        elapsed_seconds: seconds(now - start_ns),
        board: board.model.clone(),
        power_mode: mode,
        source: gauges.setup.source.clone(),
        sampling: gauges.sampling(seconds(now - viewed)),
        total: gauges.total.as_mut().map(Gauge::take),
        rails: gauges.rails.iter_mut().map(Gauge::take).collect(),
        throttling: throttling(&state, first),
        temperatures_c: state.temperatures_c,
        clocks_mhz: state.clocks_mhz,
        gpu_load: state.gpu_load,
        agent_cpu_seconds: seconds(sys::process_cpu_ns() - start_cpu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::Rail;

    #[test]
    fn a_gauge_adds_up_over_intervals_and_forgets_extremes() {
        let mut gauge = Gauge::new("VDD_IN".into());
        for t_ms in 0..=1_000_u64 {
            gauge.add(t_ms * 1_000_000, if t_ms == 500 { 9.0 } else { 4.0 });
        }
        let first = gauge.take();
        assert_eq!((first.lowest_watts, first.highest_watts, first.peak_watts), (Some(4.0), Some(9.0), Some(9.0)));
        assert!((first.joules.expect("known") - 4.005).abs() < 1e-9);
        gauge.add(1_500_000_000, 4.0);
        let second = gauge.take();
        assert_eq!((second.watts, second.highest_watts, second.peak_watts), (Some(4.0), Some(4.0), Some(9.0)));
        assert!((second.joules.expect("known") - 6.005).abs() < 1e-9);
        let none = gauge.take();
        assert_eq!((none.watts, none.lowest_watts), (None, None));
        assert!(none.joules.is_some());
    }

    #[test]
    fn a_sum_of_rails_is_the_total_and_an_unknown_total_is_none() {
        let rail = |label: &str| Rail { label: label.into(), voltage_measured: true, ..Rail::default() };
        let mut setup = PowerSetup {
            rails: vec![rail("VDD_GPU_SOC"), rail("VDD_CPU_CV")],
            total: Total::Sum(vec![0, 1]),
            ..PowerSetup::default()
        };
        let samples = [
            Sample { t_ns: 1_000_000, rail: 0, mv: 19_000.0, ma: 100.0 },
            Sample { t_ns: 1_100_000, rail: 1, mv: 19_000.0, ma: 50.0 },
        ];
        let mut gauges = Gauges::new(&setup);
        samples.iter().for_each(|sample| gauges.add(sample));
        let total = gauges.total.as_mut().expect("a total").take();
        assert!((total.watts.expect("a reading") - 2.85).abs() < 1e-6 && total.label == "VDD_GPU_SOC + VDD_CPU_CV");
        assert_eq!(gauges.rails[0].take().volts, Some(19.0));
        setup.total = Total::Unknown;
        assert!(Gauges::new(&setup).total.is_none());
    }

    #[test]
    fn throttling_counts_from_the_start() {
        let state = |count| BoardState { throttle_events: vec![("oc1".into(), count)], ..BoardState::default() };
        let views = throttling(&state(7), &state(5));
        assert_eq!(views, [ThrottleView { counter: "oc1".into(), events: 7, since_start: 2 }]);
        assert!(throttling(&BoardState::default(), &state(5)).is_empty());
    }
}
