//! Builds a network operator by operator, as exporters write trained networks: batch normalisation is folded into convolutions.

use crate::file::{Attribute, OnnxFile};
use crate::weights::{Constant, Element, NumberFormat, Values, WeightStorage};

/// A tensor between operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    name: String,
    dims: Vec<u64>,
}

impl Edge {
    /// Extents, the batch first.
    pub(crate) fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// Channels of images.
    pub(crate) fn channels(&self) -> u64 {
        self.dims.get(1).copied().unwrap_or(1)
    }
}

/// What a convolution or a pooling slides over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Output channels; for a pooling those of its input.
    pub(crate) channels: u64,
    /// Extents.
    pub(crate) kernel: [u64; 2],
    /// Steps.
    pub(crate) stride: [u64; 2],
    /// Padding on each side.
    pub(crate) padding: [u64; 2],
    /// Distance between the kernel's elements.
    pub(crate) dilation: u64,
    /// Channel groups.
    pub(crate) groups: u64,
}

impl Filter {
    /// One group; padding that keeps the extents at stride 1.
    pub(crate) fn same(channels: u64, kernel: u64, stride: u64) -> Self {
        Self::window(kernel, stride, kernel / 2).with_channels(channels)
    }

    /// A window of a pooling.
    pub(crate) fn window(kernel: u64, stride: u64, padding: u64) -> Self {
        let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
        Self { channels: 1, kernel, stride, padding, dilation: 1, groups: 1 }
    }

    pub(crate) fn with_channels(self, channels: u64) -> Self {
        Self { channels, ..self }
    }

    pub(crate) fn with_groups(self, groups: u64) -> Self {
        Self { groups, ..self }
    }

    /// Extents of the output over those of the input, for one axis; at least 1.
    fn extent(&self, axis: usize, input: u64) -> u64 {
        let reach = self.dilation * (self.kernel[axis] - 1) + 1;
        (input + 2 * self.padding[axis]).saturating_sub(reach) / self.stride[axis] + 1
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute<'static>)> {
        let ints = |values: [u64; 2]| values.map(|value| value as i64);
        let [height, width] = ints(self.padding);
        vec![
            ("kernel_shape", Attribute::Ints(ints(self.kernel).to_vec())),
            ("strides", Attribute::Ints(ints(self.stride).to_vec())),
            ("pads", Attribute::Ints(vec![height, width, height, width])),
        ]
    }
}

/// Largest weight of a layer, uniformly distributed with the variance 1 / fan-in (LeCun et al., 1998): half precision then holds the
/// sums of the deepest residual networks.
fn bound(fan_in: u64) -> f64 {
    (3.0 / fan_in.max(1) as f64).sqrt()
}

/// What one unit of an 8-bit weight stands for.
fn scale_of_int8(fan_in: u64) -> f64 {
    bound(fan_in) / 127.0
}

/// What follows a layer, element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Nonlinearity {
    /// Nothing.
    #[default]
    Linear,
    /// max(x, 0).
    Relu,
    /// A ReLU that ends at 6.
    Relu6,
    /// x · sigmoid(x).
    Silu,
    /// x · hard sigmoid(x).
    HardSwish,
    /// A line from 0 to 1.
    HardSigmoid,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// x · Φ(x), by the error function.
    Gelu,
}

/// A network under construction.
pub(crate) struct Builder {
    file: OnnxFile,
    format: NumberFormat,
    storage: WeightStorage,
    seed: u64,
    weights: u64,
}

impl Builder {
    pub(crate) fn new(name: &str, format: NumberFormat, storage: WeightStorage, seed: u64) -> Self {
        Self { file: OnnxFile::new(name), format, storage, seed, weights: 0 }
    }

    /// The finished file, with what leaves the network.
    pub(crate) fn finish(mut self, outputs: &[&Edge]) -> OnnxFile {
        let element = self.format.element();
        for output in outputs {
            self.file.add_output(&output.name, &output.dims, element);
        }
        self.file
    }

    /// An input.
    pub(crate) fn input(&mut self, name: &str, dims: &[u64]) -> Edge {
        self.file.add_input(name, dims, self.format.element());
        Edge { name: name.to_owned(), dims: dims.to_vec() }
    }

    // --- constants ---

