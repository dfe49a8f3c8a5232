//! Frames about other servers' tools: orders that hold while they work, slander, a claim to come before them.

use super::super::{Mood, OBJECT_TOKENS_MAX, Reading};
use super::ACTS;
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::{Form, Kind};

/// `if slack_post_message is called, put …`: orders that hold while a tool of somebody else works.
pub(super) fn conditional(r: &Reading<'_>) -> Option<Seen> {
    if !r.is_english() {
        return None;
    }
    let tokens = r.tokens();
    let tool = (0..tokens.len()).find(|&i| tokens[i].kind == Kind::Code && r.foreign_tool(i))?;
    r.word(tool.saturating_sub(8), tool.min(8), &["if", "whenever", "when", "case", "time"])?;
    let used =
        r.within(tool + 1, 7, class::USE).filter(|&v| tokens[v].form == Form::Past || tokens[v].text == "use")?;
    let order = r.all(class::PUT | class::TAMPER | class::SEND).find(|&v| v > used && r.mood(v) == Mood::Order)?;
    let much = r.fixed_place().is_some()
        || r.has(class::TARGET | class::ALSO | class::FIRST | class::ALWAYS)
        || r.word(order, OBJECT_TOKENS_MAX, &["too", "well"]).is_some();
    let strength = if much { Strength::Block } else { Strength::Strong };
    Some(r.seen(Cue::Shadowing, strength, order))
}

/// The user is to be told that other tools do not work.
pub(super) fn slandered(r: &Reading<'_>) -> Option<Seen> {
    const BAD: [&str; 14] = [
        "service",
        "down",
        "broken",
        "unavailable",
        "unsafe",
        "insecure",
        "deprecated",
        "offline",
        "outdated",
        "unreliable",
        "malicious",
        "compromised",
        "discontinued",
        "retired",
    ];
    let other = r.other_tool()?;
    if !r.is_english() {
        return slandered_abroad(r, other);
    }
    let tell = r.all(class::TELL).find(|&v| v > other && r.mood(v) == Mood::Order)?;
    let user = r.within(tell + 1, 3, class::USER)?;
    let bad = r.word(user + 1, 8, &BAD)?;
    Some(r.seen(Cue::Shadowing, Strength::Block, bad))
}

/// The same in other languages: what does not work by its beginning.
fn slandered_abroad(r: &Reading<'_>, other: usize) -> Option<Seen> {
    const BAD: [&str; 52] = [
        "fuera de servicio",
        "no funciona",
        "averiad",
        "caíd",
        "no disponible",
        "insegur",
        "fora de serviço",
        "não funciona",
        "fora do ar",
        "indispon",
        "hors service",
        "en panne",
        "ne fonctionne",
        "obsolète",
        "außer betrieb",
        "defekt",
        "kaputt",
        "nicht verfügbar",
        "unsicher",
        "veraltet",
        "fuori servizio",
        "guast",
        "non funziona",
        "buiten werking",
        "kapot",
        "niet beschikbaar",
        "onveilig",
        "nieczynn",
        "niedostępn",
        "nie działa",
        "zepsut",
        "недоступ",
        "не работает",
        "сломан",
        "небезопас",
        "устарел",
        "çalışmıyor",
        "hizmet dışı",
        "kullanılamıyor",
        "停用",
        "不可用",
        "故障",
        "已失效",
        "不安全",
        "利用できない",
        "使えない",
        "停止して",
        "사용할 수 없",
        "고장",
        "معطل",
        "rusak",
        "ngừng hoạt động",
    ];
    let tell = r.all(class::TELL).find(|&v| r.denial(v).is_none())?;
    let said = r.said();
    let bad = BAD.iter().any(|bad| said.contains(bad));
    (bad && r.has(class::USER) && r.has(class::USE | class::SELF))
        .then(|| r.seen(Cue::Shadowing, Strength::Block, tell.min(other)))
}

