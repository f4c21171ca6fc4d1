//! What a sensor says of a load.

use serde::{Deserialize, Serialize};
use shared::random::Random;
use std::collections::VecDeque;

/// A sensor. A reading taken at an update at time `r` is the mean over `[r − window, r]` of `y`, where
/// `dy/dt = (P − y)/lag`; the current that belongs to it gets noise and is rounded to the quantum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorModel {
    /// Time between updates of the register, ns.
    pub refresh_ns: u64,
    /// Length of the averaging window, ns; 0 takes the power at the instant.
    pub window_ns: u64,
    /// Time constant of the first-order lag, ns; 0 is none.
    pub lag_ns: u64,
    /// Bus voltage, mV: constant.
    pub bus_mv: f64,
    /// Step of the current, mA; 0 is none.
    pub quantum_ma: f64,
    /// Standard deviation of the current's noise before rounding, mA.
    pub noise_ma: f64,
}

impl SensorModel {
    /// A meter at 20 kHz that averages over its own period, without noise: PowerSensor3's rate, better than its noise.
    #[must_use]
    pub fn ideal_meter() -> Self {
        Self { refresh_ns: 50_000, window_ns: 50_000, lag_ns: 0, bus_mv: 5_000.0, quantum_ma: 0.0, noise_ma: 0.0 }
    }

    /// An INA3221 set to one sample: updates every 2.2 ms, each averaged over one conversion of 1.1 ms.
    #[must_use]
    pub fn ina3221_fast() -> Self {
        Self { refresh_ns: 2_200_000, window_ns: 1_100_000, lag_ns: 0, bus_mv: 5_008.0, quantum_ma: 8.0, noise_ma: 4.0 }
    }

    /// An INA3221 as an Orin board sets it at boot: 512 samples averaged recursively, a lag of 0.41 s.
    #[must_use]
    pub fn ina3221_boot() -> Self {
        Self { lag_ns: 410_000_000, window_ns: 0, ..Self::ina3221_fast() }
    }

    /// Models by name: `ideal`, `ina3221-fast`, `ina3221-boot`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ideal" => Some(Self::ideal_meter()),
            "ina3221-fast" => Some(Self::ina3221_fast()),
            "ina3221-boot" => Some(Self::ina3221_boot()),
            _ => None,
        }
    }
}

/// The sensor's state as time goes by.
#[derive(Debug, Clone)]
pub struct SensorFilter {
    model: SensorModel,
    random: Random,
    now_ns: u64,
    /// The lagged power.
    lagged_w: f64,
    /// Integral of the lagged power since the start, J.
    energy_j: f64,
    /// Updates whose window has opened: their time and the integral at the opening.
    open: VecDeque<(u64, u64, f64)>,
    /// The update whose window opens next.
    next_update_ns: u64,
    /// The register: mV and mA.
    register: (f32, f32),
}