    /// Random weights, or constants of their shape.
    fn random(&mut self, name: &str, dims: &[u64], element: Element, fan_in: u64) -> String {
        // Eight bits use their range; the scale behind them has the bound.
        let bound = if element == Element::Int8 { 127.0 } else { bound(fan_in) };
        self.weights += 1;
        let elements = dims.iter().product();
        if self.storage == WeightStorage::Stored || elements < 1_024 {
            let values = Values::Random { seed: [self.seed, self.weights], bound };
            self.file.add_constant(Constant { name: name.to_owned(), dims: dims.to_vec(), element, values });
        } else {
            let shape = self.integers(&format!("{name}/shape"), &dims.iter().map(|d| *d as i64).collect::<Vec<_>>());
            // Sums of products then neither grow nor vanish from layer to layer, though all weights have one sign.
            let unit = 1.0 / fan_in.max(1) as f64;
            let value = if element == Element::Int8 { (unit / scale_of_int8(fan_in)).max(1.0) } else { unit };
            let value = Attribute::Scalar(element, value);
            self.file.add_node("ConstantOfShape", name, &[&shape], &[name], &[("value", value)]);
            self.file.count_unstored(elements);
        }
        name.to_owned()
    }

    fn given(&mut self, name: &str, dims: &[u64], element: Element, values: &[f64]) -> String {
        let values = Values::Given(element.encode(values));
        self.file.add_constant(Constant { name: name.to_owned(), dims: dims.to_vec(), element, values });
        name.to_owned()
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let numbers: Vec<f64> = values.iter().map(|value| *value as f64).collect();
        self.given(name, &[values.len() as u64], Element::Int64, &numbers)
    }

    /// A constant of no dimension.
    fn scalar(&mut self, name: &str, value: f64) -> String {
        self.given(name, &[], self.format.element(), &[value])
    }

    /// Weights of a layer: quantised by output channel where layers are.
    fn layer_weights(&mut self, name: &str, dims: &[u64], fan_in: u64, axis: usize) -> String {
        let weight = format!("{name}.weight");
        if self.format != NumberFormat::Int8 {
            return self.random(&weight, dims, self.format.element(), fan_in);
        }
        let stored = self.random(&format!("{weight}_quantized"), dims, Element::Int8, fan_in);
        let channels = dims[axis];
        let scale = scale_of_int8(fan_in);
        let scales =
            self.given(&format!("{weight}_scale"), &[channels], Element::Fp32, &vec![scale; channels as usize]);
        let zeros = self.given(&format!("{weight}_zero"), &[channels], Element::Int8, &vec![0.0; channels as usize]);
        let attributes = [("axis", Attribute::Int(axis as i64))];
        let node = format!("{weight}/DequantizeLinear");
        self.file.add_node("DequantizeLinear", &node, &[&stored, &scales, &zeros], &[&weight], &attributes);
        weight
    }

    /// The input of a layer: quantised and back where layers are.
    fn layer_input(&mut self, from: &Edge, name: &str) -> String {
        if self.format != NumberFormat::Int8 {
            return from.name.clone();
        }
        let scale = self.given(&format!("{name}.input_scale"), &[], Element::Fp32, &[6.0 / 127.0]);
        let zero = self.given(&format!("{name}.input_zero"), &[], Element::Int8, &[0.0]);
        let (quantized, back) = (format!("{name}/QuantizeLinear"), format!("{name}/DequantizeLinear"));
        let stored = format!("{quantized}_output_0");
        let restored = format!("{back}_output_0");
        self.file.add_node("QuantizeLinear", &quantized, &[&from.name, &scale, &zero], &[&stored], &[]);
        self.file.add_node("DequantizeLinear", &back, &[&stored, &scale, &zero], &[&restored], &[]);
        restored
    }

    // --- operators ---

