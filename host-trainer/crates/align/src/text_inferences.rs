//! Inferences out of EdgeProfiler's lists, one for each layer: which measurements belong together.
//!
//! An inference is found by the stamps, not by the position in the lists, so a measurement that is missing in one list
//! does not shift all that follow it.

use super::batch::{BATCH, Batch, InferenceCounts, Inferences};
use rayon::prelude::*;
use shared::run_folder::{Diagnostics, LayerCursor, LayerEntry, LayerSeries, NumberText, ReadAt};
use shared::units::Millis;
use std::collections::VecDeque;
use std::io;

/// A layer that an inference lacks.
const MISSING: LayerEntry = LayerEntry { duration: Millis(f64::NAN), wall_ns: i64::MIN };

struct LayerQueue<'a, S: ?Sized> {
    cursor: LayerCursor<'a, S>,
    queue: VecDeque<(LayerEntry, NumberText)>,
    ended: bool,
}

/// Reads inferences in order, a batch at a time, with all cores.
pub struct TextInferences<'a, S: ?Sized> {
    layers: Vec<LayerQueue<'a, S>>,
    with_text: bool,
    last_stamp: i64,
    counts: InferenceCounts,
}

impl<'a, S: ReadAt + ?Sized> TextInferences<'a, S> {
    /// Inferences of `layers`, which stand in execution order. `with_text` keeps the durations' texts.
    pub fn new(source: &'a S, layers: &'a [LayerSeries], with_text: bool) -> Self {
        let layers = layers
            .iter()
            .map(|series| LayerQueue { cursor: LayerCursor::new(source, series), queue: VecDeque::new(), ended: false })
            .collect();
        Self { layers, with_text, last_stamp: i64::MIN, counts: InferenceCounts::default() }
    }

    /// Which of the lists' heads belong to the same inference. The next one begins no later than any list's second
    /// entry; and within an inference, a layer's stamp is no later than those of the layers behind it.
    fn choose(&mut self, present: &mut [bool]) {
        let next = self.layers.iter().filter_map(|l| l.queue.get(1)).map(|e| e.0.wall_ns).min().unwrap_or(i64::MAX);
        let count = mark(&self.layers, present, next);
        let heads = self.layers.iter().filter(|l| !l.queue.is_empty()).count();
        if count < heads {
            // A clock set back puts the next inference before this one: then the heads alone tell.
            let mut alone = vec![false; present.len()];
            let first = self.layers.iter().filter_map(|l| l.queue.front()).map(|e| e.0.wall_ns).min();
            if first.is_some_and(|first| next <= first) && mark(&self.layers, &mut alone, i64::MAX) > count {
                present.copy_from_slice(&alone);
            }
        }
        if !present.iter().any(|&p| p) {
            for (p, layer) in present.iter_mut().zip(&self.layers) {
                *p = !layer.queue.is_empty();
            }
        }
    }

    fn take(&mut self, present: &[bool], batch: &mut Batch) {
        let mut missing = 0;
        let mut first = i64::MAX;
        for (layer, &present) in self.layers.iter_mut().zip(present) {
            let head = if present { layer.queue.pop_front() } else { None };
            missing += u64::from(head.is_none());
            let (entry, text) = head.unwrap_or((MISSING, NumberText::default()));
            if entry.wall_ns != i64::MIN {
                first = first.min(entry.wall_ns);
            }
            batch.ms.push(entry.duration.0);
            batch.wall_ns.push(entry.wall_ns);
            if self.with_text {
                batch.texts.push(text);
            }
        }
        self.counts.cycles += 1;
        self.counts.incomplete += u64::from(missing > 0);
        self.counts.missing += missing;
        self.counts.clock_backwards += u64::from(first < self.last_stamp);
        self.last_stamp = first;
    }
}

impl<S: ReadAt + ?Sized> Inferences for TextInferences<'_, S> {
    fn next_batch(&mut self, batch: &mut Batch) -> io::Result<()> {
        let with_text = self.with_text;
        self.layers.par_iter_mut().try_for_each(|layer| layer.fill(BATCH + 1, with_text))?;
        batch.start(self.layers.len(), self.counts.cycles);
        let mut present = vec![false; self.layers.len()];
        while batch.len() < BATCH && self.layers.iter().any(|l| !l.queue.is_empty()) {
            if self.layers.iter().any(|l| l.queue.len() < 2 && !l.ended) {
                break;
            }
            self.choose(&mut present);
            self.take(&present, batch);
        }
        Ok(())
    }

    fn counts(&self) -> InferenceCounts {
        self.counts
    }

    fn diagnostics(&self) -> Diagnostics {
        let mut all = Diagnostics::default();
        for layer in &self.layers {
            all.merge(&layer.cursor.diagnostics);
        }
        all
    }
}

