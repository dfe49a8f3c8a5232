//! Code frames: the lines around a finding, so that a reader needs no other window.
//!
//! In: a judged report and the contents it is about, from an attacker. Out: the same report, whose worst
//! findings carry a few short lines each. Only files that findings name are read, once more and bounded.
//! A line beside a credential is never shown, neither here nor as the evidence of another control.

use std::collections::{BTreeMap, BTreeSet};

use mpak_bundle::manifest::{Contents, FileKind};
use serde::{Deserialize, Serialize};

use super::{Finding, Report, Severity};
use crate::secrets::{self, Secrets};

/// Findings of one control that get a frame; the others keep file and line.
const FRAMES_COUNT_MAX: usize = 25;
/// Files that are read for frames.
const FILES_COUNT_MAX: usize = 200;
/// Largest file that is read for frames.
const FILE_BYTES_MAX: u64 = 2 << 20;
/// Bytes that are read for frames in all.
const BYTES_MAX: u64 = 32 << 20;
/// Lines shown before and after the marked one.
const AROUND_LINES: u32 = 2;
/// Longest line, in characters.
const LINE_CHARS_MAX: usize = 160;
/// Lines hidden after the one with a credential, which may go on there.
const HIDDEN_AFTER_LINES: u32 = 3;
/// Lines of a private key.
const KEY_LINES_MAX: u32 = 200;
/// Stands where a line with a credential would.
const HIDDEN: &str = "(not shown: beside a credential)";

/// A few lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Number of the first line, from 1.
    pub first: u32,
    /// The lines, cut to a readable length.
    pub lines: Vec<String>,
}

/// Adds frames to the worst findings, and hides lines beside credentials, which were found before.
pub fn add(report: &mut Report, contents: &dyn Contents, secrets: &Secrets) {
    let texts = texts(&wanted(report), contents, secrets);
    for control in &mut report.controls {
        // What CQ-01 found is masked, and its surroundings are what must not be seen.
        if control.id == "CQ-01" {
            continue;
        }
        let mut framed = 0;
        for finding in &mut control.findings {
            hide(finding, &texts);
            if framed < FRAMES_COUNT_MAX && deserves(finding) {
                finding.frame = frame(finding, &texts);
                framed += usize::from(finding.frame.is_some());
            }
        }
    }
}

/// What is only told needs no frame.
fn deserves(finding: &Finding) -> bool {
    finding.severity > Severity::Info && finding.file.is_some() && finding.line.is_some()
}

/// Files that findings name, in the order of the report.
fn wanted(report: &Report) -> Vec<String> {
    let (mut seen, mut files) = (BTreeSet::new(), Vec::new());
    for control in report.controls.iter().filter(|control| control.id != "CQ-01") {
        for finding in control.findings.iter().filter(|finding| finding.line.is_some()) {
            let named = finding.file.iter().chain(finding.path.iter().map(|step| &step.file));
            files.extend(named.filter(|file| seen.insert((*file).clone())).cloned());
        }
    }
    files
}

/// A file's lines, and which of them are not to be shown.
struct Text {
    lines: Vec<String>,
    hidden: BTreeSet<u32>,
}

fn texts(files: &[String], contents: &dyn Contents, secrets: &Secrets) -> BTreeMap<String, Text> {
    let (mut texts, mut left) = (BTreeMap::new(), BYTES_MAX);
    for file in files.iter().take(FILES_COUNT_MAX) {
        let Some(FileKind::File(bytes)) = contents.kind(file) else { continue };
        if bytes > FILE_BYTES_MAX.min(left) {
            continue;
        }
        let Some(content) = usize::try_from(bytes).ok().and_then(|bytes| contents.head(file, bytes)) else { continue };
        left -= bytes;
        if !content.contains(&0) {
            texts.insert(file.clone(), Text::new(file, &content, secrets));
        }
    }
    texts
}

