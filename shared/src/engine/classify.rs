//! What a layer computes, told from TensorRT's names for it.

use super::kind::LayerKind;
use super::layer::Layer;

/// Which words in a layer's type tell what it does. The first that occurs wins, so narrower words stand first.
/// Types seen in engines of TensorRT 8 to 10, and the operators of its network API.
const WORDS: &[(&str, LayerKind)] = &[
    ("noop", LayerKind::NoOp),
    ("shape_call", LayerKind::NoOp),
    ("trainstation", LayerKind::NoOp),
    ("assert", LayerKind::NoOp),
    ("myelinreformat", LayerKind::Reformat),
    ("myelin", LayerKind::Foreign),
    ("foreign", LayerKind::Foreign),
    ("plugin", LayerKind::Plugin),
    ("constant", LayerKind::Constant),
    ("deconv", LayerKind::Deconvolution),
    ("conv", LayerKind::Convolution),
    ("pool", LayerKind::Pooling),
    ("softmax", LayerKind::Softmax),
    ("attention", LayerKind::Attention),
    ("mha", LayerKind::Attention),
    ("gemm", LayerKind::Dense),
    ("matrixmultiply", LayerKind::Dense),
    ("matrix_multiply", LayerKind::Dense),
    ("matmul", LayerKind::Dense),
    ("fullyconnected", LayerKind::Dense),
    ("fully_connected", LayerKind::Dense),
    ("cublas", LayerKind::Dense),
    ("reduce", LayerKind::Reduce),
    ("topk", LayerKind::Reduce),
    ("argmax", LayerKind::Reduce),
    ("argmin", LayerKind::Reduce),
    ("reformat", LayerKind::Reformat),
    ("shuffle", LayerKind::Reformat),
    ("slice", LayerKind::Reformat),
    ("padding", LayerKind::Reformat),
    ("concat", LayerKind::Reformat),
    ("gather", LayerKind::Reformat),
    ("scatter", LayerKind::Reformat),
    ("copy", LayerKind::Reformat),
    ("resize", LayerKind::Reformat),
    ("transpose", LayerKind::Reformat),
    ("reshape", LayerKind::Reformat),
    ("squeeze", LayerKind::Reformat),
    ("flatten", LayerKind::Reformat),
    ("identity", LayerKind::Reformat),
    ("onehot", LayerKind::Reformat),
    ("devicetoshape", LayerKind::Reformat),
    ("shapehost", LayerKind::Reformat),
    ("pointwise", LayerKind::Pointwise),
    ("elementwise", LayerKind::Pointwise),
    ("kgen", LayerKind::Pointwise),
    ("scale", LayerKind::Pointwise),
    ("activation", LayerKind::Pointwise),
    ("unary", LayerKind::Pointwise),
    ("select", LayerKind::Pointwise),
    ("cast", LayerKind::Pointwise),
    ("quantize", LayerKind::Pointwise),
    ("relu", LayerKind::Pointwise),
    ("fill", LayerKind::Pointwise),
    ("normalization", LayerKind::Normalization),
    ("lrn", LayerKind::Pointwise),
    ("fusion", LayerKind::Pointwise),
];

/// The letters that occur in a text, as bits. A word whose letters do not all occur in a text is not looked for there: every layer is
/// looked at, and most words are not in its type.
const fn letters(text: &str) -> u32 {
    let (bytes, mut bits, mut at) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        if bytes[at].is_ascii_lowercase() {
            bits |= 1 << (bytes[at] - b'a');
        }
        at += 1;
    }
    bits
}

/// The letters of each of [`WORDS`].
const LETTERS: [u32; WORDS.len()] = {
    let (mut all, mut at) = ([0; WORDS.len()], 0);
    while at < WORDS.len() {
        all[at] = letters(WORDS[at].0);
        at += 1;
    }
    all
};

