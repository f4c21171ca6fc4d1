//! Convolutions and poolings: geometry and output extents.

use super::call::{Call, Outcome, one};
use super::fact::Fact;
use crate::read::{Element, Node};

/// Geometry of a kernel or window, one number for each spatial axis.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Geometry {
    pub(crate) kernel: Vec<i64>,
    pub(crate) stride: Vec<i64>,
    pub(crate) before: Vec<i64>,
    pub(crate) after: Vec<i64>,
    pub(crate) dilation: Vec<i64>,
}

impl Geometry {
    /// Whether it looks at one element at a time.
    pub(crate) fn is_one(&self) -> bool {
        let all = |values: &[i64], value: i64| values.iter().all(|&v| v == value);
        all(&self.kernel, 1) && all(&self.stride, 1) && all(&self.before, 0) && all(&self.after, 0)
    }
}

fn list(node: &Node, name: &str, length: usize, default: i64, least: i64) -> Result<Vec<i64>, String> {
    match node.ints(name) {
        None | Some([]) => Ok(vec![default; length]),
        Some(values) if values.len() == length && values.iter().all(|&v| (least..=1 << 24).contains(&v)) => {
            Ok(values.to_vec())
        }
        Some(values) => Err(format!("has `{name}` {values:?}, not {length} numbers of {least} or more")),
    }
}

