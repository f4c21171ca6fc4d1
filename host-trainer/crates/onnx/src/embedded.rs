//! The embedded runtime: the few operators of our models, one after the other.

use super::error::{OnnxError, fault};
use super::operators::Operator;
use super::proto::ModelProto;
use super::tensor::{Tensor, array};
use std::collections::HashMap;

/// A model that is ready to run, by several threads at once.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// What does not depend on the input, at its place among all values.
    constants: Vec<Option<Tensor>>,
    /// Places of the input and the output.
    input: usize,
    output: usize,
}

/// One node of the graph.
#[derive(Debug)]
struct Step {
    /// For messages: the node's name and operator.
    name: String,
    operator: Operator,
    /// Places of the values; None for an input that is left out, or an output that nobody reads.
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    /// Values that no later step reads.
    last_read: Vec<usize>,
}

impl Step {
    fn run<'a>(&self, value: impl Fn(usize) -> Option<&'a Tensor>) -> Result<Vec<Tensor>, OnnxError> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for place in &self.inputs {
            inputs.push(match place {
                Some(place) => {
                    Some(value(*place).ok_or_else(|| fault(format!("{} reads a value before it is made", self.name)))?)
                }
                None => None,
            });
        }
        self.operator.run(&inputs).map_err(|e| match e {
            OnnxError::Runtime(why) => fault(format!("{}: {why}", self.name)),
            other => other,
        })
    }
}

impl Plan {
    /// Prepares a model of one input, a matrix of `columns` columns, and one output, and tries it on a row of zeros.
    pub(super) fn load(model: &ModelProto, columns: usize) -> Result<Self, OnnxError> {
        let graph = model.graph.as_ref().ok_or_else(|| fault("no graph"))?;
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut constants = Vec::new();
        let mut add = |name, value: Option<Tensor>| {
            constants.push(value);
            match places.insert(name, constants.len() - 1) {
                None => Ok(constants.len() - 1),
                Some(_) => Err(fault(format!("two values are called `{name}`"))),
            }
        };
        for constant in &graph.initializer {
            add(&constant.name, Some(Tensor::read(constant)?))?;
        }
        let (Some(input), Some(output)) = (graph.input.first(), graph.output.first()) else {
            return Err(fault("no input or output"));
        };
        let input = add(&input.name, None)?;
        for name in graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
            add(name, None)?;
        }
        let place = |name: &String| {
            places.get(name.as_str()).copied().ok_or_else(|| fault(format!("the graph misses `{name}`")))
        };
        let optional = |name: &String| if name.is_empty() { Ok(None) } else { place(name).map(Some) };
        let output = place(&output.name)?;
        let mut steps = Vec::new();
        for node in &graph.node {
            let name = format!("{} `{}`", node.op_type, node.name);
            let operator = Operator::of(node).map_err(|e| fault(format!("{name}: {e}")))?;
            let places = |names: &[String]| names.iter().map(optional).collect::<Result<Vec<_>, _>>();
            let step = Step {
                name,
                operator,
                inputs: places(&node.input)?,
                outputs: places(&node.output)?,
                last_read: Vec::new(),
            };
            // What follows from constants is one.
            if step.inputs.iter().flatten().all(|place| constants[*place].is_some()) {
                let made = step.run(|place| constants[place].as_ref())?;
                for (place, value) in step.outputs.iter().zip(made) {
                    if let Some(place) = place {
                        constants[*place] = Some(value);
                    }
                }
            } else {
                steps.push(step);
            }
        }
        let mut read_later = vec![false; constants.len()];
        read_later[output] = true;
        for step in steps.iter_mut().rev() {
            for place in step.inputs.iter().flatten() {
                if constants[*place].is_none() && !std::mem::replace(&mut read_later[*place], true) {
                    step.last_read.push(*place);
                }
            }
        }
        let plan = Self { steps, constants, input, output };
        plan.run(&vec![0.0; columns], columns)?;
        Ok(plan)
    }

    /// Runs rows of `columns` features, given one after the other: all values of the output.
    pub(super) fn run(&self, rows: &[f32], columns: usize) -> Result<Vec<f32>, OnnxError> {
        let mut values: Vec<Option<Tensor>> = Vec::new();
        values.resize_with(self.constants.len(), || None);
        values[self.input] = Some(Tensor::Float(array(&[rows.len() / columns, columns], rows.to_vec())?));
        for step in &self.steps {
            let made = step.run(|place| self.constants[place].as_ref().or(values[place].as_ref()))?;
            for (place, value) in step.outputs.iter().zip(made) {
                if let Some(place) = place {
                    values[*place] = Some(value);
                }
            }
            for place in &step.last_read {
                values[*place] = None;
            }
        }
        match self.constants[self.output].as_ref().or(values[self.output].as_ref()) {
            Some(Tensor::Float(output)) => Ok(output.iter().copied().collect()),
            Some(other) => Err(fault(format!("the output is {}, not float", other.kind()))),
            None => Err(fault("the output is never made")),
        }
    }
}
