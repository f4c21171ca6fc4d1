//! What is hashed: a value written in one way only.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::failure::{Failure, Kind};

/// A value as JSON with its keys sorted and without spaces: the same content is the same text everywhere.
///
/// # Errors
/// A value that JSON cannot hold.
pub(crate) fn canonical<T: Serialize>(value: &T) -> Result<String, Failure> {
    let value = serde_json::to_value(value).map_err(|e| Failure::from_error(Kind::Data, e))?;
    Ok(sorted(value).to_string())
}

/// The SHA-256 of a value in its canonical form, in hexadecimal. `what` keeps kinds of content apart.
///
/// # Errors
/// A value that JSON cannot hold.
pub(crate) fn digest<T: Serialize>(what: &str, value: &T) -> Result<String, Failure> {
    Ok(shared::digest::sha256(format!("layerjoule batch 1 {what}\n{}", canonical(value)?).as_bytes()))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(members))
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_count_and_that_of_values_does() {
        let (a, b) =
            (json!({"b": [1, 2], "a": {"y": 0.5, "x": null}}), json!({"a": {"x": null, "y": 5e-1}, "b": [1, 2]}));
        assert_eq!(canonical(&a).expect("JSON"), r#"{"a":{"x":null,"y":0.5},"b":[1,2]}"#);
        assert_eq!(digest("x", &a).expect("JSON"), digest("x", &b).expect("JSON"));
        assert_ne!(digest("x", &a).expect("JSON"), digest("y", &a).expect("JSON"));
        assert_ne!(digest("x", &json!([1, 2])).expect("JSON"), digest("x", &json!([2, 1])).expect("JSON"));
    }
}
