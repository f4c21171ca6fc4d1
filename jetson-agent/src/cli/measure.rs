//! `measure`.

use super::context::{Context, Format};
use super::simulated_args::SimulatedArgs;
use super::source_args::SourceArgs;
use crate::measure::{CommandEnergy, Estimate, MeasurePlan, Measured, RailEnergy, idle_time, measure, settling_time};
use crate::sys;
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Measure the energy of a command.
///
/// Idle power is read first, then the command runs, then readings go on until a slow sensor has seen all of it. The command keeps
/// stdin, stdout and stderr, gets signals such as Ctrl-C, and its exit code becomes that of `measure` (128 and the signal's number if
/// a signal ended it). Processes that it leaves running are not waited for.
#[derive(Debug, Args)]
pub(super) struct MeasureArgs {
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    simulated: SimulatedArgs,
    /// How long idle power is read before the command; else as long as the sensor needs, 2 s at least. `0` leaves it out: then nothing
    /// is known above idle, and behind a slow sensor the energy of a short command is a guess.
    #[arg(long, value_name = "TIME", value_parser = super::values::duration)]
    idle: Option<Duration>,
    /// How long readings go on after the command; else as long as the sensor needs to see all of it.
    #[arg(long, value_name = "TIME", value_parser = super::values::duration)]
    settle: Option<Duration>,
    /// Where the result goes: a file, or `-` for stdout; else stderr, since stdout is the command's.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The result as one line of JSON; the same as `--format json`.
    #[arg(long)]
    json: bool,
}

impl MeasureArgs {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        sys::hand_signals_on()
            .map_err(|e| Failure::new(Kind::Io, format!("cannot watch for Ctrl-C: {e}")).caused_by(e))?;
        let _restores = self.source.set_sensor(context)?;
        let (source, board) = self.source.open_or_simulate(context, &self.simulated)?;
        let plan = MeasurePlan {
            command: self.command.clone(),
            sampling: self.source.energy_sampling(source.setup()),
            idle: self.idle,
            settling: self.settle,
        };
        let setup = source.setup();
        let idle = self.idle.unwrap_or_else(|| idle_time(setup));
        if !idle.is_zero() {
            let settle = self.settle.unwrap_or_else(|| settling_time(setup)).as_secs_f64();
            context.printer.say(format!(
                "reading idle power for {:.1} s, then the command, then {settle:.1} s for the sensor to settle",
                idle.as_secs_f64()
            ));
        }
        let watts = self.simulated.simulate_watts;
        let load = |runs: bool| {
            if let Some(board) = &board {
                board.draw(SimulatedArgs::IDLE_WATTS + if runs { watts } else { 0.0 });
            }
        };
        match measure(source, &plan, &load)? {
            Measured::NotStarted(why) => {
                context.printer.fail(&why.failure);
                Ok(ExitCode::from(why.code))
            }
            Measured::Ran(energy) => {
                self.write(context, &energy)?;
                Ok(exit_code(&energy))
            }
        }
    }

    fn write(&self, context: &Context, energy: &CommandEnergy) -> Result<(), Failure> {
        let text = if self.json || context.format == Format::Json {
            serde_json::to_string(energy).map_err(|e| Failure::from_error(Kind::Data, e))? + "\n"
        } else {
            human(energy)
        };
        match self.output.as_deref() {
            None => context.printer.result(&text),
            Some(path) if path == Path::new("-") => context.printer.data(&text),
            Some(path) => write_atomic(path, text.as_bytes()),
        }
    }
}

/// The command's own exit code, as a shell gives it. Without a known energy a command that succeeded is still a measurement that
/// failed.
fn exit_code(energy: &CommandEnergy) -> ExitCode {
    let measured = energy.total.iter().chain(&energy.rails).any(|rail| rail.energy.is_some());
    match (energy.exit_code, energy.signal) {
        (Some(0), _) if !measured => Kind::Device.into(),
        (Some(code), _) => ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)),
        (None, Some(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        (None, None) => ExitCode::FAILURE,
    }
}

