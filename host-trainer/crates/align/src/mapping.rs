//! `power_runtime_mapping_layerwise.csv`: one row for each layer of each inference, EdgeProfiler's columns first.

use shared::units::Microwatts;
use std::io::{self, Write};

/// The columns. The first six are EdgeProfiler's.
pub const HEADER: &str = "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
layer_power_excluding_idle_power_micro_watt,layer_run_time,layer_index,power_low_micro_watt,power_high_micro_watt,\
power_samples,power_verdict,power_method\n";

/// Name of the file.
pub const FILE: &str = "power_runtime_mapping_layerwise.csv";

/// A layer's attributed power.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowPower {
    /// Including idle power.
    pub including: Option<Microwatts>,
    /// Less idle power.
    pub excluding: Option<Microwatts>,
    /// 90 % interval of the first.
    pub interval: Option<(Microwatts, Microwatts)>,
}

/// What all rows of a layer share.
#[derive(Debug, Clone, Default)]
pub struct LayerColumns {
    /// Position in execution order.
    pub index: usize,
    /// Name.
    pub name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// Power, where it is the same in every row.
    pub power: RowPower,
    /// Readings behind it, where they are the same in every row.
    pub samples: Option<f64>,
    /// How far the power is the layer's own.
    pub verdict: &'static str,
    /// How it was found.
    pub method: &'static str,
}

/// The text that all rows of a layer share, rendered once.
#[derive(Debug, Clone)]
pub struct LayerText {
    /// `,name,type,`.
    before: Vec<u8>,
    /// Power columns `including,excluding,`, empty cells where there is none.
    power: Vec<u8>,
    /// `,index,low,high,`.
    interval: Vec<u8>,
    samples: Vec<u8>,
    /// `,verdict,method` and the line's end.
    after: Vec<u8>,
}

fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| format!("{v:?}"))
}

impl LayerText {
    /// Renders what a layer's rows share.
    ///
    /// ```
    /// use align::mapping::{LayerColumns, LayerText, RowPower};
    /// use shared::units::Microwatts;
    ///
    /// let power = RowPower { including: Some(Microwatts(6e6)), ..RowPower::default() };
    /// let conv = LayerColumns { name: "conv1".into(), layer_type: "CaskConvolution".into(), power, ..LayerColumns::default() };
    /// let mut out = Vec::new();
    /// LayerText::new(&conv).row(1, b"0.25", &mut out);
    /// assert_eq!(out, b"1,conv1,CaskConvolution,6000000.0,,0.25,0,,,,,\n");
    /// ```
    #[must_use]
    pub fn new(layer: &LayerColumns) -> Self {
        let LayerColumns { index, power, verdict, method, .. } = layer;
        let (low, high) = (power.interval.map(|i| i.0.0), power.interval.map(|i| i.1.0));
        Self {
            before: format!(",{},{},", field(&layer.name), field(&layer.layer_type)).into_bytes(),
            power: format!("{},{},", number(power.including.map(|p| p.0)), number(power.excluding.map(|p| p.0)))
                .into_bytes(),
            interval: format!(",{index},{},{},", number(low), number(high)).into_bytes(),
            samples: layer.samples.map_or(Vec::new(), |s| format!("{s:.0}").into_bytes()),
            after: format!(",{verdict},{method}\n").into_bytes(),
        }
    }

    /// Appends the row of one inference (counted from 1), with the run time's text.
    pub fn row(&self, cycle: u64, run_time: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(cycle).as_bytes());
        for part in [&self.before, &self.power, run_time, &self.interval, &self.samples, &self.after] {
            out.extend_from_slice(part);
        }
    }

    /// As [`row`](Self::row), with power and readings of this row alone.
    ///
    /// # Errors
    /// Never: it writes to memory.
    pub fn row_with(
        &self,
        cycle: u64,
        run_time: &[u8],
        power: RowPower,
        readings: u64,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        out.extend_from_slice(itoa::Buffer::new().format(cycle).as_bytes());
        out.extend_from_slice(&self.before);
        for value in [power.including, power.excluding] {
            if let Some(value) = value {
                write!(out, "{:?}", value.0)?;
            }
            out.push(b',');
        }
        out.extend_from_slice(run_time);
        out.extend_from_slice(&self.interval);
        out.extend_from_slice(itoa::Buffer::new().format(readings).as_bytes());
        out.extend_from_slice(&self.after);
        Ok(())
    }
}

/// A CSV field, quoted where it has to be.
#[must_use]
pub fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_columns_of_the_header() {
        let power = RowPower {
            including: Some(Microwatts(6e6)),
            excluding: Some(Microwatts(1e6)),
            interval: Some((Microwatts(5e6), Microwatts(7e6))),
        };
        let text = LayerText::new(&LayerColumns {
            index: 3,
            name: "a, \"b\"".into(),
            layer_type: "Conv".into(),
            power,
            samples: Some(12.4),
            verdict: "measured",
            method: "deconvolve",
        });
        let mut out = Vec::new();
        text.row(10, b"0.5", &mut out);
        let zero = RowPower { including: Some(Microwatts(0.0)), ..RowPower::default() };
        text.row_with(11, b"0.25", zero, 2, &mut out).expect("memory");
        let out = String::from_utf8(out).expect("UTF-8");
        assert_eq!(
            out,
            "10,\"a, \"\"b\"\"\",Conv,6000000.0,1000000.0,0.5,3,5000000.0,7000000.0,12,measured,deconvolve\n\
             11,\"a, \"\"b\"\"\",Conv,0.0,,0.25,3,5000000.0,7000000.0,2,measured,deconvolve\n"
        );
        let mut reader = csv::Reader::from_reader(out.as_bytes());
        assert!(reader.records().all(|r| r.expect("a row").len() == HEADER.split(',').count()));
    }
}