impl SensorFilter {
    /// A sensor that has seen constant power at all times before `start_ns`. Updates fall on multiples of the refresh
    /// period after a random part of it.
    #[must_use]
    pub fn new(model: SensorModel, start_ns: u64, settled_w: f64, mut random: Random) -> Self {
        let phase = (random.uniform() * model.refresh_ns as f64) as u64;
        let mut filter = Self {
            model,
            random,
            now_ns: start_ns,
            lagged_w: settled_w,
            energy_j: 0.0,
            open: VecDeque::new(),
            next_update_ns: start_ns + phase.max(1),
            register: (0.0, 0.0),
        };
        filter.register = filter.read_out(settled_w);
        filter
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &SensorModel {
        &self.model
    }

    /// How far time has gone.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The register as it stands: mV and mA.
    #[must_use]
    pub fn register(&self) -> (f32, f32) {
        self.register
    }

    /// Lets constant power flow until an instant. `updated` is called at each update with its time, before the register
    /// changes to its new value, which it gets as mV and mA.
    pub fn advance(&mut self, end_ns: u64, watts: f64, updated: &mut dyn FnMut(u64, (f32, f32), (f32, f32))) {
        while self.now_ns < end_ns {
            let opening = self.next_update_ns.saturating_sub(self.model.window_ns).max(self.now_ns);
            let closing = self.open.front().map_or(u64::MAX, |entry| entry.0);
            let until = end_ns.min(opening).min(closing);
            self.flow(until, watts);
            if until == opening && opening <= self.next_update_ns {
                let opened_ns = until;
                self.open.push_back((self.next_update_ns, opened_ns, self.energy_j));
                self.next_update_ns += self.model.refresh_ns.max(1);
            }
            while self.open.front().is_some_and(|entry| entry.0 <= self.now_ns) {
                let Some((at, opened_ns, energy_j)) = self.open.pop_front() else { break };
                let mean_w = if at > opened_ns {
                    // A window that reaches back before the start saw the settled power there; it is shortened instead.
                    (self.energy_j - energy_j) / ((at - opened_ns) as f64 * 1e-9)
                } else {
                    self.lagged_w
                };
                let new = self.read_out(mean_w);
                updated(at, self.register, new);
                self.register = new;
            }
        }
    }

    /// Integrates the lag exactly over constant power.
    fn flow(&mut self, until_ns: u64, watts: f64) {
        let dt = (until_ns - self.now_ns) as f64 * 1e-9;
        if self.model.lag_ns == 0 {
            self.energy_j += watts * dt;
            self.lagged_w = watts;
        } else {
            let tau = self.model.lag_ns as f64 * 1e-9;
            // 1 − e^(−dt/τ), without losing the digits of a short piece.
            let settled = -(-dt / tau).exp_m1();
            self.energy_j += watts * dt + (self.lagged_w - watts) * tau * settled;
            self.lagged_w += (watts - self.lagged_w) * settled;
        }
        self.now_ns = until_ns;
    }

    fn read_out(&mut self, watts: f64) -> (f32, f32) {
        let mut ma = watts / self.model.bus_mv * 1e6;
        if self.model.noise_ma > 0.0 {
            ma += self.model.noise_ma * self.random.normal();
        }
        if self.model.quantum_ma > 0.0 {
            ma = (ma / self.model.quantum_ma).round() * self.model.quantum_ma;
        }
        (self.model.bus_mv as f32, ma as f32)
    }
}

/// When a program reads the register.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollModel {
    /// Time between readings, ns; 0 reads each update once, as a streaming meter is read.
    pub period_ns: u64,
    /// Standard deviation of that time, ns.
    pub jitter_ns: u64,
    /// Mean time between stalls, ns; 0 is never.
    pub stall_every_ns: u64,
    /// Length of a stall, ns.
    pub stall_ns: u64,
}

impl PollModel {
    /// Each update once.
    #[must_use]
    pub fn streaming() -> Self {
        Self { period_ns: 0, jitter_ns: 0, stall_every_ns: 0, stall_ns: 0 }
    }

    /// As the reference's loop ran on an Orin Nano: every 2.29 ms ± 0.04 ms, with a stall of 3 ms twice a second.
    #[must_use]
    pub fn reference_loop() -> Self {
        Self { period_ns: 2_290_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 }
    }
}

/// Draws reading times.
#[derive(Debug, Clone)]
pub struct Poller {
    model: PollModel,
    random: Random,
    next_ns: u64,
}

impl Poller {
    /// First reading at `start_ns`.
    #[must_use]
    pub fn new(model: PollModel, start_ns: u64, random: Random) -> Self {
        Self { model, random, next_ns: start_ns }
    }

