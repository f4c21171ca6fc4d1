//! The inspector's other format, `LayerInformationFormat::kONELINE`, which `trtexec --dumpLayerInfo` prints: one layer a
//! line, `Name: …, LayerType: …, Inputs: [ { Name: …, Dimensions: [1,3], Format/Datatype: Half }], …`.
//!
//! Nothing in it is quoted, so a value ends where `, Key: ` follows; keys start with a capital letter.

use super::error::EngineInfoError;
use crate::limits;
use serde_json::{Map, Value};
use std::ops::Range;

/// Longest name of a field, in bytes.
const LONGEST_KEY: usize = 64;
/// Longest list of numbers or pair of type and count, in bytes. What is longer is read as a text; without a limit, one
/// that never closes would be searched to the line's end again for every field.
const LONGEST_LIST: usize = 512;

/// Where the lines stand that describe layers, if the text is of this format.
///
/// # Errors
/// More layers than are read, or layers of which only the names are listed.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, EngineInfoError> {
    let mut layers = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let described = line.contains(", LayerType: ") || line.contains(", Inputs: [");
        if let Some(at) = line.find("Name: ").filter(|&at| described && is_log_prefix(&line[..at])) {
            if layers.len() == limits::ENGINE_LAYERS {
                return Err(EngineInfoError::TooManyLayers);
            }
            layers.push(start + at..start + line.trim_end_matches(['\r', '\n']).len());
        }
        start += line.len();
    }
    let names = if layers.is_empty() { between(text, "Layers:", "Bindings:").count() } else { 0 };
    if names > 0 { Err(EngineInfoError::NamesOnly { layers: names }) } else { Ok(layers) }
}

/// The names of the engine's inputs and outputs.
pub(super) fn bindings(text: &str) -> Vec<String> {
    between(text, "Bindings:", "").map(str::to_owned).take(limits::LAYER_TENSORS).collect()
}

/// Nothing, or what a logger puts before its message.
fn is_log_prefix(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || (text.starts_with('[') && text.ends_with(']'))
}

/// The lines after one that ends in `start`, to one that ends in `end`, is empty or is a log message.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    let is = |line: &str, heading: &str| line.trim_end().strip_suffix(heading).is_some_and(is_log_prefix);
    text.lines()
        .skip_while(move |line| !is(line, start))
        .skip(1)
        .map(str::trim)
        .take_while(move |line| !line.is_empty() && !line.starts_with("[") && (end.is_empty() || !is(line, end)))
}

/// A line's layer as the JSON object that the inspector's other format writes.
pub(super) fn layer(line: &str) -> Value {
    Value::Object(members(line, false).0)
}

/// Reads `Key: value, Key: value`; inside a tensor up to its ` }`. Returns the members and what is left.
fn members(mut rest: &str, in_tensor: bool) -> (Map<String, Value>, &str) {
    let mut object = Map::new();
    while let Some((key, after)) = key(rest) {
        let (value, after) = value(key, after, in_tensor);
        object.insert(key.to_owned(), value);
        rest = after;
        match rest.strip_prefix(", ") {
            Some(next) => rest = next,
            None => break,
        }
    }
    (object, rest)
}

/// `Key: ` at the start of a text.
fn key(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take(LONGEST_KEY + 1).position(|b| !(b.is_ascii_alphanumeric() || b == b'/'))?;
    let after = text[end..].strip_prefix(':')?;
    let is_key = text.starts_with(|c: char| c.is_ascii_uppercase());
    is_key.then(|| (&text[..end], after.strip_prefix(' ').unwrap_or(after)))
}

fn value<'a>(key: &str, text: &'a str, in_tensor: bool) -> (Value, &'a str) {
    if text.starts_with('[') && matches!(key, "Inputs" | "Outputs") {
        return tensors(text);
    }
    // Dimensions and extents, and the weights' `{"Type": "Half", "Count": 64}`, are JSON.
    let ends_at = |bracket: u8| text.bytes().take(LONGEST_LIST).position(|b| b == bracket);
    let close = match text.as_bytes().first() {
        Some(b'[') => ends_at(b']'),
        Some(b'{') => ends_at(b'}'),
        _ => None,
    };
    if let Some(end) = close
        && let Ok(value) = serde_json::from_str(&text[..=end])
    {
        return (value, &text[end + 1..]);
    }
    let end = bare_end(text, in_tensor);
    let bare = text[..end].trim();
    let is_text = key.ends_with("Name") || matches!(key, "Metadata" | "TacticValue" | "Format/Datatype");
    let value = match bare.parse::<i64>() {
        Ok(number) if !is_text => number.into(),
        _ => bare.into(),
    };
    (value, &text[end..])
}

