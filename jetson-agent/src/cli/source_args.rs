//! Choosing a power source.

use super::context::Context;
use super::simulated_args::SimulatedArgs;
use super::values::{Rate, rate};
use crate::measure::sufficient_hz;
use crate::power::{
    Candidate, NoSource, PowerSource, ReplaySource, SamplerOptions, SensorGuard, SimulatedBoard, SourceError, absence,
    discover, find_nvml, serial, total_lacks,
};
use clap::{Args, ValueEnum};
use shared::failure::{Failure, Kind};
use shared::run_folder::{PowerSetup, RunFolder};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The next step where no sensor is found.
pub(super) const NO_SENSOR: &str = "attach an external meter (--source serial:…), or try a simulated board with --source simulated \
     (`profile` and `experiment` need --runner simulated as well)";

/// What `--source` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SourceSpec {
    /// The first that can be read.
    Auto,
    /// A kind that is discovered.
    Kind(String),
    /// NVML from a given library.
    NvmlLibrary(PathBuf),
    /// A serial meter.
    Serial { port: String, protocol: serial::Protocol, baud: u32 },
    /// A recorded run.
    Replay(PathBuf),
    /// The simulated board.
    Simulated,
    /// None: run times alone.
    Nothing,
}

impl FromStr for SourceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match (kind, rest) {
            ("auto", "") => Ok(Self::Auto),
            ("simulated", "") => Ok(Self::Simulated),
            ("none", "") => Ok(Self::Nothing),
            ("hwmon" | "iio" | "ina238" | "nvml" | "powercap", "") => Ok(Self::Kind(kind.into())),
            ("nvml", library) => Ok(Self::NvmlLibrary(library.into())),
            ("replay", folder) if !folder.is_empty() => Ok(Self::Replay(folder.into())),
            ("serial", rest) if !rest.is_empty() => {
                let mut parts = rest.split(',');
                let port = parts.next().unwrap_or_default().to_owned();
                let protocol = match parts.next().unwrap_or("csv") {
                    "csv" => serial::Protocol::CsvLines,
                    "powersensor3" => serial::Protocol::PowerSensor3,
                    other => return Err(format!("`{other}` is no protocol: csv or powersensor3")),
                };
                let baud = parts.next().unwrap_or("115200");
                let baud = baud.parse().map_err(|_| format!("`{baud}` is no baud rate"))?;
                Ok(Self::Serial { port, protocol, baud })
            }
            _ => Err(format!(
                "`{text}` is no source: auto, hwmon, iio, ina238, nvml, powercap, simulated, none, serial:PORT[,csv|powersensor3[,BAUD]] or replay:FOLDER"
            )),
        }
    }
}

/// How the board's sensor is set for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SensorSetting {
    /// As it is.
    AsIs,
    /// The quickest useful setting.
    Fast,
}

/// Readings a second where nothing else is asked for.
const USUAL_HZ: f64 = 1000.0;

/// How to sample.
#[derive(Debug, Clone, Args)]
pub(super) struct SourceArgs {
    /// Where power comes from: auto, hwmon, iio, ina238, nvml[:LIBRARY], powercap, simulated,
    /// serial:PORT[,csv|powersensor3[,BAUD]], replay:FOLDER, or none, which measures run times alone.
    #[arg(long, default_value = "auto")]
    pub(super) source: SourceSpec,
    /// Readings a second, or `max` to read back to back; else 1000, and `max` with --sensor fast. `idle` and `measure` read a sensor that
    /// is known to renew more slowly twice per renewal. A streaming meter sets its own rate.
    #[arg(long, value_parser = rate)]
    pub(super) rate: Option<Rate>,
    /// Setting of the board's sensor for this run: as it is, or fast (no averaging, the shortest conversions, only what measures
    /// the total). Restored afterwards. Needs root.
    #[arg(long, value_enum, default_value_t = SensorSetting::AsIs)]
    pub(super) sensor: SensorSetting,
    /// Samples that the INA3221 averages, for this run: 1, 4, 16, … 1024. Restored afterwards. Needs root.
    #[arg(long, value_name = "N", conflicts_with = "sensor")]
    pub(super) sensor_averaging: Option<u32>,
    /// Do not ask for real-time priority for the sampling thread.
    #[arg(long)]
    pub(super) no_realtime: bool,
}

