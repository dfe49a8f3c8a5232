//! What became of a package after its publish, in words: banners above the page, its history below.

use serde_json::Value;

use super::Room;
use crate::clock;
use crate::db::events::Event;
use crate::db::packages::{self, Package};
use crate::db::transfers::Transfer;
use crate::db::yanks::Yank;
use crate::web::entry::package_path;
use crate::web::figures::Moment;
use crate::web::text::Shown;

/// A banner.
#[derive(Clone, Debug)]
pub(crate) struct Banner {
    /// A class of the style sheet: `warn` or `fail`.
    pub(super) look: &'static str,
    /// The point, in two or three words.
    pub(super) headline: &'static str,
    /// The rest.
    pub(super) text: Shown,
    /// Another package to look at, with its address.
    pub(super) other: Option<(Shown, String)>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(super) at: Moment,
    pub(super) what: Shown,
    pub(super) actor: Shown,
}

/// Everything of it on one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(super) banners: Vec<Banner>,
    pub(super) history: Vec<Happened>,
    pub(super) more: bool,
    /// Whether strangers see nothing of the package.
    pub(super) hidden: bool,
}

/// Most bytes of a text of others.
const TEXT_BYTES_MAX: usize = 300;

/// From the registry's rows: the shown version's yank, the open transfer, events newest first.
pub(crate) fn fate(
    package: &Package,
    yank: Option<&Yank>,
    transfer: Option<&Transfer>,
    events: &[Event],
    room: Room,
) -> Fate {
    let shown = events.iter().take(room.events_count_max);
    Fate {
        banners: banners(package, yank, transfer),
        history: shown.map(|event| happened(event, room)).collect(),
        more: events.len() > room.events_count_max,
        hidden: package.state != packages::PUBLIC,
    }
}

fn banners(package: &Package, yank: Option<&Yank>, transfer: Option<&Transfer>) -> Vec<Banner> {
    let mut banners = Vec::new();
    let mut banner = |look, headline, text: &str, other: Option<&String>| {
        let other = other.map(|name| (Shown::word(name, TEXT_BYTES_MAX), package_path(name)));
        banners.push(Banner { look, headline, text: Shown::line(text, TEXT_BYTES_MAX), other });
    };
    let reason = package.held_reason.as_deref().unwrap_or("no reason was given");
    match package.state.as_str() {
        packages::HELD => {
            let text = format!("{reason}. Only its owners and administrators see this page.");
            banner("warn", "Held for review:", &text, None);
        }
        packages::REMOVED => banner("fail", "Removed:", reason, None),
        _ => {}
    }
    if let Some(message) = &package.deprecated_message {
        banner("warn", "Deprecated.", message, package.deprecated_replacement.as_ref());
    }
    if let Some(yank) = yank {
        let reason = yank.reason.as_deref().unwrap_or("no reason was given");
        banner("warn", "This version was yanked:", reason, None);
    }
    if let Some(transfer) = transfer.filter(|t| t.state == "accepted") {
        let day = Moment::at(transfer.effective_at_ms).day;
        let text = if transfer.target_name == package.name {
            format!("It goes to another owner on {day}.")
        } else {
            format!("From {day} on it is called `{}`; this name goes on to lead to it.", transfer.target_name)
        };
        banner("warn", "A transfer is under way.", &text, None);
    }
    banners
}

fn happened(event: &Event, room: Room) -> Happened {
    let details: Value = serde_json::from_str(&event.payload_json).unwrap_or_default();
    let what = sentence(event, &details);
    Happened {
        at: Moment::at(event.at_ms),
        what: Shown::line(&what, room.event_bytes_max),
        actor: Shown::line(&actor(&event.actor), 80),
    }
}

/// `user:ada` is ada, `token:ci` is told as a token.
fn actor(label: &str) -> String {
    match label.split_once(':') {
        Some(("user", login)) => login.to_owned(),
        Some(("token", name)) => format!("token “{name}”"),
        Some(("oidc", job)) => match job.split_once(':') {
            Some((issuer, repository)) => format!("{repository} ({issuer})"),
            None => job.to_owned(),
        },
        _ if label == "admin" => "the operator".to_owned(),
        _ => label.to_owned(),
    }
}

