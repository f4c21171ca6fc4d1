//! Model files on this machine, by their hash, and what was deployed when a store was last seen.

use super::{Deployment, Error, Registry};
use learn::predict::Models;
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::Digest;

/// How long a store may take to answer one who has a copy of its last answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder of model files by their hash. Whatever is wrong with it, it costs a download, never a wrong answer: every file
/// is checked when read.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in a folder, made when something is put there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The user's: `$XDG_CACHE_HOME/host-trainer/models`, else below `~/.cache`; none where neither is known.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Self::at(&base.join("host-trainer/models")))
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let digits = digest.to_string();
        self.folder.join(&digits[..2]).join(digits)
    }

    /// A content, where it is there and whole.
    pub(super) fn get(&self, digest: Digest, limit: u64) -> Option<Vec<u8>> {
        let content = read_capped(&self.file(digest), limit).ok()?;
        (Digest::of(&content) == digest).then_some(content)
    }

    /// Keeps a content. A full disk costs a download next time, nothing else.
    pub(super) fn put(&self, digest: Digest, content: &[u8]) {
        let _ = write_atomic(&self.file(digest), content);
    }

    fn deployments(&self, store: &str) -> PathBuf {
        self.folder.join("deployments").join(&Digest::of(store.as_bytes()).to_string()[..16])
    }

    fn remember(&self, store: &str, deployment: &Deployment) {
        if let Ok(json) = serde_json::to_vec(deployment) {
            let _ = write_atomic(&self.deployments(store).join(format!("{}.json", deployment.device)), &json);
        }
    }

    /// What was deployed when the store was last seen, for a device, or for the only one there was.
    fn recall(&self, store: &str, device: Option<&str>) -> Option<Deployment> {
        let folder = self.deployments(store);
        let file = match device {
            Some(device) => folder.join(format!("{device}.json")),
            None => {
                let mut files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
                let only = files.next()?;
                files.next().is_none().then_some(only)?
            }
        };
        serde_json::from_slice(&read_capped(&file, limits::SMALL_FILE_BYTES).ok()?).ok()
    }
}

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
    let seen = cache.and_then(|cache| cache.recall(registry.name(), device));
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
        Some(_) => tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            let failure = shared::failure::Failure::new(shared::failure::Kind::Io, "the store does not answer");
            Err(Error::Failed(failure))
        }),
    };
    match (answer, seen) {
        (Ok((deployment, models)), _) => {
            if let Some(cache) = cache {
                cache.remember(registry.name(), &deployment);
            }
            Ok(Opened { models, deployment, offline: None })
        }
        (Err(error), Some(deployment)) if is_out_of_reach(&error) => {
            // What the cache lacks would have to come from the store: its failure is then the answer.
            let Ok(Ok(models)) = tokio::time::timeout(PATIENCE, registry.models(&deployment, cache)).await else {
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
        Error::Failed(failure) => failure.kind == shared::failure::Kind::Io,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let name = Registry::create(&url).expect("a URL").name().to_owned();
        cache.remember(&name, &deployment);
        let opened = open_deployed(&url, Some(device), Some(&cache)).await.expect("from the cache");
        assert!(opened.offline.is_some());
        assert_eq!((opened.deployment, opened.models.device().name.as_str()), (deployment, device));
    }

    #[test]
    fn a_damaged_file_of_the_cache_is_not_used() {
        let folder = tempfile::tempdir().expect("folder");
        let cache = Cache::at(folder.path());
        let digest = Digest::of(b"whole");
        assert_eq!(cache.get(digest, 100), None);
        cache.put(digest, b"whole");
        assert_eq!(cache.get(digest, 100).as_deref(), Some(&b"whole"[..]));
        std::fs::write(cache.file(digest), b"torn").expect("damage");
        assert_eq!(cache.get(digest, 100), None);
    }
}
