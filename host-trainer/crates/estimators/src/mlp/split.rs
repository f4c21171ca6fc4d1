//! Which rows are kept for validation.

use shared::random::SplitMix64;
use std::collections::BTreeSet;

/// Fewer rows than this are all trained on: what would be kept back says too little to stop by.
const FEWEST_ROWS: usize = 20;

/// Rows to train on and rows to validate on, both in ascending order; whole groups where there are several, else rows.
pub(super) fn split(rows: usize, groups: &[usize], share: f64, random: &mut SplitMix64) -> (Vec<u32>, Vec<u32>) {
    let all = 0..rows as u32;
    let wanted = (share * rows as f64).round() as usize;
    if wanted == 0 || rows < FEWEST_ROWS {
        return (all.collect(), Vec::new());
    }
    let mut names: Vec<usize> = groups.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let group_of = |row: usize| groups.get(row).copied().unwrap_or(0);
    let mut kept = vec![false; rows];
    if names.len() < 3 {
        let mut order: Vec<u32> = all.clone().collect();
        random.shuffle(&mut order);
        order[..wanted].iter().for_each(|&row| kept[row as usize] = true);
    } else {
        random.shuffle(&mut names);
        let mut sizes = std::collections::BTreeMap::<usize, usize>::new();
        (0..rows).for_each(|row| *sizes.entry(group_of(row)).or_default() += 1);
        let (mut count, mut chosen) = (0, BTreeSet::new());
        for name in names {
            // A group that would take more than half as much again is passed over: one network may hold most rows.
            if count < wanted && 2 * (count + sizes[&name]) <= 3 * wanted.max(2) {
                count += sizes[&name];
                chosen.insert(name);
            }
        }
        (0..rows).for_each(|row| kept[row] = chosen.contains(&group_of(row)));
    }
    all.partition(|&row| !kept[row as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn groups_stay_together_and_about_the_share_is_kept() {
        let groups: Vec<usize> = (0..300).map(|row| row / 10).collect();
        let (train, validation) = split(300, &groups, 0.2, &mut stream(5, 0));
        assert_eq!(train.len() + validation.len(), 300);
        assert!((40..=90).contains(&validation.len()), "{}", validation.len());
        let sides = |rows: &[u32]| rows.iter().map(|&row| groups[row as usize]).collect::<BTreeSet<_>>();
        assert!(sides(&train).is_disjoint(&sides(&validation)));
    }

    #[test]
    fn one_group_is_split_by_row_and_few_rows_not_at_all() {
        let (train, validation) = split(100, &[0; 100], 0.15, &mut stream(5, 0));
        assert_eq!((train.len(), validation.len()), (85, 15));
        assert_eq!(split(19, &[0; 19], 0.15, &mut stream(5, 0)).1.len(), 0);
        assert_eq!(split(100, &[0; 100], 0.0, &mut stream(5, 0)).1.len(), 0);
    }

    #[test]
    fn a_group_of_most_rows_is_trained_on() {
        let groups: Vec<usize> = (0..100).map(|row| if row < 80 { 0 } else { 1 + row % 4 }).collect();
        for seed in 0..20 {
            let (train, validation) = split(100, &groups, 0.1, &mut stream(seed, 0));
            assert!(train.len() >= 80 && validation.len() <= 20);
        }
    }
}
