//! Element-wise operators, matrix products, reductions: shapes, and values where they are constant and few.

use super::call::{Call, Outcome, one};
use super::fact::{Fact, axis, broadcast, elements, positions};
use crate::read::{Attribute, Element, Numbers};
use shared::limits;
use std::rc::Rc;

pub(crate) fn unary(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let mut output = Fact::new(input.dims.clone(), input.element);
    if matches!(call.node.operator.as_str(), "IsInf" | "IsNaN" | "Not") {
        output.element = Element::Bool;
    }
    output.value = input.value.as_deref().and_then(|value| unary_value(call, value)).map(Rc::new);
    Ok(Some(vec![output]))
}

fn unary_value(call: &Call<'_>, value: &Numbers) -> Option<Numbers> {
    let operator = call.node.operator.as_str();
    Some(match value {
        Numbers::Ints(values) => {
            let map: fn(i64) -> i64 = match operator {
                "Abs" => i64::wrapping_abs,
                "Neg" => i64::wrapping_neg,
                "Not" => |v| i64::from(v == 0),
                "Sign" => i64::signum,
                "Floor" | "Ceil" | "Round" => |v| v,
                "Relu" => |v| v.max(0),
                _ => return None,
            };
            Numbers::Ints(values.iter().map(|&v| map(v)).collect())
        }
        Numbers::Floats(values) => {
            let map: fn(f64) -> f64 = match operator {
                "Abs" => f64::abs,
                "Neg" => |v| -v,
                "Floor" => f64::floor,
                "Ceil" => f64::ceil,
                "Round" => f64::round_ties_even,
                "Sqrt" => f64::sqrt,
                "Exp" => f64::exp,
                "Log" => f64::ln,
                "Reciprocal" => f64::recip,
                "Relu" => |v| v.max(0.0),
                _ => return None,
            };
            Numbers::Floats(values.iter().map(|&v| map(v)).collect())
        }
    })
}

pub(crate) fn elementwise(call: &Call<'_>) -> Outcome {
    let first = call.first()?;
    let mut dims = first.dims.clone();
    for input in call.inputs.iter().flatten().skip(1) {
        dims = broadcast(&dims, &input.dims)?;
    }
    let element = if call.node.operator == "Where" { call.required(1)?.element } else { first.element };
    let mut output = Fact::new(dims, element);
    output.value = elementwise_value(call, &output.dims).map(Rc::new);
    Ok(Some(vec![output]))
}

pub(crate) fn comparison(call: &Call<'_>) -> Outcome {
    let dims = broadcast(&call.first()?.dims, &call.required(1)?.dims)?;
    let mut output = Fact::new(dims, Element::Bool);
    output.value = elementwise_value(call, &output.dims).map(Rc::new);
    Ok(Some(vec![output]))
}

/// Values of an input, one for each element of the output.
fn spread<T: Copy>(values: &[T], dims: &[i64], out: &[i64]) -> Option<Vec<T>> {
    positions(dims, out).into_iter().map(|position| values.get(position).copied()).collect()
}

