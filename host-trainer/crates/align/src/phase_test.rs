//! Whether readings depend at all on the moment of the inference at which they were taken: an analysis of variance over
//! the phase, which costs next to nothing against a search for the response.
//!
//! Where layers differ and a sensor shows it, the mean reading differs between phases, whatever the response: a delay turns
//! the phases, and a window of a fixed length begins and ends at places that follow from the phase. A register that keeps a
//! part of its value shows it better in its changes from one reading to the next, so that both are tested.

use super::pieces::Sample;

/// Phases that are told apart.
const PHASES: usize = 16;
/// Readings whose mean is taken out, so that slow changes of the board's power do not count.
const BLOCK: usize = 32;
/// What the phases explain, over what chance does, above which readings depend on the phase: χ² of 15 degrees of freedom
/// exceeds it once in 10,000 times, those of neighbours that depend on each other more often. A false alarm costs time alone.
const CHANCE: f64 = 45.0;
/// Delays after which the phases are tested too, in µs: over these, times between inferences add up.
const DELAYS: [f64; 4] = [0.0, 1e3, 3e3, 9e3];

/// Whether readings depend on the phase of the inference. `starts` are the moments at which inferences begin, in order;
/// inferences that took longer than `longest_us` to the next one count as interrupted.
pub(crate) fn depends_on_phase(samples: &[Sample], starts: &[f64], longest_us: f64) -> bool {
    let changes: Vec<Sample> =
        samples.windows(2).map(|w| Sample { at_us: w[1].at_us, watts: w[1].watts - w[0].watts }).collect();
    DELAYS.into_iter().any(|delay_us| {
        explained(samples, starts, longest_us, delay_us) > CHANCE
            || explained(&changes, starts, longest_us, delay_us) > CHANCE
    })
}

/// What the phases explain of the readings' scatter, in units of what is left for each degree of freedom: χ² of one degree
/// less than there are phases where they explain nothing.
fn explained(samples: &[Sample], starts: &[f64], longest_us: f64, delay_us: f64) -> f64 {
    let mut cells = [(0.0, 0.0); PHASES];
    let (mut squares, mut count, mut blocks) = (0.0, 0.0, 0.0);
    let mut at = 0;
    for block in samples.chunks(BLOCK) {
        let mean = block.iter().map(|s| s.watts).sum::<f64>() / block.len() as f64;
        blocks += 1.0;
        for sample in block {
            let moment = sample.at_us - delay_us;
            while starts.get(at + 1).is_some_and(|next| *next <= moment) {
                at += 1;
            }
            let (Some(&start), Some(&next)) = (starts.get(at), starts.get(at + 1)) else { continue };
            if moment < start || next - start > longest_us {
                continue;
            }
            let cell = &mut cells[(((moment - start) / (next - start) * PHASES as f64) as usize).min(PHASES - 1)];
            let off = sample.watts - mean;
            *cell = (cell.0 + off, cell.1 + 1.0);
            (squares, count) = (squares + off * off, count + 1.0);
        }
    }
    let seen = cells.iter().filter(|cell| cell.1 > 0.0).count() as f64;
    let between: f64 = cells.iter().filter(|cell| cell.1 > 0.0).map(|(sum, n)| sum * sum / n).sum();
    let free = count - seen - blocks;
    if free < 1.0 || squares <= 0.0 {
        return 0.0;
    }
    between / ((squares - between).max(1e-12 * squares) / free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::Random;

    /// Readings every 2.29 ms of inferences of about 2 ms; `step` is how much more the second half of each draws.
    fn run(step: f64, noise: f64, keep: f64, seed: u64) -> (Vec<Sample>, Vec<f64>) {
        let mut random = Random::new(seed);
        let mut starts = vec![0.0];
        while starts[starts.len() - 1] < 4e6 {
            starts.push(starts[starts.len() - 1] + 2000.0 + 50.0 * random.normal());
        }
        let mut shown = 0.0;
        let samples = (1..1700)
            .map(|k| {
                let at_us = 2290.0 * f64::from(k);
                let at = starts.partition_point(|s| *s <= at_us) - 1;
                let second = at_us - starts[at] > 0.5 * (starts[at + 1] - starts[at]);
                shown = keep * shown + (1.0 - keep) * (step * f64::from(u8::from(second)) + noise * random.normal());
                Sample { at_us, watts: 6.0 + 1e-7 * at_us + shown }
            })
            .collect();
        (samples, starts)
    }

    #[test]
    fn a_load_that_changes_within_an_inference_is_seen() {
        for keep in [0.0, 0.9] {
            let (samples, starts) = run(0.4, 0.5, keep, 1);
            assert!(depends_on_phase(&samples, &starts, 1e4), "{keep}");
        }
    }

    #[test]
    fn noise_and_drift_are_not_taken_for_a_load() {
        let alarms = (0..40).filter(|&seed| {
            let (samples, starts) = run(0.0, 0.5, 0.0, seed);
            depends_on_phase(&samples, &starts, 1e4)
        });
        assert!(alarms.count() <= 2);
        assert!(!depends_on_phase(&[], &[], 1e4));
        let constant = vec![Sample { at_us: 1.0, watts: 5.0 }; 100];
        assert!(!depends_on_phase(&constant, &[0.0, 2.0], 1e4));
    }
}
