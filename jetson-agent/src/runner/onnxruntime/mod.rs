//! Runs ONNX models on the CPU through ONNX Runtime's own library, opened at run time.
//!
//! Real node timings on any machine, so that the whole pipeline can be tried where there is no TensorRT. The power pass
//! runs without the profiler, the profiled pass in a session of its own.

mod profile;

pub use profile::{NodeRun, Profile, parse as parse_profile};

use super::{EngineRunner, Job, Observer, Prepared, RunnerError};
use crate::onnx::poolings;
use crate::sys;
use ort::environment::Environment;
use ort::memory::Allocator;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynTensor, ValueType};
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::{InferenceSpan, LayerRun, LayerStamp, LayerTimes, Pass, PassSpan, RunnerSetup};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Inferences reported at once.
const BLOCK: usize = 64;
/// Cycles of the first profile, which tells the nodes.
const FIRST_CYCLES: u32 = 2;
/// Cycles that the profiled session runs before it counts: it has caches and memory of its own to fill.
const UNSTEADY_CYCLES: u32 = 2;
/// Largest input made, in elements.
const INPUT_ELEMENTS: i64 = 1 << 28;

/// The runner.
pub struct OnnxRuntime {
    environment: &'static Environment,
    library: PathBuf,
    model: PathBuf,
    work: PathBuf,
    shapes: Vec<(String, Vec<i64>)>,
    pause: Duration,
    session: Option<Session>,
    /// The nodes of the session that was profiled last, in its order, and the engine info that they come to.
    layers: Vec<String>,
    engine_info: Option<Vec<u8>>,
    /// The windows of the model's poolings, by the library's names.
    windows: HashMap<String, Vec<u64>>,
}

/// Finds the library: the given path, else the system's.
fn library(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| PathBuf::from("libonnxruntime.so"), Path::to_owned)
}

/// The library's environment, of which a process can have one: every run of the process shares it, and so does it a failure, after
/// which the bindings cannot be initialised again.
fn environment(library: &Path) -> Result<&'static Environment, RunnerError> {
    static OPENED: Mutex<Option<Result<&'static Environment, RunnerError>>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let open = || -> Result<&'static Environment, RunnerError> {
        let environment = ort::init_from(library).map_err(device)?.with_name("jetson-agent").build().map_err(device)?;
        Ok(Box::leak(Box::new(environment)))
    };
    opened.get_or_insert_with(open).clone()
}

fn device(message: impl std::fmt::Display) -> RunnerError {
    RunnerError::Device {
        message: format!("ONNX Runtime: {message}"),
        help: "give the path of libonnxruntime.so (1.24 or later) with --onnxruntime".into(),
    }
}

fn input(message: impl std::fmt::Display) -> RunnerError {
    RunnerError::Input { message: format!("ONNX Runtime: {message}"), help: "check the model and its --shape".into() }
}

impl OnnxRuntime {
    /// Opens the library.
    ///
    /// # Errors
    /// When it is not there or too old.
    pub fn open(given: Option<&Path>) -> Result<Self, RunnerError> {
        let library = library(given);
        Ok(Self {
            environment: environment(&library)?,
            library,
            model: PathBuf::new(),
            work: PathBuf::new(),
            shapes: Vec::new(),
            pause: Duration::ZERO,
            session: None,
            layers: Vec::new(),
            engine_info: None,
            windows: HashMap::new(),
        })
    }

    fn session(&self, profile: Option<&Path>) -> Result<Session, RunnerError> {
        let mut builder = Session::builder(self.environment).map_err(device)?;
        if let Some(path) = profile {
            builder = builder.with_profiling(path).map_err(|e| device(e.to_string()))?;
        }
        builder.commit_from_file(&self.model).map_err(input)
    }

