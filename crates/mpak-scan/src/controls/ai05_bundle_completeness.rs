//! AI-05: everything executable is there for a reason.
//!
//! Told from content, not from names; what makes a file expected stands in `completeness`.
//! Spec: MTF 0.1 §3.2 AI-05; MTF decisions, 7.

use crate::control::Verdict;
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let seen = evidence.completeness();
    if evidence.document().is_none() {
        return Verdict::not_run("there is no readable manifest.json that could name the files");
    }
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

fn finding(rule: &str, severity: Severity, title: String) -> Finding {
    Finding::new(format!("AI-05/{rule}"), severity, title)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;

    #[test]
    fn each_row_of_the_table_is_judged() {
        for (path, content, status, rule) in [
            ("server/helper.py", "print(1)", Status::Pass, ""),
            ("old/deploy.sh", "rm -rf /", Status::Fail, "AI-05/unexpected-executable"),
            ("data.zip", "PK\u{3}\u{4}", Status::Warn, "AI-05/unexpected-archive"),
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
