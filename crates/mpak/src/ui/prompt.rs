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
    // Before the question is seen: an answer may be pasted at once.
    #[cfg(unix)]
    let _quiet = Quiet::new();
    show(question);
    rpassword::read_password().ok()
}

/// The terminal does not echo while this lives.
#[cfg(unix)]
struct Quiet {
    before: Option<nix::sys::termios::Termios>,
}

#[cfg(unix)]
impl Quiet {
    fn new() -> Self {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_flags.remove(LocalFlags::ECHO);
            let _shown_then = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &quiet);
        }
        Self { before }
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        if let Some(before) = &self.before {
            let _gone = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

fn show(question: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(question.as_bytes());
    let _ = stderr.flush();
}
