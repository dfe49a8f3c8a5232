//! A manifest as the members of `server.json` that both shapes share.
//!
//! The manifest is the author's: members of a wrong type or form are left out, long ones are cut, and
//! nothing in it can become something that the registry says (certification, downloads, provenance).

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};
use url::Url;

/// Longest title and description.
const LINE_CHARS_MAX: usize = 100;
/// Longest address of an icon.
const ICON_URL_BYTES_MAX: usize = 255;
/// Most icons, and most variables, of one server.
const ICONS_COUNT_MAX: usize = 10;
const VARIABLES_COUNT_MAX: usize = 50;
/// Longest text of a variable.
const VARIABLE_CHARS_MAX: usize = 500;
/// Longest address of a site or repository.
const URL_BYTES_MAX: usize = 512;
/// Largest `_meta` of an author, as the official registry has it.
const META_BYTES_MAX: usize = 4_096;
/// The author's own place in the official shape.
const PUBLISHER_PROVIDED: &str = "io.modelcontextprotocol.registry/publisher-provided";

static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{?user_config\.([a-zA-Z0-9_]+)\}?").expect("a valid expression"));
static ICON_SIZE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\d{1,5}x\d{1,5}|any)$").expect("a valid expression"));
static HOSTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^https?://(?:www\.)?(github|gitlab)\.com/[\w.-]+/[\w.-]+/?$").expect("a valid expression")
});

/// The display name, else the package's name; at most 100 characters.
pub(super) fn title(manifest: &Value, package: &str) -> String {
    line(&manifest["display_name"], package)
}

/// The description, else the package's name; at most 100 characters.
pub(super) fn description(manifest: &Value, package: &str) -> String {
    line(&manifest["description"], package)
}

fn line(value: &Value, otherwise: &str) -> String {
    let text = value.as_str().map(str::trim).filter(|t| !t.is_empty()).unwrap_or(otherwise);
    cut(text, LINE_CHARS_MAX)
}

/// At most so many characters, the last of them an ellipsis when something is missing.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

/// An absolute web address, as it was written.
fn web_url(value: &Value, bytes_max: usize) -> Option<&str> {
    let text = value.as_str().map(str::trim).filter(|t| t.len() <= bytes_max)?;
    let url = Url::parse(text).ok()?;
    let fine = matches!(url.scheme(), "http" | "https") && url.has_host() && !text.contains(char::is_whitespace);
    fine.then_some(text)
}

/// Where people read more.
pub(super) fn website(manifest: &Value) -> Option<&str> {
    web_url(&manifest["homepage"], URL_BYTES_MAX)
}

/// Where the source is: what the author says, else the repository that the package is pinned to.
pub(super) fn repository(manifest: &Value, pinned: Option<&str>) -> Option<String> {
    let said = &manifest["repository"];
    let said = if said.is_string() { said } else { &said["url"] };
    if let Some(url) = web_url(said, URL_BYTES_MAX) {
        return Some(url.to_owned());
    }
    let pinned = pinned?;
    let url = if pinned.starts_with("https://") { pinned.to_owned() } else { format!("https://github.com/{pinned}") };
    web_url(&Value::from(url.as_str()), URL_BYTES_MAX).map(str::to_owned)
}

/// Which of the two known hosts a repository is at, if it is one that the official registry takes.
pub(super) fn repository_source(url: &str) -> Option<&'static str> {
    match HOSTED.captures(url)?.get(1)?.as_str() {
        "github" => Some("github"),
        _ => Some("gitlab"),
    }
}

/// Its icons; `https_only` for the official shape.
pub(super) fn icons(manifest: &Value, https_only: bool) -> Vec<Value> {
    let allowed = |value: &Value| {
        let url = web_url(value, ICON_URL_BYTES_MAX)?;
        (!https_only || url.starts_with("https://")).then(|| url.to_owned())
    };
    let listed = manifest["icons"].as_array().into_iter().flatten();
    let icons: Vec<Value> =
        listed.filter_map(|icon| Some(one_icon(icon, &allowed(&icon["src"])?))).take(ICONS_COUNT_MAX).collect();
    if !icons.is_empty() {
        return icons;
    }
    allowed(&manifest["icon"]).map(|src| json!({"src": src, "sizes": ["any"]})).into_iter().collect()
}

