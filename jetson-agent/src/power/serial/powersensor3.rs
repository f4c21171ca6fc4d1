//! PowerSensor3: eight ADC channels in four current and voltage pairs, 20,000 times a second.
//!
//! Protocol (device firmware 1.x): after `R` the device sends one 41-byte record a channel (type and pair name of 16
//! bytes each, reference voltage and sensitivity as little-endian `f32`, in use), the next after any byte, and `D` at
//! the end. `S` starts the stream, `X` stops it, and `FF 3F` says that it has stopped. The stream is packets of two
//! bytes, `1 sss llll` and `0 m llllll`: channel `s`, level `l` of ten bits, mark `m`. Channel 7 with its mark set is no
//! level but the device's time in µs modulo 1024, sent before each set of levels. A level is
//! (3.3 V · level/1023 − reference)/sensitivity in A or V; even channels are currents, odd ones voltages.

use super::super::{Pacing, PowerSource, SourceError};
use super::turns::{Stamped, Turns};
use super::watch::{Watch, receive, sort_error};
use crate::sys;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor, Total};
use shared::sensor::SensorFamily;
use shared::units::Micros;
use std::io::{Read, Write};

const CHANNELS: usize = 8;
const RECORD_BYTES: usize = 41;
const ADC_VOLTS: f64 = 3.3;
const ADC_STEPS: f64 = 1023.0;
/// Time between sets of levels.
const PERIOD_NS: u64 = 50_000;

#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    reference: f64,
    sensitivity: f64,
}

impl Channel {
    fn value(self, level: u16) -> f64 {
        (ADC_VOLTS * f64::from(level) / ADC_STEPS - self.reference) / self.sensitivity
    }
}

/// One level a channel, as far as they came.
type Levels = [Option<u16>; CHANNELS];

/// The source.
#[derive(Debug)]
pub struct PowerSensor3<P: Read + Write> {
    port: P,
    place: String,
    setup: PowerSetup,
    /// Pair of each rail.
    pairs: Vec<usize>,
    channels: [Channel; CHANNELS],
    levels: Levels,
    first_byte: Option<u8>,
    /// The stamp of the set under way.
    stamp: Option<u16>,
    turns: Turns<Levels>,
    garbage: u64,
    watch: Watch,
}

impl<P: Read + Write> PowerSensor3<P> {
    /// Reads the configuration and starts the stream.
    ///
    /// # Errors
    /// When the device does not answer as a PowerSensor3, or no pair is in use.
    pub fn start(mut port: P, place: &str) -> Result<Self, SourceError> {
        let lost = |message: String| SourceError::Lost(format!("{place}: {message}"));
        let send = |port: &mut P, byte: u8| {
            port.write_all(&[byte]).and_then(|()| port.flush()).map_err(|e| lost(e.to_string()))
        };
        // A stream left running by a program that was killed is stopped and read away.
        send(&mut port, b'X')?;
        let mut scrap = [0_u8; 4096];
        let deadline = sys::monotonic_ns() + 500_000_000;
        while sys::monotonic_ns() < deadline {
            match port.read(&mut scrap) {
                Ok(length) if scrap[..length].ends_with(&[0xFF, 0x3F]) => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        send(&mut port, b'R')?;
        let mut channels = [Channel::default(); CHANNELS];
        let mut in_use = [false; CHANNELS];
        let mut names: [String; CHANNELS] = Default::default();
        for i in 0..CHANNELS {
            let record = read_exactly::<RECORD_BYTES>(&mut port, place)?;
            let float =
                |at: usize| f64::from(f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]));
            channels[i] = Channel { reference: float(32), sensitivity: float(36) };
            names[i] = text(&record[16..32]);
            in_use[i] = record[40] != 0;
            if in_use[i] && !(channels[i].sensitivity.is_normal() && channels[i].reference.is_finite()) {
                return Err(lost(format!("channel {i} has no usable sensitivity; configure it with psconfig")));
            }
            send(&mut port, b's')?;
        }
        if read_exactly::<1>(&mut port, place)? != [b'D'] {
            return Err(lost("does not answer as a PowerSensor3; check the port".into()));
        }
        let pairs: Vec<usize> = (0..CHANNELS / 2).filter(|&p| in_use[2 * p] && in_use[2 * p + 1]).collect();
        if pairs.is_empty() {
            return Err(lost("no current and voltage pair is in use; configure one with psconfig".into()));
        }
        let rails: Vec<Rail> = pairs
            .iter()
            .map(|&pair| rail(pair, &names[2 * pair], channels[2 * pair], channels[2 * pair + 1], place))
            .collect();
        let total = if rails.len() == 1 { Total::Rail(0) } else { Total::Sum((0..rails.len() as u8).collect()) };
        send(&mut port, b'S')?;
        Ok(Self {
            port,
            place: place.into(),
            setup: PowerSetup { source: "serial".into(), rails, total, requested_hz: None },
            pairs,
            channels,
            levels: [None; CHANNELS],
            first_byte: None,
            stamp: None,
            turns: Turns::default(),
            garbage: 0,
            watch: Watch::new(),
        })
    }

