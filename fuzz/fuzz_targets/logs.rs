//! Whatever bytes stand where a power log, a latency file, or another tool's export should be: readers return, and what
//! they return is finite and in its place.

#![no_main]

use ingest::{tables, tegrastats, trtexec};
use libfuzzer_sys::fuzz_target;
use shared::run_folder::{Diagnostics, LayerCursor, PowerLogReader, PowerReadings, index_layers, split_shared_names};

/// Readings run on in time, and every one of them lies in a stretch.
fn check_power(power: &ingest::Timed) {
    assert!(!power.readings.is_empty());
    assert!(power.readings.windows(2).all(|pair| pair[0].wall_ns <= pair[1].wall_ns));
    assert_eq!(power.times.stretches.iter().map(|stretch| stretch.len()).sum::<usize>(), power.readings.len());
}

fuzz_target!(|data: &[u8]| {
    let mut log = PowerLogReader::new(data);
    let mut chunk = Vec::new();
    loop {
        log.read_chunk(&mut chunk).expect("memory does not fail");
        if chunk.is_empty() {
            break;
        }
        assert!(chunk.iter().all(|r| r.voltage.0.is_finite() && r.current.0.is_finite()));
    }
    let mut diagnostics = Diagnostics::default();
    if let Ok(mut layers) = index_layers(data, &mut diagnostics) {
        split_shared_names(&mut layers);
        for series in layers.iter().take(64) {
            assert!(series.bytes.start <= series.bytes.end && series.bytes.end <= data.len() as u64);
            let (mut plain, mut texts) = (LayerCursor::new(data, series), LayerCursor::new(data, series));
            while let Some(entry) = plain.next_entry().expect("memory does not fail") {
                assert!(entry.duration.0.is_finite() && entry.duration.0 >= 0.0);
                let (again, text) = texts.next_with_text().expect("memory does not fail").expect("as many");
                assert_eq!(again, entry);
                assert_eq!(std::str::from_utf8(text.as_bytes()).expect("a number").parse(), Ok(entry.duration.0));
            }
        }
    }
    let _ = trtexec::profile(data);
    let _ = trtexec::times(data);
    for rail in [None, Some("VDD_IN")] {
        if let Ok(log) = tegrastats::read(data, rail, Some(100.0)) {
            assert!(!log.read.is_empty());
            check_power(&log.power);
        }
    }
    for volts in [None, Some(5.0)] {
        if let Ok(table) = tables::power(data, volts) {
            assert!(table.rows.iter().all(|r| r.voltage.0.is_finite() && r.current.0.is_finite()));
            check_power(&ingest::Timed { readings: table.rows, times: table.times });
        }
    }
    if let Ok(table) = tables::layers(data) {
        assert!(table.rows.iter().all(|l| l.runs.iter().all(|r| r.0 >= 0.0)));
    }
});
