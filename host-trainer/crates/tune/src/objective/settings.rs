//! From a trial's parameters to the plan of a fit.

use crate::space::{Domain, Parameters, Space};
use learn::fit::plan::Plan;
use toml::{Table, Value};

/// Options of a plan that say how it is judged; searching them would be cheating.
const JUDGING: [&str; 3] = ["test_models", "evaluation", "samples"];

/// A plan with parameters set by their dotted names.
///
/// # Errors
/// A sentence that names an option which no plan has, or has a value out of range.
pub fn with_parameters(plan: &Plan, parameters: &Parameters) -> Result<Plan, String> {
    let mut table = Table::try_from(plan).map_err(|e| format!("the plan cannot be written: {e}"))?;
    for (name, value) in parameters {
        if JUDGING.contains(&name.split('.').next().unwrap_or_default()) {
            return Err(format!("`{name}` says how a fit is judged, so it cannot be searched"));
        }
        set(&mut table, name, value.clone())?;
    }
    let plan: Plan = Value::Table(table).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    plan.check()?;
    Ok(plan)
}

fn set(table: &mut Table, name: &str, value: Value) -> Result<(), String> {
    let Some((first, rest)) = name.split_once('.') else {
        table.insert(name.to_owned(), value);
        return Ok(());
    };
    match table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => set(inner, rest, value),
        _ => Err(format!("`{first}` of `{name}` is a value, not a group of options")),
    }
}

/// Checks that a plan takes what a space holds: the middle of every domain, and for each option its ends.
///
/// # Errors
/// A sentence that names the first option that is refused.
pub fn planned(plan: &Plan, space: &Space) -> Result<(), String> {
    let axes = space.axes();
    let middle = space.parameters(&vec![None; axes.len()]);
    with_parameters(plan, &middle).map_err(|e| format!("the search space: {e}"))?;
    for (name, domain) in space.domains() {
        let ends: Vec<Value> = match domain {
            Domain::Float { low, high, .. } => vec![Value::Float(*low), Value::Float(*high)],
            Domain::Int { low, high, .. } => vec![Value::Integer(*low), Value::Integer(*high)],
            Domain::Choice(values) => values.clone(),
            // Lists go by the lengths of others; the middle stands for them.
            Domain::List { .. } => Vec::new(),
        };
        for end in ends {
            let mut parameters = middle.clone();
            let shown = end.to_string();
            parameters.insert(name.clone(), end);
            with_parameters(plan, &parameters).map_err(|e| format!("the search space, `{name}` = {shown}: {e}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::fit::kinds::{HybridOptions, LassoOptions};

    fn space(text: &str) -> Space {
        Space::from_table(&toml::from_str(text).expect("TOML")).expect("a space")
    }

    fn refusal(text: &str) -> String {
        planned(&Plan::default(), &space(text)).expect_err(text)
    }

    #[test]
    fn any_option_of_a_plan_can_be_set_by_its_name() {
        let space = space(
            "kind = [\"hybrid\"]\n\
             hybrid.learning_rate = 0.05\n\
             lasso.models.convolutional.runtime.degree = { low = 1, high = 3 }\n\
             mlp.hidden = { list = { low = 8, high = 8 }, length = [2, 2] }\n\
             mlp.dropouts = { list = { low = 0.1, high = 0.2 }, length = \"mlp.hidden\" }",
        );
        planned(&Plan::default(), &space).expect("all known");
        let plan =
            with_parameters(&Plan::default(), &space.parameters(&vec![None; space.axes().len()])).expect("a plan");
        let (hybrid, mlp) = (plan.options::<HybridOptions>(), plan.options::<estimators::mlp::Settings>());
        assert_eq!((plan.kind.name(), hybrid.learning_rate, mlp.hidden), ("hybrid", 0.05, vec![8, 8]));
        assert_eq!(mlp.dropouts.len(), 2);
        let lasso = plan.options::<LassoOptions>();
        let told = &lasso.models[&shared::engine::Table::Convolutional][&learn::model::Target::Runtime];
        assert_eq!(told.degree, Some(2));
    }

    #[test]
    fn what_no_plan_has_is_refused_by_name() {
        assert!(refusal("hybrid.learning_rat = 0.1").contains("learning_rat"));
        assert!(refusal("hybrid.leaves = { low = 1, high = 8 }").contains("hybrid.leaves"));
        assert!(refusal("kind = [\"hybrid\", \"hybird\"]").contains("hybird"));
        assert!(refusal("evaluation.folds = [2, 5]").contains("judged"));
        assert!(refusal("kind.x = 1").contains("kind"));
    }
}
