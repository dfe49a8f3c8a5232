//! Words of a shell: quotes, variables, substitutions, redirections, here-documents.

use super::super::facts::{Arg, Block, ExprId, ExprKind, Statement};
use super::Lower;

impl Lower<'_> {
    /// One word; none where there is none.
    pub(super) fn word(&mut self) -> Option<ExprId> {
        let start = self.at;
        let (mut parts, mut text) = (Vec::new(), Vec::new());
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')' | b'(' => break,
                b'<' | b'>' if self.text[..self.end].get(self.at + 1) == Some(&b'(') => {
                    self.at += 1;
                    self.end_text(&mut parts, &mut text, start);
                    parts.push(self.substitution());
                }
                b'<' | b'>' => break,
                b'\'' => {
                    self.at += 1;
                    let length = memchr::memchr(b'\'', self.rest());
                    self.unclosed |= length.is_none();
                    let length = length.unwrap_or(self.rest().len());
                    text.extend_from_slice(&self.text[self.at..self.at + length]);
                    self.at = (self.at + length + 1).min(self.end);
                }
                b'"' => {
                    self.at += 1;
                    self.quoted(&mut parts, &mut text, start, Some(b'"'));
                }
                b'\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        if next != b'\n' {
                            text.push(next);
                        }
                        self.at += 1;
                    }
                }
                b'$' if self.starts("$'") => {
                    self.at += 2;
                    self.escaped(&mut text);
                }
                b'$' | b'`' => self.dollar(&mut parts, &mut text, start),
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        if self.at == start {
            return None;
        }
        // A word that is only a substitution is what the substitution gives.
        if text.is_empty() && parts.len() == 1 {
            return parts.pop();
        }
        self.end_text(&mut parts, &mut text, start);
        let span = self.span(start);
        Some(self.builder.join(parts, span))
    }

    fn end_text(&mut self, parts: &mut Vec<ExprId>, text: &mut Vec<u8>, start: usize) {
        if !text.is_empty() {
            let text = String::from_utf8_lossy(&std::mem::take(text)).into_owned();
            parts.push(self.push(ExprKind::Text(text), start));
        }
    }

    /// Text in which only `$`, backticks and backslashes count, to a quote or to the end.
    fn quoted(&mut self, parts: &mut Vec<ExprId>, text: &mut Vec<u8>, start: usize, quote: Option<u8>) {
        while let Some(byte) = self.peek() {
            match byte {
                _ if Some(byte) == quote => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'\n') => {}
                        Some(next @ (b'$' | b'`' | b'"' | b'\\')) => text.push(next),
                        Some(next) => text.extend([b'\\', next]),
                        None => break,
                    }
                    self.at += 1;
                }
                b'$' | b'`' => self.dollar(parts, text, start),
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.unclosed |= quote.is_some();
    }

    /// `$'\x41\n'`
    fn escaped(&mut self, text: &mut Vec<u8>) {
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\'' => return,
                b'\\' => {
                    let Some(next) = self.peek() else { return };
                    self.at += 1;
                    let (start, most, radix) = match next {
                        b'x' => (self.at, 2, 16),
                        b'0'..=b'7' => (self.at - 1, 3, 8),
                        b'n' => {
                            text.push(b'\n');
                            continue;
                        }
                        b't' => {
                            text.push(b'\t');
                            continue;
                        }
                        other => {
                            text.push(other);
                            continue;
                        }
                    };
                    let digits = self.text[start..self.end].iter().take(most);
                    let end = start + digits.take_while(|b| char::from(**b).is_digit(radix)).count();
                    text.extend(u8::from_str_radix(&self.slice(start, end), radix).ok());
                    self.at = end;
                }
                other => text.push(other),
            }
        }
        self.unclosed = true;
    }

    fn dollar(&mut self, parts: &mut Vec<ExprId>, text: &mut Vec<u8>, start: usize) {
        let at = self.at;
        let value = if self.starts("$((") {
            self.at += memchr::memmem::find(self.rest(), b"))").map_or(self.rest().len(), |n| n + 2);
            Some(self.push(ExprKind::Other(Vec::new()), at))
        } else if self.starts("$(") {
            self.at += 1;
            Some(self.substitution())
        } else if self.peek() == Some(b'`') {
            Some(self.backticks())
        } else if self.starts("${") {
            self.at += 2;
            Some(self.parameter(at))
        } else {
            self.at += 1;
            self.simple_parameter(at, text)
        };
        if let Some(value) = value {
            self.end_text(parts, text, start);
            parts.push(value);
        }
    }

    /// Behind `$`: a name or a sign.
    fn simple_parameter(&mut self, at: usize, text: &mut Vec<u8>) -> Option<ExprId> {
        let name = self.name();
        if !name.is_empty() {
            return Some(self.variable(&name, at));
        }
        let Some(sign @ (b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-')) = self.peek() else {
            text.push(b'$');
            return None;
        };
        self.at += 1;
        Some(self.push(ExprKind::Free(format!("${}", char::from(sign))), at))
    }

    fn variable(&mut self, name: &str, at: usize) -> ExprId {
        let var = self.var(name);
        self.push(ExprKind::Var(var), at)
    }

    /// Behind `${`: a name, and what becomes of its value.
    fn parameter(&mut self, at: usize) -> ExprId {
        while matches!(self.peek(), Some(b'#' | b'!')) {
            self.at += 1;
        }
        let name = self.name();
        let falls_back = [":-", "-", ":=", "="].iter().any(|sign| self.starts(sign));
        let from = self.at + if self.starts(":") { 2 } else { 1 };
        let length = memchr::memchr(b'}', self.rest());
        self.unclosed |= length.is_none();
        let close = self.at + length.unwrap_or(self.rest().len());
        let default = (falls_back && from < close).then(|| self.slice(from, close));
        self.at = (close + 1).min(self.end);
        if name.is_empty() {
            return self.push(ExprKind::Other(Vec::new()), at);
        }
        let value = self.variable(&name, at);
        let Some(default) = default else { return value };
        let default = self.push(ExprKind::Text(default.trim_matches(['"', '\'']).to_owned()), at);
        self.push(ExprKind::Either(vec![value, default]), at)
    }

    /// At the bracket of `$(…)` or `<(…)`: what runs before the last command comes before, it is the value.
    fn substitution(&mut self) -> ExprId {
        let start = self.at;
        self.at += 1;
        let mut block = Vec::new();
        let outer = std::mem::take(&mut self.before);
        // `$(< file)`
        if let Some(arg) = self.redirection() {
            block.push(Statement::Do(arg.value));
        }
        self.list(&mut block, &[")"]);
        self.closing(")");
        self.before = outer;
        self.taken(block, start)
    }

    /// The value of the last statement; the others run before.
    fn taken(&mut self, mut block: Block, start: usize) -> ExprId {
        let value = match block.last() {
            Some(Statement::Do(value)) => {
                let value = *value;
                block.pop();
                value
            }
            _ => self.push(ExprKind::Other(Vec::new()), start),
        };
        self.before.append(&mut block);
        value
    }

    fn backticks(&mut self) -> ExprId {
        let start = self.at;
        self.at += 1;
        let length = memchr::memchr(b'`', self.rest());
        self.unclosed |= length.is_none();
        let close = self.at + length.unwrap_or(self.rest().len());
        let end = std::mem::replace(&mut self.end, close);
        let mut block = Vec::new();
        let outer = std::mem::take(&mut self.before);
        self.list(&mut block, &[]);
        self.before = outer;
        self.end = end;
        self.at = (close + 1).min(end);
        self.taken(block, start)
    }

    /// `< file`, `2>> file`, `<<< word`, `<< END`, `>& file`.
    pub(super) fn redirection(&mut self) -> Option<Arg> {
        let start = self.at;
        let digits = self.rest().iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        let number = self.slice(start, start + digits);
        let mark = self.text[..self.end].get(start + digits).copied();
        let both = digits == 0 && self.starts("&>");
        let next = self.text[..self.end].get(start + digits + 1);
        if !both && !matches!(mark, Some(b'<' | b'>')) || next == Some(&b'(') {
            return None;
        }
        self.at = start + digits + usize::from(both);
        let input = self.peek() == Some(b'<');
        let name = match (input, number.as_str()) {
            (true, _) => "stdin",
            (false, "2") => "stderr",
            (false, _) => "stdout",
        };
        let arg = |value| Arg { name: Some(name.to_owned()), value };
        if self.starts("<<<") {
            self.at += 3;
            self.blanks();
            let word = self.word();
            return Some(arg(word.unwrap_or_else(|| self.push(ExprKind::Nothing, start))));
        }
        if self.starts("<<") {
            self.at += 2;
            let body = self.here_document();
            return Some(arg(body.unwrap_or_else(|| self.push(ExprKind::Nothing, start))));
        }
        self.at += 1;
        while matches!(self.peek(), Some(b'>' | b'&' | b'|')) {
            self.at += 1;
        }
        self.blanks();
        let word = self.word();
        let target = word.unwrap_or_else(|| self.push(ExprKind::Nothing, start));
        if !input {
            return Some(arg(target));
        }
        let callee = self.push(ExprKind::Free("<".to_owned()), start);
        let span = self.span(start);
        Some(arg(self.builder.call(callee, vec![target], span)))
    }

    /// The document that begins behind the current line, or behind the one before it on this line.
    fn here_document(&mut self) -> Option<ExprId> {
        let strips = self.peek() == Some(b'-');
        self.at += usize::from(strips);
        self.blanks();
        let quoted = matches!(self.peek(), Some(b'\'' | b'"' | b'\\'));
        let word = self.word()?;
        let delimiter = self.builder.unit().text(word)?.to_owned();
        let (line_end, from) = match self.bodies {
            Some((line_end, bodies_end)) if line_end >= self.at => (line_end, bodies_end),
            _ => {
                let line_end = self.at + memchr::memchr(b'\n', self.rest())?;
                (line_end, line_end + 1)
            }
        };
        // 1. To the line that is the delimiter.
        let (mut at, mut body_end) = (from, self.end.max(from));
        while at < self.end {
            let line_end = memchr::memchr(b'\n', &self.text[at..self.end]).map_or(self.end, |n| at + n);
            let line = &self.text[at..line_end];
            let line = if strips { line.trim_ascii_start() } else { line };
            let start = std::mem::replace(&mut at, (line_end + 1).min(self.end));
            if line.strip_suffix(b"\r").unwrap_or(line) == delimiter.as_bytes() {
                body_end = start;
                break;
            }
        }
        self.bodies = Some((line_end, at.max(from)));
        // 2. What stands in it.
        let span = self.between(from, body_end);
        if quoted {
            let text = self.slice(from, body_end);
            return Some(self.builder.push(ExprKind::Text(text), span));
        }
        let (resume, end) = (self.at, std::mem::replace(&mut self.end, body_end));
        self.at = from;
        let (mut parts, mut text) = (Vec::new(), Vec::new());
        let bodies = self.bodies.take();
        self.quoted(&mut parts, &mut text, from, None);
        self.bodies = bodies;
        self.end_text(&mut parts, &mut text, from);
        (self.at, self.end) = (resume, end);
        Some(self.builder.join(parts, span))
    }
}
