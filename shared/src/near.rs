//! Near names for mistyped ones.

/// "; did you mean `x`?" where a known name is near, else the list of known ones.
#[must_use]
pub fn near(name: &str, known: &[&str]) -> String {
    let best = known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match best {
        Some(best) if strsim::jaro_winkler(name, best) > 0.8 => format!("; did you mean `{best}`?"),
        _ => format!("; known are {}", known.join(", ")),
    }
}
