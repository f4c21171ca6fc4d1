//! Whatever bytes stand where a power log, a latency file, or another tool's export should be: readers return, and what
//! they return is finite and in its place.
//!
//! The parsers are taken in by path: the trainer's crate brings a machine-learning runtime that has no place here.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "."]
mod align {
    #[path = "../../host-trainer/src/align/latency.rs"]
    pub mod latency;
    #[path = "../../host-trainer/src/align/power.rs"]
    pub mod power;
    #[path = "../../host-trainer/src/align/stamp.rs"]
    pub mod stamp;
}
#[path = "."]
mod ingest {
    #[path = "../../host-trainer/src/ingest/layer_runs.rs"]
    mod layer_runs;
    #[path = "../../host-trainer/src/ingest/tables.rs"]
    pub mod tables;
    #[path = "../../host-trainer/src/ingest/tegrastats.rs"]
    pub mod tegrastats;
    #[path = "../../host-trainer/src/ingest/trtexec.rs"]
    pub mod trtexec;
    pub use layer_runs::LayerRuns;
}

use align::{latency, power};

fuzz_target!(|data: &[u8]| {
    let mut log = power::PowerLog::new(data);
    let mut chunk = Vec::new();
    loop {
        log.next_chunk(&mut chunk).expect("memory does not fail");
        if chunk.is_empty() {
            break;
        }
        assert!(chunk.iter().all(|r| r.millivolts.is_finite() && r.milliamps.is_finite()));
    }
    let mut oddities = power::Oddities::default();
    if let Ok(mut layers) = latency::index(data, &mut oddities) {
        latency::split_shared_names(&mut layers);
        for series in layers.iter().take(64) {
            assert!(series.bytes.start <= series.bytes.end && series.bytes.end <= data.len() as u64);
            let (mut plain, mut texts) = (latency::Cursor::new(data, series), latency::Cursor::new(data, series));
            while let Some(entry) = plain.next_entry().expect("memory does not fail") {
                assert!(entry.ms.is_finite() && entry.ms >= 0.0);
                let (again, text) = texts.next_with_text().expect("memory does not fail").expect("as many");
                assert_eq!(again, entry);
                assert_eq!(std::str::from_utf8(text.as_bytes()).expect("a number").parse(), Ok(entry.ms));
            }
        }
    }
    let _ = ingest::trtexec::profile(data);
    let _ = ingest::trtexec::times(data);
    let _ = ingest::tegrastats::read(data, None, 100.0);
    let _ = ingest::tables::power(data);
    if let Ok((layers, _)) = ingest::tables::layers(data) {
        assert!(layers.iter().all(|l| l.runs.iter().all(|r| r.0 >= 0.0)));
    }
});
