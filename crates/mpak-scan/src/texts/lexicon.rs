//! The words of `rules/texts.toml`, ready for looking up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use serde::Deserialize;

use super::class::{self, Classes};
use super::morphology;

/// The rules.
pub const TEXTS_TOML: &str = include_str!("../../rules/texts.toml");

/// Longest word that is looked up, in bytes.
const WORD_BYTES_MAX: usize = 64;
/// Shortest beginning by which a word is found, in characters.
const PREFIX_CHARS_MIN: usize = 2;

/// Languages with words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Language {
    En,
    Es,
    Pt,
    Fr,
    De,
    It,
    Ru,
    Zh,
    Ja,
    Ko,
    Nl,
    Pl,
    Tr,
    Ar,
    Hi,
    Vi,
    Id,
}

/// Languages of the Latin alphabet, told apart by their function words.
pub(super) const LATIN: [(Language, &str); 11] = [
    (Language::En, "en"),
    (Language::Es, "es"),
    (Language::Pt, "pt"),
    (Language::Fr, "fr"),
    (Language::De, "de"),
    (Language::It, "it"),
    (Language::Nl, "nl"),
    (Language::Pl, "pl"),
    (Language::Tr, "tr"),
    (Language::Vi, "vi"),
    (Language::Id, "id"),
];
const OTHERS: [(Language, &str); 6] = [
    (Language::Ru, "ru"),
    (Language::Zh, "zh"),
    (Language::Ja, "ja"),
    (Language::Ko, "ko"),
    (Language::Ar, "ar"),
    (Language::Hi, "hi"),
];

impl Language {
    /// Whether words are not separated by spaces, or carry endings that make looking up whole words pointless.
    pub(super) fn is_run_together(self) -> bool {
        matches!(self, Self::Zh | Self::Ja | Self::Ko)
    }

    /// Whether its sentences state without a form of `to be`.
    pub(super) fn states_without_being(self) -> bool {
        matches!(self, Self::Ja | Self::Ko | Self::Zh | Self::Ru | Self::Tr | Self::Ar | Self::Hi)
    }

    /// Whether a verb's negation may follow it.
    pub(super) fn denies_after(self) -> bool {
        matches!(self, Self::Ja | Self::Ko | Self::De | Self::Nl | Self::Tr | Self::Hi | Self::Zh)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    function: BTreeMap<String, String>,
    class: BTreeMap<String, BTreeMap<String, String>>,
    subject: BTreeMap<String, String>,
    path: BTreeMap<String, String>,
    irregular: BTreeMap<String, String>,
}

/// One word of a phrase.
struct Part {
    word: String,
    begins: bool,
}

impl Part {
    fn matches(&self, word: &str) -> bool {
        if self.begins { word.starts_with(&self.word) } else { word == self.word }
    }
}

/// A word or phrase; its first word is the key under which it is kept.
struct Entry {
    begins: bool,
    rest: Vec<Part>,
    classes: Classes,
}

/// What a place in a text matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    /// Words covered.
    pub(super) words: usize,
    pub(super) classes: Classes,
}

/// The words of one language.
#[derive(Default)]
struct Words {
    by_first: HashMap<String, Vec<Entry>>,
    /// For languages without spaces: by first character, longest first.
    by_char: HashMap<char, Vec<(String, Classes)>>,
}

/// All languages.
pub(super) struct Lexicon {
    words: HashMap<Language, Words>,
    function: Vec<(Language, HashSet<String>)>,
    subjects: HashMap<String, Classes>,
    /// Components of paths, lower case; more than one joined by `/`.
    paths: Vec<(Vec<String>, Classes)>,
    irregular: HashMap<String, String>,
}

/// The embedded lexicon; empty only for a file that no test has read.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| Lexicon::read(toml::from_str(TEXTS_TOML).ok()))
}

