//! Writes groups of operators as the layers of an engine info.

use super::names::{metadata, name, region_name};
use super::order::order;
use super::tensors::{Tensors, listed};
use crate::correction::PRODUCT_CHANNELS;
use crate::fuse::{Branch, Fused, Group, GroupId, Kind, geometry_of};
use crate::infer::{Geometry, elements};
use crate::network::{Network, OpId, macs, parameters};
use crate::operator::Class;
use crate::options::Options;
use crate::read::TensorId;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// A layer as it is written, with its work.
#[derive(Debug)]
pub(crate) struct Written {
    /// Its description in the engine-info form.
    pub(crate) json: Map<String, Value>,
    /// Multiply-accumulates; none where they are not known.
    pub(crate) macs: Option<u64>,
    /// Whether it lies in a region that the engine may show as one opaque layer.
    pub(crate) is_opaque: bool,
}

/// Writes all layers in the order in which they run.
pub(crate) fn layers(network: &Network, fused: &Fused, options: &Options) -> Vec<Written> {
    let mut writer = Writer {
        network,
        fused,
        tensors: Tensors::new(network, fused, options),
        layers: Vec::new(),
        regions: HashMap::new(),
        relaid: HashSet::new(),
    };
    writer.regions = writer.find_regions();
    for id in order(network, fused) {
        writer.group(id);
    }
    writer.layers
}

/// A Myelin region.
#[derive(Debug)]
struct Region {
    first: OpId,
    last: OpId,
    /// Whether it multiplies matrices: then its inputs and outputs change their layout.
    has_product: bool,
    kernels: usize,
}

struct Writer<'a> {
    network: &'a Network,
    fused: &'a Fused,
    tensors: Tensors<'a>,
    layers: Vec<Written>,
    regions: HashMap<usize, Region>,
    /// Tensors whose layout has been changed already.
    relaid: HashSet<TensorId>,
}

impl<'a> Writer<'a> {
    fn find_regions(&self) -> HashMap<usize, Region> {
        let mut regions: HashMap<usize, Region> = HashMap::new();
        for group in &self.fused.groups.all {
            let Some(of) = group.region else { continue };
            for op in group.ops() {
                let region =
                    regions.entry(of).or_insert(Region { first: op, last: op, has_product: false, kernels: 0 });
                region.first = region.first.min(op);
                region.last = region.last.max(op);
                region.has_product |= group.kind == Kind::Product;
            }
        }
        regions
    }

    fn push(&mut self, json: Value, macs: Option<u64>, is_opaque: bool) {
        if let Value::Object(json) = json {
            self.layers.push(Written { json, macs, is_opaque });
        }
    }

    fn reformat(&mut self, name: &str, input: Value, output: Value, metadata: &str) {
        let json = json!({
            "Name": name, "LayerType": "Reformat", "Inputs": [input], "Outputs": [output],
            "ParameterType": "Reformat", "Origin": "REFORMAT", "Metadata": metadata,
        });
        self.push(json, Some(0), false);
    }

    fn group(&mut self, id: GroupId) {
        let fused = self.fused;
        let group = &fused.groups.all[id];
        let Some(head) = group.head() else { return };
        let number = match group.region {
            Some(of) => self.enter(of),
            None => 0,
        };
        let name = name(self.network, group, number);
        match group.kind {
            Kind::Convolution => self.convolution(group, &name),
            Kind::Deconvolution => self.deconvolution(group, head, &name),
            Kind::Dense => self.dense(group, head, &name),
            Kind::Pooling => self.pooling(group, head, &name),
            Kind::Pointwise => self.plain(group, &name, "PointWiseV2", "PointWise"),
            Kind::Product => self.product(group, head, &name),
            Kind::Kernel => self.plain(group, &name, "kgen", "kgen"),
            Kind::Concat => self.concat(head),
            Kind::Range => self.range(head),
            Kind::View => {
                let input = self.relay(group, &name);
                self.shaped(group, &name, "NoOp", input);
            }
            Kind::Shuffle => {
                let input = self.relay(group, &name);
                self.shaped(group, &name, "Shuffle", input);
            }
            Kind::Single => {
                let class = self.network.ops[head].class;
                let operator = self.network.node(head).operator.clone();
                let layer_type = match class {
                    Class::Resize => "Resize",
                    Class::Split | Class::Slice => "Slice",
                    Class::Pad => "Padding",
                    Class::Softmax => "SoftMax",
                    Class::Normalization => "Normalization",
                    Class::Reduce => "Reduce",
                    Class::Cast | Class::Quantize | Class::Dequantize => "Reformat",
                    Class::Gather => "Gather",
                    Class::Select => "TopK",
                    Class::Constant => "Fill",
                    _ => operator.as_str(),
                };
                self.plain(group, &name, layer_type, &operator);
            }
        }
        if group.region.is_some() {
            self.leave(group);
        }
    }