/// The geometry of a convolution or pooling over these spatial extents; the kernel of a convolution is that of its weights.
pub(crate) fn geometry(node: &Node, spatial: &[i64], weights: Option<&[i64]>) -> Result<Geometry, String> {
    let rank = spatial.len();
    let kernel = match (node.ints("kernel_shape"), weights) {
        (Some(_), _) => list(node, "kernel_shape", rank, 1, 1)?,
        (None, Some(weights)) if weights.len() == rank => weights.to_vec(),
        (None, _) => return Err("has no `kernel_shape`".into()),
    };
    let stride = list(node, "strides", rank, 1, 1)?;
    let dilation = list(node, "dilations", rank, 1, 1)?;
    let pads = match node.text("auto_pad").unwrap_or("NOTSET") {
        "NOTSET" | "" => list(node, "pads", 2 * rank, 0, 0)?,
        "VALID" => vec![0; 2 * rank],
        same @ ("SAME_UPPER" | "SAME_LOWER") => {
            let mut pads = vec![0; 2 * rank];
            for axis in 0..rank {
                let reach = (kernel[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
                let steps =
                    (spatial[axis].saturating_add(stride[axis] - 1) / stride[axis] - 1).saturating_mul(stride[axis]);
                let total = steps.saturating_add(reach).saturating_sub(spatial[axis]).max(0);
                let (less, more) = (total / 2, total - total / 2);
                (pads[axis], pads[axis + rank]) = if same == "SAME_UPPER" { (less, more) } else { (more, less) };
            }
            pads
        }
        other => return Err(format!("has `auto_pad` \"{other}\", which ONNX does not have")),
    };
    let (before, after) = (pads[..rank].to_vec(), pads[rank..].to_vec());
    Ok(Geometry { kernel, stride, before, after, dilation })
}

/// Output extents of a kernel that moves over an image.
fn moved(geometry: &Geometry, spatial: &[i64], ceil: bool) -> Result<Vec<i64>, String> {
    spatial
        .iter()
        .enumerate()
        .map(|(axis, &extent)| {
            let reach = (geometry.kernel[axis] - 1).saturating_mul(geometry.dilation[axis]).saturating_add(1);
            let padded = extent.saturating_add(geometry.before[axis]).saturating_add(geometry.after[axis]);
            let stride = geometry.stride[axis];
            let room = padded.saturating_sub(reach);
            if room < 0 {
                return Err(format!("has a window of {reach} over an extent of {padded}"));
            }
            let mut steps = room / stride + 1;
            if ceil && room % stride != 0 && steps.saturating_mul(stride) < extent.saturating_add(geometry.before[axis])
            {
                steps += 1;
            }
            Ok(steps)
        })
        .collect()
}

fn image(fact: &Fact) -> Result<(i64, i64, &[i64]), String> {
    match fact.dims.as_slice() {
        [batch, channels, spatial @ ..] if !spatial.is_empty() => Ok((*batch, *channels, spatial)),
        dims => Err(format!("has an input of the shape {dims:?}, without channels and extents")),
    }
}

/// Positions of the image and the weights among the inputs of a convolution.
pub(crate) fn operands(node: &Node) -> (usize, usize) {
    if node.operator == "QLinearConv" { (0, 3) } else { (0, 1) }
}

pub(crate) fn convolution(call: &Call<'_>) -> Outcome {
    let (image_at, weights_at) = operands(call.node);
    let (input, weights) = (call.required(image_at)?, call.required(weights_at)?);
    let (batch, channels, spatial) = image(input)?;
    let [maps, per_group, kernel @ ..] = weights.dims.as_slice() else {
        return Err(format!("has weights of the shape {:?}", weights.dims));
    };
    let groups = call.node.int("group").unwrap_or(1);
    if groups < 1 || per_group.checked_mul(groups) != Some(channels) || maps % groups != 0 {
        return Err(format!("has weights {:?} and {groups} groups for {channels} channels", weights.dims));
    }
    let geometry = geometry(call.node, spatial, Some(kernel))?;
    let element = match call.node.operator.as_str() {
        "ConvInteger" => Element::Int32,
        _ => input.element,
    };
    let mut dims = vec![batch, *maps];
    dims.extend(moved(&geometry, spatial, false)?);
    one(dims, element)
}

pub(crate) fn deconvolution(call: &Call<'_>) -> Outcome {
    let (input, weights) = (call.first()?, call.required(1)?);
    let (batch, channels, spatial) = image(input)?;
    let [from, per_group, kernel @ ..] = weights.dims.as_slice() else {
        return Err(format!("has weights of the shape {:?}", weights.dims));
    };
    let groups = call.node.int("group").unwrap_or(1).max(1);
    if *from != channels {
        return Err(format!("has weights {:?} for {channels} channels", weights.dims));
    }
    let geometry = geometry(call.node, spatial, Some(kernel))?;
    let extra = list(call.node, "output_padding", spatial.len(), 0, 0)?;
    let same = matches!(call.node.text("auto_pad"), Some("SAME_UPPER" | "SAME_LOWER"));
    let mut dims = vec![batch, per_group.saturating_mul(groups)];
    match call.node.ints("output_shape") {
        Some(shape) if !shape.is_empty() => {
            dims.extend(&shape[shape.len().saturating_sub(spatial.len())..]);
        }
        _ => {
            for (axis, &extent) in spatial.iter().enumerate() {
                let reach = (geometry.kernel[axis] - 1).saturating_mul(geometry.dilation[axis]).saturating_add(1);
                let whole = (extent - 1).saturating_mul(geometry.stride[axis]).saturating_add(reach);
                let cut = geometry.before[axis].saturating_add(geometry.after[axis]);
                dims.push(if same {
                    extent.saturating_mul(geometry.stride[axis])
                } else {
                    whole.saturating_add(extra[axis]).saturating_sub(cut)
                });
            }
        }
    }
    one(dims, input.element)
}

pub(crate) fn pooling(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let (batch, channels, spatial) = image(input)?;
    let mut dims = vec![batch, channels];
    if call.node.operator.starts_with("Global") {
        dims.extend(spatial.iter().map(|_| 1));
    } else {
        let geometry = geometry(call.node, spatial, None)?;
        dims.extend(moved(&geometry, spatial, call.node.int("ceil_mode") == Some(1))?);
    }
    let mut outputs = vec![Fact::new(dims.clone(), input.element)];
    if call.node.outputs.len() > 1 {
        outputs.push(Fact::new(dims, Element::Int64));
    }
    Ok(Some(outputs))
}
