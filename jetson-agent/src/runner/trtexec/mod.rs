//! Runs engines through NVIDIA's `trtexec`, which every Jetson has.
//!
//! Four calls: build (from ONNX), layer info, power pass, profiled pass. The profiler slows an engine down, so the power
//! pass runs without it. `trtexec` counts time from its own start; the line it writes when inference begins, stamped on
//! arrival, joins its time to ours, and by how much the end disagrees is recorded as the uncertainty.

mod exports;
mod process;

pub use exports::{ProfileEntry, Trace, parse_profile, parse_times};
pub use process::{ProcessError, run_child};

use super::{EngineRunner, Job, Observer, Prepared, RunnerError};
use crate::sys;
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::{InferenceSpan, LayerRun, LayerStamp, LayerTimes, Pass, PassSpan, RunnerSetup};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Where JetPack installs it.
const USUAL_PLACE: &str = "/usr/src/tensorrt/bin/trtexec";
/// Variables that a child process may see; everything else stays with us.
const ENVIRONMENT: [&str; 7] =
    ["PATH", "HOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "TMPDIR", "JETSON_AGENT_STAND_IN"];

/// How long each call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Building an engine.
    pub build: Duration,
    /// Anything else.
    pub run: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { build: Duration::from_secs(3600), run: Duration::from_secs(1800) }
    }
}

/// Finds `trtexec`: the given path, else on the search path, else JetPack's.
///
/// # Errors
/// When it is nowhere.
pub fn find(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = given {
        return if path.is_file() { Ok(path.to_owned()) } else { Err(format!("{}: no such file", path.display())) };
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|folder| folder.join("trtexec"))
        .chain([PathBuf::from(USUAL_PLACE)])
        .find(|path| path.is_file())
        .ok_or_else(|| format!("trtexec is neither on the search path nor at {USUAL_PLACE}"))
}

/// TensorRT's version as `trtexec` prints it first: `[TensorRT v100300]` or `[TensorRT v8502]`.
#[must_use]
pub fn version_of(line: &str) -> Option<String> {
    let digits = line.split_once("[TensorRT v")?.1.split(']').next()?;
    let number: u32 = digits.parse().ok()?;
    // Since version 10 there are two digits for minor and patch each, before one for minor.
    Some(if number >= 100_000 {
        format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
    } else {
        format!("{}.{}.{}", number / 1_000, number / 100 % 10, number % 100)
    })
}

/// The version of an installed `trtexec`.
#[must_use]
pub fn installed_version(program: &Path) -> Option<String> {
    let mut version = None;
    let mut command = command(program);
    command.arg("--help");
    let never = AtomicBool::new(false);
    // Its help ends with 0 or 1 by version; the line counts, not the code.
    let _ = run_child(&mut command, None, Duration::from_secs(20), &never, &mut |line, _| {
        version = version.take().or_else(|| version_of(line));
    });
    version
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// The runner.
#[derive(Debug)]
pub struct Trtexec {
    program: PathBuf,
    timeouts: Timeouts,
    engine: PathBuf,
    shapes: Option<String>,
    work: PathBuf,
    warmup: u32,
    /// Between two inferences, in the whole milliseconds that trtexec takes.
    idle_ms: u64,
    layers: Vec<String>,
    stop: Arc<AtomicBool>,
}

impl Trtexec {
    /// With an installed program.
    #[must_use]
    pub fn new(program: PathBuf, timeouts: Timeouts) -> Self {
        Self {
            program,
            timeouts,
            engine: PathBuf::new(),
            shapes: None,
            work: PathBuf::new(),
            warmup: 0,
            idle_ms: 0,
            layers: Vec::new(),
            stop: Arc::default(),
        }
    }

    /// Runs one call; its output goes to `<name>.log` in the work folder.
    fn call(
        &self,
        name: &str,
        arguments: &[String],
        timeout: Duration,
        on_line: &mut dyn FnMut(&str, u64),
    ) -> Result<(), RunnerError> {
        let log = self.work.join(format!("trtexec_{name}.log"));
        let mut command = command(&self.program);
        command.args(arguments);
        run_child(&mut command, Some(&log), timeout, &self.stop, on_line).map_err(|error| explain(&error, name, &log))
    }

    /// As [`Trtexec::call`], for a call that only builds or loads. What asks for that was named otherwise until
    /// TensorRT 8.5.
    fn call_without_inference(
        &self,
        name: &str,
        arguments: &[String],
        timeout: Duration,
        on_line: &mut dyn FnMut(&str, u64),
    ) -> Result<(), RunnerError> {
        let with = |flag: &str| [arguments, &[flag.to_owned()]].concat();
        match self.call(name, &with("--skipInference"), timeout, on_line) {
            Err(RunnerError::Device { message, .. }) if message.contains("--skipInference") => {
                self.call(name, &with("--buildOnly"), timeout, on_line)
            }
            other => other,
        }
    }

    fn load_arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--loadEngine={}", self.engine.display())];
        arguments.extend(self.shapes.clone());
        arguments
    }

    fn read_export(&self, path: &Path) -> Result<Vec<u8>, RunnerError> {
        read_capped(path, limits::LAYER_LATENCY_BYTES).map_err(|failure| RunnerError::Device {
            message: format!("trtexec ended well but left no readable {}: {}", path.display(), failure.message),
            help: "see its logs in the run folder's trtexec/".into(),
        })
    }
}

