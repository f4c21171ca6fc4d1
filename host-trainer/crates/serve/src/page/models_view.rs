//! The view of all models: what is deployed on each device, and what waits for a promotion.

use super::layout::{number, sentence, short};
use estimators::metrics::Metrics;
use learn::model::Card;
use maud::{Markup, html};
use registry::{Alias, Listed, Status};
use shared::failure::printable;
use shared::figures;
use std::collections::BTreeMap;

/// A device on the overview.
#[derive(Debug)]
pub(super) struct DeviceView<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// SHA-256 of the models that answer.
    pub(super) digest: &'a str,
    /// The networks of the training data.
    pub(super) networks: &'a [String],
    /// Why the newest models were refused.
    pub(super) refused: Option<&'a str>,
    /// The cards of the models.
    pub(super) cards: Vec<&'a Card>,
}

/// The registered models by alias. `None` where models come from a folder.
pub(super) type RegisteredByAlias = Option<BTreeMap<String, Vec<Listed>>>;

/// The link to an alias.
fn path(device: &str, kind: &str, target: &str) -> String {
    let part =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    format!("/models/{}/{kind}/{target}", part(device))
}

/// The link to an alias.
pub(super) fn link(alias: &Alias) -> String {
    path(alias.device(), alias.table().name(), alias.target().name())
}

/// The page of all models.
pub(super) fn overview(devices: &[DeviceView<'_>], registered: &RegisteredByAlias) -> Markup {
    html! {
        div.head { div {
            h1 { "Models" }
            p.muted { "What answers requests now. A promotion, from here or from the command line, takes effect within seconds." }
        } }
        @if registered.is_none() {
            div.note-box { p { "These models come from a folder. To promote and roll back here, register them in a store and start the server with " code { "--store" } "." } }
        }
        section #models data-live aria-label="Deployed models" {
            @if devices.is_empty() && registered.as_ref().is_none_or(BTreeMap::is_empty) {
                div.card { p { "No models yet. Train some with " code { "host-trainer fit" } ", register them with " code { "host-trainer models register" } ", and promote them here." } }
            }
            @for device in devices { (overview_of(device, registered)) }
            @for (name, aliases) in waiting(devices, registered) {
                section.card {
                    h2 { (printable(name)) " " span.badge.warn { "nothing deployed" } }
                    p { "Registered, and waiting for a promotion:" }
                    ul { @for alias in aliases { li { a href=(link(alias)) { (alias.table().name()) " " (alias.target().name()) } } } }
                }
            }
        }
    }
}

/// Devices with candidates and nothing deployed.
fn waiting<'a>(devices: &[DeviceView<'_>], registered: &'a RegisteredByAlias) -> BTreeMap<&'a str, Vec<&'a Alias>> {
    let mut waiting: BTreeMap<&str, Vec<&Alias>> = BTreeMap::new();
    for listed in registered.iter().flatten().filter_map(|(_, listed)| listed.first()) {
        let alias = &listed.version.record.alias;
        if devices.iter().all(|device| device.name != alias.device()) {
            waiting.entry(alias.device()).or_default().push(alias);
        }
    }
    waiting
}

fn overview_of(device: &DeviceView<'_>, registered: &RegisteredByAlias) -> Markup {
    let mut cards = device.cards.clone();
    cards.sort_by_key(|card| (card.layer_kind, card.target.name()));
    let known = |card: &Card| {
        let alias = format!("{}/{}/{}", device.name, card.layer_kind.name(), card.target.name());
        registered.as_ref().and_then(|all| all.get(&alias))
    };
    let undeployed: Vec<&Alias> = registered
        .iter()
        .flat_map(|all| all.values())
        .filter_map(|listed| listed.first())
        .map(|listed| &listed.version.record.alias)
        .filter(|alias| alias.device() == device.name)
        .filter(|alias| !cards.iter().any(|c| c.layer_kind == alias.table() && c.target == alias.target()))
        .collect();
    html! {
        section.card {
            div.row.spread {
                h2 { (printable(device.name)) }
                span.muted.small title=(device.digest) { "set " code { (short(device.digest)) } }
            }
            @if let Some(reason) = device.refused {
                (refused(reason))
            }
            div.sheet tabindex="0" role="region" aria-label=(format!("Models of {} (scrolls)", device.name)) {
                table {
                    thead { tr {
                        th scope="col" { "Layers" } th scope="col" { "Target" } th scope="col" { "Model" }
                        th.n scope="col" { "Held-out MAPE %" } th.n.wide scope="col" { "Training MAPE %" } th.n.wide scope="col" { "Rows" }
                        @if registered.is_some() { th.n scope="col" { "Version" } th.n scope="col" { "Candidates" } }
                        th.wide scope="col" { "Graph" }
                    } }
                    tbody {
                        @for card in &cards {
                            ({
                                let listed = known(card);
                                let deployed = listed.and_then(|l| l.iter().find(|l| l.status == Status::Deployed));
                                let open = listed.map_or(0, |l| l.iter().filter(|l| l.status == Status::Candidate).count());
                                html! { tr {
                                    th scope="row" { a href=(path(device.name, card.layer_kind.name(), card.target.name())) { (card.layer_kind.name()) } }
                                    td { (card.target.name()) }
                                    td { (printable(&card.model_kind)) }
                                    td.n { (mape(card.scores.cross_validation.as_ref())) }
                                    td.n.wide { (mape(Some(&card.scores.training))) }
                                    td.n.wide { (card.training_rows) }
                                    @if registered.is_some() {
                                        td.n { (figures::known(deployed, |d| d.version.version.to_string())) }
                                        td.n { @if open > 0 { span.badge.on { (open) } } @else { "0" } }
                                    }
                                    td.wide.mono.small title=(card.onnx_sha256) { (short(&card.onnx_sha256)) }
                                } }
                            })
                        }
                        @for alias in undeployed {
                            tr { th scope="row" { a href=(link(alias)) { (alias.table().name()) } } td { (alias.target().name()) } td colspan="7" { span.badge.warn { "nothing deployed" } } }
                        }
                    }
                }
            }
            p.muted.small { "Learned from " (device.networks.len()) @if device.networks.len() == 1 { " network: " } @else { " networks: " } (printable(&device.networks.iter().take(12).cloned().collect::<Vec<_>>().join(", "))) @if device.networks.len() > 12 { ", …" } "." }
        }
    }
}

/// The notice that the newest models were refused.
pub(super) fn refused(reason: &str) -> Markup {
    html! {
        div.note-box.error {
            p { strong { "The newest models were refused; those that answered before go on answering." } }
            p.wrap { (sentence(&printable(reason))) }
        }
    }
}

/// The MAPE of metrics, in percent.
pub(super) fn mape(metrics: Option<&Metrics>) -> String {
    number(metrics.and_then(|m| m.mape_percent), 1)
}
