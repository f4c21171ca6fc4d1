//! The budgets file: limits for networks by name or pattern.

use crate::network::Network;
use crate::pattern::Pattern;
use serde::Serialize;
use shared::failure::Failure;
use shared::limits;
use shared::near::near;
use shared::text::read_text;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Run time, ms.
    RuntimeMs,
    /// Energy, mJ.
    EnergyMj,
    /// Mean power, W.
    PowerW,
    /// Device memory, MiB.
    MemoryMib,
    /// Share of the run time that models predict, percent.
    Coverage,
}

impl Measure {
    /// Those that may grow against a baseline.
    const GROWING: [Self; 4] = [Self::RuntimeMs, Self::EnergyMj, Self::PowerW, Self::MemoryMib];

    /// Its name in the budgets file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::RuntimeMs => "runtime_ms",
            Self::EnergyMj => "energy_mj",
            Self::PowerW => "power_w",
            Self::MemoryMib => "memory_mib",
            Self::Coverage => "coverage",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::RuntimeMs => "run time",
            Self::EnergyMj => "energy",
            Self::PowerW => "average power",
            Self::MemoryMib => "memory",
            Self::Coverage => "coverage",
        }
    }

    /// Its unit.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::RuntimeMs => "ms",
            Self::EnergyMj => "mJ",
            Self::PowerW => "W",
            Self::MemoryMib => "MiB",
            Self::Coverage => "%",
        }
    }
}

/// How a value is limited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It must not be larger.
    Max(f64),
    /// It must not be smaller.
    Min(f64),
    /// It must not grow by more, in percent of the baseline.
    Increase(f64),
}

/// What becomes of a limit that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A warning.
    Warn,
    /// The command fails.
    #[default]
    Error,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What it is about.
    pub measure: Measure,
    /// How it is limited.
    pub bound: Bound,
    /// What becomes of it where it is not kept.
    pub level: Level,
    /// The line of the budgets file, from 1.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    pattern: Pattern,
    line: usize,
    limits: Vec<Limit>,
}

/// A budgets file.
#[derive(Debug, Clone, PartialEq)]
pub struct Budgets {
    /// The file.
    pub path: PathBuf,
    entries: Vec<Entry>,
}

const LIMITS: [&str; 7] = ["runtime_ms", "energy_mj", "power_w", "memory_mib", "coverage_min", "max_increase", "level"];

