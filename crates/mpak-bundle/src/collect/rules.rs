//! What is left out of a bundle: the default patterns, then those of `.mcpbignore`.
//!
//! Spec: the npm tool `mcpb` 2.1.2, whose matcher reads gitignore patterns with these points of its own:
//! case does not count; only the file at the root is read; lines are trimmed at both ends, then empty
//! ones and comments dropped; a left-out folder cannot be re-entered, because parents decide first.

use std::fs;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::archive::Finding;

const IGNORE_FILE: &str = ".mcpbignore";
const IGNORE_FILE_BYTES_MAX: usize = 1 << 20;

/// In the npm tool's order.
const DEFAULTS: [&str; 33] = [
    ".DS_Store",
    "Thumbs.db",
    ".gitignore",
    ".git",
    ".mcpbignore",
    "*.log",
    ".env*",
    ".npm",
    ".npmrc",
    ".yarnrc",
    ".yarn",
    ".eslintrc",
    ".editorconfig",
    ".prettierrc",
    ".prettierignore",
    ".eslintignore",
    ".nycrc",
    ".babelrc",
    ".pnp.*",
    "node_modules/.cache",
    "node_modules/.bin",
    "*.map",
    ".env.local",
    ".env.*.local",
    "npm-debug.log*",
    "yarn-debug.log*",
    "yarn-error.log*",
    "package-lock.json",
    "yarn.lock",
    "*.mcpb",
    "*.d.ts",
    "*.tsbuildinfo",
    "tsconfig.json",
];

/// The patterns of one folder.
#[derive(Debug)]
pub(super) struct Rules {
    patterns: Gitignore,
    findings: Vec<Finding>,
}

impl Rules {
    /// Defaults plus the folder's own file. A file or line that cannot be read is a finding.
    pub(super) fn of(root: &Path) -> Self {
        let mut findings = Vec::new();
        let own = match fs::read(root.join(IGNORE_FILE)) {
            Ok(bytes) if bytes.len() > IGNORE_FILE_BYTES_MAX => {
                findings.push(finding(format!("is larger than {IGNORE_FILE_BYTES_MAX} bytes and was not read")));
                String::new()
            }
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                findings.push(finding(format!("cannot be read and was taken as empty: {error}")));
                String::new()
            }
        };
        Self::from_text(&own, findings)
    }

    fn from_text(own: &str, mut findings: Vec<Finding>) -> Self {
        let mut builder = GitignoreBuilder::new("");
        builder.case_insensitive(true).expect("a switch, not a pattern");
        for pattern in DEFAULTS.into_iter().chain(own.lines().map(trimmed).filter(|line| is_pattern(line))) {
            if let Err(error) = builder.add_line(None, &literal_braces(pattern)) {
                findings.push(finding(format!("pattern `{pattern}` is not understood and was skipped: {error}")));
            }
        }
        let patterns = builder.build().unwrap_or_else(|error| {
            findings.push(finding(format!("cannot be used as a whole and was skipped: {error}")));
            Gitignore::empty()
        });
        Self { patterns, findings }
    }

    /// Whether the patterns match the path itself. Parents must have been asked before.
    pub(super) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        self.patterns.matched(path, is_folder).is_ignore()
    }

    /// Whether the patterns leave out a file, or a folder that it lies in.
    pub(super) fn ignores_with_parents(&self, path: &str) -> bool {
        path.match_indices('/').any(|(end, _)| self.ignores(&path[..end], true)) || self.ignores(path, false)
    }

    /// Lines and files that could not be used.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

fn finding(message: String) -> Finding {
    Finding { code: "ignore-file", path: IGNORE_FILE.to_owned(), message }
}

fn trimmed(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn is_pattern(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// Braces are ordinary characters in gitignore patterns; the matcher would read `{a,b}` as a choice.
fn literal_braces(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut escaped = false;
    for c in pattern.chars() {
        if matches!(c, '{' | '}') && !in_class && !escaped {
            written.push('\\');
        }
        in_class = !escaped && (c == '[' || (in_class && c != ']'));
        escaped = c == '\\' && !escaped;
        written.push(c);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.mcpbignore`, path of a file, whether it is left out.
    const CASES: &[(&str, &str, bool)] = &[
        // Defaults, at any depth and in any case.
        ("", "a/b/.DS_Store", true),
        ("", "TSCONFIG.JSON", true),
        ("", "src/X.LOG", true),
        ("", ".env.example", true),
        ("", "node_modules/x/index.d.ts", true),
        ("", "logs.log/readme.txt", true),
        ("", ".git/config", true),
        // Not left out by default.
        ("", ".venv/bin/python", false),
        ("", "key.pem", false),
        ("", ".eslintrc.json", false),
        ("", ".gitattributes", false),
        ("", "uv.lock", false),
        ("", "old.dxt", false),
        ("", "node_modules/.package-lock.json", false),
        // An inner slash anchors to the root.
        ("", "node_modules/.bin/x", true),
        ("", "server/node_modules/.bin/x", false),
        ("/build", "build/x", true),
        ("/build", "a/build/x", false),
        ("docs/*.md", "docs/a.md", true),
        ("docs/*.md", "docs/a/b.md", false),
        ("**/docs/a.md", "x/y/docs/a.md", true),
        // Case does not count.
        ("*.test.js", "Foo.Test.JS", true),
        // Own patterns come after the defaults and can take them back.
        ("!keep.log", "keep.log", false),
        ("!y.map", "a/y.map", false),
        ("!keep.log", "other.log", true),
        // Parents decide first.
        ("tests/\n!tests/keep", "tests/keep", true),
        ("tests/\n!tests/keep", "tests/other", true),
        ("docs/*\n!docs/keep", "docs/keep/a/b", false),
        ("docs/*\n!docs/keep", "docs/drop", true),
        // A pattern for folders is none for a file.
        ("build/", "build", false),
        ("build/", "a/build/x", true),
        // Lines: trimmed, comments, CRLF, byte order mark.
        ("  secret.txt  ", "secret.txt", true),
        ("   # comment\r\nsecret.txt\r\n", "secret.txt", true),
        ("   #x", "#x", false),
        ("\\#x", "#x", true),
        ("\u{feff}secret.txt", "secret.txt", true),
        ("a b.txt", "a b.txt", true),
        // Braces are ordinary characters.
        ("*.{js,ts}", "a.js", false),
        ("*.{js,ts}", "a.{js,ts}", true),
        ("[{]x", "{x", true),
    ];

    #[test]
    fn files_are_left_out_as_the_npm_tool_does() {
        for (own, path, expect) in CASES {
            let rules = Rules::from_text(own, Vec::new());
            assert_eq!(rules.ignores_with_parents(path), *expect, "{own:?} on {path}");
            assert_eq!(rules.findings(), [], "{own:?}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_told_and_the_others_hold() {
        let rules = Rules::from_text("[z-a]\nsecret.txt", Vec::new());
        assert!(rules.ignores("secret.txt", false) && rules.ignores("x.log", false));
        assert_eq!(rules.findings().len(), 1);
        assert!(rules.findings()[0].message.contains("[z-a]"), "{:?}", rules.findings());
    }
}
