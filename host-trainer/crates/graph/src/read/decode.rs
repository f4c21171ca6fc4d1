//! Decodes an ONNX file. Numbers of fields are those of `onnx.proto` (ONNX 1.19, IR version 12).

use super::model::{ABSENT, Attribute, Declared, Element, Extent, Literal, Model, Node, Numbers, TensorId};
use shared::limits;
use shared::protobuf::{Field, Source, Value, Wire, WireError};
use std::collections::HashMap;

/// Most floating-point values of a constant that are kept: limits of Clip, scales of Resize, scales of quantisation.
const FLOATS: usize = 4096;
/// Most bytes of a constant's `raw_data` that are read.
const RAW_BYTES: u64 = 8 * limits::GRAPH_VALUES as u64;
/// Most numbers in an attribute.
const ATTRIBUTE_NUMBERS: usize = limits::GRAPH_VALUES;
/// Most versions of sets of operators, and functions, that one file may list.
const LISTED: usize = 10_000;

/// Reads a model of `length` bytes.
///
/// # Errors
/// What is not ONNX, breaks off, or holds more than the limits allow.
pub(crate) fn decode<S: Source>(source: S, length: u64) -> Result<Model, WireError> {
    let mut decoder =
        Decoder { wire: Wire::new(source, limits::GRAPH_BYTES), ids: HashMap::new(), model: Model::default() };
    decoder.model(length)?;
    Ok(decoder.model)
}

struct Decoder<S> {
    wire: Wire<S>,
    ids: HashMap<String, TensorId>,
    model: Model,
}

/// The end of a field that is a message, a text or packed numbers.
fn end(value: Value, at: u64) -> Result<u64, WireError> {
    match value {
        Value::Bytes(end) => Ok(end),
        _ => Err(WireError::Broken("has a number where a message or a text belongs", at)),
    }
}

fn number(value: Value, at: u64) -> Result<u64, WireError> {
    match value {
        Value::Number(number) => Ok(number),
        _ => Err(WireError::Broken("has a message or a text where a number belongs", at)),
    }
}

impl<S: Source> Decoder<S> {
    fn end(&self, field: Field) -> Result<u64, WireError> {
        end(field.value, self.wire.at())
    }

    fn number(&self, field: Field) -> Result<u64, WireError> {
        number(field.value, self.wire.at())
    }

    fn text(&mut self, field: Field) -> Result<String, WireError> {
        let end = self.end(field)?;
        self.wire.text(end)
    }

    fn tensor(&mut self, name: String) -> Result<TensorId, WireError> {
        if name.is_empty() {
            return Ok(ABSENT);
        }
        if let Some(&id) = self.ids.get(&name) {
            return Ok(id);
        }
        let id = self.model.names.len();
        if id >= limits::GRAPH_TENSORS {
            return Err(WireError::TooMuch("tensors", limits::GRAPH_TENSORS as u64));
        }
        // The name, its copy in the index, and what is known of the tensor.
        self.wire.keep(name.len() as u64 + 96)?;
        self.model.names.push(name.clone());
        self.ids.insert(name, id as TensorId);
        Ok(id as TensorId)
    }

    fn model(&mut self, length: u64) -> Result<(), WireError> {
        let mut has_graph = false;
        let mut versions = 0;
        while let Some(field) = self.wire.field(length)? {
            match field.number {
                7 if !has_graph => {
                    let end = self.end(field)?;
                    self.graph(end)?;
                    has_graph = true;
                }
                8 if versions < LISTED => {
                    let end = self.end(field)?;
                    self.operators(end)?;
                    versions += 1;
                }
                25 if self.model.functions.len() < LISTED => {
                    let end = self.end(field)?;
                    let name = self.function(end)?;
                    self.model.functions.push(name);
                }
                _ => self.wire.pass(field.value)?,
            }
        }
        if has_graph { Ok(()) } else { Err(WireError::Broken("has no graph", length)) }
    }

