//! Statistics of the mapping's rows, layer by layer, in a file of their own: whoever makes training data of a run need not
//! read all its rows again.

/// Name of the file, beside the mapping.
pub const FILE: &str = "layer_statistics.csv";

/// Values that are taken in unsorted before they are merged with the others.
const PENDING: usize = 4096;

/// Values of one quantity. Equal values are kept once with their count: an attributed power stands in every row, and
/// run times come in steps of the GPU's clock.
#[derive(Debug, Clone, Default)]
pub struct Distribution {
    /// Each value once, sorted.
    values: Vec<f64>,
    /// How often each occurs; empty while each occurs once.
    times: Vec<u32>,
    pending: Vec<f64>,
}

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        // Zero has two signs.
        self.pending.push(value + 0.0);
        if self.pending.len() >= PENDING {
            self.settle();
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let settled = if self.times.is_empty() {
            self.values.len() as u64
        } else {
            self.times.iter().map(|&times| u64::from(times)).sum()
        };
        settled + self.pending.len() as u64
    }

    /// Merges what is pending with what is sorted, in place: there may be as many values as rows.
    fn settle(&mut self) {
        self.pending.sort_unstable_by(f64::total_cmp);
        let (mut old, total) = (self.values.len(), self.values.len() + self.pending.len());
        self.values.reserve_exact(self.pending.len());
        self.values.resize(total, 0.0);
        let counted = !self.times.is_empty();
        if counted {
            self.times.resize(total, 1);
        }
        // From behind, so that nothing is written over before it was moved.
        let mut to = total;
        while let Some(&value) = self.pending.last() {
            to -= 1;
            if old > 0 && self.values[old - 1] > value {
                old -= 1;
                self.values[to] = self.values[old];
                if counted {
                    self.times[to] = self.times[old];
                }
            } else {
                self.values[to] = value;
                if counted {
                    self.times[to] = 1;
                }
                self.pending.pop();
            }
        }
        self.join_equal();
    }

    /// Keeps each of equal neighbours once.
    fn join_equal(&mut self) {
        if self.times.is_empty() && self.values.windows(2).any(|w| w[0] == w[1]) {
            self.times = vec![1; self.values.len()];
        }
        if self.times.is_empty() {
            return;
        }
        let mut last = 0;
        for i in 1..self.values.len() {
            if self.values[i] == self.values[last] {
                self.times[last] = self.times[last].saturating_add(self.times[i]);
            } else {
                last += 1;
                (self.values[last], self.times[last]) = (self.values[i], self.times[i]);
            }
        }
        self.values.truncate(last + 1);
        self.times.truncate(last + 1);
    }

    /// Each value with its count, in order.
    fn sorted(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.values.iter().enumerate().map(|(i, &value)| (value, self.times.get(i).map_or(1, |&n| u64::from(n))))
    }

    /// What it comes to.
    ///
    /// ```
    /// use align::statistics::Distribution;
    ///
    /// let mut values = Distribution::default();
    /// for value in [2.0, 5.0, 4.0, 4.0] {
    ///     values.add(value);
    /// }
    /// let summary = values.summary();
    /// assert_eq!((summary.count, summary.mean, summary.median), (4, Some(3.75), Some(4.0)));
    /// ```
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut settled = self.clone();
        settled.settle();
        let total = settled.count();
        let count = total as f64;
        let sum: f64 = settled.sorted().map(|(v, n)| v * n as f64).sum();
        // Equal values have themselves for a mean, whatever rounding makes of their sum.
        let mean = match settled.values.as_slice() {
            [only] => Some(*only),
            _ => (total > 0).then(|| sum / count),
        };
        let deviation = mean.filter(|_| total > 1).map(|mean| {
            let squares: f64 = settled.sorted().map(|(v, n)| (v - mean).powi(2) * n as f64).sum();
            (squares / (count - 1.0)).sqrt()
        });
        let quantile = |q: f64| settled.quantile(q, total);
        Summary {
            count: total,
            mean,
            deviation,
            minimum: quantile(0.0),
            lower_quartile: quantile(0.25),
            median: quantile(0.5),
            upper_quartile: quantile(0.75),
            p95: quantile(0.95),
            maximum: quantile(1.0),
        }
    }

    /// A quantile from 0 to 1 of `count` settled values, with linear interpolation between the two values next to it.
    fn quantile(&self, q: f64, count: u64) -> Option<f64> {
        let place = q * (count.checked_sub(1)?) as f64;
        let at = |rank: u64| {
            if self.times.is_empty() {
                return self.values.get(rank as usize).copied();
            }
            let mut passed = 0;
            let found = |(_, n): &(f64, u64)| {
                passed += n;
                passed > rank
            };
            self.sorted().find(found).map(|v| v.0)
        };
        let (low, high) = (at(place.floor() as u64)?, at(place.ceil() as u64)?);
        Some(low + (high - low) * place.fract())
    }
}