    /// Inputs of zeros in the model's types; an extent known only at run time is 1 unless a shape says otherwise.
    fn inputs(&self, session: &Session) -> Result<Vec<(String, DynTensor)>, RunnerError> {
        let allocator = Allocator::default();
        session
            .inputs()
            .iter()
            .map(|outlet| {
                let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
                    return Err(input(format!("input `{}` is no tensor", outlet.name())));
                };
                let given = self.shapes.iter().find(|(name, _)| name == outlet.name());
                let given = given.or_else(|| self.shapes.first().filter(|_| session.inputs().len() == 1));
                let dims: Vec<i64> = match given {
                    Some((_, dims)) => dims.clone(),
                    None => shape.iter().map(|extent| (*extent).max(1)).collect(),
                };
                if dims
                    .iter()
                    .try_fold(1_i64, |n, d| n.checked_mul(*d))
                    .is_none_or(|n| !(1..=INPUT_ELEMENTS).contains(&n))
                {
                    return Err(input(format!("input `{}` has no usable shape {dims:?}", outlet.name())));
                }
                // The library's arena hands memory out as it was left; zeros keep denormals and NaNs out of the timings.
                let mut tensor = DynTensor::new(&allocator, *ty, dims.as_slice()).map_err(input)?;
                // Strings have no size of their own; they stay as they are, empty.
                if let Some(bytes) = ty.byte_size(dims.iter().product::<i64>() as usize) {
                    // SAFETY: the tensor owns at least `bytes` bytes, by its type and shape.
                    unsafe { std::ptr::write_bytes(tensor.data_ptr_mut().cast::<u8>(), 0, bytes) };
                }
                Ok((outlet.name().to_owned(), tensor))
            })
            .collect()
    }

    fn run_once(session: &mut Session, inputs: &[(String, DynTensor)]) -> Result<(u64, u64), RunnerError> {
        let values: Vec<(&str, SessionInputValue<'_>)> =
            inputs.iter().map(|(name, tensor)| (name.as_str(), SessionInputValue::from(tensor))).collect();
        let start_ns = sys::monotonic_ns();
        let outputs = session.run(values).map_err(input)?;
        let end_ns = sys::monotonic_ns();
        drop(outputs);
        Ok((start_ns, end_ns))
    }

    /// Runs cycles with the profiler on, after some that do not count.
    fn profile(
        &mut self,
        unsteady: u32,
        cycles: u32,
        stop: Option<&Observer>,
    ) -> Result<(Profile, Vec<(u64, u64)>), RunnerError> {
        std::fs::create_dir_all(&self.work).map_err(|e| device(format!("{}: {e}", self.work.display())))?;
        let mut session = self.session(Some(&self.work.join("onnxruntime_profile")))?;
        let inputs = self.inputs(&session)?;
        let mut spans = Vec::new();
        for _ in 0..unsteady.saturating_add(cycles) {
            if stop.is_some_and(Observer::should_stop) {
                break;
            }
            spans.push(Self::run_once(&mut session, &inputs)?);
        }
        let path = PathBuf::from(session.end_profiling().map_err(device)?);
        let content = read_capped(&path, limits::LAYER_LATENCY_BYTES)
            .map_err(|failure| device(format!("{}: {}", path.display(), failure.message)))?;
        // What it says goes into the log; at half a kilobyte a node and cycle it is not kept twice.
        let _ = std::fs::remove_file(&path);
        let mut profile =
            profile::parse(&content, &self.windows).map_err(|e| device(format!("{}: {e}", path.display())))?;
        profile.cycles.drain(..profile.cycles.len().min(unsteady as usize));
        spans.drain(..spans.len().min(unsteady as usize));
        // Each session has an order and names of its own for nodes that do not depend on each other: what was measured goes with these.
        self.layers.clone_from(&profile.nodes);
        let bindings: BTreeSet<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
        let info = serde_json::json!({ "Layers": profile.layers, "Bindings": bindings });
        self.engine_info = serde_json::to_vec_pretty(&info).ok();
        Ok((profile, spans))
    }
}

