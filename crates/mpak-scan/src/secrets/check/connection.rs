//! Passwords in URLs.

use super::Outcome;
use crate::secrets::placeholder;

/// A password so long, of several kinds of characters, is meant, whatever the host.
const STRONG_BYTES: usize = 16;
/// A shorter one is a default or an example.
const WEAK_BYTES: usize = 8;

pub(super) fn judge(whole: &[u8], secret: &[u8]) -> Outcome {
    let (user, host) = parts(whole, secret);
    let secret = &percent_decoded(secret)[..];
    let letters = secret.iter().any(u8::is_ascii_alphabetic);
    let mixed = letters && (secret.iter().any(|b| !b.is_ascii_alphabetic()) || super::is_random(secret));
    if secret.len() < WEAK_BYTES
        || secret == user
        || names_itself(secret)
        || is_template(secret)
        || placeholder::is_placeholder(secret)
    {
        Outcome::Drop
    } else if is_web(whole) {
        // Documentation is full of these, so only what a machine made is sure.
        if secret.len() >= STRONG_BYTES && mixed && super::is_random(secret) { Outcome::Keep } else { Outcome::Lower }
    } else if secret.len() >= STRONG_BYTES && mixed {
        Outcome::Keep
    } else if is_documentation(host) {
        // Words for a local or example host are a quick start, mixed ones perhaps somebody's own machine.
        if mixed { Outcome::Lower } else { Outcome::Drop }
    } else if mixed {
        Outcome::Keep
    } else {
        Outcome::Lower
    }
}

/// `scheme://user:…@host`
pub(super) fn masked(whole: &[u8], secret: &[u8]) -> String {
    let text = String::from_utf8_lossy(whole).into_owned();
    let secret = String::from_utf8_lossy(secret).into_owned();
    match text.rfind(&format!(":{secret}@")) {
        Some(at) => format!("{}:…{}", &text[..at], &text[at + 1 + secret.len()..]),
        None => "…".to_owned(),
    }
}

/// User and host around the password.
fn parts<'a>(whole: &'a [u8], secret: &[u8]) -> (&'a [u8], &'a [u8]) {
    let after = |mark: &[u8]| whole.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
    let start = after(b"://").unwrap_or(0);
    let user_end = whole[start..].iter().position(|b| *b == b':').map_or(start, |at| start + at);
    let host_start = (user_end + 1 + secret.len() + 1).min(whole.len());
    (&whole[start..user_end], &whole[host_start..])
}

/// With what percent-encoding stands for.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let pair = (text.get(at + 1).copied().and_then(digit), text.get(at + 2).copied().and_then(digit));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            out.push(high * 16 + low);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    out
}

fn is_web(whole: &[u8]) -> bool {
    let scheme = whole.split(|b| *b == b':').next().unwrap_or_default().to_ascii_lowercase();
    [&b"http"[..], b"https", b"ws", b"wss", b"ftp", b"ftps", b"git", b"socks5"].contains(&scheme.as_slice())
}

/// `password`, `MyPassword1`, `your-secret`: a text that says what should stand there.
fn names_itself(secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let core = text.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let core =
        ["my", "your", "the", "some", "db", "user"].iter().find_map(|word| core.strip_prefix(word)).unwrap_or(core);
    let core = core.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    matches!(core, "password" | "passwd" | "passphrase" | "secret" | "token" | "credentials")
}

/// Templates, escapes and markup of programming languages.
fn is_template(secret: &[u8]) -> bool {
    secret.iter().any(|b| matches!(b, b'[' | b']' | b'(' | b')' | b'\\' | b'`' | b'|' | b'"' | b'\''))
        || secret.starts_with(b"#{")
}

/// Hosts that belong to nobody: this machine, single names, the domains kept for documentation.
fn is_documentation(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let host = host.split([':', '/', ',', '?']).next().unwrap_or_default();
    !host.contains('.')
        || host.starts_with("127.")
        || host == "0.0.0.0"
        || [".example", ".test", ".invalid", ".local", ".localhost"].iter().any(|end| host.ends_with(end))
        || matches!(host, "example.com" | "example.org" | "example.net")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_judged_with_their_host() {
        for (user, password, host, expected) in [
            ("admin", "supersecretpassword123", "db.example.com:5432", Outcome::Keep),
            ("admin", "supersecretpassword123", "localhost", Outcome::Keep),
            ("app", "tR7wq2Lp", "db.acme.io", Outcome::Keep),
            ("app", "tR7wq2Lp", "localhost:5432", Outcome::Lower),
            ("app", "correcthorse", "db.acme.io", Outcome::Lower),
            ("app", "mysecretpassword", "localhost", Outcome::Drop),
            ("scott", "tiger", "localhost", Outcome::Drop),
            ("user", "password", "db.acme.io", Outcome::Drop),
            ("user", "My-Password1", "db.acme.io", Outcome::Drop),
            ("postgres", "postgres", "db.acme.io", Outcome::Drop),
            ("app", "${DB_PASSWORD}", "db.acme.io", Outcome::Drop),
            ("app", "[PASSWORD]1", "db.acme.io", Outcome::Drop),
            ("app", "xxxxxxxxxx", "db.acme.io", Outcome::Drop),
            ("app", "YOUR_PASSWORD_1", "db.acme.io", Outcome::Drop),
        ] {
            let whole = format!("postgres://{user}:{password}@{host}");
            assert_eq!(judge(whole.as_bytes(), password.as_bytes()), expected, "{whole}");
            assert_eq!(masked(whole.as_bytes(), password.as_bytes()), format!("postgres://{user}:…@{host}"));
        }
    }
}
