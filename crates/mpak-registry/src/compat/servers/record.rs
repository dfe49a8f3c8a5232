//! A version with everything that both shapes are made from, and the shapes themselves.

use std::collections::HashMap;

use mpak_bundle::platform::Platform;
use mpak_scan::control::Status;
use mpak_scan::report::Report;
use serde_json::{Value, json};

use super::{name, project};
use crate::clock::rfc3339;
use crate::db::artifacts::{self, Artifact};
use crate::db::servers::{self, Gone, Server};
use crate::db::{Connection, DbResult, scans};

/// Schema that the flat shape names.
const FLAT_SCHEMA: &str = "https://raw.githubusercontent.com/modelcontextprotocol/registry/main/docs/reference/server-json/draft/server.schema.json";
/// Schema of the official shape.
const OFFICIAL_SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/// Where the official shape says what its registry knows.
const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";
/// Where this registry says what it knows.
const OURS: &str = "dev.mpak/registry";
/// Manifests in memory at the same time.
const MANIFESTS_AT_ONCE: usize = 16;
/// Longest message beside a status.
const MESSAGE_CHARS_MAX: usize = 500;

/// See the module.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) row: Server,
    /// The server's name.
    pub(super) name: String,
    manifest: Value,
    artifacts: Vec<Artifact>,
    certification: Option<Value>,
}

/// What differs between two answers about the same record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    /// Address of this registry, without a slash at the end.
    pub(super) base: &'a str,
    /// Downloads of the package.
    pub(super) downloads: &'a Value,
}

/// Reads what belongs to some versions and makes something of each. A version whose package's name is too
/// long for a server name is left out. Only a few manifests, which can be large, are in memory at a time.
pub(super) async fn each<T>(
    c: &mut Connection,
    rows: Vec<Server>,
    mut made: impl FnMut(&Record) -> T,
) -> DbResult<Vec<T>> {
    let mut all = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some: Vec<Server> = rows.by_ref().take(MANIFESTS_AT_ONCE).collect();
        for record in read(c, some).await? {
            all.push(made(&record));
        }
    }
    Ok(all)
}

async fn read(c: &mut Connection, rows: Vec<Server>) -> DbResult<Vec<Record>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.version_id).collect();
    let mut manifests = servers::manifests(c, &ids).await?;
    let mut by_version: HashMap<i64, Vec<Artifact>> = HashMap::new();
    for artifact in artifacts::of_versions(c, &ids).await? {
        by_version.entry(artifact.version_id).or_default().push(artifact);
    }
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let manifest = manifests.remove(&row.version_id).unwrap_or_default();
        let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
        let Some(name) = name::name_of(c, &row.package, &manifest).await? else { continue };
        let artifacts = by_version.remove(&row.version_id).unwrap_or_default();
        let certification = certification(c, &artifacts).await?;
        records.push(Record { row, name, manifest, artifacts, certification });
    }
    Ok(records)
}

/// What is known of some bytes once they are assessed: their level, and how the entry shows it.
type Level = Option<(u8, Value)>;

/// The level of a version: that of its worst artifact, once all are assessed.
async fn certification(c: &mut Connection, artifacts: &[Artifact]) -> DbResult<Option<Value>> {
    let mut worst: Level = None;
    for artifact in artifacts {
        let Some(level) = level(c, artifact).await? else { return Ok(None) };
        if worst.as_ref().is_none_or(|lowest| level.0 < lowest.0) {
            worst = Some(level);
        }
    }
    Ok(worst.map(|(_, shown)| shown))
}

async fn level(c: &mut Connection, artifact: &Artifact) -> DbResult<Level> {
    let Some(scan) = scans::newest(c, artifact.id).await? else { return Ok(None) };
    let report: Report = match serde_json::from_str(&scan.report_json) {
        Ok(report) => report,
        Err(error) => {
            tracing::error!(sha256 = %artifact.sha256, %error, "a scan report cannot be read; its bytes count as not assessed");
            return Ok(None);
        }
    };
    Ok(report.assessed_level().map(|level| {
        let shown = json!({
            "level": level, "controlsPassed": report.count(Status::Pass), "controlsFailed": report.count(Status::Fail),
            "controlsTotal": report.controls.len(),
        });
        (level, shown)
    }))
}

impl Record {
    /// The `ServerDetail` of existing clients.
    pub(super) fn flat(&self, told: Told<'_>) -> Value {
        let mut server = self.server(FLAT_SCHEMA, false);
        if let Some(url) = project::repository(&self.manifest, self.row.repository.as_deref()) {
            server["repository"] = json!({"url": url, "source": "github"});
        }
        let environment = project::environment(&self.manifest);
        let package = |artifact: Option<&Artifact>| {
            let mut package = json!({
                "registryType": "mpak", "identifier": self.row.package, "version": self.row.version,
                "transport": {"type": "stdio"},
            });
            if !environment.is_empty() {
                package["environmentVariables"] = environment.clone().into();
            }
            if let Some(artifact) = artifact {
                package["fileSha256"] = artifact.sha256.to_string().into();
            }
            package
        };
        server["packages"] = if self.artifacts.is_empty() {
            json!([package(None)])
        } else {
            self.artifacts.iter().map(|a| package(Some(a))).collect()
        };
        let mut meta = project::author_meta(&self.manifest);
        meta.insert(OURS.to_owned(), self.ours(told));
        server["_meta"] = meta.into();
        server
    }

