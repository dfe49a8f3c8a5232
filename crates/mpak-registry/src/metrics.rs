//! What Prometheus reads, on a port of its own: requests, publishes, jobs, blobs, the database, the process.
//!
//! Spec: the names and buckets of `http_requests_total` and `http_request_duration_seconds` are the
//! existing registry's; the others begin with `mpak_` or are Prometheus's own for a process.

use std::time::Duration;

use ::metrics::{Key, KeyName, Label, Level, Metadata, Recorder as _, SharedString, Unit};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::db::{DbResult, jobs, stock};
use crate::state::AppState;

mod process;

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const PUBLISHES: &str = "mpak_publishes_total";
const JOBS: &str = "mpak_jobs";
const BLOBS: &str = "mpak_blobs";
const BLOB_BYTES: &str = "mpak_blob_bytes";
const PACKAGES: &str = "mpak_packages";
const CONNECTIONS: &str = "mpak_database_connections";
const CONNECTIONS_IDLE: &str = "mpak_database_connections_idle";
/// Upper bounds of durations, in seconds.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// What each is, for people.
const HELP: &[(&str, &str)] = &[
    (REQUESTS, "Requests that were answered."),
    (DURATION, "Time until an answer began."),
    (PUBLISHES, "Publishes, by what became of them."),
    (JOBS, "Background jobs, by state."),
    (BLOBS, "Blobs that the registry keeps."),
    (BLOB_BYTES, "Their bytes."),
    (PACKAGES, "Packages that search knows."),
    (CONNECTIONS, "Open connections to the database."),
    (CONNECTIONS_IDLE, "Those of them that nobody uses."),
];

static METADATA: Metadata<'static> = Metadata::new("mpak", Level::INFO, None);

/// The route of uploads.
const UPLOAD: &str = "/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}";

/// The numbers of one registry.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    /// With nothing counted.
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), BUCKETS);
        let recorder = builder.expect("there are buckets").build_recorder();
        for (name, help) in HELP {
            let (name, help) = (KeyName::from(*name), SharedString::from(*help));
            match name.as_str() {
                REQUESTS | PUBLISHES => recorder.describe_counter(name, None, help),
                DURATION => recorder.describe_histogram(name, Some(Unit::Seconds), help),
                _ => recorder.describe_gauge(name, None, help),
            }
        }
        Self { handle: recorder.handle(), recorder }
    }

    /// Counts an answered request. `route` is the pattern that matched.
    pub(crate) fn request(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let labels = vec![
            Label::from_static_parts("method", method_name(method)),
            Label::new("route", route.unwrap_or("/*").to_owned()),
            Label::new("status", status.as_str().to_owned()),
        ];
        let duration = Key::from_parts(DURATION, labels.clone());
        self.recorder.register_counter(&Key::from_parts(REQUESTS, labels), &METADATA).increment(1);
        self.recorder.register_histogram(&duration, &METADATA).record(took.as_secs_f64());
        let publishes = (*method == Method::PUT && route == Some(UPLOAD))
            || (*method == Method::POST && route == Some("/v1/bundles/announce"));
        if publishes {
            let labels = vec![Label::from_static_parts("outcome", outcome(status))];
            self.recorder.register_counter(&Key::from_parts(PUBLISHES, labels), &METADATA).increment(1);
        }
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>, value: f64) {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA).set(value);
    }

    /// Folds what was recorded into the buckets, so that it does not grow between two readings.
    pub(crate) fn fold(&self) {
        self.handle.run_upkeep();
    }

    /// Everything as text, after the numbers that are asked for were asked for.
    #[expect(clippy::cast_precision_loss, reason = "numbers of Prometheus are floating")]
    async fn render(&self, state: &AppState) -> DbResult<String> {
        let mut c = state.db.read().await?;
        let mut jobs = jobs::by_state(&mut c).await?;
        for known in ["queued", "running", "failed"] {
            if !jobs.iter().any(|(name, _)| name == known) {
                jobs.push((known.to_owned(), 0));
            }
        }
        for (name, count) in jobs {
            self.gauge(JOBS, vec![Label::new("state", name)], count as f64);
        }
        let (blobs, bytes, packages) = stock::stock(&mut c).await?;
        drop(c);
        self.gauge(BLOBS, Vec::new(), blobs as f64);
        self.gauge(BLOB_BYTES, Vec::new(), bytes as f64);
        self.gauge(PACKAGES, Vec::new(), packages as f64);
        let (open, idle) = state.db.connections();
        self.gauge(CONNECTIONS, Vec::new(), f64::from(open));
        self.gauge(CONNECTIONS_IDLE, Vec::new(), idle as f64);
        for (name, value) in process::numbers() {
            self.gauge(name, Vec::new(), value);
        }
        Ok(self.handle.render())
    }
}

/// Standard methods; a client's own inventions are one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        201 => "created",
        200..=299 => "accepted",
        409 => "conflict",
        429 => "limited",
        400..=499 => "refused",
        _ => "failed",
    }
}

/// The only route of the port.
pub(crate) fn router(state: AppState) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(state)
}

async fn answer(State(state): State<AppState>) -> Response {
    let Some(metrics) = &state.metrics else { return StatusCode::NOT_FOUND.into_response() };
    match metrics.render(&state).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "metrics cannot be told");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
