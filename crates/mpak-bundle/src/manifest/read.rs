//! From a JSON document to a [`Manifest`]: every field of 0.1 to 0.4 with its rule.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, Need, Object, kind};
use super::json::Document;
use super::problems::{At, Problems, code, shown};
use super::{
    Author, Compatibility, Icon, Localization, Manifest, ManifestRead, ManifestVersion, Prompt, Reading, Repository,
    Severity, Tool, range, server, text, user_config, values,
};
use crate::platform::Os;
use crate::version::Version;

/// Top-level fields with the version that brought them.
const TOP: [(&str, ManifestVersion); 28] = {
    use ManifestVersion::{V0_1, V0_2, V0_3};
    [
        ("$schema", V0_1),
        ("manifest_version", V0_1),
        ("dxt_version", V0_1),
        ("name", V0_1),
        ("display_name", V0_1),
        ("version", V0_1),
        ("description", V0_1),
        ("long_description", V0_1),
        ("author", V0_1),
        ("repository", V0_1),
        ("homepage", V0_1),
        ("documentation", V0_1),
        ("support", V0_1),
        ("icon", V0_1),
        ("icons", V0_3),
        ("screenshots", V0_1),
        ("localization", V0_3),
        ("server", V0_1),
        ("tools", V0_1),
        ("tools_generated", V0_1),
        ("prompts", V0_1),
        ("prompts_generated", V0_1),
        ("keywords", V0_1),
        ("license", V0_1),
        ("privacy_policies", V0_2),
        ("compatibility", V0_1),
        ("user_config", V0_1),
        ("_meta", V0_3),
    ]
};

/// Reads the fields of a document.
pub(super) fn manifest(document: Document, reading: Reading, problems: Problems) -> ManifestRead {
    let Document { root, lines } = document;
    let mut fields = Fields::new(&root, &lines, reading, problems);
    let at = At::root();
    // The version decides what the other fields mean.
    let map = fields.object(&root, &at, "a manifest is one object in braces");
    let manifest_version = map.and_then(|map| version(&mut fields, map, &at));
    let manifest = map.zip(manifest_version).and_then(|(map, version)| {
        fields.version = version;
        top(&mut fields, &root, map, &at)
    });
    let refused = fields.problems.has_errors();
    let problems = fields.problems.finish();
    let manifest = manifest.filter(|_| !refused);
    let lines = Arc::new(lines);
    ManifestRead { manifest: manifest.map(|m| Manifest { raw: root, lines, ..m }), manifest_version, problems }
}

fn top(f: &mut Fields<'_>, root: &Value, map: &Object, at: &At<'_>) -> Option<Manifest> {
    // 1. Unknown fields and fields of later versions.
    top_keys(f, map, at);
    // 2. Texts that deceive, anywhere.
    texts(f, root, at);
    // 3. Field by field.
    f.text(map, at, "$schema", Need::Optional);
    let user_config = user_config::read(f, map, at);
    let (server, uses) = server::read(f, map, at, &user_config);
    if server.is_some() {
        user_config::check_uses(f, at, &user_config, &uses);
    }
    Some(Manifest {
        manifest_version: f.version,
        name: name(f, map, at),
        version: semver(f, map, at),
        description: f.text(map, at, "description", Need::Required).unwrap_or_default(),
        author: author(f, map, at),
        server: server?,
        display_name: display_name(f, map, at),
        long_description: f.text(map, at, "long_description", Need::Optional),
        license: f.text(map, at, "license", Need::Optional),
        repository: repository(f, map, at),
        homepage: f.link(map, at, "homepage"),
        documentation: f.link(map, at, "documentation"),
        support: f.link(map, at, "support"),
        icon: icon(f, map, at),
        icons: icons(f, map, at),
        screenshots: screenshots(f, map, at),
        tools: tools(f, map, at),
        tools_generated: f.boolean(map, at, "tools_generated").unwrap_or(false),
        prompts: prompts(f, map, at),
        prompts_generated: f.boolean(map, at, "prompts_generated").unwrap_or(false),
        keywords: f.texts(map, at, "keywords").unwrap_or_default(),
        compatibility: compatibility(f, map, at),
        user_config,
        privacy_policies: privacy_policies(f, map, at),
        localization: localization(f, map, at),
        meta: meta(f, map, at),
        raw: Value::Null,
        lines: Arc::default(),
    })
}

