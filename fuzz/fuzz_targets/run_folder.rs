//! Whatever bytes stand where a run folder's files should be: readers return, and a log's counts are those of its records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::run_folder::{Counts, PowerLogReader, SampleLogReader, parse_layer_latencies, stamp};

fuzz_target!(|data: &[u8]| {
    let mut reader = SampleLogReader::new(data);
    let (mut counts, mut frames) = (Counts::default(), 0);
    for record in &mut reader {
        frames += 1;
        if let Ok(record) = record.expect("memory does not fail") {
            counts.add(&record);
            // What was read is written the same, but for JSON's freedom in the rare records.
            let again = shared::run_folder::Record::decode(&record.encode());
            assert!(again.is_ok());
        }
    }
    assert_eq!(reader.damage().frames, frames);
    for line in PowerLogReader::new(data) {
        if let Ok(reading) = line.expect("memory does not fail") {
            assert!(reading.power().0.is_finite() || reading.voltage.0.abs() * reading.current.0.abs() > 1e300);
            assert!(stamp::parse_stamp(&stamp::format_stamp(reading.wall_ns)).is_some());
        }
    }
    let _ = parse_layer_latencies(data);
    // The checksum keeps random bytes from the records; here they meet them.
    let _ = shared::run_folder::Record::decode(data);
});
