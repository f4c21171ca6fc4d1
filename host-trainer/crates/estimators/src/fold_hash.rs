//! Hashes by which rows are spread over folds.

/// One hash a label: equal labels have equal hashes, and their order looks random but is always the same, so that folds do
/// not follow the order of the data. A sweep's neighbours lie next to each other there.
#[must_use]
pub fn fold_hashes(labels: &[usize]) -> Vec<u64> {
    // The finaliser of SplitMix64, which is one to one.
    let mixed = |label: &usize| {
        let z = (*label as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    labels.iter().map(mixed).collect()
}
