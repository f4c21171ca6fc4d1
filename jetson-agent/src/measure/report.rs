//! From integrals and idle power to energies with their uncertainty.

use super::accuracy::{Accuracy, accuracy};
use super::baseline::{Baseline, Idle};
use super::estimate::{Estimate, Part, joined};
use super::integral::Integral;
use serde::Serialize;
use shared::run_folder::{Rail, Sensor};
use shared::sensor::SensorFamily;

/// What a command cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandEnergy {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The command.
    pub command: Vec<String>,
    /// Its exit code; `None` if a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// From its start to its end, s.
    pub seconds: f64,
    /// CPU time in user mode, s, with children that it waited for.
    pub user_seconds: f64,
    /// CPU time in the kernel, s.
    pub system_seconds: f64,
    /// The kind of power source.
    pub source: String,
    /// What stands for the board's total; `None` where nothing does.
    pub total_is: Option<String>,
    /// The board as a whole.
    pub total: Option<RailEnergy>,
    /// Each rail.
    pub rails: Vec<RailEnergy>,
    /// Each rail's sensor.
    pub sensors: Vec<SensorSummary>,
    /// How long readings went on after the command's end, s, until a slow sensor had seen all of it.
    pub settling_seconds: f64,
    /// Readings while the command ran and the sensor settled.
    pub readings: u64,
    /// Readings per second.
    pub achieved_hz: f64,
    /// The longest time without a reading, ms.
    pub longest_gap_ms: f64,
    /// CPU time of this program while it measured, s.
    pub agent_cpu_seconds: f64,
    /// What this program itself drew at most, J: its CPU time at the mean power of the whole board.
    pub agent_joules_at_most: Option<f64>,
    /// What went wrong without ending it, and what limits the figures.
    pub notes: Vec<String>,
}

/// The energy of one rail, or of the total.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RailEnergy {
    /// The rail's label.
    pub label: String,
    /// Its energy while the command ran; `None` where readings are missing.
    pub energy: Option<Estimate>,
    /// Of that, what exceeds idle power; `None` without idle power.
    pub above_idle: Option<Estimate>,
    /// Mean power while the command ran, W.
    pub mean_watts: Option<f64>,
    /// The highest reading, W. A sensor that averages shows less than the highest power.
    pub peak_watts: Option<f64>,
    /// Power before the command.
    pub idle: Option<Idle>,
}

/// A rail's sensor, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SensorSummary {
    /// The rail's label.
    pub label: String,
    /// The chip.
    pub chip: Option<String>,
    /// What it does to the load.
    pub family: Option<SensorFamily>,
    /// Limits of its error.
    pub accuracy: Option<Accuracy>,
    /// Why the limits are not known.
    pub accuracy_unknown: Option<String>,
}

impl SensorSummary {
    /// Of a rail of a source.
    #[must_use]
    pub fn of(rail: &Rail, source: &str) -> Self {
        let known = accuracy(&rail.sensor, source);
        Self {
            label: rail.label.clone(),
            chip: rail.sensor.chip.clone(),
            family: rail.sensor.family,
            accuracy: known.clone().ok(),
            accuracy_unknown: known.err(),
        }
    }
}

/// What was read of a rail or of the total.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) label: String,
    pub(super) baseline: Baseline,
    pub(super) integral: Option<Integral>,
    pub(super) last: Option<(u64, f64)>,
    /// The last voltage, V; `None` where only power is known.
    pub(super) volts: Option<f64>,
}

impl Track {
    pub(super) fn new(label: String) -> Self {
        Self { label, baseline: Baseline::default(), integral: None, last: None, volts: None }
    }

    /// Adds a reading: to idle power before the command, to the integral from then on.
    pub(super) fn add(&mut self, t_ns: u64, watts: f64, command_start_ns: Option<u64>) {
        if command_start_ns.is_none_or(|start| t_ns < start) {
            self.baseline.add(t_ns, watts);
        }
        if let Some(integral) = &mut self.integral {
            integral.add(t_ns, watts);
        }
        self.last = Some((t_ns, watts));
    }

    pub(super) fn begin(&mut self, start_ns: u64) {
        let mut integral = Integral::from_start(start_ns);
        if let Some((t_ns, watts)) = self.last {
            integral.add(t_ns, watts);
        }
        self.integral = Some(integral);
    }
}

/// The times of a measurement, s, and how often it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The command's duration.
    pub(super) command: f64,
    /// From the command's end to the integral's.
    pub(super) settling: f64,
    /// The integral's end, monotonic ns.
    pub(super) end_ns: u64,
    /// Between two readings.
    pub(super) spacing: f64,
    /// Whether idle power is subtracted.
    pub(super) with_idle: bool,
}

