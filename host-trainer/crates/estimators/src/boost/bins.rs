//! Feature values sorted into bins, once for all trees.

/// Bins a feature at most.
const MOST_BINS: usize = 255;

/// Features of all rows, in bins.
#[derive(Debug)]
pub struct Bins {
    rows: usize,
    features: Vec<FeatureBins>,
}

/// One feature's bins.
#[derive(Debug)]
pub(super) struct FeatureBins {
    /// The bin of every row.
    pub(super) codes: Vec<u8>,
    /// Smallest value of each bin.
    pub(super) lowest: Vec<f32>,
    /// Largest value of each bin.
    pub(super) highest: Vec<f32>,
}

impl Bins {
    /// Sorts columns of equal length into bins; a value has a bin of its own unless there are too many.
    pub fn of(columns: &[Vec<f32>]) -> Self {
        Self {
            rows: columns.first().map_or(0, Vec::len),
            features: columns.iter().map(|c| FeatureBins::of(c)).collect(),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn features(&self) -> &[FeatureBins] {
        &self.features
    }
}

impl FeatureBins {
    fn of(values: &[f32]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f32::total_cmp);
        let mut distinct = sorted.clone();
        distinct.dedup();
        let (mut lowest, mut highest) = (Vec::new(), Vec::new());
        if distinct.len() <= MOST_BINS {
            lowest.clone_from(&distinct);
            highest = distinct;
        } else {
            // Bins of about equal numbers of rows, cut between distinct values.
            let mut start = 0;
            for bin in 0..MOST_BINS {
                if start >= sorted.len() {
                    break;
                }
                let share = (sorted.len() - start).div_ceil(MOST_BINS - bin);
                let mut end = (start + share).min(sorted.len());
                while end < sorted.len() && sorted[end] == sorted[end - 1] {
                    end += 1;
                }
                lowest.push(sorted[start]);
                highest.push(sorted[end - 1]);
                start = end;
            }
        }
        let code = |value: &f32| highest.partition_point(|top| top.total_cmp(value).is_lt()).min(highest.len() - 1);
        let codes = values.iter().map(|value| u8::try_from(code(value)).unwrap_or(u8::MAX)).collect();
        Self { codes, lowest, highest }
    }

    pub(super) fn count(&self) -> usize {
        self.highest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bin() {
        let values: Vec<f32> = (0..1000u16).map(|i| f32::from(i * 37 % 1000) / 3.0).collect();
        let few: Vec<f32> = values.iter().map(|v| v % 5.0).map(f32::floor).collect();
        let bins = Bins::of(&[values.clone(), few.clone()]);
        for (column, feature) in [values, few].iter().zip(bins.features()) {
            assert!(feature.count() <= MOST_BINS);
            for (value, &code) in column.iter().zip(&feature.codes) {
                let code = usize::from(code);
                assert!(feature.lowest[code] <= *value && *value <= feature.highest[code]);
            }
        }
        assert_eq!(bins.features()[1].count(), 5);
    }
}