fn elementwise_value(call: &Call<'_>, out: &[i64]) -> Option<Numbers> {
    if elements(out) > limits::GRAPH_VALUES as u64
        || call.inputs.iter().any(|input| input.is_none_or(|f| f.value.is_none()))
    {
        return None;
    }
    let operator = call.node.operator.as_str();
    let whole = |position: usize| {
        call.input(position).is_some_and(|fact| matches!(fact.value.as_deref(), Some(Numbers::Ints(_))))
    };
    if operator == "Where" {
        let condition = spread(&call.input(0)?.as_ints()?, &call.input(0)?.dims, out)?;
        let (yes, no) = (call.input(1)?, call.input(2)?);
        return Some(if whole(1) && whole(2) {
            let (yes, no) = (spread(&yes.as_ints()?, &yes.dims, out)?, spread(&no.as_ints()?, &no.dims, out)?);
            Numbers::Ints(
                condition.iter().zip(yes.iter().zip(no)).map(|(&c, (&y, n))| if c != 0 { y } else { n }).collect(),
            )
        } else {
            let (yes, no) = (spread(&yes.as_floats()?, &yes.dims, out)?, spread(&no.as_floats()?, &no.dims, out)?);
            Numbers::Floats(
                condition.iter().zip(yes.iter().zip(no)).map(|(&c, (&y, n))| if c != 0 { y } else { n }).collect(),
            )
        });
    }
    let count = call.inputs.len();
    if (0..count).all(whole) {
        let step: fn(i64, i64) -> i64 = match operator {
            "Add" | "Sum" => i64::wrapping_add,
            "Sub" => i64::wrapping_sub,
            "Mul" => i64::wrapping_mul,
            "Div" => |a, b| if b == 0 { 0 } else { a.wrapping_div(b) },
            "Mod" if call.node.int("fmod") == Some(1) => |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) },
            // The remainder has the divisor's sign.
            "Mod" => |a, b| if b == 0 { 0 } else { a.wrapping_rem(b).wrapping_add(b).wrapping_rem(b) },
            "Min" => i64::min,
            "Max" => i64::max,
            "Pow" => |a, b| a.wrapping_pow(u32::try_from(b).unwrap_or(0)),
            "Equal" => |a, b| i64::from(a == b),
            "Less" => |a, b| i64::from(a < b),
            "LessOrEqual" => |a, b| i64::from(a <= b),
            "Greater" => |a, b| i64::from(a > b),
            "GreaterOrEqual" => |a, b| i64::from(a >= b),
            "And" => |a, b| i64::from(a != 0 && b != 0),
            "Or" => |a, b| i64::from(a != 0 || b != 0),
            "Xor" => |a, b| i64::from((a != 0) != (b != 0)),
            _ => return None,
        };
        let mut result = spread(&call.input(0)?.as_ints()?, &call.input(0)?.dims, out)?;
        for position in 1..count {
            let input = call.input(position)?;
            for (a, b) in result.iter_mut().zip(spread(&input.as_ints()?, &input.dims, out)?) {
                *a = step(*a, b);
            }
        }
        return Some(Numbers::Ints(result));
    }
    let truth: Option<fn(f64, f64) -> bool> = match operator {
        "Equal" => Some(|a, b| a == b),
        "Less" => Some(|a, b| a < b),
        "LessOrEqual" => Some(|a, b| a <= b),
        "Greater" => Some(|a, b| a > b),
        "GreaterOrEqual" => Some(|a, b| a >= b),
        _ => None,
    };
    let first = spread(&call.input(0)?.as_floats()?, &call.input(0)?.dims, out)?;
    if let Some(truth) = truth {
        let second = spread(&call.input(1)?.as_floats()?, &call.input(1)?.dims, out)?;
        return Some(Numbers::Ints(first.iter().zip(second).map(|(&a, b)| i64::from(truth(a, b))).collect()));
    }
    let step: fn(f64, f64) -> f64 = match operator {
        "Add" | "Sum" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        "Div" => |a, b| a / b,
        "Min" => f64::min,
        "Max" => f64::max,
        "Pow" => f64::powf,
        "Mod" => |a, b| a % b,
        _ => return None,
    };
    let mut result = first;
    for position in 1..count {
        let input = call.input(position)?;
        for (a, b) in result.iter_mut().zip(spread(&input.as_floats()?, &input.dims, out)?) {
            *a = step(*a, b);
        }
    }
    Some(Numbers::Floats(result))
}

pub(crate) fn gemm(call: &Call<'_>) -> Outcome {
    let (a, b) = (call.first()?, call.required(1)?);
    let ([a0, a1], [b0, b1]) = (a.dims.as_slice(), b.dims.as_slice()) else {
        return Err(format!("multiplies shapes that are no matrices: {:?} and {:?}", a.dims, b.dims));
    };
    let turned = |name: &str| call.node.int(name).unwrap_or(0) != 0;
    let (rows, inner) = if turned("transA") { (*a1, *a0) } else { (*a0, *a1) };
    let (length, columns) = if turned("transB") { (*b1, *b0) } else { (*b0, *b1) };
    if inner != length {
        return Err(format!("multiplies shapes that do not fit: {:?} and {:?}", a.dims, b.dims));
    }
    one(vec![rows, columns], a.element)
}

/// Positions of the two operands of a matrix product.
pub(crate) fn operands(operator: &str) -> (usize, usize) {
    if operator == "QLinearMatMul" { (0, 3) } else { (0, 1) }
}

/// Attention over queries, keys and values of four axes: images, heads, tokens, numbers. With three, the number of heads decides.
pub(crate) fn attention(call: &Call<'_>) -> Outcome {
    let (query, value) = (call.first()?, call.required(2)?);
    let ([batch, heads, queries, _], [_, _, _, size]) = (query.dims.as_slice(), value.dims.as_slice()) else {
        return Ok(None);
    };
    one(vec![*batch, *heads, *queries, *size], query.element)
}

