//! The operating system's calls that Rust's library does not wrap. `unsafe` stands here, and where a foreign library is
//! opened.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours; the clocks asked for exist on every Linux.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Monotonic time in ns: the clock of every stamp. It neither jumps nor follows the wall clock's corrections at once.
#[must_use]
pub fn monotonic_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Unix time in ns.
#[must_use]
pub fn wall_ns() -> i64 {
    clock(libc::CLOCK_REALTIME) as i64
}

/// CPU time of the whole process in ns.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Unix time minus monotonic time, and the monotonic time at which it was taken. Of several attempts the one that took
/// least, so that a preemption between the two readings does not count.
#[must_use]
pub fn clock_offset() -> (i64, u64) {
    let (mut best, mut least) = ((0, 0), u64::MAX);
    for _ in 0..9 {
        let before = monotonic_ns();
        let wall = wall_ns();
        let after = monotonic_ns();
        if after - before < least {
            least = after - before;
            let middle = before + (after - before) / 2;
            best = (wall - middle as i64, middle);
        }
    }
    best
}

/// Sleeps until a monotonic instant; returns at once if it is past.
pub fn sleep_until(deadline_ns: u64) {
    let time = libc::timespec {
        tv_sec: (deadline_ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (deadline_ns % 1_000_000_000) as _,
    };
    // SAFETY: the pointer is to a timespec of ours, and the remaining time is not asked for.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const time, std::ptr::null_mut()) };
}

/// Asks for real-time scheduling of the calling thread. Whether it was granted: it needs `CAP_SYS_NICE` or a limit.
#[must_use]
pub fn try_realtime() -> bool {
    let parameters = libc::sched_param { sched_priority: 10 };
    // SAFETY: thread 0 is the calling one; the parameters are ours.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) == 0 }
}

/// Makes a write past a file-size limit an error instead of the end of the process.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN is a valid disposition for SIGXFSZ.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// In a child, between fork and exec: its own process group, and an end when its parent ends.
pub fn tie_to_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    let parent = std::process::id();
    let hook = move || {
        // SAFETY: prctl and getppid are async-signal-safe.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have ended before the line above.
            if libc::getppid() as u32 != parent {
                return Err(io::Error::other("the parent has ended"));
            }
        }
        Ok(())
    };
    // SAFETY: the hook calls async-signal-safe functions only and allocates nothing unless it fails.
    unsafe { command.pre_exec(hook) };
}

/// In a child, between fork and exec: its own session, so that Ctrl-C at the terminal does not reach it.
pub fn detach(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        })
    };
}

/// The child that signals are handed on to; 0 if there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// The last signal that came while there was no child; 0 if none did.
static WAITING: AtomicI32 = AtomicI32::new(0);

/// The signals that a wrapper of a command hands on.
const HANDED_ON: [i32; 6] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

extern "C" fn hand_on(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let child = CHILD.load(Ordering::SeqCst);
    if child == 0 {
        WAITING.store(signal, Ordering::SeqCst);
        return;
    }
    // SAFETY: the kernel passes a valid siginfo with SA_SIGINFO.
    let from_terminal = unsafe { (*info).si_code } == libc::SI_KERNEL;
    // A terminal signals the whole foreground group, and the child with it: not twice.
    if !from_terminal {
        // SAFETY: kill is async-signal-safe and takes no memory.
        unsafe { libc::kill(child, signal) };
    }
}

/// Hands signals on to the child that [`set_child`] names instead of ending this process. What comes while there is no
/// child is kept for [`signal_waiting`]. Children can be waited for, also where the parent of this process ignored theirs.
///
/// # Errors
/// System errors.
pub fn hand_signals_on() -> io::Result<()> {
    // SAFETY: SIG_DFL is a valid disposition. An inherited SIG_IGN would have the kernel forget how a child ended.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    for signal in HANDED_ON {
        // SAFETY: all-zero is a valid sigaction (no flags, empty mask), and the handler calls async-signal-safe
        // functions only.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = hand_on as extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Names the child that gets signals, or none. What waited while there was none goes to it.
pub fn set_child(pid: Option<u32>) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
    CHILD.store(pid, Ordering::SeqCst);
    if pid > 0 {
        let waiting = WAITING.swap(0, Ordering::SeqCst);
        if waiting > 0 {
            // SAFETY: no memory is passed.
            unsafe { libc::kill(pid, waiting) };
        }
    }
}

/// The signal that came while there was no child, once.
#[must_use]
pub fn signal_waiting() -> Option<i32> {
    match WAITING.swap(0, Ordering::SeqCst) {
        0 => None,
        signal => Some(signal),
    }
}

