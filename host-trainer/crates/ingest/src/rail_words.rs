//! The rails in a line of tegrastats.

/// Words that a rail's label may have.
const LABEL_WORDS: usize = 3;

/// The rails of a line with what they draw in mW: `NAME 4182mW/4200mW` (JetPack 5 and later), `NAME 4182/4200` (JetPack 4),
/// `NAME 4182mW`. A label is whatever stands before the value, in any letters; one of several words is known by the value
/// of the rail before it.
pub(crate) fn rails(words: &[&str]) -> Vec<(String, f64)> {
    let mut rails = Vec::new();
    let mut behind_rail = None;
    for (i, word) in words.iter().enumerate().skip(1) {
        let Some(mw) = milliwatts(word).filter(|_| is_label(words[i - 1])) else { continue };
        let start = match behind_rail {
            Some(start) if start < i && i - start <= LABEL_WORDS && words[start..i].iter().all(|w| is_label(w)) => {
                start
            }
            _ => i - 1,
        };
        rails.push((words[start..i].join(" "), mw));
        behind_rail = Some(i + 1);
    }
    rails
}

/// A word that can be a label: it has a letter, and nothing of the other fields of a line (`cpu@48C`, `97%`, `[1%@729]`,
/// `off`).
fn is_label(word: &str) -> bool {
    word.chars().any(char::is_alphabetic)
        && !word.contains(['@', '%', '[', ']', '(', ')', '='])
        && !["on", "off"].contains(&word)
        && milliwatts(word).is_none()
}

/// `4182mW/4200mW`, `4182/4200` or `4182mW`: the first figure. Values are whole numbers; a sensor's offset can make one negative.
fn milliwatts(word: &str) -> Option<f64> {
    let unit = |text: &str| text.strip_suffix("mW").or_else(|| text.strip_suffix("mw")).map(str::to_owned);
    let figure = |text: &str| {
        let number = unit(text).unwrap_or_else(|| text.to_owned());
        number.parse::<i32>().ok().map(f64::from)
    };
    match word.split_once('/') {
        Some((now, mean)) => figure(mean).and_then(|_| figure(now)),
        None => figure(&unit(word)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<(String, f64)> {
        rails(&line.split_ascii_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn rails_are_known_by_where_they_stand() {
        let named = |pairs: &[(&str, f64)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect::<Vec<_>>();
        let orin = "RAM 2448/7471MB (lfb 4x4MB) SWAP 0/3735MB (cached 0MB) CPU [1%@729,off] EMC_FREQ 0%@2133 GR3D_FREQ 97% \
                    APE 174 NVDEC off cpu@48.1C gpu@47C VDD_IN 4182mW/4200mW VDD_CPU_GPU_CV 1000mW/990mW VDD_SOC 1434mW/1434mW";
        assert_eq!(of(orin), named(&[("VDD_IN", 4182.0), ("VDD_CPU_GPU_CV", 1000.0), ("VDD_SOC", 1434.0)]));
        let xavier = "GR3D_FREQ 0% AO@30C GPU@30.5C PMIC@100C GPU 5000/4800 CPU 1000/990 CV 0/0 SYS5V 2500/2490";
        assert_eq!(of(xavier), named(&[("GPU", 5000.0), ("CPU", 1000.0), ("CV", 0.0), ("SYS5V", 2500.0)]));
        let nano = "IRAM 0/252kB(lfb 252kB) CPU [5%@1224] thermal@40C POM_5V_IN 1750/1628 POM_5V_GPU 0/0";
        assert_eq!(of(nano), named(&[("POM_5V_IN", 1750.0), ("POM_5V_GPU", 0.0)]));
        assert_eq!(of("tj@48C vdd_in 5000mW vdd-soc.1 -40mW/3mW"), named(&[("vdd_in", 5000.0), ("vdd-soc.1", -40.0)]));
        assert_eq!(of("97% VDD_IN 1mW/1mW GPU core 2mW/2mW"), named(&[("VDD_IN", 1.0), ("GPU core", 2.0)]));
        assert_eq!(of("97% Eingang_Ü 7mW/7mW"), named(&[("Eingang_Ü", 7.0)]));
    }

    #[test]
    fn other_figures_are_no_rails() {
        assert!(of("09/14 10:00:00 RAM 2448/7471MB SWAP 1/2GB CPU [1%@729] APE 25 1/2 x").is_empty());
        assert!(of("NVDEC off 5mW").is_empty() && of("5mW").is_empty() && of("").is_empty());
    }
}
