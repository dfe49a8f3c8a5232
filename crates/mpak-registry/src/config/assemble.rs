//! One table of settings becomes a [`Config`]; what belongs together must be all there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

use super::load::{LoadError, Place, Values};
use super::{Access, Config, Database, Outbound, Publishing, Rates, Secret, SignIn, Storage};

/// The file's shape, with everything that has a default filled in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parsed {
    listen: SocketAddr,
    public_url: Option<Url>,
    data: PathBuf,
    database: DatabaseSection,
    storage: Storage,
    publishing: Publishing,
    outbound: Outbound,
    access: Access,
    sign_in: Option<SignIn>,
    rates: Rates,
    #[serde(default)]
    advisories: AdvisoriesSection,
    scan: ScanSection,
    log: LogSection,
    #[serde(default)]
    metrics: MetricsSection,
    #[serde(default)]
    tracing: TracingSection,
    limits: LimitsSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseSection {
    url: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanSection {
    enabled: bool,
    timeout_seconds: u64,
    memory_megabytes: u64,
    trust_root: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogSection {
    filter: String,
    json: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvisoriesSection {
    path: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsSection {
    listen: Option<SocketAddr>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TracingSection {
    otlp_endpoint: Option<Url>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    connections_max: usize,
    uploads_max: usize,
    bundle_bytes_max: u64,
    header_timeout_seconds: u64,
    body_idle_timeout_seconds: u64,
    shutdown_timeout_seconds: u64,
}

/// Makes one configuration of all values.
pub(super) fn config(values: &Values) -> Result<Config, LoadError> {
    let mut table = Table::new();
    for (path, (value, _)) in values {
        // Empty lists of a section that nobody configured do not make it.
        if path.starts_with("sign_in.") && !configured(values, "sign_in.") {
            continue;
        }
        insert(&mut table, path, value.clone());
    }
    let incomplete = |e: &toml::de::Error| LoadError::Incomplete { reason: e.message().to_owned() };
    let parsed: Parsed = table.try_into().map_err(|e| incomplete(&e))?;
    assemble(parsed)
}

/// Whether something of a section was set by somebody; an empty list is nothing.
fn configured(values: &Values, section: &str) -> bool {
    let said = |value: &Value| value.as_array().is_none_or(|list| !list.is_empty());
    values.iter().any(|(path, (value, place))| path.starts_with(section) && *place != Place::Default && said(value))
}

fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((section, name)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Some(section) = section.as_table_mut() {
                section.insert(name.to_owned(), value);
            }
        }
    }
}

fn assemble(parsed: Parsed) -> Result<Config, LoadError> {
    let limits = parsed.limits;
    let mut config = Config::new(&parsed.data, parsed.listen);
    config.public_url = parsed.public_url;
    config.metrics_listen = parsed.metrics.listen;
    config.otlp_endpoint = parsed.tracing.otlp_endpoint;
    config.log_filter = parsed.log.filter;
    config.log_json = parsed.log.json;
    config.database = database(parsed.database.url.as_str())?;
    config.storage = parsed.storage;
    config.publishing = parsed.publishing;
    config.outbound = parsed.outbound;
    config.access = parsed.access;
    config.sign_in = parsed.sign_in;
    config.rates = parsed.rates;
    config.advisories = parsed.advisories.path;
    config.scanning.enabled = parsed.scan.enabled;
    config.scanning.timeout = Duration::from_secs(parsed.scan.timeout_seconds);
    config.scanning.memory_mb = parsed.scan.memory_megabytes;
    config.scanning.trust_root = parsed.scan.trust_root;
    config.limits.archive_bytes_max = limits.bundle_bytes_max;
    config.connections_max = limits.connections_max;
    config.uploads_max = limits.uploads_max;
    config.header_timeout = Duration::from_secs(limits.header_timeout_seconds);
    config.body_idle_timeout = Duration::from_secs(limits.body_idle_timeout_seconds);
    config.shutdown_timeout = Duration::from_secs(limits.shutdown_timeout_seconds);
    Ok(config)
}

/// `sqlite:PATH` or `postgres://…`
fn database(url: &str) -> Result<Database, LoadError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if !path.is_empty() {
            return Ok(Database::Sqlite(PathBuf::from(path)));
        }
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Database::Postgres(Secret::new(url)));
    }
    Err(LoadError::Incomplete { reason: "`database.url` is neither sqlite:PATH nor postgres://…".to_owned() })
}
