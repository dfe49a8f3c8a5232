//! CQ-04 Input Validation: each handler's input has types that are checked before it runs.
//!
//! Spec: MTF 0.1 §3.4 CQ-04. "WARN (L3), BLOCK (L4)" for a handler without any check.

use crate::code::tools::{Handler, Kind, Schema};
use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};

use super::cq05_safe_execution::unjudged;

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let code = evidence.code();
    let unjudged = unjudged(evidence);
    if code.first_party_count == 0 && code.handlers.is_empty() {
        if let Some(reason) = unjudged {
            return Verdict::not_run(reason);
        }
        return Verdict::new(
            Status::NotApplicable,
            "the bundle holds no Python, JavaScript or TypeScript of the server's own",
        );
    }
    let tools: Vec<&Handler> = code.handlers.iter().filter(|handler| handler.kind == Kind::Tool).collect();
    if tools.is_empty() {
        return Verdict::not_run("no tool handler was found in the code, so none could be judged");
    }
    let mut found = Vec::new();
    let mut unchecked = 0;
    for handler in &tools {
        let unit = code.program.unit(handler.registered_in);
        let name = handler.name.as_deref().unwrap_or("the handler of all tools");
        let (severity, title) = match &handler.schema {
            Schema::Typed => continue,
            _ if handler.inputs.is_empty() => continue,
            Schema::Partly(params) => (Severity::Low, format!("`{name}` takes {} without a type", params.join(", "))),
            Schema::None => {
                unchecked += 1;
                (Severity::Medium, format!("`{name}` takes input that nothing checks"))
            }
        };
        found.push(
            Finding::new("CQ-04/unchecked", severity, title)
                .at(unit.path.clone(), Some(handler.span.line))
                .seen(unit.line(handler.span))
                .fix("give each parameter a type (Python), or a schema that is parsed before the handler runs"),
        );
    }
    // Handlers beside a program that was not read, of which nobody knows whether it uses them.
    if let Some(reason) = unjudged {
        return Verdict { findings: found, ..Verdict::not_run(reason) };
    }
    let reason = format!("{} of {} tool handlers check their input", tools.len() - unchecked, tools.len());
    Verdict::pass_or_warn(reason, found).failing_from((unchecked > 0).then_some(4))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(path: &str, source: &str) -> Verdict {
        let document = json!({"server": {"type": "python", "entry_point": path}});
        judge(&Evidence::of_files(&document, &[(path, source)]))
    }

    #[test]
    fn a_handler_without_any_check_warns_at_level_3_and_fails_from_level_4() {
        let python = |signature: &str| {
            format!(
                "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\n@mcp.tool()\ndef run({signature}) -> str:\n    return 'x'\n"
            )
        };
        for (signature, status, from, severity) in [
            ("name: str", Status::Pass, None, None),
            ("", Status::Pass, None, None),
            ("name: str, count: int = 3", Status::Pass, None, None),
            ("name: str, other", Status::Warn, None, Some(Severity::Low)),
            ("name", Status::Warn, Some(4), Some(Severity::Medium)),
        ] {
            let verdict = verdict("server/main.py", &python(signature));
            assert_eq!((verdict.status, verdict.fails_from), (status, from), "{signature}: {verdict:?}");
            assert_eq!(verdict.findings.first().map(|f| f.severity), severity, "{signature}: {verdict:?}");
            assert!(verdict.findings.iter().all(|f| f.rule == "CQ-04/unchecked" && f.line.is_some()), "{verdict:?}");
        }
        let low =
            "server.setRequestHandler(CallToolRequestSchema, async (request) => run(request.params.arguments));\n";
        let verdict = verdict("server/index.js", low);
        assert_eq!((verdict.status, verdict.fails_from), (Status::Warn, Some(4)), "{verdict:?}");
    }

    #[test]
    fn code_without_handlers_and_code_that_is_not_read_are_not_judged() {
        assert_eq!(verdict("server/main.py", "print(1)\n").status, Status::NotRun);
        assert_eq!(verdict("server/main.rb", "puts 1\n").status, Status::NotRun);
        assert_eq!(verdict("server/main.sh", "#!/bin/sh\necho 1\n").status, Status::NotRun);
    }
}
