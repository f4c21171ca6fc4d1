//! Inferences of a load, planned one after the other.

use super::leakage::LeakageState;
use super::load::Load;
use super::profiler::ProfilerModel;
use shared::random::Random;
use shared::run_folder::{LayerRun, LayerStamp};
use shared::units::{Millis, Watts};

/// Constant power until an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its end, ns; it begins where the piece before it ended.
    pub end_ns: u64,
    /// What the board draws.
    pub watts: f64,
}

/// One inference, planned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cycle {
    /// The inference's start, ns.
    pub start_ns: u64,
    /// The inference's end, ns.
    pub end_ns: u64,
    /// Start and end of each layer, ns.
    pub layers: Vec<(u64, u64)>,
    /// What the board draws while each layer runs, W.
    pub layer_watts: Vec<f64>,
    /// What the board draws from `start_ns` to the start of the next cycle, the host gap included.
    pub pieces: Vec<Piece>,
    /// When the next cycle starts, ns.
    pub next_ns: u64,
    /// The clock's speed, relative.
    pub speed: f64,
}

impl Cycle {
    /// A layer's duration in ms.
    #[must_use]
    pub fn layer_ms(&self, index: usize) -> f64 {
        let (start, end) = self.layers[index];
        (end - start) as f64 * 1e-6
    }

    /// The layers as a profiler reports them.
    #[must_use]
    pub fn report(&self, profiler: &ProfilerModel, stamp: LayerStamp, random: &mut Random) -> Vec<LayerRun> {
        let mut late = profiler.callback_delay.0;
        if profiler.callback_jitter.0 > 0.0 {
            late += profiler.callback_jitter.0 * random.normal().abs().min(5.0);
        }
        // The callbacks come one after the other once the inference is done, 1 to 3 µs each.
        let mut callback_ns = self.end_ns + (late * 1e6).round() as u64;
        (0..self.layers.len())
            .map(|index| {
                callback_ns += 1_000 + (random.uniform() * 2_000.0) as u64;
                let stamp_ns = match stamp {
                    LayerStamp::Callback => callback_ns,
                    LayerStamp::LayerEnd => self.layers[index].1,
                    LayerStamp::PassAverage => self.end_ns,
                };
                let error = if profiler.duration_error > 0.0 { profiler.duration_error * random.normal() } else { 0.0 };
                LayerRun { ms: (self.layer_ms(index) * (1.0 + error).max(0.0)) as f32, stamp_ns }
            })
            .collect()
    }

    fn flow(&mut self, ms: f64, watts: f64, leakage: &mut LeakageState, idle: Watts) -> (u64, f64) {
        let from = self.pieces.last().map_or(self.start_ns, |piece| piece.end_ns);
        let end_ns = from + (ms * 1e6).round() as u64;
        let watts = watts + leakage.flow(end_ns - from, Watts(watts) - idle).0;
        self.pieces.push(Piece { end_ns, watts });
        (end_ns, watts)
    }
}

/// Between two values of the leakage while the board idles: short against every time constant of a board's temperature.
const IDLE_STEP_NS: u64 = 10_000_000;

/// Draws one cycle after the other.
#[derive(Debug, Clone)]
pub struct CyclePlanner {
    load: Load,
    random: Random,
    leakage: LeakageState,
    /// When the first cycle began.
    origin_ns: Option<u64>,
}

impl CyclePlanner {
    /// For a load, with its randomness.
    #[must_use]
    pub fn new(load: Load, random: Random) -> Self {
        let leakage = LeakageState::new(load.leakage);
        Self { load, random, leakage, origin_ns: None }
    }

    /// The load.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// The temperature that the board's sensor shows, °C; `None` without leakage.
    #[must_use]
    pub fn celsius(&self) -> Option<f64> {
        self.leakage.celsius()
    }