fn explain(error: &ProcessError, call: &str, log: &Path) -> RunnerError {
    let see = format!("its whole output is in {}", log.display());
    match error {
        ProcessError::Start(message) => RunnerError::Device {
            message: format!("trtexec cannot be started: {message}"),
            help: "give its path with --trtexec".into(),
        },
        ProcessError::TimedOut(limit) => RunnerError::Device {
            message: format!("trtexec ({call}) did not end within {} s and was ended", limit.as_secs()),
            help: format!("allow more with --run-timeout or --build-timeout; {see}"),
        },
        ProcessError::Stopped => {
            RunnerError::Device { message: format!("trtexec ({call}) was ended on request"), help: see }
        }
        ProcessError::Failed { status, errors, tail } => {
            let shown = if errors.is_empty() { tail } else { errors };
            let said = shown.iter().rev().take(3).rev().map(String::as_str).collect::<Vec<_>>().join(" | ");
            let message = format!("trtexec ({call}) {status}: {said}");
            let engine = ["deserializ", "magic tag", "plan file", "serialization", "incompatible"];
            let model = ["parse", "ONNX", "onnx"];
            if engine.iter().any(|word| said.contains(word)) {
                let help = format!(
                    "an engine runs only with the TensorRT version and the GPU it was built for: build it here from ONNX; {see}"
                );
                RunnerError::Input { message, help }
            } else if model.iter().any(|word| said.contains(word)) {
                RunnerError::Input { message, help: see }
            } else {
                RunnerError::Device { message, help: see }
            }
        }
    }
}

/// `--shapes=input:1x3x224x224,mask:1x128`.
fn shapes_argument(shapes: &[(String, Vec<i64>)]) -> Option<String> {
    let list: Vec<String> = shapes
        .iter()
        .map(|(name, dims)| format!("{name}:{}", dims.iter().map(i64::to_string).collect::<Vec<_>>().join("x")))
        .collect();
    (!list.is_empty()).then(|| format!("--shapes={}", list.join(",")))
}

fn precision_arguments(precision: &str) -> Result<Vec<String>, RunnerError> {
    Ok(match precision {
        "fp32" => vec![],
        "fp16" => vec!["--fp16".into()],
        "int8" => vec!["--int8".into(), "--fp16".into()],
        "best" => vec!["--best".into()],
        other => {
            return Err(RunnerError::Input {
                message: format!("`{other}` is no precision of trtexec"),
                help: "choose fp32, fp16, int8 or best".into(),
            });
        }
    })
}

