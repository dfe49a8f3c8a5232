//! CD-03: the texts that a model reads.
//!
//! In: names, descriptions, schemas, prompts and instructions of a stranger's tools, from a manifest, a `tools/list`
//! result, or code. Out: findings, one per tool and cue. Each text is looked at as it stands (characters, marks),
//! read sentence by sentence (`grammar`), and read again without its disguises (`normalise`). One strong cue warns;
//! one that is certain, or two strong ones in one tool, block.
//! Spec: MTF 0.1 §3.5 CD-03. Rules: `rules/texts.toml`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::report::{Finding, Severity};

mod characters;
mod class;
mod code;
mod collect;
mod compound;
mod cue;
pub(crate) mod files;
mod grammar;
mod guards;
mod hash;
mod lexicon;
mod markup;
mod mismatch;
mod morphology;
mod names;
mod normalise;
mod tokens;
mod valuables;

pub(crate) use code::subjects as subjects_of_code;
pub use grammar::wording::{PASSAGE_FEATURES_MIN, PASSAGES_SENTENCES, WORDING_TXT};
pub use hash::{canonical, digest};
pub use lexicon::TEXTS_TOML;

use class::Classes;
use cue::{Cue, Seen, Strength};
use guards::{guards, speaks_of_attacks};
use lexicon::lexicon;

/// How many encodings within each other are undone.
const ENCODINGS_DEPTH_MAX: usize = 3;
/// Characters of a name that a title shows.
const NAME_CHARS_MAX: usize = 60;
/// Words of an identifier that may be a sentence.
const SENTENCE_WORDS_MIN: usize = 4;

/// Words of a name whose tool works on rules.
const RULES: [&str; 14] = [
    "rule",
    "rules",
    "policy",
    "policies",
    "firewall",
    "filter",
    "filters",
    "constraint",
    "constraints",
    "regla",
    "reglas",
    "regel",
    "regeln",
    "regras",
];

/// Reads lexicon and weights.
pub(crate) fn prepare() {
    lexicon();
    grammar::wording::prepare();
}

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextKind {
    /// The name of a tool, prompt or resource.
    Name,
    /// The name of a parameter.
    ParameterName,
    /// A title.
    Title,
    /// What a tool, prompt or resource does.
    Description,
    /// What a parameter takes.
    Parameter,
    /// A default, one of several values, an example, a pattern.
    Value,
    /// The text of a prompt, which is meant to instruct.
    Prompt,
    /// Instructions of a server to its users' models.
    Instructions,
    /// A long description, also for people.
    Document,
}

/// A text that a model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelText {
    /// What it is for.
    pub kind: TextKind,
    /// The file that holds it.
    pub file: String,
    /// Its line there, from 1.
    pub line: Option<u32>,
    /// Its place within the file: a JSON pointer, or the name in the code.
    pub place: String,
    /// The text as it stands.
    pub text: String,
}

/// A tool, prompt or resource, or the server itself, with its texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Whether it is a tool.
    pub tool: bool,
    /// Names of its parameters.
    pub parameters: Vec<String>,
    /// Everything a model reads of it.
    pub texts: Vec<ModelText>,
    /// How sure it is that a model reads them.
    pub reach: Reach,
}

/// How sure it is that a model reads a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// It is registered.
    #[default]
    Told,
    /// It stands under a name like `description` or in a file that is loaded: only what blocks is told.
    Likely,
    /// It stands anywhere in the code: only what two signs are sure of is told.
    Possible,
}

/// All texts of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The server's name; a part of what its tools are about.
    pub server: String,
    /// In the order of the document.
    pub subjects: Vec<Subject>,
    /// Tools that code registers.
    pub registered: Vec<Registered>,
    /// Tools that code describes otherwise than the manifest.
    pub differences: Vec<Difference>,
}

/// A tool that code registers under a constant name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// The file that registers it.
    pub file: String,
    /// Its line there.
    pub line: Option<u32>,
}

/// Two descriptions of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The tool.
    pub tool: String,
    /// What the manifest says.
    pub declared: String,
    /// What the code says.
    pub registered: ModelText,
}

impl Texts {
    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.subjects.iter().map(|s| s.texts.len()).sum()
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.subjects.iter().flat_map(|s| &s.texts).map(|t| t.text.len()).sum()
    }
}

