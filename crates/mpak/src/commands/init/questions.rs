//! The questions of `mpak init`: one line each, an empty answer takes the default, a wrong one is asked again.

use mpak_bundle::manifest::{Problem, Severity};

use super::draft::Draft;
use super::{VERSION_UV, project};
use crate::error::{CommandError, Kind};
use crate::ui;

/// Asks one line; `None` when the input has ended.
pub type Ask<'a> = dyn FnMut(&str) -> Option<String> + 'a;

/// A question: its words, its place in the manifest, its field.
type Question = (&'static str, &'static str, fn(&mut Draft) -> &mut String);

const QUESTIONS: [Question; 10] = [
    ("Name", "/name", |d| &mut d.name),
    ("Display name", "/display_name", |d| &mut d.display_name),
    ("Version", "/version", |d| &mut d.version),
    ("Description", "/description", |d| &mut d.description),
    ("Author", "/author/name", |d| &mut d.author_name),
    ("Author's address", "/author/email", |d| &mut d.author_email),
    ("Server type (node, python, binary, uv)", "/server/type", |d| &mut d.server_type),
    ("Entry point", "/server/entry_point", |d| &mut d.entry_point),
    ("License", "/license", |d| &mut d.license),
    ("Repository", "/repository/url", |d| &mut d.repository),
];

/// Asks everything.
pub fn ask(draft: &mut Draft, ask: &mut Ask<'_>) -> Result<(), CommandError> {
    for question in QUESTIONS {
        let before = draft.server_type.clone();
        one(draft, question, ask)?;
        if draft.server_type != before {
            draft.entry_point = project::entry_point_of(&draft.server_type).to_owned();
        }
    }
    Ok(())
}

fn one(draft: &mut Draft, (words, pointer, field): Question, ask: &mut Ask<'_>) -> Result<(), CommandError> {
    let default = field(draft).clone();
    let question =
        if default.is_empty() { format!("{words}: ") } else { format!("{words} [{}]: ", ui::safe(&default)) };
    loop {
        let Some(answer) = ask(&question) else {
            return Err(CommandError::new(Kind::NeedsPerson, "the input ended before all questions were answered")
                .hint("`mpak init --yes` asks nothing"));
        };
        let answer = answer.trim();
        if !answer.is_empty() {
            answer.clone_into(field(draft));
        }
        if pointer == "/server/type" && draft.server_type == "uv" {
            VERSION_UV.clone_into(&mut draft.manifest_version);
        }
        let refuses = |problem: &Problem| problem.severity == Severity::Error && problem.pointer == pointer;
        match draft.problems().into_iter().find(refuses) {
            None => return Ok(()),
            Some(problem) => ui::note(&format!("  {}", ui::safe(&problem.message))),
        }
        field(draft).clone_from(&default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let (name, version) = ("x".to_owned(), "1.0.0".to_owned());
        let (server_type, entry_point) = ("node".to_owned(), "server/index.js".to_owned());
        Draft { manifest_version: "0.3".to_owned(), name, version, server_type, entry_point, ..Draft::default() }
    }

    fn answer(answers: &[&str]) -> (Result<(), CommandError>, Draft, Vec<String>) {
        let (mut draft, mut asked, mut answers) = (draft(), Vec::new(), answers.iter());
        let result = ask(&mut draft, &mut |question| {
            asked.push(question.to_owned());
            answers.next().map(|a| (*a).to_owned())
        });
        (result, draft, asked)
    }

    #[test]
    fn empty_answers_keep_the_defaults() {
        let (result, after, asked) = answer(&[""; 10]);
        assert!(result.is_ok());
        assert_eq!(after, draft());
        assert_eq!(asked[0], "Name [x]: ");
        assert_eq!(asked[3], "Description: ");
    }

    #[test]
    fn a_wrong_answer_is_asked_again() {
        let (result, after, asked) = answer(&["../x", "y", "", "1", "2.0.0", "d", "a", "", "uv", "", "", ""]);
        assert!(result.is_ok());
        assert_eq!((after.name.as_str(), after.version.as_str()), ("y", "2.0.0"));
        assert_eq!((after.manifest_version.as_str(), after.entry_point.as_str()), ("0.4", "src/server.py"));
        assert_eq!(asked.len(), 12);
        assert_eq!(after.problems(), []);
    }

    #[test]
    fn ended_input_is_a_persons_business() {
        let (result, _, asked) = answer(&["y"]);
        assert_eq!(result.unwrap_err().kind, Kind::NeedsPerson);
        assert_eq!(asked.len(), 2);
    }
}
