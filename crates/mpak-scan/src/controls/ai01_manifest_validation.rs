//! AI-01: the manifest is there, is valid by the rules of its own version, and matches the files.
//!
//! Spec: MTF 0.1 §3.2 AI-01.

use mpak_bundle::manifest::{Manifest, ManifestRead, Problem, ServerType, Severity as ProblemSeverity};
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;

use crate::control::{Status, Verdict};
use crate::evidence::{Evidence, MANIFEST, ManifestFacts};
use crate::report::{Finding, Severity};

mod extension;

/// The `_meta` key of the framework.
const EXTENSION: &str = "org.mpaktrust";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match evidence.manifest() {
        ManifestFacts::Missing => {
            let finding =
                Finding::new("AI-01/missing-manifest", Severity::Critical, "there is no `manifest.json` at the root")
                    .fix("put manifest.json at the root of the bundle; `mpak init` writes one");
            Verdict::fail("the bundle has no manifest", vec![finding])
        }
        ManifestFacts::TooLarge { bytes, limit } => {
            let title = format!("manifest.json has {bytes} bytes, expected at most {limit}");
            let finding = Finding::new("AI-01/manifest-size", Severity::Critical, title).at(MANIFEST, None);
            Verdict::fail("the manifest is too large to be read", vec![finding])
        }
        ManifestFacts::Read { read, .. } => judge_read(read),
    }
}

fn judge_read(read: &ManifestRead) -> Verdict {
    let mut findings: Vec<Finding> = read.problems.iter().map(from_problem).collect();
    let refused = read.problems.iter().any(|p| p.severity == ProblemSeverity::Error);
    let Some(manifest) = read.manifest.as_ref().filter(|_| !refused) else {
        return Verdict::fail("the manifest is not valid", findings);
    };
    // 1. Rows that block at every level.
    let (extension_errors, extension_remarks) = extension_rows(manifest);
    findings.extend(extension_remarks);
    let basic = [basic_rows(manifest), extension_errors].concat();
    if !basic.is_empty() {
        findings.extend(basic);
        return Verdict::fail("the manifest breaks what level 1 requires", findings);
    }
    // 2. Execution targets that disagree: no row of the table blocks them.
    findings.extend(inconsistent_execution(manifest));
    // 3. Rows that block from level 2.
    let standard = standard_rows(manifest);
    let fails_from = if standard.is_empty() { None } else { Some(2) };
    findings.extend(standard);
    let status = if findings.is_empty() { Status::Pass } else { Status::Warn };
    let reason = match (status, fails_from) {
        (Status::Pass, _) => "the manifest is valid and complete",
        (_, None) => "the manifest is valid, with remarks",
        (_, Some(_)) => "the manifest is valid for level 1 and lacks what level 2 requires",
    };
    Verdict { status, reason: reason.to_owned(), findings, fails_from, open: None }
}

fn from_problem(problem: &Problem) -> Finding {
    let severity = match problem.severity {
        ProblemSeverity::Error => Severity::High,
        ProblemSeverity::Warning => Severity::Low,
    };
    let title = if problem.pointer.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.pointer, problem.message)
    };
    let mut finding = Finding::new(format!("AI-01/{}", problem.code), severity, title).at(MANIFEST, problem.line);
    finding.remediation.clone_from(&problem.help);
    finding
}

fn lacking(rule: &str, severity: Severity, title: impl Into<String>, fix: &str) -> Finding {
    Finding::new(format!("AI-01/{rule}"), severity, title).at(MANIFEST, None).fix(fix)
}

fn basic_rows(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (field, value) in
        [("name", &manifest.name), ("description", &manifest.description), ("author.name", &manifest.author.name)]
    {
        if value.trim().is_empty() {
            let title = format!("`{field}` is empty");
            findings.push(lacking("empty-field", Severity::High, title, "fill it in"));
        }
    }
    if let Err(error) = Version::parse(&manifest.version) {
        let fix = "use three numbers and perhaps a prerelease: `1.4.0`, `2.0.0-beta.1`";
        findings.push(lacking("version-not-semver", Severity::High, error.to_string(), fix));
    }
    if manifest.tools.is_none() && !manifest.tools_generated {
        let title = "`tools` is missing and `tools_generated` is not true";
        let fix = "list the tools of the server under `tools`, or set `tools_generated` to true";
        findings.push(lacking("missing-tools", Severity::High, title, fix));
    }
    findings
}

