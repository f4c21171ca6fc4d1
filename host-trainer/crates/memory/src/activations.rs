//! The largest set of activations that are live at the same time.

use crate::format::{bytes, padded_bytes};
use shared::engine::{Layer, LayerKind, Tensor};
use std::collections::{HashMap, HashSet};

/// The most bytes live at one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LivePeak {
    /// Position among the layers given.
    pub(crate) layer: usize,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// The activations of an engine's layers.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// The largest live set; none where no layer has a tensor.
    pub(crate) peak: Option<LivePeak>,
    /// The largest live set, in bytes, with padding, and with inputs and outputs kept for the whole inference.
    pub(crate) padded_peak: u64,
    /// Bytes of the inputs and outputs of the layer that has the most.
    pub(crate) largest_layer: u64,
    /// Bytes of the engine's inputs and outputs; none where they are not named.
    pub(crate) bindings: Option<u64>,
    /// Why the figures are only lower bounds.
    pub(crate) notes: Vec<String>,
}

/// A piece of memory: the tensors in it, and when it is live.
#[derive(Debug, Clone, Copy)]
struct Storage {
    bytes: u64,
    padded: u64,
    first: usize,
    last: usize,
    is_binding: bool,
}

/// Memory by number, with the numbers that were joined to others.
#[derive(Debug, Default)]
struct Storages {
    of: Vec<Storage>,
    joined: Vec<usize>,
    by_name: HashMap<String, usize>,
}

impl Storages {
    fn root(&mut self, mut at: usize) -> usize {
        while self.joined[at] != at {
            self.joined[at] = self.joined[self.joined[at]];
            at = self.joined[at];
        }
        at
    }

    /// The memory of a tensor that a layer reads or writes; a tensor without a name has its own.
    fn touch(&mut self, tensor: &Tensor, layer: &Layer, position: usize) -> usize {
        let known = if tensor.name.is_empty() { None } else { self.by_name.get(&tensor.name).copied() };
        let number = match known {
            Some(number) => self.root(number),
            None => {
                let number = self.of.len();
                self.of.push(Storage { bytes: 0, padded: 0, first: position, last: position, is_binding: false });
                self.joined.push(number);
                if !tensor.name.is_empty() {
                    self.by_name.insert(tensor.name.clone(), number);
                }
                number
            }
        };
        let storage = &mut self.of[number];
        storage.bytes = storage.bytes.max(bytes(tensor, layer.precision()));
        storage.padded = storage.padded.max(padded_bytes(tensor, layer.precision()));
        storage.first = storage.first.min(position);
        storage.last = storage.last.max(position);
        number
    }

    /// Makes two pieces of memory one.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        self.joined[b] = a;
        let other = self.of[b];
        let storage = &mut self.of[a];
        storage.bytes = storage.bytes.max(other.bytes);
        storage.padded = storage.padded.max(other.padded);
        storage.first = storage.first.min(other.first);
        storage.last = storage.last.max(other.last);
    }

    /// Those that were not joined to another.
    fn roots(&self) -> impl Iterator<Item = &Storage> {
        self.of.iter().enumerate().filter(|(number, _)| self.joined[*number] == *number).map(|(_, storage)| storage)
    }
}

