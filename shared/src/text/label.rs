//! Names of columns with the unit that they carry: `Voltage (V)`, `power.draw [W]`, `current_ma`, `t_us`.

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Seconds.
    Time,
    /// Volts.
    Voltage,
    /// Amperes.
    Current,
    /// Watts.
    Power,
}

/// A unit: a power of ten of the SI unit of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// What it measures.
    pub quantity: Quantity,
    /// The power of ten: −3 for milli.
    pub exponent: i32,
}

impl Unit {
    /// A unit's symbol or word, in upper or lower case: an `M` is milli, since no board takes megawatts. Between a
    /// micro sign of another code page and the unit stands whatever it became; nothing but a micro sign stands there.
    ///
    /// ```
    /// use shared::text::{Quantity, Unit};
    ///
    /// let micro = Unit { quantity: Quantity::Current, exponent: -6 };
    /// assert_eq!(["uA", "µA", "microamps", "\u{fffd}A"].map(Unit::of), [Some(micro); 4]);
    /// assert_eq!(Unit::of("MB"), None);
    /// ```
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let (exponent, base) = prefixes(&word).find_map(|(exponent, rest)| Some((exponent, base(rest)?)))?;
        Some(Self { quantity: base, exponent })
    }

    /// A value in this unit as one in the SI unit. Dividing by a power of ten rounds once, multiplying by its inverse twice.
    #[must_use]
    pub fn to_si(self, value: f64) -> f64 {
        if self.exponent < 0 { value / 10_f64.powi(-self.exponent) } else { value * 10_f64.powi(self.exponent) }
    }
}

/// The ways to take a word apart into a prefix, as a power of ten, and a unit.
fn prefixes(word: &str) -> impl Iterator<Item = (i32, &str)> {
    const PREFIXES: [(&str, i32); 12] = [
        ("", 0),
        ("milli", -3),
        ("micro", -6),
        ("nano", -9),
        ("kilo", 3),
        ("m", -3),
        ("u", -6),
        ("\u{b5}", -6),
        ("\u{3bc}", -6),
        ("\u{fffd}", -6),
        ("n", -9),
        ("k", 3),
    ];
    PREFIXES.into_iter().filter_map(|(prefix, exponent)| Some((exponent, word.strip_prefix(prefix)?)))
}

fn base(word: &str) -> Option<Quantity> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Quantity::Time,
        "v" | "volt" | "volts" => Quantity::Voltage,
        "a" | "amp" | "amps" | "ampere" | "amperes" => Quantity::Current,
        "w" | "watt" | "watts" => Quantity::Power,
        _ => return None,
    })
}

/// A column's name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The words of its name in lower case, without the unit, a space between two of them.
    pub name: String,
    /// The unit that it carries.
    pub unit: Option<Unit>,
}

impl Label {
    /// Takes a column's name apart. A unit stands in brackets, behind a slash, alone, or as the last word.
    ///
    /// ```
    /// use shared::text::{Label, Unit};
    ///
    /// for text in ["Bus Voltage (mV)", "bus_voltage [mV]", "Bus Voltage / mV", "bus.voltage_mv", "busVoltageMv"] {
    ///     let label = Label::of(text);
    ///     assert_eq!((label.name.as_str(), label.unit), ("bus voltage", Unit::of("mV")), "{text}");
    /// }
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim().trim_start_matches('#').trim();
        if let Some(unit) = Unit::of(text) {
            return Self { name: String::new(), unit: Some(unit) };
        }
        if let Some((before, unit, after)) = bracketed(text).or_else(|| behind_slash(text)) {
            return Self { name: words(&format!("{before} {after}")).join(" "), unit: Some(unit) };
        }
        let mut words = words(text);
        let unit = words.last().and_then(|word| Unit::of(word)).filter(|_| words.len() > 1);
        let unit = unit.filter(|unit| may_carry(&words, *unit));
        if unit.is_some() {
            words.pop();
        }
        Self { name: words.join(" "), unit }
    }
}

