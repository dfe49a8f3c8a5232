//! Finds what a name is given by a detour: a default among other arguments, a branch of an expression, what a
//! function answers, the value of a record that is named (`{"name": "API_KEY", "value": "…"}`), a column of a
//! table, a comment or a sentence that says what a text is.
//!
//! What is found here is less certain than an assignment, so only what can hardly be anything but a credential
//! counts. Every step is bounded.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::Kind;
use super::assigned::{Assignment, VALUE_BYTES_MAX, name_around};

mod columns;
mod prose;

/// How far from its name a value may stand.
pub(super) const REACH_BYTES: usize = 240;
/// Most values of one name.
const VALUES_COUNT_MAX: usize = 4;
/// Words of a name in a record.
const GIVERS: [&str; 13] = [
    "default",
    "defaultvalue",
    "default_value",
    "default_factory",
    "defaults",
    "value",
    "values",
    "val",
    "fallback",
    "initial",
    "initialvalue",
    "string",
    "content",
];

/// Everything that may be given to the name with a keyword.
pub(super) fn given(
    bytes: &[u8],
    keyword: Range<usize>,
    kind: Kind,
    promises: &dyn Fn(&[u8]) -> bool,
) -> Vec<Assignment> {
    let mut found = Vec::new();
    if let Some(name) = name_around(bytes, keyword.clone()).filter(|name| promises(&bytes[name.clone()])) {
        let mut values = Vec::new();
        expression(bytes, &name, kind, &mut values);
        values.extend(value_before(bytes, &name));
        values.extend(next_element(bytes, &name));
        values.extend(columns::value(bytes, &name));
        if kind.has_bare_values() {
            values.extend(next_line(bytes, &name));
        }
        found.extend(values.into_iter().map(|value| Assignment { name: name.clone(), value }));
    }
    found.extend(prose::said(bytes, keyword, kind));
    found.truncate(VALUES_COUNT_MAX * 2);
    found
}

/// Where in an expression the walk is.
#[derive(Default)]
struct Place<'a> {
    depth: usize,
    /// The last sign; none after a word.
    sign: u8,
    /// The last word, also before the sign.
    word: &'a [u8],
    /// Whether what stands before is a word.
    after_word: bool,
}

impl Place<'_> {
    fn word_is(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.word.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether a literal here is what the name comes to.
    fn gives(&self, is_element: bool) -> bool {
        let named = self.word_is(&GIVERS);
        match self.sign {
            _ if self.after_word => {
                !is_element
                    && (self.word_is(&["return", "SecureString"]) || self.depth <= 1 && self.word_is(&["or", "else"]))
            }
            b'=' | b':' => named || self.word_is(&["lambda"]) || !is_element && self.depth == 0,
            b'(' => named,
            b'?' | b'|' | b'>' => !is_element && self.depth <= 1,
            _ => false,
        }
    }

    /// Whether an expression goes on in the next line.
    fn goes_on(&self, rest: &[u8], kind: Kind) -> bool {
        let next = rest.iter().take(80).position(|b| !b.is_ascii_whitespace()).map_or(&rest[..0], |at| &rest[at..]);
        let open = !self.after_word && matches!(self.sign, b'=' | b'?' | b'|' | b'>' | b',' | b'+')
            || self.after_word && self.word_is(&["return", "or", "else", "and"])
            || !self.after_word && self.sign == b':' && kind == Kind::Code && next.starts_with(b"return");
        let taken_up = matches!(next.first(), Some(b'?' | b'|' | b'.' | b':'))
            || next.starts_with(b"or ")
            || next.starts_with(b"else ");
        open || taken_up
    }
}

