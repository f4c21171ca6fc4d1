//! Shapes of all tensors of a model.

use super::call::{Call, Outcome, one};
use super::fact::Fact;
use super::{arithmetic, layout, window};
use crate::operator::Class;
use crate::read::{ABSENT, Declared, Element, Extent, Literal, Model, Numbers, TensorId};
use shared::limits;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

/// What cannot be turned into layers, and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) message: String,
    /// The node or input.
    pub(crate) place: Option<String>,
    /// The next step.
    pub(crate) help: Option<String>,
    /// Whether the command line has to change, not the file.
    pub(crate) is_usage: bool,
}

impl Refusal {
    fn node(model: &Model, index: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: Some(format!("node `{}`", node_name(model, index))),
            help: None,
            is_usage: false,
        }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The name of a node: its own, else that of its first output, else its operator and position.
pub(crate) fn node_name(model: &Model, index: usize) -> String {
    let node = &model.nodes[index];
    if !node.name.is_empty() {
        return node.name.clone();
    }
    match node.outputs.iter().find(|&&id| id != ABSENT) {
        Some(&id) => model.name(id).to_owned(),
        None => format!("{}_{index}", node.operator),
    }
}

/// Shapes of the inputs of a model, as a user gives them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) shapes: &'a [(String, Vec<i64>)],
    pub(crate) batch: Option<i64>,
}

/// A model whose tensors have shapes.
#[derive(Debug)]
pub(crate) struct Shaped {
    pub(crate) model: Model,
    /// What is known of each tensor.
    pub(crate) facts: Vec<Option<Fact>>,
    /// Nodes in an order in which inputs come before what reads them, by their position in the file otherwise.
    pub(crate) order: Vec<usize>,
    /// Inputs of the model that are no constants.
    pub(crate) inputs: Vec<TensorId>,
    /// Nodes whose outputs have no known shape.
    pub(crate) open: Vec<usize>,
}

/// Infers the shapes of all tensors.
///
/// # Errors
/// Control flow, circles, tensors that nothing makes, shapes that contradict each other, inputs without a shape.
pub(crate) fn infer(model: Model, wanted: &Wanted<'_>) -> Result<Shaped, Refusal> {
    for (index, node) in model.nodes.iter().enumerate() {
        if Class::of(node) == Class::Control {
            let message =
                format!("`{}` decides at run time what is computed; its layers cannot be listed", node.operator);
            let help = "export the model without control flow: fixed shapes, no scripted loops or branches";
            return Err(Refusal::node(&model, index, message).help(help));
        }
        for (_, attribute) in &node.attributes {
            if matches!(attribute, crate::read::Attribute::Graph) {
                let message = format!("`{}` has a graph of its own; its layers cannot be listed", node.operator);
                return Err(Refusal::node(&model, index, message).help("export the model without control flow"));
            }
        }
    }
    let order = sorted(&model)?;
    let mut facts: Vec<Option<Fact>> = vec![None; model.names.len()];
    let mut budget = Budget(limits::GRAPH_VALUES_TOTAL);
    for (&id, literal) in &model.literals {
        if let Some(slot) = facts.get_mut(id as usize) {
            *slot = Some(of_literal(&model, id, literal)?);
        }
    }
    let mut batch = None;
    let mut inputs = Vec::new();
    check_names(&model, wanted)?;
    for input in &model.inputs {
        if input.tensor == ABSENT || model.literals.contains_key(&input.tensor) {
            continue;
        }
        let fact = of_input(&model, input, wanted, &mut batch)?;
        facts[input.tensor as usize] = Some(fact);
        inputs.push(input.tensor);
    }
    let mut open = Vec::new();
    for &index in &order {
        run(&model, index, batch, &mut facts, &mut budget, &mut open)?;
    }
    Ok(Shaped { model, facts, order, inputs, open })
}

/// How many values may still be computed.
struct Budget(usize);

