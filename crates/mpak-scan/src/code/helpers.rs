//! Small packages of others that hand text to a shell.
//!
//! What a package manager installed is not judged. But a helper of one small file that puts its option into a shell's
//! line is as dangerous for whoever calls it from a handler as a function of the server's own, and reading a few of them
//! costs nothing. Packages whose calls are known by their names are not read: the call itself is the finding.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

/// Largest file that counts as small.
const HELPER_BYTES_MAX: usize = 16 << 10;

/// What code that hands text to a shell says, of each line one.
const SHELLS: [&[u8]; 6] = [b"execSync", b"exec(", b"exec)", b"exec }", b"exec,", b"shell: true"];

/// Packages whose calls are known by their names, or that quote what they are given.
const KNOWN: [&str; 30] = [
    "shelljs",
    "node-cmd",
    "mz",
    "child-process-promise",
    "promisify-child-process",
    "exec-sh",
    "await-exec",
    "async-exec",
    "node-exec-promise",
    "sudo-prompt",
    "@vscode/sudo-prompt",
    "execa",
    "zx",
    "open",
    "opn",
    "cross-spawn",
    "node-powershell",
    "node-pty",
    "nano-spawn",
    "tinyexec",
    "npm-run-path",
    "simple-git",
    "systeminformation",
    "fsevents",
    "node-gyp",
    "node-gyp-build",
    "prebuild-install",
    "esbuild",
    "typescript",
    "husky",
];

/// Whether a file of an npm package is a small one that starts a shell, and one that others call.
pub(crate) fn is_small_helper(path: &str, bytes: &[u8]) -> bool {
    static WORDS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    if bytes.len() > HELPER_BYTES_MAX {
        return false;
    }
    let Some((_, inner)) = path.rsplit_once("node_modules/") else { return false };
    let runs_by_itself = |part: &str| {
        matches!(
            part,
            "bin" | "test" | "tests" | "__tests__" | "example" | "examples" | "scripts" | "script" | "bench" | "cli.js"
        )
    };
    let is_known = |name: &str| inner.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    if inner.split('/').any(runs_by_itself) || KNOWN.iter().any(|name| is_known(name)) {
        return false;
    }
    let script = [".js", ".cjs", ".mjs"].iter().any(|end| inner.ends_with(end));
    script
        && memchr::memmem::find(bytes, b"child_process").is_some()
        && match WORDS.get_or_init(|| AhoCorasick::new(SHELLS).ok()) {
            Some(words) => words.is_match(bytes),
            None => true,
        }
}
