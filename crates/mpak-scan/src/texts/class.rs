//! The classes of words, as sets.
//!
//! Every class is one bit, named as in `rules/texts.toml`.

use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes(u128);

impl Classes {
    pub(super) const NONE: Self = Self(0);

    /// Whether one of the others is among them.
    pub(super) fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of its classes.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| *name)
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Classes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Classes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Classes {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Classes {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

macro_rules! classes {
    ($($constant:ident $name:literal),* $(,)?) => {
        classes!(@constants 0u32; $($constant)*);
        /// The class of a name.
        pub(super) fn named(name: &str) -> Option<Classes> {
            match name {
                $($name => Some($constant),)*
                _ => None,
            }
        }
        /// All names, in the order of their bits.
        pub(super) const NAMES: &[&str] = &[$($name),*];
    };
    (@constants $bit:expr; $first:ident $($rest:ident)*) => {
        pub(super) const $first: Classes = Classes(1 << $bit);
        classes!(@constants $bit + 1; $($rest)*);
    };
    (@constants $bit:expr;) => {};
}

classes! {
    YOU "you",
    YOUR "your",
    MODAL "modal",
    ALWAYS "always",
    ALSO "also",
    FIRST "first",
    BEFORE "before",
    ADVERB "adverb",
    AND "and",
    OBLIGE "oblige",
    NOT "not",
    WITHOUT "without",
    USER "user",
    OVERRIDE "override",
    FOLLOW "follow",
    DIRECTIVE "directive",
    DIRECTIVE_WEAK "directive-weak",
    PREVIOUS "previous",
    ALL "all",
    TELL "tell",
    PERCEIVE "perceive",
    SECRETLY "secretly",
    HIDE "hide",
    SECRET_STATE "secret-state",
    DEED "deed",
    DISPLAY "display",
    READ "read",
    PUT "put",
    SEND "send",
    RECIPIENT "recipient",
    KEY_FILE "key-file",
    ENVIRONMENT "environment",
    CREDENTIAL "credential",
    CONVERSATION "conversation",
    PROMPT "prompt",
    CLIENT_CONFIG "client-config",
    SYSTEM_FILE "system-file",
    WALLET "wallet",
    PERSONAL "personal",
    FILE "file",
    CONTENT "content",
    PARAMETER "parameter",
    FOREIGN_PLACE "foreign-place",
    TOOL "tool",
    USE "use",
    OTHER "other",
    INSTEAD "instead",
    CONSENT "consent",
    ASK "ask",
    TAMPER "tamper",
    TARGET "target",
    REGARDLESS "regardless",
    RUN "run",
    COMMAND "command",
    AUTHORITY "authority",
    URGENT "urgent",
    PLAIN "plain",
    ACTOR "actor",
    TALK "talk",
    WHOLE "whole",
    SCOPE "scope",
    EXCEPT "except",
    ATTACK "attack",
    RESPONSE "response",
    HERE "here",
    SELF "self",
    YES "yes",
    MEMORY "memory",
    VOID "void",
    FORMAL "formal",
    VALID "valid",
}

/// Verbs whose inflected forms count.
pub(super) const VERBS: Classes = OVERRIDE
    .with(FOLLOW)
    .with(TELL)
    .with(PERCEIVE)
    .with(HIDE)
    .with(READ)
    .with(PUT)
    .with(SEND)
    .with(USE)
    .with(ASK)
    .with(TAMPER)
    .with(RUN);

/// What is worth stealing, whatever the tool; [`FILE`] depends most on the tool and is apart.
pub(super) const VALUABLE: Classes = KEY_FILE
    .with(ENVIRONMENT)
    .with(CREDENTIAL)
    .with(CONVERSATION)
    .with(PROMPT)
    .with(CLIENT_CONFIG)
    .with(SYSTEM_FILE)
    .with(WALLET)
    .with(PERSONAL);

/// Nouns that keep their English name in other languages.
pub(super) const LOANED: Classes = VALUABLE.with(FOREIGN_PLACE).with(PARAMETER);

/// The topics with words of their own in `[subject]`.
pub(super) const TOPICS: [(&str, Classes); 10] = [
    ("key-file", KEY_FILE),
    ("environment", ENVIRONMENT),
    ("credential", CREDENTIAL),
    ("conversation", CONVERSATION),
    ("prompt", PROMPT),
    ("client-config", CLIENT_CONFIG),
    ("system-file", SYSTEM_FILE),
    ("wallet", WALLET),
    ("personal", PERSONAL),
    ("file", FILE),
];
