//! The model kinds: each is one file here, and one line in the list below.
//!
//! A kind's file holds its [`Definition`](super::plan) (name, description, estimator, search space, part in the automatic
//! choice) and its options, which plans keep in a section of the kind's name.

pub use super::plan::Kind;
pub use auto::AutoEstimator;
pub use blend::BlendEstimator;
pub use hybrid::{HybridEstimator, HybridOptions};
pub use lasso::{LassoEstimator, LassoModel, LassoOptions, LassoSettings, Weighting, check_columns};
pub use mlp::MlpEstimator;
pub use physics::PhysicsEstimator;

mod work_inputs;

use super::estimator::Estimator;
use super::kind_options::Options;
use super::plan::{EvaluationSettings, Plan, ReferenceFaults};
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::near::near;
use std::fmt;

/// Makes the list of kinds from the names of their files.
macro_rules! model_kinds {
    ($($(#[$attribute:meta])* $file:ident;)*) => {
        $($(#[$attribute])* mod $file;)*

        impl Kind {
            /// All kinds, in the order that help texts list them.
            pub const ALL: &[Self] = &[$($(#[$attribute])* Kind(&$file::DEFINITION)),*];
        }

        /// Names of the sections of options, in the order of the kinds.
        fn sections() -> impl Iterator<Item = &'static str> {
            [$($(#[$attribute])* <$file::Options as Options>::SECTION),*].into_iter().flatten()
        }

        /// Reads the section of a name into a plan; says whether there is one.
        fn read_section<'de, A: MapAccess<'de>>(name: &str, plan: &mut Plan, map: &mut A) -> Result<bool, A::Error> {
            $(
                $(#[$attribute])*
                if <$file::Options as Options>::SECTION == Some(name) {
                    plan.set_options(map.next_value::<$file::Options>()?);
                    return Ok(true);
                }
            )*
            Ok(false)
        }

        /// Writes all sections of a plan.
        fn write_sections<M: SerializeMap>(plan: &Plan, map: &mut M) -> Result<(), M::Error> {
            $(
                $(#[$attribute])*
                if let Some(name) = <$file::Options as Options>::SECTION {
                    map.serialize_entry(name, &plan.options::<$file::Options>())?;
                }
            )*
            Ok(())
        }
    };
}

model_kinds! {
    lasso;
    physics;
    hybrid;
    mlp;
    blend;
    auto;
    linear;
    glm;
    constant;
    #[cfg(test)]
    dummy;
}

impl Kind {
    /// The kind of a plan that names none.
    pub const LASSO: Self = Kind(&lasso::DEFINITION);
    /// The kind whose options `--hyperparams` reads, and the only one for tables that are not layers.
    pub const MLP: Self = Kind(&mlp::DEFINITION);
    /// The kind that chooses between others.
    pub const AUTO: Self = Kind(&auto::DEFINITION);

    /// The estimator of a kind, with a plan's options.
    #[must_use]
    pub fn estimator(self, plan: &Plan) -> Box<dyn Estimator> {
        (self.0.estimator)(plan, Self::ALL)
    }

    /// The kinds that evaluations print beside the model.
    pub fn baselines() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_baseline())
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self::LASSO
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no model kind `{name}`{}", near(name, &known))
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let kind = Self::ALL.iter().copied().find(|kind| kind.name() == name);
        kind.ok_or_else(|| unknown("variant", &name, Self::ALL.iter().map(|kind| kind.name())))
    }
}

/// The message that serde's derived code has for names it does not know.
fn unknown<'a, E: de::Error>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> E {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    E::custom(format!("unknown {what} `{name}`, expected one of {}", known.join(", ")))
}

impl Default for Plan {
    fn default() -> Self {
        Self::of(Kind::default())
    }
}

impl Plan {
    /// The estimator of the plan's kind, with the plan's options.
    #[must_use]
    pub fn estimator(&self) -> Box<dyn Estimator> {
        self.kind.estimator(self)
    }
}

/// Keys of a plan beside the sections of kinds.
const KEYS: [&str; 5] = ["kind", "test_models", "samples", "evaluation", "reference_faults"];

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("test_models", &self.test_models)?;
        if let Some(samples) = self.samples {
            map.serialize_entry("samples", &samples)?;
        }
        map.serialize_entry("evaluation", &self.evaluation)?;
        map.serialize_entry("reference_faults", &self.reference_faults)?;
        write_sections(self, &mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PlanVisitor)
    }
}

struct PlanVisitor;

impl<'de> Visitor<'de> for PlanVisitor {
    type Value = Plan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plan, A::Error> {
        let mut plan = Plan::default();
        while let Some(key) = map.next_key_seed(Key)? {
            match key.as_str() {
                "kind" => plan.kind = map.next_value()?,
                "test_models" => plan.test_models = map.next_value()?,
                "samples" => plan.samples = map.next_value()?,
                "evaluation" => plan.evaluation = map.next_value::<EvaluationSettings>()?,
                "reference_faults" => plan.reference_faults = map.next_value::<ReferenceFaults>()?,
                section => {
                    read_section(section, &mut plan, &mut map)?;
                }
            }
        }
        Ok(plan)
    }
}

/// A known key. An unknown one is refused while the key is read, so that the error has its place in the file.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        let known = || KEYS.into_iter().chain(sections());
        if known().any(|name| name == key) { Ok(key) } else { Err(unknown("field", &key, known())) }
    }
}