/// Joules with as many digits as their size deserves.
fn joules(value: f64) -> String {
    match value.abs() {
        v if v >= 1e5 => format!("{:.2} kJ", value * 1e-3),
        v if v >= 100.0 => format!("{value:.1} J"),
        v if v >= 1.0 => format!("{value:.3} J"),
        _ => format!("{:.2} mJ", value * 1e3),
    }
}

fn with_uncertainty(estimate: &Estimate) -> String {
    let sure = match estimate.uncertainty_joules {
        Some(uncertainty) => format!("± {}", joules(uncertainty)),
        None => format!("± unknown ({} from what is known)", joules(estimate.known_uncertainty_joules)),
    };
    format!("{} {sure}", joules(estimate.joules))
}

fn rail(out: &mut String, rail: &RailEnergy) {
    let watts = |value: Option<f64>| value.map_or("not known".to_owned(), |watts| format!("{watts:.3} W"));
    let energy = |value: &Option<Estimate>| value.as_ref().map_or("not known".to_owned(), with_uncertainty);
    *out += &format!("energy         {}\n", energy(&rail.energy));
    *out += &format!("above idle     {}\n", energy(&rail.above_idle));
    let idle = rail.idle.map(|idle| idle.watts);
    *out += &format!(
        "average power  {}, highest reading {}, idle {}\n",
        watts(rail.mean_watts),
        watts(rail.peak_watts),
        watts(idle)
    );
}

fn human(energy: &CommandEnergy) -> String {
    let ended = match (energy.exit_code, energy.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "end not known".to_owned(),
    };
    let mut out = format!(
        "\n{} ran {:.3} s ({:.3} s user, {:.3} s system), {ended}\n",
        energy.command.first().map_or("", String::as_str),
        energy.seconds,
        energy.user_seconds,
        energy.system_seconds
    );
    let several = energy.rails.len() > 1 || energy.total.is_none();
    match &energy.total {
        Some(total) => {
            out += &format!("of {} ({}), 90 % intervals\n", total.label, energy.source);
            rail(&mut out, total);
        }
        None => out += &format!("no rail or sum of rails of {} stands for the whole board\n", energy.source),
    }
    if several {
        out += "\nrail                    energy   above idle      average      highest\n";
        for rail in &energy.rails {
            let cell = |value: Option<String>| value.unwrap_or_else(|| "not known".into());
            out += &format!(
                "{:<18} {:>11} {:>12} {:>12} {:>12}\n",
                rail.label,
                cell(rail.energy.as_ref().map(|e| joules(e.joules))),
                cell(rail.above_idle.as_ref().map(|e| joules(e.joules))),
                cell(rail.mean_watts.map(|w| format!("{w:.3} W"))),
                cell(rail.peak_watts.map(|w| format!("{w:.3} W")))
            );
        }
    }
    let mut reasons: Vec<&str> = Vec::new();
    let energies = energy.total.iter().chain(energy.rails.iter().filter(|_| energy.total.is_none()));
    for why in energies.filter_map(|rail| rail.energy.as_ref()).flat_map(|estimate| &estimate.unknown) {
        if !reasons.contains(&why.as_str()) {
            reasons.push(why);
        }
    }
    reasons.iter().for_each(|why| out += &format!("not known: {why}\n"));
    if reasons.is_empty() && energy.sensors.iter().any(|sensor| sensor.accuracy.is_some_and(|limits| limits.gain > 0.0))
    {
        out += "the shunt's tolerance comes on top: no board reports it\n";
    }
    energy.notes.iter().for_each(|note| out += &format!("note: {note}\n"));
    let own = energy.agent_joules_at_most.map_or(String::new(), |own| format!(", at most {}", joules(own)));
    out += &format!(
        "{} readings, {:.0} per second; measuring took {:.3} s of CPU time{own}\n",
        energy.readings, energy.achieved_hz, energy.agent_cpu_seconds
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joules_have_a_unit_that_fits() {
        assert_eq!(joules(0.012_345), "12.35 mJ");
        assert_eq!(joules(12.345_6), "12.346 J");
        assert_eq!(joules(1234.56), "1234.6 J");
        assert_eq!(joules(-250_000.0), "-250.00 kJ");
    }
}