    fn operators(&mut self, end: u64) -> Result<(), WireError> {
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => domain = self.text(field)?,
                2 => version = self.number(field)? as i64,
                _ => self.wire.pass(field.value)?,
            }
        }
        if domain.is_empty() || domain == "ai.onnx" {
            self.model.opset = version;
        }
        Ok(())
    }

    fn function(&mut self, end: u64) -> Result<String, WireError> {
        let mut name = String::new();
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => name = self.text(field)?,
                _ => self.wire.pass(field.value)?,
            }
        }
        Ok(name)
    }

    fn graph(&mut self, end: u64) -> Result<(), WireError> {
        let mut references = 0_usize;
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => {
                    if self.model.nodes.len() >= limits::GRAPH_NODES {
                        return Err(WireError::TooMuch("nodes", limits::GRAPH_NODES as u64));
                    }
                    let end = self.end(field)?;
                    let node = self.node(end)?;
                    references += node.inputs.len() + node.outputs.len();
                    if references > limits::GRAPH_TENSORS {
                        return Err(WireError::TooMuch("inputs and outputs of nodes", limits::GRAPH_TENSORS as u64));
                    }
                    self.model.nodes.push(node);
                }
                5 => {
                    let end = self.end(field)?;
                    let (name, literal) = self.literal(end)?;
                    let id = self.tensor(name)?;
                    if id != ABSENT {
                        self.model.literals.insert(id, literal);
                    }
                }
                15 => {
                    // A sparse tensor: only its name and shape matter.
                    let end = self.end(field)?;
                    self.sparse(end)?;
                }
                11..=13 => {
                    let end = self.end(field)?;
                    let declared = self.declared(end)?;
                    match field.number {
                        11 => self.model.inputs.push(declared),
                        12 => {
                            self.model.declared.insert(declared.tensor, declared.clone());
                            self.model.outputs.push(declared);
                        }
                        _ => {
                            self.model.declared.insert(declared.tensor, declared);
                        }
                    }
                }
                _ => self.wire.pass(field.value)?,
            }
        }
        Ok(())
    }

    fn sparse(&mut self, end: u64) -> Result<(), WireError> {
        let (mut name, mut dims, mut element) = (String::new(), Vec::new(), Element::Float);
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => {
                    let end = self.end(field)?;
                    let (of, values) = self.literal(end)?;
                    (name, element) = (of, values.element);
                }
                3 => {
                    self.wire.numbers(field.value, &mut dims, limits::TENSOR_DIMENSIONS)?;
                }
                _ => self.wire.pass(field.value)?,
            }
        }
        let id = self.tensor(name)?;
        if id != ABSENT {
            self.model.literals.insert(id, Literal { dims, element, numbers: None });
        }
        Ok(())
    }

    fn node(&mut self, end: u64) -> Result<Node, WireError> {
        self.wire.keep(size_of::<Node>() as u64)?;
        let mut node = Node::default();
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 | 2 => {
                    let name = self.text(field)?;
                    let id = self.tensor(name)?;
                    self.wire.keep(4)?;
                    if field.number == 1 { node.inputs.push(id) } else { node.outputs.push(id) }
                }
                3 => node.name = self.text(field)?,
                4 => node.operator = self.text(field)?,
                7 => node.domain = self.text(field)?,
                5 => {
                    let end = self.end(field)?;
                    self.wire.keep(size_of::<(String, Attribute)>() as u64)?;
                    let attribute = self.attribute(end)?;
                    node.attributes.push(attribute);
                }
                _ => self.wire.pass(field.value)?,
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, end: u64) -> Result<(String, Attribute), WireError> {
        let (mut name, mut value) = (String::new(), Attribute::Other);
        let (mut ints, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut whole, mut kind) = (true, None);
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => name = self.text(field)?,
                2 => {
                    if let Value::Float(number) = field.value {
                        value = Attribute::Float(f64::from(number));
                    }
                    self.wire.pass(field.value)?;
                }
                3 => value = Attribute::Int(self.number(field)? as i64),
                4 => value = Attribute::Text(self.text(field)?),
                5 => {
                    let end = self.end(field)?;
                    value = Attribute::Tensor(self.literal(end)?.1);
                }
                6 | 11 => {
                    value = Attribute::Graph;
                    self.wire.pass(field.value)?;
                }
                7 => whole &= self.wire.floats(field.value, 4, &mut floats, ATTRIBUTE_NUMBERS)?,
                8 => whole &= self.wire.numbers(field.value, &mut ints, ATTRIBUTE_NUMBERS)?,
                9 => {
                    let text = self.text(field)?;
                    self.wire.keep(size_of::<String>() as u64)?;
                    texts.push(text);
                }
                20 => kind = Some(self.number(field)?),
                _ => self.wire.pass(field.value)?,
            }
        }
        let list = match kind {
            Some(6) => 7,
            Some(7) => 8,
            Some(8) => 9,
            _ if !ints.is_empty() => 8,
            _ if !floats.is_empty() => 7,
            _ if !texts.is_empty() => 9,
            _ => 0,
        };
        if value == Attribute::Other && whole {
            value = match list {
                7 => Attribute::Floats(floats),
                8 => Attribute::Ints(ints),
                9 => Attribute::Texts(texts),
                _ => Attribute::Other,
            };
        }
        Ok((name, value))
    }

    /// A `TensorProto`: its name and what is kept of it.
    fn literal(&mut self, end: u64) -> Result<(String, Literal), WireError> {
        self.wire.keep(size_of::<Literal>() as u64)?;
        let (mut name, mut literal) = (String::new(), Literal::default());
        let (mut ints, mut floats, mut raw) = (Vec::new(), Vec::new(), None);
        let mut whole = true;
        let mut external = false;
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => {
                    if !self.wire.numbers(field.value, &mut literal.dims, limits::TENSOR_DIMENSIONS)? {
                        return Err(WireError::TooMuch("dimensions of a tensor", limits::TENSOR_DIMENSIONS as u64));
                    }
                }
                2 => literal.element = Element::of(self.number(field)?),
                4 => whole &= self.wire.floats(field.value, 4, &mut floats, FLOATS)?,
                10 => whole &= self.wire.floats(field.value, 8, &mut floats, FLOATS)?,
                5 | 7 | 11 => whole &= self.wire.numbers(field.value, &mut ints, limits::GRAPH_VALUES)?,
                8 => name = self.text(field)?,
                9 => {
                    let end = self.end(field)?;
                    let most = if literal.element.is_float() { 8 * FLOATS as u64 } else { RAW_BYTES };
                    let length = end - self.wire.at();
                    if length > 0 && length <= most {
                        raw = Some(self.wire.bytes(end)?);
                    } else {
                        self.wire.pass_to(end)?;
                    }
                }
                14 => external = self.number(field)? == 1,
                _ => self.wire.pass(field.value)?,
            }
        }
        if !external && whole {
            literal.numbers = numbers(&literal, ints, floats, raw.as_deref());
        }
        Ok((name, literal))
    }

    fn declared(&mut self, end: u64) -> Result<Declared, WireError> {
        self.wire.keep(size_of::<Declared>() as u64)?;
        let mut declared = Declared { tensor: ABSENT, ..Declared::default() };
        while let Some(field) = self.wire.field(end)? {
            match field.number {
                1 => {
                    let name = self.text(field)?;
                    declared.tensor = self.tensor(name)?;
                }
                2 => {
                    let end = self.end(field)?;
                    self.kind(end, &mut declared)?;
                }
                _ => self.wire.pass(field.value)?,
            }
        }
        Ok(declared)
    }

    fn kind(&mut self, end: u64, declared: &mut Declared) -> Result<(), WireError> {
        while let Some(field) = self.wire.field(end)? {
            declared.not_a_tensor = match field.number {
                4 => Some("a sequence"),
                5 => Some("a map"),
                8 => Some("a sparse tensor"),
                9 => Some("an optional value"),
                _ => declared.not_a_tensor,
            };
            if field.number == 1 {
                let end = self.end(field)?;
                while let Some(field) = self.wire.field(end)? {
                    match field.number {
                        1 => declared.element = Element::of(self.number(field)?),
                        2 => {
                            let end = self.end(field)?;
                            declared.shape = Some(self.shape(end)?);
                        }
                        _ => self.wire.pass(field.value)?,
                    }
                }
            } else {
                self.wire.pass(field.value)?;
            }
        }
        Ok(())
    }

    fn shape(&mut self, end: u64) -> Result<Vec<Extent>, WireError> {
        let mut shape = Vec::new();
        while let Some(field) = self.wire.field(end)? {
            if field.number != 1 {
                self.wire.pass(field.value)?;
                continue;
            }
            if shape.len() >= limits::TENSOR_DIMENSIONS {
                return Err(WireError::TooMuch("dimensions of a tensor", limits::TENSOR_DIMENSIONS as u64));
            }
            let end = self.end(field)?;
            let mut extent = Extent::Open(String::new());
            while let Some(field) = self.wire.field(end)? {
                match field.number {
                    1 => extent = Extent::Fixed(self.number(field)? as i64),
                    2 => extent = Extent::Open(self.text(field)?),
                    _ => self.wire.pass(field.value)?,
                }
            }
            self.wire.keep(size_of::<Extent>() as u64)?;
            shape.push(extent);
        }
        Ok(shape)
    }
}

