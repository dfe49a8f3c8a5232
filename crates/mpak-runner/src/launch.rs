//! Launch rules: from a manifest, an extracted bundle and a substituted command line to a [`Plan`].
//!
//! In: values that earlier stages checked; the manifest's texts are still the author's. Out: a plan with
//! an absolute program, or an error that says what was looked for and where.
//! Spec: MCPB MANIFEST.md "server"; working folder and relative commands as its examples need them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use mpak_bundle::manifest::{Manifest, ServerType};
use mpak_bundle::platform::Os;
use mpak_bundle::substitute::Substituted;
use thiserror::Error;

use crate::environment::{self, Environment, Sources};
use crate::plan::Plan;
use crate::runtime::{ProbeCache, Search, binary, node, python, uv};

/// What a launch is made from.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The bundle's manifest.
    pub manifest: &'a Manifest,
    /// Absolute path of the extracted bundle.
    pub bundle: &'a Path,
    /// Command line with all values filled in.
    pub command: &'a Substituted,
    /// The host's whole environment.
    pub host: &'a Environment,
    /// The system that it runs on.
    pub os: Os,
    /// Pass the whole host environment on.
    pub inherit_env: bool,
    /// Variables that the user adds.
    pub extra_env: &'a [(OsString, OsString)],
    /// Arguments that the user adds behind the manifest's.
    pub extra_args: &'a [OsString],
    /// Value of `MPAK_WORKSPACE`: where a server may keep files. Not created.
    pub workspace: &'a Path,
    /// Where a uv server's virtual environment lies.
    pub uv_environment: &'a Path,
    /// Interpreters that the bundle's native modules were built for, see [`python::vendored_abis`].
    pub python_abis: &'a BTreeSet<String>,
}

/// An interpreter that was looked at, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Where it lies.
    pub program: PathBuf,
    /// Its version, or what is wrong with it.
    pub found: String,
}

/// Why nothing can be started.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The manifest excludes this system.
    #[error("the bundle is for {}, this machine is {}", declared.iter().map(|os| os.as_str()).collect::<Vec<_>>().join(", "), host.as_str())]
    Platform {
        /// What the manifest lists.
        declared: Vec<Os>,
        /// This machine.
        host: Os,
    },
    /// A program is in none of the folders of `PATH`.
    #[error("`{program}` was not found in {}", list(searched))]
    NotFound {
        /// The name.
        program: String,
        /// The folders.
        searched: Vec<PathBuf>,
    },
    /// A command names a path that is no file.
    #[error("the command `{}` does not exist", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A relative command leaves the bundle.
    #[error("the command `{command}` leaves the bundle")]
    Outside {
        /// As the manifest has it.
        command: String,
    },
    /// The entry point is not in the bundle.
    #[error("`{}` is missing in the bundle", path.display())]
    EntryPoint {
        /// Where it should be.
        path: PathBuf,
    },
    /// An interpreter does not answer.
    #[error("`{} {question}` fails", program.display())]
    Unusable {
        /// The interpreter.
        program: PathBuf,
        /// What it was asked.
        question: &'static str,
    },
    /// An interpreter's version is outside the manifest's range.
    #[error("the bundle needs {runtime} {range}, found {found} at `{}`", program.display())]
    Version {
        /// Its name for people.
        runtime: &'static str,
        /// The manifest's range.
        range: String,
        /// The version.
        found: String,
        /// Where it lies.
        program: PathBuf,
    },
    /// No Python fits.
    #[error("the bundle {}, found {}", python_needs(abis, range.as_deref()), python_found(tried))]
    Python {
        /// What its native code was built for.
        abis: Vec<String>,
        /// The manifest's range.
        range: Option<String>,
        /// What was found instead.
        tried: Vec<Tried>,
    },
    /// The file system refuses.
    #[error("cannot prepare `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "PATH, which is empty".to_owned();
    }
    folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn python_needs(abis: &[String], range: Option<&str>) -> String {
    let built = abis.iter().map(|abi| python::in_words(abi)).collect::<Vec<_>>().join(" or ");
    match (built.is_empty(), range) {
        (false, Some(range)) => format!("was built for {built} and needs Python {range}"),
        (false, None) => format!("was built for {built}"),
        (true, range) => format!("needs Python {}", range.unwrap_or("that runs")),
    }
}

fn python_found(tried: &[Tried]) -> String {
    tried.iter().map(|t| format!("{} at `{}`", t.found, t.program.display())).collect::<Vec<_>>().join(", ")
}

