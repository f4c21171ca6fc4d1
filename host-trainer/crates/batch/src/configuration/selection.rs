//! Which of the product of data sets, models and trainings are tasks.

use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use shared::near::near;

/// Most repeats of one combination.
pub(crate) const MOST_REPEATS: u64 = 1_000_000;

/// A part of the product: names or patterns with `*`, and how often each combination is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Data sets.
    pub datasets: Vec<String>,
    /// Models, as `class.architecture`.
    pub models: Vec<String>,
    /// Trainings.
    pub training: Vec<String>,
    /// Models that are left out, though `models` names them.
    pub without: Vec<String>,
    /// How often each combination is trained, each time from another seed.
    pub repeats: u64,
}

impl Default for Selection {
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        Self { datasets: all(), models: all(), training: all(), without: Vec::new(), repeats: 1 }
    }
}

/// A model with the number of networks that one job trains of it: `classifier.clu_one=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// `class.architecture`, or a pattern.
    pub model: String,
    /// Networks.
    pub count: u64,
}

impl ModelChoice {
    /// Parses `CLASS.ARCHITECTURE[=N], …`.
    ///
    /// ```
    /// use batch::configuration::ModelChoice;
    ///
    /// let chosen = ModelChoice::parse("classifier.clu_one=10, autoencoder.classical")?;
    /// assert_eq!((chosen[0].model.as_str(), chosen[0].count), ("classifier.clu_one", 10));
    /// assert_eq!(chosen[1].count, 1);
    /// assert!(ModelChoice::parse("chransynth=32").unwrap_err().to_string().contains("CLASS.ARCHITECTURE"));
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A part that is something else; it is named.
    pub fn parse(text: &str) -> Result<Vec<Self>, Failure> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let chosen: Vec<Self> = parts.map(Self::one).collect::<Result<_, _>>()?;
        if chosen.is_empty() {
            return Err(Failure::usage("--models names no model").help("give CLASS.ARCHITECTURE=N, or `*`"));
        }
        Ok(chosen)
    }

    fn one(part: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!("--models: `{part}` {why}"))
                .help("write CLASS.ARCHITECTURE=N, such as classifier.small=10")
        };
        let (model, count) = match part.split_once('=') {
            None => (part, 1),
            Some((model, count)) => {
                let count: u64 = count.trim().parse().map_err(|_| wrong("has no number behind `=`"))?;
                (model.trim(), count)
            }
        };
        if !(1..=MOST_REPEATS).contains(&count) {
            return Err(wrong("must train 1 to 1,000,000 networks"));
        }
        if model != "*" && model.split('.').count() != 2 {
            return Err(wrong("is not CLASS.ARCHITECTURE"));
        }
        Ok(Self { model: model.to_owned(), count })
    }
}

/// The names that patterns choose, in the order of the names.
///
/// # Errors
/// A sentence, for a pattern that chooses nothing; near names are offered.
pub(crate) fn chosen<'n>(what: &str, patterns: &[String], names: &[&'n str]) -> Result<Vec<&'n str>, String> {
    if let Some(pattern) = patterns.iter().find(|pattern| !names.iter().any(|name| matches(pattern, name))) {
        return Err(format!("there is no {what} `{pattern}`{}", near(pattern, names)));
    }
    Ok(names.iter().copied().filter(|name| patterns.iter().any(|pattern| matches(pattern, name))).collect())
}

/// Whether a name is what a pattern says; `*` stands for any text.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            let starts = (0..=rest.len()).filter(|at| rest.is_char_boundary(*at));
            starts.into_iter().any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_by_stars_and_nothing_is_an_error() {
        let names = ["auto.a", "auto.b", "class.a"];
        let pick =
            |patterns: &[&str]| chosen("model", &patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(), &names);
        assert_eq!(pick(&["auto.*"]), Ok(vec!["auto.a", "auto.b"]));
        assert_eq!(pick(&["*.a"]), Ok(vec!["auto.a", "class.a"]));
        assert_eq!(pick(&["class.a", "*"]).expect("all").len(), 3);
        assert_eq!(pick(&["auto.c"]), Err("there is no model `auto.c`; did you mean `auto.b`?".to_owned()));
        assert!(matches("*a*b*", "xaxbx") && !matches("*a*b", "xbxa") && matches("é*", "éa"));
    }

    #[test]
    fn choices_of_models_are_refused_by_name() {
        for (text, says) in [
            ("classifier.clu_one=ten", "no number"),
            ("classifier.clu_one=0", "1 to 1,000,000"),
            ("a.b.c=1", "CLASS.ARCHITECTURE"),
            (" , ", "names no model"),
        ] {
            let failure = ModelChoice::parse(text).expect_err(text).report(false);
            assert!(failure.contains(says), "{failure}");
        }
    }
}
