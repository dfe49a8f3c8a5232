//! Credentials that a program puts together: literals under several names, lists that are joined, decoded texts.
//!
//! In: the linked code, and what was found in its files as they stand. Out: what is found beyond that in the texts
//! that its expressions come to. Nothing is run: `malware::constants` says what an expression is, within bounds.

use foldhash::HashSet;

use super::search::{Text, Work, search};
use super::{Confidence, FileSecrets, Hit, Kind, Layer, Secrets};
use crate::code::facts::{ExprId, ExprKind, Unit};
use crate::code::program::Program;
use crate::malware::constants::Constants;
use crate::rules;

/// Most expressions that are looked at.
const EXPRESSIONS_COUNT_MAX: usize = 50_000;
/// Most bytes of all their texts.
const TEXTS_BYTES_MAX: usize = 8 << 20;
/// The texts that may hold a credential: shorter ones hold none, longer ones are data.
const TEXT_BYTES: std::ops::RangeInclusive<usize> = 12..=8 << 10;
/// What stands before an expression on its line, so that a name is seen with its value.
const BEFORE_BYTES: usize = 96;
/// Calls that make a text of others.
const MAKERS: [&str; 24] = [
    "join",
    "concat",
    "replace",
    "replaceAll",
    "reverse",
    "reversed",
    "decode",
    "toString",
    "fromCharCode",
    "fromCodePoint",
    "from",
    "atob",
    "b64decode",
    "urlsafe_b64decode",
    "standard_b64decode",
    "b16decode",
    "b32decode",
    "fromhex",
    "unhexlify",
    "format",
    "strip",
    "trim",
    "slice",
    "substring",
];

/// Adds what is found only in what expressions come to.
pub(crate) fn add_computed(program: &Program, secrets: &mut Secrets) {
    let constants = Constants::new(program);
    let (mut expressions, mut bytes) = (EXPRESSIONS_COUNT_MAX, TEXTS_BYTES_MAX);
    let mut work = Work { done_bytes: 0, allowed_bytes: 16 * TEXTS_BYTES_MAX as u64 };
    let mut found = Vec::new();
    for (id, unit) in program.units() {
        let mut file = FileSecrets { path: unit.path.clone(), ..FileSecrets::default() };
        // What stands there plainly is told once.
        let known = secrets.hits.iter().filter(|hit| hit.path == unit.path && hit.confidence == Confidence::High);
        let known: Vec<(u32, &str, &str)> =
            known.map(|hit| (hit.line, hit.rule.id.as_str(), hit.masked.as_str())).collect();
        let mut told = HashSet::default();
        for expr in (0..unit.exprs.len()).filter_map(|at| u32::try_from(at).ok()).map(ExprId) {
            if !makes_text(unit, expr) {
                continue;
            }
            let Some(left) = expressions.checked_sub(1) else { break };
            expressions = left;
            let Some(text) = constants.bytes(id, expr).filter(|text| TEXT_BYTES.contains(&text.len())) else {
                continue;
            };
            let Some(left) = bytes.checked_sub(text.len()) else { break };
            bytes = left;
            for hit in hits(unit, expr, &text, &mut work) {
                let place = (hit.rule.id.as_str(), hit.masked.clone());
                let is_known = known
                    .iter()
                    .any(|(line, rule, masked)| *line == hit.line || *rule == place.0 && *masked == place.1);
                if !is_known && told.insert(place) {
                    file.hits.push(hit);
                }
            }
        }
        found.push(file);
    }
    found.into_iter().filter(|file| !file.hits.is_empty()).for_each(|file| secrets.add(file));
}

