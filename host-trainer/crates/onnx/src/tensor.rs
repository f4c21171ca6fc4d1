//! Arrays of the element types that our models have.

use super::error::{OnnxError, fault};
use super::proto::{DataType, TensorProto};
use ndarray::{ArrayD, IxDyn, Zip};

/// Most elements of one tensor while a model runs: 1 GiB of doubles. A small file could ask for any number, by tensors that
/// double from node to node.
const ELEMENTS: usize = 1 << 27;

/// An array of one element type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tensor {
    Float(ArrayD<f32>),
    Double(ArrayD<f64>),
    Integer(ArrayD<i64>),
    Bool(ArrayD<bool>),
}

/// An array of `values`, the last axis running fastest.
pub(super) fn array<T>(shape: &[usize], values: Vec<T>) -> Result<ArrayD<T>, OnnxError> {
    let count = values.len();
    ArrayD::from_shape_vec(IxDyn(shape), values)
        .map_err(|_| fault(format!("{count} elements do not fill a shape of {shape:?}")))
}

/// The shape that two arrays have when axes of extent 1 stretch, by ONNX's rule of multidirectional broadcasting.
pub(super) fn common_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, OnnxError> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let shape = (0..rank).map(|axis| match (extent(a, axis), extent(b, axis)) {
        (x, y) if x == y => Ok(x),
        (1, x) | (x, 1) => Ok(x),
        _ => Err(fault(format!("shapes {a:?} and {b:?} do not go together"))),
    });
    let shape: Vec<usize> = shape.collect::<Result<_, _>>()?;
    affordable(&shape)?;
    Ok(shape)
}

/// Refuses a shape of more elements than a model of ours ever has.
pub(super) fn affordable(shape: &[usize]) -> Result<(), OnnxError> {
    let count = shape.iter().try_fold(1_usize, |count, extent| count.checked_mul(*extent));
    match count {
        Some(count) if count <= ELEMENTS => Ok(()),
        _ => Err(fault(format!("a tensor of shape {shape:?} is too large"))),
    }
}

/// Combines two arrays element by element, where axes of extent 1 stretch.
pub(super) fn combine<T: Copy, R>(
    a: &ArrayD<T>,
    b: &ArrayD<T>,
    with: impl Fn(T, T) -> R,
) -> Result<ArrayD<R>, OnnxError> {
    let shape = IxDyn(&common_shape(a.shape(), b.shape())?);
    let unfit = || fault(format!("shapes {:?} and {:?} do not go together", a.shape(), b.shape()));
    let (a, b) = (a.broadcast(shape.clone()).ok_or_else(unfit)?, b.broadcast(shape).ok_or_else(unfit)?);
    Ok(Zip::from(a).and(b).map_collect(|x, y| with(*x, *y)))
}

impl Tensor {
    /// A constant of the file.
    pub(super) fn read(proto: &TensorProto) -> Result<Self, OnnxError> {
        let wrong = |what: String| fault(format!("constant `{}`: {what}", proto.name));
        let shape = proto.dims.iter().map(|extent| usize::try_from(*extent)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| wrong(format!("shape {:?}", proto.dims)))?;
        affordable(&shape).map_err(|e| wrong(e.to_string()))?;
        let raw = &proto.raw_data;
        let whole = |size: usize| match raw.len().is_multiple_of(size) {
            true => Ok(raw.chunks_exact(size)),
            false => Err(wrong(format!("{} bytes are no elements of {size}", raw.len()))),
        };
        fn bytes<const N: usize>(chunk: &[u8]) -> [u8; N] {
            std::array::from_fn(|i| chunk[i])
        }
        let integers = || proto.int32_data.iter().map(|value| i64::from(*value));
        let tensor = match DataType::try_from(proto.data_type) {
            Ok(DataType::Float) if raw.is_empty() => array(&shape, proto.float_data.clone()).map(Self::Float),
            Ok(DataType::Float) => {
                array(&shape, whole(4)?.map(|c| f32::from_le_bytes(bytes(c))).collect()).map(Self::Float)
            }
            Ok(DataType::Double) if raw.is_empty() => array(&shape, proto.double_data.clone()).map(Self::Double),
            Ok(DataType::Double) => {
                array(&shape, whole(8)?.map(|c| f64::from_le_bytes(bytes(c))).collect()).map(Self::Double)
            }
            Ok(DataType::Int64) if raw.is_empty() => array(&shape, proto.int64_data.clone()).map(Self::Integer),
            Ok(DataType::Int64) => {
                array(&shape, whole(8)?.map(|c| i64::from_le_bytes(bytes(c))).collect()).map(Self::Integer)
            }
            Ok(DataType::Int32) if raw.is_empty() => array(&shape, integers().collect()).map(Self::Integer),
            Ok(DataType::Int32) => {
                array(&shape, whole(4)?.map(|c| i64::from(i32::from_le_bytes(bytes(c)))).collect()).map(Self::Integer)
            }
            Ok(DataType::Bool) if raw.is_empty() => {
                array(&shape, integers().map(|value| value != 0).collect()).map(Self::Bool)
            }
            Ok(DataType::Bool) => array(&shape, raw.iter().map(|byte| *byte != 0).collect()).map(Self::Bool),
            _ => Err(fault(format!("elements of type {} are not known here", proto.data_type))),
        };
        tensor.map_err(|e| wrong(e.to_string()))
    }