/// A unit in brackets, with what stands before and after.
fn bracketed(text: &str) -> Option<(&str, Unit, &str)> {
    [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')].into_iter().find_map(|(open, close)| {
        let start = text.find(open)?;
        let end = start + text[start..].find(close)?;
        let unit = Unit::of(text[start + 1..end].trim())?;
        Some((&text[..start], unit, &text[end + 1..]))
    })
}

/// `Voltage / V`, as norms write it.
fn behind_slash(text: &str) -> Option<(&str, Unit, &str)> {
    let (before, unit) = text.rsplit_once('/')?;
    Some((before, Unit::of(unit.trim())?, ""))
}

/// Words in lower case: what stands between signs, and before a capital letter that small ones precede. One small letter before it is
/// the prefix of a unit: `mV`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let is_part = c.is_alphanumeric() || c == char::REPLACEMENT_CHARACTER || c == '%';
        let last = words.last().expect("never empty");
        if !is_part || (before.is_lowercase() && c.is_uppercase() && last.chars().nth(1).is_some()) {
            words.push(String::new());
        }
        if is_part {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the last word of a name may be a unit. `channel_a` and `phase_v` are letters; a letter is a unit only behind a word of
/// its quantity, and none behind a word of another.
fn may_carry(words: &[String], unit: Unit) -> bool {
    const TIME: &[&str] =
        &["t", "time", "timestamp", "ts", "elapsed", "duration", "runtime", "end", "start", "epoch", "latency"];
    const VOLTAGE: &[&str] = &["voltage", "volt", "volts", "vbus", "u"];
    const CURRENT: &[&str] = &["current", "i", "amps"];
    const POWER: &[&str] = &["power", "p", "total", "draw", "watts"];
    let own = |quantity| match quantity {
        Quantity::Time => TIME,
        Quantity::Voltage => VOLTAGE,
        Quantity::Current => CURRENT,
        Quantity::Power => POWER,
    };
    let (last, rest) = words.split_last().expect("more than one");
    let says = |quantity| rest.iter().any(|word| own(quantity).contains(&word.as_str()));
    let others = [Quantity::Voltage, Quantity::Current, Quantity::Power].into_iter().filter(|q| *q != unit.quantity);
    says(unit.quantity) || (last.chars().count() > 1 && !others.clone().any(says))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(text: &str) -> (String, Option<Unit>) {
        let label = Label::of(text);
        (label.name, label.unit)
    }

    #[test]
    fn units_stand_where_tools_write_them() {
        for (text, name, unit) in [
            ("t_us", "t", "us"),
            ("mV", "", "mv"),
            ("Time (s)", "time", "s"),
            ("Timestamp(ms)", "timestamp", "ms"),
            ("Current(uA)", "current", "ua"),
            (" power.draw [W]", "power draw", "w"),
            ("Arc Main Current (A)", "arc main current", "a"),
            ("#time", "time", ""),
            ("Power TOT", "power tot", ""),
            ("Wall-clock time (UTC)", "wall clock time utc", ""),
            ("VDD_IN (mW)", "vdd in", "mw"),
            ("averageMs", "average", "ms"),
            ("voltage_mV", "voltage", "mv"),
            ("Power, mW", "power", "mw"),
            ("Spannung / V", "spannung", "v"),
            ("time_s", "time", "s"),
            ("total_w", "total", "w"),
            ("Power [W] avg", "power avg", "w"),
            ("channel_a", "channel a", ""),
            ("power_a", "power a", ""),
            ("GPU (%)", "gpu %", ""),
            ("gpu_mw", "gpu", "mw"),
            ("", "", ""),
            ("s", "", "s"),
        ] {
            assert_eq!(label(text), (name.to_owned(), Unit::of(unit)), "{text}");
        }
    }

    #[test]
    fn a_unit_is_a_power_of_ten() {
        let si = |word: &str, value| Unit::of(word).expect("a unit").to_si(value);
        assert_eq!([si("mW", 6000.6), si("kW", 1.5), si("W", 2.0), si("nA", 3.0)], [6.0006, 1500.0, 2.0, 3e-9]);
        for other in ["", "m", "mm", "min", "ah", "wh", "j", "hz", "mb", "c"] {
            assert_eq!(Unit::of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = Label::of(&text);
        }
    }
}
