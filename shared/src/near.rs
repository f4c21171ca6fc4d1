//! Near names for mistyped ones.

/// "; did you mean `x`?" where a known name is near, else the list of known ones.
///
/// ```
/// use shared::near::near;
///
/// assert_eq!(near("kernal_0", &["kernel_0", "stride_0"]), "; did you mean `kernel_0`?");
/// assert_eq!(near("x", &["kernel_0", "stride_0"]), "; known are kernel_0, stride_0");
/// ```
#[must_use]
pub fn near(name: &str, known: &[&str]) -> String {
    let best = known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match best {
        Some(best) if strsim::jaro_winkler(name, best) > 0.8 => format!("; did you mean `{best}`?"),
        _ => format!("; known are {}", known.join(", ")),
    }
}
