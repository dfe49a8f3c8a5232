//! Substitution of `${…}` in `mcp_config`: one left-to-right scan, nothing rescanned, names literal.
//!
//! In: a manifest, the user's values, the folders of the machine. Out: a command line that is started
//! without a shell. Spec: MCPB MANIFEST.md "Variable substitution", with these fixes of what hosts do:
//!
//! - Defaults are expanded with the system folders, and a default satisfies `required`.
//! - An option without value drops the argument or variable that names it, whole or in part. Where it was
//!   only a part, `unknown` tells, because text of the author is lost with it.
//! - A list is spliced where it is a whole argument. Elsewhere its placeholder stays and `unknown` tells.
//! - Values are never scanned again, and names are literal (`${user_config_x}` is no option).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use thiserror::Error;

use crate::manifest::template::{self, Part};
use crate::manifest::values;
use crate::manifest::{ConfigValue, Manifest, McpConfig, ServerType, UserConfigOption};
use crate::platform::Os;

/// Longest argument or variable on Unix (Linux: 32 pages, with the NUL at the end).
const STRING_BYTES_MAX: usize = 128 << 10;
/// Longest command line on Windows, in UTF-16 units.
const WINDOWS_LINE_UNITS_MAX: usize = 32_767;

/// What templates may name.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    /// `${__dirname}`: absolute path of the extracted bundle.
    pub dirname: &'a Path,
    /// Chooses `platform_overrides` and the path separator.
    pub os: Os,
    /// `HOME`, `DESKTOP`, `DOCUMENTS`, `DOWNLOADS`.
    pub system_dirs: BTreeMap<String, String>,
    /// Values the user gave, by option; defaults are added here.
    pub user_config: BTreeMap<String, ConfigValue>,
}

/// A command line ready to start; nothing in it is expanded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// Program, as the manifest names it.
    pub command: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// For each variable of `env` whose template is exactly `${user_config.x}`: the option `x`.
    pub env_is_option: BTreeMap<String, String>,
    /// For a warning: placeholders left as they stand (nothing of that name, or a list that is not a
    /// whole argument), and options without value whose argument or variable was dropped with other text.
    pub unknown: Vec<String>,
}

/// Why no command line could be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SubstituteError {
    /// Required options without a value.
    #[error("missing required config: {}", keys.join(", "))]
    Missing {
        /// Their names.
        keys: Vec<String>,
    },
    /// A value holds NUL, which no argument and no variable can carry.
    #[error("the value of `{key}` holds a NUL character")]
    Nul {
        /// The option.
        key: String,
    },
    /// A value does not fit its declared type or range.
    #[error("the value of `{key}` is not {expected}: `{found}`")]
    Type {
        /// The option.
        key: String,
        /// Type and range.
        expected: String,
        /// The value; `…` for sensitive ones.
        found: String,
    },
    /// One argument or variable is longer than systems allow.
    #[error("the value for `{place}` has {bytes} bytes, expected at most {limit}")]
    Length {
        /// The argument or variable.
        place: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Makes the command line of a manifest. `mcp_config` absent gives the default of the server type.
///
/// # Errors
/// [`SubstituteError`].
pub fn substitute(manifest: &Manifest, variables: &Variables<'_>) -> Result<Substituted, SubstituteError> {
    // 1. A value for every option that has one: the user's, else the default.
    let values = values(manifest, variables)?;
    let table =
        Table { variables, options: manifest.user_config.iter().map(|(key, _)| key.as_str()).collect(), values };
    // 2. The command line for this system.
    let config = for_system(manifest, variables.os);
    // 3. Its templates.
    let mut unknown = Vec::new();
    let command = match table.fill(&config.command, &mut unknown) {
        Filled::Text(text) => text,
        Filled::Unset(key) => return Err(SubstituteError::Missing { keys: vec![key] }),
    };
    let args = table.arguments(&config.args, &mut unknown);
    let env = table.environment(&config.env, &mut unknown);
    let env_is_option = config
        .env
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), template::exact_option(text)?.to_owned())))
        .collect();
    unknown.dedup();
    let out = Substituted { command, args, env, env_is_option, unknown };
    // 4. What the system can start.
    check_lengths(&out, variables.os)?;
    Ok(out)
}