/// Statistics of one quantity. Absent where there are too few values for it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Values.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Standard deviation with n − 1.
    pub deviation: Option<f64>,
    /// The smallest value.
    pub minimum: Option<f64>,
    /// A quarter of the values are smaller.
    pub lower_quartile: Option<f64>,
    /// Half of the values are smaller.
    pub median: Option<f64>,
    /// Three quarters of the values are smaller.
    pub upper_quartile: Option<f64>,
    /// 95 % of the values are smaller.
    pub p95: Option<f64>,
    /// The largest value.
    pub maximum: Option<f64>,
}

impl Summary {
    /// Of one value that occurs so many times.
    #[must_use]
    pub fn of_constant(value: f64, times: u64) -> Self {
        let mut one = Distribution::default();
        if times > 0 {
            one.add(value);
        }
        Self { count: times, deviation: (times > 1).then_some(0.0), ..one.summary() }
    }

    /// Names of its columns behind the quantity's name.
    const COLUMNS: [&str; 9] = ["count", "mean", "std", "min", "p25", "p50", "p75", "p95", "max"];

    fn cells(&self) -> Vec<String> {
        let figures = [
            self.mean,
            self.deviation,
            self.minimum,
            self.lower_quartile,
            self.median,
            self.upper_quartile,
            self.p95,
            self.maximum,
        ];
        let figure = |v: Option<f64>| v.map_or_else(String::new, |v| format!("{v:?}"));
        std::iter::once(self.count.to_string()).chain(figures.into_iter().map(figure)).collect()
    }

    /// Reads what [`cells`](Self::cells) wrote.
    fn from_cells(cells: &[&str]) -> Option<Self> {
        let [count, rest @ ..] = cells else { return None };
        let figure = |text: &&str| match *text {
            "" => Some(None),
            text => text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Some),
        };
        let figures: Vec<Option<f64>> = rest.iter().map(figure).collect::<Option<_>>()?;
        let [mean, deviation, minimum, lower_quartile, median, upper_quartile, p95, maximum] = figures[..] else {
            return None;
        };
        let count = count.parse().ok()?;
        Some(Self { count, mean, deviation, minimum, lower_quartile, median, upper_quartile, p95, maximum })
    }
}

/// The statistics of one layer's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerStatistics {
    /// Name.
    pub name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// Position in execution order, where the data tell.
    pub index: Option<usize>,
    /// Position in the engine info, where the layer was found there.
    pub engine_index: Option<usize>,
    /// Which of the layers of the same name it is, from 0.
    pub turn: usize,
    /// Power in µW.
    pub power: Summary,
    /// Power less idle power in µW.
    pub net_power: Summary,
    /// Run time in ms.
    pub runtime: Summary,
    /// What the alignment says of the power: verdict and method.
    pub verdict: Option<(String, String)>,
}

/// The columns before those of the quantities.
const HEAD: [&str; 6] = ["layer_index", "engine_index", "layer_name", "layer_type", "power_verdict", "power_method"];
const QUANTITIES: [&str; 3] = ["power_micro_watt", "net_power_micro_watt", "run_time_ms"];

fn header() -> Vec<String> {
    let of = |quantity: &'static str| Summary::COLUMNS.iter().map(move |column| format!("{quantity}_{column}"));
    HEAD.iter().map(|&column| column.to_owned()).chain(QUANTITIES.into_iter().flat_map(of)).collect()
}

/// Renders the file. Layers stand in the order of their first row.
///
/// # Errors
/// Never in practice: it writes to memory.
pub fn render(layers: &[LayerStatistics]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header())?;
    for layer in layers {
        let number = |v: Option<usize>| v.map_or_else(String::new, |v| v.to_string());
        let (verdict, method) = layer.verdict.clone().unwrap_or_default();
        let head = [
            number(layer.index),
            number(layer.engine_index),
            layer.name.clone(),
            layer.layer_type.clone(),
            verdict,
            method,
        ];
        let quantities = [layer.power, layer.net_power, layer.runtime];
        writer.write_record(head.into_iter().chain(quantities.iter().flat_map(Summary::cells)))?;
    }
    writer.into_inner().map_err(|e| e.into_error().into())
}