fn version(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<ManifestVersion> {
    const HELP: &str = "write `\"manifest_version\": \"0.3\"`";
    let known = |key: &str| map.get(key).and_then(Value::as_str).and_then(ManifestVersion::parse);
    let found = |value: &Value| value.as_str().map_or_else(|| value_shown(value), |t| format!("`{}`", shown(t)));
    let (current, old) = (known("manifest_version"), known("dxt_version"));
    let Some(version) = current.or(old) else {
        let key = if map.contains_key("manifest_version") { "manifest_version" } else { "dxt_version" };
        let expected = "expected the text `0.1`, `0.2`, `0.3` or `0.4` as manifest_version";
        let found = map.get(key).map_or_else(|| "none".to_owned(), found);
        let here = at.key(key);
        let place = if map.contains_key(key) { &here } else { at };
        f.error(code::MANIFEST_VERSION, place, format!("{expected}, found {found}"), HELP);
        return None;
    };
    for key in ["manifest_version", "dxt_version"] {
        if let Some(value) = map.get(key)
            && value.as_str() != Some(version.as_str())
        {
            let message =
                format!("expected `{}` as the other version field says, found {}", version.as_str(), found(value));
            f.error(code::MANIFEST_VERSION, &at.key(key), message, "remove `dxt_version`");
        }
    }
    if current.is_none() && old.is_some() {
        let message = "expected `manifest_version`, found its old name `dxt_version`";
        f.warn(code::DXT_VERSION, &at.key("dxt_version"), message, "rename it to `manifest_version`");
    }
    Some(version)
}

fn value_shown(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("the number {number}"),
        other => kind(other).to_owned(),
    }
}

fn top_keys(f: &mut Fields<'_>, map: &Object, at: &At<'_>) {
    let names = TOP.map(|(name, _)| name);
    let severity = f.strictly();
    for key in map.keys() {
        match TOP.iter().find(|(name, _)| name == key) {
            Some((_, since)) if *since > f.version => {
                let message = format!(
                    "expected no `{key}` in a manifest of version {}, found a field that came with {}",
                    f.version.as_str(),
                    since.as_str()
                );
                let help = format!("set `manifest_version` to `{}`", since.as_str());
                f.report(severity, code::FIELD_TOO_NEW, &at.key(key), message, &help);
            }
            Some(_) => {}
            None => {
                let near = names.iter().find(|name| near(name, key));
                let help = near.map_or_else(
                    || "remove it, or move it into `_meta`".to_owned(),
                    |n| format!("did you mean `{n}`?"),
                );
                let message = format!(
                    "expected a field of manifest {}, found the unknown field `{}`",
                    f.version.as_str(),
                    shown(key)
                );
                f.report(severity, code::FIELD_UNKNOWN, &at.key(key), message, &help);
            }
        }
    }
}

/// Whether two names differ in case, separators or one letter only.
fn near(known: &str, found: &str) -> bool {
    let plain = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    if found.len() > known.len() + 3 {
        return false;
    }
    let (a, b): (Vec<char>, Vec<char>) = (plain(known).chars().collect(), plain(found).chars().collect());
    let (long, short) = if a.len() >= b.len() { (&a, &b) } else { (&b, &a) };
    let same_start = long.iter().zip(short.iter()).take_while(|(x, y)| x == y).count();
    let same_end = long.iter().rev().zip(short.iter().rev()).take_while(|(x, y)| x == y).count();
    long.len() - short.len() <= 1 && same_start + same_end + 1 >= long.len()
}

/// Reports characters that deceive, in every text and key.
fn texts(f: &mut Fields<'_>, value: &Value, at: &At<'_>) {
    match value {
        Value::String(text) => deceiving(f, text, at),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, item)| texts(f, item, &at.index(index))),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            deceiving(f, key, &at.key(key));
            texts(f, item, &at.key(key));
        }),
        _ => {}
    }
}

fn deceiving(f: &mut Fields<'_>, text: &str, at: &At<'_>) {
    let find = |test: fn(char) -> bool| text.chars().find(|c| test(*c)).map(|c| format!("U+{:04X}", c as u32));
    let help = "remove it; it is not shown to users as it is";
    if let Some(c) = find(text::is_control) {
        f.warn(code::TEXT_CONTROL, at, format!("expected visible text, found the control character {c}"), help);
    }
    if let Some(c) = find(text::is_bidi) {
        f.warn(
            code::TEXT_BIDI,
            at,
            format!("expected visible text, found {c}, which reorders the text around it"),
            help,
        );
    }
    if let Some(c) = find(text::is_invisible) {
        f.warn(code::TEXT_INVISIBLE, at, format!("expected visible text, found the invisible character {c}"), help);
    }
}

