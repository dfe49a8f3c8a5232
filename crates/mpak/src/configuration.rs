//! The registry's settings on the command line: one flag per key, the file, the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::ArgAction;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use mpak_registry::config::keys::{KEYS, Key, Kind as ValueKind};
use mpak_registry::config::load::{LoadError, Loaded, Sources, load};

use crate::error::{CommandError, Kind};
use crate::settings::Settings;

/// Name and heading of each flag; the parser borrows them for as long as the program runs.
static NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let heading = |key: &Key| match key.section() {
        "" => "Settings".to_owned(),
        section => format!("[{section}]"),
    };
    KEYS.iter().map(|key| (key.flag(), heading(key))).collect()
});

/// The flags that were given, one per key of the table.
#[derive(Clone, Debug, Default)]
pub struct Flags(Vec<(&'static str, String)>);

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS {
            let values: Vec<&str> =
                matches.get_many::<String>(key.path).into_iter().flatten().map(String::as_str).collect();
            let joined = values.join(",");
            match key.kind {
                _ if values.is_empty() => {}
                ValueKind::Issuers => self.0.push((key.path, format!("[{joined}]"))),
                _ => self.0.push((key.path, joined)),
            }
        }
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().zip(NAMES.iter()).fold(command, |command, (key, (name, heading))| {
            command.arg(flag(key).long(name.as_str()).help_heading(heading.as_str()))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &'static Key) -> Arg {
    use mpak_registry::config::keys::Default;
    let default = match key.default {
        Default::Unset | Default::Is("") => String::new(),
        Default::Is(text) | Default::Follows(text) => format!(" [default: {text}]"),
    };
    let arg = Arg::new(key.path).help(format!("{}{default}", key.help)).value_name(key.kind.placeholder());
    let arg = if let Some(alias) = key.alias { arg.visible_alias(alias) } else { arg };
    match key.kind {
        ValueKind::Flag => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        ValueKind::Texts | ValueKind::Networks | ValueKind::Issuers => arg.action(ArgAction::Append),
        _ => arg,
    }
}

impl Flags {
    /// Reads file, environment and these flags. `defaults` are for keys that follow from the caller.
    pub fn load(
        &self,
        file: Option<&PathBuf>,
        settings: &Settings,
        defaults: &[(&'static str, String)],
    ) -> Result<Loaded, CommandError> {
        let file = file.or(settings.config.as_ref());
        let environment: &BTreeMap<_, _> = &settings.environment;
        load(&Sources { file: file.map(PathBuf::as_path), environment, flags: &self.0, defaults })
            .map_err(|e| refusal(&e))
    }
}

/// Which registry an administrator means.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Place {
    /// Configuration of the registry, as for `mpak serve`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder of the registry [default: ~/.mpak/registry]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Its database: sqlite:PATH or postgres://… [default: sqlite:DATA/registry.db]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

impl Place {
    /// Reads its settings.
    pub fn load(&self, settings: &Settings) -> Result<mpak_registry::config::Config, CommandError> {
        let mut flags = Flags::default();
        flags.0.extend(self.data.clone().map(|data| ("data", data)));
        flags.0.extend(self.database_url.clone().map(|url| ("database.url", url)));
        let data = usual_data(settings, "registry");
        let loaded =
            flags.load(self.config.as_ref(), settings, &[("data", data), ("log.filter", "warn".to_owned())])?;
        Ok(loaded.config)
    }
}

/// The usual data folder.
pub fn usual_data(settings: &Settings, name: &str) -> String {
    settings.home.join(name).display().to_string()
}

fn refusal(error: &LoadError) -> CommandError {
    let hint = match error {
        LoadError::Read { .. } => "give a readable file with --config FILE",
        LoadError::Syntax { .. } => "correct the file",
        LoadError::Unknown { .. } | LoadError::Value { .. } | LoadError::Incomplete { .. } => {
            "`mpak serve --print-config` shows every setting"
        }
    };
    CommandError::from_error(Kind::Usage, error).hint(hint)
}
