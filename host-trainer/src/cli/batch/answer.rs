//! What commands on batches say.

use batch::folder::Batch;
use shared::figures::duration;
use shared::printer::Printer;

pub(super) fn say_generated(batch: &Batch, printer: &Printer) {
    let header = &batch.header;
    printer.say(format!(
        "{}: {} tasks of {} models on {}, kept in {}",
        batch.name(),
        batch.tasks.len(),
        batch.labels().len(),
        header.engine,
        header.queue.name()
    ));
    if let Some(estimate) = header.estimate {
        let total = estimate.task_seconds * batch.tasks.len() as f64 / header.workers.max(1) as f64;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        printer.say(format!(
            "at most {} per task and {} in all with {} workers; {:.0} MiB of memory per worker, {:.1} MiB of artefacts",
            duration(Some(estimate.task_seconds)),
            duration(Some(total)),
            header.workers,
            mib(estimate.worker_bytes),
            mib(estimate.artefact_bytes * batch.tasks.len() as u64)
        ));
    }
}
