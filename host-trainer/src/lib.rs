//! The command line of `host-trainer`: one module a command, each with the command's arguments and the function that
//! runs it. What the commands do lies in the crates below `host-trainer/crates`, which know nothing of a terminal.

pub mod cli;
mod output;
