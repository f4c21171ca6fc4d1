//! The operating system's calls that Rust's library does not wrap. `unsafe` stands here, and where a foreign library is
//! opened.

use std::io;
use std::path::Path;
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