fn by_words(text: &str) -> Option<LayerKind> {
    let text = text.to_ascii_lowercase();
    let absent = !letters(&text);
    match text.as_str() {
        "dla" => Some(LayerKind::Foreign),
        // Waits between streams.
        "signal" | "wait" => Some(LayerKind::NoOp),
        _ => {
            let mut words = WORDS.iter().zip(&LETTERS);
            words.find(|((word, _), letters)| *letters & absent == 0 && text.contains(word)).map(|(&(_, kind), _)| kind)
        }
    }
}

impl LayerKind {
    /// The kind of a layer whose other fields are read. What TensorRT runs it as (`LayerType`) goes before what it was
    /// in the network (`ParameterType`, its name): a reduction run as a pooling is a pooling.
    pub(super) fn of(layer: &Layer) -> Self {
        let kind = by_words(&layer.layer_type)
            .or_else(|| layer.parameter_type.as_deref().and_then(by_words))
            .or_else(|| by_name(layer))
            .unwrap_or(Self::Unknown);
        match kind {
            Self::Convolution => convolution(layer),
            // Myelin calls both generated kernels and matrix products with their neighbours a `fusion`.
            Self::Pointwise if layer.layer_type.eq_ignore_ascii_case("fusion") => fusion(layer),
            Self::Pointwise => element_wise(layer),
            other => other,
        }
    }
}

fn convolution(layer: &Layer) -> LayerKind {
    let layer_type = layer.layer_type.to_ascii_lowercase();
    let groups = u64::from(layer.groups.unwrap_or(1));
    let channels = layer.inputs.first().and_then(|t| t.dims.get(1)).and_then(|&c| u64::try_from(c).ok());
    let is_pointwise = layer.kernel.as_ref().is_none_or(|kernel| kernel.iter().all(|&extent| extent == 1));
    let runs_as_gemm = layer_type.contains("gemm") || layer_type.contains("cublas");
    if groups > 1 {
        let by_channels = channels.map(|channels| channels == groups);
        let is_depthwise = by_channels.unwrap_or_else(|| layer_type.contains("depthwise"));
        if is_depthwise { LayerKind::DepthwiseConvolution } else { LayerKind::GroupedConvolution }
    } else if layer.groups.is_none() && layer_type.contains("depthwise") {
        LayerKind::DepthwiseConvolution
    } else if runs_as_gemm && is_pointwise {
        LayerKind::Dense
    } else {
        LayerKind::Convolution
    }
}

fn fusion(layer: &Layer) -> LayerKind {
    match layer.tactic.as_deref().and_then(by_words) {
        Some(LayerKind::Dense) => LayerKind::Dense,
        Some(LayerKind::Attention) => LayerKind::Attention,
        Some(LayerKind::Foreign | LayerKind::Convolution) => LayerKind::Foreign,
        _ => element_wise(layer),
    }
}

/// Tells softmax, normalisation and GELU from plain element-wise arithmetic. Myelin names a generated kernel by the first three or
/// four letters of what it computes, one after the other: `__myl_MulMaxSubExpSum_myl109_3`, `__myl_AddMaxrSubExpSum_…`. Other
/// layers are named by their operators, `PWN(…/Erf)`.
fn element_wise(layer: &Layer) -> LayerKind {
    let letters =
        |text: &str| text.strip_prefix("__myl_").map(|rest| rest.split('_').next().unwrap_or(rest).to_owned());
    let names = [Some(layer.name.as_str()), layer.tactic.as_deref()];
    if let Some(computed) = names.into_iter().flatten().find_map(letters) {
        let any = |parts: &[&str]| parts.iter().any(|part| computed.contains(part));
        return match () {
            () if any(&["SubExpSum"]) => LayerKind::Softmax,
            () if any(&["MeaSub", "MeanSub"]) => LayerKind::Normalization,
            // With an error function, or as x · (1 + tanh …) / 2.
            () if any(&["Erf", "TanAddMul", "TanhAddMul"]) => LayerKind::Gelu,
            () => LayerKind::Pointwise,
        };
    }
    let is_gelu = |text: &str| text.contains("Erf") || text.to_ascii_lowercase().contains("gelu");
    let told = layer.fused.iter().map(String::as_str).chain(layer.activation.as_deref());
    if told.into_iter().any(is_gelu) { LayerKind::Gelu } else { LayerKind::Pointwise }
}

