//! The layers of one network: weights in one block, forward and backward passes, one optimiser step.

use super::dropout;
use super::kernels::{AdamStep, Work, adam, padded, product, product_of_transposed, sum_of_squares, transpose, wide};
use super::scale::OutputScale;
use super::settings::Settings;
use shared::random::SplitMix64;
use std::ops::Range;

/// One layer's place in the block of weights. Widths are padded; weights and outputs beyond the real widths are zero and
/// stay so, since a gradient of theirs is a product with a zero.
#[derive(Debug, Clone)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// `inputs × outputs`, row by row, both padded.
    weights: Range<usize>,
    biases: Range<usize>,
}

impl Layer {
    fn input_width(&self) -> usize {
        padded(self.inputs)
    }

    fn output_width(&self) -> usize {
        padded(self.outputs)
    }
}

/// The widths of a network, and where its weights lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    layers: Vec<Layer>,
    size: usize,
}

impl Layout {
    pub(super) fn new(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let widths: Vec<usize> = std::iter::once(inputs).chain(hidden.iter().copied()).chain([outputs]).collect();
        let mut size = 0;
        let layers = widths
            .windows(2)
            .map(|pair| {
                let weights = size..size + padded(pair[0]) * padded(pair[1]);
                let biases = weights.end..weights.end + padded(pair[1]);
                size = biases.end;
                Layer { inputs: pair[0], outputs: pair[1], weights, biases }
            })
            .collect();
        Self { layers, size }
    }

    /// Number of weights and biases, padding included.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Columns of a matrix of outputs.
    pub(super) fn output_width(&self) -> usize {
        self.last().output_width()
    }

    /// Columns of a matrix of inputs.
    pub(super) fn input_width(&self) -> usize {
        self.layers[0].input_width()
    }

    /// Starting weights: uniform within ±1/√inputs, as is usual for rectifiers; biases of the last layer as told.
    pub(super) fn start(&self, random: &mut SplitMix64, last_biases: &[f64]) -> Vec<f32> {
        let mut block = vec![0.0; self.size];
        for layer in &self.layers {
            let bound = 1.0 / (layer.inputs as f64).sqrt();
            let mut draw = || (bound * (2.0 * random.uniform() - 1.0)) as f32;
            for row in 0..layer.inputs {
                let start = layer.weights.start + row * layer.output_width();
                block[start..start + layer.outputs].fill_with(&mut draw);
            }
            block[layer.biases.start..layer.biases.start + layer.outputs].fill_with(&mut draw);
        }
        let biases = self.last().biases.start;
        for (bias, start) in block[biases..].iter_mut().zip(last_biases) {
            *bias = *start as f32;
        }
        block
    }

    /// Each layer's weights, `inputs × outputs`, and biases, without padding.
    pub(super) fn unpadded(&self, block: &[f32]) -> Vec<Dense> {
        self.layers
            .iter()
            .map(|layer| {
                let rows = block[layer.weights.clone()].chunks_exact(layer.output_width()).take(layer.inputs);
                let wide = |values: &[f32]| values[..layer.outputs].iter().map(|w| f64::from(*w)).collect::<Vec<f64>>();
                Dense { weights: rows.flat_map(wide).collect(), biases: wide(&block[layer.biases.clone()]) }
            })
            .collect()
    }
}

/// A layer of a trained network.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Dense {
    /// `inputs × outputs`, row by row.
    pub(super) weights: Vec<f64>,
    /// One an output.
    pub(super) biases: Vec<f64>,
}

/// Rows that go through the network together, padded: what the network sees, and the targets.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: usize,
    /// `rows × input width`.
    pub(super) inputs: Vec<f32>,
    /// `rows × outputs`; missing ones are NaN.
    pub(super) targets: Vec<f32>,
}

/// The weights of a network under training, with all that the optimiser remembers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub(super) block: Vec<f32>,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) steps: u32,
    /// β₁ and β₂ to the power of the steps taken.
    pub(super) powers: (f64, f64),
}

impl Weights {
    /// Weights of which no step was taken yet.
    pub(super) fn start(block: Vec<f32>) -> Self {
        let zeros = vec![0.0; block.len()];
        Self { block, first: zeros.clone(), second: zeros, steps: 0, powers: (1.0, 1.0) }
    }

    /// The loss that weight decay adds, as a gradient of it is added: half the decay times the sum of squares.
    pub(super) fn regularisation(block: &[f32], weight_decay: f64) -> f64 {
        0.5 * weight_decay * block.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>()
    }
}

/// A network under training.
pub(super) struct Trainer<'a> {
    layout: Layout,
    settings: &'a Settings,
    scales: &'a [OutputScale],
    pub(super) block: Vec<f32>,
    gradients: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: u32,
    /// β₁ and β₂ to the power of the steps taken.
    powers: (f64, f64),
    /// Outputs of each layer.
    activations: Vec<Vec<f32>>,
    /// Gradients of a layer's outputs and of its inputs.
    deltas: (Vec<f32>, Vec<f32>),
    turned: Vec<f32>,
}