    /// When the next reading is due; `None` when updates are read as they come.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        (self.model.period_ns > 0).then_some(self.next_ns)
    }

    /// The reading is done; plans the next.
    pub fn step(&mut self) {
        let jitter = self.model.jitter_ns as f64 * self.random.normal().clamp(-3.0, 3.0);
        let mut wait = (self.model.period_ns as f64 + jitter).max(1.0) as u64;
        if self.model.stall_every_ns > 0
            && self.random.uniform() < self.model.period_ns as f64 / self.model.stall_every_ns as f64
        {
            wait += self.model.stall_ns;
        }
        self.next_ns += wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(model: SensorModel, start_w: f64, pieces: &[(u64, f64)]) -> Vec<(u64, f64)> {
        let mut filter = SensorFilter::new(model, 0, start_w, Random::new(5));
        let (mut out, mut end) = (Vec::new(), 0);
        for &(length, watts) in pieces {
            end += length;
            filter.advance(end, watts, &mut |t, _, (mv, ma)| out.push((t, f64::from(mv) * f64::from(ma) * 1e-6)));
        }
        out
    }

    /// The same physics by brute force: small steps of the differential equation, means by summing.
    fn brute_force(model: SensorModel, start_w: f64, pieces: &[(u64, f64)], updates: &[u64], step: u64) -> Vec<f64> {
        let (mut y, mut trace, mut end, mut now) = (start_w, Vec::new(), 0, 0);
        for &(length, watts) in pieces {
            end += length;
            while now < end {
                let old = y;
                y = if model.lag_ns == 0 {
                    watts
                } else {
                    y + (watts - y) * (1.0 - (-(step as f64) / model.lag_ns as f64).exp())
                };
                trace.push(if model.lag_ns == 0 { watts } else { 0.5 * (old + y) });
                now += step;
            }
        }
        let at = |t: u64| ((t / step) as usize).min(trace.len());
        updates
            .iter()
            .map(|&t| {
                let (from, to) = (at(t.saturating_sub(model.window_ns)), at(t).max(1));
                let slice = &trace[from.min(to - 1)..to];
                slice.iter().sum::<f64>() / slice.len() as f64
            })
            .collect()
    }

    #[test]
    fn window_and_lag_agree_with_brute_force() {
        let pieces: Vec<(u64, f64)> = (0..40).map(|i| (300_000 + i * 17_000, 4.0 + (i * 7 % 11) as f64)).collect();
        for (window_ns, lag_ns) in
            [(0, 5_000_000), (1_100_000, 0), (1_100_000, 3_000_000), (5_000_000, 0), (5_000_000, 2_000_000)]
        {
            let model = SensorModel {
                refresh_ns: 2_200_000,
                window_ns,
                lag_ns,
                bus_mv: 5_000.0,
                quantum_ma: 0.0,
                noise_ma: 0.0,
            };
            let got = run(model, 4.0, &pieces);
            let times: Vec<u64> = got.iter().map(|(t, _)| *t).collect();
            let wanted = brute_force(model, 4.0, &pieces, &times, 1_000);
            // Windows that reach back before the start are shortened; brute force does the same.
            for ((t, got), wanted) in got.iter().zip(&wanted) {
                assert!((got - wanted).abs() < 0.02, "window {window_ns}, lag {lag_ns}, at {t}: {got} {wanted}");
            }
            assert!(got.len() >= 8, "{}", got.len());
        }
    }

    #[test]
    fn a_step_through_the_lag_is_the_closed_form() {
        let model = SensorModel { window_ns: 0, noise_ma: 0.0, quantum_ma: 0.0, ..SensorModel::ina3221_boot() };
        for (t, watts) in run(model, 9.0, &[(2_000_000_000, 7.0)]) {
            let wanted = 7.0 + 2.0 * (-(t as f64) / 4.1e8).exp();
            assert!((watts - wanted).abs() < 1e-5, "at {t}: {watts} {wanted}");
        }
    }

    proptest! {
        /// A window as long as the refresh period loses no energy: readings times period add up to the load's integral.
        #[test]
        fn an_integrating_meter_conserves_energy(powers in proptest::collection::vec((1_000_u64..400_000, 1.0_f64..20.0), 5..60)) {
            let model = SensorModel::ideal_meter();
            let readings = run(model, 4.0, &powers);
            let total: u64 = powers.iter().map(|p| p.0).sum();
            prop_assume!(readings.len() >= 2);
            let (first, last) = (readings[0].0, readings[readings.len() - 1].0);
            prop_assert!(last <= total);
            let measured: f64 = readings[1..].iter().map(|(_, w)| w * 50e-6).sum();
            let (mut at, mut truth) = (0_u64, 0.0);
            for (length, watts) in powers {
                let overlap = (at + length).min(last).saturating_sub(at.max(first));
                truth += overlap as f64 * 1e-9 * watts;
                at += length;
            }
            prop_assert!((measured - truth).abs() < 1e-6 * truth.max(1e-9), "{} {}", measured, truth);
        }
    }

    #[test]
    fn readings_are_multiples_of_the_quantum() {
        for (_, watts) in run(SensorModel::ina3221_fast(), 4.0, &[(50_000_000, 6.1)]) {
            let steps = watts / 5.008 * 1e3 / 8.0;
            assert!((steps - steps.round()).abs() < 1e-3);
        }
    }

    #[test]
    fn reading_times_have_the_period_asked_for() {
        let mut poller = Poller::new(PollModel::reference_loop(), 0, Random::new(2));
        for _ in 0..10_000 {
            poller.step();
        }
        let mean = poller.due().expect("polls") as f64 / 10_000.0;
        // 2.29 ms and a 3 ms stall every 0.5 s: 2.29 + 3 × 2.29/500.
        assert!((mean - 2.303e6).abs() < 5e3, "{mean}");
    }
}
