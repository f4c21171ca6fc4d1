//! Losses by epoch of what is trained so.

use charts::{Axis, Plot, Point};

/// Networks of an ensemble whose losses are drawn.
const SHOWN: usize = 2;

/// How the training of one network went, in points of epoch and loss.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    pub(super) training: Vec<Point>,
    pub(super) validation: Vec<Point>,
    /// The epoch whose weights were kept, where it is known.
    pub(super) best_epoch: Option<u64>,
}

/// A chart of the networks that are averaged; none where no loss is known.
pub(super) fn plot(id: &str, title: &str, networks: &[Losses]) -> Option<Plot> {
    let mut plot = Plot::new(
        id,
        title,
        "Loss by epoch on training rows and on validation rows",
        Axis::linear("epoch"),
        Axis::log("loss"),
    );
    let mut drawn = false;
    for (number, network) in networks.iter().enumerate().take(SHOWN) {
        let which = if networks.len() > 1 { format!(", network {}", number + 1) } else { String::new() };
        for (name, points) in [("training", &network.training), ("validation", &network.validation)] {
            if !points.is_empty() {
                plot = plot.line(&format!("{name}{which}"), points.clone(), false);
                drawn = true;
            }
        }
    }
    if let Some(best) = networks.first().and_then(|network| network.best_epoch) {
        let first = if networks.len() > 1 { " of the first network" } else { "" };
        plot = plot.note(format!("Epoch {best}{first} was the best; its weights were kept."));
    }
    if networks.len() > SHOWN {
        plot = plot.note(format!("Shown are {SHOWN} of the {} networks that are averaged.", networks.len()));
    }
    drawn.then_some(plot)
}
