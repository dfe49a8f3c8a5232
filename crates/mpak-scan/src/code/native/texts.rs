//! Texts within native code: those that tell what it does, and those by which the runtime of a language is known.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

/// Most texts that are kept, and their length.
const TEXTS_COUNT_MAX: usize = 512;
const TEXT_BYTES_MAX: usize = 300;
const TEXT_BYTES_MIN: usize = 6;
/// Most places that are looked at.
const PLACES_COUNT_MAX: usize = 20_000;
/// How far a text is followed from a mark in it, to either side.
const REACH_BYTES: usize = 150;

/// Parts of texts that are worth keeping.
const MARKS: [&str; 34] = [
    "://",
    "/bin/sh",
    "/bin/bash",
    "cmd.exe",
    "powershell",
    "curl ",
    "wget ",
    "/.ssh",
    "/.aws",
    "/.config",
    "/.gnupg",
    "/.kube",
    "/.docker",
    "/.npmrc",
    "/.netrc",
    "/.bash",
    "/.zshrc",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/cron",
    "/etc/ld.so.preload",
    "/proc/self",
    "/dev/tcp",
    "LD_PRELOAD",
    "DYLD_INSERT",
    "_TOKEN",
    "_SECRET",
    "API_KEY",
    "wallet.dat",
    "Login Data",
    "Cookies",
    "CurrentVersion\\Run",
    "LaunchAgents",
    "systemd/user",
];

/// The library of a language that is linked in, which no table of imports shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Its name.
    pub name: &'static str,
    /// Packages of it that the program holds.
    pub packages: Vec<&'static str>,
}

/// Functions of Go's library, as the table for its own stack traces names them in every program.
const GO: [(&str, &str); 6] = [
    ("os/exec", "os/exec.(*Cmd).Start"),
    ("syscall.exec", "syscall.Exec"),
    ("net.dial", "net.(*Dialer).DialContext"),
    ("net.listen", "net.(*ListenConfig).Listen"),
    ("net/http", "net/http.(*Client).do"),
    ("os.files", "os.OpenFile"),
];

/// Texts that tell what the code does.
pub(super) fn notable(bytes: &[u8]) -> Vec<String> {
    static MATCHER: OnceLock<AhoCorasick> = OnceLock::new();
    let matcher = MATCHER.get_or_init(|| AhoCorasick::new(MARKS).expect("the marks are few and short"));
    let shown = |b: &&u8| b.is_ascii_graphic() || **b == b' ';
    let (mut texts, mut until) = (BTreeSet::new(), 0);
    for found in matcher.find_iter(bytes).take(PLACES_COUNT_MAX) {
        if found.start() < until || texts.len() >= TEXTS_COUNT_MAX {
            continue;
        }
        let before = bytes[..found.start()].iter().rev().take(REACH_BYTES).take_while(shown).count();
        let after = bytes[found.end()..].iter().take(REACH_BYTES).take_while(shown).count();
        let text = &bytes[found.start() - before..found.end() + after];
        until = found.end() + after;
        if let (TEXT_BYTES_MIN..=TEXT_BYTES_MAX, Ok(text)) = (text.len(), std::str::from_utf8(text)) {
            texts.insert(text.trim().to_owned());
        }
    }
    texts.into_iter().collect()
}

/// The runtime that is linked in, with what the program takes of it; `None` for one that is not known.
pub fn runtime(bytes: &[u8]) -> Option<Runtime> {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    if !has("runtime.goexit") {
        return None;
    }
    let packages = GO.iter().filter(|(_, function)| has(function)).map(|(package, _)| *package).collect();
    Some(Runtime { name: "go", packages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_tell_something_are_kept() {
        let bytes = b"\x01\x02nothing of note\0\0https://collect.example.net/v1\0\xff~/.ssh/id_rsa\0GITHUB_TOKEN\0";
        assert_eq!(notable(bytes), ["GITHUB_TOKEN", "https://collect.example.net/v1", "~/.ssh/id_rsa"]);
        assert!(notable(&b"://".repeat(100_000)).len() <= TEXTS_COUNT_MAX);
    }

    #[test]
    fn the_runtime_of_go_says_what_it_holds() {
        assert_eq!(runtime(b"an other program"), None);
        let found = runtime(b"\0runtime.goexit\0os/exec.(*Cmd).Start\0main.main").unwrap();
        assert_eq!((found.name, found.packages), ("go", vec!["os/exec"]));
    }
}
