//! Under which name, with which extents and in which number format a layer sees a tensor.

use crate::fuse::{Fused, Kind};
use crate::network::{Network, is_numeric};
use crate::options::{Build, Options};
use crate::read::{Element, TensorId};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Names and number formats of tensors as the layers have them.
#[derive(Debug)]
pub(crate) struct Tensors<'a> {
    network: &'a Network,
    fused: &'a Fused,
    /// The name of the output of convolutions that run side by side, by the tensors in it.
    merged: HashMap<TensorId, String>,
    default: &'static str,
    /// Whether layers compute in 8-bit integers although the graph does not say so.
    pub(crate) is_calibrated: bool,
}

impl<'a> Tensors<'a> {
    pub(crate) fn new(network: &'a Network, fused: &'a Fused, options: &Options) -> Self {
        let default = match options.precision {
            Build::Fp32 | Build::Int8 => "Float",
            Build::Fp16 | Build::Best => "Half",
            Build::Bf16 => "BFloat16",
        };
        let is_calibrated = options.precision == Build::Int8 && !network.is_quantized;
        Self { network, fused, merged: HashMap::new(), default, is_calibrated }
    }

    /// Notes that tensors lie side by side in one output.
    pub(crate) fn merge(&mut self, tensors: impl IntoIterator<Item = TensorId>, name: &str) {
        self.merged.extend(tensors.into_iter().map(|tensor| (tensor, name.to_owned())));
    }

    /// The name under which a tensor is written and read.
    pub(crate) fn name(&self, tensor: TensorId) -> String {
        let mut tensor = tensor;
        while let Some(&source) = self.fused.channels.ranges.get(&tensor) {
            tensor = source;
        }
        if let Some(&concat) = self.fused.channels.in_place.get(&tensor) {
            return self.network.model().name(concat).to_owned();
        }
        self.merged.get(&tensor).cloned().unwrap_or_else(|| self.network.model().name(tensor).to_owned())
    }

    /// The number format of a tensor.
    pub(crate) fn format(&self, tensor: TensorId) -> &'static str {
        let mut source = tensor;
        while let Some(&of) = self.fused.channels.ranges.get(&source) {
            source = of;
        }
        let element = self.network.fact(tensor).map_or(Element::Float, |fact| fact.element);
        let is_binding = self.network.outputs.contains(&tensor) || !self.network.producer.contains_key(&source);
        if self.network.int8.contains(&tensor) || self.network.int8.contains(&source) {
            return "Int8";
        }
        match element {
            Element::Float | Element::Double if is_binding => "Float",
            Element::Half if is_binding => "Half",
            Element::Bfloat16 if is_binding => "BFloat16",
            _ if is_numeric(element) => self.default,
            Element::Int64 => "Int64",
            Element::Int8 | Element::Int4 => "Int8",
            Element::Uint8 => "UInt8",
            Element::Bool => "Bool",
            _ => "Int32",
        }
    }

    /// The number format of a layer's weights.
    pub(crate) fn weights(&self, is_int8: bool) -> &'static str {
        if is_int8 || self.is_calibrated { "Int8" } else { self.default }
    }

    /// The number format that layers compute in.
    pub(crate) fn default(&self) -> &'static str {
        self.default
    }

    /// A tensor as an engine info lists it.
    pub(crate) fn tensor(&self, tensor: TensorId) -> Value {
        listed(&self.name(tensor), self.network.dims(tensor), self.format(tensor))
    }

    /// A tensor at a convolution, dense layer or pooling.
    pub(crate) fn computed(&self, tensor: TensorId) -> Value {
        let format = self.format(tensor);
        let is_intermediate = self.network.producer.contains_key(&tensor) && !self.network.outputs.contains(&tensor);
        let format = if self.is_calibrated && is_intermediate && format == self.default { "Int8" } else { format };
        listed(&self.name(tensor), self.network.dims(tensor), format)
    }

    /// Whether a group makes tensors in channel-last layouts.
    pub(crate) fn is_packed(kind: Kind) -> bool {
        matches!(kind, Kind::Convolution | Kind::Deconvolution | Kind::Pooling | Kind::Dense)
    }
}

/// A tensor as an engine info lists it.
pub(crate) fn listed(name: &str, dims: &[i64], format: &str) -> Value {
    json!({"Name": name, "Location": "Device", "Dimensions": dims, "Format/Datatype": format})
}
