//! Which units others may come to, by the names of modules in them.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use super::super::facts::{ExprKind, Language, Unit};
use super::{Program, UnitId, submodule};

/// Modules of Python by the folder and by the name under which their package knows them.
#[derive(Default)]
struct Members<'p> {
    by_folder: HashMap<&'p str, Vec<(&'p str, UnitId)>>,
    by_name: HashMap<&'p str, Vec<(&'p str, UnitId)>>,
}

impl Program {
    /// Units with all that they come to, directly or through others, in order. Never too few: what is named anywhere
    /// in a unit counts as reached, and a module counts as named where a member of that name is asked of anything, also
    /// by a text or in a written type. Each unit and each name is looked at once.
    pub(crate) fn closure(&self, of: impl IntoIterator<Item = UnitId>) -> Vec<UnitId> {
        let members = self.members();
        let mut reached: BTreeSet<UnitId> = of.into_iter().collect();
        let mut open: Vec<UnitId> = reached.iter().copied().collect();
        let (mut names, mut folders) = (HashSet::default(), HashSet::default());
        while let Some(id) = open.pop() {
            // 1. What is imported.
            let unit = self.unit(id);
            for import in &unit.imports {
                let member = import.member.as_deref().map(|member| submodule(&import.module, member));
                // Python runs the packages around a module, too.
                let around = import.module.match_indices('.').map(|(at, _)| &import.module[..at]);
                let around = around.filter(|name| unit.language == Language::Python && !name.is_empty());
                let modules = around.chain([import.module.as_str()]).chain(member.as_deref());
                let found = modules.filter_map(|module| self.module(id, module));
                open.extend(found.filter(|next| reached.insert(*next)));
            }
            if unit.language != Language::Python {
                continue;
            }
            // 2. Modules that are members of packages: of this folder by all names so far, of all folders so far by
            //    the names in this unit.
            let folder = folder_of(unit);
            if folders.insert(folder) {
                let there = members.by_folder.get(folder).into_iter().flatten();
                let named = there.filter(|(name, _)| names.contains(name)).map(|(_, id)| *id);
                open.extend(named.filter(|next| reached.insert(*next)));
            }
            for name in names_in(unit) {
                if names.insert(name) {
                    let called = members.by_name.get(name).into_iter().flatten();
                    let there = called.filter(|(folder, _)| folders.contains(folder)).map(|(_, id)| *id);
                    open.extend(there.filter(|next| reached.insert(*next)));
                }
            }
        }
        reached.into_iter().collect()
    }

    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (id, unit) in self.units().filter(|(_, unit)| unit.language == Language::Python) {
            let folder = folder_of(unit);
            let name = unit.path[folder.len()..].trim_start_matches('/').trim_end_matches(".py");
            members.add(folder, name, id);
            if name == "__init__" {
                let (around, name) = folder.rsplit_once('/').unwrap_or(("", folder));
                members.add(around, name, id);
            }
        }
        members
    }
}

impl<'p> Members<'p> {
    fn add(&mut self, folder: &'p str, name: &'p str, id: UnitId) {
        self.by_folder.entry(folder).or_default().push((name, id));
        self.by_name.entry(name).or_default().push((folder, id));
    }
}

/// All names that a member may be asked by: members, what is imported, texts where some are looked up by text, and
/// the parts of written types.
fn names_in(unit: &Unit) -> impl Iterator<Item = &str> {
    let looks_up = unit.source.contains("getattr");
    let asked = unit.exprs.iter().filter_map(move |expr| match &expr.kind {
        ExprKind::Member { name, .. } => Some(name.as_str()),
        ExprKind::Text(text) if looks_up => Some(text.as_str()),
        _ => None,
    });
    let imported = unit.imports.iter().filter_map(|import| import.member.as_deref());
    let types = unit.functions.iter().flat_map(|function| &function.params).filter_map(|p| p.annotation.as_deref());
    let parts = types.flat_map(|written| written.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    asked.chain(imported).chain(parts)
}

fn folder_of(unit: &Unit) -> &str {
    unit.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::read;

    #[test]
    fn what_is_named_is_reached_and_the_rest_is_not() {
        let files = [
            ("a/main.py", "import pkg\nfrom pkg.one import f\nfrom . import near\npkg.two.go()\n"),
            ("a/near.py", "x = 1\n"),
            ("a/far.py", "import main\n"),
            ("a/pkg/__init__.py", ""),
            ("a/pkg/one.py", "from .deep.last import y\n"),
            ("a/pkg/two.py", ""),
            ("a/pkg/three.py", "from .one import f\n"),
            ("c/main.py", "import pkg\ngetattr(pkg, 'text')\ndef f(x: Optional[pkg.written.T]): x.go()\n"),
            ("c/pkg/__init__.py", ""),
            ("c/pkg/text.py", ""),
            ("c/pkg/written.py", ""),
            ("c/pkg/not.py", ""),
            ("a/pkg/deep/__init__.py", ""),
            ("a/pkg/deep/first.py", ""),
            ("a/pkg/deep/last.py", ""),
            (
                "b/index.js",
                "import x from './lib/x.js';\nexport * from './y.js';\nrequire('./lib/z');\nimport('./w.js');",
            ),
            ("b/lib/x.js", ""),
            ("b/lib/z.js", ""),
            ("b/y.js", ""),
            ("b/w.js", ""),
            ("b/other.js", "import './index.js';"),
        ];
        let program = Program::new(files.iter().filter_map(|(path, text)| read(path, text.as_bytes())).collect());
        let reached = |from: &str| {
            let start = program.units().filter(|(_, unit)| unit.path == from).map(|(id, _)| id);
            let all = program.closure(start).into_iter();
            all.map(|id| program.unit(id).path.as_str()).filter(|path| *path != from).collect::<Vec<_>>()
        };
        let all_but = |not: &[&str], below: &str| {
            let all = files.iter().map(|(path, _)| *path).filter(|path| path.starts_with(below));
            all.filter(|path| !not.contains(path)).collect::<Vec<_>>()
        };
        assert_eq!(
            reached("a/main.py"),
            all_but(&["a/main.py", "a/far.py", "a/pkg/three.py", "a/pkg/deep/first.py"], "a/")
        );
        assert_eq!(reached("b/index.js"), all_but(&["b/index.js", "b/other.js"], "b/"));
        assert_eq!(reached("b/y.js"), [""; 0]);
        assert_eq!(reached("c/main.py"), all_but(&["c/main.py", "c/pkg/not.py"], "c/"));
        // A part knows only what is in it.
        let part = program.part(&program.closure([UnitId(1)]));
        assert_eq!(part.units().map(|(_, unit)| unit.path.as_str()).collect::<Vec<_>>(), ["a/near.py"]);
        assert_eq!(part.module(UnitId(0), "pkg"), None);
    }

    #[test]
    fn a_long_chain_of_modules_is_walked_once() {
        // Each names the next only: a round over all of them for each of them would not end in time.
        let chain = (0..20_000).filter_map(|i| read(&format!("m/m{i}.py"), format!("x.m{}\n", i + 1).as_bytes()));
        let program = Program::new(chain.collect());
        assert_eq!(program.closure([UnitId(0)]).len(), 20_000);
        assert_eq!(program.closure([UnitId(19_999)]).len(), 1);
    }
}
