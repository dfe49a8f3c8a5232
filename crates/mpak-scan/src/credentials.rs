//! The credentials that a bundle declares, and signs that it uses OAuth; CD-04 and CD-05 judge them.
//!
//! Spec: MTF 0.1 §4.3.3; `token_handling.storage` takes `disk` for `file` (MTF decisions, 20).

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use crate::evidence::Evidence;

/// The scopes that are known by name.
pub(crate) const SCOPES_TOML: &str = include_str!("../rules/scopes.toml");

/// What stands under `credentials`.
pub(crate) enum Declaration<'a> {
    /// Nothing.
    Absent,
    /// Not a list of objects.
    Bad,
    /// A list, perhaps empty.
    List(Vec<Credential<'a>>),
}

/// One declared credential; texts are the author's.
pub(crate) struct Credential<'a> {
    /// JSON pointer below the extension.
    pub(crate) pointer: String,
    pub(crate) provider: &'a str,
    pub(crate) scopes: Vec<&'a str>,
    /// `None` where it is missing or blank.
    pub(crate) justification: Option<&'a str>,
    pub(crate) token_handling: Option<&'a Value>,
}

/// Reads the declaration.
pub(crate) fn declared(evidence: &Evidence) -> Declaration<'_> {
    let Some(value) = evidence.extension().and_then(|e| e.get("credentials")).filter(|v| !v.is_null()) else {
        return Declaration::Absent;
    };
    let Some(items) = value.as_array() else { return Declaration::Bad };
    if !items.iter().all(Value::is_object) {
        return Declaration::Bad;
    }
    Declaration::List(items.iter().enumerate().map(|(i, item)| credential(i, item)).collect())
}

fn credential(i: usize, item: &Value) -> Credential<'_> {
    let scopes = item.get("scopes").and_then(Value::as_array).into_iter().flatten();
    Credential {
        pointer: format!("/credentials/{i}"),
        provider: item.get("provider").and_then(Value::as_str).unwrap_or_default().trim(),
        scopes: scopes.filter_map(Value::as_str).map(str::trim).collect(),
        justification: filled(item.get("justification")),
        token_handling: item.get("token_handling").filter(|v| v.is_object()),
    }
}

/// A text that says something.
pub(crate) fn filled(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).map(str::trim).filter(|text| text.chars().any(char::is_alphanumeric))
}

/// The first setting that asks for what only OAuth needs: pointer and what was seen.
pub(crate) fn oauth_in_user_config(evidence: &Evidence) -> Option<(String, String)> {
    let options = evidence.document()?.get("user_config")?.as_object()?;
    let words = |key: &str, option: &Value| {
        let text = |field: &str| option.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} {} {}", spaced(key), spaced(&text("title")), spaced(&text("description")))
    };
    let said: Vec<(&String, String)> = options.iter().map(|(key, option)| (key, words(key, option))).collect();
    let holds = |text: &str, phrases: &[&str]| phrases.iter().any(|p| format!(" {text} ").contains(&format!(" {p} ")));
    let found = said.iter().find(|(_, text)| {
        holds(text, &["oauth", "oauth2", "oauth 2", "refresh token", "client secret", "authorization code"])
            && !holds(text, &["not oauth", "no oauth", "without oauth"])
    });
    found.map(|(key, text)| (format!("/user_config/{key}"), text.trim().chars().take(80).collect()))
}

/// The words of a text, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    spaced(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Lower case, one space between words; camel case and punctuation separate words.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut lower_before = false;
    for c in text.chars().take(2_000) {
        if (c.is_uppercase() && lower_before || !c.is_alphanumeric()) && !out.ends_with(' ') {
            out.push(' ');
        }
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    // `oAuth` is one word.
    format!(" {}", out.trim()).replace(" o auth", " oauth").trim().to_owned()
}

/// How much a scope opens. Source: MTF 0.1 CD-04.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Risk {
    /// Read-only, limited data.
    Low,
    /// Writes, or broader reading.
    Medium,
    /// Full access or sensitive data.
    High,
    /// Administration, impersonation.
    Critical,
}

/// A scope known by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownScope {
    pub(crate) provider: String,
    pub(crate) scope: String,
    pub(crate) risk: Risk,
    /// A scope that often suffices.
    pub(crate) narrower: Option<String>,
    /// Words, one of which a tool that needs the scope has in its name or description.
    #[serde(default)]
    pub(crate) words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesFile {
    scope: Vec<KnownScope>,
}

fn known_scopes() -> &'static [KnownScope] {
    static KNOWN: OnceLock<Vec<KnownScope>> = OnceLock::new();
    KNOWN.get_or_init(|| toml::from_str::<ScopesFile>(SCOPES_TOML).map(|file| file.scope).unwrap_or_default())
}

