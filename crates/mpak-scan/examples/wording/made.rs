//! Texts made up from `grammar.toml`: who is told to do what with which thing, when, and what the user hears of it;
//! and honest texts in the same words.

use std::collections::BTreeMap;
use std::error::Error;

use serde_json::{Map, Value, json};

use super::Random;

const GRAMMAR: &str = include_str!("grammar.toml");
/// Texts of each label, in English and in every other language.
const ENGLISH: usize = 700;
const OTHERS: usize = 70;
/// Slots within slots.
const DEPTH_MAX: usize = 4;

/// Lists of tools with one tool each, and whether it is bad.
pub(super) fn tools() -> Result<Vec<(bool, Value)>, Box<dyn Error>> {
    let grammar: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(GRAMMAR)?;
    let mut random = Random(11);
    let mut found = Vec::new();
    for (language, slots) in &grammar {
        let count = if language == "en" { ENGLISH } else { OTHERS };
        for i in 0..2 * count {
            let bad = i % 2 == 0;
            let sentence = filled(if bad { "{bad}" } else { "{good}" }, slots, &mut random, 0);
            let tool = filled("{tool}", slots, &mut random, 0);
            let (name, description) = tool.split_once(": ").ok_or("a tool is `name: description`")?;
            found.push((bad, listed(name, description, &sentence, random.below(10))));
        }
    }
    Ok(found)
}

/// A tool with the sentence in its description or in that of a parameter.
fn listed(name: &str, description: &str, sentence: &str, chance: usize) -> Value {
    let mut properties = Map::new();
    for parameter in ["note", "context", "ref", "meta", "tag", "trace", "label", "memo", "session", "extra"] {
        properties.insert(parameter.to_owned(), json!({"type": "string"}));
    }
    if chance < 2 {
        properties.insert("note".to_owned(), json!({"type": "string", "description": sentence}));
        return json!([{"name": name, "description": description,
            "inputSchema": {"type": "object", "properties": properties}}]);
    }
    let description = if chance < 4 { sentence.to_owned() } else { format!("{description} {sentence}") };
    json!([{"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}}])
}

/// A text with its slots filled; sentences begin with a capital letter.
fn filled(text: &str, slots: &BTreeMap<String, String>, random: &mut Random, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{').filter(|_| depth < DEPTH_MAX) {
        let Some((slot, after)) = after.split_once('}') else { break };
        out.push_str(before);
        if let Some(words) = slots.get(slot) {
            let words: Vec<&str> = words.split(" | ").collect();
            out.push_str(&filled(words[random.below(words.len())], slots, random, depth + 1));
        }
        rest = after;
    }
    out.push_str(rest);
    if depth > 0 {
        return out;
    }
    let mut capital = true;
    out.chars()
        .map(|c| {
            let letter = capital && c.is_alphabetic();
            capital = matches!(c, '.' | '!') || capital && !c.is_alphanumeric() && c != '`' && c != '/' && c != '~';
            if letter { c.to_uppercase().next().unwrap_or(c) } else { c }
        })
        .collect()
}