/// Whether an expression is made of several texts, or of one that is written another way.
fn makes_text(unit: &Unit, expr: ExprId) -> bool {
    match unit.expr(expr) {
        // Folded while it was read: it does not stand there as it is.
        ExprKind::Text(text) => {
            TEXT_BYTES.contains(&text.len()) && {
                let span = unit.span(expr);
                let stands = unit.source.as_bytes().get(span.start as usize..span.end as usize).unwrap_or_default();
                memchr::memmem::find(stands, text.as_bytes()).is_none()
            }
        }
        // A slice, as of a text that is turned around.
        ExprKind::Index { key: None, .. } => true,
        ExprKind::Join(parts) => parts.len() > 1 || parts.first().is_some_and(|&part| unit.text(part).is_none()),
        ExprKind::Call { callee, .. } => match unit.expr(*callee) {
            ExprKind::Member { name, .. } | ExprKind::Free(name) => MAKERS.contains(&name.as_str()),
            ExprKind::Var(var) => MAKERS.contains(&unit.vars[var.0 as usize].name.as_str()),
            _ => false,
        },
        _ => false,
    }
}

/// What is sure in one text, as if it stood there as a literal.
fn hits(unit: &Unit, expr: ExprId, text: &[u8], work: &mut Work) -> Vec<Hit> {
    let span = unit.span(expr);
    let source = unit.source.as_bytes();
    let start = (span.start as usize).min(source.len());
    let before = source[..start].iter().rev().take(BEFORE_BYTES).take_while(|b| **b != b'\n').count();
    let mut whole = source[start - before..start].to_vec();
    let from = whole.len();
    // A quote inside would end the literal early.
    let quote = if text.contains(&b'"') { b'\'' } else { b'"' };
    whole.push(quote);
    whole.extend_from_slice(text);
    whole.push(quote);
    let looked = Text { bytes: &whole, kind: Kind::of(&unit.path), least: Confidence::High, binary: false, depth: 1 };
    let found = search(looked, 0..whole.len(), work).into_iter();
    let found = found.filter(|one| one.confidence == Confidence::High && one.end > from);
    found
        .map(|one| Hit {
            rule: &rules::secrets()[one.rank],
            confidence: one.confidence,
            path: unit.path.clone(),
            line: span.line,
            masked: one.masked,
            layer: Some(one.layer.unwrap_or(Layer::Joined)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    fn found(path: &str, source: &str) -> Vec<(String, u32)> {
        let program = Program::new(vec![code::read(path, source.as_bytes()).unwrap()]);
        let mut secrets = Secrets::default();
        secrets.add(super::super::scan_file(path, source.as_bytes()));
        let plain = secrets.hits.len();
        add_computed(&program, &mut secrets);
        secrets.hits[plain..].iter().map(|hit| (hit.rule.id.clone(), hit.line)).collect()
    }

    /// A token whose check digits hold, put together here so that this file does not hold it.
    fn token() -> String {
        rules::secrets().iter().find(|r| r.id == "github-token").unwrap().matches[0].replace('·', "")
    }

    #[test]
    fn texts_are_searched_as_what_they_come_to() {
        let token = token();
        let (a, b) = token.split_at(9);
        let reversed: String = token.chars().rev().collect();
        for (path, source) in [
            ("a.py", format!("A = '{a}'\nB = '{b}'\nKEY = A + B\n")),
            ("a.py", format!("A = '{a}'\nB = '{b}'\nKEY = f'{{A}}{{B}}'\n")),
            ("a.py", format!("\n\nKEY = ''.join(['{a}', '{b}'])\n")),
            ("a.js", format!("const parts = ['{a}', '{b}'];\n\nconst key = parts.join('');\n")),
            ("a.js", format!("const a = '{a}';\n\nconst h = {{ authorization: `token ${{a}}{b}` }};\n")),
            ("a.js", format!("\n\nconst key = '{reversed}'.split('').reverse().join('');\n")),
        ] {
            assert_eq!(found(path, &source), [("github-token".to_owned(), 3)], "{source}");
        }
    }

    #[test]
    fn what_stands_there_plainly_is_told_once() {
        let token = token();
        assert_eq!(found("a.py", &format!("KEY = '{token}'\nH = 'token ' + KEY\n")), []);
        assert_eq!(found("a.py", "A = 'get'\nSECRET = A + 'AccessTokenFromEnvironment'\n"), []);
        assert_eq!(found("a.py", "def f(a):\n    return a + 'x'\n"), []);
    }
}
