//! The page of a package, at its latest version or at one version.
//!
//! In: the registry's rows about it. Out: the page. The usual view fits into 60 kB whatever a publisher
//! wrote, and says what it leaves out; `?view=full` shows all.

use askama::Template;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, ConfigValue, Manifest, Reading, UserConfigOption, UserConfigType};
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;

use super::entry::{self, Tile, package_path};
use super::figures::{self, Moment, counted, grouped};
use super::link::Link;
use super::readme::{self, Rendered};
use super::shell::Shell;
use super::snippet::{self, Snippet, Target};
use super::text::Shown;
use super::trust::Trust;
use fate::Fate;

pub(crate) mod answer;
pub(crate) mod fate;

/// What the page is made from.
pub(crate) struct Facts<'a> {
    /// The package.
    pub(crate) name: &'a PackageName,
    /// Highest stable version.
    pub(crate) latest_version: &'a str,
    /// The version that is shown.
    pub(crate) version: &'a str,
    /// Its manifest, as in the bundle.
    pub(crate) manifest_json: &'a str,
    /// Its README, if the bundle has one.
    pub(crate) readme: Option<&'a str>,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: &'a str,
    /// Downloads of all versions.
    pub(crate) downloads: u64,
    /// All versions, newest published first; the shown one among them.
    pub(crate) versions: &'a [VersionFacts],
    /// What the controls say about `judged`.
    pub(crate) trust: Trust,
    /// The platform of the artifact that they judged.
    pub(crate) judged: Option<Platform>,
    /// This registry's address.
    pub(crate) base_url: &'a str,
    /// Whether the address names the version.
    pub(crate) pinned: bool,
    /// What became of it.
    pub(crate) fate: Fate,
    /// How much is shown.
    pub(crate) room: Room,
}

/// A version.
#[derive(Clone, Debug)]
pub(crate) struct VersionFacts {
    /// Semver.
    pub(crate) version: String,
    /// First publish.
    pub(crate) published_at_ms: i64,
    /// `upload`, …
    pub(crate) publish_method: String,
    /// Resolved downloads.
    pub(crate) downloads: u64,
    /// Whether nothing but its exact name means it.
    pub(crate) yanked: bool,
    /// By platform.
    pub(crate) artifacts: Vec<ArtifactFacts>,
}

/// An artifact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArtifactFacts {
    /// What it fits.
    pub(crate) platform: Platform,
    /// Its bytes.
    pub(crate) sha256: Sha256,
    /// Their number.
    pub(crate) size_bytes: u64,
}

/// How much of each part is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Largest page; `None` for no such limit.
    page_bytes_max: Option<usize>,
    tools_count_max: usize,
    tool_bytes_max: usize,
    settings_count_max: usize,
    setting_bytes_max: usize,
    versions_count_max: usize,
    events_count_max: usize,
    event_bytes_max: usize,
    /// Findings shown for each control.
    pub(crate) findings_count_max: usize,
    /// Findings shown in all.
    pub(crate) findings_sum_max: usize,
}

impl Room {
    /// Fits into 60 kB.
    pub(crate) const USUAL: Self = Self {
        page_bytes_max: Some(58_000),
        tools_count_max: 20,
        tool_bytes_max: 170,
        settings_count_max: 10,
        setting_bytes_max: 150,
        versions_count_max: 5,
        events_count_max: 4,
        event_bytes_max: 160,
        findings_count_max: 2,
        findings_sum_max: 6,
    };
    /// Everything, within reason.
    pub(crate) const WHOLE: Self = Self {
        page_bytes_max: None,
        tools_count_max: 2_000,
        tool_bytes_max: 4_000,
        settings_count_max: 500,
        setting_bytes_max: 2_000,
        versions_count_max: 2_000,
        events_count_max: 200,
        event_bytes_max: 800,
        findings_count_max: 250,
        findings_sum_max: 2_000,
    };
}