impl Activations {
    /// Follows tensors through the layers, in execution order.
    pub(crate) fn of(layers: &[&Layer], bindings: &[String]) -> Self {
        let written: HashSet<&str> = layers.iter().flat_map(|l| &l.outputs).map(|t| t.name.as_str()).collect();
        let bound: HashSet<&str> = bindings.iter().map(String::as_str).collect();
        let constants: HashSet<&str> = layers
            .iter()
            .filter(|l| l.kind == LayerKind::Constant)
            .flat_map(|l| &l.outputs)
            .map(|t| t.name.as_str())
            .collect();
        // Weights are listed among the inputs of some layers; no layer writes them, and the engine is not given them.
        let is_parameter = |layer: &Layer, position: usize, tensor: &Tensor| {
            let name = tensor.name.as_str();
            constants.contains(name)
                || (!name.is_empty()
                    && !written.contains(name)
                    && if bound.is_empty() { position > 0 && layer.weights.is_some() } else { !bound.contains(name) })
        };
        let mut storages = Storages::default();
        let (mut dynamic, mut without) = (0, 0);
        let mut found = Self::default();
        for (position, layer) in layers.iter().enumerate() {
            if layer.kind == LayerKind::Constant {
                continue;
            }
            let tensors = || layer.inputs.iter().chain(&layer.outputs);
            dynamic += usize::from(tensors().any(|tensor| tensor.dims.iter().any(|&extent| extent < 0)));
            without += usize::from(!layer.kind.is_free() && layer.outputs.iter().all(|t| t.dims.is_empty()));
            let data = layer.inputs.iter().enumerate().filter(|(place, tensor)| !is_parameter(layer, *place, tensor));
            let inputs: Vec<usize> = data.map(|(_, tensor)| storages.touch(tensor, layer, position)).collect();
            let outputs: Vec<usize> =
                layer.outputs.iter().map(|tensor| storages.touch(tensor, layer, position)).collect();
            let renames = layer.kind == LayerKind::NoOp
                && layer.inputs.len() == 1
                && layer.outputs.len() == 1
                && layer.inputs[0].elements() == layer.outputs[0].elements();
            match (&inputs[..], &outputs[..]) {
                ([from], [to]) if renames => storages.join(*from, *to),
                _ => {}
            }
            if !layer.kind.is_free() {
                let own = tensors().map(|t| padded_bytes(t, layer.precision())).fold(0, u64::saturating_add);
                found.largest_layer = found.largest_layer.max(own);
            }
        }
        for name in &bound {
            if let Some(number) = storages.by_name.get(*name).copied() {
                let root = storages.root(number);
                storages.of[root].is_binding = true;
            }
        }
        let of_bindings = storages.roots().filter(|storage| storage.is_binding);
        let sum = of_bindings
            .map(|storage| storage.bytes)
            .fold(None, |sum: Option<u64>, bytes| Some(sum.unwrap_or(0).saturating_add(bytes)));
        found.bindings = sum;
        found.peak = peak(layers.len(), storages.roots().map(|s| (s.first, s.last, s.bytes)));
        let held = storages.roots().map(|s| match s.is_binding {
            true => (0, layers.len().saturating_sub(1), s.padded),
            false => (s.first, s.last, s.padded),
        });
        found.padded_peak = peak(layers.len(), held).map_or(0, |peak| peak.bytes);
        found.notes.extend(layers_note(dynamic, "dimensions known only at run time, which count as 1", "have", "has"));
        found.notes.extend(layers_note(without, "the size of what they write", "do not state", "does not state"));
        found
    }
}

fn layers_note(count: usize, what: &str, plural: &str, singular: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 layer {singular} {}", what.replace("they write", "it writes"))),
        n => Some(format!("{n} layers {plural} {what}")),
    }
}

