//! The response that was found, and how sure its family is.

use super::families::{FamilySource, candidates, same_kind};
use super::nuisance::Varied;
use super::response::FittedResponse;
use super::survey::SensorReport;
use shared::sensor::SensorFamily;

/// Log likelihood by which the best family leads the next one where the choice is clear: e⁴ where 25 neighbouring readings, which
/// what is left of the load makes alike, count as one.
const LEAD: f64 = 100.0;
/// Part of its turn that a window lasts from which on it is like a meter.
const LIKE_A_METER: f64 = 0.6;

/// The response that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The response.
    pub(crate) response: FittedResponse,
    /// What varies in the fit.
    pub(crate) varied: Vec<Varied>,
    /// Weight of the running mean over readings that were taken back to their conversions.
    pub(crate) memory: f64,
    /// Where the family comes from.
    pub(crate) source: FamilySource,
    /// The families compared: each with its log likelihood on held-out readings less the best one's.
    pub(crate) compared: Vec<(SensorFamily, f64)>,
    /// Powers under other responses that fit as well, less those under this one, in watts.
    pub(crate) others: Vec<Vec<f64>>,
}

impl Found {
    /// The response that a sensor should have, without a search.
    pub(crate) fn unsearched(sensor: &SensorReport) -> Self {
        let (families, source) = candidates(sensor);
        Self::fixed(families[0], source)
    }

    /// Whether the family is known, or was chosen by so far that neither another one nor another place of its own comes into question.
    /// A window almost as long as its turn shows what a meter shows.
    pub(crate) fn is_clear(&self) -> bool {
        let like_a_meter = |family| match family {
            SensorFamily::Window { refresh, window } => window > refresh * LIKE_A_METER,
            family => matches!(family, SensorFamily::Meter { .. }),
        };
        let own = self.response.family;
        let same = |family| same_kind(family, own) || like_a_meter(family) && like_a_meter(own);
        let mut rivals = self.compared.iter().filter(|c| !same(c.0));
        self.source.is_known() || self.others.is_empty() && rivals.all(|rival| rival.1 < -LEAD)
    }

    /// A family's response as it is.
    pub(crate) fn fixed(family: SensorFamily, source: FamilySource) -> Self {
        Self {
            response: FittedResponse { gap_us: 0.0, ..FittedResponse::of(family) },
            varied: Vec::new(),
            memory: 0.0,
            source,
            compared: vec![(family, 0.0)],
            others: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::units::Micros;

    const US: fn(f64) -> Micros = Micros;

    /// What was found of some families and how far each is behind the first.
    fn found(compared: &[(SensorFamily, f64)]) -> Found {
        Found { compared: compared.to_vec(), ..Found::fixed(compared[0].0, FamilySource::Data) }
    }

    #[test]
    fn a_rival_close_by_makes_a_choice_unclear() {
        let own = SensorFamily::Recursive { samples: 4, conversion: US(140.0), cycle: US(840.0) };
        let rival = SensorFamily::Window { refresh: US(840.0), window: US(280.0) };
        assert!(found(&[(own, 0.0), (rival, -500.0)]).is_clear());
        assert!(!found(&[(own, 0.0), (rival, -30.0)]).is_clear());
        let elsewhere = Found { others: vec![vec![0.1]], ..found(&[(own, 0.0), (rival, -500.0)]) };
        assert!(!elsewhere.is_clear());
        let known = Found { source: FamilySource::Manifest, ..found(&[(own, 0.0), (rival, -30.0)]) };
        assert!(known.is_clear());
    }

    #[test]
    fn a_window_almost_without_gaps_is_no_rival_of_a_meter() {
        let meter = SensorFamily::Meter { period: US(50.0) };
        let window = |us| SensorFamily::Window { refresh: US(50.0), window: US(us) };
        assert!(found(&[(meter, 0.0), (window(45.0), -1.0)]).is_clear());
        assert!(!found(&[(meter, 0.0), (window(20.0), -1.0)]).is_clear());
    }
}
