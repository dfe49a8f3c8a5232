//! A manifest in the making.

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Problem, Reading, Severity, read};
use serde_json::{Map, Value, json};

/// What is known so far; empty texts and lists are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub manifest_version: String,
    pub name: String,
    pub display_name: String,
    pub version: String,
    pub description: String,
    pub author_name: String,
    pub author_email: String,
    pub author_url: String,
    pub homepage: String,
    pub repository: String,
    pub license: String,
    pub keywords: Vec<String>,
    pub server_type: String,
    pub entry_point: String,
}

impl Draft {
    /// Replaces what a valid manifest cannot hold: optional fields are left out, required ones get a
    /// plain value. Says what was changed.
    pub fn settle(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        // Each round corrects at least one field, and there are fewer than twenty.
        for _ in 0..20 {
            let Some(problem) = self.problems().into_iter().find(|p| p.severity == Severity::Error) else { break };
            if !self.correct(&problem.pointer) {
                break;
            }
            out.push(format!("{}: {}", problem.pointer.trim_start_matches('/'), problem.message));
        }
        out
    }

    /// What a strict reading says about the draft as it is.
    pub fn problems(&self) -> Vec<Problem> {
        read(self.to_json().to_string().as_bytes(), Reading::Strict, &Limits::default()).problems
    }

    fn correct(&mut self, pointer: &str) -> bool {
        let (field, plain) = match pointer {
            "/name" => (&mut self.name, "my-server"),
            "/version" => (&mut self.version, "1.0.0"),
            "/server/entry_point" => (&mut self.entry_point, super::project::entry_point_of(&self.server_type)),
            "/author/email" => (&mut self.author_email, ""),
            "/author/url" => (&mut self.author_url, ""),
            "/homepage" => (&mut self.homepage, ""),
            "/repository/url" => (&mut self.repository, ""),
            _ => return false,
        };
        let changed = field != plain;
        plain.clone_into(field);
        changed
    }

    /// The manifest, in the order of fields that existing tools write.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("manifest_version".to_owned(), json!(self.manifest_version));
        out.insert("name".to_owned(), json!(self.name));
        put(&mut out, "display_name", &self.display_name);
        out.insert("version".to_owned(), json!(self.version));
        out.insert("description".to_owned(), json!(self.description));
        let mut author = Map::new();
        author.insert("name".to_owned(), json!(self.author_name));
        put(&mut author, "email", &self.author_email);
        put(&mut author, "url", &self.author_url);
        out.insert("author".to_owned(), Value::Object(author));
        put(&mut out, "homepage", &self.homepage);
        out.insert("server".to_owned(), self.server());
        if !self.keywords.is_empty() {
            out.insert("keywords".to_owned(), json!(self.keywords));
        }
        put(&mut out, "license", &self.license);
        if !self.repository.is_empty() {
            out.insert("repository".to_owned(), json!({"type": "git", "url": self.repository}));
        }
        Value::Object(out)
    }

    fn server(&self) -> Value {
        let file = format!("${{__dirname}}/{}", self.entry_point);
        let config = match self.server_type.as_str() {
            "python" => json!({"command": "python", "args": [file], "env": {"PYTHONPATH": "${__dirname}/server/lib"}}),
            "binary" => json!({"command": file, "args": []}),
            "uv" => json!({"command": "uv", "args": ["run", "--directory", "${__dirname}", self.entry_point]}),
            _ => json!({"command": "node", "args": [file]}),
        };
        json!({"type": self.server_type, "entry_point": self.entry_point, "mcp_config": config})
    }
}

fn put(map: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        map.insert(key.to_owned(), json!(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manifest_cannot_hold_is_replaced_or_left_out() {
        let mut draft = Draft {
            manifest_version: "0.3".into(),
            name: "../x".into(),
            version: "latest".into(),
            author_email: "nobody".into(),
            author_url: "javascript:x".into(),
            homepage: "x".into(),
            repository: "git@host:a/b".into(),
            server_type: "node".into(),
            entry_point: "/bin/sh".into(),
            license: "MIT".into(),
            ..Draft::default()
        };
        assert_eq!(draft.settle().len(), 7);
        assert_eq!(draft.problems(), []);
        assert_eq!((draft.name.as_str(), draft.version.as_str()), ("my-server", "1.0.0"));
        assert_eq!((draft.entry_point.as_str(), draft.license.as_str()), ("server/index.js", "MIT"));
        assert_eq!(draft.settle(), Vec::<String>::new());
    }

    #[test]
    fn every_server_type_gives_a_valid_manifest() {
        for (server_type, manifest_version) in [("node", "0.1"), ("python", "0.2"), ("binary", "0.3"), ("uv", "0.4")] {
            let mut draft = Draft {
                manifest_version: manifest_version.into(),
                name: "x".into(),
                version: "1.0.0".into(),
                server_type: server_type.into(),
                entry_point: "server/x".into(),
                ..Draft::default()
            };
            assert_eq!(draft.settle(), Vec::<String>::new());
            assert_eq!(draft.problems(), [], "{server_type}");
        }
    }
}
