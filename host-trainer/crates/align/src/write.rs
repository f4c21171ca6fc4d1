//! Writing a run's rows: the mapping in CSV and, if asked for, in Parquet, with the statistics of its layers.

use super::batch::Batch;
use super::mapping::{self, HEADER, LayerColumns, LayerText, RowPower};
use super::method::Method;
use super::parquet::{self, MappingRow, ParquetRows};
use super::quality::MappingReport;
use super::run::Run;
use super::sources::{LatencyFile, LayerSource};
use super::statistics::{self, Distribution, LayerStatistics, Summary};
use super::window::{self, WindowCounts};
use rayon::prelude::*;
use shared::failure::{Failure, Kind};
use shared::fs::{write_atomic, write_atomic_with};
use shared::units::{Microwatts, Millis, Watts};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Inferences whose rows are rendered at once by one core.
const ROWS: usize = 32;

/// Writes a run's rows into a folder, with their statistics, and completes the report: what was written, and the hashes of
/// what was read. Parquet is written beside the CSV if it is asked for.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_mapping(run: &mut Run, folder: &Path, with_parquet: bool) -> Result<(), Failure> {
    let reader = &*run;
    let (hashes, rows) = rayon::join(|| reader.hashes(), || write_rows(reader, folder, with_parquet));
    let rows = rows?;
    let path = folder.join(statistics::FILE);
    if rows.window.is_none() {
        let statistics = statistics::render(&rows.statistics()).map_err(|e| Failure::from_error(Kind::Data, e))?;
        write_atomic(&path, &statistics)?;
    } else if path.is_file() {
        // EdgeProfiler's rule knows its rows alone; statistics of an earlier alignment would pass for theirs.
        fs::remove_file(&path).map_err(|e| Failure::io(&path, "remove", &e))?;
    }
    run.quality.made_from = hashes?;
    run.quality.mapping = Some(rows.mapping);
    if let Some(counts) = rows.window {
        run.quality.note_unreadable("logs", &counts.unreadable);
        run.quality.window = Some(counts);
    }
    Ok(())
}

/// What became of a run's rows.
struct Written {
    mapping: MappingReport,
    window: Option<WindowCounts>,
    layers: Vec<LayerColumns>,
    engine_index: Vec<Option<usize>>,
    tallies: Vec<Tally>,
}

/// Values of one layer's rows; none where EdgeProfiler's rule made them.
#[derive(Debug, Clone, Default)]
struct Tally {
    /// Inference of the first row.
    first: Option<u64>,
    runtime: Distribution,
}

impl Written {
    /// Statistics of the layers that have a row, in the order of their first one.
    fn statistics(&self) -> Vec<LayerStatistics> {
        let mut order: Vec<usize> = (0..self.layers.len()).filter(|&l| self.tallies[l].first.is_some()).collect();
        order.sort_by_key(|&l| (self.tallies[l].first, l));
        let mut statistics: Vec<LayerStatistics> = Vec::with_capacity(order.len());
        for l in order {
            let (layer, tally) = (&self.layers[l], &self.tallies[l]);
            let runs = tally.runtime.count();
            let power =
                |power: Option<Microwatts>| power.map(|power| Summary::of_constant(power.0, runs)).unwrap_or_default();
            statistics.push(LayerStatistics {
                turn: statistics.iter().filter(|s| s.name == layer.name).count(),
                name: layer.name.clone(),
                layer_type: layer.layer_type.clone(),
                index: Some(layer.index),
                engine_index: self.engine_index[l],
                power: power(layer.power.including),
                net_power: power(layer.power.excluding),
                runtime: tally.runtime.summary(),
                verdict: Some((layer.verdict.to_owned(), layer.method.to_owned())),
            });
        }
        statistics
    }
}

/// A row's power less idle power. EdgeProfiler's `if` takes a power of zero for none.
fn above_idle(power: Microwatts, idle: Option<Watts>) -> Option<Microwatts> {
    idle.filter(|_| power.0 != 0.0).map(|idle| power - idle.into())
}