/// What is worth telling a person who gives a value: it is passed as it is, but programs may read it
/// otherwise.
pub fn value_remarks(manifest: &Manifest, key: &str, value: &ConfigValue) -> Vec<String> {
    let parts = manifest.server.mcp_config.iter();
    let args =
        parts.flat_map(|c| c.args.iter().chain(c.platform_overrides.values().flat_map(|o| o.args.iter().flatten())));
    let uses: Vec<&String> = args.filter(|arg| template::parts(arg).iter().any(|p| is_option(*p, key))).collect();
    let whole = uses.iter().any(|arg| template::exact_option(arg) == Some(key));
    let texts = value.texts();
    let mut out = Vec::new();
    if whole && texts.iter().any(|text| text.starts_with('-')) {
        out.push(format!(
            "the value of `{key}` starts with `-` and is an argument of its own: the server may take it for a flag"
        ));
    }
    if !uses.is_empty() && texts.iter().any(|text| text.contains(['\n', '\r'])) {
        out.push(format!("the value of `{key}` has several lines and is passed as an argument"));
    }
    out
}

fn is_option(part: Part<'_>, key: &str) -> bool {
    matches!(part, Part::Variable(name) if template::option(name) == Some(key))
}

fn values(manifest: &Manifest, variables: &Variables<'_>) -> Result<BTreeMap<String, ConfigValue>, SubstituteError> {
    let mut out = BTreeMap::new();
    let mut missing = Vec::new();
    for (key, option) in &manifest.user_config {
        let given = variables.user_config.get(key).filter(|value| value.is_given()).cloned();
        let value = given.or_else(|| option.default.as_ref().filter(|v| v.is_given()).map(|v| expanded(v, variables)));
        match value {
            Some(value) => {
                check_value(key, option, &value)?;
                out.insert(key.clone(), value);
            }
            None if option.required => missing.push(key.clone()),
            None => {}
        }
    }
    if missing.is_empty() { Ok(out) } else { Err(SubstituteError::Missing { keys: missing }) }
}

fn check_value(key: &str, option: &UserConfigOption, value: &ConfigValue) -> Result<(), SubstituteError> {
    let texts = value.texts();
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(SubstituteError::Nul { key: key.to_owned() });
    }
    option.accepts(value).map_err(|expected| {
        let found = if option.sensitive { "…".to_owned() } else { texts.join(", ").chars().take(80).collect() };
        SubstituteError::Type { key: key.to_owned(), expected, found }
    })
}

/// A default with the folders of the machine in it; options are not among its variables.
fn expanded(value: &ConfigValue, variables: &Variables<'_>) -> ConfigValue {
    let table = Table { variables, options: BTreeSet::new(), values: BTreeMap::new() };
    let expand = |text: &String| {
        let filled = template::parts(text).into_iter().map(|part| match part {
            Part::Text(text) | Part::Open(text) => text.to_owned(),
            Part::Variable(name) => table.fixed(name).unwrap_or_else(|| format!("${{{name}}}")),
        });
        filled.collect::<String>()
    };
    match value {
        ConfigValue::Text(text) => ConfigValue::Text(expand(text)),
        ConfigValue::List(list) => ConfigValue::List(list.iter().map(expand).collect()),
        other => other.clone(),
    }
}

/// The command line with the system's override: each member that it has replaces the whole member.
fn for_system(manifest: &Manifest, os: Os) -> McpConfig {
    let Some(config) = &manifest.server.mcp_config else { return default_of(manifest) };
    let mut config = config.clone();
    if let Some(own) = config.platform_overrides.remove(os.as_str()) {
        config.command = own.command.filter(|c| !c.is_empty()).unwrap_or(config.command);
        config.args = own.args.unwrap_or(config.args);
        config.env = own.env.unwrap_or(config.env);
    }
    config
}

fn default_of(manifest: &Manifest) -> McpConfig {
    let server = &manifest.server;
    // The entry point is a path, not a template.
    let entry = server.entry_point.strip_prefix("./").unwrap_or(&server.entry_point);
    let file = format!("${{__dirname}}/{entry}");
    let module = values::is_module_name(entry);
    let (command, args) = match server.kind {
        ServerType::Node => ("node".to_owned(), vec![file]),
        ServerType::Python if module => ("python".to_owned(), vec!["-m".to_owned(), entry.to_owned()]),
        ServerType::Python => ("python".to_owned(), vec![file]),
        ServerType::Binary => (file, Vec::new()),
        ServerType::Uv => ("uv".to_owned(), ["run", "--directory", "${__dirname}", entry].map(str::to_owned).to_vec()),
    };
    McpConfig { command, args, ..McpConfig::default() }
}