pub(crate) fn matmul(call: &Call<'_>) -> Outcome {
    if call.node.operator == "Einsum" {
        return einsum(call);
    }
    let (left, right) = operands(&call.node.operator);
    let (a, b) = (call.required(left)?, call.required(right)?);
    let misfit = || format!("multiplies shapes that do not fit: {:?} and {:?}", a.dims, b.dims);
    let element = if call.node.operator == "MatMulInteger" { Element::Int32 } else { a.element };
    let mut x = a.dims.clone();
    let mut y = b.dims.clone();
    if x.is_empty() || y.is_empty() {
        return Err(misfit());
    }
    let (vector_left, vector_right) = (x.len() == 1, y.len() == 1);
    if vector_left {
        x.insert(0, 1);
    }
    if vector_right {
        y.push(1);
    }
    let (rows, inner) = (x[x.len() - 2], x[x.len() - 1]);
    let (length, columns) = (y[y.len() - 2], y[y.len() - 1]);
    if inner != length {
        return Err(misfit());
    }
    let mut dims = broadcast(&x[..x.len() - 2], &y[..y.len() - 2])?;
    if !vector_left {
        dims.push(rows);
    }
    if !vector_right {
        dims.push(columns);
    }
    one(dims, element)
}

fn einsum(call: &Call<'_>) -> Outcome {
    let Some(equation) = call.node.text("equation") else { return Err("has no equation".into()) };
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let Some((left, right)) = equation.split_once("->") else { return Ok(None) };
    if equation.contains('.') {
        return Ok(None);
    }
    let mut extents = std::collections::HashMap::new();
    for (position, term) in left.split(',').enumerate() {
        let input = call.required(position)?;
        if term.chars().count() != input.dims.len() {
            return Err(format!("has the equation `{equation}` for an input of the shape {:?}", input.dims));
        }
        extents.extend(term.chars().zip(&input.dims).map(|(letter, &dim)| (letter, dim)));
    }
    let dims: Option<Vec<i64>> = right.chars().map(|letter| extents.get(&letter).copied()).collect();
    match dims {
        Some(dims) => one(dims, call.first()?.element),
        None => Err(format!("has the equation `{equation}`, whose result has an axis that no input has")),
    }
}

pub(crate) fn reduce(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let Some(list) = call.list("axes", 1) else { return Ok(None) };
    let keep = call.node.int("keepdims").unwrap_or(1) != 0;
    let rank = input.dims.len();
    let all = list.as_ref().is_none_or(Vec::is_empty);
    if all && call.node.int("noop_with_empty_axes") == Some(1) {
        return one(input.dims.clone(), input.element);
    }
    let axes: Vec<usize> = match list {
        Some(list) if !list.is_empty() => list.into_iter().map(|a| axis(a, rank)).collect::<Result<_, _>>()?,
        _ => (0..rank).collect(),
    };
    let dims = input
        .dims
        .iter()
        .enumerate()
        .filter_map(|(position, &dim)| match axes.contains(&position) {
            false => Some(dim),
            true => keep.then_some(1),
        })
        .collect();
    let mut output = Fact::new(dims, input.element);
    if axes.len() == rank {
        output.value = input.value.as_deref().and_then(|value| match value {
            Numbers::Ints(values) => {
                let result = match call.node.operator.as_str() {
                    "ReduceProd" => values.iter().fold(1_i64, |a, &b| a.wrapping_mul(b)),
                    "ReduceSum" => values.iter().fold(0_i64, |a, &b| a.wrapping_add(b)),
                    "ReduceMax" => *values.iter().max()?,
                    "ReduceMin" => *values.iter().min()?,
                    _ => return None,
                };
                Some(Rc::new(Numbers::Ints(vec![result])))
            }
            Numbers::Floats(_) => None,
        });
    }
    Ok(Some(vec![output]))
}

pub(crate) fn cast(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let element = match (call.node.int("to"), call.input(1)) {
        (Some(code), _) => Element::of(u64::try_from(code).unwrap_or(0)),
        (None, Some(like)) => like.element,
        (None, None) => return Err("does not say which number format it casts to".into()),
    };
    let mut output = Fact::new(input.dims.clone(), element);
    output.value = match (input.value.as_deref(), element) {
        (Some(Numbers::Ints(values)), Element::Bool) => {
            Some(Rc::new(Numbers::Ints(values.iter().map(|&v| i64::from(v != 0)).collect())))
        }
        (Some(Numbers::Floats(values)), Element::Bool) => {
            Some(Rc::new(Numbers::Ints(values.iter().map(|&v| i64::from(v != 0.0)).collect())))
        }
        (Some(Numbers::Ints(values)), to) if to.is_float() => {
            Some(Rc::new(Numbers::Floats(values.iter().map(|&v| v as f64).collect())))
        }
        (Some(Numbers::Floats(values)), to) if !to.is_float() => {
            Some(Rc::new(Numbers::Ints(values.iter().map(|&v| v as i64).collect())))
        }
        _ => input.value.clone(),
    };
    Ok(Some(vec![output]))
}

