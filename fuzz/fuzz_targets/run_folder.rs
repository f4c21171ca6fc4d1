//! Whatever bytes stand where a run folder's files should be: readers return, and a log's counts are those of its records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::run_folder::{
    Counts, LayerCycles, Manifest, PowerLogReader, PowerReadings, Rail, SampleLogReader, SampleLogReadings, Total,
    parse_layer_latencies, stamp,
};

const YEAR_2150_NS: i64 = 5_680_281_600 * stamp::SECOND_NS;

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
            // The leap second of the last year that is read lies in the next one.
            let again = stamp::parse_stamp(&stamp::format_stamp(reading.wall_ns));
            assert!(again.is_some() || reading.wall_ns >= YEAR_2150_NS);
        }
    }
    let mut manifest = Manifest::new("fuzz", "fuzz");
    manifest.power.rails = vec![Rail::default(); 2];
    manifest.power.total = Total::Sum(vec![0, 1]);
    let mut readings = SampleLogReadings::new(data, &manifest);
    let mut chunk = Vec::new();
    while readings.read_chunk(&mut chunk).is_ok() && !chunk.is_empty() {
        assert!(chunk.iter().all(|r| r.voltage.0.is_finite() && r.current.0.is_finite()));
    }
    let mut cycles = LayerCycles::new(data);
    while cycles.next_cycle().expect("memory does not fail").is_some() {}
    let _ = parse_layer_latencies(data);
    // The checksum keeps random bytes from the records; here they meet them.
    let _ = shared::run_folder::Record::decode(data);
});