/// The entry of a scope; providers' own prefixes and case do not count.
pub(crate) fn known(provider: &str, scope: &str) -> Option<&'static KnownScope> {
    let (provider, scope) = (provider_key(provider), scope_key(scope));
    known_scopes().iter().find(|known| known.provider == provider && scope_key(&known.scope) == scope)
}

fn provider_key(provider: &str) -> String {
    let lower = provider.to_ascii_lowercase();
    for (name, words) in [
        ("google", ["google", "gmail", "gdrive"].as_slice()),
        ("microsoft", &["microsoft", "azure", "entra", "msgraph", "office", "outlook"]),
        ("github", &["github"]),
        ("gitlab", &["gitlab"]),
        ("slack", &["slack"]),
        ("atlassian", &["atlassian", "jira", "confluence"]),
    ] {
        if words.iter().any(|word| lower.contains(word)) {
            return name.to_owned();
        }
    }
    lower
}

fn scope_key(scope: &str) -> String {
    let lower = scope.trim().to_ascii_lowercase();
    let bare = ["https://www.googleapis.com/auth/", "https://graph.microsoft.com/"]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))
        .map(str::to_owned);
    bare.unwrap_or(lower)
}

/// How much a scope opens: by name, else by the words in it.
pub(crate) fn risk(provider: &str, scope: &str) -> Risk {
    if let Some(known) = known(provider, scope) {
        return known.risk;
    }
    let key = scope_key(scope);
    // In lower case, so that `ReadWrite` stays one word.
    let words = spaced(&key);
    let any = |list: &[&str]| words.split(' ').any(|word| list.contains(&word));
    let reads = any(&["readonly", "read", "list", "view", "get", "openid", "profile", "email", "metadata"]);
    let writes = any(&["write", "readwrite", "manage", "delete", "modify", "edit", "create", "send", "update"]);
    if matches!(key.as_str(), "*" | "all" | "full" | "root")
        || any(&["admin", "sudo", "superuser", "impersonate", "impersonation"])
    {
        return if reads && !writes { Risk::High } else { Risk::Critical };
    }
    let everything = any(&["all", "full", "fullaccess", "global"]);
    match (everything, writes, reads) {
        (true, true, _) | (true, false, false) => Risk::High,
        (false, false, true) => Risk::Low,
        _ => Risk::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_read_and_each_narrower_scope_is_milder() {
        let file: ScopesFile = toml::from_str(SCOPES_TOML).unwrap();
        assert!(file.scope.len() >= 40, "{}", file.scope.len());
        for (i, scope) in file.scope.iter().enumerate() {
            let twin = |other: &KnownScope| other.provider == scope.provider && other.scope == scope.scope;
            assert!(!file.scope[..i].iter().any(twin), "{} {} stands twice", scope.provider, scope.scope);
            assert_eq!(provider_key(&scope.provider), scope.provider);
            if let Some(narrower) = &scope.narrower {
                assert!(risk(&scope.provider, narrower) < scope.risk, "{} → {narrower}", scope.scope);
            }
        }
    }

    #[test]
    fn scopes_are_classified_as_the_framework_does() {
        for (provider, scope, expected) in [
            ("google", "calendar.readonly", Risk::Low),
            ("Google", "https://www.googleapis.com/auth/calendar.readonly", Risk::Low),
            ("google", "https://www.googleapis.com/auth/calendar", Risk::Medium),
            ("google", "https://mail.google.com/", Risk::Critical),
            ("github", "read:user", Risk::Low),
            ("github", "repo:status", Risk::Medium),
            ("github", "repo", Risk::High),
            ("microsoft", "Mail.Read", Risk::High),
            ("microsoft-graph", "https://graph.microsoft.com/User.Read", Risk::Low),
            ("acme", "admin", Risk::Critical),
            ("acme", "widgets:admin", Risk::Critical),
            ("acme", "admin:read", Risk::High),
            ("acme", "*", Risk::Critical),
            ("acme", "widgets:read", Risk::Low),
            ("acme", "widgets:write", Risk::Medium),
            ("acme", "Widgets.ReadWrite.All", Risk::High),
            ("acme", "administrate-nothing-known", Risk::Medium),
            ("", "", Risk::Medium),
        ] {
            assert_eq!(risk(provider, scope), expected, "{provider} {scope}");
        }
    }

    #[test]
    fn words_are_separated() {
        for (text, expected) in [
            ("oauthClientId", "oauth client id"),
            ("OAuth 2.0 client-secret", "oauth 2 0 client secret"),
            ("GOOGLE_REFRESH_TOKEN", "google refresh token"),
            ("", ""),
        ] {
            assert_eq!(spaced(text), expected);
        }
    }
}