impl<'a> Trainer<'a> {
    #[cfg(test)]
    pub(super) fn new(layout: Layout, block: Vec<f32>, settings: &'a Settings, scales: &'a [OutputScale]) -> Self {
        Self::of(layout, Weights::start(block), settings, scales)
    }

    /// A network that goes on from weights with their moments.
    pub(super) fn of(layout: Layout, weights: Weights, settings: &'a Settings, scales: &'a [OutputScale]) -> Self {
        let Weights { block, first, second, steps, powers } = weights;
        Self {
            activations: vec![Vec::new(); layout.layers.len()],
            deltas: (Vec::new(), Vec::new()),
            turned: Vec::new(),
            gradients: vec![0.0; layout.size],
            first,
            second,
            steps,
            powers,
            layout,
            settings,
            scales,
            block,
        }
    }

    /// The weights with their moments, from which training can go on.
    pub(super) fn into_weights(self) -> Weights {
        let Self { block, first, second, steps, powers, .. } = self;
        Weights { block, first, second, steps, powers }
    }

    /// One optimiser step on a batch; the sum of its losses and the number of targets.
    pub(super) fn step(&mut self, batch: &Batch, learning_rate: f64) -> (f64, usize) {
        wide(Step { trainer: self, batch, learning_rate })
    }

    /// Sum of losses of rows and the number of targets, nothing dropped and nothing learnt.
    pub(super) fn loss(&mut self, batch: &Batch) -> (f64, usize) {
        wide(Loss { trainer: self, batch })
    }

    #[inline(always)]
    fn forward(&mut self, batch: &Batch, dropout_key: Option<u32>) {
        let rows = batch.rows;
        for (number, layer) in self.layout.layers.iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(number);
            let inputs = before.last().unwrap_or(&batch.inputs);
            let out = &mut after[0];
            let columns = layer.output_width();
            out.resize(rows * columns, 0.0);
            product(
                (inputs, layer.input_width()),
                &self.block[layer.weights.clone()],
                Some(&self.block[layer.biases.clone()]),
                (rows, layer.inputs, columns),
                out,
            );
            if number + 1 == self.layout.layers.len() {
                return;
            }
            let dropped = self.settings.dropout(number);
            match dropout_key.filter(|_| dropped > 0.0) {
                None => out.iter_mut().for_each(|x| *x = x.max(0.0)),
                Some(key) => {
                    let key = key.wrapping_add((number as u32).wrapping_mul(0x85eb_ca6b));
                    let bound = (dropped * f64::from(u32::MAX)) as u32;
                    let kept = (1.0 / (1.0 - dropped)) as f32;
                    for (i, x) in out.iter_mut().enumerate() {
                        let factor = if dropout::at(key, i as u32) < bound { 0.0 } else { kept };
                        *x = x.max(0.0) * factor;
                    }
                }
            }
        }
    }

    /// Losses, and their gradients in `deltas.0`.
    #[inline(always)]
    fn losses(&mut self, batch: &Batch, with_gradients: bool) -> (f64, usize) {
        let columns = self.layout.output_width();
        let outputs = self.scales.len();
        let given = &self.activations[self.activations.len() - 1];
        if with_gradients {
            self.deltas.0.clear();
            self.deltas.0.resize(batch.rows * columns, 0.0);
        }
        let (mut sum, mut count) = (0.0_f64, 0);
        for (row, targets) in batch.targets.chunks_exact(outputs).take(batch.rows).enumerate() {
            for (output, (target, scale)) in targets.iter().zip(self.scales).enumerate() {
                if target.is_nan() {
                    continue;
                }
                let (loss, slope) = scale.loss(given[row * columns + output], *target);
                sum += f64::from(loss);
                count += 1;
                if with_gradients {
                    self.deltas.0[row * columns + output] = slope;
                }
            }
        }
        (sum, count)
    }

    #[inline(always)]
    fn backward(&mut self, batch: &Batch) {
        let rows = batch.rows;
        for (number, layer) in self.layout.layers.iter().enumerate().rev() {
            let inputs = if number == 0 { &batch.inputs } else { &self.activations[number - 1] };
            let (width, columns) = (layer.input_width(), layer.output_width());
            let delta = &self.deltas.0;
            product_of_transposed(
                (inputs, width),
                delta,
                (width, rows, columns),
                &mut self.gradients[layer.weights.clone()],
            );
            let biases = &mut self.gradients[layer.biases.clone()];
            biases.fill(0.0);
            for row in delta.chunks_exact(columns) {
                biases.iter_mut().zip(row).for_each(|(bias, d)| *bias += d);
            }
            if number == 0 {
                return;
            }
            self.turned.resize(width * columns, 0.0);
            transpose(&self.block[layer.weights.clone()], (width, columns), &mut self.turned);
            let below = &mut self.deltas.1;
            below.resize(rows * width, 0.0);
            product((delta, columns), &self.turned, None, (rows, layer.outputs, width), below);
            // What was dropped or cut off is zero; what was kept was multiplied.
            let kept = (1.0 / (1.0 - self.settings.dropout(number - 1))) as f32;
            for (d, x) in below.iter_mut().zip(inputs) {
                *d = if *x > 0.0 { *d * kept } else { 0.0 };
            }
            std::mem::swap(&mut self.deltas.0, &mut self.deltas.1);
        }
    }
}