impl Lexicon {
    fn read(file: Option<File>) -> Self {
        let mut lexicon = Self {
            words: HashMap::new(),
            function: Vec::new(),
            subjects: HashMap::new(),
            paths: Vec::new(),
            irregular: HashMap::new(),
        };
        let Some(file) = file else { return lexicon };
        for (language, code) in LATIN.into_iter().chain(OTHERS) {
            let words = lexicon.words.entry(language).or_default();
            for (name, texts) in &file.class {
                let Some(classes) = class::named(name) else { continue };
                for entry in texts.get(code).into_iter().flat_map(|text| text.split_whitespace()) {
                    words.add(&morphology::plain(entry), classes, language.is_run_together());
                }
            }
            for entries in words.by_char.values_mut() {
                entries.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
            }
            if let Some(text) = file.function.get(code) {
                lexicon.function.push((language, text.split_whitespace().map(morphology::plain).collect()));
            }
        }
        for (topic, classes) in class::TOPICS {
            for word in file.subject.get(topic).into_iter().flat_map(|text| text.split_whitespace()) {
                *lexicon.subjects.entry(word.to_owned()).or_default() |= classes;
            }
            for path in file.path.get(topic).into_iter().flat_map(|text| text.split_whitespace()) {
                lexicon.paths.push((path.to_lowercase().split('/').map(str::to_owned).collect(), classes));
            }
        }
        lexicon.irregular = file.irregular.into_iter().collect();
        lexicon
    }

    /// The classes of the word or the longest phrase that begins at the first of the words (lower case).
    pub(super) fn at(&self, language: Language, words: &[&str]) -> Match {
        let Some(first) = words.first().filter(|word| word.len() <= WORD_BYTES_MAX) else { return Match::default() };
        let Some(table) = self.words.get(&language) else { return Match::default() };
        let mut best = Match { words: 1, classes: Classes::NONE };
        let mut consider = |entry: &Entry, exact: bool| {
            if !exact && !entry.begins {
                return;
            }
            let rest = &words[1..];
            let fits =
                entry.rest.len() <= rest.len() && entry.rest.iter().zip(rest).all(|(part, word)| part.matches(word));
            let length = entry.rest.len() + 1;
            if fits && length > best.words {
                best = Match { words: length, classes: entry.classes };
            } else if fits && length == best.words {
                best.classes |= entry.classes;
            }
        };
        for entry in table.by_first.get(*first).into_iter().flatten() {
            consider(entry, true);
        }
        for (end, _) in first.char_indices().skip(PREFIX_CHARS_MIN) {
            for entry in table.by_first.get(&first[..end]).into_iter().flatten() {
                consider(entry, false);
            }
        }
        best
    }

    /// The longest entry with which a text without spaces begins: its length in bytes and its classes.
    pub(super) fn starting(&self, language: Language, text: &str) -> Option<(usize, Classes)> {
        let entries = self.words.get(&language)?.by_char.get(&text.chars().next()?)?;
        let (entry, first) = entries.iter().find(|(entry, _)| text.starts_with(entry.as_str()))?;
        let mut classes = *first;
        for (_, more) in entries.iter().filter(|(other, _)| other == entry) {
            classes |= *more;
        }
        Some((entry.len(), classes))
    }

    /// How many of the words (lower case) are function words of each language of the Latin alphabet.
    pub(super) fn language(&self, words: &[&str], whole: Language) -> Language {
        let mut best = (Language::En, 0);
        for (language, function) in &self.function {
            let count = words.iter().filter(|word| function.contains(**word)).count();
            if count > best.1 || count == best.1 && count > 0 && *language == whole {
                best = (*language, count);
            }
        }
        best.0
    }

    /// The most of the words (lower case) that are function words of one other language than English.
    pub(super) fn function_words(&self, words: &[&str]) -> usize {
        let others = self.function.iter().filter(|(language, _)| *language != Language::En);
        others.map(|(_, function)| words.iter().filter(|w| function.contains(**w)).count()).max().unwrap_or(0)
    }

