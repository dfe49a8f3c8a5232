//! The controls: a list of all, and a page for each, from the same Markdown that `mpak explain` prints.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use mpak_scan::control::Control;
use mpak_scan::controls::CONTROLS;
use mpak_scan::level;

use super::lost::{self, Lost};
use super::readme::{self, Rendered};
use super::shell::{Shell, page};
use super::text::Shown;
use super::trust::domain_name;

/// The list.
#[derive(Template)]
#[template(path = "controls.html")]
struct Controls {
    shell: Shell,
    count: usize,
    run_count: usize,
    domains: Vec<Domain>,
    levels: Vec<Level>,
}

struct Domain {
    name: &'static str,
    controls: Vec<Item>,
}

struct Item {
    id: &'static str,
    name: &'static str,
    level: u8,
    runs: bool,
}

struct Level {
    number: u8,
    name: &'static str,
    count: usize,
}

impl Controls {
    fn new() -> Self {
        let mut domains: Vec<Domain> = Vec::new();
        for control in CONTROLS {
            let name = domain_name(control.id);
            match domains.iter_mut().find(|d| d.name == name) {
                Some(domain) => domain.controls.push(item(control)),
                None => domains.push(Domain { name, controls: vec![item(control)] }),
            }
        }
        let description = Shown::line("What is checked in every bundle, and what each level requires.", 200);
        Self {
            shell: Shell::new("Controls – mpak", description),
            count: CONTROLS.len(),
            run_count: CONTROLS.iter().filter(|c| c.judge.is_some()).count(),
            domains,
            levels: (1..=level::LEVEL_MAX).map(level_of).collect(),
        }
    }
}

fn item(control: &Control) -> Item {
    Item { id: control.id, name: control.name, level: control.level, runs: control.judge.is_some() }
}

fn level_of(number: u8) -> Level {
    let count = CONTROLS.iter().filter(|c| c.level <= number).count();
    Level { number, name: level::name(number).unwrap_or_default(), count }
}

/// The page of a control.
#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    shell: Shell,
    item: Item,
    domain: &'static str,
    level_name: &'static str,
    text: Rendered,
}

impl ControlPage {
    /// By its id, in any case of letters.
    fn of(id: &str) -> Option<Self> {
        let control = CONTROLS.iter().find(|c| c.id.eq_ignore_ascii_case(id))?;
        let title = format!("{} {} – mpak", control.id, control.name);
        Some(Self {
            shell: Shell::new(&title, Shown::default()),
            item: item(control),
            domain: domain_name(control.id),
            level_name: level::name(control.level).unwrap_or_default(),
            text: readme::render_own(body(control.page)),
        })
    }
}

/// Without the title, which the page has already.
fn body(markdown: &str) -> &str {
    let text = markdown.trim_start();
    if text.starts_with("# ") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text }
}

/// `GET /controls`
pub(crate) async fn list() -> Response {
    page(StatusCode::OK, &Controls::new())
}

/// `GET /controls/{id}`
pub(crate) async fn one(Path(id): Path<String>) -> Response {
    match ControlPage::of(&id) {
        Some(view) => page(StatusCode::OK, &view),
        None => lost::not_found(Lost::Control, &id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_has_a_page_with_text() {
        for control in CONTROLS {
            let html = ControlPage::of(&control.id.to_lowercase()).unwrap().render().unwrap();
            assert!(html.contains(control.name) && html.contains(control.id), "{}", control.id);
            assert!(html.contains("How to fix</h2>"), "{}", control.id);
            assert!(html.len() < 60_000, "{}", control.id);
        }
        assert!(ControlPage::of("XX-99").is_none());
    }

    #[test]
    fn the_list_has_every_control() {
        let html = Controls::new().render().unwrap();
        for control in CONTROLS {
            assert!(html.contains(&format!("href=\"/controls/{}\"", control.id)), "{}", control.id);
        }
        assert!(html.len() < 60_000);
    }
}
