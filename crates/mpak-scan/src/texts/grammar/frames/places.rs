//! Frames about fixed addresses: hosts that carry something private, addresses that are always added.

use super::super::Reading;
use crate::texts::TextKind;
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::Kind;

/// `<the user's key>.host.example`: a host whose name carries something private.
pub(super) fn beneath(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let host = (1..tokens.len()).find(|&i| {
        tokens[i].kind == Kind::Url
            && matches!(tokens[i - 1].text.as_str(), ">" | "}" | "]")
            && tokens[i - 1].end == tokens[i].start
    })?;
    let private = (host.saturating_sub(10)..host)
        .any(|i| !r.private(i).is_empty() || tokens[i].is(class::USER) && tokens[i].possessive);
    private.then(|| r.seen(Cue::Outbound, Strength::Block, host))
}

/// An address that a sentence of another language wants to have added, always or as well.
pub(super) fn fixed(r: &Reading<'_>) -> Option<Seen> {
    if r.is_english() {
        let place = r.fixed_place().filter(|&i| r.tokens()[i].kind == Kind::Email)?;
        r.ordered(class::PUT | class::SEND | class::TAMPER)?;
        let firm = r.has(class::ALWAYS | class::ALSO)
            || r.word(0, r.tokens().len(), &["well", "too", "every", "each"]).is_some();
        return firm.then(|| r.seen(Cue::Outbound, Strength::Strong, place));
    }
    if r.first && r.context.kind == TextKind::Description {
        return None;
    }
    let place = r.fixed_place().filter(|&i| r.tokens()[i].kind != Kind::Word)?;
    r.ordered(class::PUT | class::SEND | class::TAMPER)?;
    let firm = r.has(
        class::ALWAYS | class::WHOLE | class::MODAL | class::TARGET | class::SECRETLY | class::BEFORE | class::CONTENT,
    );
    firm.then(|| r.seen(Cue::Outbound, Strength::Strong, place))
}
