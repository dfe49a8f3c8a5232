//! AI-05: everything executable is there for a reason.
//!
//! Told from content, not from names; what makes a file expected stands in `completeness`.
//! Spec: MTF 0.1 §3.2 AI-05; MTF decisions, 7.

use crate::control::Verdict;
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let seen = evidence.completeness();
    let mut findings: Vec<Finding> = Vec::new();
    // 1. Executable content that nothing explains blocks.
    for unexpected in &seen.unexpected {
        let finding = if unexpected.unlisted {
            let title =
                format!("{} in the folder of an installed package, whose RECORD does not list it", unexpected.what);
            finding("unlisted-file", Severity::High, title)
                .fix("install the package again, or move your own code out of its folder")
        } else {
            let title = format!("{} that nothing in the bundle refers to", unexpected.what);
            let fix = "leave it out with `.mcpbignore`, or name it where the server starts it";
            finding("unexpected-executable", Severity::High, title).fix(fix)
        };
        findings.push(finding.at(&unexpected.path, None));
    }
    let blocks = !findings.is_empty();
    // 2. Archives and environments warn.
    for path in &seen.archives {
        let found =
            finding("unexpected-archive", Severity::Medium, "an archive that nothing in the bundle refers to".into());
        findings.push(found.at(path, None).fix("leave it out with `.mcpbignore`; what is in it cannot be judged"));
    }
    findings.extend(unreached(evidence));
    for folder in &seen.environments {
        let found = finding(
            "virtual-environment",
            Severity::Low,
            format!("`{folder}` is a virtual environment, which runs only where it was made"),
        );
        findings.push(
            found.at(MANIFEST, None).fix("install with `pip install --target` or pack with `mpak pack --vendor`"),
        );
    }
    if blocks {
        return Verdict::fail("the bundle holds executable content that nothing refers to", findings);
    }
    Verdict::pass_or_warn(format!("{} files, everything executable has a reason", evidence.files().len()), findings)
}

/// Most files named that the server does not come to.
const UNREACHED_COUNT_MAX: usize = 5;

/// The server's own code that its entry point does not come to, by import, by call or by name.
fn unreached(evidence: &Evidence) -> Option<Finding> {
    let all = &evidence.completeness().unreached;
    // Where code could not be read, it may be what comes to the rest.
    if all.is_empty() || evidence.capabilities().partly || evidence.document().is_none() {
        return None;
    }
    let first: Vec<&str> = all.iter().take(UNREACHED_COUNT_MAX).map(String::as_str).collect();
    let title = format!("{} file(s) of source code that the entry point does not come to", all.len());
    let found = finding("unreached-code", Severity::Low, title).seen(first.join(", ")).at(&all[0], None);
    Some(found.fix("leave them out with `.mcpbignore`, if the server does not need them"))
}

fn finding(rule: &str, severity: Severity, title: String) -> Finding {
    Finding::new(format!("AI-05/{rule}"), severity, title)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;

    #[test]
    fn without_a_manifest_what_is_there_is_judged() {
        use mpak_bundle::limits::Limits;

        for (path, content, status) in [
            ("server.py", "#!/usr/bin/env python3\nprint(1)", Status::Pass),
            ("index.js", "#!/usr/bin/env node\n", Status::Pass),
            ("run.sh", "rm -rf /", Status::Fail),
            ("data.zip", "PK\u{3}\u{4}", Status::Warn),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(path), content).unwrap();
            let verdict = judge(&Evidence::from_folder(folder.path(), &Limits::default()).unwrap());
            assert_eq!(verdict.status, status, "{path}: {verdict:?}");
        }
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        for (path, content, status, rule) in [
            ("server/helper.py", "print(1)", Status::Pass, ""),
            ("old/deploy.sh", "rm -rf /", Status::Fail, "AI-05/unexpected-executable"),
            ("data.zip", "PK\u{3}\u{4}", Status::Warn, "AI-05/unexpected-archive"),
            ("server/other.py", "import os", Status::Warn, "AI-05/unreached-code"),
            ("venv/pyvenv.cfg", "home = /usr/bin", Status::Warn, "AI-05/virtual-environment"),
        ] {
            let document = json!({"server": {"type": "python", "entry_point": "server/main.py"}});
            let verdict =
                judge(&Evidence::of_files(&document, &[("server/main.py", "import helper"), (path, content)]));
            assert_eq!(verdict.status, status, "{path}: {verdict:?}");
            assert!(rule.is_empty() == verdict.findings.is_empty(), "{path}: {verdict:?}");
            assert!(verdict.findings.iter().all(|f| f.rule == rule), "{path}: {verdict:?}");
        }
    }
}