impl EngineRunner for Trtexec {
    fn prepare(&mut self, job: &Job, stop: &Arc<AtomicBool>) -> Result<Prepared, RunnerError> {
        self.stop = Arc::clone(stop);
        self.work = job.work.clone();
        self.warmup = job.warmup;
        self.idle_ms = sys::ns(job.pause).div_ceil(1_000_000);
        self.shapes = shapes_argument(&job.shapes);
        let mut version = None;
        let mut command = vec![self.program.display().to_string()];
        match (&job.engine, &job.onnx) {
            (Some(engine), _) => self.engine.clone_from(engine),
            (None, Some(onnx)) => {
                self.engine = self.work.join("model.engine");
                let mut arguments = vec![
                    format!("--onnx={}", onnx.display()),
                    format!("--saveEngine={}", self.engine.display()),
                    "--profilingVerbosity=detailed".into(),
                ];
                arguments.extend(self.shapes.clone());
                arguments.extend(precision_arguments(&job.precision)?);
                self.call_without_inference("build", &arguments, self.timeouts.build, &mut |line, _| {
                    version = version.take().or_else(|| version_of(line));
                })?;
                command.extend(arguments);
            }
            (None, None) => {
                return Err(RunnerError::Input {
                    message: "there is nothing to run".into(),
                    help: "give --engine or --onnx".into(),
                });
            }
        }
        let exported = self.work.join("layer_info.json");
        let mut arguments = self.load_arguments();
        arguments.extend(["--profilingVerbosity=detailed".into(), format!("--exportLayerInfo={}", exported.display())]);
        self.call_without_inference("layers", &arguments, self.timeouts.run, &mut |line, _| {
            version = version.take().or_else(|| version_of(line));
        })?;
        if job.onnx.is_none() {
            command.extend(arguments);
        }
        let engine_info = self.read_export(&exported)?;
        // A dialect that the parser refuses is kept all the same: the profile names the layers too.
        if let Ok((engine, _)) = shared::engine::parse(&engine_info) {
            self.layers = engine.layers.into_iter().map(|layer| layer.name).collect();
        }
        Ok(Prepared {
            setup: RunnerSetup {
                runner: "trtexec".into(),
                version,
                command,
                source: job.engine.as_ref().or(job.onnx.as_ref()).map(|path| path.display().to_string()),
                source_sha256: None,
                shapes: job.shapes.iter().cloned().collect(),
                precision: Some(job.precision.clone()),
                batch: job.shapes.first().and_then(|(_, dims)| u32::try_from(*dims.first()?).ok()),
                warmup: job.warmup,
                runs: job.runs,
                pause_us: (self.idle_ms > 0).then_some(self.idle_ms as f64 * 1e3),
            },
            engine_info: Some(engine_info),
            layers: self.layers.clone(),
            layer_times: LayerTimes {
                stamp: LayerStamp::PassAverage,
                with_power: false,
                cycles_per_entry: job.profiled,
            },
        })
    }

    fn run(&mut self, pass: Pass, cycles: u32, observer: &Observer) -> Result<PassSpan, RunnerError> {
        let (name, export) = match pass {
            // Warm-up cycles run in the power pass's process, whose caches and clocks they are to warm.
            Pass::Warmup => {
                let now = sys::monotonic_ns();
                return Ok(PassSpan { pass, cycles: 0, start_ns: now, end_ns: now, uncertainty_ns: 0 });
            }
            Pass::Power => ("power", "times.json"),
            Pass::Profiled => ("profile", "profile.json"),
        };
        let export = self.work.join(export);
        let warmup = if pass == Pass::Power { self.warmup } else { 0 };
        let mut arguments = self.load_arguments();
        arguments.extend([
            format!("--iterations={}", u64::from(cycles) + u64::from(warmup)),
            "--duration=0".into(),
            "--warmUp=0".into(),
            "--noDataTransfers".into(),
            "--useSpinWait".into(),
        ]);
        if self.idle_ms > 0 {
            arguments.push(format!("--idleTime={}", self.idle_ms));
        }
        arguments.extend(match pass {
            Pass::Power => vec![format!("--exportTimes={}", export.display())],
            _ => vec![
                "--dumpProfile".into(),
                "--profilingVerbosity=detailed".into(),
                format!("--exportProfile={}", export.display()),
            ],
        });
        let called_ns = sys::monotonic_ns();
        let (mut started, mut ended) = (None, None);
        self.call(name, &arguments, self.timeouts.run, &mut |line, t_ns| {
            if line.contains("Starting inference") {
                started = started.or(Some(t_ns));
            } else if started.is_some() && ended.is_none() {
                ended = Some(t_ns);
            }
        })?;
        let start_ns = started.unwrap_or(called_ns);
        let end_ns = ended.unwrap_or_else(sys::monotonic_ns).max(start_ns);
        let content = self.read_export(&export)?;
        match pass {
            Pass::Power => Ok(self.report_times(&content, &export, cycles, (start_ns, end_ns), observer)?),
            _ => self.report_profile(&content, &export, (start_ns, end_ns), observer),
        }
    }

