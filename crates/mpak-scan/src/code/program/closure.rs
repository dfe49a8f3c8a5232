//! Which units others may come to, by the names of modules in them.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use super::super::facts::{ExprKind, Language, Unit};
use super::{Program, UnitId, submodule};

/// Modules of Python by their folder, each with the name by which its package knows it.
type Members<'p> = HashMap<&'p str, Vec<(&'p str, UnitId)>>;

impl Program {
    /// Units with all that they come to, directly or through others, in order. Never too few: what is named anywhere
    /// in a unit counts as reached, and a module counts as named where a member of that name is asked of anything.
    pub(crate) fn closure(&self, of: impl IntoIterator<Item = UnitId>) -> Vec<UnitId> {
        let members = self.members();
        let mut reached: BTreeSet<UnitId> = of.into_iter().collect();
        let mut open: Vec<UnitId> = reached.iter().copied().collect();
        let (mut names, mut folders) = (HashSet::default(), HashSet::default());
        loop {
            // 1. What is imported.
            while let Some(id) = open.pop() {
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
                if unit.language == Language::Python {
                    folders.insert(folder_of(unit));
                    names.extend(unit.exprs.iter().filter_map(|expr| match &expr.kind {
                        ExprKind::Member { name, .. } => Some(name.as_str()),
                        _ => None,
                    }));
                    names.extend(unit.imports.iter().filter_map(|import| import.member.as_deref()));
                }
            }
            // 2. Modules that are members of packages.
            let all = folders.iter().filter_map(|folder| members.get(folder)).flatten();
            let named = all.filter(|(name, _)| names.contains(name)).map(|(_, id)| *id);
            open.extend(named.filter(|next| reached.insert(*next)));
            if open.is_empty() {
                return reached.into_iter().collect();
            }
        }
    }

    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (id, unit) in self.units().filter(|(_, unit)| unit.language == Language::Python) {
            let folder = folder_of(unit);
            let name = unit.path[folder.len()..].trim_start_matches('/').trim_end_matches(".py");
            members.entry(folder).or_default().push((name, id));
            if name == "__init__" {
                let (around, name) = folder.rsplit_once('/').unwrap_or(("", folder));
                members.entry(around).or_default().push((name, id));
            }
        }
        members
    }
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
        // A part knows only what is in it.
        let part = program.part(&program.closure([UnitId(1)]));
        assert_eq!(part.units().map(|(_, unit)| unit.path.as_str()).collect::<Vec<_>>(), ["a/near.py"]);
        assert_eq!(part.module(UnitId(0), "pkg"), None);
    }
}
