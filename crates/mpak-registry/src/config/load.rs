//! Reads the settings: flags before environment before file before defaults.
//!
//! Each source is checked against [`KEYS`] on its own, so that an error names the place where the value
//! stands; what is left is one table that becomes a [`Config`] in one step (`assemble.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::assemble::config;
use super::keys::{self, Default, ISSUERS, KEYS, Key};
use super::{Config, Issuer};

/// Largest file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where settings come from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// `--config FILE`
    pub file: Option<&'a Path>,
    /// The environment.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// Flags that were given: path of the key and value.
    pub flags: &'a [(&'static str, String)],
    /// Values for keys whose default follows from the caller: path of the key and value.
    pub defaults: &'a [(&'static str, String)],
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody set it.
    Default,
    /// A line of the file.
    File {
        /// The file, as given.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A variable.
    Environment(String),
    /// A flag, without `--`.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "`{}` line {line}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable `{name}`"),
            Self::Flag(name) => write!(f, "the flag `--{name}`"),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{place} is not TOML: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{place}: there is no setting `{key}`{}", .near.map(|near| format!("; do you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// Where.
        place: Place,
        /// What was written.
        key: String,
        /// What was perhaps meant.
        near: Option<&'static str>,
    },
    /// A value that the key cannot take.
    #[error("{place}: `{key}` expects {expected}, found {found}")]
    Value {
        /// Where.
        place: Place,
        /// Which key.
        key: String,
        /// What it takes.
        expected: String,
        /// What was written; never a secret.
        found: String,
    },
    /// Settings that belong together are not all there.
    #[error("the settings do not fit together: {reason}")]
    Incomplete {
        /// What is missing.
        reason: String,
    },
}

/// One setting with its value and where that came from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which.
    pub key: &'static Key,
    /// Its value, if it has one.
    pub value: Option<Value>,
    /// Where that stands.
    pub place: Place,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Ready for [`crate::start`].
    pub config: Config,
    /// All settings in the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// Environment variables that look like settings and are none, each with what was perhaps meant.
    pub strangers: Vec<(String, Option<String>)>,
}

/// Reads all sources.
///
/// # Errors
/// [`LoadError`]
pub fn load(sources: &Sources<'_>) -> Result<Loaded, LoadError> {
    // 1. What each source says.
    let mut values: BTreeMap<&'static str, (Value, Place)> = BTreeMap::new();
    defaults(sources, &mut values)?;
    if let Some(path) = sources.file {
        file(path, &mut values)?;
    }
    environment(sources.environment, &mut values)?;
    for (path, text) in sources.flags {
        let key = keys::find(path).ok_or_else(|| unknown(Place::Flag((*path).to_owned()), path))?;
        set(&mut values, key, text, Place::Flag(key.flag()))?;
    }
    // 2. What follows from the data folder.
    let data = values.get("data").and_then(|(value, _)| value.as_str()).unwrap_or(".").to_owned();
    let below = |name: &str| Path::new(&data).join(name).display().to_string();
    for (path, text) in [
        ("database.url", format!("sqlite:{}", below(crate::db::FILE))),
        ("storage.url", format!("file:{}", below("blobs"))),
    ] {
        values.entry(path).or_insert_with(|| (Value::from(text), Place::Default));
    }
    // 3. One table, one configuration.
    let config = config(&values)?;
    let settings = KEYS.iter().map(|key| match values.remove(key.path) {
        Some((value, place)) => Setting { key, value: Some(value), place },
        None => Setting { key, value: None, place: Place::Default },
    });
    let strangers = strangers(sources.environment);
    Ok(Loaded { config, settings: settings.collect(), strangers })
}

pub(super) type Values = BTreeMap<&'static str, (Value, Place)>;

fn defaults(sources: &Sources<'_>, values: &mut Values) -> Result<(), LoadError> {
    for key in KEYS {
        if let Default::Is(text) = key.default {
            set(values, key, text, Place::Default)?;
        }
    }
    for (path, text) in sources.defaults {
        let key = keys::find(path).ok_or_else(|| unknown(Place::Default, path))?;
        set(values, key, text, Place::Default)?;
    }
    Ok(())
}

fn environment(environment: &BTreeMap<OsString, OsString>, values: &mut Values) -> Result<(), LoadError> {
    for key in KEYS {
        let Some(name) = key.variable() else { continue };
        let Some(text) = environment.get(OsStr::new(&name)).filter(|text| !text.is_empty()) else { continue };
        let place = Place::Environment(name);
        match text.to_str() {
            Some(text) => set(values, key, text, place)?,
            None => return Err(misfit(key, place, "bytes that are no text".to_owned())),
        }
    }
    Ok(())
}

