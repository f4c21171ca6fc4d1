//! Why two sides differ, in words.

use crate::change::{GroupChange, Part, SideSummary};
use crate::words::{change, count, listed, noun, precision};
use shared::engine::Precision;

/// A total that changes by less than this share is neither faster nor slower.
const SAME: f64 = 0.02;
/// Groups whose growth is less than this share of the first side's run time are not named.
const NAMED: f64 = 0.005;
/// Most groups named.
const MOST: usize = 3;

/// The whole first, then causes.
pub(crate) fn causes(a: &SideSummary, b: &SideSummary, groups: &[GroupChange]) -> Vec<String> {
    let mut causes = vec![whole(a, b)];
    causes.extend(whole_energy(a, b));
    causes.extend(faster_format(a, b));
    causes.extend(conversions(a, b));
    causes.extend(left_behind(b, groups));
    causes.extend(fusions(groups));
    causes.extend(one_sided(groups));
    causes.extend(slower(a, groups));
    causes
}

fn known(summary: &SideSummary) -> Option<f64> {
    summary.runtime_ms.filter(|_| !summary.runtime_is_lower_bound)
}

fn whole(a: &SideSummary, b: &SideSummary) -> String {
    match (known(a), known(b)) {
        (Some(from), Some(to)) => {
            format!("B takes {to:.3} ms, A takes {from:.3} ms: {}", change(from, to, "ms"))
        }
        _ => {
            let shown = |summary: &SideSummary| match (summary.runtime_ms, summary.runtime_is_lower_bound) {
                (Some(ms), true) => format!("at least {ms:.3} ms"),
                (Some(ms), false) => format!("{ms:.3} ms"),
                (None, _) => "unknown".to_owned(),
            };
            format!("run times cannot be compared as a whole: A takes {}, B {}", shown(a), shown(b))
        }
    }
}

fn whole_energy(a: &SideSummary, b: &SideSummary) -> Option<String> {
    let known = |s: &SideSummary| s.energy_mj.filter(|_| !s.energy_is_lower_bound);
    let (from, to) = (known(a)?, known(b)?);
    Some(format!("B takes {to:.3} mJ, A takes {from:.3} mJ: {}", change(from, to, "mJ")))
}

/// The narrowest number format that multiplications run in.
fn narrowest(summary: &SideSummary) -> Option<Precision> {
    summary.multiplying_layers.keys().min_by_key(|precision| precision.bits()).copied()
}

fn faster_format(a: &SideSummary, b: &SideSummary) -> Option<String> {
    let (before, after) = (narrowest(a)?, narrowest(b)?);
    let (from, to) = (known(a)?, known(b)?);
    let layers = b.multiplying_layers.get(&after).copied().unwrap_or(0);
    let all: usize = b.multiplying_layers.values().sum();
    if after.bits() >= before.bits() {
        return None;
    }
    let formats = format!("{layers} of {all} convolutions and matrix products run in {}", precision(after));
    Some(if to > from * (1.0 - SAME) {
        let verdict = if to > from * (1.0 + SAME) { "slower" } else { "no faster" };
        format!("{} is {verdict} than {}; {formats}", precision(after), precision(before))
    } else {
        formats
    })
}

fn conversions(a: &SideSummary, b: &SideSummary) -> Option<String> {
    if a.conversions == 0 && b.conversions == 0 {
        return None;
    }
    let shown = |s: &SideSummary| match s.conversions_ms {
        Some(ms) if s.conversions > 0 => format!("{} {}, {ms:.3} ms", s.conversions, noun(s.conversions, "reformat")),
        _ => format!("{} {}", s.conversions, noun(s.conversions, "reformat")),
    };
    let difference = match (a.conversions_ms, b.conversions_ms) {
        (Some(from), Some(to)) => format!(": {:+.3} ms", to - from),
        _ => String::new(),
    };
    Some(format!("B has {} (A {}){difference}", shown(b), shown(a)))
}

