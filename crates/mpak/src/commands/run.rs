//! `mpak run`: a server from the registry or a local bundle.
//!
//! A bundle that is installed starts without network: no runtime, no TLS, no hashing; a record, a
//! manifest, a plan, a process. Standard output belongs to the server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, ConfigValue, Manifest, Reading};
use mpak_bundle::platform::{Os, Platform};
use mpak_bundle::substitute::{SubstituteError, Substituted, Variables, substitute, value_remarks};
use mpak_runner::launch::{Launch, LaunchError, launch};
use mpak_runner::plan::Plan;
use mpak_runner::run::{RunError, prepare, run as start};
use mpak_runner::runtime::ProbeCache;

use crate::client::Registry;
use crate::commands::{client, parse_spec, registry};
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::config_file::ConfigFile;
use crate::home::{self, Home, lock};
use crate::install::activate::Activated;
use crate::install::{Request, install, installed, local};
use crate::settings::Settings;
use crate::ui;
use crate::user_config::{self, Stored};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package: @scope/name or @scope/name@version
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// Ask the registry for a newer version first
    #[arg(long)]
    pub update: bool,
    /// Run a bundle file instead of a package
    #[arg(short, long, value_name = "FILE", conflicts_with = "package")]
    pub local: Option<PathBuf>,
    /// Set a variable for the server; without a value the one of this environment is handed on
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Hand the whole environment on to the server, not only what it needs
    #[arg(long)]
    pub inherit_env: bool,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print as JSON what would be started, and do not start it
    #[arg(long)]
    pub plan: bool,
    /// Further arguments for the server
    #[arg(last = true, value_name = "ARGS")]
    pub for_server: Vec<OsString>,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let home = Home::new(settings);
    let config = ConfigFile::read(&home)?;

    // 1. a bundle in the store
    let bundle = bundle(args, settings, &home, &config)?;
    let _in_use = lock::shared(&home, &format!("use-{}", bundle.sha256()))?;

    // 2. its manifest, and the values of its options
    let manifest = read_manifest(bundle.folder())?;
    let package = match &args.package {
        Some(spec) => parse_spec(spec)?.name.to_string(),
        None => manifest.name.clone(),
    };
    let stored = Stored::read(&home, &config, &package)?;
    let command = fill(&home, &manifest, &package, bundle.folder(), &stored, settings)?;
    drop(config);

    // 3. a plan
    let plan = plan(args, settings, &home, &bundle, &manifest, &command)?;
    for note in &plan.notes {
        ui::note(&format!("note: {}", ui::safe(note)));
    }
    if args.plan {
        ui::json(&shown(&plan, &secrets(&manifest, &stored, settings)));
        return Ok(ExitCode::SUCCESS);
    }

    // 4. carried out
    drop((manifest, command, stored));
    carry_out(&home, &plan)
}

fn bundle(args: &Args, settings: &Settings, home: &Home, config: &ConfigFile) -> Result<Activated, CommandError> {
    if let Some(file) = &args.local {
        return local::install(home, file, args.update);
    }
    let Some(spec) = &args.package else {
        return Err(CommandError::new(Kind::Usage, "Either provide a package name or use --local <path>"));
    };
    let spec = parse_spec(spec)?;
    let registry: Registry = registry(args.registry.as_deref(), settings, config)?;
    let request = Request { name: spec.name, version: spec.version, platform: Platform::host() };
    if !args.update
        && let Some(activated) = installed(home, &registry, &request)?
    {
        return Ok(activated);
    }
    // `--update` asks for the latest, also where another client keeps a copy of some version
    let version = if args.update { request.version.or_else(|| Some("latest".to_owned())) } else { request.version };
    install(home, &client(registry, settings)?, &Request { version, ..request })
}

