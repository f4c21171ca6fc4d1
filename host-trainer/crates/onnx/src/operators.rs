//! The operators that our models are made of, as ONNX defines them (operator set 13,
//! <https://onnx.ai/onnx/operators/>). A NaN stays one in all of them.

use super::error::{OnnxError, fault};
use super::proto::{AttributeType, NodeProto};
use super::tensor::{Tensor, affordable, array, combine};
use super::trees::Trees;
use ndarray::linalg::Dot;
use ndarray::{Array2, ArrayD, ArrayView2, Axis, Ix2, LinalgScalar, concatenate};
use std::borrow::Cow;

/// An operator with its settings.
#[derive(Debug)]
pub(super) enum Operator {
    /// One float to one float.
    Unary(Unary),
    /// Two numbers to one, or any number of them from the left.
    Binary(Binary),
    Greater,
    Cast(i64),
    Clip {
        low: Option<f64>,
        high: Option<f64>,
    },
    Concat {
        axis: i64,
    },
    Gather {
        axis: i64,
    },
    MatMul,
    Gemm {
        alpha: f32,
        beta: f32,
        transpose_a: bool,
        transpose_b: bool,
    },
    ReduceSum {
        axes: Option<Vec<i64>>,
        keep: bool,
        none_is_all: bool,
    },
    Trees(Trees),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Unary {
    Abs,
    Ceil,
    Exp,
    Floor,
    Log,
    Neg,
    Reciprocal,
    Relu,
    Sigmoid,
    Softplus,
    Sqrt,
    Tanh,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Binary {
    Add,
    Div,
    Max,
    Min,
    Mul,
    Pow,
    Sub,
}

impl Operator {
    /// The operator of a node.
    pub(super) fn of(node: &NodeProto) -> Result<Self, OnnxError> {
        let integer = |name: &str, default: i64| node.attribute(name).map_or(default, |attribute| attribute.i);
        let float = |name: &str| node.attribute(name).map(|attribute| attribute.f);
        let needed = |name: &str| {
            node.attribute(name).map(|attribute| attribute.i).ok_or_else(|| fault(format!("no attribute `{name}`")))
        };
        Ok(match node.op_type.as_str() {
            "Abs" => Self::Unary(Unary::Abs),
            "Ceil" => Self::Unary(Unary::Ceil),
            "Exp" => Self::Unary(Unary::Exp),
            "Floor" => Self::Unary(Unary::Floor),
            "Log" => Self::Unary(Unary::Log),
            "Neg" => Self::Unary(Unary::Neg),
            "Reciprocal" => Self::Unary(Unary::Reciprocal),
            "Relu" => Self::Unary(Unary::Relu),
            "Sigmoid" => Self::Unary(Unary::Sigmoid),
            "Softplus" => Self::Unary(Unary::Softplus),
            "Sqrt" => Self::Unary(Unary::Sqrt),
            "Tanh" => Self::Unary(Unary::Tanh),
            "Add" => Self::Binary(Binary::Add),
            "Div" => Self::Binary(Binary::Div),
            "Max" => Self::Binary(Binary::Max),
            "Min" => Self::Binary(Binary::Min),
            "Mul" => Self::Binary(Binary::Mul),
            "Pow" => Self::Binary(Binary::Pow),
            "Sub" => Self::Binary(Binary::Sub),
            "Greater" => Self::Greater,
            "Cast" => Self::Cast(needed("to")?),
            // Before operator set 11 the limits were attributes.
            "Clip" => Self::Clip { low: float("min").map(f64::from), high: float("max").map(f64::from) },
            "Concat" => Self::Concat { axis: needed("axis")? },
            "Gather" => Self::Gather { axis: integer("axis", 0) },
            "MatMul" => Self::MatMul,
            "Gemm" => Self::Gemm {
                alpha: float("alpha").unwrap_or(1.0),
                beta: float("beta").unwrap_or(1.0),
                transpose_a: integer("transA", 0) != 0,
                transpose_b: integer("transB", 0) != 0,
            },
            // Before operator set 13 the axes were an attribute.
            "ReduceSum" => Self::ReduceSum {
                axes: node
                    .attribute("axes")
                    .filter(|axes| axes.r#type() == AttributeType::Ints)
                    .map(|axes| axes.ints.clone()),
                keep: integer("keepdims", 1) != 0,
                none_is_all: integer("noop_with_empty_axes", 0) == 0,
            },
            "TreeEnsembleClassifier" => Self::Trees(Trees::of(node)?),
            other => return Err(fault(format!("operator {other} is for the native ONNX Runtime only"))),
        })
    }

    /// What it makes of its inputs, one for each output; an input that is left out is None.
    pub(super) fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OnnxError> {
        let input = |i: usize| inputs.get(i).copied().flatten().ok_or_else(|| fault(format!("input {i} is missing")));
        let one = match self {
            Self::Unary(unary) => unary.run(input(0)?),
            Self::Binary(binary) => match inputs.len() {
                2 => binary.run(input(0)?, input(1)?),
                1.. if matches!(binary, Binary::Max | Binary::Min) => {
                    (1..inputs.len()).try_fold(input(0)?.clone(), |so_far, next| binary.run(&so_far, input(next)?))
                }
                count => Err(fault(format!("{count} inputs in place of 2"))),
            },
            Self::Greater => greater(input(0)?, input(1)?),
            Self::Cast(to) => input(0)?.cast(i32::try_from(*to).unwrap_or_default()),
            Self::Clip { low, high } => {
                let limit = |i: usize, otherwise: &Option<f64>| match inputs.get(i).copied().flatten() {
                    Some(limit) => limit.scalar().map(Some),
                    None => Ok(*otherwise),
                };
                clip(input(0)?, limit(1, low)?, limit(2, high)?)
            }
            Self::Concat { axis } => {
                let all = (0..inputs.len()).map(input).collect::<Result<Vec<_>, _>>()?;
                side_by_side(&all, *axis)
            }
            Self::Gather { axis } => gather(input(0)?, *axis, input(1)?.integers()?),
            Self::MatMul => product(input(0)?, input(1)?),
            Self::Gemm { alpha, beta, transpose_a, transpose_b } => {
                let transposed = |tensor, swap: bool| {
                    if swap { transpose(tensor).map(Cow::Owned) } else { Ok(Cow::Borrowed(tensor)) }
                };
                let (a, b) = (transposed(input(0)?, *transpose_a)?, transposed(input(1)?, *transpose_b)?);
                let product = product(&a, &b)?;
                let scaled = scale(&product, *alpha)?;
                match inputs.get(2).copied().flatten() {
                    None => Ok(scaled),
                    Some(addend) => {
                        let sum = Binary::Add.run(&scaled, &scale(addend, *beta)?)?;
                        // The addend stretches, the product does not.
                        if sum.shape() == scaled.shape() {
                            Ok(sum)
                        } else {
                            Err(fault(format!("an addend of shape {:?}", addend.shape())))
                        }
                    }
                }
            }
            Self::ReduceSum { axes, keep, none_is_all } => {
                let axes = match inputs.get(1).copied().flatten() {
                    Some(axes) => axes.integers()?.iter().copied().collect(),
                    None => axes.clone().unwrap_or_default(),
                };
                sum(input(0)?, &axes, *keep, *none_is_all)
            }
            Self::Trees(trees) => return grown(trees, input(0)?),
        };
        Ok(vec![one?])
    }
}

/// The labels, which no model of ours reads, and the scores of trees.
fn grown(trees: &Trees, input: &Tensor) -> Result<Vec<Tensor>, OnnxError> {
    let Tensor::Float(rows) = input else { return Err(fault(format!("trees take floats, not {}", input.kind()))) };
    let &[count, columns] = rows.shape() else { return Err(fault("trees take a matrix")) };
    affordable(&[count, trees.classes])?;
    let values: Vec<f32> = rows.iter().copied().collect();
    let scores = array(&[count, trees.classes], trees.scores(&values, columns)?)?;
    Ok(vec![Tensor::Integer(ArrayD::zeros(vec![count])), Tensor::Float(scores)])
}

impl Unary {
    fn run(self, input: &Tensor) -> Result<Tensor, OnnxError> {
        macro_rules! of {
            ($x:expr, $one:expr, $zero:expr) => {
                match self {
                    Self::Abs => $x.mapv(|x| x.abs()),
                    Self::Ceil => $x.mapv(|x| x.ceil()),
                    Self::Exp => $x.mapv(|x| x.exp()),
                    Self::Floor => $x.mapv(|x| x.floor()),
                    Self::Log => $x.mapv(|x| x.ln()),
                    Self::Neg => $x.mapv(|x| -x),
                    Self::Reciprocal => $x.mapv(|x| x.recip()),
                    Self::Relu => $x.mapv(|x| if x < $zero { $zero } else { x }),
                    Self::Sigmoid => $x.mapv(|x| $one / ($one + (-x).exp())),
                    // ln(1 + eˣ) without an overflow of eˣ.
                    Self::Softplus => $x.mapv(|x| if x < $zero { x.exp().ln_1p() } else { x + (-x).exp().ln_1p() }),
                    Self::Sqrt => $x.mapv(|x| x.sqrt()),
                    Self::Tanh => $x.mapv(|x| x.tanh()),
                }
            };
        }
        match (input, self) {
            (Tensor::Float(x), _) => Ok(Tensor::Float(of!(x, 1.0_f32, 0.0_f32))),
            (Tensor::Double(x), _) => Ok(Tensor::Double(of!(x, 1.0_f64, 0.0_f64))),
            (Tensor::Integer(x), Self::Abs) => Ok(Tensor::Integer(x.mapv(i64::wrapping_abs))),
            (Tensor::Integer(x), Self::Neg) => Ok(Tensor::Integer(x.mapv(i64::wrapping_neg))),
            (other, _) => Err(fault(format!("it takes no {}", other.kind()))),
        }
    }
}

impl Binary {
    fn run(self, a: &Tensor, b: &Tensor) -> Result<Tensor, OnnxError> {
        macro_rules! of {
            ($a:expr, $b:expr) => {
                match self {
                    Self::Add => combine($a, $b, |x, y| x + y),
                    Self::Div => combine($a, $b, |x, y| x / y),
                    // `max` and `min` of Rust would drop a NaN.
                    Self::Max => combine($a, $b, |x, y| if x > y || x.is_nan() { x } else { y }),
                    Self::Min => combine($a, $b, |x, y| if x < y || x.is_nan() { x } else { y }),
                    Self::Mul => combine($a, $b, |x, y| x * y),
                    Self::Pow => combine($a, $b, |x, y| x.powf(y)),
                    Self::Sub => combine($a, $b, |x, y| x - y),
                }
            };
        }
        match (a, b) {
            (Tensor::Float(a), Tensor::Float(b)) => of!(a, b).map(Tensor::Float),
            (Tensor::Double(a), Tensor::Double(b)) => of!(a, b).map(Tensor::Double),
            (Tensor::Integer(a), Tensor::Integer(b)) => match self {
                Self::Add => combine(a, b, i64::wrapping_add),
                Self::Mul => combine(a, b, i64::wrapping_mul),
                Self::Sub => combine(a, b, i64::wrapping_sub),
                Self::Max => combine(a, b, i64::max),
                Self::Min => combine(a, b, i64::min),
                Self::Div | Self::Pow => Err(fault("it takes no int64")),
            }
            .map(Tensor::Integer),
            // The exponent alone may be of another type.
            (Tensor::Float(_), exponent) if matches!(self, Self::Pow) => self.run(a, &exponent.cast(1)?),
            (Tensor::Double(_), exponent) if matches!(self, Self::Pow) => self.run(a, &exponent.cast(11)?),
            (a, b) => Err(fault(format!("{} and {} do not go together", a.kind(), b.kind()))),
        }
    }
}

fn greater(a: &Tensor, b: &Tensor) -> Result<Tensor, OnnxError> {
    match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => combine(a, b, |x, y| x > y),
        (Tensor::Double(a), Tensor::Double(b)) => combine(a, b, |x, y| x > y),
        (Tensor::Integer(a), Tensor::Integer(b)) => combine(a, b, |x, y| x > y),
        (a, b) => Err(fault(format!("{} and {} do not go together", a.kind(), b.kind()))),
    }
    .map(Tensor::Bool)
}

fn clip(input: &Tensor, low: Option<f64>, high: Option<f64>) -> Result<Tensor, OnnxError> {
    let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
    // Where the limits cross, the upper one holds.
    let within = |x: f64| {
        if x > high || low > high {
            high
        } else if x < low {
            low
        } else {
            x
        }
    };
    match input {
        Tensor::Float(x) => Ok(Tensor::Float(x.mapv(|x| if x.is_nan() { x } else { within(f64::from(x)) as f32 }))),
        Tensor::Double(x) => Ok(Tensor::Double(x.mapv(|x| if x.is_nan() { x } else { within(x) }))),
        other => Err(fault(format!("it takes no {}", other.kind()))),
    }
}

/// A factor times floats or doubles.
fn scale(input: &Tensor, factor: f32) -> Result<Tensor, OnnxError> {
    match input {
        Tensor::Float(x) => Ok(Tensor::Float(x.mapv(|x| x * factor))),
        Tensor::Double(x) => Ok(Tensor::Double(x.mapv(|x| x * f64::from(factor)))),
        other => Err(fault(format!("it takes no {}", other.kind()))),
    }
}

/// An axis of a tensor of some rank; a negative one counts from the last.
fn axis_of(axis: i64, rank: usize) -> Result<usize, OnnxError> {
    let position = if axis < 0 {
        usize::try_from(axis.unsigned_abs()).ok().and_then(|back| rank.checked_sub(back))
    } else {
        usize::try_from(axis).ok()
    };
    position.filter(|axis| *axis < rank).ok_or_else(|| fault(format!("axis {axis} of a tensor with {rank}")))
}

fn side_by_side(all: &[&Tensor], axis: i64) -> Result<Tensor, OnnxError> {
    let first = all.first().ok_or_else(|| fault("no input"))?;
    let axis = axis_of(axis, first.shape().len())?;
    let mut shape = first.shape().to_vec();
    shape[axis] = all.iter().map(|tensor| tensor.shape().get(axis).copied().unwrap_or_default()).sum();
    affordable(&shape)?;
    macro_rules! of {
        ($kind:ident) => {{
            let mut views = Vec::with_capacity(all.len());
            for tensor in all {
                match tensor {
                    Tensor::$kind(array) => views.push(array.view()),
                    other => return Err(fault(format!("{} beside {}", other.kind(), first.kind()))),
                }
            }
            concatenate(Axis(axis), &views).map(Tensor::$kind)
        }};
    }
    match first {
        Tensor::Float(_) => of!(Float),
        Tensor::Double(_) => of!(Double),
        Tensor::Integer(_) => of!(Integer),
        Tensor::Bool(_) => of!(Bool),
    }
    .map_err(|_| {
        fault(format!(
            "shapes {:?} do not stand side by side",
            all.iter().map(|tensor| tensor.shape()).collect::<Vec<_>>()
        ))
    })
}

fn gather(input: &Tensor, axis: i64, indices: &ArrayD<i64>) -> Result<Tensor, OnnxError> {
    let axis = axis_of(axis, input.shape().len())?;
    let extent = input.shape()[axis];
    let chosen = indices.iter().map(|index| axis_of(*index, extent)).collect::<Result<Vec<_>, _>>();
    let chosen = chosen.map_err(|_| fault(format!("an index beyond the {extent} of axis {axis}")))?;
    let mut shape = input.shape().to_vec();
    shape[axis] = chosen.len();
    affordable(&shape)?;
    macro_rules! of {
        ($x:expr) => {
            match indices.ndim() {
                0 => Ok($x.index_axis(Axis(axis), chosen[0]).to_owned()),
                1 => Ok($x.select(Axis(axis), &chosen)),
                rank => Err(fault(format!("indices with {rank} axes"))),
            }
        };
    }
    match input {
        Tensor::Float(x) => of!(x).map(Tensor::Float),
        Tensor::Double(x) => of!(x).map(Tensor::Double),
        Tensor::Integer(x) => of!(x).map(Tensor::Integer),
        Tensor::Bool(x) => of!(x).map(Tensor::Bool),
    }
}

fn matrix<T>(input: &ArrayD<T>) -> Result<ArrayView2<'_, T>, OnnxError> {
    input
        .view()
        .into_dimensionality::<Ix2>()
        .map_err(|_| fault(format!("a tensor of shape {:?} is no matrix", input.shape())))
}

fn product(a: &Tensor, b: &Tensor) -> Result<Tensor, OnnxError> {
    fn of<T: LinalgScalar>(a: &ArrayD<T>, b: &ArrayD<T>) -> Result<ArrayD<T>, OnnxError>
    where
        for<'a> ArrayView2<'a, T>: Dot<ArrayView2<'a, T>, Output = Array2<T>>,
    {
        let (a, b) = (matrix(a)?, matrix(b)?);
        if a.ncols() != b.nrows() {
            return Err(fault(format!("matrices of {:?} and {:?} have no product", a.shape(), b.shape())));
        }
        affordable(&[a.nrows(), b.ncols()])?;
        Ok(a.dot(&b).into_dyn())
    }
    match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => of(a, b).map(Tensor::Float),
        (Tensor::Double(a), Tensor::Double(b)) => of(a, b).map(Tensor::Double),
        (a, b) => Err(fault(format!("{} and {} have no product here", a.kind(), b.kind()))),
    }
}

