//! What is deployed on each device, what could be, and who decided what when.

use super::layout::{number, query, sentence, short};
use estimators::metrics::Metrics;
use learn::model::Card;
use maud::{Markup, html};
use registry::{Action, Alias, Comparison, Listed, Promotion, Status, Trail, Verdict, Version};
use shared::failure::printable;
use std::collections::BTreeMap;
use store::Entry;

/// History shown at once; the command shows all of it.
const HISTORY: usize = 100;

/// A device on the overview.
#[derive(Debug)]
pub(super) struct DeviceView<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// SHA-256 of the set that answers.
    pub(super) digest: &'a str,
    /// The networks behind it.
    pub(super) networks: &'a [String],
    /// Why the newest models do not answer.
    pub(super) refused: Option<&'a str>,
    /// The cards of the set.
    pub(super) cards: Vec<&'a Card>,
}

/// What the registry knows beside that, by alias; none where models come from a folder.
pub(super) type Registered = Option<BTreeMap<String, Vec<Listed>>>;

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

/// The overview.
pub(super) fn overview(devices: &[DeviceView<'_>], registered: &Registered) -> Markup {
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

/// Devices that have candidates and nothing deployed.
fn waiting<'a>(devices: &[DeviceView<'_>], registered: &'a Registered) -> BTreeMap<&'a str, Vec<&'a Alias>> {
    let mut waiting: BTreeMap<&str, Vec<&Alias>> = BTreeMap::new();
    for listed in registered.iter().flatten().filter_map(|(_, listed)| listed.first()) {
        let alias = &listed.version.record.alias;
        if devices.iter().all(|device| device.name != alias.device()) {
            waiting.entry(alias.device()).or_default().push(alias);
        }
    }
    waiting
}

fn overview_of(device: &DeviceView<'_>, registered: &Registered) -> Markup {
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
                                        td.n { (deployed.map_or_else(|| "–".to_owned(), |d| d.version.version.to_string())) }
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

fn refused(reason: &str) -> Markup {
    html! {
        div.note-box.error {
            p { strong { "The newest models were refused; those that answered before go on answering." } }
            p.wrap { (sentence(&printable(reason))) }
        }
    }
}

fn mape(metrics: Option<&Metrics>) -> String {
    number(metrics.and_then(|m| m.mape_percent), 1)
}

/// The held-out figures of a registered model, where it has some.
fn held_out(version: &Version) -> Option<&Metrics> {
    version.record.metrics.iter().find(|(set, _)| set.starts_with("cross-validation")).map(|(_, metrics)| metrics)
}

/// Everything about one alias.
#[derive(Debug)]
pub(super) struct AliasView<'a> {
    /// What can be deployed.
    pub(super) alias: &'a Alias,
    /// The card of what is deployed.
    pub(super) card: Option<&'a Card>,
    /// Every registered model; none where models come from a folder.
    pub(super) listed: Option<&'a [Listed]>,
    /// The audit trail.
    pub(super) trail: Option<&'a Trail>,
    /// What just happened.
    pub(super) said: Option<&'a str>,
    /// Why the newest models do not answer.
    pub(super) refused: Option<&'a str>,
}

/// One alias: what is deployed, the candidates, the card, the history.
pub(super) fn alias(view: &AliasView<'_>) -> Markup {
    let alias = view.alias;
    let can_go_back = view.trail.is_some_and(|trail| trail.previous().is_some());
    html! {
        div.head {
            div {
                p.small { a href="/models" { "Models" } " / " (printable(alias.device())) }
                h1 { (alias.table().name()) " " (alias.target().name()) }
            }
            @if can_go_back { div.row.actions { a.button.danger href=(link(alias) + "/rollback") { "Roll back…" } } }
        }
        @if let Some(said) = view.said { div.note-box.done role="status" { p { (sentence(&printable(said))) } } }
        section #alias data-live aria-label="Registered models" {
            @if let Some(reason) = view.refused { (refused(reason)) }
            @if let Some(listed) = view.listed { (candidates(alias, listed)) }
            @if let Some(card) = view.card { (self::card(card)) }
            @else { div.card { p { "Nothing is deployed here yet" @if view.listed.is_some_and(|l| !l.is_empty()) { "; promote one of the models above" } "." } } }
            @if let Some(trail) = view.trail { (history(trail)) }
        }
    }
}