    /// The topics that a word of a tool's name makes its business.
    pub(super) fn subject(&self, word: &str) -> Classes {
        self.subjects.get(word).copied().unwrap_or_default()
    }

    /// The classes of a path given by its components (lower case).
    pub(super) fn path(&self, components: &[&str]) -> Classes {
        let mut found = Classes::NONE;
        for (pattern, classes) in &self.paths {
            let fits = |window: &[&str]| window.iter().zip(pattern).all(|(component, part)| fits(component, part));
            if components.windows(pattern.len()).any(fits) {
                found |= *classes;
            }
        }
        found
    }

    /// The base form of an irregular form.
    pub(super) fn irregular(&self, word: &str) -> Option<&str> {
        self.irregular.get(word).map(String::as_str)
    }
}

/// Whether a component fits a pattern with `*` at one end, or `?` for a space.
fn fits(component: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => component.len() > end.len() && component.ends_with(end),
        (_, Some(begin)) => component.starts_with(begin),
        _ => component == pattern || pattern.contains('?') && component == pattern.replace('?', " "),
    }
}

impl Words {
    fn add(&mut self, entry: &str, classes: Classes, run_together: bool) {
        if run_together {
            let spaced = entry.replace('_', " ").to_lowercase();
            let joined = entry.replace('_', "").to_lowercase();
            let twice = spaced != joined;
            for text in [Some(joined), twice.then_some(spaced)].into_iter().flatten() {
                if let Some(first) = text.chars().next() {
                    self.by_char.entry(first).or_default().push((text, classes));
                }
            }
            return;
        }
        let mut parts = entry.split('_').map(|word| match word.strip_suffix('*') {
            Some(begin) => Part { word: begin.to_lowercase(), begins: true },
            None => Part { word: word.strip_suffix("'s").unwrap_or(word).to_lowercase(), begins: false },
        });
        if let Some(first) = parts.next() {
            let entry = Entry { begins: first.begins, rest: parts.collect(), classes };
            self.by_first.entry(first.word).or_default().push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_code_stands_in_the_file_and_the_other_way_round() {
        let file: File = toml::from_str(TEXTS_TOML).unwrap();
        for name in class::NAMES {
            assert!(file.class.contains_key(*name), "{name} has no words");
        }
        for (name, languages) in &file.class {
            assert!(class::named(name).is_some(), "{name} is not known");
            assert!(languages.contains_key("en"), "{name} has no English words");
        }
        for (topic, _) in class::TOPICS {
            assert!(file.subject.contains_key(topic), "{topic} has no subject words");
        }
    }

    #[test]
    fn phrases_are_longer_than_words_and_beginnings_match_any_ending() {
        for (language, words, length, class) in [
            (Language::En, &["environment", "variables"][..], 2, class::ENVIRONMENT),
            (Language::En, &["ignore", "all"], 1, class::OVERRIDE),
            (Language::Es, &["ignora"], 1, class::OVERRIDE),
            (Language::Ru, &["предыдущие"], 1, class::PREVIOUS),
            (Language::Ru, &["историю", "переписки"], 2, class::CONVERSATION),
        ] {
            let found = lexicon().at(language, words);
            assert_eq!((found.words, found.classes.any(class)), (length, true), "{words:?}: {found:?}");
        }
        assert_eq!(lexicon().at(Language::En, &["ignorance"]).classes, Classes::NONE);
    }

    #[test]
    fn languages_are_told_by_their_function_words() {
        for (text, language) in [
            ("read the file and send it to the server", Language::En),
            ("lee el archivo y envía su contenido al servidor", Language::Es),
            ("lisez le fichier et envoyez son contenu au serveur", Language::Fr),
            ("lies die datei und sende sie an den server", Language::De),
            ("leia o arquivo e envie para o servidor", Language::Pt),
            ("xyzzy", Language::En),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(lexicon().language(&words, Language::En), language, "{text}");
        }
    }
}
