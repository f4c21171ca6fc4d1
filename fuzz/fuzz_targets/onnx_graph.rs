//! Any bytes: reading a graph returns, and the list of layers that comes of it is an engine info.

#![no_main]

use graph::{Build, Options, engine_info_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    for (precision, batch) in [(Build::Fp32, None), (Build::Fp16, Some(2))] {
        let options = Options { precision, batch, ..Options::default() };
        match engine_info_of(content, &options) {
            Ok(answer) => {
                assert!(!answer.engine.layers.is_empty() && !answer.notes.is_empty());
                assert_eq!(answer.engine.layers.len(), answer.layer_macs.len());
                assert!((0.0..=1.0).contains(&answer.opaque_share()));
            }
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
    }
});