/// For layers whose type is not told: what TensorRT or Torch-TensorRT puts into the name.
fn by_name(layer: &Layer) -> Option<LayerKind> {
    if !layer.layer_type.is_empty() {
        return None;
    }
    let name = layer.name.as_str();
    if name.contains("{ForeignNode[") {
        return Some(LayerKind::Foreign);
    }
    if name.starts_with("Reformatting CopyNode") {
        return Some(LayerKind::Reformat);
    }
    if name.starts_with("PWN(") {
        return Some(LayerKind::Pointwise);
    }
    // `[CONVOLUTION]-[aten_ops.convolution.default]-[/conv1]`
    name.strip_prefix('[').and_then(|rest| rest.split_once(']')).and_then(|(operator, _)| by_words(operator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::parse;

    fn kind(fields: &str) -> LayerKind {
        let text = format!(r#"{{"Layers": [{{"Name": "x", "Inputs": [], {fields}}}]}}"#);
        parse(text.as_bytes()).expect("one layer").0.layers[0].kind
    }

    #[test]
    fn every_layer_type_seen_has_its_kind() {
        for (layer_type, expected) in [
            ("CaskConvolution", LayerKind::Convolution),
            ("FusedConvActConvolution", LayerKind::Convolution),
            ("ConvActPool", LayerKind::Convolution),
            ("CudaDepthwiseConvolution", LayerKind::DepthwiseConvolution),
            ("CaskGemmConvolution", LayerKind::Dense),
            ("CublasConvolution", LayerKind::Dense),
            ("CaskDeconvolutionV2", LayerKind::Deconvolution),
            ("CaskPooling", LayerKind::Pooling),
            ("TiledPooling", LayerKind::Pooling),
            ("CudaPooling", LayerKind::Pooling),
            ("CudnnPooling", LayerKind::Pooling),
            ("gemm", LayerKind::Dense),
            ("CaskGemmMatrixMultiply", LayerKind::Dense),
            ("kgen", LayerKind::Pointwise),
            ("shape_call", LayerKind::NoOp),
            ("Myelin", LayerKind::Foreign),
            ("MyelinReformat", LayerKind::Reformat),
            ("NoOp", LayerKind::NoOp),
            ("TrainStation", LayerKind::NoOp),
            ("Reformat", LayerKind::Reformat),
            ("Scale", LayerKind::Pointwise),
            ("PointWiseV2", LayerKind::Pointwise),
            ("ElementWise", LayerKind::Pointwise),
            ("Shuffle", LayerKind::Reformat),
            ("Slice", LayerKind::Reformat),
            ("Padding", LayerKind::Reformat),
            ("CudaSoftMax", LayerKind::Softmax),
            ("SoftMax", LayerKind::Softmax),
            ("Constant", LayerKind::Constant),
            ("PluginV2", LayerKind::Plugin),
            ("PluginV3", LayerKind::Plugin),
            ("CudnnReduce", LayerKind::Reduce),
            ("Reduce", LayerKind::Reduce),
            ("SomethingNew", LayerKind::Unknown),
        ] {
            assert_eq!(kind(&format!(r#""LayerType": "{layer_type}""#)), expected, "{layer_type}");
        }
    }

    #[test]
    fn groups_and_channels_tell_convolutions_apart() {
        let convolution = |layer_type: &str, channels: u32, groups: u32, kernel: u32| {
            kind(&format!(
                r#""LayerType": "{layer_type}", "Kernel": [{kernel}, {kernel}], "Groups": {groups},
                   "Outputs": [], "Inputs": [{{"Name": "i", "Dimensions": [1, {channels}, 8, 8]}}]"#
            ))
        };
        assert_eq!(convolution("CaskConvolution", 32, 1, 3), LayerKind::Convolution);
        assert_eq!(convolution("CaskConvolution", 32, 32, 3), LayerKind::DepthwiseConvolution);
        assert_eq!(convolution("CaskConvolution", 32, 4, 3), LayerKind::GroupedConvolution);
        assert_eq!(convolution("CaskConvolution", 1, 1, 5), LayerKind::Convolution);
        assert_eq!(convolution("CaskConvolution", 32, 1, 1), LayerKind::Convolution);
        assert_eq!(convolution("CaskGemmConvolution", 32, 1, 1), LayerKind::Dense);
        assert_eq!(convolution("CaskGemmConvolution", 32, 1, 3), LayerKind::Convolution);
        assert_eq!(convolution("CudaDepthwiseConvolution", 32, 32, 3), LayerKind::DepthwiseConvolution);
    }

    #[test]
    fn a_fusion_is_what_its_kernel_is() {
        let fusion = |tactic: &str| kind(&format!(r#""LayerType": "fusion", "TacticName": "{tactic}""#));
        assert_eq!(fusion("sm80_xmma_gemm_i8i8_i8i32_f32_tn"), LayerKind::Dense);
        assert_eq!(fusion("_gemm_mha_v2_0x12"), LayerKind::Attention);
        assert_eq!(fusion("__myl_MulAdd_0x12"), LayerKind::Pointwise);
        assert_eq!(fusion("__myl_AddMeanSubMulMeanAddSqrtDivMulAdd_0x12"), LayerKind::Normalization);
    }

    #[test]
    fn a_generated_kernel_is_what_its_letters_say() {
        for (name, expected) in [
            ("__myl_MulMaxSubExpSum_myl109_3", LayerKind::Softmax),
            ("__myl_AddMaxrSubExpSum_myl4_2", LayerKind::Softmax),
            ("__myl_DivMulTra_myl109_4", LayerKind::Pointwise),
            ("__myl_AddMeaSubMulMeaAddSqrDivMulAdd_myl0_5", LayerKind::Normalization),
            ("__myl_AddMulErfAddMulMul_myl0_9", LayerKind::Gelu),
            ("__myl_MulMulAddMulTanhAddMul_myl0_9", LayerKind::Gelu),
            ("__myl_ConNegExpAddDivConSliSubSliAddConMulConTraSliMaxSli_myl296_1", LayerKind::Pointwise),
        ] {
            let text = format!(r#"{{"Layers": [{{"Name": "{name}", "LayerType": "kgen", "Outputs": []}}]}}"#);
            assert_eq!(parse(text.as_bytes()).expect("one layer").0.layers[0].kind, expected, "{name}");
        }
        let chain =
            r#"{"Layers": [{"Name": "PWN(PWN(/fc/Div), /fc/Erf)", "LayerType": "PointWiseV2", "Outputs": []}]}"#;
        assert_eq!(parse(chain.as_bytes()).expect("one layer").0.layers[0].kind, LayerKind::Gelu);
    }

    #[test]
    fn a_type_that_is_not_told_is_read_off_the_parameters_or_the_name() {
        assert_eq!(kind(r#""ParameterType": "Convolution""#), LayerKind::Convolution);
        assert_eq!(kind(r#""LayerType": "CaskNovelty", "ParameterType": "Pooling""#), LayerKind::Pooling);
        let named = |name: &str| {
            let text = format!(r#"{{"Layers": [{{"Name": "{name}", "Outputs": []}}]}}"#);
            parse(text.as_bytes()).expect("one layer").0.layers[0].kind
        };
        assert_eq!(named("[REDUCE]-[aten_ops.mean.dim]-[/mean]"), LayerKind::Reduce);
        assert_eq!(named("{ForeignNode[a...b]}"), LayerKind::Foreign);
        assert_eq!(named("PWN(a, b)"), LayerKind::Pointwise);
    }
}
