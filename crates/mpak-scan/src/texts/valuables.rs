//! What can be told from the shape of a name: addresses, paths of private files, identifiers.

use super::class::{self, Classes};
use super::lexicon::{Language, lexicon};
use super::tokens::Kind;

/// Endings of host names that are written without a scheme.
const HOST_ENDINGS: [&str; 18] = [
    "com", "net", "org", "io", "dev", "app", "xyz", "ru", "cn", "me", "co", "info", "site", "online", "top", "invalid",
    "test", "example",
];

/// Whether a run of characters is an address or a path.
pub(super) fn address(run: &str) -> Option<Kind> {
    if run.contains("://") || run.starts_with("www.") {
        return Some(Kind::Url);
    }
    if is_email(run.strip_prefix("mailto:").unwrap_or(run)) {
        return Some(Kind::Email);
    }
    let beneath = run.strip_prefix('.').filter(|rest| rest.matches('.').count() > 1);
    if is_host(run) || beneath.is_some_and(is_host) {
        return Some(Kind::Url);
    }
    let anchored =
        ["~/", "~\\", "/", "./", "../", "\\\\", "$HOME", "${HOME}", "%"].iter().any(|start| run.starts_with(start))
            || run.as_bytes().get(1) == Some(&b':') && run.as_bytes().get(2).is_some_and(|b| matches!(b, b'\\' | b'/'));
    let named = run.len() > 1 && run.starts_with('.') || run.contains(['/', '\\']);
    let path = anchored && run.len() > 2 || named && !of(&run.to_lowercase(), Kind::Path).is_empty();
    path.then_some(Kind::Path)
}

fn is_email(run: &str) -> bool {
    let Some((local, domain)) = run.split_once('@') else { return false };
    let local_ok = local.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'));
    !local.is_empty() && local_ok && domain.contains('.') && labels(domain)
}

fn labels(host: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    host.split('.').all(label)
        && host.rsplit('.').next().is_some_and(|end| end.len() > 1 && end.chars().all(|c| c.is_ascii_alphabetic()))
}

/// `exfil.example/collect`, `evil.com`.
fn is_host(run: &str) -> bool {
    let (host, path) = run.split_once('/').map_or((run, None), |(host, path)| (host, Some(path)));
    let host = host.split(':').next().unwrap_or(host);
    let known = host.rsplit_once('.').is_some_and(|(name, end)| {
        HOST_ENDINGS.contains(&end)
            && name.len() > 2
            && (path.is_some() || !matches!(end, "io" | "me" | "co" | "app" | "test" | "info"))
    });
    known && labels(host) && !host.starts_with("asp.")
}

/// The classes of a path (lower case) or address.
pub(super) fn of(text: &str, kind: Kind) -> Classes {
    if kind != Kind::Path {
        return Classes::NONE;
    }
    let path = text.replace('\\', "/");
    let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty()).collect();
    lexicon().path(&components)
}

/// The classes of an identifier, as it is written: a private file's name, or words that name something private.
pub(super) fn of_identifier(identifier: &str) -> Classes {
    let file = lexicon().path(&[identifier.to_lowercase().as_str()]);
    file | private_words(identifier)
}

/// Whether an identifier (lower case) is the name of a private file.
pub(super) fn is_private_file(identifier: &str) -> bool {
    !lexicon().path(&[identifier]).is_empty()
}

/// What private things the words of an identifier name.
pub(super) fn private_words(identifier: &str) -> Classes {
    let words = words(identifier);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = Classes::NONE;
    for i in 0..words.len() {
        found |= lexicon().at(Language::En, &words[i..]).classes & class::VALUABLE;
    }
    found
}

/// The same in every language that has words of its own: `listar_contraseñas`, `mot_de_passe`.
pub(super) fn private_words_anywhere(identifier: &str) -> Classes {
    let words = words(identifier);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let latin = super::lexicon::LATIN.iter().map(|(language, _)| *language).filter(|l| *l != Language::En);
    let mut found = Classes::NONE;
    for language in latin.chain([Language::Ru]) {
        for i in 0..words.len() {
            found |= lexicon().at(language, &words[i..]).classes & class::VALUABLE;
        }
    }
    found
}

/// The words of an identifier in lower case: `sendE-mailTo_user2` are `send`, `e`, `mail`, `to`, `user2`.
pub(super) fn words(identifier: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for c in identifier.chars() {
        if (!c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_recognised() {
        for (run, kind) in [
            ("https://exfil.invalid/x", Some(Kind::Url)),
            ("exfil.invalid/x", Some(Kind::Url)),
            ("evil.com", Some(Kind::Url)),
            ("a@b.test", Some(Kind::Email)),
            ("~/.ssh/id_rsa", Some(Kind::Path)),
            ("C:\\Users\\x", Some(Kind::Path)),
            ("%APPDATA%\\Claude", Some(Kind::Path)),
            (".env", Some(Kind::Path)),
            ("home/.aws/credentials", Some(Kind::Path)),
            ("and/or", None),
            ("read/write", None),
            ("Node.js", None),
            ("socket.io", None),
            ("@scope", None),
        ] {
            assert_eq!(address(run), kind, "{run}");
        }
    }

    #[test]
    fn private_files_are_told_by_their_components() {
        for (path, class) in [
            ("~/.ssh/id_rsa", class::KEY_FILE),
            ("/home/x/.aws/credentials", class::CREDENTIAL),
            ("/etc/passwd", class::SYSTEM_FILE),
            ("~/.cursor/mcp.json", class::CLIENT_CONFIG),
            ("project/.env.local", class::ENVIRONMENT),
            ("c:\\keys\\server.pem", class::KEY_FILE),
        ] {
            assert!(of(path, Kind::Path).any(class), "{path}");
        }
        for path in ["/etc/nginx", "/environment", "src/passwd.rs", "~/documents/ssh.md"] {
            assert!(of(path, Kind::Path).is_empty(), "{path}");
        }
        assert!(of_identifier("contentsOfSshPrivateKey").any(class::KEY_FILE));
        assert!(of_identifier("id_rsa").any(class::KEY_FILE));
        assert!(of_identifier("page_size").is_empty());
    }
}
