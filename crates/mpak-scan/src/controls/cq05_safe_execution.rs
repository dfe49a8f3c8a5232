//! CQ-05 Safe Execution Patterns: what others choose must not be run.
//!
//! Spec: MTF 0.1 §3.4 CQ-05.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::code::facts::{Language, Unit};
use crate::code::flow::scripts;
use crate::code::flow::sinks::SinkKind;
use crate::code::flow::value::Source;
use crate::code::flow::{Danger, Flow};
use crate::content::ContentKind;
use crate::control::{Status, Verdict};
use crate::evidence::{Code, Evidence};
use crate::report::{Finding, Severity, Step};

/// Most commands of the manifest, and words of each, that are looked at.
const COMMANDS_COUNT_MAX: usize = 64;

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let code = evidence.code();
    if code.first_party_count == 0 && code.flows.is_empty() {
        if let Some(reason) = open(evidence) {
            return Verdict::not_run(reason);
        }
        return if code.unread.is_empty() {
            Verdict::new(
                Status::NotApplicable,
                "the bundle holds no Python, JavaScript or TypeScript of the server's own",
            )
        } else {
            Verdict::not_run("the server's own code could not be read; CQ-03 says why")
        };
    }
    let mut found = findings(code, "CQ-05", |flow| match flow.kind {
        SinkKind::Shell
        | SinkKind::Code
        | SinkKind::Deserialise
        | SinkKind::Query
        | SinkKind::Template
        | SinkKind::Markup => true,
        SinkKind::Process => !flow.is_argument,
        SinkKind::Path | SinkKind::Host | SinkKind::Opener | SinkKind::Extract => false,
    });
    found.extend(unfinished(code, "CQ-05"));
    verdict(found, evidence, "runs what others choose")
}

/// Why some of what the server does was not judged, whatever was found in the rest.
pub(super) fn open(evidence: &Evidence) -> Option<String> {
    let cut = || "the code is larger than what is followed, so that not all of it was judged".to_owned();
    unjudged(evidence).or_else(|| (!evidence.code().whole).then(cut))
}

/// That the work ended before the code did: what was not followed may do anything.
pub(super) fn unfinished(code: &Code, control: &str) -> Option<Finding> {
    let title = "not every flow was followed to its end: the code is larger than the analysis allows";
    let finding = Finding::new(format!("{control}/unfinished"), Severity::Medium, title)
        .fix("ship less code: leave out what is generated, and what is there twice");
    (!code.whole).then_some(finding)
}

/// Fails on findings of high severity, warns on those of medium severity; what was not judged is not passed.
pub(super) fn verdict(mut found: Vec<Finding>, evidence: &Evidence, bad: &str) -> Verdict {
    let code = evidence.code();
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line))));
    let serious = found.iter().filter(|finding| finding.severity >= Severity::High).count();
    let (files, tools) = (code.first_party_count, code.handlers.len());
    let judged = format!("{files} files of source code and {tools} handlers were followed");
    let open = open(evidence);
    if serious > 0 {
        let reason = format!("the server {bad}: {serious} serious findings; {judged}");
        return Verdict::fail(reason, found).leaving_open(open);
    }
    if let Some(reason) = open {
        return Verdict { findings: found, ..Verdict::not_run(reason) };
    }
    let status = if found.iter().any(|f| f.severity >= Severity::Medium) { Status::Warn } else { Status::Pass };
    Verdict { findings: found, ..Verdict::new(status, judged) }
}

/// Why what runs first could not be judged: it is native, of a language that is not read, or a script of a shell,
/// whose arguments nobody follows.
pub(super) fn unjudged(evidence: &Evidence) -> Option<String> {
    let server = evidence.document()?.get("server")?;
    let entry = server.get("entry_point").and_then(Value::as_str).map(inside);
    entry.and_then(|entry| unjudged_entry(evidence, &entry)).or_else(|| unjudged_command(evidence, server))
}

/// A path within the bundle.
fn inside(name: &str) -> String {
    let name = name.rsplit_once("${__dirname}").map_or(name, |(_, rest)| rest).replace('\\', "/");
    name.trim_start_matches("./").trim_start_matches('/').to_owned()
}

/// Compiled code of the bundle that the manifest's commands start, whatever it calls the entry point.
fn unjudged_command(evidence: &Evidence, server: &Value) -> Option<String> {
    let config = server.get("mcp_config")?;
    let platforms = config.get("platform_overrides").and_then(Value::as_object);
    let all = std::iter::once(config).chain(platforms.into_iter().flatten().map(|(_, value)| value));
    let words = all.take(COMMANDS_COUNT_MAX).flat_map(|config| {
        let args = config.get("args").and_then(Value::as_array).into_iter().flatten().take(COMMANDS_COUNT_MAX);
        config.get("command").into_iter().chain(args).filter_map(Value::as_str)
    });
    let named: BTreeSet<String> = words.map(inside).collect();
    let compiled = |kind| matches!(kind, ContentKind::Native | ContentKind::Bytecode | ContentKind::Pyc);
    let is_named =
        |path: &str| named.contains(path) || path.strip_suffix(".exe").is_some_and(|bare| named.contains(bare));
    let file = evidence.files().iter().find(|file| compiled(file.kind) && is_named(&file.path))?;
    Some(format!("the manifest starts `{}`, which is compiled code and was not judged", file.path))
}

