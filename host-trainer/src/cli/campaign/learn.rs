//! `host-trainer campaign learn`.

use crate::cli::models::{Registration, register_fitted};
use crate::cli::values::choice;
use crate::output::{Csv, Format, figure, render, write};
use campaign::{LearnOptions, LearnedDevice, Report, learn};
use clap::Args;
use learn::fit::kinds::Kind;
use shared::campaign::CampaignPlan;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;

/// Align the runs of a plan, fit models, and judge them on the networks that were kept back. A second run aligns what is new.
#[derive(Debug, Args)]
pub(super) struct Learn {
    /// Folder of the plan, with the runs of `jetson-agent campaign`.
    #[arg(value_name = "DIR")]
    plan: PathBuf,
    /// Model kind.
    #[arg(long, value_parser = choice::<Kind>(), default_value = "auto")]
    kind: Kind,
    /// Folder of models of other devices: if it has the same board in another mode, its models are carried over where that is better.
    #[arg(long, value_name = "DIR")]
    from_models: Option<PathBuf>,
    /// Device to carry over from, in place of another mode of the same board.
    #[arg(long, value_name = "DEVICE", requires = "from_models")]
    from: Option<String>,
    /// Do not find out whether more measurements pay, which takes two more fits.
    #[arg(long)]
    no_curve: bool,
    #[command(flatten)]
    registration: Registration,
    /// Format of the report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Learn {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let options = LearnOptions {
            kind: self.kind,
            shipped: self.from_models.as_deref(),
            from: self.from.as_deref(),
            curve: !self.no_curve,
        };
        let report = learn(&self.plan, &options, &mut |step| printer.say(step))?;
        report.missing.iter().for_each(|missing| printer.warn(missing));
        for device in &report.devices {
            device.notes.iter().for_each(|note| printer.warn(format!("{}: {note}", device.device)));
        }
        show(&report, self.format, printer)?;
        self.say(&report, printer)?;
        for device in &report.devices {
            let revision = self.registration.revision_of(&device.training, printer)?;
            register_fitted(&self.registration, revision, &report.models, &[&device.device], printer)?;
        }
        Ok(())
    }

    /// What was learned in words, and the next step.
    fn say(&self, report: &Report, printer: &Printer) -> Result<(), Failure> {
        let plan = CampaignPlan::read(&self.plan)?;
        for device in &report.devices {
            let aligned = format!("{} aligned now, {} before", device.aligned.0, device.aligned.1);
            printer.say(format!(
                "{}: {} rows of {} runs ({aligned}); {}",
                device.device, device.rows, device.runs, device.models_from
            ));
            let Some(more) = device.more else { continue };
            let curve = format!(
                "layers are off by {:.1} % after half of the measurements and {:.1} % after all",
                more.half_mape_percent, more.all_mape_percent
            );
            if more.pays {
                printer.say(format!(
                    "{curve}; twice as many should come to {:.1} %: `host-trainer campaign plan --board {} --have {} --seed {} --time {:.0}s --out {}-next`",
                    more.twice_mape_percent,
                    plan.board,
                    device.training.display(),
                    plan.seed + 1,
                    plan.time_s,
                    self.plan.display(),
                ));
            } else {
                printer.say(format!("{curve}: measuring more does not pay"));
            }
        }
        printer.say(format!("predict with --models {}", report.models.display()));
        Ok(())
    }
}

const HEADER: [&str; 8] =
    ["device", "kind", "target", "n", "mape_percent", "within_10_percent", "interval_90_coverage_percent", "spearman"];

/// A line for each kind of layer and target, and one for whole networks from their graphs.
fn rows(device: &LearnedDevice, decimals: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for row in &device.judgement.rows {
        // Sums over measured layers are not what a user gets from a graph.
        let kind = if row.kind == "network" { "sum of layers" } else { row.kind };
        rows.push(vec![
            device.device.clone(),
            kind.to_owned(),
            row.target.name().to_owned(),
            row.metrics.n.to_string(),
            figure(row.metrics.mape_percent, decimals),
            figure(row.metrics.within_10_percent, decimals),
            figure(row.interval_90_coverage_percent, decimals),
            figure(None, decimals),
        ]);
    }
    if let Some(metrics) = device.judgement.network_metrics {
        let (inside, bounded) = device.judgement.within_bounds;
        let coverage = (bounded > 0).then(|| 100.0 * inside as f64 / bounded as f64);
        rows.push(vec![
            device.device.clone(),
            "network".to_owned(),
            "runtime".to_owned(),
            metrics.n.to_string(),
            figure(metrics.mape_percent, decimals),
            figure(metrics.within_10_percent, decimals),
            figure(coverage, decimals),
            figure(device.judgement.spearman, decimals.max(2)),
        ]);
    }
    rows
}

fn show(report: &Report, format: Format, printer: &Printer) -> Result<(), Failure> {
    let all = |decimals: usize| report.devices.iter().flat_map(|device| rows(device, decimals)).collect::<Vec<_>>();
    write(
        printer,
        format,
        report,
        || Csv::text(HEADER, all(6)),
        || {
            let titles = ["device", "kind", "target", "n", "MAPE %", "±10 % %", "in interval %", "rank"];
            render(&titles, all(1), 3)
        },
    )
}