    /// The entry of the official registry: `{server, _meta}`.
    pub(super) fn official(&self, told: Told<'_>) -> Value {
        let mut server = self.server(OFFICIAL_SCHEMA, true);
        let repository = project::repository(&self.manifest, self.row.repository.as_deref());
        if let Some((url, source)) = repository.and_then(|url| Some((url.clone(), project::repository_source(&url)?))) {
            server["repository"] = json!({"url": url, "source": source});
        }
        let environment = project::environment(&self.manifest);
        let package = |artifact: &Artifact| {
            let mut package = json!({
                "registryType": "mcpb", "identifier": self.url(artifact, told.base), "version": self.row.version,
                "fileSha256": artifact.sha256.to_string(), "transport": {"type": "stdio"},
            });
            if !environment.is_empty() {
                package["environmentVariables"] = environment.clone().into();
            }
            package
        };
        server["packages"] = self.artifacts.iter().map(package).collect();
        if let Some(own) = project::publisher_provided(&self.manifest) {
            server["_meta"] = own;
        }
        json!({"server": server, "_meta": {OFFICIAL: self.status(), OURS: self.ours(told)}})
    }

    fn server(&self, schema: &str, https_only: bool) -> Value {
        let package = &self.row.package;
        let mut server = json!({
            "$schema": schema, "name": self.name, "title": project::title(&self.manifest, package),
            "description": project::description(&self.manifest, package), "version": self.row.version,
        });
        if let Some(url) = project::website(&self.manifest).filter(|url| !https_only || url.starts_with("https://")) {
            server["websiteUrl"] = url.into();
        }
        let icons = project::icons(&self.manifest, https_only);
        if !icons.is_empty() {
            server["icons"] = icons.into();
        }
        server
    }

    /// What the registry itself knows; nothing here comes from a manifest.
    fn ours(&self, told: Told<'_>) -> Value {
        let mut ours = json!({
            "npmName": self.row.package, "downloads": told.downloads, "published_at": rfc3339(self.row.published_at_ms),
            "publishMethod": self.row.publish_method,
        });
        let provenance = self.row.provenance_json.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        for (member, value) in [("provenance", provenance), ("certification", self.certification.clone())] {
            if let Some(value) = value {
                ours[member] = value;
            }
        }
        let artifact = |a: &Artifact| {
            json!({
                "platform": {"os": a.platform.os.as_str(), "arch": a.platform.arch.as_str()},
                "url": self.url(a, told.base), "sha256": a.sha256.to_string(), "size": a.size_bytes,
            })
        };
        if !self.artifacts.is_empty() {
            ours["artifacts"] = self.artifacts.iter().map(artifact).collect();
        }
        ours
    }

    fn url(&self, artifact: &Artifact, base: &str) -> String {
        artifact_url(base, &self.row.package, &self.row.version, artifact.platform)
    }

    /// Whether its entry depends on no other package, as it does where its author asks for a name.
    pub(super) fn is_independent(&self) -> bool {
        self.manifest["_meta"]["dev.mpak/registry"]["name"].is_null()
    }

    /// When it last changed.
    pub(super) fn updated_at_ms(&self) -> i64 {
        self.row.changed_at_ms.unwrap_or_default().max(self.row.published_at_ms)
    }

    fn status(&self) -> Value {
        let row = &self.row;
        let (word, message, at_ms) = match (row.yanked_at_ms, &row.deprecated_message) {
            (Some(at_ms), _) => {
                let reason = row.yank_reason.clone().unwrap_or_else(|| "This version was yanked.".to_owned());
                ("deprecated", Some(reason), Some(at_ms))
            }
            (None, Some(message)) => {
                let instead = row.deprecated_replacement.as_deref().map(|name| format!(" Use {name} instead."));
                ("deprecated", Some(format!("{message}{}", instead.unwrap_or_default())), row.deprecated_at_ms)
            }
            (None, None) => ("active", None, None),
        };
        let mut status = json!({
            "status": word, "publishedAt": rfc3339(row.published_at_ms), "updatedAt": rfc3339(self.updated_at_ms()),
            "isLatest": row.version == row.latest_version,
        });
        if let Some(message) = message {
            status["statusMessage"] = message.chars().take(MESSAGE_CHARS_MAX).collect::<String>().into();
        }
        if let Some(at_ms) = at_ms {
            status["statusChangedAt"] = rfc3339(at_ms).into();
        }
        status
    }
}

/// Where an artifact's bytes are, whatever `Accept` says, under a name that tells its platform.
pub(super) fn artifact_url(base: &str, package: &str, version: &str, platform: Platform) -> String {
    let file = artifact_file(package, version, platform);
    let encode = mpak_api::path::encode;
    format!("{base}/v1/bundles/{package}/versions/{}/artifacts/{}", encode(version), encode(&file))
}

/// `widget-1.0.0-linux-x64.mcpb`, or `widget-1.0.0.mcpb` for every platform.
pub(crate) fn artifact_file(package: &str, version: &str, platform: Platform) -> String {
    let base = package.rsplit('/').next().unwrap_or(package);
    let suffix = if platform == Platform::ANY { String::new() } else { format!("-{platform}") };
    format!("{base}-{version}{suffix}.mcpb")
}

/// A deleted version in the official shape: that it was, and why it is gone.
pub(super) fn gone(name: &str, gone: &Gone) -> Value {
    let message = gone.reason.clone().unwrap_or_else(|| "This version was deleted.".to_owned());
    json!({
        "server": {
            "$schema": OFFICIAL_SCHEMA, "name": name, "description": "Deleted from this registry.",
            "version": gone.version, "packages": [],
        },
        "_meta": {OFFICIAL: {
            "status": "deleted", "statusMessage": message.chars().take(MESSAGE_CHARS_MAX).collect::<String>(),
            "statusChangedAt": rfc3339(gone.at_ms), "publishedAt": rfc3339(gone.published_at_ms),
            "updatedAt": rfc3339(gone.at_ms), "isLatest": false,
        }},
    })
}
