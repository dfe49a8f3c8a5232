//! Server lists: `/v1/servers…` in the flat shape of existing clients, `/v0.1/…` in the official one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The body of every error answer of these routes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorText {
    /// One sentence, for people.
    pub error: String,
}

/// `GET /v1`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Info {
    /// Of this API.
    pub name: String,
    /// Of this API.
    pub version: String,
    /// Where things are, below this path.
    pub endpoints: Endpoints,
    /// Where people read about it.
    pub documentation: String,
}

/// See [`Info`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// All servers.
    pub list_servers: String,
    /// Those that match.
    pub search_servers: String,
    /// One server.
    pub get_server: String,
    /// One version of it.
    pub get_server_version: String,
    /// All its versions.
    pub list_server_versions: String,
    /// Whether there are any.
    pub health: String,
}

/// `GET /v1/health`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy`, or `degraded` while there is no server.
    pub status: String,
    /// How many there are.
    pub servers_count: u64,
}

/// `GET /v1/servers/{name}/versions`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerVersions {
    /// `@scope/name`.
    pub name: String,
    /// Newest published first.
    pub versions: Vec<ServerVersion>,
}

/// One of `ServerVersions::versions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerVersion {
    /// Semver.
    pub version: String,
    /// RFC 3339.
    pub published_at: String,
    /// Whether it is what a bare name means.
    pub is_latest: bool,
}

/// `GET /v0.1/health`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// `ok`.
    pub status: String,
}

/// `GET /v0.1/ping`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pong {
    /// True.
    pub pong: bool,
}

/// `GET /v0.1/version`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Program {
    /// Of the program that answers.
    pub version: String,
}

/// `GET /v1/servers`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FlatList {
    /// The `ServerDetail` of each package's latest version.
    #[schema(value_type = Vec<FlatServer>)]
    pub servers: Vec<Value>,
    /// Of the page.
    pub metadata: FlatMetadata,
}

/// See [`FlatList`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FlatMetadata {
    /// Entries of this page.
    pub count: u64,
    /// Where the next page begins, while there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
}

/// `GET /v0.1/servers`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OfficialList {
    /// The page.
    pub servers: Vec<OfficialServer>,
    /// Of the page.
    pub metadata: OfficialMetadata,
}

/// A version, and what its registry knows of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OfficialServer {
    /// `server.json`, schema 2025-12-11.
    #[schema(value_type = ServerJson)]
    pub server: Value,
    /// By registry: `io.modelcontextprotocol.registry/official`, `dev.mpak/registry`.
    #[serde(rename = "_meta")]
    #[schema(value_type = Object)]
    pub meta: Value,
}

/// See [`OfficialList`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfficialMetadata {
    /// Entries of this page.
    pub count: u64,
    /// Where the next page begins, while there is one; opaque.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
}

/// A server as existing clients know it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FlatServer {
    /// `server.json`.
    #[serde(flatten)]
    pub server: ServerJson,
    /// The author's, and `dev.mpak/registry`: what the registry knows.
    #[serde(rename = "_meta")]
    #[schema(value_type = Object)]
    pub meta: Value,
}

/// `server.json`, schema 2025-12-11, as far as this registry fills it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerJson {
    /// Of the schema.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// `dev.mpak.acme/widget`
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// For people; at most 100 characters.
    pub description: String,
    /// Semver.
    pub version: String,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub website_url: Option<String>,
    /// Pictures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icons: Option<Vec<ServerIcon>>,
    /// Where its source is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<ServerRepository>,
    /// One for each platform.
    pub packages: Vec<ServerPackage>,
}

/// A picture of a server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerIcon {
    /// Where it is.
    pub src: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mime_type: Option<String>,
    /// `48x48`, `any`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sizes: Option<Vec<String>>,
    /// `light`, `dark`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub theme: Option<String>,
}

/// Where the source of a server is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerRepository {
    /// Its address.
    pub url: String,
    /// `github`, `gitlab`
    pub source: String,
}

/// What is installed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerPackage {
    /// `mcpb`; for existing clients `mpak`.
    pub registry_type: String,
    /// Where its bytes are; for existing clients `@scope/name`.
    pub identifier: String,
    /// Semver.
    pub version: String,
    /// In hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file_sha256: Option<String>,
    /// How it talks.
    pub transport: ServerTransport,
    /// What it is configured by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub environment_variables: Option<Vec<Value>>,
}

/// How a server talks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerTransport {
    /// `stdio`
    #[serde(rename = "type")]
    pub kind: String,
}
