//! A limit checked against an engine.

use crate::budgets::{Bound, Level, Limit, Measure};
use crate::network::Network;
use crate::verdict::{Value, Verdict};
use compare::{Comparison, GroupChange, Origin, Part, Side, SideLayer};
use learn::predict::{Bounds, Total};
use serde::Serialize;

/// Most layers that a check names.
const NAMED: usize = 3;
const MIB: f64 = (1 << 20) as f64;

/// A limit checked against an engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The network's name.
    pub network: String,
    /// The file that was checked.
    pub file: String,
    /// What the limit is about.
    pub measure: Measure,
    /// The limit.
    pub limit: Bound,
    /// What becomes of it where it is not kept.
    pub level: Level,
    /// The limit's line in the budgets file.
    pub line: usize,
    /// The value: in the measure's unit, for a limit on change in percent. `null` if it is not known.
    pub value: Option<f64>,
    /// Whether the value is a lower bound.
    pub is_lower_bound: bool,
    /// The interval of the value: lower and upper bound. `null` if there is none.
    pub interval: Option<(f64, f64)>,
    /// Whether the limit is kept.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// Layers that the value is due to, those with the largest part first; empty where the limit is kept.
    pub layers: Vec<String>,
}

impl Check {
    /// How far the value lies beyond its limit: 0.1 for ten percent of the limit; 0 where that is not known.
    #[must_use]
    pub fn excess(&self) -> f64 {
        let ratio = |value: f64, limit: f64| if limit > 0.0 { value / limit - 1.0 } else { value };
        let excess = match (self.value, self.limit) {
            (Some(value), Bound::Max(limit) | Bound::Increase(limit)) => ratio(value, limit),
            (Some(value), Bound::Min(limit)) => ratio(limit, value),
            (None, _) => 0.0,
        };
        if excess.is_finite() { excess } else { f64::MAX }
    }

    /// The limit for people: `at most 5 ms`.
    #[must_use]
    pub fn limit_text(&self) -> String {
        let unit = self.measure.unit();
        match self.limit {
            Bound::Max(limit) => format!("at most {limit} {unit}"),
            Bound::Min(limit) => format!("at least {limit} {unit}"),
            Bound::Increase(limit) => format!("at most {limit} % more"),
        }
    }

    /// The value for people.
    #[must_use]
    pub fn value_text(&self) -> String {
        let Some(value) = self.value else { return "unknown".to_owned() };
        let at_least = if self.is_lower_bound { "at least " } else { "" };
        let text = match self.limit {
            Bound::Increase(_) => format!("{at_least}{value:+.2} %"),
            _ => format!("{at_least}{value:.3} {}", self.measure.unit()),
        };
        match self.interval {
            Some((lower, upper)) => format!("{text} ({lower:.3} to {upper:.3})"),
            None => text,
        }
    }

    /// One sentence with the network, the value, the limit, why, and the layers.
    #[must_use]
    pub fn sentence(&self) -> String {
        let layers = if self.layers.is_empty() { String::new() } else { format!(": {}", self.layers.join(", ")) };
        format!(
            "{}: {} is {}, limit {}; {}{layers}",
            self.network,
            self.measure.label(),
            self.value_text(),
            self.limit_text(),
            self.reason,
        )
    }
}

/// What a check comes to.
struct Finding {
    value: Option<f64>,
    is_lower_bound: bool,
    interval: Option<(f64, f64)>,
    verdict: Verdict,
    reason: String,
    layers: Vec<String>,
}

impl Finding {
    fn undecided(value: Option<f64>, reason: impl Into<String>) -> Self {
        Self {
            value,
            is_lower_bound: false,
            interval: None,
            verdict: Verdict::Undecided,
            reason: reason.into(),
            layers: Vec::new(),
        }
    }
}

/// An engine, and what it is compared with.
pub(crate) struct Subject<'a> {
    pub(crate) network: &'a Network,
    pub(crate) side: &'a Side,
    pub(crate) baseline: Option<(&'a Side, Comparison)>,
    pub(crate) has_baselines: bool,
}

