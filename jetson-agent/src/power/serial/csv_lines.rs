//! A meter that writes `t_us,V,A` lines, as self-made INA226 and ESP32 meters do.

use super::super::{Pacing, PowerSource, SourceError};
use super::meter_clock::MeterClock;
use super::watch::{Watch, receive};
use crate::sys;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor, Total};
use std::io::Read;

/// Longest line; what is longer is garbage.
const LINE_BYTES: usize = 128;

/// The source. Lines that are no reading (a greeting, a header, noise on the line) are counted and passed over.
#[derive(Debug)]
pub struct CsvLines<P> {
    port: P,
    place: String,
    setup: PowerSetup,
    line: Vec<u8>,
    overlong: bool,
    clock: MeterClock,
    garbage: u64,
    readings: u64,
    watch: Watch,
}

impl<P: Read> CsvLines<P> {
    /// Reads from a port; `place` is its name for people.
    pub fn new(port: P, place: &str) -> Self {
        let setup = PowerSetup {
            source: "serial".into(),
            rails: vec![Rail {
                label: "meter".into(),
                place: place.into(),
                voltage_measured: true,
                sensor: Sensor { known_from: Some("configured".into()), ..Sensor::default() },
            }],
            total: Total::Rail(0),
            requested_hz: None,
        };
        Self {
            port,
            place: place.into(),
            setup,
            line: Vec::new(),
            overlong: false,
            clock: MeterClock::default(),
            garbage: 0,
            readings: 0,
            watch: Watch::new(),
        }
    }

    /// Lines that were no reading.
    #[must_use]
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    fn end_line(&mut self, block: &mut Vec<(i64, f64, f64)>) {
        let reading = if self.overlong { None } else { parse(&self.line) };
        match reading {
            Some(reading) => {
                block.push(reading);
                self.readings += 1;
                self.watch.heard();
            }
            None if self.line.trim_ascii().is_empty() && !self.overlong => {}
            None => self.garbage += 1,
        }
        self.line.clear();
        self.overlong = false;
    }
}

impl<P: Read + Send> PowerSource for CsvLines<P> {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn pacing(&self) -> Pacing {
        Pacing::Stream
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        let mut buffer = [0_u8; 4096];
        let length = receive(&mut self.port, &mut buffer, &self.place)?;
        if length > 0 {
            let now_ns = sys::monotonic_ns();
            let mut block = Vec::new();
            for &byte in &buffer[..length] {
                if byte == b'\n' || byte == b'\r' {
                    self.end_line(&mut block);
                } else if self.line.len() < LINE_BYTES {
                    self.line.push(byte);
                } else {
                    self.overlong = true;
                }
            }
            let stamps: Vec<i64> = block.iter().map(|(device_us, ..)| *device_us).collect();
            for (time, (_, volts, amps)) in self.clock.block(&stamps, now_ns).into_iter().zip(block) {
                match time {
                    Some(t_ns) => {
                        out.push(Sample { t_ns, rail: 0, mv: (volts * 1e3) as f32, ma: (amps * 1e3) as f32 });
                    }
                    None => self.garbage += 1,
                }
            }
        }
        if self.readings == 0 && self.garbage > 200 {
            return Err(SourceError::Lost(format!(
                "{}: {} lines came and none is `t_us,V,A`; check the baud rate and the meter's format",
                self.place, self.garbage
            )));
        }
        self.watch.check(&self.place)
    }

    fn rejected(&self) -> u64 {
        self.garbage
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{}: {what} ({count})", self.place));
            }
        };
        note(self.garbage, "lines that are no reading `t_us,V,A`, or whose time cannot be, were left out");
        note(self.clock.wraps(), "the meter's counter began again after its range, which was undone");
        note(self.clock.restarts(), "the meter's clock started again; its time goes on with the time of arrival");
        notes
    }
}

fn parse(line: &[u8]) -> Option<(i64, f64, f64)> {
    let text = std::str::from_utf8(line).ok()?;
    let mut fields = text.split(',').map(str::trim);
    let device_us = fields.next()?.parse().ok()?;
    let mut number = || fields.next()?.parse::<f64>().ok().filter(|v| v.is_finite() && v.abs() < 1e4);
    let (volts, amps) = (number()?, number()?);
    fields.next().is_none().then_some((device_us, volts, amps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> (Vec<Sample>, u64) {
        let mut source = CsvLines::new(bytes, "test");
        let mut out = Vec::new();
        while source.read(&mut out).is_ok() {}
        (out, source.garbage())
    }

    #[test]
    fn readings_come_out_of_noise() {
        let text = b"INA226 ready\nt_us,V,A\n1000,5.008,1.096\r\n2000,5.008\n\xff\xfe3000,5,1\n4000,5.0,1.0,7\n5000,5.0,nan\n6000,5.0,2.0\n";
        let (samples, garbage) = read(text);
        assert_eq!(samples.iter().map(|s| (s.mv, s.ma)).collect::<Vec<_>>(), [(5008.0, 1096.0), (5000.0, 2000.0)]);
        assert_eq!(garbage, 6);
        assert_eq!(samples[1].t_ns - samples[0].t_ns, 5_000_000);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&bytes);
        }
    }
}
