//! A strict JSON reader that keeps what `serde_json` throws away: duplicate keys and lines.
//!
//! In: bytes from an attacker. Out: a [`Document`] whose values know their line, or the one problem
//! that ended the reading. Recursion is bounded by `json_depth_max`, memory by `manifest_bytes_max`.
//! Spec: RFC 8259; verdicts M1–M10 of docs/formats/manifest.md.

use serde_json::{Map, Number, Value};

use super::Severity;
use super::problems::{At, Code, Problems, Stopped, code, shown};
use crate::limits::Limits;

/// Largest integer that every JSON reader keeps exactly.
const SAFE_INTEGER_MAX: u64 = 1 << 53;

/// Lines of a value and of what is in it, in the order of the value's own members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    line: u32,
    inner: Vec<Lines>,
}

/// A document that was read to its end.
#[derive(Debug)]
pub(super) struct Document {
    /// The whole value. Of a duplicate key the first value is kept (the document is refused anyway).
    pub(super) root: Value,
    /// Its lines.
    pub(super) lines: Lines,
}

impl Lines {
    /// Line of the value at a place; `None` where the document has no such value.
    pub(super) fn line_of(&self, root: &Value, at: &At<'_>) -> Option<u32> {
        Some(self.find(root, at)?.1.line)
    }

    fn find<'a>(&'a self, root: &'a Value, at: &At<'_>) -> Option<(&'a Value, &'a Self)> {
        let Some((parent, step)) = at.split() else { return Some((root, self)) };
        let (value, lines) = self.find(root, parent)?;
        let (index, inner) = match value {
            Value::Object(map) => {
                let key = step.key()?;
                map.iter().enumerate().find(|(_, (k, _))| *k == key).map(|(index, (_, v))| (index, v))?
            }
            Value::Array(list) => {
                let index = step.index()?;
                (index, list.get(index)?)
            }
            _ => return None,
        };
        Some((inner, lines.inner.get(index)?))
    }
}

/// Reads a document. Problems that leave a readable document go to `problems`.
///
/// # Errors
/// [`Stopped`] after the problem that ended the reading was reported.
pub(super) fn parse(bytes: &[u8], strict: bool, limits: &Limits, problems: &mut Problems) -> Result<Document, Stopped> {
    // 1. Size, before anything else is looked at.
    if bytes.len() as u64 > limits.manifest_bytes_max {
        let message = format!("expected at most {} bytes, found {}", limits.manifest_bytes_max, bytes.len());
        return Err(problems.end(code::JSON_SIZE, None, message, "move large texts into files of the bundle"));
    }
    // 2. Encoding.
    let text = decode(bytes, strict, problems)?;
    // 3. One value and nothing after it.
    let mut parser = Parser { text, at: 0, line: 1, line_start: 0, depth_max: limits.json_depth_max, problems };
    let root = At::root();
    parser.space();
    if parser.peek().is_none() {
        return Err(parser.problems.end(code::JSON_SYNTAX, Some(1), "expected a JSON object, found nothing", ""));
    }
    let (value, lines) = parser.value(&root, 0)?;
    parser.space();
    if parser.peek().is_some() {
        return Err(parser.fail_as(code::JSON_TRAILING, "the end of the file", "remove what follows the last `}`"));
    }
    Ok(Document { root: value, lines })
}

fn decode<'a>(bytes: &'a [u8], strict: bool, problems: &mut Problems) -> Result<&'a str, Stopped> {
    let mut rest = bytes;
    if let Some(after) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        let severity = if strict { Severity::Error } else { Severity::Warning };
        let message = "expected `{` first, found a byte order mark, which existing tools cannot read";
        problems.push_line(severity, code::JSON_BOM, Some(1), message, "save the file as UTF-8 without BOM");
        rest = after;
    }
    std::str::from_utf8(rest).map_err(|error| {
        let line = 1 + rest[..error.valid_up_to()].split(|&b| b == b'\n').skip(1).count() as u32;
        let message = if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            "expected UTF-8, found UTF-16".to_owned()
        } else {
            format!("expected UTF-8, found an invalid byte at offset {}", error.valid_up_to())
        };
        problems.end(code::JSON_ENCODING, Some(line), message, "save the file as UTF-8")
    })
}

