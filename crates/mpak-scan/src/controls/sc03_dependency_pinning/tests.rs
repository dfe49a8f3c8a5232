//! Cases of SC-03, from the rows of its table.

use serde_json::json;

use super::*;

const HASHED: &str = r#"{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha512-x"}}}"#;
const PROJECT: &str = r#"{"name":"me","dependencies":{"a":"^1.0.0"}}"#;
const INSTALLED: &str = r#"{"name":"a","version":"1.0.0"}"#;

fn verdict(server: &Value, files: &[(&str, &str)]) -> Verdict {
    judge(&Evidence::of_files(&json!({"server": server}), files))
}

#[test]
fn each_row_of_the_table_is_judged() {
    let node = json!({"entry_point": "server/index.js"});
    let lock_1 = r#"{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha1-x"}}}"#;
    let git = |commit: &str| {
        format!(
            r#"{{"packages":{{"node_modules/a":{{"version":"1.0.0","resolved":"git+https://github.com/x/a.git#{commit}"}}}}}}"#
        )
    };
    let (mutable, fixed) = (git("main"), git("0123456789abcdef0123456789abcdef01234567"));
    let uv = "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"https://i.example\" }\nwheels = [{ url = \"https://f.example/a\", hash = \"sha256:x\" }]\n";
    let pyproject = "[project]\nname = \"me\"\ndependencies = [\"a>=1\"]\n";
    for (files, status, from, rule) in [
        (vec![], Status::NotApplicable, None, ""),
        (vec![("package.json", r#"{"name":"me"}"#)], Status::NotApplicable, None, ""),
        (vec![("package.json", PROJECT)], Status::Fail, None, "SC-03/missing-lockfile"),
        (vec![("package.json", PROJECT), ("package-lock.json", HASHED)], Status::Pass, None, ""),
        (vec![("server/package.json", PROJECT), ("server/package-lock.json", HASHED)], Status::Pass, None, ""),
        (vec![("package.json", PROJECT), ("package-lock.json", lock_1)], Status::Warn, Some(3), "SC-03/no-hash"),
        (vec![("package.json", PROJECT), ("package-lock.json", &mutable)], Status::Fail, None, "SC-03/mutable-git"),
        (vec![("package.json", PROJECT), ("package-lock.json", &fixed)], Status::Pass, None, ""),
        (
            vec![("package.json", r#"{"dependencies":{"a":"1","b":"*"}}"#), ("package-lock.json", HASHED)],
            Status::Fail,
            None,
            "SC-03/unpinned",
        ),
        // Vendored, with and without a record of hashes.
        (
            vec![("package.json", PROJECT), ("node_modules/a/package.json", INSTALLED)],
            Status::Warn,
            Some(3),
            "SC-03/no-hash",
        ),
        (
            vec![
                ("package.json", PROJECT),
                ("node_modules/a/package.json", INSTALLED),
                ("node_modules/.package-lock.json", HASHED),
            ],
            Status::Pass,
            None,
            "",
        ),
        (
            vec![
                ("requirements.txt", "a>=1\n"),
                ("lib/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"),
                ("lib/a-1.dist-info/RECORD", ""),
            ],
            Status::Pass,
            None,
            "",
        ),
        (vec![("lib/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n")], Status::Warn, Some(3), "SC-03/no-hash"),
        // Python, not vendored.
        (vec![("requirements.txt", "requests>=2.0\n")], Status::Fail, None, "SC-03/unpinned"),
        (vec![("requirements.txt", "requests==2.0\n")], Status::Warn, Some(3), "SC-03/no-hash"),
        (vec![("requirements.txt", "requests==2.0 --hash=sha256:00\n")], Status::Pass, None, ""),
        (vec![("requirements.txt", "x @ git+https://example.org/x@main\n")], Status::Fail, None, "SC-03/mutable-git"),
        (vec![("pyproject.toml", pyproject)], Status::Fail, None, "SC-03/missing-lockfile"),
        (vec![("pyproject.toml", pyproject), ("uv.lock", uv)], Status::Pass, None, ""),
        // Of others: an example beside the server.
        (vec![("examples/x/package.json", PROJECT)], Status::NotApplicable, None, ""),
        (
            vec![("package.json", r#"{"devDependencies":{"t":"*"},"optionalDependencies":{"o":"*"}}"#)],
            Status::Pass,
            None,
            "",
        ),
        (
            vec![
                ("package.json", PROJECT),
                ("package-lock.json", HASHED),
                (
                    "sbom.json",
                    r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"a","version":"2.0.0","purl":"pkg:npm/a@2.0.0"}]}"#,
                ),
            ],
            Status::Warn,
            None,
            "SC-03/sbom-mismatch",
        ),
    ] {
        let verdict = verdict(&node, &files);
        assert_eq!((verdict.status, verdict.fails_from), (status, from), "{files:?}: {verdict:?}");
        assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{files:?}: {verdict:?}");
    }
}

#[test]
fn what_is_fetched_at_start_is_not_pinned() {
    for (server, status) in [
        (json!({"mcp_config": {"command": "npx", "args": ["-y", "x"]}}), Status::Fail),
        (
            json!({"mcp_config": {"command": "node", "args": ["x"], "platform_overrides": {"win32": {"command": "npx"}}}}),
            Status::Fail,
        ),
        (
            json!({"mcp_config": {"command": "uv", "args": ["run", "x"], "env": {"UV_FROZEN": "1"}}}),
            Status::NotApplicable,
        ),
        (json!({"mcp_config": {"command": 7, "args": "x"}}), Status::NotApplicable),
        (json!([]), Status::NotApplicable),
    ] {
        assert_eq!(verdict(&server, &[]).status, status, "{server}");
    }
}
