//! The prediction of engines: every layer, totals, and what a user should know before trusting them.

use super::estimate::{RowPrediction, Rows, Source};
use super::models::Models;
use super::totals::{Totals, TotalsDocument};
use crate::features::{Extraction, LayerSpec, extract};
use crate::model::{Device, Target};
use memory::Memory;
use serde::Serialize;
use shared::device::Hardware;
use shared::engine::{Diagnostic, Engine, Layer, LayerKind, Precision, Table};
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The prediction of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerPrediction {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub layer_name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// What it computes.
    pub kind: LayerKind,
    /// The operators of the model that it contains, where the engine info names them.
    pub operators: Vec<String>,
    /// The number format that it computes in, where the engine info states it.
    pub precision: Option<Precision>,
    /// Dimensions of its first output, outermost first; empty if unknown.
    pub output: Vec<i64>,
    /// Number of its weights, where it states them.
    pub weights: Option<u64>,
    /// Its power, run time and energy.
    #[serde(flatten)]
    pub row: RowPrediction,
}

/// One flat object, as it is written.
impl PartialSchema for LayerPrediction {
    fn schema() -> RefOr<Schema> {
        let described = |schema: RefOr<Schema>, description: &str| match schema {
            RefOr::T(Schema::Object(mut object)) => {
                object.description = Some(description.to_owned());
                RefOr::T(Schema::Object(object))
            }
            RefOr::T(Schema::Array(mut array)) => {
                array.description = Some(description.to_owned());
                RefOr::T(Schema::Array(array))
            }
            other => other,
        };
        let mut object = ObjectBuilder::new()
            .property("index", described(usize::schema(), "Position in the engine."))
            .required("index")
            .property("layer_name", described(String::schema(), "Name."))
            .required("layer_name")
            .property("layer_type", described(String::schema(), "TensorRT's type."))
            .required("layer_type")
            .property("kind", described(String::schema(), "What it computes."))
            .required("kind")
            .property(
                "operators",
                described(
                    Vec::<String>::schema(),
                    "The operators of the model that it contains, where the engine info names them.",
                ),
            )
            .required("operators")
            .property(
                "precision",
                described(
                    Option::<String>::schema(),
                    "The number format that it computes in (`fp16`, `int8`, …). `null` if the engine info does not state it.",
                ),
            )
            .required("precision")
            .property(
                "output",
                described(Vec::<i64>::schema(), "Dimensions of its first output, outermost first; empty if unknown."),
            )
            .required("output")
            .property(
                "weights",
                described(Option::<u64>::schema(), "Number of its weights. `null` if it does not state them."),
            )
            .required("weights")
            .description(Some("The prediction of one layer."))
            .build();
        if let RefOr::T(Schema::Object(row)) = RowPrediction::schema() {
            object.properties.extend(row.properties);
            object.required.extend(row.required);
        }
        RefOr::T(Schema::Object(object))
    }
}

impl ToSchema for LayerPrediction {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RowPrediction::schemas(schemas);
    }
}

/// What a total run time may lack, or have too much of, where the list of layers does not tell it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuntimeCorrection {
    /// What it is for.
    pub what: String,
    /// Smallest addition to the total, ms.
    pub lower_ms: f64,
    /// Median addition, ms.
    pub median_ms: f64,
    /// Largest addition, ms.
    pub upper_ms: f64,
    /// Real engines behind it.
    pub engines: usize,
}

impl RuntimeCorrection {
    /// The correction in words.
    ///
    /// ```
    /// let correction = learn::predict::RuntimeCorrection {
    ///     what: "layout changes".to_owned(),
    ///     lower_ms: 0.0,
    ///     median_ms: 0.01,
    ///     upper_ms: 0.1,
    ///     engines: 4,
    /// };
    /// assert_eq!(correction.sentence(), "layout changes: +0.000 to +0.100 ms, median +0.010 ms (4 engines)");
    /// ```
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { what, lower_ms, median_ms, upper_ms, engines } = self;
        format!("{what}: {lower_ms:+.3} to {upper_ms:+.3} ms, median {median_ms:+.3} ms ({engines} engines)")
    }
}

