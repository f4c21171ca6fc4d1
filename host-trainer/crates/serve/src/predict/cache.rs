//! A cache of responses: a request that repeats an earlier one, word for word, costs a hash and a look-up.

use super::format::ResponseFormat;
use super::options::PredictOptions;
use super::response::PredictResponse;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that all cached responses take together.
const CAPACITY: u64 = 16 << 20;
/// Bytes of the largest response that is cached. A larger one would evict too many others.
const LARGEST: usize = 1 << 20;
/// Responses expected, at 16 KiB each.
const RESPONSES: usize = 1024;
/// Bytes that an entry takes besides its body: key, value and bookkeeping.
const OVERHEAD: u64 = 256;

/// What a response depends on: the request, and the generation of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ResponseKey {
    request: [u8; 32],
    generation: u64,
}

impl ResponseKey {
    /// The key of a request to the models of a generation.
    pub(super) fn new(body: &[u8], options: &PredictOptions, format: ResponseFormat, generation: u64) -> Self {
        let mut hash = Sha256::new();
        // The length separates body and options.
        hash.update(body.len().to_le_bytes());
        hash.update(body);
        hash.update(format!("{options:?} {format:?}"));
        Self { request: hash.finalize().into(), generation }
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<ResponseKey, PredictResponse> for ByBytes {
    fn weight(&self, _: &ResponseKey, response: &PredictResponse) -> u64 {
        response.body.len() as u64 + OVERHEAD
    }
}

/// Responses of the newest generation of models, within [`CAPACITY`].
#[derive(Debug)]
pub(super) struct ResponseCache {
    responses: Cache<ResponseKey, PredictResponse, ByBytes>,
    /// The newest generation seen.
    generation: AtomicU64,
}

impl Default for ResponseCache {
    fn default() -> Self {
        let options = OptionsBuilder::new()
            // One shard makes CAPACITY the bound of the whole cache. A look-up holds its lock for less than a microsecond.
            .shards(1)
            .estimated_items_capacity(RESPONSES)
            .weight_capacity(CAPACITY)
            .build()
            .expect("both capacities are set");
        let responses =
            Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { responses, generation: AtomicU64::new(0) }
    }
}

impl ResponseCache {
    /// The cached response of a request.
    pub(super) fn get(&self, key: &ResponseKey) -> Option<PredictResponse> {
        self.responses.get(key)
    }

    /// Caches a response. Responses of older models are dropped when a newer generation appears.
    pub(super) fn insert(&self, key: ResponseKey, response: &PredictResponse) {
        if response.body.len() > LARGEST {
            return;
        }
        let newest = self.generation.fetch_max(key.generation, Ordering::AcqRel);
        if key.generation < newest {
            return;
        }
        if key.generation > newest {
            self.responses.clear();
        }
        self.responses.insert(key, response.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, generation: u64) -> ResponseKey {
        let options = PredictOptions { name: Some(name.to_owned()), ..PredictOptions::default() };
        ResponseKey::new(b"{}", &options, ResponseFormat::Json, generation)
    }

    fn response(bytes: usize) -> PredictResponse {
        PredictResponse { content_type: "application/json", body: vec![b' '; bytes].into(), layers: 1 }
    }

    #[test]
    fn newer_models_invalidate_responses_and_older_ones_add_none() {
        let cache = ResponseCache::default();
        cache.insert(key("a", 1), &response(3));
        assert!(cache.get(&key("a", 1)).is_some());
        assert!(cache.get(&key("a", 2)).is_none() && cache.get(&key("b", 1)).is_none());
        cache.insert(key("b", 2), &response(3));
        assert!(cache.get(&key("a", 1)).is_none());
        cache.insert(key("c", 1), &response(3));
        assert!(cache.get(&key("c", 2)).is_none() && cache.get(&key("c", 1)).is_none());
        assert_eq!(cache.responses.len(), 1, "nothing of older models takes memory");
    }

    #[test]
    fn requests_that_differ_in_anything_differ() {
        let of = |body: &[u8], profile, format| {
            ResponseKey::new(body, &PredictOptions { profile, ..PredictOptions::default() }, format, 1)
        };
        let one = of(b"ab", 0, ResponseFormat::Json);
        assert_ne!(one, of(b"a", 0, ResponseFormat::Json));
        assert_ne!(one, of(b"ab", 1, ResponseFormat::Json));
        assert_ne!(one, of(b"ab", 0, ResponseFormat::Csv));
        assert_eq!(one, of(b"ab", 0, ResponseFormat::Json));
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let cache = ResponseCache::default();
        cache.insert(key("kept", 1), &response(LARGEST));
        for number in 0..200 {
            let name = number.to_string();
            cache.insert(key(&name, 1), &response(LARGEST));
            assert!(cache.get(&key("kept", 1)).is_some(), "{name}");
            assert!(cache.responses.weight() <= CAPACITY, "{name}: {}", cache.responses.weight());
        }
        assert!(cache.get(&key("0", 1)).is_none());
        let cached = (0..200).filter(|number| cache.get(&key(&number.to_string(), 1)).is_some()).count();
        assert!(cached > 5, "{cached} of 200 fill the rest of the memory");
        cache.insert(key("large", 1), &response(LARGEST + 1));
        assert!(cache.get(&key("large", 1)).is_none());
    }

    #[test]
    fn many_small_responses_stay_within_the_memory_too() {
        let cache = ResponseCache::default();
        for number in 0..50_000 {
            cache.insert(key(&number.to_string(), 1), &response(1000));
        }
        let bytes: u64 = cache.responses.iter().map(|(_, response)| response.body.len() as u64).sum();
        assert!(bytes <= CAPACITY && cache.responses.len() > 10_000, "{bytes} in {}", cache.responses.len());
    }
}
