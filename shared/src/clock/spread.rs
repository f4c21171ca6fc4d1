//! Rows that share a stamp, as those of a log whose stamps have whole seconds.

/// Rows with the same stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// Neighbouring rows with the same stamp.
pub(super) fn groups(stamps_ns: &[i64]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (row, stamp) in stamps_ns.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if stamps_ns[group.first] == *stamp => group.count += 1,
            _ => groups.push(Group { first: row, count: 1 }),
        }
    }
    groups
}

/// The time between rows in ns, from groups whose neighbours follow without a gap: the median of length over rows. `None`
/// where no group has both neighbours.
pub(super) fn interval(groups: &[Group], times_ns: &[i64], limit_ns: i64) -> Option<i64> {
    let mut each: Vec<i64> = (1..groups.len().saturating_sub(1))
        .filter(|&g| times_ns[g + 1].saturating_sub(times_ns[g]) <= limit_ns)
        .map(|g| times_ns[g + 1].saturating_sub(times_ns[g]) / groups[g].count as i64)
        .collect();
    each.sort_unstable();
    each.get(each.len() / 2).copied()
}

/// A time for each row, within the `cut_ns` behind its stamp: the rows of a group lie evenly, those of the first group end
/// where the second begins, and those of the last one, and of one before a gap, go on at the interval.
pub(super) fn spread(groups: &[Group], times_ns: &[i64], interval_ns: i64, limit_ns: i64, cut_ns: i64) -> Vec<i64> {
    let mut times = Vec::with_capacity(groups.last().map_or(0, |group| group.first + group.count));
    for (g, group) in groups.iter().enumerate() {
        let (start, count) = (times_ns[g], group.count as i64);
        let next = times_ns.get(g + 1).map(|next| next.saturating_sub(start)).filter(|room| *room <= limit_ns);
        let room = next.unwrap_or(i64::MAX).min(cut_ns.max(1));
        let step = match next {
            Some(_) if g > 0 => room / count,
            _ => interval_ns.min(room / count),
        };
        let offset = if g == 0 && next.is_some() { room - step * count } else { 0 };
        times.extend((0..count).map(|row| start.saturating_add(offset + step * row)));
    }
    times
}