impl Subject<'_> {
    /// Checks a limit.
    pub(crate) fn check(&self, limit: &Limit) -> Check {
        let found = match limit.bound {
            Bound::Max(most) => self.at_most(limit.measure, most),
            Bound::Min(least) => self.coverage(least),
            Bound::Increase(percent) => self.increase(limit.measure, percent),
        };
        Check {
            network: self.network.name.clone(),
            file: self.network.path.clone(),
            measure: limit.measure,
            limit: limit.bound,
            level: limit.level,
            line: limit.line,
            value: found.value,
            is_lower_bound: found.is_lower_bound,
            interval: found.interval,
            verdict: found.verdict,
            reason: found.reason,
            layers: if found.verdict == Verdict::Pass { Vec::new() } else { found.layers },
        }
    }

    fn at_most(&self, measure: Measure, limit: f64) -> Finding {
        match measure {
            Measure::RuntimeMs => self.total(&self.side.runtime(), |t| t.0, self.side.runtime_bounds, measure, limit),
            Measure::EnergyMj => self.total(&self.side.energy(), |e| e.0, self.side.energy_bounds, measure, limit),
            Measure::PowerW => self.power(limit),
            Measure::MemoryMib => self.memory(limit),
            Measure::Coverage => Finding::undecided(None, "coverage has no upper limit"),
        }
    }

    fn total<U>(
        &self,
        total: &Total<U>,
        number: impl Fn(U) -> f64,
        bounds: Option<Bounds>,
        measure: Measure,
        limit: f64,
    ) -> Finding
    where
        U: Copy + std::iter::Sum<U>,
    {
        let Some(value) = total.at_least().map(number) else {
            return Finding::undecided(None, "it is not known for any layer");
        };
        let layers = self.culprits(measure);
        if !total.is_whole() {
            let missing = total.missing_layers();
            let verdict = if value > limit { Verdict::Fail } else { Verdict::Undecided };
            return Finding {
                value: Some(value),
                is_lower_bound: true,
                interval: None,
                verdict,
                reason: format!("{missing} layers have no figure"),
                layers,
            };
        }
        let interval = bounds.map(|b| (b.lower, b.upper));
        let of = Value { value, bounds: interval.unwrap_or((value, value)) };
        let outside = self.side.layers_outside_training_range();
        let (verdict, reason) = if outside > 0 {
            // What lies inside the range decides only where it alone is too much.
            let inside: f64 = self
                .side
                .layers
                .iter()
                .filter(|layer| !layer.outside_training_range)
                .filter_map(|layer| figure(layer, measure))
                .sum();
            let lower = if value > 0.0 { inside * of.bounds.0 / value } else { inside };
            let reason = format!("{outside} layers lie outside the range that training saw");
            if lower > limit {
                (Verdict::Fail, format!("{reason}, and the others alone take {lower:.3} {}", measure.unit()))
            } else {
                (Verdict::Undecided, reason)
            }
        } else {
            decided(of, interval, limit)
        };
        Finding { value: Some(value), is_lower_bound: false, interval, verdict, reason, layers }
    }

    fn power(&self, limit: f64) -> Finding {
        let Some(power) = self.side.average_power() else {
            return Finding::undecided(None, "run time or energy is not known as a whole");
        };
        let outside = self.side.layers_outside_training_range();
        let interval = self.side.power_bounds.map(|b| (b.lower, b.upper));
        let of = Value { value: power.0, bounds: interval.unwrap_or((power.0, power.0)) };
        let (verdict, reason) = match outside {
            0 => decided(of, interval, limit),
            n => (Verdict::Undecided, format!("{n} layers lie outside the range that training saw")),
        };
        Finding {
            value: Some(power.0),
            is_lower_bound: false,
            interval,
            verdict,
            reason,
            layers: self.culprits(Measure::PowerW),
        }
    }

    fn memory(&self, limit: f64) -> Finding {
        let Some(device) = self.side.memory.as_ref().and_then(|memory| memory.device) else {
            return Finding::undecided(None, "the tensors of the engine are not known");
        };
        let at_least = device.at_least as f64 / MIB;
        let estimate = device.estimate.map(|bytes| bytes as f64 / MIB);
        let (verdict, reason) = match estimate {
            _ if at_least > limit => (Verdict::Fail, "weights and live activations alone are more".to_owned()),
            Some(estimate) if estimate <= limit => (Verdict::Pass, "the estimate is below the limit".to_owned()),
            Some(_) => (Verdict::Undecided, "the limit lies between the lower bound and the estimate".to_owned()),
            None => (Verdict::Undecided, "there is a lower bound only".to_owned()),
        };
        let peak = self.side.memory.as_ref().and_then(|memory| memory.activations_peak.as_ref());
        Finding {
            value: Some(estimate.unwrap_or(at_least)),
            is_lower_bound: estimate.is_none(),
            interval: estimate.map(|estimate| (at_least, estimate)),
            verdict,
            reason,
            layers: peak.map(|peak| format!("{} (most live activations)", peak.layer_name)).into_iter().collect(),
        }
    }

    fn coverage(&self, least: f64) -> Finding {
        if self.side.origin == Origin::Measured {
            return Finding {
                value: None,
                is_lower_bound: false,
                interval: None,
                verdict: Verdict::Pass,
                reason: "the layers are measured".to_owned(),
                layers: Vec::new(),
            };
        }
        let Some(value) = self.side.coverage_percent else {
            return Finding::undecided(None, "no run time is predicted");
        };
        let runtime = self.side.runtime();
        let (verdict, reason) = match () {
            () if value < least => (Verdict::Fail, "the rest of the run time is not from models".to_owned()),
            () if !runtime.is_whole() => {
                (Verdict::Undecided, format!("{} layers have no run time", runtime.missing_layers()))
            }
            () => (Verdict::Pass, "kept".to_owned()),
        };
        Finding { value: Some(value), is_lower_bound: false, interval: None, verdict, reason, layers: Vec::new() }
    }

    fn increase(&self, measure: Measure, limit: f64) -> Finding {
        let Some((baseline, comparison)) = &self.baseline else {
            let reason = if self.has_baselines { "the baseline lacks this network" } else { "no baseline is given" };
            return Finding::undecided(None, reason);
        };
        match (&baseline.origin, &self.side.origin) {
            (Origin::Predicted { device: before }, Origin::Predicted { device: now }) if before != now => {
                return Finding::undecided(None, format!("the baseline is predicted for {before}, not for {now}"));
            }
            (before, now) if std::mem::discriminant(before) != std::mem::discriminant(now) => {
                return Finding::undecided(None, "one of baseline and engine is measured, the other predicted");
            }
            _ => {}
        }
        let whole = |side: &Side| match measure {
            Measure::RuntimeMs => side.runtime().whole().map(|t| t.0),
            Measure::EnergyMj => side.energy().whole().map(|e| e.0),
            Measure::PowerW => side.average_power().map(|p| p.0),
            Measure::MemoryMib => side.memory.as_ref()?.device.map(|bytes| bytes.at_least as f64),
            Measure::Coverage => None,
        };
        let (Some(before), Some(now)) = (whole(baseline).filter(|v| *v > 0.0), whole(self.side)) else {
            return Finding::undecided(None, "it is not known as a whole for baseline and engine");
        };
        let percent = 100.0 * (now - before) / before;
        // Groups that changed and whose figures are extrapolated decide nothing.
        let extrapolated: Vec<&GroupChange> = match measure {
            Measure::MemoryMib => Vec::new(),
            _ => {
                comparison.groups.iter().filter(|group| is_changed(group, measure) && is_extrapolated(group)).collect()
            }
        };
        let layers = self.culprits(measure);
        let without = extrapolated.iter().filter_map(|group| group_change(group, measure)).sum::<f64>();
        let certain = 100.0 * (now - without - before) / before;
        let verdict = match () {
            () if extrapolated.is_empty() => Value::exact(percent).at_most(limit),
            () if measure != Measure::PowerW && certain > limit && percent > limit => Verdict::Fail,
            () => Verdict::Undecided,
        };
        let change = format!("{before:.3} → {now:.3} {}", measure.unit());
        let reason = match (extrapolated.len(), measure) {
            (_, Measure::MemoryMib) => format!("{:.3} → {:.3} MiB at least", before / MIB, now / MIB),
            (0, _) => change,
            (n, _) => format!("{change}, {n} changed groups lie outside the range that training saw"),
        };
        Finding { value: Some(percent), is_lower_bound: false, interval: None, verdict, reason, layers }
    }

    /// The layers that a value is due to: those that grew most against the baseline, else those with the largest part.
    fn culprits(&self, measure: Measure) -> Vec<String> {
        if measure == Measure::MemoryMib {
            return self.baseline.as_ref().map(|(_, comparison)| heavier(comparison)).unwrap_or_default();
        }
        let unit = if measure == Measure::EnergyMj { "mJ" } else { "ms" };
        if let Some((_, comparison)) = &self.baseline {
            let mut grown: Vec<(&GroupChange, f64)> = comparison
                .groups
                .iter()
                .filter_map(|group| Some((group, group_change(group, measure)?)))
                .filter(|(_, change)| *change > 1e-9)
                .collect();
            grown.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            if !grown.is_empty() {
                return grown.into_iter().take(NAMED).map(|(group, change)| grown_text(group, change, unit)).collect();
            }
        }
        let mut layers: Vec<(&SideLayer, f64)> =
            self.side.layers.iter().filter_map(|layer| Some((layer, figure(layer, measure)?))).collect();
        layers.retain(|(_, value)| *value > 0.0);
        layers.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let unit = if measure == Measure::PowerW { "W" } else { unit };
        layers.into_iter().take(NAMED).map(|(layer, value)| format!("{} ({value:.3} {unit})", layer.name)).collect()
    }
}

