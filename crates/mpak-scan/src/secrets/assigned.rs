//! Finds what a name is given: `apiKey = "…"`, `"api_key": "…"`, `API_KEY=…`, `set_api_key("…")`,
//! `getenv("API_KEY", "…")`, `process.env.API_KEY || "…"`, `<api-key>…</api-key>`, `--api-key …`.
//!
//! One scanner for what languages and configuration files have in common; a name alone, a comparison of
//! names, or a call that gets no literal is nothing. Every step is bounded.

use std::ops::Range;

use super::Kind;

/// Longest name, to either side of the keyword.
const NAME_BYTES_MAX: usize = 64;
/// Longest white space inside an assignment: a line's end and the next one's indentation.
const SPACE_BYTES_MAX: usize = 80;
/// Longest type between a name and its value.
const TYPE_BYTES_MAX: usize = 48;
/// Longest value.
pub(super) const VALUE_BYTES_MAX: usize = 1_024;

/// What stands before a name whose value is a digest of it: annotations of clusters.
const DIGESTS: [&[u8]; 6] = [b"checksum/", b"hash/", b"digest/", b"sha256/", b"sha1/", b"md5/"];

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Where the name stands.
    pub(super) name: Range<usize>,
    /// Where the value stands, without quotes.
    pub(super) value: Range<usize>,
}

/// The assignment to the name that holds a keyword.
pub(super) fn assignment(bytes: &[u8], keyword: Range<usize>, kind: Kind) -> Option<Assignment> {
    let name = name_around(bytes, keyword)?;
    let mut at = Cursor { bytes, at: name.end };
    // 1. What closes the name: a quote, an index, a bracket.
    at.eat_all(b"\\");
    let quoted = at.eat_any(b"\"'`");
    at.spaces();
    let closed = at.eat_all(b"])");
    at.spaces();
    at.eat_any(b"?!");
    // 2. What gives it the value.
    let gives = at.operator(bytes, &name, quoted, closed, kind)?;
    // 3. The value: a literal, or a bare word where the form allows one.
    let bare = match gives {
        Gives::Literal => false,
        Gives::Assigned => {
            kind.has_bare_values()
                || is_environment(bytes, &name, at.at)
                || is_parameter(bytes, &name)
                || is_flag(bytes, &name) && at.at == name.end + 1
        }
        Gives::Bare => true,
    };
    at.spaces();
    let value = at.literal().or_else(|| if bare { at.bare(kind) } else { None })?;
    Some(Assignment { name, value })
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// Only a literal can follow.
    Literal,
    /// `=` or `:`.
    Assigned,
    /// A word can follow.
    Bare,
}

/// The name that holds a keyword.
pub(super) fn name_around(bytes: &[u8], keyword: Range<usize>) -> Option<Range<usize>> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let before = bytes[..keyword.start].iter().rev().take(NAME_BYTES_MAX).take_while(|b| is_name(b)).count();
    let after = bytes[keyword.end..].iter().take(NAME_BYTES_MAX).take_while(|b| is_name(b) && **b != b'.').count();
    let start = keyword.start - before;
    let of_digest = DIGESTS.iter().find(|digest| bytes[..start].ends_with(digest)).map_or(0, |digest| digest.len());
    (before < NAME_BYTES_MAX && after < NAME_BYTES_MAX).then(|| start - of_digest..keyword.end + after)
}

/// `NAME=value` without spaces: the form of environments, wherever it stands.
fn is_environment(bytes: &[u8], name: &Range<usize>, after: usize) -> bool {
    let upper = bytes[name.clone()].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    upper && after == name.end + 1 && bytes.get(after).is_some_and(|b| !b.is_ascii_whitespace())
}

