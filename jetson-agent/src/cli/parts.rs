//! Single layers of a network as something to run.

use super::profile::ProfileArgs;
use super::runner_args::RunnerKind;
use crate::onnx::{Cut, cut};
use crate::session::{Compared, compare, in_engine};
use shared::engine::{Engine, Layer};
use shared::failure::Failure;
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::run_folder::{Manifest, RunFolder, read_sample_log};
use std::collections::HashMap;
use std::path::PathBuf;

/// Where the models of single layers lie, below the further runs.
const MODELS: &str = "models";

/// The layers of a main run: its engine and, unless it is simulated, the model that it was built from.
pub(super) struct Parts {
    engine: Engine,
    /// The engine's layer of each layer of the manifest.
    places: Vec<Option<usize>>,
    model: Option<(PathBuf, Vec<u8>)>,
}

impl Parts {
    /// Whether single layers can be run with these options.
    pub(super) fn can(args: &ProfileArgs) -> bool {
        match args.runner().runner {
            RunnerKind::Simulated => args.has_engine_info(),
            RunnerKind::Trtexec | RunnerKind::Onnxruntime => args.onnx().is_some(),
            #[cfg(feature = "tensorrt")]
            RunnerKind::Tensorrt => false,
        }
    }

    /// Reads the main run's engine info and the model.
    pub(super) fn open(args: &ProfileArgs, run: &RunFolder, manifest: &Manifest) -> Result<Self, Failure> {
        let (engine, _) = shared::engine::read(&run.engine_info())?;
        let model = match args.runner().runner {
            RunnerKind::Simulated => None,
            _ => match args.onnx() {
                Some(path) => Some((path.to_owned(), read_capped(path, limits::ONNX_BYTES)?)),
                None => None,
            },
        };
        let places = in_engine(manifest, &engine);
        Ok(Self { engine, places, model })
    }

    /// The engine.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn layer(&self, place: usize) -> Result<&Layer, Failure> {
        let layer = self.places.get(place).copied().flatten().and_then(|index| self.engine.layers.get(index));
        layer.ok_or_else(|| Failure::data("the engine info does not describe it"))
    }

    /// Whether a layer of the manifest can run alone.
    pub(super) fn check(&self, place: usize) -> Result<(), Failure> {
        let layer = self.layer(place)?;
        match &self.model {
            Some(_) => self.cut(layer).map(|_| ()),
            None => Ok(()),
        }
    }

    fn cut(&self, layer: &Layer) -> Result<Cut, Failure> {
        let Some((path, model)) = &self.model else { return Err(Failure::data("there is no model to cut")) };
        let tensors = self.engine.layers.iter().flat_map(|layer| layer.inputs.iter().chain(&layer.outputs));
        let shapes: HashMap<&str, Vec<u64>> = tensors
            .filter_map(|tensor| {
                let dims = tensor.dims.iter().map(|dim| u64::try_from(*dim).ok()).collect::<Option<Vec<u64>>>()?;
                Some((tensor.name.as_str(), dims))
            })
            .collect();
        let mut operators: std::collections::BTreeSet<String> = layer.fused.iter().cloned().collect();
        operators.insert(layer.name.clone());
        cut(model, &operators, &|name| shapes.get(name).cloned()).map_err(|e| Failure::data(e.to_string()).at(path))
    }

    /// Makes options run one layer alone.
    pub(super) fn set(&self, args: &mut ProfileArgs, place: usize, further: &RunFolder) -> Result<(), Failure> {
        let layer = self.layer(place)?;
        if self.model.is_none() {
            args.runner_mut().only_layer = Some(layer.index);
            return Ok(());
        }
        let folder = further.path().with_file_name(MODELS);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io(&folder, "create", &e))?;
        let path = folder.join(format!("{}.onnx", further.model()));
        write_atomic(&path, &self.cut(layer)?.bytes)?;
        args.set_model(path);
        Ok(())
    }

    /// How a layer ran alone, beside how it runs in the network.
    pub(super) fn compare(&self, place: usize, further: &RunFolder) -> Result<Compared, Failure> {
        let manifest = Manifest::read(&further.manifest())?;
        let content = read_sample_log(&further.sample_log())?;
        let engine = shared::engine::read(&further.engine_info()).ok().map(|(engine, _)| engine);
        Ok(compare(self.layer(place)?, (&manifest, &content), engine.as_ref()))
    }
}
