//! CD-02: the manifest declares what the code can do: no more, and no less.
//!
//! Spec: MTF 0.1 §3.5 CD-02. The rows of its table that block are findings of severity `high` and `critical`.
//! A missing block blocks nothing by itself: each permission is then `none`; so it is without a manifest.

use crate::capabilities::Capabilities;
use crate::capabilities::permissions::{self, Permissions};
use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};

/// Most files named that the server does not come to.
const UNREACHED_COUNT_MAX: usize = 5;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let found = evidence.capabilities();
    let block = evidence.extension().and_then(|extension| extension.get("permissions"));
    let declared = Permissions::declared(block);
    if !found.judged {
        return Verdict::not_run("the bundle holds no code that can be read: what it does was not compared");
    }
    // 1. What is done and not declared.
    let mut findings = permissions::undeclared(found, declared);
    let blocks = findings.iter().filter(|finding| finding.severity >= Severity::High).count();
    // 2. What is declared and not done, unless code that could not be read may do it.
    match block {
        None => findings.push(permissions::missing(evidence.document().is_some())),
        Some(_) if !found.partly => findings.extend(permissions::unused(found, declared)),
        Some(_) => {}
    }
    let warns = findings.iter().any(|finding| finding.severity > Severity::Info);
    findings.extend(unreached(&found.unreached));
    let uses = found.uses.len();
    let seen = if uses == 1 { "1 use was found".to_owned() } else { format!("{uses} uses were found") };
    // 3. What could not be seen. A place where anything may be done is not compared.
    let open = open(found);
    if blocks > 0 {
        let what = if blocks == 1 { "1 of them blocks".to_owned() } else { format!("{blocks} of them block") };
        let reason = format!("the code does what is not declared: {seen}, {what}");
        return Verdict::fail(reason, findings).leaving_open(open);
    }
    findings.extend(unseen(found));
    if let Some(reason) = open {
        return Verdict { findings, ..Verdict::not_run(reason) };
    }
    let (status, reason) = if !found.natives.is_empty() {
        (Status::Warn, format!("{seen} and compared; what native code does is known by its imports only"))
    } else if warns || found.partly {
        (Status::Warn, format!("{seen} and compared with what is declared"))
    } else {
        (Status::Pass, format!("{seen}, and what is declared is what the code does"))
    };
    Verdict { findings, ..Verdict::new(status, reason) }
}

/// Why some of what the server does was not compared, whatever was found in the rest.
fn open(found: &Capabilities) -> Option<String> {
    let unread = found.unread.first();
    let unread = unread.map(|(file, why)| format!("`{file}` could not be read ({why}): what it does was not compared"));
    unread.or_else(|| {
        let (file, reason) = found.silent.first()?;
        Some(format!("what the native code `{file}` does is not known: {reason}; a run in a sandbox tells"))
    })
}

/// Code whose doings are not known, or not all of them.
fn unseen(found: &Capabilities) -> Vec<Finding> {
    let unread = found.unread.iter().take(UNREACHED_COUNT_MAX).map(|(file, reason)| {
        Finding::new("CD-02/unread", Severity::Medium, "source code of the server that could not be compared")
            .at(file.clone(), None)
            .seen(reason.clone())
            .fix("write it so that it can be read, or leave it out of the bundle")
    });
    let natives = found.natives.iter().take(UNREACHED_COUNT_MAX).map(|file| {
        let silent = found.silent.iter().find(|(silent, _)| silent == file).map(|(_, reason)| *reason);
        let known = silent.unwrap_or("it is known what it is linked with, and not what it does with that");
        Finding::new(
            "CD-02/native-code",
            Severity::Medium,
            "native code of the server that was compared by its imports",
        )
        .at(file.clone(), None)
        .seen(known)
        .fix("publish how it is built, so that others can build the same; evidence of a run tells what it does")
    });
    unread.chain(natives).collect()
}

/// Code that nothing starts.
fn unreached(files: &[String]) -> Option<Finding> {
    let first: Vec<&str> = files.iter().take(UNREACHED_COUNT_MAX).map(String::as_str).collect();
    let count = files.len();
    (count > 0).then(|| {
        Finding::new(
            "CD-02/unreached",
            Severity::Info,
            format!("{count} file(s) of source code that the entry point does not come to were left out"),
        )
        .seen(first.join(", "))
        .fix("leave them out of the bundle, if the server does not need them")
    })
}

