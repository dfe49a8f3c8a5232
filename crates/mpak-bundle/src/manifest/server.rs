//! `server`: what is started, with which arguments and environment, and what is suspicious about it.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Fields, Need, Object, list};
use super::problems::{At, code, shown};
use super::template::{self, Part};
use super::user_config::{Index, Options};
use super::{ManifestVersion, McpConfig, PlatformOverride, Server, ServerType, Severity, UserConfigType, values};

/// Shells, by the last part of the command without `.exe`.
const SHELLS: [&str; 10] = ["sh", "bash", "zsh", "dash", "fish", "ksh", "cmd", "powershell", "pwsh", "env"];
/// Programs that fetch what they run.
const FETCHERS: [&str; 12] =
    ["npx", "npm", "pnpm", "yarn", "bunx", "uvx", "pipx", "pip", "docker", "podman", "deno", "dnx"];
/// Interpreters that hosts supply.
const INTERPRETERS: [&str; 6] = ["node", "python", "python3", "py", "uv", "bun"];
/// Variables that make a program load code, named by the platforms' loaders and the interpreters.
const LOADERS: [&str; 10] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONPATH",
    "BASH_ENV",
    "ENV",
];
/// Loader variables without which vendored dependencies are not found; usual when they stay inside.
const USUAL_LOADERS: [&str; 2] = ["PYTHONPATH", "NODE_PATH"];
/// Variables that change what other programs do or trust.
const SENSITIVE: [&str; 3] = ["PATH", "GIT_SSH_COMMAND", "NODE_EXTRA_CA_CERTS"];

/// Which options the templates name.
pub(super) type Uses = BTreeSet<String>;

/// Reads `server` and the options it uses.
pub(super) fn read(f: &mut Fields<'_>, map: &Object, at: &At<'_>, options: &Options) -> (Option<Server>, Uses) {
    let options: Index<'_> = options.iter().map(|(key, option)| (key.as_str(), option)).collect();
    let mut uses = Uses::new();
    let server = f.member(map, at, "server", Need::Required).and_then(|value| {
        let here = at.key("server");
        let inner = f.object(value, &here, "")?;
        f.known(inner, &here, &["type", "entry_point", "mcp_config"], f.strictly());
        let kind = kind(f, inner, &here);
        let entry_point = f.text(inner, &here, "entry_point", Need::Required);
        if let Some(entry_point) = &entry_point {
            check_entry_point(f, entry_point, &here.key("entry_point"));
        }
        let mcp_config = mcp_config(f, inner, &here, kind, &options, &mut uses);
        Some(Server { kind: kind?, entry_point: entry_point?, mcp_config })
    });
    (server, uses)
}

fn check_entry_point(f: &mut Fields<'_>, text: &str, at: &At<'_>) {
    if text.contains("${") {
        let message = format!("expected a path in the bundle, found a template: `{}`", shown(text));
        f.error(code::PATH_INVALID, at, message, "write the path relative to manifest.json, without variables");
    } else {
        f.check_path(text, at);
    }
}