impl Text {
    fn new(path: &str, content: &[u8], secrets: &Secrets) -> Self {
        let text = String::from_utf8_lossy(content);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (hits, whole) = credentials(path, content, secrets);
        let mut hidden = BTreeSet::new();
        let last = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        for hit in hits {
            hidden.extend(hit.saturating_sub(1)..=hit.saturating_add(HIDDEN_AFTER_LINES).min(last));
        }
        // A private key goes on to its end. What could not be searched whole is not shown at all.
        let begins = (1..).zip(&lines).filter(|(_, line)| line.contains("-----BEGIN ") && line.contains("PRIVATE KEY"));
        for (begin, _) in begins.take(1_000) {
            let body = (begin..=last).take(KEY_LINES_MAX as usize);
            hidden.extend(body.take_while(|&at| at == begin || !lines[at as usize - 2].contains("-----END ")));
        }
        if !whole {
            hidden.extend(1..=last);
        }
        Self { lines, hidden }
    }

    fn shown(&self, number: u32, seen: Option<&str>) -> String {
        if self.hidden.contains(&number) {
            return HIDDEN.to_owned();
        }
        let line = self.lines.get(number as usize - 1).map(String::as_str).unwrap_or_default();
        excerpt(line, seen)
    }
}

/// Lines of credentials, and whether these are all. What was found before is known, unless there was more than
/// is kept: then the file is searched again by itself.
fn credentials(path: &str, content: &[u8], secrets: &Secrets) -> (Vec<u32>, bool) {
    if secrets.omitted_count == 0 {
        let hits = secrets.hits.iter().filter(|hit| hit.path == path).map(|hit| hit.line).collect();
        return (hits, !secrets.unfinished.iter().any(|unfinished| unfinished == path));
    }
    let found = secrets::scan_file(path, content);
    (found.hits.iter().map(|hit| hit.line).collect(), !found.unfinished && found.omitted_count == 0)
}

/// A line, or the part of a long one that shows what was seen.
fn excerpt(line: &str, seen: Option<&str>) -> String {
    let line = line.trim_end();
    if line.chars().nth(LINE_CHARS_MAX).is_none() {
        return line.to_owned();
    }
    let at = seen.filter(|seen| !seen.is_empty()).and_then(|seen| line.find(seen.trim_end_matches('…'))).unwrap_or(0);
    // A little of what stands before it.
    let before = line[..at].chars().count().saturating_sub(LINE_CHARS_MAX / 4);
    let cut: String = line.chars().skip(before).take(LINE_CHARS_MAX).collect();
    let begins = if before > 0 { "…" } else { "" };
    let ends = if line.chars().nth(before + LINE_CHARS_MAX).is_some() { "…" } else { "" };
    format!("{begins}{cut}{ends}")
}

fn frame(finding: &Finding, texts: &BTreeMap<String, Text>) -> Option<Frame> {
    let (file, line) = (finding.file.as_ref()?, finding.line.filter(|line| *line > 0)?);
    let text = texts.get(file)?;
    let last = u32::try_from(text.lines.len()).ok()?;
    if line > last {
        return None;
    }
    let first = line.saturating_sub(AROUND_LINES).max(1);
    let end = line.saturating_add(AROUND_LINES).min(last);
    let seen = |number| finding.evidence.as_deref().filter(|_| number == line);
    Some(Frame { first, lines: (first..=end).map(|number| text.shown(number, seen(number))).collect() })
}

