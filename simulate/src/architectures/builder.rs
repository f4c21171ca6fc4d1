//! Builds an engine info layer by layer.

use super::options::Options;
use serde_json::{Value, json};
use shared::engine::Precision;

/// Where a layer takes its data from.
#[derive(Debug, Clone)]
pub(super) struct Activation {
    name: String,
    /// Channels, height, width.
    shape: [u32; 3],
    format: &'static str,
}

/// A convolution; batch normalisation is folded into its weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) channels: u32,
    pub(super) kernel: u32,
    pub(super) stride: u32,
    pub(super) padding: u32,
    pub(super) groups: u32,
}

impl Convolution {
    /// One group; padding that keeps the extents at stride 1.
    pub(super) fn same(channels: u32, kernel: u32, stride: u32) -> Self {
        Self { channels, kernel, stride, padding: kernel / 2, groups: 1 }
    }

    /// One group a channel.
    pub(super) fn depthwise(channels: u32, stride: u32) -> Self {
        Self { groups: channels, ..Self::same(channels, 3, stride) }
    }
}

/// What follows a layer inside the same kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Relu,
    /// A ReLU cut off at 6.
    Relu6,
}

impl After {
    fn operator(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Relu => Some("Relu"),
            Self::Relu6 => Some("Clip"),
        }
    }

    fn activation(self) -> &'static str {
        match self {
            Self::Nothing => "NONE",
            Self::Relu => "RELU",
            Self::Relu6 => "CLIPPED_RELU",
        }
    }
}

/// The window of a pooling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) extent: u32,
    pub(super) stride: u32,
    pub(super) padding: u32,
}

/// TensorRT's words for number formats and memory layouts at one precision.
struct Words {
    short: &'static str,
    linear: &'static str,
    /// The layout of a first layer, whose input has few channels.
    narrow: &'static str,
    wide: &'static str,
    bias: &'static str,
    tactic: &'static str,
}

fn words(precision: Precision) -> Words {
    match precision {
        Precision::Fp32 => Words {
            short: "Float",
            linear: "Row major linear FP32",
            narrow: "Channel major FP32 format",
            wide: "Channel major FP32 format where channel % 4 == 0",
            bias: "Float",
            tactic: "f32",
        },
        Precision::Int8 => Words {
            short: "Int8",
            linear: "Row major linear FP32",
            narrow: "Four wide channel vectorized row major Int8 format",
            wide: "Thirty-two wide channel vectorized row major Int8 format",
            bias: "Float",
            tactic: "i8",
        },
        _ => Words {
            short: "Half",
            linear: "Row major linear FP16 format",
            narrow: "Channel major FP16 format where channel % 4 == 0",
            wide: "Channel major FP16 format where channel % 8 == 0",
            bias: "Half",
            tactic: "f16",
        },
    }
}

pub(super) struct Builder {
    batch: u32,
    words: Words,
    layers: Vec<Value>,
    last: Option<Activation>,
}

impl Builder {
    pub(super) fn new(options: Options) -> Self {
        Self { batch: options.batch.max(1), words: words(options.precision), layers: Vec::new(), last: None }
    }

    /// The network's input: images of this many channels and pixels a side.
    pub(super) fn input(&self, channels: u32, side: u32) -> Activation {
        Activation { name: "input".into(), shape: [channels, side, side], format: self.words.linear }
    }

    fn tensor(&self, activation: &Activation) -> Value {
        let [channels, height, width] = activation.shape;
        json!({
            "Name": activation.name,
            "Location": "Device",
            "Dimensions": [self.batch, channels, height, width],
            "Format/Datatype": activation.format,
        })
    }

