//! Which layers to loop, and whether a loop ran what the network runs.

use super::design::DESIGN_FOLDER;
use shared::engine::{Engine, Layer};
use shared::run_folder::{Change, Design, DesignKind, DesignStep, LogContent, Manifest};
use shared::units::Millis;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Most inferences of one loop: what `trtexec` writes about them has to be read.
pub(super) const MOST_CYCLES: u32 = 200_000;

/// A layer that runs in a network, or several that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopLayer {
    /// Places in the manifest's `layers`, in the order in which they run.
    pub layers: Vec<usize>,
    /// Place of the first in the engine info.
    pub engine_layer: usize,
    /// Mean time of the first.
    pub time: Millis,
    /// Mean time of all of them together.
    pub total: Millis,
}

/// Mean time of each layer of a run, in the order of its manifest; `None` where there is no measurement.
#[must_use]
pub fn layer_times(manifest: &Manifest, content: &LogContent) -> Vec<Option<Millis>> {
    let mut sums = vec![(0.0, 0_u32); manifest.layers.len()];
    for (_, runs) in &content.layers {
        for (sum, run) in sums.iter_mut().zip(runs) {
            sum.0 += f64::from(run.ms);
            sum.1 += 1;
        }
    }
    sums.into_iter().map(|(sum, count)| (count > 0).then(|| Millis(sum / f64::from(count)))).collect()
}

/// The engine's layer for each of a manifest's layers: the same name, and where names repeat the same occurrence.
#[must_use]
pub fn in_engine(manifest: &Manifest, engine: &Engine) -> Vec<Option<usize>> {
    let mut places: HashMap<&str, std::collections::VecDeque<usize>> = HashMap::new();
    for (index, layer) in engine.layers.iter().enumerate() {
        places.entry(layer.name.as_str()).or_default().push_back(index);
    }
    manifest.layers.iter().map(|name| places.get_mut(name.as_str())?.pop_front()).collect()
}

/// Whether two layers compute the same: all that the engine info says but their names and their places.
fn is_alike(one: &Layer, other: &Layer) -> bool {
    let bare = |layer: &Layer| {
        let mut layer = layer.clone();
        layer.index = 0;
        layer.name.clear();
        layer.fused.clear();
        layer.profile = None;
        layer.inputs.iter_mut().chain(&mut layer.outputs).for_each(|tensor| tensor.name.clear());
        layer
    };
    bare(one) == bare(other)
}

/// The layers that a run executed, those alike together, the most time first. Layers that launch nothing, take no time or are
/// not in the engine info are left out.
#[must_use]
pub fn loop_layers(manifest: &Manifest, content: &LogContent, engine: &Engine) -> Vec<LoopLayer> {
    let times = layer_times(manifest, content);
    let mut groups: Vec<LoopLayer> = Vec::new();
    for (place, (engine_layer, time)) in in_engine(manifest, engine).into_iter().zip(times).enumerate() {
        let (Some(engine_layer), Some(time)) = (engine_layer, time) else { continue };
        let layer = &engine.layers[engine_layer];
        if layer.kind.is_free() || time.0 <= 0.0 {
            continue;
        }
        match groups.iter_mut().find(|group| is_alike(&engine.layers[group.engine_layer], layer)) {
            Some(group) => {
                group.layers.push(place);
                group.total += time;
            }
            None => groups.push(LoopLayer { layers: vec![place], engine_layer, time, total: time }),
        }
    }
    groups.sort_by(|a, b| b.total.0.total_cmp(&a.total.0));
    groups
}

/// Plans a loop for each group of layers, as many as fit into `time` if each runs for at least as long again as the sensor needs
/// to settle. `gap` is what passes between two inferences of the network.
#[must_use]
pub fn plan_loops(groups: &[LoopLayer], period: Millis, gap: Millis, settled_after: Millis, time: Duration) -> Design {
    let all = Millis(time.as_secs_f64() * 1e3);
    let fit = ((all / (settled_after * 2.0)) as usize).clamp(1, groups.len().max(1));
    let share = all / fit as f64;
    let length = settled_after + Millis((share.0 - settled_after.0).max(settled_after.0));
    let step = |group: &LoopLayer| {
        let cycle = group.time + gap;
        let cycles = ((length / cycle).ceil() as u32).clamp(50, MOST_CYCLES);
        DesignStep {
            folder: format!("{DESIGN_FOLDER}/loop-{}", group.layers[0]),
            status: None,
            cycles,
            expected: cycle * f64::from(cycles),
            settled_after,
            change: Change::Loop {
                layers: group.layers.clone(),
                network: Some(group.time),
                alone: None,
                others: None,
                same_tactic: None,
            },
        }
    };
    Design { kind: DesignKind::Loops, period, steps: groups.iter().take(fit).map(step).collect(), outside: None }
}

/// What a loop ran, beside what the network ran.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Compared {
    /// The layer's mean time in the loop.
    pub alone: Option<Millis>,
    /// Mean time of everything else in the loop.
    pub others: Option<Millis>,
    /// Whether both engines chose the same tactic, where both name one.
    pub same_tactic: Option<bool>,
}

