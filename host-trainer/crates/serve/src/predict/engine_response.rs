//! The response to engines: one engine's document, or one document of several engines.

use super::budgets::BudgetCheck;
use super::format::ResponseFormat;
use super::response::{PredictResponse, PredictedBy};
use crate::error::{ApiError, ErrorParts};
use crate::models::DeployedModels;
use learn::predict::{CSV_HEADER, Prediction, SCHEMA_VERSION, csv_record};
use serde::Serialize;
use utoipa::ToSchema;

/// An engine with its prediction.
#[derive(Debug)]
pub(super) struct PredictedEngine {
    /// The client's name for the engine.
    pub(super) name: String,
    /// The prediction, or why there is none.
    pub(super) prediction: Result<Prediction, ApiError>,
    /// The budgets that the client asked about.
    pub(super) budgets: Vec<BudgetCheck>,
}

/// The predictions of a request, with the models that made them.
#[derive(Debug)]
pub(super) struct EnginePredictions<'a> {
    pub(super) models: &'a DeployedModels,
    pub(super) generation: u64,
    /// Whether the request was a document of several engines. The response is one too then.
    pub(super) is_batch: bool,
    /// The engines in the order of the request.
    pub(super) engines: Vec<PredictedEngine>,
}

/// The response to one engine info: the document of `predict --format json`, and the models behind it.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineDocument<'a> {
    schema_version: u32,
    /// The engine's name.
    engine: &'a str,
    #[serde(flatten)]
    prediction: &'a Prediction,
    /// The budgets that the client asked about.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    budgets: &'a [BudgetCheck],
    #[serde(flatten)]
    predicted_by: PredictedBy<'a>,
}

/// The response to a document of several engines.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchDocument<'a> {
    schema_version: u32,
    /// The device predicted.
    device: &'a str,
    /// The engines in the order of the request.
    predictions: Vec<BatchItem<'a>>,
    #[serde(flatten)]
    predicted_by: PredictedBy<'a>,
}

/// One engine of several.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum BatchItem<'a> {
    /// The engine was predicted.
    Predicted(PredictedItem<'a>),
    /// The engine was refused.
    Refused(RefusedItem<'a>),
}

/// An engine that was predicted.
#[derive(Serialize, ToSchema)]
pub(crate) struct PredictedItem<'a> {
    /// The engine's name.
    engine: &'a str,
    #[serde(flatten)]
    prediction: &'a Prediction,
    /// The budgets that the client asked about.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    budgets: &'a [BudgetCheck],
}

/// An engine that was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedItem<'a> {
    /// The engine's name.
    engine: &'a str,
    /// Why it was refused.
    error: ErrorParts<'a>,
}

impl<'a> BatchItem<'a> {
    fn new(engine: &'a PredictedEngine) -> Self {
        match &engine.prediction {
            Ok(prediction) => {
                Self::Predicted(PredictedItem { engine: &engine.name, prediction, budgets: &engine.budgets })
            }
            Err(error) => Self::Refused(RefusedItem { engine: &engine.name, error: error.parts() }),
        }
    }
}

impl EnginePredictions<'_> {
    /// The response in a format.
    ///
    /// # Errors
    /// The refusal of a single engine. In CSV, the refusal of any engine: a table has no place for it.
    pub(super) fn to_response(&self, format: ResponseFormat) -> Result<PredictResponse, ApiError> {
        match (format, self.is_batch, self.engines.as_slice()) {
            (ResponseFormat::Csv, ..) => self.csv(),
            (ResponseFormat::Json, false, [engine]) => self.single(engine),
            (ResponseFormat::Json, ..) => self.batch(),
        }
    }

    fn layers(&self) -> usize {
        self.engines.iter().flat_map(|engine| &engine.prediction).map(|prediction| prediction.layers.len()).sum()
    }

    fn predicted_by(&self) -> PredictedBy<'_> {
        PredictedBy::new(self.models, self.generation)
    }

    fn single(&self, engine: &PredictedEngine) -> Result<PredictResponse, ApiError> {
        let document = EngineDocument {
            schema_version: SCHEMA_VERSION,
            engine: &engine.name,
            prediction: engine.prediction.as_ref().map_err(Clone::clone)?,
            budgets: &engine.budgets,
            predicted_by: self.predicted_by(),
        };
        PredictResponse::json(&document, self.layers())
    }

    fn batch(&self) -> Result<PredictResponse, ApiError> {
        let document = BatchDocument {
            schema_version: SCHEMA_VERSION,
            device: self.models.device(),
            predictions: self.engines.iter().map(BatchItem::new).collect(),
            predicted_by: self.predicted_by(),
        };
        PredictResponse::json(&document, self.layers())
    }

    fn csv(&self) -> Result<PredictResponse, ApiError> {
        PredictResponse::csv(self.layers(), |writer| {
            let mut header = CSV_HEADER.to_vec();
            if self.is_batch {
                header.push("engine");
            }
            writer.write_record(header).map_err(|_| ApiError::internal())?;
            for engine in &self.engines {
                for layer in &engine.prediction.as_ref().map_err(Clone::clone)?.layers {
                    let mut record = csv_record(layer);
                    if self.is_batch {
                        record.push(engine.name.clone());
                    }
                    writer.write_record(record).map_err(|_| ApiError::internal())?;
                }
            }
            Ok(())
        })
    }
}
