//! Python servers: an interpreter that fits the vendored native code, and a `PYTHONPATH` that finds the
//! vendored packages.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mpak_bundle::platform::Os;

use super::{Chosen, ProbeCache};
use crate::launch::{Context, LaunchError, Tried};

/// Where bundles keep vendored packages; all are in use.
const VENDORED: [&str; 3] = ["server/lib", "lib", "deps"];

/// Answers with executable, version and suffixes of native modules, one per line.
const QUESTION: &str = "import sys,_imp\nprint(sys.executable)\nprint('%d.%d.%d'%sys.version_info[:3])\nprint(' '.join(_imp.extension_suffixes()))";

/// The interpreters that the native modules of a bundle were built for, as `cpython-311`; empty when
/// there are none, or only ones for the stable ABI.
pub fn vendored_abis<'a>(paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    paths.into_iter().filter_map(abi).collect()
}

/// The interpreter that one native module was built for.
fn abi(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let stem = name.strip_suffix(".so").or_else(|| name.strip_suffix(".pyd"))?;
    let tag = stem.rsplit('.').next()?;
    let implementation = if let Some(rest) = tag.strip_prefix("cpython-") {
        format!("cpython-{}", rest.split('-').next()?)
    } else if tag.starts_with("pypy") {
        tag.split('-').next()?.to_owned()
    } else if let Some(rest) = tag.strip_prefix("cp") {
        format!("cpython-{}", rest.split('-').next()?)
    } else {
        return None;
    };
    let digits = implementation.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.starts_with(|c: char| c.is_ascii_digit()).then_some(implementation)
}

/// `cpython-311` as `CPython 3.11`.
pub(crate) fn in_words(abi: &str) -> String {
    let (name, digits) = match (abi.strip_prefix("cpython-"), abi.strip_prefix("pypy")) {
        (Some(digits), _) => ("CPython", digits),
        (_, Some(digits)) => ("PyPy", digits),
        _ => return abi.to_owned(),
    };
    format!("{name} {}", dotted(digits))
}

/// `311` as `3.11`.
fn dotted(digits: &str) -> String {
    match digits.split_at_checked(1) {
        Some((major, minor)) if !minor.is_empty() => format!("{major}.{minor}"),
        _ => digits.to_owned(),
    }
}

/// Makes the command line of a Python server.
///
/// # Errors
/// [`LaunchError`] when there is no Python, or none that fits the vendored native code and the range.
pub fn choose(context: &Context<'_>, probes: &mut ProbeCache) -> Result<Chosen, LaunchError> {
    let command = context.command.command.as_str();
    let program = if matches!(command, "" | "python" | "python3") {
        interpreter(context, command, probes)?
    } else {
        let program = context.program(command)?;
        if command.starts_with("python") && !command.contains(['/', '\\']) {
            fitting(context, vec![program], probes)?
        } else {
            program
        }
    };
    let mut args = context.args();
    if args.is_empty() {
        args = entry_args(context)?;
    }
    Ok(Chosen { program, args, env: env(context), notes: Vec::new() })
}

/// No arguments: the entry point, which may be a module name.
fn entry_args(context: &Context<'_>) -> Result<Vec<OsString>, LaunchError> {
    let entry = &context.manifest.server.entry_point;
    let module = !entry.is_empty()
        && entry.split('.').all(|p| !p.is_empty() && p.chars().all(|c| c.is_alphanumeric() || c == '_'));
    match context.entry_point() {
        Ok(path) => Ok(vec![path.into()]),
        Err(_) if module => Ok(vec!["-m".into(), entry.into()]),
        Err(error) => Err(error),
    }
}

fn env(context: &Context<'_>) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> =
        [("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONNOUSERSITE", "1"), ("PYTHONUTF8", "1")]
            .map(|(n, v)| (n.into(), v.into()))
            .into();
    env.push(("PYTHONPATH".into(), python_path(context)));
    env
}

/// The manifest's value, then each vendoring folder that exists, then the bundle.
fn python_path(context: &Context<'_>) -> OsString {
    let mut parts: Vec<OsString> = Vec::new();
    if let Some(given) = context.command.env.get("PYTHONPATH").filter(|v| !v.is_empty()) {
        parts.push(given.into());
    }
    let folders = VENDORED.iter().map(|folder| context.bundle.join(folder)).filter(|folder| folder.is_dir());
    for folder in folders.chain([context.bundle.to_owned()]) {
        let folder = folder.into_os_string();
        if !parts.contains(&folder) {
            parts.push(folder);
        }
    }
    parts.join(std::ffi::OsStr::new(if context.os == Os::Win32 { ";" } else { ":" }))
}

