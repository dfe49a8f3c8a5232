//! Shows settings: `--print-config`, and the reference page.

use std::fmt::Write as _;

use toml::Value;
use url::Url;

use super::keys::{Default, ISSUERS, KEYS, Key, Kind};
use super::load::{Loaded, Setting};

/// What stands for a secret.
const MASK: &str = "***";

/// The settings in force as a file that can be loaded again: each with its variable, its flag and where
/// its value came from. Secrets are masked and stand in comments.
pub fn toml(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in &loaded.settings {
        if setting.key.section() != section {
            section = setting.key.section();
            let _ = writeln!(text, "[{section}]");
        }
        if setting.key.path != ISSUERS {
            one(&mut text, setting);
        }
        let last_of_section = KEYS.iter().rfind(|k| k.section() == section).is_some_and(|k| k.path == setting.key.path);
        if last_of_section {
            text.push('\n');
        }
    }
    let setting = loaded.settings.iter().find(|setting| setting.key.path == ISSUERS);
    let issuers = setting.and_then(|setting| setting.value.as_ref()).and_then(Value::as_array);
    if let Some(Setting { key, place, .. }) = setting {
        let _ = writeln!(text, "# {}.", key.help);
        let variable = key.variable().unwrap_or_default();
        let _ = writeln!(text, "# {variable} · --{}, as JSON · from {place}", key.flag());
    }
    if issuers.is_none_or(Vec::is_empty) {
        text.push_str("# Without any: GitHub Actions and GitLab CI under their public names.\n");
    }
    text.push_str("# [[publishing.issuer]]\n");
    for (name, form, help) in ISSUER_KEYS {
        let _ = writeln!(text, "# {name} = {form}    # {}", help.replace('`', ""));
    }
    for issuer in issuers.into_iter().flatten() {
        let _ = write!(
            text,
            "[[publishing.issuer]]\n{issuer_toml}\n",
            issuer_toml = toml::to_string(issuer).unwrap_or_default()
        );
    }
    text
}

fn one(text: &mut String, setting: &Setting) {
    let key = setting.key;
    let variable = key.variable().unwrap_or_else(|| "no variable".to_owned());
    let kind = match key.kind {
        Kind::Text => String::new(),
        kind => format!(" ({})", kind.expected()),
    };
    let _ = writeln!(text, "# {}{kind}.", key.help);
    let _ = writeln!(text, "# {variable} · --{} · from {}", key.flag(), setting.place);
    let name = key.name();
    let _ = match &setting.value {
        None => writeln!(text, "# {name} ="),
        Some(value) => match masked(key, value) {
            Some(masked) => writeln!(text, "# {name} = {masked}"),
            None => writeln!(text, "{name} = {value}"),
        },
    };
}

/// What to show of a secret; nothing when the value holds none.
fn masked(key: &Key, value: &Value) -> Option<Value> {
    if !key.secret {
        return None;
    }
    match value.as_str().and_then(|text| Url::parse(text).ok()) {
        // An address holds its secrets in well-known places.
        Some(mut url) if key.name() == "url" => {
            let secret = url.password().is_some() || url.query().is_some();
            if url.password().is_some() {
                let _ = url.set_password(Some(MASK));
            }
            if url.query().is_some() {
                url.set_query(Some(MASK));
            }
            secret.then(|| Value::from(url.to_string()))
        }
        _ if key.name() == "url" && value.as_str().is_some_and(|text| text.starts_with("sqlite:")) => None,
        _ => Some(Value::from(MASK)),
    }
}

/// The reference page.
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    let mut section = "-";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            let title = if section.is_empty() { "At the top".to_owned() } else { format!("`[{section}]`") };
            let _ = write!(
                text,
                "\n## {title}\n\n| Key | What it is | Default | Variable | Flag |\n|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(text, "{}", row(key));
    }
    text.push_str(ISSUER_SECTION);
    for (name, _, help) in ISSUER_KEYS {
        let _ = writeln!(text, "| `{name}` | {help} |");
    }
    text
}

fn row(key: &Key) -> String {
    let default = match key.default {
        Default::Unset => "–".to_owned(),
        Default::Is("") => "none".to_owned(),
        Default::Is(text) => format!("`{text}`"),
        Default::Follows(words) => words.to_owned(),
    };
    let variable = key.variable().map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
    let flag = match key.alias {
        Some(alias) => format!("`--{}`, `--{alias}`", key.flag()),
        None => format!("`--{}`", key.flag()),
    };
    let secret = if key.secret { " Secret." } else { "" };
    let kind = match key.kind {
        Kind::Text => String::new(),
        kind => format!(" ({})", kind.expected()),
    };
    format!("| `{}` | {}{kind}.{secret} | {default} | {variable} | {flag} |", key.name(), key.help)
}

