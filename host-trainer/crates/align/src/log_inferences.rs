//! Inferences out of the agent's sample log, which holds them whole.

use super::batch::{BATCH, Batch, InferenceCounts, Inferences};
use rayon::prelude::*;
use shared::run_folder::{Clock, Diagnostics, LayerCycles, LayerRun, Manifest, NumberText};
use std::io::{self, Read};

/// Reads inferences in order, a batch at a time. Where the log lost some, the batch says so.
#[derive(Debug)]
pub struct LogInferences<R> {
    cycles: LayerCycles<R>,
    layers: usize,
    clock: Clock,
    with_text: bool,
    next: Option<u32>,
    last_stamp: i64,
    counts: InferenceCounts,
    diagnostics: Diagnostics,
}

impl<R: Read> LogInferences<R> {
    /// Inferences of a log whose manifest names the layers. `with_text` renders the durations as the agent's text export
    /// has them.
    pub fn new(log: R, manifest: &Manifest, with_text: bool) -> Self {
        Self {
            cycles: LayerCycles::new(log),
            layers: manifest.layers.len(),
            clock: manifest.clock.clone(),
            with_text,
            next: None,
            last_stamp: i64::MIN,
            counts: InferenceCounts::default(),
            diagnostics: Diagnostics::default(),
        }
    }

    fn push(&mut self, cycle: u32, runs: &[LayerRun], batch: &mut Batch) {
        if runs.len() != self.layers {
            let layers = self.layers;
            self.diagnostics.note(|| format!("cycle {cycle} has {} layers of {layers}", runs.len()));
            return;
        }
        if let Some(lost) = self.next.and_then(|next| cycle.checked_sub(next)).filter(|lost| *lost > 0) {
            self.diagnostics.note(|| format!("{lost} cycles before cycle {cycle} are missing"));
            batch.lost_before.push(batch.len());
        }
        self.next = cycle.checked_add(1);
        let (mut missing, mut first) = (0, i64::MAX);
        for run in runs {
            let ms = f64::from(run.ms);
            if ms.is_finite() && ms >= 0.0 {
                let wall_ns = self.clock.wall_ns(run.stamp_ns);
                first = first.min(wall_ns);
                batch.ms.push(ms);
                batch.wall_ns.push(wall_ns);
            } else {
                missing += 1;
                batch.ms.push(f64::NAN);
                batch.wall_ns.push(i64::MIN);
            }
        }
        self.counts.cycles += 1;
        self.counts.incomplete += u64::from(missing > 0);
        self.counts.missing += missing;
        self.counts.clock_backwards += u64::from(first < self.last_stamp);
        self.last_stamp = first;
    }
}

impl<R: Read> Inferences for LogInferences<R> {
    fn next_batch(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.start(self.layers, self.counts.cycles);
        while batch.len() < BATCH
            && let Some((cycle, runs)) = self.cycles.next_cycle()?
        {
            self.push(cycle, &runs, batch);
        }
        if self.with_text {
            let text = |ms: &f64| if ms.is_nan() { NumberText::default() } else { NumberText::of(*ms) };
            batch.ms.par_iter().with_min_len(1 << 10).map(text).collect_into_vec(&mut batch.texts);
        }
        Ok(())
    }

    fn counts(&self) -> InferenceCounts {
        self.counts
    }

    fn diagnostics(&self) -> Diagnostics {
        let mut all = self.cycles.diagnostics.clone();
        all.merge(&self.diagnostics);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::Record;
    use shared::run_folder::frames::FrameWriter;

    fn log(cycles: &[(u32, [f32; 2])]) -> Vec<u8> {
        let mut log = FrameWriter::start(Vec::new()).expect("memory");
        for (cycle, ms) in cycles {
            let at = 1_000_000_000 + u64::from(*cycle) * 10_000_000;
            let runs = [(ms[0], at + 1), (ms[1], at + 2)].map(|(ms, stamp_ns)| LayerRun { ms, stamp_ns }).to_vec();
            log.append(&Record::Layers { cycle: *cycle, runs }.encode()).expect("memory");
        }
        std::mem::take(log.sink())
    }

    #[test]
    fn cycles_come_whole_and_lost_ones_are_marked() {
        let mut manifest = Manifest::new("net", "test");
        manifest.layers = vec!["a".into(), "b".into()];
        manifest.clock.wall_minus_monotonic_ns = 500;
        let log = log(&[(0, [0.5, 0.25]), (1, [0.125, f32::NAN]), (4, [1.0, 2.0])]);
        let mut inferences = LogInferences::new(log.as_slice(), &manifest, true);
        let mut batch = Batch::default();
        inferences.next_batch(&mut batch).expect("memory");
        assert_eq!((batch.len(), batch.lost_before.as_slice()), (3, [2].as_slice()));
        assert_eq!((batch.cycle(2).0, batch.wall_ns[0]), ([1.0, 2.0].as_slice(), 1_000_000_501));
        assert_eq!(
            batch.texts.iter().map(|t| t.as_bytes()).collect::<Vec<_>>()[..4],
            [&b"0.5"[..], b"0.25", b"0.125", b""]
        );
        let counts = InferenceCounts { cycles: 3, incomplete: 1, missing: 1, clock_backwards: 0 };
        assert_eq!((inferences.counts(), inferences.diagnostics().bad), (counts, 1));
        inferences.next_batch(&mut batch).expect("memory");
        assert!(batch.is_empty());
    }
}