impl SourceArgs {
    pub(super) fn sampling(&self) -> SamplerOptions {
        SamplerOptions { rate_hz: self.rate_hz(), realtime: !self.no_realtime }
    }

    /// As [`sampling`](Self::sampling), with another rate where none is asked for.
    pub(super) fn sampling_or(&self, usual_hz: f64) -> SamplerOptions {
        let rate_hz =
            if self.rate.is_none() && self.sensor == SensorSetting::AsIs { Some(usual_hz) } else { self.rate_hz() };
        SamplerOptions { rate_hz, ..self.sampling() }
    }

    /// As [`sampling`](Self::sampling) for an energy or a mean: where no rate is asked for, no more readings than renewals call for.
    pub(super) fn energy_sampling(&self, setup: &PowerSetup) -> SamplerOptions {
        self.sampling_or(sufficient_hz(setup).map_or(USUAL_HZ, |hz| hz.min(USUAL_HZ)))
    }

    /// Readings a second; `None` is back to back. A sensor that was set to be fast renews as often as its bus lets it be read.
    pub(super) fn rate_hz(&self) -> Option<f64> {
        match (self.rate, self.sensor) {
            (Some(rate), _) => rate.0,
            (None, SensorSetting::Fast) => None,
            (None, SensorSetting::AsIs) => Some(USUAL_HZ),
        }
    }

    /// Changes the sensor's setting if asked to, and says what it did; the guard changes it back.
    pub(super) fn set_sensor(&self, context: &Context) -> Result<Option<SensorGuard>, Failure> {
        let set = match (self.sensor, self.sensor_averaging) {
            (SensorSetting::Fast, _) => SensorGuard::fastest(&context.root),
            (SensorSetting::AsIs, Some(samples)) => SensorGuard::averaging(&context.root, samples),
            (SensorSetting::AsIs, None) => return Ok(None),
        };
        let guard = set.map_err(|e| {
            Failure::from_error(Kind::Device, e).help("run with sudo, or leave out --sensor and --sensor-averaging")
        })?;
        guard.said().iter().for_each(|said| context.printer.say(said));
        Ok(Some(guard))
    }

    /// Leaves the sensor as it was set for all runs together, and its rate.
    pub(super) fn keep_sensor(&mut self) {
        self.rate = Some(Rate(self.rate_hz()));
        (self.sensor, self.sensor_averaging) = (SensorSetting::AsIs, None);
    }

    /// Opens the source; the simulated one with the board that it reads.
    pub(super) fn open_or_simulate(
        &self,
        context: &Context,
        simulated: &SimulatedArgs,
    ) -> Result<(Box<dyn PowerSource>, Option<SimulatedBoard>), Failure> {
        if self.source == SourceSpec::Simulated {
            let (source, board) = simulated.open(self.rate_hz())?;
            return Ok((Box::new(source), Some(board)));
        }
        Ok((self.open(context)?, None))
    }

    /// Opens the source for a run, which has run times even where no power can be measured: `auto` goes without power, and warns,
    /// where the machine has no sensor at all. A sensor that is there and cannot be read is a failure all the same.
    pub(super) fn open_or_none(&self, context: &Context) -> Result<Box<dyn PowerSource>, Failure> {
        match &self.source {
            SourceSpec::Nothing => Ok(Box::<NoSource>::default()),
            SourceSpec::Auto => match first_usable(discover(&context.root)) {
                Ok(Some(source)) => Ok(source),
                Ok(None) => {
                    let why = absence(&context.root);
                    context.printer.warn(format!("run times alone are measured, and no power: {why}"));
                    Ok(Box::<NoSource>::default())
                }
                Err(failure) => {
                    let help = failure.help.clone().map_or_else(String::new, |help| format!("{help}; "));
                    Err(failure.help(format!("{help}--source none measures run times alone")))
                }
            },
            _ => self.open(context),
        }
    }

