//! AI-04: building the same source again gives the same bytes.
//!
//! The declaration is the manifest's, the proof is somebody else's rebuild. Spec: MTF 0.1 §3.2 AI-04.

use serde_json::Value;

use crate::control::Verdict;
use crate::credentials::filled;
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    if evidence.document().is_none() {
        return Verdict::not_run("there is no readable manifest.json to take the declaration from");
    }
    let build = evidence.extension().and_then(|e| e.get("build"));
    // 1. The manifest says so.
    let problem = |rule: &str, title: &str| {
        finding(rule, Severity::High, title)
            .fix("pack with `mpak pack`, build from pinned dependencies, then set `build.reproducible` to true")
    };
    match build.and_then(|b| b.get("reproducible")) {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => {
            let found = problem("declared-not-reproducible", "`build.reproducible` is false");
            return Verdict::fail("the manifest says that the build is not reproducible", vec![found]);
        }
        None | Some(_) => {
            let found = problem("undeclared", "`build.reproducible` is not declared");
            return Verdict::fail("the manifest does not say whether the build is reproducible", vec![found]);
        }
    }
    // 2. How others can try.
    let mut findings = Vec::new();
    if filled(build.and_then(|b| b.get("instructions"))).is_none() {
        let found = finding("no-instructions", Severity::Low, "`build.instructions` is missing");
        findings.push(found.fix("give the address of a page that says how to build it, with toolchain versions"));
    }
    // 3. Others have tried.
    let rebuilds = &evidence.outside().rebuilds;
    let Some(artifact) = evidence.artifact().filter(|_| !rebuilds.is_empty()) else {
        return Verdict::not_run(if rebuilds.is_empty() {
            "nobody's rebuild is known: give one as evidence with `--evidence`"
        } else {
            "a folder has no digest to compare a rebuild with: scan the packed bundle"
        });
    };
    for other in rebuilds.iter().filter(|rebuild| rebuild.sha256 != artifact) {
        let by = other.by.as_deref().unwrap_or("somebody");
        let found =
            Finding::new("AI-04/rebuild-differs", Severity::High, format!("the rebuild by {by} has other bytes"));
        findings.push(
            found.seen(format!("{}, expected {}", other.sha256.prefixed(), artifact.prefixed())).fix(
                "compare the two archives file by file; times, order and unpinned dependencies are the usual causes",
            ),
        );
    }
    if findings.iter().any(|f| f.rule == "AI-04/rebuild-differs") {
        return Verdict::fail("the build is declared reproducible, and a rebuild differs", findings);
    }
    let count = rebuilds.len();
    let plural = if count == 1 { "" } else { "s" };
    Verdict::pass_or_warn(format!("{count} rebuild{plural} gave the same bytes"), findings)
}

fn finding(rule: &str, severity: Severity, title: &str) -> Finding {
    Finding::new(format!("AI-04/{rule}"), severity, title).at(MANIFEST, None)
}

#[cfg(test)]
mod tests {
    use mpak_bundle::digest::Sha256;
    use serde_json::json;

    use super::*;
    use crate::control::Status;
    use crate::outside::Outside;

    #[test]
    fn each_row_of_the_table_is_judged() {
        let ours = Sha256::of(b"ours");
        let rebuilt = |bytes: &[u8]| json!([{"sha256": Sha256::of(bytes), "by": "an auditor"}]);
        let good = json!({"builder": "x", "reproducible": true, "instructions": "https://example.org/BUILD.md"});
        let bare = json!({"builder": "x", "reproducible": true});
        for (build, rebuilds, status, rule) in [
            (good.clone(), rebuilt(b"ours"), Status::Pass, ""),
            (good.clone(), rebuilt(b"theirs"), Status::Fail, "AI-04/rebuild-differs"),
            (good, json!([]), Status::NotRun, ""),
            (bare, rebuilt(b"ours"), Status::Warn, "AI-04/no-instructions"),
            (json!({"reproducible": false}), rebuilt(b"ours"), Status::Fail, "AI-04/declared-not-reproducible"),
            (json!({"reproducible": "true"}), rebuilt(b"ours"), Status::Fail, "AI-04/undeclared"),
            (json!(7), rebuilt(b"ours"), Status::Fail, "AI-04/undeclared"),
        ] {
            let outside = Outside::read(json!({"version": 1, "rebuilds": rebuilds}).to_string().as_bytes()).unwrap();
            let document = json!({"_meta": {"org.mpaktrust": {"build": build}}});
            let evidence = Evidence::of_document(&document).with_artifact(ours).unwrap().with_outside(outside).unwrap();
            let verdict = judge(&evidence);
            assert_eq!(verdict.status, status, "{build}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{build}: {verdict:?}");
        }
    }
}
