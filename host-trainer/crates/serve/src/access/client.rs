//! Who sent a request.

use std::net::IpAddr;

/// The client of a request, as logs and audit trails name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The token's name; `local` where the server has no tokens, `anybody` on a public route.
    pub(crate) name: String,
    /// The address that the request came from.
    pub(crate) address: IpAddr,
}

impl Client {
    /// The name for an audit trail.
    pub(crate) fn audit_name(&self) -> String {
        format!("{} at {} by host-trainer serve", self.name, self.address)
    }
}