fn read_manifest(folder: &Path) -> Result<Manifest, CommandError> {
    let path = folder.join("manifest.json");
    let bytes = home::read(&path)?.unwrap_or_default();
    let read = manifest::read(&bytes, Reading::Tolerant, &Limits::default()).into_result();
    read.map(|(manifest, _)| manifest).map_err(|problems| {
        let mut error = CommandError::new(Kind::NotABundle, format!("`{}` cannot be used", path.display()));
        error.causes.extend(problems.into_iter().map(|p| p.message));
        error.hint("find out what happened: mpak cache verify")
    })
}

/// The command line with all values; a person is asked for those that are missing.
fn fill(
    home: &Home,
    manifest: &Manifest,
    package: &str,
    folder: &Path,
    stored: &Stored,
    settings: &Settings,
) -> Result<Substituted, CommandError> {
    let os = Platform::host().os;
    let values = user_config::collect(manifest, stored, &settings.environment, os)
        .map_err(|e| CommandError::from_error(Kind::Usage, &e).hint(set_hint(package)))?;
    let mut variables = Variables { dirname: folder, os, system_dirs: system_dirs(settings), user_config: values };
    let mut result = substitute(manifest, &variables);
    if let Err(SubstituteError::Missing { keys }) = &result {
        if !ui::can_ask() {
            let message = format!("Missing required config: {}", keys.join(", "));
            return Err(CommandError::new(Kind::No, message).hint(set_hint(package)));
        }
        let keys = keys.clone();
        user_config::ask(home, manifest, package, &keys, &mut variables.user_config)?;
        result = substitute(manifest, &variables);
    }
    let command = result.map_err(|e| CommandError::from_error(Kind::Usage, &e).hint(set_hint(package)))?;
    remark(manifest, &variables.user_config, &command);
    Ok(command)
}

fn remark(manifest: &Manifest, values: &BTreeMap<String, ConfigValue>, command: &Substituted) {
    for (key, value) in values {
        for remark in value_remarks(manifest, key, value) {
            ui::note(&format!("warning: {}", ui::safe(&remark)));
        }
    }
    for name in &command.unknown {
        ui::note(&format!("warning: the manifest names `${{{}}}`, which has no value", ui::safe(name)));
    }
}

fn set_hint(package: &str) -> String {
    format!("mpak config set {package} KEY=VALUE")
}

fn system_dirs(settings: &Settings) -> BTreeMap<String, String> {
    let home = settings.user_home.display().to_string();
    let below = |name: &str| settings.user_home.join(name).display().to_string();
    BTreeMap::from([
        ("HOME".to_owned(), home),
        ("DESKTOP".to_owned(), below("Desktop")),
        ("DOCUMENTS".to_owned(), below("Documents")),
        ("DOWNLOADS".to_owned(), below("Downloads")),
    ])
}

fn plan(
    args: &Args,
    settings: &Settings,
    home: &Home,
    bundle: &Activated,
    manifest: &Manifest,
    command: &Substituted,
) -> Result<Plan, CommandError> {
    let remembered: BTreeMap<String, String> = home::read_json(&home.interpreters()).ok().flatten().unwrap_or_default();
    let mut probes = ProbeCache { answers: remembered, changed: false };
    let workspace = std::env::current_dir().unwrap_or_default().join(".mpak");
    let result = launch(
        &Launch {
            manifest,
            bundle: bundle.folder(),
            command,
            host: &settings.environment,
            os: Platform::host().os,
            inherit_env: args.inherit_env,
            extra_env: &extra_env(&args.env, settings)?,
            extra_args: &args.for_server,
            workspace: &workspace,
            uv_environment: &home.venv(bundle.sha256()),
            python_abis: bundle.python_abis(),
        },
        &mut probes,
    );
    if probes.changed {
        home.write_json(&home.interpreters(), &probes.answers)?;
    }
    result.map_err(|e| refused(&e))
}

