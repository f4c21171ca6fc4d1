//! `rails`.

use super::context::Context;
use super::source_args::{NO_SENSOR, SourceSpec};
use crate::power::{PowerSource, SamplerOptions, Unread, sample_briefly, total_lacks};
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::run_folder::{Sensor, Total};
use shared::sensor::SensorFamily;
use std::time::Duration;

/// List power rails.
#[derive(Debug, Args)]
pub(super) struct RailsArgs {
    /// How long to read each source.
    #[arg(long, default_value = "500ms", value_parser = super::values::duration)]
    duration: Duration,
    /// Which source: auto (all that are found), hwmon, iio, ina238, nvml[:LIBRARY], powercap, simulated,
    /// serial:PORT[,csv|powersensor3[,BAUD]] or replay:FOLDER.
    #[arg(long, default_value = "auto")]
    source: SourceSpec,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    sources: Vec<SourceAnswer>,
}

#[derive(serde::Serialize)]
struct SourceAnswer {
    kind: String,
    place: String,
    problem: Option<String>,
    advice: Option<String>,
    rails: Vec<RailAnswer>,
    total: Option<String>,
    total_watts: Option<f64>,
    total_problem: Option<String>,
    rate_hz: Option<f64>,
    refresh_ms: Option<f64>,
}

#[derive(serde::Serialize)]
struct RailAnswer {
    label: String,
    millivolts: Option<f64>,
    milliamps: Option<f64>,
    watts: Option<f64>,
    total: bool,
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<SensorAnswer>,
}

/// What the rail's chip does, as far as it is known.
#[derive(serde::Serialize)]
struct SensorAnswer {
    chip: Option<String>,
    averaging: Option<u32>,
    family: SensorFamily,
    /// Between two new values.
    refresh_ms: f64,
    /// The share of time in which the rail is seen at all.
    duty: f64,
    /// How old the power in a reading is on average.
    lag_ms: f64,
    conversions_from: Option<String>,
}

impl SensorAnswer {
    fn of(sensor: &Sensor) -> Option<Self> {
        let family = sensor.family?;
        let settings = sensor.settings.as_ref();
        Some(Self {
            chip: sensor.chip.clone(),
            averaging: settings.and_then(|settings| settings.averaging),
            family,
            refresh_ms: family.refresh().0 / 1e3,
            duty: family.duty(),
            lag_ms: family.mean_delay().0 / 1e3,
            conversions_from: settings.and_then(|settings| settings.conversions_from.clone()),
        })
    }

    fn human(&self) -> String {
        let chip = self.chip.as_deref().unwrap_or("sensor");
        let averaging = self.averaging.map_or(String::new(), |n| format!(", AVG {n}"));
        let assumed = match self.conversions_from.as_deref() {
            Some("assumed") => "; conversion times assumed",
            Some("driver") => "; conversion times as the driver sets them",
            _ => "",
        };
        format!(
            "{chip}{averaging}: a new value every {:.2} ms, sees {:.0} % of the time, lags by {:.2} ms{assumed}",
            self.refresh_ms,
            self.duty * 1e2,
            self.lag_ms
        )
    }
}

