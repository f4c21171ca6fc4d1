//! What is registered, what is deployed, and what was.

use super::registry::{PROMOTIONS, REGISTERED};
use super::{Alias, Cache, Error, Promotion, Record, Registry, Trail, Version};
use futures_util::{StreamExt, TryStreamExt, stream};
use learn::model::{Artefact, Device};
use learn::predict::Models;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use store::{Digest, Entry, Key};

/// Requests under way at once.
const PARALLEL: usize = 8;

/// What a model is to its alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is deployed.
    Deployed,
    /// It was taken back by a rollback and not deployed since.
    Declined,
    /// It was deployed, and another took its place.
    Former,
    /// It was never deployed.
    Candidate,
}

impl Status {
    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Declined => "declined",
            Self::Former => "former",
            Self::Candidate => "candidate",
        }
    }
}

/// A registered model with what it is to its alias.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Listed {
    /// The model.
    #[serde(flatten)]
    pub version: Version,
    /// What it is to its alias.
    pub status: Status,
}

/// What is deployed for a device: the last promotion of each alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The device.
    pub device: String,
    /// Up to where each ledger was read.
    pub generation: Generation,
    /// The promotion in force of each alias, sorted by alias.
    pub models: Vec<Promotion>,
}

/// Up to which entry each alias' promotions go. Two that are equal mean that the same models are deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation(BTreeMap<Alias, u64>);

impl fmt::Display for Generation {
    /// Twelve digits that change whenever anything is promoted or rolled back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.iter().map(|(alias, head)| format!("{alias} {head}\n")).collect();
        f.write_str(&super::short(Digest::of(text.as_bytes())))
    }
}

