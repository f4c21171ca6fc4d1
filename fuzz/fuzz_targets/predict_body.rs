//! Any bytes as the body of a request for predictions: one engine info or several in one document. What holds for several
//! holds for each: it is a part of the body, or a text of it, and no engine info gets lost or made up.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::engine::{batch, parse};

const MOST: usize = 8;

fuzz_target!(|content: &[u8]| {
    match batch(content, MOST) {
        Ok(None) => drop(parse(content)),
        Ok(Some(batch)) => {
            assert!((1..=MOST).contains(&batch.engines.len()));
            for engine in &batch.engines {
                assert!(!engine.engine_info.is_empty() && engine.engine_info.len() <= content.len());
                drop(parse(&engine.engine_info));
            }
            let budgets = [batch.budgets.runtime_ms, batch.budgets.energy_mj, batch.budgets.power_w];
            assert!(budgets.iter().flatten().all(|budget| budget.is_finite() && *budget > 0.0));
        }
        Err(error) => assert!(!error.message.is_empty() && !error.place.is_empty()),
    }
});
