//! The agent for a board: found on this machine, and of the board's kind of processor.

use shared::failure::{Failure, Kind};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The agent's name as a program.
const AGENT: &str = "jetson-agent";
/// Folder of `scripts/build-aarch64.sh`, and that of cargo.
const TARGET_FOLDERS: [&str; 2] = ["target-aarch64", "target"];

/// Machines by what `uname -m` calls them, with their number in an ELF header (System V ABI, `e_machine`).
const MACHINES: [(&str, u16); 7] =
    [("aarch64", 183), ("arm64", 183), ("x86_64", 62), ("armv7l", 40), ("armv8l", 40), ("riscv64", 243), ("i686", 3)];

/// A Linux program's machine, by its ELF header.
///
/// # Errors
/// When it cannot be read or is not an ELF program.
fn machine_of(path: &Path) -> Result<u16, Failure> {
    let mut header = [0_u8; 20];
    let mut file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
    let read = file.read_exact(&mut header);
    if read.is_err() || header[..4] != *b"\x7fELF" {
        return Err(Failure::data("is not a Linux program: it has no ELF header").at(path));
    }
    let number = [header[18], header[19]];
    // Byte 5 says in which order bytes stand.
    Ok(if header[5] == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) })
}

fn name_of(machine: u16) -> String {
    let known = MACHINES.iter().find(|(_, number)| *number == machine);
    known.map_or_else(|| format!("machine {machine}"), |(name, _)| (*name).to_owned())
}

/// The agent for a board whose `uname -m` is `board`: as given, else the first that fits of those beside this program and in target
/// folders below `here`, or above this program.
///
/// # Errors
/// When there is none, or what was given is for another machine; each with where to get one.
pub(super) fn find(given: Option<&Path>, board: &str, program: &Path, here: &Path) -> Result<PathBuf, Failure> {
    let wanted = MACHINES.iter().find(|(name, _)| *name == board).map(|(_, number)| *number);
    let get = format!(
        "`scripts/build-aarch64.sh` builds it for boards (docs/agent.md has other ways); --agent FILE names one for {board}"
    );
    let fits = |path: &Path| machine_of(path).map(|machine| (machine, wanted.is_none_or(|wanted| wanted == machine)));
    if let Some(path) = given {
        return match fits(path) {
            Ok((_, true)) => Ok(path.to_owned()),
            Ok((machine, false)) => {
                Err(Failure::data(format!("is a program for {}, and the board is {board}", name_of(machine)))
                    .at(path)
                    .help(get))
            }
            Err(failure) if failure.kind == Kind::Data => Err(failure.help(get)),
            Err(failure) => Err(failure),
        };
    }
    let Some(wanted) = wanted else {
        return Err(Failure::usage(format!("which agent runs on `{board}` is not known")).help("name it with --agent"));
    };
    let mut others = Vec::new();
    for path in candidates(board, program, here) {
        match machine_of(&path) {
            Ok(machine) if machine == wanted => return Ok(path),
            Ok(machine) => others.push(format!("{} is for {}", path.display(), name_of(machine))),
            Err(_) => {}
        }
    }
    let seen = if others.is_empty() { String::new() } else { format!(" ({})", others.join("; ")) };
    Err(Failure::device(format!("there is no {AGENT} for {board} beside this program or in a target folder{seen}"))
        .help(get))
}

/// Where an agent may lie.
fn candidates(board: &str, program: &Path, here: &Path) -> Vec<PathBuf> {
    let mut roots = vec![here.to_owned()];
    roots.extend(program.ancestors().skip(1).map(Path::to_owned));
    let triple = format!("{}-unknown-linux-gnu", if board == "arm64" { "aarch64" } else { board });
    let mut places = vec![program.with_file_name(AGENT)];
    for root in roots {
        for folder in TARGET_FOLDERS {
            for profile in ["release", "debug"] {
                places.push(root.join(folder).join(&triple).join(profile).join(AGENT));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path, machine: u16, big: bool) {
        let mut header = b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00".to_vec();
        header[5] = if big { 2 } else { 1 };
        header.extend(if big { machine.to_be_bytes() } else { machine.to_le_bytes() });
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(path, header).expect("writes");
    }

    #[test]
    fn the_one_for_the_boards_processor_is_taken() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let here = folder.path().join("work");
        let host = folder.path().join("clone/target/release/host-trainer");
        let none = find(None, "aarch64", &host, &here).expect_err("none");
        assert!(none.help.as_deref().is_some_and(|help| help.contains("build-aarch64.sh")), "{none:?}");
        program(&host.with_file_name(AGENT), 62, false);
        assert_eq!(find(None, "x86_64", &host, &here).expect("found"), host.with_file_name(AGENT));
        let wrong = find(None, "aarch64", &host, &here).expect_err("another machine");
        assert!(wrong.message.contains("is for x86_64"), "{wrong}");
        let built = folder.path().join("clone/target-aarch64/aarch64-unknown-linux-gnu/release").join(AGENT);
        program(&built, 183, false);
        assert_eq!(find(None, "aarch64", &host, &here).expect("found"), built);
        assert!(find(None, "sparc", &host, &here).is_err());
    }

    #[test]
    fn what_is_given_is_checked() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("agent");
        let given = |board: &str| find(Some(&path), board, Path::new("/nowhere/host-trainer"), folder.path());
        assert_eq!(given("aarch64").expect_err("absent").kind, Kind::Io);
        std::fs::write(&path, "#!/bin/sh\n").expect("writes");
        assert!(given("aarch64").expect_err("a script").message.contains("ELF"));
        program(&path, 62, false);
        let wrong = given("aarch64").expect_err("another machine");
        assert!(wrong.message.contains("for x86_64, and the board is aarch64"), "{wrong}");
        assert!(given("x86_64").is_ok());
        program(&path, 183, true);
        assert!(given("aarch64").is_ok());
    }
}