    /// Adds a layer: its own fields stand between its tensors and what every layer ends in.
    fn push(&mut self, operators: &[String], layer_type: &str, inputs: &[&Activation], to: &Activation, own: Value) {
        let inputs: Vec<Value> = inputs.iter().map(|activation| self.tensor(activation)).collect();
        let mut layer = json!({
            "Name": operators.join(" + "),
            "LayerType": layer_type,
            "Inputs": inputs,
            "Outputs": [self.tensor(to)],
        });
        let metadata: Vec<String> = operators.iter().map(|operator| format!("[ONNX Layer: {operator}]")).collect();
        let copies = operators.iter().any(|operator| operator.starts_with("Reformatting CopyNode"));
        let common = json!({ "StreamId": 0, "Metadata": if copies { String::new() } else { metadata.join("\u{1e}") } });
        for part in [own, common] {
            if let (Some(layer), Value::Object(fields)) = (layer.as_object_mut(), part) {
                layer.extend(fields);
            }
        }
        self.layers.push(layer);
        self.last = Some(to.clone());
    }

    /// Brings the network's input into the layout that the first layer wants.
    fn reformat(&mut self, from: &Activation, reader: &str) -> Activation {
        if from.format != self.words.linear {
            return from.clone();
        }
        let to = Activation {
            name: format!("Reformatted Input Tensor 0 to {reader}"),
            format: self.words.narrow,
            ..from.clone()
        };
        let name = format!("Reformatting CopyNode for Input Tensor 0 to {reader}");
        let own = json!({ "ParameterType": "Reformat", "Origin": "REFORMAT", "TacticValue": "0x00000000000003e8" });
        self.push(&[name], "Reformat", &[from], &to, own);
        to
    }

    /// A convolution, with what is added to it and its activation in the same kernel.
    pub(super) fn convolution(
        &mut self,
        from: &Activation,
        name: &str,
        convolution: Convolution,
        residual: Option<&Activation>,
        after: After,
    ) -> Activation {
        let mut operators = vec![format!("{name}/Conv")];
        operators.extend(residual.map(|_| format!("{name}/Add")));
        operators.extend(after.operator().map(|operator| format!("{name}/{operator}")));
        let from = self.reformat(from, &operators.join(" + "));
        let [channels, height, width] = from.shape;
        let Convolution { channels: maps, kernel, stride, padding, .. } = convolution;
        let steps = |extent: u32| (extent + 2 * padding - kernel) / stride + 1;
        let to = Activation {
            name: output_name(&operators),
            shape: [maps, steps(height), steps(width)],
            format: self.words.wide,
        };
        let own = self.convolution_fields(channels, convolution, residual.is_some(), after, "implicit_gemm");
        let inputs: Vec<&Activation> = [Some(&from), residual].into_iter().flatten().collect();
        self.push(&operators, "CaskConvolution", &inputs, &to, own);
        to
    }

    fn convolution_fields(
        &self,
        channels: u32,
        convolution: Convolution,
        residual: bool,
        after: After,
        tactic: &str,
    ) -> Value {
        let Convolution { channels: maps, kernel, stride, padding, groups } = convolution;
        let weights = u64::from(maps) * u64::from(channels / groups) * u64::from(kernel).pow(2);
        json!({
            "ParameterType": "Convolution",
            "Kernel": [kernel, kernel],
            "PaddingMode": "kEXPLICIT_ROUND_DOWN",
            "PrePadding": [padding, padding],
            "PostPadding": [padding, padding],
            "Stride": [stride, stride],
            "Dilation": [1, 1],
            "OutMaps": maps,
            "Groups": groups,
            "Weights": { "Type": self.words.short, "Count": weights },
            "Bias": { "Type": self.words.bias, "Count": maps },
            "HasBias": 1,
            "HasReLU": u32::from(after == After::Relu),
            "HasSparseWeights": 0,
            "HasResidual": u32::from(residual),
            "Activation": after.activation(),
            "TacticName": format!("sample_{tactic}_{}", self.words.tactic),
            "TacticValue": "0x0000000000000001",
        })
    }

    /// A maximum over a window.
    pub(super) fn max_pool(&mut self, from: &Activation, name: &str, window: Window) -> Activation {
        let [channels, height, width] = from.shape;
        let steps = |extent: u32| (extent + 2 * window.padding - window.extent) / window.stride + 1;
        self.pool(from, format!("{name}/MaxPool"), "MAX", window, [channels, steps(height), steps(width)])
    }