fn too_large(name: &str, dims: &[i64]) -> Option<String> {
    if dims.len() > limits::TENSOR_DIMENSIONS {
        return Some(format!(
            "tensor `{name}` has {} dimensions; at most {} are read",
            dims.len(),
            limits::TENSOR_DIMENSIONS
        ));
    }
    if let Some(dim) = dims.iter().find(|&&dim| dim < 0) {
        return Some(format!("tensor `{name}` has an extent of {dim}: {dims:?}"));
    }
    let elements = super::fact::elements(dims);
    (elements > limits::GRAPH_TENSOR_ELEMENTS)
        .then(|| format!("tensor `{name}` would have {elements} elements: {dims:?}"))
}

fn of_literal(model: &Model, id: TensorId, literal: &Literal) -> Result<Fact, Refusal> {
    if let Some(message) = too_large(model.name(id), &literal.dims) {
        return Err(Refusal { message, place: None, help: None, is_usage: false });
    }
    let value = literal.numbers.clone().map(Rc::new);
    Ok(Fact { dims: literal.dims.clone(), element: literal.element, constant: true, value })
}

/// Shapes given for inputs that the model does not have are a mistake in the command.
fn check_names(model: &Model, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let real: Vec<&str> = model
        .inputs
        .iter()
        .filter(|input| input.tensor != ABSENT && !model.literals.contains_key(&input.tensor))
        .map(|input| model.name(input.tensor))
        .collect();
    for (name, _) in wanted.shapes {
        if !real.contains(&name.as_str()) {
            return Err(Refusal {
                message: format!("has no input `{name}`"),
                place: None,
                help: Some(format!(
                    "its inputs are {}",
                    real.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
                )),
                is_usage: true,
            });
        }
    }
    Ok(())
}

fn of_input(
    model: &Model,
    input: &Declared,
    wanted: &Wanted<'_>,
    batch: &mut Option<(i64, i64)>,
) -> Result<Fact, Refusal> {
    let name = model.name(input.tensor);
    let place = Some(format!("input `{name}`"));
    if let Some(what) = input.not_a_tensor {
        let help = Some("export the model with tensors as inputs".into());
        return Err(Refusal { message: format!("is {what}, not a tensor"), place, help, is_usage: false });
    }
    let declared = input.shape.as_deref();
    let given = wanted.shapes.iter().find(|(of, _)| of == name).map(|(_, dims)| dims.clone());
    let mut dims: Vec<Option<i64>> = match (&given, declared) {
        (Some(dims), _) => dims.iter().map(|&dim| Some(dim)).collect(),
        (None, Some(shape)) => shape
            .iter()
            .map(|extent| match extent {
                Extent::Fixed(dim) if *dim > 0 => Some(*dim),
                _ => None,
            })
            .collect(),
        (None, None) => {
            let help = Some(format!("give it: --input-shape {name}=1x3x224x224"));
            return Err(Refusal { message: "has no declared shape".into(), place, help, is_usage: true });
        }
    };
    if let (Some(given), Some(shape)) = (&given, declared) {
        let fits = given.len() == shape.len()
            && given.iter().zip(shape).skip(1).all(|(&dim, extent)| match extent {
                // Another image size than the exported one is a fair question; another number of channels is not.
                Extent::Fixed(_) | Extent::Open(_) => dim > 0,
            });
        if !fits {
            let help = Some(format!("it is declared as {}", written(shape)));
            return Err(Refusal { message: format!("cannot have the shape {given:?}"), place, help, is_usage: true });
        }
    }
    if let Some(wanted) = wanted.batch
        && let Some(first) = dims.first_mut()
    {
        if let Some(exported) = first.filter(|&exported| exported != wanted) {
            *batch = Some((exported, wanted));
        }
        *first = Some(wanted);
    } else if let (Some(Some(Extent::Fixed(exported))), Some(Some(given))) =
        (declared.map(<[Extent]>::first), dims.first().copied())
        && *exported > 0
        && *exported != given
    {
        *batch = Some((*exported, given));
    }
    match dims.iter().copied().collect::<Option<Vec<i64>>>() {
        Some(dims) => {
            if let Some(message) = too_large(name, &dims) {
                return Err(Refusal { message, place, help: None, is_usage: true });
            }
            Ok(Fact::new(dims, input.element))
        }
        None => {
            let shape = declared.unwrap_or_default();
            let example: Vec<String> = dims
                .iter()
                .enumerate()
                .map(|(i, d)| d.map_or_else(|| sample(i, dims.len()), |d| d.to_string()))
                .collect();
            let batch_only = dims.iter().skip(1).all(Option::is_some);
            let or = if batch_only { ", or --batch 1" } else { "" };
            Err(Refusal {
                message: format!("has extents that are open: {}", written(shape)),
                place,
                help: Some(format!("give them: --input-shape {name}={}{or}", example.join("x"))),
                is_usage: true,
            })
        }
    }
}

