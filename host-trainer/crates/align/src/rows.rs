//! `power_runtime_mapping_layerwise.csv`: a row for each layer of each inference, the reference's columns first.

use std::io::{self, Write};

/// The columns. The first six are the reference's.
pub const HEADER: &str = "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
layer_power_excluding_idle_power_micro_watt,layer_run_time,layer_index,power_low_micro_watt,power_high_micro_watt,\
power_samples,power_verdict,power_method\n";

/// Name of the file.
pub const FILE: &str = "power_runtime_mapping_layerwise.csv";

/// What all rows of a layer share, rendered once.
#[derive(Debug, Clone)]
pub struct LayerText {
    /// `,name,type,`.
    before: Vec<u8>,
    /// Power columns `including,excluding,`, empty cells where there is none.
    power: Vec<u8>,
    /// The columns after the run time, line end included.
    after: Vec<u8>,
}

/// A layer's attributed power, in microwatts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Power {
    /// Including idle power.
    pub including: Option<f64>,
    /// Less idle power.
    pub excluding: Option<f64>,
    /// 90 % interval of the first.
    pub interval: Option<(f64, f64)>,
}

impl LayerText {
    /// Renders what a layer's rows share.
    #[must_use]
    pub fn new(
        index: usize,
        name: &str,
        layer_type: &str,
        power: Power,
        samples: Option<f64>,
        verdict: &str,
        method: &str,
    ) -> Self {
        let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:?}"));
        Self {
            before: format!(",{},{},", field(name), field(layer_type)).into_bytes(),
            power: format!("{},{},", number(power.including), number(power.excluding)).into_bytes(),
            after: format!(
                ",{index},{},{},{},{verdict},{method}\n",
                number(power.interval.map(|i| i.0)),
                number(power.interval.map(|i| i.1)),
                samples.map_or(String::new(), |s| format!("{s:.0}")),
            )
            .into_bytes(),
        }
    }

    /// Appends the row of one inference (counted from 1), with the run time's text.
    pub fn row(&self, cycle: u64, run_time: &[u8], out: &mut Vec<u8>) {
        push_number(cycle, out);
        out.extend_from_slice(&self.before);
        out.extend_from_slice(&self.power);
        out.extend_from_slice(run_time);
        out.extend_from_slice(&self.after);
    }

    /// As [`row`](Self::row), with power and readings of this row alone.
    ///
    /// # Errors
    /// Never: it writes to memory.
    pub fn row_with(
        &self,
        cycle: u64,
        run_time: &[u8],
        power: Power,
        readings: u64,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        push_number(cycle, out);
        out.extend_from_slice(&self.before);
        for value in [power.including, power.excluding] {
            if let Some(value) = value {
                write!(out, "{value:?}")?;
            }
            out.push(b',');
        }
        out.extend_from_slice(run_time);
        // The shared tail up to the samples' column, then this row's readings.
        let mut columns = self.after.splitn(6, |&b| b == b',');
        for column in columns.by_ref().take(4) {
            out.extend_from_slice(column);
            out.push(b',');
        }
        write!(out, "{readings}")?;
        columns.next();
        if let Some(rest) = columns.next() {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        Ok(())
    }
}

fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
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
        let power = Power { including: Some(6e6), excluding: Some(1e6), interval: Some((5e6, 7e6)) };
        let text = LayerText::new(3, "a, \"b\"", "Conv", power, Some(12.4), "measured", "deconvolve");
        let mut out = Vec::new();
        text.row(10, b"0.5", &mut out);
        text.row_with(11, b"0.25", Power { including: Some(0.0), ..Power::default() }, 2, &mut out).expect("memory");
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
