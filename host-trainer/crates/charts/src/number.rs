//! Numbers as a chart's reader wants them: short, and at a glance.

/// Magnitudes above this are not drawn. No measurement comes near.
pub(super) const LARGEST: f64 = 1e100;
/// Magnitudes below this count as zero.
const SMALLEST: f64 = 1e-100;

/// A number that can be drawn: finite and within [`LARGEST`]. Numbers below [`SMALLEST`] become zero.
pub(super) fn drawable(value: f64) -> Option<f64> {
    let magnitude = value.abs();
    if !value.is_finite() || magnitude > LARGEST {
        return None;
    }
    Some(if magnitude < SMALLEST { 0.0 } else { value })
}

/// A number with three significant digits or so, thousands apart, and an SI prefix from a hundred thousand on:
/// `0.0123`, `4.5`, `1,250`, `3.2 M`. Below 10⁻⁴ it has a power of ten. NaN and infinity become a dash.
///
/// ```
/// assert_eq!(charts::number(1_250.0), "1,250");
/// assert_eq!(charts::number(3_210_000.0), "3.21 M");
/// assert_eq!(charts::number(f64::NAN), "–");
/// ```
#[must_use]
pub fn number(value: f64) -> String {
    let Some(value) = drawable(value) else { return "–".to_owned() };
    with_digits(value, 3)
}

/// A share given in percent, with its sign: `9.3 %`.
#[must_use]
pub fn percent(value: f64) -> String {
    format!("{} %", number(value))
}

fn with_digits(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    if (-4..5).contains(&exponent) {
        let decimals = (digits - 1 - exponent).clamp(0, 8);
        return trimmed(value, decimals as usize);
    }
    const PREFIXES: [(i32, &str); 5] = [(3, "k"), (6, "M"), (9, "G"), (12, "T"), (15, "P")];
    match PREFIXES.iter().rev().find(|(power, _)| exponent >= *power) {
        Some((power, prefix)) if exponent < 18 => {
            let scaled = value / 10f64.powi(*power);
            let decimals = (digits - 1 - (exponent - power)).clamp(0, 8);
            format!("{} {prefix}", trimmed(scaled, decimals as usize))
        }
        _ => {
            let mantissa = trimmed(value / 10f64.powi(exponent), (digits - 1).max(0) as usize);
            format!("{mantissa}·10{}", raised(exponent))
        }
    }
}

/// With so many decimals, no zeros at the end, and thousands apart.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(text)
}

/// Digits before the point in groups of three, from four digits on.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("−", rest));
    let (whole, rest) = digits.split_once('.').map_or((digits, ""), |(whole, rest)| (whole, rest));
    if sign == "−" && digits.bytes().all(|b| b == b'0' || b == b'.') {
        return "0".to_owned();
    }
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

fn raised(exponent: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        other => char::from_u32('⁰' as u32 + other as u32 - '0' as u32).unwrap_or(other),
    };
    exponent.to_string().chars().map(digit).collect()
}

/// The label of a tick on an axis whose ticks are `step` apart.
pub(super) fn tick_label(value: f64, step: f64) -> String {
    if value == 0.0 || value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    // As many digits as tell neighbours apart, no more.
    let digits = (value.abs().log10().floor() - step.abs().log10().floor()) as i32 + 1;
    with_digits(value, digits.clamp(1, 12))
}

/// A coordinate in the drawing: a tenth of a pixel is enough.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (4.5, "4.5"),
            (0.012_345, "0.0123"),
            (1250.0, "1,250"),
            (99_999.0, "99,999"),
            (100_000.0, "100 k"),
            (3_210_000.0, "3.21 M"),
            (-2.5, "−2.5"),
            (1e-6, "1·10⁻⁶"),
            (4.56e20, "4.56·10²⁰"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
            (f64::MAX, "–"),
            (f64::MIN_POSITIVE, "0"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected, "{value}");
        }
    }

    #[test]
    fn tick_labels_tell_neighbours_apart() {
        assert_eq!(tick_label(0.25, 0.05), "0.25");
        assert_eq!(tick_label(1000.5, 0.5), "1,000.5");
        assert_eq!(tick_label(-0.0, 1.0), "0");
        assert_eq!(tick_label(1_500_000.0, 500_000.0), "1.5 M");
        assert_eq!(tick_label(0.30000000000000004, 0.1), "0.3");
    }
}