/// One finding per tool and cue, in the order of the texts.
pub fn judge(texts: &Texts) -> Vec<Finding> {
    let tools: HashSet<String> = texts.subjects.iter().filter(|s| s.tool).map(|s| s.name.to_lowercase()).collect();
    let mut findings = Vec::new();
    let guarded = texts.subjects.iter().any(|subject| subject.reach == Reach::Told && speaks_of_attacks(subject));
    for subject in &texts.subjects {
        let cues = weighed(cues(subject, texts, &tools));
        let cues = if subject.reach == Reach::Told { cues } else { beyond_doubt(cues, subject.reach, guarded) };
        findings.extend(cues.into_iter().map(|(cue, seen)| finding(subject, cue, &seen)));
    }
    findings.extend(names::near(texts));
    findings
}

/// What a text tells that a model only may read: a sign that is sure with another one, or one against the user. Where
/// a server looks for attacks such texts may be samples, and only warn.
fn beyond_doubt(cues: BTreeMap<Cue, Placed<'_>>, reach: Reach, guarded: bool) -> BTreeMap<Cue, Placed<'_>> {
    let sure = |placed: &Placed<'_>| placed.strength >= Strength::Strong;
    let turned = |placed: &Placed<'_>| ["rot13", "reversed"].iter().any(|way| placed.excerpt.starts_with(way));
    let counts = |cue: Cue, placed: &Placed<'_>| cue.tells_in_code() && !turned(placed);
    let mut cues: BTreeMap<Cue, Placed<'_>> =
        cues.into_iter().filter(|(cue, placed)| counts(*cue, placed) && sure(placed)).collect();
    let groups: BTreeSet<Cue> = cues.keys().filter(|cue| **cue != Cue::Wording).map(|cue| group(*cue)).collect();
    let against = cues.keys().any(|cue| cue.is_against_the_user());
    let blocks = cues.values().any(|placed| placed.strength == Strength::Block);
    let worded = cues.get(&Cue::Wording).is_some_and(|placed| placed.strength == Strength::Block);
    let signs = groups.len() + usize::from(worded);
    let told = match reach {
        Reach::Told => true,
        Reach::Likely => groups.len() > 1 || against && signs > 1,
        Reach::Possible => against && signs > 1,
    };
    if !(blocks && told) {
        return BTreeMap::new();
    }
    if guarded {
        cues.values_mut().for_each(|placed| placed.strength = placed.strength.min(Strength::Strong));
    }
    cues
}

/// A cue with the text it was first seen in at its greatest strength.
struct Placed<'a> {
    strength: Strength,
    text: &'a ModelText,
    excerpt: String,
}

/// Every cue of one tool.
fn cues<'a>(subject: &'a Subject, texts: &Texts, tools: &HashSet<String>) -> BTreeMap<Cue, Placed<'a>> {
    // 1. What the tool is about, by its own names.
    let business = Business::of(subject, texts);
    let mut found: BTreeMap<Cue, Placed<'a>> = BTreeMap::new();
    for text in &subject.texts {
        // 2. What each text gives away.
        let context = business.context(subject, text.kind, tools);
        if business.guards && text.kind == TextKind::Value {
            continue;
        }
        let mut seen = analyse(&text.text, &context, 0);
        seen.extend(names::parameter(text, &context));
        seen.extend(names::recipient(text));
        for Seen { cue, strength, excerpt } in seen {
            let strength = tempered(cue, strength, text.kind);
            // Nobody needs a character in a name that nobody sees.
            let named = matches!(text.kind, TextKind::Name | TextKind::ParameterName);
            let strength = if named && cue == Cue::Invisible { Strength::Block } else { strength };
            // A name has no room for honest orders.
            let strength = if text.kind == TextKind::Name && strength == Strength::Strong && is_supported(cue) {
                Strength::Block
            } else {
                strength
            };
            // The same twice, in other words or another name, is no slip.
            let again = matches!(cue, Cue::Consent | Cue::ParameterName)
                && found.get(&cue).is_some_and(|old| {
                    old.strength == Strength::Strong && (old.excerpt != excerpt || cue == Cue::Consent)
                });
            let strength = if again && strength == Strength::Strong { Strength::Block } else { strength };
            let placed = Placed { strength, text, excerpt };
            match found.get(&cue) {
                Some(old) if old.strength >= strength => {}
                _ => drop(found.insert(cue, placed)),
            }
        }
    }
    // 3. What the whole tool gives away.
    for (text, seen) in names::mismatch(subject) {
        found.entry(seen.cue).or_insert(Placed { strength: seen.strength, text, excerpt: seen.excerpt });
    }
    found
}