impl RailsArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let sources: Vec<SourceAnswer> = self
            .source
            .candidates(context)?
            .into_iter()
            .map(|candidate| {
                let mut answer = SourceAnswer {
                    kind: candidate.kind.into(),
                    place: candidate.place,
                    problem: None,
                    advice: None,
                    rails: Vec::new(),
                    total: None,
                    total_watts: None,
                    total_problem: None,
                    rate_hz: None,
                    refresh_ms: None,
                };
                match candidate.source {
                    Ok(source) => self.read(source, &mut answer),
                    Err(unusable) => {
                        (answer.problem, answer.advice) = (Some(unusable.why), Some(unusable.advice));
                    }
                }
                answer
            })
            .collect();
        let usable = sources.iter().any(|source| source.problem.is_none());
        let any = !sources.is_empty();
        // A total that permission alone keeps from being known is asked for, not passed over.
        let denied = sources.iter().find_map(|source| source.total_problem.clone().filter(|_| source.advice.is_some()));
        context.answer(&Answer { schema_version: 1, sources }, human)?;
        match denied {
            Some(why) if usable => return Err(Failure::new(Kind::Device, why).help(Unread::PERMISSION)),
            None if usable => return Ok(()),
            _ => {}
        }
        let why = if any { "no power sensor can be read".into() } else { self.source.absence(context) };
        Err(Failure::new(Kind::Device, why).help(NO_SENSOR))
    }

    fn read(&self, source: Box<dyn PowerSource>, answer: &mut SourceAnswer) {
        // As fast as it answers, but no faster than 2 kHz: a rate beyond that is no sensor's.
        let options = SamplerOptions { rate_hz: Some(2_000.0), realtime: false };
        answer.total_problem = total_lacks(source.as_ref());
        let unread: Vec<Unread> = source.unread().to_vec();
        answer.advice = unread.iter().any(|unread| unread.denied).then(|| Unread::PERMISSION.to_owned());
        match sample_briefly(source, options, self.duration) {
            Ok((samples, outcome, setup)) => {
                let last = |rail: u8| samples.iter().rev().find(|s| s.rail == rail);
                for (index, rail) in (0..).zip(&setup.rails) {
                    let sample = last(index);
                    answer.rails.push(RailAnswer {
                        label: rail.label.clone(),
                        millivolts: sample.filter(|_| rail.voltage_measured).map(|s| f64::from(s.mv)),
                        milliamps: sample.filter(|_| rail.voltage_measured).map(|s| f64::from(s.ma)),
                        watts: sample.map(|s| s.power().0),
                        total: setup.total == Total::Rail(index),
                        problem: None,
                        sensor: SensorAnswer::of(&rail.sensor),
                    });
                }
                answer.rails.extend(unread.into_iter().map(|unread| RailAnswer {
                    label: unread.label,
                    millivolts: None,
                    milliamps: None,
                    watts: None,
                    total: false,
                    problem: Some(unread.why),
                    sensor: None,
                }));
                let watts = |rails: &[u8]| rails.iter().map(|r| last(*r).map(|s| s.power().0)).sum::<Option<f64>>();
                let label = |rail: u8| setup.rails.get(usize::from(rail)).map_or("", |r| r.label.as_str());
                (answer.total, answer.total_watts) = match &setup.total {
                    Total::Unknown => (None, None),
                    Total::Rail(rail) => (Some(label(*rail).to_owned()), watts(&[*rail])),
                    Total::Sum(rails) => {
                        let labels = rails.iter().map(|r| label(*r)).collect::<Vec<_>>().join(" + ");
                        (Some(format!("sum of {labels}")), watts(rails))
                    }
                };
                answer.rate_hz = Some(outcome.report.achieved_hz);
                answer.refresh_ms = outcome.report.refresh_ms;
            }
            Err(error) => {
                answer.problem = Some(error.to_string());
                answer.advice = Some("check its permissions and the kernel's messages (dmesg)".into());
            }
        }
    }
}

fn human(answer: &Answer) -> String {
    let mut out = String::new();
    for source in &answer.sources {
        out += &format!("{} ({})\n", source.kind, source.place);
        if let Some(problem) = &source.problem {
            out += &format!("  cannot be read: {problem}\n");
        }
        if let Some(advice) = &source.advice {
            out += &format!("  hint: {advice}\n");
        }
        for rail in &source.rails {
            if let Some(problem) = &rail.problem {
                out += &format!("  {:<18} cannot be read: {problem}\n", rail.label);
                continue;
            }
            let number = |value: Option<f64>, unit: &str| value.map_or(String::new(), |v| format!("{v:.0} {unit}"));
            let watts = rail.watts.map_or("no reading".into(), |w| format!("{w:.3} W"));
            let total = if rail.total { "  total" } else { "" };
            let row = format!(
                "  {:<18} {:>9} {:>9} {:>10}{total}",
                rail.label,
                number(rail.millivolts, "mV"),
                number(rail.milliamps, "mA"),
                watts
            );
            out += row.trim_end();
            out.push('\n');
            if let Some(sensor) = &rail.sensor {
                out += &format!("    {}\n", sensor.human());
            }
        }
        if let (Some(total), Some(watts)) = (&source.total, source.total_watts) {
            out += &format!("  total: {total}, {watts:.3} W\n");
        } else if source.problem.is_none() {
            let why = source.total_problem.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            out += &format!("  total: not known{why}\n");
        }
        if let Some(rate) = source.rate_hz {
            let refresh = source.refresh_ms.map_or("the values did not change often enough to tell".to_owned(), |ms| {
                format!("new values every {ms:.2} ms")
            });
            out += &format!("  read {rate:.0} times a second; {refresh}\n");
        }
    }
    out
}
