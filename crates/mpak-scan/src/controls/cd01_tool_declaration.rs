//! CD-01: the manifest declares the server's tools, each with a name and a description.
//!
//! Judged from the document, so that a manifest that AI-01 refuses for something else is judged too.
//! Spec: MTF 0.1 §3.5 CD-01.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::code::tools::{Handler, Kind};
use crate::control::{Status, Verdict};
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};
use crate::texts::Registered;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let registered = evidence.texts().map_or(&[][..], |texts| texts.registered.as_slice());
    match evidence.document() {
        Some(document) => {
            let verdict = with_registered(judge_document(document), document, registered);
            with_unregistered(verdict, document, evidence)
        }
        None => Verdict::not_run("there is no readable manifest.json to take the tools from"),
    }
}

/// Most tools that one finding each is made of.
const UNDECLARED_COUNT_MAX: usize = 50;

/// Adds tools that the code registers and the manifest does not declare: a warning, and blocking from level 2.
fn with_registered(verdict: Verdict, document: &Value, registered: &[Registered]) -> Verdict {
    let generated = document.get("tools_generated") == Some(&Value::Bool(true));
    let Some(Value::Array(tools)) = document.get("tools") else { return verdict };
    let blocked = matches!(verdict.status, Status::Fail | Status::NotRun);
    if generated || blocked {
        return verdict;
    }
    let declared: Vec<&str> = tools.iter().filter_map(|tool| text(tool, "name")).collect();
    // A server that is mounted in another one has its tools behind a prefix.
    let is_declared = |name: &str| {
        declared.iter().any(|known| {
            known.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', '.', '/']))
        })
    };
    let mut seen = BTreeSet::new();
    let surplus = registered.iter().filter(|tool| !is_declared(&tool.name) && seen.insert(tool.name.as_str()));
    let surplus: Vec<Finding> = surplus.take(UNDECLARED_COUNT_MAX).map(undeclared).collect();
    if surplus.is_empty() {
        return verdict;
    }
    let count = surplus.len();
    let mut findings = verdict.findings;
    findings.extend(surplus);
    let reason = format!("{}; {count} more registered by the code", verdict.reason);
    Verdict::pass_or_warn(reason, findings).failing_from(Some(2))
}

/// Adds tools that the manifest declares and no code registers. It is told only where all registrations are known:
/// all code was read, and every one has a constant name.
fn with_unregistered(verdict: Verdict, document: &Value, evidence: &Evidence) -> Verdict {
    let generated = document.get("tools_generated") == Some(&Value::Bool(true));
    let Some(Value::Array(tools)) = document.get("tools") else { return verdict };
    let code = evidence.code();
    let handled: Vec<&Handler> = code.handlers.iter().filter(|handler| handler.kind == Kind::Tool).collect();
    let names: Option<BTreeSet<&str>> = handled.iter().map(|handler| handler.name.as_deref()).collect();
    let Some(names) = names.filter(|names| !names.is_empty() && code.unread.is_empty()) else { return verdict };
    if generated || matches!(verdict.status, Status::Fail | Status::NotRun) {
        return verdict;
    }
    // A server that is mounted in another one has its tools behind a prefix.
    let is_registered = |declared: &str| {
        names.iter().any(|name| {
            declared
                .strip_suffix(name)
                .is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', '.', '/']))
        })
    };
    let declared = tools.iter().enumerate().filter_map(|(i, tool)| Some((i, text(tool, "name")?)));
    let surplus = declared.filter(|(_, name)| !is_registered(name)).take(UNDECLARED_COUNT_MAX);
    let surplus: Vec<Finding> = surplus
        .map(|(i, name)| {
            let name: String = name.chars().take(80).collect();
            let title = format!("the manifest declares the tool `{name}`, which no code registers");
            finding("unregistered-tool", Severity::Low, title)
                .seen(format!("/tools/{i}"))
                .fix("remove it from `tools`, or correct its name")
        })
        .collect();
    if surplus.is_empty() {
        return verdict;
    }
    let mut findings = verdict.findings;
    findings.extend(surplus);
    Verdict { status: Status::Warn, findings, ..verdict }
}