fn mark<S: ?Sized>(layers: &[LayerQueue<'_, S>], present: &mut [bool], next: i64) -> usize {
    let mut bound = i64::MAX;
    let mut count = 0;
    for (layer, present) in layers.iter().zip(present.iter_mut()).rev() {
        *present = layer.queue.front().is_some_and(|e| e.0.wall_ns <= bound && e.0.wall_ns < next);
        if *present {
            bound = layer.queue[0].0.wall_ns;
            count += 1;
        }
    }
    count
}

impl<S: ReadAt + ?Sized> LayerQueue<'_, S> {
    fn fill(&mut self, want: usize, with_text: bool) -> io::Result<()> {
        while self.queue.len() < want && !self.ended {
            let entry = if with_text {
                self.cursor.next_with_text()?
            } else {
                self.cursor.next_entry()?.map(|entry| (entry, NumberText::default()))
            };
            match entry {
                Some(entry) => self.queue.push_back(entry),
                None => self.ended = true,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::execution_order::sort_by_execution;
    use super::*;
    use shared::run_folder::index_layers;
    use shared::run_folder::stamp::format_stamp;
    use std::fmt::Write;

    const T0: i64 = 1_738_071_505_000_000_000;

    /// A latency file of lists `(name, [(ms, µs after T0)])`.
    fn file(lists: &[(&str, Vec<(f64, i64)>)]) -> Vec<u8> {
        let mut text = String::from("{");
        for (i, (name, entries)) in lists.iter().enumerate() {
            let entries: Vec<String> =
                entries.iter().map(|(ms, at)| format!("[{ms:?},\"{}\"]", format_stamp(T0 + at * 1000))).collect();
            write!(text, "{}\"{name}\":[{}]", if i > 0 { "," } else { "" }, entries.join(",")).expect("string");
        }
        text.push('}');
        text.into_bytes()
    }

    fn read(text: &[u8]) -> (Vec<String>, Batch, InferenceCounts) {
        let mut series = index_layers(text, &mut Diagnostics::default()).expect("object");
        sort_by_execution(text, &mut series, |_| None).expect("memory");
        let mut cycles = TextInferences::new(text, &series, false);
        let mut batch = Batch::default();
        cycles.next_batch(&mut batch).expect("memory");
        let counts = cycles.counts();
        (series.iter().map(|s| s.name.clone()).collect(), batch, counts)
    }

    fn three(skip: &[(usize, usize)], shift: impl Fn(usize) -> i64) -> Vec<u8> {
        let names = ["a", "b", "c"];
        let lists: Vec<_> = [1_usize, 0, 2]
            .iter()
            .map(|&l| {
                let entries = (0..6)
                    .filter(|c| !skip.contains(&(l, *c)))
                    .map(|c| (l as f64 + c as f64 / 10.0, (c * 10_000 + l * 1000) as i64 + shift(c)))
                    .collect();
                (names[l], entries)
            })
            .collect();
        file(&lists)
    }

    #[test]
    fn order_comes_from_stamps_not_from_the_file() {
        let (names, batch, counts) = read(&three(&[], |_| 0));
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((batch.len(), counts.incomplete), (6, 0));
        assert_eq!(batch.cycle(2).0, [0.2, 1.2, 2.2]);
    }

    #[test]
    fn a_missing_layer_shifts_nothing() {
        for layer in 0..3 {
            let (_, batch, counts) = read(&three(&[(layer, 2)], |_| 0));
            assert_eq!((batch.len(), counts.incomplete, counts.missing), (6, 1, 1), "layer {layer}");
            for c in 0..6 {
                for l in 0..3 {
                    let ms = batch.cycle(c).0[l];
                    assert!(if (l, c) == (layer, 2) { ms.is_nan() } else { ms == l as f64 + c as f64 / 10.0 });
                }
            }
        }
    }

    #[test]
    fn clock_jumps_split_no_inference() {
        for jump in [-3_600_000_000, 3_600_000_000, 86_400_000_000] {
            let (_, batch, counts) = read(&three(&[], |c| if c >= 3 { jump } else { 0 }));
            assert_eq!((batch.len(), counts.incomplete), (6, 0), "jump {jump}");
            assert_eq!(counts.clock_backwards, u64::from(jump < 0));
        }
    }
}