/// Variables that begin as those of a section do and name no setting of it. Others beginning with `MPAK_` are
/// not the registry's business.
fn strangers(variables: &BTreeMap<OsString, OsString>) -> Vec<(String, Option<String>)> {
    let known: Vec<String> = KEYS.iter().filter_map(Key::variable).collect();
    let section = |key: &Key| Some(format!("MPAK_{}_", key.path.split_once('.')?.0.to_ascii_uppercase()));
    let sections: BTreeSet<String> = KEYS.iter().filter_map(section).collect();
    let names = variables.keys().filter_map(|name| name.to_str());
    let strange = names.filter(|name| sections.iter().any(|s| name.starts_with(s)) && !known.iter().any(|k| k == name));
    let near = |name: &str| known.iter().find(|known| distance(known, name) <= 3).cloned();
    strange.map(|name| (name.to_owned(), near(name))).collect()
}

fn set(values: &mut Values, key: &'static Key, text: &str, place: Place) -> Result<(), LoadError> {
    match key.kind.read(text) {
        Some(value) => {
            values.insert(key.path, (value, place));
            Ok(())
        }
        None => Err(misfit(key, place, format!("`{text}`"))),
    }
}

fn misfit(key: &Key, place: Place, found: String) -> LoadError {
    let found = if key.secret { "something else".to_owned() } else { found };
    LoadError::Value { place, key: key.path.to_owned(), expected: key.kind.expected(), found }
}

fn unknown(place: Place, key: &str) -> LoadError {
    let name = key.rsplit('.').next().unwrap_or(key);
    let alike = |k: &&Key| k.path != key && (k.name() == name || distance(k.path, key) <= 2);
    LoadError::Unknown { place, key: key.to_owned(), near: KEYS.iter().find(alike).map(|k| k.path) }
}

/// Letters to change, to add or to remove until one word is the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Reads the file into `values`.
fn file(path: &Path, values: &mut Values) -> Result<(), LoadError> {
    let text = read(path)?;
    let place = |at: usize| {
        let line = text.get(..at).unwrap_or(&text).matches('\n').count() + 1;
        Place::File { path: path.to_owned(), line }
    };
    let syntax = |e: &toml::de::Error| LoadError::Syntax {
        place: place(e.span().map_or(0, |span| span.start)),
        reason: e.message().to_owned(),
    };
    let table = DeTable::parse(&text).map_err(|e| syntax(&e))?;
    for (name, value) in table.into_inner() {
        let (at, name) = (name.span().start, name.into_inner());
        match value.get_ref() {
            DeValue::Table(section) if KEYS.iter().any(|key| key.section() == name) => {
                for (inner, value) in section {
                    let (at, inner) = (inner.span().start, format!("{name}.{}", inner.get_ref()));
                    if inner == ISSUERS {
                        values.insert(ISSUERS, (issuer_list(value, &place)?, place(at)));
                    } else {
                        put(values, &inner, value, place(at), &syntax)?;
                    }
                }
            }
            _ => put(values, &name, &value, place(at), &syntax)?,
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, LoadError> {
    let error = |source| LoadError::Read { path: path.to_owned(), source };
    let large = || std::io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    let metadata = std::fs::metadata(path).map_err(error)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(error(large()));
    }
    std::fs::read_to_string(path).map_err(error)
}

fn put(
    values: &mut Values,
    path: &str,
    value: &Spanned<DeValue<'_>>,
    place: Place,
    syntax: &dyn Fn(&toml::de::Error) -> LoadError,
) -> Result<(), LoadError> {
    let Some(key) = keys::find(path) else { return Err(unknown(place, path)) };
    let value = Value::deserialize(ValueDeserializer::from(value.clone())).map_err(|e| syntax(&e))?;
    if !key.kind.allows(&value) {
        return Err(misfit(key, place, found(&value)));
    }
    values.insert(key.path, (value, place));
    Ok(())
}

fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Table(_) => "a section".to_owned(),
        Value::Array(_) => "a list that does not fit".to_owned(),
        other => format!("`{other}`"),
    }
}