fn mixed(f: &mut Fields<'_>, text: &str, at: &At<'_>) {
    if let Some(word) = text::mixed_word(text) {
        let message =
            format!("expected one script per word, found letters that look alike from two in `{}`", shown(word));
        f.warn(code::TEXT_MIXED_SCRIPTS, at, message, "write the word in one script");
    }
}

fn name(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> String {
    let Some(name) = f.text(map, at, "name", Need::Required) else { return String::new() };
    let here = at.key("name");
    if let Some(fault) = values::name_fault(&name) {
        let message =
            format!("expected a name like `my-server` or `@scope/my-server`, found {fault}: `{}`", shown(&name));
        f.error(code::NAME_INVALID, &here, message, "use letters, digits and hyphens");
    } else if let Some(remark) = values::name_remark(&name) {
        let message = format!("expected a name that can be a file everywhere, found {remark}: `{}`", shown(&name));
        f.warn(code::NAME_UNUSUAL, &here, message, "use a short name of letters, digits and hyphens");
    }
    mixed(f, &name, &here);
    name
}

fn semver(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> String {
    let Some(version) = f.text(map, at, "version", Need::Required) else { return String::new() };
    if Version::parse(&version).is_err() {
        let message =
            format!("expected a semantic version like `1.2.3` of at most 50 bytes, found `{}`", shown(&version));
        f.report(
            f.strictly(),
            code::VERSION_NOT_SEMVER,
            &at.key("version"),
            message,
            "write MAJOR.MINOR.PATCH; without it the bundle cannot be published",
        );
    }
    version
}

fn display_name(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<String> {
    let name = f.text(map, at, "display_name", Need::Optional)?;
    mixed(f, &name, &at.key("display_name"));
    Some(name)
}

fn author(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Author {
    let Some(value) = f.member(map, at, "author", Need::Required) else { return Author::default() };
    let here = at.key("author");
    let Some(inner) = f.object(value, &here, "write `\"author\": {\"name\": \"…\"}`") else {
        return Author::default();
    };
    f.known(inner, &here, &["name", "email", "url"], f.strictly());
    let name = f.text(inner, &here, "name", Need::Required).unwrap_or_default();
    mixed(f, &name, &here.key("name"));
    let email = f.text(inner, &here, "email", Need::Optional);
    if let Some(email) = email.as_deref().filter(|e| !values::is_email(e)) {
        let message = format!("expected an address like `me@example.org`, found `{}`", shown(email));
        f.error(code::EMAIL_INVALID, &here.key("email"), message, "correct it or remove the field");
    }
    Author { name, email, url: f.link(inner, &here, "url") }
}

fn repository(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<Repository> {
    let value = f.member(map, at, "repository", Need::Optional)?;
    let here = at.key("repository");
    let inner = f.object(value, &here, "write `\"repository\": {\"type\": \"git\", \"url\": \"https://…\"}`")?;
    f.known(inner, &here, &["type", "url"], f.strictly());
    let kind = f.text(inner, &here, "type", Need::Required)?;
    let url = f.text(inner, &here, "url", Need::Required)?;
    f.check_url(&url, &here.key("url"), values::repository(&url));
    Some(Repository { kind, url })
}

/// Path or URL of a picture; a URL is remarked.
fn picture(f: &mut Fields<'_>, text: &str, at: &At<'_>) {
    if text.starts_with("http://") || text.starts_with("https://") {
        f.check_url(text, at, values::link(text));
        let message = "expected a picture in the bundle, found a URL, which hosts do not show";
        f.warn(code::ICON_REMOTE, at, message, "put the file into the bundle");
    } else {
        f.check_path(text, at);
    }
}

fn icon(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<String> {
    let icon = f.text(map, at, "icon", Need::Optional)?;
    let here = at.key("icon");
    if icon.contains("${") {
        let message = format!("expected a path in the bundle, found a template: `{}`", shown(&icon));
        f.error(code::PATH_INVALID, &here, message, "write the path relative to manifest.json, for example `icon.png`");
    } else if !icon.is_empty() {
        picture(f, &icon, &here);
    }
    Some(icon).filter(|i| !i.is_empty())
}

fn icons(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Vec<Icon> {
    objects(f, map, at, "icons", |f, inner, here| {
        f.known(inner, here, &["src", "size", "theme"], f.strictly());
        let src = f.text(inner, here, "src", Need::Required)?;
        picture(f, &src, &here.key("src"));
        let size = f.text(inner, here, "size", Need::Required)?;
        match values::icon_size(&size) {
            None => {
                let message = format!("expected WIDTHxHEIGHT like `128x128`, found `{}`", shown(&size));
                f.error(code::ICON_SIZE_TEXT, &here.key("size"), message, "write both sides in pixels");
            }
            Some((width, height)) if width == 0 || height == 0 => {
                let message = format!("expected a size of at least 1x1, found `{}`", shown(&size));
                f.warn(code::ICON_SIZE_DIFFERS, &here.key("size"), message, "write the real size");
            }
            Some(_) => {}
        }
        let theme = f.text(inner, here, "theme", Need::Optional);
        if theme.as_deref() == Some("") {
            let message = "expected a theme like `light` or `dark`, found an empty text";
            f.error(code::VALUE_UNKNOWN, &here.key("theme"), message, "name the theme or remove the field");
        }
        Some(Icon { src, size, theme })
    })
    .unwrap_or_default()
}

/// A list of objects, read one by one; `None` where the field is absent or no list.
fn objects<T>(
    f: &mut Fields<'_>,
    map: &Object,
    at: &At<'_>,
    key: &str,
    mut read: impl FnMut(&mut Fields<'_>, &Object, &At<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let value = f.member(map, at, key, Need::Optional)?;
    let here = at.key(key);
    let list = f.array(value, &here)?;
    let items = list.iter().enumerate().filter_map(|(index, item)| {
        let place = here.index(index);
        let inner = f.object(item, &place, "")?;
        read(f, inner, &place)
    });
    Some(items.collect())
}

fn screenshots(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Vec<String> {
    let list = f.texts(map, at, "screenshots").unwrap_or_default();
    let here = at.key("screenshots");
    for (index, path) in list.iter().enumerate() {
        picture(f, path, &here.index(index));
    }
    list
}

fn tools(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<Vec<Tool>> {
    let mut seen = BTreeSet::new();
    objects(f, map, at, "tools", |f, inner, here| {
        for key in ["inputSchema", "input_schema", "outputSchema"].into_iter().filter(|key| inner.contains_key(*key)) {
            let message = format!("expected `name` and `description` only, found `{key}`");
            f.warn(code::TOOL_SCHEMA, &here.key(key), message, "remove it: the running server tells its schemas");
        }
        f.known(inner, here, &["name", "description", "inputSchema", "input_schema", "outputSchema"], f.strictly());
        let name = f.text(inner, here, "name", Need::Required)?;
        mixed(f, &name, &here.key("name"));
        let description = f.text(inner, here, "description", Need::Optional);
        if !seen.insert(name.clone()) {
            let message = format!("expected each tool once, found `{}` again", shown(&name));
            f.error(code::TOOL_DUPLICATE, &here.key("name"), message, "rename or remove one");
        }
        Some(Tool { name, description })
    })
}

fn prompts(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Vec<Prompt> {
    let mut seen = BTreeSet::new();
    objects(f, map, at, "prompts", |f, inner, here| {
        f.known(inner, here, &["name", "description", "arguments", "text"], f.strictly());
        let name = f.text(inner, here, "name", Need::Required);
        let text = f.text(inner, here, "text", Need::Required);
        let description = f.text(inner, here, "description", Need::Optional);
        let arguments = f.texts(inner, here, "arguments").unwrap_or_default();
        let (name, text) = (name?, text?);
        if !seen.insert(name.clone()) {
            let message = format!("expected each prompt once, found `{}` again", shown(&name));
            f.error(code::PROMPT_DUPLICATE, &here.key("name"), message, "rename or remove one");
        }
        Some(Prompt { name, description, arguments, text })
    })
    .unwrap_or_default()
}

fn compatibility(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Compatibility {
    let Some(value) = f.member(map, at, "compatibility", Need::Optional) else { return Compatibility::default() };
    let here = at.key("compatibility");
    let Some(inner) = f.object(value, &here, "") else { return Compatibility::default() };
    for key in inner.keys().filter(|key| !["claude_desktop", "platforms", "runtimes"].contains(&key.as_str())) {
        let message = format!(
            "expected `claude_desktop`, `platforms` or `runtimes`, found `{}`, which existing tools refuse",
            shown(key)
        );
        f.warn(code::CLIENT_UNKNOWN, &here.key(key), message, "remove it, or move it into `_meta`");
    }
    let claude_desktop = ranged(f, inner, &here, "claude_desktop");
    let platforms = platforms(f, inner, &here);
    let (mut python, mut node) = (None, None);
    if let Some(value) = f.member(inner, &here, "runtimes", Need::Optional) {
        let place = here.key("runtimes");
        if let Some(runtimes) = f.object(value, &place, "") {
            f.known(runtimes, &place, &["python", "node"], f.strictly());
            python = ranged(f, runtimes, &place, "python");
            node = ranged(f, runtimes, &place, "node");
        }
    }
    Compatibility { claude_desktop, platforms, python, node }
}

fn ranged(f: &mut Fields<'_>, map: &Object, at: &At<'_>, key: &str) -> Option<String> {
    let text = f.text(map, at, key, Need::Optional)?;
    if !range::range_is_readable(&text) {
        let message = format!("expected a version range like `>=18.0.0` or `>=3.10,<4`, found `{}`", shown(&text));
        f.warn(code::RANGE_UNREADABLE, &at.key(key), message, "without a readable range no version is refused");
    }
    Some(text)
}

fn platforms(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Vec<Os> {
    let Some(list) = f.texts(map, at, "platforms") else { return Vec::new() };
    let here = at.key("platforms");
    if list.is_empty() {
        let message = "expected at least one platform, found an empty list, which counts as no list";
        f.warn(code::PLATFORMS_EMPTY, &here, message, "name the platforms or remove the field");
    }
    let mut out = Vec::new();
    for (index, text) in list.iter().enumerate() {
        match Os::parse(text).filter(|os| *os != Os::Any) {
            Some(os) if out.contains(&os) => {}
            Some(os) => out.push(os),
            None => {
                let message = format!("expected `darwin`, `linux` or `win32`, found `{}`", shown(text));
                f.error(code::VALUE_UNKNOWN, &here.index(index), message, "name the operating systems in these words");
            }
        }
    }
    out
}

fn privacy_policies(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Vec<String> {
    let list = f.texts(map, at, "privacy_policies").unwrap_or_default();
    let here = at.key("privacy_policies");
    for (index, text) in list.iter().enumerate() {
        f.check_url(text, &here.index(index), values::link(text));
    }
    list
}

fn localization(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<Localization> {
    let value = f.member(map, at, "localization", Need::Optional)?;
    let here = at.key("localization");
    let inner = f.object(value, &here, "")?;
    f.known(inner, &here, &["resources", "default_locale"], f.strictly());
    let resources = defaulted(f, inner, &here, "resources", "mcpb-resources/${locale}.json")?;
    let default_locale = defaulted(f, inner, &here, "default_locale", "en-US")?;
    if resources.contains("${locale}") {
        f.check_path(&resources.replace("${locale}", "en"), &here.key("resources"));
    } else {
        let message = format!("expected a path with `${{locale}}`, found `{}`", shown(&resources));
        f.error(code::LOCALE_TEMPLATE, &here.key("resources"), message, "for example `mcpb-resources/${locale}.json`");
    }
    if !values::is_locale(&default_locale) {
        let message = format!("expected a locale tag like `en-US`, found `{}`", shown(&default_locale));
        f.error(code::LOCALE_TAG, &here.key("default_locale"), message, "use letters, digits and hyphens (BCP 47)");
    }
    Some(Localization { resources, default_locale })
}

/// A text whose documented default existing tools do not apply: missing is an error when strict.
fn defaulted(f: &mut Fields<'_>, map: &Object, at: &At<'_>, key: &str, default: &str) -> Option<String> {
    if map.contains_key(key) {
        return f.text(map, at, key, Need::Required);
    }
    let message = format!("expected the field `{key}`, found none");
    f.report(f.strictly(), code::FIELD_MISSING, at, message, &format!("add `\"{key}\": \"{default}\"`"));
    Some(default.to_owned())
}

fn meta(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Object {
    let Some(value) = f.member(map, at, "_meta", Need::Optional) else { return Object::new() };
    let here = at.key("_meta");
    let Some(inner) = f.object(value, &here, "") else { return Object::new() };
    for (key, item) in inner {
        let place = here.key(key);
        f.object(item, &place, "put the value into an object");
        if !key.contains('.') {
            let message = format!("expected a reverse-DNS key like `org.example`, found `{}`", shown(key));
            f.report(Severity::Warning, code::META_KEY, &place, message, "use a domain you control, reversed");
        }
    }
    inner.clone()
}
