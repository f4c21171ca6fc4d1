//! Running a network until the board is as warm as it gets.

use super::items::{Items, WARMUP};
use crate::board::throttle_events;
use shared::campaign::{PlanItem, Steady};
use shared::failure::Failure;
use shared::units::Millis;
use std::path::Path;
use std::time::Duration;

/// Stretches at most, and the relative change between two of them that counts as none.
const STRETCHES: u32 = 30;
const SAME: f64 = 0.01;

/// Runs a network stretch by stretch until its median latency no longer changes. Run folders go below `root`.
///
/// # Errors
/// When a stretch cannot be measured, or the user or the disk says so.
pub(super) fn become_steady(items: &Items, item: &PlanItem, root: &Path) -> Result<Steady, Failure> {
    let throttled =
        || throttle_events(&items.context.root).map(|events| events.iter().map(|(_, count)| count).sum::<u64>());
    let before = throttled();
    items.context.printer.say(format!("{} runs until its latency no longer changes", item.id));
    let time = items.args.steady_stretch;
    // The pace, for runners that take a number of inferences only.
    let pace = items.stretch(item, root, item.inferences.min(200), Duration::from_secs_f64(item.pass_s))?;
    let runs = ((time.as_secs_f64() * 1e3 / pace.0.max(1e-3)) as u32).max(WARMUP);
    let first = items.stretch(item, root, runs, time)?;
    let (mut last, mut stretches, mut settled) = (first, 1, false);
    while stretches < STRETCHES && !settled {
        items.go_on()?;
        let next: Millis = items.stretch(item, root, runs, time)?;
        settled = (next.0 / last.0 - 1.0).abs() < SAME;
        (last, stretches) = (next, stretches + 1);
    }
    Ok(Steady {
        first_ms: first,
        last_ms: last,
        stretch_s: time.as_secs_f64(),
        stretches,
        settled,
        throttle_events: throttled().zip(before).map(|(after, before)| after.saturating_sub(before)),
    })
}
