//! Shell scripts: every command is a program that is run, and the common ones do what they are known for.

use super::{Finder, host};
use crate::capabilities::Access;
use crate::code::facts::{Arg, ExprId, ExprKind};

/// What the shell does by itself.
const BUILTINS: [&str; 44] = [
    ".", ":", "[", "[[", "alias", "bg", "break", "case", "cd", "continue", "declare", "dirs", "echo", "eval", "exit",
    "export", "false", "fg", "getopts", "hash", "jobs", "let", "local", "popd", "printf", "pushd", "pwd", "read",
    "readonly", "return", "set", "shift", "shopt", "source", "test", "times", "trap", "true", "type", "typeset",
    "umask", "unalias", "unset", "wait",
];
/// Programs that connect to others.
const CLIENTS: [&str; 22] = [
    "curl", "wget", "nc", "ncat", "netcat", "socat", "ssh", "scp", "sftp", "rsync", "ftp", "telnet", "ping", "dig",
    "nslookup", "host", "npm", "npx", "pip", "pip3", "uvx", "aws",
];
/// Programs that change files.
const WRITERS: [&str; 18] = [
    "cp", "mv", "rm", "rmdir", "mkdir", "touch", "chmod", "chown", "ln", "tee", "tar", "unzip", "install", "truncate",
    "dd", "mktemp", "gzip", "zip",
];
/// Programs that read them.
const READERS: [&str; 17] = [
    "cat", "head", "tail", "grep", "ls", "find", "less", "more", "wc", "sort", "sed", "awk", "cut", "diff", "stat",
    "xxd", "base64",
];

impl Finder<'_> {
    /// One command of a script.
    pub(super) fn command(&mut self, call: ExprId, callee: ExprId, args: &[Arg]) {
        let ExprKind::Free(name) = self.unit.expr(callee) else { return };
        let name = name.rsplit('/').next().unwrap_or(name).to_owned();
        let words: Vec<String> = args
            .iter()
            .filter(|arg| arg.name.is_none())
            .take(16)
            .flat_map(|arg| self.names.texts(self.id, arg.value))
            .collect();
        let output = args.iter().filter(|arg| matches!(arg.name.as_deref(), Some("stdout" | "stderr")));
        for arg in output {
            let texts = self.names.texts(self.id, arg.value);
            if !texts.iter().all(|text| text == "/dev/null" || text.starts_with('&')) {
                self.file(call, Access::Write, ">", &texts);
            }
        }
        if name == "<" {
            return self.file(call, Access::Read, "<", &words);
        }
        if BUILTINS.contains(&name.as_str()) {
            return;
        }
        let span = self.unit.span(call);
        let what = Some(name.clone());
        self.add(Access::Subprocess, false, &name, span, Some(call), |found| found.what = what);
        if CLIENTS.contains(&name.as_str()) {
            let hosts: Vec<String> = words.iter().filter_map(|word| host(word)).collect();
            let what = (!hosts.is_empty()).then(|| hosts.join(", "));
            self.add(Access::Outbound, false, &name, span, Some(call), |found| found.what = what);
        }
        let paths: Vec<String> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
        if WRITERS.contains(&name.as_str()) {
            self.file(call, Access::Write, &name, &paths);
        } else if READERS.contains(&name.as_str()) && !paths.is_empty() {
            self.file(call, Access::Read, &name, &paths);
        }
    }
}
