//! The two programs.

use shared::failure::Failure;
use std::path::{Path, PathBuf};

/// The two programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// `host-trainer`.
    pub host_trainer: PathBuf,
    /// `jetson-agent`.
    pub jetson_agent: PathBuf,
}

/// The agent: as given, else beside this program, else on the search path.
///
/// # Errors
/// When it is nowhere, with where it comes from.
pub fn find_agent(given: Option<&Path>, host_trainer: &Path) -> Result<PathBuf, Failure> {
    if let Some(path) = given {
        return if path.is_file() { Ok(path.to_owned()) } else { Err(Failure::usage("is not a program").at(path)) };
    }
    let beside = host_trainer.with_file_name("jetson-agent");
    let search = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::iter::once(beside).chain(std::env::split_paths(&search).map(|folder| folder.join("jetson-agent")));
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::device("jetson-agent, whose simulated board the demo records on, is neither beside this program nor on the search path")
            .help("install it, build it with `cargo build --release -p jetson-agent`, or name it with --agent")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_beside_this_program_goes_first() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let here = folder.path().join("host-trainer");
        std::fs::write(folder.path().join("jetson-agent"), "").expect("writes");
        assert_eq!(find_agent(None, &here).expect("found"), folder.path().join("jetson-agent"));
        assert!(find_agent(Some(Path::new("/no/such/agent")), &here).is_err());
    }
}
