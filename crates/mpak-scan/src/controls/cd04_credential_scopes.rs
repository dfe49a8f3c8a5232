//! CD-04: OAuth scopes are declared, justified and no wider than the tools need.
//!
//! Spec: MTF 0.1 §3.5 CD-04; OAuth use is told from `user_config` and from the code (MTF decisions, 17).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::control::{Status, Verdict};
use crate::credentials::{self, Credential, Declaration, Risk};
use crate::evidence::{Evidence, MANIFEST, OauthUse};
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match credentials::declared(evidence) {
        Declaration::Bad => {
            let finding = finding("bad-credentials", Severity::High, "`credentials` is not a list of objects")
                .fix("write one object with provider, scopes and justification for each credential");
            Verdict::fail("the declared credentials cannot be read", vec![finding])
        }
        Declaration::Absent => undeclared(evidence),
        Declaration::List(list) if list.is_empty() => undeclared(evidence),
        Declaration::List(list) => declared(&list, tool_words(evidence).as_ref()),
    }
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("CD-04/{rule}"), severity, title).at(MANIFEST, None)
}

/// Nothing is declared: fine, unless something asks for OAuth.
fn undeclared(evidence: &Evidence) -> Verdict {
    const FIX: &str = "declare provider, scopes and justification under `_meta[\"org.mpaktrust\"].credentials`";
    let blocked =
        |finding: Finding| Verdict::fail("OAuth is used and no credentials are declared", vec![finding.fix(FIX)]);
    if let Some((pointer, seen)) = credentials::oauth_in_user_config(evidence) {
        let title = format!("`{pointer}` asks for what OAuth needs, and no credentials are declared");
        return blocked(finding("undeclared-oauth", Severity::High, title).seen(seen));
    }
    match evidence.code_uses_oauth() {
        OauthUse::At(place) => {
            let title = "the code uses OAuth, and no credentials are declared";
            let found = Finding::new("CD-04/undeclared-oauth", Severity::High, title);
            blocked(found.at(&place.file, place.line).seen(&place.seen))
        }
        OauthUse::Absent => Verdict::new(Status::NotApplicable, "no OAuth is declared, asked for or used"),
        OauthUse::Unknown => Verdict::not_run("whether the code uses OAuth is not known"),
    }
}

/// Names and descriptions of the tools, in words; `None` where the tools are not all known.
fn tool_words(evidence: &Evidence) -> Option<BTreeSet<String>> {
    let document = evidence.document()?;
    if document.get("tools_generated") == Some(&Value::Bool(true)) {
        return None;
    }
    let tools = document.get("tools")?.as_array().filter(|tools| !tools.is_empty())?;
    let mut words = BTreeSet::new();
    for tool in tools {
        for field in ["name", "description"] {
            let text = tool.get(field).and_then(Value::as_str).unwrap_or_default();
            words.extend(credentials::words(text));
        }
    }
    Some(words)
}

