//! A layer's fields, each read as the type it should have; one that is not is reported and left out.

use super::diagnostic::clip;
use super::json::{Field, Json, Object};
use super::notes::Notes;
use crate::engine::layer::{Spatial, Weights};
use crate::engine::tensor::{Precision, Tensor};
use crate::limits;

/// A layer's JSON object, with what is needed to name the place of a diagnostic.
pub(super) struct Fields<'a> {
    object: &'a Object<'a>,
    index: usize,
    name: &'a str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: &'a Object<'a>, index: usize, notes: &mut Notes) -> Self {
        let mut fields = Self { object, index, name: "" };
        match fields.text(Field::Name, notes) {
            Some(name) => fields.name = name,
            None if object.contains(Field::Name) => {}
            None => fields.note(notes, "Name", "is missing".into()),
        }
        fields
    }

    /// `Name`, as it stands; empty where there is none.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn note(&self, notes: &mut Notes, field: &str, message: String) {
        notes.layer(self.index, self.name, Some(field), message);
    }

    fn unexpected(&self, notes: &mut Notes, field: &str, value: &Json<'_>, expected: &str) {
        // Describing a value that nobody will read would cost the most where a file has nothing that is expected.
        let message = if notes.is_full() { String::new() } else { format!("is {}, not {expected}", describe(value)) };
        self.note(notes, field, message);
    }

    /// A member that is there and not null.
    fn get(&self, field: Field) -> Option<&'a Json<'a>> {
        self.object.get(field).filter(|value| **value != Json::Null)
    }

    pub(super) fn text(&self, field: Field, notes: &mut Notes) -> Option<&'a str> {
        match self.get(field)? {
            Json::String(text) => Some(text.as_ref()),
            other => {
                self.unexpected(notes, field.name(), other, "a text");
                None
            }
        }
    }

    pub(super) fn number(&self, field: Field, notes: &mut Notes) -> Option<u32> {
        let value = self.get(field)?;
        let number = whole(value).and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.unexpected(notes, field.name(), value, "a whole number of 0 or more");
        }
        number
    }

    /// One extent a spatial axis, each at least `least`.
    pub(super) fn spatial(&self, field: Field, least: u32, notes: &mut Notes) -> Option<Spatial> {
        let value = self.get(field)?;
        let extents = value.as_array().filter(|list| list.len() <= limits::TENSOR_DIMENSIONS).and_then(|list| {
            list.iter().map(|e| whole(e).and_then(|n| u32::try_from(n).ok()).filter(|&n| n >= least)).collect()
        });
        if extents.is_none() {
            self.unexpected(notes, field.name(), value, &format!("a short list of whole numbers of {least} or more"));
        }
        extents.filter(|e: &Spatial| !e.is_empty())
    }

    /// `{"Type": "Half", "Count": 9408}`; none where the count is 0.
    pub(super) fn weights(&self, field: Field, notes: &mut Notes) -> Option<Weights> {
        let value = self.get(field)?;
        let Some(count) = value.get(Field::Count).and_then(whole).and_then(|n| u64::try_from(n).ok()) else {
            self.unexpected(notes, field.name(), value, "a `Type` and a `Count`");
            return None;
        };
        let precision = value.get(Field::Type).and_then(Json::as_str).and_then(Precision::from_words);
        if precision.is_none() && count > 0 {
            self.note(
                notes,
                field.name(),
                format!(
                    "has the number format {}, which is not known",
                    describe(value.get(Field::Type).unwrap_or(&Json::Null))
                ),
            );
        }
        (count > 0).then_some(Weights { precision, count })
    }

    /// `Inputs` or `Outputs`.
    pub(super) fn tensors(&self, field: Field, notes: &mut Notes) -> Vec<Tensor> {
        let Some(value) = self.get(field) else { return Vec::new() };
        let entries = match value {
            Json::Array(list) => list.as_slice(),
            Json::Object(_) => std::slice::from_ref(value),
            other => {
                self.unexpected(notes, field.name(), other, "a list of tensors");
                return Vec::new();
            }
        };
        if entries.len() > limits::LAYER_TENSORS {
            let message = format!("lists {} tensors; the first {} are read", entries.len(), limits::LAYER_TENSORS);
            self.note(notes, field.name(), message);
        }
        entries
            .iter()
            .take(limits::LAYER_TENSORS)
            .enumerate()
            .filter_map(|(position, entry)| self.tensor(field, position, entry, notes))
            .collect()
    }

    fn tensor(&self, field: Field, position: usize, entry: &Json<'_>, notes: &mut Notes) -> Option<Tensor> {
        let place = || format!("{}[{position}]", field.name());
        let object = match entry {
            Json::Object(object) => object,
            Json::String(name) => {
                self.note(notes, &place(), "is only a name".into());
                return Some(Tensor {
                    name: name.as_ref().to_owned(),
                    dims: Vec::new(),
                    format: String::new(),
                    precision: None,
                });
            }
            other => {
                self.unexpected(notes, &place(), other, "a tensor");
                return None;
            }
        };
        let mut text = |field: Field| match object.get(field) {
            Some(Json::String(text)) => text.as_ref().to_owned(),
            None | Some(Json::Null) => String::new(),
            Some(other) => {
                self.unexpected(notes, &format!("{}.{}", place(), field.name()), other, "a text");
                String::new()
            }
        };
        let name = text(Field::Name);
        let format = text(Field::Format);
        let dims = match object.get(Field::Dimensions) {
            Some(value) => dimensions(value).unwrap_or_else(|| {
                self.unexpected(
                    notes,
                    &format!("{}.Dimensions", place()),
                    value,
                    "a short list of whole numbers of -1 or more",
                );
                Vec::new()
            }),
            None => {
                self.note(notes, &place(), "has no `Dimensions`".into());
                Vec::new()
            }
        };
        let precision = Precision::from_words(&format);
        if precision.is_none() && !format.is_empty() && !format.starts_with("N/A") {
            let message = format!("is \"{}\", a number format that is not known", clip(&format));
            self.note(notes, &format!("{}.Format/Datatype", place()), message);
        }
        Some(Tensor { name, dims, format, precision })
    }
}

fn dimensions(value: &Json<'_>) -> Option<Vec<i64>> {
    let list = value.as_array().filter(|list| list.len() <= limits::TENSOR_DIMENSIONS)?;
    list.iter().map(|d| whole(d).filter(|&n| n >= -1)).collect()
}

/// A whole number, also where it is written with a point (`3.0`).
fn whole(value: &Json<'_>) -> Option<i64> {
    let Json::Number(number) = value else { return None };
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })
}

/// A value in a few words.
fn describe(value: &Json<'_>) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => format!("\"{}\"", clip(text)),
        Json::Array(list) => {
            let start: Vec<_> =
                list.iter().take(4).map(|v| if v.as_array().is_some() { "[…]".into() } else { describe(v) }).collect();
            format!("[{}{}]", start.join(", "), if list.len() > 4 { ", …" } else { "" })
        }
        Json::Object(_) => "an object".into(),
    }
}