/// `?name=value` and `&name=value` of addresses.
fn is_parameter(bytes: &[u8], name: &Range<usize>) -> bool {
    name.start > 0 && matches!(bytes[name.start - 1], b'?' | b'&') && bytes.get(name.end) == Some(&b'=')
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let eats = self.rest().starts_with(text);
        self.at += if eats { text.len() } else { 0 };
        eats
    }

    fn eat_any(&mut self, set: &[u8]) -> bool {
        let eats = self.peek().is_some_and(|b| set.contains(&b));
        self.at += usize::from(eats);
        eats
    }

    fn eat_all(&mut self, set: &[u8]) -> bool {
        let start = self.at;
        while self.at < start + 4 && self.eat_any(set) {}
        self.at > start
    }

    fn spaces(&mut self) {
        self.at += self.rest().iter().take(SPACE_BYTES_MAX).take_while(|b| b.is_ascii_whitespace()).count();
    }

    /// `\"` inside of a literal counts as a quote.
    fn at_quote(&self) -> bool {
        let rest = self.rest();
        matches!(rest, [b'"' | b'\'' | b'`', ..] | [b'\\', b'"' | b'\'', ..])
    }

    fn operator(&mut self, bytes: &[u8], name: &Range<usize>, quoted: bool, closed: bool, kind: Kind) -> Option<Gives> {
        match self.peek()? {
            b'=' => {
                let start = self.at;
                while self.at < start + 3 && self.eat_any(b"=>") {}
                // What is compared with a literal is a secret as well.
                Some(if self.at == start + 1 { Gives::Assigned } else { Gives::Literal })
            }
            b'!' if self.eat(b"==") || self.eat(b"=") => Some(Gives::Literal),
            b':' => self.colon(),
            b'(' => {
                self.at += 1;
                Some(Gives::Literal)
            }
            b',' if quoted => {
                self.at += 1;
                Some(Gives::Literal)
            }
            b'|' if self.eat(b"||") => Some(Gives::Literal),
            // The first question mark was taken for a type's.
            b'?' if self.eat(b"?") => Some(Gives::Literal),
            b'>' if !quoted => {
                self.at += 1;
                Some(Gives::Bare)
            }
            _ if (closed || quoted) && (self.eat(b"or ") || self.eat(b"value=")) => Some(Gives::Literal),
            _ if is_flag(bytes, name) && self.at > name.end => Some(Gives::Bare),
            // `PASSWORD 'x'`, `ENV API_KEY "x"`.
            _ if !quoted && !closed && self.at > name.end && self.at_quote() => Some(Gives::Literal),
            _ if !quoted && follows_instruction(bytes, name) && self.at > name.end => Some(Gives::Bare),
            _ if kind.has_bare_values() && !quoted && !closed && self.is_whole_line(bytes, name) => Some(Gives::Bare),
            _ => None,
        }
    }

    /// `password value` and nothing else on the line: netrc files, and the settings of mail programs and servers.
    fn is_whole_line(&self, bytes: &[u8], name: &Range<usize>) -> bool {
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let before = bytes[..name.start].iter().rev().take(SPACE_BYTES_MAX).find(|b| !blank(b));
        let begins = before.is_none_or(|b| *b == b'\n');
        let on_the_line = self.at > name.end && bytes[name.end..self.at].iter().all(blank);
        let word = self.rest().iter().take(VALUE_BYTES_MAX).take_while(|b| b.is_ascii_graphic()).count();
        let after = self.rest().iter().skip(word).take(SPACE_BYTES_MAX).find(|b| !blank(b));
        begins && on_the_line && after.is_none_or(|b| matches!(b, b'\r' | b'\n'))
    }

    /// `:`, `:=`, `:-` of shells, and `: Type =`.
    fn colon(&mut self) -> Option<Gives> {
        self.at += 1;
        if self.eat(b":") {
            return None;
        }
        if self.eat(b"=") || self.eat(b"-") {
            return Some(Gives::Bare);
        }
        let kept = self.at;
        self.spaces();
        if self.at_quote() {
            return Some(Gives::Literal);
        }
        let is_type = |b: &u8| b.is_ascii_alphanumeric() || b"_&<>[]|., '?".contains(b);
        let length = self.rest().iter().take(TYPE_BYTES_MAX).take_while(|b| is_type(b)).count();
        if self.bytes.get(self.at + length) == Some(&b'=') && length > 0 {
            self.at += length + 1;
            return Some(Gives::Literal);
        }
        self.at = kept;
        Some(Gives::Assigned)
    }

    /// The inside of the next literal, also in a call or list of one: `String("…")`, `["…"`.
    fn literal(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        for _ in 0..3 {
            let word =
                |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@' | b'#' | b'$' | b'&' | b' ');
            let length = self.rest().iter().take(40).take_while(|b| word(b)).count();
            let next = self.bytes.get(self.at + length).copied();
            let opens = matches!(next, Some(b'(' | b'['));
            let prefix = length <= 3 && !self.rest()[..length].contains(&b' ');
            if opens {
                self.at += length + 1;
                self.spaces();
            } else if prefix && matches!(next, Some(b'"' | b'\'' | b'`' | b'\\')) {
                self.at += length;
                break;
            } else {
                break;
            }
        }
        if !self.at_quote() {
            self.at = start;
            return None;
        }
        let escaped = self.eat(b"\\");
        let quote = self.peek()?;
        let mut quotes = 1;
        if !escaped && self.rest().starts_with(&[quote; 3]) {
            quotes = 3;
        }
        self.at += quotes;
        if quotes == 3 {
            self.spaces();
        }
        let from = self.at;
        let mut until = from;
        loop {
            let byte = *self.bytes.get(until)?;
            if until - from > VALUE_BYTES_MAX {
                return None;
            }
            match byte {
                b'\\' if escaped && self.bytes.get(until + 1) == Some(&quote) => break,
                b'\\' => until += 2,
                b'\n' if quotes == 1 => return None,
                _ if byte == quote => break,
                _ => until += 1,
            }
        }
        while quotes == 3 && until > from && self.bytes[until - 1].is_ascii_whitespace() {
            until -= 1;
        }
        (until > from).then_some(from..until)
    }

    /// A word that ends where a value ends.
    fn bare(&mut self, kind: Kind) -> Option<Range<usize>> {
        // The block scalars of YAML.
        if self.eat(b">-") || self.eat(b"|-") || self.eat(b"|\n") || self.eat(b">\n") {
            self.spaces();
        }
        // Of settings a value is all up to the line's end, in whatever alphabet.
        let of_settings = kind.has_bare_values();
        let is_value =
            |b: &u8| b.is_ascii_graphic() && !b"\"'`;,<>(){}&\\|".contains(b) || of_settings && !b.is_ascii();
        let length = self.rest().iter().take(VALUE_BYTES_MAX).take_while(|b| is_value(b)).count();
        let ends = match self.bytes.get(self.at + length) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'`' | b'<' | b'&' | b'\\' | b'}') => true,
            Some(b';' | b',' | b')') => kind.has_bare_values() || kind == Kind::Text,
            Some(_) => false,
        };
        (ends && length > 0).then(|| self.at..self.at + length)
    }
}