fn candidates(alias: &Alias, listed: &[Listed]) -> Markup {
    html! {
        section.card {
            h2 { "Registered models" }
            div.sheet tabindex="0" role="region" aria-label="Registered models (scrolls)" {
                table {
                    thead { tr {
                        th.n scope="col" { "Version" } th scope="col" { "State" } th scope="col" { "Kind" }
                        th.n scope="col" { "Held-out MAPE %" } th.n scope="col" { "within ±10 % %" } th.n.wide scope="col" { "R²" }
                        th.wide scope="col" { "Registered" } th scope="col" { "Name" } th scope="col" { span.sr { "Promote" } }
                    } }
                    tbody { @for Listed { version, status } in listed.iter().rev() {
                        ({
                            let (record, metrics) = (&version.record, held_out(version));
                            let name = record.model.to_string();
                            html! {
                                tr.current[*status == Status::Deployed] {
                                    td.n { (version.version) }
                                    td { (badge(*status)) }
                                    td { (printable(&record.model_kind)) }
                                    td.n { (mape(metrics)) }
                                    td.n { (number(metrics.and_then(|m| m.within_10_percent), 1)) }
                                    td.n.wide { (number(metrics.and_then(|m| m.r2), 3)) }
                                    td.wide.small { (printable(&record.registered.when)) br; span.muted { (printable(&record.registered.who)) } }
                                    td.mono.small title=(name) { (short(&name)) }
                                    td.n { @if *status != Status::Deployed { a.button href=(format!("{}/promote?{}", link(alias), query(&[("model", &name)]))) { "Promote…" } } }
                                }
                            }
                        })
                    } }
                }
            }
        }
    }
}

fn badge(status: Status) -> Markup {
    html! {
        @match status {
            Status::Deployed => span.badge.on { (status.name()) },
            Status::Declined => span.badge.bad { (status.name()) },
            Status::Former | Status::Candidate => span.badge { (status.name()) },
        }
    }
}

/// A model's card.
fn card(card: &Card) -> Markup {
    let networks = |names: &[String]| if names.is_empty() { "none".to_owned() } else { printable(&names.join(", ")) };
    let sets = [
        (
            format!("held out{}", card.scores.folds.as_deref().map_or_else(String::new, |f| format!(", {f}"))),
            card.scores.cross_validation.as_ref(),
        ),
        ("test networks".to_owned(), card.scores.test.as_ref()),
        ("training".to_owned(), Some(&card.scores.training)),
    ];
    let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_default();
    html! {
        section.card {
            h2 { "Card of the deployed model" }
            div.cols.two {
                dl.facts {
                    dt { "Model kind" } dd { (printable(&card.model_kind)) }
                    dt { "Predicts" } dd { (card.target.name()) ", " (printable(&card.unit)) }
                    dt { "Fitted by" } dd { (printable(&card.program.name)) " " (printable(&card.program.version)) }
                    dt { "Rows" } dd { (card.training_rows) }
                    dt { "Trained on" } dd { (networks(&card.training_networks)) }
                    dt { "Kept back" } dd { (networks(&card.test_networks)) }
                    dt { "Interval" } dd {
                        @match card.interval {
                            Some(i) => { (format!("{:.0} % of measurements lie between {:.2} and {:.2} times the prediction", 100.0 * i.level, i.lower_ratio, i.upper_ratio)) },
                            None => { "none: the training data are too thin for one" },
                        }
                    }
                    dt { "Data" } dd.mono.small { (printable(&card.data_sha256)) }
                    dt { "Graph" } dd.mono.small { (printable(&card.onnx_sha256)) }
                }
                div.sheet tabindex="0" role="region" aria-label="Figures (scrolls)" {
                    table {
                        thead { tr { th scope="col" { "On" } th.n scope="col" { "n" } th.n scope="col" { "MAPE %" } th.n scope="col" { "RMSPE %" } th.n scope="col" { "±10 % %" } th.n scope="col" { "R²" } } }
                        tbody { @for (name, metrics) in &sets { @if let Some(m) = metrics {
                            tr { th scope="row" { (printable(name)) } td.n { (m.n) } td.n { (number(m.mape_percent, 1)) } td.n { (number(m.rmspe_percent, 1)) } td.n { (number(m.within_10_percent, 1)) } td.n { (number(m.r2, 3)) } }
                        } } }
                    }
                }
            }
            @if !card.notes.is_empty() { h3 { "Notes" } ul { @for note in &card.notes { li.wrap { (printable(note)) } } } }
            details #features {
                summary { (card.features.len()) " features and the range that training saw of them" }
                div.sheet tabindex="0" role="region" aria-label="Features (scrolls)" {
                    table {
                        thead { tr { th scope="col" { "Feature" } th scope="col" { "Unit" } th.n scope="col" { "Least" } th.n scope="col" { "Most" } } }
                        tbody { @for f in card.features.iter().chain(&card.derived_ranges) {
                            tr { th scope="row" { (printable(&f.name)) } td { (printable(&f.unit)) } td.n { (charts::number(f.min)) } td.n { (charts::number(f.max)) } }
                        } }
                    }
                }
            }
            details #configuration { summary { "Configuration and fit" } pre { (printable(&pretty(&card.configuration))) } pre { (printable(&pretty(&card.fit))) } }
        }
    }
}