fn sentence(event: &Event, details: &Value) -> String {
    let text = |member: &str| details[member].as_str().filter(|t| !t.is_empty());
    let version = event.version.as_deref().unwrap_or_default();
    let because = text("reason").map(|r| format!(": {r}")).unwrap_or_default();
    let owner = text("owner").unwrap_or_default();
    match event.kind.as_str() {
        "artifact_published" => {
            let platform = match (text("os"), text("arch")) {
                (Some("any") | None, _) | (_, None) => String::new(),
                (Some(os), Some(arch)) => format!(" for {os}-{arch}"),
            };
            format!("Version {version} was published{platform}")
        }
        "yanked" => format!("Version {version} was yanked{because}"),
        "unyanked" => format!("Version {version} is no longer yanked"),
        "deprecated" => format!("Deprecated: {}", text("message").unwrap_or_default()),
        "undeprecated" => "No longer deprecated".to_owned(),
        "version_deleted" => format!("Version {version} was deleted{because}"),
        "package_deleted" => format!("The package was deleted{because}"),
        "owner_added" => format!("{owner} became an owner"),
        "owner_removed" => format!("{owner} is no longer an owner"),
        "claimed" => format!("{owner} claimed it"),
        "tokens_allowed" => "An owner allows tokens beside trusted publishing".to_owned(),
        "tokens_disallowed" => "An owner no longer allows tokens beside trusted publishing".to_owned(),
        "transfer_requested" => match (text("name"), text("owner")) {
            (Some(name), Some(owner)) => format!("A transfer to {owner} as {name} was asked for"),
            (Some(name), None) => format!("The name {name} was asked for"),
            _ => format!("A transfer to {owner} was asked for"),
        },
        "transfer_accepted" => {
            let day = details["effective_at_ms"].as_i64().map(clock::rfc3339).unwrap_or_default();
            format!("The transfer was accepted, in effect from {}", day.get(..10).unwrap_or_default())
        }
        "transfer_cancelled" => format!("The transfer was cancelled{because}"),
        "transferred" => match (text("from"), text("to"), text("owner")) {
            (Some(from), Some(to), _) if from != to => format!("{from} became {to}"),
            _ => format!("It went to {owner}"),
        },
        "held" => format!("Held for review{because}"),
        "released" => "Released after review".to_owned(),
        "rejected" => format!("Rejected after review{because}"),
        "removed" => format!("Removed{because}"),
        "restored" => "Restored".to_owned(),
        "workflow_changed" => match (text("from"), text("to")) {
            (Some(from), Some(to)) => format!("Published by the workflow {to}, before by {from}"),
            (Some(from), None) => format!("Published by a workflow that does not tell its name, before by {from}"),
            _ => "Published by another workflow than before".to_owned(),
        },
        "repository_renamed" => match (text("from"), text("to")) {
            (Some(from), Some(to)) => format!("Its repository {from} became {to}"),
            _ => "Its repository has another name".to_owned(),
        },
        "publisher_trusted" => "A repository may publish it".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(kind: &str, payload: &Value) -> String {
        let event = Event {
            seq: 1,
            at_ms: 0,
            kind: kind.to_owned(),
            version: Some("1.0.0".to_owned()),
            actor: "user:ada".to_owned(),
            payload_json: payload.to_string(),
        };
        happened(&event, Room::USUAL).what.as_str().to_owned()
    }

    #[test]
    fn events_are_told_in_sentences() {
        for (kind, payload, expect) in [
            ("artifact_published", json!({"os": "any", "arch": "any"}), "Version 1.0.0 was published"),
            ("artifact_published", json!({"os": "linux", "arch": "x64"}), "Version 1.0.0 was published for linux-x64"),
            ("yanked", json!({"reason": "leaks"}), "Version 1.0.0 was yanked: leaks"),
            ("yanked", json!({"reason": null}), "Version 1.0.0 was yanked"),
            ("transferred", json!({"from": "@a/b", "to": "@a/c", "owner": null}), "@a/b became @a/c"),
            ("transferred", json!({"from": "@a/b", "to": "@a/b", "owner": "bob"}), "It went to bob"),
            (
                "transfer_accepted",
                json!({"effective_at_ms": 0}),
                "The transfer was accepted, in effect from 1970-01-01",
            ),
            ("something_new", json!({}), "something new"),
        ] {
            assert_eq!(told(kind, &payload), expect);
        }
    }

    #[test]
    fn a_publishers_reason_cannot_fill_or_forge_the_page() {
        let long = told("yanked", &json!({"reason": "<\u{202E}".repeat(5_000)}));
        assert!(long.len() < 400 && !long.contains('\u{202E}'), "{long}");
    }
}