struct Parser<'a, 'p> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    depth_max: usize,
    problems: &'p mut Problems,
}

impl Parser<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Ends the reading here.
    fn fail(&mut self, expected: &str, help: &str) -> Stopped {
        self.fail_as(code::JSON_SYNTAX, expected, help)
    }

    fn fail_as(&mut self, code: Code, expected: &str, help: &str) -> Stopped {
        let found = match self.text[self.at..].chars().next() {
            None => "the end of the file".to_owned(),
            Some(c) => format!("`{}`", shown(c.encode_utf8(&mut [0; 4]))),
        };
        let column = self.text[self.line_start..self.at].chars().count() + 1;
        let message = format!("expected {expected}, found {found} (column {column})");
        self.problems.end(code, Some(self.line), message, help)
    }

    fn value(&mut self, at: &At<'_>, depth: usize) -> Result<(Value, Lines), Stopped> {
        let leaf = |line, value| Ok((value, Lines { line, inner: Vec::new() }));
        let line = self.line;
        match self.peek() {
            Some(b'{') => self.object(at, depth + 1),
            Some(b'[') => self.array(at, depth + 1),
            Some(b'"') => leaf(line, Value::String(self.string(at)?)),
            Some(b'-' | b'0'..=b'9') => leaf(line, Value::Number(self.number(at)?)),
            Some(b't') => self.word("true").and_then(|()| leaf(line, Value::Bool(true))),
            Some(b'f') => self.word("false").and_then(|()| leaf(line, Value::Bool(false))),
            Some(b'n') => self.word("null").and_then(|()| leaf(line, Value::Null)),
            found => {
                let help = match found {
                    Some(b'\'') => "texts stand in double quotes",
                    Some(b'/') => "JSON has no comments: remove it",
                    Some(b'N' | b'I') => "JSON has neither NaN nor Infinity",
                    Some(b']' | b'}') => "remove the comma before it",
                    _ => "",
                };
                Err(self.fail("a value", help))
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Stopped> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fail("a value", "JSON knows the words `true`, `false` and `null` only"));
        }
        self.at += word.len();
        Ok(())
    }

    fn enter(&mut self, depth: usize) -> Result<(), Stopped> {
        if depth > self.depth_max {
            let message = format!("expected at most {} nested objects and arrays, found more", self.depth_max);
            return Err(self.problems.end(code::JSON_DEPTH, Some(self.line), message, "flatten the document"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn array(&mut self, at: &At<'_>, depth: usize) -> Result<(Value, Lines), Stopped> {
        let mut lines = Lines { line: self.line, inner: Vec::new() };
        let mut list = Vec::new();
        self.enter(depth)?;
        if self.eat(b']') {
            return Ok((Value::Array(list), lines));
        }
        loop {
            let (value, inner) = self.value(&at.index(list.len()), depth)?;
            list.push(value);
            lines.inner.push(inner);
            self.space();
            if self.eat(b']') {
                return Ok((Value::Array(list), lines));
            }
            self.comma("`,` or `]`")?;
        }
    }

    fn object(&mut self, at: &At<'_>, depth: usize) -> Result<(Value, Lines), Stopped> {
        let mut lines = Lines { line: self.line, inner: Vec::new() };
        let mut map = Map::new();
        self.enter(depth)?;
        if self.eat(b'}') {
            return Ok((Value::Object(map), lines));
        }
        loop {
            let key_line = self.line;
            if self.peek() != Some(b'"') {
                let help = if self.peek() == Some(b'}') {
                    "remove the comma before it"
                } else {
                    "keys stand in double quotes"
                };
                return Err(self.fail("a key", help));
            }
            let key = self.string(at)?;
            let here = at.key(&key);
            self.check_key(&here, &key, key_line, map.contains_key(&key));
            self.space();
            if !self.eat(b':') {
                return Err(self.fail("`:`", ""));
            }
            self.space();
            let (value, mut inner) = self.value(&here, depth)?;
            if !map.contains_key(&key) {
                // A member is where its key is, also when its value starts on a later line.
                inner.line = key_line;
                map.insert(key, value);
                lines.inner.push(inner);
            }
            self.space();
            if self.eat(b'}') {
                return Ok((Value::Object(map), lines));
            }
            self.comma("`,` or `}`")?;
        }
    }

    fn comma(&mut self, expected: &str) -> Result<(), Stopped> {
        if !self.eat(b',') {
            return Err(
                self.fail(expected, if self.peek() == Some(b'/') { "JSON has no comments: remove it" } else { "" })
            );
        }
        self.space();
        Ok(())
    }

    fn check_key(&mut self, here: &At<'_>, key: &str, line: u32, again: bool) {
        if again {
            let message = format!("expected each key once, found `{}` again", shown(key));
            let help = "readers disagree about which one counts: remove one";
            self.problems.push_at(Severity::Error, code::JSON_DUPLICATE_KEY, here, Some(line), message, help);
        }
        if key == "__proto__" {
            let severity = if here.first_key() == Some("_meta") { Severity::Warning } else { Severity::Error };
            let message = "found the key `__proto__`, which JavaScript hosts take for an object's prototype";
            self.problems.push_at(severity, code::JSON_PROTO_KEY, here, Some(line), message, "rename the key");
        }
    }

    fn string(&mut self, at: &At<'_>) -> Result<String, Stopped> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(at, &mut out)?,
                Some(_) => return Err(self.fail("`\"`", "write control characters as escapes, for example `\\n`")),
                None => return Err(self.fail("`\"`", "")),
            }
        }
    }

    fn escape(&mut self, at: &At<'_>, out: &mut String) -> Result<(), Stopped> {
        self.at += 1;
        let c = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let c = self.unicode_escape(at)?;
                out.push(c);
                return Ok(());
            }
            _ => return Err(self.fail("one of `\"\\/bfnrtu` after a backslash", "write a backslash as `\\\\`")),
        };
        self.at += 1;
        out.push(c);
        Ok(())
    }

    fn unicode_escape(&mut self, at: &At<'_>) -> Result<char, Stopped> {
        let first = self.hex4()?;
        if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 1;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or_else(|| {
            let message = format!("expected a character, found half of a surrogate pair, `\\u{first:04x}`");
            let help = "write both halves or the character itself";
            self.problems.push_at(Severity::Error, code::JSON_SURROGATE, at, Some(self.line), message, help);
            char::REPLACEMENT_CHARACTER
        }))
    }

    /// Reads `uXXXX`.
    fn hex4(&mut self) -> Result<u32, Stopped> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return Err(self.fail("four hexadecimal digits after `\\u`", ""));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn digits(&mut self) -> Result<(), Stopped> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.fail("a digit", ""));
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self, at: &At<'_>) -> Result<Number, Stopped> {
        let start = self.at;
        self.eat(b'-');
        if self.eat(b'0') {
            if self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(self.fail("`.` or the end of the number", "numbers have no leading zeros"));
            }
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.eat(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            integer = false;
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        let (number, exact) = numeric(text, integer);
        if !exact {
            let message = format!("expected a number that every reader keeps, found `{}`", shown(text));
            let help = "write it as a text, or use a smaller number";
            self.problems.push_at(Severity::Warning, code::JSON_NUMBER, at, Some(self.line), message, help);
        }
        Ok(number)
    }
}