/// Makes the plan.
///
/// # Errors
/// [`LaunchError`].
pub fn launch(request: &Launch<'_>, probes: &mut ProbeCache) -> Result<Plan, LaunchError> {
    // 1. the manifest's own word on systems
    let declared = &request.manifest.compatibility.platforms;
    if !declared.is_empty() && !declared.contains(&request.os) {
        return Err(LaunchError::Platform { declared: declared.clone(), host: request.os });
    }

    // 2. program and arguments, by server type
    let context = Context::new(request);
    let mut prepare = None;
    let chosen = match request.manifest.server.kind {
        ServerType::Node => node::choose(&context, probes)?,
        ServerType::Python => python::choose(&context, probes)?,
        ServerType::Binary => binary::choose(&context)?,
        ServerType::Uv => {
            let (chosen, step) = uv::choose(&context)?;
            prepare = step;
            chosen
        }
    };
    let mut args = chosen.args;
    args.extend(request.extra_args.iter().cloned());

    // 3. environment
    let mut env = environment::compose(&Sources {
        host: request.host,
        os: request.os,
        inherit_all: request.inherit_env,
        declared: &declared_names(request.manifest, request.os),
        manifest: &request.command.env,
        extra: &[],
    });
    let workspace = environment::get(request.host, request.os, "MPAK_WORKSPACE").filter(|v| !v.is_empty());
    let workspace = workspace.cloned().unwrap_or_else(|| request.workspace.into());
    let ours = chosen.env.into_iter().chain([("MPAK_WORKSPACE".into(), workspace)]);
    for (name, value) in ours.chain(request.extra_env.iter().cloned()) {
        environment::set(&mut env, request.os, &name, value);
    }

    Ok(Plan { program: chosen.program, args, env, cwd: request.bundle.to_owned(), prepare, notes: chosen.notes })
}

/// Names of `mcp_config.env` after the system's override, whether or not they have a value.
fn declared_names(manifest: &Manifest, os: Os) -> Vec<String> {
    let Some(config) = &manifest.server.mcp_config else { return Vec::new() };
    let over = config.platform_overrides.get(os.as_str()).and_then(|o| o.env.as_ref());
    over.unwrap_or(&config.env).keys().cloned().collect()
}

/// What the server types look at.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) bundle: &'a Path,
    pub(crate) command: &'a Substituted,
    pub(crate) host: &'a Environment,
    pub(crate) os: Os,
    pub(crate) search: Search,
    pub(crate) uv_environment: &'a Path,
    pub(crate) python_abis: &'a BTreeSet<String>,
}

impl<'a> Context<'a> {
    fn new(request: &Launch<'a>) -> Self {
        Self {
            manifest: request.manifest,
            bundle: request.bundle,
            command: request.command,
            host: request.host,
            os: request.os,
            search: Search::new(request.host, request.os),
            uv_environment: request.uv_environment,
            python_abis: request.python_abis,
        }
    }

    /// The manifest's arguments.
    pub(crate) fn args(&self) -> Vec<OsString> {
        self.command.args.iter().map(OsString::from).collect()
    }

    /// Beside the virtual environment: it is complete.
    pub(crate) fn uv_marker(&self) -> PathBuf {
        self.uv_environment.with_extension("ready")
    }

    /// The entry point as a file of the bundle.
    pub(crate) fn entry_point(&self) -> Result<PathBuf, LaunchError> {
        let entry = &self.manifest.server.entry_point;
        self.contained(entry)
            .filter(|path| path.is_file())
            .ok_or_else(|| LaunchError::EntryPoint { path: self.bundle.join(entry) })
    }

    /// A path inside the bundle, relative or absolute; `None` if it leaves the bundle.
    pub(crate) fn contained(&self, path: &str) -> Option<PathBuf> {
        let joined = self.bundle.join(self.native(path));
        let inside = joined.strip_prefix(self.bundle).ok()?;
        inside.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)).then_some(joined)
    }

    /// A command as an absolute path: with a separator relative to the bundle, else on `PATH`.
    pub(crate) fn program(&self, command: &str) -> Result<PathBuf, LaunchError> {
        let is_path = command.contains('/') || (self.os == Os::Win32 && command.contains('\\'));
        if !is_path {
            return self.search.find(command).ok_or_else(|| LaunchError::NotFound {
                program: command.to_owned(),
                searched: self.search.folders().to_vec(),
            });
        }
        let native = self.native(command);
        let path = if native.is_absolute() {
            native
        } else {
            self.contained(command).ok_or_else(|| LaunchError::Outside { command: command.to_owned() })?
        };
        if path.is_file() { Ok(path) } else { Err(LaunchError::NoFile { path }) }
    }

    fn native(&self, path: &str) -> PathBuf {
        if self.os == Os::Win32 { PathBuf::from(path.replace('/', "\\")) } else { PathBuf::from(path) }
    }
}
