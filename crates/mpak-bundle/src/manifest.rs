//! `manifest.json`, versions 0.1 to 0.4: typed reading, strict or tolerant, with every problem named by
//! JSON pointer and line.
//!
//! In: the bytes of `manifest.json`, from an attacker. Out: a [`Manifest`] with the problems found.
//! Spec: MCPB MANIFEST.md 0.1–0.4; verdicts per case are the "Ours" column of the project's table of
//! nasty manifests (docs/formats/manifest.md).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::limits::Limits;
use crate::platform::Os;

mod contents;
mod fields;
mod json;
mod png;
mod problems;
mod range;
mod read;
mod server;
pub(crate) mod template;
mod text;
mod user_config;
pub(crate) mod values;

pub use problems::CODES;
pub use range::{range_allows, range_is_readable};
pub use user_config::ConfigValueError;

/// How much is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// For authors (`validate`, `pack`): what existing tools refuse is refused.
    Strict,
    /// For what others made (publish, unpack, scan, run): unknown fields are kept and reported.
    Tolerant,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Accepted and reported.
    Warning,
    /// Refused.
    Error,
}

/// One thing wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it refuses the manifest.
    pub severity: Severity,
    /// Stable kebab-case code, for example `duplicate-key`.
    pub code: &'static str,
    /// JSON pointer (RFC 6901) to the place; empty for the whole document.
    pub pointer: String,
    /// Line of the place, from 1; `None` where the place does not exist in the text.
    pub line: Option<u32>,
    /// What was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Manifest versions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ManifestVersion {
    /// `0.1`
    V0_1,
    /// `0.2`: adds `privacy_policies`.
    V0_2,
    /// `0.3`: adds `icons`, `localization`, `_meta`.
    V0_3,
    /// `0.4`: adds server type `uv`.
    V0_4,
}

impl ManifestVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V0_1, Self::V0_2, Self::V0_3, Self::V0_4];

    /// The manifest's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2",
            Self::V0_3 => "0.3",
            Self::V0_4 => "0.4",
        }
    }

    /// Reads the manifest's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

/// What starts the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerType {
    /// Node.js.
    Node,
    /// CPython with vendored dependencies.
    Python,
    /// An executable in the bundle.
    Binary,
    /// `uv run` with a `pyproject.toml`.
    Uv,
}

impl ServerType {
    /// The manifest's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Binary => "binary",
            Self::Uv => "uv",
        }
    }

    /// Reads the manifest's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Node, Self::Python, Self::Binary, Self::Uv].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A manifest that was read. Texts are the author's and hostile: escape them wherever they go.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The declared version.
    pub manifest_version: ManifestVersion,
    /// Machine name, as written; not a path, perhaps not scoped.
    pub name: String,
    /// Version, as written; semver is required for publishing only.
    pub version: String,
    /// Short description.
    pub description: String,
    /// Who made it.
    pub author: Author,
    /// How it is started.
    pub server: Server,
    /// Name for people.
    pub display_name: Option<String>,
    /// Markdown.
    pub long_description: Option<String>,
    /// SPDX identifier or free text.
    pub license: Option<String>,
    /// Source repository.
    pub repository: Option<Repository>,
    /// URL.
    pub homepage: Option<String>,
    /// URL.
    pub documentation: Option<String>,
    /// URL.
    pub support: Option<String>,
    /// Path in the bundle or URL.
    pub icon: Option<String>,
    /// From 0.3.
    pub icons: Vec<Icon>,
    /// Paths in the bundle.
    pub screenshots: Vec<String>,
    /// Declared tools; `None` where the field is absent.
    pub tools: Option<Vec<Tool>>,
    /// More tools exist at run time.
    pub tools_generated: bool,
    /// Declared prompts.
    pub prompts: Vec<Prompt>,
    /// More prompts exist at run time.
    pub prompts_generated: bool,
    /// Search words.
    pub keywords: Vec<String>,
    /// What it needs from the host.
    pub compatibility: Compatibility,
    /// Settings the user gives, in the author's order.
    pub user_config: Vec<(String, UserConfigOption)>,
    /// URLs, from 0.2.
    pub privacy_policies: Vec<String>,
    /// From 0.3.
    pub localization: Option<Localization>,
    /// From 0.3: reverse-DNS keys to objects.
    pub meta: serde_json::Map<String, Value>,
    /// The whole document as written.
    pub raw: Value,
    /// Where the members of `raw` stand in the text.
    lines: Arc<json::Lines>,
}

/// `author`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// URL.
    pub url: Option<String>,
}

/// `repository`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// For example `git`.
    pub kind: String,
    /// URL.
    pub url: String,
}

/// One of `icons`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icon {
    /// Path in the bundle or URL.
    pub src: String,
    /// `WIDTHxHEIGHT`.
    pub size: String,
    /// `light`, `dark` or free text.
    pub theme: Option<String>,
}

/// One of `tools`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Identifier.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
}

