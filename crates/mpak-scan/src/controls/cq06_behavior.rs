//! CQ-06: what the server did in a sandbox, against what it declares.
//!
//! Spec: MTF 0.1 §3.4 CQ-06. The run itself is evidence from outside.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::control::Verdict;
use crate::evidence::{Evidence, MANIFEST};
use crate::outside::behaviour::{Access, Behaviour, During};
use crate::report::{Finding, Severity};

/// Parts of names of variables that hold secrets.
const SECRET_WORDS: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "APIKEY", "API_KEY", "PRIVATE_KEY"];
/// Places that hold keys, sessions and money; compared with the path in lower case.
const SENSITIVE_PLACES: [&str; 16] = [
    "/.ssh/",
    "/.gnupg/",
    "/.aws/",
    "/.azure/",
    "/.kube/",
    "/.docker/config",
    "/.config/gcloud",
    "/.netrc",
    "/.npmrc",
    "/.pypirc",
    "/.git-credentials",
    "/etc/shadow",
    "/.mozilla/",
    "/google-chrome/",
    "/.bitcoin/",
    "/keychains/",
];

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let Some(seen) = &evidence.outside().behaviour else {
        return Verdict::not_run("the server was not watched: give the record of a sandboxed run with `--evidence`");
    };
    let Some(document) = evidence.document() else {
        return Verdict::not_run("there is no readable manifest.json to compare with");
    };
    if !seen.started {
        return Verdict::not_run("the server did not start in the sandbox");
    }
    // 1. What was done and is not declared.
    let declared = Declared::of(evidence.extension().and_then(|e| e.get("permissions")));
    let mut findings = declared.violations(seen);
    findings.extend(undeclared_tools(document, seen));
    findings.extend(undeclared_scopes(evidence, seen));
    let blocks = findings.iter().any(|f| f.severity >= Severity::High);
    // 2. What differs from its description warns.
    findings.extend(seen.differences.iter().map(|difference| {
        finding(
            "differs-from-description",
            Severity::Medium,
            format!("the tool `{}` does something else than it says", difference.tool),
        )
        .seen(&difference.text)
    }));
    if blocks {
        return Verdict::fail("the server does what it does not declare", findings);
    }
    // 3. A tool that was not called may do anything.
    let uncalled = uncalled(document, seen);
    if let Some(first) = uncalled.first() {
        let count = uncalled.len();
        return Verdict {
            findings,
            ..Verdict::not_run(format!("{count} declared tool(s) were not called, for example `{first}`"))
        };
    }
    Verdict::pass_or_warn("what the server did is what it declares", findings)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("CQ-06/{rule}"), severity, title)
}

/// Declared permissions; what is not declared is `none`.
struct Declared {
    filesystem: String,
    network: String,
    environment: String,
    subprocess: String,
}

impl Declared {
    fn of(permissions: Option<&Value>) -> Self {
        let word = |name: &str| {
            let value = permissions.and_then(|p| p.get(name)).and_then(Value::as_str);
            value.unwrap_or("none").to_owned()
        };
        Self {
            filesystem: word("filesystem"),
            network: word("network"),
            environment: word("environment"),
            subprocess: word("subprocess"),
        }
    }

    fn violations(&self, seen: &Behaviour) -> Vec<Finding> {
        let declare = |permission: &str| format!("remove it, or declare `{permission}` and say why");
        let at = |found: Finding, permission: &str| found.at(MANIFEST, None).fix(declare(permission));
        let mut findings = Vec::new();
        // Inbound alone does not allow connections to others.
        if matches!(self.network.as_str(), "none" | "inbound") {
            for connection in &seen.network {
                let (rule, when) = match connection.during {
                    During::Init => ("network-at-start", "while it starts"),
                    During::Call => ("network", "when a tool is called"),
                };
                let title = format!("it connects to others {when}, and `network` is `{}`", self.network);
                let port = connection.port.map(|port| format!(":{port}")).unwrap_or_default();
                findings.push(at(
                    finding(rule, Severity::Critical, title).seen(format!("{}{port}", connection.host)),
                    "network",
                ));
            }
        }
        for file in &seen.files {
            let place = format!("{}/", file.path.to_lowercase().replace('\\', "/"));
            let sensitive = file.sensitive || SENSITIVE_PLACES.iter().any(|s| place.contains(s));
            let allowed = match self.filesystem.as_str() {
                "full" => true,
                "write" => !sensitive,
                "read" => !sensitive && file.access == Access::Read,
                _ => false,
            };
            let verb = if file.access == Access::Read { "reads" } else { "writes" };
            let found = match (allowed, sensitive) {
                (true, _) => continue,
                (false, true) => finding(
                    "sensitive-file",
                    Severity::Critical,
                    format!("it {verb} a sensitive file, and `filesystem` is `{}`", self.filesystem),
                ),
                (false, false) => finding(
                    "file",
                    Severity::Medium,
                    format!("it {verb} a file, and `filesystem` is `{}`", self.filesystem),
                ),
            };
            findings.push(at(found.seen(&file.path), "filesystem"));
        }
        if self.environment == "none" {
            for variable in &seen.environment {
                let name = variable.name.to_uppercase();
                let secret = SECRET_WORDS.iter().any(|word| name.contains(word));
                let (rule, severity) =
                    if secret { ("secret-variable", Severity::High) } else { ("variable", Severity::Low) };
                let title = "it reads an environment variable, and `environment` is `none`";
                findings.push(at(finding(rule, severity, title).seen(&variable.name), "environment"));
            }
        }
        if self.subprocess == "none" {
            for process in &seen.processes {
                let title = "it starts a process, and `subprocess` is `none`";
                findings.push(at(finding("process", Severity::Critical, title).seen(&process.command), "subprocess"));
            }
        }
        findings
    }
}