    fn apply(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        dims: Vec<u64>,
        attributes: &[(&str, Attribute<'_>)],
    ) -> Edge {
        let node = format!("{name}/{operator}");
        let output = format!("{node}_output_0");
        self.file.add_node(operator, &node, inputs, &[&output], attributes);
        Edge { name: output, dims }
    }

    /// A convolution with a bias.
    pub(crate) fn convolve(&mut self, from: &Edge, name: &str, filter: Filter, after: Nonlinearity) -> Edge {
        let channels = from.channels();
        let inner = channels / filter.groups;
        let [height, width] = filter.kernel;
        let fan_in = inner * height * width;
        let weights = self.layer_weights(name, &[filter.channels, inner, height, width], fan_in, 0);
        let bias = self.random(&format!("{name}.bias"), &[filter.channels], self.format.element(), fan_in);
        let input = self.layer_input(from, name);
        let mut attributes = filter.attributes();
        attributes.push(("dilations", Attribute::Ints(vec![filter.dilation as i64; 2])));
        attributes.push(("group", Attribute::Int(filter.groups as i64)));
        let extents = (0..2).map(|axis| filter.extent(axis, from.dims[axis + 2]));
        let dims = [from.dims[0], filter.channels].into_iter().chain(extents).collect();
        let to = self.apply("Conv", name, &[&input, &weights, &bias], dims, &attributes);
        self.activate(&to, name, after)
    }

    /// A transposed convolution that doubles the extents.
    pub(crate) fn double(&mut self, from: &Edge, name: &str, channels: u64) -> Edge {
        let inputs = from.channels();
        let weights = self.layer_weights(name, &[inputs, channels, 2, 2], inputs, 1);
        let bias = self.random(&format!("{name}.bias"), &[channels], self.format.element(), inputs);
        let input = self.layer_input(from, name);
        let mut attributes = Filter::window(2, 2, 0).attributes();
        attributes.push(("group", Attribute::Int(1)));
        let dims = vec![from.dims[0], channels, 2 * from.dims[2], 2 * from.dims[3]];
        self.apply("ConvTranspose", name, &[&input, &weights, &bias], dims, &attributes)
    }

    /// Nearest neighbours that double the extents.
    pub(crate) fn enlarge(&mut self, from: &Edge, name: &str) -> Edge {
        let scales = self.given(&format!("{name}.scales"), &[4], Element::Fp32, &[1.0, 1.0, 2.0, 2.0]);
        let attributes = [
            ("coordinate_transformation_mode", Attribute::Text("asymmetric")),
            ("mode", Attribute::Text("nearest")),
            ("nearest_mode", Attribute::Text("floor")),
        ];
        let dims = vec![from.dims[0], from.dims[1], 2 * from.dims[2], 2 * from.dims[3]];
        self.apply("Resize", name, &[&from.name, "", &scales], dims, &attributes)
    }

    /// A fully connected layer. What has more than two dimensions is flattened first.
    pub(crate) fn dense(&mut self, from: &Edge, name: &str, outputs: u64, after: Nonlinearity) -> Edge {
        let from = self.flatten(from, name);
        let inputs = from.dims[1];
        let weights = self.layer_weights(name, &[outputs, inputs], inputs, 0);
        let bias = self.random(&format!("{name}.bias"), &[outputs], self.format.element(), inputs);
        let input = self.layer_input(&from, name);
        let attributes = [("transB", Attribute::Int(1))];
        let to = self.apply("Gemm", name, &[&input, &weights, &bias], vec![from.dims[0], outputs], &attributes);
        self.activate(&to, name, after)
    }

    fn flatten(&mut self, from: &Edge, name: &str) -> Edge {
        if from.dims.len() <= 2 {
            return from.clone();
        }
        let dims = vec![from.dims[0], from.dims[1..].iter().product()];
        self.apply("Flatten", name, &[&from.name], dims, &[("axis", Attribute::Int(1))])
    }

    /// A product with constant weights along the last dimension, and a bias.
    pub(crate) fn project(&mut self, from: &Edge, name: &str, outputs: u64) -> Edge {
        let inputs = from.dims.last().copied().unwrap_or(1);
        let weights = self.layer_weights(name, &[inputs, outputs], inputs, 1);
        let bias = self.random(&format!("{name}.bias"), &[outputs], self.format.element(), inputs);
        let input = self.layer_input(from, name);
        let mut dims = from.dims.clone();
        if let Some(last) = dims.last_mut() {
            *last = outputs;
        }
        let product = self.apply("MatMul", name, &[&input, &weights], dims.clone(), &[]);
        self.apply("Add", name, &[&product.name, &bias], dims, &[])
    }

    /// A product of two tensors of matrices.
    pub(crate) fn multiply_matrices(&mut self, a: &Edge, b: &Edge, name: &str) -> Edge {
        let mut dims = a.dims.clone();
        if let (Some(last), Some(columns)) = (dims.last_mut(), b.dims.last()) {
            *last = *columns;
        }
        self.apply("MatMul", name, &[&a.name, &b.name], dims, &[])
    }

    /// The operators of a nonlinearity.
    pub(crate) fn activate(&mut self, from: &Edge, name: &str, after: Nonlinearity) -> Edge {
        let dims = from.dims.clone();
        match after {
            Nonlinearity::Linear => from.clone(),
            Nonlinearity::Relu => self.apply("Relu", name, &[&from.name], dims, &[]),
            Nonlinearity::Relu6 => {
                let (low, high) = (self.scalar(&format!("{name}.low"), 0.0), self.scalar(&format!("{name}.high"), 6.0));
                self.apply("Clip", name, &[&from.name, &low, &high], dims, &[])
            }
            Nonlinearity::Sigmoid => self.apply("Sigmoid", name, &[&from.name], dims, &[]),
            Nonlinearity::HardSigmoid => {
                let attributes = [("alpha", Attribute::Float(1.0 / 6.0)), ("beta", Attribute::Float(0.5))];
                self.apply("HardSigmoid", name, &[&from.name], dims, &attributes)
            }
            Nonlinearity::Silu => {
                let gate = self.activate(from, name, Nonlinearity::Sigmoid);
                self.combine("Mul", from, &gate, name)
            }
            Nonlinearity::HardSwish => {
                let gate = self.activate(from, name, Nonlinearity::HardSigmoid);
                self.combine("Mul", from, &gate, name)
            }
            Nonlinearity::Gelu => {
                let root = self.scalar(&format!("{name}.root"), std::f64::consts::SQRT_2);
                let (one, half) = (self.scalar(&format!("{name}.one"), 1.0), self.scalar(&format!("{name}.half"), 0.5));
                let scaled = self.apply("Div", name, &[&from.name, &root], dims.clone(), &[]);
                let erf = self.apply("Erf", name, &[&scaled.name], dims.clone(), &[]);
                let sum = self.apply("Add", &format!("{name}/gelu"), &[&erf.name, &one], dims.clone(), &[]);
                let product = self.apply("Mul", name, &[&from.name, &sum.name], dims.clone(), &[]);
                self.apply("Mul", &format!("{name}/gelu"), &[&product.name, &half], dims, &[])
            }
        }
    }

    /// A sum.
    pub(crate) fn add(&mut self, a: &Edge, b: &Edge, name: &str) -> Edge {
        self.combine("Add", a, b, name)
    }

    /// A product, element by element; the second may have one pixel for all.
    pub(crate) fn multiply(&mut self, a: &Edge, b: &Edge, name: &str) -> Edge {
        self.combine("Mul", a, b, name)
    }

    fn combine(&mut self, operator: &str, a: &Edge, b: &Edge, name: &str) -> Edge {
        self.apply(operator, name, &[&a.name, &b.name], a.dims.clone(), &[])
    }

    /// A factor for all elements.
    pub(crate) fn scale(&mut self, from: &Edge, name: &str, factor: f64) -> Edge {
        let factor = self.scalar(&format!("{name}.factor"), factor);
        self.apply("Mul", name, &[&from.name, &factor], from.dims.clone(), &[])
    }

    /// Largest elements of windows.
    pub(crate) fn max_pool(&mut self, from: &Edge, name: &str, window: Filter) -> Edge {
        self.pool("MaxPool", from, name, window, &[])
    }

    /// Means of windows.
    pub(crate) fn average_pool(&mut self, from: &Edge, name: &str, window: Filter) -> Edge {
        self.pool("AveragePool", from, name, window, &[("count_include_pad", Attribute::Int(1))])
    }

    fn pool(
        &mut self,
        operator: &str,
        from: &Edge,
        name: &str,
        window: Filter,
        further: &[(&'static str, Attribute<'static>)],
    ) -> Edge {
        let mut attributes = window.attributes();
        attributes.extend_from_slice(further);
        let extents = (0..2).map(|axis| window.extent(axis, from.dims[axis + 2]));
        let dims = [from.dims[0], from.dims[1]].into_iter().chain(extents).collect();
        self.apply(operator, name, &[&from.name], dims, &attributes)
    }

    /// The mean over all pixels.
    pub(crate) fn global_average(&mut self, from: &Edge, name: &str) -> Edge {
        let dims = vec![from.dims[0], from.dims[1], 1, 1];
        self.apply("GlobalAveragePool", name, &[&from.name], dims, &[])
    }

    /// The mean along one dimension, which stays with extent 1 if it is to be kept.
    pub(crate) fn mean(&mut self, from: &Edge, name: &str, axis: usize, keep: bool) -> Edge {
        let mut dims = from.dims.clone();
        if keep {
            dims[axis] = 1;
        } else {
            dims.remove(axis);
        }
        let attributes = [("axes", Attribute::Ints(vec![axis as i64])), ("keepdims", Attribute::Int(i64::from(keep)))];
        self.apply("ReduceMean", name, &[&from.name], dims, &attributes)
    }

    /// Tensors one behind the other along a dimension.
    pub(crate) fn concatenate(&mut self, parts: &[Edge], name: &str, axis: usize) -> Edge {
        let mut dims = parts[0].dims.clone();
        dims[axis] = parts.iter().map(|part| part.dims[axis]).sum();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        self.apply("Concat", name, &names, dims, &[("axis", Attribute::Int(axis as i64))])
    }

    /// Equal parts along a dimension.
    pub(crate) fn split(&mut self, from: &Edge, name: &str, axis: usize, parts: u64) -> Vec<Edge> {
        let mut dims = from.dims.clone();
        dims[axis] /= parts;
        let node = format!("{name}/Split");
        let names: Vec<String> = (0..parts).map(|part| format!("{node}_output_{part}")).collect();
        let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let attributes = [("axis", Attribute::Int(axis as i64))];
        self.file.add_node("Split", &node, &[&from.name], &outputs, &attributes);
        names.into_iter().map(|name| Edge { name, dims: dims.clone() }).collect()
    }

    /// The same elements in other dimensions.
    pub(crate) fn reshape(&mut self, from: &Edge, name: &str, dims: &[u64]) -> Edge {
        let shape = self.integers(&format!("{name}.shape"), &dims.iter().map(|d| *d as i64).collect::<Vec<_>>());
        self.apply("Reshape", name, &[&from.name, &shape], dims.to_vec(), &[])
    }

    /// Dimensions in another order.
    pub(crate) fn transpose(&mut self, from: &Edge, name: &str, order: &[usize]) -> Edge {
        let dims = order.iter().map(|axis| from.dims[*axis]).collect();
        let order = order.iter().map(|axis| *axis as i64).collect();
        self.apply("Transpose", name, &[&from.name], dims, &[("perm", Attribute::Ints(order))])
    }

    /// Softmax along the last dimension.
    pub(crate) fn softmax(&mut self, from: &Edge, name: &str) -> Edge {
        self.apply("Softmax", name, &[&from.name], from.dims.clone(), &[("axis", Attribute::Int(-1))])
    }

    /// Batch normalisation that no convolution can take in, since it comes before one.
    pub(crate) fn normalise_batch(&mut self, from: &Edge, name: &str, after: Nonlinearity) -> Edge {
        let channels = from.channels();
        let element = self.format.element();
        let ones = vec![1.0; channels as usize];
        let zeros = vec![0.0; channels as usize];
        let scale = self.random(&format!("{name}.scale"), &[channels], element, 6);
        let bias = self.random(&format!("{name}.bias"), &[channels], element, 6);
        let mean = self.given(&format!("{name}.mean"), &[channels], element, &zeros);
        let variance = self.given(&format!("{name}.variance"), &[channels], element, &ones);
        let inputs = [from.name.as_str(), &scale, &bias, &mean, &variance];
        let to = self.apply("BatchNormalization", name, &inputs, from.dims.clone(), &[]);
        self.activate(&to, name, after)
    }

    /// Normalisation of each row, in operators that every reader knows (`LayerNormalization` came with operator set 17).
    pub(crate) fn normalise_rows(&mut self, from: &Edge, name: &str) -> Edge {
        let (axis, width) = (from.dims.len() - 1, from.dims.last().copied().unwrap_or(1));
        let dims = from.dims.clone();
        let mean = self.mean(from, &format!("{name}/mean"), axis, true);
        let centred = self.apply("Sub", name, &[&from.name, &mean.name], dims.clone(), &[]);
        let squares = self.combine("Mul", &centred, &centred, &format!("{name}/square"));
        let variance = self.mean(&squares, &format!("{name}/variance"), axis, true);
        let least = self.scalar(&format!("{name}.epsilon"), 1e-5);
        let above =
            self.apply("Add", &format!("{name}/epsilon"), &[&variance.name, &least], variance.dims.clone(), &[]);
        let deviation = self.apply("Sqrt", name, &[&above.name], variance.dims, &[]);
        let unit = self.apply("Div", name, &[&centred.name, &deviation.name], dims.clone(), &[]);
        let element = self.format.element();
        let weight = self.random(&format!("{name}.weight"), &[width], element, 6);
        let bias = self.random(&format!("{name}.bias"), &[width], element, 6);
        let scaled = self.apply("Mul", name, &[&unit.name, &weight], dims.clone(), &[]);
        self.apply("Add", name, &[&scaled.name, &bias], dims, &[])
    }
}
