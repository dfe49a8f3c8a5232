//! Values of a bundle's options: stored ones, aliases in the host's environment, a person's answers.
//!
//! Order, first hit wins: stored in `secrets`, stored in `config.json`, the host's variable whose template
//! in the manifest is exactly `${user_config.x}`, the manifest's default (filled in by substitution).

use std::collections::BTreeMap;

use mpak_bundle::manifest::{ConfigValue, Manifest, UserConfigOption};
use mpak_bundle::platform::Os;
use mpak_runner::environment::{self, Environment};
use thiserror::Error;

use crate::error::{CommandError, Kind};
use crate::home::config_file::ConfigFile;
use crate::home::secrets::Secrets;
use crate::home::{Home, HomeError};
use crate::ui;

/// A stored or given value does not fit its option.
#[derive(Debug, Error)]
#[error("the value of `{key}` from {origin} is not {expected}")]
pub struct ValueError {
    key: String,
    origin: &'static str,
    expected: String,
}

/// Where values of a package are looked up.
pub struct Stored {
    config: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
}

impl Stored {
    /// Reads what is stored for a package.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn read(home: &Home, config: &ConfigFile, package: &str) -> Result<Self, HomeError> {
        Ok(Self { config: config.values(package), secrets: Secrets::read(home)?.values(package) })
    }

    fn get(&self, key: &str) -> Option<(&'static str, &str)> {
        let find = |values: &'_ [(String, String)]| values.iter().position(|(k, _)| k == key);
        find(&self.secrets)
            .map(|i| ("secrets", self.secrets[i].1.as_str()))
            .or_else(|| find(&self.config).map(|i| ("config.json", self.config[i].1.as_str())))
            .filter(|(_, value)| !value.is_empty())
    }
}

/// Collects the values that are there; what is missing is told by substitution.
///
/// # Errors
/// [`ValueError`].
pub fn collect(
    manifest: &Manifest,
    stored: &Stored,
    host: &Environment,
    os: Os,
) -> Result<BTreeMap<String, ConfigValue>, ValueError> {
    let aliases = aliases(manifest, os);
    let mut values = BTreeMap::new();
    for (key, option) in &manifest.user_config {
        let alias = || {
            let names = aliases.iter().filter(|(option, _)| option == key);
            let mut found = names.filter_map(|(_, name)| environment::get(host, os, name)?.to_str());
            found.find(|value| !value.is_empty()).map(|value| ("the environment", value))
        };
        if let Some((origin, text)) = stored.get(key).or_else(alias) {
            values.insert(key.clone(), parse(key, option, text, origin)?);
        }
    }
    Ok(values)
}

fn parse(key: &str, option: &UserConfigOption, text: &str, origin: &'static str) -> Result<ConfigValue, ValueError> {
    let error = |expected| ValueError { key: key.to_owned(), origin, expected };
    let value = ConfigValue::parse(option.kind, option.multiple, text).map_err(|e| error(e.expected))?;
    option.accepts(&value).map_err(error)?;
    Ok(value)
}

/// Options and the variables whose template is exactly that option.
fn aliases(manifest: &Manifest, os: Os) -> Vec<(String, String)> {
    let Some(config) = &manifest.server.mcp_config else { return Vec::new() };
    let over = config.platform_overrides.get(os.as_str()).and_then(|o| o.env.as_ref());
    let exact = |template: &str| template.strip_prefix("${user_config.")?.strip_suffix('}').map(str::to_owned);
    over.unwrap_or(&config.env).iter().filter_map(|(name, template)| Some((exact(template)?, name.clone()))).collect()
}

/// Asks a person for missing values, and whether to keep them.
///
/// # Errors
/// Exit code 1 when a value is left empty, 2 when it does not fit.
pub fn ask(
    home: &Home,
    manifest: &Manifest,
    package: &str,
    keys: &[String],
    values: &mut BTreeMap<String, ConfigValue>,
) -> Result<(), CommandError> {
    ui::note("=> Package requires configuration:");
    for (key, option) in manifest.user_config.iter().filter(|(key, _)| keys.contains(key)) {
        let title = if option.title.is_empty() { key } else { &option.title };
        let title = ui::safe(title);
        let description =
            if option.description.is_empty() { String::new() } else { format!(" ({})", ui::safe(&option.description)) };
        let question = format!("=> {title}{description}: ");
        let answer = if option.sensitive { ui::ask_secret(&question) } else { ui::ask(&question) };
        let answer = answer.unwrap_or_default();
        if answer.is_empty() {
            return Err(CommandError::new(Kind::No, format!("{title} is required")));
        }
        let value =
            parse(key, option, &answer, "the terminal").map_err(|e| CommandError::from_error(Kind::Usage, &e))?;
        values.insert(key.clone(), value);
        let keep = ui::ask(&format!("=> Save {title} for future runs? [Y/n]: ")).unwrap_or_default();
        if !keep.trim().eq_ignore_ascii_case("n") && !keep.trim().eq_ignore_ascii_case("no") {
            let file = store(home, package, key, &answer, option.sensitive)?;
            ui::note(&format!("=> Saved to {}", file.display()));
        }
    }
    Ok(())
}

/// Keeps a value: a sensitive one in `secrets` only, another one in `config.json` only.
///
/// # Errors
/// [`HomeError`].
pub fn store(
    home: &Home,
    package: &str,
    key: &str,
    value: &str,
    sensitive: bool,
) -> Result<std::path::PathBuf, HomeError> {
    if sensitive {
        Secrets::change(home, |file| file.set(package, key, value))?;
        // an old value in the shared file would be used by existing clients, and is no secret any more
        if ConfigFile::read(home)?.values(package).iter().any(|(k, _)| k == key) {
            ConfigFile::change(home, |file| file.clear(package, Some(key)))?;
        }
        return Ok(home.secrets());
    }
    ConfigFile::change(home, |file| file.set(package, key, value))?;
    if Secrets::read(home)?.values(package).iter().any(|(k, _)| k == key) {
        Secrets::change(home, |file| file.clear(package, Some(key)))?;
    }
    Ok(home.config())
}
