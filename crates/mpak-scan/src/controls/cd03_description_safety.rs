//! CD-03: no text that a model reads gives it orders of a stranger.
//!
//! Spec: MTF 0.1 §3.5 CD-03. The rows of its table that block are findings of severity `high` and `critical`.

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::report::Severity;
use crate::texts::{self, Texts};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match evidence.texts() {
        Some(texts) => judge_texts(texts),
        None => Verdict::not_run("there is no readable manifest.json to take the texts from"),
    }
}

/// The verdict on texts from anywhere.
pub(crate) fn judge_texts(texts: &Texts) -> Verdict {
    let findings = texts::judge(texts);
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
    Verdict::pass_or_warn(read, findings)
}