    /// The mean over all pixels.
    pub(super) fn global_average_pool(&mut self, from: &Activation, name: &str) -> Activation {
        let [channels, side, _] = from.shape;
        let window = Window { extent: side, stride: 1, padding: 0 };
        self.pool(from, format!("{name}/GlobalAveragePool"), "AVERAGE", window, [channels, 1, 1])
    }

    fn pool(&mut self, from: &Activation, operator: String, kind: &str, window: Window, shape: [u32; 3]) -> Activation {
        let operators = [operator];
        let to = Activation { name: output_name(&operators), shape, format: from.format };
        let Window { extent, stride, padding } = window;
        let own = json!({
            "ParameterType": "Pooling",
            "PoolingType": kind,
            "WindowSize": [extent, extent],
            "PaddingMode": "kEXPLICIT_ROUND_DOWN",
            "PrePadding": [padding, padding],
            "PostPadding": [padding, padding],
            "Stride": [stride, stride],
            "BlendFactor": 0,
            "AverageCountExcludesPadding": 1,
            "TacticName": format!("sample_pooling_{}", self.words.tactic),
            "TacticValue": "0x0000000000000002",
        });
        self.push(&operators, "CaskPooling", &[from], &to, own);
        to
    }

    /// A fully connected layer, which TensorRT runs as a 1 × 1 convolution of one pixel by a matrix product.
    pub(super) fn dense(&mut self, from: &Activation, name: &str, outputs: u32, after: After) -> Activation {
        let from = self.flatten(from, name);
        let mut operators = vec![format!("{name}/Gemm")];
        operators.extend(after.operator().map(|operator| format!("{name}/{operator}")));
        let to = Activation { name: output_name(&operators), shape: [outputs, 1, 1], format: self.words.wide };
        let own = self.convolution_fields(from.shape[0], Convolution::same(outputs, 1, 1), false, after, "gemm");
        self.push(&operators, "CaskGemmConvolution", &[&from], &to, own);
        to
    }

    /// Pixels become channels: a copy, or nothing where there is one pixel.
    fn flatten(&mut self, from: &Activation, reader: &str) -> Activation {
        let [channels, height, width] = from.shape;
        if self.layers.last().is_some_and(|layer| layer["LayerType"] == "CaskGemmConvolution") {
            return from.clone();
        }
        let operators = [format!("{reader}/Flatten")];
        let to = Activation {
            name: output_name(&operators),
            shape: [channels * height * width, 1, 1],
            format: self.words.wide,
        };
        if height * width == 1 {
            self.push(&operators, "NoOp", &[from], &to, json!({ "TacticValue": "0x0000000000000000" }));
        } else {
            let own = json!({
                "ParameterType": "Shuffle",
                "FirstTranspose": [0, 1, 2, 3],
                "Reshape": [self.batch, to.shape[0], 1, 1],
                "SecondTranspose": [0, 1, 2, 3],
                "ZeroIsPlaceholder": 1,
                "TacticValue": "0x0000000000000000",
            });
            self.push(&operators, "Shuffle", &[from], &to, own);
        }
        to
    }

    /// Ends the engine: the last activation becomes its output, and the text is written, one layer a line.
    pub(super) fn finish(mut self) -> String {
        if let Some(last) = self.last.clone() {
            let name = "Reformatting CopyNode for Output Tensor 0".to_owned();
            let to = Activation { name: "output".into(), format: self.words.linear, ..last.clone() };
            self.push(&[name], "NoOp", &[&last], &to, json!({ "TacticValue": "0x0000000000000000" }));
        }
        let layers: Vec<String> = self.layers.iter().map(Value::to_string).collect();
        format!("{{\"Layers\": [\n{}\n],\n\"Bindings\": [\"input\", \"output\"]}}\n", layers.join(",\n"))
    }
}

fn output_name(operators: &[String]) -> String {
    operators.last().map(|operator| format!("{operator}_output_0")).unwrap_or_default()
}