/// Reads each issuer, so that an error names its line.
fn issuer_list(value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Result<Value, LoadError> {
    let error = |at: usize, expected: String, found: String| LoadError::Value {
        place: place(at),
        key: ISSUERS.to_owned(),
        expected,
        found,
    };
    let DeValue::Array(issuers) = value.get_ref() else {
        return Err(error(value.span().start, "[[publishing.issuer]]".to_owned(), "something else".to_owned()));
    };
    for issuer in issuers {
        let read = Issuer::deserialize(ValueDeserializer::from(issuer.clone()));
        read.map_err(|e| {
            let at = e.span().map_or(issuer.span().start, |span| span.start);
            error(at, "kind, issuer and what the reference page names".to_owned(), e.message().to_owned())
        })?;
    }
    Value::deserialize(ValueDeserializer::from(value.clone()))
        .map_err(|e| error(value.span().start, "values of TOML".to_owned(), e.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(
        file: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Loaded, LoadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let environment = environment.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let flags: Vec<_> = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        load(&Sources {
            file: file.is_some().then_some(&path),
            environment: &environment,
            flags: &flags,
            defaults: &[("data", "/srv/mpak".to_owned()), ("log.filter", "info".to_owned())],
        })
    }

    fn error(file: &str) -> String {
        let text = load_with(Some(file), &[], &[]).unwrap_err().to_string();
        let (path, rest) = text.split_once("registry.toml").unwrap_or(("", &text));
        assert!(path.is_empty() || path.starts_with('`'), "{text}");
        rest.to_owned()
    }

    #[test]
    fn nothing_given_is_the_usual_configuration() {
        let loaded = load_with(None, &[], &[]).unwrap().config;
        let usual = Config::new("/srv/mpak", loaded.listen);
        assert_eq!(format!("{loaded:?}"), format!("{usual:?}"));
    }

    #[test]
    fn variables_that_only_look_like_settings_are_told() {
        let given = [
            ("MPAK_RATES_READS_PER_MINUT", "2"),
            ("MPAK_RATES_READS_PER_MINUTE", "2"),
            ("MPAK_RATES_UNHEARD_OF", "2"),
            ("MPAK_REGISTRY_URL", "https://x.example"),
            ("MPAK_TOKEN", "mpak_x"),
            ("PATH", "/bin"),
        ];
        let strangers = load_with(None, &given, &[]).unwrap().strangers;
        let near = Some("MPAK_RATES_READS_PER_MINUTE".to_owned());
        assert_eq!(
            strangers,
            [("MPAK_RATES_READS_PER_MINUT".to_owned(), near), ("MPAK_RATES_UNHEARD_OF".to_owned(), None)]
        );
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file() {
        let file = "listen = '127.0.0.1:1'\n[rates]\nreads_per_minute = 1\n";
        let listen = |environment: &[(&str, &str)], flags: &[(&'static str, &str)]| {
            load_with(Some(file), environment, flags).unwrap().config.listen.port()
        };
        let environment = &[("MPAK_LISTEN", "127.0.0.1:2"), ("MPAK_RATES_READS_PER_MINUTE", "2")];
        assert_eq!(listen(&[], &[]), 1);
        assert_eq!(listen(environment, &[]), 2);
        assert_eq!(listen(environment, &[("listen", "127.0.0.1:3")]), 3);
        assert_eq!(listen(&[("MPAK_LISTEN", "")], &[]), 1);
        let loaded = load_with(Some(file), environment, &[("listen", "127.0.0.1:3")]).unwrap();
        assert_eq!(loaded.config.rates.reads_per_minute, Some(2));
        let place = |path: &str| loaded.settings.iter().find(|s| s.key.path == path).unwrap().place.to_string();
        assert_eq!(place("listen"), "the flag `--listen`");
        assert_eq!(place("rates.reads_per_minute"), "the environment variable `MPAK_RATES_READS_PER_MINUTE`");
        assert_eq!(place("data"), "the default");
    }

    #[test]
    fn every_key_reaches_the_configuration() {
        for key in KEYS {
            let text = match key.kind {
                keys::Kind::Text if key.path == "database.url" => "postgres://a:b@db/mpak",
                keys::Kind::Text | keys::Kind::Texts => "changed",
                keys::Kind::Address => "127.0.0.1:9",
                keys::Kind::Url => "https://changed.example/",
                keys::Kind::Flag if key.default == Default::Is("true") => "false",
                keys::Kind::Flag => "true",
                keys::Kind::Count(..) => "12345",
                keys::Kind::Networks => "10.9.8.7",
                keys::Kind::OneOf(words) => words[1],
                keys::Kind::Issuers => r#"{"kind": "generic", "issuer": "https://changed.example"}"#,
            };
            let mut flags = vec![(key.path, text)];
            if key.section() == "sign_in" {
                for needed in [("sign_in.issuer", "https://id.example/"), ("sign_in.client_id", "mpak")] {
                    if needed.0 != key.path {
                        flags.push(needed);
                    }
                }
            }
            let changed = load_with(None, &[], &flags).unwrap();
            let usual = load_with(None, &[], &flags[1..]).map(|l| format!("{:?}", l.config)).unwrap_or_default();
            assert_ne!(format!("{:?}", changed.config), usual, "`{}` is read and forgotten", key.path);
        }
    }

    #[test]
    fn errors_name_file_line_key_expected_and_found() {
        assert_eq!(error("listen = 'x'"), "` line 1: `listen` expects ADDR:PORT, found `x`");
        assert_eq!(
            error("\n[limits]\n\nuploads_max = 0"),
            format!("` line 4: `limits.uploads_max` expects a whole number from 1 to {}, found `0`", i32::MAX)
        );
        assert_eq!(error("[databse]\nurl = 'x'"), "` line 1: there is no setting `databse`");
        assert_eq!(
            error("[database]\nurls = 'x'"),
            "` line 2: there is no setting `database.urls`; do you mean `database.url`?"
        );
        assert_eq!(error("[log]\nlisten = ''"), "` line 2: there is no setting `log.listen`; do you mean `listen`?");
        assert_eq!(error("database = 'x'"), "` line 1: there is no setting `database`");
        assert!(error("a = 1\nb =").starts_with("` line 2 is not TOML: "));
        let secret = error("[storage]\nsecret_access_key = ['hunter2']");
        assert!(!secret.contains("hunter2"), "{secret}");
        let issuer = error("[[publishing.issuer]]\nkind = 'github'\nissuer = 'https://x.example'\nwho = 'x'");
        assert!(issuer.starts_with("` line 4: `publishing.issuer`") && issuer.contains("who"), "{issuer}");
        for (variable, value) in [("MPAK_LISTEN", "x"), ("MPAK_LOG_JSON", "1")] {
            let text = load_with(None, &[(variable, value)], &[]).unwrap_err().to_string();
            assert!(text.contains(&format!("`{variable}`")) && text.contains(&format!("found `{value}`")), "{text}");
        }
        let text = load_with(None, &[("MPAK_SIGN_IN_ISSUER", "https://id.example")], &[]).unwrap_err().to_string();
        assert!(text.contains("client_id"), "{text}");
        let text = load_with(None, &[("MPAK_DATABASE_URL", "mysql://root:hunter2@x")], &[]).unwrap_err().to_string();
        assert!(text.contains("database.url") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn issuers_come_from_variables_and_flags_too() {
        let file = "[[publishing.issuer]]\nkind = 'generic'\nissuer = 'https://file.example'\n";
        let json =
            |host: &str| format!(r#"{{"kind": "gitlab", "issuer": "https://{host}.example", "audience": ["a,b"]}}"#);
        let issuers = |environment: &[(&str, &str)], flags: &[(&'static str, &str)]| -> Vec<String> {
            let publishing = load_with(Some(file), environment, flags).unwrap().config.publishing;
            publishing
                .issuer
                .iter()
                .map(|i| format!("{} {}", i.issuer.host_str().unwrap(), i.audience.join(" ")))
                .collect()
        };
        let (one, two) = (json("one"), json("two"));
        let both = format!("[{one},{two}]");
        let variable: &[(&str, &str)] = &[("MPAK_PUBLISHING_ISSUER", &one)];
        assert_eq!(issuers(&[], &[]), ["file.example "]);
        assert_eq!(issuers(variable, &[]), ["one.example a,b"]);
        assert_eq!(issuers(variable, &[(ISSUERS, &both)]), ["one.example a,b", "two.example a,b"]);
        for bad in ["{}", "x", r#"{"kind": "github", "issuer": "https://x.example", "who": 1}"#] {
            let text = load_with(None, &[("MPAK_PUBLISHING_ISSUER", bad)], &[]).unwrap_err().to_string();
            assert!(text.contains("`MPAK_PUBLISHING_ISSUER`") && text.contains("a JSON object"), "{text}");
        }
    }

    #[test]
    fn loopback_has_no_variable() {
        let variable = [("MPAK_OUTBOUND_ALLOW_LOOPBACK", "true")];
        assert!(!load_with(None, &variable, &[]).unwrap().config.outbound.allow_loopback);
        let file = "[outbound]\nallow_loopback = true\n[[publishing.issuer]]\nkind = 'generic'\nissuer = 'https://ci.example'\n";
        let config = load_with(Some(file), &[], &[]).unwrap().config;
        assert!(config.outbound.allow_loopback);
        assert_eq!(config.publishing.issuer[0].issuer.as_str(), "https://ci.example/");
    }
}
