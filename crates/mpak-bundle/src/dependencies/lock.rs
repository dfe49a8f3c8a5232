//! What lockfiles promise and what projects ask for: exact versions, hashes, and where packages come from.
//!
//! In: files of a bundle, from an attacker. Out: plain facts of bounded size, in the order of the files.
//! What is vendored is the business of the survey's components.

use super::{COMPONENTS_COUNT_MAX, Ecosystem, FIELD_BYTES_MAX, Records, file_name, first_party};

mod cargo;
mod golang;
mod npm;
mod pypi;
mod requirements;
mod yarn;

/// Most hosts kept of one package.
const URLS_COUNT_MAX: usize = 4;

/// Where a package comes from, as far as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A registry or an archive: URLs, one per host; empty where none is written down.
    Urls(Vec<String>),
    /// A repository; `pinned` if a whole commit is named.
    Git {
        /// As written.
        url: String,
        /// Whether a whole commit is named.
        pinned: bool,
    },
    /// A path outside the lockfile's own project.
    Path(String),
    /// The project itself or a part of it.
    Own,
}

/// A package of a lockfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Name in the ecosystem's normal form.
    pub name: String,
    /// Exact version; `None` where only a range stands there.
    pub version: Option<String>,
    /// Where npm puts it: a path in the bundle.
    pub place: Option<String>,
    /// Line, from 1, in formats of one package per line.
    pub line: Option<u32>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether a hash of its content is written down.
    pub hashed: bool,
    /// Needed for development only.
    pub dev: bool,
}

/// A lockfile, or a `requirements.txt`, which may be as good as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockfile {
    /// Its path.
    pub path: String,
    /// Its ecosystem.
    pub ecosystem: Ecosystem,
    /// Whether it names everything that is installed, not only what was asked for.
    pub complete: bool,
    /// Its packages.
    pub packages: Vec<Locked>,
}

/// What a project asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Ecosystem.
    pub ecosystem: Ecosystem,
    /// Name in the ecosystem's normal form.
    pub name: String,
    /// What is asked for, as written.
    pub spec: String,
    /// Whether `spec` is one exact version.
    pub exact: bool,
    /// Where it comes from, where that is asked for.
    pub origin: Origin,
    /// It may be missing.
    pub optional: bool,
    /// The file that asks.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<u32>,
}

/// A package index that a project configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Ecosystem.
    pub ecosystem: Ecosystem,
    /// As written.
    pub url: String,
    /// The file that names it.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<u32>,
}

/// Everything that lockfiles and projects say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Lockfiles, by path.
    pub lockfiles: Vec<Lockfile>,
    /// What projects ask for, by file.
    pub requirements: Vec<Requirement>,
    /// Package indexes.
    pub indexes: Vec<Index>,
    /// Names of projects themselves, in normal form: they are no dependencies.
    pub projects: Vec<(Ecosystem, String)>,
}

impl Locks {
    fn credible(text: &str) -> bool {
        !text.is_empty() && text.len() <= FIELD_BYTES_MAX && !text.chars().any(char::is_control)
    }

    fn count(&self) -> usize {
        self.requirements.len() + self.lockfiles.iter().map(|lock| lock.packages.len()).sum::<usize>()
    }

    fn lockfile(&mut self, path: &str, ecosystem: Ecosystem, complete: bool, mut packages: Vec<Locked>) {
        packages.retain(|p| Self::credible(&p.name) && p.version.as_deref().is_none_or(Self::credible));
        packages.truncate(COMPONENTS_COUNT_MAX.saturating_sub(self.count()));
        self.lockfiles.push(Lockfile { path: path.to_owned(), ecosystem, complete, packages });
    }

    /// Adds what another file says, as far as there is room for it.
    pub(super) fn merge(&mut self, other: Self, room: &mut usize) {
        for mut lock in other.lockfiles {
            lock.packages.truncate(*room);
            *room -= lock.packages.len();
            self.lockfiles.push(lock);
        }
        let requirements = other.requirements.len().min(*room);
        *room -= requirements;
        self.requirements.extend(other.requirements.into_iter().take(requirements));
        self.indexes.extend(other.indexes);
        self.projects.extend(other.projects);
    }

    fn require(&mut self, requirement: Requirement) {
        if Self::credible(&requirement.name) && self.count() < COMPONENTS_COUNT_MAX {
            self.requirements.push(requirement);
        }
    }
}

/// Reads one file.
pub(super) type Reader = fn(&str, &mut Records<'_>, &mut Locks);

/// What reads a file: lockfiles and projects outside of installed packages, and the records of installers.
pub(super) fn reader(path: &str) -> Option<Reader> {
    let name = file_name(path);
    // npm's own record of what it installed lies inside `node_modules`.
    if name == ".package-lock.json" && path.ends_with("node_modules/.package-lock.json") {
        return Some(npm::lockfile);
    }
    if name == "direct_url.json" && folder(path).ends_with(".dist-info") {
        return Some(pypi::direct_url);
    }
    let reader: Reader = match name {
        "package-lock.json" | "npm-shrinkwrap.json" => npm::lockfile,
        "package.json" => npm::project,
        ".npmrc" => npm::settings,
        "yarn.lock" => yarn::yarn,
        "pnpm-lock.yaml" => yarn::pnpm,
        "uv.lock" => pypi::uv,
        "poetry.lock" => pypi::poetry,
        "pdm.lock" => pypi::pdm,
        "Pipfile.lock" => pypi::pipfile,
        "pyproject.toml" => pypi::project,
        "Cargo.lock" => cargo::lockfile,
        "Cargo.toml" => cargo::project,
        "go.sum" => golang::sums,
        "go.mod" => golang::module,
        _ if name.starts_with("pylock.") && name.strip_suffix(".toml").is_some() => pypi::pylock,
        _ if name.starts_with("requirements") && name.strip_suffix(".txt").is_some() => requirements::file,
        _ => return None,
    };
    first_party(path).then_some(reader)
}

/// The folder of a path, without the last `/`.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// URLs, one per host.
fn urls<'a>(all: impl Iterator<Item = &'a str>) -> Origin {
    let mut kept: Vec<String> = Vec::new();
    for url in all {
        let host = |url: &str| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        if kept.len() < URLS_COUNT_MAX && !kept.iter().any(|k| host(k) == host(url)) {
            kept.push(url.chars().take(FIELD_BYTES_MAX).collect());
        }
    }
    Origin::Urls(kept)
}

/// A git address, with the commit behind `#` or `@` or given apart.
fn git(url: &str, commit: Option<&str>) -> Origin {
    let inside = url.rsplit_once(['#', '@']).map(|(_, end)| end);
    let whole = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let pinned = commit.into_iter().chain(inside).any(whole);
    Origin::Git { url: url.chars().take(FIELD_BYTES_MAX).collect(), pinned }
}

/// Whether an address is one of a repository.
fn is_git(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    ["git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:", "hg+", "svn+", "bzr+"]
        .iter()
        .any(|start| lower.starts_with(start))
        || lower.split(['#', '?']).next().is_some_and(|address| address.strip_suffix(".git").is_some())
}

/// Whether a text is an address or a path, by its beginning.
fn is_local(spec: &str) -> bool {
    ["file:", "link:", "portal:", "./", "../", "/", "~/"].iter().any(|start| spec.starts_with(start))
}

/// Lines of a text with their numbers, from 1.
fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    text.lines().enumerate().map(|(i, line)| (u32::try_from(i + 1).unwrap_or(u32::MAX), line))
}
