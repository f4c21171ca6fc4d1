//! The page of a report: its sections, its summary and its caveats.

use super::input::Report;
use super::{accuracy, energy, engines, intervals, models, page, training};
use maud::{Markup, html};
use std::collections::BTreeSet;

impl Report<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> String {
        let title = format!("Models for {}", self.device.name);
        let before: Vec<(&str, &str, Option<Markup>)> = vec![
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
        ];
        let named = |(id, name, body): (&str, &str, Option<Markup>)| Some((id.to_owned(), name.to_owned(), body?));
        let mut sections: Vec<(String, String, Markup)> = before.into_iter().filter_map(named).collect();
        sections.extend(self.trainings.sections());
        sections.extend(named(("limits", "What these data cannot show", Some(self.limits()))));
        page::render(&title, &self.lead(), &sections)
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
