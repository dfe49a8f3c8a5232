//! CQ-03 Static Analysis: what a model chooses must not name files, hosts or options unchecked.
//!
//! Spec: MTF 0.1 §3.4 CQ-03. Shells, evaluators, deserialisers and queries are CQ-05's.

use std::collections::BTreeMap;

use crate::code::facts::Unit;
use crate::code::flow::Danger;
use crate::code::flow::sinks::SinkKind;
use crate::code::program::UnitId;
use crate::code::weak;
use crate::control::{Status, Verdict};
use crate::evidence::{Code, Evidence};
use crate::report::{Finding, Severity};

use super::cq05_safe_execution::{findings, open, unfinished, verdict};

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let code = evidence.code();
    let mut found: Vec<Finding> = code
        .unread
        .iter()
        .map(|(file, reason)| {
            Finding::new("CQ-03/unread", Severity::High, "source code of the server that could not be analysed")
                .at(file.clone(), None)
                .seen(reason)
                .fix("split the file, or ship the readable source of what was generated")
        })
        .collect();
    // A server that is installed as a package is followed where it registers its tools.
    let nothing = code.first_party_count == 0 && code.flows.is_empty() && found.is_empty();
    if nothing && let Some(reason) = open(evidence) {
        return Verdict::not_run(reason);
    }
    if nothing {
        return Verdict::new(
            Status::NotApplicable,
            "the bundle holds no Python, JavaScript or TypeScript of the server's own",
        );
    }
    found.extend(unfinished(code, "CQ-03"));
    found.extend(findings(code, "CQ-03", |flow| {
        matches!(flow.kind, SinkKind::Path | SinkKind::Host | SinkKind::Opener | SinkKind::Extract)
            || flow.kind == SinkKind::Process && flow.is_argument
    }));
    found.extend(weak_ones(code));
    found.extend(silenced_ones(code));
    verdict(found, evidence, "names files, hosts or options unchecked")
}

/// Protection that is switched off, whatever the data is.
fn weak_ones(code: &Code) -> Vec<Finding> {
    let found = weak::find(&code.program, &is_plainly_own);
    let finding = |weak: weak::Weak| {
        let unit = code.program.unit(weak.unit);
        Finding::new(format!("CQ-03/{}", weak.rule), Severity::Medium, weak.what)
            .at(unit.path.clone(), Some(weak.span.line))
            .seen(unit.line(weak.span))
            .fix(weak.fix)
    };
    found.into_iter().map(finding).collect()
}

/// Comments that would silence a finding elsewhere, without saying why; here none does.
fn silenced_ones(code: &Code) -> Vec<Finding> {
    let mut lines: BTreeMap<UnitId, Vec<u32>> = BTreeMap::new();
    for flow in code.flows.iter().filter(|flow| flow.danger > Danger::Constant) {
        lines.entry(flow.unit).or_default().push(flow.span.line);
    }
    let mut found = Vec::new();
    for (unit, lines) in lines {
        let unit = code.program.unit(unit);
        for span in weak::silenced(unit, &lines) {
            found.push(
                Finding::new("CQ-03/silenced", Severity::Medium, "a comment silences a finding without a reason")
                    .at(unit.path.clone(), Some(span.line))
                    .seen(unit.line(span))
                    .fix("say why after a colon, and answer for the finding with an entry of the manifest"),
            );
        }
    }
    found
}

/// Whether a file lies in no folder of packages: what vendored code registers is followed, its habits are not judged.
fn is_plainly_own(unit: &Unit) -> bool {
    let folder = |part: &str| matches!(part, "node_modules" | "site-packages" | "vendor" | "deps" | ".venv");
    !unit.path.split('/').any(folder)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use mpak_bundle::digest::Sha256;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_that_is_installed_as_a_package_is_judged() {
        let tool = |body: &str| {
            format!(
                "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\n@mcp.tool()\ndef read(name: str) -> str:\n    return {body}\n"
            )
        };
        for (body, status) in [("open(name).read()", Status::Fail), ("'x'", Status::NotApplicable)] {
            let source = tool(body);
            let digest =
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::of(source.as_bytes()).as_bytes());
            let record = format!("reader/server.py,sha256={digest},1\n");
            let files = [
                ("server/lib/reader/server.py", source.as_str()),
                ("server/lib/reader-1.dist-info/RECORD", &record),
                ("server/lib/reader-1.dist-info/METADATA", "Name: reader\nVersion: 1\n"),
            ];
            let document = json!({"name": "x", "server": {"type": "python", "entry_point": "server/main.py"}});
            let verdict = judge(&Evidence::of_files(&document, &files));
            assert_eq!(verdict.status, status, "{verdict:?}");
        }
    }
}
