//! Signs of power that no tool has: over other orders, over other tools, over what comes after the call.

use super::super::{Mood, Reading};
use super::NEAR_TOKENS;
use crate::texts::class;
use crate::texts::tokens::{Kind, Token};

/// Other orders are set aside, or outranked.
pub(super) fn over(r: &Reading<'_>) -> Option<(u32, usize)> {
    if r.context.rules {
        return None;
    }
    let orders = class::DIRECTIVE | class::PROMPT;
    let owner = class::PREVIOUS | class::YOUR | class::USER | class::YOU | class::ACTOR;
    let aside = r.all(class::OVERRIDE | class::VOID).find(|&v| {
        let order = r.within(v.saturating_sub(10), 21, orders).filter(|&i| i != v && !r.is_kept_prompt(i));
        let whose = order.is_some_and(|o| r.beside(o, 5, owner) || r.tokens()[o].is(class::PROMPT));
        let verb = r.tokens()[v].is(class::VOID) || r.acts(v) && (r.is_english() || r.denial(v).is_none());
        whose && verb
    });
    if let Some(v) = aside {
        return Some((3, v));
    }
    let rank = r.word(
        0,
        r.tokens().len(),
        &[
            "rank",
            "ranks",
            "outrank",
            "outranks",
            "precedence",
            "priority",
            "supersede",
            "supersedes",
            "prevail",
            "prevails",
            "override",
            "overrides",
            "above",
        ],
    )?;
    let whose = r.within(rank + 1, 12, class::USER).is_some()
        || r.word(rank + 1, 12, &["operator", "system", "developer", "host", "vendor"]).is_some();
    let orders = r.within(0, rank, orders | class::DIRECTIVE_WEAK | class::SELF).is_some();
    (r.is_english() && whose && orders && r.back(rank, 3, class::NOT).is_none()).then_some((3, rank))
}

/// What the user wants does not matter.
pub(super) fn defy(r: &Reading<'_>) -> Option<(u32, usize)> {
    let at = r.all(class::REGARDLESS).next()?;
    (r.beside(at, 7, class::USER) && !r.has(class::EXCEPT)).then_some((2, at))
}

/// Tools of other servers.
pub(super) fn others(r: &Reading<'_>) -> Option<(u32, usize)> {
    let called = |i: usize| {
        let token = &r.tokens()[i];
        token.kind == Kind::Code && token.text.contains('_') && !r.is_own(i) && r.text_after(i).starts_with('(')
    };
    if let Some(at) = (0..r.tokens().len()).find(|&i| called(i)) {
        return Some((1, at));
    }
    let Some(tool) = r.other_tool() else {
        return purposed(r).map(|at| (1, at));
    };
    let acts = class::USE | class::PUT | class::SEND | class::TAMPER | class::READ;
    let gone = r.within(tool + 1, 10, class::VOID).is_some();
    let named = r.tokens()[tool].kind == Kind::Code;
    // Slander, and the traffic of the others with it.
    let own = r.is_english() && r.tokens().iter().any(|t| t.kind == Kind::Code && r.context.tools.contains(&t.text));
    let weight = match (gone, own) {
        (true, true) => 4,
        (true, false) => 2,
        _ => 1,
    };
    (gone || named || r.acting(acts, tool, 2 * NEAR_TOKENS).is_some()).then_some((weight, tool))
}

/// `with the GitHub tools`, `through the filesystem server`, `con la herramienta bancaria`: tools by their trade.
fn purposed(r: &Reading<'_>) -> Option<usize> {
    const WITH: [&str; 16] = [
        "with", "through", "via", "using", "from", "query", "any", "con", "com", "avec", "mit", "met", "mediante",
        "per", "par", "über",
    ];
    const OWN: [&str; 12] = ["this", "the", "that", "your", "our", "a", "an", "mcp", "same", "own", "these", "its"];
    let tokens = r.tokens();
    r.all(class::TOOL).find(|&i| {
        let trade = if r.is_english() { i.checked_sub(1).map(|j| &tokens[j]) } else { tokens.get(i + 1) };
        let trade = trade.filter(|t| {
            t.kind == Kind::Word
                && t.text.len() > 2
                && !OWN.contains(&t.text.as_str())
                && !t.is(class::TOOL | class::SELF | class::MODAL | class::ADVERB)
                && !r.context.name.to_lowercase().contains(t.text.as_str())
        });
        trade.is_some() && r.word(i.saturating_sub(4), 4, &WITH).is_some()
    })
}

