//! Inferences out of per-layer lists: which measurements belong together, and when each layer ran.
//!
//! The latency file has one list a layer. An inference is found by the stamps, not by the position in the lists, so a
//! measurement that is missing in one list does not shift all that follow it.

use super::latency::{Cursor, Entry, ReadAt, Series, Text};
use super::power::Oddities;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::io;

/// Inferences handed on at a time: what memory is bounded by.
pub const BATCH: usize = 512;
/// Inferences looked at to find the order of layers and the kind of stamps.
pub const SAMPLE: usize = 256;

/// What the stamps mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// The moment TensorRT told the profiler, after the whole inference: they follow each other at the callback's pace.
    Callback,
    /// The moment each layer ended.
    LayerEnds,
}

/// Some inferences, layers in execution order. What is missing has `ms` = NaN.
#[derive(Debug, Default)]
pub struct Batch {
    /// Layers an inference has.
    pub layers: usize,
    /// Number of the first inference, from 0.
    pub first: u64,
    /// Durations in milliseconds, inference by inference.
    pub ms: Vec<f64>,
    /// Stamps in microseconds since 1970, inference by inference.
    pub at_us: Vec<i64>,
    /// The durations' texts as the file has them, if asked for.
    pub texts: Vec<Text>,
}

impl Batch {
    /// Number of inferences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ms.len().checked_div(self.layers).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the inferences of another batch.
    pub fn append(&mut self, other: &Self) {
        self.layers = other.layers;
        self.ms.extend_from_slice(&other.ms);
        self.at_us.extend_from_slice(&other.at_us);
    }

    /// Durations and stamps of one inference.
    #[must_use]
    pub fn cycle(&self, i: usize) -> (&[f64], &[i64]) {
        let range = i * self.layers..(i + 1) * self.layers;
        (&self.ms[range.clone()], &self.at_us[range])
    }
}

/// What was found and what was missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Inferences found.
    pub cycles: u64,
    /// Those that lack a layer.
    pub incomplete: u64,
    /// Measurements missing in them.
    pub missing: u64,
    /// Times the clock of the stamps went backwards.
    pub clock_backwards: u64,
}

struct Layer<'a, S: ?Sized> {
    cursor: Cursor<'a, S>,
    queue: VecDeque<(Entry, Text)>,
    ended: bool,
}

/// Reads inferences in order, a batch at a time, with all cores.
pub struct Cycles<'a, S: ?Sized> {
    layers: Vec<Layer<'a, S>>,
    with_text: bool,
    last_stamp: i64,
    /// What was found so far.
    pub counts: Counts,
}

impl<'a, S: ReadAt + ?Sized> Cycles<'a, S> {
    /// Inferences of `layers`, which stand in execution order. `with_text` keeps the durations' texts.
    pub fn new(source: &'a S, layers: &'a [Series], with_text: bool) -> Self {
        let layers = layers
            .iter()
            .map(|series| Layer { cursor: Cursor::new(source, series), queue: VecDeque::new(), ended: false })
            .collect();
        Self { layers, with_text, last_stamp: i64::MIN, counts: Counts::default() }
    }

