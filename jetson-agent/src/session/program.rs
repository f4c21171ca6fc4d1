//! Which program measured.

/// The program's name and version, as manifests carry it.
#[must_use]
pub fn program() -> String {
    format!("jetson-agent {}", env!("CARGO_PKG_VERSION"))
}
