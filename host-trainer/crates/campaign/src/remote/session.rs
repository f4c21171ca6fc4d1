//! The session on the board: a script that runs the agent, holds a lock as long as it does, and leaves a log and an exit code. It needs
//! no connection, and nothing of it stays when it has ended.

use super::ssh::{Input, Ssh, SshError};
use shared::failure::{Failure, Kind};
use shared::shell::quoted;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

/// The script, and its name in the campaign's folder.
const SCRIPT: &str = include_str!("session.sh");
const SCRIPT_NAME: &str = "session.sh";
/// What the board has to have, all of it part of every Debian and Ubuntu.
const TOOLS: &str = "tar sha256sum find flock setsid nohup tail";
/// Longest line of the log that is handed on.
const LINE_BYTES: u64 = 8 << 10;

const PROBE: &str = r#"printf "layerjoule %s\n" "$(uname -sm)"; for t in $2; do command -v "$t" >/dev/null || printf "missing %s\n" "$t"; done; mkdir -p "$1/bin" "$1/plan" && cd "$1" && printf "folder %s\n" "$(pwd -P)""#;
const STATE: &str = r#"cd "$1" 2>/dev/null || { echo absent; exit 0; }; if flock -n session.lock true; then echo idle; else echo running; fi; [ ! -s session.exit ] || printf "exit %s\n" "$(cat session.exit)"; [ ! -f session.log ] || printf "error %s\n" "$(grep "^error: " session.log | tail -n 1)""#;
const TAKE_SCRIPT: &str = r#"cd "$1" && cat >"$2""#;
/// Starts the script and waits until it has begun. With `sudo` in front, where it was asked for.
const START: &str = r#"cd "$1" || exit; shift; flock -n session.lock rm -f session.pid session.exit || exit 75; SUDO sh -c "nohup setsid sh ./session.sh \"\$@\" </dev/null >/dev/null 2>&1 &" session "$@" || exit; n=0; until [ -s session.pid ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n+1)); done; [ -s session.pid ] || { echo "the session did not begin" >&2; exit 1; }"#;
/// The log from a byte on, until the session ends. Waiting for the lock costs the board nothing, unlike asking again and again.
const FOLLOW: &str = r#"cd "$1" || exit; tail -c "+$2" -f session.log & t=$!; flock -s session.lock true; sleep 1; kill $t 2>/dev/null; exit 0"#;
/// Asks the agent to end, as Ctrl-C does.
const STOP: &str = r#"cd "$1" || exit; flock -n session.lock true && exit 0; SUDO kill -TERM "$(cat session.pid)" || flock -n session.lock true"#;
const END: &str = r#"cd "$1" || exit; flock -s -w "$2" session.lock true"#;
/// What a command of the board ends with when another session holds the lock.
const LOCKED: i32 = 75;

/// How root is become on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// Not at all.
    No,
    /// By `sudo`, which asks at this terminal.
    Ask,
    /// By `sudo`, which must not have to ask.
    Quiet,
}

/// A board as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// What `uname -m` calls its processor.
    pub(super) machine: String,
    /// The campaign's folder there, absolute.
    pub(super) folder: String,
}

/// What a session is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It runs.
    Running,
    /// It ended with a code; the last error in its log, if there is one.
    Ended(i32, Option<String>),
    /// None runs, and the last one, if there was one, was cut off.
    CutOff,
    /// The board does not have the folder.
    Absent,
}

/// How following ended.
#[derive(Debug)]
pub(super) enum Followed {
    /// The session has ended.
    Over,
    /// The connection broke.
    Lost(String),
}

/// Looks at the board, and makes the campaign's folder.
///
/// # Errors
/// When it cannot be reached, is not Linux, or lacks a program.
pub(super) fn probe(ssh: &Ssh, folder: &str) -> Result<Probe, Failure> {
    let answer = ssh.answer(PROBE, &[folder, TOOLS], Input::Nothing);
    let answer = answer.map_err(|e| e.failure(ssh.host, "the board cannot be used"))?;
    let unexpected = || {
        Failure::new(Kind::Io, format!("{}: its shell prints more than it was asked for", ssh.host))
            .help("let the login shell's configuration be silent without a terminal")
    };
    let mut lines = answer.lines();
    let system = lines.next().and_then(|line| line.strip_prefix("layerjoule ")).ok_or_else(unexpected)?;
    let machine = system.strip_prefix("Linux ").ok_or_else(|| {
        Failure::device(format!("{} runs {system}, and the agent needs Linux", ssh.host)).help("name a board with --on")
    })?;
    let (mut missing, mut found) = (Vec::new(), None);
    for line in lines {
        match line.split_once(' ') {
            Some(("missing", tool)) => missing.push(tool),
            Some(("folder", folder)) if folder.starts_with('/') => found = Some(folder.to_owned()),
            _ => return Err(unexpected()),
        }
    }
    if !missing.is_empty() {
        let message = format!("{} lacks {}", ssh.host, missing.join(", "));
        return Err(
            Failure::device(message).help("install the packages coreutils, findutils, tar and util-linux there")
        );
    }
    Ok(Probe { machine: machine.to_owned(), folder: found.ok_or_else(unexpected)? })
}

