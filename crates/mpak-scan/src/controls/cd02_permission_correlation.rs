//! CD-02: the manifest declares what the code can do: no more, and no less.
//!
//! Spec: MTF 0.1 §3.5 CD-02. The rows of its table that block are findings of severity `high` and `critical`.
//! A missing block blocks nothing by itself: each permission is then `none`; so it is without a manifest.

use crate::capabilities::permissions::{self, Permissions};
use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};

/// Most files named that the server does not come to.
const UNREACHED_COUNT_MAX: usize = 5;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let found = evidence.capabilities();
    let block = evidence.extension().and_then(|extension| extension.get("permissions"));
    let declared = Permissions::declared(block);
    if !found.judged {
        return Verdict::not_run("the bundle holds no code that can be read: what it does was not compared");
    }
    // 1. What is done and not declared.
    let mut findings = permissions::undeclared(found, declared);
    let blocks = findings.iter().filter(|finding| finding.severity >= Severity::High).count();
    // 2. What is declared and not done, unless code that could not be read may do it.
    match block {
        None => findings.push(permissions::missing(evidence.document().is_some())),
        Some(_) if !found.partly => findings.extend(permissions::unused(found, declared)),
        Some(_) => {}
    }
    let warns = findings.iter().any(|finding| finding.severity > Severity::Info);
    findings.extend(unreached(&found.unreached));
    let uses = found.uses.len();
    let seen = if uses == 1 { "1 use was found".to_owned() } else { format!("{uses} uses were found") };
    if blocks > 0 {
        let what = if blocks == 1 { "1 of them blocks".to_owned() } else { format!("{blocks} of them block") };
        return Verdict::fail(format!("the code does what is not declared: {seen}, {what}"), findings);
    }
    let (status, reason) = match (warns, found.partly) {
        (true, _) => (Status::Warn, format!("{seen} and compared with what is declared")),
        (false, true) => (Status::Pass, format!("{seen}, and all are declared; some code could not be read")),
        (false, false) => (Status::Pass, format!("{seen}, and what is declared is what the code does")),
    };
    Verdict { findings, ..Verdict::new(status, reason) }
}

/// Code that nothing starts.
fn unreached(files: &[String]) -> Option<Finding> {
    let first: Vec<&str> = files.iter().take(UNREACHED_COUNT_MAX).map(String::as_str).collect();
    let count = files.len();
    (count > 0).then(|| {
        Finding::new(
            "CD-02/unreached",
            Severity::Info,
            format!("{count} file(s) of source code that the entry point does not come to were left out"),
        )
        .seen(first.join(", "))
        .fix("leave them out of the bundle, if the server does not need them")
    })
}

#[cfg(test)]
mod tests {
    use mpak_bundle::limits::Limits;

    use super::*;

    #[test]
    fn without_a_manifest_everything_that_is_done_is_undeclared() {
        for (source, status, rule) in [
            ("import subprocess\nsubprocess.run(['ls'])\n", Status::Fail, "CD-02/subprocess"),
            ("print(1)\n", Status::Warn, "CD-02/not-declared"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("server.py"), source).unwrap();
            let verdict = judge(&Evidence::from_folder(folder.path(), &Limits::default()).unwrap());
            assert_eq!(verdict.status, status, "{source}: {verdict:?}");
            assert!(verdict.findings.iter().any(|f| f.rule == rule), "{source}: {verdict:?}");
            // Nothing is said about a place that is not there.
            assert!(verdict.findings.iter().all(|f| f.file.as_deref() != Some("manifest.json")), "{verdict:?}");
        }
    }
}