fn history(trail: &Trail) -> Markup {
    let entries = trail.entries();
    html! {
        section.card {
            h2 { "History" }
            @if entries.is_empty() { p.muted { "Nothing was ever promoted here." } } @else {
                div.sheet tabindex="0" role="region" aria-label="History (scrolls)" {
                    table #history {
                        thead { tr { th.n scope="col" { "#" } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Why" } } }
                        tbody { @for entry in entries.iter().rev().take(HISTORY) { (history_row(entry)) } }
                    }
                }
                @if entries.len() > HISTORY { p.muted { "The last " (HISTORY) " of " (entries.len()) "; " code { "host-trainer models history" } " shows all." } }
            }
        }
    }
}

fn history_row(Entry { number, value: p }: &Entry<Promotion>) -> Markup {
    let name = |digest: &store::Digest| registry::short(*digest);
    html! {
        tr {
            td.n { (number) }
            td.nowrap { (printable(&p.stamp.when)) }
            td { (printable(&p.stamp.who)) }
            td {
                @match p.action { Action::Promote => span.badge.on { "promote" }, Action::Rollback => span.badge.warn { "roll back" } }
                @if p.forced { " " span.badge.bad { "forced" } }
            }
            td.mono.small { @match &p.from { Some(from) => { (name(from)) }, None => "–" } }
            td.mono.small { (name(&p.to)) " · " (p.version) }
            td.wrap {
                (printable(p.reason.as_deref().unwrap_or_default()))
                @if let Some(c) = &p.comparison { div.muted.small { (figures(c)) } }
            }
        }
    }
}

/// The figures that decided.
fn figures(c: &Comparison) -> String {
    let candidate = number(c.candidate.value, 3);
    match &c.deployed {
        Some(deployed) => format!("{} on {}: {candidate} against {}", c.metric.name(), c.on, number(deployed.value, 3)),
        None => format!("{} on {}: {candidate}; nothing was deployed", c.metric.name(), c.on),
    }
}

/// What the question before a promotion tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The model that would be promoted.
    pub(super) candidate: &'a Version,
    /// The one deployed.
    pub(super) deployed: Option<&'a Version>,
    /// The figures that decide, or why there are none.
    pub(super) compared: &'a Result<Comparison, String>,
    /// Whether a rollback took the candidate back.
    pub(super) taken_back: bool,
    /// Why it was not promoted a moment ago.
    pub(super) declined: Option<&'a str>,
    /// The reason given then.
    pub(super) reason: &'a str,
}

/// The question before a promotion.
pub(super) fn promote(question: &Question<'_>) -> Markup {
    let Question { candidate, deployed, compared: comparison, taken_back, declined, reason } = *question;
    let record = &candidate.record;
    let verdict = comparison.as_ref().map(Comparison::verdict);
    let better = matches!(verdict, Ok(Verdict::Better)) && !taken_back;
    html! {
        p.small { a href="/models" { "Models" } " / " (printable(record.alias.device())) " / " a href=(link(&record.alias)) { (record.alias.table().name()) " " (record.alias.target().name()) } }
        h1 { "Promote version " (candidate.version) "?" }
        p.muted { "It answers within seconds; requests in flight finish on the old model." }
        @if let Some(declined) = declined { div.note-box.error role="alert" { p { strong { "Not promoted: " (sentence(&printable(declined))) } } p { "Promote against the figures, with a reason, if you know better." } } }
        div.card {
            h2 { "Side by side" }
            (side_by_side(candidate, deployed))
            @if taken_back { div.note-box.warn { p { "A rollback took this model back: only a promotion by force brings it back." } } }
            @match &verdict {
                Ok(Verdict::Better) => div.note-box.done { p { @if deployed.is_some() { "It is better than the deployed model on the figure that decides." } @else { "Nothing is deployed here yet." } } },
                Ok(Verdict::NotBetter(why) | Verdict::Incomparable(why)) => div.note-box.warn { p { (sentence(&printable(why))) } },
                Err(why) => div.note-box.error { p { (sentence(&printable(why))) } },
            }
        }
        form.card method="post" action=(link(&record.alias) + "/promote") {
            input type="hidden" name="model" value=(record.model);
            div.field {
                label for="reason" { "Why" }
                input #reason type="text" name="reason" required maxlength="500" value=(printable(reason)) autocomplete="off";
                span.hint { "It stands in the history with your name." }
            }
            @if !better {
                div.field { label { input type="checkbox" name="force" value="yes"; " Promote against the figures" } }
            }
            div.row { button.primary type="submit" data-busy="Promoting…" { "Promote" } a.button href=(link(&record.alias)) { "Cancel" } }
        }
    }
}

