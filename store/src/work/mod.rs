//! A folder under version on this machine.
//!
//! Beside the data lies `.edge/`:
//!
//! | path | holds |
//! |---|---|
//! | `config.json` | the store's URL and the folder of the snapshots that this folder stands for |
//! | `state.json` | the branch, where branches are here and where they were last seen in the store, what waits to be pushed |
//! | `stat` | size, times and hashes of files when they were last read, so that what has not changed is not read again |
//! | `staged/` | packs and snapshots that were committed and not yet pushed |
//! | `cache/` | immutable objects of the store, checked whenever they are read |
//! | `staging/` | files that are being fetched |
//!
//! A commit is whole once `state.json` names it; a branch of the store has moved once its ledger has the entry. Whatever was
//! written before and is named by neither is thrown away or sent again.

mod checkout;
mod commit;
mod copy;
mod download;
mod fetch;
mod hashing;
mod history;
mod packer;
mod plan;
mod pull;
mod push;
mod scan;
mod stamp;
mod stat;
mod state;
mod status;
mod writer;

pub use crate::progress::Progress;
pub use checkout::Written;
pub use commit::CommitOptions;
pub use copy::WorkingCopy;
pub use pull::Pulled;
pub use push::Pushed;
pub use state::{Config, FOLDER, RemoteHead, State};
pub use status::Status;