    /// What could not be read so far.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        let mut all = Oddities::default();
        for layer in &self.layers {
            all.merge(&layer.cursor.oddities);
        }
        all
    }

    /// Replaces `batch` by the next inferences, at most [`BATCH`]; it is empty at the end.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn next_batch(&mut self, batch: &mut Batch) -> io::Result<()> {
        let with_text = self.with_text;
        self.layers.par_iter_mut().try_for_each(|layer| layer.fill(BATCH + 1, with_text))?;
        batch.layers = self.layers.len();
        batch.first = self.counts.cycles;
        batch.ms.clear();
        batch.at_us.clear();
        batch.texts.clear();
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

    /// Which of the lists' heads belong to the same inference. The next one begins no later than any list's second
    /// entry; and within an inference, a layer's stamp is no later than those of the layers behind it.
    fn choose(&mut self, present: &mut [bool]) {
        let next = self.layers.iter().filter_map(|l| l.queue.get(1)).map(|e| e.0.at_us).min().unwrap_or(i64::MAX);
        let count = mark(&self.layers, present, next);
        let heads = self.layers.iter().filter(|l| !l.queue.is_empty()).count();
        if count < heads {
            // A clock set back puts the next inference before this one: then the heads alone tell.
            let mut alone = vec![false; present.len()];
            let first = self.layers.iter().filter_map(|l| l.queue.front()).map(|e| e.0.at_us).min();
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
            let (entry, text) = head.unwrap_or((Entry { ms: f64::NAN, at_us: i64::MIN }, Text::default()));
            if entry.at_us != i64::MIN {
                first = first.min(entry.at_us);
            }
            batch.ms.push(entry.ms);
            batch.at_us.push(entry.at_us);
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

fn mark<S: ?Sized>(layers: &[Layer<'_, S>], present: &mut [bool], next: i64) -> usize {
    let mut bound = i64::MAX;
    let mut count = 0;
    for (layer, present) in layers.iter().zip(present.iter_mut()).rev() {
        *present = layer.queue.front().is_some_and(|e| e.0.at_us <= bound && e.0.at_us < next);
        if *present {
            bound = layer.queue[0].0.at_us;
            count += 1;
        }
    }
    count
}

impl<S: ReadAt + ?Sized> Layer<'_, S> {
    fn fill(&mut self, want: usize, with_text: bool) -> io::Result<()> {
        while self.queue.len() < want && !self.ended {
            let entry = if with_text {
                self.cursor.next_with_text()?
            } else {
                self.cursor.next_entry()?.map(|entry| (entry, Text::default()))
            };
            match entry {
                Some(entry) => self.queue.push_back(entry),
                None => self.ended = true,
            }
        }
        Ok(())
    }
}

/// Puts layers in execution order: by their stamps, for the order of names in a file means nothing. Equal stamps are
/// decided by the engine's order, then by name. Layers without any measurement come last.
///
/// `engine_position` gives a layer's place in the engine, if it is known there.
///
/// # Errors
/// Whatever the source says.
pub fn sort_by_execution<S: ReadAt + ?Sized>(
    source: &S,
    layers: &mut Vec<Series>,
    engine_position: impl Fn(&Series) -> Option<usize>,
) -> io::Result<()> {
    let mut heads = Vec::with_capacity(layers.len());
    for series in layers.iter() {
        let mut cursor = Cursor::new(source, series);
        let mut stamps = Vec::with_capacity(SAMPLE);
        while stamps.len() < SAMPLE
            && let Some(entry) = cursor.next_entry()?
        {
            stamps.push(entry.at_us);
        }
        heads.push(stamps);
    }
    // Positions in the lists at which all layers belong to one inference are those that span least time; behind a
    // missing measurement they no longer do.
    let longest = heads.iter().map(Vec::len).max().unwrap_or(0);
    let span = |c: usize| -> Option<(i64, i64)> {
        let stamps = heads.iter().filter_map(|h| h.get(c)).copied();
        Some((stamps.clone().min()?, stamps.max()?))
    };
    let spans: Vec<(i64, i64)> = (0..longest).filter_map(span).collect();
    let least = spans.iter().map(|s| s.1.saturating_sub(s.0)).min().unwrap_or(0);
    let offset = |stamps: &[i64]| -> i64 {
        let whole = stamps.iter().zip(&spans).filter(|(_, s)| s.1.saturating_sub(s.0) <= least.saturating_mul(2));
        let mut offsets: Vec<i64> = whole.map(|(&at, s)| at.saturating_sub(s.0)).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied().unwrap_or(i64::MAX)
    };
    let mut keyed: Vec<_> = layers
        .drain(..)
        .zip(&heads)
        .map(|(series, stamps)| {
            let place = engine_position(&series).unwrap_or(usize::MAX);
            ((offset(stamps), place, series.turn), series)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    // A log that starts in the middle of an inference sees the first layers last. The engine knows where it begins.
    let place = |i: usize| keyed[i].0.1;
    if let Some(start) = (0..keyed.len()).min_by_key(|&i| place(i))
        && (1..keyed.len()).all(|i| place((start + i - 1) % keyed.len()) <= place((start + i) % keyed.len()))
    {
        keyed.rotate_left(start);
    }
    layers.extend(keyed.into_iter().map(|(_, series)| series));
    Ok(())
}

/// Tells stamps at layer ends from stamps taken in the callback: between two layer ends lies at least the second layer's
/// duration, between two callbacks only the time that the callback takes.
#[must_use]
pub fn classify(batch: &Batch) -> Stamps {
    let (mut told, mut violated) = (0_u32, 0_u32);
    for i in 0..batch.len().min(SAMPLE) {
        let (ms, at) = batch.cycle(i);
        let mut before: Option<i64> = None;
        for (&ms, &at) in ms.iter().zip(at) {
            if ms.is_nan() {
                continue;
            }
            let duration_us = ms * 1e3;
            if let Some(before) = before
                && duration_us > 3.0
            {
                told += 1;
                violated += u32::from(((at - before) as f64) < 0.8 * duration_us - 2.0);
            }
            before = Some(at);
        }
    }
    if told > 0 && f64::from(violated) > 0.15 * f64::from(told) { Stamps::Callback } else { Stamps::LayerEnds }
}

/// When each layer of an inference ran: start and end in microseconds, NaN where it is missing.
///
/// Layers run one after the other. Callback stamps only tell when the inference had ended, just before the first of
/// them; the layers are laid out backwards from there by order and duration, with `gap_us` between one and the next. What
/// an inference needs besides is unknown in that case and comes to lie before the first.
pub fn lay_out(stamps: Stamps, gap_us: f64, ms: &[f64], at_us: &[i64], origin_us: i64, windows: &mut Vec<(f64, f64)>) {
    windows.clear();
    let relative = |at: i64| (at - origin_us) as f64;
    match stamps {
        Stamps::LayerEnds => {
            let mut before = f64::NEG_INFINITY;
            windows.extend(ms.iter().zip(at_us).map(|(&ms, &at)| {
                if ms.is_nan() {
                    return (f64::NAN, f64::NAN);
                }
                let end = relative(at);
                let start = (end - ms * 1e3).max(before.min(end));
                before = end.max(before);
                (start, end)
            }));
        }
        Stamps::Callback => {
            let first = ms.iter().zip(at_us).filter(|(ms, _)| !ms.is_nan()).map(|(_, &at)| at).min();
            let mut end = first.map_or(0.0, relative);
            windows.resize(ms.len(), (f64::NAN, f64::NAN));
            for (window, &ms) in windows.iter_mut().zip(ms).rev() {
                if !ms.is_nan() {
                    *window = (end - ms * 1e3, end);
                    end = window.0 - gap_us;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency;
    use crate::stamp;
    use std::fmt::Write;

    const T0: i64 = 1_738_071_505_000_000;

    /// A latency file of lists `(name, [(ms, µs after T0)])`.
    fn file(lists: &[(&str, Vec<(f64, i64)>)]) -> Vec<u8> {
        let mut text = String::from("{");
        for (i, (name, entries)) in lists.iter().enumerate() {
            let entries: Vec<String> =
                entries.iter().map(|(ms, at)| format!("[{ms:?},\"{}\"]", stamp::format(T0 + at))).collect();
            write!(text, "{}\"{name}\":[{}]", if i > 0 { "," } else { "" }, entries.join(",")).expect("string");
        }
        text.push('}');
        text.into_bytes()
    }

    fn read(text: &[u8]) -> (Vec<String>, Batch, Counts) {
        let mut series = latency::index(text, &mut Oddities::default()).expect("object");
        sort_by_execution(text, &mut series, |_| None).expect("memory");
        let mut cycles = Cycles::new(text, &series, false);
        let mut batch = Batch::default();
        cycles.next_batch(&mut batch).expect("memory");
        let counts = cycles.counts;
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

    #[test]
    fn stamps_are_told_apart() {
        let ends: Vec<_> = [(0.5, 500), (1.0, 1500), (0.2, 1700)].iter().map(|&e| vec![e]).collect();
        let late: Vec<_> = [(0.5, 1700), (1.0, 1713), (0.2, 1726)].iter().map(|&e| vec![e]).collect();
        for (entries, expected) in [(ends, Stamps::LayerEnds), (late, Stamps::Callback)] {
            let lists: Vec<_> = ["a", "b", "c"].into_iter().zip(entries).collect();
            let (_, batch, _) = read(&file(&lists));
            assert_eq!(classify(&batch), expected);
            let mut windows = Vec::new();
            lay_out(expected, 0.0, batch.cycle(0).0, batch.cycle(0).1, T0, &mut windows);
            assert_eq!(windows, [(0.0, 500.0), (500.0, 1500.0), (1500.0, 1700.0)]);
        }
    }
}
