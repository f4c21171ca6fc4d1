//! One layer, from its JSON object.

use super::diagnostic::clip;
use super::fields::Fields;
use super::json::{Json, Object};
use super::names;
use super::notes::Notes;
use crate::engine::kind::LayerKind;
use crate::engine::layer::Layer;
use std::borrow::Cow;

/// A layer of which only the name is known, as profiles of `trtexec` and tables of measurements know theirs. The operators
/// fused into it and its optimisation profile are those that the name tells; what it computes is unknown.
///
/// ```
/// use shared::engine::{LayerKind, named};
///
/// let layer = named(3, "conv1 + PWN(relu1)".to_owned());
/// assert_eq!((layer.index, layer.fused), (3, vec!["conv1".to_owned(), "relu1".to_owned()]));
/// assert_eq!(layer.kind, LayerKind::Unknown);
/// ```
#[must_use]
pub fn named(index: usize, name: String) -> Layer {
    let profile = names::profile(&name).1;
    Layer {
        index,
        fused: names::fused(&name, ""),
        name,
        layer_type: String::new(),
        parameter_type: None,
        kind: LayerKind::Unknown,
        inputs: Vec::new(),
        outputs: Vec::new(),
        kernel: None,
        stride: None,
        padding_before: None,
        padding_after: None,
        dilation: None,
        groups: None,
        out_maps: None,
        weights: None,
        bias: None,
        global: false,
        activation: None,
        tactic: None,
        profile,
    }
}

/// Whether an object says more of its layer than its name.
pub(super) fn is_described(object: &Object<'_>) -> bool {
    const DETAIL: [&str; 5] = ["LayerType", "ParameterType", "Inputs", "Outputs", "TacticValue"];
    DETAIL.iter().any(|field| object.contains_key(field))
}

/// Notes each field that holds a control character which stood there as it is. U+001E and U+001F separate what TensorRT
/// fuses and are none of those; the others are kept, since the profile's names have them too.
pub(super) fn note_control_characters(index: usize, layer: &Json<'_>, notes: &mut Notes) {
    let Json::Object(object) = layer else { return };
    let name = object.get("Name").and_then(Json::as_str).unwrap_or_default();
    for (field, value) in object.iter() {
        if let Some(character) = control_character(value) {
            let message = format!("holds the control character U+{:04X}", u32::from(character));
            notes.layer(index, name, Some(field), message);
        }
    }
}

fn control_character(value: &Json<'_>) -> Option<char> {
    match value {
        Json::String(text) => text.chars().find(|c| *c < ' ' && !matches!(c, '\u{1e}' | '\u{1f}' | '\t' | '\n' | '\r')),
        Json::Array(list) => list.iter().find_map(control_character),
        Json::Object(object) => object.iter().find_map(|(_, value)| control_character(value)),
        _ => None,
    }
}

/// Reads a layer's object. Every field that is not what it should be is left out and noted.
pub(super) fn read(index: usize, object: &Object<'_>, notes: &mut Notes) -> Layer {
    let fields = Fields::new(object, index, notes);
    let mut layer = named(index, fields.name().to_owned());
    layer.layer_type = fields.text("LayerType", notes).unwrap_or_default();
    layer.parameter_type = fields.text("ParameterType", notes);
    layer.inputs = fields.tensors("Inputs", notes);
    layer.outputs = fields.tensors("Outputs", notes);

    // A convolution fused with the pooling after it (`ConvActPool`) carries both sets of fields, prefixed.
    let part = if object.contains_key("ConvKernel") { "Conv" } else { "" };
    let field = |name: &'static str| match part {
        "" => Cow::Borrowed(name),
        part => Cow::Owned(format!("{part}{name}")),
    };
    layer.kernel = match fields.spatial(&field("Kernel"), 1, notes) {
        Some(kernel) => Some(kernel),
        None => fields.spatial("WindowSize", 1, notes),
    };
    layer.stride = fields.spatial(&field("Stride"), 1, notes);
    layer.padding_before = fields.spatial(&field("PrePadding"), 0, notes);
    layer.padding_after = fields.spatial(&field("PostPadding"), 0, notes);
    layer.dilation = fields.spatial(&field("Dilation"), 1, notes);
    layer.groups = fields.number(&field("Groups"), notes).filter(|&groups| groups > 0);
    layer.out_maps = fields.number(&field("OutMaps"), notes);
    layer.weights = fields.weights(&field("Weights"), notes);
    layer.bias = fields.weights(&field("Bias"), notes);
    layer.activation = match fields.text(&field("Activation"), notes) {
        Some(activation) => Some(activation).filter(|a| a != "NONE" && !a.is_empty()),
        None => fields.number("HasReLU", notes).filter(|&has| has > 0).map(|_| "RELU".into()),
    };
    layer.tactic = fields
        .text("TacticName", notes)
        .filter(|tactic| !tactic.is_empty())
        .or_else(|| fields.text("TacticValue", notes).filter(|tactic| !tactic.is_empty()));
    layer.fused = names::fused(&layer.name, &fields.text("Metadata", notes).unwrap_or_default());

    layer.kind = LayerKind::of(&layer);
    layer.global = layer.kind == LayerKind::Pooling && layer.covers_its_input();
    if layer.kind == LayerKind::Unknown {
        let message = if layer.layer_type.is_empty() {
            "is missing; what the layer does is not known".into()
        } else {
            format!("is \"{}\", a type that is not known", clip(&layer.layer_type))
        };
        fields.note(notes, "LayerType", message);
    }
    layer
}
