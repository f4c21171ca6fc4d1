//! Numbers and lists in sentences.

use shared::engine::Precision;

/// A small number as a word.
pub(crate) fn count(n: usize) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    WORDS.get(n).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

/// A noun in the number that a count asks for.
pub(crate) fn noun(n: usize, singular: &str) -> String {
    if n == 1 { singular.to_owned() } else { format!("{singular}s") }
}

/// A number format in capitals, as people write it.
pub(crate) fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::Fp32 => "FP32",
        Precision::Fp16 => "FP16",
        Precision::Bf16 => "BF16",
        Precision::Fp8 => "FP8",
        Precision::Fp4 => "FP4",
        Precision::Int64 => "INT64",
        Precision::Int32 => "INT32",
        Precision::Int8 => "INT8",
        Precision::Uint8 => "UINT8",
        Precision::Int4 => "INT4",
        Precision::Bool => "BOOL",
    }
}

/// The first three of some names, and how many more there are.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 3 {
        text.push_str(&format!(" and {} more", names.len() - 3));
    }
    text
}

/// A change with its sign, in a unit, and in percent of what it was.
pub(crate) fn change(from: f64, to: f64, unit: &str) -> String {
    let percent = if from > 0.0 { format!(" ({:+.1} %)", 100.0 * (to - from) / from) } else { String::new() };
    format!("{:+.3} {unit}{percent}", to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_changes_read_well() {
        assert_eq!(listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
        assert_eq!(change(2.0, 1.5, "ms"), "-0.500 ms (-25.0 %)");
        assert_eq!(change(0.0, 1.5, "ms"), "+1.500 ms");
        assert_eq!((count(3), count(13)), ("three".to_owned(), "13".to_owned()));
    }
}
