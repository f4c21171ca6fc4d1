//! The deployed models of a device, from a store or, where it is out of reach, from the cache.

use super::cache::Cache;
use super::error::Error;
use super::read::Deployment;
use super::registry::Registry;
use learn::predict::Models;
use shared::failure::{Failure, Kind};
use std::time::Duration;

/// How long a store may take to answer when the cache holds its last answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The deployed models of a device.
#[derive(Debug)]
pub struct Opened {
    /// The models, ready to predict.
    pub models: Models,
    /// Which they are.
    pub deployment: Deployment,
    /// Why the store was not asked, where it could not be: the models are then those it had deployed when last seen.
    pub offline: Option<String>,
}

/// Opens the deployed models of a device, or of the only one that has any. A store that cannot be reached is no failure
/// where the cache knows what was deployed last and has all of it.
///
/// # Errors
/// Nothing deployed, several devices and none named, a damaged blob, or a store out of reach with nothing in the cache.
pub async fn open_deployed(url: &str, device: Option<&str>, cache: Option<&Cache>) -> Result<Opened, Error> {
    if let Some(device) = device {
        learn::model::check_device_name(device)?;
    }
    let registry = Registry::open(url)?;
    let seen: Option<Deployment> = cache.and_then(|cache| cache.recall(registry.name(), device));
    let asked = async {
        let device = match device {
            Some(device) => device.to_owned(),
            None => only_device(&registry).await?,
        };
        let deployment = registry.deployed(&device).await?;
        let models = registry.models(&deployment, cache).await?;
        Ok::<_, Error>((deployment, models))
    };
    let answer = match &seen {
        None => asked.await,
        Some(_) => tokio::time::timeout(ANSWER_TIMEOUT, asked)
            .await
            .unwrap_or_else(|_| Err(Error::Failed(Failure::new(Kind::Io, "the store does not answer")))),
    };
    match (answer, seen) {
        (Ok((deployment, models)), _) => {
            if let Some(cache) = cache {
                cache.remember(registry.name(), &deployment.device, &deployment);
            }
            Ok(Opened { models, deployment, offline: None })
        }
        (Err(error), Some(deployment)) if is_out_of_reach(&error) => {
            // What the cache lacks would have to come from the store: its failure is then the answer.
            let Ok(Ok(models)) = tokio::time::timeout(ANSWER_TIMEOUT, registry.models(&deployment, cache)).await else {
                return Err(error);
            };
            Ok(Opened { models, deployment, offline: Some(error.to_string()) })
        }
        (Err(error), _) => Err(error),
    }
}

async fn only_device(registry: &Registry) -> Result<String, Error> {
    let generation = registry.generation(None).await?;
    match generation.devices().as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Error::Unknown(format!("{}: nothing is deployed", registry.name()))),
        several => Err(Error::Name(format!(
            "{}: models are deployed for {}; choose one by --device",
            registry.name(),
            several.join(", ")
        ))),
    }
}

fn is_out_of_reach(error: &Error) -> bool {
    match error {
        Error::Store(store::Error::Backend { .. }) => true,
        Error::Failed(failure) => failure.kind == Kind::Io,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[tokio::test]
    async fn a_store_that_cannot_be_reached_is_answered_for_by_the_cache() {
        let folder = tempfile::tempdir().expect("folder");
        let cache = Cache::at(folder.path());
        let registry = Registry::over(store::Store::memory());
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../trained_models"));
        let device = "jetson-orin-nano";
        let provenance = crate::Provenance::default();
        for one in registry.register(shipped, Some(device), &provenance).await.expect("registered") {
            registry.promote(&one.version, &crate::Request::default()).await.expect("promoted");
        }
        let deployment = registry.deployed(device).await.expect("deployed");
        registry.models(&deployment, Some(&cache)).await.expect("opened");
        // Nobody listens on a port that was just given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let url = format!("http://127.0.0.1:{port}/models");
        let name = Registry::open(&url).expect("a URL").name().to_owned();
        cache.remember(&name, device, &deployment);
        let opened = open_deployed(&url, Some(device), Some(&cache)).await.expect("from the cache");
        assert!(opened.offline.is_some());
        assert_eq!((opened.deployment, opened.models.device().name.as_str()), (deployment, device));
    }
}