/// What a tool is about.
struct Business {
    parameters: HashSet<String>,
    named: Classes,
    allowed: Classes,
    rules: bool,
    guards: bool,
}

impl Business {
    fn of(subject: &Subject, texts: &Texts) -> Self {
        let parameters: HashSet<String> = subject.parameters.iter().map(|name| name.to_lowercase()).collect();
        let titles =
            subject.texts.iter().filter(|t| t.kind == TextKind::Title && t.text.len() < 80).map(|t| t.text.as_str());
        let named = titles
            .chain([subject.name.as_str(), texts.server.as_str()])
            .fold(Classes::NONE, |all, name| all | topics(name));
        let allowed = subject.parameters.iter().fold(named, |all, name| all | parameter_topics(name));
        let rules = valuables::words(&subject.name).iter().any(|w| RULES.contains(&w.as_str()));
        Self { parameters, named, allowed, rules, guards: guards(subject) }
    }

    fn context<'a>(&'a self, subject: &'a Subject, kind: TextKind, tools: &'a HashSet<String>) -> grammar::Context<'a> {
        let Self { parameters, named, allowed, rules, guards } = self;
        let (named, allowed, rules, guards) = (*named, *allowed, *rules, *guards);
        grammar::Context { kind, allowed, named, parameters, tools, rules, guards, name: &subject.name }
    }
}

/// What each sentence of a text counts by, for each text of each subject, as it stands and without its disguises:
/// what the weights in `rules/wording.txt` are learnt from.
pub fn wording(texts: &Texts) -> Vec<(String, Vec<Vec<String>>)> {
    let tools: HashSet<String> = texts.subjects.iter().filter(|s| s.tool).map(|s| s.name.to_lowercase()).collect();
    let mut found = Vec::new();
    for subject in &texts.subjects {
        let business = Business::of(subject, texts);
        for text in &subject.texts {
            let context = business.context(subject, text.kind, &tools);
            let mut variants: Vec<String> = prose(&text.text, text.kind).into_iter().collect();
            variants.extend(Some(normalise::folded(&text.text)).filter(|folded| *folded != text.text));
            variants.extend(characters::hidden_text(&text.text));
            variants.extend(normalise::decoded(&text.text).into_iter().map(|(_, inner)| inner));
            let name = subject.name.clone();
            found.extend(variants.iter().map(|text| (name.clone(), grammar::wording::named(text, &context))));
        }
    }
    found
}

/// The topics that a name makes its business.
fn topics(name: &str) -> Classes {
    let english = valuables::words(name).iter().fold(Classes::NONE, |all, word| all | lexicon().subject(word));
    english | valuables::private_words_anywhere(name)
}

/// The topics that a parameter's name makes its tool's business: what it names itself, and files for paths.
fn parameter_topics(name: &str) -> Classes {
    let files = topics(name) & class::FILE;
    let words = valuables::words(name);
    let path = words
        .iter()
        .any(|w| matches!(w.as_str(), "path" | "paths" | "file" | "files" | "filename" | "dir" | "directory"));
    let system = if path { class::SYSTEM_FILE | class::KEY_FILE & topics(name) } else { Classes::NONE };
    files | system | valuables::private_words(name)
}

/// Texts for people tell them to set up files and to run commands.
fn tempered(cue: Cue, strength: Strength, kind: TextKind) -> Strength {
    let told = matches!(
        cue,
        Cue::Exfiltration
            | Cue::Command
            | Cue::Promotion
            | Cue::Consent
            | Cue::Authority
            | Cue::Outbound
            | Cue::Role
            | Cue::HiddenText
            | Cue::Markup
    );
    if kind == TextKind::Document && told && strength < Strength::Block
        || kind == TextKind::Document && matches!(cue, Cue::Exfiltration | Cue::Command)
    {
        Strength::Weak
    } else {
        strength
    }
}