fn refused(error: &LaunchError) -> CommandError {
    let (kind, hint) = match error {
        LaunchError::Platform { .. } => (Kind::Refused, None),
        LaunchError::NotFound { program, .. } => {
            (Kind::NotFound, Some(format!("install {program}, or add its folder to PATH")))
        }
        LaunchError::Version { runtime, range, .. } => {
            (Kind::NotFound, Some(format!("install {runtime} {range}, and put it first in PATH")))
        }
        LaunchError::Python { .. } => {
            (Kind::NotFound, Some("install a Python that fits, and put it in PATH".to_owned()))
        }
        LaunchError::Unusable { .. } => {
            (Kind::NotFound, Some("reinstall it, or put another one first in PATH".to_owned()))
        }
        LaunchError::NoFile { .. } | LaunchError::Outside { .. } | LaunchError::EntryPoint { .. } => {
            (Kind::NotABundle, Some("the bundle's author must repair its manifest".to_owned()))
        }
        LaunchError::Io { .. } => (Kind::NeedsPerson, None),
    };
    let error = CommandError::from_error(kind, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// `NAME=VALUE`, or `NAME` for the value of this environment.
fn extra_env(given: &[OsString], settings: &Settings) -> Result<Vec<(OsString, OsString)>, CommandError> {
    let usage = |text: &str| {
        CommandError::new(
            Kind::Usage,
            format!("`--env {text}` is not NAME=VALUE or the NAME of a variable that is set"),
        )
    };
    let mut out = Vec::new();
    for item in given {
        let text = item.to_str().ok_or_else(|| usage(&item.to_string_lossy()))?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, value.into()),
            None => (text, settings.environment.get(item).cloned().ok_or_else(|| usage(text))?),
        };
        if name.is_empty() {
            return Err(usage(text));
        }
        out.push((name.into(), value));
    }
    Ok(out)
}

fn carry_out(home: &Home, plan: &Plan) -> CommandResult {
    let failed = |error: RunError| match error {
        RunError::Prepare { .. } => CommandError::from_error(Kind::Network, &error)
            .hint("the first start needs the network; its output is above"),
        RunError::Start { .. } => CommandError::from_error(Kind::No, &error),
        RunError::Watch { .. } | RunError::Marker { .. } => CommandError::from_error(Kind::NeedsPerson, &error),
    };
    if let Some(step) = &plan.prepare {
        ui::note(&format!("=> {}", ui::safe(&step.title)));
        home.create(step.marker.parent().expect("markers lie beside environments"))?;
        if let Some(ended) = prepare(step).map_err(failed)? {
            return Ok(ExitCode::from(ended.exit_code()));
        }
    }
    let ended = start(plan).map_err(failed)?;
    Ok(ExitCode::from(ended.exit_code()))
}

/// Values that are not to be shown: what is stored or set for sensitive options.
fn secrets(manifest: &Manifest, stored: &Stored, settings: &Settings) -> Vec<String> {
    let os: Os = Platform::host().os;
    let values = user_config::collect(manifest, stored, &settings.environment, os).unwrap_or_default();
    let sensitive = manifest.user_config.iter().filter(|(_, option)| option.sensitive);
    let texts = sensitive.filter_map(|(key, _)| values.get(key)).flat_map(ConfigValue::texts);
    texts.filter(|text| !text.is_empty()).collect()
}

fn shown(plan: &Plan, secrets: &[String]) -> serde_json::Value {
    let hide = |text: &std::ffi::OsStr| {
        secrets.iter().fold(text.to_string_lossy().into_owned(), |text, secret| text.replace(secret, "***"))
    };
    let env = |env: &mpak_runner::environment::Environment| -> BTreeMap<String, String> {
        env.iter().map(|(name, value)| (name.to_string_lossy().into_owned(), hide(value))).collect()
    };
    let args = |args: &[OsString]| args.iter().map(|a| hide(a)).collect::<Vec<_>>();
    let prepare = plan.prepare.as_ref().map(|step| {
        serde_json::json!({
            "program": step.program.display().to_string(), "args": args(&step.args),
            "cwd": step.cwd.display().to_string(),
        })
    });
    serde_json::json!({
        "version": 1,
        "program": plan.program.display().to_string(),
        "args": args(&plan.args),
        "env": env(&plan.env),
        "cwd": plan.cwd.display().to_string(),
        "prepare": prepare,
    })
}
