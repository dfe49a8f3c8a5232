//! Whether the server's own code uses OAuth: modules that it imports and constant texts of the protocol.

use crate::code::facts::{ExprKind, Unit};
use crate::evidence::{Code, OauthUse, Place};

/// Modules that are clients of OAuth, and nothing else.
const MODULES: [&str; 14] = [
    "requests_oauthlib",
    "oauthlib",
    "authlib",
    "google_auth_oauthlib",
    "google.oauth2.credentials",
    "msal",
    "simple-oauth2",
    "openid-client",
    "client-oauth2",
    "passport-oauth2",
    "oauth4webapi",
    "google-auth-library",
    "@azure/msal-node",
    "@octokit/auth-oauth-app",
];
/// Parts of addresses and of requests for tokens.
const TEXTS: [&str; 8] = [
    "/oauth2/token",
    "/oauth/token",
    "/oauth2/authorize",
    "/oauth/authorize",
    "/oauth2/v2.0/",
    "/o/oauth2/",
    "/login/oauth/access_token",
    "grant_type=",
];

/// Looks at the units that are the server's own.
pub(crate) fn used(code: &Code, is_own: &dyn Fn(&str) -> bool) -> OauthUse {
    let own = || code.program.units().map(|(_, unit)| unit).filter(|unit| is_own(&unit.path));
    if let Some(place) = own().find_map(of_unit) {
        return OauthUse::At(place);
    }
    // What could not be read may use it.
    if code.first_party_count == 0 || !code.unread.is_empty() { OauthUse::Unknown } else { OauthUse::Absent }
}

fn of_unit(unit: &Unit) -> Option<Place> {
    let place = |line: u32, seen: &str| Place {
        file: unit.path.clone(),
        line: Some(line),
        seen: seen.chars().take(120).collect(),
    };
    let is_client = |module: &str| {
        MODULES
            .iter()
            .any(|m| module.strip_prefix(m).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/'])))
    };
    let imported = unit.imports.iter().find(|import| is_client(&import.module));
    imported.map(|import| place(import.span.line, &import.module)).or_else(|| {
        unit.exprs.iter().find_map(|expr| match &expr.kind {
            ExprKind::Text(text) if TEXTS.iter().any(|part| text.contains(part)) => Some(place(expr.span.line, text)),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::Evidence;

    #[test]
    fn imports_and_texts_of_the_servers_own_code_are_looked_at() {
        for (path, source, expected) in [
            ("server/main.py", "from requests_oauthlib import OAuth2Session\n", Some(1)),
            ("server/main.py", "import x\nURL = 'https://example.org/oauth2/' + 'token'\n", Some(2)),
            ("server/index.js", "import { Issuer } from 'openid-client';\n", Some(1)),
            ("server/main.py", "# uses no /oauth2/token at all\nx = 1\n", None),
            ("server/index.js", "const oauthless = 'a token';\n", None),
        ] {
            let evidence = Evidence::of_files(&json!({"server": {"entry_point": path}}), &[(path, source)]);
            match (evidence.code_uses_oauth(), expected) {
                (OauthUse::At(place), Some(line)) => assert_eq!((place.file.as_str(), place.line), (path, Some(line))),
                (OauthUse::Absent, None) => {}
                (other, _) => panic!("{source}: {other:?}"),
            }
        }
    }

    #[test]
    fn code_that_cannot_be_read_leaves_it_open() {
        let evidence = Evidence::of_files(&json!({}), &[("server/program", "\u{7f}ELF")]);
        assert_eq!(evidence.code_uses_oauth(), &OauthUse::Unknown);
    }
}