/// One of `prompts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Identifier.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Names of arguments.
    pub arguments: Vec<String>,
    /// Template with `${arguments.<name>}`.
    pub text: String,
}

/// `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Kind.
    pub kind: ServerType,
    /// Path in the bundle, or a Python module name.
    pub entry_point: String,
    /// Command line; absent for `uv`, or where a tolerant reading forgave it.
    pub mcp_config: Option<McpConfig>,
}

/// `server.mcp_config`, with templates not yet substituted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpConfig {
    /// Program.
    pub command: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// By `darwin`, `win32`, `linux`; each member replaces the whole member above.
    pub platform_overrides: BTreeMap<String, PlatformOverride>,
}

/// One of `platform_overrides`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformOverride {
    /// Program.
    pub command: Option<String>,
    /// Arguments.
    pub args: Option<Vec<String>>,
    /// Environment.
    pub env: Option<BTreeMap<String, String>>,
}

/// `compatibility`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// Range for Claude Desktop.
    pub claude_desktop: Option<String>,
    /// Operating systems; empty means unspecified.
    pub platforms: Vec<Os>,
    /// Range for CPython.
    pub python: Option<String>,
    /// Range for Node.js.
    pub node: Option<String>,
}

/// `user_config.*.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserConfigType {
    /// Text.
    String,
    /// Number, with `min` and `max`.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Path of a folder, several with `multiple`.
    Directory,
    /// Path of a file, several with `multiple`.
    File,
}

/// One of `user_config`.
#[derive(Clone, Debug, PartialEq)]
pub struct UserConfigOption {
    /// Kind.
    pub kind: UserConfigType,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// Must be given by the user; a default does not satisfy it upstream, it does with us.
    pub required: bool,
    /// Used when the user gives nothing.
    pub default: Option<ConfigValue>,
    /// Several values.
    pub multiple: bool,
    /// Secret: never shown, never in arguments where avoidable.
    pub sensitive: bool,
    /// Smallest number.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
}

/// A value of `user_config`.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    /// Text, path.
    Text(String),
    /// Number, as written (`1`, `0.5`).
    Number(serde_json::Number),
    /// Boolean.
    Boolean(bool),
    /// Several.
    List(Vec<String>),
}

/// `localization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Localization {
    /// Path template with `${locale}`.
    pub resources: String,
    /// BCP 47 tag of the manifest's own texts.
    pub default_locale: String,
}

/// What reading gives: a manifest where one could be made, and all problems.
#[derive(Clone, Debug)]
pub struct ManifestRead {
    /// Present if no problem is an error.
    pub manifest: Option<Manifest>,
    /// The declared version, also of a refused manifest; `None` where it could not be told.
    pub manifest_version: Option<ManifestVersion>,
    /// In the order of the document; empty for a clean manifest.
    pub problems: Vec<Problem>,
}

impl ManifestRead {
    /// The manifest, or the problems when one of them is an error.
    ///
    /// # Errors
    /// All problems.
    pub fn into_result(self) -> Result<(Manifest, Vec<Problem>), Vec<Problem>> {
        match self.manifest {
            Some(manifest) => Ok((manifest, self.problems)),
            None => Err(self.problems),
        }
    }
}

/// Reads a manifest. Never panics, never recurses deeper than `limits.json_depth_max`.
pub fn read(bytes: &[u8], reading: Reading, limits: &Limits) -> ManifestRead {
    let mut problems = problems::Problems::new();
    // 1. Text to values: encoding, syntax, depth, duplicate keys.
    match json::parse(bytes, reading == Reading::Strict, limits, &mut problems) {
        // 2. Values to fields, and the rules between them.
        Ok(document) => read::manifest(document, reading, problems),
        Err(problems::Stopped) => ManifestRead { manifest: None, manifest_version: None, problems: problems.finish() },
    }
}

/// What stands at a path of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file of this many bytes.
    File(u64),
    /// A folder (there is something below it).
    Folder,
}

/// The contents a manifest is checked against.
pub trait Contents {
    /// What stands at a `/`-separated relative path, exact case; `None` if nothing.
    fn kind(&self, path: &str) -> Option<FileKind>;
    /// All paths of files.
    fn paths(&self) -> Vec<String>;
    /// Up to `bytes_max` first bytes of a file.
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>>;
}

/// Checks everything a manifest says about the files around it: entry point, icon, icons,
/// localization, uv layout, native code against declared platforms.
pub fn check_contents(manifest: &Manifest, contents: &dyn Contents, reading: Reading, limits: &Limits) -> Vec<Problem> {
    contents::check(manifest, contents, reading, limits)
}

/// Which first bytes of which files [`check_contents`] asks for: (path, most bytes). A caller that reads every
/// file once keeps these for it.
pub fn heads_asked(manifest: &Manifest, contents: &dyn Contents, limits: &Limits) -> Vec<(String, usize)> {
    contents::heads(manifest, contents, limits)
}
