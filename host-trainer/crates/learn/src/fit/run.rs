//! A whole fit: which devices, which networks are held back, every device's models, and the folder that receives them.

use super::kinds::Kind as ModelKind;
use super::plan::Plan;
use super::train::{FitJob, Outcome, train};
use crate::model::{Target, check_device_name, replace_device, set_default_device};
use crate::training::TrainingData;
use estimators::FitError;
use shared::engine::Table;
use shared::failure::{Failure, Kind};
use std::collections::BTreeSet;
use std::path::Path;

/// The name of a device where neither the data nor the user name one.
pub const UNNAMED_DEVICE: &str = "unnamed-device";

/// A device by its name in the data and the name that its models get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChoice {
    /// Its name in the data.
    pub in_data: String,
    /// Its models' name.
    pub name: String,
}

impl DeviceChoice {
    /// A device whose models are named as the data name it.
    #[must_use]
    pub fn same(name: &str) -> Self {
        Self { in_data: name.to_owned(), name: name.to_owned() }
    }
}

/// Names of the devices that data name.
#[must_use]
pub fn devices_of(data: &TrainingData) -> BTreeSet<&str> {
    data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect()
}

/// The devices to fit: the one wanted, else all that the data name; and what the user should know of the choice. Data of a
/// single device may be fitted under another name.
///
/// # Errors
/// A name that no device can have, or one that the data do not hold beside others.
pub fn choose_devices(
    data: &TrainingData,
    wanted: Option<&str>,
    folder: &Path,
) -> Result<(Vec<DeviceChoice>, Option<String>), Failure> {
    let known: Vec<&str> = devices_of(data).into_iter().collect();
    let Some(name) = wanted else {
        if known.is_empty() {
            return Ok((vec![DeviceChoice::same(UNNAMED_DEVICE)], None));
        }
        let checked = known.iter().map(|name| check_device_name(name).map(|()| DeviceChoice::same(name)));
        return Ok((checked.collect::<Result<_, _>>()?, None));
    };
    check_device_name(name)?;
    match known.as_slice() {
        names if names.is_empty() || names.contains(&name) => Ok((vec![DeviceChoice::same(name)], None)),
        [only] => {
            let note = format!("the data were measured on {only}; the models are named for {name} as asked");
            Ok((vec![DeviceChoice { in_data: (*only).to_owned(), name: name.to_owned() }], Some(note)))
        }
        names => Err(Failure::usage(format!("no row was measured on {name}"))
            .at(folder)
            .help(format!("the data name {}", names.join(", ")))),
    }
}

/// Networks held back for testing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestNetworks {
    /// Those of the plan that the data hold; none where they hold no other.
    pub networks: BTreeSet<String>,
    /// Those of the plan that the data do not hold.
    pub missing: Vec<String>,
    /// Whether the plan names every network of the data, so that none is held back.
    pub names_all: bool,
}

/// The networks of a plan that are held back for testing.
#[must_use]
pub fn test_networks(plan: &Plan, data: &TrainingData) -> TestNetworks {
    let known = data.networks();
    let (found, missing): (BTreeSet<&String>, BTreeSet<&String>) =
        plan.test_models.iter().partition(|name| known.contains(name.as_str()));
    TestNetworks {
        networks: plan.known_test_networks(data),
        missing: missing.into_iter().cloned().collect(),
        names_all: found.len() == known.len(),
    }
}

/// A model that a fit would make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The device, by the name that the models get.
    pub device: String,
    /// Layer kind.
    pub table: Table,
    /// Target.
    pub target: Target,
    /// Rows to train on.
    pub training_rows: usize,
    /// Rows of networks held back.
    pub test_rows: usize,
    /// Degree of the polynomial; `None` where the kind is not a polynomial.
    pub degree: Option<u32>,
    /// Columns that the model would read.
    pub columns: Vec<String>,
}

/// The models that a fit would make, none of which is fitted.
#[must_use]
pub fn planned(
    plan: &Plan,
    data: &TrainingData,
    devices: &[DeviceChoice],
    test_networks: &BTreeSet<String>,
) -> Vec<Planned> {
    let estimator = plan.estimator();
    let mut all = Vec::new();
    for device in devices {
        for (&table, rows) in &data.tables {
            let of_device = rows.iter().filter(|row| row.is_of(&device.in_data));
            let (test, train): (Vec<_>, Vec<_>) = of_device.partition(|row| test_networks.contains(&row.network));
            for target in Target::ALL {
                all.push(Planned {
                    device: device.name.clone(),
                    table,
                    target,
                    training_rows: train.len(),
                    test_rows: test.len(),
                    degree: estimator.degree(table, target),
                    columns: estimator.features(table, target),
                });
            }
        }
    }
    all
}

/// Fits the models of some devices; when all are fitted, writes them below `out`, each device's in place of those that were
/// there. `progress` hears of each model as it is done.
///
/// # Errors
/// A fit that fails, which leaves the folder as it was, or a folder that cannot be written. `folder` is what failures call
/// the data.
pub fn fit_devices(
    plan: &Plan,
    data: &TrainingData,
    folder: &Path,
    devices: &[DeviceChoice],
    test_networks: &BTreeSet<String>,
    out: &Path,
    progress: &(dyn Fn(Table, Target) + Sync),
) -> Result<Vec<Outcome>, Failure> {
    let estimator = plan.estimator();
    let job = FitJob {
        test_networks,
        baselines: &ModelKind::baselines().collect::<Vec<_>>(),
        ..FitJob::of_plan(data, estimator.as_ref(), plan)
    };
    let mut outcomes = Vec::new();
    for device in devices {
        let mut outcome = train(&job, &device.in_data, progress).map_err(|e| fit_failure(folder, e))?;
        outcome.device.name.clone_from(&device.name);
        for artefact in &mut outcome.artefacts {
            artefact.card.device.clone_from(&device.name);
        }
        outcomes.push(outcome);
    }
    for outcome in &outcomes {
        replace_device(out, &outcome.device, &outcome.artefacts)?;
        set_default_device(out, &outcome.device.name)?;
    }
    Ok(outcomes)
}

fn fit_failure(data: &Path, error: FitError) -> Failure {
    let few = matches!(error, FitError::TooFewRows { .. });
    let failure = Failure::from_error(Kind::Data, error).at(data);
    if few { failure.help("measure more networks, or keep fewer back by --test-models") } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training;

    #[test]
    fn each_kind_of_model_is_planned_with_the_columns_that_it_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let table = "model,batch_size,input_size,output_size,power,runtime\nlenet,1,400,120,4000000,0.1\n";
        std::fs::write(folder.path().join("dense.csv"), table).expect("written");
        let data = training::read(folder.path()).expect("data");
        for (kind, degree, columns) in [
            ("lasso", Some(3), "batch_size,input_features,output_features,weights,element_bytes"),
            ("physics", None, "batch_size,input_size,output_size,weights,element_bytes"),
            ("hybrid", None, "batch_size,input_size,output_size,weights,element_bytes"),
        ] {
            let plan = Plan::of(kind.parse().expect("a kind"));
            let all = planned(&plan, &data, &[DeviceChoice::same("board")], &BTreeSet::new());
            assert_eq!(all.len(), Target::ALL.len());
            for model in all {
                assert_eq!((model.degree, model.columns.join(",").as_str()), (degree, columns), "{kind}");
            }
        }
    }
}
