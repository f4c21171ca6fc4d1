//! Snapshots of folders: immutable, content-addressed, on branches.
//!
//! What lies in a store:
//!
//! | objects | named by | hold |
//! |---|---|---|
//! | `packs/ab/abcd…` | the hash of their table of contents | blobs: small files together, [`CHUNK`]-sized pieces of large ones, folders' lists |
//! | `indexes/ab/abcd…` | the hash of their content | tables of contents of packs |
//! | `snapshots/ab/abcd…` | the hash of their content | [`Snapshot`]: message, author, time, parent, the root's list, runs |
//! | `branches/<name>/<n>` | number | a [`Ledger`](crate::Ledger) of [`Moved`]: which snapshots were added, and the indexes that find everything in them |
//! | `tags/<name>/1` | name | a ledger that can have one entry only |
//!
//! Everything but branches and tags is written before the branch moves, so that a push which was cut off is invisible. A
//! table of contents holds the hash of every blob and its name is its own hash: every byte of a pack is covered once.

mod branch;
mod files;
mod gc;
mod index;
mod name;
mod objects;
mod pack;
mod patch;
mod record;
mod tree;
mod verify;

pub use branch::{Moved, Tag, branches, create_tag, heads, ledger, tag, tags};
pub use files::{Change, Conflict, Difference, Files, diff, merge, read_files, tree_of};
pub use gc::{Collected, GRACE_LEAST, collect};
pub use index::{Catalogue, Place, decode_index, encode_index};
pub(crate) use name::clash;
pub use name::{check_link, check_name, check_ref, fold, plain_link};
pub use objects::Objects;
pub use pack::{Kind, PACK_BYTES, Toc, build_pack, parse_pack};
pub(crate) use pack::{PACK_BLOBS, tail as pack_tail};
pub use patch::{Delta, Patched, added, patch};
pub(crate) use record::FORMAT;
pub use record::{Run, Snapshot};
pub use tree::{CHUNK, Item, Node, decode_tree, encode_tree};
pub use verify::{Damage, Verified, verify};
