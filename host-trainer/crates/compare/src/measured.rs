//! Measured times and powers of layers: profiles of `trtexec`, and mappings of aligned runs.

use crate::side::SideLayer;
use shared::failure::Failure;
use shared::units::{Millis, Watts};
use std::collections::HashMap;
use std::path::Path;

/// What was measured of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    /// The layer's name.
    pub(crate) name: String,
    /// Position in execution order, where it is known.
    pub(crate) index: Option<usize>,
    /// Mean run time.
    pub(crate) runtime: Option<Millis>,
    /// Mean power, idle power included.
    pub(crate) power: Option<Watts>,
}

/// Reads the profile that `trtexec --exportProfile` writes.
pub(crate) fn profile(content: &[u8], path: &Path) -> Result<Vec<Measurement>, Failure> {
    let (layers, _) = ingest::trtexec::profile(content).map_err(|failure| failure.default_path(path))?;
    let measurement = |layer: ingest::LayerRuns| Measurement {
        runtime: layer.runs.first().map(|(ms, _)| Millis(*ms)),
        name: layer.name,
        index: None,
        power: None,
    };
    Ok(layers.into_iter().map(measurement).collect())
}

/// Reads the mapping of an aligned run.
pub(crate) fn mapping(path: &Path) -> Result<Vec<Measurement>, Failure> {
    let layers = dataset::read_mapping(path)?;
    if layers.is_empty() {
        return Err(Failure::data("holds no row of a layer").at(path).help("make it with `host-trainer align`"));
    }
    let mut measurements: Vec<Measurement> = layers
        .into_iter()
        .map(|layer| Measurement {
            runtime: layer.runtime.mean.map(Millis),
            power: layer.power.mean.map(Watts::from_microwatts),
            index: layer.index,
            name: layer.name,
        })
        .collect();
    measurements.sort_by_key(|m| m.index.unwrap_or(usize::MAX));
    Ok(measurements)
}

/// Gives measurements to an engine's layers, by name; among equal names in the order of both. Returns warnings.
pub(crate) fn apply(layers: &mut Vec<SideLayer>, measurements: Vec<Measurement>) -> Vec<String> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, layer) in layers.iter().enumerate().rev() {
        places.entry(layer.name.clone()).or_default().push(place);
    }
    let mut unknown = Vec::new();
    for measurement in measurements {
        let place = places.get_mut(&measurement.name).and_then(Vec::pop);
        let layer = match place {
            Some(place) => &mut layers[place],
            None => {
                unknown.push(measurement.name.clone());
                layers.push(SideLayer::named(layers.len(), &measurement.name));
                let last = layers.len() - 1;
                &mut layers[last]
            }
        };
        layer.runtime = measurement.runtime.or(layer.runtime);
        layer.power = measurement.power;
        layer.energy = layer.power.zip(layer.runtime).map(|(power, time)| power * time).or(layer.energy);
        // A layer that was timed launches something, whatever its type says.
        layer.is_free &= measurement.runtime.is_none_or(|time| time.0 == 0.0);
        if !layer.is_free && layer.power.is_none() {
            layer.energy = None;
        }
    }
    let mut warnings = Vec::new();
    if let Some(first) = unknown.first() {
        warnings.push(format!(
            "{} measured layers are not in the engine info, the first is `{first}`; they are listed last",
            unknown.len()
        ));
    }
    let missing = layers.iter().filter(|layer| !layer.is_free && layer.runtime.is_none()).count();
    if missing > 0 {
        warnings.push(format!("{missing} layers of the engine info were not measured"));
    }
    warnings
}

/// Layers of which only measurements are known.
pub(crate) fn alone(measurements: Vec<Measurement>) -> Vec<SideLayer> {
    let mut layers = Vec::new();
    for (index, measurement) in measurements.into_iter().enumerate() {
        let energy = measurement.power.zip(measurement.runtime).map(|(power, time)| power * time);
        layers.push(SideLayer {
            runtime: measurement.runtime,
            power: measurement.power,
            energy,
            is_free: false,
            ..SideLayer::named(index, &measurement.name)
        });
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::units::Millijoules;

    fn measured(name: &str, ms: f64, power: Option<f64>) -> Measurement {
        Measurement { name: name.into(), index: None, runtime: Some(Millis(ms)), power: power.map(Watts) }
    }

    #[test]
    fn equal_names_take_their_turn_and_strangers_are_named() {
        let mut layers = vec![SideLayer::named(0, "a"), SideLayer::named(1, "b"), SideLayer::named(2, "a")];
        let measurements = vec![measured("a", 1.0, Some(2.0)), measured("a", 3.0, None), measured("z", 4.0, None)];
        let warnings = apply(&mut layers, measurements);
        let times: Vec<Option<f64>> = layers.iter().map(|layer| layer.runtime.map(|t| t.0)).collect();
        assert_eq!(times, [Some(1.0), None, Some(3.0), Some(4.0)]);
        assert_eq!(layers[0].energy, Some(Millijoules(2.0)));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