/// The text and the file that failures name.
struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn wrong(&self, span: &Range<usize>, message: impl Into<String>) -> Failure {
        Failure::usage(message).at(self.path).place(format!("line {}", self.line(span)))
    }

    fn unknown(&self, span: &Range<usize>, key: &str, known: &[&str]) -> Failure {
        self.wrong(span, format!("unknown key `{key}`"))
            .help(near(key, known).trim_start_matches([';', ' ']).to_owned())
    }

    fn table<'t, 'i>(&self, key: &str, value: &'t Spanned<DeValue<'i>>) -> Result<&'t DeTable<'i>, Failure> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(&value.span(), format!("`{key}` is not a table"))),
        }
    }

    fn number(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<f64, Failure> {
        let number = match value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64),
            DeValue::Float(n) => n.as_str().parse::<f64>().ok(),
            _ => None,
        };
        number
            .filter(|n| n.is_finite() && *n >= 0.0)
            .ok_or_else(|| self.wrong(&value.span(), format!("`{key}` is not a number of 0 or more")))
    }

    fn percent(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<f64, Failure> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.trim(),
            _ => "",
        };
        let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        number.filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(|| {
            self.wrong(&value.span(), format!("`{key}` is not a share such as \"5 %\""))
                .help("write it in quotes, in percent of the baseline")
        })
    }

    fn level(&self, value: &Spanned<DeValue<'_>>) -> Result<Level, Failure> {
        match value.get_ref() {
            DeValue::String(text) if text == "error" => Ok(Level::Error),
            DeValue::String(text) if text == "warn" => Ok(Level::Warn),
            _ => Err(self.wrong(&value.span(), "`level` is not \"error\" or \"warn\"")),
        }
    }

    /// A limit's value and level: the value alone, or a table with it under `key`.
    fn leveled<T>(
        &self,
        name: &str,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        default: Level,
        read: impl Fn(&str, &Spanned<DeValue<'_>>) -> Result<T, Failure>,
    ) -> Result<(T, Level), Failure> {
        let DeValue::Table(table) = value.get_ref() else { return Ok((read(name, value)?, default)) };
        let (mut limit, mut level) = (None, default);
        for (entry, value) in table {
            let name_of_entry: &str = entry.get_ref();
            match name_of_entry {
                found if found == key => limit = Some(read(key, value)?),
                "level" => level = self.level(value)?,
                other => return Err(self.unknown(&entry.span(), other, &[key, "level"])),
            }
        }
        let limit = limit.ok_or_else(|| self.wrong(&value.span(), format!("`{name}` lacks `{key}`")))?;
        Ok((limit, level))
    }

    fn entry(&self, pattern: &str, line: usize, table: &DeTable<'_>) -> Result<Entry, Failure> {
        let level = table.iter().find(|(key, _)| key.get_ref() == "level");
        let level = level.map_or(Ok(Level::default()), |(_, value)| self.level(value))?;
        let mut limits = Vec::new();
        for (key, value) in table {
            let line = self.line(&key.span());
            let name: &str = key.get_ref();
            let max = |measure| -> Result<Limit, Failure> {
                let (limit, level) = self.leveled(name, "max", value, level, |k, v| self.number(k, v))?;
                Ok(Limit { measure, bound: Bound::Max(limit), level, line })
            };
            match name {
                "runtime_ms" => limits.push(max(Measure::RuntimeMs)?),
                "energy_mj" => limits.push(max(Measure::EnergyMj)?),
                "power_w" => limits.push(max(Measure::PowerW)?),
                "memory_mib" => limits.push(max(Measure::MemoryMib)?),
                "coverage_min" => {
                    let (limit, level) = self.leveled(name, "min", value, level, |k, v| self.number(k, v))?;
                    if limit > 100.0 {
                        return Err(self.wrong(&value.span(), "`coverage_min` is larger than 100 percent"));
                    }
                    limits.push(Limit { measure: Measure::Coverage, bound: Bound::Min(limit), level, line });
                }
                "max_increase" => limits.extend(self.increases(value, level, line)?),
                "level" => {}
                other => return Err(self.unknown(&key.span(), other, &LIMITS)),
            }
        }
        if limits.is_empty() {
            return Err(Failure::usage(format!("`{pattern}` has no limit"))
                .at(self.path)
                .place(format!("line {line}"))
                .help(format!("set one of {}", LIMITS[..6].join(", "))));
        }
        limits.sort_by_key(|limit| (limit.measure, matches!(limit.bound, Bound::Increase(_))));
        Ok(Entry { pattern: Pattern::new(pattern), line, limits })
    }

    /// `"5 %"` for run time, energy and memory, or a table with shares of its own.
    fn increases(&self, value: &Spanned<DeValue<'_>>, level: Level, line: usize) -> Result<Vec<Limit>, Failure> {
        let limit = |measure, share, level, line| Limit { measure, bound: Bound::Increase(share), level, line };
        let DeValue::Table(table) = value.get_ref() else {
            let share = self.percent("max_increase", value)?;
            let all = [Measure::RuntimeMs, Measure::EnergyMj, Measure::MemoryMib];
            return Ok(all.into_iter().map(|measure| limit(measure, share, level, line)).collect());
        };
        let own = table.iter().find(|(key, _)| key.get_ref() == "level");
        let level = own.map_or(Ok(level), |(_, value)| self.level(value))?;
        let mut limits = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if name == "level" {
                continue;
            }
            let Some(measure) = Measure::GROWING.into_iter().find(|measure| measure.key() == name) else {
                let known: Vec<&str> = Measure::GROWING.iter().map(|m| m.key()).chain(["level"]).collect();
                return Err(self.unknown(&key.span(), name, &known));
            };
            limits.push(limit(measure, self.percent(name, value)?, level, self.line(&key.span())));
        }
        if limits.is_empty() {
            return Err(self.wrong(&value.span(), "`max_increase` has no share"));
        }
        Ok(limits)
    }
}

