//! Events, written one by one.

use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The one process of a trace.
const PID: u32 = 1;

/// Writes a trace's events as a stream.
pub(crate) struct Events<'a> {
    out: &'a mut dyn Write,
    origin_ns: u64,
    count: u64,
}

/// A track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Track {
    Passes = 1,
    Inferences = 2,
    Layers = 3,
}

impl<'a> Events<'a> {
    /// Begins a trace whose times count from a monotonic instant; `about` stands beside the events.
    pub(crate) fn begin(out: &'a mut dyn Write, origin_ns: u64, about: &Value) -> io::Result<Self> {
        write!(out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[")?;
        Ok(Self { out, origin_ns, count: 0 })
    }

    fn put(&mut self, event: &Value) -> io::Result<()> {
        let separator = if self.count == 0 { "\n" } else { ",\n" };
        self.count += 1;
        write!(self.out, "{separator}{event}")
    }

    /// Time in µs; three decimals are ns, and the sum of a start and a duration stays exact.
    fn micros(&self, t_ns: u64) -> Value {
        json!(t_ns.saturating_sub(self.origin_ns) as f64 / 1e3)
    }

    pub(crate) fn name_process(&mut self, name: &str) -> io::Result<()> {
        self.put(&json!({"name": "process_name", "ph": "M", "pid": PID, "args": {"name": name}}))
    }

    pub(crate) fn name_track(&mut self, track: Track, name: &str) -> io::Result<()> {
        self.put(&json!({"name": "thread_name", "ph": "M", "pid": PID, "tid": track as u32, "args": {"name": name}}))?;
        let order = json!({"sort_index": track as u32});
        self.put(&json!({"name": "thread_sort_index", "ph": "M", "pid": PID, "tid": track as u32, "args": order}))
    }

    pub(crate) fn complete(
        &mut self,
        track: Track,
        name: &str,
        (start_ns, end_ns): (u64, u64),
        args: Map<String, Value>,
    ) -> io::Result<()> {
        let duration = end_ns.saturating_sub(start_ns) as f64 / 1e3;
        let ts = self.micros(start_ns);
        self.put(
            &json!({"name": name, "ph": "X", "ts": ts, "dur": duration, "pid": PID, "tid": track as u32, "args": args}),
        )
    }

    pub(crate) fn counter(&mut self, name: &str, unit: &str, t_ns: u64, value: f64) -> io::Result<()> {
        let ts = self.micros(t_ns);
        self.put(&json!({"name": name, "ph": "C", "ts": ts, "pid": PID, "args": {unit: value}}))
    }

    pub(crate) fn instant(&mut self, name: &str, t_ns: u64, message: &str) -> io::Result<()> {
        let ts = self.micros(t_ns);
        self.put(&json!({"name": name, "ph": "i", "s": "g", "ts": ts, "pid": PID, "tid": Track::Passes as u32, "args": {"message": message}}))
    }

    /// Ends the trace; how many events it holds.
    pub(crate) fn end(self) -> io::Result<u64> {
        writeln!(self.out, "\n]}}")?;
        Ok(self.count)
    }
}
