//! Blobs, ledgers and snapshots of folders in any object store: a folder, memory, S3, Google Cloud, Azure, HTTP.
//!
//! Everything is built from two operations that each of these has: *put an object whose name is its content's hash* (harmless to
//! repeat) and *create an object unless one of that name exists* (one writer wins). No backend has to update an object in
//! place, so a local folder, which cannot do that conditionally, serves as well as S3.
//!
//! - [`Key`]: the name of an object; cannot leave the store.
//! - [`Store`]: an object store, opened by URL.
//! - [`Digest`]: what a blob is called.
//! - [`Ledger`]: an append-only, numbered log; appending is the compare-and-set of branches and promotions.
//! - [`snapshot`]: folders under version; [`work`]: the folder on this machine that they come from and go to.

#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
mod key;
mod ledger;
mod location;
mod marker;
mod object;
mod progress;
pub mod snapshot;
mod traffic;
pub mod work;

pub use digest::Digest;
pub use error::Error;
pub use key::{Key, KeyError};
pub use ledger::{Append, Entry, Ledger};
pub use marker::MARKER;
pub use object::{Listed, Store};
pub use progress::Progress;
pub use traffic::Traffic;
