//! Whether a registry is whole.

use super::check::check;
use super::registry::{PROMOTIONS, REGISTERED};
use super::{Alias, Error, Promotion, Record, Registry, short};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use store::Digest;

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Registered models, each with its graph, card and device file read, hashed and its self-test run.
    pub models: usize,
    /// Entries of audit trails.
    pub promotions: usize,
    /// What is wrong, each naming the object or the alias.
    pub problems: Vec<String>,
}

impl Registry {
    /// Reads everything: every blob against its hash, every model against its record and the checks of a promotion, every
    /// audit trail for gaps, and each of its entries against the one before it.
    ///
    /// # Errors
    /// A store that cannot be read. What is damaged is no failure but stands in the answer.
    pub async fn verify(&self) -> Result<Verification, Error> {
        self.store.require().await?;
        let mut found = Verification::default();
        let mut aliases: BTreeSet<Alias> = BTreeSet::new();
        for folder in [REGISTERED, PROMOTIONS] {
            for key in self.store.list(&store::Key::new(folder)?, None).await? {
                match self.entry_of(&key) {
                    Ok((alias, _)) => drop(aliases.insert(alias)),
                    Err(error) => found.problems.push(error.to_string()),
                }
            }
        }
        for alias in &aliases {
            let known = self.verify_models(alias, &mut found).await?;
            self.verify_trail(alias, &known, &mut found).await?;
        }
        Ok(found)
    }

    async fn verify_models(&self, alias: &Alias, found: &mut Verification) -> Result<BTreeMap<Digest, u64>, Error> {
        let ledger = self.registered(alias)?;
        let mut known = BTreeMap::new();
        for number in 1..=ledger.head().await? {
            found.models += 1;
            let Some(record) = noted(entry::<Record>(&ledger, alias, number).await, found)? else { continue };
            known.insert(record.model, number);
            if record.alias != *alias {
                found.problems.push(format!("{alias}@{number}: its record is of {}", record.alias));
            }
            let Some((artefact, device)) = noted(self.artefact(&record).await, found)? else { continue };
            if artefact.card.onnx_sha256 != record.onnx.to_string() {
                found.problems.push(format!("{alias}@{number}: its record names another graph than its card"));
            }
            noted(check(alias.clone(), record.model, artefact, device).await, found)?;
        }
        Ok(known)
    }

    async fn verify_trail(
        &self,
        alias: &Alias,
        known: &BTreeMap<Digest, u64>,
        found: &mut Verification,
    ) -> Result<(), Error> {
        let ledger = self.promotions(alias)?;
        let mut before = None;
        for number in 1..=ledger.head().await? {
            found.promotions += 1;
            let Some(promotion) = noted(entry::<Promotion>(&ledger, alias, number).await, found)? else {
                before = None;
                continue;
            };
            let mut wrong = |reason: String| found.problems.push(format!("{alias}: promotion {number}: {reason}"));
            if promotion.alias != *alias {
                wrong(format!("it is of {}", promotion.alias));
            }
            if known.get(&promotion.to) != Some(&promotion.version) {
                wrong(format!(
                    "it deploys {}, which is not registered as version {}",
                    short(promotion.to),
                    promotion.version
                ));
            }
            if before.is_some_and(|before| promotion.from != Some(before)) || number == 1 && promotion.from.is_some() {
                wrong("it does not follow from the one before it".into());
            }
            before = Some(promotion.to);
        }
        Ok(())
    }
}

async fn entry<T: serde::de::DeserializeOwned>(ledger: &store::Ledger, alias: &Alias, number: u64) -> Result<T, Error> {
    ledger.get(number).await?.ok_or_else(|| Error::Unknown(format!("{alias}: entry {number} is gone")))
}

/// Takes note of what is wrong; a store out of reach ends the search.
fn noted<T>(result: Result<T, Error>, found: &mut Verification) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ Error::Store(store::Error::Backend { .. } | store::Error::Absent { .. })) => Err(error),
        Err(Error::Failed(failure)) => {
            let place = failure.path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default();
            found.problems.push(format!("{place}{}", failure.message));
            Ok(None)
        }
        Err(error) => {
            found.problems.push(error.to_string());
            Ok(None)
        }
    }
}
