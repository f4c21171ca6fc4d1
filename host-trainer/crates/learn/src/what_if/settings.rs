//! What to predict for: modes, clocks, batches, number formats.

use super::anchors::Anchors;
use boards::modes::{KnownMode, plain_mode};
use boards::time_law::ClockPair;
use shared::engine::Precision;
use shared::failure::Failure;
use shared::near::near;
use shared::units::Millis;

/// Clocks to predict for, and the mode that they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Clocking {
    /// The mode's name; none for clocks that were given.
    pub mode: Option<String>,
    /// The mode's watts; no law here models what the firmware does to keep to them.
    pub watts: Option<f64>,
    /// The clocks.
    pub clocks: ClockPair,
}

/// One setting of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Clocks.
    pub clocking: Clocking,
    /// Batch size; none for the engine's own.
    pub batch: Option<u32>,
    /// Number format; none for the engine's own.
    pub precision: Option<Precision>,
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct SettingOptions {
    /// Modes by name, or `all`; empty for the mode of the device itself.
    pub modes: Vec<String>,
    /// The GPU's clock, MHz, in place of the mode's.
    pub gpu_mhz: Option<f64>,
    /// The memory's clock, MHz, in place of the mode's.
    pub emc_mhz: Option<f64>,
    /// Batch sizes; empty for the engine's own.
    pub batches: Vec<u32>,
    /// Number formats; empty for the engine's own.
    pub precisions: Vec<Precision>,
}

/// The clocks that were asked for. Modes whose clocks are not known are left out of `all`, and refused by name.
///
/// # Errors
/// A mode that is not known, or of which a clock is not known; a clock that is not positive.
pub fn clockings(anchors: &Anchors, options: &SettingOptions) -> Result<Vec<Clocking>, Failure> {
    for (option, clock) in [("--gpu-mhz", options.gpu_mhz), ("--emc-mhz", options.emc_mhz)] {
        if clock.is_some_and(|mhz| !(mhz.is_finite() && mhz > 0.0)) {
            return Err(Failure::usage(format!("{option} is not a clock in MHz")));
        }
    }
    let modes = anchors.modes();
    let clocking = |mode: &KnownMode| {
        let (gpu_mhz, emc_mhz) = (mode.clocks.gpu_mhz?, mode.clocks.emc_mhz?);
        let clocks = ClockPair { gpu_mhz, emc_mhz, gpu_share: mode.gpu_share.unwrap_or(1.0) };
        Some(Clocking { mode: Some(mode.name.clone()), watts: mode.watts, clocks })
    };
    let mut found = Vec::new();
    for wanted in &options.modes {
        if wanted.eq_ignore_ascii_case("all") {
            found.extend(modes.iter().filter_map(clocking));
            continue;
        }
        let names: Vec<&str> = modes.iter().map(|mode| mode.name.as_str()).collect();
        // MAXN is MAXN_SUPER where a board has no other.
        let plain = plain_mode(wanted);
        let exact = modes.iter().find(|mode| plain_mode(&mode.name) == plain);
        let begins = modes.iter().find(|mode| plain_mode(&mode.name).starts_with(&format!("{plain}_")));
        let mode = exact.or(begins).ok_or_else(|| {
            let known = if names.is_empty() { "; none is known by name".to_owned() } else { near(wanted, &names) };
            Failure::usage(format!("{} has no power mode {wanted}{known}", anchors.board))
                .help("give its clocks by --gpu-mhz and --emc-mhz")
        })?;
        found.push(clocking(mode).ok_or_else(|| {
            Failure::usage(format!("the clocks of {} in {wanted} are not known", anchors.board))
                .help("give them by --gpu-mhz and --emc-mhz")
        })?);
    }
    if found.is_empty() {
        let own = &anchors.all[0];
        found.push(Clocking { mode: own.mode.clone(), watts: None, clocks: own.clocks });
    }
    for clocking in &mut found {
        let before = clocking.clocks;
        clocking.clocks.gpu_mhz = options.gpu_mhz.unwrap_or(before.gpu_mhz);
        clocking.clocks.emc_mhz = options.emc_mhz.unwrap_or(before.emc_mhz);
        if clocking.clocks != before {
            clocking.mode = None;
            clocking.watts = None;
        }
    }
    let mut distinct: Vec<Clocking> = Vec::new();
    for clocking in found {
        if !distinct.contains(&clocking) {
            distinct.push(clocking);
        }
    }
    Ok(distinct)
}

/// Every combination of clocks, batches and number formats that was asked for.
///
/// # Errors
/// See [`clockings`].
pub fn settings(anchors: &Anchors, options: &SettingOptions) -> Result<Vec<Setting>, Failure> {
    let one_or =
        |batches: &[u32]| if batches.is_empty() { vec![None] } else { batches.iter().copied().map(Some).collect() };
    let precisions: Vec<Option<Precision>> = match options.precisions.as_slice() {
        [] => vec![None],
        several => several.iter().copied().map(Some).collect(),
    };
    let mut all = Vec::new();
    for clocking in clockings(anchors, options)? {
        for batch in one_or(&options.batches) {
            for precision in &precisions {
                all.push(Setting { clocking: clocking.clone(), batch, precision: *precision });
            }
        }
    }
    Ok(all)
}

/// A limit of time: `20ms`, `0.5 s`, `800us`; milliseconds without a unit.
///
/// ```
/// use learn::what_if::parse_limit;
///
/// assert_eq!(parse_limit("20ms").map(|t| t.0), Ok(20.0));
/// assert_eq!(parse_limit("0.5 s").map(|t| t.0), Ok(500.0));
/// assert_eq!(parse_limit("800us").map(|t| t.0), Ok(0.8));
/// assert!(parse_limit("soon").is_err() && parse_limit("-1ms").is_err() && parse_limit("0").is_err());
/// ```
///
/// # Errors
/// A sentence, for what is no positive time.
pub fn parse_limit(text: &str) -> Result<Millis, String> {
    let text = text.trim();
    let units = [("ms", 1.0), ("us", 1e-3), ("µs", 1e-3), ("s", 1e3)];
    let (number, factor) =
        units.into_iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor))).unwrap_or((text, 1.0));
    let value: f64 = number.trim().parse().map_err(|_| format!("`{text}` is not a time such as 20ms"))?;
    if value.is_finite() && value > 0.0 {
        Ok(Millis(value * factor))
    } else {
        Err(format!("`{text}` is not a positive time"))
    }
}