#[cfg(test)]
mod tests {
    use mpak_bundle::limits::Limits;
    use serde_json::json;

    use super::*;

    fn judged(files: &[(&str, &str)], permissions: &serde_json::Value) -> Verdict {
        let document = json!({"server": {"entry_point": files[0].0},
            "_meta": {"org.mpaktrust": {"permissions": permissions}}});
        judge(&Evidence::of_files(&document, files))
    }

    fn rules(verdict: &Verdict) -> Vec<&str> {
        verdict.findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    #[test]
    fn code_that_cannot_be_read_is_not_passed() {
        let deep = format!("x = {}1{}\n", "(".repeat(1_000), ")".repeat(1_000));
        let none = json!({"filesystem": "none"});
        // The entry point itself; what it loads; what nothing comes to.
        let verdict = judged(&[("server/main.py", &deep)], &none);
        assert_eq!((verdict.status, rules(&verdict)), (Status::NotRun, vec!["CD-02/unread"]));
        let verdict = judged(&[("server/main.py", "import server.more\n"), ("server/more.py", &deep)], &none);
        assert_eq!(verdict.status, Status::NotRun);
        let verdict = judged(&[("server/main.py", "print(1)\n"), ("tests/more.py", &deep)], &none);
        assert_eq!((verdict.status, rules(&verdict)), (Status::Warn, vec!["CD-02/unreached"]));
        // What is found blocks all the same.
        let runs = "import os, server.more\nos.system('id')\n";
        let verdict = judged(&[("server/main.py", runs), ("server/more.py", &deep)], &none);
        assert_eq!(verdict.status, Status::Fail);
    }

    #[test]
    fn a_server_of_native_code_is_never_passed() {
        // A program that is linked with nothing, and one whose tables lead nowhere.
        let program = format!("\u{7f}ELF\u{2}\u{1}\u{1}{}", "\0".repeat(120));
        let lost = format!("\u{7f}ELF\u{2}\u{1}\u{1}{}", "\u{1}".repeat(120));
        // One of Go, which says in its tables what it holds.
        let go = format!("{program}runtime.goexit\0os/exec.(*Cmd).Start\0");
        let required = json!({"native": "required"});
        for silent in [&program, &lost] {
            let verdict = judged(&[("server/run", silent)], &required);
            assert_eq!((verdict.status, rules(&verdict)), (Status::NotRun, vec!["CD-02/native-code"]));
        }
        let verdict = judged(&[("server/run", &go)], &required);
        assert_eq!(verdict.status, Status::Warn);
        assert_eq!(rules(&verdict), ["CD-02/native-import", "CD-02/native-code"]);
        // Declared, it is only said that more is not known.
        let verdict = judged(&[("server/run", &go)], &json!({"native": "required", "subprocess": "restricted"}));
        assert_eq!((verdict.status, rules(&verdict)), (Status::Warn, vec!["CD-02/native-code"]));
        // Undeclared native code fails as before.
        assert_eq!(judged(&[("server/run", &go)], &json!({})).status, Status::Fail);
    }

    #[test]
    fn what_is_declared_and_not_done_warns() {
        let permissions = json!({"filesystem": "full", "network": "outbound"});
        let verdict = judged(&[("server/main.py", "print(open('/tmp/x').read())\n")], &permissions);
        assert_eq!((verdict.status, rules(&verdict)), (Status::Warn, vec!["CD-02/unused", "CD-02/unused"]));
    }

    #[test]
    fn without_a_manifest_everything_that_is_done_is_undeclared() {
        for (source, status, rule) in [
            ("import subprocess\nsubprocess.run(['ls'])\n", Status::Fail, "CD-02/subprocess"),
            ("print(1)\n", Status::Warn, "CD-02/not-declared"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("server.py"), source).unwrap();
            let verdict = judge(&Evidence::from_folder(folder.path(), &Limits::default()).unwrap());
            assert_eq!(verdict.status, status, "{source}: {verdict:?}");
            assert!(verdict.findings.iter().any(|f| f.rule == rule), "{source}: {verdict:?}");
            // Nothing is said about a place that is not there.
            assert!(verdict.findings.iter().all(|f| f.file.as_deref() != Some("manifest.json")), "{verdict:?}");
        }
    }
}