/// The page.
#[derive(Template)]
#[template(path = "package.html")]
pub(crate) struct Package {
    shell: Shell,
    scope: Shown,
    base: Shown,
    title: Option<Shown>,
    description: Shown,
    tile: Tile,
    version: Shown,
    is_latest: bool,
    /// Only those who name the shown version get it.
    yanked: bool,
    latest: Shown,
    latest_href: String,
    whole: bool,
    run: String,
    snippets: Vec<Snippet>,
    configure: Option<String>,
    server_type: Shown,
    licence: Option<Shown>,
    downloads: String,
    published: Moment,
    artifacts: Vec<Artifact>,
    trust: Trust,
    judged: Option<String>,
    readme: Rendered,
    readme_is_description: bool,
    tools: Vec<Tool>,
    tools_count: usize,
    tools_generated: bool,
    settings: Vec<Setting>,
    settings_count: usize,
    versions: Vec<Version>,
    versions_count: usize,
    fate: Fate,
    author: Option<Shown>,
    links: Vec<(&'static str, Link)>,
    keywords: Vec<Shown>,
    needs: Vec<(&'static str, Shown)>,
    badge: Badge,
}

/// How to show the badge elsewhere.
struct Badge {
    src: String,
    markdown: String,
}

struct Artifact {
    platform: String,
    size: String,
    sha256: String,
    href: String,
}

struct Tool {
    name: Shown,
    description: Shown,
}

struct Setting {
    key: Shown,
    title: Shown,
    description: Shown,
    kind: &'static str,
    required: bool,
    secret: bool,
    default: Option<Shown>,
    range: Option<String>,
}

struct Version {
    number: Shown,
    href: String,
    is_shown: bool,
    is_latest: bool,
    yanked: bool,
    published: Moment,
    method: Shown,
    downloads: String,
    platforms: Vec<(String, String)>,
}

impl Package {
    /// From the registry's rows.
    pub(crate) fn new(facts: Facts<'_>) -> Self {
        let manifest = manifest::read(facts.manifest_json.as_bytes(), Reading::Tolerant, &Limits::default()).manifest;
        let manifest = manifest.as_ref();
        let (room, name) = (facts.room, facts.name.as_str());
        let latest_href = package_path(name);
        let shown = facts.versions.iter().find(|v| v.version == facts.version);
        let yanked = shown.is_some_and(|v| v.yanked);
        // The bare name leads to no yanked version.
        let target = Target::new(name, (facts.pinned || yanked).then_some(facts.version), facts.base_url);
        let tools = manifest.and_then(|m| m.tools.as_deref()).unwrap_or_default();
        let options = manifest.map(|m| m.user_config.as_slice()).unwrap_or_default();
        let description = Shown::line(manifest.map_or("", |m| &m.description), 600);
        let (readme, readme_is_description) = readme(&facts, manifest);
        let mut page = Self {
            shell: shell(&facts, &description),
            scope: Shown::word(facts.name.scope(), 60),
            base: Shown::word(facts.name.base(), 220),
            title: entry::title(manifest.and_then(|m| m.display_name.as_deref()), name),
            description,
            tile: Tile::of(name),
            version: Shown::word(facts.version, 50),
            is_latest: facts.version == facts.latest_version,
            yanked,
            latest: Shown::word(facts.latest_version, 50),
            whole: room.page_bytes_max.is_none(),
            run: target.run(),
            snippets: target.snippets(),
            configure: configure(name, options),
            server_type: Shown::word(facts.server_type, 20),
            licence: manifest.and_then(|m| m.license.as_deref()).map(|l| Shown::line(l, 60)).filter(|l| !l.is_empty()),
            downloads: grouped(facts.downloads),
            published: Moment::at(shown.map_or(0, |v| v.published_at_ms)),
            artifacts: shown.map(|v| artifacts(facts.name, v)).unwrap_or_default(),
            judged: facts.judged.filter(|_| shown.is_some_and(|v| v.artifacts.len() > 1)).map(|p| p.to_string()),
            readme: Rendered::default(),
            readme_is_description,
            tools: tools.iter().take(room.tools_count_max).map(|t| tool(t, room)).collect(),
            tools_count: tools.len(),
            tools_generated: manifest.is_some_and(|m| m.tools_generated),
            settings: options.iter().take(room.settings_count_max).map(|(key, o)| setting(key, o, room)).collect(),
            settings_count: options.len(),
            versions: facts.versions.iter().take(room.versions_count_max).map(|v| version(&facts, v)).collect(),
            versions_count: facts.versions.len(),
            fate: facts.fate.clone(),
            author: manifest.map(|m| Shown::line(&m.author.name, 80)).filter(|a| !a.is_empty()),
            links: manifest.map(links).unwrap_or_default(),
            keywords: manifest.map(keywords).unwrap_or_default(),
            needs: manifest.map(needs).unwrap_or_default(),
            badge: badge(&facts),
            latest_href,
            trust: facts.trust,
        };
        page.readme = readme::render(&readme, page.readme_limits(room));
        page
    }

    /// A README gets the room that all else leaves.
    fn readme_limits(&self, room: Room) -> readme::Limits {
        room.page_bytes_max.map_or(readme::Limits::WHOLE, |bytes_max| {
            readme::Limits::excerpt(bytes_max.saturating_sub(self.render().map_or(bytes_max, |html| html.len())))
        })
    }
}

/// `/packages/@scope/name/1.2.3`
fn version_path(name: &PackageName, version: &str) -> String {
    format!("{}/{}", package_path(name.as_str()), mpak_api::path::encode(version))
}

fn shell(facts: &Facts<'_>, description: &Shown) -> Shell {
    let name = facts.name;
    let title = if facts.pinned { format!("{name} {} – mpak", facts.version) } else { format!("{name} – mpak") };
    let shell = Shell::new(&title, description.clone());
    if facts.pinned || facts.room.page_bytes_max.is_none() { shell.unlisted() } else { shell }
}

/// The bundle's README, else the manifest's long description; whether it is the latter.
fn readme(facts: &Facts<'_>, manifest: Option<&Manifest>) -> (String, bool) {
    match facts.readme.filter(|text| !text.trim().is_empty()) {
        Some(text) => (text.to_owned(), false),
        None => (manifest.and_then(|m| m.long_description.clone()).unwrap_or_default(), true),
    }
}

/// The command that gives the settings without which the server does not start.
fn configure(name: &str, options: &[(String, UserConfigOption)]) -> Option<String> {
    let needed = options.iter().filter(|(key, o)| o.required && o.default.is_none() && key.len() <= 64);
    let keys: Vec<Shown> = needed.take(4).map(|(key, _)| Shown::word(key, 64)).collect();
    let keys: Vec<&str> = keys.iter().map(Shown::as_str).collect();
    (!keys.is_empty()).then(|| snippet::configure(name, &keys))
}

fn artifacts(name: &PackageName, version: &VersionFacts) -> Vec<Artifact> {
    let view = |a: &ArtifactFacts| Artifact {
        platform: a.platform.to_string(),
        size: figures::size(a.size_bytes),
        sha256: a.sha256.to_string(),
        href: download_path(name, &version.version, a.platform),
    };
    version.artifacts.iter().map(view).collect()
}

/// Without a platform, the download gives what fits everything.
fn download_path(name: &PackageName, version: &str, platform: Platform) -> String {
    mpak_api::path::download(name, version, (platform != Platform::ANY).then_some(platform))
}

fn tool(tool: &manifest::Tool, room: Room) -> Tool {
    Tool {
        name: Shown::word(&tool.name, 80),
        description: Shown::prose(tool.description.as_deref().unwrap_or_default(), room.tool_bytes_max),
    }
}

fn setting(key: &str, option: &UserConfigOption, room: Room) -> Setting {
    let kind = match (option.kind, option.multiple) {
        (UserConfigType::String, _) => "text",
        (UserConfigType::Number, _) => "number",
        (UserConfigType::Boolean, _) => "yes or no",
        (UserConfigType::Directory, false) => "folder",
        (UserConfigType::Directory, true) => "folders",
        (UserConfigType::File, false) => "file",
        (UserConfigType::File, true) => "files",
    };
    Setting {
        key: Shown::word(key, 60),
        title: Shown::line(&option.title, 60),
        description: Shown::line(&option.description, room.setting_bytes_max),
        kind,
        required: option.required,
        secret: option.sensitive,
        default: option.default.as_ref().filter(|_| !option.sensitive).map(|value| default(value, room)),
        range: range(option),
    }
}

fn default(value: &ConfigValue, room: Room) -> Shown {
    let text = match value {
        ConfigValue::Text(text) => text.clone(),
        ConfigValue::Number(number) => number.to_string(),
        ConfigValue::Boolean(boolean) => if *boolean { "yes" } else { "no" }.to_owned(),
        ConfigValue::List(list) => list.iter().take(20).cloned().collect::<Vec<_>>().join(", "),
    };
    Shown::word(&text, room.setting_bytes_max)
}

fn range(option: &UserConfigOption) -> Option<String> {
    match (option.min, option.max) {
        (Some(min), Some(max)) => Some(format!("{min} to {max}")),
        (Some(min), None) => Some(format!("at least {min}")),
        (None, Some(max)) => Some(format!("at most {max}")),
        (None, None) => None,
    }
}

fn version(facts: &Facts<'_>, version: &VersionFacts) -> Version {
    let href = version_path(facts.name, &version.version);
    Version {
        number: Shown::word(&version.version, 50),
        platforms: version.artifacts.iter().map(|a| (a.platform.to_string(), figures::size(a.size_bytes))).collect(),
        href,
        is_shown: version.version == facts.version,
        is_latest: version.version == facts.latest_version && !version.yanked,
        yanked: version.yanked,
        published: Moment::at(version.published_at_ms),
        method: Shown::word(&version.publish_method, 20),
        downloads: counted(version.downloads, "download", "downloads"),
    }
}

fn links(manifest: &Manifest) -> Vec<(&'static str, Link)> {
    let given = [
        ("Repository", manifest.repository.as_ref().map(|r| r.url.as_str())),
        ("Homepage", manifest.homepage.as_deref()),
        ("Documentation", manifest.documentation.as_deref()),
        ("Support", manifest.support.as_deref()),
        ("Author", manifest.author.url.as_deref()),
        ("Privacy policy", manifest.privacy_policies.first().map(String::as_str)),
    ];
    given.into_iter().filter_map(|(word, url)| Some((word, Link::web(url?)?))).collect()
}

fn keywords(manifest: &Manifest) -> Vec<Shown> {
    manifest.keywords.iter().take(12).map(|k| Shown::line(k, 30)).filter(|k| !k.is_empty()).collect()
}

/// What the host must have.
fn needs(manifest: &Manifest) -> Vec<(&'static str, Shown)> {
    let needs = &manifest.compatibility;
    let systems: Vec<&str> = needs.platforms.iter().map(|os| os.as_str()).collect();
    let systems = (!systems.is_empty()).then(|| systems.join(", "));
    let given = [
        ("Node.js", needs.node.as_deref()),
        ("Python", needs.python.as_deref()),
        ("Claude Desktop", needs.claude_desktop.as_deref()),
        ("Systems", systems.as_deref()),
    ];
    given.into_iter().filter_map(|(word, value)| Some((word, Shown::word(value?, 60)))).collect()
}

fn badge(facts: &Facts<'_>) -> Badge {
    let src = format!("{}/badge.svg", mpak_api::path::bundle(facts.name));
    let page = package_path(facts.name.as_str());
    let base = facts.base_url;
    Badge { markdown: format!("[![mpak]({base}{src})]({base}{page})"), src }
}

#[cfg(test)]
mod tests {
    use mpak_scan::control::Status;
    use mpak_scan::report::{ControlResult, Finding, Report, Severity};
    use serde_json::json;

    use super::*;

    /// Longest text that the registry's own limits let through everywhere.
    fn worst_report() -> Report {
        let text = "<&\"'\u{202E}".repeat(80);
        let finding = Finding {
            rule: text.clone(),
            severity: Severity::Critical,
            title: text.clone(),
            file: Some(text.clone()),
            line: Some(u32::MAX),
            evidence: Some(text.clone()),
            remediation: Some(text.clone()),
            path: Vec::new(),
            frame: None,
            suppressed: None,
        };
        let control = |control: &mpak_scan::control::Control| ControlResult {
            id: control.id.to_owned(),
            name: control.name.to_owned(),
            level: control.level,
            status: Status::Fail,
            reason: text.clone(),
            fails_from: Some(2),
            findings: vec![finding.clone(); 200],
        };
        let controls = mpak_scan::controls::CONTROLS.iter().map(control).collect();
        Report {
            level: 0,
            score: 0,
            ruleset: text.clone(),
            advisories: Some(text.clone()),
            controls_run: 25,
            controls,
            suppressions: Vec::new(),
            policy: None,
        }
    }

    fn worst_manifest() -> String {
        let text = "<&\"'".repeat(125);
        let option = json!({"type": "string", "title": text, "description": text, "required": true, "default": text});
        let url = |n: usize| format!("https://{}.example/{}", "h".repeat(50), "p".repeat(n));
        json!({
            "manifest_version": "0.3", "name": "x", "version": "1.0.0", "description": text, "display_name": text,
            "author": {"name": text, "url": url(1_900)}, "license": text, "homepage": url(1_901),
            "documentation": url(1_902), "support": url(1_903), "repository": {"type": "git", "url": url(1_904)},
            "keywords": vec![text.clone(); 100], "long_description": "A &lt; [link](https://a.example) <\n\n".repeat(2_000),
            "server": {"type": "node", "entry_point": "i.js", "mcp_config": {"command": "node", "args": ["i.js"]}},
            "tools": (0..500).map(|i| json!({"name": format!("{i}{text}"), "description": text})).collect::<Vec<_>>(),
            "user_config": (0..100).map(|i| (format!("{i}{}", "k".repeat(200)), option.clone())).collect::<serde_json::Map<_, _>>(),
        })
        .to_string()
    }

    fn worst_fate(name: &str, room: Room) -> Fate {
        let text = "<&\"'\u{202E}".repeat(125);
        let package = crate::db::packages::Package {
            id: 1,
            name: name.to_owned(),
            latest_version: "9.9.9".to_owned(),
            created_at_ms: 0,
            state: "held".to_owned(),
            held_reason: Some(text.clone()),
            deprecated_message: Some(text.clone()),
            deprecated_replacement: Some(name.to_owned()),
            repository: None,
        };
        let yank = crate::db::yanks::Yank { version_id: 1, at_ms: 0, reason: Some(text.clone()) };
        let event = crate::db::events::Event {
            seq: 1,
            at_ms: 0,
            kind: "yanked".to_owned(),
            version: Some("1.0.0".to_owned()),
            actor: text.clone(),
            payload_json: json!({"reason": text}).to_string(),
        };
        fate::fate(&package, Some(&yank), None, &vec![event; 300], room)
    }

    fn worst_page(room: Room) -> String {
        let name = PackageName::publishable(&format!("@{}/{}", "s".repeat(39), "n".repeat(214))).unwrap();
        let platforms = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-arm64", "win32-x64", "any"];
        let artifact = |platform: &str| ArtifactFacts {
            platform: platform.parse().unwrap(),
            sha256: Sha256::of(platform.as_bytes()),
            size_bytes: u64::MAX,
        };
        let version = |i: usize| VersionFacts {
            version: format!("1.0.{i}-{}", "a".repeat(42)),
            published_at_ms: 0,
            publish_method: "upload".to_owned(),
            downloads: u64::MAX,
            yanked: true,
            artifacts: platforms.map(artifact).to_vec(),
        };
        let versions: Vec<VersionFacts> = (0..300).map(version).collect();
        let report = worst_report();
        let facts = Facts {
            name: &name,
            latest_version: "9.9.9",
            version: &versions[0].version,
            manifest_json: &worst_manifest(),
            readme: None,
            server_type: "node",
            downloads: u64::MAX,
            versions: &versions,
            trust: Trust::scanned(&report, 0, room.findings_count_max, room.findings_sum_max),
            judged: Some(Platform::ANY),
            base_url: &format!("https://{}.example", "r".repeat(60)),
            pinned: true,
            fate: worst_fate(name.as_str(), room),
            room,
        };
        Package::new(facts).render().unwrap()
    }

    #[test]
    fn the_worst_page_fits() {
        let read = manifest::read(worst_manifest().as_bytes(), Reading::Tolerant, &Limits::default());
        let refused: Vec<_> = read.problems.iter().filter(|p| p.severity == manifest::Severity::Error).collect();
        assert!(refused.is_empty(), "{refused:?}");
        let html = worst_page(Room::USUAL);
        assert!(html.contains("20 of 500 tools"), "the manifest was read");
        let parts: Vec<_> =
            html.split("<section id=\"").map(|p| (p.chars().take(9).collect::<String>(), p.len())).collect();
        assert!(html.len() < 60_000, "{} bytes: {parts:?}", html.len());
        assert!(!html.contains('\u{202E}'));
        assert!(worst_page(Room::WHOLE).len() > html.len());
    }

    #[test]
    fn a_manifest_that_cannot_be_read_costs_its_texts_only() {
        let name = PackageName::publishable("@acme/widget").unwrap();
        let versions = [VersionFacts {
            version: "1.0.0".to_owned(),
            published_at_ms: 0,
            publish_method: "upload".to_owned(),
            downloads: 1,
            yanked: false,
            artifacts: Vec::new(),
        }];
        let facts = Facts {
            name: &name,
            latest_version: "1.0.0",
            version: "1.0.0",
            manifest_json: "{",
            readme: Some("# Hi"),
            server_type: "node",
            downloads: 1,
            versions: &versions,
            trust: Trust::unscanned(super::super::trust::Unscanned::NotAsked),
            judged: None,
            base_url: "http://h",
            pinned: false,
            fate: Fate::default(),
            room: Room::USUAL,
        };
        let html = Package::new(facts).render().unwrap();
        assert!(html.contains("No description.") && html.contains(">Hi</h3>") && html.contains("1.0.0"));
    }
}