/// Compares a layer of the network with the loop of it: the layer of the loop's engine that is fused of the same operators, or the
/// only one that takes time.
#[must_use]
pub fn compare(layer: &Layer, (manifest, content): (&Manifest, &LogContent), engine: Option<&Engine>) -> Compared {
    let times = layer_times(manifest, content);
    let wanted: BTreeSet<&str> = layer.fused.iter().map(String::as_str).collect();
    let places = engine.map(|engine| in_engine(manifest, engine));
    let candidate = |place: usize| -> Option<&Layer> { engine?.layers.get(places.as_ref()?.get(place).copied()??) };
    let busy: Vec<usize> = (0..times.len()).filter(|place| times[*place].is_some_and(|time| time.0 > 0.0)).collect();
    let same = busy.iter().copied().find(|place| {
        manifest.layers.get(*place) == Some(&layer.name)
            || candidate(*place).is_some_and(|other| {
                !wanted.is_empty() && other.fused.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted
            })
    });
    let Some(place) = same.or(if let [only] = busy[..] { Some(only) } else { None }) else {
        return Compared::default();
    };
    let tactic = candidate(place).and_then(|other| other.tactic.as_ref());
    Compared {
        alone: times[place],
        others: Some(busy.iter().filter(|other| **other != place).filter_map(|other| times[*other]).sum()),
        same_tactic: layer.tactic.as_ref().zip(tactic).map(|(network, alone)| network == alone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::LayerRun;

    fn engine(layers: &[(&str, &str, u32)]) -> Engine {
        let list: Vec<serde_json::Value> = layers
            .iter()
            .map(|(name, tactic, maps)| {
                serde_json::json!({
                    "Name": name, "LayerType": "CaskConvolution", "ParameterType": "Convolution", "OutMaps": maps,
                    "Inputs": [{"Name": format!("in {name}"), "Dimensions": [1, 8, 16, 16], "Format/Datatype": "Half"}],
                    "Outputs": [{"Name": format!("out {name}"), "Dimensions": [1, maps, 16, 16], "Format/Datatype": "Half"}],
                    "TacticName": tactic,
                })
            })
            .collect();
        let text = serde_json::json!({ "Layers": list }).to_string();
        shared::engine::parse(text.as_bytes()).expect("an engine info").0
    }

    fn run(names: &[&str], times: &[f32]) -> (Manifest, LogContent) {
        let mut manifest = Manifest::new("net", "test");
        manifest.layers = names.iter().map(|name| (*name).to_owned()).collect();
        let runs = times.iter().map(|ms| LayerRun { ms: *ms, stamp_ns: 0 }).collect();
        (manifest, LogContent { layers: vec![(0, runs)], ..LogContent::default() })
    }

    #[test]
    fn layers_alike_are_looped_once_and_the_most_time_comes_first() {
        let engine = engine(&[("a", "t", 16), ("b", "u", 32), ("c", "t", 16), ("c", "v", 16)]);
        let (manifest, content) = run(&["a", "b", "c", "c", "unknown"], &[0.1, 0.15, 0.12, 0.05, 0.3]);
        let groups = loop_layers(&manifest, &content, &engine);
        let places: Vec<&[usize]> = groups.iter().map(|group| group.layers.as_slice()).collect();
        // The first and the third by the same tactic; the fourth by another one.
        assert_eq!(places, [&[0, 2][..], &[1], &[3]]);
        assert!((groups[0].total.0 - 0.22).abs() < 1e-6 && (groups[0].time.0 - 0.1).abs() < 1e-6);
        // Time for two loops of twice two seconds.
        let design = plan_loops(&groups, Millis(1.0), Millis(0.1), Millis(2_000.0), Duration::from_secs(8));
        let folders: Vec<&str> = design.steps.iter().map(|step| step.folder.as_str()).collect();
        assert_eq!(folders, ["design/loop-0", "design/loop-1"]);
        // Four seconds at 0.2 ms.
        assert!((19_990..=20_010).contains(&design.steps[0].cycles), "{:?}", design.steps[0]);
    }

    #[test]
    fn a_loop_is_compared_with_the_layer_that_it_stands_for() {
        let network = engine(&[("conv + relu", "t", 16)]);
        let layer = &network.layers[0];
        let alone = engine(&[("reformat", "r", 1), ("conv + relu", "other", 16)]);
        let (manifest, content) = run(&["reformat", "conv + relu"], &[0.02, 0.13]);
        let compared = compare(layer, (&manifest, &content), Some(&alone));
        assert!((compared.alone.expect("a time").0 - 0.13).abs() < 1e-6);
        assert!((compared.others.expect("a time").0 - 0.02).abs() < 1e-6);
        assert_eq!(compared.same_tactic, Some(false));
        // Without an engine info the only layer that takes time is the one.
        let (manifest, content) = run(&["renamed"], &[0.11]);
        let compared = compare(layer, (&manifest, &content), None);
        assert!(compared.alone.is_some() && compared.same_tactic.is_none());
        let (manifest, content) = run(&["one", "two"], &[0.11, 0.1]);
        assert_eq!(compare(layer, (&manifest, &content), None), Compared::default());
    }
}