/// What is wrong with the framework's extension: errors, and fields that nobody knows.
fn extension_rows(manifest: &Manifest) -> (Vec<Finding>, Vec<Finding>) {
    let problems = manifest.meta.get(EXTENSION).map(extension::check).unwrap_or_default();
    let (errors, remarks): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.is_error);
    let finding = |rule: &str, severity, problem: extension::Problem| {
        let title = format!("/_meta/{EXTENSION}{}: {}", problem.pointer, problem.message);
        lacking(rule, severity, title, "see the extension's fields in MTF 0.1")
    };
    (
        errors.into_iter().map(|p| finding("bad-extension", Severity::High, p)).collect(),
        remarks.into_iter().map(|p| finding("unknown-extension-field", Severity::Low, p)).collect(),
    )
}

fn standard_rows(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = PackageName::lookup(&manifest.name) {
        let fix = "name the package `@scope/name`, with the scope it is published under";
        findings.push(lacking("unscoped-name", Severity::Medium, error.to_string(), fix));
    }
    if manifest.repository.is_none() {
        let fix = "add `\"repository\": {\"type\": \"git\", \"url\": \"https://…\"}`";
        findings.push(lacking("missing-repository", Severity::Medium, "`repository` is missing", fix));
    }
    if !manifest.meta.contains_key(EXTENSION) {
        let title = format!("`_meta[\"{EXTENSION}\"]` is missing");
        let fix =
            "declare permissions and credentials under `_meta[\"org.mpaktrust\"]`, with `\"mtf_version\": \"0.1\"`";
        findings.push(lacking("missing-extension", Severity::Medium, title, fix));
    }
    findings
}

/// `server.entry_point` and the command line name different files. Only Node.js and Python name the
/// entry point as an argument.
fn inconsistent_execution(manifest: &Manifest) -> Option<Finding> {
    let server = &manifest.server;
    let config = server.mcp_config.as_ref()?;
    if !matches!(server.kind, ServerType::Node | ServerType::Python) || server.entry_point.is_empty() {
        return None;
    }
    let plain = server.entry_point.trim_start_matches("./").replace('\\', "/");
    let module = plain.trim_end_matches(".py").trim_end_matches("/__main__").replace('/', ".");
    let top = module.split('.').next().unwrap_or(&module);
    let is_script = |arg: &str| [".js", ".mjs", ".cjs", ".py", ".ts"].iter().any(|end| arg.ends_with(end));
    let targets: Vec<&String> = target_arguments(&config.args, &is_script);
    let agrees = |arg: &str| {
        let arg = arg.replace('\\', "/");
        arg.ends_with(&plain)
            || arg == module
            || module.ends_with(&format!(".{arg}"))
            || arg.split('.').any(|p| p == top)
    };
    if targets.is_empty() || targets.iter().any(|arg| agrees(arg)) {
        return None;
    }
    let title = format!("`server.entry_point` is `{plain}`, but `mcp_config` starts `{}`", targets[0]);
    Some(lacking("execution-mismatch", Severity::Medium, title, "let both name the same file or module"))
}

/// What a command line starts: scripts, and the module after `-m`.
fn target_arguments<'a>(args: &'a [String], is_script: &dyn Fn(&str) -> bool) -> Vec<&'a String> {
    let after_m = args.iter().zip(args.iter().skip(1)).filter(|(flag, _)| *flag == "-m").map(|(_, module)| module);
    args.iter().filter(|arg| is_script(arg)).chain(after_m).collect()
}

#[cfg(test)]
mod tests {
    use mpak_bundle::limits::Limits;
    use mpak_bundle::manifest::{Reading, read};
    use mpak_testkit::zip::good_manifest;
    use serde_json::{Value, json};

    use super::*;

