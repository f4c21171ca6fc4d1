//! A sensor's chip as time goes by.

use super::front::Front;
use super::model::SensorModel;
use shared::random::Random;
use shared::sensor::SensorFamily;
use std::collections::VecDeque;

/// What stands in a sensor's register.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Register {
    /// Voltage and current.
    Power {
        /// Bus voltage, mV.
        mv: f32,
        /// Current, mA.
        ma: f32,
    },
    /// An energy counter.
    Energy {
        /// Energy since the start, µJ.
        microjoules: f64,
    },
}

/// The sensor's state as time goes by. The chip converts at times of its own; a conversion is the mean of the smoothed load
/// over the conversion's window. What a finished conversion does to the register depends on the family.
#[derive(Debug, Clone)]
pub struct SensorFilter {
    model: SensorModel,
    random: Random,
    now_ns: u64,
    front: Front,
    /// Time between the ends of two conversions, ns, by the chip's own clock.
    spacing_ns: f64,
    /// Length of a conversion, ns.
    window_ns: u64,
    /// When the first conversion ends, and how many have been begun.
    first_end_ns: u64,
    begun: u64,
    /// Conversions under way: their end, their start, and the energy at the start.
    open: VecDeque<(u64, u64, f64)>,
    /// A block's sum and how many conversions it has, or a recursive filter's state; mA.
    sum_ma: f64,
    count: u32,
    /// Renewals that a reader does not see yet.
    unseen: VecDeque<(u64, Register)>,
    register: Register,
}

impl SensorFilter {
    /// A sensor that has seen constant power at all times before `start_ns`. Its conversions have a random phase.
    #[must_use]
    pub fn new(model: SensorModel, start_ns: u64, settled_w: f64, mut random: Random) -> Self {
        let slower = 1.0 + model.clock_error;
        let us = |time: shared::units::Micros| time.0 * 1e3 * slower;
        let (spacing_ns, window_ns, second_s) = match model.family {
            SensorFamily::Window { refresh, window } => (us(refresh), us(window), 0.0),
            SensorFamily::Block { conversion, spacing, .. } => (us(spacing), us(conversion), 0.0),
            SensorFamily::Recursive { conversion, cycle, .. } => (us(cycle), us(conversion), 0.0),
            SensorFamily::Meter { period } => (us(period), us(period), 0.0),
            SensorFamily::Counter { refresh } => (us(refresh), 0.0, 0.0),
            SensorFamily::Filtered { refresh, lag } => (us(refresh), 0.0, lag.0 * 1e-6),
        };
        let spacing_ns = spacing_ns.max(1.0);
        let phase = (random.uniform() * spacing_ns) as u64;
        let settled_ma = settled_w / model.bus_mv * 1e6;
        let count = match model.family {
            SensorFamily::Block { samples, .. } => ((random.uniform() * f64::from(samples)) as u32).min(samples - 1),
            _ => 0,
        };
        let mut filter = Self {
            front: Front::new(model.smoothing_ns as f64 * 1e-9, second_s, settled_w),
            spacing_ns,
            window_ns: window_ns.round() as u64,
            first_end_ns: start_ns + phase.max(1),
            begun: 0,
            open: VecDeque::new(),
            sum_ma: match model.family {
                SensorFamily::Block { .. } => settled_ma * f64::from(count),
                _ => settled_ma,
            },
            count,
            unseen: VecDeque::new(),
            register: Register::Energy { microjoules: 0.0 },
            now_ns: start_ns,
            model,
            random,
        };
        if !matches!(model.family, SensorFamily::Counter { .. }) {
            let ma = match model.family {
                SensorFamily::Block { .. } | SensorFamily::Recursive { .. } => settled_ma,
                _ => filter.convert(settled_w),
            };
            filter.register = filter.load(ma);
        }
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

    /// The register as a reader sees it.
    #[must_use]
    pub fn register(&self) -> Register {
        self.register
    }

    /// Lets constant power flow until an instant. `updated` is called at each renewal with its time, the register's old value
    /// and its new one.
    pub fn advance(&mut self, end_ns: u64, watts: f64, updated: &mut dyn FnMut(u64, Register, Register)) {
        while self.now_ns < end_ns {
            let next_end = self.next_end_ns();
            let opening = next_end.saturating_sub(self.window_ns).max(self.now_ns);
            let closing = self.open.front().map_or(u64::MAX, |entry| entry.0);
            let seeing = self.unseen.front().map_or(u64::MAX, |entry| entry.0);
            let until = end_ns.min(opening).min(closing).min(seeing);
            self.front.flow((until - self.now_ns) as f64 * 1e-9, watts);
            self.now_ns = until;
            if until == opening {
                self.open.push_back((next_end, opening, self.front.energy_j()));
                self.begun += 1;
            }
            while let Some((end, start, energy_j)) = self.open.pop_front_if(|entry| entry.0 <= until) {
                let watts = match self.model.family {
                    // A window that reaches back before the start saw the settled power there; it is shortened instead.
                    _ if end > start => (self.front.energy_j() - energy_j) / ((end - start) as f64 * 1e-9),
                    _ => self.front.watts(),
                };
                if let Some(new) = self.finish(watts) {
                    self.unseen.push_back((end + self.model.delay_ns, new));
                }
            }
            while let Some((at, new)) = self.unseen.pop_front_if(|entry| entry.0 <= until) {
                updated(at, self.register, new);
                self.register = new;
            }
        }
    }

    fn next_end_ns(&self) -> u64 {
        self.first_end_ns + (self.begun as f64 * self.spacing_ns).round() as u64
    }

    /// What a finished conversion does to the register, by the family's data sheet.
    fn finish(&mut self, watts: f64) -> Option<Register> {
        match self.model.family {
            SensorFamily::Counter { .. } => {
                let microjoules = self.front.energy_j() * 1e6;
                let step = self.model.energy_quantum_uj;
                let counted = if step > 0.0 { (microjoules / step).floor() * step } else { microjoules };
                Some(Register::Energy { microjoules: counted })
            }
            SensorFamily::Block { samples, .. } => {
                self.sum_ma += self.convert(watts);
                self.count += 1;
                (self.count >= samples).then(|| {
                    let mean = self.sum_ma / f64::from(self.count);
                    (self.sum_ma, self.count) = (0.0, 0);
                    self.load(mean)
                })
            }
            SensorFamily::Recursive { samples, .. } => {
                let conversion = self.convert(watts);
                self.sum_ma += (conversion - self.sum_ma) / f64::from(samples);
                self.sum_ma = round_to(self.sum_ma, self.model.state_quantum_ma);
                Some(self.load(self.sum_ma))
            }
            SensorFamily::Window { .. } | SensorFamily::Meter { .. } | SensorFamily::Filtered { .. } => {
                let conversion = self.convert(watts);
                Some(self.load(conversion))
            }
        }
    }

    /// One conversion of a power to mA: noise, then the converter's own step.
    fn convert(&mut self, watts: f64) -> f64 {
        let mut ma = watts / self.model.bus_mv * 1e6;
        if self.model.noise_ma > 0.0 {
            ma += self.model.noise_ma * self.random.normal();
        }
        round_to(ma, self.model.conversion_quantum_ma)
    }

    fn load(&self, ma: f64) -> Register {
        Register::Power { mv: self.model.bus_mv as f32, ma: round_to(ma, self.model.quantum_ma) as f32 }
    }
}

fn round_to(value: f64, step: f64) -> f64 {
    if step > 0.0 { (value / step).round() * step } else { value }
}
