//! Training: batches, schedule, early stopping, the best weights.

use super::data::Data;
use super::layers::{Batch, Layout, Trainer, Weights};
use super::network::{Epoch, History, Network};
use super::progress::{Member, Progress};
use super::sampling::{Partition, Sampling};
use super::scale::{InputScale, OutputScale};
use super::settings::Settings;
use super::split::split;
use crate::FitError;
use crate::random::stream;
use rayon::prelude::*;
use shared::random::SplitMix64;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// By how much, relatively, a loss must fall to count as better.
const BETTER: f64 = 1e-4;
/// Rows that are validated together.
const VALIDATION_BATCH: usize = 512;
/// What the streams of random numbers are for.
const FOR_WEIGHTS: u64 = 1;
const FOR_VALIDATION: u64 = 2;
const FOR_BATCHES: u64 = 3;

/// Trains a network, or an ensemble of several side by side. The result depends on data and settings alone.
///
/// ```
/// use estimators::mlp::{Data, Settings, train};
///
/// let rows: Vec<f64> = (1..=40).map(f64::from).collect();
/// let targets: Vec<f64> = rows.iter().map(|x| 0.1 * x).collect();
/// let data = Data { inputs: 1, outputs: 1, rows: &rows, targets: &targets, chosen: None, groups: &[] };
/// let settings = Settings { hidden: vec![8], epochs: 50, members: 1, ..Settings::default() };
/// let network = train(&data, &settings)?;
/// assert!(network.predict(&[20.0])[0] > 0.0);
/// assert_eq!(network, train(&data, &settings)?);
/// # Ok::<(), estimators::FitError>(())
/// ```
///
/// # Errors
/// Too few rows, values that a scale cannot hold, settings out of range, or a loss that is no longer a number.
pub fn train(data: &Data<'_>, settings: &Settings) -> Result<Network, FitError> {
    let whole = Stepwise { every: settings.epochs.max(1), ..Stepwise::default() };
    let network = train_stepwise(data, settings, whole, &mut |_| ControlFlow::Continue(()))?;
    network.ok_or_else(|| FitError::Data("a training was broken off that nobody broke off".to_owned()))
}

/// How a training goes on in steps.
#[derive(Debug, Clone, Default)]
pub struct Stepwise {
    /// Which rows are trained on and which validated on; none leaves the choice to the settings' share.
    pub partition: Option<Partition>,
    /// Where the training stood when it was broken off; none begins it.
    pub from: Option<Progress>,
    /// Epochs between two looks at how far it is; at least 1.
    pub every: usize,
}