/// What a template became.
enum Filled {
    Text(String),
    /// It names an option without value.
    Unset(String),
}

struct Table<'a> {
    variables: &'a Variables<'a>,
    /// Names of the declared options.
    options: BTreeSet<&'a str>,
    values: BTreeMap<String, ConfigValue>,
}

impl Table<'_> {
    fn fixed(&self, name: &str) -> Option<String> {
        match name {
            "__dirname" => Some(self.variables.dirname.to_string_lossy().into_owned()),
            "pathSeparator" | "/" => Some(if self.variables.os == Os::Win32 { "\\" } else { "/" }.to_owned()),
            _ => self.variables.system_dirs.get(name).cloned(),
        }
    }

    /// Fills one template, from left to right, once.
    fn fill(&self, text: &str, unknown: &mut Vec<String>) -> Filled {
        let mut out = String::new();
        for part in template::parts(text) {
            let name = match part {
                Part::Text(text) | Part::Open(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Variable(name) => name,
            };
            let declared = template::option(name).filter(|key| self.is_declared(key));
            match declared.map(|key| (key, self.values.get(key))) {
                Some((key, None)) => return Filled::Unset(key.to_owned()),
                Some((_, Some(ConfigValue::List(_)))) => keep(&mut out, name, unknown),
                Some((_, Some(value))) => out.extend(value.texts()),
                None => match self.fixed(name) {
                    Some(value) => out.push_str(&value),
                    None => keep(&mut out, name, unknown),
                },
            }
        }
        Filled::Text(out)
    }

    fn is_declared(&self, key: &str) -> bool {
        self.options.contains(key)
    }

    fn arguments(&self, args: &[String], unknown: &mut Vec<String>) -> Vec<String> {
        let mut out = Vec::new();
        for arg in args {
            let option = template::exact_option(arg);
            if let Some(ConfigValue::List(list)) = option.and_then(|key| self.values.get(key)) {
                out.extend(list.iter().cloned());
                continue;
            }
            match self.fill(arg, unknown) {
                Filled::Text(text) => out.push(text),
                Filled::Unset(key) => dropped(option, &key, unknown),
            }
        }
        out
    }

    fn environment(&self, env: &BTreeMap<String, String>, unknown: &mut Vec<String>) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (name, text) in env {
            match self.fill(text, unknown) {
                Filled::Text(value) => {
                    out.insert(name.clone(), value);
                }
                Filled::Unset(key) => dropped(template::exact_option(text), &key, unknown),
            }
        }
        out
    }
}

fn keep(out: &mut String, name: &str, unknown: &mut Vec<String>) {
    out.extend(["${", name, "}"]);
    unknown.push(name.to_owned());
}

/// Notes an option without value that took other text with it.
fn dropped(exact: Option<&str>, key: &str, unknown: &mut Vec<String>) {
    if exact.is_none() {
        unknown.push(format!("user_config.{key}"));
    }
}

fn check_lengths(out: &Substituted, os: Os) -> Result<(), SubstituteError> {
    let args = out.args.iter().enumerate().map(|(index, arg)| (format!("args[{index}]"), arg.as_str(), 0));
    let env = out.env.iter().map(|(name, value)| (name.clone(), value.as_str(), name.len() + 1));
    let all = std::iter::once(("command".to_owned(), out.command.as_str(), 0)).chain(args).chain(env);
    if os == Os::Win32 {
        let units = |text: &str| text.encode_utf16().count();
        // Quotes and blanks around each argument count too.
        let line: usize = std::iter::once(&out.command).chain(&out.args).map(|arg| units(arg) + 3).sum();
        let too_long =
            all.map(|(place, text, extra)| (place, units(text) + extra)).find(|(_, n)| *n >= WINDOWS_LINE_UNITS_MAX);
        let found = too_long.or((line > WINDOWS_LINE_UNITS_MAX).then(|| ("the whole command line".to_owned(), line)));
        return found.map_or(Ok(()), |(place, bytes)| {
            Err(SubstituteError::Length { place, bytes, limit: WINDOWS_LINE_UNITS_MAX - 1 })
        });
    }
    let found =
        all.map(|(place, text, extra)| (place, text.len() + extra)).find(|(_, bytes)| *bytes >= STRING_BYTES_MAX);
    found.map_or(Ok(()), |(place, bytes)| Err(SubstituteError::Length { place, bytes, limit: STRING_BYTES_MAX - 1 }))
}
