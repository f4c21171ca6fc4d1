//! Statistics of measurements, layer by layer.

use super::PowerKind;
use align::rows::field;
use shared::failure::Failure;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// Values of one quantity. Equal values are kept once with their count: an attributed power stands in every row, and
/// run times come in steps of the GPU's clock.
#[derive(Debug, Clone, Default)]
pub struct Values {
    counts: HashMap<u64, u64>,
    count: u64,
}

impl Values {
    fn add(&mut self, value: f64) {
        // Zero has two signs.
        *self.counts.entry((value + 0.0).to_bits()).or_default() += 1;
        self.count += 1;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sorted, each with its count.
    fn sorted(&self) -> Vec<(f64, u64)> {
        let mut all: Vec<(f64, u64)> = self.counts.iter().map(|(bits, n)| (f64::from_bits(*bits), *n)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// Their mean; `None` without any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.sorted().iter().map(|(v, n)| v * *n as f64).sum();
        (self.count > 0).then(|| sum / self.count as f64)
    }

    /// Standard deviation with n − 1; `None` with fewer than two.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self.sorted().iter().map(|(v, n)| (v - mean).powi(2) * *n as f64).sum();
        (self.count > 1).then(|| (squares / (self.count - 1) as f64).sqrt())
    }

    /// A quantile from 0 to 1 with linear interpolation between the two values next to it.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let sorted = self.sorted();
        let place = q * (self.count.checked_sub(1)?) as f64;
        let at = |rank: u64| {
            let mut passed = 0;
            sorted
                .iter()
                .find(|(_, n)| {
                    passed += n;
                    passed > rank
                })
                .map(|v| v.0)
        };
        let (low, high) = (at(place.floor() as u64)?, at(place.ceil() as u64)?);
        Some(low + (high - low) * place.fract())
    }
}

/// The measurements of one layer.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Name.
    pub name: String,
    /// Type.
    pub layer_type: String,
    /// Position in execution order, where the data tell.
    pub index: Option<usize>,
    /// Which of the layers of the same name it is, from 0.
    pub turn: usize,
    /// Power less idle power in µW.
    pub net: Values,
    /// Power in µW.
    pub total: Values,
    /// Run time in ms.
    pub runtime: Values,
    /// What the alignment says of the power: verdict and method.
    pub verdict: Option<(String, String)>,
}

/// Reads a mapping file as a stream. Layers come in the order of their first row.
///
/// # Errors
/// When it cannot be read, lacks a column, or holds something that is no number.
pub fn read(path: &Path) -> Result<Vec<Measured>, Failure> {
    let broken = |e: &csv::Error| match e.kind() {
        csv::ErrorKind::Io(e) => Failure::io(path, "read", e),
        _ => Failure::data(e.to_string()).at(path),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|e| broken(&e))?;
    let header = reader.headers().map_err(|e| broken(&e))?.clone();
    let column = |name: &str| header.iter().position(|h| h == name);
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            Failure::data(format!("lacks the column `{name}`")).at(path).help("make it with `host-trainer align`")
        })
    };
    let name = needed("layer_name")?;
    let layer_type = needed("layer_type")?;
    let total = needed("layer_power_including_idle_power_micro_watt")?;
    let net = needed("layer_power_excluding_idle_power_micro_watt")?;
    let runtime = needed("layer_run_time")?;
    let (cycle, index) = (column("cycle"), column("layer_index"));
    let (verdict, method) = (column("power_verdict"), column("power_method"));
    let mut layers: Vec<Measured> = Vec::new();
    let mut places: HashMap<(Vec<u8>, usize), usize> = HashMap::new();
    let mut turns: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut record = csv::ByteRecord::new();
    let mut last_cycle: Vec<u8> = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|e| broken(&e))? {
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let number = |column: usize| -> Result<Option<f64>, Failure> {
            let text = String::from_utf8_lossy(cell(column));
            if text.is_empty() {
                return Ok(None);
            }
            text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Some).ok_or_else(|| {
                let what = header.get(column).unwrap_or_default();
                Failure::data(format!("`{what}` is `{text}`, no finite number")).at(path).place(format!("line {line}"))
            })
        };
        // Equal names are told apart by position, or by their turn within an inference.
        let told = index.and_then(|i| std::str::from_utf8(cell(i)).ok()?.parse::<usize>().ok());
        let key = match told {
            Some(index) => (cell(name).to_vec(), index),
            None => {
                if cycle.is_some_and(|c| cell(c) != last_cycle.as_slice()) {
                    turns.clear();
                    last_cycle = cycle.map_or_else(Vec::new, |c| cell(c).to_vec());
                }
                let turn = turns.entry(cell(name).to_vec()).or_default();
                *turn += 1;
                (cell(name).to_vec(), if cycle.is_some() { *turn - 1 } else { 0 })
            }
        };
        let place = *places.entry(key).or_insert_with(|| {
            let text = |column: usize| String::from_utf8_lossy(cell(column)).into_owned();
            let name = text(name);
            let turn = layers.iter().filter(|l| l.name == name).count();
            let told_verdict = verdict.zip(method).map(|(v, m)| (text(v), text(m)));
            layers.push(Measured {
                name,
                layer_type: text(layer_type),
                index: told,
                turn,
                verdict: told_verdict,
                ..Measured::default()
            });
            layers.len() - 1
        });
        let layer = &mut layers[place];
        if let Some(value) = number(total)? {
            layer.total.add(value);
        }
        if let Some(value) = number(net)? {
            layer.net.add(value);
        }
        if let Some(value) = number(runtime)? {
            layer.runtime.add(value);
        }
    }
    Ok(layers)
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| format!("{v:?}"))
}

