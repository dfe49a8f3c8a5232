//! Logs on stderr, and traces to an OpenTelemetry collector when one is configured.
//!
//! Spans for traces have the target [`TRACE`] and the lowest level, so that they cost next to nothing and
//! do not show in logs while nobody collects them. Spec: OTLP/HTTP with protobuf; W3C Trace Context.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Export};
use thiserror::Error;
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

use crate::config::Config;

mod repeats;

/// Target of spans that only collectors see.
pub(crate) const TRACE: &str = "mpak_trace";
/// Longest time for sending a batch, and for the last one at the end.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Why nothing is logged or traced.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter of the log.
    #[error("`{filter}` is not a filter for the log")]
    Filter {
        /// As configured.
        filter: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter of traces.
    #[error("cannot send traces to `{endpoint}`")]
    Exporter {
        /// As configured.
        endpoint: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something else logs already.
    #[error("cannot start the log")]
    Started(#[source] tracing_subscriber::util::TryInitError),
}

/// Logs and traces of this process.
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts them for the whole process; traces are sent on a runtime of the caller's.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub(crate) fn start(config: &Config, runtime: &Handle) -> Result<Self, TelemetryError> {
        // What PostgreSQL notices while it is asked to make what is there already is no news.
        let filter = EnvFilter::try_new(format!("sqlx::postgres::notice=warn,{}", config.log_filter))
            .map_err(|source| TelemetryError::Filter { filter: config.log_filter.clone(), source })?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = if config.log_json {
            lines.json().boxed()
        } else {
            lines.with_ansi(std::io::stderr().is_terminal()).boxed()
        };
        let provider = config.otlp_endpoint.as_ref().map(|url| provider(url, runtime)).transpose()?;
        let traces = provider.as_ref().map(|provider| {
            let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("mpak"));
            traces.with_location(false).with_threads(false).with_filter(filter_fn(|m| m.target() == TRACE))
        });
        let lines = lines
            .with_filter(repeats::Repeats::default())
            .with_filter(filter)
            .with_filter(filter_fn(|m| m.target() != TRACE));
        tracing_subscriber::registry().with(lines).with(traces).try_init().map_err(TelemetryError::Started)?;
        Ok(Self { provider })
    }

    /// Sends what was not sent yet. Not to be called on the runtime's own threads.
    pub(crate) fn stop(self) {
        if let Some(Err(error)) = self.provider.map(|p| p.shutdown_with_timeout(SEND_TIMEOUT)) {
            tracing::warn!(error = %error, "the last traces were not sent");
        }
    }
}

fn provider(endpoint: &Url, runtime: &Handle) -> Result<SdkTracerProvider, TelemetryError> {
    let error = |source| TelemetryError::Exporter { endpoint: endpoint.to_string(), source };
    let client = reqwest::Client::builder().timeout(SEND_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client.map_err(|e| error(e.into()))?)
        .with_endpoint(traces_url(endpoint))
        .with_timeout(SEND_TIMEOUT)
        .build()
        .map_err(|e| error(e.into()))?;
    let exporter = OnRuntime { exporter: Arc::new(exporter), runtime: runtime.clone() };
    let resource = Resource::builder_empty()
        .with_attributes([
            opentelemetry::KeyValue::new("service.name", "mpak-registry"),
            opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The collector's address as configured, with the path of traces where it has none.
fn traces_url(endpoint: &Url) -> String {
    let text = endpoint.as_str().trim_end_matches('/');
    if text.ends_with("/v1/traces") { text.to_owned() } else { format!("{text}/v1/traces") }
}

/// Sends on a runtime: the batches come from a thread that has none.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
}

impl Export for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move { exporter.export(batch).await });
        sent.await.map_err(|died| OTelSdkError::InternalFailure(died.to_string()))?
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

/// The span of a request, a child of the one that the client names.
pub(crate) fn request_span(method: &str, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::trace_span!(target: "mpak_trace", "request", otel.name = format!("{method} {route}"),
        otel.kind = "server", http.request.method = method, http.route = route,
        http.response.status_code = tracing::field::Empty);
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        let _root = span.set_parent(parent);
    }
    span
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_where_it_is_missing() {
        for (given, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector.example/otlp/", "http://collector.example/otlp/v1/traces"),
            ("http://collector.example/v1/traces", "http://collector.example/v1/traces"),
        ] {
            assert_eq!(traces_url(&given.parse().unwrap()), expected);
        }
    }
}
