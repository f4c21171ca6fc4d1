//! Which method a run's powers are found by.

use super::evidence::Evidence;
use super::method::Method;
use super::predictability::PREDICTABLE;
use super::survey::Survey;
use shared::units::{Micros, Millis};

/// The method, and why. `identified` is the share of the run time in layers that readings tell apart; none where no power was
/// measured.
pub(crate) fn choose(asked: Method, identified: Option<f64>, found: &Evidence, survey: &Survey) -> (Method, String) {
    let is_free = matches!(asked, Method::Auto | Method::Totals);
    let Some(identified) = identified else {
        let why = "no power was measured during inferences: layers have run times only";
        return if is_free { (Method::Share, why.into()) } else { (asked, format!("asked for; {why}")) };
    };
    let percent = (identified * 100.0).round();
    if !is_free {
        return (asked, format!("asked for; readings tell layers apart for {percent} % of the run time"));
    }
    if found.samples == 0 {
        return (
            Method::Share,
            "no reading saw whole inferences: energy is shared out by run time and activity".into(),
        );
    }
    if identified >= 0.5 {
        return (Method::Deconvolve, format!("readings tell layers apart for {percent} % of the run time"));
    }
    let memory_us = found.response.window_us.max(Micros::from(found.period).0);
    let why = match (survey.sensor.response.lag, found.predicted) {
        (Some(lag), _) if lag.0 > 5.0 * memory_us => {
            format!("the sensor's lag of {:.0} spans many inferences", Millis::from(lag))
        }
        (_, Some(p)) if p < PREDICTABLE => "readings depend too little on which layer ran".into(),
        _ => format!("readings tell layers apart for {percent} % of the run time only"),
    };
    (Method::Share, format!("{why}: energy is shared out by run time and activity"))
}