fn unjudged_entry(evidence: &Evidence, entry: &str) -> Option<String> {
    let code = evidence.code();
    let file = evidence.files().iter().find(|file| file.path == entry)?;
    if let Some((_, unit)) = code.program.units().find(|(_, unit)| unit.path == entry) {
        let shell = |unit: &Unit| unit.language == Language::Shell;
        let scripts_only = code.program.units().all(|(_, unit)| shell(unit));
        let serves = code.program.units().any(|(_, unit)| scripts::is_server(unit));
        return (shell(unit) && scripts_only && !serves).then(|| {
            format!("the entry point is a script of a shell (`{entry}`) that starts what is not in the bundle")
        });
    }
    let what = match file.kind {
        ContentKind::Native => "native code",
        ContentKind::Bytecode | ContentKind::Pyc => "compiled code",
        ContentKind::Archive | ContentKind::Data => "no source code",
        ContentKind::Empty => return None,
        ContentKind::Text | ContentKind::Script => {
            let known = ["py", "js", "mjs", "cjs", "ts", "mts", "cts", "tsx", "jsx"];
            if entry.rsplit('.').next().is_some_and(|end| known.contains(&end)) {
                return None;
            }
            "of a language that is not read"
        }
    };
    Some(format!("the entry point `{entry}` is {what}, which was not judged"))
}

/// Flows as findings.
pub(super) fn findings(code: &Code, control: &str, wanted: impl Fn(&Flow) -> bool) -> Vec<Finding> {
    code.flows.iter().filter(|flow| wanted(flow)).map(|flow| finding(code, control, flow)).collect()
}

fn finding(code: &Code, control: &str, flow: &Flow) -> Finding {
    let severity = match flow.danger {
        Danger::Constant => Severity::Info,
        Danger::Low => Severity::Low,
        Danger::Medium => Severity::Medium,
        Danger::High => Severity::High,
        Danger::Critical => Severity::Critical,
    };
    let unit = code.program.unit(flow.unit);
    let who = match flow.source {
        Some(Source::Tool) => "text that the model chooses",
        Some(Source::Network) => "text from the network",
        Some(Source::Archive) => "a name inside an archive",
        Some(Source::Unknown) => "text of unknown origin",
        Some(Source::Environment) => "text from the environment",
        None => "constant text",
    };
    let (rule, what, fix) = words(flow);
    let step = |(unit, span, what): &(_, crate::code::facts::Span, String)| {
        let unit = code.program.unit(*unit);
        Step { file: unit.path.clone(), line: span.line, what: what.clone(), code: unit.line(*span).to_owned() }
    };
    Finding::new(format!("{control}/{rule}"), severity, format!("{who} {what} by `{}`", flow.call))
        .at(unit.path.clone(), Some(flow.span.line))
        .seen(unit.line(flow.span))
        .along(flow.path.iter().map(step).collect())
        .fix(fix)
}

/// Rule, what happens, what to do.
fn words(flow: &Flow) -> (&'static str, &'static str, &'static str) {
    match flow.kind {
        SinkKind::Shell => (
            "shell",
            "is run by a shell,",
            "start the program with a list of arguments and without a shell, with `--` before what others choose",
        ),
        SinkKind::Process if flow.is_argument => (
            "argument",
            "may be taken for an option of a program started",
            "put `--` before it, or refuse what begins with `-`",
        ),
        SinkKind::Process => ("program", "chooses the program that is started", "start a fixed program"),
        SinkKind::Code => ("code", "is run as code", "parse it as data, or choose from a fixed set of functions"),
        SinkKind::Deserialise => (
            "deserialise",
            "is made into objects, which can run code,",
            "use a format that holds data only, such as JSON, or a safe loader",
        ),
        SinkKind::Query if flow.is_whole_query => (
            "whole-query",
            "is the whole query, as the parameter says, that is run",
            "open the database for reading only, or let the text choose parameters and not the statement",
        ),
        SinkKind::Query => (
            "query",
            "is put into a query that is run",
            "pass it as a bound parameter; take names of tables and columns from a fixed set",
        ),
        SinkKind::Template => {
            ("template", "is run as a template", "keep templates constant and pass the text as a variable")
        }
        SinkKind::Markup => ("markup", "is shown as markup,", "set it as text (`textContent`), or clean it first"),
        SinkKind::Path if flow.danger == Danger::Medium && flow.source == Some(Source::Tool) => (
            "link",
            "names a file that is below its folder unless a link leads out of it, touched",
            "compare the path with its links resolved (`os.path.realpath`, `Path.resolve`, `fs.realpath`), and open that",
        ),
        SinkKind::Path => (
            "path",
            "names a file that is touched",
            "resolve the path with its links, then check by components that it lies below an allowed folder",
        ),
        SinkKind::Extract => (
            "extract",
            "names the files that an archive is written to",
            "extract with `filter=\"data\"`, or resolve each member's path and check that it lies below the folder",
        ),
        SinkKind::Host => (
            "host",
            "chooses the host of a request",
            "compare the parsed host with a fixed set, or let the text choose only what comes behind the host",
        ),
        SinkKind::Opener => ("opener", "is opened", "parse it, allow https only, and pass on the parsed form"),
    }
}
