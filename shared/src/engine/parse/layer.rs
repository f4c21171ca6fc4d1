//! One layer, from its JSON object.

use super::diagnostic::clip;
use super::fields::Fields;
use super::json::{Field, Object};
use super::names;
use super::notes::Notes;
use crate::engine::kind::LayerKind;
use crate::engine::layer::Layer;
use serde_json::Value;

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
    let fused = names::fused(&name, "");
    with_operators(index, name, fused)
}

fn with_operators(index: usize, name: String, fused: Vec<String>) -> Layer {
    let profile = names::profile(&name).1;
    Layer {
        index,
        fused,
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
    const DETAIL: [Field; 5] =
        [Field::LayerType, Field::ParameterType, Field::Inputs, Field::Outputs, Field::TacticValue];
    DETAIL.into_iter().any(|field| object.contains(field))
}

/// Notes each field that holds a control character which stood there as it is. U+001E and U+001F separate what TensorRT
/// fuses and are none of those; the others are kept, since the profile's names have them too.
pub(super) fn note_control_characters(index: usize, layer: &Value, notes: &mut Notes) {
    let Value::Object(object) = layer else { return };
    let name = object.get("Name").and_then(Value::as_str).unwrap_or_default();
    for (field, value) in object {
        if let Some(character) = control_character(value) {
            let message = format!("holds the control character U+{:04X}", u32::from(character));
            notes.layer(index, name, Some(field), message);
        }
    }
}

fn control_character(value: &Value) -> Option<char> {
    match value {
        Value::String(text) => {
            text.chars().find(|c| *c < ' ' && !matches!(c, '\u{1e}' | '\u{1f}' | '\t' | '\n' | '\r'))
        }
        Value::Array(list) => list.iter().find_map(control_character),
        Value::Object(object) => object.values().find_map(control_character),
        _ => None,
    }
}

/// Reads a layer's object. Every field that is not what it should be is left out and noted.
pub(super) fn read(index: usize, object: &Object<'_>, notes: &mut Notes) -> Layer {
    let fields = Fields::new(object, index, notes);
    let mut layer = with_operators(index, fields.name().to_owned(), Vec::new());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    layer.layer_type = owned(fields.text(Field::LayerType, notes)).unwrap_or_default();
    layer.parameter_type = owned(fields.text(Field::ParameterType, notes));
    layer.inputs = fields.tensors(Field::Inputs, notes);
    layer.outputs = fields.tensors(Field::Outputs, notes);

    // A convolution fused with the pooling after it (`ConvActPool`) carries both sets of fields, prefixed.
    let is_prefixed = object.contains(Field::ConvKernel);
    let field = |plain: Field, prefixed: Field| if is_prefixed { prefixed } else { plain };
    layer.kernel = match fields.spatial(field(Field::Kernel, Field::ConvKernel), 1, notes) {
        Some(kernel) => Some(kernel),
        None => fields.spatial(Field::WindowSize, 1, notes),
    };
    layer.stride = fields.spatial(field(Field::Stride, Field::ConvStride), 1, notes);
    layer.padding_before = fields.spatial(field(Field::PrePadding, Field::ConvPrePadding), 0, notes);
    layer.padding_after = fields.spatial(field(Field::PostPadding, Field::ConvPostPadding), 0, notes);
    layer.dilation = fields.spatial(field(Field::Dilation, Field::ConvDilation), 1, notes);
    layer.groups = fields.number(field(Field::Groups, Field::ConvGroups), notes).filter(|&groups| groups > 0);
    layer.out_maps = fields.number(field(Field::OutMaps, Field::ConvOutMaps), notes);
    layer.weights = fields.weights(field(Field::Weights, Field::ConvWeights), notes);
    layer.bias = fields.weights(field(Field::Bias, Field::ConvBias), notes);
    layer.activation = match fields.text(field(Field::Activation, Field::ConvActivation), notes) {
        Some(activation) => owned(Some(activation).filter(|a| *a != "NONE" && !a.is_empty())),
        None => fields.number(Field::HasReLU, notes).filter(|&has| has > 0).map(|_| "RELU".into()),
    };
    let mut tactic = |field: Field| fields.text(field, notes).filter(|tactic| !tactic.is_empty());
    layer.tactic = owned(tactic(Field::TacticName).or_else(|| tactic(Field::TacticValue)));
    layer.fused = names::fused(&layer.name, fields.text(Field::Metadata, notes).unwrap_or_default());

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