/// What the session in a folder is doing.
///
/// # Errors
/// When the board cannot be reached.
pub(super) fn state(ssh: &Ssh, folder: &str) -> Result<State, SshError> {
    let answer = ssh.answer(STATE, &[folder], Input::Nothing)?;
    let after = |word: &str| answer.lines().find_map(|line| line.strip_prefix(word)).filter(|rest| !rest.is_empty());
    let code = after("exit ").and_then(|code| code.trim().parse().ok());
    Ok(match answer.lines().next() {
        Some("running") => State::Running,
        Some("idle") => {
            code.map_or(State::CutOff, |code| State::Ended(code, after("error error: ").map(str::to_owned)))
        }
        Some("absent") => State::Absent,
        _ => return Err(SshError::Connection(format!("an unexpected answer: {}", answer.trim()))),
    })
}

/// Starts a session; false where another one has begun meanwhile.
///
/// # Errors
/// When it does not begin: no connection, no right to become root, no space.
pub(super) fn start(ssh: &Ssh, folder: &str, options: &[String], root: Root) -> Result<bool, Failure> {
    let sent = ssh.answer(TAKE_SCRIPT, &[folder, SCRIPT_NAME], Input::Bytes(SCRIPT.as_bytes().to_vec()));
    sent.map_err(|e| e.failure(ssh.host, "the session cannot be prepared"))?;
    let arguments: Vec<&str> = std::iter::once(folder).chain(options.iter().map(String::as_str)).collect();
    match as_root(ssh, START, &arguments, root) {
        Ok(()) => Ok(true),
        Err(SshError::Command { code: LOCKED, .. }) => Ok(false),
        Err(error) => Err(explain(error, ssh, "the session cannot be started", root)),
    }
}

/// Asks the session to end and waits until it has; false where it takes longer than `patience`.
///
/// # Errors
/// When the board cannot be reached, or who asks may not end it.
pub(super) fn stop(ssh: &Ssh, folder: &str, root: Root, patience: Duration) -> Result<bool, Failure> {
    as_root(ssh, STOP, &[folder], root).map_err(|e| explain(e, ssh, "the session cannot be ended", root))?;
    match ssh.answer(END, &[folder, &patience.as_secs().max(1).to_string()], Input::Nothing) {
        Ok(_) => Ok(true),
        Err(SshError::Command { code: 1, .. }) => Ok(false),
        Err(error) => Err(error.failure(ssh.host, "the end of the session cannot be waited for")),
    }
}

fn as_root(ssh: &Ssh, script: &str, arguments: &[&str], root: Root) -> Result<(), SshError> {
    let prompt = quoted(&format!("[sudo on {}] password of %p: ", ssh.host));
    let sudo = match root {
        Root::No => String::new(),
        Root::Ask => format!("sudo -p {prompt}"),
        Root::Quiet => "sudo -n".to_owned(),
    };
    let script = script.replace("SUDO", &sudo);
    if root == Root::Ask {
        ssh.ask(&script, arguments)
    } else {
        ssh.answer(&script, arguments, Input::Nothing).map(drop)
    }
}

fn explain(error: SshError, ssh: &Ssh, doing: &str, root: Root) -> Failure {
    let by_sudo = matches!(&error, SshError::Command { said, .. } if said.contains("sudo:"));
    let not_permitted = matches!(&error, SshError::Command { said, .. } if said.contains("not permitted"));
    let failure = error.failure(ssh.host, doing);
    match root {
        Root::Quiet if by_sudo => failure.help(format!(
            "run the command at a terminal, where sudo can ask; or let sudo run without a password on {}",
            ssh.host
        )),
        Root::No if not_permitted => failure.help("it runs as root: add --sudo"),
        _ => failure,
    }
}

/// Hands on the lines of the session's log from a byte on, which moves along, until it ends or the connection breaks.
///
/// # Errors
/// When the user asks for an end.
pub(super) fn follow(ssh: &Ssh, folder: &str, from: &mut u64, line: &mut dyn FnMut(&str)) -> Result<Followed, Failure> {
    let at = (*from + 1).to_string();
    let followed = ssh.exchange(FOLLOW, &[folder, &at], Input::Nothing, |output| {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match output.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes) {
                Ok(0) => return Ok(Some(())),
                Ok(_) => {}
                Err(e) => return Err(Failure::from_error(Kind::Io, e)),
            }
            // A line that was cut off comes again as a whole.
            if bytes.ends_with(b"\n") || bytes.len() as u64 == LINE_BYTES {
                *from += bytes.len() as u64;
                line(String::from_utf8_lossy(&bytes).trim_end());
            }
        }
    });
    match followed {
        Ok(()) => Ok(Followed::Over),
        Err(SshError::Connection(said)) => Ok(Followed::Lost(said)),
        Err(error) => Err(error.failure(ssh.host, "its log cannot be followed")),
    }
}