    /// The first layer of a region is the call that works out its shapes.
    fn enter(&mut self, of: usize) -> usize {
        let Some(region) = self.regions.get_mut(&of) else { return 0 };
        region.kernels += 1;
        let number = region.kernels;
        if number == 1 {
            let json = json!({
                "Name": format!("dummy_shape_call__mye{of}_0_myl{of}_0"), "LayerType": "shape_call",
                "Inputs": [], "Outputs": [], "Metadata": "",
            });
            self.push(json, Some(0), false);
        }
        number
    }

    /// What leaves a region that multiplies matrices for a convolution changes its layout.
    fn leave(&mut self, group: &Group) {
        let Some(region) = group.region.and_then(|of| self.regions.get(&of)).filter(|region| region.has_product) else {
            return;
        };
        let name = region_name(self.network, region.first, region.last);
        for output in group.outputs(self.network) {
            let is_packed = self.network.readers(output).iter().any(|&reader| {
                let owner = self.fused.groups.owner(reader);
                owner.is_some_and(|owner| Tensors::is_packed(self.fused.groups.all[owner].kind))
            });
            if is_packed && self.network.dims(output).len() == 4 {
                let inner = listed(&name, self.network.dims(output), self.tensors.format(output));
                let outer = self.tensors.tensor(output);
                self.reformat(&format!("Reformatting CopyNode for Output Tensor 0 to {name}"), inner, outer, "");
            }
        }
    }

    /// The layout change in front of shapes that lead from a convolution into a region that multiplies matrices.
    fn relay(&mut self, group: &Group, name: &str) -> Option<Value> {
        let input = *group.inputs(self.network).first()?;
        let maker = self.fused.groups.maker(self.network, input)?;
        let is_packed = Tensors::is_packed(self.fused.groups.all[maker].kind) && self.network.dims(input).len() == 4;
        if !is_packed || !self.leads_into_product(group) || !self.relaid.insert(input) {
            return None;
        }
        let laid = listed(
            &format!("Reformatted Input Tensor 0 to {name}"),
            self.network.dims(input),
            self.tensors.format(input),
        );
        let from = self.tensors.tensor(input);
        self.reformat(&format!("Reformatting CopyNode for Input Tensor 0 to {name}"), from, laid.clone(), "");
        Some(laid)
    }

    fn leads_into_product(&self, group: &Group) -> bool {
        let multiplies =
            |of: Option<usize>| of.and_then(|of| self.regions.get(&of)).is_some_and(|region| region.has_product);
        if multiplies(group.region) {
            return true;
        }
        group.outputs(self.network).iter().flat_map(|&output| self.network.readers(output)).any(|&reader| {
            let owner = self.fused.groups.owner(reader).map(|owner| &self.fused.groups.all[owner]);
            owner.is_some_and(|owner| multiplies(owner.region))
        })
    }

    fn group_macs(&self, group: &Group) -> Option<u64> {
        group.ops().map(|op| macs(self.network, op)).try_fold(0_u64, |sum, macs| Some(sum.saturating_add(macs?)))
    }

    /// The image of a convolution or pooling; the model's own input is brought into the layout of the kernel first.
    fn image(&mut self, tensor: TensorId, name: &str) -> Value {
        if self.network.producer.contains_key(&tensor) {
            return self.tensors.computed(tensor);
        }
        let format = if self.tensors.is_calibrated { "Int8" } else { self.tensors.default() };
        let laid = listed(&format!("Reformatted Input Tensor 0 to {name}"), self.network.dims(tensor), format);
        let from = self.tensors.tensor(tensor);
        self.reformat(&format!("Reformatting CopyNode for Input Tensor 0 to {name}"), from, laid.clone(), "");
        laid
    }

