//! `mpak explain` as a user meets it.

use mpak_scan::controls::CONTROLS;

use crate::world::World;

#[test]
fn every_control_has_a_page_in_any_case() {
    let world = World::new();
    for id in ["CQ-01", "cq-01", "Cq-01"] {
        let page = world.mpak(&["explain", id]).ok();
        assert!(page.starts_with("# CQ-01 Secret Detection\n") && page.contains("## How to fix"), "{page}");
    }
    let json = world.mpak(&["explain", "ai-03", "--json"]).json();
    assert_eq!((json["id"].as_str(), json["implemented"].as_bool()), (Some("AI-03"), Some(true)));
    assert!(json["page"].as_str().unwrap().starts_with("# AI-03"));
}

#[test]
fn without_an_id_all_are_listed() {
    let world = World::new();
    let out = world.mpak(&["explain"]).ok();
    assert!(CONTROLS.iter().all(|c| out.lines().any(|l| l.starts_with(c.id) && l.ends_with(c.name))), "{out}");
    assert_eq!(world.mpak(&["explain", "--json"]).json()["controls"].as_array().unwrap().len(), CONTROLS.len());
}

#[test]
fn an_unknown_id_is_not_found_and_suggests() {
    let world = World::new();
    for (typed, hint) in
        [("CQ-99", "CQ-01"), ("cq1", "CQ-01"), ("secret", "CQ-01"), ("AI-02", "AI-01"), ("zz", "lists all")]
    {
        let error = world.mpak(&["explain", typed]).fails(5);
        assert!(error.contains(hint), "{typed}: {error}");
    }
    assert_eq!(world.mpak(&["explain", "zz", "--json"]).json()["error"]["code"], "not_found");
}

#[test]
fn the_schemas_of_formats_are_printed() {
    let world = World::new();
    for (name, field) in
        [("evidence", "publisher"), ("report", "controls"), ("policy", "deny"), ("suppressions", "suppressions")]
    {
        let schema: serde_json::Value = serde_json::from_str(&world.mpak(&["explain", name]).ok()).unwrap();
        assert!(schema["properties"][field].is_object(), "{name}");
    }
}
