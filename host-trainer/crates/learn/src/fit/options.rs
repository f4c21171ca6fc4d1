//! From what a caller asks for to a plan: the configuration file first, the caller's own choices over it.

use super::kinds::{Kind, LassoOptions, check_columns};
use super::plan::{Plan, ReferenceFaults};
use crate::model::Target;
use estimators::mlp::{self, read_hyperparams};
use shared::engine::Table;
use shared::failure::Failure;
use std::path::Path;

/// Choices that go over a configuration file. What is left at its default changes nothing.
///
/// ```
/// use learn::fit::kinds::Kind;
/// use learn::fit::options::PlanOptions;
///
/// let plan = PlanOptions { kind: Some(Kind::AUTO), test_networks: Some(&["vgg16".into()]), ..Default::default() }.plan()?;
/// assert_eq!((plan.kind, plan.test_models.as_slice()), (Kind::AUTO, &["vgg16".to_owned()][..]));
/// # Ok::<(), shared::failure::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions<'a> {
    /// Configuration in TOML.
    pub config: Option<&'a Path>,
    /// Model kind.
    pub kind: Option<Kind>,
    /// Hyper-parameters of a perceptron, in EdgeProfiler's JSON. They choose the perceptron, unless `kind` chooses another.
    pub hyperparams: Option<&'a Path>,
    /// Networks kept back for testing.
    pub test_networks: Option<&'a [String]>,
    /// Whether to fit with EdgeProfiler's known faults, and to judge by test networks alone as it does.
    pub edge_profiler_compatible: bool,
    /// Columns that models read: `KIND[.TARGET]=COLUMN,COLUMN` each.
    pub input_cols: &'a [String],
    /// Whether the data are a plain table, which has no layer kinds: a perceptron is then the default kind.
    pub plain_table: bool,
    /// Epochs of a perceptron.
    pub epochs: Option<usize>,
    /// Rows used of each table.
    pub samples: Option<usize>,
}

impl PlanOptions<'_> {
    /// The plan.
    ///
    /// # Errors
    /// A configuration or hyper-parameters that cannot be read, choices that contradict each other or are out of range.
    pub fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match self.config {
            Some(path) => Plan::read(path)?,
            None => Plan::default(),
        };
        if self.edge_profiler_compatible {
            plan.reference_faults = ReferenceFaults::ALL;
            plan.evaluation.folds = 0;
        }
        if let Some(path) = self.hyperparams {
            plan.set_options(read_hyperparams(path, &plan.options())?);
            plan.kind = Kind::MLP;
        } else if self.plain_table && self.config.is_none() {
            plan.kind = Kind::MLP;
        }
        plan.kind = self.kind.unwrap_or(plan.kind);
        if self.hyperparams.is_some() && ![Kind::MLP, Kind::AUTO].contains(&plan.kind) {
            return Err(Failure::usage(format!("--hyperparams are the mlp's, and the kind is {}", plan.kind.name()))
                .help("leave out --kind, or take mlp"));
        }
        if let Some(names) = self.test_networks {
            plan.test_models = names.to_vec();
        }
        if let Some(epochs) = self.epochs {
            plan.change_options(|mlp: &mut mlp::Settings| mlp.epochs = epochs);
        }
        plan.samples = self.samples.or(plan.samples);
        for choice in self.input_cols {
            choose_columns(&mut plan, choice)?;
        }
        plan.check().map_err(Failure::usage)?;
        Ok(plan)
    }
}

/// Names of networks as they are given on a command line, where the single word `none` stands for no network.
///
/// ```
/// use learn::fit::options::networks_or_none;
///
/// assert!(networks_or_none(&["none".into()]).is_empty());
/// assert_eq!(networks_or_none(&["lenet ".into(), String::new()]), ["lenet"]);
/// ```
#[must_use]
pub fn networks_or_none(names: &[String]) -> Vec<String> {
    match names {
        [none] if none == "none" => Vec::new(),
        names => names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    }
}

/// Sets the columns that a kind's models read, as `KIND[.TARGET]=COLUMN,COLUMN` says.
fn choose_columns(plan: &mut Plan, choice: &str) -> Result<(), Failure> {
    let wrong = |message: String| Failure::usage(format!("--input-cols {choice}: {message}"));
    let (model, names) = choice.split_once('=').ok_or_else(|| wrong("expected KIND[.TARGET]=COLUMN,COLUMN".into()))?;
    let (table, target) = model.split_once('.').map_or((model, None), |(t, target)| (t, Some(target)));
    let known = || Table::ALL.map(Table::name).join(", ");
    let table =
        Table::from_name(table).ok_or_else(|| wrong(format!("no layer kind `{table}`; known are {}", known())))?;
    let targets: Vec<Target> = match target {
        None => Target::ALL.to_vec(),
        Some(name) => vec![
            Target::ALL
                .into_iter()
                .find(|target| target.name() == name)
                .ok_or_else(|| wrong(format!("no target `{name}`; known are power, runtime")))?,
        ],
    };
    let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
    check_columns(table, &names).map_err(wrong)?;
    for target in targets {
        plan.change_options(|lasso: &mut LassoOptions| {
            lasso.models.entry(table).or_default().entry(target).or_default().input_cols = Some(names.clone());
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_table_takes_a_perceptron_unless_somebody_chooses() {
        let of_table = PlanOptions { plain_table: true, ..PlanOptions::default() };
        assert_eq!(of_table.plan().expect("a plan").kind, Kind::MLP);
        let chosen = PlanOptions { kind: Some(Kind::LASSO), ..of_table };
        assert_eq!(chosen.plan().expect("a plan").kind, Kind::LASSO);
    }

    #[test]
    fn compatibility_brings_every_fault_and_no_folds() {
        let plan = PlanOptions { edge_profiler_compatible: true, ..PlanOptions::default() }.plan().expect("a plan");
        assert_eq!((plan.reference_faults, plan.evaluation.folds), (ReferenceFaults::ALL, 0));
    }

    #[test]
    fn columns_are_chosen_for_one_target_or_both() {
        let columns = ["dense=input_size".to_owned(), "dense.power=output_size".to_owned()];
        let plan = PlanOptions { input_cols: &columns, ..PlanOptions::default() }.plan().expect("a plan");
        let read =
            |target| plan.options::<LassoOptions>().models[&Table::Dense][&target].input_cols.clone().expect("columns");
        assert_eq!(
            (read(Target::Power), read(Target::Runtime)),
            (vec!["output_size".into()], vec!["input_size".into()])
        );
        let wrong = ["dense=input_sise".to_owned()];
        let failure = PlanOptions { input_cols: &wrong, ..PlanOptions::default() }.plan().expect_err("a typo");
        assert!(failure.message.contains("did you mean `input_size`?"), "{failure}");
    }
}
