//! An engine in the power modes of a board: one mode in figures and clocks, all of them as a chart and as tables.

use super::engine::warning_box;
use super::layout::{figure, number, query, sentence};
use super::modes_form::Pickers;
use boards::modes::KnownMode;
use learn::predict::Bounds;
use learn::what_if::{Choice, Origin, Outlook};
use maud::{Markup, html};
use report::choice_chart;
use shared::failure::{Failure, printable};
use shared::figures::{UNKNOWN, known, percent};

/// An engine in every mode and batch.
#[derive(Debug)]
pub(super) struct ExploredModes {
    /// What it would cost.
    pub(super) outlooks: Vec<Outlook>,
    /// The choice among them.
    pub(super) choice: Choice,
    /// What to know of them.
    pub(super) caveats: Vec<String>,
    /// The one that was picked, else the chosen one; none where nothing was picked or chosen.
    pub(super) shown: Option<usize>,
    /// The device whose models answer for the mode shown, where its layers can be looked at.
    pub(super) shown_device: Option<String>,
}

/// The content of the page.
#[derive(Debug)]
pub(super) struct ModesView<'a> {
    /// The name of the uploaded file.
    pub(super) name: &'a str,
    /// The pickers.
    pub(super) pickers: Pickers<'a>,
    /// The outlooks, or why there are none: the clocks of the board's devices are not known.
    pub(super) explored: Result<&'a ExploredModes, &'a Failure>,
}