/// Literals at the places of an expression where its value stands.
fn expression(bytes: &[u8], name: &Range<usize>, kind: Kind, values: &mut Vec<Range<usize>>) {
    let end = (name.end + REACH_BYTES).min(bytes.len());
    let mut at = name.end;
    // 1. What closes the name, and whether it is itself a value in a list of them.
    let quoted = bytes.get(at).is_some_and(|b| is_quote(*b));
    at += usize::from(quoted);
    while at < end && (bytes[at].is_ascii_whitespace() && bytes[at] != b'\n' || matches!(bytes[at], b')' | b']')) {
        at += 1;
    }
    let is_element = quoted && bytes.get(at) == Some(&b',');
    if !is_element && !matches!(bytes.get(at), Some(b'=' | b':' | b'(' | b'{' | b'?' | b'!')) {
        return;
    }
    // 2. On to its end.
    let mut place = Place::default();
    while at < end && values.len() < VALUES_COUNT_MAX {
        let byte = bytes[at];
        match byte {
            b'\n' if place.depth == 0 && !is_element && !place.goes_on(&bytes[at..end], kind) => return,
            _ if byte.is_ascii_whitespace() => at += 1,
            _ if is_quote(byte) => {
                let Some(inside) = literal(bytes, at) else { return };
                if place.gives(is_element) {
                    values.push(inside.clone());
                }
                at = inside.end + 1;
                // The name of a member, perhaps.
                place.word = &bytes[inside.start..inside.end.min(inside.start + 24)];
                (place.sign, place.after_word) = (byte, false);
            }
            b'(' | b'[' | b'{' => {
                place.depth += 1;
                (place.sign, place.after_word) = (byte, false);
                at += 1;
            }
            b')' | b']' | b'}' => {
                let Some(depth) = place.depth.checked_sub(1) else { return };
                (place.depth, place.sign, place.after_word) = (depth, byte, false);
                at += 1;
            }
            b',' if place.depth == 0 && !is_element => return,
            b';' if place.depth == 0 => return,
            _ if is_word(byte) => {
                let length = bytes[at..end].iter().take_while(|b| is_word(**b)).count();
                let word = &bytes[at..at + length];
                at += length;
                // `b"…"`, `f'…'`.
                if !(length <= 2 && bytes.get(at).is_some_and(|b| is_quote(*b))) {
                    (place.word, place.after_word) = (word, true);
                }
            }
            _ => {
                (place.sign, place.after_word) = (byte, false);
                at += 1;
            }
        }
    }
}

/// `{"value": "…", "name": "API_KEY"}`
fn value_before(bytes: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    static SHAPE: OnceLock<Option<Regex>> = OnceLock::new();
    let shape = r#"(?i)["']?value["']?\s{0,4}[:=]\s{0,4}["'](?P<v>[^"'{}\n]{8,200})["']\s{0,4},?\s{0,40}["']?(?:name|key|id|variable)["']?\s{0,4}[:=]\s{0,4}["']$"#;
    let shape = SHAPE.get_or_init(|| of_bytes(shape)).as_ref()?;
    let from = name.start.saturating_sub(REACH_BYTES);
    let before = &bytes[from..name.start];
    if !before.last().is_some_and(|b| is_quote(*b)) {
        return None;
    }
    let value = shape.captures(before)?.name("v")?.range();
    Some(from + value.start..from + value.end)
}

/// `<key>ApiToken</key><string>…</string>`, `<string name="api_secret">…</string>`
fn next_element(bytes: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    static SHAPE: OnceLock<Option<Regex>> = OnceLock::new();
    let shape =
        r#"^(?:</[A-Za-z]{1,24}>\s{0,40}<[A-Za-z]{1,24}>|["'][^<>\n]{0,60}>)\s{0,40}(?P<v>[!-;=?-~]{8,200})\s{0,40}</"#;
    let shape = SHAPE.get_or_init(|| of_bytes(shape)).as_ref()?;
    let after = &bytes[name.end..(name.end + REACH_BYTES * 2).min(bytes.len())];
    if !matches!(after.first(), Some(b'<' | b'"' | b'\'')) {
        return None;
    }
    let value = shape.captures(after)?.name("v")?.range();
    Some(name.end + value.start..name.end + value.end)
}

/// `name: API_KEY`, and `value: …` in the next line.
fn next_line(bytes: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    static SHAPE: OnceLock<Option<Regex>> = OnceLock::new();
    let shape = r#"^["']?[ \t]{0,8}\r?\n[ \t]{0,40}["']?(?i:value|default)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?P<v>[!#-&(-~]{8,200})["']?[ \t]{0,8}(?:\r?\n|$)"#;
    let shape = SHAPE.get_or_init(|| of_bytes(shape)).as_ref()?;
    let after = &bytes[name.end..(name.end + REACH_BYTES * 2).min(bytes.len())];
    if !after.iter().take(10).any(|b| *b == b'\n') {
        return None;
    }
    let value = shape.captures(after)?.name("v")?.range();
    Some(name.end + value.start..name.end + value.end)
}