/// Parses the file; `None` where it is not one of this version.
#[must_use]
pub fn parse(content: &[u8]) -> Option<Vec<LayerStatistics>> {
    let mut reader = csv::Reader::from_reader(content);
    if !reader.headers().ok()?.iter().eq(header()) {
        return None;
    }
    let mut layers: Vec<LayerStatistics> = Vec::new();
    for record in reader.records() {
        let record = record.ok()?;
        let cells: Vec<&str> = record.iter().collect();
        let (head, quantities) = cells.split_at_checked(HEAD.len())?;
        let optional = |cell: &str| match cell {
            "" => Some(None),
            cell => cell.parse::<usize>().ok().map(Some),
        };
        let summaries: Vec<Summary> =
            quantities.chunks(Summary::COLUMNS.len()).map(Summary::from_cells).collect::<Option<_>>()?;
        let [power, net_power, runtime] = summaries[..] else { return None };
        let name = head[2].to_owned();
        layers.push(LayerStatistics {
            turn: layers.iter().filter(|l| l.name == name).count(),
            name,
            layer_type: head[3].to_owned(),
            index: optional(head[0])?,
            engine_index: optional(head[1])?,
            power,
            net_power,
            runtime,
            verdict: Some((head[4].to_owned(), head[5].to_owned())),
        });
    }
    Some(layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statistics_are_those_of_a_data_frame() {
        let mut values = Distribution::default();
        for value in [2.0, 5.0, 4.0, 4.0] {
            values.add(value);
        }
        let summary = values.summary();
        assert_eq!(summary.mean, Some(3.75));
        assert!((summary.deviation.expect("four") - 1.258_305_739_211_791_7).abs() < 1e-15);
        let quantiles =
            [summary.minimum, summary.lower_quartile, summary.median, summary.upper_quartile, summary.maximum];
        assert_eq!(quantiles, [2.0, 3.5, 4.0, 4.25, 5.0].map(Some));
        assert_eq!(Distribution::default().summary(), Summary::default());
    }

    proptest! {
        #[test]
        fn order_and_batches_do_not_matter(values in proptest::collection::vec(0_u8..40, 0..300), cuts in proptest::collection::vec(any::<bool>(), 300)) {
            let mut sorted: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
            let mut all = Distribution::default();
            for (value, cut) in sorted.iter().zip(cuts) {
                all.add(*value);
                if cut {
                    all.settle();
                }
            }
            sorted.sort_by(f64::total_cmp);
            let summary = all.summary();
            prop_assert_eq!((all.count(), summary.count), (sorted.len() as u64, sorted.len() as u64));
            prop_assert_eq!((summary.minimum, summary.maximum), (sorted.first().copied(), sorted.last().copied()));
            let middle = sorted.len() / 2;
            if sorted.len() % 2 == 1 {
                prop_assert_eq!(summary.median, Some(sorted[middle]));
            }
        }

        #[test]
        fn what_is_rendered_is_parsed_to_the_last_bit(values in proptest::collection::vec(-1e9_f64..1e9, 0..30), name in "[a-z\",\n]{0,9}") {
            let mut all = Distribution::default();
            values.iter().for_each(|v| all.add(*v));
            let summary = all.summary();
            let layer = LayerStatistics {
                name,
                layer_type: "CaskConvolution".into(),
                index: Some(3),
                power: summary,
                runtime: summary,
                verdict: Some(("measured".into(), "deconvolve".into())),
                ..LayerStatistics::default()
            };
            let same = LayerStatistics { turn: 1, ..layer.clone() };
            let text = render(&[layer.clone(), layer.clone()]).expect("memory");
            prop_assert_eq!(parse(&text), Some(vec![layer, same]));
        }
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(parse(b"a,b\n1,2\n"), None);
        let mut text = render(&[LayerStatistics::default()]).expect("memory");
        assert_eq!(parse(&text).map(|l| l.len()), Some(1));
        text.truncate(text.len() - 20);
        assert_eq!(parse(&text), None);
    }
}
