//! Append-only, numbered logs.

use crate::{Digest, Error, Key, Store};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Digits of an entry's number in its name, so that names sort as numbers do.
const DIGITS: usize = 12;

/// An entry of a ledger holds at most this many bytes.
const ENTRY_LIMIT: u64 = 1 << 20;

/// An append-only log in a store: entries `<folder>/000000000001`, `…2`, each created once and never changed. Whoever
/// creates number *n* has set the ledger from *n − 1* to *n*: the compare-and-set that every backend can do. Numbers have no
/// gaps, since an entry is created only after the one before it was seen.
///
/// Of two writers that saw the same last entry, one appends and the other learns that it has lost:
///
/// ```
/// use store::{Append, Key, Ledger, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), store::Error> {
/// let ledger = Ledger::new(Store::memory(), Key::new("promotions")?);
/// assert_eq!(ledger.append(0, &"model a").await?, Append::Done(1));
/// assert_eq!(ledger.append(0, &"model b").await?, Append::Lost);
/// let last = ledger.last::<String>().await?.expect("an entry");
/// assert_eq!((last.number, last.value.as_str()), (1, "model a"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Store,
    folder: Key,
}

/// An entry with its number, which counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The entry's number.
    pub number: u64,
    /// What it says.
    pub value: T,
}

/// What became of an attempt to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// The entry stands under this number.
    Done(u64),
    /// Somebody else has written the entry of that number: read it, and decide again.
    Lost,
}

/// An entry as it is stored, `{"writer":"…","sha256":"…","value":…}` to the byte. The writer's mark, 32 digits, tells a writer
/// whose answer got lost that the entry is its own; the hash is that of the mark and the value's bytes, so that a flipped bit
/// is noticed, since an entry's name does not tell its content.
struct Stored<'a> {
    writer: &'a [u8],
    value: &'a [u8],
}

const BEFORE_WRITER: &[u8] = b"{\"writer\":\"";
const BEFORE_HASH: &[u8] = b"\",\"sha256\":\"";
const BEFORE_VALUE: &[u8] = b"\",\"value\":";
const AFTER_VALUE: &[u8] = b"}";

impl<'a> Stored<'a> {
    fn hash(&self) -> Digest {
        Digest::of(&[self.writer, self.value].concat())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let hash = self.hash().to_string();
        [BEFORE_WRITER, self.writer, BEFORE_HASH, hash.as_bytes(), BEFORE_VALUE, self.value, AFTER_VALUE].concat()
    }

    /// Reads an entry, and the hash that it claims.
    fn parse(content: &'a [u8]) -> Option<(Self, Digest)> {
        let (writer, rest) = content.strip_prefix(BEFORE_WRITER)?.split_at_checked(32)?;
        let (hash, rest) = rest.strip_prefix(BEFORE_HASH)?.split_at_checked(64)?;
        let value = rest.strip_prefix(BEFORE_VALUE)?.strip_suffix(AFTER_VALUE)?;
        Some((Self { writer, value }, std::str::from_utf8(hash).ok()?.parse().ok()?))
    }
}

impl Ledger {
    /// The ledger in a folder of a store.
    #[must_use]
    pub fn new(store: Store, folder: Key) -> Self {
        Self { store, folder }
    }

    fn key(&self, number: u64) -> Result<Key, Error> {
        Ok(self.folder.join(format!("{number:0DIGITS$}"))?)
    }

    /// The number of the last entry; 0 while there is none.
    ///
    /// # Errors
    /// What the backend says; [`Error::Content`] when the folder holds something else.
    pub async fn head(&self) -> Result<u64, Error> {
        self.head_after(0).await
    }

