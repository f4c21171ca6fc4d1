//! A load over time, in steps of constant power.

/// One step of constant power: its end, component, watts.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) end_us: f64,
    pub(crate) component: usize,
    pub(crate) watts: f64,
}

/// A load whose layers begin and end later by some µs each; what lies between them gives way.
pub(crate) fn later(steps: &[Step], layers: usize, by_us: impl Fn(usize) -> f64) -> Vec<Step> {
    let mut moved = steps.to_vec();
    for (i, step) in steps.iter().enumerate().filter(|(_, step)| step.component < layers) {
        let by = by_us(step.component);
        moved[i].end_us += by;
        moved[i - 1].end_us += by;
    }
    moved
}