fn kind(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<ServerType> {
    let text = f.text(map, at, "type", Need::Required)?;
    let here = at.key("type");
    match ServerType::parse(&text) {
        Some(ServerType::Uv) if f.version < ManifestVersion::V0_4 => {
            let message = format!(
                "expected `node`, `python` or `binary` in a manifest of version {}, found `uv`",
                f.version.as_str()
            );
            f.error(code::SERVER_UV_TOO_NEW, &here, message, "set `manifest_version` to `0.4`");
            Some(ServerType::Uv)
        }
        Some(kind) => Some(kind),
        None => {
            let message = format!("expected `node`, `python`, `binary` or `uv`, found `{}`", shown(&text));
            f.error(code::SERVER_TYPE, &here, message, "choose one of them");
            None
        }
    }
}

fn mcp_config(
    f: &mut Fields<'_>,
    map: &Object,
    at: &At<'_>,
    kind: Option<ServerType>,
    options: &Index<'_>,
    uses: &mut Uses,
) -> Option<McpConfig> {
    let Some(value) = map.get("mcp_config").filter(|v| !v.is_null()) else {
        missing(f, map, at, kind);
        return None;
    };
    let here = at.key("mcp_config");
    let inner = f.object(value, &here, "")?;
    f.known(inner, &here, &["command", "args", "env", "platform_overrides"], Severity::Error);
    let command = f.text(inner, &here, "command", Need::Required);
    let part = PlatformOverride { command, args: f.texts(inner, &here, "args"), env: f.text_map(inner, &here, "env") };
    check_part(f, &part, &here, options, uses);
    let platform_overrides = overrides(f, inner, &here, options, uses);
    Some(McpConfig {
        command: part.command?,
        args: part.args.unwrap_or_default(),
        env: part.env.unwrap_or_default(),
        platform_overrides,
    })
}

fn missing(f: &mut Fields<'_>, map: &Object, at: &At<'_>, kind: Option<ServerType>) {
    let help = "add `mcp_config` with `command` and `args`";
    if f.version == ManifestVersion::V0_4 && kind == Some(ServerType::Uv) && !map.contains_key("mcp_config") {
        let message = "expected `mcp_config`, found none: allowed for `uv`, but refused by existing tools";
        f.warn(code::MCP_CONFIG_MISSING, at, message, help);
    } else {
        let message = "expected `mcp_config`, found none";
        f.report(f.strictly(), code::MCP_CONFIG_MISSING, at, message, help);
    }
}

fn overrides(
    f: &mut Fields<'_>,
    map: &Object,
    at: &At<'_>,
    options: &Index<'_>,
    uses: &mut Uses,
) -> BTreeMap<String, PlatformOverride> {
    let mut out = BTreeMap::new();
    let Some(value) = f.member(map, at, "platform_overrides", Need::Optional) else { return out };
    let here = at.key("platform_overrides");
    let Some(inner) = f.object(value, &here, "") else { return out };
    for (platform, value) in inner {
        let place = here.key(platform);
        if !["darwin", "linux", "win32"].contains(&platform.as_str()) {
            let message =
                format!("expected `darwin`, `linux` or `win32`, found `{}`, which no host looks for", shown(platform));
            f.warn(code::OVERRIDE_PLATFORM, &place, message, "name the platform in one of these words");
        }
        let Some(part) = f.object(value, &place, "") else { continue };
        f.known(part, &place, &["command", "args", "env"], Severity::Error);
        let part = PlatformOverride {
            command: f.text(part, &place, "command", Need::Optional),
            args: f.texts(part, &place, "args"),
            env: f.text_map(part, &place, "env"),
        };
        check_part(f, &part, &place, options, uses);
        out.insert(platform.clone(), part);
    }
    out
}

/// The rules that hold for the main command line and for every override.
fn check_part(f: &mut Fields<'_>, part: &PlatformOverride, at: &At<'_>, options: &Index<'_>, uses: &mut Uses) {
    if let Some(command) = &part.command {
        let here = at.key("command");
        templates(f, command, &here, options, uses, Place::Command);
        check_command(f, command, part.args.as_deref().unwrap_or_default(), &here);
    }
    let here = at.key("args");
    for (index, arg) in part.args.iter().flatten().enumerate() {
        templates(f, arg, &here.index(index), options, uses, Place::Argument);
    }
    if let Some(env) = &part.env {
        check_env(f, env, &at.key("env"), options, uses);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    Argument,
    Variable,
}

/// Checks the variables of one template.
fn templates(f: &mut Fields<'_>, text: &str, at: &At<'_>, options: &Index<'_>, uses: &mut Uses, place: Place) {
    if text.contains('\0') {
        let message = "expected a text that a process can be given, found a NUL character";
        f.error(code::NUL_CHARACTER, at, message, "remove it");
    }
    for part in template::parts(text) {
        match part {
            Part::Text(_) => {}
            Part::Open(_) => {
                let message = format!("expected `}}` after `${{`, found the end of `{}`", shown(text));
                f.warn(code::VARIABLE_OPEN, at, message, "close it; the server gets the text as it stands");
            }
            Part::Variable(name) => match template::option(name) {
                Some(key) => option(f, text, key, at, options, uses, place),
                None if template::FIXED.contains(&name) => {}
                None => {
                    let message = format!(
                        "expected {} or `user_config.…` in `${{…}}`, found `{}`",
                        list(&template::FIXED),
                        shown(name)
                    );
                    f.warn(code::VARIABLE_UNKNOWN, at, message, "the server gets the text as it stands");
                }
            },
        }
    }
}

fn option(f: &mut Fields<'_>, text: &str, key: &str, at: &At<'_>, options: &Index<'_>, uses: &mut Uses, place: Place) {
    let Some(option) = options.get(key) else {
        if key.contains("${") {
            let message =
                format!("expected the name of an option, found a template inside a template: `{}`", shown(text));
            f.warn(code::VARIABLE_UNKNOWN, at, message, "the server gets the text as it stands");
        } else {
            let message = format!("expected an option declared in `user_config`, found `{}`", shown(key));
            f.error(code::OPTION_UNDECLARED, at, message, "declare it or correct the name");
        }
        return;
    };
    uses.insert(key.to_owned());
    if option.sensitive && place != Place::Variable {
        let message = format!(
            "expected secrets in `env`, found `{}` on the command line, which every process can read",
            shown(key)
        );
        f.warn(code::OPTION_SECRET_ARGUMENT, at, message, "hand it over in `env`");
    }
    let paths = matches!(option.kind, UserConfigType::Directory | UserConfigType::File);
    if option.multiple && paths && !(place == Place::Argument && template::exact_option(text) == Some(key)) {
        let message = format!(
            "expected `{}` as a whole argument because it holds several values, found it in `{}`",
            shown(key),
            shown(text)
        );
        f.warn(code::OPTION_LIST_EMBEDDED, at, message, "write it as an element of `args` of its own");
    }
}

fn check_command(f: &mut Fields<'_>, command: &str, args: &[String], at: &At<'_>) {
    if command.is_empty() {
        // An empty override is ignored by hosts, an empty command cannot be started.
        let message = "expected a program, found an empty text";
        f.warn(code::COMMAND_EMPTY, at, message, "name the program, for example `node`");
        return;
    }
    let found = shown(command);
    if template::parts(command)
        .iter()
        .any(|part| matches!(part, Part::Variable(name) if template::option(name).is_some()))
    {
        let message = format!("expected a fixed program, found `{found}`: the user's setting chooses what runs");
        f.warn(code::COMMAND_FROM_USER, at, message, "name the program, and pass the setting as an argument");
        return;
    }
    let last = command.rsplit(['/', '\\', '}']).next().unwrap_or(command).to_ascii_lowercase();
    let program = last.strip_suffix(".exe").or(last.strip_suffix(".cmd")).unwrap_or(&last);
    if SHELLS.contains(&program) {
        let message = format!("expected the server's program, found the shell `{found}`");
        f.warn(code::COMMAND_SHELL, at, message, "start the program itself with its arguments");
    } else if FETCHERS.contains(&program) || (program == "uv" && args.first().is_some_and(|a| a == "tool")) {
        let message = format!(
            "expected the server's program, found `{found}`, which fetches and runs code from outside the bundle"
        );
        f.warn(code::COMMAND_FETCHES, at, message, "put the code into the bundle");
    } else if outside(command, program) {
        let message = format!("expected a program of the bundle or an interpreter, found `{found}` outside the bundle");
        f.warn(code::COMMAND_OUTSIDE, at, message, "put the program into the bundle: `${__dirname}/…`");
    }
}

/// Whether a command lies outside the bundle and is no interpreter that hosts supply.
fn outside(command: &str, program: &str) -> bool {
    let separated = command.contains(['/', '\\']);
    if !separated {
        return !INTERPRETERS.contains(&program);
    }
    match template::in_bundle(&command.replace('\\', "/")) {
        Some(path) => values::bundle_path(&path).is_err(),
        None => values::bundle_path(command).is_err(),
    }
}

fn check_env(f: &mut Fields<'_>, env: &BTreeMap<String, String>, at: &At<'_>, options: &Index<'_>, uses: &mut Uses) {
    let mut folded = BTreeSet::new();
    for (name, value) in env {
        let here = at.key(name);
        templates(f, value, &here, options, uses, Place::Variable);
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("expected a variable name without `=`, found `{}`", shown(name));
            f.error(code::ENV_NAME, &here, message, "rename the variable");
        }
        if !folded.insert(name.to_uppercase()) {
            let message = format!("expected names that differ in more than case, found `{}` again", shown(name));
            f.error(code::ENV_NAME_TWICE, &here, message, "remove one: on Windows they are the same variable");
        }
        check_variable(f, name, value, &here);
    }
}

fn check_variable(f: &mut Fields<'_>, name: &str, value: &str, at: &At<'_>) {
    let upper = name.to_ascii_uppercase();
    let loader = LOADERS.contains(&upper.as_str()) || upper.starts_with("DYLD_");
    if loader && let Some(place) = loads_from_outside(&upper, value) {
        let message = format!("expected code from the bundle only, found `{}` loading `{}`", shown(name), shown(place));
        f.error(code::ENV_LOADER, at, message, "point it below `${__dirname}` or remove it");
    } else if loader && !USUAL_LOADERS.contains(&upper.as_str()) {
        let message =
            format!("expected no loader variable, found `{}`, which changes what code is loaded", shown(name));
        f.warn(code::ENV_SENSITIVE, at, message, "remove it if the server starts without it");
    } else if SENSITIVE.contains(&upper.as_str()) || upper.ends_with("_PROXY") {
        let message = format!(
            "expected the host's value, found `{}` set by the manifest, which changes what programs run or trust",
            shown(name)
        );
        f.warn(code::ENV_SENSITIVE, at, message, "remove it if the server starts without it");
    }
}

/// The part of a loader variable that names code outside the bundle; the user's own choice does not count.
fn loads_from_outside<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    if name == "NODE_OPTIONS" {
        return node_option_outside(value);
    }
    // `${…}` holds no separator of lists, so a drive letter is the only `:` that is none.
    value.split([':', ';']).filter(|part| !part.is_empty()).find(|part| is_outside(part))
}

