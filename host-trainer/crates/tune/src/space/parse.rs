//! Search spaces from TOML, and grid files from TOML or JSON.

use super::{Domain, Length, Space};
use serde::Deserialize;
use shared::near::near;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Keys that make a table a domain; any other table holds options by the rest of their names.
const DOMAIN_KEYS: [&str; 7] = ["low", "high", "log", "steps", "choices", "list", "length"];
/// Options a space may have.
const MOST_OPTIONS: usize = 1_000;
/// Values one option may choose from, and elements a list may have.
const MOST_VALUES: usize = 10_000;

/// Names of the reference's grid files by those of plans. Its other two, `KERNEL_SIZE` and `NUM_FILTERS`, are a
/// convolutional network's.
const REFERENCE_NAMES: [(&str, &str); 4] = [
    ("EPOCHS", "mlp.epochs"),
    ("BATCH_SIZE", "mlp.batch_size"),
    ("LEARNING_RATE", "mlp.learning_rate"),
    ("DENSE_WIDTH", "mlp.hidden"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    low: Option<Value>,
    high: Option<Value>,
    #[serde(default)]
    log: bool,
    steps: Option<u32>,
    choices: Option<Vec<Value>>,
    list: Option<Value>,
    length: Option<Value>,
}

impl Space {
    /// Reads a space from a table: an option by its dotted name, or by tables within tables, each with `low` and `high`,
    /// with `choices`, or with `list` and `length`. A list of values is a choice of them, a single value is fixed.
    ///
    /// # Errors
    /// A sentence that names the option.
    ///
    /// ```
    /// use tune::space::Space;
    /// let options = toml::toml! {
    ///     hybrid.leaves = { low = 4, high = 64, log = true }
    ///     lasso.weighting = ["equal", "relative"]
    /// };
    /// let space = Space::from_table(&options)?;
    /// assert_eq!(space.axes().len(), 2);
    /// assert_eq!(space.domains().keys().collect::<Vec<_>>(), ["hybrid.leaves", "lasso.weighting"]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn from_table(table: &Table) -> Result<Self, String> {
        let mut domains = BTreeMap::new();
        collect(table, "", &mut domains)?;
        if domains.len() > MOST_OPTIONS {
            return Err(format!("{} options are more than {MOST_OPTIONS}", domains.len()));
        }
        for (name, domain) in &domains {
            if let Domain::List { length: Length::SameAs(other), .. } = domain {
                match domains.get(other) {
                    Some(Domain::List { length: Length::Between(..), .. }) => {}
                    Some(_) => return Err(format!("`{name}.length`: `{other}` is no list with a length of its own")),
                    None => {
                        let known: Vec<&str> = domains.keys().map(String::as_str).collect();
                        return Err(format!("`{name}.length`: no option `{other}`{}", near(other, &known)));
                    }
                }
            }
        }
        Ok(Self { domains })
    }

    /// Reads a grid file of the reference: names with a value or a list of values, in JSON or TOML. Its names are taken
    /// as well as those of plans.
    ///
    /// # Errors
    /// A sentence that says what is wrong and where.
    pub fn from_grid(text: &str, json: bool) -> Result<Self, String> {
        let table: Table = if json {
            serde_json::from_str(text).map_err(|e| e.to_string())?
        } else {
            toml::from_str(text).map_err(|e: toml::de::Error| e.message().to_owned())?
        };
        let mut renamed = Table::new();
        for (name, value) in table {
            let (name, value) = match REFERENCE_NAMES.iter().find(|(reference, _)| *reference == name) {
                Some((_, "mlp.hidden")) => ("mlp.hidden".to_owned(), widths(value)),
                Some((_, ours)) => ((*ours).to_owned(), value),
                None if name.chars().any(|c| c.is_ascii_uppercase()) => {
                    let known: Vec<&str> = REFERENCE_NAMES.iter().map(|(reference, _)| *reference).collect();
                    return Err(format!("no option `{name}` here{}", near(&name, &known)));
                }
                None => (name, value),
            };
            if renamed.insert(name.clone(), value).is_some() {
                return Err(format!("`{name}` is told twice"));
            }
        }
        Self::from_table(&renamed)
    }

    /// The space as a table that [`Space::from_table`] reads, each option by its dotted name.
    #[must_use]
    pub fn to_table(&self) -> Table {
        self.domains.iter().map(|(name, domain)| (name.clone(), Value::Table(told(domain)))).collect()
    }
}

/// A width of the one hidden layer is a list of one.
fn widths(value: Value) -> Value {
    let list = |width: Value| Value::Array(vec![width]);
    match value {
        Value::Array(widths) => Value::Array(widths.into_iter().map(list).collect()),
        width => Value::Array(vec![list(width)]),
    }
}

fn collect(table: &Table, prefix: &str, domains: &mut BTreeMap<String, Domain>) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let domain = match value {
            Value::Table(inner) if !is_domain(inner) => {
                collect(inner, &name, domains)?;
                continue;
            }
            value => domain(&name, value)?,
        };
        if domains.insert(name.clone(), domain).is_some() {
            return Err(format!("`{name}` is told twice"));
        }
    }
    Ok(())
}