impl Budgets {
    /// Reads a budgets file.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&read_text(path, limits::SMALL_FILE_BYTES)?, path)
    }

    /// Parses a budgets file; `path` is named in failures.
    ///
    /// # Errors
    /// What is not TOML, an unknown key, a value of another type or out of range, an entry without a limit, or no entry at
    /// all; each with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let source = Source { text, path };
        let root = DeTable::parse(text).map_err(|error| {
            let failure = Failure::usage(error.message().to_owned()).at(path);
            let failure = match error.span() {
                Some(span) => failure.place(format!("line {}", source.line(&span))),
                None => failure,
            };
            failure.caused_by(error)
        })?;
        let mut entries = Vec::new();
        for (key, value) in root.get_ref() {
            if key.get_ref() != "network" {
                return Err(source.unknown(&key.span(), key.get_ref(), &["network"]).help(format!(
                    "limits stand below `[network.\"name or pattern\"]`{}",
                    near(key.get_ref(), &["network"]).split("; known").next().unwrap_or_default()
                )));
            }
            for (pattern, limits) in source.table("network", value)? {
                let table = source.table(pattern.get_ref(), limits)?;
                entries.push(source.entry(pattern.get_ref(), source.line(&pattern.span()), table)?);
            }
        }
        if entries.is_empty() {
            return Err(Failure::usage("holds no budget")
                .at(path)
                .help("add `[network.\"*\"]` with a limit such as `runtime_ms = 5`"));
        }
        entries.sort_by_key(|entry| entry.line);
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The limits of a network, in the order of their measures. Where several entries limit the same, the most specific
    /// pattern decides, and among equals the last in the file.
    #[must_use]
    pub(crate) fn limits_of(&self, network: &Network) -> Vec<Limit> {
        let mut chosen: BTreeMap<(Measure, u8), ((bool, usize), Limit)> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| network.is_meant_by(&entry.pattern)) {
            for limit in &entry.limits {
                let way = match limit.bound {
                    Bound::Max(_) => 0,
                    Bound::Min(_) => 1,
                    Bound::Increase(_) => 2,
                };
                let specificity = entry.pattern.specificity();
                let key = (limit.measure, way);
                if chosen.get(&key).is_none_or(|(before, _)| *before <= specificity) {
                    chosen.insert(key, (specificity, *limit));
                }
            }
        }
        chosen.into_values().map(|(_, limit)| limit).collect()
    }

    /// Patterns that mean none of some networks, each with its line.
    pub(crate) fn unused(&self, networks: &[Network]) -> Vec<(&str, usize)> {
        let unused = |entry: &&Entry| !networks.iter().any(|network| network.is_meant_by(&entry.pattern));
        self.entries.iter().filter(unused).map(|entry| (entry.pattern.text(), entry.line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Budgets, Failure> {
        Budgets::parse(text, Path::new("budgets.toml"))
    }

    fn limits(text: &str, network: &str) -> Vec<(Measure, Bound, Level, usize)> {
        let budgets = parse(text).expect("budgets");
        let limits = budgets.limits_of(&Network::of(network));
        limits.into_iter().map(|l| (l.measure, l.bound, l.level, l.line)).collect()
    }

    #[test]
    fn limits_have_levels_and_lines() {
        let text = "[network.\"resnet*\"]\nlevel = \"warn\"\nruntime_ms = 5\nenergy_mj = { max = 30.5, level = \"error\" }\n\
                    coverage_min = 95\nmax_increase = { runtime_ms = \"3 %\", power_w = \"10%\" }\n";
        assert_eq!(
            limits(text, "resnet18.json"),
            [
                (Measure::RuntimeMs, Bound::Max(5.0), Level::Warn, 3),
                (Measure::RuntimeMs, Bound::Increase(3.0), Level::Warn, 6),
                (Measure::EnergyMj, Bound::Max(30.5), Level::Error, 4),
                (Measure::PowerW, Bound::Increase(10.0), Level::Warn, 6),
                (Measure::Coverage, Bound::Min(95.0), Level::Warn, 5),
            ]
        );
        assert_eq!(limits(text, "vgg16.json"), []);
    }

    #[test]
    fn the_most_specific_pattern_decides_each_limit() {
        let text = "[network.resnet18]\nruntime_ms = 1\n[network.\"*\"]\nruntime_ms = 3\nmemory_mib = 100\n\
                    [network.\"resnet*\"]\nruntime_ms = 2\n";
        let of = |network: &str| limits(text, network).into_iter().map(|(_, bound, ..)| bound).collect::<Vec<_>>();
        assert_eq!(of("resnet18.json"), [Bound::Max(1.0), Bound::Max(100.0)]);
        assert_eq!(of("resnet50.json"), [Bound::Max(2.0), Bound::Max(100.0)]);
        assert_eq!(of("vgg.json"), [Bound::Max(3.0), Bound::Max(100.0)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, expected) in [
            (
                "[network.a]\nruntime = 5",
                "budgets.toml: line 2: unknown key `runtime`\nhint: did you mean `runtime_ms`?",
            ),
            ("[networks.a]\nruntime_ms = 5", "line 1: unknown key `networks`"),
            ("[network.a]\nruntime_ms = -1", "line 2: `runtime_ms` is not a number of 0 or more"),
            ("[network.a]\n\nruntime_ms = nan", "line 3: `runtime_ms` is not a number of 0 or more"),
            ("[network.a]\nruntime_ms = { maximum = 5 }", "line 2: unknown key `maximum`\nhint: did you mean `max`?"),
            ("[network.a]\nruntime_ms = { level = \"warn\" }", "line 2: `runtime_ms` lacks `max`"),
            ("[network.a]\nlevel = \"warning\"\nruntime_ms = 5", "line 2: `level` is not \"error\" or \"warn\""),
            ("[network.a]\nmax_increase = 5", "line 2: `max_increase` is not a share such as \"5 %\""),
            ("[network.a]\nmax_increase = { runtim_ms = \"5%\" }", "did you mean `runtime_ms`?"),
            ("[network.a]\ncoverage_min = 101", "line 2: `coverage_min` is larger than 100 percent"),
            ("[network.a]\n", "line 1: `a` has no limit"),
            ("network = 5", "line 1: `network` is not a table"),
            ("", "holds no budget"),
            ("[network.a\n", "line 1: "),
            ("[network.a]\nruntime_ms = 5\nruntime_ms = 6\n", "line 3: "),
        ] {
            let report = parse(text).expect_err(text).report(false);
            assert!(report.contains(expected), "{text}\n{report}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\[network\\.[a\"*]{1,3}\\]|runtime_ms|max_increase|level|[ =\"{},\n%a-z0-9.]){0,20}") {
            let _ = parse(&text);
        }
    }
}
