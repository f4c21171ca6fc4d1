//! The power of each layer out of an aligned run.

use shared::failure::Failure;
use shared::text::TextStream;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

/// Mean power of each layer, W, idle power included, and how far it is its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerEnergies {
    layers: HashMap<(String, usize), (f64, u64, String)>,
}

impl LayerEnergies {
    /// Reads `power_runtime_mapping_layerwise.csv`, as `host-trainer align` writes it. Layers of one name are told apart by their turn in
    /// a cycle. Rows without a power are passed over.
    ///
    /// # Errors
    /// When it cannot be read or lacks a column.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path)
            .map_err(|e| Failure::io(path, "read", &e).help("make it with `host-trainer align`, as CSV"))?;
        let mut reader = csv::ReaderBuilder::new().from_reader(TextStream::new(file));
        let broken = |e: csv::Error| Failure::data(e.to_string()).at(path);
        let header = reader.headers().map_err(broken)?.clone();
        let column = |name: &str| header.iter().position(|found| found == name);
        let needed =
            |name: &str| column(name).ok_or_else(|| Failure::data(format!("lacks the column `{name}`")).at(path));
        let (cycle, name) = (needed("cycle")?, needed("layer_name")?);
        let power = needed("layer_power_including_idle_power_micro_watt")?;
        let verdict = column("power_verdict");
        let mut energies = Self::default();
        let (mut turns, mut last): (HashMap<String, usize>, String) = (HashMap::new(), String::new());
        for row in reader.records() {
            let row = row.map_err(broken)?;
            let cell = |column: usize| row.get(column).unwrap_or_default();
            if cell(cycle) != last {
                turns.clear();
                cell(cycle).clone_into(&mut last);
            }
            let turn = turns.entry(cell(name).to_owned()).or_insert(0);
            let key = (cell(name).to_owned(), *turn);
            *turn += 1;
            let Ok(microwatts) = cell(power).parse::<f64>() else { continue };
            if microwatts.is_finite() {
                let layer = energies.layers.entry(key).or_insert((
                    0.0,
                    0,
                    verdict.map_or(String::new(), |v| cell(v).to_owned()),
                ));
                (layer.0, layer.1) = (layer.0 + microwatts * 1e-6, layer.1 + 1);
            }
        }
        Ok(energies)
    }

    /// The mean power of a layer, W, and the verdict; `None` where the aligned run has none.
    #[must_use]
    pub fn of(&self, name: &str, turn: usize) -> Option<(f64, &str)> {
        let (sum, count, verdict) = self.layers.get(&(name.to_owned(), turn))?;
        Some((sum / *count as f64, verdict))
    }

    /// How many layers have a power.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether no layer has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_one_name_are_told_apart_by_their_turn() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("mapping.csv");
        let head =
            "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,layer_run_time,power_verdict";
        let rows = "1,conv,c,5000000,0.1,measured\n1,conv,c,6000000,0.1,attributed\n2,conv,c,7000000,0.1,measured\n2,conv,c,,0.1,attributed";
        std::fs::write(&path, format!("{head}\n{rows}\n")).expect("writes");
        let energies = LayerEnergies::read(&path).expect("reads");
        assert_eq!(energies.of("conv", 0), Some((6.0, "measured")));
        assert_eq!(
            (energies.of("conv", 1), energies.of("conv", 2), energies.len()),
            (Some((6.0, "attributed")), None, 2)
        );
        std::fs::write(&path, "cycle,layer_name\n").expect("writes");
        assert!(LayerEnergies::read(&path).expect_err("a column lacks").message.contains("lacks the column"));
    }
}