    /// Opens the source. The simulated one comes from the runner that draws on its board.
    pub(super) fn open(&self, context: &Context) -> Result<Box<dyn PowerSource>, Failure> {
        self.source.open(context)
    }
}

impl SourceSpec {
    /// Every source that it names, also those that cannot be read: what is found for `auto`, else one.
    pub(super) fn candidates(&self, context: &Context) -> Result<Vec<Candidate>, Failure> {
        let one = |kind, place: String| Ok(vec![Candidate { kind, place, source: Ok(self.open(context)?) }]);
        match self {
            Self::Auto => Ok(discover(&context.root)),
            Self::Kind(kind) => Ok(discover(&context.root).into_iter().filter(|c| c.kind == kind).collect()),
            Self::NvmlLibrary(path) => Ok(find_nvml(Some(path)).into_iter().collect()),
            Self::Serial { port, .. } => one("serial", port.clone()),
            Self::Replay(folder) => one("replay", folder.display().to_string()),
            Self::Simulated => {
                let source: Box<dyn PowerSource> = Box::new(SimulatedArgs::idle());
                Ok(vec![Candidate { kind: "simulated", place: "an idle board".into(), source: Ok(source) }])
            }
            Self::Nothing => one("none", String::new()),
        }
    }

    /// What was looked for and not found.
    pub(super) fn absence(&self, context: &Context) -> String {
        match self {
            Self::Kind(kind) => format!("no `{kind}` source was found: {}", absence(&context.root)),
            Self::NvmlLibrary(_) => "no `nvml` source was found: NVML was not found".into(),
            _ => absence(&context.root),
        }
    }

    fn open(&self, context: &Context) -> Result<Box<dyn PowerSource>, Failure> {
        match self {
            Self::Auto | Self::Kind(_) | Self::NvmlLibrary(_) => first_usable(self.candidates(context)?)?
                .ok_or_else(|| Failure::device(self.absence(context)).help(NO_SENSOR)),
            Self::Serial { port, protocol, baud } => {
                serial::open(port, *protocol, *baud).map_err(|e| Failure::from_error(Kind::Device, e))
            }
            Self::Replay(folder) => Ok(Box::new(ReplaySource::open(&log_of(folder))?)),
            Self::Simulated => {
                Err(Failure::usage("the simulated source needs the simulated runner").help("add --runner simulated"))
            }
            Self::Nothing => Err(Failure::usage("without a power source there is nothing to read")
                .help("--source none is for `profile` and `experiment`, which measure run times too")),
        }
    }
}

/// A run folder's log, or the log itself.
pub(super) fn log_of(path: &Path) -> PathBuf {
    match RunFolder::at(path) {
        Some(run) if path.is_dir() => run.sample_log(),
        _ => path.to_owned(),
    }
}

/// The first source that returns readings; none where there is no candidate.
///
/// # Errors
/// Why the first candidate cannot be used, where none can.
fn first_usable(candidates: Vec<Candidate>) -> Result<Option<Box<dyn PowerSource>>, Failure> {
    let mut unusable = None;
    for candidate in candidates {
        match candidate.source {
            // The proof is in the reading: a source that opens may still refuse it.
            Ok(mut source) => match source.read(&mut Vec::new()) {
                Ok(()) => match total_lacks(source.as_ref()) {
                    None => return Ok(Some(source)),
                    // A part of the total is not measured as if it were the total.
                    Some(why) => {
                        unusable.get_or_insert((
                            candidate.place,
                            why,
                            "`jetson-agent rails` reads what can be read; measure the board's input with an external meter \
                             (--source serial:…)"
                                .to_owned(),
                        ));
                    }
                },
                Err(SourceError::Transient(why) | SourceError::Lost(why)) => {
                    unusable.get_or_insert((
                        candidate.place,
                        why,
                        "check its permissions with `jetson-agent rails`".to_owned(),
                    ));
                }
                Err(SourceError::Ended) => {}
            },
            Err(problem) => {
                unusable.get_or_insert((candidate.place, problem.why, problem.advice));
            }
        }
    }
    match unusable {
        Some((place, why, advice)) => Err(Failure::device(why).at(place).help(advice)),
        None => Ok(None),
    }
}