/// Other controls quote code, which may hold a credential.
fn hide(finding: &mut Finding, texts: &BTreeMap<String, Text>) {
    let hides = |file: &str, line: u32| texts.get(file).is_some_and(|text| text.hidden.contains(&line));
    if let (Some(file), Some(line), Some(_)) = (&finding.file, finding.line, &finding.evidence)
        && hides(file, line)
    {
        finding.evidence = Some(HIDDEN.to_owned());
    }
    for step in finding.path.iter_mut().filter(|step| hides(&step.file, step.line)) {
        HIDDEN.clone_into(&mut step.code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Status;
    use crate::report::{ControlResult, Step};

    /// One file of any name.
    struct One(Vec<u8>);

    impl Contents for One {
        fn kind(&self, path: &str) -> Option<FileKind> {
            (path == "a.js").then_some(FileKind::File(self.0.len() as u64))
        }
        fn paths(&self) -> Vec<String> {
            vec!["a.js".to_owned()]
        }
        fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
            (path == "a.js").then(|| self.0[..bytes_max.min(self.0.len())].to_vec())
        }
    }

    fn framed(content: &str, finding: Finding) -> Finding {
        let result = ControlResult {
            id: "CQ-05".to_owned(),
            name: String::new(),
            level: 3,
            status: Status::Fail,
            reason: String::new(),
            fails_from: None,
            findings: vec![finding],
        };
        let mut report = crate::report::tests::report(vec![result]);
        // Known credentials hide the same as those that are searched for again.
        let mut known = Secrets::default();
        known.add(secrets::scan_file("a.js", content.as_bytes()));
        let mut searched = Secrets::default();
        searched.omitted_count = 1;
        let mut again = report.clone();
        add(&mut report, &One(content.as_bytes().to_vec()), &known);
        add(&mut again, &One(content.as_bytes().to_vec()), &searched);
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&report).unwrap());
        report.controls.remove(0).findings.remove(0)
    }

    fn finding(line: u32) -> Finding {
        Finding::new("CQ-05/shell", Severity::High, "x").at("a.js", Some(line)).seen("the code")
    }

    fn token() -> String {
        let rule = crate::rules::secrets().iter().find(|rule| rule.id == "github-token").unwrap();
        rule.matches[0].replace('·', "")
    }

    #[test]
    fn a_frame_shows_the_lines_around() {
        let text = "one\ntwo\nthree\nfour\nfive\nsix\n";
        for (line, first, lines) in [
            (1, 1, vec!["one", "two", "three"]),
            (3, 1, vec!["one", "two", "three", "four", "five"]),
            (6, 4, vec!["four", "five", "six"]),
        ] {
            let frame = framed(text, finding(line)).frame.unwrap();
            assert_eq!((frame.first, frame.lines), (first, lines.into_iter().map(str::to_owned).collect()));
        }
        assert_eq!(framed(text, finding(7)).frame, None);
        assert_eq!(framed(text, finding(0)).frame, None);
        assert_eq!(framed("a\0b\n", finding(1)).frame, None);
    }

    #[test]
    fn a_long_line_is_cut_around_what_was_seen() {
        let text = format!("{}exec(cmd){}", "a;".repeat(50_000), "b;".repeat(50_000));
        let frame = framed(&text, finding(1).seen("exec(cmd)")).frame.unwrap();
        assert!(frame.lines[0].contains("exec(cmd)"), "{frame:?}");
        assert!(frame.lines[0].chars().count() <= LINE_CHARS_MAX + 2);
    }

    #[test]
    fn nothing_beside_a_credential_is_shown() {
        let secret = token();
        let text = format!("one\ntwo\nexec('curl -H {secret}')\nfour\nfive\nsix\nseven\neight\nnine\n");
        let step = Step { file: "a.js".into(), line: 3, what: "w".into(), code: format!("exec {secret}") };
        let found = framed(&text, finding(3).seen(format!("exec {secret}")).along(vec![step]));
        assert!(!serde_json::to_string(&found).unwrap().contains(&secret[8..20]), "{found:?}");
        let frame = framed(&text, finding(8)).frame.unwrap();
        assert_eq!(frame.lines, [HIDDEN, "seven", "eight", "nine"]);
        let key =
            ["-----BEGIN RSA PRIVATE ", "KEY-----\nMIIEowIBAAKCAQEAx\nAQAB\nAQAC\nAQAD\nAQAE\n-----END-"].concat();
        let frame = framed(&format!("{key}\nlast"), finding(6)).frame.unwrap();
        assert!(frame.lines.iter().all(|line| !line.starts_with("AQA")), "{frame:?}");
    }
}