const INTRODUCTION: &str = "\
# Configuration of a registry

Made by `mpak serve --print-config=markdown`; a test keeps it current.

`mpak serve --config FILE` reads TOML. Every setting is also an environment variable and a flag: a flag wins over
a variable, a variable over the file, the file over the default. `MPAK_CONFIG` names the file where no flag does.
Unknown keys are refused. Lists in variables and flags are separated by commas. Relative paths start at the folder
in which the program runs. An empty variable counts as unset. `mpak serve --print-config` prints the settings in
force, each with where it came from, and starts nothing. Secrets belong into variables or a file that only the
service can read: other users of a machine see flags.

`mpak admin` reads the same file and variables, so it works on the same registry.
";

/// What can be said of an issuer: key, form, meaning.
const ISSUER_KEYS: [(&str, &str, &str); 7] = [
    ("kind", "\"github\"", "`github`, `gitlab` or `generic`: how its claims are read"),
    ("issuer", "\"https://…\"", "`iss` of its tokens"),
    ("jwks_url", "\"https://…\"", "its keys; otherwise found by discovery"),
    (
        "audience",
        "[\"https://…\"]",
        "accepted audiences besides the registry's own address and, for announcements, `https://mpak.dev`",
    ),
    ("api_url", "\"https://…\"", "its API for releases and files"),
    ("default_scopes", "true", "whether its owners may create the scope of their name; usual for `github` only"),
    (
        "mapping",
        "\"circleci\"",
        "for `generic`: how its claims are named, for example `circleci`; otherwise what the issuer is known for, or \
         `forgejo`",
    ),
];

const ISSUER_SECTION: &str = "
## `[[publishing.issuer]]`

Whose workloads may publish without a password. In a variable or flag the same keys in JSON: one object, or a list. Without
any, GitHub Actions and GitLab CI under their public names are meant.

| Key | What it is |
|---|---|
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::load::{Sources, load};

    fn loaded(file: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.toml");
        std::fs::write(&path, file).unwrap();
        let defaults = [("data", "/srv/mpak".to_owned()), ("log.filter", "info".to_owned())];
        load(&Sources { file: Some(&path), environment: &BTreeMap::new(), flags: &[], defaults: &defaults }).unwrap()
    }

    #[test]
    fn what_is_printed_loads_to_the_same_and_holds_no_secret() {
        let first = loaded(
            "public_url = 'https://x.example'\n[storage]\nurl = 's3://b/p'\nsecret_access_key = 'hunter2'\n\
             [database]\nurl = 'postgres://mpak:hunter2@db/mpak?sslkey=hunter2'\n[access]\nprivate_scopes = ['a', 'b']\n\
             [[publishing.issuer]]\nkind = 'gitlab'\nissuer = 'https://git.example'\naudience = ['x']\n",
        );
        let text = toml(&first);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("# url = \"postgres://mpak:***@db/mpak?***\""), "{text}");
        assert!(text.contains("# MPAK_STORAGE_URL · --storage-url · from `"), "{text}");
        let again = loaded(&text);
        for (a, b) in first.settings.iter().zip(&again.settings) {
            let secret = masked(a.key, a.value.as_ref().unwrap_or(&Value::Boolean(false))).is_some();
            assert!(secret || a.value == b.value, "{}", a.key.path);
        }
    }

    /// Every key of an issuer loads, and there is no other.
    #[test]
    fn the_keys_of_issuers_are_those_that_are_read() {
        let mut file = String::from("[[publishing.issuer]]\n");
        for (name, form, _) in ISSUER_KEYS {
            let _ = writeln!(file, "{name} = {}", form.replace('…', "ci.example"));
        }
        assert_eq!(loaded(&file).config.publishing.issuer.len(), 1);
        let error = toml::from_str::<crate::config::Issuer>("who = 1").unwrap_err().to_string();
        let (_, read) = error.split_once("expected one of ").unwrap();
        let told: Vec<String> = ISSUER_KEYS.iter().map(|(name, ..)| format!("`{name}`")).collect();
        assert_eq!(read.trim(), told.join(", "));
    }

    #[test]
    fn the_reference_page_is_current() {
        let page = include_str!("../../../../docs/reference/configuration.md");
        assert!(page == markdown(), "run: mpak serve --print-config=markdown > docs/reference/configuration.md");
    }
}
