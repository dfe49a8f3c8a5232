//! Which unit a module is, as another unit names it.

use std::sync::{Arc, PoisonError};

use foldhash::HashMap;

use super::super::facts::{Language, Unit};
use crate::code;

use super::{Program, UnitId};

/// Most modules that are remembered of what one folder's files name.
const MODULES_COUNT_MAX: usize = 10_000;
/// Longest name of a module that is remembered.
const MODULE_BYTES_MAX: usize = 200;

impl Program {
    /// The unit of a module as another unit names it.
    pub fn module(&self, from: UnitId, module: &str) -> Option<UnitId> {
        // The same name means the same in all files of a folder.
        let known = || self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let neighbour = self.neighbours.get(from.0 as usize).copied().unwrap_or(from);
        if let Some(found) = known().get(&neighbour).and_then(|of_folder| of_folder.get(module)) {
            return *found;
        }
        let found = self.find_module(from, module);
        let mut known = known();
        let of_folder = known.entry(neighbour).or_default();
        if of_folder.len() < MODULES_COUNT_MAX && module.len() <= MODULE_BYTES_MAX {
            of_folder.insert(module.to_owned(), found);
        }
        found
    }

    fn find_module(&self, from: UnitId, module: &str) -> Option<UnitId> {
        let from = self.unit(from);
        let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match from.language {
            Language::Python => self.python_module(folder, module),
            _ => self.script_module(folder, module),
        }
    }

    fn python_module(&self, folder: &str, module: &str) -> Option<UnitId> {
        let dots = module.len() - module.trim_start_matches('.').len();
        let rest = module[dots..].replace('.', "/");
        let file = |folder: &str| {
            let base = joined(folder, &rest);
            let names = [format!("{base}.py"), joined(&base, "__init__.py")];
            names.iter().find_map(|name| self.by_path.get(name).copied())
        };
        if dots > 0 {
            let mut folder = folder;
            for _ in 1..dots {
                folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
            }
            return file(folder);
        }
        // Absolute: below any folder around, the nearest first, and below their `src`.
        let mut around = Some(folder);
        while let Some(folder) = around {
            if let Some(found) = file(folder).or_else(|| file(&joined(folder, "src"))) {
                return Some(found);
            }
            around = match folder.rsplit_once('/') {
                Some((parent, _)) => Some(parent),
                None if folder.is_empty() => None,
                None => Some(""),
            };
        }
        None
    }

    fn script_module(&self, folder: &str, module: &str) -> Option<UnitId> {
        if !module.starts_with('.') {
            return self.helpers.get(module).copied();
        }
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in module.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        let base = parts.join("/");
        let stem = base.strip_suffix(".js").or_else(|| base.strip_suffix(".mjs")).or_else(|| base.strip_suffix(".cjs"));
        let written = std::iter::once(base.clone());
        let extended = ["js", "mjs", "cjs", "ts", "mts", "cts", "tsx", "jsx"].map(|e| format!("{base}.{e}"));
        let typed = stem.map(|stem| ["ts", "tsx", "mts", "cts"].map(|e| format!("{stem}.{e}"))).into_iter().flatten();
        let index = ["index.js", "index.mjs", "index.cjs", "index.ts"].map(|name| joined(&base, name));
        written.chain(extended).chain(typed).chain(index).find_map(|path| self.by_path.get(&path).copied())
    }
}

/// Small packages of others that start shells, by their names: what a handler gives them is followed. Those whose calls
/// are known by their names are not among them.
pub(super) fn helpers(units: &[Arc<Unit>]) -> HashMap<String, UnitId> {
    let mut helpers: HashMap<String, UnitId> = HashMap::default();
    for (unit, at) in units.iter().zip(0..) {
        if unit.language == Language::Python || !code::is_small_helper(&unit.path, unit.source.as_bytes()) {
            continue;
        }
        let Some((_, inner)) = unit.path.rsplit_once("node_modules/") else { continue };
        let scope = if inner.starts_with('@') { inner.find('/').map_or(0, |at| at + 1) } else { 0 };
        let Some(end) = inner[scope..].find('/').map(|at| scope + at) else { continue };
        let (name, file) = (&inner[..end], &inner[end + 1..]);
        let bare = &name[scope..];
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let begins = stem == bare
            || stem.strip_prefix("lib/") == Some(bare)
            || stem.strip_prefix("src/") == Some(bare)
            || ["index", "main", "lib/index", "lib/main", "dist/index", "src/index", "build/index"].contains(&stem);
        if begins {
            helpers.insert(name.to_owned(), UnitId(at));
        } else {
            helpers.entry(name.to_owned()).or_insert(UnitId(at));
        }
    }
    helpers
}

fn joined(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}
