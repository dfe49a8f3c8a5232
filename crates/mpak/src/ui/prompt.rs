//! Questions to a person, asked on stderr and answered on standard input.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Whether there is somebody to ask.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks for a line. `None` at the end of input.
pub fn ask(question: &str) -> Option<String> {
    show(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that is not shown while it is typed.
pub fn ask_secret(question: &str) -> Option<String> {
    show(question);
    rpassword::read_password().ok()
}

fn show(question: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(question.as_bytes());
    let _ = stderr.flush();
}
