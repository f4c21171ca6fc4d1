//! Blobs fetched from packs for a checkout.

use super::plan::NAMED;
use super::writer::Writer;
use crate::object::blob_key;
use crate::snapshot::Toc;
use crate::{Digest, Error, Key, Progress, Store};
use bytes::Bytes;
use shared::failure::{Failure, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The blobs wanted from one pack.
pub(super) struct Wanted<'a> {
    /// The pack's table of contents.
    pub(super) toc: &'a Toc,
    /// The blobs by their start in the pack.
    pub(super) blobs: BTreeMap<u64, WantedBlob>,
}

/// A blob, its bytes in the pack, and the files and pieces that have its content.
pub(super) type WantedBlob = (Digest, Range<u64>, Vec<(usize, usize)>);

/// Fetches blobs from a pack and writes them to their files. The pack and the files that could not be written, if it is
/// damaged.
pub(super) async fn fetch_pack(
    store: &Store,
    id: Digest,
    wanted: Wanted<'_>,
    writer: Arc<Writer>,
    progress: Arc<Progress>,
) -> Result<Option<(Key, Vec<String>)>, Failure> {
    let key = blob_key(&Key::new("packs")?, id)?;
    let bytes: u64 = wanted.blobs.values().map(|(_, range, _)| range.end - range.start).sum();
    let all = |writer: &Writer, wanted: &Wanted<'_>| {
        let mut files: Vec<String> =
            wanted.blobs.values().flat_map(|(_, _, uses)| uses).map(|(file, _)| writer.path(*file)).collect();
        files.sort_unstable();
        files.dedup();
        files
    };
    let parts: Vec<Bytes> = if bytes * 2 >= wanted.toc.data_bytes() {
        match store.get(&key, wanted.toc.pack_bytes()).await {
            Ok(Some(content)) if content.len() as u64 == wanted.toc.pack_bytes() => wanted
                .blobs
                .values()
                .map(|(_, range, _)| content.slice(range.start as usize..range.end as usize))
                .collect(),
            Ok(_) | Err(Error::TooLarge { .. }) => {
                let files = all(&writer, &wanted);
                return Ok(Some((key, files)));
            }
            Err(e) => return Err(e.into()),
        }
    } else {
        let ranges: Vec<Range<u64>> = wanted.blobs.values().map(|(_, range, _)| range.clone()).collect();
        match store.get_ranges(&key, &ranges).await {
            Ok(parts) => parts,
            Err(Error::Missing { .. } | Error::Content { .. }) => {
                let files = all(&writer, &wanted);
                return Ok(Some((key, files)));
            }
            Err(e) => return Err(e.into()),
        }
    };
    let blobs: Vec<_> = wanted.blobs.into_values().collect();
    let work = tokio::task::spawn_blocking(move || -> Result<Vec<String>, Failure> {
        let mut bad = BTreeSet::new();
        for ((digest, _, uses), part) in blobs.iter().zip(parts) {
            let whole = Digest::of(&part) == *digest;
            for (file, piece) in uses {
                if whole {
                    writer.piece(*file, *piece, &part)?;
                    progress.done(part.len() as u64);
                } else {
                    bad.insert(writer.path(*file));
                }
            }
        }
        Ok(bad.into_iter().collect())
    });
    let bad = work.await.map_err(|e| Failure::from_error(Kind::Data, e))??;
    Ok(if bad.is_empty() { None } else { Some((key, bad)) })
}

/// The error that names damaged packs and the files that were not written.
pub(super) fn damage(damaged: &[(Key, Vec<String>)]) -> Failure {
    let named = damaged.iter().take(NAMED).map(|(key, files)| {
        let shown = files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = files.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("\n  {key}: {shown}{more}")
    });
    Failure::data(format!("{} objects of the store are damaged; these files were not written:{}", damaged.len(), named.collect::<String>()))
        .help("`data verify` shows everything that is damaged; restore those objects from another copy and run the same command again")
}