/// As [`train`], a few epochs at a time: after each few, `after` sees how far training is, and may break it off, or keep what
/// it sees to go on from later. What goes on comes to the same network, bit for bit, as what was never broken off.
///
/// ```
/// use estimators::mlp::{Data, Progress, Settings, Stepwise, train, train_stepwise};
/// use std::ops::ControlFlow;
///
/// let rows: Vec<f64> = (1..=40).map(f64::from).collect();
/// let data = Data { inputs: 1, outputs: 1, rows: &rows, targets: &rows, chosen: None, groups: &[] };
/// let settings = Settings { hidden: vec![4], epochs: 6, members: 1, ..Settings::default() };
/// let mut kept = None;
/// let first = Stepwise { every: 2, ..Stepwise::default() };
/// let none = train_stepwise(&data, &settings, first, &mut |progress| {
///     kept = Some(progress.to_bytes());
///     ControlFlow::Break(())
/// })?;
/// assert!(none.is_none());
/// let from = Progress::from_bytes(&kept.expect("two epochs"));
/// let second = Stepwise { from, every: 2, ..Stepwise::default() };
/// let network = train_stepwise(&data, &settings, second, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(network, Some(train(&data, &settings)?));
/// # Ok::<(), estimators::FitError>(())
/// ```
///
/// # Errors
/// As [`train`], a partition that names rows which are not there, or progress of another training.
pub fn train_stepwise(
    data: &Data<'_>,
    settings: &Settings,
    how: Stepwise,
    after: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<Network>, FitError> {
    settings.check().map_err(FitError::Options)?;
    data.check()?;
    if let Some(partition) = &how.partition {
        partition.check(data.count())?;
    }
    let inputs = InputScale::of(data.inputs(), data.inputs, settings.log_inputs)?;
    let output = |o: usize| OutputScale::of(data.targets().map(|targets| targets[o]), settings.target_scale);
    let outputs: Vec<OutputScale> = (0..data.outputs).map(output).collect::<Result<_, _>>()?;
    let prepared = Prepared::new(data, &inputs, &outputs);
    let layout = Layout::new(data.inputs, &settings.hidden, data.outputs);
    let jobs = (0..settings.members).map(|member| prepared.job(member, settings, &layout, how.partition.as_ref()));
    // A training that goes on has its rows in the order that it left them in.
    let (jobs, begin): (Vec<Job<'_>>, Vec<Option<Member>>) = jobs
        .map(|(job, training)| {
            let member = how.from.is_none().then(|| job.start(training));
            (job, member)
        })
        .unzip();
    let mut progress = how.from.unwrap_or(Progress { members: begin.into_iter().flatten().collect() });
    let fits = progress.members.len() == jobs.len()
        && progress.members.iter().zip(&jobs).all(|(member, job)| job.takes(member));
    if !fits {
        return Err(FitError::Data("the progress is that of another training".to_owned()));
    }
    loop {
        let advance = |(member, job): (&mut Member, &Job<'_>)| job.advance(member, how.every.max(1));
        progress.members.par_iter_mut().zip(&jobs).map(advance).collect::<Result<Vec<()>, FitError>>()?;
        let done = progress.members.iter().all(|member| member.done);
        // What ended is not broken off any more.
        if after(&progress).is_break() && !done {
            return Ok(None);
        }
        if done {
            break;
        }
    }
    let members = progress.members.iter().map(|member| layout.unpadded(&member.best)).collect();
    let histories = progress.members.into_iter().map(|member| member.history).collect();
    Ok(Some(Network { inputs, outputs, members, histories }))
}

/// The table as networks see it.
struct Prepared<'a> {
    outputs: &'a [OutputScale],
    groups: &'a [usize],
    /// `rows × inputs`; batches have them padded.
    inputs: Vec<f32>,
    /// Values a row of them.
    width: usize,
    /// `rows × outputs`.
    targets: Vec<f32>,
}

impl<'a> Prepared<'a> {
    fn new(data: &Data<'a>, scale: &InputScale, outputs: &'a [OutputScale]) -> Self {
        let mut inputs = Vec::with_capacity(data.count() * data.inputs);
        data.inputs().for_each(|row| inputs.extend(scale.apply(row).map(|x| x as f32)));
        let mut targets = Vec::with_capacity(data.count() * data.outputs);
        data.targets()
            .for_each(|row| targets.extend(row.iter().zip(outputs).map(|(y, scale)| scale.target(*y) as f32)));
        Self { outputs, groups: data.groups, inputs, width: data.inputs, targets }
    }

    fn rows(&self) -> usize {
        self.targets.len() / self.outputs.len()
    }

    fn fill(&self, batch: &mut Batch, rows: &[u32], padded: usize) {
        let (inputs, outputs) = (self.width, self.outputs.len());
        batch.rows = rows.len();
        batch.inputs.clear();
        batch.targets.clear();
        for row in rows.iter().map(|row| *row as usize) {
            batch.inputs.extend_from_slice(&self.inputs[row * inputs..(row + 1) * inputs]);
            batch.inputs.resize(batch.inputs.len() + padded - inputs, 0.0);
            batch.targets.extend_from_slice(&self.targets[row * outputs..(row + 1) * outputs]);
        }
    }

    /// What one network of an ensemble learns from and how, and its training rows in the order in which it starts.
    fn job<'p>(
        &'p self,
        member: usize,
        settings: &Settings,
        layout: &'p Layout,
        partition: Option<&'p Partition>,
    ) -> (Job<'p>, Vec<u32>) {
        let settings = Settings { seed: settings.seed.wrapping_add(0x5851_f42d * member as u64), ..settings.clone() };
        let (training, validation, sampling) = match partition {
            Some(Partition { training, validation, sampling }) => {
                (training.clone(), Cow::Borrowed(validation.as_slice()), sampling)
            }
            None => {
                let mut random = stream(settings.seed, FOR_VALIDATION);
                let (training, validation) = split(self.rows(), self.groups, settings.validation_share, &mut random);
                (training, Cow::Owned(validation), &Sampling::Shuffle)
            }
        };
        let job = Job { prepared: self, layout, member, settings, training_rows: training.len(), validation, sampling };
        (job, training)
    }

    fn mean_target(&self, output: usize) -> f64 {
        let known = || {
            let targets = self.targets.iter().skip(output).step_by(self.outputs.len());
            targets.filter(|t| !t.is_nan()).map(|t| f64::from(*t))
        };
        known().sum::<f64>() / known().count().max(1) as f64
    }
}

/// One network of an ensemble: what it learns from and how.
struct Job<'a> {
    prepared: &'a Prepared<'a>,
    layout: &'a Layout,
    member: usize,
    settings: Settings,
    training_rows: usize,
    validation: Cow<'a, [u32]>,
    sampling: &'a Sampling,
}

