//! Which layer of the engine info a measured layer is.

use shared::engine::Engine;
use std::collections::HashMap;

/// The engine's layer behind each measured one, as its position in the engine info: by name, and among equal names by
/// turn. `None` for a layer that the engine info does not list.
///
/// ```
/// let (engine, _) = shared::engine::parse(br#"{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution"}]}"#)?;
/// assert_eq!(align::engine_match::match_layers(Some(&engine), ["conv1", "other"]), [Some(0), None]);
/// # Ok::<(), shared::engine::EngineInfoError>(())
/// ```
pub fn match_layers<'a>(engine: Option<&Engine>, measured: impl IntoIterator<Item = &'a str>) -> Vec<Option<usize>> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for layer in engine.iter().flat_map(|e| &e.layers) {
        by_name.entry(&layer.name).or_default().push(layer.index);
    }
    let mut taken: HashMap<&str, usize> = HashMap::new();
    measured
        .into_iter()
        .map(|name| {
            let turn = taken.entry(name).or_default();
            let place = by_name.get(name).and_then(|all| all.get(*turn).or(all.first())).copied();
            *turn += 1;
            place
        })
        .collect()
}
