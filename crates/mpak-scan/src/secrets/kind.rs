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
/// Files of settings that have no extension.
const SETTINGS_NAMES: [&str; 12] = [
    "_netrc",
    "authinfo",
    "config",
    "credentials",
    "environment",
    "gemrc",
    "jenkinsfile",
    "makefile",
    "msmtprc",
    "netrc",
    "procfile",
    "vagrantfile",
];
const TEXT: [&str; 7] = ["md", "markdown", "rst", "txt", "adoc", "html", "htm"];

impl Kind {
    /// By the file's name.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        // `.aws/credentials`, `.kube/config`: a tool's own folder.
        let in_tools_folder = path.rsplit('/').nth(1).is_some_and(|folder| folder.starts_with('.') && folder.len() > 2);
        if name.starts_with('.')
            || name.starts_with("dockerfile")
            || SETTINGS.contains(&extension)
            || extension.is_empty() && (in_tools_folder || SETTINGS_NAMES.contains(&name.as_str()))
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_how_its_values_are_written() {
        for (path, expected) in [
            ("server/main.py", Kind::Code),
            ("a/.netrc", Kind::Settings),
            ("a/_netrc", Kind::Settings),
            (".aws/credentials", Kind::Settings),
            (".docker/machine", Kind::Settings),
            ("docs/README", Kind::Text),
            ("./notes", Kind::Text),
            ("a.toml", Kind::Settings),
            ("", Kind::Text),
        ] {
            assert_eq!(Kind::of(path), expected, "{path}");
        }
    }
}