/// The prediction of an engine.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Prediction {
    /// The device predicted.
    pub device: String,
    /// Board, mode, clocks and software that its models were measured on, as recorded; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub hardware: Option<Hardware>,
    /// Layers in execution order.
    pub layers: Vec<LayerPrediction>,
    /// Sums.
    #[schema(value_type = TotalsDocument)]
    pub totals: Totals,
    /// The memory that the engine takes.
    pub memory: Memory,
    /// What the run time may lack or have too much of, since the layers come from a graph. None of it is in the totals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<RuntimeCorrection>,
    /// What a user should know before trusting it.
    pub warnings: Vec<String>,
}

/// An engine to be predicted.
#[derive(Debug, Clone, Copy)]
pub struct EngineInput<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// Diagnostics of its engine info.
    pub diagnostics: &'a [Diagnostic],
    /// Its optimisation profile, where it has several.
    pub profile: usize,
}

/// The predictions of several engines.
#[derive(Debug)]
pub struct BatchPrediction {
    /// Each engine's prediction, in the order given, or why there is none.
    pub predictions: Vec<Result<Prediction, Failure>>,
    /// Layers that went through a model; the others equal one of those, or were predicted before.
    pub rows_run: usize,
}

impl EngineInput<'_> {
    /// The layers of the engine's profile, and those of no profile.
    fn layers(&self) -> Result<Vec<&Layer>, Failure> {
        let profiles = self.profiles();
        if !profiles.is_empty() && !profiles.contains(&self.profile) {
            let known: Vec<String> = profiles.iter().map(ToString::to_string).collect();
            return Err(Failure::usage(format!("the engine has no optimisation profile {}", self.profile))
                .help(format!("its profiles are {}", known.join(", "))));
        }
        Ok(self.engine.layers_of_profile(self.profile).collect())
    }

    fn profiles(&self) -> BTreeSet<usize> {
        self.engine.layers.iter().filter_map(|layer| layer.profile).collect()
    }
}

impl Prediction {
    /// The run time of each layer that has one, ms, with the layer's index.
    pub fn layer_runtimes(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.layers.iter().filter_map(|layer| Some((layer.index, layer.row.runtime_prediction?.0)))
    }
}

impl Models {
    /// Predicts an engine. With several optimisation profiles, the layers of `profile` and those of no profile.
    ///
    /// ```
    /// use learn::model::Roofline;
    /// # use learn::{model::Device, predict::Models};
    /// # let device = Device { name: "board".into(), roofline: None, median_power_w: Some(6.0),
    /// #     ..Device::default() };
    ///
    /// // Without any model, a layer takes the device's roofline: 0.01 ms to launch, 0.5 ms for 10⁹ multiply-accumulates.
    /// let roofline = Roofline {
    ///     launch_ms: 0.01,
    ///     ms_per_gmac: [(16, 0.5)].into(),
    ///     ms_per_megabyte: 0.0,
    ///     rows: 0,
    ///     mape_percent: 0.0,
    ///     unseen_kind: None,
    /// };
    /// let models = Models::of(Device { roofline: Some(roofline), ..device }, vec![], "models".as_ref());
    /// let info = br#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
    ///     "Inputs": [{"Name": "a", "Dimensions": [1, 1000], "Format/Datatype": "Half"}],
    ///     "Outputs": [{"Name": "b", "Dimensions": [1, 1000], "Format/Datatype": "Half"}],
    ///     "Weights": {"Type": "Half", "Count": 1000000}}]}"#;
    /// let (engine, diagnostics) = shared::engine::parse(info)?;
    /// let prediction = models.predict(&engine, &diagnostics, 0)?;
    /// let runtime = prediction.totals.runtime.whole().expect("every layer is predicted");
    /// assert!((runtime.0 - 0.0105).abs() < 1e-9);
    /// assert_eq!(prediction.totals.energy.whole(), Some(shared::units::Watts(6.0) * runtime));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A model that cannot be loaded or run, or an engine without layers of that profile.
    pub fn predict(&self, engine: &Engine, diagnostics: &[Diagnostic], profile: usize) -> Result<Prediction, Failure> {
        let input = EngineInput { engine, diagnostics, profile };
        let layers = input.layers()?;
        let (rows, _) = self.predict_layers(&layers)?;
        Ok(self.assemble(&input, &layers, rows))
    }