impl ModesView<'_> {
    /// The page.
    pub(super) fn render(&self) -> Markup {
        let Pickers { id, query: picked, modes, .. } = &self.pickers;
        html! {
            div.head {
                div {
                    p.small { a href=(format!("/engines/{id}?{}", query(&[("device", &picked.device)]))) { "Layers" } }
                    h1 { (printable(self.name)) }
                    p.muted { "In the power modes of a board: time, power and energy of one inference, predicted" }
                }
                div.row.actions { button type="button" data-copy=(picked.link(id, &picked.mode)) hidden { "Copy link" } }
            }
            (self.pickers.render())
            section #modes data-live aria-label="Prediction" {
                @match self.explored {
                    Ok(explored) => (self.results(explored)),
                    Err(failure) => (self.unknown(failure)),
                }
                @if !modes.is_empty() { (clock_table(modes)) }
            }
        }
    }

    fn unknown(&self, failure: &Failure) -> Markup {
        html! {
            div.note-box.warn role="status" {
                p { (sentence(&printable(&failure.message))) " "
                    @if self.pickers.own_modes.is_empty() {
                        "Nothing can be said of other power modes. Record the clocks in devices.json beside the training tables, and fit again."
                    } @else {
                        "Other power modes are predicted from the one in which it was measured: choose that one above, if you know it."
                    }
                }
            }
        }
    }

    fn results(&self, explored: &ExploredModes) -> Markup {
        let ExploredModes { outlooks, choice, .. } = explored;
        let candidates: Vec<(&str, &Outlook)> = outlooks.iter().map(|outlook| ("", outlook)).collect();
        html! {
            @if let Some(shown) = explored.shown.and_then(|place| outlooks.get(place)) { (self.shown(shown, explored)) }
            @match choice.chosen.and_then(|place| outlooks.get(place)) {
                Some(chosen) => div.note-box.done {
                    p { "Chosen for " (choice.goal.name()) ": " strong { (printable(&chosen.setting_name())) } "."
                        @if let Some(assurance) = choice.assurance(chosen) { " " (sentence(&assurance)) } }
                },
                None => {
                    @if let Some(refusal) = choice.refusal() {
                        div.note-box.warn role="status" {
                            p { (sentence(&refusal.message)) @if let Some(help) = &refusal.help { " " (sentence(help)) } }
                        }
                    }
                },
            }
            (warning_box(&explored.caveats))
            div.card { (choice_chart("choice", &candidates, choice)) }
            (self.table(outlooks, choice))
        }
    }

    /// One mode: what the engine costs there, and the mode's clocks.
    fn shown(&self, shown: &Outlook, explored: &ExploredModes) -> Markup {
        let mode = self.pickers.modes.iter().find(|mode| Some(&mode.name) == shown.mode.as_ref());
        let id = self.pickers.id;
        html! {
            div.row.spread {
                h2 { (printable(&shown.board)) ", " (printable(&shown.setting_name())) " " (origin(shown.origin)) }
                @if let Some(device) = &explored.shown_device {
                    a.button href=(format!("/engines/{id}?{}", query(&[("device", device)]))) { "Layers in this mode" }
                }
            }
            dl.tiles {
                (tile("Run time", shown.runtime_ms.map(|t| t.0), "ms", &time_note(shown)))
                (tile("Energy of one inference", shown.energy_mj.map(|e| e.0), "mJ", ""))
                (tile("Average power", shown.power_w.map(|p| p.0), "W", ""))
                (tile("Images per second", shown.throughput, "", "back to back"))
            }
            div.card { (clocks(shown, mode)) }
        }
    }

    fn table(&self, outlooks: &[Outlook], choice: &Choice) -> Markup {
        let limited = choice.limit.is_some();
        html! {
            div.card {
                h2 { "Every mode and batch" }
                div.sheet tabindex="0" role="region" aria-label="Every mode and batch, a table" {
                    table #candidates {
                        thead { tr {
                            th scope="col" { "Mode" }
                            th.n scope="col" { "Batch" }
                            th.n scope="col" { "Run time ms" }
                            th.n.wide scope="col" { "Interval" }
                            th.n.wide scope="col" { "Images/s" }
                            th.n scope="col" { "Energy mJ" }
                            th.n scope="col" { "Power W" }
                            @if limited { th.n scope="col" { "Within limit" } }
                            th.wide scope="col" { "Time from" }
                            th scope="col" { span.sr { "Choice" } }
                        } }
                        tbody { @for (place, outlook) in outlooks.iter().enumerate() {
                            tr.current[choice.chosen == Some(place)] {
                                th scope="row" {
                                    @match &outlook.mode {
                                        Some(mode) => a href=(self.pickers.query.link(self.pickers.id, mode)) { (printable(mode)) },
                                        None => (outlook.mode_name()),
                                    }
                                }
                                td.n { (known(outlook.batch, |batch| batch.to_string())) }
                                td.n { @if outlook.missing_layers > 0 { "≥ " } (known(outlook.runtime_ms, |t| figure(t.0))) }
                                td.n.wide.muted { (interval(outlook.runtime_bounds)) }
                                td.n.wide { (known(outlook.throughput, figure)) }
                                td.n { (known(outlook.energy_mj, |e| figure(e.0))) }
                                td.n { (number(outlook.power_w.map(|p| p.0), 2)) }
                                @if limited { td.n { (percent(choice.probability(outlook).map(|p| 100.0 * p), 0)) } }
                                td.wide { (outlook.origin.name()) }
                                td { (mark(choice.mark(place))) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn mark(mark: &'static str) -> Markup {
    html! { @match mark {
        "" => {},
        "chosen" => span.badge.on { (mark) },
        other => span.badge { (other) },
    } }
}

fn origin(origin: Origin) -> Markup {
    html! { @match origin {
        Origin::Model => span.badge.on { "from models of this mode" },
        Origin::Interpolated => span.badge { "interpolated between modes" },
        Origin::Extrapolated => span.badge.warn { "extrapolated" },
    } }
}

fn tile(name: &str, value: Option<f64>, unit: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value { @match value {
                Some(value) => { (figure(value)) span.unit { (unit) } },
                None => { "not known" },
            } }
            dd.note { (note) }
        }
    }
}

fn time_note(outlook: &Outlook) -> String {
    match (outlook.runtime_bounds, outlook.missing_layers) {
        (_, missing) if missing > 0 => format!("at least: {missing} layers are not predicted"),
        (Some(b), _) => format!("{:.0} %: {} to {} ms", 100.0 * b.level, figure(b.lower), figure(b.upper)),
        (None, _) => "no interval: the models come without one".to_owned(),
    }
}

fn interval(bounds: Option<Bounds>) -> String {
    known(bounds, |b| format!("{} to {}", figure(b.lower), figure(b.upper)))
}

/// A clock in MHz.
fn mhz(clock: Option<f64>) -> String {
    known(clock, |clock| format!("{} MHz", number(Some(clock), 1)))
}

/// The clocks of a setting; those of CPU and accelerators are the mode's.
fn clocks(shown: &Outlook, mode: Option<&KnownMode>) -> Markup {
    let share = mode.and_then(|mode| mode.gpu_share);
    html! {
        h2 { "Clocks" }
        dl.facts {
            dt { "GPU" }
            dd { (mhz(Some(shown.gpu_mhz))) @if let Some(share) = share { ", " (percent(Some(100.0 * share), 0)) " of its clusters on" } }
            dt { "Memory (EMC)" } dd { (mhz(Some(shown.emc_mhz))) }
            dt { "CPU" } dd { (mhz(mode.and_then(|mode| mode.clocks.cpu_mhz))) }
            dt { "DLA" } dd { (mhz(mode.and_then(|mode| mode.clocks.dla_mhz))) }
            @if let Some(mode) = mode { dt { "Source" } dd { (printable(&mode.source)) } }
        }
    }
}

/// The modes of a board with the clocks that they cap.
fn clock_table(modes: &[KnownMode]) -> Markup {
    html! {
        div.card {
            h2 { "Power modes of this board" }
            div.sheet tabindex="0" role="region" aria-label="Power modes of this board, a table" {
                table #clocks {
                    thead { tr {
                        th scope="col" { "Mode" }
                        th.n scope="col" { "W" }
                        th.n scope="col" { "GPU MHz" }
                        th.n scope="col" { "EMC MHz" }
                        th.n scope="col" { "CPU MHz" }
                        th.n scope="col" { "DLA MHz" }
                        th.n.wide scope="col" { "GPU on" }
                        th.wide scope="col" { "Source" }
                    } }
                    tbody { @for mode in modes { tr {
                        th scope="row" { (printable(&mode.name)) }
                        td.n { (number(mode.watts, 1)) }
                        td.n { (number(mode.clocks.gpu_mhz, 1)) }
                        td.n { (number(mode.clocks.emc_mhz, 1)) }
                        td.n { (number(mode.clocks.cpu_mhz, 1)) }
                        td.n { (number(mode.clocks.dla_mhz, 1)) }
                        td.n.wide { (percent(mode.gpu_share.map(|share| 100.0 * share), 0)) }
                        td.wide.wrap.small { (printable(&mode.source)) }
                    } } }
                }
            }
            p.small.muted { (UNKNOWN) " stands for what the source does not give." }
        }
    }
}
