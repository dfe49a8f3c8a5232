//! What to type or paste to use a package, per client, with each value quoted for where it goes.

use serde_json::{Value, json};

/// The registry that clients ask when nothing is configured.
const DEFAULT_REGISTRY: &str = "https://registry.mpak.dev";
/// Tells a client which registry to ask.
const REGISTRY_VARIABLE: &str = "MPAK_REGISTRY_URL";

/// A way to use a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// For element ids: `claude-desktop`.
    pub(crate) id: &'static str,
    /// `Claude Desktop`.
    pub(crate) client: &'static str,
    /// Where it goes.
    pub(crate) place: &'static str,
    /// A file name or path, shown as code after `place`.
    pub(crate) file: Option<&'static str>,
    /// The text itself.
    pub(crate) code: String,
}

/// What a snippet starts.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `@scope/name`, or `@scope/name@version` when the page shows one version.
    pub(crate) spec: String,
    /// The name the client shows: the part after the slash.
    pub(crate) alias: String,
    /// This registry's address; `None` when clients ask it anyway.
    pub(crate) registry: Option<String>,
}

impl Target {
    /// Of a package, and of one version when the page is pinned to it.
    pub(crate) fn new(package: &str, version: Option<&str>, base_url: &str) -> Self {
        Self {
            spec: version.map_or_else(|| package.to_owned(), |v| format!("{package}@{v}")),
            alias: package.rsplit('/').next().unwrap_or(package).to_owned(),
            registry: (base_url != DEFAULT_REGISTRY).then(|| base_url.to_owned()),
        }
    }

    /// `mpak run …`, with the registry in front where it is needed.
    pub(crate) fn run(&self) -> String {
        shell(&self.assignments(), &["mpak", "run", &self.spec])
    }

    /// One snippet per client.
    pub(crate) fn snippets(&self) -> Vec<Snippet> {
        vec![
            Snippet {
                id: "terminal",
                client: "Terminal",
                place: "Runs the server on standard input and output:",
                file: None,
                code: self.run(),
            },
            Snippet {
                id: "claude-desktop",
                client: "Claude Desktop",
                place: "Settings → Developer → Edit config opens",
                file: Some("claude_desktop_config.json"),
                code: pretty(&json!({"mcpServers": {&self.alias: self.server(false)}})),
            },
            Snippet {
                id: "claude-code",
                client: "Claude Code",
                place: "In a terminal:",
                file: None,
                code: self.claude_code(),
            },
            Snippet {
                id: "cursor",
                client: "Cursor",
                place: "Put into",
                file: Some(".cursor/mcp.json"),
                code: pretty(&json!({"mcpServers": {&self.alias: self.server(false)}})),
            },
            Snippet {
                id: "vs-code",
                client: "VS Code",
                place: "Put into",
                file: Some(".vscode/mcp.json"),
                code: pretty(&json!({"servers": {&self.alias: self.server(true)}})),
            },
        ]
    }

    fn server(&self, with_type: bool) -> Value {
        let mut server = json!({"command": "mpak", "args": ["run", &self.spec]});
        if let Some(object) = server.as_object_mut() {
            if with_type {
                object.insert("type".to_owned(), json!("stdio"));
            }
            if let Some(url) = &self.registry {
                object.insert("env".to_owned(), json!({REGISTRY_VARIABLE: url}));
            }
        }
        server
    }

    /// `--env` takes several values there, so another flag has to stand between it and the name.
    fn claude_code(&self) -> String {
        let assignment = self.registry.as_ref().map(|url| format!("{REGISTRY_VARIABLE}={url}"));
        let mut words = vec!["claude", "mcp", "add"];
        if let Some(assignment) = &assignment {
            words.extend(["--env", assignment.as_str()]);
        }
        words.extend(["--transport", "stdio", &self.alias, "--", "mpak", "run", &self.spec]);
        shell(&[], &words)
    }

    fn assignments(&self) -> Vec<(&'static str, &str)> {
        self.registry.iter().map(|url| (REGISTRY_VARIABLE, url.as_str())).collect()
    }
}

/// `mpak config set …` for the settings that a package needs.
pub(crate) fn configure(package: &str, keys: &[&str]) -> String {
    let pairs: Vec<String> = keys.iter().map(|key| format!("{key}=VALUE")).collect();
    let mut words = vec!["mpak", "config", "set", package];
    words.extend(pairs.iter().map(String::as_str));
    shell(&[], &words)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A command line for a POSIX shell.
fn shell(assignments: &[(&str, &str)], words: &[&str]) -> String {
    let assigned = assignments.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    assigned.chain(words.iter().map(|w| quoted(w))).collect::<Vec<_>>().join(" ")
}

/// One word for a POSIX shell; plain words stay as they are.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(target: &Target, id: &str) -> String {
        target.snippets().into_iter().find(|s| s.id == id).unwrap().code
    }

    #[test]
    fn the_usual_registry_needs_no_address() {
        let target = Target::new("@acme/widget", None, DEFAULT_REGISTRY);
        assert_eq!(target.run(), "mpak run @acme/widget");
        assert_eq!(code(&target, "claude-code"), "claude mcp add --transport stdio widget -- mpak run @acme/widget");
        assert!(!code(&target, "cursor").contains("env"));
    }

    #[test]
    fn another_registry_is_named_everywhere() {
        let target = Target::new("@acme/widget", Some("1.2.3"), "http://127.0.0.1:7070");
        assert_eq!(target.run(), "MPAK_REGISTRY_URL=http://127.0.0.1:7070 mpak run @acme/widget@1.2.3");
        for snippet in target.snippets() {
            assert!(snippet.code.contains("http://127.0.0.1:7070"), "{}", snippet.client);
            assert!(snippet.code.contains("@acme/widget@1.2.3"), "{}", snippet.client);
        }
    }

    #[test]
    fn hostile_values_stay_one_word_and_one_string() {
        let hostile = "@a/x';rm -rf ~;\"`$(id)`\n</script>";
        let target = Target::new(hostile, None, "http://h/$(id)");
        assert!(target.run().contains(r"'@a/x'\'';rm -rf ~;"), "{}", target.run());
        assert!(target.run().starts_with("MPAK_REGISTRY_URL='http://h/$(id)' "));
        for id in ["claude-desktop", "cursor", "vs-code"] {
            let value: Value = serde_json::from_str(&code(&target, id)).unwrap();
            let servers = value.get("mcpServers").or_else(|| value.get("servers")).unwrap().as_object().unwrap();
            let server = servers.values().next().unwrap();
            assert_eq!(server["args"], json!(["run", hostile]));
            assert_eq!(server["env"][REGISTRY_VARIABLE], "http://h/$(id)");
        }
    }

    #[test]
    fn settings_are_quoted_too() {
        let command = configure("@acme/widget", &["api_key", "a b"]);
        assert_eq!(command, "mpak config set @acme/widget api_key=VALUE 'a b=VALUE'");
    }
}
