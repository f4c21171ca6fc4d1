//! What an ONNX file says: nodes, constants, inputs and outputs. Weights are their shapes.

use std::collections::HashMap;

/// The number of a tensor in its model.
pub(crate) type TensorId = u32;

/// No tensor: an optional input or output that is left out.
pub(crate) const ABSENT: TensorId = u32::MAX;

/// The number format of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Element {
    /// 16, 32 or 64 bits of floating point.
    #[default]
    Float,
    /// 64-bit floating point.
    Double,
    /// 16-bit floating point.
    Half,
    /// 16-bit brain floating point.
    Bfloat16,
    /// 8-bit floating point.
    Float8,
    /// 8-bit integer.
    Int8,
    /// 8-bit integer without a sign.
    Uint8,
    /// 16-bit integers.
    Int16,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// 4-bit integer.
    Int4,
    /// Truth values.
    Bool,
    /// Texts.
    Text,
    /// Complex numbers and whatever comes later.
    Other,
}

impl Element {
    /// The format of a number of `TensorProto.DataType` (ONNX 1.19).
    pub(crate) fn of(code: u64) -> Self {
        match code {
            1 => Self::Float,
            2 => Self::Uint8,
            3 => Self::Int8,
            4 | 5 => Self::Int16,
            6 | 12 => Self::Int32,
            7 | 13 => Self::Int64,
            8 => Self::Text,
            9 => Self::Bool,
            10 => Self::Half,
            11 => Self::Double,
            16 => Self::Bfloat16,
            17..=20 => Self::Float8,
            21 | 22 => Self::Int4,
            _ => Self::Other,
        }
    }

    /// Whether it has a fraction.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Double | Self::Half | Self::Bfloat16 | Self::Float8)
    }
}

/// Numbers of a constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    /// Whole numbers and truth values.
    Ints(Vec<i64>),
    /// Decimal numbers.
    Floats(Vec<f64>),
}

/// A constant: its shape, and its numbers where they are few and present.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Literal {
    pub(crate) dims: Vec<i64>,
    pub(crate) element: Element,
    pub(crate) numbers: Option<Numbers>,
}

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Float(f64),
    Int(i64),
    Text(String),
    Tensor(Literal),
    Floats(Vec<f64>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
    /// A graph of its own.
    Graph,
    /// Too long to be kept, or of a type that nothing here needs.
    Other,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) domain: String,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) outputs: Vec<TensorId>,
    pub(crate) attributes: Vec<(String, Attribute)>,
}

impl Node {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Attribute::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name)? {
            Attribute::Ints(values) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn floats(&self, name: &str) -> Option<&[f64]> {
        match self.attribute(name)? {
            Attribute::Floats(values) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Attribute::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A tensor among the inputs; none where it is left out.
    pub(crate) fn input(&self, position: usize) -> Option<TensorId> {
        self.inputs.get(position).copied().filter(|&id| id != ABSENT)
    }
}

/// One extent of a declared shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed(i64),
    /// A name, or nothing at all.
    Open(String),
}

/// What the file declares about a tensor.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Declared {
    pub(crate) tensor: TensorId,
    pub(crate) element: Element,
    /// None where no shape is declared.
    pub(crate) shape: Option<Vec<Extent>>,
    /// A sequence, a map or an optional value, by name.
    pub(crate) not_a_tensor: Option<&'static str>,
}

/// A model.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) names: Vec<String>,
    pub(crate) nodes: Vec<Node>,
    /// Constants by tensor.
    pub(crate) literals: HashMap<TensorId, Literal>,
    pub(crate) inputs: Vec<Declared>,
    pub(crate) outputs: Vec<Declared>,
    pub(crate) declared: HashMap<TensorId, Declared>,
    /// Version of the operators of `ai.onnx`.
    pub(crate) opset: i64,
    /// Operators that the model defines itself.
    pub(crate) functions: Vec<String>,
}

impl Model {
    pub(crate) fn name(&self, tensor: TensorId) -> &str {
        self.names.get(tensor as usize).map_or("", String::as_str)
    }
}