    /// Predicts several engines as [`Models::predict`] does each, the layers of all of them together: each model runs once.
    ///
    /// # Errors
    /// A model that cannot be loaded or run. What is wrong with one engine is the answer for that engine.
    pub fn predict_all(&self, inputs: &[EngineInput<'_>]) -> Result<BatchPrediction, Failure> {
        let engines: Vec<Result<Vec<&Layer>, Failure>> = inputs.iter().map(EngineInput::layers).collect();
        let layers: Vec<&Layer> = engines.iter().flatten().flatten().copied().collect();
        let (rows, rows_run) = self.predict_layers(&layers)?;
        let mut rows = rows.into_iter();
        let one = |(input, layers): (&EngineInput<'_>, Result<Vec<&Layer>, Failure>)| {
            let layers = layers?;
            let own = rows.by_ref().take(layers.len()).collect();
            Ok(self.assemble(input, &layers, own))
        };
        Ok(BatchPrediction { predictions: inputs.iter().zip(engines).map(one).collect(), rows_run })
    }

    /// Predicts layers; also returns how many went through a model.
    fn predict_layers(&self, layers: &[&Layer]) -> Result<(Vec<RowPrediction>, usize), Failure> {
        self.load(&layers.iter().filter_map(|layer| layer.kind.table()).collect())?;
        let extracted: Vec<ExtractedRows> = layers.iter().map(|layer| self.extracted(layer)).collect();
        let estimate = |target| {
            let rows: Vec<Rows<'_>> =
                layers.iter().zip(&extracted).map(|(layer, rows)| self.rows(layer, rows, target)).collect();
            self.estimate(target, &rows)
        };
        let (power, power_run) = estimate(Target::Power)?;
        let (runtime, runtime_run) = estimate(Target::Runtime)?;
        let predictions = layers.iter().zip(power.into_iter().zip(runtime)).map(|(layer, (power, runtime))| {
            if layer.kind.is_free() {
                return RowPrediction::free();
            }
            // The median is the power of a layer that runs for a while; of one without a run time nothing is known.
            let power = power.filter(|power| runtime.is_some() || power.source == Source::Model);
            RowPrediction::of(power, runtime)
        });
        Ok((predictions.collect(), power_run + runtime_run))
    }

    /// Reads a layer's row once by each rule that its models were trained with, and by the default rule for the roofline.
    fn extracted(&self, layer: &Layer) -> ExtractedRows {
        let reference = Extraction { reference_compatible: true };
        let rules = || Target::ALL.into_iter().filter_map(|target| self.rule(layer.kind.table()?, target));
        ExtractedRows {
            default: extract(layer, Extraction::default()).ok(),
            reference_compatible: if rules().any(|rule| rule == reference) {
                extract(layer, reference).ok()
            } else {
                None
            },
        }
    }

    /// How the training rows of a table's model were read; none where there is no model.
    fn rule(&self, table: Table, target: Target) -> Option<Extraction> {
        self.get(table, target).map(|model| model.card.extraction)
    }

    /// The rows by which a target of a layer is estimated.
    fn rows<'a>(&self, layer: &Layer, extracted: &'a ExtractedRows, target: Target) -> Rows<'a> {
        let table = layer.kind.table();
        let model =
            table.and_then(|table| extracted.by(self.rule(table, target)?)).filter(|row| Some(row.table()) == table);
        // What an opaque subgraph does inside is unknown: the bytes at its edge would be a guess far too low.
        let opaque = layer.kind.is_opaque();
        Rows { model, roofline: extracted.default.as_ref().filter(|_| !opaque) }
    }

    /// Puts an engine's prediction together from those of its layers.
    fn assemble(&self, input: &EngineInput<'_>, layers: &[&Layer], rows: Vec<RowPrediction>) -> Prediction {
        let totals = Totals::of(layers.iter().map(|layer| layer.layer_type.as_str()).zip(&rows), self.device());
        let mut warnings = self.warnings(&totals);
        let profiles = input.profiles().len();
        if profiles > 1 {
            warnings.push(format!(
                "the engine has {profiles} optimisation profiles; this is number {}, others by --profile",
                input.profile
            ));
        }
        warnings.extend(diagnostics_in_short(input.diagnostics));
        let memory = Memory::of(input.engine, input.profile);
        let layers = layers.iter().zip(rows).map(|(layer, row)| LayerPrediction {
            index: layer.index,
            layer_name: layer.name.clone(),
            layer_type: layer.layer_type.clone(),
            kind: layer.kind,
            operators: layer.fused.clone(),
            precision: layer.precision(),
            output: layer.output().map(|tensor| tensor.dims.clone()).unwrap_or_default(),
            weights: layer.weights.map(|weights| weights.count),
            row,
        });
        let Device { name, hardware, .. } = self.device();
        Prediction {
            device: name.clone(),
            hardware: hardware.clone(),
            layers: layers.collect(),
            totals,
            memory,
            corrections: Vec::new(),
            warnings,
        }
    }

    fn warnings(&self, totals: &Totals) -> Vec<String> {
        let mut warnings = Vec::new();
        if !totals.runtime.is_whole() {
            let consequence = match totals.runtime.at_least() {
                Some(_) => "the totals lack them and are lower bounds",
                None => "the totals are not known",
            };
            warnings.push(format!("nothing predicts {}; {consequence}", listed(totals.runtime.missing())));
        }
        warnings.extend(self.power_warning(totals));
        let roofline = totals.layers_by_source.get(Source::Roofline.name()).copied().unwrap_or(0);
        if roofline > 0 {
            warnings.push(format!(
                "{roofline} of {} layers have no model and take the roofline's run time{}",
                totals.layers,
                totals.runtime_modelled_percent.map_or_else(String::new, |percent| {
                    let whole = if totals.runtime.is_whole() { "the total" } else { "what is predicted" };
                    format!(", {:.1} % of {whole}", 100.0 - percent)
                })
            ));
        }
        if totals.layers_outside_training_range > 0 {
            warnings.push(format!(
                "{} layers lie outside the range that training saw; their numbers are extrapolated",
                totals.layers_outside_training_range
            ));
        }
        warnings.extend(self.device().notes.iter().cloned());
        let notes: BTreeSet<&String> = self.cards().flat_map(|card| &card.notes).collect();
        warnings.extend(notes.into_iter().cloned());
        warnings
    }

    /// Why layers with a run time have no power, as far as the device's models and its file show.
    fn power_warning(&self, totals: &Totals) -> Option<String> {
        let timed = totals.runtime.missing();
        let mut missing = totals.energy.missing().clone();
        for (layer_type, count) in &mut missing {
            *count -= timed.get(layer_type).copied().unwrap_or(0).min(*count);
        }
        missing.retain(|_, count| *count > 0);
        let device = &self.device().name;
        if missing.is_empty() {
            None
        } else if self.device().median_power_w.is_none() && !self.has_models_of(Target::Power) {
            Some(format!("no power was measured on {device}: neither power nor energy is predicted"))
        } else {
            Some(format!(
                "no model of {device} predicts the power of {}; the total energy lacks them",
                listed(&missing)
            ))
        }
    }
}

/// Layers by their types, for people.
fn listed(layers: &BTreeMap<String, usize>) -> String {
    let list: Vec<String> = layers.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    list.join(", ")
}

/// A layer's rows, by the rule that read them; none where a rule finds no row.
#[derive(Debug)]
struct ExtractedRows {
    default: Option<LayerSpec>,
    reference_compatible: Option<LayerSpec>,
}

impl ExtractedRows {
    fn by(&self, rule: Extraction) -> Option<&LayerSpec> {
        if rule.reference_compatible { self.reference_compatible.as_ref() } else { self.default.as_ref() }
    }
}

/// The first few diagnostics of the engine info, and how many more there are.
fn diagnostics_in_short(diagnostics: &[Diagnostic]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines: Vec<String> = diagnostics.iter().take(SHOWN).map(ToString::to_string).collect();
    if diagnostics.len() > SHOWN {
        lines.push(format!("… and {} more diagnostics of the engine info", diagnostics.len() - SHOWN));
    }
    lines
}