    /// The same values in another element type. Floats become integers by dropping the fraction, as in Rust's `as`.
    pub(super) fn cast(&self, to: i32) -> Result<Self, OnnxError> {
        Ok(match (self, DataType::try_from(to)) {
            (Self::Float(a), Ok(DataType::Float)) => Self::Float(a.clone()),
            (Self::Float(a), Ok(DataType::Double)) => Self::Double(a.mapv(f64::from)),
            (Self::Float(a), Ok(DataType::Int64)) => Self::Integer(a.mapv(|x| x as i64)),
            (Self::Float(a), Ok(DataType::Bool)) => Self::Bool(a.mapv(|x| x != 0.0)),
            (Self::Double(a), Ok(DataType::Float)) => Self::Float(a.mapv(|x| x as f32)),
            (Self::Double(a), Ok(DataType::Double)) => Self::Double(a.clone()),
            (Self::Double(a), Ok(DataType::Int64)) => Self::Integer(a.mapv(|x| x as i64)),
            (Self::Double(a), Ok(DataType::Bool)) => Self::Bool(a.mapv(|x| x != 0.0)),
            (Self::Integer(a), Ok(DataType::Float)) => Self::Float(a.mapv(|x| x as f32)),
            (Self::Integer(a), Ok(DataType::Double)) => Self::Double(a.mapv(|x| x as f64)),
            (Self::Integer(a), Ok(DataType::Int64)) => Self::Integer(a.clone()),
            (Self::Integer(a), Ok(DataType::Bool)) => Self::Bool(a.mapv(|x| x != 0)),
            (Self::Bool(a), Ok(DataType::Float)) => Self::Float(a.mapv(|x| f32::from(u8::from(x)))),
            (Self::Bool(a), Ok(DataType::Double)) => Self::Double(a.mapv(|x| f64::from(u8::from(x)))),
            (Self::Bool(a), Ok(DataType::Int64)) => Self::Integer(a.mapv(i64::from)),
            (Self::Bool(a), Ok(DataType::Bool)) => Self::Bool(a.clone()),
            _ => return Err(fault(format!("elements of type {to} are not known here"))),
        })
    }

    /// Name of the element type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Integer(_) => "int64",
            Self::Bool(_) => "bool",
        }
    }

    /// Extent along each axis.
    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Self::Float(a) => a.shape(),
            Self::Double(a) => a.shape(),
            Self::Integer(a) => a.shape(),
            Self::Bool(a) => a.shape(),
        }
    }

    /// The values as integers, where they are.
    pub(super) fn integers(&self) -> Result<&ArrayD<i64>, OnnxError> {
        match self {
            Self::Integer(a) => Ok(a),
            other => Err(fault(format!("{} in place of int64", other.kind()))),
        }
    }

    /// The only element of a tensor that has one.
    pub(super) fn scalar(&self) -> Result<f64, OnnxError> {
        let Self::Double(all) = self.cast(DataType::Double as i32)? else { return Err(fault("no number")) };
        match all.len() {
            1 => Ok(all.iter().sum()),
            count => Err(fault(format!("{count} values in place of one"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axes_of_one_stretch_and_others_must_agree() {
        assert_eq!(common_shape(&[3, 1], &[4]).expect("fits"), [3, 4]);
        assert_eq!(common_shape(&[], &[2, 2]).expect("fits"), [2, 2]);
        assert!(common_shape(&[3, 2], &[4]).is_err());
        assert!(common_shape(&[1 << 20, 1], &[1, 1 << 20]).is_err(), "too large");
    }

    #[test]
    fn constants_are_read_in_both_forms_and_refused_where_they_do_not_fill_their_shape() {
        let typed = TensorProto {
            dims: vec![2],
            data_type: DataType::Float as i32,
            float_data: vec![1.0, 2.0],
            ..Default::default()
        };
        let raw = TensorProto {
            raw_data: [1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
            float_data: Vec::new(),
            ..typed.clone()
        };
        assert_eq!(Tensor::read(&typed).expect("reads"), Tensor::read(&raw).expect("reads"));
        for dims in [vec![3], vec![-1], vec![i64::MAX, i64::MAX]] {
            assert!(Tensor::read(&TensorProto { dims, ..raw.clone() }).is_err());
        }
        assert!(Tensor::read(&TensorProto { raw_data: vec![0; 7], ..raw.clone() }).is_err());
        assert!(Tensor::read(&TensorProto { data_type: 8, ..raw }).is_err());
    }

    proptest! {
        /// Combining a matrix with a row is combining each of its rows with it.
        #[test]
        fn a_row_is_combined_with_every_row(rows in 1_usize..5, columns in 1_usize..5, seed in any::<u32>()) {
            let value = |i: usize| f64::from(seed.rotate_left(i as u32)) + i as f64;
            let matrix = array(&[rows, columns], (0..rows * columns).map(value).collect()).expect("fills");
            let row = array(&[columns], (0..columns).map(|i| value(i + 7)).collect()).expect("fills");
            let sum = combine(&matrix, &row, |a, b| a - b).expect("fits");
            for ((r, c), x) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).zip(sum.iter()) {
                prop_assert_eq!(*x, value(r * columns + c) - value(c + 7));
            }
        }
    }
}