impl EngineRunner for OnnxRuntime {
    fn prepare(&mut self, job: &Job, _: &Arc<AtomicBool>) -> Result<Prepared, RunnerError> {
        let Some(onnx) = &job.onnx else {
            return Err(RunnerError::Input {
                message: "ONNX Runtime runs ONNX models".into(),
                help: "give --onnx".into(),
            });
        };
        self.model.clone_from(onnx);
        self.work.clone_from(&job.work);
        self.shapes.clone_from(&job.shapes);
        self.pause = job.pause;
        // A model that is too large to be looked into, or damaged, has none that are known; the library says what is wrong with it.
        let model = read_capped(onnx, limits::ONNX_BYTES).ok();
        let poolings = model.and_then(|model| poolings(&model).ok()).unwrap_or_default();
        // In its blocked layout the library names an operator after its result.
        self.windows = poolings
            .into_iter()
            .flat_map(|pooling| [pooling.name, pooling.output + "_nchwc"].map(|name| (name, pooling.window.clone())))
            .collect();
        self.profile(0, FIRST_CYCLES, None)?;
        let session = self.session(None)?;
        let shapes = session
            .inputs()
            .iter()
            .filter_map(|outlet| match outlet.dtype() {
                ValueType::Tensor { shape, .. } => {
                    let given = job.shapes.iter().find(|(name, _)| name == outlet.name()).map(|(_, dims)| dims.clone());
                    Some((
                        outlet.name().to_owned(),
                        given.unwrap_or_else(|| shape.iter().map(|d| (*d).max(1)).collect()),
                    ))
                }
                _ => None,
            })
            .collect::<BTreeMap<String, Vec<i64>>>();
        self.session = Some(session);
        Ok(Prepared {
            setup: RunnerSetup {
                runner: "onnxruntime".into(),
                version: Some(ort::info().to_owned()),
                command: vec![self.library.display().to_string()],
                source: Some(onnx.display().to_string()),
                source_sha256: None,
                batch: shapes.values().next().and_then(|dims| u32::try_from(*dims.first()?).ok()),
                shapes,
                precision: None,
                warmup: job.warmup,
                runs: job.runs,
                pause_us: job.pause_us(),
            },
            engine_info: self.engine_info.clone(),
            // The profiled pass tells them.
            layers: Vec::new(),
            layer_times: LayerTimes { stamp: LayerStamp::LayerEnd, with_power: false, cycles_per_entry: 1 },
        })
    }

    fn run(&mut self, pass: Pass, cycles: u32, observer: &Observer) -> Result<PassSpan, RunnerError> {
        let started_ns = sys::monotonic_ns();
        if pass == Pass::Profiled {
            let (profile, spans) = self.profile(UNSTEADY_CYCLES, cycles, Some(observer))?;
            for ((cycle, runs), (start_ns, _)) in (0..).zip(&profile.cycles).zip(&spans) {
                let stamp =
                    |run: &NodeRun| LayerRun { ms: run.ms as f32, stamp_ns: start_ns + (run.end_ms * 1e6) as u64 };
                observer.layers(cycle, runs.iter().map(stamp).collect());
            }
            let all = (0..).zip(&spans).map(|(cycle, (start_ns, end_ns))| InferenceSpan {
                cycle,
                start_ns: *start_ns,
                end_ns: *end_ns,
            });
            observer.inferences(pass, all.collect());
            let span = |at: Option<&(u64, u64)>| at.copied().unwrap_or((started_ns, started_ns));
            let (start_ns, end_ns) = (span(spans.first()).0, span(spans.last()).1);
            return Ok(PassSpan { pass, cycles: spans.len() as u32, start_ns, end_ns, uncertainty_ns: 0 });
        }
        let mut session = self.session.take().ok_or_else(|| device("no model is loaded"))?;
        let inputs = self.inputs(&session)?;
        let (mut block, mut done, mut end_ns) = (Vec::with_capacity(BLOCK), 0, started_ns);
        let mut result = Ok(());
        for cycle in 0..cycles {
            if observer.should_stop() {
                break;
            }
            match Self::run_once(&mut session, &inputs) {
                Ok((start_ns, end)) => {
                    block.push(InferenceSpan { cycle, start_ns, end_ns: end });
                    (end_ns, done) = (end, cycle + 1);
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            if block.len() == BLOCK {
                observer.inferences(pass, std::mem::take(&mut block));
            }
            Job::wait(self.pause);
        }
        observer.inferences(pass, block);
        self.session = Some(session);
        result.map(|()| PassSpan { pass, cycles: done, start_ns: started_ns, end_ns, uncertainty_ns: 0 })
    }

    fn layers(&self) -> Vec<String> {
        self.layers.clone()
    }

    fn engine_info(&self) -> Option<Vec<u8>> {
        self.engine_info.clone()
    }
}
