//! Sharing out measured energy where the sensor cannot tell layers apart: by run time alone.
//!
//! Which layers of a network draw more than others is not known before it is measured. What is shared out is the layers'
//! energy; the time outside them has its own.

/// The layers' common power: their mean by time. `mean_ms` are durations.
///
/// ```
/// assert_eq!(align::share::level(&[1.0, 3.0], &[9.0, 5.0]), Some(6.0));
/// assert_eq!(align::share::level(&[0.0], &[9.0]), None);
/// ```
#[must_use]
pub fn level(mean_ms: &[f64], watts: &[f64]) -> Option<f64> {
    let time: f64 = mean_ms.iter().sum();
    let energy: f64 = mean_ms.iter().zip(watts).map(|(ms, watts)| ms * watts).sum();
    (time > 0.0).then(|| energy / time)
}