    /// The output of a layer that computes in another number format than the model's output has, and the conversion.
    fn result(&mut self, tensor: TensorId, dims: &[i64], name: &str) -> (Value, Option<(Value, Value)>) {
        let own = self.tensors.default();
        let wanted = self.tensors.format(tensor);
        if self.network.outputs.contains(&tensor) && wanted != own && wanted != "Int8" {
            let inner = listed(&format!("Reformatted Output Tensor 0 to {name}"), dims, own);
            return (inner.clone(), Some((inner, self.tensors.tensor(tensor))));
        }
        let mut output = self.tensors.computed(tensor);
        output["Dimensions"] = json!(dims);
        (output, None)
    }

    fn finish(&mut self, name: &str, conversion: Option<(Value, Value)>) {
        if let Some((from, to)) = conversion {
            self.reformat(&format!("Reformatting CopyNode for Output Tensor 0 to {name}"), from, to, "");
        }
    }

    fn convolution(&mut self, group: &'a Group, name: &str) {
        let network = self.network;
        let Some(head) = group.head() else { return };
        let (mut weights, mut biases, mut maps) = (0, 0, 0);
        for branch in &group.branches {
            if let Some(&op) = branch.ops.first() {
                let (count, bias) = parameters(network, op);
                weights += count;
                biases += bias;
                maps += network.dims(network.ops[op].output()).get(1).copied().unwrap_or(0);
            }
        }
        let all = group.inputs(network);
        let Some((&image, residuals)) = all.split_first() else { return };
        let mut inputs = vec![self.image(image, name)];
        for &residual in residuals {
            inputs.push(self.tensors.tensor(residual));
        }
        let last = |branch: &Branch| branch.pointwise.last().or(branch.ops.last()).copied();
        let outputs: Vec<TensorId> =
            group.branches.iter().filter_map(last).map(|op| network.ops[op].output()).collect();
        let Some(&first) = outputs.first() else { return };
        let mut dims = network.dims(first).to_vec();
        let (output, conversion) = if outputs.len() > 1 {
            if let Some(channels) = dims.get_mut(1) {
                *channels = maps;
            }
            self.tensors.merge(outputs.iter().copied(), name);
            let mut output = self.tensors.computed(first);
            output["Dimensions"] = json!(dims);
            (output, None)
        } else {
            self.result(first, &dims, name)
        };
        let activation =
            group.branches.first().and_then(|branch| branch.ops.iter().skip(1).find_map(|&op| activation(network, op)));
        let groups = network.node(head).int("group").unwrap_or(1);
        let is_int8 = network.ops[head].is_int8;
        let geometry = geometry_of(network, head);
        let is_product =
            !is_int8 && !self.tensors.is_calibrated && groups == 1 && self.is_product(image, geometry.as_ref());
        let layer_type = if is_product { "CaskGemmConvolution" } else { "CaskConvolution" };
        let mut json = json!({
            "Name": name, "LayerType": layer_type, "Inputs": inputs, "Outputs": [output], "ParameterType": "Convolution",
        });
        window(&mut json, "Kernel", geometry.as_ref());
        json["OutMaps"] = json!(maps);
        json["Groups"] = json!(groups);
        self.weigh(&mut json, weights, biases, is_int8);
        json["HasReLU"] = json!(u8::from(activation == Some("RELU")));
        json["HasResidual"] = json!(u8::from(group.has_residual(network)));
        json["Activation"] = json!(activation.unwrap_or("NONE"));
        json["Metadata"] = json!(metadata(network, group));
        let macs = self.group_macs(group);
        self.push(json, macs, false);
        self.finish(name, conversion);
    }

    /// Rule 5: a 1×1 convolution of stride 1 likely runs as a matrix product if it sums over many channels.
    fn is_product(&self, image: TensorId, geometry: Option<&Geometry>) -> bool {
        let ones = |extents: &[i64]| extents.iter().all(|&extent| extent == 1);
        let [_, channels, spatial @ ..] = self.network.dims(image) else { return false };
        geometry.is_some_and(|geometry| ones(&geometry.kernel) && ones(&geometry.stride))
            && *channels >= PRODUCT_CHANNELS
            && !ones(spatial)
    }

    fn weigh(&self, json: &mut Value, weights: u64, biases: u64, is_int8: bool) {
        let format = self.tensors.weights(is_int8);
        json["Weights"] = json!({"Type": format, "Count": weights});
        let bias = if format == "Int8" { "Float" } else { format };
        json["Bias"] = json!({"Type": bias, "Count": biases});
        json["HasBias"] = json!(u8::from(biases > 0));
    }

