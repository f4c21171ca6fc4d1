//! The page of a report: its sections, its summary and its caveats.

use super::input::Report;
use super::{accuracy, energy, engines, intervals, models, training};
use charts::page;
use maud::{Markup, html};
use std::collections::BTreeSet;

const STYLE: &str = "\
    .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(23rem,100%),1fr));gap:1.6rem 2rem;margin:1rem 0}\
    td,thead th{white-space:nowrap}tbody th{min-width:9rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
    .lead{font-size:1.05rem}\
    .told{border-left:.3rem solid var(--chart-1);padding:.1rem 0 .1rem .9rem;margin:.8rem 0;max-width:48rem}\
    .told p{margin:.35rem 0}\
    nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.8rem 0;max-width:none}\
    details{margin:.6rem 0}\
    @media print{nav{display:none}.grid{grid-template-columns:1fr 1fr}}";

impl Report<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> String {
        let title = format!("Models for {}", self.device.name);
        let sections: Vec<(&str, &str, Option<Markup>)> = vec![
            ("models", "The models", Some(models::section(self))),
            ("accuracy", "Accuracy on these data", accuracy::section(self)),
            ("residuals", "Where they err", accuracy::residuals(self)),
            ("intervals", "Intervals", intervals::section(self)),
            ("energy", "Energy by layer kind", energy::section(self)),
            ("roofline", "Roofline", energy::roofline(self)),
            ("engines", "Engines, layer by layer", engines::section(self)),
            ("importance", "What features are worth", training::importance(self)),
            ("curve", "Learning curve", training::learning_curve(self)),
            ("loss", "Loss", training::loss(self)),
            ("tuning", "Tuning", training::tuning(self)),
            ("limits", "What these data cannot show", Some(self.limits())),
        ];
        let sections: Vec<_> = sections.into_iter().filter_map(|(id, name, body)| Some((id, name, body?))).collect();
        let content = html! {
            header {
                h1 { (shared::failure::printable(&title)) }
                p class="lead" { (self.lead()) }
                nav aria-label="Sections" { ul { @for (id, name, _) in &sections { li { a href=(format!("#{id}")) { (name) } } } } }
            }
            @for (id, name, body) in &sections {
                section aria-labelledby=(id) { h2 id=(id) { (name) } (body) }
            }
        };
        page::render(&title, STYLE, &content)
    }

    fn lead(&self) -> String {
        let rows: usize = self.data.tables.values().map(Vec::len).sum();
        let (models, networks) = (self.cards.len(), self.data.networks().len());
        format!(
            "{models} models, judged on {} layers of {networks} {}{}. Points differ by shape, areas by hatching; every mark \
             says its name and numbers when pointed at.",
            charts::number(rows as f64),
            if networks == 1 { "network" } else { "networks" },
            match self.data.totals.len() {
                0 => String::new(),
                n => format!(" and {} totals of whole networks", charts::number(n as f64)),
            }
        )
    }

    /// What a reader must not conclude.
    fn limits(&self) -> Markup {
        let mut told: Vec<String> = Vec::new();
        let seen = self.pairs.iter().filter(|pair| pair.seen).count();
        if seen > 0 {
            told.push(format!(
                "{} of {} measurements belong to networks that training saw. Errors on them flatter: an unknown network may be \
                 predicted worse, and only the figures marked as held out say by how much.",
                charts::number(seen as f64),
                charts::number(self.pairs.len() as f64)
            ));
        }
        if self.data.networks().len() == 1 {
            told.push("The data hold one network: nothing here is evidence about others.".to_owned());
        }
        if !self.data.tables.values().flatten().any(|row| row.power.is_some())
            && self.data.totals.iter().all(|t| t.power().is_none())
        {
            told.push("No power was measured in these data: neither power nor energy can be judged.".to_owned());
        }
        told.push(
            "Intervals hold their level for networks like those held out in training. A network unlike all of them is not; \
             the training range is the only warning."
                .to_owned(),
        );
        told.push(
            "The roof lines are rates fitted to the training layers, not the hardware's peak: a layer may lie above them.".to_owned(),
        );
        let cards = self.cards.iter().flat_map(|card| &card.notes);
        let all: BTreeSet<&String> = cards.chain(&self.device.notes).chain(&self.notes).collect();
        html! {
            ul { @for sentence in &told { li { (sentence) } } }
            @if !all.is_empty() {
                h3 { "Told by the models' cards and the data" }
                ul { @for note in all { li { (shared::failure::printable(note)) } } }
            }
            p { "Data: SHA-256 " code { (self.data.hash) } ". Made by " (learn::model::PROGRAM) " " (env!("CARGO_PKG_VERSION")) "." }
        }
    }
}