fn one_icon(icon: &Value, src: &str) -> Value {
    let mut shown = json!({"src": src});
    let sizes = icon["sizes"].as_array().into_iter().flatten().chain(icon.get("size"));
    let sizes: Vec<&str> =
        sizes.filter_map(Value::as_str).filter(|s| ICON_SIZE.is_match(s)).take(ICONS_COUNT_MAX).collect();
    if !sizes.is_empty() {
        shown["sizes"] = json!(sizes);
    }
    let types = ["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"];
    for (member, allowed) in [("mimeType", &types[..]), ("theme", &["light", "dark"][..])] {
        if let Some(word) = icon[member].as_str().filter(|w| allowed.contains(w)) {
            shown[member] = word.into();
        }
    }
    shown
}

/// What a person must or may set, as the variables that the server reads.
pub(super) fn environment(manifest: &Value) -> Vec<Value> {
    let Some(options) = manifest["user_config"].as_object() else { return Vec::new() };
    // Of several variables that hold an option's value, the last one counts.
    let mut names: HashMap<&str, &str> = HashMap::new();
    for (name, template) in manifest["server"]["mcp_config"]["env"].as_object().into_iter().flatten() {
        if let Some(key) = template.as_str().and_then(|t| REFERENCE.captures(t)).and_then(|c| c.get(1)) {
            names.insert(key.as_str(), name);
        }
    }
    let shown = options.iter().filter(|(_, option)| option.is_object());
    shown
        .take(VARIABLES_COUNT_MAX)
        .map(|(key, option)| variable(key, names.get(key.as_str()).copied(), option))
        .collect()
}

