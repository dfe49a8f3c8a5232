//! Credentials that a program puts together: literals under several names, lists that are joined, decoded texts.
//!
//! In: the linked code, and what was found in its files as they stand. Out: what is found beyond that in the texts
//! that its expressions come to. Nothing is run: `malware::constants` says what an expression is, within bounds.

use foldhash::HashSet;

use super::search::{Text, Work, search};
use super::{Confidence, FileSecrets, Hit, Kind, Layer, Secrets};
use crate::code::facts::{Arg, ExprId, ExprKind, FunctionId, Unit};
use crate::code::program::{Meaning, Program, UnitId};
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
const MAKERS: [&str; 31] = [
    "decompress",
    "gunzipSync",
    "unzipSync",
    "inflateSync",
    "inflateRawSync",
    "brotliDecompressSync",
    "chr",
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
        let handed = handed(unit);
        for expr in (0..unit.exprs.len()).filter_map(|at| u32::try_from(at).ok()).map(ExprId) {
            if !makes_text(unit, expr) && !is_made_by_own(program, id, unit, expr) && !handed.contains(&expr) {
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

/// Names that are handed to what takes a credential: `new Wallet(TILL)`, `Client(api_key=KEY)`, `{ token: KEY }`.
fn handed(unit: &Unit) -> HashSet<ExprId> {
    const WALLETS: [&str; 17] = [
        "Wallet",
        "SigningKey",
        "PrivateKey",
        "from_key",
        "from_private_key",
        "from_mnemonic",
        "from_base58_string",
        "privateKeyToAccount",
        "mnemonicToAccount",
        "mnemonicToSeedSync",
        "fromPrivateKey",
        "fromSecretKey",
        "fromSecret",
        "fromMnemonic",
        "fromPhrase",
        "fromSeed",
        "fromWIF",
    ];
    let named = |expr: ExprId| matches!(unit.expr(expr), ExprKind::Var(_) | ExprKind::Member { .. });
    let promises = |name: &str| super::named::promise(name.as_bytes()).is_some();
    let mut found = HashSet::default();
    for expr in &unit.exprs {
        match &expr.kind {
            ExprKind::Call { callee, args, .. } => {
                let callee = match unit.expr(*callee) {
                    ExprKind::Member { name, .. } | ExprKind::Free(name) => name.as_str(),
                    ExprKind::Var(var) => unit.vars[var.0 as usize].name.as_str(),
                    _ => "",
                };
                let takes = WALLETS.contains(&callee);
                let takes = |arg: &&Arg| takes || arg.name.as_deref().is_some_and(promises);
                found.extend(args.iter().filter(takes).map(|arg| arg.value).filter(|&value| named(value)));
            }
            ExprKind::Dict(members) => {
                let takes = |key: &Option<ExprId>| key.and_then(|key| unit.text(key)).is_some_and(promises);
                let values = members.iter().filter(|(key, _)| takes(key)).map(|(_, value)| *value);
                found.extend(values.filter(|&value| named(value)));
            }
            _ => {}
        }
    }
    found
}

/// Whether a function of the program is given texts or lists that are written out: `unlock([104, 118, …])`.
fn is_made_by_own(program: &Program, id: UnitId, unit: &Unit, expr: ExprId) -> bool {
    const ARGUMENTS_MAX: usize = 4;
    let ExprKind::Call { callee, args, .. } = unit.expr(expr) else { return false };
    let named = matches!(unit.expr(*callee), ExprKind::Var(_));
    let constant = |arg: &Arg| {
        let (of, value) = program.value(id, arg.value);
        matches!(program.unit(of).expr(value), ExprKind::List(items) if !items.is_empty())
            || matches!(program.unit(of).expr(value), ExprKind::Text(text) if text.len() >= *TEXT_BYTES.start())
    };
    named
        && args.len() <= ARGUMENTS_MAX
        && args.iter().any(constant)
        && matches!(program.meaning(id, FunctionId::TOP, *callee), Meaning::Function(..))
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
        let codes: Vec<u32> = token.bytes().map(|b| u32::from(b) + 7).collect();
        for (path, source) in [
            ("a.py", format!("A = '{a}'\nB = '{b}'\nKEY = A + B\n")),
            ("a.py", format!("A = '{a}'\nB = '{b}'\nKEY = f'{{A}}{{B}}'\n")),
            ("a.py", format!("\n\nKEY = ''.join(['{a}', '{b}'])\n")),
            ("a.js", format!("const parts = ['{a}', '{b}'];\n\nconst key = parts.join('');\n")),
            ("a.js", format!("const a = '{a}';\n\nconst h = {{ authorization: `token ${{a}}{b}` }};\n")),
            ("a.js", format!("\n\nconst key = '{reversed}'.split('').reverse().join('');\n")),
            ("a.js", format!("const d = (s) => s.split('').reverse().join('');\n\nconst key = d('{reversed}');\n")),
            (
                "a.js",
                format!(
                    "const d = (n) => String.fromCharCode(...n.map((c) => c - 7));\nconst N = {codes:?};\nconst key = d(N);\n"
                ),
            ),
        ] {
            assert_eq!(found(path, &source), [("github-token".to_owned(), 3)], "{source}");
        }
    }

    #[test]
    fn what_is_handed_to_what_takes_a_credential_is_searched_as_if_it_stood_there() {
        let (key, value) = ("7Bf8fcA66Afc650e529F1BCE2CbE2e35", "E6EE11CEd6B05bc42cEB4a8Dcfe2dB80");
        for (path, source, rule) in [
            ("a.js", format!("const till = '{key}{value}';\nconst w = new Wallet(till, provider);\n"), "wallet-key"),
            ("a.py", format!("TILL = '0x{key}{value}'\nw = Account.from_key(TILL)\n"), "wallet-key"),
            (
                "a.py",
                "X = 'lnxivf2rPh3vj2cQfR51nNfHsWgk8TKEpks8zmD7'\nc = Client(api_key=X)\n".to_owned(),
                "assigned-secret",
            ),
        ] {
            assert_eq!(found(path, &source), [(rule.to_owned(), 2)], "{source}");
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
