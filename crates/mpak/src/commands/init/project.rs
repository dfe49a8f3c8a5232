//! What a project says about itself: `package.json`, `pyproject.toml`, `Cargo.toml`, and the files it has.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::draft::Draft;
use crate::error::{CommandError, Kind};

/// Longest project file that is read.
const PROJECT_BYTES_MAX: u64 = 1 << 20;
/// Most keywords that are taken over.
const KEYWORDS_COUNT_MAX: usize = 50;

/// Reads the project of a folder; `server_type` overrides what its files suggest.
pub fn read(dir: &Path, server_type: Option<&str>) -> Result<Draft, CommandError> {
    let suggested = suggested_type(dir);
    let server_type = server_type.unwrap_or(suggested);
    // The file that belongs to the type first, then whatever there is.
    let order = match server_type {
        "python" | "uv" => ["pyproject.toml", "package.json", "Cargo.toml"],
        "binary" => ["Cargo.toml", "pyproject.toml", "package.json"],
        _ => ["package.json", "pyproject.toml", "Cargo.toml"],
    };
    let mut draft = Draft::default();
    for name in order {
        let Some(project) = project_file(dir, name)? else { continue };
        draft = match name {
            "package.json" => from_package_json(&project),
            "pyproject.toml" => from_pyproject(&project),
            _ => from_cargo(&project),
        };
        break;
    }
    server_type.clone_into(&mut draft.server_type);
    fill(&mut draft, dir);
    draft.entry_point = entry_point(dir, &draft);
    Ok(draft)
}

fn suggested_type(dir: &Path) -> &'static str {
    let has = |name: &str| dir.join(name).is_file();
    if has("package.json") {
        "node"
    } else if has("uv.lock") && has("pyproject.toml") {
        "uv"
    } else if has("pyproject.toml") || has("requirements.txt") {
        "python"
    } else if has("Cargo.toml") || has("go.mod") {
        "binary"
    } else {
        "node"
    }
}

/// A project file as JSON; absent is `None`.
fn project_file(dir: &Path, name: &str) -> Result<Option<Value>, CommandError> {
    let path = dir.join(name);
    let fault = |cause: String| {
        let mut error = CommandError::new(Kind::No, format!("cannot read `{}`", path.display()));
        error.causes.push(cause);
        error.hint("correct the file, its values are the manifest's defaults")
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error.to_string())),
    };
    let mut text = String::new();
    file.take(PROJECT_BYTES_MAX).read_to_string(&mut text).map_err(|error| fault(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let parsed = if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    };
    parsed.map(Some).map_err(fault)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn keywords(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|k| k.as_str().map(str::to_owned)).take(KEYWORDS_COUNT_MAX).collect()
}

fn from_package_json(package: &Value) -> Draft {
    let mut draft = Draft {
        name: text(package, "/name"),
        version: text(package, "/version"),
        description: text(package, "/description"),
        license: text(package, "/license"),
        homepage: text(package, "/homepage"),
        keywords: keywords(package, "/keywords"),
        entry_point: text(package, "/main"),
        ..Draft::default()
    };
    if draft.entry_point.is_empty() {
        draft.entry_point = match &package["bin"] {
            Value::Object(bins) => bins.values().find_map(Value::as_str).unwrap_or_default().to_owned(),
            bin => bin.as_str().unwrap_or_default().to_owned(),
        };
    }
    match &package["author"] {
        Value::String(person) => set_author(&mut draft, person),
        author => {
            draft.author_name = text(author, "/name");
            draft.author_email = text(author, "/email");
            draft.author_url = text(author, "/url");
        }
    }
    let repository = package["repository"].as_str().map_or_else(|| text(package, "/repository/url"), str::to_owned);
    draft.repository = repository_url(&repository);
    draft
}

