//! Package managers as child processes: no shell, a small environment, the last lines kept for errors.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use mpak_bundle::platform::Platform;
use mpak_runner::runtime::Search;

use super::VendorError;
use crate::settings::Settings;
use crate::ui::Working;

/// Variables that are handed on: where things lie, how to reach the network, whom to trust.
const NAMES: [&str; 34] = [
    "ALL_PROXY",
    "APPDATA",
    "COMSPEC",
    "CURL_CA_BUNDLE",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "LOCALAPPDATA",
    "LOGNAME",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "PATH",
    "PATHEXT",
    "PROGRAMFILES",
    "REQUESTS_CA_BUNDLE",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERNAME",
    "USERPROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// The package managers' own settings, for example which mirror to use.
const PREFIXES: [&str; 3] = ["NPM_CONFIG_", "PIP_", "UV_"];

const LINES_COUNT_MAX: usize = 20;
const LINE_BYTES_MAX: u64 = 4096;

/// A program that was found.
pub(super) struct Tool<'a> {
    program: PathBuf,
    settings: &'a Settings,
}

impl<'a> Tool<'a> {
    /// Looks for the first of the names on the `PATH`.
    pub(super) fn find(names: &[&str], settings: &'a Settings) -> Option<Self> {
        let search = Search::new(&settings.environment, Platform::host().os);
        let program = names.iter().find_map(|name| search.find(name))?;
        Some(Self { program, settings })
    }

    /// Runs it to its end in `folder`; `told` is what a person reads meanwhile.
    pub(super) fn run(
        &self,
        args: &[OsString],
        folder: &Path,
        told: &str,
        quiet: bool,
        hint: Option<&'static str>,
    ) -> Result<(), VendorError> {
        let working = Working::start(told, quiet);
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(folder).env_clear().envs(handed_on(&self.settings.environment));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(VendorError::io(&self.program))?;
        let out = child.stdout.take().map(|pipe| thread::spawn(|| last_lines(pipe)));
        let err = child.stderr.take().map(|pipe| thread::spawn(|| last_lines(pipe)));
        let status = child.wait().map_err(VendorError::io(&self.program))?;
        drop(working);
        let lines = |reader: Option<thread::JoinHandle<Vec<String>>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        let (out, err) = (lines(out), lines(err));
        if status.success() {
            return Ok(());
        }
        let name = self.program.file_stem().unwrap_or_default().to_string_lossy();
        let first: Vec<_> = args.iter().take(3).map(|arg| arg.to_string_lossy()).collect();
        Err(VendorError::Failed {
            command: format!("{name} {}", first.join(" ")),
            status: status.to_string(),
            lines: if err.is_empty() { out } else { err },
            hint,
        })
    }
}

fn handed_on(environment: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    environment.iter().filter(|(name, _)| is_handed_on(&name.to_string_lossy())).map(|(n, v)| (n.as_ref(), v.as_ref()))
}

fn is_handed_on(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    NAMES.contains(&upper.as_str()) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

/// Reads to the end, whatever the amount, and keeps the last lines.
fn last_lines(pipe: impl Read) -> Vec<String> {
    let mut reader = BufReader::new(pipe);
    let mut lines = VecDeque::new();
    let mut line = Vec::new();
    while matches!(reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line), Ok(length) if length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !text.is_empty() {
            lines.push_back(text);
        }
        if lines.len() > LINES_COUNT_MAX {
            lines.pop_front();
        }
        line.clear();
    }
    lines.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_managers_get_what_they_need_and_no_secret() {
        let cases = [
            ("PATH", true),
            ("https_proxy", true),
            ("npm_config_registry", true),
            ("PIP_INDEX_URL", true),
            ("UV_CACHE_DIR", true),
            ("MPAK_TOKEN", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("LD_PRELOAD", false),
            ("NODE_OPTIONS", false),
            ("PYTHONPATH", false),
        ];
        for (name, expect) in cases {
            assert_eq!(is_handed_on(name), expect, "{name}");
        }
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let text: String = (0..1000).map(|i| format!("line {i}\n\n")).collect::<Vec<_>>().concat();
        let lines = last_lines(text.as_bytes());
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 980", "line 999"));
    }
}
