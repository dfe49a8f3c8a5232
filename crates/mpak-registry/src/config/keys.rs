//! Every setting: what it is called in the file, in the environment and as a flag, what it may be and
//! what it is for. The flags, the loader, `--print-config` and the reference page are made from this table.

use std::net::SocketAddr;

use toml::Value;
use url::Url;

use super::{Issuer, Network};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the file: `section.name`, or `name` at the top.
    pub path: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Without it.
    pub default: Default,
    /// One sentence, without a full stop.
    pub help: &'static str,
    /// Whether it is shown to nobody.
    pub secret: bool,
    /// Whether it has an environment variable.
    pub environment: bool,
    /// A shorter flag, beside the one made from the path.
    pub alias: Option<&'static str>,
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing.
    Unset,
    /// A value, as written in an environment variable.
    Is(&'static str),
    /// A value that follows from others or from the machine, in words.
    Follows(&'static str),
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// `ADDR:PORT`
    Address,
    /// An http or https address.
    Url,
    /// `true` or `false`
    Flag,
    /// A whole number in these bounds.
    Count(u64, u64),
    /// A list of texts.
    Texts,
    /// A list of IP addresses or networks.
    Networks,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of issuers: `[[publishing.issuer]]` in the file, JSON elsewhere.
    Issuers,
}

/// The path of the issuers.
pub(super) const ISSUERS: &str = "publishing.issuer";

impl Kind {
    /// What is expected, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Address => "ADDR:PORT".to_owned(),
            Self::Url => "an http or https address".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Texts => "a list of texts".to_owned(),
            Self::Networks => "a list of IP addresses or networks like 10.0.0.0/8".to_owned(),
            Self::OneOf(words) => words.join(" or "),
            Self::Issuers => {
                "a JSON object with kind, issuer and what is listed below, or a list of such objects".to_owned()
            }
        }
    }

    /// The placeholder of the flag's value.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Address => "ADDR:PORT",
            Self::Url => "URL",
            Self::Flag => "BOOL",
            Self::Count(..) => "N",
            Self::Texts => "A,B",
            Self::Networks => "IP,IP",
            Self::OneOf(_) => "WORD",
            Self::Issuers => "JSON",
        }
    }

    /// A value from a flag or the environment; lists are separated by commas.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let list = || text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect();
        let value = match self {
            Self::Flag => Value::Boolean(text.parse().ok()?),
            Self::Count(..) => Value::Integer(text.parse().ok()?),
            Self::Texts | Self::Networks => Value::Array(list()),
            Self::Text | Self::Address | Self::Url | Self::OneOf(_) => Value::from(text),
            Self::Issuers => issuers(serde_json::from_str(text).ok()?)?,
        };
        self.allows(&value).then_some(value)
    }

    /// Whether a value of the file fits.
    pub(super) fn allows(self, value: &Value) -> bool {
        let is = |test: &dyn Fn(&str) -> bool| value.as_str().is_some_and(test);
        let all = |test: &dyn Fn(&str) -> bool| {
            value.as_array().is_some_and(|values| values.iter().all(|v| v.as_str().is_some_and(test)))
        };
        match self {
            Self::Text => is(&|text| !text.is_empty()),
            Self::Address => is(&|text| text.parse::<SocketAddr>().is_ok()),
            Self::Url => is(&|text| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))),
            Self::Flag => value.is_bool(),
            Self::Count(min, max) => {
                value.as_integer().is_some_and(|n| u64::try_from(n).is_ok_and(|n| (min..=max).contains(&n)))
            }
            Self::Texts => all(&|text| !text.is_empty()),
            Self::Networks => all(&|text| text.parse::<Network>().is_ok()),
            Self::OneOf(words) => is(&|text| words.contains(&text)),
            Self::Issuers => value
                .as_array()
                .is_some_and(|all| all.iter().all(|one| one.is_table() && one.clone().try_into::<Issuer>().is_ok())),
        }
    }
}

/// Issuers as a list: one, some, or some of several flags.
fn issuers(json: serde_json::Value) -> Option<Value> {
    let listed = |one| if let serde_json::Value::Array(some) = one { some } else { vec![one] };
    let all: Vec<Value> =
        listed(json).into_iter().flat_map(listed).map(Value::try_from).collect::<Result<_, _>>().ok()?;
    Some(Value::Array(all))
}

