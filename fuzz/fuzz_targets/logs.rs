//! Whatever bytes stand where a power log, a latency file, or another tool's export should be: readers return, and what
//! they return is finite and in its place.

#![no_main]

use ingest::{tables, tegrastats, trtexec};
use libfuzzer_sys::fuzz_target;
use shared::run_folder::{
    Diagnostics, LayerCursor, PowerLogReader, PowerReadings, index_layers, split_shared_names,
};

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
    let _ = tegrastats::read(data, None, 100.0);
    for volts in [None, Some(5.0)] {
        if let Ok(table) = tables::power(data, volts) {
            assert!(table.rows.iter().all(|r| r.voltage.0.is_finite() && r.current.0.is_finite()));
            assert!(table.rows.is_sorted_by_key(|r| r.wall_ns));
        }
    }
    if let Ok(table) = tables::layers(data) {
        assert!(table.rows.iter().all(|l| l.runs.iter().all(|r| r.0 >= 0.0)));
    }
});
