//! Figures as people read them, in tables, pages and reports alike. Files for programs have all digits instead, and nothing where a
//! figure is unknown.

/// What stands where a figure is unknown.
pub const UNKNOWN: &str = "–";

/// A figure with a number of decimals. One that is not finite is unknown.
///
/// ```
/// use shared::figures::figure;
///
/// assert_eq!(figure(Some(4.256), 1), "4.3");
/// assert_eq!(figure(None, 1), "–");
/// assert_eq!(figure(Some(f64::NAN), 1), "–");
/// ```
#[must_use]
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    known(value.filter(|value| value.is_finite()), |value| format!("{value:.decimals$}"))
}

/// A difference with its sign and a number of decimals. One that is not finite is unknown.
///
/// ```
/// use shared::figures::change;
///
/// assert_eq!((change(Some(0.25), 2), change(Some(-3.0), 0), change(None, 2)), ("+0.25".into(), "-3".into(), "–".into()));
/// ```
#[must_use]
pub fn change(value: Option<f64>, decimals: usize) -> String {
    known(value.filter(|value| value.is_finite()), |value| format!("{value:+.decimals$}"))
}

/// A share in percent with its unit and a number of decimals.
///
/// ```
/// use shared::figures::percent;
///
/// assert_eq!((percent(Some(93.04), 1), percent(None, 1)), ("93.0 %".into(), "–".into()));
/// ```
#[must_use]
pub fn percent(value: Option<f64>, decimals: usize) -> String {
    known(value.filter(|value| value.is_finite()), |value| format!("{value:.decimals$} %"))
}

/// A time in seconds, in the unit that fits it.
///
/// ```
/// use shared::figures::duration;
///
/// assert_eq!((duration(Some(90.0)), duration(Some(720.0)), duration(Some(12_240.0))), ("90 s".into(), "12 min".into(), "3.4 h".into()));
/// assert_eq!(duration(None), "–");
/// ```
#[must_use]
pub fn duration(seconds: Option<f64>) -> String {
    known(seconds, |seconds| match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    })
}

/// A value as `text` writes it, if it is known.
///
/// ```
/// use shared::figures::known;
///
/// assert_eq!(known(Some(8), |batch| format!("batch {batch}")), "batch 8");
/// assert_eq!(known(None::<u32>, |batch| batch.to_string()), "–");
/// ```
#[must_use]
pub fn known<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}
