//! Studies and batches in a report: among the sections about models, or as a page of their own.

use super::{batches, page, studies};
use batch::folder::Batch;
use batch::status::Status;
use maud::Markup;
use tune::studies::{Study, Trial};

/// Studies and batches to show. [`Trainings::render`] makes a page of them alone.
#[derive(Debug, Default)]
pub struct Trainings {
    /// Tuning studies with their trials, by number.
    pub studies: Vec<(Study, Vec<Trial>)>,
    /// Batches, and how each stands.
    pub batches: Vec<(Batch, Status)>,
}

impl Trainings {
    /// The sections: identifier, title and content.
    pub(super) fn sections(&self) -> Vec<(String, String, Markup)> {
        let studies = self.studies.iter().enumerate().map(|(number, (study, trials))| {
            let id = format!("study-{number}");
            let content = studies::section(&id, study, trials);
            (id, format!("Study {}", study.name), content)
        });
        let batches = self.batches.iter().enumerate().map(|(number, (batch, status))| {
            let id = format!("batch-{number}");
            let content = batches::section(&id, batch, status);
            (id, format!("Batch {}", status.name), content)
        });
        studies.chain(batches).collect()
    }

    /// A page of these alone.
    ///
    /// ```
    /// let page = report::Trainings::default().render();
    /// assert!(page.contains("Trainings"));
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        let sections = self.sections();
        let title = match sections.as_slice() {
            [(_, only, _)] => only.clone(),
            _ => "Trainings".to_owned(),
        };
        let results: usize = self.batches.iter().map(|(_, status)| status.results.len()).sum();
        let trials: usize = self.studies.iter().map(|(_, trials)| trials.len()).sum();
        let lead = format!(
            "{} trials of {} studies, {} results of {} batches. Every mark says its name and numbers when pointed at.",
            charts::number(trials as f64),
            self.studies.len(),
            charts::number(results as f64),
            self.batches.len()
        );
        page::render(&title, &lead, &sections)
    }
}