/// Where a value without quotes ends: before `, Key: `, before a tensor's ` }`, or with the line.
fn bare_end(text: &str, in_tensor: bool) -> usize {
    let separator = text.match_indices(", ").map(|(at, _)| at).find(|&at| key(&text[at + 2..]).is_some());
    let end = separator.unwrap_or(text.len());
    if in_tensor { text[..end].find(" }").unwrap_or(end) } else { end }
}

/// `[ { Name: … }, { Name: … }]`.
fn tensors(text: &str) -> (Value, &str) {
    let mut list = Vec::new();
    let mut rest = text[1..].trim_start();
    while let Some(inner) = rest.strip_prefix('{') {
        let (tensor, after) = members(inner.trim_start(), true);
        list.push(Value::Object(tensor));
        let after = after.trim_start();
        let after = after.strip_prefix('}').unwrap_or(after).trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
    (Value::Array(list), rest.strip_prefix(']').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_reads_as_the_object_it_stands_for() {
        let line = "Name: PWN(a, b) + c, LayerType: CaskConvolution, Inputs: [ { Name: x, Location: Device, Dimensions: \
                    [1,3,8,8], Format/Datatype: Row major linear FP16 format }, { Name: y, Dimensions: [1], \
                    Format/Datatype: Half }], Outputs: [], Kernel: [3,3], Groups: 1, Weights: {\"Type\": \"Half\", \
                    \"Count\": 9}, TacticName: , TacticValue: 0x01, Metadata: ";
        assert_eq!(
            layer(line),
            json!({
                "Name": "PWN(a, b) + c",
                "LayerType": "CaskConvolution",
                "Inputs": [
                    {"Name": "x", "Location": "Device", "Dimensions": [1, 3, 8, 8],
                     "Format/Datatype": "Row major linear FP16 format"},
                    {"Name": "y", "Dimensions": [1], "Format/Datatype": "Half"},
                ],
                "Outputs": [],
                "Kernel": [3, 3],
                "Groups": 1,
                "Weights": {"Type": "Half", "Count": 9},
                "TacticName": "",
                "TacticValue": "0x01",
                "Metadata": "",
            })
        );
    }

    #[test]
    fn layers_and_bindings_are_found_in_a_log() {
        let log = "[10/01/2025-10:00:00] [I] [TRT] Layers:\nName: a, LayerType: Reformat, Inputs: []\n\
                   [I] Name: b, LayerType: NoOp\n\nBindings:\nx\ny\n[10/01/2025-10:00:01] [I] Name: c\n";
        let layers = find(log).expect("layers");
        let lines: Vec<&str> = layers.into_iter().map(|range| &log[range]).collect();
        assert_eq!(lines, ["Name: a, LayerType: Reformat, Inputs: []", "Name: b, LayerType: NoOp"]);
        assert_eq!(bindings(log), ["x", "y"]);
    }

    #[test]
    fn names_alone_are_counted() {
        let log = "[I] Layers:\nconv1 + relu1\nfc\n\nBindings:\nx\n";
        assert_eq!(find(log), Err(EngineInfoError::NamesOnly { layers: 2 }));
        assert_eq!(find("nothing here"), Ok(Vec::new()));
    }

    #[test]
    fn a_torn_line_ends_where_it_is_torn() {
        assert_eq!(
            layer("Name: a, Inputs: [ { Name: x, Dimens"),
            json!({"Name": "a", "Inputs": [{"Name": "x, Dimens"}]})
        );
        assert_eq!(layer("Name: a, Kernel: [3"), json!({"Name": "a", "Kernel": "[3"}));
    }
}
