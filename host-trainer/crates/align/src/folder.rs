//! All runs of a folder: analysed one by one, then together where totals of networks say more, and written.

use super::files::RunFiles;
use super::method::Method;
use super::run::{self, Options, Run, nothing};
use super::totals;
use super::write::write_mapping;
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::{Path, PathBuf};

/// Name of the engine info in the folder of an aligned run.
pub const ENGINE_INFO: &str = "trt_engine_info.json";
/// Name of the quality report, which is written last.
pub const QUALITY: &str = "alignment_quality.json";

/// Runs with what was learnt from them.
#[derive(Default)]
pub struct Analysed {
    /// The runs that were analysed.
    pub runs: Vec<Run>,
    /// Why the others were not.
    pub failures: Vec<Failure>,
    /// Networks that the powers of layer kinds come from, where totals were asked for.
    pub networks: Option<usize>,
}

impl Analysed {
    /// Analyses the runs that [`super::files::find`] found in `folder`. One run that fails does not keep the others from being
    /// analysed. `done` hears of each.
    ///
    /// # Errors
    /// The failure of an only run, or totals asked for where there are too few networks.
    pub fn analyse(
        found: Vec<Result<RunFiles, Failure>>,
        folder: &Path,
        options: &Options,
        done: &mut dyn FnMut(),
    ) -> Result<Self, Failure> {
        let all = found.len();
        let mut batch = Self::default();
        for files in found {
            match files.and_then(|files| run::analyse(files, options)) {
                Ok(run) => batch.runs.push(run),
                Err(failure) if all == 1 => return Err(failure),
                Err(failure) => batch.failures.push(failure),
            }
            done();
        }
        batch.apply_totals(options.method, folder)?;
        Ok(batch)
    }

    /// Takes layer powers from networks' totals where that is asked for, and where the method is free and there are networks
    /// enough to tell the layer kinds apart twice over.
    fn apply_totals(&mut self, method: Method, folder: &Path) -> Result<(), Failure> {
        match method {
            Method::Totals => {
                self.networks = totals::apply(&mut self.runs, |_| true);
                if self.networks.is_none() {
                    return Err(Failure::data(format!(
                        "needs the measured power of at least {} networks",
                        totals::NETWORKS
                    ))
                    .at(folder)
                    .help("use --method share, or measure more networks"));
                }
            }
            Method::Auto if self.runs.len() >= 2 * totals::KINDS => {
                totals::apply(&mut self.runs, |run| run.quality.method == Method::Share);
            }
            _ => {}
        }
        Ok(())
    }

    /// The failure of a batch some of whose runs were not analysed.
    ///
    /// # Errors
    /// Where there were any.
    pub fn result(&self) -> Result<(), Failure> {
        match self.failures.len() {
            0 => Ok(()),
            failed => Err(nothing(failed, failed + self.runs.len())),
        }
    }
}

/// Writes a run's rows, engine info and quality report into the model's folder below `results`, and with `parquet` the rows
/// as Parquet, too. Returns that folder.
///
/// # Errors
/// Files that cannot be read again or written.
pub fn write(run: &mut Run, results: &Path, with_parquet: bool) -> Result<PathBuf, Failure> {
    let folder = results.join(&run.files.model);
    write_mapping(run, &folder, with_parquet)?;
    if let Some(engine_info) = &run.files.engine_info {
        write_atomic(&folder.join(ENGINE_INFO), &read_capped(engine_info, limits::ENGINE_INFO_BYTES)?)?;
    }
    let text = serde_json::to_string_pretty(&run.quality).map_err(|e| Failure::from_error(Kind::Data, e))?;
    write_atomic(&folder.join(QUALITY), format!("{text}\n").as_bytes())?;
    Ok(folder)
}
