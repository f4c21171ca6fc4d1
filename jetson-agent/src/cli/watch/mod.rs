//! `watch` and `export`.

mod layout;
mod screen;

use super::context::{Context, Format};
use super::simulated_args::SimulatedArgs;
use super::source_args::SourceArgs;
use crate::live::{Display, FollowPlan, Latest, Listen, Token, View, follow, serve};
use clap::Args;
use screen::Screen;
use shared::failure::{Failure, Kind};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Readings per second where nothing else is asked for: enough for what people see, at a tenth of the cost of a measurement.
const USUAL_HZ: f64 = 100.0;

/// What `watch` and `export` have in common.
#[derive(Debug, Args)]
struct FollowArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    simulated: SimulatedArgs,
    /// Between two looks: 200ms or longer. Power is the mean over it.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = interval)]
    interval: Duration,
    /// How long; else until Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = super::values::duration)]
    duration: Option<Duration>,
    /// A file with the token that readers of the metrics have to bring (`Authorization: Bearer …`); else the variable
    /// JETSON_AGENT_TOKEN holds it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Show power, energy, clocks, temperatures and throttling, live.
///
/// On a terminal a view that is drawn again and again; `q` or Ctrl-C ends it. Elsewhere a line for each interval, or with `--json` one
/// line of JSON.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    follow: FollowArgs,
    /// Serve the same values to Prometheus at http://ADDR/metrics: HOST:PORT, or PORT on this machine. An address that others can reach
    /// needs a token.
    #[arg(long, value_name = "ADDR")]
    prometheus: Option<String>,
    /// A line of JSON for each interval; the same as `--format json`.
    #[arg(long)]
    json: bool,
}

/// Serve power, energy, clocks, temperatures and throttling to Prometheus, and print nothing.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    follow: FollowArgs,
    /// Where: HOST:PORT, or PORT on this machine. An address that others can reach needs a token.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9841")]
    listen: String,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = super::values::duration(text)?;
    if interval < Duration::from_millis(200) {
        return Err(format!("`{text}` is shorter than 200ms"));
    }
    Ok(interval)
}

impl FollowArgs {
    fn listen(&self, context: &Context, address: &str) -> Result<Listen, Failure> {
        let token = match (&self.token_file, std::env::var("JETSON_AGENT_TOKEN")) {
            (Some(path), _) => {
                warn_if_open(context, path);
                Some(Token::from_file(path)?)
            }
            (None, Ok(text)) => Some(Token::new(&text).map_err(|failure| failure.place("JETSON_AGENT_TOKEN"))?),
            (None, Err(_)) => None,
        };
        Listen::new(address, token)
    }

    fn serve(&self, context: &Context, address: &str) -> Result<Latest, Failure> {
        let latest = Latest::default();
        let address = serve(&self.listen(context, address)?, latest.clone())?;
        context.printer.say(format!("serving http://{address}/metrics"));
        Ok(latest)
    }

    fn run(&self, context: &Context, display: &mut dyn Display) -> Result<(), Failure> {
        let stop = context.stop_quietly_on_signals()?;
        let _restores = self.source.set_sensor(context)?;
        let (source, board) = self.source.open_or_simulate(context, &self.simulated)?;
        let plan = FollowPlan {
            root: context.root.clone(),
            sampling: self.source.sampling_or(USUAL_HZ),
            interval: self.interval,
            duration: self.duration,
        };
        let load = self.simulated.simulate_watts;
        let mut tick = |seconds: f64| {
            // The simulated load comes and goes every four seconds.
            if let Some(board) = &board {
                let runs = (seconds / 4.0) as u64 % 2 == 1;
                board.draw(SimulatedArgs::IDLE_WATTS + if runs { load } else { 0.0 });
            }
        };
        follow(source, &plan, &stop, display, &mut tick)
    }
}

/// A token that others on the machine can read protects nothing from them.
fn warn_if_open(context: &Context, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        context.printer.warn(format!("{}: others can read the token; `chmod 600` the file", path.display()));
    }
}

impl WatchArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let latest = self.prometheus.as_deref().map(|address| self.follow.serve(context, address)).transpose()?;
        let json = self.json || context.format == Format::Json;
        if !json && std::io::stdout().is_terminal() {
            let mut screen = Screen::open(context.printer, latest)?;
            let result = self.follow.run(context, &mut screen);
            // The last view stays readable after the screen is left.
            let last = screen.close();
            return result.and_then(|()| context.printer.data(&last));
        }
        self.follow.run(context, &mut Lines { context, json, latest, over: false })
    }
}

impl ExportArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let latest = self.follow.serve(context, &self.listen)?;
        self.follow.run(context, &mut Served(latest))
    }
}

/// Only the server shows views.
struct Served(Latest);

impl Display for Served {
    fn show(&mut self, view: &View) -> Result<(), Failure> {
        self.0.put(view);
        Ok(())
    }
}

/// A line for each view.
struct Lines<'a> {
    context: &'a Context,
    json: bool,
    latest: Option<Latest>,
    over: bool,
}

impl Display for Lines<'_> {
    fn show(&mut self, view: &View) -> Result<(), Failure> {
        if let Some(latest) = &self.latest {
            latest.put(view);
        }
        let line = if self.json {
            serde_json::to_string(view).map_err(|e| Failure::from_error(Kind::Data, e))? + "\n"
        } else {
            layout::line(view)
        };
        self.over = !self.context.printer.stream(&line)?;
        Ok(())
    }

    fn is_over(&mut self) -> bool {
        self.over
    }
}
