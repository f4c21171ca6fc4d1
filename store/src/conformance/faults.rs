//! A backend that fails in the ways that networks and servers fail.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use shared::random::{GOLDEN_STEP, mix};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wraps a backend. A seeded share of its requests fails, and after a number of writes all of them do, as for a client that
/// loses its connection.
#[derive(Debug)]
pub struct Faults {
    inner: Arc<dyn ObjectStore>,
    per_mille: u64,
    random: AtomicU64,
    /// Writes that still get through; `u64::MAX` is all.
    writes_left: AtomicU64,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never arrives.
    Timeout,
    /// The server fails.
    Server,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// Half of the content arrives.
    Torn,
}

impl Faults {
    /// A backend that fails `per_mille` of a thousand requests.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64, per_mille: u64) -> Self {
        Self { inner, per_mille, random: AtomicU64::new(seed), writes_left: AtomicU64::new(u64::MAX) }
    }

    /// A backend that lets `writes` writes through and then fails every request.
    #[must_use]
    pub fn cut_after(inner: Arc<dyn ObjectStore>, writes: u64) -> Self {
        Self { inner, per_mille: 0, random: AtomicU64::new(0), writes_left: AtomicU64::new(writes) }
    }

    /// SplitMix64 whose counter threads share.
    fn random(&self) -> u64 {
        mix(self.random.fetch_add(GOLDEN_STEP, Ordering::Relaxed))
    }

    fn fault(&self) -> Option<Fault> {
        let number = self.random();
        (number % 1000 < self.per_mille).then_some(match (number >> 32) % 4 {
            0 => Fault::Timeout,
            1 => Fault::Server,
            2 => Fault::LostAnswer,
            _ => Fault::Torn,
        })
    }

    fn write_allowed(&self) -> Result<()> {
        let take = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        let allowed = self.writes_left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        allowed.map(drop).map_err(|_| failure("the line was cut"))
    }
}

fn failure(what: &'static str) -> Error {
    Error::Generic { store: "faulty", source: what.into() }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faults {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.write_allowed()?;
        let creates = options.mode == PutMode::Create;
        match self.fault() {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::Timeout) => Err(failure("timed out")),
            Some(Fault::Server) => Err(failure("503 slow down")),
            Some(Fault::LostAnswer) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(failure("connection reset"))
            }
            // Creating is atomic on every backend. Replacing is too on those that we know of, but nothing here relies on it.
            Some(Fault::Torn) if creates => Err(failure("broken pipe")),
            Some(Fault::Torn) => {
                let content: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
                let half = content[..content.len() / 2].to_vec();
                self.inner.put_opts(location, PutPayload::from(half), options).await?;
                Err(failure("broken pipe"))
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.writes_left.load(Ordering::Acquire) == 0 {
            return Err(failure("the line was cut"));
        }
        match self.fault() {
            None => self.inner.get_opts(location, options).await,
            Some(Fault::Torn) => {
                let result = self.inner.get_opts(location, options).await?;
                let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
                let content = result.bytes().await?;
                let half = content.slice(..content.len() / 2);
                let parts = stream::iter([Ok(half), Err(failure("connection reset"))]).boxed();
                Ok(GetResult {
                    payload: GetResultPayload::Stream(parts),
                    meta,
                    range,
                    attributes,
                    extensions: Default::default(),
                })
            }
            Some(_) => Err(failure("timed out")),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.fault() {
            None => self.inner.delete_stream(locations),
            Some(_) => stream::iter([Err(failure("500"))]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault() {
            None => self.inner.list(prefix),
            Some(_) => self.inner.list(prefix).take(1).chain(stream::iter([Err(failure("timed out"))])).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.fault() {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(_) => Err(failure("timed out")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.write_allowed()?;
        self.inner.copy_opts(from, to, options).await
    }
}