fn undeclared(tool: &Registered) -> Finding {
    let name: String = tool.name.chars().take(80).collect();
    Finding::new(
        "CD-01/undeclared-tool",
        Severity::Medium,
        format!("the code registers the tool `{name}`, which the manifest does not declare"),
    )
    .at(tool.file.clone(), tool.line)
    .seen(name)
    .fix("declare it in `tools`, or set `tools_generated` to true")
}

fn judge_document(document: &Value) -> Verdict {
    let generated = document.get("tools_generated") == Some(&Value::Bool(true));
    let tools = match document.get("tools") {
        None if generated => {
            return Verdict::pass_or_warn("the server makes its tools at run time and says so", vec![]);
        }
        None => {
            let finding = finding("missing-tools", Severity::High, "the field `tools` is missing")
                .fix("list every tool with `name` and `description`, or set `tools_generated` to true");
            return Verdict::fail("no tools are declared", vec![finding]);
        }
        Some(Value::Array(tools)) => tools,
        Some(_) => {
            let finding =
                finding("bad-tools", Severity::High, "`tools` is not a list").fix("make it a list of objects");
            return Verdict::fail("the tools cannot be read", vec![finding]);
        }
    };
    // 1. A tool without a name blocks at every level.
    let nameless = nameless(tools);
    if !nameless.is_empty() {
        return Verdict::fail("a tool has no name", nameless);
    }
    // 2. A tool without a description blocks from level 2.
    let undescribed = undescribed(tools);
    let fails_from = if undescribed.is_empty() { None } else { Some(2) };
    // 3. Two tools of one name: the client sees one of them.
    let mut findings = undescribed;
    findings.extend(doubles(tools));
    let count = tools.len();
    let reason = match (fails_from, count) {
        (Some(_), _) => "a tool has no description".to_owned(),
        (None, 0) => "the manifest declares that the server has no tools".to_owned(),
        (None, 1) => "1 tool is declared".to_owned(),
        (None, _) => format!("{count} tools are declared"),
    };
    Verdict::pass_or_warn(reason, findings).failing_from(fails_from)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("CD-01/{rule}"), severity, title).at(MANIFEST, None)
}

/// A field that holds more than white space.
fn text<'a>(tool: &'a Value, field: &str) -> Option<&'a str> {
    tool.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn nameless(tools: &[Value]) -> Vec<Finding> {
    let without = tools.iter().enumerate().filter(|(_, tool)| text(tool, "name").is_none());
    without
        .map(|(i, _)| {
            finding("tool-without-name", Severity::High, format!("/tools/{i} has no name"))
                .fix("give the tool the name that the server registers")
        })
        .collect()
}

fn undescribed(tools: &[Value]) -> Vec<Finding> {
    let without = tools.iter().enumerate().filter(|(_, tool)| text(tool, "description").is_none());
    without
        .map(|(i, tool)| {
            let name = text(tool, "name").unwrap_or_default();
            finding("tool-without-description", Severity::Medium, format!("/tools/{i} (`{name}`) has no description"))
                .fix("say in a sentence what the tool does and what it touches")
        })
        .collect()
}

