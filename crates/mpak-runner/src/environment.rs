//! The environment of a server: an allow-list of the host's variables, then the manifest's, then what the
//! user adds.
//!
//! Order, later beats earlier: allowed variables of the host; variables of `mcp_config.env`; what `--env`
//! gave. A host variable whose manifest template is exactly `${user_config.x}` has its say earlier, when
//! the value of option `x` is looked up.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use mpak_bundle::platform::Os;

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// What a server gets from a POSIX host. Source: the official SDKs' stdio clients, plus certificates,
/// proxies, language, time zone and folders, without which servers fail in ordinary networks.
const POSIX: &[&str] = &[
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
];

/// What a server gets from a Windows host, see [`POSIX`].
const WINDOWS: &[&str] = &[
    "APPDATA",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "USERNAME",
    "USERPROFILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "LANG",
    "LC_ALL",
    "TZ",
];

/// Never handed to a server, not even with everything else: it lets its holder publish.
const OURS: &[&str] = &["MPAK_TOKEN"];

/// What the environment is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The host's whole environment.
    pub host: &'a Environment,
    /// Chooses the allow-list; names are case-insensitive on Windows.
    pub os: Os,
    /// Pass the whole host environment on (`--inherit-env`).
    pub inherit_all: bool,
    /// Names that the manifest declares: the host's variables of these names are passed on.
    pub declared: &'a [String],
    /// Substituted `mcp_config.env`.
    pub manifest: &'a BTreeMap<String, String>,
    /// What `--env` gave.
    pub extra: &'a [(OsString, OsString)],
}

/// Puts the environment together.
pub fn compose(sources: &Sources<'_>) -> Environment {
    let mut environment = Environment::new();
    for (name, value) in sources.host {
        if passes(name, value, sources) {
            set(&mut environment, sources.os, name, value.clone());
        }
    }
    for (name, value) in sources.manifest {
        set(&mut environment, sources.os, OsStr::new(name), value.into());
    }
    for (name, value) in sources.extra {
        set(&mut environment, sources.os, name, value.clone());
    }
    environment
}

/// Sets a variable; on Windows it replaces one that differs only in case.
pub fn set(environment: &mut Environment, os: Os, name: &OsStr, value: OsString) {
    if os == Os::Win32 {
        environment.retain(|other, _| !other.eq_ignore_ascii_case(name));
    }
    environment.insert(name.to_owned(), value);
}

/// A variable by name; names are case-insensitive on Windows.
pub fn get<'a>(environment: &'a Environment, os: Os, name: &str) -> Option<&'a OsString> {
    if os == Os::Win32 {
        return environment.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
    }
    environment.get(OsStr::new(name))
}

fn passes(name: &OsStr, value: &OsStr, sources: &Sources<'_>) -> bool {
    let is = |allowed: &str| {
        if sources.os == Os::Win32 { name.eq_ignore_ascii_case(allowed) } else { name == OsStr::new(allowed) }
    };
    if OURS.iter().any(|ours| is(ours)) {
        return false;
    }
    // exported shell functions are code, not data
    if value.as_encoded_bytes().starts_with(b"()") {
        return false;
    }
    let listed = if sources.os == Os::Win32 { WINDOWS } else { POSIX };
    sources.inherit_all
        || listed.iter().any(|allowed| is(allowed))
        || (sources.os != Os::Win32 && name.as_encoded_bytes().starts_with(b"XDG_"))
        || sources.declared.iter().any(|declared| is(declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect()
    }

    fn manifest(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    struct Case {
        host: Environment,
        os: Os,
        inherit_all: bool,
        declared: Vec<String>,
        manifest: BTreeMap<String, String>,
        extra: Vec<(OsString, OsString)>,
    }

    impl Case {
        fn new(host: &[(&str, &str)]) -> Self {
            Self {
                host: environment(host),
                os: Os::Linux,
                inherit_all: false,
                declared: Vec::new(),
                manifest: BTreeMap::new(),
                extra: Vec::new(),
            }
        }

        #[track_caller]
        fn gives(&self, expected: &[(&str, &str)]) {
            let sources = Sources {
                host: &self.host,
                os: self.os,
                inherit_all: self.inherit_all,
                declared: &self.declared,
                manifest: &self.manifest,
                extra: &self.extra,
            };
            assert_eq!(compose(&sources), environment(expected));
        }
    }

    #[test]
    fn only_listed_and_declared_variables_of_the_host_pass() {
        let mut case = Case::new(&[
            ("HOME", "/h"),
            ("PATH", "/bin"),
            ("XDG_CACHE_HOME", "/c"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("PYTHONPATH", "/evil"),
            ("API_URL", "u"),
            ("MPAK_TOKEN", "t"),
        ]);
        case.declared = vec!["API_URL".into()];
        case.gives(&[("API_URL", "u"), ("HOME", "/h"), ("PATH", "/bin"), ("XDG_CACHE_HOME", "/c")]);
    }

    #[test]
    fn exported_shell_functions_never_pass() {
        let mut case = Case::new(&[("TERM", "() { :; }"), ("F", "() { :; }"), ("A", "1"), ("MPAK_TOKEN", "t")]);
        case.gives(&[]);
        case.inherit_all = true;
        case.gives(&[("A", "1")]);
    }

    #[test]
    fn the_manifest_beats_the_host_and_the_user_beats_both() {
        let mut case = Case::new(&[("LANG", "host"), ("TZ", "host"), ("HOME", "host")]);
        case.manifest = manifest(&[("LANG", "manifest"), ("TZ", "manifest")]);
        case.extra = vec![("TZ".into(), "user".into())];
        case.gives(&[("HOME", "host"), ("LANG", "manifest"), ("TZ", "user")]);
    }

    #[test]
    fn names_ignore_case_on_windows() {
        let mut case = Case::new(&[("Path", r"C:\bin"), ("SystemRoot", r"C:\Windows"), ("XDG_X", "1")]);
        case.os = Os::Win32;
        case.manifest = manifest(&[("PATH", "manifest")]);
        case.gives(&[("PATH", "manifest"), ("SystemRoot", r"C:\Windows")]);
    }
}
