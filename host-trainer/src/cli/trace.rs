//! `host-trainer trace`: a run as a trace for Perfetto.

use align::statistics::LayerStatistics;
use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;
use shared::run_folder::RunFolder;
use shared::units::Watts;
use std::path::{Path, PathBuf};
use trace::{LayerEnergies, LayerPower, TraceOptions, export};

/// Write a run as a trace that ui.perfetto.dev and chrome://tracing show: layers, inferences, rails, clocks, temperatures.
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The run folder.
    run: PathBuf,
    /// The trace.
    #[arg(long, value_name = "FILE", default_value = "trace.json")]
    out: PathBuf,
    /// The same run as `align` wrote it; its powers give each layer an energy.
    #[arg(long, value_name = "DIR")]
    preprocessed_data_dir: Option<PathBuf>,
    /// Profiled cycles whose layers are written, the first ones.
    #[arg(long, value_name = "N", default_value_t = 200)]
    cycles: usize,
    /// Inferences of each pass that are written, the first ones.
    #[arg(long, value_name = "N", default_value_t = 5000)]
    inferences: usize,
}

impl Trace {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let run = RunFolder::at(&self.run).filter(|run| run.path().is_dir()).ok_or_else(|| {
            Failure::usage("is not a run folder")
                .at(&self.run)
                .help("give the folder of one model, such as raw_data/resnet18")
        })?;
        let energies = match &self.preprocessed_data_dir {
            Some(folder) => Some(energies(&folder.join(run.model()).join(align::mapping::FILE))?),
            None => None,
        };
        let options = TraceOptions { cycles: self.cycles, inferences: self.inferences, energies };
        let exported = export(&run, &self.out, &options)?;
        printer.say(format!("wrote {} events into {}", exported.events, self.out.display()));
        if exported.cycles_left_out > 0 || exported.inferences_left_out > 0 {
            printer.say(format!(
                "left out the layers of {} cycles (--cycles) and {} inferences (--inferences)",
                exported.cycles_left_out, exported.inferences_left_out
            ));
        }
        if options.energies.is_some() {
            printer.say(format!("{} layers have an energy", exported.layers_with_energy));
        }
        Ok(())
    }
}

/// The powers of layers out of a mapping, for those that have one.
fn energies(mapping: &Path) -> Result<LayerEnergies, Failure> {
    let layers = dataset::read_mapping(mapping)?.into_iter();
    let power = |layer: LayerStatistics| {
        let power = Watts::from_microwatts(layer.power.mean?);
        let verdict = layer.verdict.map(|(verdict, _)| verdict).unwrap_or_default();
        Some(LayerPower { name: layer.name, turn: layer.turn, power, verdict })
    };
    Ok(layers.filter_map(power).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
                        layer_power_excluding_idle_power_micro_watt,layer_run_time,power_verdict,power_method\n\
                        1,conv,c,5000000.5,1,0.1,measured,x\n1,conv,c,6000000.5,1,0.1,attributed,x\n\
                        2,conv,c,7000000.5,1,0.1,measured,x\n2,conv,c,,,0.1,attributed,x\n1,fc,d,,,0.1,x,x\n";

    /// The mapping has one reader: what `dataset` reads, `trace` reads too.
    #[test]
    fn a_mapping_that_a_spreadsheet_saved_again_gives_the_same_powers() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapping.csv");
        let semicolons = ROWS.replace(',', ";").replace('.', ",");
        for rows in [ROWS, &semicolons] {
            std::fs::write(&path, rows).expect("written");
            let energies = energies(&path).expect(rows);
            assert_eq!(energies.of("conv", 0), Some((Watts::from_microwatts(6_000_000.5), "measured")), "{rows}");
            assert_eq!(energies.of("conv", 1), Some((Watts::from_microwatts(6_000_000.5), "attributed")), "{rows}");
            assert_eq!((energies.of("conv", 2), energies.of("fc", 0)), (None, None));
        }
        std::fs::write(&path, ROWS.replace("0.1,measured", "?,measured")).expect("written");
        let failure = energies(&path).expect_err("no number").to_string();
        assert!(failure.contains("line 2: `layer_run_time` is `?`"), "{failure}");
    }
}