fn node_option_outside(value: &str) -> Option<&str> {
    const LOADING: [&str; 5] = ["--require", "-r", "--import", "--loader", "--experimental-loader"];
    let mut words = value.split_whitespace();
    while let Some(word) = words.next() {
        let (flag, inline) = word.split_once('=').map_or((word, None), |(flag, path)| (flag, Some(path)));
        if LOADING.contains(&flag)
            && let Some(path) = inline.or_else(|| words.next())
            && is_outside(path)
        {
            return Some(path);
        }
    }
    None
}

fn is_outside(path: &str) -> bool {
    if template::parts(path).iter().any(|p| matches!(p, Part::Variable(name) if template::option(name).is_some())) {
        return false;
    }
    let path = path.replace('\\', "/");
    match template::in_bundle(&path) {
        Some(inner) => !inner.is_empty() && values::bundle_path(&inner).is_err(),
        // Relative to the working directory, which is the bundle.
        None => path.contains("${") || (path != "." && values::bundle_path(&path).is_err()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_variables_may_point_into_the_bundle_only() {
        for (name, value, outside) in [
            ("LD_LIBRARY_PATH", "${__dirname}/lib", None),
            ("LD_LIBRARY_PATH", "${__dirname}/lib:/opt/x", Some("/opt/x")),
            ("LD_PRELOAD", "/tmp/x.so", Some("/tmp/x.so")),
            ("LD_PRELOAD", "x.so", None),
            ("PYTHONPATH", "${__dirname}", None),
            ("PYTHONPATH", "${__dirname}/../x", Some("${__dirname}/../x")),
            ("PYTHONPATH", "${__dirname}/a;${__dirname}\\b", None),
            ("PYTHONHOME", "${HOME}/x", Some("${HOME}/x")),
            ("PYTHONHOME", "${user_config.home}", None),
            ("NODE_OPTIONS", "--max-old-space-size=4096", None),
            ("NODE_OPTIONS", "--require ${__dirname}/x.js", None),
            ("NODE_OPTIONS", "--import=/tmp/x.mjs", Some("/tmp/x.mjs")),
            ("NODE_OPTIONS", "-r ../x.js", Some("../x.js")),
        ] {
            assert_eq!(loads_from_outside(name, value), outside, "{name}={value}");
        }
    }
}