/// The first of `python3`, the exact versions that the native code asks for, and `python` that fits.
fn interpreter(context: &Context<'_>, command: &str, probes: &mut ProbeCache) -> Result<PathBuf, LaunchError> {
    let mut names = vec!["python3".to_owned()];
    for abi in context.python_abis {
        if let Some(digits) = abi.strip_prefix("cpython-") {
            names.push(format!("python{}", dotted(digits.trim_end_matches('t'))));
        }
    }
    names.push("python".to_owned());
    let found: Vec<PathBuf> = names.iter().filter_map(|name| context.search.find(name)).collect();
    if found.is_empty() {
        let command = if command.is_empty() { "python3" } else { command };
        return Err(LaunchError::NotFound { program: command.to_owned(), searched: context.search.folders().to_vec() });
    }
    fitting(context, found, probes)
}

/// The first interpreter that fits; it is not even asked where nothing is required of it.
fn fitting(context: &Context<'_>, found: Vec<PathBuf>, probes: &mut ProbeCache) -> Result<PathBuf, LaunchError> {
    let range = context.manifest.compatibility.python.as_deref();
    // a stub of the Windows store stands on PATH and does nothing, so there each one is asked
    if context.python_abis.is_empty() && range.is_none() && context.os != Os::Win32 {
        return Ok(found.into_iter().next().expect("callers give at least one"));
    }
    let mut tried = Vec::new();
    for program in found {
        let Some(python) = ask(&program, context, probes) else {
            tried.push(Tried { program, found: "one that does not run".into() });
            continue;
        };
        let abi_fits = context.python_abis.is_empty() || context.python_abis.contains(&python.abi);
        if abi_fits && range.is_none_or(|range| super::allows(range, &python.version)) {
            return Ok(python.program);
        }
        tried.push(Tried { program, found: format!("{} ({})", python.version, in_words(&python.abi)) });
    }
    Err(LaunchError::Python {
        abis: context.python_abis.iter().cloned().collect(),
        range: range.map(str::to_owned),
        tried,
    })
}

struct Python {
    program: PathBuf,
    version: String,
    abi: String,
}

fn ask(program: &Path, context: &Context<'_>, probes: &mut ProbeCache) -> Option<Python> {
    let answer = probes.ask(program, &["-I", "-S", "-c", QUESTION], context.host)?;
    let mut lines = answer.lines();
    let (executable, version, suffixes) = (lines.next()?, lines.next()?, lines.next()?);
    let abi = suffixes.split(' ').find_map(abi).unwrap_or_default();
    // a shim costs its time at every start; what it stands for does the same without
    let program = if super::identity(program).is_none() && Path::new(executable).is_absolute() {
        Path::new(executable)
    } else {
        program
    };
    Some(Python { program: program.to_owned(), version: version.to_owned(), abi })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_modules_name_their_interpreter() {
        for (path, expected) in [
            ("deps/pydantic_core/_pydantic_core.cpython-311-x86_64-linux-gnu.so", Some("cpython-311")),
            ("server/lib/rpds/rpds.cpython-312-darwin.so", Some("cpython-312")),
            ("lib/_x.cp311-win_amd64.pyd", Some("cpython-311")),
            ("lib/_x.cpython-313t-x86_64-linux-gnu.so", Some("cpython-313t")),
            ("lib/_x.pypy310-pp73-x86_64-linux-gnu.so", Some("pypy310")),
            ("deps/cryptography/_rust.abi3.so", None),
            ("deps/x/libfoo.so", None),
            ("deps/x/cpython-311.py", None),
        ] {
            assert_eq!(abi(path).as_deref(), expected, "{path}");
        }
        assert_eq!(vendored_abis(["a.cpython-311-x.so", "b.cpython-311-y.so", "c.abi3.so"]).len(), 1);
        assert_eq!(in_words("cpython-311"), "CPython 3.11");
        assert_eq!(in_words("pypy310"), "PyPy 3.10");
    }
}