fn is_domain(table: &Table) -> bool {
    table.keys().any(|key| matches!(key.as_str(), "low" | "high" | "choices" | "list"))
}

fn domain(name: &str, value: &Value) -> Result<Domain, String> {
    let wrong = |message: String| format!("`{name}`: {message}");
    match value {
        Value::Table(table) => {
            if let Some(unknown) = table.keys().find(|key| !DOMAIN_KEYS.contains(&key.as_str())) {
                return Err(wrong(format!("unknown key `{unknown}`{}", near(unknown, &DOMAIN_KEYS))));
            }
            let told: Told =
                Value::Table(table.clone()).try_into().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?;
            of_told(name, told)
        }
        Value::Array(values) => choice(values.clone()).map_err(wrong),
        value => choice(vec![value.clone()]).map_err(wrong),
    }
}

fn choice(values: Vec<Value>) -> Result<Domain, String> {
    match values.len() {
        0 => return Err("there is nothing to choose from".to_owned()),
        count if count > MOST_VALUES => return Err(format!("{count} values are more than {MOST_VALUES}")),
        _ => {}
    }
    if let Some(twice) = (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
        return Err(format!("{} is there twice", values[twice]));
    }
    if values.iter().any(|value| value.as_float().is_some_and(|x| !x.is_finite())) {
        return Err("values must be finite".to_owned());
    }
    Ok(Domain::Choice(values))
}

fn of_told(name: &str, told: Told) -> Result<Domain, String> {
    let wrong = |message: &str| Err(format!("`{name}`: {message}"));
    match told {
        Told { choices: Some(values), low: None, high: None, log: false, steps: None, list: None, length: None } => {
            choice(values).map_err(|message| format!("`{name}`: {message}"))
        }
        Told { low: Some(low), high: Some(high), log, steps, choices: None, list: None, length: None } => {
            if steps == Some(0) || steps.is_some_and(|steps| steps as usize > MOST_VALUES) {
                return wrong(&format!("`steps` must be 1 to {MOST_VALUES}"));
            }
            if let (Value::Integer(low), Value::Integer(high)) = (&low, &high) {
                return match (*low <= *high, log && *low < 1) {
                    (false, _) => wrong("`low` is above `high`"),
                    (_, true) => wrong("`low` must be at least 1 for `log`"),
                    _ => Ok(Domain::Int { low: *low, high: *high, log, steps }),
                };
            }
            let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|i| i as f64));
            match (number(&low), number(&high)) {
                (Some(low), Some(high)) if low.is_finite() && high.is_finite() => {
                    match (low <= high, log && low <= 0.0) {
                        (false, _) => wrong("`low` is above `high`"),
                        (_, true) => wrong("`low` must be above 0 for `log`"),
                        _ => Ok(Domain::Float { low, high, log, steps }),
                    }
                }
                _ => wrong("`low` and `high` must be finite numbers"),
            }
        }
        Told {
            list: Some(list),
            length: Some(length),
            low: None,
            high: None,
            log: false,
            steps: None,
            choices: None,
        } => {
            let of = domain(&format!("{name}.list"), &list)?;
            if matches!(of, Domain::List { .. }) {
                return wrong("a list of lists cannot be searched");
            }
            Ok(Domain::List { of: Box::new(of), length: lengths(name, &length)? })
        }
        _ => wrong("give `low` and `high`, or `choices`, or `list` and `length`"),
    }
}

fn lengths(name: &str, value: &Value) -> Result<Length, String> {
    let whole = |value: &Value| value.as_integer().and_then(|i| usize::try_from(i).ok());
    let pair = match value {
        Value::String(other) => return Ok(Length::SameAs(other.clone())),
        Value::Array(ends) => match ends.as_slice() {
            [low, high] => whole(low).zip(whole(high)),
            _ => None,
        },
        value => whole(value).map(|length| (length, length)),
    };
    match pair {
        Some((low, high)) if low <= high && high <= MOST_OPTIONS => Ok(Length::Between(low, high)),
        _ => Err(format!("`{name}.length` must be a number, [shortest, longest], or the name of another list")),
    }
}

fn told(domain: &Domain) -> Table {
    let mut table = Table::new();
    let mut range = |low: Value, high: Value, log: bool, steps: Option<u32>| {
        table.insert("low".to_owned(), low);
        table.insert("high".to_owned(), high);
        if log {
            table.insert("log".to_owned(), Value::Boolean(true));
        }
        if let Some(steps) = steps {
            table.insert("steps".to_owned(), Value::Integer(i64::from(steps)));
        }
    };
    match domain {
        Domain::Float { low, high, log, steps } => range(Value::Float(*low), Value::Float(*high), *log, *steps),
        Domain::Int { low, high, log, steps } => range(Value::Integer(*low), Value::Integer(*high), *log, *steps),
        Domain::Choice(values) => {
            table.insert("choices".to_owned(), Value::Array(values.clone()));
        }
        Domain::List { of, length } => {
            table.insert("list".to_owned(), Value::Table(told(of)));
            let length = match length {
                Length::Between(low, high) => {
                    Value::Array(vec![Value::Integer(*low as i64), Value::Integer(*high as i64)])
                }
                Length::SameAs(other) => Value::String(other.clone()),
            };
            table.insert("length".to_owned(), length);
        }
    }
    table
}
