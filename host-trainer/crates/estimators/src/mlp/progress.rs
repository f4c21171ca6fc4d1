//! Where a training stands, and that as bytes.

use super::layers::Weights;
use super::network::{Epoch, History};

/// How the bytes begin: a name and the version of their form.
const MAGIC: &[u8; 8] = b"LJMLP\x00\x00\x01";
/// More elements than this no list of ours has; it keeps damaged bytes from taking memory.
const MOST: u64 = 1 << 32;

/// Where the training of an ensemble stands after some epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub(super) members: Vec<Member>,
}

/// Where the training of one network stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) weights: Weights,
    /// Weights of the best epoch.
    pub(super) best: Vec<f32>,
    /// Training rows in the order that the last epoch left.
    pub(super) order: Vec<u32>,
    /// State of the stream that batches are drawn by.
    pub(super) random: u64,
    pub(super) history: History,
    /// Step size of the next epoch.
    pub(super) rate: f64,
    /// Epochs since the best one.
    pub(super) stale: usize,
    pub(super) done: bool,
}

impl Progress {
    /// Epochs that the network which is furthest has behind it.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.members.iter().map(|member| member.history.epochs.len()).max().unwrap_or(0)
    }

    /// How training went so far, one history a network.
    pub fn histories(&self) -> impl Iterator<Item = &History> {
        self.members.iter().map(|member| &member.history)
    }

    /// The weights and biases of each network as they are now, layer by layer, padded to whole vectors with zeros.
    pub fn weights(&self) -> impl Iterator<Item = &[f32]> {
        self.members.iter().map(|member| member.weights.block.as_slice())
    }

    /// Everything as bytes, in little-endian order: what is read from them is the same to the last bit.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.count(self.members.len());
        for member in &self.members {
            let Member { weights, best, order, random, history, rate, stale, done } = member;
            for block in [&weights.block, &weights.first, &weights.second, best] {
                out.count(block.len());
                block.iter().for_each(|x| out.0.extend(x.to_le_bytes()));
            }
            out.count(order.len());
            order.iter().for_each(|row| out.0.extend(row.to_le_bytes()));
            out.0.extend(weights.steps.to_le_bytes());
            out.numbers(&[weights.powers.0, weights.powers.1, *rate, history.best_loss]);
            out.0.extend(random.to_le_bytes());
            for count in [*stale, history.best_epoch, history.training_rows, history.validation_rows] {
                out.count(count);
            }
            out.0.push(u8::from(*done));
            out.count(history.epochs.len());
            for epoch in &history.epochs {
                out.count(epoch.member);
                out.count(epoch.epoch);
                out.0.push(u8::from(epoch.validation.is_some()));
                let validation = epoch.validation.unwrap_or(0.0);
                out.numbers(&[epoch.training, validation, epoch.regularisation, epoch.learning_rate]);
            }
        }
        out.0
    }

    /// Reads what [`Progress::to_bytes`] wrote; none of bytes that are something else or damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Reader(bytes.strip_prefix(MAGIC)?);
        let members = bytes.count()?;
        let members = (0..members).map(|_| bytes.member()).collect::<Option<Vec<_>>>()?;
        bytes.0.is_empty().then_some(Self { members })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn count(&mut self, count: usize) {
        self.0.extend((count as u64).to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[f64]) {
        numbers.iter().for_each(|x| self.0.extend(x.to_le_bytes()));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn count(&mut self) -> Option<usize> {
        let count = u64::from_le_bytes(self.array()?);
        (count < MOST).then_some(count as usize)
    }

    fn number(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    /// Numbers of four bytes.
    fn list<T>(&mut self, of: fn([u8; 4]) -> T) -> Option<Vec<T>> {
        let count = self.count()?;
        let (list, rest) = self.0.split_at_checked(count.checked_mul(4)?)?;
        self.0 = rest;
        Some(list.as_chunks().0.iter().map(|bytes| of(*bytes)).collect())
    }

    fn member(&mut self) -> Option<Member> {
        let (block, first, second) =
            (self.list(f32::from_le_bytes)?, self.list(f32::from_le_bytes)?, self.list(f32::from_le_bytes)?);
        let best = self.list(f32::from_le_bytes)?;
        if [&first, &second, &best].iter().any(|list| list.len() != block.len()) {
            return None;
        }
        let order = self.list(u32::from_le_bytes)?;
        let steps = self.array().map(u32::from_le_bytes)?;
        let powers = (self.number()?, self.number()?);
        let (rate, best_loss) = (self.number()?, self.number()?);
        let random = self.array().map(u64::from_le_bytes)?;
        let (stale, best_epoch) = (self.count()?, self.count()?);
        let (training_rows, validation_rows) = (self.count()?, self.count()?);
        let done = self.flag()?;
        let epochs = self.count()?;
        let epochs = (0..epochs).map(|_| self.epoch()).collect::<Option<Vec<_>>>()?;
        let history = History { epochs, best_epoch, best_loss, training_rows, validation_rows };
        let weights = Weights { block, first, second, steps, powers };
        Some(Member { weights, best, order, random, history, rate, stale, done })
    }

    fn epoch(&mut self) -> Option<Epoch> {
        let (member, epoch, validated) = (self.count()?, self.count()?, self.flag()?);
        let (training, validation) = (self.number()?, self.number()?);
        let (regularisation, learning_rate) = (self.number()?, self.number()?);
        let validation = validated.then_some(validation);
        Some(Epoch { member, epoch, training, validation, regularisation, learning_rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let weights = Weights {
            block: vec![1.5, -0.1],
            first: vec![0.0, 1e-30],
            second: vec![2.0, 3.0],
            steps: 7,
            powers: (0.9, 0.999),
        };
        let epoch = |epoch, validation| Epoch {
            member: 0,
            epoch,
            training: 0.1 + 0.2,
            validation,
            regularisation: 1e-9,
            learning_rate: 5e-3,
        };
        let history = History {
            epochs: vec![epoch(1, Some(0.3)), epoch(2, None)],
            best_epoch: 1,
            best_loss: f64::INFINITY,
            training_rows: 3,
            validation_rows: 0,
        };
        let member = Member {
            weights,
            best: vec![1.0, 2.0],
            order: vec![2, 0, 1],
            random: u64::MAX,
            history,
            rate: 0.1,
            stale: 4,
            done: false,
        };
        Progress { members: vec![member] }
    }

    #[test]
    fn bytes_give_the_same_back_and_damaged_ones_nothing() {
        let progress = progress();
        let bytes = progress.to_bytes();
        assert_eq!(Progress::from_bytes(&bytes), Some(progress));
        for length in 0..bytes.len() {
            assert_eq!(Progress::from_bytes(&bytes[..length]), None, "{length}");
        }
        let mut long = bytes.clone();
        long[8..16].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        assert_eq!(Progress::from_bytes(&long), None, "no memory is taken for what is not there");
        assert_eq!(Progress::from_bytes(&[bytes, vec![0]].concat()), None);
    }
}