fn from_pyproject(pyproject: &Value) -> Draft {
    let project = &pyproject["project"];
    let license = project["license"].as_str().map_or_else(|| text(project, "/license/text"), str::to_owned);
    let url = |names: &[&str]| {
        let urls = project["urls"].as_object().into_iter().flatten();
        let mut found = urls.filter(|(key, _)| names.contains(&key.to_lowercase().as_str()));
        found.find_map(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
    };
    Draft {
        name: text(project, "/name"),
        version: text(project, "/version"),
        description: text(project, "/description"),
        // A whole licence text is no name of a licence.
        license: if license.contains('\n') { String::new() } else { license },
        keywords: keywords(project, "/keywords"),
        author_name: text(project, "/authors/0/name"),
        author_email: text(project, "/authors/0/email"),
        homepage: url(&["homepage", "home"]),
        repository: repository_url(&url(&["repository", "source", "source code", "github"])),
        ..Draft::default()
    }
}

fn from_cargo(cargo: &Value) -> Draft {
    let package = &cargo["package"];
    let mut draft = Draft {
        name: text(package, "/name"),
        version: text(package, "/version"),
        description: text(package, "/description"),
        license: text(package, "/license"),
        keywords: keywords(package, "/keywords"),
        homepage: text(package, "/homepage"),
        repository: repository_url(&text(package, "/repository")),
        ..Draft::default()
    };
    set_author(&mut draft, &text(package, "/authors/0"));
    let program = text(cargo, "/bin/0/name");
    let program = if program.is_empty() { draft.name.clone() } else { program };
    if !program.is_empty() {
        draft.entry_point = format!("server/{program}");
    }
    draft
}

/// `Name <address> (url)`, as both ecosystems write people.
fn set_author(draft: &mut Draft, person: &str) {
    let between = |open: char, close: char| {
        let (_, rest) = person.split_once(open)?;
        Some(rest.split_once(close)?.0.trim().to_owned())
    };
    draft.author_email = between('<', '>').unwrap_or_default();
    draft.author_url = between('(', ')').unwrap_or_default();
    person.split(['<', '(']).next().unwrap_or_default().trim().clone_into(&mut draft.author_name);
}

/// The https form of what people write as repository; anything else as it stands.
fn repository_url(text: &str) -> String {
    let text = text.trim();
    let path = |rest: &str| rest.trim_end_matches(".git").to_owned();
    if let Some((host, rest)) = text.strip_prefix("git@").and_then(|t| t.split_once(':')) {
        return format!("https://{host}/{}", path(rest));
    }
    if let Some(rest) = text.strip_prefix("git+https://") {
        return format!("https://{}", path(rest));
    }
    let github =
        text.strip_prefix("github:").or((text.matches('/').count() == 1 && !text.contains([':', '.'])).then_some(text));
    match github {
        Some(rest) => format!("https://github.com/{rest}"),
        None => text.to_owned(),
    }
}

/// What every manifest needs, where the project says nothing.
fn fill(draft: &mut Draft, dir: &Path) {
    let folder = dir.canonicalize().ok().and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()));
    let set = |field: &mut String, text: &str| {
        if field.is_empty() {
            text.clone_into(field);
        }
    };
    set(&mut draft.name, &plain_name(&folder.unwrap_or_default()));
    set(&mut draft.version, "1.0.0");
    set(&mut draft.description, "An MCP server");
    set(&mut draft.author_name, "Unknown Author");
}

/// A folder's name as a package name.
fn plain_name(folder: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = folder.chars().map(kept).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "my-server".to_owned() } else { name.to_owned() }
}

/// Where a server of this type usually starts.
pub fn entry_point_of(server_type: &str) -> &'static str {
    match server_type {
        "python" => "server/main.py",
        "uv" => "src/server.py",
        "binary" => "server/my-server",
        _ => "server/index.js",
    }
}

/// What the project names, else the first usual file that exists, else the usual one.
fn entry_point(dir: &Path, draft: &Draft) -> String {
    let named = draft.entry_point.trim_start_matches("./");
    if !named.is_empty() {
        return named.to_owned();
    }
    let base = draft.name.rsplit('/').next().unwrap_or(&draft.name);
    let module = base.replace(['-', '.'], "_");
    let python = ["server/main.py", "src/server.py", "src/main.py", "main.py", "server.py"].map(str::to_owned);
    let usual: Vec<String> = match draft.server_type.as_str() {
        "node" => {
            ["server/index.js", "dist/index.js", "build/index.js", "index.js", "src/index.js"].map(str::to_owned).into()
        }
        "binary" => vec![format!("server/{base}"), format!("bin/{base}")],
        _ => python.into_iter().chain(["src/", ""].map(|root| format!("{root}{module}/__main__.py"))).collect(),
    };
    let exists = usual.iter().find(|path| dir.join(path).is_file()).cloned();
    exists.unwrap_or_else(|| match draft.server_type.as_str() {
        "binary" => format!("server/{base}"),
        other => entry_point_of(other).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn repositories_take_their_https_form() {
        for (text, url) in [
            ("git@host.example:a/b.git", "https://host.example/a/b"),
            ("git+https://host.example/a/b.git", "https://host.example/a/b"),
            ("github:a/b", "https://github.com/a/b"),
            ("a/b", "https://github.com/a/b"),
            ("https://host.example/a/b", "https://host.example/a/b"),
            ("", ""),
        ] {
            assert_eq!(repository_url(text), url, "{text}");
        }
    }

    #[test]
    fn people_split_into_name_address_and_page() {
        let author = |text: &str| {
            let mut draft = Draft::default();
            set_author(&mut draft, text);
            (draft.author_name, draft.author_email, draft.author_url)
        };
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(author("A B <a@b.co> (https://a.b)"), three("A B", "a@b.co", "https://a.b"));
        assert_eq!(author("A B"), three("A B", "", ""));
        assert_eq!(author("<a@b.co>"), three("", "a@b.co", ""));
        assert_eq!(author("A <"), three("A", "", ""));
    }

    #[test]
    fn project_files_of_any_shape_are_read() {
        for project in [
            json!({}),
            json!([]),
            json!({"name": 1, "author": [], "bin": [], "package": 3, "project": {"authors": {}}}),
        ] {
            for from in [from_package_json, from_pyproject, from_cargo] {
                assert_eq!(from(&project).name, "");
            }
        }
    }
}
