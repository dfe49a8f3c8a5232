//! UUIDs that are credentials: most are identifiers, so the name must say what it is, or the issuer must be one
//! of those whose tokens are UUIDs.

use std::ops::Range;

use super::{named, placeholder};

/// How far around a name its issuer is looked for.
const CONTEXT_BYTES: usize = 400;
/// Names of headers and settings that hold nothing but credentials.
const CREDENTIALS: [&str; 13] = [
    "apikey",
    "apitoken",
    "apisecret",
    "accesskey",
    "authtoken",
    "authkey",
    "clientsecret",
    "hectoken",
    "secretkey",
    "servertoken",
    "accounttoken",
    "servicetoken",
    "secretid",
];
/// Services whose tokens are UUIDs.
const ISSUERS: [&str; 34] = [
    "splunk",
    "logz",
    "loggly",
    "logentries",
    "rapid7",
    "humio",
    "heroku",
    "pinecone",
    "nomad",
    "consul",
    "vault",
    "snyk",
    "postmark",
    "scaleway",
    "scw",
    "codecov",
    "opsgenie",
    "coinmarketcap",
    "coinapi",
    "deepl",
    "appveyor",
    "jumpcloud",
    "getblock",
    "hypixel",
    "nanonets",
    "gladia",
    "api2pdf",
    "browserless",
    "insightly",
    "hapikey",
    "wakatime",
    "contentful",
    "smarty",
    "onesignal",
];

/// Whether a value is a UUID, and its name or what stands around it makes it a credential.
pub(super) fn is_credential(bytes: &[u8], name: &Range<usize>, value: &[u8]) -> bool {
    if !named::is_uuid(value) || placeholder::is_placeholder(value) || !is_drawn(value) {
        return false;
    }
    let plain = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let name_itself = plain(&bytes[name.clone()]);
    let is_header = name_itself.starts_with(b"x") && bytes[name.clone()].contains(&b'-');
    if CREDENTIALS.iter().any(|word| name_itself.ends_with(word.as_bytes())) || is_header {
        return true;
    }
    let around = name.start.saturating_sub(CONTEXT_BYTES)..(name.end + CONTEXT_BYTES).min(bytes.len());
    let (around, small) = (&bytes[around.clone()], bytes[around].to_ascii_lowercase());
    let names = |issuer: &&str| {
        let mut found = memchr::memmem::find_iter(&small, issuer.as_bytes());
        found.any(|at| is_whole_word(around, at, at + issuer.len()))
    };
    ISSUERS.iter().any(names)
}

/// Whether a word begins and ends here, as in `splunk-token` and `mySplunkToken`, but not in `consultant`.
fn is_whole_word(text: &[u8], start: usize, end: usize) -> bool {
    let begins = match start.checked_sub(1).map(|before| text[before]) {
        Some(before) if before.is_ascii_lowercase() => text[start].is_ascii_uppercase(),
        Some(before) => !before.is_ascii_alphabetic(),
        None => true,
    };
    let ends = match text.get(end) {
        Some(after) if after.is_ascii_uppercase() => text[end - 1].is_ascii_lowercase(),
        Some(after) => !after.is_ascii_alphabetic(),
        None => true,
    };
    begins && ends
}

/// Whether it looks as if drawn by chance: few digits occur in those that documentation shows.
fn is_drawn(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value.iter().for_each(|b| seen[usize::from(b.to_ascii_lowercase())] = true);
    seen.iter().filter(|seen| **seen).count() >= 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_or_the_issuer_decides() {
        let value = "7d9e1c52-4f0a-4b6d-9c3e-8a2f5b1d7e60";
        for (text, expected) in [
            ("\"X-Api-Key\": V", true),
            ("\"X-Server-Token\": V", true),
            ("client_secret=V", true),
            ("\"host\": \"http-inputs.splunk.test\", \"token\": V", true),
            ("mySplunkToken: V", true),
            ("consul: { token: V", true),
            ("consultant: { token: V", false),
            ("token: V", false),
            ("sessionToken: V", false),
            ("clientToken: V", false),
        ] {
            let at = text.find(": V").or_else(|| text.find("=V")).unwrap();
            let end = at - usize::from(text.as_bytes()[at - 1] == b'"');
            let start = text[..end].rfind(['"', ' ', ',']).map_or(0, |at| at + 1);
            assert_eq!(is_credential(text.as_bytes(), &(start..end), value.as_bytes()), expected, "{text}");
        }
        let fixed = b"11111111-1111-4111-8111-111111111111";
        assert!(!is_credential(b"x-api-key", &(0..9), fixed));
    }
}