fn names(document: &Value) -> BTreeSet<&str> {
    let tools = document.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| tool.get("name").and_then(Value::as_str)).collect()
}

fn undeclared_tools(document: &Value, seen: &Behaviour) -> Vec<Finding> {
    if document.get("tools_generated") == Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let declared = names(document);
    let surplus = seen.tools_listed.iter().chain(&seen.tools_called).filter(|tool| !declared.contains(tool.as_str()));
    let surplus: BTreeSet<&String> = surplus.collect();
    let found = surplus.into_iter().map(|tool| {
        finding(
            "undeclared-tool",
            Severity::High,
            format!("it has the tool `{tool}`, which the manifest does not declare"),
        )
        .at(MANIFEST, None)
        .fix("declare the tool, or set `tools_generated` to true")
    });
    found.collect()
}

fn undeclared_scopes(evidence: &Evidence, seen: &Behaviour) -> Vec<Finding> {
    let declared: BTreeSet<String> = match crate::credentials::declared(evidence) {
        crate::credentials::Declaration::List(list) => {
            list.iter().flat_map(|c| c.scopes.iter().map(|scope| (*scope).to_owned())).collect()
        }
        _ => BTreeSet::new(),
    };
    let surplus = seen.scopes.iter().filter(|scope| !declared.contains(*scope));
    let found = surplus.map(|scope| {
        finding(
            "undeclared-scope",
            Severity::High,
            format!("it asks for the OAuth scope `{scope}`, which is not declared"),
        )
        .at(MANIFEST, None)
        .fix("declare the scope under `credentials`")
    });
    found.collect()
}

fn uncalled<'a>(document: &'a Value, seen: &'a Behaviour) -> Vec<&'a str> {
    let called: BTreeSet<&str> = seen.tools_called.iter().map(String::as_str).collect();
    let listed = seen.tools_listed.iter().map(String::as_str);
    let all: BTreeSet<&str> = names(document).into_iter().chain(listed).collect();
    all.into_iter().filter(|tool| !called.contains(tool)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;
    use crate::outside::Outside;

    fn verdict(permissions: &Value, more: &Value) -> Verdict {
        let mut seen = json!({"started": true, "tools_listed": ["a"], "tools_called": ["a"]});
        for (field, value) in more.as_object().unwrap() {
            seen[field] = value.clone();
        }
        let outside = Outside::read(json!({"version": 1, "behaviour": seen}).to_string().as_bytes()).unwrap();
        let document = json!({"tools": [{"name": "a"}], "_meta": {"org.mpaktrust": {"permissions": permissions}}});
        judge(&Evidence::of_document(&document).with_outside(outside).unwrap())
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let none = json!({});
        let connection = |during: &str| json!({"network": [{"during": during, "host": "example.org"}]});
        let file = |path: &str, access: &str| json!({"files": [{"path": path, "access": access}]});
        for (permissions, seen, status, rule) in [
            (none.clone(), json!({}), Status::Pass, ""),
            (json!({"network": "none"}), connection("init"), Status::Fail, "CQ-06/network-at-start"),
            (json!({"network": "inbound"}), connection("call"), Status::Fail, "CQ-06/network"),
            (json!({"network": "outbound"}), connection("init"), Status::Pass, ""),
            (none.clone(), file("/home/u/.ssh/id_ed25519", "read"), Status::Fail, "CQ-06/sensitive-file"),
            (
                json!({"filesystem": "read"}),
                file("/home/u/.aws/credentials", "read"),
                Status::Fail,
                "CQ-06/sensitive-file",
            ),
            (json!({"filesystem": "full"}), file("/home/u/.aws/credentials", "read"), Status::Pass, ""),
            (json!({"filesystem": "read"}), file("/tmp/x", "write"), Status::Warn, "CQ-06/file"),
            (json!({"filesystem": "read"}), file("/tmp/x", "read"), Status::Pass, ""),
            (none.clone(), json!({"environment": [{"name": "GITHUB_TOKEN"}]}), Status::Fail, "CQ-06/secret-variable"),
            (none.clone(), json!({"environment": [{"name": "LANG"}]}), Status::Warn, "CQ-06/variable"),
            (json!({"environment": "read"}), json!({"environment": [{"name": "X_TOKEN"}]}), Status::Pass, ""),
            (none.clone(), json!({"processes": [{"command": "sh -c id"}]}), Status::Fail, "CQ-06/process"),
            (json!({"subprocess": "restricted"}), json!({"processes": [{"command": "git"}]}), Status::Pass, ""),
            (none.clone(), json!({"tools_listed": ["a", "b"]}), Status::Fail, "CQ-06/undeclared-tool"),
            (none.clone(), json!({"scopes": ["repo"]}), Status::Fail, "CQ-06/undeclared-scope"),
            (
                none.clone(),
                json!({"differences": [{"tool": "a", "text": "deletes"}]}),
                Status::Warn,
                "CQ-06/differs-from-description",
            ),
            (none.clone(), json!({"tools_called": []}), Status::NotRun, ""),
            (none, json!({"started": false}), Status::NotRun, ""),
        ] {
            let verdict = verdict(&permissions, &seen);
            assert_eq!(verdict.status, status, "{permissions} {seen}: {verdict:?}");
            assert!(rule.is_empty() == verdict.findings.is_empty(), "{permissions} {seen}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{seen}: {verdict:?}");
        }
    }
}