impl Job<'_> {
    /// Where training begins, with all training rows.
    fn start(&self, training: Vec<u32>) -> Member {
        let Self { prepared, settings, .. } = self;
        let starts: Vec<f64> =
            prepared.outputs.iter().enumerate().map(|(o, s)| s.start(prepared.mean_target(o))).collect();
        let block = self.layout.start(&mut stream(settings.seed, FOR_WEIGHTS), &starts);
        Member {
            best: block.clone(),
            weights: Weights::start(block),
            order: training,
            random: stream(settings.seed, FOR_BATCHES).state(),
            history: History {
                epochs: Vec::new(),
                best_epoch: 0,
                best_loss: f64::INFINITY,
                training_rows: self.training_rows,
                validation_rows: self.validation.len(),
            },
            rate: settings.learning_rate,
            stale: 0,
            done: false,
        }
    }

    /// Whether training can go on from there.
    fn takes(&self, member: &Member) -> bool {
        member.weights.block.len() == self.layout.size()
            && member.order.len() == self.training_rows
            && member.order.iter().all(|row| (*row as usize) < self.prepared.rows())
            && member.history.validation_rows == self.validation.len()
            && member.history.epochs.iter().all(|epoch| epoch.member == self.member)
    }

    /// Some epochs more, or fewer where training ends before.
    fn advance(&self, state: &mut Member, epochs: usize) -> Result<(), FitError> {
        if state.done {
            return Ok(());
        }
        let Self { prepared, settings, .. } = self;
        let width = self.layout.input_width();
        let weights = std::mem::replace(&mut state.weights, Weights::start(Vec::new()));
        let mut trainer = Trainer::of(self.layout.clone(), weights, settings, prepared.outputs);
        let mut batch = Batch { rows: 0, inputs: Vec::new(), targets: Vec::new() };
        let mut batches = SplitMix64::new(state.random);
        let mean = |(sum, count): (f64, usize)| sum / count.max(1) as f64;
        let add = |a: (f64, usize), b: (f64, usize)| (a.0 + b.0, a.1 + b.1);
        for _ in 0..epochs {
            let epoch = state.history.epochs.len() + 1;
            let drawn = self.sampling.epoch(&mut state.order, &mut batches);
            let mut training = (0.0, 0);
            for rows in drawn.chunks(settings.batch_size) {
                prepared.fill(&mut batch, rows, width);
                training = add(training, trainer.step(&batch, state.rate));
            }
            let mut validated = (0.0, 0);
            for rows in self.validation.chunks(VALIDATION_BATCH) {
                prepared.fill(&mut batch, rows, width);
                validated = add(validated, trainer.loss(&batch));
            }
            let found = Epoch {
                member: self.member,
                epoch,
                training: mean(training),
                validation: (validated.1 > 0).then(|| mean(validated)),
                regularisation: Weights::regularisation(&trainer.block, settings.weight_decay),
                learning_rate: state.rate,
            };
            let history = &mut state.history;
            history.epochs.push(found);
            let loss = found.deciding();
            if !loss.is_finite() {
                return Err(FitError::Diverged(format!(
                    "the loss is no number after {epoch} epochs; a smaller learning_rate or a gradient_norm may help"
                )));
            }
            if loss < history.best_loss * (1.0 - BETTER) {
                (history.best_loss, history.best_epoch, state.stale) = (loss, epoch, 0);
                state.best.clone_from(&trainer.block);
            } else {
                state.stale += 1;
                if settings.plateau_patience > 0 && state.stale.is_multiple_of(settings.plateau_patience) {
                    state.rate *= settings.plateau_factor;
                }
            }
            if epoch >= settings.epochs || (settings.patience > 0 && state.stale >= settings.patience) {
                state.done = true;
                break;
            }
        }
        state.random = batches.state();
        state.weights = trainer.into_weights();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::TargetScale;
    use super::*;
    use onnx::Model;

    /// Two positive targets of three inputs, in groups of ten rows.
    fn table(rows: usize) -> (Vec<f64>, Vec<f64>, Vec<usize>) {
        let mut random = stream(11, 0);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let row: [f64; 3] = std::array::from_fn(|_| 1.0 + 99.0 * random.uniform());
            y.extend([0.01 * row[0] * row[1], 3.0 + 100.0 / row[2]]);
            x.extend(row);
        }
        (x, y, (0..rows).map(|row| row / 10).collect())
    }

    fn settings() -> Settings {
        Settings {
            hidden: vec![24, 16],
            epochs: 150,
            members: 2,
            batch_size: 32,
            learning_rate: 5e-3,
            ..Settings::default()
        }
    }

    #[test]
    fn two_targets_are_learnt_by_one_network_on_every_scale() {
        let (rows, targets, groups) = table(600);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        for scale in [TargetScale::Log, TargetScale::Relative, TargetScale::Absolute, TargetScale::Signed] {
            let network = train(&data, &Settings { target_scale: scale, ..settings() }).expect("a network");
            let mut errors = [0.0; 2];
            for (row, targets) in rows.chunks(3).zip(targets.chunks(2)) {
                let predicted = network.predict(row);
                for o in 0..2 {
                    errors[o] += (predicted[o] - targets[o]).abs() / 600.0;
                }
            }
            assert!(errors[0] < 1.5 && errors[1] < 1.0, "{scale:?}: {errors:?}");
            if scale != TargetScale::Signed {
                assert!(network.predict(&[1e9, 0.0, 1e9]).iter().all(|p| *p > 0.0 && p.is_finite()));
            }
        }
    }

    #[test]
    fn the_graph_says_what_the_network_says() {
        let (rows, targets, groups) = table(120);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        for target_scale in [TargetScale::Log, TargetScale::Absolute, TargetScale::Signed] {
            for log_inputs in [false, true] {
                let chosen = Settings { target_scale, log_inputs, epochs: 10, ..settings() };
                let network = train(&data, &chosen).expect("a network");
                for output in 0..2 {
                    let mut graph = onnx::GraphBuilder::new();
                    let input = graph.input();
                    let column = network.export(&mut graph, &input, output);
                    let model = Model::load(&graph.finish(&column, "y", 3, &[])).expect("a model");
                    let flat: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
                    for (row, got) in flat.chunks(3).zip(model.predict(&flat).expect("predictions")) {
                        let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
                        let expected = network.predict(&row)[output];
                        assert!((f64::from(got) - expected).abs() <= 1e-6 * expected.abs().max(1e-3));
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_network_and_another_seed_another() {
        let (rows, targets, groups) = table(100);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        let few = Settings { epochs: 5, dropouts: vec![0.2, 0.1], ..settings() };
        let network = train(&data, &few).expect("a network");
        assert_eq!(network, train(&data, &few).expect("a network"));
        assert_ne!(network, train(&data, &Settings { seed: 1, ..few }).expect("a network"));
        assert_ne!(network.members[0], network.members[1]);
    }

    #[test]
    fn missing_targets_teach_nothing_and_the_others_all_the_same() {
        let (rows, mut targets, groups) = table(300);
        for (row, targets) in targets.chunks_mut(2).enumerate() {
            targets[row % 2] = f64::NAN;
        }
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        let network = train(&data, &settings()).expect("a network");
        let error = |o: usize| {
            let pairs = rows.chunks(3).zip(targets.chunks(2)).filter(|(_, t)| !t[o].is_nan());
            let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (row, t)| {
                (sum + (network.predict(row)[o] / t[o] - 1.0).abs(), count + 1.0)
            });
            sum / count
        };
        assert!(error(0) < 0.2 && error(1) < 0.2, "{} {}", error(0), error(1));
    }

    #[test]
    fn training_stops_early_and_keeps_the_best_weights() {
        let (rows, targets, groups) = table(200);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        let hasty =
            Settings { patience: 3, plateau_patience: 2, learning_rate: 0.3, members: 1, epochs: 500, ..settings() };
        let network = train(&data, &hasty).expect("a network");
        let history = &network.histories()[0];
        assert!(history.epochs.len() < 500);
        assert_eq!(history.epochs.len() - history.best_epoch, 3);
        let least = history.epochs.iter().map(Epoch::deciding).fold(f64::INFINITY, f64::min);
        assert!((history.best_loss / least - 1.0).abs() < 1e-3);
        assert!(history.epochs.iter().any(|epoch| epoch.learning_rate < 0.3));
        assert_eq!(history.training_rows + history.validation_rows, 200);
        // The kept weights are those of the best epoch: training that long and no longer gives the same.
        let exactly = Settings { epochs: history.best_epoch, ..hasty };
        assert_eq!(network.members, train(&data, &exactly).expect("a network").members);
    }

    #[test]
    fn a_training_that_is_broken_off_anywhere_goes_on_to_the_same_network() {
        let (rows, targets, groups) = table(120);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &groups };
        let few = Settings { epochs: 12, dropouts: vec![0.2, 0.1], patience: 4, learning_rate: 0.1, ..settings() };
        let whole = train(&data, &few).expect("a network");
        let (mut kept, mut parts) = (None::<Vec<u8>>, 0);
        let network = loop {
            let from = kept.as_deref().map(|bytes| Progress::from_bytes(bytes).expect("progress"));
            let how = Stepwise { from, every: 1, ..Stepwise::default() };
            let network = train_stepwise(&data, &few, how, &mut |progress| {
                kept = Some(progress.to_bytes());
                ControlFlow::Break(())
            });
            parts += 1;
            if let Some(network) = network.expect("training") {
                break network;
            }
        };
        assert_eq!(network, whole);
        assert!(parts >= 5, "{parts}");
        let other = Settings { hidden: vec![8, 8], ..few };
        let from = Progress::from_bytes(&kept.expect("progress"));
        let how = Stepwise { from, every: 1, ..Stepwise::default() };
        let refused = train_stepwise(&data, &other, how, &mut |_| ControlFlow::Continue(()));
        assert!(refused.expect_err("refused").to_string().contains("another training"));
    }

    #[test]
    fn rows_are_met_as_the_partition_says() {
        let (rows, targets, _) = table(100);
        let data = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &[] };
        let few = Settings { epochs: 3, ..settings() };
        let with = |sampling| {
            let partition = Partition { training: (0..60).collect(), validation: (60..80).collect(), sampling };
            let how = Stepwise { partition: Some(partition), every: 9, ..Stepwise::default() };
            train_stepwise(&data, &few, how, &mut |_| ControlFlow::Continue(())).expect("training").expect("a network")
        };
        let shuffled = with(Sampling::Shuffle);
        assert_eq!((shuffled.histories()[0].training_rows, shuffled.histories()[0].validation_rows), (60, 20));
        assert!(shuffled.histories()[0].epochs[0].regularisation > 0.0);
        let others = [
            Sampling::Sequential,
            Sampling::Draw { samples: 30, replacement: true, weights: Vec::new() },
            Sampling::Draw { samples: 90, replacement: false, weights: Vec::new() },
            Sampling::Draw { samples: 60, replacement: true, weights: (0..60).map(f64::from).collect() },
        ];
        for sampling in others {
            assert_ne!(with(sampling.clone()), shuffled, "{sampling:?}");
        }
        let wrong = Partition { training: vec![100], validation: Vec::new(), sampling: Sampling::Shuffle };
        let how = Stepwise { partition: Some(wrong), every: 1, ..Stepwise::default() };
        assert!(train_stepwise(&data, &few, how, &mut |_| ControlFlow::Continue(())).is_err());
    }

    #[test]
    fn rows_by_number_give_the_network_of_their_copies() {
        let (rows, targets, _) = table(100);
        let all = Data { inputs: 3, outputs: 2, rows: &rows, targets: &targets, chosen: None, groups: &[] };
        let numbers: Vec<u32> = (0..100).rev().filter(|row| row % 3 > 0).collect();
        let copied: Vec<f64> = numbers.iter().flat_map(|row| rows[3 * *row as usize..][..3].to_vec()).collect();
        let of_copied: Vec<f64> = numbers.iter().flat_map(|row| targets[2 * *row as usize..][..2].to_vec()).collect();
        let few = Settings { epochs: 4, dropouts: vec![0.1, 0.0], ..settings() };
        let copies = train(&Data { rows: &copied, targets: &of_copied, ..all }, &few).expect("a network");
        assert_eq!(train(&Data { chosen: Some(&numbers), ..all }, &few).expect("a network"), copies);
        let wrong = [5, 100];
        assert!(train(&Data { chosen: Some(&wrong), ..all }, &few).is_err_and(|e| e.to_string().contains("chosen")));
    }

    #[test]
    fn what_cannot_be_trained_is_refused() {
        let none = Data { inputs: 1, outputs: 1, rows: &[1.0], targets: &[1.0], chosen: None, groups: &[] };
        assert!(matches!(train(&none, &settings()), Err(FitError::TooFewRows { .. })));
        let uneven = Data { inputs: 2, outputs: 1, rows: &[1.0; 3], targets: &[1.0; 2], chosen: None, groups: &[] };
        assert!(train(&uneven, &settings()).is_err());
        let zero = Data { inputs: 1, outputs: 1, rows: &[1.0, 2.0], targets: &[0.0, 1.0], chosen: None, groups: &[] };
        assert!(train(&zero, &settings()).is_err());
        assert!(train(&zero, &Settings { target_scale: TargetScale::Absolute, epochs: 2, ..settings() }).is_ok());
        let bad = Settings { dropouts: vec![0.5], ..settings() };
        assert!(train(&zero, &bad).is_err_and(|e| e.to_string().contains("dropouts")));
    }
}