/// Counts the bytes that go through it.
struct Counted<'a> {
    out: &'a mut (dyn Write + Send),
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

type Parquet<'a> = Option<ParquetRows<&'a mut (dyn Write + Send)>>;

fn write_rows(run: &Run, folder: &Path, with_parquet: bool) -> Result<Written, Failure> {
    let rows = Rows::of(run);
    let mut written = None;
    write_atomic_with(&folder.join(mapping::FILE), |out| {
        if !with_parquet {
            written = Some(rows.write(run, out, &mut None)?);
            return Ok(());
        }
        write_atomic_with(&folder.join(parquet::FILE), |parquet| {
            let mut parquet = Some(ParquetRows::start(parquet, rows.layers.clone())?);
            written = Some(rows.write(run, out, &mut parquet)?);
            parquet.map_or(Ok(()), ParquetRows::finish)
        })
        .map_err(io::Error::other)
    })?;
    written.ok_or_else(|| Failure::data("no rows were written").at(folder))
}

/// What the rows of a run are made of.
struct Rows {
    layers: Vec<LayerColumns>,
    engine_index: Vec<Option<usize>>,
    texts: Vec<LayerText>,
}

impl Rows {
    fn of(run: &Run) -> Self {
        let (layers, engine_index) = match (&run.sources.layers, run.quality.method) {
            (LayerSource::Text(text), Method::Window) => Self::of_rule(run, text),
            _ => (run.quality.layers.iter().map(|l| attributed(run, l)).collect(), run.layers.engine_index.clone()),
        };
        let texts = layers.iter().map(LayerText::new).collect();
        Self { layers, engine_index, texts }
    }

    /// Layers for EdgeProfiler's rule, which takes them in file order.
    fn of_rule(run: &Run, text: &LatencyFile) -> (Vec<LayerColumns>, Vec<Option<usize>>) {
        let place = |bytes: &std::ops::Range<u64>| text.series.iter().position(|s| s.bytes == *bytes);
        let layers = text.file_order.iter().enumerate().map(|(i, series)| {
            let place = place(&series.bytes);
            let columns = LayerColumns {
                index: place.unwrap_or(i),
                name: series.name.clone(),
                layer_type: place.map_or("Unknown", |p| run.layers.layer_type(p)).to_owned(),
                method: Method::Window.name(),
                ..LayerColumns::default()
            };
            (columns, place.and_then(|p| run.layers.engine_index[p]))
        });
        layers.unzip()
    }

    fn write(&self, run: &Run, out: &mut (dyn Write + Send), parquet: &mut Parquet<'_>) -> io::Result<Written> {
        let mut out = Counted { out, bytes: 0 };
        out.write_all(HEADER.as_bytes())?;
        let mut tallies = vec![Tally::default(); self.layers.len()];
        let window = match (&run.sources.layers, run.quality.method) {
            (LayerSource::Text(text), Method::Window) => Some(self.write_rule(run, text, &mut out, parquet)?),
            _ => {
                self.write_attributed(run, &mut out, parquet, &mut tallies)?;
                None
            }
        };
        out.flush()?;
        let rows = match &window {
            Some(counts) => counts.rows,
            None => tallies.iter().map(|t| t.runtime.count()).sum(),
        };
        Ok(Written {
            mapping: MappingReport { rows, bytes: out.bytes },
            window,
            layers: self.layers.clone(),
            engine_index: self.engine_index.clone(),
            tallies,
        })
    }