/// The largest sum of pieces live at the same time, each given as first layer, last layer and bytes. The first of equals.
fn peak(layers: usize, pieces: impl Iterator<Item = (usize, usize, u64)>) -> Option<LivePeak> {
    let mut change = vec![0_i128; layers + 1];
    let mut any = false;
    for (first, last, bytes) in pieces {
        any |= bytes > 0;
        change[first] += i128::from(bytes);
        change[last + 1] -= i128::from(bytes);
    }
    let mut live = 0;
    let mut best = LivePeak { layer: 0, bytes: 0 };
    for (layer, change) in change.iter().take(layers).enumerate() {
        live += change;
        let bytes = u64::try_from(live).unwrap_or(u64::MAX);
        if bytes > best.bytes {
            best = LivePeak { layer, bytes };
        }
    }
    any.then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::engine::{named, parse};

    /// One layer: name, type, inputs and outputs, each a name with its channels; FP16, 10×10 pixels.
    fn layer(name: &str, layer_type: &str, inputs: &[(&str, i64)], outputs: &[(&str, i64)]) -> String {
        let list = |tensors: &[(&str, i64)]| {
            let tensor = |(name, channels): &(&str, i64)| {
                format!(r#"{{"Name": "{name}", "Dimensions": [1, {channels}, 10, 10], "Format/Datatype": "Half"}}"#)
            };
            tensors.iter().map(tensor).collect::<Vec<_>>().join(",")
        };
        format!(
            r#"{{"Name": "{name}", "LayerType": "{layer_type}", "Inputs": [{}], "Outputs": [{}]}}"#,
            list(inputs),
            list(outputs)
        )
    }

    fn follow(layers: &[String], bindings: &str) -> Activations {
        let text = format!(r#"{{"Layers": [{}], "Bindings": [{bindings}]}}"#, layers.join(","));
        let (engine, _) = parse(text.as_bytes()).expect("layers");
        Activations::of(&engine.layers.iter().collect::<Vec<_>>(), &engine.bindings)
    }

    #[test]
    fn a_residual_stays_live_until_it_is_added() {
        let layers = [
            layer("c1", "CaskConvolution", &[("x", 4)], &[("a", 8)]),
            layer("c2", "CaskConvolution", &[("a", 8)], &[("b", 8)]),
            layer("add", "ElementWise", &[("b", 8), ("a", 8)], &[("y", 8)]),
        ];
        let found = follow(&layers, r#""x", "y""#);
        assert_eq!(found.peak, Some(LivePeak { layer: 2, bytes: 200 * 24 }));
        assert_eq!(found.bindings, Some(200 * 12));
        // Inputs and outputs are kept for the whole inference.
        assert_eq!(found.padded_peak, 1024 + 3 * 1792);
    }

    #[test]
    fn an_elided_concatenation_counts_once() {
        let layers = [
            layer("left", "CaskConvolution", &[("x", 2)], &[("joined", 4)]),
            layer("right", "CaskConvolution", &[("x", 2)], &[("joined", 6)]),
            layer("read", "CaskConvolution", &[("joined", 10)], &[("y", 1)]),
        ];
        let found = follow(&layers, r#""x", "y""#);
        assert_eq!(found.peak, Some(LivePeak { layer: 0, bytes: 200 * 12 }));
    }

    #[test]
    fn a_layer_that_launches_nothing_renames() {
        let layers = [
            layer("c1", "CaskConvolution", &[("x", 1)], &[("a", 8)]),
            layer("view", "NoOp", &[("a", 8)], &[("b", 8)]),
            layer("c2", "CaskConvolution", &[("b", 8)], &[("y", 1)]),
        ];
        assert_eq!(follow(&layers, r#""x", "y""#).peak, Some(LivePeak { layer: 0, bytes: 200 * 9 }));
    }

    #[test]
    fn weights_among_the_inputs_are_not_activations() {
        let layers = [layer("g", "gemm", &[("x", 1), ("w", 50)], &[("y", 1)])];
        assert_eq!(follow(&layers, r#""x", "y""#).peak, Some(LivePeak { layer: 0, bytes: 400 }));
    }

    #[test]
    fn names_alone_tell_nothing() {
        let layers = [named(0, "conv1".to_owned()), named(1, "relu1".to_owned())];
        let found = Activations::of(&layers.iter().collect::<Vec<_>>(), &[]);
        assert_eq!((found.peak, found.bindings), (None, None));
        assert_eq!(found.notes, ["2 layers do not state the size of what they write"]);
    }

    #[test]
    fn dimensions_known_at_run_time_leave_a_lower_bound() {
        let layers = [layer("c1", "CaskConvolution", &[("x", -1)], &[("y", 8)])];
        let found = follow(&layers, r#""x", "y""#);
        assert_eq!(found.notes, ["1 layer has dimensions known only at run time, which count as 1"]);
    }
}
