//! Which method a run's powers are found by.

use super::evidence::Evidence;
use super::method::Method;
use shared::units::{Micros, Millis};

/// Share of the variance of layers' powers, weighted by time, that a fit has to explain where readings tell apart layers
/// for less than half of the run time.
const EXPLAINED: f64 = 0.25;

/// The method, and why. `identified` is the share of the run time in layers that readings tell apart, none where no power was
/// measured; `explained` the share of the variance of the layers' powers that is left out of their intervals.
pub(crate) fn choose(asked: Method, identified: Option<f64>, explained: f64, found: &Evidence) -> (Method, String) {
    let is_free = matches!(asked, Method::Auto | Method::Totals);
    let Some(identified) = identified else {
        let why = "no power was measured during inferences: layers have run times only";
        return if is_free { (Method::Share, why.into()) } else { (asked, format!("asked for; {why}")) };
    };
    let percent = (identified * 100.0).round();
    if !is_free {
        return (asked, format!("asked for; readings tell layers apart for {percent} % of the run time"));
    }
    if let Some(experiment) = &found.experiment
        && identified >= 0.5
    {
        let why = format!("{experiment} and the readings tell layers apart for {percent} % of the run time");
        return (Method::Deconvolve, why);
    }
    if found.samples == 0 {
        return (Method::Share, "no reading saw whole inferences: energy is shared out by run time".into());
    }
    if identified >= 0.5 {
        return (Method::Deconvolve, format!("readings tell layers apart for {percent} % of the run time"));
    }
    if explained >= EXPLAINED && !found.checks.misfit {
        let explained = (explained * 100.0).round();
        let why = format!(
            "readings tell layers apart for {percent} % of the run time, and {explained} % of how layers differ"
        );
        return (Method::Deconvolve, why);
    }
    let lag = Micros(found.response.lag_us());
    let why = match found.checks.lack_of_fit {
        _ if lag.0 > 5.0 * Micros::from(found.period).0 => {
            format!("the sensor's lag of {:.0} spans many inferences", Millis::from(lag))
        }
        Some(excess) if found.checks.misfit && excess > 2.0 => {
            format!("residuals depend on what ran ({excess:.0} times the noise), so the response is not the sensor's")
        }
        _ if found.checks.misfit => {
            "readings scatter around the fit by more than sensor and stamps explain, so the response is not the sensor's".into()
        }
        _ => format!("readings tell layers apart for {percent} % of the run time only"),
    };
    (Method::Share, format!("{why}: energy is shared out by run time"))
}