/// All cues of one text, with those of what is encoded in it.
fn analyse(text: &str, context: &grammar::Context<'_>, depth: usize) -> Vec<Seen> {
    // 1. As it stands.
    let mut found = characters::look(text);
    found.extend(markup::look(text, context.kind, context.named.any(class::PROMPT)));
    let plain = prose(text, context.kind);
    found.extend(plain.iter().flat_map(|text| grammar::read(text, context)));
    // 2. Without its disguises: what shows only then was hidden on purpose.
    let open: BTreeSet<Cue> = found.iter().map(|s| s.cue).collect();
    let folded = normalise::folded(text);
    if folded != text {
        let again = prose(&folded, context.kind).map(|text| grammar::read(&text, context)).unwrap_or_default();
        let disguised: Vec<Seen> =
            again.into_iter().filter(|s| !open.contains(&s.cue) && s.strength >= Strength::Strong).collect();
        if let Some(first) = disguised.first() {
            found.push(Seen::new(Cue::Disguise, Strength::Block, first.excerpt.clone()));
        }
        found.extend(disguised);
    }
    if let Some(hidden) = characters::hidden_text(text) {
        found.extend(grammar::read(&hidden, context));
    }
    // 3. What is encoded within.
    if depth < ENCODINGS_DEPTH_MAX {
        for (encoding, inner) in normalise::decoded(text) {
            // What was turned by thirteen letters would turn back.
            let next = if encoding == "rot13" { ENCODINGS_DEPTH_MAX } else { depth + 1 };
            let inside = analyse(&inner, context, next);
            if inside.iter().any(|s| s.strength > Strength::Weak) {
                found.push(Seen::new(
                    Cue::Encoded,
                    Strength::Block,
                    format!("{encoding}: {}", characters::shown(&inner)),
                ));
            }
        }
    }
    found
}

/// The text as sentences can be read from it; a name with many words is one, too.
fn prose(text: &str, kind: TextKind) -> Option<String> {
    if !matches!(kind, TextKind::Name | TextKind::ParameterName) || text.contains(' ') {
        return Some(text.to_owned());
    }
    let words = valuables::words(text);
    (words.len() >= SENTENCE_WORDS_MIN).then(|| words.join(" "))
}

/// Cues that an everyday cue makes worse.
fn is_supported(cue: Cue) -> bool {
    matches!(
        cue,
        Cue::Secrecy
            | Cue::Exfiltration
            | Cue::Smuggling
            | Cue::Outbound
            | Cue::Shadowing
            | Cue::Tampering
            | Cue::Deception
            | Cue::Command
            | Cue::Authority
            | Cue::Markup
            | Cue::HiddenText
            | Cue::Role
            | Cue::ParameterName
            | Cue::ImageExfiltration
    )
}

/// Cues that tell the same thing twice count once.
fn group(cue: Cue) -> Cue {
    match cue {
        Cue::Shadowing => Cue::Promotion,
        Cue::Invisible | Cue::Direction | Cue::Homoglyph | Cue::TerminalEscape => Cue::TagCharacters,
        Cue::ParameterName => Cue::Exfiltration,
        other => other,
    }
}

/// Two strong cues block; a weak one counts only beside a strong one, and is only told then.
fn weighed(mut cues: BTreeMap<Cue, Placed<'_>>) -> BTreeMap<Cue, Placed<'_>> {
    let strong: BTreeSet<Cue> =
        cues.iter().filter(|(_, p)| p.strength >= Strength::Strong).map(|(cue, _)| group(*cue)).collect();
    let weak = cues.iter().any(|(cue, p)| p.strength == Strength::Weak && !strong.contains(&group(*cue)));
    // Who praises the own tool uses the words of those who push it: that is one sign, not two.
    let praises = cues.contains_key(&Cue::Promotion) && !cues.contains_key(&Cue::Shadowing);
    let two = strong.len() > 1 + usize::from(praises && strong.contains(&Cue::Wording));
    for (cue, placed) in &mut cues {
        let supported = weak && is_supported(*cue);
        if placed.strength == Strength::Strong && (two || supported) {
            placed.strength = Strength::Block;
        }
    }
    if strong.is_empty() {
        cues.retain(|_, placed| placed.strength == Strength::Doubtful);
    }
    cues
}

fn finding(subject: &Subject, cue: Cue, placed: &Placed<'_>) -> Finding {
    let severity = match placed.strength {
        Strength::Block if cue.is_critical() => Severity::Critical,
        Strength::Block => Severity::High,
        Strength::Strong | Strength::Doubtful => Severity::Medium,
        Strength::Weak => Severity::Low,
    };
    let title = format!("`{}` {}", short(&subject.name), cue.title());
    Finding::new(format!("CD-03/{}", cue.id()), severity, title)
        .at(&placed.text.file, placed.text.line)
        .seen(format!("{}: {}", placed.text.place, placed.excerpt))
        .fix(cue.fix())
}

fn short(name: &str) -> String {
    characters::shown(&name.chars().take(NAME_CHARS_MAX).collect::<String>())
}