fn transpose(input: &Tensor) -> Result<Tensor, OnnxError> {
    match input {
        Tensor::Float(x) => Ok(Tensor::Float(matrix(x)?.reversed_axes().to_owned().into_dyn())),
        Tensor::Double(x) => Ok(Tensor::Double(matrix(x)?.reversed_axes().to_owned().into_dyn())),
        other => Err(fault(format!("it takes no {}", other.kind()))),
    }
}

fn sum(input: &Tensor, axes: &[i64], keep: bool, none_is_all: bool) -> Result<Tensor, OnnxError> {
    let rank = input.shape().len();
    let mut axes = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() && none_is_all {
        axes = (0..rank).collect();
    }
    axes.sort_unstable();
    axes.dedup();
    macro_rules! of {
        ($x:expr) => {{
            let mut sum = $x.clone();
            // From the last, so that the positions of the others stay.
            for axis in axes.iter().rev() {
                sum = sum.sum_axis(Axis(*axis));
                if keep {
                    sum = sum.insert_axis(Axis(*axis));
                }
            }
            sum
        }};
    }
    match input {
        Tensor::Float(x) => Ok(Tensor::Float(of!(x))),
        Tensor::Double(x) => Ok(Tensor::Double(of!(x))),
        Tensor::Integer(x) => Ok(Tensor::Integer(of!(x))),
        Tensor::Bool(_) => Err(fault("it takes no bool")),
    }
}
