//! CD-03: no text that a model reads gives it orders of a stranger.
//!
//! Spec: MTF 0.1 §3.5 CD-03. The rows of its table that block are findings of severity `high` and `critical`.

use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};
use crate::texts::{self, Difference, Texts};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match evidence.texts() {
        Some(texts) => judge_texts(texts),
        None => Verdict::not_run("neither a readable manifest.json nor code that registers tools gives texts"),
    }
}

/// The verdict on texts from anywhere.
pub(crate) fn judge_texts(texts: &Texts) -> Verdict {
    let mut findings = texts::judge(texts);
    findings.extend(texts.differences.iter().map(difference));
    let blocking = findings.iter().filter(|f| f.severity >= Severity::High).count();
    let read = match texts.count() {
        1 => "1 text was read".to_owned(),
        count => format!("{count} texts were read"),
    };
    if blocking > 0 {
        let reason = if blocking == 1 {
            "1 cue speaks to the model".to_owned()
        } else {
            format!("{blocking} cues speak to the model")
        };
        return Verdict::fail(format!("{reason}; {read}"), findings);
    }
    let warns = findings.iter().any(|f| f.severity > Severity::Info);
    Verdict { findings, ..Verdict::new(if warns { Status::Warn } else { Status::Pass }, read) }
}

/// The manifest and the code describe one tool in two ways: people read the one, models the other.
fn difference(found: &Difference) -> Finding {
    let text = &found.registered;
    let title = format!("the code describes the tool `{}` otherwise than the manifest", found.tool);
    Finding::new("CD-03/differs", Severity::Info, title)
        .at(&text.file, text.line)
        .seen(format!("manifest: {} — code: {}", clipped(&found.declared), clipped(&text.text)))
        .fix("use one description in both")
}

fn clipped(text: &str) -> String {
    const CHARS_MAX: usize = 120;
    let shown: String = text.trim().chars().take(CHARS_MAX).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}
