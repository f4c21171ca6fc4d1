//! The content of a result, and links to its variants.

use super::engine_charts::Cost;
use super::layer_rows::{Order, Sort};
use super::layout::query;
use learn::model::Roofline;
use learn::predict::{Prediction, Totals};
use serde::Deserialize;
use shared::engine::{Diagnostic, Engine};

/// The query of a result.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct EngineQuery {
    /// The device. `None` for the default one.
    pub(super) device: Option<String>,
    /// The optimisation profile.
    #[serde(default)]
    pub(super) profile: usize,
    /// The column that layers are sorted by.
    pub(super) sort: Option<Sort>,
    /// The direction of sorting.
    pub(super) order: Option<Order>,
    /// Only layers that contain this text.
    #[serde(default)]
    pub(super) q: String,
    /// The page of the table, from 1.
    #[serde(default)]
    pub(super) page: usize,
}

/// The content of a result: an engine and its prediction.
#[derive(Debug)]
pub(super) struct EngineView<'a> {
    /// SHA-256 of the file.
    pub(super) id: &'a str,
    /// The name of the uploaded file.
    pub(super) name: &'a str,
    /// The parsed engine.
    pub(super) engine: &'a Engine,
    /// Diagnostics of the parser.
    pub(super) diagnostics: &'a [Diagnostic],
    /// The prediction on the chosen device.
    pub(super) prediction: &'a Prediction,
    /// The chosen device's roofline.
    pub(super) roofline: Option<&'a Roofline>,
    /// Totals on every device, or why there are none.
    pub(super) devices: &'a [(String, Result<Totals, String>)],
    /// The query.
    pub(super) query: &'a EngineQuery,
}

impl EngineView<'_> {
    /// The cost that charts and the table show.
    pub(super) fn cost(&self) -> Cost {
        if self.prediction.totals.energy.at_least().is_some() { Cost::Energy } else { Cost::Runtime }
    }

    /// The column and direction of sorting.
    pub(super) fn sorting(&self) -> (Sort, Order) {
        let default = if self.cost() == Cost::Energy { Sort::Energy } else { Sort::Runtime };
        let sort = self.query.sort.unwrap_or(default);
        (sort, self.query.order.unwrap_or(sort.first()))
    }

    /// Whether any layer has an interval.
    pub(super) fn bounded(&self) -> bool {
        self.prediction.layers.iter().any(|layer| layer.row.runtime_bounds.is_some())
    }

    /// A link to this result on another device, with another sorting, or to another page.
    pub(super) fn link(&self, device: &str, sorting: Option<(Sort, Order)>, page: usize) -> String {
        let (sort, order) = sorting.unzip();
        let profile = if self.query.profile > 0 { self.query.profile.to_string() } else { String::new() };
        let page = if page > 1 { page.to_string() } else { String::new() };
        let query = query(&[
            ("device", device),
            ("profile", &profile),
            ("sort", sort.map_or("", Sort::name)),
            ("order", order.map_or("", Order::name)),
            ("q", &self.query.q),
            ("page", &page),
        ]);
        format!("/engines/{}?{query}", self.id)
    }
}
