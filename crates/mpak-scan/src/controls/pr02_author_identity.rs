//! PR-02: somebody answerable published it.
//!
//! The manifest's `author` is a claim; the identity comes from the registry's evidence.
//! Spec: MTF 0.1 §3.6 PR-02; tiers: PK-01.

use serde_json::Value;

use crate::control::{Status, Verdict};
use crate::evidence::{Evidence, MANIFEST};
use crate::outside::Publisher;
use crate::report::{Finding, Severity};

/// Days after which an account counts as established. Source: MTF 0.1 PR-02, tier 1.
const ACCOUNT_AGE_DAYS_MIN: u32 = 90;
/// Issuers whose identities are bound to an account of a code platform.
const PLATFORM_ISSUERS: [&str; 2] = ["https://token.actions.githubusercontent.com", "https://gitlab.com"];

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    // 1. What the manifest must claim.
    let claims = evidence.document().map(claims).unwrap_or_default();
    if !claims.is_empty() {
        return Verdict::fail("the manifest does not say how to reach its author", claims);
    }
    if evidence.document().is_none() {
        return Verdict::not_run("there is no readable manifest.json to take the author from");
    }
    // 2. Who the registry says it is.
    let Some(publisher) = &evidence.outside().publisher else {
        return Verdict::not_run("who published it is not known: give registry evidence with `--evidence`");
    };
    judge_publisher(publisher)
}

fn claims(document: &Value) -> Vec<Finding> {
    const FIX: &str = "add `\"author\": {\"name\": \"…\", \"email\": \"…\"}`";
    let finding = |rule: &str, title: &str| {
        Finding::new(format!("PR-02/{rule}"), Severity::High, title).at(MANIFEST, None).fix(FIX)
    };
    let author = document.get("author").unwrap_or(&Value::Null);
    let text = |field: &str| author.get(field).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if text("name").is_empty() {
        return vec![finding("missing-author", "`author.name` is missing")];
    }
    match text("email") {
        "" => vec![finding("missing-email", "`author.email` is missing")],
        email if !is_address(email) => vec![finding("bad-email", "`author.email` is not an address").seen(email)],
        _ => Vec::new(),
    }
}

/// Something, an `@`, and a domain with a dot; no white space.
fn is_address(text: &str) -> bool {
    let sound = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let domain = |domain: &str| domain.split('.').count() > 1 && domain.split('.').all(|part| !part.is_empty());
    sound && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.contains('@') && domain(host))
}

/// The tier of PK-01, best is 1; `None` for somebody whom nobody verified.
fn tier(publisher: &Publisher) -> Option<u8> {
    if !publisher.verified {
        return None;
    }
    if publisher.account_age_days.is_some_and(|days| days < ACCOUNT_AGE_DAYS_MIN) {
        return Some(publisher.tier.map_or(3, |tier| tier.max(3)));
    }
    // An account whose age nobody knows is not an established one.
    let established = is_of_platform(publisher) && publisher.account_age_days.is_some();
    publisher.tier.or(Some(if established { 1 } else { 3 }))
}

fn is_of_platform(publisher: &Publisher) -> bool {
    let issuer = publisher.issuer.as_deref().unwrap_or_default().trim_end_matches('/');
    PLATFORM_ISSUERS.contains(&issuer) && publisher.owner_id.is_some()
}

