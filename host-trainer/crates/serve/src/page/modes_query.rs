//! What a visitor asks for: board, power mode, batches, and a limit.

use super::form_fields::chosen;
use super::layout::query;
use crate::error::ApiError;
use boards::choice::{Goal, Limit};
use learn::what_if::parse_limit;
use serde::Deserialize;

/// The most batches of one request. Each is a prediction of the whole engine.
const MOST_BATCHES: usize = 8;
/// The probability with which a limit has to be met.
pub(super) const PROBABILITY: f64 = 0.9;

/// The query of the page of an engine's power modes. Fields that were left empty are empty.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ModesQuery {
    /// The device, of which the board's modes are shown.
    #[serde(default)]
    pub(super) device: String,
    /// The device that the form was made for: modes of another do not count.
    #[serde(default)]
    pub(super) of: String,
    /// The power mode.
    #[serde(default)]
    pub(super) mode: String,
    /// The mode in which the device was measured, where nothing recorded it.
    #[serde(default)]
    pub(super) own_mode: String,
    /// Batch sizes, separated by commas.
    #[serde(default)]
    pub(super) batch: String,
    /// The longest inference.
    #[serde(default)]
    pub(super) limit: String,
    /// What the choice is the best of.
    #[serde(default)]
    pub(super) goal: String,
    /// The optimisation profile.
    #[serde(default)]
    pub(super) profile: usize,
}

/// A query, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    /// Batch sizes; none for the engine's own.
    pub(super) batches: Vec<u32>,
    /// The limit.
    pub(super) limit: Option<Limit>,
    /// The goal.
    pub(super) goal: Option<Goal>,
}

impl ModesQuery {
    /// The query without what was chosen for another device.
    pub(super) fn for_device(mut self, device: &str) -> Self {
        if !self.of.is_empty() && self.of != device {
            self.mode = String::new();
            self.own_mode = String::new();
        }
        device.clone_into(&mut self.device);
        self
    }

    /// What the fields say.
    ///
    /// # Errors
    /// A field that says nothing of its kind.
    pub(super) fn wish(&self) -> Result<Wish, ApiError> {
        let sizes = self.batch.split([',', ' ', ';']).filter(|size| !size.is_empty());
        let size = |text: &str| text.parse::<u32>().ok().filter(|size| *size > 0);
        let batches: Option<Vec<u32>> = sizes.map(size).collect();
        let batches = batches.filter(|batches| batches.len() <= MOST_BATCHES).ok_or_else(|| {
            ApiError::bad_request(format!("batches are at most {MOST_BATCHES} whole numbers from 1"))
                .place("batch")
                .help("write them as 1, 2, 4, or leave the field empty for the engine's own")
        })?;
        let limit = match self.limit.trim() {
            "" => None,
            text => {
                let latency = parse_limit(text).map_err(|why| ApiError::bad_request(why).place("limit"))?;
                Some(Limit { latency, probability: PROBABILITY })
            }
        };
        Ok(Wish { batches, limit, goal: chosen("goal", &self.goal, &Goal::ALL, Goal::name)? })
    }

    /// A link to the page of an engine with another mode.
    pub(super) fn link(&self, id: &str, mode: &str) -> String {
        let profile = if self.profile > 0 { self.profile.to_string() } else { String::new() };
        let query = query(&[
            ("device", &self.device),
            ("mode", mode),
            ("own_mode", &self.own_mode),
            ("batch", &self.batch),
            ("limit", &self.limit),
            ("goal", &self.goal),
            ("profile", &profile),
        ]);
        format!("/engines/{id}/modes?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_refused_by_name() {
        let of = |batch: &str, limit: &str, goal: &str| {
            let [batch, limit, goal] = [batch, limit, goal].map(str::to_owned);
            ModesQuery { batch, limit, goal, ..ModesQuery::default() }.wish()
        };
        let wish = of("1, 2,4", "20ms", "throughput").expect("read");
        assert_eq!((wish.batches, wish.goal), (vec![1, 2, 4], Some(Goal::Throughput)));
        assert_eq!(wish.limit.map(|limit| (limit.latency.0, limit.probability)), Some((20.0, PROBABILITY)));
        let nothing = of("", " ", "").expect("read");
        assert_eq!(nothing, Wish { batches: Vec::new(), limit: None, goal: None });
        for (batch, limit, place) in
            [("0", "", "batch"), ("1,x", "", "batch"), ("1,2,3,4,5,6,7,8,9", "", "batch"), ("", "soon", "limit")]
        {
            let refused = of(batch, limit, "").expect_err("refused");
            assert_eq!(refused.place.as_deref(), Some(place), "{batch} {limit}");
        }
        assert!(of("", "", "beauty").is_err());
    }

    #[test]
    fn modes_of_another_device_do_not_count() {
        let query = ModesQuery { of: "a".to_owned(), mode: "15W".to_owned(), ..ModesQuery::default() };
        assert_eq!(query.clone().for_device("a").mode, "15W");
        assert_eq!(query.for_device("b").mode, "");
    }
}
