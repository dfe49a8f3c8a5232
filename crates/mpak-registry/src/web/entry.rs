//! One package in a list.

use mpak_scan::level;

use super::figures::{Moment, counted};
use super::text::Shown;

/// What a list shows of a package.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `@scope/name`.
    pub(crate) name: Shown,
    /// The same, never cut: for commands.
    pub(crate) full_name: String,
    /// Its page.
    pub(crate) href: String,
    /// Name for people, where it says more than the name.
    pub(crate) title: Option<Shown>,
    /// What it is for.
    pub(crate) description: Shown,
    /// Highest stable version.
    pub(crate) version: Shown,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: Shown,
    /// `1,234 downloads`.
    pub(crate) downloads: String,
    /// `12 tools`; `None` without declared tools.
    pub(crate) tools: Option<String>,
    /// Publish time of the latest version.
    pub(crate) published: Moment,
    /// Whether its owners advise against it.
    pub(crate) deprecated: bool,
    /// What its latest version came to.
    pub(crate) reached: Reached,
    /// Its picture.
    pub(crate) tile: Tile,
}

/// What an entry is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// `@scope/name`.
    pub(crate) name: &'a str,
    /// The manifest's name for people.
    pub(crate) display_name: Option<&'a str>,
    /// The manifest's.
    pub(crate) description: Option<&'a str>,
    /// Highest stable version.
    pub(crate) version: &'a str,
    /// The manifest's.
    pub(crate) server_type: &'a str,
    /// Resolved downloads.
    pub(crate) downloads: u64,
    /// Declared tools.
    pub(crate) tools_count: usize,
    /// Publish time of the latest version, as on the wire.
    pub(crate) published_at: &'a str,
    /// Whether its owners advise against it.
    pub(crate) deprecated: bool,
    /// Level and score of the latest version; none before all of its artifacts are assessed.
    pub(crate) level: Option<i64>,
    pub(crate) score: Option<i64>,
}

/// What scans came to, in the words of all pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Class of a tag: `yes` for a level, `no` without.
    pub(crate) class: &'static str,
    /// `Level 1 Basic, score 61`
    pub(crate) text: String,
}

impl Reached {
    /// A level is none while it is not assessed; scores were not always kept.
    pub(crate) fn new(reached: Option<i64>, score: Option<i64>) -> Self {
        let score = score.map(|score| format!(", score {score}")).unwrap_or_default();
        let named = |number: i64| u8::try_from(number).ok().and_then(level::name);
        match reached {
            None => Self { class: "no", text: "Not assessed".to_owned() },
            Some(number) => match named(number) {
                None => Self { class: "no", text: format!("No level reached{score}") },
                Some(name) => Self { class: "yes", text: format!("Level {number} {name}{score}") },
            },
        }
    }
}

impl Entry {
    /// In the list's words.
    pub(crate) fn new(facts: Facts<'_>) -> Self {
        let tools = (facts.tools_count > 0).then(|| counted(facts.tools_count as u64, "tool", "tools"));
        Self {
            name: Shown::word(facts.name, 80),
            full_name: Shown::word(facts.name, 400).to_string(),
            href: package_path(facts.name),
            title: title(facts.display_name, facts.name),
            description: Shown::line(facts.description.unwrap_or_default(), 180),
            version: Shown::word(facts.version, 50),
            server_type: Shown::word(facts.server_type, 20),
            downloads: counted(facts.downloads, "download", "downloads"),
            tools,
            published: Moment::parse(facts.published_at),
            deprecated: facts.deprecated,
            reached: Reached::new(facts.level, facts.score),
            tile: Tile::of(facts.name),
        }
    }
}

/// Name for people, unless it is what the package name says already.
pub(crate) fn title(display_name: Option<&str>, name: &str) -> Option<Shown> {
    let title = Shown::line(display_name?, 80);
    let base = name.rsplit('/').next().unwrap_or(name);
    (!title.is_empty() && title.as_str() != name && title.as_str() != base).then_some(title)
}

/// `/packages/@scope/name`; names hold no character that needs encoding, anything else is encoded.
pub(crate) fn package_path(name: &str) -> String {
    let parts: Vec<String> = name.trim_start_matches('@').split('/').map(mpak_api::path::encode).collect();
    format!("/packages/@{}", parts.join("/"))
}

/// A picture made from the name: a letter on one of eight colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// First letter of the part after the slash.
    pub(crate) letter: char,
    /// 0 to 7.
    pub(crate) color: u32,
}

impl Tile {
    /// The same name has the same picture everywhere.
    pub(crate) fn of(name: &str) -> Self {
        let base = name.rsplit('/').next().unwrap_or(name);
        let letter = base.chars().find(char::is_ascii_alphanumeric).unwrap_or('?').to_ascii_uppercase();
        let color = name.bytes().fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193)) % 8;
        Self { letter, color }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_that_repeat_the_name_are_left_out() {
        assert_eq!(title(Some("Widget Maker"), "@acme/widget").unwrap().as_str(), "Widget Maker");
        for same in [None, Some(""), Some("widget"), Some("@acme/widget")] {
            assert_eq!(title(same, "@acme/widget"), None);
        }
    }

    #[test]
    fn what_was_reached_is_never_more_than_was_judged() {
        for (level, score, class, text) in [
            (None, None, "no", "Not assessed"),
            (None, Some(90), "no", "Not assessed"),
            (Some(0), Some(12), "no", "No level reached, score 12"),
            (Some(1), Some(61), "yes", "Level 1 Basic, score 61"),
            (Some(4), None, "yes", "Level 4 Attested"),
            (Some(-1), None, "no", "No level reached"),
        ] {
            assert_eq!(Reached::new(level, score), Reached { class, text: text.to_owned() });
        }
    }

    #[test]
    fn paths_of_packages_are_plain() {
        assert_eq!(package_path("@acme/widget"), "/packages/@acme/widget");
        assert_eq!(package_path("@a\"><script>/x?y#z"), "/packages/@a%22%3E%3Cscript%3E/x%3Fy%23z");
    }

    #[test]
    fn tiles_show_a_letter_of_the_name() {
        assert_eq!(Tile::of("@acme/widget").letter, 'W');
        assert_eq!(Tile::of("@acme/widget"), Tile::of("@acme/widget"));
        assert_eq!(Tile::of("@a/-").letter, '?');
    }
}
