//! Whether a command line fetches what it runs.

/// Deepest nesting of shells that is followed.
const DEPTH_MAX: usize = 4;
/// Variables that make uv keep to its lockfile or stay offline.
const UV_VARIABLES: [&str; 4] = ["UV_FROZEN", "UV_LOCKED", "UV_OFFLINE", "UV_NO_SYNC"];

/// The part of the command line that fetches, for example `npx`.
pub(super) fn fetches(words: &[String], variables: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    command(&words, variables, 0)
}

fn command(words: &[&str], variables: &[String], depth: usize) -> Option<String> {
    // `env A=1 npx …`
    let start = words.iter().position(|word| !word.is_empty() && *word != "env" && !is_assignment(word))?;
    let (program, rest) = (program(words[start]), &words[start + 1..]);
    let first = rest.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    let has = |flags: &[&str]| rest.iter().any(|word| flags.contains(word));
    let said = |what: &str| Some(format!("{program}{}{what}", if what.is_empty() { "" } else { " " }));
    match program.as_str() {
        "npx" if has(&["--no-install", "--no", "--offline"]) => None,
        "npx" | "pnpx" | "bunx" | "uvx" => said(""),
        "pipx" | "cargo" | "go" if matches!(first, "run" | "install" | "get") && is_remote(&program, rest) => {
            said(first)
        }
        "npm" if matches!(first, "exec" | "x" | "install" | "i" | "ci" | "add") => said(first),
        "pnpm" | "yarn" | "bun" if matches!(first, "dlx" | "x" | "install" | "i" | "add" | "create") => said(first),
        "uv" => uv(rest, variables),
        "pip" | "pip3" if first == "install" => said(first),
        "deno" if !has(&["--cached-only", "--frozen", "--vendor"]) => {
            let remote = |word: &&&str| ["npm:", "jsr:", "https:", "http:"].iter().any(|start| word.starts_with(start));
            rest.iter().find(remote).map(|word| format!("deno {word}"))
        }
        "docker" | "podman" | "nerdctl" if first == "run" && !rest.iter().any(|word| word.contains("@sha256:")) => {
            said("run, without an image digest")
        }
        "sh" | "bash" | "zsh" | "dash" | "cmd" | "powershell" | "pwsh" if depth < DEPTH_MAX => {
            rest.iter()
                .filter(|word| word.contains(' '))
                .find_map(|script| shell(script, variables, depth + 1))
                .or_else(|| {
                    // `cmd /c npx …`
                    let flag = rest
                        .iter()
                        .position(|word| matches!(word.to_ascii_lowercase().as_str(), "/c" | "-c" | "-command"))?;
                    command(&rest[flag + 1..], variables, depth + 1)
                })
        }
        name if name.starts_with("python") || name == "py" => {
            let module = rest.iter().position(|word| *word == "-m").and_then(|at| rest.get(at + 1));
            let installs = rest.contains(&"install");
            (module.is_some_and(|m| matches!(*m, "pip" | "ensurepip")) && installs)
                .then(|| format!("{name} -m pip install"))
        }
        _ => None,
    }
}

/// Each command of a shell's text.
fn shell(script: &str, variables: &[String], depth: usize) -> Option<String> {
    script.split([';', '&', '|', '\n', '(', ')', '`']).find_map(|part| {
        let words: Vec<&str> = part.split_ascii_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
        let words = words.strip_prefix(&["exec"]).unwrap_or(&words);
        command(words, variables, depth)
    })
}

fn uv(rest: &[&str], variables: &[String]) -> Option<String> {
    // `--directory PATH` may stand before the command.
    let first = *rest.iter().find(|word| ["run", "tool", "pip", "sync"].contains(word))?;
    let has = |flags: &[&str]| rest.iter().any(|word| flags.contains(word));
    let frozen = has(&["--frozen", "--locked", "--offline", "--no-sync"])
        || variables.iter().any(|name| UV_VARIABLES.contains(&name.as_str()));
    let adds = rest
        .iter()
        .any(|word| ["--with", "--with-editable", "--with-requirements"].iter().any(|f| word.starts_with(f)));
    match first {
        "tool" => Some("uv tool".into()),
        "pip" if has(&["install", "sync"]) => Some("uv pip install".into()),
        "run" if adds && !has(&["--offline"]) => Some("uv run --with".into()),
        "run" | "sync" if !frozen => Some(format!("uv {first} without --frozen")),
        _ => None,
    }
}

/// `go run example.org/x@latest` fetches, `go run .` builds what is there; `cargo run` may fetch.
fn is_remote(program: &str, rest: &[&str]) -> bool {
    program != "go" || rest.iter().any(|word| word.contains('@')) || rest.contains(&"install")
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The last part of a program's path, in lower case, without what Windows adds.
fn program(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
    [".exe", ".cmd", ".bat", ".ps1"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_that_fetch_are_told_from_those_that_do_not() {
        for (line, expected) in [
            ("node ${__dirname}/server/index.js", None),
            ("npx -y @acme/server@1.0.0", Some("npx")),
            ("C:\\\\nodejs\\\\NPX.cmd -y x", Some("npx")),
            ("npx --no-install local", None),
            ("npm start", None),
            ("npm exec x", Some("npm exec")),
            ("yarn dlx x", Some("yarn dlx")),
            ("uv run --directory ${__dirname} src/server.py", Some("uv run without --frozen")),
            ("uv run --frozen --directory x y", None),
            ("uv run --frozen --with requests y", Some("uv run --with")),
            ("uv --directory x run y", Some("uv run without --frozen")),
            ("uvx acme-server", Some("uvx")),
            ("uv tool run acme", Some("uv tool")),
            ("pipx run acme", Some("pipx run")),
            ("python -m server", None),
            ("python3.12 -m pip install x", Some("python3.12 -m pip install")),
            ("env A=1 npx x", Some("npx")),
            ("cmd /c npx x", Some("npx")),
            ("docker run -i acme/server:latest", Some("docker run, without an image digest")),
            ("docker run -i acme/server@sha256:00", None),
            ("deno run -A npm:acme@1", Some("deno npm:acme@1")),
            ("deno run -A main.ts", None),
            ("go run example.org/x@latest", Some("go run")),
            ("go run .", None),
            ("/bin/pip install x", Some("pip install")),
            ("", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(fetches(&words, &[]).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn shells_are_looked_into() {
        let words = |script: &str| ["bash", "-c", script].map(str::to_owned).to_vec();
        for (script, expected) in [
            ("cd x && exec npx -y acme", Some("npx")),
            ("pip install -r requirements.txt; python server.py", Some("pip install")),
            ("sh -c 'npx a'", Some("npx")),
            ("node server.js --note 'npx is not used'", None),
        ] {
            assert_eq!(fetches(&words(script), &[]).as_deref(), expected, "{script}");
        }
        assert_eq!(fetches(&["uv", "run", "x"].map(str::to_owned), &["UV_FROZEN".to_owned()]), None);
        let deep = vec!["sh".to_owned(); 100_000];
        assert_eq!(fetches(&deep, &[]), None);
    }
}
