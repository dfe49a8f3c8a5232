//! Where text becomes action: calls that are dangerous with text that others choose.

use crate::code::facts::Language;

mod archives;
mod effects;
mod programs;
mod python;
mod queries;
mod scripts;

pub use archives::{lists_members, names_a_member, opens_archives};
pub use effects::{Effect, effect, fixes_host};
pub use programs::{
    has_a_value, has_dangerous_options, runs_a_script, runs_its_argument, runs_its_input, script_word,
    shell_words_from, splits_its_text, takes_a_value,
};
pub use queries::{
    STATEMENTS, is_condition, is_filter, is_filter_search, is_fragment, is_query, is_statement, names_a_query,
    runs_whole_queries,
};

/// What a sink does with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum SinkKind {
    /// A shell runs it.
    Shell,
    /// A program gets it as arguments, the first as the program.
    Process,
    /// An interpreter runs it.
    Code,
    /// Objects are made from it.
    Deserialise,
    /// A database runs it.
    Query,
    /// It names a file.
    Path,
    /// It names a host.
    Host,
    /// A template engine runs it.
    Template,
    /// Its members are written where their names say.
    Extract,
    /// A page shows it as markup.
    Markup,
    /// The system opens it with whatever program it is made for.
    Opener,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// What it does.
    pub kind: SinkKind,
    /// Which positional arguments count.
    pub args: &'static [usize],
    /// Which keywords count.
    pub keywords: &'static [&'static str],
}

const FIRST: &[usize] = &[0];
const BOTH: &[usize] = &[0, 1];
const SECOND: &[usize] = &[1];
const MANY: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];

#[expect(clippy::unnecessary_wraps, reason = "the table reads better")]
const fn sink(kind: SinkKind, args: &'static [usize], keywords: &'static [&'static str]) -> Option<Sink> {
    Some(Sink { kind, args, keywords })
}

/// The sink of a dotted name.
pub fn find(language: Language, path: &str) -> Option<Sink> {
    match language {
        Language::Python => python::find(path),
        Language::JavaScript | Language::TypeScript => scripts::find(path),
        Language::Shell => None,
    }
}