fn doubles(tools: &[Value]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let names = tools.iter().filter_map(|tool| text(tool, "name"));
    let twice: BTreeSet<&str> = names.filter(|name| !seen.insert(*name)).collect();
    twice
        .into_iter()
        .map(|name| {
            finding("double-tool", Severity::Low, format!("the tool `{name}` is declared twice"))
                .fix("remove one of them")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;

    #[test]
    fn tools_need_names_at_once_and_descriptions_from_level_2() {
        let good = json!({"name": "a", "description": "Adds."});
        for (document, status, fails_from, rule) in [
            (json!({"tools": [good]}), Status::Pass, None, ""),
            (json!({"tools": []}), Status::Pass, None, ""),
            (json!({"tools_generated": true}), Status::Pass, None, ""),
            (json!({"tools": [good], "tools_generated": true}), Status::Pass, None, ""),
            (json!({}), Status::Fail, None, "CD-01/missing-tools"),
            (json!({"tools_generated": false}), Status::Fail, None, "CD-01/missing-tools"),
            (json!({"tools_generated": "true"}), Status::Fail, None, "CD-01/missing-tools"),
            (json!({"tools": {"a": "b"}}), Status::Fail, None, "CD-01/bad-tools"),
            (json!({"tools": null}), Status::Fail, None, "CD-01/bad-tools"),
            (json!({"tools": ["a"]}), Status::Fail, None, "CD-01/tool-without-name"),
            (json!({"tools": [{"description": "x"}]}), Status::Fail, None, "CD-01/tool-without-name"),
            (json!({"tools": [{"name": " \t"}]}), Status::Fail, None, "CD-01/tool-without-name"),
            (json!({"tools": [{"name": 7}]}), Status::Fail, None, "CD-01/tool-without-name"),
            (json!({"tools": [{"name": "a"}]}), Status::Warn, Some(2), "CD-01/tool-without-description"),
            (
                json!({"tools": [{"name": "a", "description": "\n"}]}),
                Status::Warn,
                Some(2),
                "CD-01/tool-without-description",
            ),
            (json!({"tools": [good, good]}), Status::Warn, None, "CD-01/double-tool"),
            (json!([]), Status::Fail, None, "CD-01/missing-tools"),
        ] {
            let verdict = judge_document(&document);
            assert_eq!((verdict.status, verdict.fails_from), (status, fails_from), "{document}");
            assert_eq!(verdict.findings.first().map_or("", |f| f.rule.as_str()), rule, "{document}");
        }
    }

    #[test]
    fn tools_that_only_the_code_knows_are_told() {
        let source =
            "server.tool('a', 'Does.', {}, async () => ({}));\nserver.tool('b', 'More.', {}, async () => ({}));\n";
        let mounted = json!({"name": "sub_b", "description": "More."});
        let a = json!({"name": "a", "description": "Does."});
        for (tools, generated, status, lines) in [
            (json!([a]), false, Status::Warn, vec![2]),
            (json!([a, mounted]), false, Status::Pass, vec![]),
            (json!([]), true, Status::Pass, vec![]),
            (json!([]), false, Status::Warn, vec![1, 2]),
        ] {
            let document = json!({"server": {"entry_point": "x.js"}, "tools": tools, "tools_generated": generated});
            let verdict = judge(&Evidence::of_files(&document, &[("x.js", source)]));
            let found: Vec<u32> = verdict.findings.iter().filter_map(|f| f.line).collect();
            assert_eq!((verdict.status, found), (status, lines.clone()), "{document}");
            assert_eq!(verdict.fails_from, (!lines.is_empty()).then_some(2));
        }
    }

    #[test]
    fn declared_tools_that_no_code_registers_are_told_where_all_registrations_are_known() {
        let known = "server.tool('a', 'Does.', {}, async () => ({}));\n";
        let open =
            "server.tool('a', 'Does.', {}, async () => ({}));\nserver.tool(name(), 'D.', {}, async () => ({}));\n";
        let low = "server.setRequestHandler(CallToolRequestSchema, async (request) => ({}));\n";
        let tool = |name: &str| json!({"name": name, "description": "Does."});
        for (source, tools, generated, told) in [
            (known, json!([tool("a")]), false, 0),
            (known, json!([tool("sub_a")]), false, 0),
            (known, json!([tool("a"), tool("b"), tool("c")]), false, 2),
            (known, json!([tool("a"), tool("b")]), true, 0),
            (open, json!([tool("a"), tool("b")]), false, 0),
            (low, json!([tool("a"), tool("b")]), false, 0),
            ("", json!([tool("a")]), false, 0),
        ] {
            let document = json!({"server": {"entry_point": "x.js"}, "tools": tools, "tools_generated": generated});
            let verdict = judge(&Evidence::of_files(&document, &[("x.js", source)]));
            let found = verdict.findings.iter().filter(|f| f.rule == "CD-01/unregistered-tool").count();
            assert_eq!(found, told, "{source} {document}: {verdict:?}");
            assert_eq!((verdict.status == Status::Warn, verdict.fails_from), (told > 0, None), "{source}: {verdict:?}");
        }
    }

    #[test]
    fn without_a_manifest_there_is_nothing_to_judge() {
        assert_eq!(judge(&Evidence::empty()).status, Status::NotRun);
    }
}
