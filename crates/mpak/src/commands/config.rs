//! `mpak config`: values of packages' options, and the stored registry.
//!
//! Ordinary values go to `config.json`, where existing clients see them; sensitive ones to `secrets`, which
//! only we read. Whether an option is sensitive stands in the manifest of the installed bundle; where none
//! is installed a value counts as sensitive, unless `--plain` says otherwise. Values are shown masked.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Manifest, Reading};
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;

use crate::client::Registry;
use crate::commands::configured_registry;
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::config_file::ConfigFile;
use crate::home::record::LocalRecord;
use crate::home::secrets::Secrets;
use crate::home::{self, Home};
use crate::install::{Request, installed};
use crate::settings::Settings;
use crate::ui::{self, safe};
use crate::user_config;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set values of a package
    Set(Set),
    /// Show the values of a package, masked
    Get(Get),
    /// List packages that have values
    List(List),
    /// Remove one value of a package, or all
    Clear(Clear),
    /// Show or set the registry that is used when no other is named
    Registry(RegistryArgs),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The package, @scope/name
    package: String,
    /// Options and their values
    #[arg(required = true, value_name = "KEY=VALUE")]
    values: Vec<String>,
    /// Keep values in config.json, where other clients see them
    #[arg(long)]
    plain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Get {
    /// The package, @scope/name
    package: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Clear {
    /// The package, @scope/name
    package: String,
    /// The option; all when left out
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RegistryArgs {
    /// Address to store
    url: Option<String>,
    /// Forget the stored address
    #[arg(long, conflicts_with = "url")]
    clear: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.action {
            Action::Get(args) => args.json,
            Action::List(args) => args.json,
            Action::Set(args) => args.json,
            Action::Clear(args) => args.json,
            Action::Registry(args) => args.json,
        }
    }
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let home = Home::new(settings);
    match &args.action {
        Action::Set(args) => set(&home, args, settings),
        Action::Get(args) => get(&home, args),
        Action::List(args) => list(&home, args),
        Action::Clear(args) => clear(&home, args),
        Action::Registry(args) => registry(&home, args, settings),
    }
}

fn set(home: &Home, args: &Set, settings: &Settings) -> CommandResult {
    // 1. all pairs are understood before one is kept
    let mut pairs = Vec::new();
    for text in &args.values {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        pairs.push(pair.ok_or_else(|| {
            CommandError::new(Kind::No, format!("Invalid config: \"{text}\". Expected KEY=VALUE"))
                .hint(format!("mpak config set {} KEY=VALUE", args.package))
        })?);
    }

    // 2. what the installed bundle says about them
    let manifest = installed_manifest(home, &args.package, settings);
    let package = safe(&args.package);
    for (key, value) in &pairs {
        let option = manifest.as_ref().map(|m| m.user_config.iter().find(|(name, _)| name == key).map(|(_, o)| o));
        if let Some(None) = option {
            ui::note(&format!("warning: `{}` is no option of {package}", safe(key)));
        }
        let sensitive = match option {
            Some(Some(option)) => option.sensitive,
            Some(None) => false,
            None => true,
        } && !(args.plain && option.is_none());
        let file = user_config::store(home, &args.package, key, value, sensitive)?;
        if option.is_none() && !args.plain {
            ui::note(&format!(
                "note: {package} is not installed, so `{}` is kept as a secret, in {}",
                safe(key),
                file.display()
            ));
        }
    }
    if args.json {
        let keys: Vec<&str> = pairs.iter().map(|(key, _)| *key).collect();
        ui::json(&serde_json::json!({"package": args.package, "set": keys}));
    } else {
        ui::data(&format!("Set {} config value(s) for {package}", pairs.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifest of the installed package of this name; values of local bundles stand under the manifest's name.
fn installed_manifest(home: &Home, package: &str, settings: &Settings) -> Option<Manifest> {
    let Ok(name) = PackageName::lookup(package) else {
        let digests = local_digests(home).into_iter();
        return digests.filter_map(|sha256| read_manifest(&home.stored(&sha256))).find(|m| m.name == package);
    };
    let registry = configured_registry(None, settings).ok()?;
    let request = Request { name, version: None, platform: Platform::host() };
    read_manifest(installed(home, &registry, &request).ok()??.folder())
}

fn local_digests(home: &Home) -> Vec<Sha256> {
    let entries = std::fs::read_dir(home.local_records()).into_iter().flatten().flatten();
    let records = entries.filter_map(|e| home::read_json::<LocalRecord>(&e.path()).ok().flatten());
    records.map(|record| record.sha256).collect()
}

fn read_manifest(folder: &Path) -> Option<Manifest> {
    let bytes = home::read(&folder.join("manifest.json")).ok()??;
    manifest::read(&bytes, Reading::Tolerant, &Limits::default()).manifest
}

/// All values of a package by key; secrets beat what an existing client stored.
fn values(home: &Home, package: &str) -> Result<BTreeMap<String, String>, CommandError> {
    let mut values: BTreeMap<_, _> = ConfigFile::read(home)?.values(package).into_iter().collect();
    values.extend(Secrets::read(home)?.values(package));
    Ok(values)
}

fn get(home: &Home, args: &Get) -> CommandResult {
    let values = values(home, &args.package)?;
    if args.json {
        let masked: BTreeMap<&String, String> = values.iter().map(|(key, value)| (key, mask(value))).collect();
        ui::json(&masked);
    } else if values.is_empty() {
        ui::data(&format!("No config stored for {}", safe(&args.package)));
    } else {
        ui::data(&format!("Config for {}:", safe(&args.package)));
        for (key, value) in &values {
            ui::data(&format!("  {}: {}", safe(key), safe(&mask(value))));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(home: &Home, args: &List) -> CommandResult {
    let (config, secrets) = (ConfigFile::read(home)?, Secrets::read(home)?);
    let mut names: Vec<String> = Vec::new();
    for (name, _) in config.packages().chain(secrets.packages()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if args.json {
        ui::json(&names);
    } else if names.is_empty() {
        ui::data("No packages have stored config");
    } else {
        ui::data("Packages with stored config:");
    }
    for name in names.iter().filter(|_| !args.json) {
        let count = values(home, name)?.len();
        ui::data(&format!("{} ({count} value{})", safe(name), if count == 1 { "" } else { "s" }));
    }
    Ok(ExitCode::SUCCESS)
}

fn clear(home: &Home, args: &Clear) -> CommandResult {
    let key = args.key.as_deref();
    // files that have nothing to clear are not touched
    let stored = |values: Vec<(String, String)>| values.iter().any(|(k, _)| key.is_none_or(|key| key == k));
    let mut cleared = false;
    if stored(ConfigFile::read(home)?.values(&args.package)) {
        cleared |= ConfigFile::change(home, |file| file.clear(&args.package, key))?;
    }
    if stored(Secrets::read(home)?.values(&args.package)) {
        cleared |= Secrets::change(home, |file| file.clear(&args.package, key))?;
    }
    if args.json {
        ui::json(&serde_json::json!({"package": args.package, "key": args.key, "cleared": cleared}));
        return Ok(ExitCode::SUCCESS);
    }
    let package = safe(&args.package);
    ui::data(&match (key.map(safe), cleared) {
        (None, true) => format!("Cleared all config for {package}"),
        (None, false) => format!("No config found for {package}"),
        (Some(key), true) => format!("Cleared {key} for {package}"),
        (Some(key), false) => format!("No value found for {key} in {package}"),
    });
    Ok(ExitCode::SUCCESS)
}

fn registry(home: &Home, args: &RegistryArgs, settings: &Settings) -> CommandResult {
    if args.clear {
        ConfigFile::change(home, |file| file.set_registry_url(None))?;
    } else if let Some(url) = &args.url {
        let registry = Registry::parse(url)?;
        ConfigFile::change(home, |file| file.set_registry_url(Some(registry.as_str())))?;
    }
    let registry = configured_registry(None, settings)?;
    if args.json {
        ui::json(&serde_json::json!({"registry": registry.as_str()}));
    } else {
        ui::data(registry.as_str());
        if args.url.is_some() {
            ui::note("stored; --registry and MPAK_REGISTRY_URL win over it");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The first four characters where there are more, as existing clients show values.
fn mask(value: &str) -> String {
    let count = value.chars().count();
    let shown = if count <= 4 { 0 } else { 4 };
    value.chars().take(shown).chain(std::iter::repeat_n('*', count - shown)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_as_existing_clients_do() {
        for (value, expected) in [("", ""), ("abcd", "****"), ("abcde", "abcd*"), ("äöüßxyz", "äöüß***")] {
            assert_eq!(mask(value), expected);
        }
    }
}
