//! `host-trainer trace`: a run as a trace for Perfetto.

use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;
use shared::run_folder::RunFolder;
use std::path::PathBuf;
use trace::{LayerEnergies, TraceOptions, export};

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
            Some(folder) => Some(LayerEnergies::read(&folder.join(run.model()).join(align::mapping::FILE))?),
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
