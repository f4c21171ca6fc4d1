//! Which models a command is about, and who gives it.

use super::{Error, Registry, Version, Yardstick};
use shared::failure::Failure;

impl Registry {
    /// The models that references name, or those deployed for a device, by default the only one.
    ///
    /// # Errors
    /// A reference that names no model or several, or several devices and none chosen.
    pub async fn chosen(&self, references: &[String], device: Option<&str>) -> Result<Vec<Version>, Error> {
        if references.is_empty() {
            return self.deployed_versions(&self.device_or_only(device).await?).await;
        }
        let mut versions = Vec::new();
        for reference in references {
            versions.push(self.find(reference).await?);
        }
        Ok(versions)
    }

    /// The best candidate of each alias of a device that has one, by default of the only device.
    ///
    /// # Errors
    /// Several devices and none chosen, or what keeps candidates from being judged.
    pub async fn best_candidates(&self, device: Option<&str>, yardstick: &Yardstick) -> Result<Vec<Version>, Error> {
        let device = self.device_or_only(device).await?;
        let mut versions = Vec::new();
        for alias in self.aliases(Some(&device)).await? {
            versions.extend(self.best(&alias, yardstick).await?);
        }
        Ok(versions)
    }

    /// The device named, or the only one that has models.
    async fn device_or_only(&self, device: Option<&str>) -> Result<String, Error> {
        if let Some(device) = device {
            return Ok(device.to_owned());
        }
        let devices = self.devices().await?;
        match devices.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Failure::usage(format!("{}: there are no models", self.name()))
                .help("bring some in with `host-trainer models register`")
                .into()),
            several => Err(Failure::usage(format!("there are models of {}", several.join(", ")))
                .help("choose a device by --device")
                .into()),
        }
    }
}

/// Who gives a command, for audit trails: `$HOST_TRAINER_USER`, else the user's and the machine's names.
#[must_use]
pub fn who() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    variable("HOST_TRAINER_USER").unwrap_or_else(|| {
        let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown".into());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match host.trim() {
            "" => user,
            host => format!("{user}@{host}"),
        }
    })
}
