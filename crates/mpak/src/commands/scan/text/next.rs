//! The shortest list of edits to the next level.

use mpak_scan::advice::{Advice, Edit, Who};

use super::WIDTH;
use super::lines::indented;
use crate::bundle_file::count;
use crate::ui;

/// Places shown of one edit.
const PLACES_COUNT_MAX: usize = 3;

/// The list, with an empty line in front.
pub(crate) fn lines(advice: &Advice, verbose: bool) -> Vec<String> {
    let Advice { level, name, edits } = advice;
    let mut lines = vec![String::new()];
    if edits.is_empty() {
        return Vec::new();
    }
    lines.push(format!("to level {level} {name}: {}", count(edits.len(), "edit")));
    for (at, edit) in edits.iter().enumerate() {
        lines.extend(one(at + 1, edit, verbose));
    }
    lines
}

fn one(number: usize, edit: &Edit, verbose: bool) -> Vec<String> {
    let by = match edit.by {
        Who::Author => "",
        Who::Publisher => " (by the publisher)",
        Who::Scanner => " (give it to the scan)",
    };
    let settles = match edit.findings_count {
        0 | 1 => String::new(),
        n => format!(", {n} findings"),
    };
    let text = format!("{}{by} [{}{settles}]", edit.what, edit.controls.join(", "));
    let begin = format!("{number:>3}. ");
    let mut lines = indented(&begin, &text, begin.len(), WIDTH);
    let most = if verbose { edit.places.len() } else { PLACES_COUNT_MAX };
    if !edit.places.is_empty() {
        let more = edit.places.len().saturating_sub(most);
        let more = if more > 0 { format!(" and {more} more places") } else { String::new() };
        let places: Vec<&str> = edit.places.iter().take(most).map(String::as_str).collect();
        lines.extend(indented("     at ", &format!("{}{more}", places.join(", ")), 8, WIDTH));
    }
    // What is pasted is not broken into lines.
    lines.extend(edit.snippet.as_ref().map(|snippet| format!("     {}", ui::safe(snippet))));
    lines
}