    /// As [`Ledger::head`], by one who knows that entry `known` stands: what comes before it is not listed.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn head_after(&self, known: u64) -> Result<u64, Error> {
        let after = (known > 0).then(|| self.key(known)).transpose()?;
        match self.store.list(&self.folder, after.as_ref()).await?.last() {
            None => Ok(known),
            Some(last) => last.name().parse().map_err(|_| Error::Content {
                store: self.store.name().into(),
                key: last.clone(),
                reason: "is no entry of the ledger that lies there".into(),
            }),
        }
    }

    /// An entry by its number; `None` where there is none yet.
    ///
    /// # Errors
    /// What the backend says; [`Error::Content`] when it cannot be understood.
    pub async fn get<T: DeserializeOwned>(&self, number: u64) -> Result<Option<T>, Error> {
        let Some(content) = self.content(number).await? else { return Ok(None) };
        let key = self.key(number)?;
        let store = || self.store.name().to_owned();
        let unknown = |why: String| Error::Content {
            store: store(),
            key: key.clone(),
            reason: format!("is no entry that this version understands: {why}"),
        };
        let (stored, claimed) = Stored::parse(&content).ok_or_else(|| unknown("it is of another shape".into()))?;
        let found = stored.hash();
        if found != claimed {
            return Err(Error::Damaged { store: store(), key, found });
        }
        serde_json::from_slice(stored.value).map(Some).map_err(|e| unknown(e.to_string()))
    }

    async fn content(&self, number: u64) -> Result<Option<Bytes>, Error> {
        self.store.get(&self.key(number)?, ENTRY_LIMIT).await
    }

    /// The last entry.
    ///
    /// # Errors
    /// As [`Ledger::get`].
    pub async fn last<T: DeserializeOwned>(&self) -> Result<Option<Entry<T>>, Error> {
        let number = self.head().await?;
        Ok(self.get(number).await?.map(|value| Entry { number, value }))
    }

    /// Every entry from number `first` on, in order.
    ///
    /// # Errors
    /// As [`Ledger::get`]; [`Error::Missing`] where a number is absent between two others.
    pub async fn read<T: DeserializeOwned>(&self, first: u64) -> Result<Vec<Entry<T>>, Error> {
        use futures_util::{StreamExt, TryStreamExt, stream};
        let first = first.max(1);
        let last = self.head_after(first - 1).await?;
        stream::iter(first..=last)
            .map(|number| async move {
                let value = self
                    .get(number)
                    .await?
                    .ok_or(Error::Missing { store: self.store.name().into(), key: self.key(number)? })?;
                Ok(Entry { number, value })
            })
            .buffered(16)
            .try_collect()
            .await
    }

    /// Appends an entry after number `after`, which the caller has seen to be the last and on which it has decided.
    ///
    /// # Errors
    /// What the backend says. The entry may stand nevertheless where the answer was lost for good.
    pub async fn append<T: Serialize>(&self, after: u64, value: &T) -> Result<Append, Error> {
        let number = after + 1;
        let key = self.key(number)?;
        let content_error = |e: serde_json::Error| Error::Content {
            store: self.store.name().into(),
            key: key.clone(),
            reason: format!("cannot be written: {e}"),
        };
        let writer = uuid();
        let value = serde_json::to_vec(value).map_err(content_error)?;
        let content = Stored { writer: writer.as_bytes(), value: &value }.to_bytes();
        if content.len() as u64 > ENTRY_LIMIT {
            let size = content.len() as u64;
            return Err(Error::TooLarge { store: self.store.name().into(), key, size, limit: ENTRY_LIMIT });
        }
        if self.store.create(&key, Bytes::from(content)).await? {
            return Ok(Append::Done(number));
        }
        // The backend may have repeated a request that had succeeded.
        let stands = self.content(number).await?;
        let by = stands.as_deref().and_then(Stored::parse).map(|(stored, _)| stored.writer);
        Ok(if by == Some(writer.as_bytes()) { Append::Done(number) } else { Append::Lost })
    }
}

/// 128 random bits: no two writers have the same mark.
fn uuid() -> String {
    let mut bits = [0_u8; 16];
    // A writer without a random number could take another's entry for its own.
    getrandom::fill(&mut bits).unwrap_or_else(|e| panic!("the system gives no random numbers: {e}"));
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(Store::memory(), Key::new("branches/main").expect("a key"))
    }

    #[tokio::test]
    async fn entries_are_numbered_from_one_without_gaps() {
        let ledger = ledger();
        assert_eq!(ledger.head().await.expect("listed"), 0);
        for number in 0..12 {
            assert_eq!(ledger.append(number, &number).await.expect("written"), Append::Done(number + 1));
        }
        let numbers: Vec<(u64, u64)> =
            ledger.read(3).await.expect("read").into_iter().map(|entry| (entry.number, entry.value)).collect();
        assert_eq!(numbers, (3..=12).map(|n| (n, n - 1)).collect::<Vec<_>>());
        assert_eq!(ledger.head_after(11).await.expect("listed"), 12);
    }

    #[tokio::test]
    async fn a_flipped_bit_of_an_entry_is_noticed() {
        let ledger = ledger();
        assert_eq!(ledger.append(0, &"a value").await.expect("written"), Append::Done(1));
        let key = ledger.key(1).expect("a key");
        let whole = ledger.content(1).await.expect("read").expect("an entry");
        assert!(serde_json::from_slice::<serde_json::Value>(&whole).expect("JSON")["value"] == "a value");
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            ledger.store.put(&key, damaged.into()).await.expect("written");
            assert!(ledger.get::<String>(1).await.is_err(), "bit {bit}");
        }
    }

    #[tokio::test]
    async fn of_two_who_decided_on_the_same_head_one_is_told() {
        let ledger = ledger();
        assert_eq!(ledger.append(0, &"first").await.expect("written"), Append::Done(1));
        assert_eq!(ledger.append(0, &"second").await.expect("refused"), Append::Lost);
        assert_eq!(ledger.get::<String>(1).await.expect("read").as_deref(), Some("first"));
    }
}
