//! From the runs of a plan to training tables.

use align::files;
use align::folder;
use align::mapping;
use align::run::{self, Options as AlignOptions, Readings};
use dataset::{Options as DatasetOptions, PowerKind, totals};
use shared::campaign::{CampaignPlan, ItemKind, LEARNED_FOLDER, PlanItem};
use shared::digest::sha256_file;
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::{Manifest, RunFolder, Status};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tables::TableFormat;

/// Layers of a network beyond which its power is shared out by run time: a fit takes time by the third power of their number, and
/// behind the sensors of boards it tells few of so many apart.
const FITTED_LAYERS: usize = 100;
/// Fewest measurements of a layer: `jetson-agent` makes twelve of however slow a model.
const MEASUREMENTS: u64 = 10;

/// Training tables of the runs in one mode.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Folder of the tables.
    pub(crate) training: PathBuf,
    /// Items whose runs are in them, by their names.
    pub(crate) items: BTreeMap<String, PathBuf>,
    /// Runs that were aligned now, and before.
    pub(crate) aligned: (usize, usize),
    /// Why runs are missing, in sentences.
    pub(crate) failures: Vec<String>,
}

/// A complete run of an item.
struct Complete<'a> {
    item: &'a PlanItem,
    run: RunFolder,
    manifest: Manifest,
}

/// Aligns the runs of a plan in a mode, those that were not aligned before, and makes training tables of all.
///
/// # Errors
/// When no run is complete, or tables cannot be written. A run that cannot be aligned is reported and left out.
pub(crate) fn prepare(
    folder: &Path,
    plan: &CampaignPlan,
    mode: Option<&str>,
    done: &mut dyn FnMut(&str),
) -> Result<Runs, Failure> {
    let root = CampaignPlan::runs(folder, mode);
    let learned = folder.join(LEARNED_FOLDER);
    let of_mode = |name: &str| mode.map_or_else(|| learned.join(name), |mode| learned.join(name).join(mode));
    let (aligned, training) = (of_mode("aligned"), of_mode("training"));
    let complete = complete(&root, plan)?;
    if complete.is_empty() {
        return Err(Failure::data("holds no complete run of the plan")
            .at(&root)
            .help("measure it with `host-trainer campaign run --on BOARD`, or with `jetson-agent campaign` there"));
    }
    let mut runs = Runs { training, items: BTreeMap::new(), aligned: (0, 0), failures: Vec::new() };
    let (mut rows, mut all_rows) = (Vec::new(), Vec::new());
    for Complete { item, run, manifest } in complete {
        let name = run.model().to_owned();
        let readings = if plan.power { readings(item, &manifest) } else { Readings::Ignore };
        match convert(&run, readings, &aligned, &runs.training) {
            Ok((row, is_new)) => {
                let count = if is_new { &mut runs.aligned.0 } else { &mut runs.aligned.1 };
                *count += 1;
                if item.kind == ItemKind::Network {
                    rows.push(row.clone());
                }
                all_rows.push(row);
                runs.items.insert(name.clone(), run.path().to_owned());
            }
            Err(failure) => runs.failures.push(format!("{name}: {failure}")),
        }
        done(&name);
    }
    if runs.items.is_empty() {
        return Err(Failure::data(format!("no run can be used; the first: {}", runs.failures[0])).at(&root));
    }
    totals::write(&runs.training, &rows, TableFormat::Csv)?;
    totals::write_devices(&runs.training, &all_rows)?;
    Ok(runs)
}

/// The complete runs of a mode's folder that belong to items: an item's own, and those of the layers of an item that was measured
/// layer by layer. In the order of their names.
fn complete<'a>(root: &Path, plan: &'a CampaignPlan) -> Result<Vec<Complete<'a>>, Failure> {
    let listing = match std::fs::read_dir(root) {
        Ok(listing) => listing,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Failure::io(root, "list", &e)),
    };
    let mut folders: Vec<PathBuf> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
    folders.sort();
    let mut found = Vec::new();
    for run in folders.iter().filter_map(|folder| RunFolder::at(folder)) {
        let Some(item) = plan.items.iter().find(|item| item.owns(run.model())) else { continue };
        if !run.manifest().is_file() {
            continue;
        }
        let manifest = Manifest::read(&run.manifest())?;
        if manifest.status == Status::Complete {
            found.push(Complete { item, run, manifest });
        }
    }
    Ok(found)
}

/// What readings are used for: with many layers a fit takes long, and single layers are measured for their run times.
fn readings(item: &PlanItem, manifest: &Manifest) -> Readings {
    match item.kind {
        _ if manifest.power.rails.is_empty() => Readings::Ignore,
        ItemKind::Layers => Readings::Ignore,
        ItemKind::Loop => Readings::Mean,
        ItemKind::Network if manifest.layers.len() > FITTED_LAYERS => Readings::Mean,
        ItemKind::Network => Readings::Fit,
    }
}

/// Makes the tables of a run; whether it had to be aligned.
fn convert(
    run: &RunFolder,
    readings: Readings,
    aligned: &Path,
    training: &Path,
) -> Result<(totals::NetworkRow, bool), Failure> {
    let target = aligned.join(run.model());
    let is_new = !is_aligned(&target, run)?;
    if is_new {
        let found =
            files::find(run.path())?.pop().ok_or_else(|| Failure::data("is not a run folder").at(run.path()))?;
        let options = AlignOptions { readings, ..AlignOptions::default() };
        folder::write(&mut run::analyse(found?, &options)?, aligned, false)?;
    }
    let options = DatasetOptions {
        per_layer_measurements: MEASUREMENTS,
        power: PowerKind::Net,
        reference_compatible: false,
        format: TableFormat::Csv,
    };
    let (_, row) = dataset::convert(&target, training, &options)?;
    Ok((row, is_new))
}

/// Whether a run was aligned as it stands. The report, which comes last, names the files that it was made from.
fn is_aligned(target: &Path, run: &RunFolder) -> Result<bool, Failure> {
    #[derive(serde::Deserialize)]
    struct MadeFrom {
        made_from: Vec<(String, String)>,
    }
    let report = target.join(folder::QUALITY);
    if !report.is_file() || !target.join(mapping::FILE).is_file() {
        return Ok(false);
    }
    let content = read_capped(&report, limits::SMALL_FILE_BYTES)?;
    let report: MadeFrom =
        serde_json::from_slice(&content).map_err(|e| Failure::from_error(Kind::Data, e).at(&report))?;
    let manifest = run.manifest();
    let name = manifest.file_name().map(|name| name.to_string_lossy().into_owned());
    let known = report.made_from.iter().find(|(file, _)| Some(file) == name.as_ref());
    Ok(known.is_some_and(|(_, hash)| sha256_file(&manifest).is_ok_and(|now| now == *hash)))
}
