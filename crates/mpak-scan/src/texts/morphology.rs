//! What endings, particles and signs a word carries beside its stem, where the lexicon holds stems.
//!
//! In: words of a language. Out: the same without marks that a writer may leave out, their stems, and whether an
//! ending denies the verb.

/// Longest word that is taken apart, in characters.
const WORD_CHARS_MAX: usize = 40;

/// A word without what writers leave out at will: Arabic vowels and hamzas, the dot of Devanagari, a loose dot of `İ`.
pub(super) fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '\u{64b}'..='\u{652}' | '\u{640}' | '\u{93c}' | '\u{307}' => {}
            'أ' | 'إ' | 'آ' | 'ٱ' => out.push('ا'),
            'ى' => out.push('ي'),
            'ة' => out.push('ه'),
            '\u{901}' => out.push('\u{902}'),
            '\u{958}' => out.push('\u{915}'),
            '\u{959}' => out.push('\u{916}'),
            '\u{95a}' => out.push('\u{917}'),
            '\u{95b}' => out.push('\u{91c}'),
            '\u{95c}' => out.push('\u{921}'),
            '\u{95d}' => out.push('\u{922}'),
            '\u{95e}' => out.push('\u{92b}'),
            c => out.push(c),
        }
    }
    out
}

/// A word without acute and grave accents, where it has some: they move when pronouns are joined to a verb.
pub(super) fn without_accents(word: &str) -> Option<String> {
    let bare: String = word
        .chars()
        .map(|c| match c {
            'á' | 'à' => 'a',
            'é' | 'è' => 'e',
            'í' | 'ì' => 'i',
            'ó' | 'ò' => 'o',
            'ú' | 'ù' => 'u',
            c => c,
        })
        .collect();
    (bare != word).then_some(bare)
}

/// What an Arabic word may be without `and`, `so`, `to`, `with`, `as`, `will` and the article, longest first.
pub(super) fn arabic_stems(word: &str) -> Vec<&str> {
    const JOINED: [&str; 3] = ["", "و", "ف"];
    const BEFORE: [&str; 8] = ["", "ال", "لل", "بال", "كال", "ل", "ب", "س"];
    let mut found = Vec::new();
    for joined in JOINED {
        let Some(rest) = word.strip_prefix(joined) else { continue };
        for before in BEFORE {
            if let Some(stem) = rest.strip_prefix(before)
                && stem.chars().count() > 1
            {
                found.push(stem);
            }
        }
    }
    found
}

/// An Arabic word of a phrase without its article.
pub(super) fn without_article(word: &str) -> &str {
    ["وال", "لل", "بال", "ال"]
        .iter()
        .find_map(|before| word.strip_prefix(before))
        .filter(|rest| rest.chars().count() > 2)
        .unwrap_or(word)
}

/// Whether the ending of a Turkish verb denies it: `söyleme`, `sormayın`, `göstermeden`.
pub(super) fn is_denied_in_turkish(word: &str) -> bool {
    const ENDINGS: [&str; 18] = [
        "me",
        "ma",
        "meyin",
        "mayın",
        "meyiniz",
        "mayınız",
        "mez",
        "maz",
        "meden",
        "madan",
        "memeli",
        "mamalı",
        "mesin",
        "masın",
        "memelisin",
        "mamalısın",
        "memesi",
        "maması",
    ];
    word.chars().count() <= WORD_CHARS_MAX
        && ENDINGS.iter().any(|ending| word.strip_suffix(ending).is_some_and(|stem| stem.chars().count() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_the_marks_that_writers_leave_out() {
        for (word, expect) in [("أرسِل", "ارسل"), ("موافقة", "موافقه"), ("फ़ाइल", "फाइल"), ("yes", "yes")]
        {
            assert_eq!(plain(word), expect);
        }
        assert_eq!(plain("İzin".to_lowercase().as_str()), "izin");
    }

    #[test]
    fn stems_and_denials_are_found() {
        assert!(arabic_stems("وللمستخدم").contains(&"مستخدم"));
        assert!(arabic_stems("وارسل").contains(&"ارسل"));
        assert_eq!(without_article("المفتاح"), "مفتاح");
        for (word, denied) in [("söyleme", true), ("sormayın", true), ("göstermeden", true), ("gönder", false)] {
            assert_eq!(is_denied_in_turkish(word), denied, "{word}");
        }
    }
}
