//! Several engines in one document, as they are sent to a server:
//! `{"engines": [{"name": "a", "engine_info": …}, …], "device": "…", "profile": 0, "budgets": {"runtime_ms": 5}}`.
//!
//! An engine info stands there as it is, as JSON or as a text that holds it in any dialect. Nothing of it is built here: the
//! walk finds where each begins and ends.

use super::scan::{Stop, Walk, line_and_column};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

/// Longest value, in bytes, of a member that is a name, a number or a few of them.
const SMALL: usize = 4096;
/// Keys of the document and of an engine in it.
const KEYS: [&str; 4] = ["engines", "device", "profile", "budgets"];
const ENGINE_KEYS: [&str; 3] = ["name", "engine_info", "profile"];

/// Several engines in one document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch<'a> {
    /// The engines, in the order given.
    pub engines: Vec<BatchEngine<'a>>,
    /// The device they are meant for.
    pub device: Option<String>,
    /// The optimisation profile of those that do not name their own.
    pub profile: Option<usize>,
    /// What each may cost.
    pub budgets: Budgets,
}

/// One engine of several.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchEngine<'a> {
    /// What the sender calls it.
    pub name: Option<String>,
    /// Its engine info, for [`parse`](super::parse).
    pub engine_info: Cow<'a, [u8]>,
    /// Its optimisation profile.
    pub profile: Option<usize>,
}

/// What an engine may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Run time, ms.
    pub runtime_ms: Option<f64>,
    /// Energy, mJ.
    pub energy_mj: Option<f64>,
    /// Mean power, W.
    pub power_w: Option<f64>,
}

/// What is wrong with a document of several engines, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BatchError {
    /// What is wrong.
    pub message: String,
    /// The member, or line and column.
    pub place: String,
}

fn wrong(message: impl Into<String>, place: impl Into<String>) -> BatchError {
    BatchError { message: message.into(), place: place.into() }
}

/// Reads a document of several engines, at most `most`; none where the document is something else, such as one engine info.
///
/// # Errors
/// A document that has a list `engines` and breaks off, nests too deep, or holds what does not belong there.
pub fn batch(content: &[u8], most: usize) -> Result<Option<Batch<'_>>, BatchError> {
    let mut walk = Walk::new(content, 0);
    if walk.peek() != Some(b'{') {
        return Ok(None);
    }
    let mut members: Vec<(&[u8], Range<usize>)> = Vec::new();
    let (mut is_batch, mut is_engine) = (false, false);
    let walked = walk.members(|walk, key| {
        let first = walk.peek();
        is_batch |= key == b"engines" && first == Some(b'[');
        if !is_batch && matches!(key, b"Layers" | b"layers" | b"Name" | b"LayerType") {
            // One engine info: there is no need to walk over all of it here.
            is_engine = true;
            return Err(Stop::Broken(walk.at()));
        }
        let value = walk.value()?;
        // A member too many is refused below by its name; a million of them would only cost memory.
        if members.len() <= KEYS.len() {
            members.push((key, value));
        }
        Ok(())
    });
    if is_engine || !is_batch {
        return Ok(None);
    }
    walked.map_err(|stop| stopped(content, stop))?;
    if walk.peek().is_some() {
        return Err(wrong("something follows the document", at(content, walk.at())));
    }
    let mut batch = Batch::default();
    for (key, range) in members {
        let key = known(key, &KEYS, "")?;
        match key {
            "engines" => batch.engines = engines(content, range, most)?,
            "device" => batch.device = Some(small(content, &range, key)?),
            "profile" => batch.profile = Some(small(content, &range, key)?),
            _ => {
                batch.budgets = small(content, &range, key)?;
                let all = [batch.budgets.runtime_ms, batch.budgets.energy_mj, batch.budgets.power_w];
                if all.iter().flatten().any(|budget| !(budget.is_finite() && *budget > 0.0)) {
                    return Err(wrong("a budget is not a number above 0", key));
                }
            }
        }
    }
    if batch.engines.is_empty() {
        return Err(wrong("the list holds no engine", "engines"));
    }
    Ok(Some(batch))
}

fn engines(content: &[u8], range: Range<usize>, most: usize) -> Result<Vec<BatchEngine<'_>>, BatchError> {
    let mut walk = Walk::new(&content[..range.end], range.start);
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut count = 0;
    let walked = walk.elements(|walk| {
        let span = walk.value()?;
        count += 1;
        if count <= most {
            spans.push(span);
        }
        Ok(())
    });
    walked.map_err(|stop| stopped(content, stop))?;
    if count > most {
        return Err(wrong(format!("the list holds {count} engines, more than the {most} that are read"), "engines"));
    }
    spans.into_iter().enumerate().map(|(index, span)| engine(content, span, index)).collect()
}

fn engine(content: &[u8], span: Range<usize>, index: usize) -> Result<BatchEngine<'_>, BatchError> {
    let place = |member: &str| format!("engines[{index}]{member}");
    if content[span.start] != b'{' {
        return Err(wrong("an engine is not an object with `engine_info`", place("")));
    }
    let mut members: Vec<(&[u8], Range<usize>)> = Vec::new();
    let mut walk = Walk::new(&content[..span.end], span.start);
    let walked = walk.members(|walk, key| {
        let value = walk.value()?;
        if members.len() <= ENGINE_KEYS.len() {
            members.push((key, value));
        }
        Ok(())
    });
    walked.map_err(|stop| stopped(content, stop))?;
    let mut engine = BatchEngine { name: None, engine_info: Cow::Borrowed(&[]), profile: None };
    for (key, range) in members {
        let key = known(key, &ENGINE_KEYS, &place("."))?;
        let member = place(&format!(".{key}"));
        match key {
            "name" => engine.name = Some(small(content, &range, &member)?),
            "profile" => engine.profile = Some(small(content, &range, &member)?),
            _ => engine.engine_info = engine_info(content, range, &member)?,
        }
    }
    if engine.engine_info.is_empty() { Err(wrong("an engine has no `engine_info`", place(""))) } else { Ok(engine) }
}

