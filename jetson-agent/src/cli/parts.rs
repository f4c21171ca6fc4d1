//! Single layers of a network as something to run.

use super::profile::ProfileArgs;
use super::runner_args::RunnerKind;
use crate::onnx::{Cut, cut};
use crate::session::{Compared, compare, in_engine, layer_times};
use shared::engine::{Engine, Layer};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::run_folder::{Manifest, RunFolder, read_sample_log};
use shared::units::Millis;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
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

    /// Whether some layers of the manifest can run without the others.
    pub(super) fn check(&self, places: Range<usize>) -> Result<(), Failure> {
        match &self.model {
            Some(_) => self.cut(places).map(|_| ()),
            None => places.last().map_or(Ok(()), |place| self.layer(place).map(|_| ())),
        }
    }

    fn cut(&self, places: Range<usize>) -> Result<Cut, Failure> {
        let Some((path, model)) = &self.model else { return Err(Failure::data("there is no model to cut")) };
        let tensors = self.engine.layers.iter().flat_map(|layer| layer.inputs.iter().chain(&layer.outputs));
        let shapes: HashMap<&str, Vec<u64>> = tensors
            .filter_map(|tensor| {
                let dims = tensor.dims.iter().map(|dim| u64::try_from(*dim).ok()).collect::<Option<Vec<u64>>>()?;
                Some((tensor.name.as_str(), dims))
            })
            .collect();
        let mut operators = BTreeSet::new();
        let one = places.len() == 1;
        for place in places.clone() {
            // Of several layers, those that the builder added are in no model.
            let Ok(layer) = self.layer(place) else { continue };
            operators.extend(layer.fused.iter().cloned());
            operators.insert(layer.name.clone());
        }
        let part = cut(model, &operators, &|name| shapes.get(name).cloned())
            .map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
        match part.inner_inputs.first() {
            Some(input) if !one => Err(Failure::data(format!(
                "the first {} layers read `{input}`, which an operator computes that none of them names",
                places.end
            ))
            .at(path)),
            _ => Ok(part),
        }
    }

    /// Makes options run some layers without the others.
    pub(super) fn set(&self, args: &mut ProfileArgs, places: Range<usize>, further: &RunFolder) -> Result<(), Failure> {
        if self.model.is_none() {
            let first = self.layer(places.start)?.index;
            args.runner_mut().only_layers = Some((first, places.len()));
            return Ok(());
        }
        let folder = further.path().with_file_name(MODELS);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io(&folder, "create", &e))?;
        let path = folder.join(format!("{}.onnx", further.model()));
        write_atomic(&path, &self.cut(places)?.bytes)?;
        args.set_model(path);
        Ok(())
    }

    /// The mean time of all layers of a further run; `None` where it reports none.
    pub(super) fn whole_time(further: &RunFolder) -> Result<Option<Millis>, Failure> {
        let manifest = Manifest::read(&further.manifest())?;
        let times = layer_times(&manifest, &read_sample_log(&further.sample_log())?);
        Ok(times.iter().any(Option::is_some).then(|| times.into_iter().flatten().sum()))
    }

    /// How a layer ran alone, beside how it runs in the network.
    pub(super) fn compare(&self, place: usize, further: &RunFolder) -> Result<Compared, Failure> {
        let manifest = Manifest::read(&further.manifest())?;
        let content = read_sample_log(&further.sample_log())?;
        let engine = shared::engine::read(&further.engine_info()).ok().map(|(engine, _)| engine);
        Ok(compare(self.layer(place)?, (&manifest, &content), engine.as_ref()))
    }
}