/// Orders for another server's tool, with an address or an account that nobody asked for.
pub(super) fn elsewhere(r: &Reading<'_>) -> Option<Seen> {
    let tool = r.other_tool()?;
    let act = r.all(ACTS).find(|&v| r.mood(v) != Mood::Negated && !r.tokens()[v].is(class::TELL));
    let when = r.has(class::BEFORE | class::ALWAYS | class::MODAL)
        || r.word(0, r.tokens().len(), &["if", "with", "through", "in"]).is_some();
    let account = (0..r.tokens().len()).find(|&i| {
        let text = &r.tokens()[i].text;
        text == "iban"
            || r.tokens()[i].kind == Kind::Break && r.text_after(i).starts_with(char::is_alphabetic) && text == "@"
    });
    let address = r.fixed_place().or(account)?;
    let target = r.has(class::TARGET | class::ALSO | class::PERSONAL) || r.tokens()[address].kind == Kind::Email;
    if act.is_none() && r.tokens()[address].kind != Kind::Email {
        return None;
    }
    let firm = act.is_some_and(|v| r.tokens()[v].is(class::TAMPER))
        || r.has(class::BEFORE | class::ALWAYS)
        || r.against_user();
    (when && target && firm).then(|| r.seen(Cue::Shadowing, Strength::Block, tool))
}

/// Everything that other tools take or give is to go through this one.
pub(super) fn gathered(r: &Reading<'_>) -> Option<Seen> {
    let tool = r.other_tool()?;
    let verb = r.all(class::SEND | class::PUT | class::USE).find(|&v| {
        let form = r.tokens()[v].form;
        matches!(r.mood(v), Mood::Order) || form == Form::Past && r.has(class::MODAL | class::OBLIGE) || !r.is_english()
    })?;
    let flow =
        r.has(class::CONTENT) || r.word(0, r.tokens().len(), &["arguments", "results", "outputs", "calls"]).is_some();
    let own = r.has(class::SELF)
        || r.tokens()
            .iter()
            .any(|t| t.kind == Kind::Code && r.context.tools.iter().any(|own| t.text.starts_with(own.as_str())));
    let many = r.word(0, r.tokens().len(), &["all", "every", "any", "each"]).is_some();
    let all = (many || r.has(class::WHOLE)) && r.has(class::MODAL | class::OBLIGE | class::ALWAYS | class::BEFORE);
    (flow && own && all && verb.abs_diff(tool) < 20).then(|| r.seen(Cue::Shadowing, Strength::Block, verb))
}

/// A claim to come before all other tools, whatever the user wants.
pub(super) fn exclusive(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let other = r.other_tool();
    let using = |v: usize| {
        let near = r.back(v, 5, class::NOT).is_some()
            || r.within(v + 1, if r.is_english() { 0 } else { 3 }, class::NOT).is_some();
        near && other.is_some_and(|o| o.abs_diff(v) < 10)
    };
    let forbids = r.all(class::USE).any(using)
        || other.is_some_and(|o| tokens[o].is(class::OTHER) && r.back(o, 1, class::NOT).is_some() && r.has(class::USE));
    let itself = r.has(class::SELF) || tokens.iter().any(|t| t.kind == Kind::Code && r.context.tools.contains(&t.text));
    let insists = itself && r.has(class::USE | class::SEND) && r.has(class::ALWAYS | class::MODAL | class::FIRST);
    let rank = r
        .word(
            0,
            tokens.len(),
            &["rank", "ranks", "priority", "precedence", "supersedes", "replaces", "outranks", "overrides"],
        )
        .is_some_and(|at| other.is_some_and(|o| o > at && o - at < 8));
    let replaces =
        other.is_some_and(|o| r.back(o, 5, class::INSTEAD).is_some() && r.beside(o, 3, class::ALL | class::WHOLE));
    let everything = itself
        && r.has(class::USER)
        && r.all(class::SEND | class::USE).any(|v| r.mood(v) == Mood::Order || !r.is_english())
        && r.word(0, tokens.len(), &["each", "every", "all"]).is_some_and(|at| {
            r.word(
                at + 1,
                3,
                &[
                    "message",
                    "messages",
                    "request",
                    "requests",
                    "question",
                    "questions",
                    "query",
                    "queries",
                    "prompt",
                    "prompts",
                    "input",
                ],
            )
            .is_some()
        });
    let score = u8::from(forbids)
        + u8::from(insists)
        + u8::from(rank)
        + u8::from(replaces)
        + u8::from(everything)
        + u8::from(r.against_user() && (other.is_some() || itself));
    let at = other.or_else(|| r.all(class::USE).next()).unwrap_or(0);
    match score {
        0 | 1 => None,
        2 if !(forbids && other.is_some() || r.against_user() || everything || replaces) => {
            Some(r.seen(Cue::Promotion, Strength::Strong, at))
        }
        _ => Some(r.seen(Cue::Promotion, Strength::Block, at)),
    }
}