/// In a child, between fork and exec: the dispositions that an ordinary program starts with.
pub fn ordinary_signals(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: signal is async-signal-safe, and SIG_DFL is a valid disposition.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
            Ok(())
        })
    };
}

/// How a child ended and what it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it ended, monotonic ns.
    pub at_ns: u64,
    /// CPU time in user mode, ns, with its own children that it waited for.
    pub user_ns: u64,
    /// CPU time in the kernel, ns.
    pub system_ns: u64,
}

/// Waits for a child of this process. `over` runs after its end is known and before its number may be another's.
///
/// # Errors
/// System errors: it is not a child, or was waited for before.
pub fn wait_for(pid: u32, over: impl FnOnce()) -> io::Result<Ended> {
    loop {
        // SAFETY: all-zero is a valid siginfo, which lives as long as the call.
        let waited = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, pid, &raw mut info, libc::WEXITED | libc::WNOWAIT)
        };
        if waited == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let at_ns = monotonic_ns();
    over();
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both pointers are to values of ours; the child has ended, so the call does not wait.
    let usage = unsafe {
        if libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) != pid {
            return Err(io::Error::last_os_error());
        }
        usage.assume_init()
    };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    Ok(Ended {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        at_ns,
        user_ns: ns(usage.ru_utime),
        system_ns: ns(usage.ru_stime),
    })
}

/// Columns and rows of the terminal behind stdout; `None` if it is not one.
#[must_use]
pub fn terminal_size() -> Option<(u16, u16)> {
    // SAFETY: all-zero is a valid winsize, which lives as long as the call.
    let (done, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size), size)
    };
    (done == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// The terminal behind stdin, read key by key and without echo until it is dropped. Ctrl-C works as always; Ctrl-Z is a
/// key like others, so that nobody is left with a screen that was half drawn.
#[derive(Debug)]
pub struct Keys {
    before: libc::termios,
}

impl Keys {
    /// Sets the terminal; `None` if stdin is not one.
    #[must_use]
    pub fn open() -> Option<Self> {
        // SAFETY: all-zero is a valid termios; the calls fill it or refuse.
        unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(libc::STDIN_FILENO, &raw mut before) != 0 {
                return None;
            }
            let mut keys = before;
            keys.c_lflag &= !(libc::ICANON | libc::ECHO);
            keys.c_cc[libc::VMIN] = 0;
            keys.c_cc[libc::VTIME] = 0;
            keys.c_cc[libc::VSUSP] = 0;
            (libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const keys) == 0).then_some(Self { before })
        }
    }

    /// The keys pressed since the last call, without waiting.
    #[must_use]
    pub fn pressed(&self) -> Vec<u8> {
        let mut keys = [0_u8; 64];
        // SAFETY: the buffer is ours and as long as said.
        let read = unsafe { libc::read(libc::STDIN_FILENO, keys.as_mut_ptr().cast(), keys.len()) };
        keys[..usize::try_from(read).unwrap_or(0)].to_vec()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // SAFETY: the settings are those that the terminal had.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const self.before) };
    }
}

/// Sends a signal to a process group.
pub fn signal_group(group: u32, signal: i32) {
    if let Ok(group) = i32::try_from(group)
        && group > 1
    {
        // SAFETY: no memory is passed; a group that has gone is an error we do not need.
        unsafe { libc::kill(-group, signal) };
    }
}

/// Free space for an ordinary user on a path's file system, in bytes.
///
/// # Errors
/// System errors.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    // SAFETY: all-zero is a valid statvfs, and the path is a C string that outlives the call.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut stat) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat.f_bavail as u64 * stat.f_frsize as u64)
    }
}

/// Takes an exclusive lock on an open file, at once or not at all. It ends with the file or the process.
#[must_use]
pub fn try_lock(file: &std::fs::File) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open for as long as `file` lives.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Whether an I/O error says that the device is gone for good rather than busy.
#[must_use]
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO | libc::ENOENT | libc::ESHUTDOWN))
        || error.kind() == io::ErrorKind::BrokenPipe
}

/// A duration in whole ns.
#[must_use]
pub fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_joins_both_clocks() {
        let (offset, at) = clock_offset();
        assert!(at <= monotonic_ns());
        let difference = monotonic_ns() as i64 + offset - wall_ns();
        assert!(difference.abs() < 5_000_000_000, "{difference}");
    }

    #[test]
    fn sleeping_ends_after_the_deadline() {
        let deadline = monotonic_ns() + 2_000_000;
        sleep_until(deadline);
        assert!(monotonic_ns() >= deadline);
        sleep_until(0);
    }
}