/// `--api-key value`
fn is_flag(bytes: &[u8], name: &Range<usize>) -> bool {
    bytes[name.clone()].starts_with(b"--")
}

/// `ENV NAME value` of container files, and `password value` of netrc files.
fn follows_instruction(bytes: &[u8], name: &Range<usize>) -> bool {
    let before = &bytes[name.start.saturating_sub(96)..name.start];
    let before = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let words = before.trim_ascii();
    let is_netrc = words.starts_with(b"machine ") && words.windows(7).any(|w| w == b" login ");
    matches!(words, b"ENV" | b"ARG" | b"env" | b"setx" | b"set" | b"setenv" | b"export")
        || words.strip_prefix(b"set -").is_some_and(|flags| flags.iter().all(u8::is_ascii_alphabetic))
        || is_netrc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, kind: Kind) -> Option<String> {
        let at = text.to_ascii_lowercase().find("key")?;
        let found = assignment(text.as_bytes(), at..at + 3, kind)?;
        Some(text[found.value].to_owned())
    }

    #[test]
    fn values_are_found_in_every_form() {
        for text in [
            "const apiKey = \"V\"",
            "apiKey: 'V',",
            "\"api_key\": \"V\"",
            "{\\\"api_key\\\": \\\"V\\\"}",
            "$config['api-key'] => 'V'",
            "key := `V`",
            "api_key: str = \"V\"",
            "pub const API_KEY: &str = \"V\"",
            "const char *api_key = \"V\"",
            "var key: string | undefined = 'V'",
            "os.environ['API_KEY'] = 'V'",
            "os.environ.get('API_KEY', 'V')",
            "process.env.API_KEY || 'V'",
            "process.env['API_KEY'] ?? 'V'",
            "os.getenv('API_KEY') or 'V'",
            "client.setApiKey('V')",
            "headers.set('x-api-key', 'V')",
            "api_key=SecretStr('V')",
            "key = Buffer.from('V', 'hex')",
            "apiKeys: ['V']",
            "key = (\n    'V'\n)",
            "key = b'V'",
            "key = r\"V\"",
            "key = '''V'''",
            "if (apiKey === 'V')",
            "API_KEY=V",
            "<apiKey>V</apiKey>",
            "--api-key V",
            "[\"--api-key\", \"V\"]",
            "ENV API_KEY V",
        ] {
            assert_eq!(value(text, Kind::Code).as_deref(), Some("V"), "{text}");
        }
        for text in [
            "api_key: V\n",
            "api.key = V",
            "export key=V; x",
            "key: >-\n  V\n",
            "url?api_key=V&x",
            "host x\n  key  V\n",
            "host.key = V\n",
        ] {
            assert_eq!(value(text, Kind::Settings).as_deref(), Some("V"), "{text}");
        }
    }

    #[test]
    fn values_of_settings_have_letters_of_any_alphabet_and_digests_keep_their_name() {
        assert_eq!(value("a.key = Vq8§ß%u\n", Kind::Settings).as_deref(), Some("Vq8§ß%u"));
        let name = |text: &str| {
            let at = text.find("key").unwrap();
            text[name_around(text.as_bytes(), at..at + 3).unwrap()].to_owned()
        };
        assert_eq!(name("{checksum/key: 2c6a}"), "checksum/key");
        assert_eq!(name("https://a/key=2c6a"), "key");
    }

    #[test]
    fn names_alone_are_nothing() {
        for text in [
            "const apiKey = getKey();",
            "apiKey: options.apiKey,",
            "apiKey = other;",
            "if (apiKey) return 'x'",
            "key::value('x')",
            "apiKey",
            "key = 'unterminated",
            "key: string;",
            "// the key is 'x'",
        ] {
            assert_eq!(value(text, Kind::Code), None, "{text}");
        }
    }
}
