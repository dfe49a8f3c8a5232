//! Errors at the edge of the command line: a kind that gives the exit code, what happened, what to do.

use std::error::Error as StdError;

/// The table of exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: the answer is no.
    No,
    /// 2: called wrongly.
    Usage,
    /// 3: refused by a rule of the registry or a policy.
    Refused,
    /// 4: verification failed.
    Verification,
    /// 5: not found.
    NotFound,
    /// 6: network.
    Network,
    /// 7: a person must decide.
    NeedsPerson,
    /// 65: not a readable bundle.
    NotABundle,
    /// 70: our fault.
    Ours,
}

impl Kind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::No => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Verification => 4,
            Self::NotFound => 5,
            Self::Network => 6,
            Self::NeedsPerson => 7,
            Self::NotABundle => 65,
            Self::Ours => 70,
        }
    }

    /// The word in `--json` output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Verification => "verification",
            Self::NotFound => "not_found",
            Self::Network => "network",
            Self::NeedsPerson => "needs_person",
            Self::NotABundle => "not_a_bundle",
            Self::Ours => "internal",
        }
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct CommandError {
    /// Gives the exit code.
    pub kind: Kind,
    /// What happened, one sentence.
    pub message: String,
    /// Causes, outermost first.
    pub causes: Vec<String>,
    /// The next command to type, or what to change.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with a message only.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// From a typed error: its text, and its sources as causes, but for those that the text before ends with.
    pub fn from_error(kind: Kind, error: &dyn StdError) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        let message = error.to_string();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !causes.last().unwrap_or(&message).ends_with(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self { kind, message, causes, hints: Vec::new() }
    }

    /// From what the parser of the command line says about a wrong call: the first paragraph is the message, the
    /// others say what to do.
    pub fn from_parser(text: &str) -> Self {
        let one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut parts = text.split("\n\n").map(one_line).filter(|part| !part.is_empty());
        let message = parts.next().unwrap_or_default();
        let mut error = Self::new(Kind::Usage, message.strip_prefix("error: ").unwrap_or(&message));
        error.hints = parts.collect();
        error
    }

    /// Puts a sentence in front; what was the message becomes the first cause.
    #[must_use]
    pub fn context(mut self, message: &str) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, message.to_owned()));
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// What a command gives: the exit code of success, or an error.
pub type CommandResult = Result<std::process::ExitCode, CommandError>;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<io::Error>,
    }

    #[test]
    fn a_cause_that_was_just_said_is_not_said_again() {
        for (text, source, causes) in [
            ("entry `a`: it is a link", "it is a link", vec![]),
            ("cannot read `a`", "it is a link", vec!["it is a link"]),
        ] {
            let layer = Layer { text, source: Some(io::Error::other(source)) };
            assert_eq!(CommandError::from_error(Kind::No, &layer).causes, causes, "{text}");
        }
    }
}
