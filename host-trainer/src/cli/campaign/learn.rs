//! `host-trainer campaign learn`.

use crate::cli::models::{Registration, register_fitted};
use crate::cli::values::choice;
use crate::output::metrics::{figures, names, numbers, titles};
use crate::output::{Csv, Format, figure, number, render, write};
use campaign::{LearnOptions, LearnedDevice, Report, learn};
use clap::Args;
use estimators::metric_columns::{COUNT, MAPE, MetricColumn, WITHIN_10};
use estimators::metrics::Metrics;
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

const METRICS: [MetricColumn; 3] = [COUNT, MAPE, WITHIN_10];

/// How good models are at one thing.
struct Line<'a> {
    device: &'a str,
    kind: &'a str,
    target: &'static str,
    metrics: Metrics,
    interval_coverage_percent: Option<f64>,
    spearman: Option<f64>,
}

/// A line for each kind of layer and target, and one for whole networks from their graphs.
fn lines(device: &LearnedDevice) -> Vec<Line<'_>> {
    let judgement = &device.judgement;
    let mut lines: Vec<Line<'_>> = judgement
        .rows
        .iter()
        .map(|row| Line {
            device: &device.device,
            // Sums over measured layers are not what a user gets from a graph.
            kind: if row.kind == "network" { "sum of layers" } else { row.kind },
            target: row.target.name(),
            metrics: row.metrics,
            interval_coverage_percent: row.interval_90_coverage_percent,
            spearman: None,
        })
        .collect();
    lines.extend(judgement.network_metrics.map(|metrics| {
        let (inside, bounded) = judgement.within_bounds;
        Line {
            device: &device.device,
            kind: "network",
            target: "runtime",
            metrics,
            interval_coverage_percent: (bounded > 0).then(|| 100.0 * inside as f64 / bounded as f64),
            spearman: judgement.spearman,
        }
    }));
    lines
}

impl Line<'_> {
    /// The columns that say of what the metrics are.
    const OF: [&'static str; 3] = ["device", "kind", "target"];

    fn row(&self, metrics: impl Iterator<Item = String>, others: [String; 2]) -> Vec<String> {
        [self.device, self.kind, self.target].map(str::to_owned).into_iter().chain(metrics).chain(others).collect()
    }
}

fn show(report: &Report, format: Format, printer: &Printer) -> Result<(), Failure> {
    let lines = || report.devices.iter().flat_map(lines);
    let csv = || {
        let header = Line::OF.into_iter().chain(names(&METRICS)).chain(["interval_90_coverage_percent", "spearman"]);
        let others = |line: &Line<'_>| [line.interval_coverage_percent, line.spearman].map(number);
        Csv::text(header, lines().map(|line| line.row(numbers(&METRICS, &line.metrics), others(&line))))
    };
    let human = || {
        let header: Vec<&str> =
            Line::OF.into_iter().chain(titles(&METRICS)).chain(["in 90 % interval", "rank"]).collect();
        let others = |line: &Line<'_>| [figure(line.interval_coverage_percent, 1), figure(line.spearman, 2)];
        let rows = lines().map(|line| line.row(figures(&METRICS, &line.metrics), others(&line)));
        render(&header, rows.collect(), Line::OF.len())
    };
    write(printer, format, report, csv, human)
}