    fn deconvolution(&mut self, group: &Group, head: OpId, name: &str) {
        let network = self.network;
        let inputs = group.inputs(network);
        let Some(&image) = inputs.first() else { return };
        let image = self.image(image, name);
        let tensor = group.ops().last().map_or(0, |op| network.ops[op].output());
        let dims = network.dims(tensor).to_vec();
        let (output, conversion) = self.result(tensor, &dims, name);
        let mut json = json!({
            "Name": name, "LayerType": "CaskDeconvolutionV2", "Inputs": [image], "Outputs": [output], "ParameterType": "Deconvolution",
        });
        window(&mut json, "Kernel", geometry_of(network, head).as_ref());
        json["OutMaps"] = json!(dims.get(1).copied().unwrap_or(0));
        json["Groups"] = json!(network.node(head).int("group").unwrap_or(1));
        let (weights, biases) = parameters(network, head);
        self.weigh(&mut json, weights, biases, network.ops[head].is_int8);
        json["Metadata"] = json!(metadata(network, group));
        let macs = self.group_macs(group);
        self.push(json, macs, false);
        self.finish(name, conversion);
    }

    fn dense(&mut self, group: &Group, head: OpId, name: &str) {
        let network = self.network;
        let (weights, biases) = parameters(network, head);
        let tensor = group.ops().last().map_or(0, |op| network.ops[op].output());
        let inputs = group.inputs(network);
        let Some(&input) = inputs.first() else { return };
        let columns = network.dims(tensor).last().copied().unwrap_or(1).max(1);
        let rows = i64::try_from(elements(network.dims(tensor))).unwrap_or(i64::MAX) / columns;
        let length = i64::try_from(weights).unwrap_or(i64::MAX) / columns;
        let mut left = self.tensors.computed(input);
        left["Dimensions"] = json!([rows, length, 1, 1]);
        let dims = [rows, columns, 1, 1];
        let (output, conversion) = self.result(tensor, &dims, name);
        let activation = group.ops().skip(1).find_map(|op| activation(network, op));
        let mut json = json!({
            "Name": name, "LayerType": "CaskGemmConvolution", "Inputs": [left], "Outputs": [output], "ParameterType": "Convolution",
            "Kernel": [1, 1], "PrePadding": [0, 0], "PostPadding": [0, 0], "Stride": [1, 1], "Dilation": [1, 1],
            "OutMaps": columns, "Groups": 1,
        });
        self.weigh(&mut json, weights, biases, network.ops[head].is_int8);
        json["Activation"] = json!(activation.unwrap_or("NONE"));
        json["Metadata"] = json!(metadata(network, group));
        let macs = self.group_macs(group);
        self.push(json, macs, false);
        self.finish(name, conversion);
    }

    fn pooling(&mut self, group: &Group, head: OpId, name: &str) {
        let network = self.network;
        let op = &network.ops[head];
        let Some(&input) = op.inputs.first() else { return };
        let image = self.image(input, name);
        let outputs: Vec<Value> = op.outputs.iter().map(|&output| self.tensors.computed(output)).collect();
        let is_max = network.node(head).operator.contains("Max");
        let mut json = json!({
            "Name": name, "LayerType": "CaskPooling", "Inputs": [image], "Outputs": outputs, "ParameterType": "Pooling",
            "PoolingType": if is_max { "MAX" } else { "AVERAGE" },
        });
        window(&mut json, "WindowSize", geometry_of(network, head).as_ref());
        json["Metadata"] = json!(metadata(network, group));
        self.push(json, Some(0), false);
    }

    /// A matrix product lists both operands, and the bias, as inputs.
    fn product(&mut self, group: &Group, head: OpId, name: &str) {
        let network = self.network;
        let op = &network.ops[head];
        let node = network.node(head);
        let mut operands: Vec<TensorId> = Vec::new();
        // No product has more operands: `QLinearMatMul` has eight with its scales.
        for at in 0..node.inputs.len().min(8) {
            if let Some(constant) = node.input(at).filter(|id| op.constants.contains(id)) {
                operands.push(constant);
            } else if node.input(at).is_some() {
                let dynamic = node.inputs[..at]
                    .iter()
                    .filter(|&&id| id != crate::read::ABSENT && !op.constants.contains(&id))
                    .count();
                operands.extend(op.inputs.get(dynamic));
            }
        }
        let mut inputs: Vec<Value> = operands.iter().map(|&tensor| self.tensors.tensor(tensor)).collect();
        for value in
            inputs.iter_mut().zip(&operands).filter(|(_, tensor)| op.constants.contains(tensor)).map(|(value, _)| value)
        {
            value["Format/Datatype"] = json!(self.tensors.weights(op.is_int8));
        }
        if op.nodes.len() > 1 {
            let columns = network.dims(op.output()).last().copied().unwrap_or(1);
            inputs.push(listed(&format!("{name}_bias"), &[1, columns], self.tensors.default()));
        }
        let outputs: Vec<Value> =
            group.outputs(network).into_iter().map(|output| self.tensors.tensor(output)).collect();
        let json = json!({
            "Name": name, "LayerType": "gemm", "Inputs": inputs, "Outputs": outputs, "Metadata": metadata(network, group),
        });
        let macs = self.group_macs(group);
        self.push(json, macs, true);
    }