    /// Bytes that fitted no packet.
    #[must_use]
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    fn packet(&mut self, first: u8, second: u8, block: &mut Vec<Stamped<Levels>>) {
        let channel = usize::from(first >> 4 & 7);
        let level = u16::from(first & 0xF) << 6 | u16::from(second & 0x3F);
        let marked = second & 0x40 != 0;
        if marked && channel == CHANNELS - 1 {
            self.finish_set(block);
            self.stamp = Some(level);
        } else {
            self.levels[channel] = Some(level);
        }
    }

    /// The levels between two times are one reading of every pair; a set with a byte lost keeps its time alone.
    fn finish_set(&mut self, block: &mut Vec<Stamped<Levels>>) {
        let complete = self.pairs.iter().all(|&p| self.levels[2 * p].is_some() && self.levels[2 * p + 1].is_some());
        if let Some(stamp) = self.stamp {
            block.push((stamp, complete.then_some(self.levels)));
            self.watch.heard();
        }
        self.levels = [None; CHANNELS];
    }

    fn stamp_block(&mut self, block: Vec<Stamped<Levels>>, now_ns: u64, out: &mut Vec<Sample>) {
        let mut timed = Vec::with_capacity(block.len());
        self.turns.block(block, now_ns, &mut timed);
        for (t_ns, levels) in timed {
            for (rail, &pair) in (0..).zip(&self.pairs) {
                let (Some(current), Some(voltage)) = (levels[2 * pair], levels[2 * pair + 1]) else { continue };
                let amps = self.channels[2 * pair].value(current);
                let volts = self.channels[2 * pair + 1].value(voltage);
                out.push(Sample { t_ns, rail, mv: (volts * 1e3) as f32, ma: (amps * 1e3) as f32 });
            }
        }
    }
}

fn rail(pair: usize, name: &str, current: Channel, voltage: Channel, place: &str) -> Rail {
    let step_v = ADC_VOLTS / ADC_STEPS;
    Rail {
        label: if name.is_empty() { format!("pair {pair}") } else { name.to_owned() },
        place: place.to_owned(),
        voltage_measured: true,
        sensor: Sensor {
            quantum_ma: Some((step_v / current.sensitivity).abs() * 1e3),
            quantum_mv: Some((step_v / voltage.sensitivity).abs() * 1e3),
            known_from: Some("data sheet".into()),
            ..Sensor::default()
        }
        .with_family(SensorFamily::Meter { period: Micros(PERIOD_NS as f64 / 1e3) }),
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).chars().filter(|c| !c.is_control()).collect()
}

fn read_exactly<const N: usize>(port: &mut impl Read, place: &str) -> Result<[u8; N], SourceError> {
    let (mut buffer, mut filled) = ([0_u8; N], 0);
    let deadline = sys::monotonic_ns() + 2_000_000_000;
    while filled < N {
        match port.read(&mut buffer[filled..]) {
            Ok(0) => return Err(SourceError::Lost(format!("{place}: the port was closed"))),
            Ok(length) => filled += length,
            Err(e) => {
                if let Some(error) = sort_error(&e, place) {
                    return Err(error);
                }
                if sys::monotonic_ns() > deadline {
                    return Err(SourceError::Lost(format!("{place}: no answer; is it a PowerSensor3?")));
                }
            }
        }
    }
    Ok(buffer)
}

impl<P: Read + Write + Send> PowerSource for PowerSensor3<P> {
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
            let (mut block, mut stopped) = (Vec::new(), false);
            for &byte in &buffer[..length] {
                match (self.first_byte.take(), byte) {
                    (Some(0xFF), 0x3F) => {
                        stopped = true;
                        break;
                    }
                    (Some(first), second) if second & 0x80 == 0 => self.packet(first, second, &mut block),
                    (first, second) => {
                        // Either a packet begins here, or a byte was lost and this one may begin the next.
                        self.garbage += u64::from(first.is_some() || second & 0x80 == 0);
                        self.first_byte = (second & 0x80 != 0).then_some(second);
                    }
                }
            }
            self.stamp_block(block, now_ns, out);
            if stopped {
                return Err(SourceError::Lost(format!("{}: the device stopped its stream", self.place)));
            }
        }
        self.watch.check(&self.place)
    }

    fn rejected(&self) -> u64 {
        self.garbage + self.turns.incomplete()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let (lost, breaks) = self.turns.lost();
        if lost > 0 {
            notes.push(format!(
                "{}: the stream lost about {lost} readings in {breaks} gaps; later readings keep their true time",
                self.place
            ));
        }
        if self.garbage > 0 {
            notes.push(format!("{}: bytes that fit no packet were left out ({})", self.place, self.garbage));
        }
        notes
    }
}

