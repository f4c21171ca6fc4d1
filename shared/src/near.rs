//! Near names for mistyped ones.

use std::path::Path;

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

/// Entries of a folder that are looked at for a near name.
const LOOKED_AT: usize = 10_000;

/// The path that a mistyped one may mean: its first part that is not there, replaced by a near name of the same folder. `None` where
/// nothing is near.
///
/// ```
/// use shared::near::near_path;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::create_dir(folder.path().join("raw_data"))?;
/// let near = near_path(&folder.path().join("raw_dta/resnet18"));
/// assert_eq!(near, Some(folder.path().join("raw_data/resnet18").display().to_string()));
/// assert_eq!(near_path(&folder.path().join("models")), None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn near_path(path: &Path) -> Option<String> {
    let missing = path.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).last()?;
    let name = missing.file_name()?.to_str()?;
    let folder = missing.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.flatten().take(LOOKED_AT);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let (best, likeness) = names
        .map(|found| {
            let likeness = strsim::jaro_winkler(name, &found);
            (found, likeness)
        })
        .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?;
    if likeness <= 0.88 {
        return None;
    }
    let rest = path.strip_prefix(missing).ok()?;
    let near = missing.with_file_name(best);
    Some(if rest.as_os_str().is_empty() { near } else { near.join(rest) }.display().to_string())
}
