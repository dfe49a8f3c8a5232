//! Files that authors pack by mistake: keys, credentials, virtual environments, byte code.
//!
//! Judged by name, and for certificates by content. Findings only: what is packed is the author's choice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use super::CollectedFile;
use crate::archive::Finding;

const PEM_BYTES_MAX: u64 = 1 << 20;

/// Name of a folder, code, what it is.
const FOLDERS: [(&str, &str, &str); 8] = [
    (".venv", "virtual-environment", "a virtual environment is bound to the machine that made it; vendor instead"),
    ("venv", "virtual-environment", "a virtual environment is bound to the machine that made it; vendor instead"),
    (".ssh", "credentials", "holds SSH keys"),
    (".aws", "credentials", "holds cloud credentials"),
    (".gnupg", "credentials", "holds private keys"),
    (".kube", "credentials", "holds cluster credentials"),
    (".docker", "credentials", "may hold registry credentials"),
    ("__pycache__", "byte-code", "byte code depends on the interpreter and is made again at run time"),
];

/// Name of a file, what it is; all of them code `credentials`.
const FILES: [(&str, &str); 12] = [
    (".pypirc", "holds a publishing token"),
    (".npmrc", "may hold a publishing token"),
    (".yarnrc.yml", "may hold a publishing token"),
    (".netrc", "holds passwords"),
    ("_netrc", "holds passwords"),
    (".git-credentials", "holds passwords"),
    (".htpasswd", "holds password hashes"),
    (".pgpass", "holds passwords"),
    ("id_rsa", "is a private key by its name"),
    ("id_dsa", "is a private key by its name"),
    ("id_ecdsa", "is a private key by its name"),
    ("id_ed25519", "is a private key by its name"),
];

/// Endings of key stores.
const ENDINGS: [&str; 6] = [".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx"];

/// One finding per file, or per folder where the folder is the matter.
pub(super) fn findings(files: &[CollectedFile]) -> Vec<Finding> {
    let mut found = BTreeMap::new();
    for file in files {
        if let Some(finding) = judge(file) {
            found.entry((finding.code, finding.path.clone())).or_insert(finding);
        }
    }
    found.into_values().collect()
}

fn judge(file: &CollectedFile) -> Option<Finding> {
    let path = file.path.as_str();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    in_folder(folder).or_else(|| by_name(path, &name.to_ascii_lowercase())).or_else(|| by_ending(file, path, name))
}

fn in_folder(folder: &str) -> Option<Finding> {
    let mut end = 0;
    for part in folder.split('/') {
        end += part.len();
        if let Some((_, code, message)) = FOLDERS.iter().find(|(name, ..)| *name == part) {
            return Some(finding(code, &folder[..end], message));
        }
        end += 1;
    }
    None
}

fn by_name(path: &str, name: &str) -> Option<Finding> {
    if name == "pyvenv.cfg" {
        return Some(finding("virtual-environment", path, FOLDERS[0].2));
    }
    if name == ".env" || name.starts_with(".env.") {
        return Some(finding("credentials", path, "an environment file often holds secrets"));
    }
    FILES.iter().find(|(known, _)| *known == name).map(|(_, message)| finding("credentials", path, message))
}

fn by_ending(file: &CollectedFile, path: &str, name: &str) -> Option<Finding> {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().find(|ending| name.ends_with(*ending))?;
    if is_certificates(file) {
        return None;
    }
    Some(finding("credentials", path, "is a key or key store by its name"))
}

/// Public certificates lie in many packages and are no secret.
fn is_certificates(file: &CollectedFile) -> bool {
    let mut text = Vec::new();
    let Ok(opened) = File::open(&file.source) else { return false };
    if opened.take(PEM_BYTES_MAX).read_to_end(&mut text).is_err() || file.bytes > PEM_BYTES_MAX {
        return false;
    }
    let holds = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    holds(b"BEGIN CERTIFICATE") && !holds(b"PRIVATE KEY")
}

fn finding(code: &'static str, path: &str, message: &str) -> Finding {
    Finding { code, path: path.to_owned(), message: message.to_owned() }
}