impl<P: Read + Write> Drop for PowerSensor3<P> {
    fn drop(&mut self) {
        // The device streams on until it gets the stop command; a failure here means that it is gone anyway.
        let _ = self.port.write_all(b"X");
        let _ = self.port.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io;

    /// A device in memory: answers `R` and `S`, and streams `sets` of levels.
    #[derive(Debug)]
    struct Device {
        out: VecDeque<u8>,
        stream: Vec<u8>,
    }

    fn record(name: &str, reference: f32, sensitivity: f32, in_use: bool) -> Vec<u8> {
        let mut record = vec![0; RECORD_BYTES];
        record[16..16 + name.len()].copy_from_slice(name.as_bytes());
        record[32..36].copy_from_slice(&reference.to_le_bytes());
        record[36..40].copy_from_slice(&sensitivity.to_le_bytes());
        record[40] = u8::from(in_use);
        record
    }

    fn packet(channel: u8, level: u16, mark: bool) -> [u8; 2] {
        [0x80 | channel << 4 | (level >> 6) as u8, u8::from(mark) << 6 | (level & 0x3F) as u8]
    }

    impl Read for Device {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.out.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let length = buffer.len().min(self.out.len());
            for slot in &mut buffer[..length] {
                *slot = self.out.pop_front().unwrap_or_default();
            }
            Ok(length)
        }
    }

    impl Write for Device {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes[0] {
                b'R' => {
                    for channel in 0..CHANNELS {
                        let used = channel < 2;
                        // 0.12 V/A around 1.65 V; a divider by 8.
                        let current = channel % 2 == 0;
                        let (reference, sensitivity) = if current { (1.65, 0.12) } else { (0.0, 0.125) };
                        self.out.extend(record("12V", reference, sensitivity, used));
                    }
                    self.out.push_back(b'D');
                }
                b'S' => self.out.extend(std::mem::take(&mut self.stream)),
                _ => {}
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stream(sets: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        for set in 0..sets {
            bytes.extend(packet(7, set * 50 % 1024, true));
            bytes.extend(packet(0, 600, false));
            bytes.extend(packet(1, 465, false));
        }
        bytes.extend(packet(7, sets * 50 % 1024, true));
        bytes
    }

    fn run(bytes: Vec<u8>) -> (Vec<Sample>, u64) {
        let mut source = PowerSensor3::start(Device { out: VecDeque::new(), stream: bytes }, "test").expect("starts");
        let mut out = Vec::new();
        for _ in 0..1_000 {
            source.read(&mut out).expect("reads");
        }
        (out, source.garbage())
    }

    #[test]
    fn levels_become_volts_and_amperes_at_the_device_times() {
        let (samples, garbage) = run(stream(40));
        assert_eq!((samples.len(), garbage), (40, 0));
        let amps = (3.3 * 600.0 / 1023.0 - 1.65) / 0.12;
        let volts = 3.3 * 465.0 / 1023.0 / 0.125;
        assert!((f64::from(samples[3].ma) - amps * 1e3).abs() < 0.01);
        assert!((f64::from(samples[3].mv) - volts * 1e3).abs() < 0.01);
        let span = samples[39].t_ns - samples[0].t_ns;
        assert!(span.abs_diff(39 * PERIOD_NS) < 20_000, "{span}");
    }

    #[test]
    fn a_lost_byte_costs_one_set() {
        let mut bytes = stream(40);
        bytes.remove(6 * 10 + 3);
        let (samples, garbage) = run(bytes);
        assert_eq!(samples.len(), 39);
        assert!(garbage >= 1);
        assert!(samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
    }

    #[test]
    fn what_does_not_answer_as_one_is_named() {
        let silent = Device { out: VecDeque::new(), stream: Vec::new() };
        #[derive(Debug)]
        struct Wrong(Device);
        impl Read for Wrong {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'?');
                Ok(buffer.len())
            }
        }
        impl Write for Wrong {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = PowerSensor3::start(Wrong(silent), "test").expect_err("must fail");
        assert!(matches!(error, SourceError::Lost(_)));
    }
}
