//! TensorRT in this process: exact starts and ends of every inference, and layer times of every profiled cycle.
//!
//! An inference is stamped, enqueued, waited for and stamped again; only then is the profiler asked for what the layers
//! took, since asking earlier would make enqueueing synchronous. Layers are laid out from the inference's start by adding
//! up their durations; what the inference took beyond them (launch, gaps) stands after the last layer.

mod cuda;
mod shim;

use super::{EngineRunner, Job, Observer, Prepared, RunnerError};
use crate::sys;
use cuda::{Buffer, Cuda};
use shared::fs::read_capped;
use shared::run_folder::{InferenceSpan, LayerRun, LayerStamp, LayerTimes, Pass, PassSpan, RunnerSetup};
use shim::{LoadedEngine, OpenError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Largest engine read.
const ENGINE_BYTES: u64 = 8 << 30;
/// Inferences reported at once.
const BLOCK: usize = 64;

/// The runner.
pub struct TensorRt {
    library: Option<PathBuf>,
    cuda_library: Option<PathBuf>,
    loaded: Option<(Cuda, LoadedEngine)>,
    profiling: bool,
    pause: Duration,
    layers: Vec<String>,
}

fn device(message: impl std::fmt::Display) -> RunnerError {
    RunnerError::Device {
        message: format!("TensorRT: {message}"),
        help: "check the driver and JetPack's packages with `jetson-agent doctor`, or use --runner trtexec".into(),
    }
}

fn input(message: impl std::fmt::Display) -> RunnerError {
    RunnerError::Input {
        message: format!("TensorRT: {message}"),
        help: "an engine runs only with the TensorRT version and the GPU it was built for: build it here with --runner trtexec --onnx".into(),
    }
}

impl TensorRt {
    /// With the system's libraries or given ones.
    #[must_use]
    pub fn new(library: Option<PathBuf>, cuda_library: Option<PathBuf>) -> Self {
        Self { library, cuda_library, loaded: None, profiling: false, pause: Duration::ZERO, layers: Vec::new() }
    }

    /// Gives every tensor its shape and memory of zeros. The memory must outlive the inferences.
    fn bind<'a>(cuda: &'a Cuda, engine: &mut LoadedEngine) -> Result<Vec<Buffer<'a>>, RunnerError> {
        let mut buffers = Vec::new();
        for tensor in engine.tensors() {
            let bytes = if tensor.input {
                // Vectorised formats round the channels up, to 32 at most.
                let extents =
                    engine.shape(&tensor.name).into_iter().map(|dim| usize::try_from(dim).unwrap_or(1).max(1));
                let rounded = extents.enumerate().map(|(axis, n)| if axis == 1 { n.next_multiple_of(32) } else { n });
                rounded.product::<usize>() * tensor.element_bytes
            } else {
                usize::try_from(engine.output_bytes(&tensor.name)).unwrap_or(0)
            };
            let buffer = cuda.zeros(bytes).map_err(device)?;
            if !engine.set_address(&tensor.name, buffer.address()) {
                return Err(device(format!("{:?} takes no memory: {}", tensor.name, engine.messages().last())));
            }
            buffers.push(buffer);
        }
        Ok(buffers)
    }
}

