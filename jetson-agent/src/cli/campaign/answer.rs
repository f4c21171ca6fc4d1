//! What a campaign has measured, as data and in words.

use crate::cli::context::Context;
use crate::session::CampaignLog;
use shared::campaign::{CampaignPlan, Latency, Outcome, Steady};
use shared::failure::Failure;
use std::path::{Path, PathBuf};

/// A failed or skipped item.
#[derive(Debug, serde::Serialize)]
struct Fault {
    mode: Option<String>,
    item: String,
    reason: String,
}

/// Latencies of a network.
#[derive(Debug, serde::Serialize)]
struct NetworkLatency {
    mode: Option<String>,
    item: String,
    latency: Latency,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    plan: PathBuf,
    items: usize,
    done: usize,
    left: usize,
    seconds: f64,
    faults: Vec<Fault>,
    latencies: Vec<NetworkLatency>,
    steady: Vec<(Option<String>, Steady)>,
}

/// What was measured in all sessions, as data and in words.
pub(super) fn report(context: &Context, folder: &Path, plan: &CampaignPlan, log: &CampaignLog) -> Result<(), Failure> {
    let latest = log.log().latest();
    let (mut done, mut all, mut faults, mut latencies) = (0, 0, Vec::new(), Vec::new());
    for mode in plan.modes() {
        for item in &plan.items {
            all += 1;
            let Some(record) = latest.get(&(mode, item.id.as_str())) else { continue };
            let (mode, item) = (record.mode.clone(), record.item.clone());
            if record.outcome == Outcome::Done {
                done += 1;
                latencies.extend(record.latency.map(|latency| NetworkLatency { mode, item, latency }));
            } else {
                faults.push(Fault { mode, item, reason: record.reason.clone().unwrap_or_default() });
            }
        }
    }
    let steady = log.log().records.iter().filter_map(|record| Some((record.mode.clone(), record.steady?)));
    let answer = Answer {
        schema_version: 1,
        plan: folder.to_owned(),
        items: all,
        done,
        left: all - done - faults.len(),
        seconds: log.log().seconds(),
        faults,
        latencies,
        steady: steady.collect(),
    };
    context.answer(&answer, human)
}

fn human(answer: &Answer) -> String {
    let mut out = format!("{} of {} items are measured, {} are left\n", answer.done, answer.items, answer.left);
    let of = |mode: &Option<String>, item: &str| match mode {
        Some(mode) => format!("{mode}/{item}"),
        None => item.to_owned(),
    };
    for fault in &answer.faults {
        out += &format!("{}: not measured: {}\n", of(&fault.mode, &fault.item), fault.reason);
    }
    for NetworkLatency { mode, item, latency } in &answer.latencies {
        out += &format!(
            "{}: latency p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms\n",
            of(mode, item),
            latency.p50_ms.0,
            latency.p90_ms.0,
            latency.p99_ms.0
        );
    }
    for (mode, steady) in &answer.steady {
        let events = match steady.throttle_events {
            Some(0) => "no over-current event".to_owned(),
            Some(events) => format!("{events} over-current events"),
            None => "over-current events not known".to_owned(),
        };
        out += &format!(
            "{}: {} after {} stretches of {:.0} s: latency {:.3} ms first, {:.3} ms last ({:+.1} %), {events}\n",
            mode.as_deref().unwrap_or("as the board stands"),
            if steady.settled { "steady" } else { "not steady" },
            steady.stretches,
            steady.stretch_s,
            steady.first_ms.0,
            steady.last_ms.0,
            100.0 * (steady.last_ms.0 / steady.first_ms.0 - 1.0),
        );
    }
    out
}
