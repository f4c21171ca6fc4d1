//! An engine with another batch size or in another number format, as far as its layers' sizes follow.

use shared::engine::{Engine, Precision, Tensor};
use shared::failure::Failure;

/// The engine with another batch size: the outermost dimension of every tensor that has the old one. Also returns how many
/// layers have tensors of which the outermost dimension is not the batch; their work stays as it is.
///
/// ```
/// use learn::what_if::rebatched;
///
/// let info = br#"{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution", "Kernel": [1, 1], "OutMaps": 8,
///     "Inputs": [{"Name": "a", "Dimensions": [1, 3, 8, 8], "Format/Datatype": "Half"}],
///     "Outputs": [{"Name": "b", "Dimensions": [1, 8, 8, 8], "Format/Datatype": "Half"}]}]}"#;
/// let (engine, _) = shared::engine::parse(info)?;
/// let (four, unchanged) = rebatched(&engine, 4)?;
/// assert_eq!((four.layers[0].inputs[0].dims[0], unchanged), (4, 0));
/// assert_eq!(four.layers[0].macs(), engine.layers[0].macs().map(|macs| 4 * macs));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A batch size of 0, or an engine whose own is not known.
pub fn rebatched(engine: &Engine, batch: u32) -> Result<(Engine, usize), Failure> {
    if batch == 0 {
        return Err(Failure::usage("a batch has at least one image"));
    }
    let own = own_batch(engine)
        .ok_or_else(|| Failure::data("no layer tells the engine's batch size").help("leave --batch out"))?;
    let mut changed = engine.clone();
    let mut unchanged = 0;
    for layer in changed.layers.iter_mut().filter(|layer| !layer.kind.is_free()) {
        let mut other = false;
        for tensor in layer.inputs.iter_mut().chain(&mut layer.outputs) {
            match tensor.dims.first_mut() {
                Some(outermost) if *outermost == own || *outermost < 0 => *outermost = i64::from(batch),
                Some(_) => other = true,
                None => {}
            }
        }
        unchanged += usize::from(other);
    }
    Ok((changed, unchanged))
}

/// The outermost dimension of the first layer's input; −1 where it is known only at run time.
pub(super) fn own_batch(engine: &Engine) -> Option<i64> {
    engine.layers.iter().find_map(|layer| layer.inputs.first()?.dims.first().copied())
}

/// The engine with every tensor and weight that holds numbers for arithmetic in another number format. Fusions and kernels stay
/// those of the engine given: TensorRT may choose others.
#[must_use]
pub fn retyped(engine: &Engine, precision: Precision) -> Engine {
    let arithmetic = |p: &Precision| {
        matches!(p, Precision::Fp32 | Precision::Fp16 | Precision::Bf16 | Precision::Fp8 | Precision::Int8)
    };
    let replace = |slot: &mut Option<Precision>| {
        if let Some(own) = slot.as_mut().filter(|own| arithmetic(own)) {
            *own = precision;
        }
    };
    let mut changed = engine.clone();
    for layer in &mut changed.layers {
        let tensors = layer.inputs.iter_mut().chain(&mut layer.outputs);
        tensors.for_each(|tensor: &mut Tensor| replace(&mut tensor.precision));
        layer.weights.iter_mut().chain(&mut layer.bias).for_each(|weights| replace(&mut weights.precision));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        let info = br#"{"Layers": [
            {"Name": "c", "LayerType": "CaskConvolution", "Kernel": [1, 1], "OutMaps": 8,
             "Inputs": [{"Name": "a", "Dimensions": [2, 3, 8, 8], "Format/Datatype": "Half"}],
             "Outputs": [{"Name": "b", "Dimensions": [2, 8, 8, 8], "Format/Datatype": "Half"}]},
            {"Name": "s", "LayerType": "Shuffle",
             "Inputs": [{"Name": "b", "Dimensions": [2, 8, 8, 8], "Format/Datatype": "Half"}],
             "Outputs": [{"Name": "d", "Dimensions": [16, 64], "Format/Datatype": "Int32"}]}]}"#;
        shared::engine::parse(info).expect("an engine").0
    }

    #[test]
    fn tensors_without_the_batch_are_counted_and_left() {
        let (eight, unchanged) = rebatched(&engine(), 8).expect("rebatched");
        assert_eq!(unchanged, 1);
        assert_eq!(eight.layers[1].inputs[0].dims, [8, 8, 8, 8]);
        assert_eq!(eight.layers[1].outputs[0].dims, [16, 64]);
        assert!(rebatched(&engine(), 0).is_err() && rebatched(&Engine::default(), 1).is_err());
    }

    #[test]
    fn only_numbers_for_arithmetic_change() {
        let changed = retyped(&engine(), Precision::Int8);
        assert_eq!(changed.layers[0].inputs[0].precision, Some(Precision::Int8));
        assert_eq!(changed.layers[1].outputs[0].precision, Some(Precision::Int32));
    }
}