impl EngineRunner for TensorRt {
    fn prepare(&mut self, job: &Job, _: &Arc<AtomicBool>) -> Result<Prepared, RunnerError> {
        let Some(path) = &job.engine else {
            return Err(RunnerError::Input {
                message: "the runner in this process loads engines".into(),
                help: "give --engine; `--runner trtexec --onnx` builds one".into(),
            });
        };
        self.pause = job.pause;
        let plan = read_capped(path, ENGINE_BYTES).map_err(|f| input(format!("{}: {}", path.display(), f.message)))?;
        // CUDA first: with none, TensorRT's runtime may be a pointer to nothing.
        let cuda = Cuda::open(self.cuda_library.as_deref()).map_err(device)?;
        let mut engine = LoadedEngine::open(self.library.as_deref(), &plan).map_err(|error| match error {
            OpenError::Engine(message) => input(format!("{} is not loaded: {message}", path.display())),
            OpenError::Device(message) => device(message),
        })?;
        let mut shapes = std::collections::BTreeMap::new();
        for tensor in engine.tensors().into_iter().filter(|tensor| tensor.input) {
            let name = tensor.name.to_string_lossy().into_owned();
            if let Some((_, dims)) = job.shapes.iter().find(|(given, _)| *given == name)
                && !engine.set_shape(&tensor.name, dims)
            {
                return Err(input(format!("`{name}` does not take the shape {dims:?}: {}", engine.messages().last())));
            }
            let dims = engine.shape(&tensor.name);
            if dims.iter().any(|dim| *dim < 0) {
                return Err(RunnerError::Input {
                    message: format!("TensorRT: `{name}` has open extents {dims:?}"),
                    help: format!("give --shape {name}:…"),
                });
            }
            shapes.insert(name, dims);
        }
        let engine_info = engine.inspect();
        if let Some(Ok((info, _))) = engine_info.as_deref().map(shared::engine::parse) {
            self.layers = info.layers.into_iter().map(|layer| layer.name).collect();
        }
        self.loaded = Some((cuda, engine));
        Ok(Prepared {
            setup: RunnerSetup {
                runner: "tensorrt".into(),
                version: super::tensorrt_version_of(self.library.as_deref()).ok(),
                source: Some(path.display().to_string()),
                batch: shapes.values().next().and_then(|dims| u32::try_from(*dims.first()?).ok()),
                shapes,
                warmup: job.warmup,
                runs: job.runs,
                pause_us: job.pause_us(),
                ..RunnerSetup::default()
            },
            engine_info,
            layers: self.layers.clone(),
            layer_times: LayerTimes { stamp: LayerStamp::LayerEnd, with_power: false, cycles_per_entry: 1 },
        })
    }

    fn run(&mut self, pass: Pass, cycles: u32, observer: &Observer) -> Result<PassSpan, RunnerError> {
        let (cuda, engine) = self.loaded.as_mut().ok_or_else(|| device("no engine is loaded"))?;
        if pass == Pass::Profiled && !self.profiling {
            // It stays on: nothing is run after the profiled pass.
            self.profiling = engine.profile();
            if !self.profiling {
                return Err(device("profiling cannot be turned on"));
            }
        }
        let buffers = Self::bind(cuda, engine)?;
        let started_ns = sys::monotonic_ns();
        let (mut block, mut done, mut last_ns, mut negative) = (Vec::with_capacity(BLOCK), 0, started_ns, 0_u32);
        let mut result = Ok(());
        for cycle in 0..cycles {
            if observer.should_stop() {
                break;
            }
            let start_ns = sys::monotonic_ns();
            if !engine.enqueue(cuda.stream()) {
                result = Err(device(format!("inference {cycle} failed: {}", engine.messages().last())));
                break;
            }
            if let Err(error) = cuda.synchronise() {
                result = Err(device(format!("inference {cycle}: {error}")));
                break;
            }
            let end_ns = sys::monotonic_ns();
            block.push(InferenceSpan { cycle, start_ns, end_ns });
            (last_ns, done) = (end_ns, cycle + 1);
            if pass == Pass::Profiled {
                let Some(reported) = engine.report() else {
                    result = Err(device(format!("no layer times came: {}", engine.messages().last())));
                    break;
                };
                let mut at_ms = 0.0;
                let runs: Vec<LayerRun> = reported
                    .iter()
                    .map(|(_, ms)| {
                        at_ms += f64::from(*ms);
                        LayerRun { ms: *ms, stamp_ns: start_ns + (at_ms * 1e6) as u64 }
                    })
                    .collect();
                negative += u32::from(at_ms > (end_ns - start_ns) as f64 * 1e-6);
                if cycle == 0 {
                    self.layers = reported.into_iter().map(|(name, _)| name).collect();
                }
                observer.layers(cycle, runs);
            }
            if block.len() == BLOCK {
                observer.inferences(pass, std::mem::take(&mut block));
            }
            Job::wait(self.pause);
        }
        observer.inferences(pass, block);
        drop(buffers);
        if negative > 0 {
            let message = format!("in {negative} cycles the layers took longer than the inference: they overlap");
            observer.event(sys::monotonic_ns(), "negative_residual", message);
        }
        result.map(|()| PassSpan { pass, cycles: done, start_ns: started_ns, end_ns: last_ns, uncertainty_ns: 0 })
    }

    fn layers(&self) -> Vec<String> {
        self.layers.clone()
    }
}