    fn write_attributed(
        &self,
        run: &Run,
        out: &mut dyn Write,
        parquet: &mut Parquet<'_>,
        tallies: &mut [Tally],
    ) -> io::Result<()> {
        let mut inferences = run.sources.layers.open(true)?;
        let mut batch = Batch::default();
        loop {
            inferences.next_batch(&mut batch)?;
            if batch.is_empty() {
                return Ok(());
            }
            let parts: Vec<Vec<u8>> =
                (0..batch.len().div_ceil(ROWS)).into_par_iter().map(|part| self.render(&batch, part)).collect();
            for part in parts {
                out.write_all(&part)?;
            }
            tallies.par_iter_mut().enumerate().for_each(|(l, tally)| tally.take(&batch, l));
            if let Some(parquet) = parquet {
                self.push_parquet(&batch, parquet)?;
            }
        }
    }

    /// The rows of some inferences of a batch.
    fn render(&self, batch: &Batch, part: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for i in part * ROWS..((part + 1) * ROWS).min(batch.len()) {
            let cycle = batch.first + i as u64 + 1;
            for (l, layer) in self.texts.iter().enumerate() {
                let run_time = batch.texts[i * batch.layers + l].as_bytes();
                if !run_time.is_empty() {
                    layer.row(cycle, run_time, &mut text);
                }
            }
        }
        text
    }

    fn push_parquet(&self, batch: &Batch, parquet: &mut ParquetRows<&mut (dyn Write + Send)>) -> io::Result<()> {
        for i in 0..batch.len() {
            for (l, &ms) in batch.cycle(i).0.iter().enumerate().filter(|(_, ms)| !ms.is_nan()) {
                let row = MappingRow {
                    cycle: batch.first + i as u64 + 1,
                    layer: l,
                    runtime: Millis(ms),
                    power: self.layers[l].power,
                    samples: self.layers[l].samples.map(|s| s.round_ties_even() as u64),
                };
                parquet.push(row)?;
            }
        }
        Ok(())
    }

    fn write_rule(
        &self,
        run: &Run,
        file: &LatencyFile,
        out: &mut dyn Write,
        parquet: &mut Parquet<'_>,
    ) -> io::Result<WindowCounts> {
        let mut text = Vec::with_capacity(1 << 20);
        let counts = window::apply(&file.file, &file.file_order, run.sources.power.open()?, |row| {
            let excluding = row.power.and_then(|power| above_idle(power, run.idle));
            let power = RowPower { including: row.power, excluding, interval: None };
            let samples = Some(row.readings).filter(|&readings| readings > 0);
            match samples {
                Some(readings) => self.texts[row.layer].row_with(row.cycle, row.text, power, readings, &mut text)?,
                None => self.texts[row.layer].row(row.cycle, row.text, &mut text),
            }
            if let Some(parquet) = parquet {
                let (cycle, layer, runtime) = (row.cycle, row.layer, row.duration);
                parquet.push(MappingRow { cycle, layer, runtime, power, samples })?;
            }
            if text.len() > (1 << 20) - 4096 {
                out.write_all(&text)?;
                text.clear();
            }
            Ok(())
        })?;
        out.write_all(&text)?;
        Ok(counts)
    }
}

impl Tally {
    /// Takes a layer's run times of a batch.
    fn take(&mut self, batch: &Batch, layer: usize) {
        for (i, &ms) in batch.ms.iter().skip(layer).step_by(batch.layers).enumerate() {
            if !ms.is_nan() {
                self.first.get_or_insert(batch.first + i as u64 + 1);
                self.runtime.add(ms);
            }
        }
    }
}

/// The columns of a layer whose power was attributed.
fn attributed(run: &Run, layer: &super::quality::LayerReport) -> LayerColumns {
    let micro = |power: Option<Watts>| power.map(Microwatts::from);
    LayerColumns {
        index: layer.index,
        name: layer.name.clone(),
        layer_type: layer.layer_type.clone(),
        power: RowPower {
            including: micro(layer.power),
            excluding: micro(layer.power.zip(run.idle).map(|(power, idle)| power - idle)),
            interval: micro(layer.power_low).zip(micro(layer.power_high)),
        },
        samples: Some(layer.independent_samples),
        verdict: layer.verdict.name(),
        method: run.quality.method.name(),
    }
}