    fn layers(&self) -> Vec<String> {
        self.layers.clone()
    }
}

impl Trtexec {
    fn report_times(
        &self,
        content: &[u8],
        export: &Path,
        cycles: u32,
        (start_ns, end_ns): (u64, u64),
        observer: &Observer,
    ) -> Result<PassSpan, RunnerError> {
        let traces = parse_times(content).map_err(|message| wrong_export(export, &message))?;
        // The first ones were warm-up; a run that gave fewer than asked for gives its last.
        let measured = &traces[traces.len().saturating_sub(cycles as usize)..];
        let at = |ms: f64| start_ns + (ms.max(0.0) * 1e6) as u64;
        let spans: Vec<InferenceSpan> = (0..)
            .zip(measured)
            .map(|(cycle, trace)| InferenceSpan { cycle, start_ns: at(trace.start_ms), end_ns: at(trace.end_ms) })
            .collect();
        let last_ns = spans.last().map_or(end_ns, |span| span.end_ns);
        let span = PassSpan {
            pass: Pass::Power,
            cycles: spans.len() as u32,
            start_ns: spans.first().map_or(start_ns, |span| span.start_ns),
            end_ns: last_ns,
            uncertainty_ns: end_ns.abs_diff(last_ns),
        };
        observer.inferences(Pass::Power, spans);
        Ok(span)
    }

    fn report_profile(
        &mut self,
        content: &[u8],
        export: &Path,
        (start_ns, end_ns): (u64, u64),
        observer: &Observer,
    ) -> Result<PassSpan, RunnerError> {
        let (count, entries) = parse_profile(content).map_err(|message| wrong_export(export, &message))?;
        // The profile lists what ran, in order; the engine info may list layers that launch nothing.
        self.layers = entries.iter().map(|entry| entry.name.clone()).collect();
        let runs = entries.iter().map(|entry| LayerRun { ms: entry.average_ms as f32, stamp_ns: end_ns }).collect();
        observer.layers(0, runs);
        observer.progress(u64::from(count));
        Ok(PassSpan { pass: Pass::Profiled, cycles: count, start_ns, end_ns, uncertainty_ns: end_ns - start_ns })
    }
}

fn wrong_export(path: &Path, message: &str) -> RunnerError {
    RunnerError::Device {
        message: format!("{}: {message}", path.display()),
        help: "this trtexec writes another format; report its version".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_schemes() {
        assert_eq!(version_of("&&&& RUNNING TensorRT.trtexec [TensorRT v8502] # trtexec").as_deref(), Some("8.5.2"));
        assert_eq!(version_of("[TensorRT v100300] [b26]").as_deref(), Some("10.3.0"));
        assert_eq!(version_of("nothing"), None);
    }

    #[test]
    fn a_shape_is_written_as_trtexec_reads_it() {
        let shapes = [("x".to_owned(), vec![1, 3, 224, 224]), ("m".to_owned(), vec![8])];
        assert_eq!(shapes_argument(&shapes).as_deref(), Some("--shapes=x:1x3x224x224,m:8"));
        assert_eq!(shapes_argument(&[]), None);
    }
}
