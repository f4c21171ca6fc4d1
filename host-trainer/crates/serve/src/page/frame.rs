//! The frame of a page for a client: the deployed models and the visitor.

use super::layout::{Frame, Visitor};
use crate::access::Client;
use crate::app::App;

/// The frame of a page for a client.
pub(super) fn frame(app: &App, client: &Client) -> Frame {
    let deployed =
        app.models.current().devices.iter().map(|(name, models)| (name.clone(), models.digest.clone())).collect();
    Frame { deployed, visitor: visitor(client) }
}

fn visitor(client: &Client) -> Visitor {
    match client.name.as_str() {
        "local" => Visitor::Local,
        "anybody" => Visitor::Stranger,
        name => Visitor::Known(name.to_owned()),
    }
}
