//! Members of the families of networks that can be written, and the layers that each should have.

use graph::{Build, Options};
use learn::features::{Extraction, LayerSpec, extract};
use networks::{ARCHITECTURES, Architecture, OnnxFile, Sizes, WeightStorage, WriteOptions};
use shared::engine::Engine;
use shared::failure::Failure;
use shared::random::SplitMix64;

/// Widths of members that are not the published network.
const WIDTHS: [f64; 4] = [0.5, 0.75, 1.0, 1.25];
/// Smallest and largest side of a member over the published side.
const SIDES: (f64, f64) = (0.4, 1.0);
/// Members of each architecture besides the published network.
const FURTHER: usize = 2;

/// A network that can be written.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) architecture: &'static Architecture,
    pub(crate) sizes: Sizes,
    /// The engine info that its file should come to.
    pub(crate) engine_info: String,
    /// Its layers that launch something and have a row.
    pub(crate) layers: Vec<LayerSpec>,
}

impl Member {
    /// A name from its sizes: `resnet18-w0.75-160`.
    pub(crate) fn name(&self) -> String {
        let width = if self.sizes.width == 1.0 { String::new() } else { format!("-w{}", self.sizes.width) };
        format!("{}{width}-{}", self.architecture.name, self.sizes.side)
    }

    pub(crate) fn file(&self, options: &WriteOptions) -> OnnxFile {
        self.architecture.file(&self.sizes, options)
    }
}

/// The published networks and some of other widths and sides, drawn by a seed.
///
/// # Errors
/// A file of ours that our own reader does not take, which is a fault of the program.
pub(crate) fn members(precision: Build, seed: u64) -> Result<Vec<Member>, Failure> {
    let mut random = SplitMix64::keyed(&[seed, 2]);
    let mut all: Vec<Member> = Vec::new();
    for architecture in ARCHITECTURES {
        let mut sizes = vec![Sizes::of_side(architecture.side)];
        for _ in 0..FURTHER {
            let width = WIDTHS[random.below(WIDTHS.len())];
            let factor = SIDES.0 + (SIDES.1 - SIDES.0) * random.uniform();
            let (least, step) = architecture.sides();
            let step = step.max(8);
            let side = ((f64::from(architecture.side) * factor / f64::from(step)).round() as u32 * step).max(least);
            let further = Sizes { width, ..Sizes::of_side(side) };
            if architecture.check_side(side).is_ok() && !sizes.contains(&further) {
                sizes.push(further);
            }
        }
        for sizes in sizes {
            all.push(member(architecture, sizes, precision)?);
        }
    }
    Ok(all)
}

fn member(architecture: &'static Architecture, sizes: Sizes, precision: Build) -> Result<Member, Failure> {
    // Layers follow from shapes alone.
    let options = WriteOptions { storage: WeightStorage::Shape, ..WriteOptions::default() };
    let bytes = architecture.file(&sizes, &options).bytes();
    let read = graph::engine_info_of(&bytes, &Options { precision, ..Options::default() })?;
    Ok(Member { architecture, sizes, layers: layers(&read.engine), engine_info: read.json })
}

/// The layers of an engine that launch something and have a row in a table.
pub(crate) fn layers(engine: &Engine) -> Vec<LayerSpec> {
    let launching = engine.layers.iter().filter(|layer| !layer.kind.is_free());
    launching.filter_map(|layer| extract(layer, Extraction::default()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_architecture_has_members_with_names_of_their_own() {
        let all = members(Build::Fp16, 3).expect("members");
        let names: BTreeSet<String> = all.iter().map(Member::name).collect();
        assert_eq!(names.len(), all.len());
        for architecture in ARCHITECTURES {
            assert!(all.iter().any(|member| member.architecture.name == architecture.name));
        }
        assert!(all.iter().all(|member| member.layers.len() > 3));
        let other: BTreeSet<String> = members(Build::Fp16, 4).expect("members").iter().map(Member::name).collect();
        assert_ne!(names, other);
    }
}