/// The number, and whether all readers agree on it. What no double can hold becomes the largest one.
fn numeric(text: &str, integer: bool) -> (Number, bool) {
    // A negative zero is no integer for other readers.
    let integer = integer && text != "-0";
    if integer {
        if let Ok(number) = text.parse::<i64>() {
            return (number.into(), number.unsigned_abs() <= SAFE_INTEGER_MAX);
        }
        if let Ok(number) = text.parse::<u64>() {
            return (number.into(), false);
        }
    }
    let value = text.parse::<f64>().unwrap_or(f64::MAX);
    let exact = value.is_finite() && !integer;
    let number = Number::from_f64(value.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into());
    (number, exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::problems::PROBLEMS_COUNT_MAX;

    type Found = (&'static str, String, Option<u32>);

    fn check(bytes: &[u8]) -> (Option<Document>, Vec<Found>) {
        let mut problems = Problems::new();
        let document = parse(bytes, false, &Limits::default(), &mut problems).ok();
        let list = problems.finish().into_iter().map(|p| (p.code, p.pointer, p.line)).collect();
        (document, list)
    }

    #[test]
    fn good_json_reads_as_serde_json_does() {
        for text in [
            "{}",
            r#" {"a":[1,-2,3.5,1e3,-0,0.25E-2],"b":{"c":null,"d":true,"e":false}} "#,
            r#"{"s":"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é"}"#,
            "[18446744073709551615,-9223372036854775808]",
            "\"x\"",
        ] {
            let (document, _) = check(text.as_bytes());
            assert_eq!(document.expect(text).root, serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn bad_json_is_refused_with_one_syntax_problem() {
        for text in [
            "",
            "  ",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "{a:1}",
            "{'a':1}",
            "NaN",
            "[Infinity]",
            "{} // x",
            "/* x */{}",
            "{}{}",
            "01",
            "1.",
            "-",
            "1e",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"open",
            "tru",
            "nul",
            "[1",
            "{\"a\":1",
            "+1",
            ".5",
        ] {
            let (document, problems) = check(text.as_bytes());
            assert!(document.is_none(), "{text}");
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_serde_json_hides_is_reported_with_pointer_and_line() {
        let (document, problems) = check(b"{\"a\": 1,\n \"b\": {\n  \"a/~\": 1,\n  \"a/~\": 2 },\n \"__proto__\": 1}");
        assert_eq!(document.unwrap().root["b"]["a/~"], 1);
        assert_eq!(
            problems,
            [
                ("json-duplicate-key", "/b/a~1~0".to_owned(), Some(4)),
                ("json-proto-key", "/__proto__".to_owned(), Some(5)),
            ]
        );
        let (_, problems) = check(br#"["\ud800", "\ud800\u0041", "\udc00"]"#);
        assert_eq!(problems.iter().map(|p| p.1.as_str()).collect::<Vec<_>>(), ["/0", "/1", "/2"]);
    }

    #[test]
    fn numbers_that_readers_round_are_reported() {
        for (text, reported) in [
            ("9007199254740992", false),
            ("9007199254740993", true),
            ("-1e999", true),
            ("1e308", false),
            ("1.5", false),
        ] {
            let (document, problems) = check(text.as_bytes());
            assert!(document.unwrap().root.is_number());
            assert_eq!(!problems.is_empty(), reported, "{text}");
        }
    }

    #[test]
    fn depth_and_problem_count_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(64).as_bytes()).0.is_some());
        assert_eq!(check(nested(65).as_bytes()).1[0].0, "json-depth");
        assert_eq!(check("[".repeat(1_000_000).as_bytes()).1[0].0, "json-depth");
        let twice = format!("{{{}}}", vec!["\"a\":1"; 5_000].join(","));
        assert_eq!(check(twice.as_bytes()).1.len(), PROBLEMS_COUNT_MAX + 1);
    }

    #[test]
    fn lines_are_those_of_the_keys() {
        let (document, _) = check(b"{\n\"a\":\n{\"b\":[\n1,\n2]}}");
        let document = document.unwrap();
        let root = At::root();
        let (a, b) = (root.key("a"), "b");
        let line = |at: &At<'_>| document.lines.line_of(&document.root, at);
        assert_eq!(line(&a), Some(2));
        assert_eq!(line(&a.key(b)), Some(3));
        assert_eq!(line(&a.key(b).index(1)), Some(5));
        assert_eq!(line(&a.key(b).index(2)), None);
    }
}
