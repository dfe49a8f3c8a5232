//! Who may read what: the whole catalogue, or parts of it.
//!
//! In: the operator's `[access]` and who asks. Out: a [`Reader`], which every list and every look at a
//! package is held against. The gate itself stands in `asker`.

use std::sync::Arc;

use crate::config::{Access, Reads};

/// What somebody may read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    sees: Sees,
    /// Scopes, without `@`, that strangers do not see.
    private_scopes: Arc<[String]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sees {
    /// Nobody was asked about yet: nothing.
    Nothing,
    /// What a stranger sees of a public registry, and what the patterns of a token cover.
    Public { besides: Arc<[String]> },
    /// What the patterns of a token cover.
    Covered { by: Arc<[String]> },
    /// All.
    Everything,
}

impl Reader {
    /// One that sees nothing.
    pub(crate) fn nothing() -> Self {
        Self { sees: Sees::Nothing, private_scopes: Arc::default() }
    }

    /// One that sees everything: the registry itself, and people who signed in.
    pub(crate) fn everything() -> Self {
        Self { sees: Sees::Everything, private_scopes: Arc::default() }
    }

    /// Somebody unknown.
    pub(crate) fn stranger(access: &Access) -> Self {
        match access.reads {
            Reads::Private => Self::nothing(),
            Reads::Public => Self { sees: Sees::Public { besides: Arc::default() }, private_scopes: scopes(access) },
        }
    }

    /// The holder of a token for some packages.
    pub(crate) fn holder(access: &Access, patterns: Vec<String>) -> Self {
        if patterns.iter().any(|p| p == "*") {
            return Self::everything();
        }
        let patterns = Arc::from(patterns);
        let sees = match access.reads {
            Reads::Private => Sees::Covered { by: patterns },
            Reads::Public => Sees::Public { besides: patterns },
        };
        Self { sees, private_scopes: scopes(access) }
    }

    /// Whether there is anything to read.
    pub(crate) fn reads_something(&self) -> bool {
        self.sees != Sees::Nothing
    }

    /// Whether nothing is hidden, so that lists need no filter.
    pub(crate) fn reads_everything(&self) -> bool {
        match &self.sees {
            Sees::Everything => true,
            Sees::Public { .. } => self.private_scopes.is_empty(),
            Sees::Nothing | Sees::Covered { .. } => false,
        }
    }

    /// Whether a package (`@scope/name`) may be read.
    pub(crate) fn may_read(&self, package: &str) -> bool {
        let covered = |patterns: &[String]| patterns.iter().any(|pattern| covers(pattern, package));
        match &self.sees {
            Sees::Everything => true,
            Sees::Nothing => false,
            Sees::Covered { by } => covered(by),
            Sees::Public { besides } => !self.is_private(package) || covered(besides),
        }
    }

    /// Whether a package is in a private scope.
    fn is_private(&self, package: &str) -> bool {
        let scope = package.split_once('/').map_or(package, |(scope, _)| scope);
        let scope = scope.strip_prefix('@').unwrap_or(scope);
        self.private_scopes.iter().any(|private| private.eq_ignore_ascii_case(scope))
    }
}

fn scopes(access: &Access) -> Arc<[String]> {
    access.private_scopes.iter().map(|scope| scope.trim_start_matches('@').to_owned()).collect()
}

/// Whether a pattern of a token (`*`, `@scope/*`, `@scope/name`) covers a package.
fn covers(pattern: &str, package: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(scope) => package.split_once('/').is_some_and(|(own, _)| own == scope),
        None => pattern == "*" || pattern == package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(reads: Reads) -> Access {
        Access { reads, private_scopes: vec!["secret".to_owned(), "@inner".to_owned()] }
    }

    #[test]
    fn readers_see_what_they_may() {
        let holder = |reads, pattern: &str| Reader::holder(&access(reads), vec![pattern.to_owned()]);
        for (reader, open, secret, inner) in [
            (Reader::nothing(), false, false, false),
            (Reader::everything(), true, true, true),
            (Reader::stranger(&access(Reads::Public)), true, false, false),
            (Reader::stranger(&access(Reads::Private)), false, false, false),
            (holder(Reads::Public, "@secret/*"), true, true, false),
            (holder(Reads::Public, "@secret/b"), true, false, false),
            (holder(Reads::Private, "@secret/*"), false, true, false),
            (holder(Reads::Private, "@open/a"), true, false, false),
            (holder(Reads::Private, "*"), true, true, true),
        ] {
            let found = (reader.may_read("@open/a"), reader.may_read("@secret/a"), reader.may_read("@inner/a"));
            assert_eq!(found, (open, secret, inner), "{reader:?}");
        }
    }

    #[test]
    fn case_and_form_of_a_private_scope_do_not_open_it() {
        let stranger = Reader::stranger(&access(Reads::Public));
        for package in ["@secret/a", "@SECRET/a", "secret/a", "@secret", "@secret/"] {
            assert!(!stranger.may_read(package), "{package}");
        }
        assert!(stranger.may_read("@secrets/a") && stranger.may_read("@secre/a"));
    }

    #[test]
    fn only_a_reader_without_limits_needs_no_filter() {
        assert!(Reader::stranger(&Access::default()).reads_everything());
        assert!(!Reader::stranger(&access(Reads::Public)).reads_everything());
        assert!(!Reader::nothing().reads_something());
    }
}