    /// Sets how long the host waits between two inferences on top of the load's host gap. The board then draws the load's pause power.
    pub fn pause(&mut self, time: Millis) {
        self.load.pause = time;
    }

    /// What the board draws while it idles. Without leakage it is one piece.
    pub fn idle(&mut self, start_ns: u64, end_ns: u64) -> Vec<Piece> {
        self.rest(start_ns, end_ns, self.load.idle)
    }

    fn rest(&mut self, start_ns: u64, end_ns: u64, power: Watts) -> Vec<Piece> {
        if self.load.leakage.is_none() {
            return vec![Piece { end_ns, watts: power.0 }];
        }
        let above_idle = power - self.load.idle;
        let mut pieces = Vec::new();
        let mut now = start_ns;
        while now < end_ns {
            let step = IDLE_STEP_NS.min(end_ns - now);
            now += step;
            pieces.push(Piece { end_ns: now, watts: (power + self.leakage.flow(step, above_idle)).0 });
        }
        pieces
    }

    fn spread(&mut self, relative: f64) -> f64 {
        (1.0 + relative * self.random.normal().clamp(-3.0, 3.0)).max(0.0)
    }

    /// The clock's speed and the factor of power above idle at an instant.
    fn clock(&self, at_ns: u64) -> (f64, f64) {
        let since_ms = at_ns.saturating_sub(self.origin_ns.unwrap_or(at_ns)) as f64 * 1e-6;
        let latest = self.load.clock_changes.iter().filter(|change| change.at.0 <= since_ms);
        latest.max_by(|a, b| a.at.0.total_cmp(&b.at.0)).map_or((1.0, 1.0), |change| (change.speed, change.power))
    }