/// An engine info as JSON stands for itself; in a text it may be any dialect.
fn engine_info<'a>(content: &'a [u8], range: Range<usize>, place: &str) -> Result<Cow<'a, [u8]>, BatchError> {
    let value = &content[range];
    match value.first() {
        Some(b'{' | b'[') => Ok(Cow::Borrowed(value)),
        Some(b'"') => serde_json::from_slice::<String>(value)
            .map(|text| Cow::Owned(text.into_bytes()))
            .map_err(|e| wrong(format!("is no text: {e}"), place)),
        _ => Err(wrong("is neither JSON of an engine nor a text that holds it", place)),
    }
}

/// The key among those known.
fn known(key: &[u8], keys: &[&'static str], place: &str) -> Result<&'static str, BatchError> {
    keys.iter().find(|known| known.as_bytes() == key).copied().ok_or_else(|| {
        let name: String = String::from_utf8_lossy(key).chars().take(40).collect();
        wrong(format!("`{name}` is not known here; known are {}", keys.join(", ")), format!("{place}{name}"))
    })
}

/// A value that is a name, a number or a few of them.
fn small<T: for<'de> Deserialize<'de>>(content: &[u8], range: &Range<usize>, place: &str) -> Result<T, BatchError> {
    if range.len() > SMALL {
        return Err(wrong(format!("is longer than the {SMALL} bytes that are read"), place));
    }
    // By way of a value: its errors do not repeat positions inside the slice as if they were the document's.
    let value: Value = serde_json::from_slice(&content[range.clone()]).map_err(|_| wrong("is no JSON value", place))?;
    T::deserialize(value).map_err(|e| wrong(e.to_string(), place))
}

fn stopped(content: &[u8], stop: Stop) -> BatchError {
    match stop {
        Stop::Broken(offset) => wrong("the JSON breaks off or is damaged", at(content, offset)),
        Stop::TooDeep(offset) => wrong("the JSON is nested too deep", at(content, offset)),
        Stop::TooManyLayers => wrong("there are too many layers", "engines"),
    }
}

fn at(content: &[u8], offset: usize) -> String {
    let (line, column) = line_and_column(content, offset);
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Batch<'_>>, BatchError> {
        batch(text.as_bytes(), 3)
    }

    #[test]
    fn engines_stand_as_json_or_as_text() {
        let text = r#" {"device": "nano", "engines": [
            {"name": "a", "engine_info": {"Layers": [1]}},
            {"engine_info": "{\"Layers\": []}", "profile": 2}],
            "profile": 1, "budgets": {"runtime_ms": 4.5}} "#;
        let batch = read(text).expect("a batch").expect("a batch");
        assert_eq!((batch.device.as_deref(), batch.profile), (Some("nano"), Some(1)));
        assert_eq!(batch.budgets.runtime_ms, Some(4.5));
        assert_eq!(batch.engines[0].name.as_deref(), Some("a"));
        assert_eq!(&*batch.engines[0].engine_info, br#"{"Layers": [1]}"#);
        assert_eq!(&*batch.engines[1].engine_info, br#"{"Layers": []}"#);
        assert_eq!(batch.engines[1].profile, Some(2));
    }

    #[test]
    fn one_engine_info_is_no_batch() {
        for text in [
            "",
            "[]",
            "text",
            r#"{"Layers": [], "engines": []}"#,
            r#"{"Name": "x", "engines": [{}]}"#,
            r#"{"engines": "none"}"#,
            r#"{"a": 1"#,
        ] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let deep = format!(r#"{{"engines": [{{"engine_info": {}}}]}}"#, "[".repeat(100));
        for (text, place) in [
            (r#"{"engines": []}"#, "engines"),
            (r#"{"engines": [{"engine_info": {}}], "devise": "x"}"#, "devise"),
            (r#"{"engines": [{"engine_info": {}}], "device": 1}"#, "device"),
            (r#"{"engines": [{"engine_info": {}}], "budgets": {"runtime_ms": -1}}"#, "budgets"),
            (r#"{"engines": [{"engine_info": {}}], "budgets": {"time": 1}}"#, "budgets"),
            (r#"{"engines": [{"engine_info": {}}, {"name": "b"}]}"#, "engines[1]"),
            (r#"{"engines": [{"engine_info": 3}]}"#, "engines[0].engine_info"),
            (r#"{"engines": [{"engine_info": {}, "x": 3}]}"#, "engines[0].x"),
            (r#"{"engines": [1]}"#, "engines[0]"),
            (r#"{"engines": [{"engine_info": {}}]"#, "line 1, column 34"),
            (r#"{"engines": [{"engine_info": {}}]} {"#, "line 1, column 36"),
            (r#"{"engines": [{},{},{},{}]}"#, "engines"),
            (deep.as_str(), "line 1, column 91"),
        ] {
            assert_eq!(read(text).expect_err(text).place, place, "{text}");
        }
    }
}
