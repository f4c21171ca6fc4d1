//! The messages of an ONNX file that our models use, by the field numbers of `onnx.proto` (IR version 7; Apache-2.0,
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>). Fields that are not listed are skipped when a file is read.
//!
//! `prost` reads and writes these messages whole: models are small. Networks, which may be larger than memory, go through
//! `shared::protobuf`.

/// A whole file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Operator sets that the graph uses, one for each domain.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// Domain of the model, for example `com.example`.
    #[prost(string, tag = "4")]
    pub domain: String,
    /// Version of the model.
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    /// Text for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// What is computed.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Keys and values that the writer added.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Steps of training. Only their presence is read.
    #[prost(message, repeated, tag = "20")]
    pub training_info: Vec<Unread>,
    /// Functions that the file defines.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// A message whose presence is read and whose content is not.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Unread {}

/// A function that a file defines, by its name.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FunctionProto {
    /// The name by which nodes call it.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A domain of operators and its version.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OperatorSetIdProto {
    /// The domain; empty for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes, each after those whose outputs it reads, with their constants.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    /// The operators.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Text for people.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Shapes of values in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Sparse constants. Only their presence is read.
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<Unread>,
}

/// One application of an operator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    /// Names of the values read; an empty name is an optional input that is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values made.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The node's name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator, for example `MatMul`.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's domain; empty for the standard operators.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// The operator's settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Text for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
}

impl NodeProto {
    /// The attribute of a name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }
}

/// A setting of an operator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Name of a function's parameter that it stands for.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// Text for people.
    #[prost(string, tag = "13")]
    pub doc_string: String,
    /// Which of the fields below holds the value.
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub r#type: i32,
    /// A float.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// An integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// A text in UTF-8.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// A graph. Only its presence is read.
    #[prost(message, optional, tag = "6")]
    pub g: Option<Unread>,
    /// Floats.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// Texts in UTF-8.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Tensors.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// Graphs. Only their presence is read.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<Unread>,
}

/// Kinds of attributes that our models have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum AttributeType {
    /// Not said.
    Undefined = 0,
    /// One float.
    Float = 1,
    /// One integer.
    Int = 2,
    /// One text.
    String = 3,
    /// Floats.
    Floats = 6,
    /// Integers.
    Ints = 7,
    /// Texts.
    Strings = 8,
}

/// A constant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Its extent along each axis.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// Type of its elements, a [`DataType`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Elements, where `raw_data` is empty and they are floats.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements, where `raw_data` is empty and they are integers of up to 32 bits or truth values.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Elements, where `raw_data` is empty and they are integers of 64 bits.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Text for people.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// Elements, little-endian, the last axis running fastest.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Where elements outside the file lie.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// Whether elements lie outside the file; 0 or absent where they do not.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
    /// Elements, where `raw_data` is empty and they are doubles.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
}

/// Types of elements that our models have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DataType {
    /// Not said.
    Undefined = 0,
    /// Single precision.
    Float = 1,
    /// Integers of 32 bits.
    Int32 = 6,
    /// Integers of 64 bits.
    Int64 = 7,
    /// Truth values, a byte each.
    Bool = 9,
    /// Double precision.
    Double = 11,
}

/// Name and type of a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfoProto {
    /// The value's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// Text for people.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// Type of a value; none of the fields where it is no tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
    /// Meaning of the value.
    #[prost(string, tag = "6")]
    pub denotation: String,
}

/// Type of a tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorTypeProto {
    /// Type of its elements, a [`DataType`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Its shape, where known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// Shape of a tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    /// Its extent along each axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// Extent along an axis: a number, a name for one that varies, or neither.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Dimension {
    /// A number.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// A name.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
    /// Meaning of the axis.
    #[prost(string, tag = "3")]
    pub denotation: String,
}