fn declared(list: &[Credential<'_>], tools: Option<&BTreeSet<String>>) -> Verdict {
    let mut findings = Vec::new();
    let mut scopes = 0;
    for credential in list {
        // 1. Provider and scopes are there.
        if credential.provider.is_empty() || credential.scopes.iter().all(|scope| scope.is_empty()) {
            let title = format!("`{}` names no provider or no scopes", credential.pointer);
            findings.push(finding("empty-declaration", Severity::High, title).fix("name the provider and each scope"));
        }
        // 2. Each scope by its risk, by a narrower one, by the tools.
        for scope in &credential.scopes {
            scopes += 1;
            findings.extend(judge_scope(credential, scope, tools));
        }
    }
    let blocks = |f: &Finding| f.rule == "CD-04/critical-unjustified" || f.rule == "CD-04/empty-declaration";
    if findings.iter().any(blocks) {
        return Verdict::fail("a declared credential is not justified or not complete", findings);
    }
    let plural = if scopes == 1 { "" } else { "s" };
    Verdict::pass_or_warn(format!("{scopes} scope{plural} declared"), findings)
}

fn judge_scope(credential: &Credential<'_>, scope: &str, tools: Option<&BTreeSet<String>>) -> Vec<Finding> {
    const JUSTIFY: &str = "say in `justification` what the server does with it, or ask for less";
    let mut findings = Vec::new();
    let (provider, pointer) = (credential.provider, &credential.pointer);
    let known = credentials::known(provider, scope);
    let narrower = known.and_then(|k| k.narrower.as_deref());
    match (credentials::risk(provider, scope), credential.justification) {
        (Risk::Critical, None) => {
            let title = format!("`{scope}` of `{provider}` is a critical scope without justification");
            findings.push(finding("critical-unjustified", Severity::Critical, title).seen(pointer).fix(JUSTIFY));
        }
        (Risk::High, None) => {
            let title = format!("`{scope}` of `{provider}` is a scope of high risk without justification");
            findings.push(finding("high-unjustified", Severity::Medium, title).seen(pointer).fix(JUSTIFY));
        }
        (Risk::Critical, Some(_)) if narrower.is_none() => {
            let title = format!("`{scope}` of `{provider}` is a critical scope: a person should review it");
            findings.push(finding("critical-scope", Severity::Low, title).seen(pointer));
        }
        _ => {}
    }
    if let Some(narrower) =
        narrower.filter(|narrow| credentials::risk(provider, scope) >= Risk::High && !narrow.is_empty())
    {
        let title = format!("`{scope}` of `{provider}` is broad; `{narrower}` may suffice");
        findings.push(
            finding("broad-scope", Severity::Low, title)
                .seen(pointer)
                .fix("ask for the narrower scope where it suffices"),
        );
    }
    if let (Some(tools), Some(known)) = (tools, known)
        && !known.words.is_empty()
        && !known.words.iter().any(|word| tools.iter().any(|said| said == word || said.trim_end_matches('s') == word))
    {
        let title = format!("no declared tool says that it needs `{scope}` of `{provider}`");
        findings.push(
            finding("unused-scope", Severity::Low, title)
                .seen(pointer)
                .fix("remove the scope, or describe the tool that needs it"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credential(scopes: &[&str], justification: Option<&str>, tool: &str) -> Verdict {
        let item = json!({"provider": "google", "scopes": scopes, "justification": justification});
        judge(&Evidence::of_document(&json!({
            "tools": [{"name": tool, "description": "x"}], "_meta": {"org.mpaktrust": {"credentials": [item]}}})))
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        const MAIL: &str = "https://mail.google.com/";
        for (scopes, justification, tool, status, rules) in [
            (["calendar.readonly"], Some("reads events"), "list_events", Status::Pass, vec![]),
            ([MAIL], None, "search_mail", Status::Fail, vec!["CD-04/critical-unjustified", "CD-04/broad-scope"]),
            ([MAIL], Some(" ."), "search_mail", Status::Fail, vec!["CD-04/critical-unjustified", "CD-04/broad-scope"]),
            ([MAIL], Some("deletes mail for good"), "delete_mail", Status::Warn, vec!["CD-04/broad-scope"]),
            (["drive"], None, "list_files", Status::Warn, vec!["CD-04/high-unjustified", "CD-04/broad-scope"]),
            (["drive.file"], Some("keeps its files"), "get_weather", Status::Warn, vec!["CD-04/unused-scope"]),
            (["unheard.of"], None, "x", Status::Pass, vec![]),
            (["admin.unheard.of"], Some("it administers"), "x", Status::Warn, vec!["CD-04/critical-scope"]),
            ([""], Some("x"), "x", Status::Fail, vec!["CD-04/empty-declaration"]),
        ] {
            let verdict = credential(&scopes, justification, tool);
            let found: Vec<&str> = verdict.findings.iter().map(|f| f.rule.as_str()).collect();
            assert_eq!((verdict.status, found), (status, rules), "{scopes:?} {justification:?}");
        }
    }

    #[test]
    fn oauth_in_the_settings_must_be_declared() {
        for (key, option, status) in [
            ("google_client_secret", json!({"type": "string", "title": "x"}), Status::Fail),
            ("token", json!({"title": "OAuth access token"}), Status::Fail),
            ("x", json!({"description": "The refresh token of your account"}), Status::Fail),
            ("api_key", json!({"title": "API key", "description": "From your account page"}), Status::NotApplicable),
            (
                "token",
                json!({"title": "Personal token", "description": "not OAuth: a token made by hand"}),
                Status::NotApplicable,
            ),
            ("x", json!(7), Status::NotApplicable),
        ] {
            let evidence = Evidence::of_document(&json!({"user_config": {key: option}}));
            assert_eq!(judge(&evidence).status, status, "{key} {option}");
        }
    }

    #[test]
    fn wrong_types_are_judged_without_a_panic() {
        for credentials in
            [json!(7), json!({}), json!(["x"]), json!([[]]), json!([{}]), json!([{"scopes": [1, {}], "provider": 7}])]
        {
            let verdict = judge(&Evidence::of_document(
                &json!({"tools": [7], "_meta": {"org.mpaktrust": {"credentials": credentials}}}),
            ));
            assert_eq!(verdict.status, Status::Fail, "{credentials}");
        }
        for document in [
            json!({"_meta": 7}),
            json!([]),
            json!({"user_config": []}),
            json!({"_meta": {"org.mpaktrust": {"credentials": []}}}),
        ] {
            assert_eq!(judge(&Evidence::of_document(&document)).status, Status::NotApplicable, "{document}");
        }
    }
}