impl Key {
    const fn new(path: &'static str, kind: Kind, default: Default, help: &'static str) -> Self {
        Self { path, kind, default, help, secret: false, environment: true, alias: None }
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn without_environment(mut self) -> Self {
        self.environment = false;
        self
    }

    /// The section; empty at the top.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The name in its section.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The flag, without `--`.
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The environment variable, where it has one.
    pub fn variable(&self) -> Option<String> {
        self.environment.then(|| format!("MPAK_{}", self.path.replace('.', "_").to_ascii_uppercase()))
    }
}

/// The key of a path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

const MANY: u64 = i32::MAX as u64;
const BYTES_MAX: u64 = 1 << 40;
const DAY_SECONDS: u64 = 86_400;

/// All of them, sections together.
pub const KEYS: &[Key] = &[
    Key::new("listen", Kind::Address, Default::Is(super::DEFAULT_LISTEN), "Where to listen; port 0 takes a free one"),
    Key::new(
        "public_url",
        Kind::Url,
        Default::Follows("what the request's Host says"),
        "Address under which clients see the registry, for example behind a proxy",
    ),
    Key::new("data", Kind::Text, Default::Follows("~/.mpak/registry"), "Data folder; created on the first start"),
    Key::new(
        "database.url",
        Kind::Text,
        Default::Follows("sqlite:DATA/registry.db"),
        "What is known: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
    )
    .secret(),
    Key::new(
        "storage.url",
        Kind::Text,
        Default::Follows("file:DATA/blobs"),
        "The bundles: file:DIR, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
    ),
    Key::new("storage.endpoint", Kind::Url, Default::Unset, "Address of an S3-compatible store, or of an emulator"),
    Key::new("storage.region", Kind::Text, Default::Unset, "Region of S3"),
    Key::new("storage.path_style", Kind::Flag, Default::Is("false"), "Name the bucket in the path instead of the host"),
    Key::new("storage.access_key_id", Kind::Text, Default::Unset, "S3: access key; Azure: account; Google: not used"),
    Key::new(
        "storage.secret_access_key",
        Kind::Text,
        Default::Unset,
        "S3: secret key; Azure: account key; Google: the service account's key as JSON",
    )
    .secret(),
    Key::new(
        "storage.mode",
        Kind::OneOf(&["mirror", "link"]),
        Default::Is("mirror"),
        "Keep the bytes of announced releases (mirror), or their digest and address only (link)",
    ),
    Key::new(
        "storage.downloads",
        Kind::OneOf(&["stream", "redirect"]),
        Default::Is("stream"),
        "Downloads come through the registry (stream), or from the store at signed, expiring addresses (redirect)",
    ),
    // Seven days are what S3 and Google allow.
    Key::new(
        "storage.signed_url_seconds",
        Kind::Count(1, 7 * DAY_SECONDS),
        Default::Is("900"),
        "How long a signed address gives the bytes",
    ),
    Key::new(
        "publishing.version_policy",
        Kind::OneOf(&["lines", "strict"]),
        Default::Is("lines"),
        "Versions rise within each major.minor line (lines), or over all (strict)",
    ),
    Key::new(
        "publishing.default_audience",
        Kind::Flag,
        Default::Is("true"),
        "Announcements may have the audience https://mpak.dev, which the existing Action asks for, beside those configured",
    ),
    Key::new(
        ISSUERS,
        Kind::Issuers,
        Default::Follows("GitHub Actions and GitLab CI under their public names"),
        "Issuers whose workloads may publish; each flag is one of them, or a list",
    ),
    Key::new(
        "outbound.allow_loopback",
        Kind::Flag,
        Default::Is("false"),
        "For tests only: fetch over http, and from loopback",
    )
    .without_environment(),
    Key::new("outbound.proxy", Kind::Url, Default::Unset, "Proxy for everything that is fetched"),
    Key::new(
        "access.reads",
        Kind::OneOf(&["public", "private"]),
        Default::Is("public"),
        "Who may read: everybody (public), or who signed in or holds a token (private)",
    ),
    Key::new(
        "access.private_scopes",
        Kind::Texts,
        Default::Is(""),
        "Scopes, without @, that are private in a public registry",
    ),
    Key::new("sign_in.issuer", Kind::Url, Default::Unset, "OpenID provider of the registry's people"),
    Key::new("sign_in.client_id", Kind::Text, Default::Unset, "This registry, as the provider knows it"),
    Key::new("sign_in.client_secret", Kind::Text, Default::Unset, "Its secret; none for a public client").secret(),
    Key::new("sign_in.scopes", Kind::Texts, Default::Is(""), "What is asked for besides openid"),
    Key::new("sign_in.role_claim", Kind::Text, Default::Unset, "Claim that holds roles or groups"),
    Key::new("sign_in.admins", Kind::Texts, Default::Is(""), "Values of that claim that make an administrator"),
    Key::new(
        "sign_in.publishers",
        Kind::Texts,
        Default::Is(""),
        "Values that make a publisher; without any, everybody who signs in is one",
    ),
    Key::new(
        "sign_in.github_claim",
        Kind::Text,
        Default::Unset,
        "Claim with the login at GitHub, if the provider vouches for one",
    ),
    Key::new(
        "rates.reads_per_minute",
        Kind::Count(0, MANY),
        Default::Follows("6000, and no limit for this machine itself"),
        "Reads of one client address (IPv6: of one /64); 0 is no limit",
    ),
    Key::new(
        "rates.publishes_per_minute",
        Kind::Count(0, MANY),
        Default::Is("600"),
        "Publishes of one owner: of a person, of an owner at an issuer, of a token that is nobody's; 0 is no limit",
    ),
    Key::new(
        "rates.connections_per_address",
        Kind::Count(0, MANY),
        Default::Is("256"),
        "Connections of one client address at the same time, but of trusted proxies; more are closed; 0 is no limit",
    ),
    Key::new("rates.trusted_proxies", Kind::Networks, Default::Is(""), "Proxies whose X-Forwarded-For is believed"),
    Key::new(
        "advisories.path",
        Kind::Text,
        Default::Unset,
        "Snapshot of advisories, from `mpak advisories build`: scans use it, and clients fetch it; replace the file to renew it",
    ),
    Key::new(
        "scan.enabled",
        Kind::Flag,
        Default::Is("true"),
        "Scan what is published, and again when rules or advisories change; where several replicas share a database, \
         some may leave it to others",
    ),
    Key::new(
        "scan.timeout_seconds",
        Kind::Count(1, 86_400),
        Default::Is("120"),
        "Longest time of one scan; a scan runs in a process of its own, which is ended then and tried again",
    ),
    Key::new(
        "scan.memory_megabytes",
        Kind::Count(64, MANY),
        Default::Is("1024"),
        "Most memory of one scan; seen on Linux only",
    ),
    Key::new(
        "scan.trust_root",
        Kind::Text,
        Default::Unset,
        "A `trusted_root.json`, or several in one file, to believe instead of Sigstore's public services",
    ),
    Key::new(
        "log.filter",
        Kind::Text,
        Default::Follows("info, with --demo warn"),
        "What to log on stderr: error, warn, info, debug, or per module as in mpak_registry=debug",
    )
    .alias("log"),
    Key::new("log.json", Kind::Flag, Default::Is("false"), "Log as JSON, one object per line"),
    Key::new(
        "metrics.listen",
        Kind::Address,
        Default::Unset,
        "Where Prometheus reads metrics; nowhere when unset. No sign-in: keep it private",
    ),
    Key::new(
        "tracing.otlp_endpoint",
        Kind::Url,
        Default::Unset,
        "OpenTelemetry collector that traces are sent to by OTLP over HTTP, for example http://127.0.0.1:4318",
    ),
    Key::new(
        "limits.connections_max",
        Kind::Count(1, MANY),
        Default::Is("2048"),
        "Connections at the same time; more wait to be accepted",
    ),
    Key::new(
        "limits.uploads_max",
        Kind::Count(1, MANY),
        Default::Is("32"),
        "Bundles that are received or checked at the same time; more wait",
    ),
    Key::new("limits.bundle_bytes_max", Kind::Count(1_024, BYTES_MAX), Default::Is("536870912"), "Largest bundle"),
    Key::new(
        "limits.header_timeout_seconds",
        Kind::Count(1, DAY_SECONDS),
        Default::Is("15"),
        "Longest time for a request's head, and between two requests of a connection",
    ),
    Key::new(
        "limits.body_idle_timeout_seconds",
        Kind::Count(1, DAY_SECONDS),
        Default::Is("30"),
        "Longest time without a byte of a request's body",
    ),
    Key::new(
        "limits.shutdown_timeout_seconds",
        Kind::Count(1, DAY_SECONDS),
        Default::Is("10"),
        "Longest time that accepted requests get to finish at shutdown",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_fit_their_kind() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..i].iter().all(|k| k.flag() != key.flag()), "{}", key.path);
            if let Default::Is(text) = key.default {
                assert!(key.kind.read(text).is_some(), "{}: `{text}`", key.path);
            }
            // TOML needs what stands at the top first, and each section once.
            let earlier = KEYS[..i].iter().rposition(|k| k.section() == key.section());
            assert!(earlier.is_none_or(|at| at + 1 == i), "`{}` stands apart from its section", key.path);
        }
        assert_eq!(KEYS[0].section(), "");
        let url = find("database.url").unwrap();
        assert_eq!((url.flag(), url.variable()), ("database-url".into(), Some("MPAK_DATABASE_URL".into())));
        assert_eq!(find("outbound.allow_loopback").unwrap().variable(), None);
    }

    #[test]
    fn values_must_fit() {
        for (kind, good, bad) in [
            (Kind::Text, "x", ""),
            (Kind::Address, "[::1]:0", "localhost"),
            (Kind::Url, "https://x.example", "ftp://x.example"),
            (Kind::Flag, "true", "yes"),
            (Kind::Count(1, 9), "9", "10"),
            (Kind::Count(0, 9), "0", "-1"),
            (Kind::Networks, "::1, 10.0.0.0/8", "10.0.0.0/99"),
            (Kind::OneOf(&["a", "b"]), "b", "c"),
            (Kind::Issuers, r#"{"kind": "github", "issuer": "https://ci.example"}"#, r#"{"kind": "github"}"#),
            (Kind::Issuers, r#"[[{"kind": "gitlab", "issuer": "https://ci.example"}], []]"#, "[1]"),
            (Kind::Issuers, "[]", r#"{"kind": "github", "issuer": "https://ci.example", "who": 1}"#),
        ] {
            assert!(kind.read(good).is_some(), "{kind:?} {good}");
            assert!(kind.read(bad).is_none(), "{kind:?} {bad}");
        }
        assert_eq!(Kind::Texts.read("a, b,"), Some(Value::from(vec!["a", "b"])));
        assert_eq!(Kind::Texts.read(""), Some(Value::Array(Vec::new())));
    }
}