/// Classes of bytes: those of all characters take a hundred times the memory where they are repeated.
fn of_bytes(shape: &str) -> Option<Regex> {
    RegexBuilder::new(shape).unicode(false).build().ok()
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// The inside of the literal that a quote opens, on its line.
fn literal(bytes: &[u8], open: usize) -> Option<Range<usize>> {
    let from = open + 1;
    let inside = &bytes[from.min(bytes.len())..];
    let length = inside.iter().take(VALUE_BYTES_MAX).position(|b| *b == bytes[open] || *b == b'\n')?;
    (inside[length] == bytes[open]).then(|| from..from + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, kind: Kind) -> Vec<String> {
        let at = text.to_ascii_lowercase().find("key").unwrap();
        let found = given(text.as_bytes(), at..at + 3, kind, &|_| true);
        found.into_iter().map(|one| text[one.value].to_owned()).collect()
    }

    #[test]
    fn values_are_found_behind_detours() {
        for text in [
            "p.add_argument(\"--api-key\", help=\"x\", default=\"VALUE-OF-IT\")",
            "yargs.option('key', { type: 'string', default: 'VALUE-OF-IT' })",
            "apiKey: z.string().min(3).default('VALUE-OF-IT'),",
            "api_key: str = Field(default=\"VALUE-OF-IT\")",
            "key: SecretStr = field(default_factory=lambda: \"VALUE-OF-IT\")",
            "{\"name\": \"API_KEY\", \"value\": \"VALUE-OF-IT\"}",
            "{\"value\": \"VALUE-OF-IT\", \"name\": \"API_KEY\"}",
            "\"API_KEY\": {\"description\": \"x\", \"value\": \"VALUE-OF-IT\"}",
            "const apiKey = live ? 'VALUE-OF-IT' : undefined;",
            "const apiKey = live\n  ? env.KEY\n  : 'VALUE-OF-IT';",
            "key = os.getenv(\"A\") if os.getenv(\"A\") else \"VALUE-OF-IT\"",
            "const apiKey = read('X') ?? 'VALUE-OF-IT';",
            "const getKey = () => 'VALUE-OF-IT';",
            "def api_key():\n    return \"VALUE-OF-IT\"",
            "get apiKey() { return \"VALUE-OF-IT\"; }",
            "public string ApiKey { get; set; } = \"VALUE-OF-IT\";",
            "<k>ApiKey</k>\n<string>VALUE-OF-IT</string>",
            "<string name=\"api_key\">VALUE-OF-IT</string>",
            "const [id, key] = [\"a\", \"VALUE-OF-IT\"];",
            "INSERT INTO t (id, api_key) VALUES (1, 'VALUE-OF-IT');",
            "name,api_key,role\nops,VALUE-OF-IT,admin\n",
            "KS = [\n  \"VALUE-OF-IT\",  # api key\n]",
            "// the key of the bot\nconst T = \"VALUE-OF-IT\";",
        ] {
            assert_eq!(values(text, Kind::Code).first().map(String::as_str), Some("VALUE-OF-IT"), "{text}");
        }
        let text = "- name: API_KEY\n  value: \"VALUE-OF-IT\"\n";
        assert_eq!(values(text, Kind::Settings), ["VALUE-OF-IT"]);
        for text in
            ["The API key is `VALUE-OF-IT`, for now.", "| API key | `VALUE-OF-IT` |\n", "api key: VALUE-OF-IT\n"]
        {
            assert_eq!(values(text, Kind::Text), ["VALUE-OF-IT"], "{text}");
        }
    }

    #[test]
    fn other_texts_nearby_are_not_given_to_a_name() {
        for text in [
            "p.add_argument(\"--key\")\np.add_argument(\"--rev\", default=\"VALUE-OF-IT\")",
            "f(key); const rev = \"VALUE-OF-IT\";",
            "if (apiKey === x) rev = 'VALUE-OF-IT'",
            "apiKey: options.apiKey,\nrev: 'VALUE-OF-IT',",
            "{\"name\": \"API_KEY\", \"description\": \"VALUE-OF-IT\"}",
            "{\"name\": \"API_KEY\"}, {\"name\": \"rev\", \"value\": \"VALUE-OF-IT\"}",
            "function key(x) { const a = \"VALUE-OF-IT\"; }",
            "// the key of the commit\nconst T = f(\"VALUE-OF-IT\");",
        ] {
            assert_eq!(values(text, Kind::Code), [""; 0], "{text}");
        }
    }
}