fn judge_publisher(publisher: &Publisher) -> Verdict {
    let finding = |rule: &str, severity, title: String| Finding::new(format!("PR-02/{rule}"), severity, title);
    let who = publisher.subject.as_deref().or(publisher.repository.as_deref()).unwrap_or("?");
    let Some(tier) = tier(publisher) else {
        let found =
            finding("unverified-identity", Severity::High, "the registry has not verified who published it".into())
                .seen(who)
                .fix("publish from a pipeline with its own identity, or confirm an address at the registry");
        return Verdict::fail("the publisher is not verified", vec![found]);
    };
    let mut findings = Vec::new();
    // 1. Level 3 wants a platform account or an organisation.
    if tier > 2 {
        let unknown = publisher.tier.is_none() && publisher.account_age_days.is_none() && is_of_platform(publisher);
        let why = if unknown { ", for the age of the account is not known" } else { "" };
        let title = format!("the publisher's identity is of tier {tier}{why}; level 3 needs tier 1 or 2");
        findings.push(
            finding("low-tier", Severity::Medium, title)
                .seen(who)
                .fix("publish by OpenID Connect from an established account"),
        );
    }
    // 2. And a second owner.
    let alone = match publisher.owners_count {
        Some(count) if count >= 2 => None,
        Some(count) => Some(format!("the package has {count} owner(s); level 3 needs two")),
        None => Some("how many owners the package has is not known; level 3 needs two".to_owned()),
    };
    if let Some(title) = alone {
        let found = finding("single-owner", Severity::Medium, title).fix("add a second owner with `mpak owner add`");
        findings.push(found);
    }
    let from = (!findings.is_empty()).then_some(3);
    let status = if findings.is_empty() { Status::Pass } else { Status::Warn };
    let reason = format!("published by a verified identity of tier {tier}");
    Verdict { status, reason, findings, fails_from: from, open: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outside::Outside;

    fn verdict(author: &Value, publisher: Option<&Value>) -> Verdict {
        let outside = json!({"version": 1, "publisher": publisher});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        judge(&Evidence::of_document(&json!({"author": author})).with_outside(outside).unwrap())
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let good = json!({"verified": true, "issuer": PLATFORM_ISSUERS[0], "owner_id": "7", "owners_count": 2,
            "account_age_days": 400});
        let with = |field: &str, value: Value| {
            let mut publisher = good.clone();
            publisher[field] = value;
            publisher
        };
        for (publisher, status, from, rule) in [
            (good.clone(), Status::Pass, None, ""),
            (with("verified", json!(false)), Status::Fail, None, "PR-02/unverified-identity"),
            (json!({}), Status::Fail, None, "PR-02/unverified-identity"),
            (with("owners_count", json!(1)), Status::Warn, Some(3), "PR-02/single-owner"),
            (with("owners_count", Value::Null), Status::Warn, Some(3), "PR-02/single-owner"),
            (with("tier", json!(3)), Status::Warn, Some(3), "PR-02/low-tier"),
            (with("tier", json!(2)), Status::Pass, None, ""),
            (with("account_age_days", Value::Null), Status::Warn, Some(3), "PR-02/low-tier"),
            (with("account_age_days", json!(89)), Status::Warn, Some(3), "PR-02/low-tier"),
            (with("account_age_days", json!(90)), Status::Pass, None, ""),
            (with("issuer", json!("https://evil.example")), Status::Warn, Some(3), "PR-02/low-tier"),
            (with("owner_id", Value::Null), Status::Warn, Some(3), "PR-02/low-tier"),
        ] {
            let verdict = verdict(&json!({"name": "A", "email": "a@b.example"}), Some(&publisher));
            assert_eq!((verdict.status, verdict.fails_from), (status, from), "{publisher}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{publisher}: {verdict:?}");
        }
    }

    #[test]
    fn the_manifest_must_claim_an_author_that_can_be_reached() {
        for (author, rule) in [
            (Value::Null, "PR-02/missing-author"),
            (json!("A <a@b.example>"), "PR-02/missing-author"),
            (json!({"name": " "}), "PR-02/missing-author"),
            (json!({"name": "A"}), "PR-02/missing-email"),
            (json!({"name": "A", "email": 7}), "PR-02/missing-email"),
            (json!({"name": "A", "email": "a at b"}), "PR-02/bad-email"),
            (json!({"name": "A", "email": "a@b"}), "PR-02/bad-email"),
        ] {
            let verdict = verdict(&author, None);
            assert_eq!((verdict.status, verdict.findings[0].rule.as_str()), (Status::Fail, rule), "{author}");
        }
        let known = verdict(&json!({"name": "A", "email": "a@b.example"}), None);
        assert_eq!(known.status, Status::NotRun);
    }
}
