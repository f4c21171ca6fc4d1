//! What a server takes where its user says nothing.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Requests a second from one client beyond loopback.
const REMOTE_RATE: u32 = 200;

/// Requests a second from one client at an address: no limit (0) on loopback, 200 beyond it.
///
/// ```
/// use serve::defaults::default_rate_limit;
///
/// assert_eq!(default_rate_limit("127.0.0.1:8080".parse().unwrap()), 0);
/// assert_eq!(default_rate_limit("0.0.0.0:8080".parse().unwrap()), 200);
/// ```
#[must_use]
pub fn default_rate_limit(listen: SocketAddr) -> u32 {
    if listen.ip().is_loopback() { 0 } else { REMOTE_RATE }
}

/// Threads that predict: one a processor.
#[must_use]
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Where programs keep what outlives them, as the XDG base directory specification has it; none without a home folder.
#[must_use]
pub fn default_state_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("host-trainer"))
}
