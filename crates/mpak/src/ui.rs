//! The one door to the terminal: data on stdout, everything for people on stderr, hostile text escaped.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use crate::error::CommandError;

mod progress;
mod prompt;
mod spinner;

pub use progress::Progress;
pub use prompt::{ask, ask_secret, can_ask};
pub use spinner::Working;

/// Makes text of others safe to show: control, bidi and other invisible characters become `\u{…}`.
pub fn safe(text: &str) -> String {
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A line of data on stdout. A closed pipe ends the output silently.
pub fn data(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Many lines of data on stdout, as they are. A closed pipe ends the output silently.
pub fn text(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A value as JSON on stdout, indented by two.
pub fn json(value: &impl serde::Serialize) {
    data(&serde_json::to_string_pretty(value).expect("our own values serialise"));
}

/// A line for people on stderr.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a person sits at stderr.
pub fn interactive() -> bool {
    std::io::stderr().is_terminal()
}

/// Shows an error: for people on stderr, and as JSON on stdout when JSON was asked for.
pub fn report(error: &CommandError, as_json: bool) -> ExitCode {
    note(&format!("error: {}", safe(&error.message)));
    for cause in &error.causes {
        note(&format!("  cause: {}", safe(cause)));
    }
    for hint in &error.hints {
        note(&format!("  help: {}", safe(hint)));
    }
    if as_json {
        json_error(error);
    }
    ExitCode::from(error.kind.exit_code())
}

/// An error as JSON on stdout.
pub fn json_error(error: &CommandError) {
    json(&serde_json::json!({"error": {
        "code": error.kind.as_str(), "message": error.message, "causes": error.causes, "help": error.hints,
    }}));
}

/// A size for people: `12 B`, `3.4 KB`, `5.6 MB` (1024-based, as existing clients print).
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GB", bytes as f64 / 1_073_741_824.0),
    }
}

/// Columns two spaces apart, padded to the widest cell, header in the same form.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).chain([header[i].len()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(c, w)| format!("{c}{}", " ".repeat(w - c.chars().count()))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    std::iter::once(line(header.to_vec()))
        .chain(rows.iter().map(|r| line(r.iter().map(String::as_str).collect())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal() {
        for (size, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1536, "1.5 KB"), (3 << 20, "3.0 MB"), (2 << 30, "2.0 GB")]
        {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn text_of_others_cannot_act() {
        for c in
            ['\u{1b}', '\u{7}', '\n', '\u{9b}', '\u{ad}', '\u{61c}', '\u{200f}', '\u{202e}', '\u{2066}', '\u{feff}']
        {
            let shown = safe(&format!("a{c}b"));
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        assert_eq!(safe("grüße, 世界"), "grüße, 世界");
    }
}