/// An address, an amount, an argument is changed.
pub(super) fn tamper(r: &Reading<'_>) -> Option<(u32, usize)> {
    let verb = r.all(class::TAMPER).find(|&v| r.acts(v) && r.within(v.saturating_sub(4), 12, class::TARGET).is_some());
    if let Some(verb) = verb {
        let when = r.has(class::BEFORE | class::ALWAYS | class::INSTEAD) || r.other_tool().is_some();
        let weight = 1 + u32::from(when) + u32::from(when && r.other_tool().is_some());
        return Some((weight, verb));
    }
    if let Some(at) = paid(r) {
        return Some((2, at));
    }
    let place = r
        .word(0, r.tokens().len(), &["place", "stead"])
        .filter(|&i| r.word(i.saturating_sub(2), 2, &["its", "their"]).is_some());
    let used = place.filter(|&i| r.all(class::USE | class::PUT).any(|v| v < i && r.mood(v) == Mood::Order));
    used.map(|at| (if r.other_tool().is_some() { 3 } else { 2 }, at))
}

/// Money goes to somebody's account: `use 0x… as the recipient`, `a donation of 5 € to the account …`.
fn paid(r: &Reading<'_>) -> Option<usize> {
    const MONEY: [&str; 15] = [
        "donation",
        "donación",
        "doação",
        "spende",
        "donazione",
        "donatie",
        "darowizn",
        "transferencia",
        "transferência",
        "virement",
        "überweisung",
        "bonifico",
        "przelew",
        "bağış",
        "havale",
    ];
    let tokens = r.tokens();
    let account = (0..tokens.len()).find(|&i| {
        let text = &tokens[i].text;
        text.len() > 20 && text.starts_with("0x") && text[2..].bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let used = account.filter(|&i| {
        r.acting(class::USE | class::PUT | class::SEND | class::TAMPER, i, 6).is_some() && !r.is_example(i)
    });
    let money = || {
        let noun = (0..tokens.len()).find(|&i| MONEY.iter().any(|word| tokens[i].text.starts_with(word)))?;
        let end = tokens.len().min(noun + 14);
        let sum = (noun..end).any(|i| tokens[i].text.starts_with(|c: char| c.is_ascii_digit()));
        (sum && r.within(noun + 1, 13, class::TARGET).is_some() && r.denial(noun).is_none()).then_some(noun)
    };
    used.or_else(money)
}

/// It outlives the call.
pub(super) fn persist(r: &Reading<'_>) -> Option<(u32, usize)> {
    const STARTS: [&str; 13] = [
        ".git/hooks",
        "crontab",
        ".bashrc",
        ".zshrc",
        ".profile",
        "launchagents",
        "systemd",
        "autostart",
        "authorized_keys",
        "post-commit",
        "startup",
        "package.json",
        ".vscode/tasks.json",
    ];
    let kept = (0..r.tokens().len()).find(|&i| {
        let token: &Token = &r.tokens()[i];
        let starts = token.kind == Kind::Path && STARTS.iter().any(|start| token.text.contains(start));
        starts
            || token.is(class::MEMORY) && !r.context.named.any(class::CONVERSATION)
            || r.private(i).any(class::CLIENT_CONFIG)
    });
    // The line that is added may be long.
    let stored = kept.filter(|&i| {
        let near = if r.tokens()[i].kind == Kind::Path { 3 * NEAR_TOKENS } else { NEAR_TOKENS };
        r.acting(class::PUT | class::TAMPER, i, near).is_some()
    });
    if let Some(at) = stored {
        return Some((2, at));
    }
    let scope = r.all(class::SCOPE).next()?;
    let acts =
        class::READ | class::PUT | class::SEND | class::RUN | class::TAMPER | class::USE | class::TELL | class::VOID;
    r.all(acts).any(|v| r.acts(v)).then_some((1, scope))
}

/// A command is run.
pub(super) fn command(r: &Reading<'_>) -> Option<(u32, usize)> {
    const PROGRAMS: [&str; 16] = [
        "curl",
        "wget",
        "rm",
        "bash",
        "sh",
        "sudo",
        "chmod",
        "npx",
        "pip",
        "npm",
        "powershell",
        "nc",
        "scp",
        "crontab",
        "dd",
        "eval",
    ];
    const SHELLS: [&str; 12] = [
        "shell", "command", "commands", "terminal", "exec", "execute", "bash", "cmd", "console", "run", "install",
        "script",
    ];
    let words = crate::texts::valuables::words(r.context.name);
    if words.iter().any(|word| SHELLS.contains(&word.as_str())) {
        return None;
    }
    let run = r.all(class::RUN | class::PUT).find(|&v| r.acts(v) && !(r.is_english() && r.mood(v) == Mood::Plain))?;
    let program =
        (0..r.tokens().len()).find(|&i| r.tokens()[i].quoted && PROGRAMS.contains(&r.tokens()[i].text.as_str()));
    let run = r.all(class::RUN).find(|&v| r.acts(v)).unwrap_or(run);
    let shell = r.within(run + 1, 8, class::COMMAND).or_else(|| r.back(run, 5, class::COMMAND));
    match (program, shell) {
        (Some(at), _) => Some((3, at)),
        (None, Some(at)) => Some((1, at)),
        _ => None,
    }
}

/// The model is spoken to by name: `note to the assistant:`, `the model shall`.
pub(super) fn address(r: &Reading<'_>) -> Option<(u32, usize)> {
    const NOTES: [&str; 22] = [
        "note",
        "notice",
        "advisory",
        "message",
        "guidance",
        "instruction",
        "instructions",
        "update",
        "remedy",
        "attention",
        "reminder",
        "memo",
        "hint",
        "announcement",
        "info",
        "information",
        "directive",
        "briefing",
        "block",
        "order",
        "warning",
        "addendum",
    ];
    if r.context.named.any(class::PROMPT) {
        return None;
    }
    let actor = r.all(class::ACTOR).next()?;
    let tokens = r.tokens();
    let noted = r.word(actor.saturating_sub(4), 4, &NOTES).is_some()
        && r.word(actor.saturating_sub(3), 3, &["to", "for"]).is_some();
    let called = tokens[actor + 1..]
        .iter()
        .take(3)
        .any(|t| t.kind == Kind::Break && matches!(t.text.as_str(), ":" | "：" | "—"));
    // `Assistant, on start also …`.
    let called = called || actor == 0 && tokens.get(1).is_some_and(|t| t.text == ",");
    let only = tokens[actor + 1..].first().is_some_and(|t| t.text == "only");
    let bound = r.within(actor + 1, 3, class::MODAL | class::OBLIGE).is_some();
    let urgent = !r.is_english() && actor < 6 && (called || r.has(class::URGENT));
    (noted || called && actor < 6 || only || bound || urgent).then_some((1, actor))
}

/// Nothing works without it.
pub(super) fn duty(r: &Reading<'_>) -> Option<(u32, usize)> {
    let valid = r.all(class::VALID).next();
    let before = r
        .all(class::BEFORE)
        .find(|&i| r.within(i + 1, 5, class::USE | class::TOOL | class::SELF | class::RESPONSE).is_some());
    let acts = class::READ | class::PUT | class::SEND | class::RUN;
    let at = valid.or(before)?;
    (valid.is_some() || r.all(acts).any(|v| r.acts(v))).then_some((1, at))
}