/// Multiplications that do not run in the narrowest format of their side.
fn left_behind(b: &SideSummary, groups: &[GroupChange]) -> Option<String> {
    let narrow = narrowest(b)?;
    let wide = b.multiplying_layers.keys().filter(|p| p.bits() > narrow.bits());
    let sentences: Vec<String> = wide
        .map(|&wide| {
            let n = b.multiplying_layers.get(&wide).copied().unwrap_or(0);
            let stayed = groups
                .iter()
                .filter(|group| group.b.as_ref().is_some_and(|part| part.multiplies && part.precision.contains(&wide)));
            let was_wide = |group: &&GroupChange| group.a.as_ref().is_some_and(|part| part.precision.contains(&wide));
            let verb = if stayed.clone().all(|group| was_wide(&group)) { "stayed" } else { "run in" };
            let layers = if n == 1 { "convolution or matrix product" } else { "convolutions and matrix products" };
            let names = listed(stayed.map(|group| group.name.as_str()));
            format!("{} {layers} {verb} {}: {names}", count(n), precision(wide))
        })
        .collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// Sum of the changes of groups, where all are known.
fn sum<'a>(groups: impl IntoIterator<Item = &'a GroupChange>) -> Option<f64> {
    groups.into_iter().map(|group| group.runtime_change_ms).sum()
}

fn with_sum(sentence: String, groups: &[&GroupChange]) -> String {
    match sum(groups.iter().copied()) {
        Some(ms) => format!("{sentence}: {ms:+.3} ms"),
        None => sentence,
    }
}

fn fusions(groups: &[GroupChange]) -> Vec<String> {
    let sizes = |group: &GroupChange| Some((group.a.as_ref()?.layers.len(), group.b.as_ref()?.layers.len()));
    let those = |apart: bool| -> Vec<&GroupChange> {
        groups.iter().filter(|g| sizes(g).is_some_and(|(a, b)| if apart { b > a } else { b < a })).collect()
    };
    let mut sentences = Vec::new();
    for (apart, words) in [(true, "in more layers than A"), (false, "in fewer layers than A")] {
        let found = those(apart);
        if !found.is_empty() {
            let names = listed(found.iter().map(|group| group.name.as_str()));
            let n = found.len();
            let sentence = format!("B runs {} {} {words} ({names})", count(n), noun(n, "group"));
            sentences.push(with_sum(sentence, &found));
        }
    }
    sentences
}

fn one_sided(groups: &[GroupChange]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (letter, only_b) in [("B", true), ("A", false)] {
        let found: Vec<&GroupChange> = groups
            .iter()
            .filter(|g| !g.operators.is_empty() || g.a.as_ref().or(g.b.as_ref()).is_some_and(|p| p.conversions == 0))
            .filter(|g| if only_b { g.a.is_none() } else { g.b.is_none() })
            .collect();
        if !found.is_empty() {
            let names = listed(found.iter().map(|group| group.name.as_str()));
            let n = found.len();
            sentences.push(with_sum(format!("{} {} only in {letter} ({names})", count(n), noun(n, "group")), &found));
        }
    }
    sentences
}

fn slower(a: &SideSummary, groups: &[GroupChange]) -> Vec<String> {
    let floor = NAMED * known(a).unwrap_or(0.0);
    let mut found: Vec<(&GroupChange, f64)> = groups
        .iter()
        .filter(|group| group.a.is_some() && group.b.is_some())
        .filter_map(|group| Some((group, group.runtime_change_ms?)))
        .filter(|(_, ms)| *ms > floor && *ms > 0.0)
        .collect();
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    found.into_iter().take(MOST).filter_map(|(group, _)| grown(group)).collect()
}

