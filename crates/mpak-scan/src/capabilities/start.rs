//! What the manifest itself starts: the files that are entered, the programs that run them, native code.

use serde_json::Value;

use super::{Access, Server, Use, When};
use crate::code::program::{Program, UnitId};
use crate::evidence::MANIFEST;

/// Most words of a command line that are looked at.
const WORDS_COUNT_MAX: usize = 64;

/// Most packages that are named.
const PACKAGES_COUNT_MAX: usize = 6;

/// The units that the manifest enters.
pub(super) fn entries(program: &Program, document: Option<&Value>) -> Vec<UnitId> {
    let Some(server) = document.and_then(|document| document.get("server")) else { return Vec::new() };
    let mut named: Vec<String> = Vec::new();
    named.extend(server.get("entry_point").and_then(Value::as_str).map(str::to_owned));
    for command in commands(server) {
        let mut words = command.words.iter();
        while let Some(word) = words.next() {
            if word == "-m" {
                let module = words.next().map(|module| module.replace('.', "/")).unwrap_or_default();
                named.extend([
                    format!("{module}/__main__.py"),
                    format!("{module}.py"),
                    format!("{module}/__init__.py"),
                ]);
            }
            named.push(word.clone());
        }
    }
    let named: Vec<String> = named.iter().map(|name| bare(name)).filter(|name| name.contains('.')).collect();
    let is_entry = |path: &str| {
        named.iter().any(|name| {
            path.strip_suffix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || matches!(rest, "src/" | "server/" | "lib/"))
        })
    };
    program.units().filter(|(_, unit)| is_entry(&unit.path)).map(|(id, _)| id).collect()
}

/// A path within the bundle.
fn bare(name: &str) -> String {
    let name = name.rsplit_once("${__dirname}").map_or(name, |(_, rest)| rest);
    name.trim_start_matches(['/', '\\']).trim_start_matches("./").replace('\\', "/")
}

struct Command {
    /// Where in the manifest.
    pointer: String,
    words: Vec<String>,
    /// Names of variables that it sets.
    variables: Vec<String>,
}

/// The command of the server, and those for platforms.
fn commands(server: &Value) -> Vec<Command> {
    let Some(config) = server.get("mcp_config") else { return Vec::new() };
    let platforms = config.get("platform_overrides").and_then(Value::as_object);
    let overrides = platforms.into_iter().flatten().map(|(name, value)| (format!("platform_overrides/{name}/"), value));
    let all = std::iter::once((String::new(), config)).chain(overrides);
    all.take(WORDS_COUNT_MAX)
        .map(|(pointer, config)| {
            let command = config.get("command").and_then(Value::as_str).map(str::to_owned);
            let args = config.get("args").and_then(Value::as_array).into_iter().flatten();
            let args = args.filter_map(Value::as_str).map(str::to_owned);
            let variables = config.get("env").and_then(Value::as_object).into_iter().flatten();
            Command {
                pointer: format!("/server/mcp_config/{pointer}command"),
                words: command.into_iter().chain(args).take(WORDS_COUNT_MAX).collect(),
                variables: variables.map(|(name, _)| name.clone()).collect(),
            }
        })
        .collect()
}

/// What the manifest starts.
pub(super) fn uses(server: &Server<'_>, mentioned: &dyn Fn(&str) -> bool) -> Vec<Use> {
    let mut found = Vec::new();
    let config = server.document.and_then(|document| document.get("server"));
    for command in config.map(commands).unwrap_or_default() {
        found.extend(of_command(&command));
    }
    // The server is native code itself, or its packages bring some.
    let entry = config.and_then(|server| server.get("entry_point")).and_then(Value::as_str).map(bare);
    for &path in &server.native_files {
        let dependency = !(server.is_own)(path);
        let loaded =
            [".node", ".so", ".pyd", ".dylib", ".dll"].iter().any(|end| path.ends_with(end)) || path.contains(".so.");
        if entry.as_deref() == Some(path) || loaded && (dependency || mentioned(module(path))) {
            let call = if dependency { "a package's native code" } else { "the server's own native code" };
            found.push(Use { dependency, what: Some(path.to_owned()), ..use_at(Access::Native, path, call) });
        }
    }
    // Packages are told together.
    let brought: Vec<&Use> = found.iter().filter(|found| found.dependency).collect();
    let packages: std::collections::BTreeSet<&str> = brought.iter().map(|found| name(package(&found.file))).collect();
    let some: Vec<&str> = packages.iter().take(PACKAGES_COUNT_MAX).copied().collect();
    let more = packages.len() - some.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = format!("{}{more}", some.join(", "));
    let mut first = true;
    found.retain_mut(|found| {
        let kept = !found.dependency || std::mem::take(&mut first);
        if found.dependency {
            found.what = Some(what.clone());
        }
        kept
    });
    found
}

/// The name by which code loads a compiled file: `_vec` of `server/_vec.cpython-312-x86_64-linux-gnu.so`.
fn module(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// The name of a package, by its folder.
fn name(folder: &str) -> &str {
    let (before, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    match before.rfind('/').map_or(before, |at| &before[at + 1..]) {
        scope if scope.starts_with('@') => &folder[folder.len() - last.len() - 1 - scope.len()..],
        _ => last,
    }
}

/// The folder of the package that a file is of.
fn package(path: &str) -> &str {
    let start = path.rfind("node_modules/").map_or(0, |at| at + "node_modules/".len());
    let mut parts = path[start..].match_indices('/').map(|(at, _)| start + at);
    let scoped = path[start..].starts_with('@') || start == 0;
    let end = if scoped { parts.nth(1) } else { parts.next() };
    end.map_or(path, |end| &path[..end])
}

fn use_at(access: Access, file: &str, call: &str) -> Use {
    Use::new(access, When::Start, file, call)
}

fn of_command(command: &Command) -> Vec<Use> {
    let mut found = Vec::new();
    let Some(first) = command.words.first() else { return found };
    let program = first.rsplit(['/', '\\']).next().unwrap_or(first).trim_end_matches(".exe").trim_end_matches(".cmd");
    let line = command.words.join(" ");
    let add = |found: &mut Vec<Use>, access, open| {
        let what = Some(program.to_owned());
        let code = line.chars().take(200).collect();
        found.push(Use { code, what, open, ..use_at(access, MANIFEST, &command.pointer) });
    };
    match program {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "cmd" | "powershell" | "pwsh" | "osascript" => {
            add(&mut found, Access::Subprocess, false);
        }
        "npx" | "uvx" | "pipx" | "bunx" | "pnpx" | "docker" | "podman" | "curl" | "wget" => {
            add(&mut found, Access::Subprocess, false);
            add(&mut found, Access::Outbound, false);
        }
        "npm" | "pnpm" | "yarn" if command.words.iter().any(|word| matches!(word.as_str(), "exec" | "dlx" | "x")) => {
            add(&mut found, Access::Subprocess, false);
            add(&mut found, Access::Outbound, false);
        }
        _ => {}
    }
    for name in &command.variables {
        if matches!(name.as_str(), "LD_PRELOAD" | "LD_AUDIT" | "DYLD_INSERT_LIBRARIES") {
            let code = name.clone();
            found.push(Use { what: Some(name.clone()), code, ..use_at(Access::Native, MANIFEST, &command.pointer) });
        }
    }
    found
}
