//! The channels of power chips as one source: those that can be read are read, whatever the others do.

use super::sysfs::NumberFile;
use super::{PowerSource, SourceError, Unread, Unusable};
use crate::sys;
use shared::boards::{Whole, whole};
use shared::run_folder::{PowerSetup, Rail, Sample, Total};
use std::io;
use std::path::Path;

/// How often a channel is asked before it counts as one that cannot be read.
const ATTEMPTS: u32 = 3;

/// A figure of a driver: a number in a file, times its scale.
pub(super) struct Figure {
    file: NumberFile,
    scale: f64,
}

impl Figure {
    /// Opens a figure and reads it once.
    ///
    /// # Errors
    /// Why it cannot be read, with its file.
    pub(super) fn open(path: &Path, scale: f64) -> Result<Self, Refusal> {
        let refusal = |why: String, denied: bool| Refusal { why: format!("{}: {why}", path.display()), denied };
        let file = NumberFile::open(path.to_owned()).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => refusal("is not there".into(), false),
            io::ErrorKind::PermissionDenied => refusal("permission denied".into(), true),
            _ => refusal(e.to_string(), false),
        })?;
        let figure = Self { file, scale };
        let mut tried = figure.read();
        for _ in 1..ATTEMPTS {
            if tried.is_ok() {
                break;
            }
            tried = figure.read();
        }
        // The error names the file itself.
        tried.map(|_| figure).map_err(|e| Refusal { why: e.to_string(), denied: false })
    }

    fn read(&self) -> Result<f64, SourceError> {
        self.file.read().map(|number| number as f64 * self.scale)
    }
}

/// Why a figure cannot be read.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) why: String,
    denied: bool,
}

impl Refusal {
    pub(super) fn new(why: String) -> Self {
        Self { why, denied: false }
    }
}

/// A channel that can be read.
pub(super) struct Channel {
    pub(super) rail: Rail,
    pub(super) voltage: Figure,
    pub(super) current: Figure,
}

/// A channel as it was found: its label, and whether it can be read.
pub(super) struct Found {
    pub(super) label: String,
    pub(super) channel: Result<Channel, Refusal>,
}

/// What a channel did while it was read.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last: String,
}

/// Channels as one source.
pub(super) struct Channels {
    setup: PowerSetup,
    channels: Vec<(Channel, Failures)>,
    /// Whether a rail takes part in the total, by rail.
    in_total: Vec<bool>,
    unread: Vec<Unread>,
}

impl Channels {
    /// Joins what was found. The total is that of all rails, also of those that cannot be read: where it lacks one of
    /// them it is not known.
    ///
    /// # Errors
    /// When no channel can be read.
    pub(super) fn join(kind: &str, found: Vec<Found>, advice: &str) -> Result<Self, Unusable> {
        let labels: Vec<String> = found.iter().map(|f| f.label.clone()).collect();
        let total = whole(&labels);
        let parts: Vec<usize> = match &total {
            Whole::Rail(rail) => vec![*rail],
            Whole::Sum(rails) => rails.clone(),
            Whole::Lacks(_) | Whole::Nothing => Vec::new(),
        };
        let (mut channels, mut places, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for (index, Found { label, channel }) in found.into_iter().enumerate() {
            match channel {
                Ok(channel) => {
                    places.push(index);
                    channels.push((channel, Failures::default()));
                }
                Err(refusal) => {
                    unread.push(Unread {
                        label,
                        why: refusal.why,
                        denied: refusal.denied,
                        in_total: parts.contains(&index),
                    });
                }
            }
        }
        if let Whole::Lacks(missing) = &total {
            unread.extend(missing.iter().map(|label| Unread {
                label: (*label).to_owned(),
                why: "no channel bears this label".into(),
                denied: false,
                in_total: true,
            }));
        }
        if channels.is_empty() {
            let first = unread.into_iter().find(|u| !u.why.is_empty());
            return Err(match first {
                Some(Unread { why, denied: true, .. }) => Unusable { why, advice: Unread::PERMISSION.into() },
                Some(Unread { why, .. }) => Unusable { why, advice: "check the kernel's messages (dmesg)".into() },
                None => Unusable { why: "the chip has no connected channel".into(), advice: advice.into() },
            });
        }
        let of = |part: &usize| places.iter().position(|place| place == part).and_then(|i| u8::try_from(i).ok());
        let total = match parts.iter().map(of).collect::<Option<Vec<u8>>>() {
            Some(rails) if rails.len() == 1 => Total::Rail(rails[0]),
            Some(rails) if !rails.is_empty() => Total::Sum(rails),
            _ => Total::Unknown,
        };
        let in_total = places.iter().map(|place| parts.contains(place)).collect();
        let rails = channels.iter().map(|(channel, _)| channel.rail.clone()).collect();
        let setup = PowerSetup { source: kind.into(), rails, total, requested_hz: None };
        Ok(Self { setup, channels, in_total, unread })
    }
}

impl PowerSource for Channels {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        let before = out.len();
        let mut fatal = None;
        for (rail, ((channel, failures), in_total)) in (0..).zip(self.channels.iter_mut().zip(&self.in_total)) {
            // Voltage first, as the reference does: the current, which changes more, is then the fresher of the two.
            match channel.voltage.read().and_then(|mv| Ok((mv, channel.current.read()?))) {
                Ok((mv, ma)) => out.push(Sample { t_ns: sys::monotonic_ns(), rail, mv: mv as f32, ma: ma as f32 }),
                Err(error) => {
                    failures.count += 1;
                    failures.last = error.to_string();
                    // Without a total every rail is as good as another, and the others go on.
                    if *in_total {
                        fatal.get_or_insert(error);
                    }
                }
            }
        }
        match fatal {
            Some(error) => Err(error),
            None if out.len() == before => {
                let last = self.channels.first().map_or_else(String::new, |(_, failures)| failures.last.clone());
                Err(SourceError::Transient(last))
            }
            None => Ok(()),
        }
    }

    fn unread(&self) -> &[Unread] {
        &self.unread
    }

    fn notes(&self) -> Vec<String> {
        let unread = self.unread.iter().map(|u| format!("{} is not measured: {}", u.label, u.why));
        let failed = self.channels.iter().filter(|(_, failures)| failures.count > 0);
        let failed = failed.map(|(channel, failures)| {
            format!("{}: {} readings failed: {}", channel.rail.label, failures.count, failures.last)
        });
        unread.chain(failed).collect()
    }
}