struct Step<'t, 's, 'b> {
    trainer: &'t mut Trainer<'s>,
    batch: &'b Batch,
    learning_rate: f64,
}

impl Work for Step<'_, '_, '_> {
    type Output = (f64, usize);

    #[inline(always)]
    fn run(self) -> Self::Output {
        let trainer = self.trainer;
        let settings = trainer.settings;
        trainer.steps = trainer.steps.wrapping_add(1);
        let key = (settings.seed as u32).wrapping_mul(0xc2b2_ae35) ^ trainer.steps.wrapping_mul(0x27d4_eb2f);
        trainer.forward(self.batch, Some(key));
        let (sum, count) = trainer.losses(self.batch, true);
        if count == 0 {
            return (0.0, 0);
        }
        let share = 1.0 / count as f32;
        trainer.deltas.0.iter_mut().for_each(|d| *d *= share);
        trainer.backward(self.batch);
        let mut clip = 1.0;
        if settings.gradient_norm > 0.0 {
            let norm = f64::from(sum_of_squares(&trainer.gradients)).sqrt();
            if norm > settings.gradient_norm {
                clip = (settings.gradient_norm / norm) as f32;
            }
        }
        let powers = (trainer.powers.0 * settings.beta1, trainer.powers.1 * settings.beta2);
        trainer.powers = powers;
        let step = AdamStep {
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            rate: (self.learning_rate / (1.0 - powers.0)) as f32,
            correction: (1.0 / (1.0 - powers.1).sqrt()) as f32,
            weight_decay: settings.weight_decay as f32,
            clip,
        };
        adam(&mut trainer.block, &trainer.gradients, &mut trainer.first, &mut trainer.second, step);
        (sum, count)
    }
}

struct Loss<'t, 's, 'b> {
    trainer: &'t mut Trainer<'s>,
    batch: &'b Batch,
}

impl Work for Loss<'_, '_, '_> {
    type Output = (f64, usize);

    #[inline(always)]
    fn run(self) -> Self::Output {
        self.trainer.forward(self.batch, None);
        self.trainer.losses(self.batch, false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::TargetScale;
    use super::*;
    use crate::random::stream;

    /// The gradient that a step computes against differences of the loss, weight by weight.
    #[test]
    fn gradients_are_those_of_the_loss() {
        let settings = Settings { hidden: vec![5, 9], gradient_norm: 0.0, ..Settings::default() };
        for kind in [TargetScale::Log, TargetScale::Relative] {
            let measured = [0.5, 1.0, 3.0, 0.7, 2.0, 1.4];
            let scale = OutputScale::of(measured.into_iter(), kind).expect("values");
            let scales = [scale, scale];
            let layout = Layout::new(3, &settings.hidden, 2);
            let mut random = stream(3, 0);
            let block = layout.start(&mut random, &[0.1, 0.4]);
            let mut inputs = vec![0.0; 6 * layout.input_width()];
            for row in inputs.chunks_exact_mut(layout.input_width()) {
                row[..3].fill_with(|| (2.0 * random.uniform() - 1.0) as f32);
            }
            let targets = measured.iter().flat_map(|y| [scale.target(*y) as f32, f32::NAN]).collect();
            let batch = Batch { rows: 6, inputs, targets };
            let mut trainer = Trainer::new(layout.clone(), block.clone(), &settings, &scales);
            let (_, count) = trainer.step(&batch, 1e-3);
            assert_eq!(count, 6);
            let exact = trainer.gradients.clone();
            let mut at = |i: usize, by: f32| {
                trainer.block.clone_from(&block);
                trainer.block[i] += by;
                trainer.loss(&batch).0 / 6.0
            };
            for layer in &layout.layers {
                for i in layer.weights.clone().chain(layer.biases.clone()) {
                    if block[i] == 0.0 {
                        assert_eq!(exact[i], 0.0, "padding learns nothing");
                        continue;
                    }
                    let numeric = (at(i, 1e-3) - at(i, -1e-3)) / 2e-3;
                    assert!(
                        (numeric - f64::from(exact[i])).abs() < 3e-3 * (1.0 + numeric.abs()),
                        "{numeric} {}",
                        exact[i]
                    );
                }
            }
        }
    }
}