/// The groups whose weights grew most.
fn heavier(comparison: &Comparison) -> Vec<String> {
    let weights = |part: &Option<Part>| part.as_ref().and_then(|part| part.weights);
    let mut grown: Vec<(u64, String)> = comparison
        .groups
        .iter()
        .filter_map(|group| match (&group.a, weights(&group.a), weights(&group.b)?) {
            (None, _, to) => Some((to, format!("{} (new, {to} weights)", group.name))),
            (_, Some(from), to) if to > from => Some((to - from, format!("{} ({from} → {to} weights)", group.name))),
            _ => None,
        })
        .collect();
    grown.sort_by_key(|(more, _)| std::cmp::Reverse(*more));
    grown.into_iter().take(NAMED).map(|(_, text)| text).collect()
}

fn decided(value: Value, interval: Option<(f64, f64)>, limit: f64) -> (Verdict, String) {
    let verdict = value.at_most(limit);
    let reason = match (verdict, interval.is_some()) {
        (Verdict::Undecided, _) => "the interval holds the limit",
        (Verdict::Pass, true) => "the interval lies below the limit",
        (Verdict::Fail, true) => "the interval lies above the limit",
        (Verdict::Pass, false) => "kept; no interval is known",
        (Verdict::Fail, false) => "exceeded; no interval is known",
    };
    (verdict, reason.to_owned())
}