/// A rail that takes part in an energy: what was read of it and its sensor.
pub(super) struct Member<'a> {
    pub(super) track: &'a Track,
    pub(super) sensor: &'a Sensor,
    pub(super) source: &'a str,
}

/// What a track comes to: energy, energy above idle.
struct Sums {
    whole: f64,
    above: Option<f64>,
    idle: Option<Idle>,
}

fn sums(track: &Track, sensors: &[&Sensor], times: Times) -> Option<Sums> {
    let integral = track.integral.as_ref()?;
    let joules = integral.joules_until(times.end_ns)?;
    if !times.with_idle {
        return Some(Sums { whole: joules, above: None, idle: None });
    }
    let constant = sensors.iter().filter_map(|sensor| sensor.lag_ns).max().unwrap_or(0);
    let idle = track.baseline.idle(constant)?;
    let above = joules - idle.watts * (times.command + times.settling);
    Some(Sums { whole: above + idle.watts * times.command, above: Some(above), idle: Some(idle) })
}

/// The energy of a track whose power is the sum of its members'. For a rail the track is its only member.
pub(super) fn rail_energy(track: &Track, members: &[Member<'_>], times: Times) -> RailEnergy {
    let sensors: Vec<&Sensor> = members.iter().map(|member| member.sensor).collect();
    let empty = || RailEnergy {
        label: track.label.clone(),
        energy: None,
        above_idle: None,
        mean_watts: None,
        peak_watts: None,
        idle: None,
    };
    let (Some(sums_here), Some(integral)) = (sums(track, &sensors, times), &track.integral) else { return empty() };
    let Sums { whole, above, idle } = sums_here;
    let mut unknown = Vec::new();
    let (mut of_whole, mut of_above) = (Vec::new(), Vec::new());
    let part = |cause, joules: f64| Part { cause, joules: joules.abs() };
    for member in members {
        let Some(own) = sums(member.track, &[member.sensor], times) else { continue };
        let own_above = own.above.unwrap_or(0.0);
        let volts = member.track.volts.unwrap_or(0.0);
        match accuracy(member.sensor, member.source) {
            Ok(limits) => {
                of_whole.push(part("gain", limits.gain * own.whole / 3.0_f64.sqrt()));
                of_above.push(part("gain", limits.gain * own_above / 3.0_f64.sqrt()));
                // An offset is in idle power too and cancels above it.
                let offset = limits.offset_ma * 1e-3 * volts;
                of_whole.push(part("offset", offset * times.command / 3.0_f64.sqrt()));
            }
            Err(why) if unknown.contains(&why) => {}
            Err(why) => unknown.push(why),
        }
        let step = step_watts(member, own.whole / times.command.max(1e-9));
        of_whole.push(part("steps", step * times.command / 12.0_f64.sqrt()));
        of_above.push(part("steps", step * times.command / 6.0_f64.sqrt()));
        let (unseen, edges) = time_parts(member, step, own_above, times);
        of_whole.extend([part("unseen", unseen), part("edges", edges)]);
        of_above.extend([part("unseen", unseen), part("edges", edges)]);
    }
    match idle.map(|idle| idle.uncertainty_watts) {
        Some(Some(watts)) => {
            of_whole.push(part("idle", watts * times.settling));
            of_above.push(part("idle", watts * (times.command + times.settling)));
        }
        Some(None) => unknown.push("idle power was read for too short a time to know its uncertainty".into()),
        None => {
            let constant = sensors.iter().filter_map(|sensor| sensor.lag_ns).max().unwrap_or(0) as f64 * 1e-9;
            let first = track.last.map_or(0.0, |(_, watts)| watts);
            let difference = (integral.peak().unwrap_or(first) - first).abs();
            of_whole.push(part("lag", constant * difference / 3.0_f64.sqrt()));
        }
    }
    RailEnergy {
        label: track.label.clone(),
        energy: Some(Estimate::new(whole, of_whole, unknown.clone())),
        above_idle: above.map(|above| Estimate::new(above, of_above, unknown)),
        mean_watts: (times.command > 0.0).then(|| whole / times.command),
        peak_watts: integral.peak(),
        idle,
    }
}

/// The smallest step of a reading of power, W, at a power.
fn step_watts(member: &Member<'_>, watts: f64) -> f64 {
    let Some(volts) = member.track.volts.filter(|volts| *volts > 0.0) else { return 0.0 };
    let of_current = member.sensor.quantum_ma.unwrap_or(0.0) * 1e-3 * volts;
    let of_voltage = member.sensor.quantum_mv.unwrap_or(0.0) * 1e-3 * watts / volts;
    joined(of_current, of_voltage)
}

/// The uncertainty from what happens while the sensor looks away, and from where in time the command's edges lie; J each.
fn time_parts(member: &Member<'_>, step: f64, above: f64, times: Times) -> (f64, f64) {
    let Some(integral) = &member.track.integral else { return (0.0, 0.0) };
    let refresh = member.sensor.refresh_ns.map_or(times.spacing, |ns| ns as f64 * 1e-9).max(1e-9);
    let duty = member.sensor.family.map_or(0.0, SensorFamily::duty);
    let between = refresh.max(times.spacing);
    // The scatter of one conversion: of neighbouring readings, without what rounding adds; readings that repeat an old
    // value count once. A recursive filter's readings scatter less than its conversions, by 1/(n·√2).
    let renewals = ((times.command + times.settling) / between).max(1.0);
    let readings = integral.readings().max(1) as f64;
    let variance = integral.scatter().map_or(0.0, |watts| watts.powi(2)) * (readings / renewals).max(1.0);
    let variance = (variance - step * step / 12.0).max(0.0);
    let conversions = match member.sensor.family {
        Some(SensorFamily::Recursive { samples, .. }) if samples > 1 => 2.0 * f64::from(samples).powi(2),
        _ => 1.0,
    };
    let unseen = (variance * conversions * between * times.command * (1.0 - duty)).sqrt();
    let rise = above.abs() / times.command.max(1e-9);
    let edges = rise * joined((1.0 - duty) * refresh, times.spacing) / 6.0_f64.sqrt();
    (unseen, edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(idle: f64, load: f64, volts: f64) -> Track {
        let mut track = Track::new("VDD_IN".into());
        track.volts = Some(volts);
        let start = 4_000_000_000;
        for t_ms in 0..4_000_u64 {
            track.add(t_ms * 1_000_000, idle, None);
        }
        track.begin(start);
        for t_ms in 4_000..9_000_u64 {
            track.add(t_ms * 1_000_000, if t_ms < 8_000 { load } else { idle }, Some(start));
        }
        track
    }

    fn times(with_idle: bool) -> Times {
        Times { command: 4.0, settling: 1.0, end_ns: 9_000_000_000, spacing: 1e-3, with_idle }
    }

    #[test]
    fn energy_above_idle_is_less_uncertain_than_the_whole_since_the_offset_cancels() {
        let sensor = Sensor {
            chip: Some("ina3221".into()),
            shunt_micro_ohm: Some(5000),
            quantum_ma: Some(8.0),
            quantum_mv: Some(8.0),
            ..Sensor::default()
        };
        let track = track(4.0, 9.0, 5.0);
        let member = Member { track: &track, sensor: &sensor, source: "hwmon" };
        let energy = rail_energy(&track, &[member], times(true));
        let (whole, above) = (energy.energy.expect("known"), energy.above_idle.expect("known"));
        assert!((whole.joules - 36.0).abs() < 0.02 && (above.joules - 20.0).abs() < 0.02, "{whole:?} {above:?}");
        let (wide, narrow) = (whole.uncertainty_joules.expect("known"), above.uncertainty_joules.expect("known"));
        // 80 µV over 5 mΩ are 16 mA; at 5 V and over 4 s 0.32 J at most.
        assert!((0.3..0.5).contains(&wide) && narrow < 0.2, "{wide} {narrow}");
        assert!(whole.parts.iter().any(|part| part.cause == "offset" && (part.joules - 0.1848).abs() < 1e-3));
        assert_eq!(energy.peak_watts, Some(9.0));
    }

    #[test]
    fn an_unknown_sensor_has_an_energy_and_no_interval() {
        let track = track(4.0, 9.0, 5.0);
        let sensor = Sensor::default();
        let energy = rail_energy(&track, &[Member { track: &track, sensor: &sensor, source: "nvml" }], times(true));
        let above = energy.above_idle.expect("an energy");
        assert_eq!(above.uncertainty_joules, None);
        assert_eq!(above.unknown, ["NVIDIA publishes no limits of error for this reading"]);
        assert!(above.known_uncertainty_joules < 0.1);
    }

    #[test]
    fn without_readings_nothing_is_known() {
        let mut track = Track::new("VIN".into());
        let sensor = Sensor::default();
        let energy = rail_energy(&track, &[Member { track: &track, sensor: &sensor, source: "hwmon" }], times(true));
        assert_eq!((energy.energy, energy.mean_watts), (None, None));
        track.begin(0);
        let energy = rail_energy(&track, &[Member { track: &track, sensor: &sensor, source: "hwmon" }], times(false));
        assert_eq!(energy.energy, None);
    }
}