    /// A cycle that starts at an instant.
    pub fn next_cycle(&mut self, start_ns: u64) -> Cycle {
        self.origin_ns.get_or_insert(start_ns);
        let (speed, factor) = self.clock(start_ns);
        let idle = self.load.idle;
        let scaled = |power: Watts| (idle + (power - idle) * factor).0;
        let host = scaled(self.load.host);
        let mut leakage = self.leakage.clone();
        let mut cycle = Cycle { start_ns, speed, ..Cycle::default() };
        let (mut at, _) = cycle.flow(self.load.launch.0, host, &mut leakage, idle);
        let mut before = host;
        for index in 0..self.load.layers.len() {
            if index > 0 {
                (at, _) = cycle.flow(self.load.layer_gap.0, host, &mut leakage, idle);
            }
            let spread = self.spread(self.load.duration_deviation);
            let layer = &self.load.layers[index];
            let own = scaled(layer.power);
            before = own + self.load.carry_over * (before - own);
            let (end, watts) = cycle.flow(layer.duration.0 * spread / speed, before, &mut leakage, idle);
            cycle.layers.push((at, end));
            cycle.layer_watts.push(watts);
            at = end;
        }
        (cycle.end_ns, _) = cycle.flow(self.load.collect.0, host, &mut leakage, idle);
        let gap = self.load.host_gap.0 * self.spread(self.load.host_gap_deviation);
        let between = self.load.host_gap_power.map_or(host, scaled);
        (cycle.next_ns, _) = cycle.flow(gap, between, &mut leakage, idle);
        self.leakage = leakage;
        if self.load.pause.0 > 0.0 {
            let end_ns = cycle.next_ns + (self.load.pause.0 * 1e6).round() as u64;
            let pieces =
                self.rest(cycle.next_ns, end_ns, self.load.pause_power.map_or(idle, |power| Watts(scaled(power))));
            cycle.pieces.extend(pieces);
            cycle.next_ns = end_ns;
        }
        cycle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::two_layers;
    use crate::{ClockChange, Leakage};

    #[test]
    fn a_cycle_is_covered_without_a_hole() {
        let mut planner = CyclePlanner::new(two_layers(), Random::new(3));
        let mut start = 1_000;
        for number in 0..100 {
            planner.pause(Millis(f64::from(number % 3)));
            let cycle = planner.next_cycle(start);
            assert!(cycle.pieces.windows(2).all(|p| p[0].end_ns <= p[1].end_ns));
            assert_eq!(cycle.pieces.last().map(|p| p.end_ns), Some(cycle.next_ns));
            assert!(cycle.layers[0].1 <= cycle.layers[1].0 && cycle.layers[1].1 <= cycle.end_ns);
            assert_eq!(cycle.layer_watts, [9.0, 6.0]);
            let relative = cycle.layer_ms(0) / 0.5;
            assert!((relative - 1.0).abs() < 0.0601);
            start = cycle.next_ns;
        }
    }

    #[test]
    fn a_clock_change_slows_layers_and_lowers_their_power() {
        let mut load = two_layers();
        load.duration_deviation = 0.0;
        load.clock_changes = vec![ClockChange { at: Millis(10.0), speed: 0.5, power: 0.25 }];
        let mut planner = CyclePlanner::new(load, Random::new(3));
        let before = planner.next_cycle(5_000_000);
        let after = planner.next_cycle(15_000_000);
        assert!((before.layer_ms(0) - 0.5).abs() < 1e-6 && (after.layer_ms(0) - 1.0).abs() < 1e-6);
        assert!((before.layer_watts[0] - 9.0).abs() < 1e-9);
        assert!((after.layer_watts[0] - (4.2 + 0.25 * 4.8)).abs() < 1e-9);
    }

    #[test]
    fn a_layer_follows_the_one_before_and_leakage_adds_to_both() {
        let mut load = two_layers();
        load.carry_over = 0.5;
        let cycle = CyclePlanner::new(load.clone(), Random::new(3)).next_cycle(0);
        // Host 5 W: (9 + 5)/2 = 7, then (6 + 7)/2.
        assert_eq!(cycle.layer_watts, [7.0, 6.5]);
        load.leakage =
            Some(Leakage { kelvin_per_watt: 5.0, watts_per_kelvin: 0.1, time_constant: Millis(50.0), ambient_c: 25.0 });
        let mut planner = CyclePlanner::new(load, Random::new(3));
        let mut now = 0;
        let mut last = Cycle::default();
        for _ in 0..1_000 {
            last = planner.next_cycle(now);
            now = last.next_ns;
        }
        assert!(last.layer_watts[0] > 7.3 && planner.celsius().expect("it leaks") > 28.0, "{last:?}");
        let idle = planner.idle(now, now + 1_000_000_000);
        assert!(idle.len() == 100 && idle[0].watts > 4.5 && (idle[99].watts - 4.2).abs() < 1e-3, "{:?}", idle[0]);
    }

    #[test]
    fn callbacks_come_late_together_and_cycles_are_lost() {
        let cycle = Cycle { end_ns: 1_000_000, layers: vec![(0, 400_000), (400_000, 900_000)], ..Cycle::default() };
        let profiler = ProfilerModel {
            callback_delay: Millis(0.05),
            callback_jitter: Millis(0.02),
            duration_error: 0.01,
            lost_cycles: 0.25,
        };
        assert_eq!(profiler.check(), Ok(()));
        let mut random = Random::new(3);
        let mut lost = 0;
        for _ in 0..4_000 {
            let runs = cycle.report(&profiler, LayerStamp::Callback, &mut random);
            assert!(runs[0].stamp_ns > 1_050_000 && runs[1].stamp_ns < 1_160_000, "{runs:?}");
            assert!(runs[1].stamp_ns - runs[0].stamp_ns <= 3_000);
            assert!((runs[0].ms / 0.4 - 1.0).abs() < 0.06);
            lost += u32::from(profiler.loses(&mut random));
        }
        assert!((900..1_100).contains(&lost), "{lost}");
        assert!(ProfilerModel { lost_cycles: 1.0, ..profiler }.check().is_err());
    }
}