/// An extent for an example: batch, channels, and the extents of an image.
fn sample(position: usize, rank: usize) -> String {
    match (position, rank) {
        (0, _) => "1",
        (1, 4) => "3",
        (_, 4) => "224",
        _ => "128",
    }
    .into()
}

fn written(shape: &[Extent]) -> String {
    let extents: Vec<String> = shape
        .iter()
        .map(|extent| match extent {
            Extent::Fixed(dim) => dim.to_string(),
            Extent::Open(name) if name.is_empty() => "?".into(),
            Extent::Open(name) => name.clone(),
        })
        .collect();
    extents.join("×")
}

/// Nodes in an order in which every input comes before what reads it.
fn sorted(model: &Model) -> Result<Vec<usize>, Refusal> {
    let mut producer: HashMap<TensorId, usize> = HashMap::new();
    for (index, node) in model.nodes.iter().enumerate() {
        for &output in node.outputs.iter().filter(|&&id| id != ABSENT) {
            if producer.insert(output, index).is_some() {
                return Err(Refusal::node(
                    model,
                    index,
                    format!("makes tensor `{}`, as another node does", model.name(output)),
                ));
            }
        }
    }
    let given: HashSet<TensorId> =
        model.inputs.iter().map(|input| input.tensor).chain(model.literals.keys().copied()).collect();
    let mut waiting = vec![0_usize; model.nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); model.nodes.len()];
    for (index, node) in model.nodes.iter().enumerate() {
        for &input in node.inputs.iter().filter(|&&id| id != ABSENT) {
            match producer.get(&input) {
                Some(&from) => {
                    waiting[index] += 1;
                    readers[from].push(index);
                }
                None if given.contains(&input) => {}
                None => {
                    return Err(Refusal::node(
                        model,
                        index,
                        format!("reads tensor `{}`, which nothing makes", model.name(input)),
                    )
                    .help("the file may be cut off or belong to an outer graph"));
                }
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..waiting.len()).filter(|&i| waiting[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(model.nodes.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in &readers[index] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match waiting.iter().position(|&count| count > 0) {
        None => Ok(order),
        Some(index) => Err(Refusal::node(model, index, "waits for its own output: the graph has a circle")),
    }
}

fn run(
    model: &Model,
    index: usize,
    batch: Option<(i64, i64)>,
    facts: &mut [Option<Fact>],
    budget: &mut Budget,
    open: &mut Vec<usize>,
) -> Result<(), Refusal> {
    let node = &model.nodes[index];
    let known = node.inputs.iter().all(|&id| id == ABSENT || facts.get(id as usize).is_some_and(Option::is_some));
    let outputs = if known {
        let inputs = node.inputs.iter().map(|&id| facts.get(id as usize).and_then(Option::as_ref)).collect();
        let call = Call { node, inputs, opset: model.opset, batch };
        let constant = call.is_constant() && !matches!(node.operator.as_str(), "RandomNormal" | "RandomUniform");
        let outcome = outputs(&call).map_err(|message| {
            let refusal = Refusal::node(model, index, format!("`{}` {message}", node.operator));
            match batch {
                Some((exported, wanted)) => refusal.help(format!(
                    "the file may have its batch size of {exported} written into it: export it again for a batch of {wanted}"
                )),
                None => refusal,
            }
        })?;
        outcome.map(|facts| {
            facts.into_iter().map(|fact| Fact { constant: fact.constant || constant, ..fact }).collect::<Vec<_>>()
        })
    } else {
        None
    };
    let mut computed = outputs.unwrap_or_default().into_iter();
    let mut is_open = false;
    for &output in &node.outputs {
        let fact = computed.next();
        if output == ABSENT {
            continue;
        }
        let fact = fact.or_else(|| of_declared(model, output));
        if let Some(mut fact) = fact {
            if let Some(message) = too_large(model.name(output), &fact.dims) {
                return Err(Refusal::node(model, index, message));
            }
            let values = fact.value.as_deref().map_or(0, |value| match value {
                Numbers::Ints(values) => values.len(),
                Numbers::Floats(values) => values.len(),
            });
            match budget.0.checked_sub(values) {
                Some(rest) => budget.0 = rest,
                None => fact.value = None,
            }
            facts[output as usize] = Some(fact);
        } else {
            is_open = true;
        }
    }
    if is_open {
        open.push(index);
    }
    Ok(())
}

/// The shape that the file itself declares for a tensor, if it is one of numbers.
fn of_declared(model: &Model, tensor: TensorId) -> Option<Fact> {
    let declared = model.declared.get(&tensor)?;
    let dims = declared.shape.as_ref()?.iter().map(|extent| match extent {
        Extent::Fixed(dim) if *dim > 0 => Some(*dim),
        _ => None,
    });
    Some(Fact::new(dims.collect::<Option<_>>()?, declared.element))
}

fn outputs(call: &Call<'_>) -> Outcome {
    match Class::of(call.node) {
        Class::Convolution => window::convolution(call),
        Class::Deconvolution => window::deconvolution(call),
        Class::Pooling => window::pooling(call),
        Class::Gemm => arithmetic::gemm(call),
        Class::MatMul => arithmetic::matmul(call),
        Class::Attention => arithmetic::attention(call),
        Class::Unary => arithmetic::unary(call),
        Class::Elementwise => arithmetic::elementwise(call),
        Class::Comparison => arithmetic::comparison(call),
        Class::Reduce => arithmetic::reduce(call),
        Class::Cast => arithmetic::cast(call),
        Class::Constant => arithmetic::constant(call),
        Class::Concat => layout::concat(call),
        Class::Split => layout::split(call),
        Class::Slice => layout::slice(call),
        Class::View => layout::view(call),
        Class::Transpose => layout::transpose(call),
        Class::Resize => layout::resize(call),
        Class::Pad => layout::pad(call),
        Class::Gather => layout::gather(call),
        Class::Select => layout::select(call),
        Class::Softmax | Class::Normalization | Class::BatchNormalization => same(call, None),
        Class::Alias => same(call, Some(Element::Bool)),
        Class::Quantize => {
            let element = call.input(2).map_or(Element::Uint8, |zero| zero.element);
            one(call.first()?.dims.clone(), element)
        }
        Class::Dequantize => one(call.first()?.dims.clone(), call.required(1)?.element),
        Class::Control | Class::Opaque | Class::Unknown => Ok(None),
    }
}

/// The first output is like the first input; a second one is a mask of the same shape.
fn same(call: &Call<'_>, mask: Option<Element>) -> Outcome {
    let input = call.first()?;
    let mut outputs = vec![Fact { constant: false, ..input.clone() }];
    if !matches!(Class::of(call.node), Class::Alias) {
        outputs[0].value = None;
    }
    if let Some(element) = mask {
        outputs.push(Fact::new(input.dims.clone(), element));
    }
    Ok(Some(outputs))
}
