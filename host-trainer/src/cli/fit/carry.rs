//! `host-trainer fit --from`: models of one device carried over to another.

use crate::cli::models::{Registration, register_fitted};
use crate::output::{Csv, Format, figure, render, write};
use learn::model::{check_device_name, replace_device, set_default_device};
use learn::training;
use learn::transfer::{Carried, Request, carry};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::Path;

#[derive(Serialize)]
struct Row<'a> {
    network: &'a str,
    source_ms: f64,
    measured_ms: f64,
    left_out_error_percent: Option<f64>,
}

/// What was asked for.
pub(super) struct CarryArgs<'a> {
    /// Folder of training data of the new device, if there is one.
    pub(super) data: Option<&'a Path>,
    /// Folder of models that holds the source.
    pub(super) models: &'a Path,
    /// Where the new device's models go.
    pub(super) out: &'a Path,
    /// The source.
    pub(super) from: &'a str,
    /// The new device.
    pub(super) device: &'a str,
    /// Probability of intervals.
    pub(super) level: f64,
    /// Whether to register the models.
    pub(super) registration: &'a Registration,
    /// Format of the answer.
    pub(super) format: Format,
}

/// Carries models over, writes them, and shows each network with the error that it has where it is left out.
pub(super) fn run(args: &CarryArgs<'_>, printer: &Printer) -> Result<(), Failure> {
    let CarryArgs { from, device, out, .. } = *args;
    check_device_name(device)?;
    let revision = match args.data {
        Some(folder) => args.registration.revision_of(folder, printer)?,
        None => None,
    };
    let data = args.data.map(training::read).transpose()?;
    data.iter().flat_map(|data| &data.notes).for_each(|note| printer.warn(note));
    let carried = carry(&Request { models: args.models, from, to: device, data: data.as_ref(), level: args.level })?;
    replace_device(out, &carried.device, &carried.artefacts)?;
    set_default_device(out, device)?;
    printer.say(format!("{} models for {device} in {}", carried.artefacts.len(), out.join(device).display()));
    carried.device.notes.iter().for_each(|note| printer.warn(note));
    show(&carried, args.format, printer)?;
    register_fitted(args.registration, revision, out, &[device], printer)
}

fn show(carried: &Carried, format: Format, printer: &Printer) -> Result<(), Failure> {
    let rows: Vec<Row<'_>> = carried
        .pairs
        .iter()
        .map(|pair| Row {
            network: &pair.network,
            source_ms: pair.source.total().0,
            measured_ms: pair.measured.0,
            left_out_error_percent: carried
                .left_out
                .iter()
                .find(|(network, _)| *network == pair.network)
                .map(|(_, log_ratio)| 100.0 * ((-log_ratio).exp() - 1.0)),
        })
        .collect();
    let header = ["network", "source_ms", "measured_ms", "left_out_error_percent"];
    let cells = |row: &Row<'_>, decimals: usize| {
        vec![
            row.network.to_owned(),
            figure(Some(row.source_ms), decimals),
            figure(Some(row.measured_ms), decimals),
            row.left_out_error_percent.map_or_else(String::new, |error| format!("{error:.1}")),
        ]
    };
    write(
        printer,
        format,
        &rows,
        || Csv::text(header, rows.iter().map(|row| cells(row, 6))),
        || {
            let titles = ["network", "source ms", "measured ms", "error % if left out"];
            render(&titles, rows.iter().map(|row| cells(row, 3)).collect(), 1)
        },
    )
}
