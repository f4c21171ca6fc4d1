//! A campaign on a board that `ssh` reaches: the agent and the plan go there, the session runs there by itself, the runs come back.
//!
//! [`BoardRun::measure`] is the whole way and [`BoardRun::stop`] ends a session. Each can be cut off at any moment: what runs on the
//! board does not depend on the connection, and the same call goes on from the state that it finds.
//!
//! | what | module |
//! |---|---|
//! | a command there, and how it failed | `ssh` |
//! | which agent fits the board | `program` |
//! | checksums, files there and back | `files` |
//! | the session on the board | `session` |
//! | the order of all this | `run` |

mod files;
mod program;
mod run;
mod session;
mod ssh;

pub use run::{BoardFault, BoardReport, BoardRun, Said};
pub use ssh::Host;
