//! Plans read from TOML files.

use super::plan::Plan;
use shared::failure::Failure;
use shared::limits;
use shared::near::near;
use shared::text::read_text;
use std::path::Path;

impl Plan {
    /// Reads a plan from a TOML file.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has an unknown key or a value out of range; each is named.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, limits::SMALL_FILE_BYTES)?;
        let plan: Self = toml::from_str(&text).map_err(|e| toml_failure(path, &text, &e))?;
        plan.check().map_err(|message| Failure::usage(message).at(path))?;
        Ok(plan)
    }
}

/// The failure of a TOML file of ours: file, line, and for an unknown key the near or known ones.
#[must_use]
pub fn toml_failure(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let failure = Failure::usage(error.message().to_owned()).at(path);
    let failure = match error.span() {
        Some(span) => failure.place(format!("line {}", text[..span.start.min(text.len())].matches('\n').count() + 1)),
        None => failure,
    };
    // serde names the unknown key and the known ones in backticks.
    let quoted: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if error.message().starts_with("unknown") => {
            failure.help(near(unknown, known).trim_start_matches([';', ' ']).to_owned())
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::kinds::{HybridOptions, Kind, LassoOptions};
    use crate::model::Target;
    use estimators::mlp;
    use shared::engine::Table;

    fn read(text: &str) -> Result<Plan, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).expect("plan");
        Plan::read(&path)
    }

    #[test]
    fn an_empty_plan_is_the_reference_with_its_faults_mended() {
        let plan = read("").expect("plan");
        assert_eq!(plan, Plan::default());
        let settings = |table, target| plan.options::<LassoOptions>().settings(table, target, plan.reference_faults);
        let power = settings(Table::Convolutional, Target::Power);
        assert!(power.log && power.positive && power.degree == 3);
        let pooling = settings(Table::Pooling, Target::Runtime);
        assert!(!pooling.positive && !pooling.log);
    }

    #[test]
    fn a_plan_may_name_its_kind() {
        assert_eq!(read("kind = \"physics\"\n").expect("plan").estimator().kind(), "physics");
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(Plan::of(*kind).estimator().kind(), kind.name());
        }
        assert!("hybird".parse::<Kind>().expect_err("no such kind").contains("did you mean `hybrid`?"));
    }

    #[test]
    fn one_model_can_have_options_of_its_own() {
        let plan = read("[lasso.models.dense.runtime]\ndegree = 1\ninput_cols = [\"macs\"]\n").expect("plan");
        let settings = |target| plan.options::<LassoOptions>().settings(Table::Dense, target, plan.reference_faults);
        let runtime = settings(Target::Runtime);
        assert_eq!((runtime.degree, runtime.input_cols), (1, vec!["macs".to_owned()]));
        assert_eq!(settings(Target::Power).degree, 3);
    }

    #[test]
    fn a_plan_survives_being_written() {
        let text = "kind = \"blend\"\nsamples = 7\n[hybrid]\nleaves = 9\n[mlp]\nhidden = [8]\n";
        let plan = read(text).expect("plan");
        assert_eq!((plan.options::<HybridOptions>().leaves, plan.options::<mlp::Settings>().hidden), (9, vec![8]));
        let table = toml::Table::try_from(&plan).expect("TOML");
        for section in ["evaluation", "reference_faults", "lasso", "hybrid", "mlp"] {
            assert!(table[section].is_table(), "{section}");
        }
        assert_eq!(toml::Value::Table(table).try_into::<Plan>().expect("the same plan"), plan);
    }

    #[test]
    fn wrong_plans_are_refused_with_place_and_near_name() {
        for (text, expected) in [
            ("kind = \"hybird\"\n", "did you mean `hybrid`?"),
            ("test_modls = []\n", "did you mean `test_models`?"),
            ("\n[lasso]\nalpha = 3\n", "line 3"),
            ("\n\n[laso]\n", "line 3"),
            ("[lasso.models.convolutionl.power]\n", "did you mean `convolutional`?"),
            ("[lasso.models.dense.runtime]\ninput_cols = [\"mac\"]\n", "did you mean `macs`?"),
            ("[lasso.models.dense.runtime]\ndegree = 9\n", "1 to 4"),
            ("[evaluation]\nfolds = 1\n", "at least 2"),
            ("[hybrid]\nleaves = 1\n", "`hybrid.leaves` must be 2 to 1,024"),
            ("[mlp]\nmembers = 0\n", "`mlp.members` must be 1 to 64"),
            ("[lasso\n", "line 1"),
        ] {
            let failure = read(text).expect_err(text).report(false);
            assert!(failure.contains(expected), "{failure}");
        }
    }
}
