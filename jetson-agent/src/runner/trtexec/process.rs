//! A child process under watch: time-out, an end on request, its output kept.

use crate::sys;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Longest line passed on; the rest of it is cut.
const LINE_BYTES: u64 = 8 << 10;
/// Most output kept on disk.
const LOG_BYTES: u64 = 64 << 20;
/// Lines remembered for an error message.
const TAIL: usize = 12;
/// From asking a process to end to ending it.
const GRACE_NS: u64 = 3_000_000_000;

/// How a child failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessError {
    /// It could not be started.
    Start(String),
    /// It ran past its time and was ended.
    TimedOut(Duration),
    /// It was ended because the session was.
    Stopped,
    /// It ended with a code other than 0, or by a signal.
    Failed {
        /// "ended with code 1", "was killed by signal 11".
        status: String,
        /// Lines marked as errors.
        errors: Vec<String>,
        /// The last lines.
        tail: Vec<String>,
    },
}

/// Runs a child to its end. Each line of its output is passed on with the monotonic time of its arrival and, with a
/// `log`, kept. The child is a process group of its own and ends when we end, however that comes about.
///
/// # Errors
/// [`ProcessError`].
pub fn run_child(
    command: &mut Command,
    log: Option<&Path>,
    timeout: Duration,
    stop: &AtomicBool,
    on_line: &mut dyn FnMut(&str, u64),
) -> Result<(), ProcessError> {
    let start = |e: std::io::Error| ProcessError::Start(e.to_string());
    let mut log = match log {
        Some(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(start)?;
            }
            Some(File::create(path).map_err(start)?)
        }
        None => None,
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::tie_to_parent(command);
    let mut child = command.spawn().map_err(start)?;
    let (sender, lines) = channel();
    read_lines(child.stdout.take(), sender.clone());
    read_lines(child.stderr.take(), sender);
    let deadline = sys::monotonic_ns().saturating_add(sys::ns(timeout));
    let (mut errors, mut tail, mut kept) = (Vec::new(), Vec::new(), 0_u64);
    let mut take = |line: String, t_ns: u64| {
        if let Some(file) = &mut log
            && kept < LOG_BYTES
        {
            kept += line.len() as u64 + 1;
            // A full disk costs the child's log, not the measurement; the sample log's writer reports it.
            let _ = writeln!(file, "{line}");
        }
        on_line(&line, t_ns);
        if line.contains("[E]") || line.contains("[F]") {
            errors.push(line.clone());
            errors.truncate(64);
        }
        if tail.len() == TAIL {
            tail.remove(0);
        }
        tail.push(line);
    };
    let status = loop {
        match lines.recv_timeout(Duration::from_millis(20)) {
            Ok((line, t_ns)) => take(line, t_ns),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => sys::sleep_until(sys::monotonic_ns() + 5_000_000),
        }
        if let Some(status) = child.try_wait().map_err(start)? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            end(&mut child);
            return Err(ProcessError::Stopped);
        }
        if sys::monotonic_ns() > deadline {
            end(&mut child);
            return Err(ProcessError::TimedOut(timeout));
        }
    };
    // Its last lines may still be under way; a grandchild that holds the pipe open is not waited for.
    let last = sys::monotonic_ns() + 1_000_000_000;
    while let Ok((line, t_ns)) = lines.recv_timeout(Duration::from_nanos(last.saturating_sub(sys::monotonic_ns()))) {
        take(line, t_ns);
    }
    if status.success() { Ok(()) } else { Err(ProcessError::Failed { status: describe(status), errors, tail }) }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// Asks the child's group to end, and ends it when it does not.
fn end(child: &mut Child) {
    sys::signal_group(child.id(), libc::SIGTERM);
    let deadline = sys::monotonic_ns() + GRACE_NS;
    while sys::monotonic_ns() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        sys::sleep_until(sys::monotonic_ns() + 20_000_000);
    }
    sys::signal_group(child.id(), libc::SIGKILL);
    // Reaped, so that its number is not taken over while we still hold it.
    let _ = child.wait();
}

fn read_lines(pipe: Option<impl Read + Send + 'static>, lines: Sender<(String, u64)>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if lines.send((text, sys::monotonic_ns())).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_kept_and_a_code_explained() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let log = folder.path().join("a/b.log");
        let mut lines = Vec::new();
        let never = AtomicBool::new(false);
        let result = run_child(
            &mut shell("echo one; echo '[E] two' >&2; exit 3"),
            Some(&log),
            Duration::from_secs(60),
            &never,
            &mut |line, _| lines.push(line.to_owned()),
        );
        let Err(ProcessError::Failed { status, errors, .. }) = result else { panic!("{result:?}") };
        assert_eq!((status.as_str(), errors.as_slice()), ("ended with code 3", ["[E] two".to_owned()].as_slice()));
        lines.sort();
        assert_eq!(lines, ["[E] two", "one"]);
        assert_eq!(std::fs::read_to_string(log).expect("reads").lines().count(), 2);
    }

    #[test]
    fn a_hanging_child_is_ended_with_its_children() {
        let never = AtomicBool::new(false);
        let mut grandchild = 0;
        let result = run_child(
            &mut shell("trap '' TERM; sleep 1000 & echo $!; wait"),
            None,
            Duration::from_millis(300),
            &never,
            &mut |line, _| grandchild = line.parse().unwrap_or(0),
        );
        assert_eq!(result, Err(ProcessError::TimedOut(Duration::from_millis(300))));
        assert!(grandchild > 0);
        // Dead, or a zombie until the reaper of orphans takes it. The signal takes effect when the kernel gets to it.
        let ended = || {
            let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
        };
        for _ in 0..1_000 {
            if ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{grandchild} is still there");
    }

    #[test]
    fn a_request_ends_it() {
        let now = AtomicBool::new(true);
        let result = run_child(&mut shell("sleep 1000"), None, Duration::from_secs(60), &now, &mut |_, _| {});
        assert_eq!(result, Err(ProcessError::Stopped));
        assert!(matches!(
            run_child(&mut Command::new("/nonexistent"), None, Duration::from_secs(1), &now, &mut |_, _| {}),
            Err(ProcessError::Start(_))
        ));
    }
}
