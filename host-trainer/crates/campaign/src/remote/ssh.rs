//! A command on another machine, by the system's `ssh`: keys, ports and jump hosts are the matter of the user's own configuration.

use shared::failure::{Failure, Kind, printable};
use shared::shell::quoted;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// Most that is kept of what a command answers, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;
/// Most that is kept of what a command says on stderr, in bytes.
const SAID_BYTES: u64 = 16 << 10;
/// Most of it that an error quotes, in characters.
const QUOTED: usize = 500;
/// What `ssh` ends with when the connection fails.
const NO_CONNECTION: i32 = 255;
/// Between two looks at whether to end, and at whether a command has ended.
const PATIENCE: Duration = Duration::from_millis(100);
const WAIT: Duration = Duration::from_millis(10);
/// How long what a command said is waited for after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes of a command's output in one piece, and pieces that wait to be read.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 16;

/// The name of a machine for `ssh`: `host`, `user@host`, or a name of the user's own `ssh` configuration.
///
/// ```
/// use campaign::remote::Host;
///
/// assert_eq!("me@orin.example.org".parse::<Host>()?.to_string(), "me@orin.example.org");
/// assert!("-oProxyCommand=x".parse::<Host>().is_err() && "me@-oX".parse::<Host>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What begins with a hyphen would be an option of ssh or of what it starts; the rest keeps a shell from reading more than a name.
        let plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-._:[]%".contains(c);
            !part.is_empty() && !part.starts_with('-') && part.chars().all(known)
        };
        if text.split('@').all(plain) && text.matches('@').count() <= 1 {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` does not name a machine: write HOST or USER@HOST"))
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a command on the board failed.
#[derive(Debug)]
pub(super) enum SshError {
    /// The connection was not made, or it broke.
    Connection(String),
    /// The command ended with a code other than 0.
    Command { code: i32, said: String },
    /// The user asked for an end.
    Interrupted,
    /// What failed here.
    Here(Failure),
}

impl SshError {
    /// As a failure: `doing` says what was tried there, such as "the plan cannot be copied".
    pub(super) fn failure(self, host: &Host, doing: &str) -> Failure {
        match self {
            Self::Connection(said) => Failure::new(Kind::Io, format!("{host}: {doing}: {said}")).help(format!(
                "`ssh {host} true` has to work without a question: the host's key is known, and a key or an agent of yours lets you in"
            )),
            Self::Command { code, said } => {
                let said = if said.is_empty() { format!("ended with code {code}") } else { said };
                Failure::new(Kind::Io, format!("{host}: {doing}: {said}")).help("the same command goes on from here")
            }
            Self::Interrupted => {
                Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here")
            }
            Self::Here(failure) => failure,
        }
    }
}

/// What a command reads.
pub(super) enum Input {
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The output of another process.
    Pipe(Stdio),
}

/// What a command prints, read in a thread of its own: whoever reads here notices that the user asks for an end, also while nothing comes.
pub(super) struct Output<'a> {
    pieces: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
    interrupted: &'a AtomicBool,
}

impl<'a> Output<'a> {
    fn of(stdout: Option<ChildStdout>, interrupted: &'a AtomicBool) -> Self {
        let (send, pieces) = sync_channel(PIECES);
        if let Some(mut stdout) = stdout {
            thread::spawn(move || {
                loop {
                    let mut piece = vec![0; PIECE_BYTES];
                    match stdout.read(&mut piece) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => piece.truncate(count),
                    }
                    if send.send(piece).is_err() {
                        return;
                    }
                }
            });
        }
        Self { pieces, piece: Vec::new(), read: 0, interrupted }
    }
}

impl Read for Output<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                // Not `Interrupted`, at which readers try again.
                return Err(io::Error::new(ErrorKind::ConnectionAborted, "interrupted"));
            }
            if self.read < self.piece.len() {
                break;
            }
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => (self.piece, self.read) = (piece, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let count = buffer.len().min(self.piece.len() - self.read);
        buffer[..count].copy_from_slice(&self.piece[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

/// Commands on one machine, until the user asks for an end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ssh<'a> {
    pub(super) host: &'a Host,
    pub(super) interrupted: &'a AtomicBool,
}

impl Ssh<'_> {
    /// Whether the user asked for an end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Runs a script of a POSIX shell there, with arguments, and gives what it prints.
    pub(super) fn answer(&self, script: &str, arguments: &[&str], input: Input) -> Result<String, SshError> {
        self.exchange(script, arguments, input, |output| {
            let mut answer = Vec::new();
            let read = output.take(ANSWER_BYTES).read_to_end(&mut answer);
            read.map_err(|e| Failure::from_error(Kind::Io, e))?;
            Ok(Some(String::from_utf8_lossy(&answer).into_owned()))
        })
    }

    /// Runs a script there and hands over what it prints as it comes. `read` gives `None` where the output ends too early.
    pub(super) fn exchange<T>(
        &self,
        script: &str,
        arguments: &[&str],
        input: Input,
        read: impl FnOnce(&mut Output) -> Result<Option<T>, Failure>,
    ) -> Result<T, SshError> {
        let mut command = self.command(&[], script, arguments);
        let bytes = match input {
            Input::Nothing => {
                command.stdin(Stdio::null());
                None
            }
            Input::Pipe(pipe) => {
                command.stdin(pipe);
                None
            }
            Input::Bytes(bytes) => {
                command.stdin(Stdio::piped());
                Some(bytes)
            }
        };
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(not_started)?;
        // The pipe to another process is with the child now; a copy here would keep that process from seeing its end.
        drop(command);
        if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), bytes) {
            // Whoever ends before it has read all says why on stderr.
            thread::spawn(move || stdin.write_all(&bytes));
        }
        let (tell, told) = channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || tell.send(said(stderr)));
        }
        let mut output = Output::of(child.stdout.take(), self.interrupted);
        let answer = read(&mut output);
        drop(output);
        if answer.is_err() || self.is_interrupted() {
            // One that has ended already is what we want.
            let _ = child.kill();
        }
        let status = self.wait(&mut child).map_err(|e| SshError::Here(Failure::from_error(Kind::Io, e)))?;
        if self.is_interrupted() {
            return Err(SshError::Interrupted);
        }
        let answer = answer.map_err(SshError::Here)?;
        // What a process behind ssh holds open is not waited for.
        self.judge(status, told.recv_timeout(LAST_WORDS).unwrap_or_default())?;
        answer.ok_or_else(|| SshError::Connection("the answer ended too early".into()))
    }

    fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.is_interrupted() {
                child.kill()?;
            }
            thread::sleep(WAIT);
        }
    }

    /// Runs a script there with the terminal of this program, so that what it starts can ask for a password.
    pub(super) fn ask(&self, script: &str, arguments: &[&str]) -> Result<(), SshError> {
        let status = self.command(&["-t"], script, arguments).status().map_err(not_started)?;
        self.judge(status, String::new())
    }

    fn command(&self, options: &[&str], script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]);
        // A board that is gone is noticed within a minute.
        command.args(["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]).args(options);
        command.args(["--", &self.host.0]).arg(remote_command(script, arguments));
        command
    }

    fn judge(&self, status: ExitStatus, said: String) -> Result<(), SshError> {
        if status.success() {
            return Ok(());
        }
        // Ctrl-C at a terminal reaches ssh as well, and its end may be seen before the signal is.
        thread::sleep(PATIENCE);
        match status.code() {
            _ if self.is_interrupted() => Err(SshError::Interrupted),
            Some(NO_CONNECTION) if said.is_empty() => Err(SshError::Connection("the connection failed".into())),
            Some(NO_CONNECTION) => Err(SshError::Connection(said)),
            Some(code) => Err(SshError::Command { code, said }),
            None => Err(SshError::Connection("`ssh` was ended by a signal".into())),
        }
    }
}

fn not_started(error: io::Error) -> SshError {
    let failure = match error.kind() {
        ErrorKind::NotFound => {
            Failure::new(Kind::Io, "there is no program `ssh` here").help("install an ssh client").caused_by(error)
        }
        _ => Failure::new(Kind::Io, format!("`ssh` cannot be run: {error}")).caused_by(error),
    };
    SshError::Here(failure)
}

/// The end of what a command says on stderr, readable.
fn said(mut stderr: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = stderr.by_ref().take(SAID_BYTES).read_to_end(&mut kept);
    // Read on, so that nobody waits for a reader.
    let _ = io::copy(&mut stderr, &mut io::sink());
    // ssh ends its own lines as a terminal in raw mode wants them.
    let text = printable(&String::from_utf8_lossy(&kept).replace('\r', ""));
    let text = text.trim();
    let from = text.char_indices().rev().nth(QUOTED - 1).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}

/// What the login shell over there is given: one call of `sh`, since that shell may be another one.
fn remote_command(script: &str, arguments: &[&str]) -> String {
    let words: Vec<String> = [script, "campaign"].iter().chain(arguments).map(|word| quoted(word)).collect();
    format!("sh -c {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_machines_are_no_options_and_no_scripts() {
        for name in ["board", "me@board", "me@10.0.0.7", "[fe80::1%eth0]", "localhost"] {
            assert!(name.parse::<Host>().is_ok(), "{name}");
        }
        for name in ["", "-lroot", "me@-oX", "a b", "a;b", "a$(x)", "me@you@board", "@board", "me@", "a/b", "ä"] {
            assert!(name.parse::<Host>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_script_and_its_arguments_arrive_as_they_are() {
        let words = ["it's", "$(x)", "a b\"c", "`y`", "", "ü", "-n"];
        let command = remote_command("printf '%s|' \"$@\"", &words);
        let output = Command::new("sh").args(["-c", &command]).output().expect("sh runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), words.join("|") + "|");
    }

    #[test]
    fn only_the_end_of_a_long_complaint_is_quoted() {
        let long = format!("{}\u{1b}[2Jthe end ä", "x".repeat(5_000));
        let said = said(long.as_bytes());
        assert!(said.ends_with("the end ä") && said.chars().count() == QUOTED && !said.contains('\u{1b}'), "{said}");
    }
}
