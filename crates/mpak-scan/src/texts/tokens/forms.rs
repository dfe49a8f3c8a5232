//! Words by their classes: phrases before words, and the forms in which a language writes them.

use super::{Form, Kind, Token};
use crate::texts::class;
use crate::texts::lexicon::{Language, Match, lexicon};
use crate::texts::{morphology, valuables};

/// Gives each token the classes of its words, and English verbs their form.
pub(super) fn classify(tokens: &mut [Token], text: &str, language: Language) {
    let words: Vec<String> = tokens.iter().map(|t| t.text.clone()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut covered = 0;
    for i in 0..tokens.len() {
        match tokens[i].kind {
            Kind::Path | Kind::Url | Kind::Email => {
                tokens[i].classes |= valuables::of(&words[i].to_lowercase(), tokens[i].kind);
                continue;
            }
            Kind::Code => {
                let identifier = &text[tokens[i].start..tokens[i].end];
                tokens[i].classes |= valuables::of_identifier(identifier);
            }
            Kind::Break => continue,
            Kind::Word => {}
        }
        if language.is_run_together() && !words[i].is_ascii() {
            continue;
        }
        let found = best(&words[i..], language);
        if found.1.words > 1 && covered <= i {
            let last = (i + found.1.words).min(tokens.len());
            let plain = found.1.classes.any(class::PLAIN);
            for token in &mut tokens[i..last] {
                // A phrase decides about its words: `user agent` is no user.
                token.classes = found.1.classes & !class::PLAIN;
                token.form = Form::Base;
            }
            if !plain {
                tokens[i].form = found.0;
            }
            covered = last;
        } else if covered <= i {
            tokens[i].classes |= found.1.classes & !class::PLAIN;
            tokens[i].form = found.0;
        }
    }
}

/// The longest match at the first word, with the form of an English verb.
fn best(words: &[&str], language: Language) -> (Form, Match) {
    let lexicon = lexicon();
    let mut found = lexicon.at(language, words);
    if language != Language::En {
        if found.classes.is_empty()
            && let Some((_, tail)) = words[0].split_once('\'')
        {
            found = lexicon.at(language, &[&[tail], &words[1..]].concat());
        }
        // `rellénalo` is `rellena` with `lo`.
        if found.classes.is_empty()
            && matches!(language, Language::Es | Language::It)
            && let Some(bare) = morphology::without_accents(words[0])
        {
            found = lexicon.at(language, &[&[bare.as_str()], &words[1..]].concat());
        }
        if found.classes.is_empty() && matches!(language, Language::De | Language::Nl) {
            found = separable(words[0], language).unwrap_or(found);
        }
        if language == Language::Ar {
            found = arabic(words, found);
        }
        let last = words.get(found.words.max(1) - 1).copied().unwrap_or_default();
        if language == Language::Tr && found.classes.any(class::VERBS) && morphology::is_denied_in_turkish(last) {
            found.classes |= class::NOT;
        }
        let mut english = lexicon.at(Language::En, words);
        english.classes = english.classes & class::LOANED;
        if !english.classes.is_empty() && (english.words > found.words || found.classes.is_empty()) {
            english.classes |= found.classes;
            return (Form::Base, english);
        }
        return (Form::Base, found);
    }
    if found.words > 1 || found.classes.any(class::VERBS) {
        return (Form::Base, found);
    }
    for (form, base) in bases(words[0]) {
        let mut other = lexicon.at(language, &[&[base.as_str()], &words[1..]].concat());
        other.classes = other.classes & class::VERBS;
        if !other.classes.is_empty() {
            other.classes |= found.classes;
            return (form, other);
        }
    }
    (Form::Base, found)
}

/// An Arabic word without what is written together with it.
fn arabic(words: &[&str], found: Match) -> Match {
    let rest: Vec<&str> = words[1..].iter().take(2).map(|word| morphology::without_article(word)).collect();
    let mut best = found;
    for stem in morphology::arabic_stems(words[0]) {
        let other = lexicon().at(Language::Ar, &[&[stem], rest.as_slice()].concat());
        if !other.classes.is_empty() && (best.classes.is_empty() || other.words > best.words) {
            best = other;
        }
    }
    best
}

/// A German or Dutch verb behind its prefix: `mitzusenden` is `senden`, `doorsturen` is `sturen`.
fn separable(word: &str, language: Language) -> Option<Match> {
    const GERMAN: [&str; 14] =
        ["hinzu", "weiter", "mit", "ein", "auf", "aus", "bei", "vor", "nach", "hoch", "an", "ab", "zu", "her"];
    const DUTCH: [&str; 12] = ["door", "mee", "mede", "op", "in", "uit", "toe", "bij", "aan", "af", "over", "weg"];
    let prefixes: &[&str] = if language == Language::De { &GERMAN } else { &DUTCH };
    let rest = prefixes.iter().find_map(|prefix| word.strip_prefix(prefix))?;
    let stem = ["zu", "te", "ge"].iter().find_map(|within| rest.strip_prefix(within)).unwrap_or(rest);
    let found = lexicon().at(language, &[stem]);
    let classes = found.classes & class::VERBS;
    (stem.len() > 3 && !classes.is_empty()).then_some(Match { words: 1, classes })
}

/// The base forms that an English form may come from.
fn bases(word: &str) -> Vec<(Form, String)> {
    if let Some(base) = lexicon().irregular(word) {
        return vec![(Form::Past, base.to_owned())];
    }
    let mut found = Vec::new();
    let mut stems = |form, stem: &str| {
        found.push((form, stem.to_owned()));
        found.push((form, format!("{stem}e")));
        let bytes = stem.as_bytes();
        if bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2] {
            found.push((form, stem[..stem.len() - 1].to_owned()));
        }
        if let Some(short) = stem.strip_suffix('i') {
            found.push((form, format!("{short}y")));
        }
    };
    if !word.is_ascii() || word.len() < 4 {
        return found;
    }
    if let Some(stem) = word.strip_suffix("ing") {
        stems(Form::Ing, stem);
    } else if let Some(stem) = word.strip_suffix("ed") {
        stems(Form::Past, stem);
    } else if let Some(stem) = word.strip_suffix("es") {
        stems(Form::Third, stem);
        found.push((Form::Third, word[..word.len() - 1].to_owned()));
    } else if let Some(stem) = word.strip_suffix('s') {
        found.push((Form::Third, stem.to_owned()));
    }
    found
}