    fn verdict(change: impl FnOnce(&mut Value)) -> Verdict {
        let mut manifest = good_manifest();
        change(&mut manifest);
        judge_read(&read(manifest.to_string().as_bytes(), Reading::Tolerant, &Limits::default()))
    }

    fn complete(manifest: &mut Value) {
        manifest["name"] = json!("@acme/good-bundle");
        manifest["repository"] = json!({"type": "git", "url": "https://github.com/acme/good-bundle"});
        manifest["_meta"] = json!({EXTENSION: {"mtf_version": "0.1"}});
    }

    #[test]
    fn a_complete_manifest_passes() {
        let verdict = verdict(complete);
        assert_eq!((verdict.status, verdict.fails_from), (Status::Pass, None), "{:?}", verdict.findings);
    }

    #[test]
    fn rows_of_level_1_fail_and_rows_of_level_2_fail_from_there() {
        type Change = fn(&mut Value);
        let rows: [(Change, Status, Option<u8>, &str); 12] = [
            (|m| m["version"] = json!("1.0"), Status::Fail, None, "AI-01/version-not-semver"),
            (|m| m["description"] = json!(" "), Status::Fail, None, "AI-01/empty-field"),
            (|m| m["tools"] = json!(7), Status::Fail, None, ""),
            (|m| m["server"]["type"] = json!("perl"), Status::Fail, None, ""),
            (
                |m| {
                    m.as_object_mut().unwrap().remove("tools");
                },
                Status::Fail,
                None,
                "AI-01/missing-tools",
            ),
            (
                |m| m["_meta"][EXTENSION]["permissions"] = json!({"network": "some"}),
                Status::Fail,
                None,
                "AI-01/bad-extension",
            ),
            (|m| m["_meta"][EXTENSION]["extra"] = json!(1), Status::Warn, None, "AI-01/unknown-extension-field"),
            (|m| m["name"] = json!("good-bundle"), Status::Warn, Some(2), "AI-01/unscoped-name"),
            (
                |m| {
                    m.as_object_mut().unwrap().remove("repository");
                },
                Status::Warn,
                Some(2),
                "AI-01/missing-repository",
            ),
            (|m| m["_meta"] = json!({}), Status::Warn, Some(2), "AI-01/missing-extension"),
            (|m| m["server"]["entry_point"] = json!("other.js"), Status::Warn, None, "AI-01/execution-mismatch"),
            (|m| m["unknown_field"] = json!(1), Status::Warn, None, ""),
        ];
        for (i, (change, status, fails_from, rule)) in rows.into_iter().enumerate() {
            let verdict = verdict(|m| {
                complete(m);
                change(m);
            });
            assert_eq!((verdict.status, verdict.fails_from), (status, fails_from), "row {i}: {:?}", verdict.findings);
            assert!(verdict.findings.iter().any(|f| f.rule.starts_with(rule)), "row {i}: {:?}", verdict.findings);
        }
    }

    #[test]
    fn entry_point_and_command_line_are_compared_in_the_ways_they_are_written() {
        for (kind, entry, args, agrees) in [
            ("node", "server/index.js", json!(["${__dirname}/server/index.js"]), true),
            ("node", "./server/index.js", json!(["--flag", "${__dirname}/server/index.js"]), true),
            ("node", "server/index.js", json!(["${__dirname}/other/evil.js"]), false),
            ("node", "server/index.js", json!(["."]), true),
            ("python", "src/server/main.py", json!(["-m", "server.main"]), true),
            ("python", "src/server/__main__.py", json!(["-m", "server"]), true),
            ("python", "server/main.py", json!(["-m", "other.thing"]), false),
            ("python", "server/main.py", json!(["${__dirname}/server/main.py"]), true),
        ] {
            let verdict = verdict(|m| {
                complete(m);
                m["server"]["type"] = json!(kind);
                m["server"]["entry_point"] = json!(entry);
                m["server"]["mcp_config"]["args"] = args.clone();
            });
            let found = verdict.findings.iter().any(|f| f.rule == "AI-01/execution-mismatch");
            assert_eq!(!found, agrees, "{kind} {entry} {args}: {:?}", verdict.findings);
        }
    }
}