/// The numbers of a constant, if they are there and as many as its dimensions say.
fn numbers(literal: &Literal, ints: Vec<i64>, floats: Vec<f64>, raw: Option<&[u8]>) -> Option<Numbers> {
    let count =
        literal.dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?))?;
    let found = match (literal.element, raw) {
        (Element::Float, Some(raw)) => Numbers::Floats(each(raw, |bytes| f64::from(f32::from_le_bytes(bytes)))),
        (Element::Double, Some(raw)) => Numbers::Floats(each(raw, f64::from_le_bytes)),
        (Element::Half, Some(raw)) => Numbers::Floats(each(raw, |bytes| half(u16::from_le_bytes(bytes)))),
        (Element::Bfloat16, Some(raw)) => {
            Numbers::Floats(each(raw, |bytes| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))))
        }
        (Element::Int64, Some(raw)) => Numbers::Ints(each(raw, i64::from_le_bytes)),
        (Element::Int32, Some(raw)) => Numbers::Ints(each(raw, |bytes| i64::from(i32::from_le_bytes(bytes)))),
        (Element::Int16, Some(raw)) => Numbers::Ints(each(raw, |bytes| i64::from(i16::from_le_bytes(bytes)))),
        (Element::Int8, Some(raw)) => Numbers::Ints(each(raw, |bytes| i64::from(i8::from_le_bytes(bytes)))),
        (Element::Uint8 | Element::Bool, Some(raw)) => Numbers::Ints(raw.iter().map(|&byte| i64::from(byte)).collect()),
        (Element::Float | Element::Double, None) => Numbers::Floats(floats),
        (Element::Half, None) => Numbers::Floats(ints.iter().map(|&bits| half(bits as u16)).collect()),
        (Element::Bfloat16, None) => {
            Numbers::Floats(ints.iter().map(|&bits| f64::from(f32::from_bits((bits as u32) << 16))).collect())
        }
        (Element::Int64 | Element::Int32 | Element::Int16 | Element::Int8 | Element::Uint8 | Element::Bool, None) => {
            Numbers::Ints(ints)
        }
        _ => return None,
    };
    let length = match &found {
        Numbers::Ints(values) => values.len(),
        Numbers::Floats(values) => values.len(),
    };
    (length == count).then_some(found)
}

fn each<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&bytes| read(bytes)).collect()
}

/// A 16-bit floating-point number.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers_have_their_values() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (1, 5.960_464_477_539_063e-8), (0, 0.0)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan() && half(0x7c00).is_infinite());
    }
}
