//! Metrics for Prometheus.

use crate::accept::{Offer, preferred};
use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// Labels of a deployed set of models.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ModelSet {
    pub(crate) device: String,
    pub(crate) digest: String,
}

/// Upper bounds of the latency histogram's buckets, s.
const LATENCIES: [f64; 15] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Upper bounds of the batch histograms' buckets, engines or rows.
const SIZES: [f64; 13] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0];

/// The metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Layers and rows predicted.
    pub(crate) rows: Counter,
    /// Rows that ran through a model. The others came from a cache.
    pub(crate) rows_run: Counter,
    /// Requests answered from the response cache.
    pub(crate) cache_hits: Counter,
    /// Requests in a batch.
    pub(crate) batch_requests: Histogram,
    /// Layers in a batch.
    pub(crate) batch_rows: Histogram,
    /// Requests waiting for a worker.
    pub(crate) waiting: Gauge,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// 1 for every set of models that answers.
    pub(crate) models: Family<ModelSet, Gauge>,
    /// Sets of models that replaced others.
    pub(crate) reloads: Counter,
    /// Sets of models that were refused.
    pub(crate) reloads_refused: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("host_trainer");
        let latency: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(LATENCIES));
        let metrics = Self {
            requests: Family::default(),
            latency,
            rows: Counter::default(),
            rows_run: Counter::default(),
            cache_hits: Counter::default(),
            batch_requests: Histogram::new(SIZES),
            batch_rows: Histogram::new(SIZES),
            waiting: Gauge::default(),
            connections: Gauge::default(),
            models: Family::default(),
            reloads: Counter::default(),
            reloads_refused: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from a request's headers to its answer's",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register("rows", "Layers and rows predicted", metrics.rows.clone());
        registry.register("rows_run", "Rows that went through a model", metrics.rows_run.clone());
        registry.register("remembered", "Requests answered as before", metrics.cache_hits.clone());
        registry.register("batch_requests", "Requests predicted together", metrics.batch_requests.clone());
        registry.register("batch_rows", "Layers predicted together", metrics.batch_rows.clone());
        registry.register("queue_waiting", "Requests waiting for a worker", metrics.waiting.clone());
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("model_set", "1 for every set of models that answers", metrics.models.clone());
        registry.register("reloads", "Sets of models that replaced others", metrics.reloads.clone());
        registry.register("reloads_refused", "Sets of models refused", metrics.reloads_refused.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a response and the time it took.
    pub(crate) fn count_response(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Clients can invent methods; only known ones become labels.
        let method = if matches!(method, "GET" | "POST" | "HEAD") { method } else { "other" };
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.latency.get_or_create(&RouteLabels { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// All metrics in a format.
    ///
    /// # Errors
    /// A metric that cannot be formatted.
    pub(crate) fn encode(&self, format: MetricsFormat) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(match format {
            MetricsFormat::OpenMetrics => text,
            MetricsFormat::Text => to_text_format(&text),
        })
    }
}

/// A format of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsFormat {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl MetricsFormat {
    /// The format that the `Accept` header prefers; the text format where it does not say.
    ///
    /// # Errors
    /// A header that accepts neither.
    pub(crate) fn accepted(headers: &HeaderMap) -> Result<Self, ApiError> {
        let offers = [
            Offer { format: Self::Text, media: ("text", "plain"), version: Some("0.0.4") },
            Offer { format: Self::OpenMetrics, media: ("application", "openmetrics-text"), version: Some("1.0.0") },
        ];
        preferred(headers, &offers).ok_or_else(|| {
            let message = "metrics are Prometheus text 0.0.4 or OpenMetrics 1.0";
            ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
                .help("send `Accept: text/plain;version=0.0.4` or `Accept: application/openmetrics-text;version=1.0.0`")
        })
    }

    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// OpenMetrics as text format 0.0.4. There, help and type of a counter go by the name of its samples, which ends in `_total`, and
/// there is neither a unit nor an end.
fn to_text_format(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => {}
            (Some("#"), Some(keyword), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str(&format!("# {keyword} {name}_total {rest}\n"));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn metrics() -> Metrics {
        let metrics = Metrics::default();
        metrics.count_response("GET", "/v1/\"a\\", 200, Duration::from_millis(3));
        metrics.rows.inc();
        metrics
    }

    #[test]
    fn the_text_format_names_a_counter_as_its_samples() {
        let text = metrics().encode(MetricsFormat::Text).expect("text");
        let mut typed: BTreeMap<&str, &str> = BTreeMap::new();
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => {
                    let words: Vec<&str> = comment.splitn(3, ' ').collect();
                    assert!(matches!(words[0], "HELP" | "TYPE"), "{line}");
                    if words[0] == "TYPE" {
                        assert!(typed.insert(words[1], words[2]).is_none(), "{line} stands twice");
                    }
                }
                None => {
                    let name = line.split(['{', ' ']).next().expect("a name");
                    let family = ["_bucket", "_sum", "_count"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix).filter(|base| typed.contains_key(base)));
                    assert!(typed.contains_key(family.unwrap_or(name)), "{line} has no type");
                }
            }
        }
        assert_eq!(typed.get("host_trainer_rows_total"), Some(&"counter"));
        assert!(
            text.contains("host_trainer_requests_total{method=\"GET\",route=\"/v1/\\\"a\\\\\",status=\"200\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn open_metrics_end_with_eof() {
        let text = metrics().encode(MetricsFormat::OpenMetrics).expect("text");
        assert!(text.ends_with("# EOF\n") && text.contains("# TYPE host_trainer_rows counter\n"), "{text}");
    }
}