pub(crate) fn constant(call: &Call<'_>) -> Outcome {
    let node = call.node;
    match node.operator.as_str() {
        "Constant" => {
            let attribute = node.attributes.iter().find(|(name, _)| name.starts_with("value")).map(|(_, value)| value);
            let fact = match attribute {
                Some(Attribute::Tensor(literal)) => {
                    let mut fact = Fact::new(literal.dims.clone(), literal.element);
                    fact.value = literal.numbers.clone().map(Rc::new);
                    fact
                }
                Some(Attribute::Int(value)) => Fact::ints(vec![], vec![*value]),
                Some(Attribute::Ints(values)) => Fact::ints(vec![values.len() as i64], values.clone()),
                Some(Attribute::Float(value)) => {
                    let value = Some(Rc::new(Numbers::Floats(vec![*value])));
                    Fact { dims: vec![], element: Element::Float, constant: true, value }
                }
                Some(Attribute::Floats(values)) => {
                    let (dims, value) = (vec![values.len() as i64], Some(Rc::new(Numbers::Floats(values.clone()))));
                    Fact { dims, element: Element::Float, constant: true, value }
                }
                Some(Attribute::Text(_)) => Fact::new(vec![], Element::Text),
                Some(Attribute::Texts(values)) => Fact::new(vec![values.len() as i64], Element::Text),
                _ => return Ok(None),
            };
            Ok(Some(vec![fact]))
        }
        "Shape" => {
            let dims = &call.first()?.dims;
            let rank = dims.len() as i64;
            let bound =
                |value: i64| usize::try_from(if value < 0 { value + rank } else { value }.clamp(0, rank)).unwrap_or(0);
            let (start, end) = (bound(node.int("start").unwrap_or(0)), bound(node.int("end").unwrap_or(rank)));
            let values: Vec<i64> = dims.get(start..end).unwrap_or_default().to_vec();
            Ok(Some(vec![Fact::ints(vec![values.len() as i64], values)]))
        }
        "Size" => Ok(Some(vec![Fact::ints(vec![], vec![i64::try_from(call.first()?.elements()).unwrap_or(i64::MAX)])])),
        "ConstantOfShape" => {
            let Some(dims) = call.first()?.as_ints() else { return Ok(None) };
            let (element, value) = match node.attribute("value") {
                Some(Attribute::Tensor(literal)) => (literal.element, literal.numbers.clone()),
                _ => (Element::Float, Some(Numbers::Floats(vec![0.0]))),
            };
            let count = elements(&dims);
            let mut fact = Fact::new(dims, element);
            if count <= limits::GRAPH_VALUES as u64 {
                fact.value = match value {
                    Some(Numbers::Ints(v)) => v.first().map(|&v| Rc::new(Numbers::Ints(vec![v; count as usize]))),
                    Some(Numbers::Floats(v)) => v.first().map(|&v| Rc::new(Numbers::Floats(vec![v; count as usize]))),
                    None => None,
                };
            }
            Ok(Some(vec![fact]))
        }
        "Range" => range(call),
        _ => one(call.first()?.dims.clone(), call.first()?.element),
    }
}

fn range(call: &Call<'_>) -> Outcome {
    let (start, limit, step) = (call.required(0)?, call.required(1)?, call.required(2)?);
    let scalar = |fact: &Fact| fact.as_floats().and_then(|values| values.first().copied());
    let (Some(from), Some(to), Some(by)) = (scalar(start), scalar(limit), scalar(step)) else { return Ok(None) };
    let count = ((to - from) / by).ceil().max(0.0);
    if !count.is_finite() {
        return Err("counts in steps of 0 or without an end".into());
    }
    let mut fact = Fact::new(vec![count.min(9e15) as i64], start.element);
    if count <= limits::GRAPH_VALUES as f64 {
        let values = (0..count as i64).map(|i| from + by * i as f64);
        fact.value = Some(Rc::new(if start.element.is_float() {
            Numbers::Floats(values.collect())
        } else {
            Numbers::Ints(values.map(|v| v as i64).collect())
        }));
    }
    Ok(Some(vec![fact]))
}