fn variable(key: &str, name: Option<&str>, option: &Value) -> Value {
    let name = name.map_or_else(|| key.to_uppercase(), str::to_owned);
    let mut shown = json!({"name": cut(&name, VARIABLE_CHARS_MAX)});
    if let Some(description) = option["description"].as_str() {
        shown["description"] = cut(description, VARIABLE_CHARS_MAX).into();
    }
    for (from, to) in [("sensitive", "isSecret"), ("required", "isRequired")] {
        if let Some(flag) = option[from].as_bool() {
            shown[to] = flag.into();
        }
    }
    // A secret's default would be no secret.
    let default = match &option["default"] {
        _ if option["sensitive"] == true => None,
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    if let Some(default) = default {
        shown["default"] = cut(&default, VARIABLE_CHARS_MAX).into();
    }
    shown
}

/// What the author says under names of others: everything but the registry's own places. Nothing when it
/// is larger than the official registry takes.
pub(super) fn author_meta(manifest: &Value) -> Map<String, Value> {
    let Some(meta) = manifest["_meta"].as_object() else { return Map::new() };
    let ours = |name: &str| {
        name == "dev.mpak/registry"
            || name == "io.modelcontextprotocol.registry/official"
            || name.starts_with("dev.mpak/")
    };
    let kept: Map<String, Value> =
        meta.iter().filter(|(name, _)| !ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    if Value::Object(kept.clone()).to_string().len() > META_BYTES_MAX { Map::new() } else { kept }
}

/// The author's part of the official shape's `_meta`.
pub(super) fn publisher_provided(manifest: &Value) -> Option<Value> {
    let meta = author_meta(manifest);
    let own = meta.get(PUBLISHER_PROVIDED).filter(|value| value.is_object())?;
    Some(json!({PUBLISHER_PROVIDED: own}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_long_lines_end_in_an_ellipsis() {
        for (given, expect) in [
            (json!("x".repeat(100)), "x".repeat(100)),
            (json!("ä".repeat(101)), format!("{}…", "ä".repeat(99))),
            (json!("  "), "@acme/widget".to_owned()),
            (json!(7), "@acme/widget".to_owned()),
        ] {
            let manifest = json!({"display_name": given, "description": given});
            assert_eq!(title(&manifest, "@acme/widget"), expect);
            assert_eq!(description(&manifest, "@acme/widget"), expect);
        }
    }

    #[test]
    fn addresses_are_absolute_and_of_the_web() {
        for (given, fine) in [
            ("https://a.example/x", true),
            ("http://a.example", true),
            ("javascript:alert(1)", false),
            ("/relative", false),
            ("https://", false),
            ("https://a.example/a b", false),
        ] {
            assert_eq!(website(&json!({"homepage": given})).is_some(), fine, "{given}");
        }
        assert!(website(&json!({"homepage": format!("https://a.example/{}", "x".repeat(600))})).is_none());
    }

    #[test]
    fn the_repository_is_the_authors_else_the_pinned_one() {
        let said = json!({"repository": {"type": "git", "url": "https://github.com/acme/said"}});
        assert_eq!(repository(&said, Some("acme/pinned")).unwrap(), "https://github.com/acme/said");
        assert_eq!(repository(&json!({}), Some("acme/pinned")).unwrap(), "https://github.com/acme/pinned");
        assert_eq!(repository(&json!({"repository": 7}), None), None);
        for (url, source) in [
            ("https://github.com/a/b", Some("github")),
            ("https://gitlab.com/a/b/", Some("gitlab")),
            ("https://gitlab.com.evil.example/a/b", None),
            ("https://github.com/a", None),
        ] {
            assert_eq!(repository_source(url), source, "{url}");
        }
    }

    #[test]
    fn icons_keep_what_is_allowed() {
        let manifest = json!({"icons": [
            {"src": "https://a.example/i.png", "sizes": ["16x16", "big", "any"], "mimeType": "image/png", "theme": "dark", "x": 1},
            {"src": "icon.png"}, 7, {"src": "http://a.example/i.svg", "mimeType": "text/html"},
        ]});
        let expect = json!([
            {"src": "https://a.example/i.png", "sizes": ["16x16", "any"], "mimeType": "image/png", "theme": "dark"},
            {"src": "http://a.example/i.svg"},
        ]);
        assert_eq!(json!(icons(&manifest, false)), expect);
        assert_eq!(icons(&manifest, true).len(), 1);
        let single = json!({"icon": "https://a.example/i.png"});
        assert_eq!(json!(icons(&single, true)), json!([{"src": "https://a.example/i.png", "sizes": ["any"]}]));
    }

    #[test]
    fn b12_variables_come_from_the_options() {
        let manifest = json!({
            "server": {"mcp_config": {"env": {"TOKEN": "${user_config.api_token}", "OTHER": "x", "URL": "$user_config.url", "LAST": "${user_config.url}"}}},
            "user_config": {
                "api_token": {"type": "string", "description": "A token", "sensitive": true, "required": true, "default": "s3cret"},
                "url": {"type": "string", "default": "https://a.example"},
                "count": {"type": "number", "default": 3, "required": false},
                "odd": 7,
            },
        });
        let expect = json!([
            {"name": "TOKEN", "description": "A token", "isSecret": true, "isRequired": true},
            {"name": "LAST", "default": "https://a.example"},
            {"name": "COUNT", "isRequired": false, "default": "3"},
        ]);
        assert_eq!(json!(environment(&manifest)), expect);
    }

    #[test]
    fn what_the_registry_says_cannot_be_said_by_an_author() {
        let manifest = json!({"_meta": {
            "dev.mpak/registry": {"certification": {"level": 4}}, "dev.mpak/other": 1,
            "io.modelcontextprotocol.registry/official": {"status": "active"},
            "com.example/mine": {"a": 1}, PUBLISHER_PROVIDED: {"tool": "x"},
        }});
        let names: Vec<String> = author_meta(&manifest).keys().cloned().collect();
        assert_eq!(names, ["com.example/mine", PUBLISHER_PROVIDED]);
        assert_eq!(publisher_provided(&manifest), Some(json!({PUBLISHER_PROVIDED: {"tool": "x"}})));
        let large = json!({"_meta": {"com.example/mine": "x".repeat(5_000)}});
        assert!(author_meta(&large).is_empty());
    }
}
