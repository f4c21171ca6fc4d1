//! Any bytes: the engine-info parser returns, and work can be asked of whatever it returns.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::engine::parse;

fuzz_target!(|content: &[u8]| {
    match parse(content) {
        Ok((engine, diagnostics)) => {
            assert!(!engine.layers.is_empty());
            for layer in &engine.layers {
                let _ = (layer.macs(), layer.parameters(), layer.precision(), layer.batch(), layer.bytes_moved());
            }
            let _ = (engine.macs(), engine.parameters(), engine.profiles());
            for diagnostic in diagnostics {
                assert!(!diagnostic.to_string().is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    }
});