/// The reference's statistics of power or run time: of the layers it has tables for, by name, with its columns.
#[must_use]
pub fn reference_table(layers: &[Measured], power: bool, kind: PowerKind) -> String {
    let mut layers: Vec<&Measured> = layers
        .iter()
        .filter(|l| matches!(l.layer_type.as_str(), "CaskConvolution" | "CaskPooling" | "CaskGemmConvolution"))
        .collect();
    layers.sort_by(|a, b| (&a.name, a.turn).cmp(&(&b.name, b.turn)));
    let mut text = String::from("layer_name,count,mean,std,min,25%,50%,75%,max\n");
    for layer in layers {
        let values = if power { kind.of(layer) } else { &layer.runtime };
        let _ = writeln!(
            text,
            "{},{:?},{},{},{},{},{},{},{}",
            field(&layer.name),
            values.count() as f64,
            figure(values.mean()),
            figure(values.deviation()),
            figure(values.quantile(0.0)),
            figure(values.quantile(0.25)),
            figure(values.quantile(0.5)),
            figure(values.quantile(0.75)),
            figure(values.quantile(1.0))
        );
    }
    text
}

/// Statistics of every layer, in execution order.
#[must_use]
pub fn layer_table(layers: &[Measured]) -> String {
    let mut text = String::from(
        "layer_index,layer_name,layer_type,power_count,power_mean_micro_watt,power_std,net_power_mean_micro_watt,\
         runtime_count,runtime_mean_ms,runtime_std,runtime_median_ms,runtime_p95_ms,power_verdict,power_method\n",
    );
    for layer in layers {
        let (verdict, method) = layer.verdict.clone().unwrap_or_default();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{verdict},{method}",
            layer.index.map_or_else(String::new, |i| i.to_string()),
            field(&layer.name),
            field(&layer.layer_type),
            layer.total.count(),
            figure(layer.total.mean()),
            figure(layer.total.deviation()),
            figure(layer.net.mean()),
            layer.runtime.count(),
            figure(layer.runtime.mean()),
            figure(layer.runtime.deviation()),
            figure(layer.runtime.quantile(0.5)),
            figure(layer.runtime.quantile(0.95))
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_a_data_frame() {
        let mut values = Values::default();
        for value in [2.0, 5.0, 4.0, 4.0] {
            values.add(value);
        }
        assert_eq!(values.mean(), Some(3.75));
        assert!((values.deviation().expect("four") - 1.258_305_739_211_791_7).abs() < 1e-15);
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|q| values.quantile(q).expect("four")), [2.0, 3.5, 4.0, 4.25, 5.0]);
        assert_eq!((Values::default().mean(), Values::default().quantile(0.5)), (None, None));
    }
}