    fn plain(&mut self, group: &Group, name: &str, layer_type: &str, parameter_type: &str) {
        let inputs: Vec<Value> =
            group.inputs(self.network).into_iter().map(|input| self.tensors.tensor(input)).collect();
        let outputs: Vec<Value> =
            group.outputs(self.network).into_iter().map(|output| self.tensors.tensor(output)).collect();
        let json = json!({
            "Name": name, "LayerType": layer_type, "Inputs": inputs, "Outputs": outputs,
            "ParameterType": parameter_type, "Metadata": metadata(self.network, group),
        });
        let macs = self.group_macs(group);
        self.push(json, macs, group.region.is_some());
    }

    fn shaped(&mut self, group: &Group, name: &str, layer_type: &str, laid: Option<Value>) {
        let input = group.inputs(self.network).first().map(|&input| self.tensors.tensor(input));
        let inputs: Vec<Value> = laid.or(input).into_iter().collect();
        let outputs: Vec<Value> =
            group.outputs(self.network).into_iter().map(|output| self.tensors.tensor(output)).collect();
        let json = json!({
            "Name": name, "LayerType": layer_type, "Inputs": inputs, "Outputs": outputs,
            "ParameterType": "Shuffle", "Metadata": metadata(self.network, group),
        });
        self.push(json, Some(0), false);
    }

    /// Copies of what the makers could not write in place.
    fn concat(&mut self, head: OpId) {
        let network = self.network;
        let op = &network.ops[head];
        let output = op.output();
        let metadata = network.names(head).first().map(|name| format!("[ONNX Layer: {name}]")).unwrap_or_default();
        let constants = op.constants.clone();
        for input in op.inputs.iter().copied().chain(constants) {
            if self.fused.channels.in_place.get(&input) == Some(&output) {
                continue;
            }
            let name = network.model().name(input).to_owned();
            let from = self.tensors.tensor(input);
            let to = listed(&self.tensors.name(output), network.dims(input), self.tensors.format(output));
            self.reformat(&format!("{name} copy"), from, to, &metadata);
        }
    }

    /// A range of channels that a reader cannot take out of the whole.
    fn range(&mut self, head: OpId) {
        if !self.fused.channels.copied.contains(&head) {
            return;
        }
        let network = self.network;
        let op = &network.ops[head];
        let node = network.names(head).first().cloned().unwrap_or_default();
        let name = match op.part {
            Some(part) => format!("{node}_{part}"),
            None => node.clone(),
        };
        let output = op.output();
        let Some(&input) = op.inputs.first() else { return };
        let from = listed(&self.tensors.name(input), network.dims(output), self.tensors.format(input));
        let to = self.tensors.tensor(output);
        self.reformat(&name, from, to, &format!("[ONNX Layer: {node}]"));
    }
}

/// TensorRT's word for an activation inside a convolution.
fn activation(network: &Network, op: OpId) -> Option<&'static str> {
    match network.node(op).operator.as_str() {
        "Relu" => Some("RELU"),
        "Clip" => Some("CLIPPED_RELU"),
        "LeakyRelu" => Some("LEAKY_RELU"),
        _ => None,
    }
}

fn window(json: &mut Value, kernel: &str, geometry: Option<&Geometry>) {
    let Some(geometry) = geometry else { return };
    json[kernel] = json!(geometry.kernel);
    json["PaddingMode"] = json!("kEXPLICIT_ROUND_DOWN");
    json["PrePadding"] = json!(geometry.before);
    json["PostPadding"] = json!(geometry.after);
    json["Stride"] = json!(geometry.stride);
    json["Dilation"] = json!(geometry.dilation);
}