fn figure(layer: &SideLayer, measure: Measure) -> Option<f64> {
    match measure {
        Measure::EnergyMj => layer.energy.map(|e| e.0),
        Measure::PowerW => layer.power.map(|p| p.0),
        _ => layer.runtime.map(|t| t.0),
    }
}

fn group_change(group: &GroupChange, measure: Measure) -> Option<f64> {
    match measure {
        Measure::EnergyMj => group.energy_change_mj,
        _ => group.runtime_change_ms,
    }
}

fn is_changed(group: &GroupChange, measure: Measure) -> bool {
    let change = |measure| group_change(group, measure).is_none_or(|change| change.abs() > 1e-12);
    let changed = match measure {
        Measure::PowerW => change(Measure::RuntimeMs) || change(Measure::EnergyMj),
        other => change(other),
    };
    changed || group.a.is_none() || group.b.is_none()
}

fn is_extrapolated(group: &GroupChange) -> bool {
    [&group.a, &group.b].into_iter().flatten().any(|part| part.outside_training_range)
}

fn grown_text(group: &GroupChange, change: f64, unit: &str) -> String {
    let mut text = format!("{} ({change:+.3} {unit}", group.name);
    match (&group.a, &group.b) {
        (None, Some(_)) => text.push_str(", new"),
        (Some(a), Some(b)) => {
            if let (Some(from), Some(to)) = (a.weights, b.weights)
                && from != to
            {
                text.push_str(&format!(", {from} → {to} weights"));
            }
            if a.precision != b.precision && !a.precision.is_empty() && !b.precision.is_empty() {
                text.push_str(", another precision");
            }
        }
        _ => {}
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::units::{Millijoules, Millis};

    fn layer(name: &str, ms: f64) -> SideLayer {
        SideLayer { runtime: Some(Millis(ms)), energy: Some(Millijoules(2.0 * ms)), ..SideLayer::named(0, name) }
    }

    fn predicted(layers: Vec<SideLayer>, bounds: Option<(f64, f64)>) -> Side {
        let bounds = bounds.map(|(lower, upper)| Bounds { lower, upper, level: 0.9 });
        Side {
            origin: Origin::Predicted { device: "board".into() },
            runtime_bounds: bounds,
            coverage_percent: Some(90.0),
            ..Side::measured("net.json", layers)
        }
    }

    fn check(side: &Side, baseline: Option<&Side>, measure: Measure, bound: Bound) -> Check {
        let network = Network::of("net.json");
        let baseline = baseline.map(|before| (before, Comparison::of(before, side)));
        let subject = Subject { network: &network, side, has_baselines: baseline.is_some(), baseline };
        subject.check(&Limit { measure, bound, level: Level::Error, line: 3 })
    }

    #[test]
    fn an_interval_decides() {
        let side = predicted(vec![layer("a", 3.0), layer("b", 2.0)], Some((4.0, 6.0)));
        let verdict = |limit: f64| check(&side, None, Measure::RuntimeMs, Bound::Max(limit)).verdict;
        assert_eq!([verdict(3.0), verdict(5.0), verdict(6.0)], [Verdict::Fail, Verdict::Undecided, Verdict::Pass]);
        let failed = check(&side, None, Measure::RuntimeMs, Bound::Max(3.0));
        assert_eq!(
            failed.sentence(),
            "net: run time is 5.000 ms (4.000 to 6.000), limit at most 3 ms; the interval lies above the limit: \
             a (3.000 ms), b (2.000 ms)"
        );
        assert!((failed.excess() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn layers_outside_the_training_range_leave_it_undecided() {
        let outside = SideLayer { outside_training_range: true, ..layer("b", 0.5) };
        let side = predicted(vec![layer("a", 4.0), outside], None);
        let of = |limit: f64| check(&side, None, Measure::RuntimeMs, Bound::Max(limit));
        assert_eq!(of(100.0).verdict, Verdict::Undecided);
        assert_eq!(of(4.2).verdict, Verdict::Undecided);
        assert_eq!(of(3.9).verdict, Verdict::Fail, "the others alone take more");
        assert_eq!(check(&side, None, Measure::PowerW, Bound::Max(100.0)).verdict, Verdict::Undecided);
    }

    #[test]
    fn a_lower_bound_fails_or_decides_nothing() {
        let unknown = SideLayer { runtime: None, energy: None, ..layer("b", 0.0) };
        let side = predicted(vec![layer("a", 4.0), unknown], None);
        let of = |measure, limit: f64| check(&side, None, measure, Bound::Max(limit));
        assert_eq!(of(Measure::RuntimeMs, 3.0).verdict, Verdict::Fail);
        let open = of(Measure::RuntimeMs, 5.0);
        assert_eq!((open.verdict, open.value_text().as_str()), (Verdict::Undecided, "at least 4.000 ms"));
        assert_eq!(of(Measure::PowerW, 5.0).value_text(), "unknown");
        assert_eq!(of(Measure::MemoryMib, 5.0).verdict, Verdict::Undecided);
    }

    #[test]
    fn growth_names_the_layer() {
        let before = predicted(vec![layer("a", 3.0), layer("b", 1.0)], Some((3.0, 5.0)));
        let fat = SideLayer { weights: Some(400), ..layer("b", 2.0) };
        let now = predicted(vec![layer("a", 3.0), fat], Some((4.0, 6.0)));
        let failed = check(&now, Some(&before), Measure::RuntimeMs, Bound::Increase(10.0));
        assert_eq!((failed.verdict, failed.value), (Verdict::Fail, Some(25.0)));
        assert_eq!(failed.layers, ["b (+1.000 ms)"]);
        assert_eq!(check(&now, Some(&before), Measure::RuntimeMs, Bound::Increase(30.0)).verdict, Verdict::Pass);
        assert_eq!(check(&now, None, Measure::RuntimeMs, Bound::Increase(30.0)).reason, "no baseline is given");
        let elsewhere = Side { origin: Origin::Predicted { device: "other".into() }, ..before.clone() };
        let other = check(&now, Some(&elsewhere), Measure::RuntimeMs, Bound::Increase(10.0));
        assert_eq!(other.verdict, Verdict::Undecided);
    }

    #[test]
    fn more_memory_names_the_layers_with_more_weights() {
        let of = |weights: [u64; 3]| {
            let layers = ["a", "b", "c"].iter().zip(weights);
            let layers = layers.map(|(name, n)| SideLayer { weights: Some(n), ..layer(name, n as f64) });
            predicted(layers.filter(|layer| layer.weights != Some(0)).collect(), None)
        };
        let grown = heavier(&Comparison::of(&of([10, 20, 0]), &of([5, 40, 30])));
        assert_eq!(grown, ["c (new, 30 weights)", "b (20 → 40 weights)"]);
    }

    #[test]
    fn growth_by_extrapolated_layers_is_undecided() {
        let before = predicted(vec![layer("a", 3.0), layer("b", 1.0)], None);
        let grown = SideLayer { outside_training_range: true, ..layer("b", 2.0) };
        let now = predicted(vec![layer("a", 3.0), grown.clone()], None);
        let of = |now: &Side| check(now, Some(&before), Measure::RuntimeMs, Bound::Increase(10.0)).verdict;
        assert_eq!(of(&now), Verdict::Undecided);
        assert_eq!(of(&predicted(vec![layer("a", 6.0), grown], None)), Verdict::Fail, "the other layer grew too");
        // A layer outside the range that did not change is none of the change.
        let still = |ms: f64| SideLayer { outside_training_range: true, ..layer("b", ms) };
        let (before, now) =
            (predicted(vec![layer("a", 3.0), still(1.0)], None), predicted(vec![layer("a", 3.1), still(1.0)], None));
        assert_eq!(check(&now, Some(&before), Measure::RuntimeMs, Bound::Increase(10.0)).verdict, Verdict::Pass);
    }

    #[test]
    fn coverage_is_of_predictions() {
        let side = predicted(vec![layer("a", 3.0)], None);
        assert_eq!(check(&side, None, Measure::Coverage, Bound::Min(95.0)).verdict, Verdict::Fail);
        assert_eq!(check(&side, None, Measure::Coverage, Bound::Min(90.0)).verdict, Verdict::Pass);
        let measured = Side::measured("net.json", vec![layer("a", 3.0)]);
        assert_eq!(check(&measured, None, Measure::Coverage, Bound::Min(95.0)).verdict, Verdict::Pass);
    }
}