/// A group that takes longer, with what else changed in it.
fn grown(group: &GroupChange) -> Option<String> {
    let (a, b) = (group.a.as_ref()?, group.b.as_ref()?);
    let mut reasons = Vec::new();
    if let (Some(from), Some(to)) = (a.weights, b.weights)
        && from != to
    {
        reasons.push(format!("{from} → {to} weights"));
    }
    if !a.output.is_empty() && !b.output.is_empty() && a.output != b.output {
        reasons.push(format!("output {:?} → {:?}", a.output, b.output));
    }
    if !a.precision.is_empty() && !b.precision.is_empty() && a.precision != b.precision {
        reasons.push(format!("{} → {}", formats(a), formats(b)));
    }
    if b.conversions > a.conversions {
        let ms = match (a.conversions_ms, b.conversions_ms) {
            (Some(from), Some(to)) => format!(", {:+.3} ms", to - from),
            _ => String::new(),
        };
        let n = b.conversions - a.conversions;
        reasons.push(format!("{n} more {}{ms}", noun(n, "reformat")));
    }
    let because = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    Some(format!("{} takes longer: {}{because}", group.name, change(a.runtime_ms?, b.runtime_ms?, "ms")))
}

fn formats(part: &Part) -> String {
    part.precision.iter().map(|p| precision(*p)).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use crate::{Comparison, Side, SideLayer};
    use shared::engine::{LayerKind, Precision};
    use shared::units::Millis;

    fn conv(name: &str, precision: Precision, ms: f64) -> SideLayer {
        SideLayer {
            kind: LayerKind::Convolution,
            precision: Some(precision),
            runtime: Some(Millis(ms)),
            ..SideLayer::named(0, name)
        }
    }

    fn reformat(layer: &str, ms: f64) -> SideLayer {
        let name = format!("Reformatting CopyNode for Input Tensor 0 to {layer}");
        SideLayer { runtime: Some(Millis(ms)), ..SideLayer::named(0, &name) }
    }

    fn causes(a: Vec<SideLayer>, b: Vec<SideLayer>) -> Vec<String> {
        Comparison::of(&Side::measured("a", a), &Side::measured("b", b)).causes
    }

    #[test]
    fn int8_that_is_no_faster_is_explained() {
        let a = ["c1", "c2", "c3", "c4"].map(|name| conv(name, Precision::Fp16, 0.25)).to_vec();
        let mut b = vec![conv("c1", Precision::Int8, 0.12), reformat("c2", 0.3)];
        b.extend(["c2", "c3", "c4"].map(|name| conv(name, Precision::Fp16, 0.2)));
        assert_eq!(
            causes(a, b),
            [
                "B takes 1.020 ms, A takes 1.000 ms: +0.020 ms (+2.0 %)",
                "INT8 is no faster than FP16; 1 of 4 convolutions and matrix products run in INT8",
                "B has 1 reformat, 0.300 ms (A 0 reformats): +0.300 ms",
                "three convolutions and matrix products stayed FP16: c2, c3, c4",
                "c2 takes longer: +0.250 ms (+100.0 %) (1 more reformat, +0.300 ms)",
            ]
        );
    }

    #[test]
    fn fusions_and_what_only_one_side_has_are_named() {
        let a = vec![conv("c1 + r1", Precision::Fp16, 0.5), conv("x", Precision::Fp16, 0.1)];
        let b = vec![
            conv("c1", Precision::Fp16, 0.5),
            SideLayer { runtime: Some(Millis(0.2)), ..SideLayer::named(0, "r1") },
        ];
        assert_eq!(
            causes(a, b)[1..],
            [
                "B runs one group in more layers than A (c1): +0.200 ms",
                "one group only in A (x): -0.100 ms",
                "c1 takes longer: +0.200 ms (+40.0 %)",
            ]
        );
    }

    #[test]
    fn an_unknown_time_is_not_compared() {
        let a = vec![conv("c1", Precision::Fp16, 0.5)];
        let b = vec![SideLayer { runtime: None, ..conv("c1", Precision::Int8, 0.0) }, conv("c2", Precision::Int8, 0.1)];
        let causes = causes(a, b);
        assert_eq!(causes[0], "run times cannot be compared as a whole: A takes 0.500 ms, B at least 0.100 ms");
        assert!(!causes.iter().any(|cause| cause.contains("faster") || cause.contains("longer")), "{causes:?}");
    }
}