impl Generation {
    /// The devices that have anything deployed, sorted.
    #[must_use]
    pub fn devices(&self) -> Vec<&str> {
        self.0.keys().map(Alias::device).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Registry {
    /// The last entry of every ledger below a folder: one listing.
    pub(super) async fn heads(&self, folder: &str) -> Result<BTreeMap<Alias, u64>, Error> {
        let mut heads = BTreeMap::new();
        let keys = self.store.list(&Key::new(folder)?, None).await?;
        if keys.is_empty() {
            // That nothing is registered or deployed is a fact about a store that is there only.
            self.store.require().await?;
        }
        for key in keys {
            let (alias, number) = self.entry_of(&key)?;
            let head = heads.entry(alias).or_insert(0);
            *head = number.max(*head);
        }
        Ok(heads)
    }

    pub(super) fn entry_of(&self, key: &Key) -> Result<(Alias, u64), Error> {
        let name = key.to_string();
        let parts: Vec<&str> = name.split('/').collect();
        let parsed = match parts.as_slice() {
            [_, _, device, table, target, number] => {
                let alias = format!("{device}/{table}/{target}").parse::<Alias>();
                alias.ok().zip(number.parse().ok())
            }
            _ => None,
        };
        parsed.ok_or_else(|| {
            let reason = "does not belong into a registry".to_owned();
            store::Error::Content { store: self.name().into(), key: key.clone(), reason }.into()
        })
    }

    /// Up to where promotions go, of one device or of all: one listing, cheap enough to ask every second.
    ///
    /// # Errors
    /// What the store says.
    pub async fn generation(&self, device: Option<&str>) -> Result<Generation, Error> {
        let folder = match device {
            Some(device) => {
                learn::model::check_device_name(device)?;
                format!("{PROMOTIONS}/{device}")
            }
            None => PROMOTIONS.to_owned(),
        };
        Ok(Generation(self.heads(&folder).await?))
    }

    /// Waits until something is promoted or rolled back, asking again and again, and returns where promotions go then.
    ///
    /// # Errors
    /// What the store says.
    pub async fn changed(
        &self,
        device: Option<&str>,
        since: &Generation,
        every: Duration,
    ) -> Result<Generation, Error> {
        loop {
            let now = self.generation(device).await?;
            if now != *since {
                return Ok(now);
            }
            tokio::time::sleep(every).await;
        }
    }

    /// The devices for which anything is registered, sorted.
    ///
    /// # Errors
    /// What the store says.
    pub async fn devices(&self) -> Result<Vec<String>, Error> {
        let devices: BTreeSet<String> =
            self.heads(REGISTERED).await?.into_keys().map(|alias| alias.device().to_owned()).collect();
        Ok(devices.into_iter().collect())
    }

    /// What is deployed for a device.
    ///
    /// # Errors
    /// [`Error::Unknown`] where nothing is; what the store says.
    pub async fn deployed(&self, device: &str) -> Result<Deployment, Error> {
        let generation = self.generation(Some(device)).await?;
        if generation.0.is_empty() {
            let all = self.generation(None).await?;
            let known = match all.devices().join(", ") {
                none if none.is_empty() => "nothing is deployed at all".to_owned(),
                known => format!("something is for {known}"),
            };
            return Err(Error::Unknown(format!("{}: nothing is deployed for {device}; {known}", self.name())));
        }
        let models = stream::iter(generation.0.clone())
            .map(|(alias, head)| async move {
                let promotion: Option<Promotion> = self.promotions(&alias)?.get(head).await?;
                promotion.ok_or_else(|| Error::Unknown(format!("{}: {alias}: entry {head} is gone", self.name())))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(Deployment { device: device.to_owned(), generation, models })
    }

    /// The deployed models of a device, ready to predict, with their files taken from a cache where that has them.
    ///
    /// Where models of several fits are deployed side by side, the device's file is that of the model deployed last, and
    /// no interval of whole networks stands: those of a fit describe its own models only.
    ///
    /// # Errors
    /// A blob that is missing or damaged, or does not hold what it should.
    pub async fn models(&self, deployment: &Deployment, cache: Option<&Cache>) -> Result<Models, Error> {
        let all: Vec<(Artefact, Device)> = stream::iter(deployment.models.clone())
            .map(|promotion| async move {
                let files = self.files((&promotion).into(), cache).await?;
                files.parse(&self.origin(&promotion.alias))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let last = (0..all.len()).max_by_key(|&i| &deployment.models[i].stamp.when);
        let Some(last) = last else {
            return Err(Error::Unknown(format!("{}: nothing is deployed for {}", self.name(), deployment.device)));
        };
        let mut device = all[last].1.clone();
        let fits: BTreeSet<Digest> = deployment.models.iter().map(|promotion| promotion.device_file).collect();
        if fits.len() > 1 {
            (device.runtime_total, device.energy_total, device.power_total) = (None, None, None);
            device.notes.push(format!(
                "models of {} fits are deployed; no held-out network tells how far totals are off",
                fits.len()
            ));
        }
        let artefacts = all.into_iter().map(|(artefact, _)| artefact).collect();
        Ok(Models::of(device, artefacts, Path::new(self.name())))
    }

    /// The registered models of an alias, oldest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn versions(&self, alias: &Alias) -> Result<Vec<Version>, Error> {
        let entries = self.registered(alias)?.read::<Record>(1).await?;
        if entries.is_empty() {
            self.store.require().await?;
        }
        Ok(entries.into_iter().map(|entry| Version { version: entry.number, record: entry.value }).collect())
    }

    /// The audit trail of an alias.
    ///
    /// # Errors
    /// What the store says.
    pub async fn trail(&self, alias: &Alias) -> Result<Trail, Error> {
        let mut trail = Trail::default();
        trail.extend(self.promotions(alias)?.read(1).await?);
        if trail.entries().is_empty() {
            self.store.require().await?;
        }
        Ok(trail)
    }

    /// The aliases of a device, or of all, for which anything is registered.
    ///
    /// # Errors
    /// What the store says.
    pub async fn aliases(&self, device: Option<&str>) -> Result<Vec<Alias>, Error> {
        let heads = self.heads(REGISTERED).await?;
        Ok(heads.into_keys().filter(|alias| device.is_none_or(|device| alias.device() == device)).collect())
    }

    /// Every registered model of a device, or of all, with what it is to its alias.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, device: Option<&str>) -> Result<Vec<Listed>, Error> {
        let lists: Vec<Vec<Listed>> = stream::iter(self.aliases(device).await?)
            .map(|alias| async move {
                let (versions, trail) = (self.versions(&alias).await?, self.trail(&alias).await?);
                let listed = |version: Version| {
                    let model = version.record.model;
                    let status = match () {
                        () if trail.deployed().is_some_and(|promotion| promotion.to == model) => Status::Deployed,
                        () if trail.has_declined(model) => Status::Declined,
                        () if trail.deployment_of(model).is_some() => Status::Former,
                        () => Status::Candidate,
                    };
                    Listed { version, status }
                };
                Ok::<_, Error>(versions.into_iter().map(listed).collect())
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The models that could be promoted: registered, neither deployed nor declined.
    ///
    /// # Errors
    /// What the store says.
    pub async fn candidates(&self, device: Option<&str>) -> Result<Vec<Version>, Error> {
        let promotable = |listed: &Listed| matches!(listed.status, Status::Candidate | Status::Former);
        Ok(self.list(device).await?.into_iter().filter(promotable).map(|listed| listed.version).collect())
    }

    /// Every promotion and rollback of a device, or of all, in the order of their stamps, those of an alias in that of its
    /// ledger.
    ///
    /// # Errors
    /// What the store says.
    pub async fn history(&self, device: Option<&str>) -> Result<Vec<Entry<Promotion>>, Error> {
        let heads = self.heads(PROMOTIONS).await?;
        let mut all = Vec::new();
        for alias in heads.into_keys().filter(|alias| device.is_none_or(|device| alias.device() == device)) {
            // Clocks disagree: an entry counts as no earlier than the one before it.
            let mut latest = String::new();
            for entry in self.promotions(&alias)?.read::<Promotion>(1).await? {
                latest = latest.max(entry.value.stamp.when.clone());
                all.push((latest.clone(), entry));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all.into_iter().map(|(_, entry)| entry).collect())
    }

    /// A model by what people call it: `device/kind/target@version`, `device/kind/target` for the one deployed, or the first
    /// digits of its name, four at least.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none, or several.
    pub async fn find(&self, reference: &str) -> Result<Version, Error> {
        if reference.contains('/') {
            // The device may hold an `@` of its own, before its power mode.
            let (alias, version) = match reference.rsplit_once('@') {
                Some((alias, version)) if !version.contains('/') => (alias, Some(version)),
                _ => (reference, None),
            };
            let alias: Alias = alias.parse()?;
            let versions = self.versions(&alias).await?;
            let found = match version {
                Some(number) => versions.into_iter().find(|v| v.version.to_string() == number),
                None => {
                    let deployed = self.trail(&alias).await?.deployed().map(|promotion| promotion.to);
                    versions.into_iter().find(|v| Some(v.record.model) == deployed)
                }
            };
            return found.ok_or_else(|| match version {
                Some(_) => Error::Unknown(format!("{}: there is no model {reference}", self.name())),
                None => Error::Unknown(format!("{}: nothing is deployed as {alias}", self.name())),
            });
        }
        if reference.len() < 4 || !reference.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::Name(format!(
                "`{reference}` is neither DEVICE/KIND/TARGET[@VERSION] nor the first digits of a model's name"
            )));
        }
        let mut found: Vec<Version> = Vec::new();
        for alias in self.aliases(None).await? {
            let named = |v: &Version| v.record.model.to_string().starts_with(&reference.to_ascii_lowercase());
            found.extend(self.versions(&alias).await?.into_iter().filter(named));
        }
        match found.len() {
            0 => Err(Error::Unknown(format!("{}: there is no model {reference}", self.name()))),
            1 => Ok(found.remove(0)),
            n => Err(Error::Unknown(format!("{}: {n} models begin with {reference}", self.name()))),
        }
    }
}
