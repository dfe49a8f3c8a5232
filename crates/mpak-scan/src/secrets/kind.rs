//! What a file is, as far as the forms of its values go. It never decides whether a file is read.

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A programming language: values are literals.
    Code,
    /// Settings, shell scripts: values may be bare words.
    Settings,
    /// Prose.
    Text,
}

const SETTINGS: [&str; 27] = [
    "yml",
    "yaml",
    "properties",
    "ini",
    "cfg",
    "conf",
    "config",
    "cnf",
    "toml",
    "sh",
    "bash",
    "zsh",
    "fish",
    "ps1",
    "bat",
    "cmd",
    "tf",
    "tfvars",
    "hcl",
    "service",
    "env",
    "local",
    "secret",
    "secrets",
    "credentials",
    "key",
    "mk",
];
const TEXT: [&str; 7] = ["md", "markdown", "rst", "txt", "adoc", "html", "htm"];

impl Kind {
    /// By the file's name.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if name.starts_with('.') || name.starts_with("dockerfile") || SETTINGS.contains(&extension) {
            Self::Settings
        } else if TEXT.contains(&extension) || extension.is_empty() {
            Self::Text
        } else {
            Self::Code
        }
    }

    /// Whether `name = value` is a value, and not the name of a variable.
    pub(super) fn has_bare_values(self) -> bool {
        self == Self::Settings
    }
}

/// Whether a file lies where package managers put what others wrote.
pub(crate) fn is_in_dependency(path: &str) -> bool {
    const PACKAGES: [&str; 7] = ["node_modules", "site-packages", "dist-packages", "vendor", "deps", ".venv", "venv"];
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| PACKAGES.contains(&folder))
}

/// Whether a file is a test or an example inside a dependency, where key pairs are made to be shipped.
pub(crate) fn is_test_of_dependency(path: &str) -> bool {
    const PACKAGES: [&str; 8] =
        ["node_modules", "site-packages", "dist-packages", "vendor", "deps", "lib", ".venv", "venv"];
    const TESTS: [&str; 20] = [
        "test",
        "tests",
        "testing",
        "__tests__",
        "selftest",
        "spec",
        "specs",
        "fixture",
        "fixtures",
        "__fixtures__",
        "testdata",
        "test_data",
        "test-data",
        "testcases",
        "example",
        "examples",
        "demo",
        "demos",
        "benchmark",
        "mocks",
    ];
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders).to_ascii_lowercase();
    let mut folders = folders.split('/');
    folders.any(|folder| PACKAGES.contains(&folder)) && folders.skip(1).any(|folder| TESTS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_of_a_dependency_lies_inside_of_it() {
        for path in [
            "node_modules/a/test/key.pem",
            "node_modules/@s/a/test/fixtures/key.pem",
            "deps/Crypto/SelfTest/PublicKey/test_RSA.py",
            "server/lib/jose/examples/key.pem",
        ] {
            assert!(is_test_of_dependency(path), "{path}");
        }
        for path in [
            "test/key.pem",
            "node_modules/test/key.pem",
            "node_modules/latest/key.pem",
            "server/tests/vendor/key.pem",
            "node_modules/a/lib/key.pem",
            "node_modules/a/lib/contest/key.pem",
        ] {
            assert!(!is_test_of_dependency(path), "{path}");
        }
    }
}
