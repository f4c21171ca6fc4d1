//! A terminal that a test holds the other end of.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A process on a terminal of its own.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    keyboard: File,
    /// Kept open, so that its settings can be looked at after the process has ended.
    line: OwnedFd,
    before: libc::termios,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

fn settings(line: &OwnedFd) -> libc::termios {
    // SAFETY: all-zero is a valid termios, which the call fills.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(line.as_raw_fd(), &raw mut settings), 0);
        settings
    }
}

impl Terminal {
    /// Starts a command as the foreground process of a new terminal.
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut master, mut slave) = (0, 0);
        // SAFETY: the pointers are to values of ours; name and settings are not asked for.
        let opened = unsafe {
            libc::openpty(&raw mut master, &raw mut slave, std::ptr::null_mut(), std::ptr::null(), &raw const size)
        };
        assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
        // SAFETY: both descriptors are new and nobody else's.
        let (keyboard, line) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let before = settings(&line);
        command.stdin(line.try_clone().expect("clones"));
        command.stdout(line.try_clone().expect("clones")).stderr(line.try_clone().expect("clones"));
        // SAFETY: both calls are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("starts");
        // Copies in the command would keep the line open.
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (shown, mut master) = (Arc::clone(&screen), keyboard.try_clone().expect("clones"));
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            // The end of a terminal is an error on Linux.
            while let Ok(read) = master.read(&mut part) {
                let mut shown = shown.lock().expect("not poisoned");
                shown.extend_from_slice(&part[..read]);
                if read == 0 || shown.ends_with(END) {
                    break;
                }
            }
        });
        Self { child, keyboard, line, before, screen, reader }
    }

    /// Everything written so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("not poisoned")).into_owned()
    }

    /// Waits until something was written.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let began = Instant::now();
        while !self.shown().contains(text) {
            let ended = self.child.try_wait().expect("waits");
            assert!(ended.is_none(), "it ended before `{text}`: {}", self.shown());
            assert!(began.elapsed() < Duration::from_secs(120), "no `{text}`: {}", self.shown());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("writes");
    }

    /// Waits for the process's end: its exit code, everything that it wrote, and whether the terminal is set as before.
    pub(crate) fn finish(mut self) -> (Option<i32>, String, bool) {
        let code = self.child.wait().expect("waits").code();
        let after = settings(&self.line);
        // A mark of our own ends what is read, whoever still holds the line.
        File::from(self.line).write_all(END).expect("writes");
        self.reader.join().expect("reads");
        let screen = self.screen.lock().expect("not poisoned");
        let output = String::from_utf8_lossy(&screen[..screen.len() - END.len()]).into_owned();
        let same = after.c_lflag == self.before.c_lflag
            && after.c_iflag == self.before.c_iflag
            && after.c_oflag == self.before.c_oflag
            && after.c_cc == self.before.c_cc;
        (code, output, same)
    }
}

/// What ends the reading of a terminal.
const END: &[u8] = b"[end of the test]";