fn side_by_side(candidate: &Version, deployed: Option<&Version>) -> Markup {
    let mut sets: Vec<&String> = candidate.record.metrics.keys().collect();
    sets.extend(deployed.iter().flat_map(|d| d.record.metrics.keys()));
    sets.sort();
    sets.dedup();
    let of = |version: Option<&Version>, set: &str| version.and_then(|v| v.record.metrics.get(set)).copied();
    html! {
        div.sheet tabindex="0" role="region" aria-label="Figures side by side (scrolls)" {
            table {
                thead { tr {
                    th scope="col" { "On" } th scope="col" { "Figure" }
                    th.n scope="col" { "Deployed" @if let Some(d) = deployed { ", version " (d.version) } }
                    th.n scope="col" { "Candidate, version " (candidate.version) }
                } }
                tbody { @for set in sets {
                    @for (name, pick) in FIGURES {
                        tr {
                            th scope="row" { (printable(set)) } td { (name) }
                            td.n { (number(of(deployed, set).as_ref().and_then(pick), 3)) }
                            td.n { (number(of(Some(candidate), set).as_ref().and_then(pick), 3)) }
                        }
                    }
                } }
            }
        }
        dl.facts {
            dt { "Model kind" } dd { (printable(deployed.map_or("–", |d| &d.record.model_kind))) " → " (printable(&candidate.record.model_kind)) }
            dt { "Data" } dd.mono.small { (short(deployed.map_or("–", |d| &d.record.data_sha256))) " → " (short(&candidate.record.data_sha256)) }
            dt { "Registered" } dd { (printable(&candidate.record.registered.when)) " by " (printable(&candidate.record.registered.who)) }
        }
    }
}

/// A figure with its name.
type Figure = (&'static str, fn(&Metrics) -> Option<f64>);

const FIGURES: [Figure; 3] =
    [("MAPE %", |m| m.mape_percent), ("within ±10 % %", |m| m.within_10_percent), ("R²", |m| m.r2)];

/// The question before a rollback.
pub(super) fn rollback(alias: &Alias, trail: &Trail) -> Markup {
    let name = |p: &Promotion| format!("version {} · {}", p.version, registry::short(p.to));
    html! {
        p.small { a href="/models" { "Models" } " / " (printable(alias.device())) " / " a href=(link(alias)) { (alias.table().name()) " " (alias.target().name()) } }
        h1 { "Roll back?" }
        @match (trail.deployed(), trail.previous()) {
            (Some(now), Some(before)) => {
                div.card {
                    dl.facts {
                        dt { "Deployed" } dd { (name(now)) ", since " (printable(&now.stamp.when)) }
                        dt { "Goes back to" } dd { (name(before)) }
                    }
                    p.muted { "The deployed model counts as declined from then on: only a promotion by force brings it back." }
                }
                form.card method="post" action=(link(alias) + "/rollback") {
                    div.field {
                        label for="reason" { "Why" }
                        input #reason type="text" name="reason" required maxlength="500" autocomplete="off";
                        span.hint { "It stands in the history with your name." }
                    }
                    div.row { button.danger type="submit" data-busy="Rolling back…" { "Roll back" } a.button href=(link(alias)) { "Cancel" } }
                }
            }
            _ => div.card { p { "No model was deployed before the one that is: there is nothing to go back to." } a.button href=(link(alias)) { "Back" } },
        }
    }
}
