//! The process, the connections to the database, the object store and the release server, each struck at
//! every stage of publish and download: the client is told clearly or cut off, nothing is there by half,
//! `mpak admin verify` agrees, and the same publish works afterwards.
//!
//! `stage.rs` has the stages and what is expected at each; `docs/guides/faults.md` is the table for people.

pub mod http;
pub mod site;
pub mod sqlite;
mod stage;

use std::process::Stdio;

use http::Request;
use site::{Bundle, Site};
use stage::{ANNOUNCE, DOWNLOAD, Seen, Stage, Struck, UPLOAD, Wire};

use crate::world::Ran;

/// How something is published.
#[derive(Clone, Copy, Debug)]
enum Door {
    Upload,
    Announce,
}

/// Strikes at every stage, one publish for each.
fn publishes(door: Door, stages: &[Stage], struck: Struck) {
    let mut site = Site::start();
    for (number, stage) in stages.iter().enumerate() {
        let bundle = Bundle::new(&format!("@acme/bundle-{number}"), stage.is_of_parts());
        let announcement = site.release(&bundle);
        site.settle();
        // 1. Up to the stage.
        let (wire, point) = stage.point(&site.prefix, &bundle.name);
        if let (Some(way), Some(point)) = (site.way(wire), point) {
            way.arm(point);
        }
        let mut request = match door {
            Door::Upload => site.begin_upload(&bundle),
            Door::Announce => site.begin_announce(&announcement),
        };
        let half = if wire == Wire::Client { bundle.bytes.len() / 2 } else { bundle.bytes.len() };
        if matches!(door, Door::Upload) {
            request.send(&bundle.bytes[..half]);
        }
        match site.way(wire) {
            Some(way) => way.wait(),
            None => site.wait_for_staged(),
        }
        // 2. Strike, and let go.
        site.strike(struck);
        if let Some(way) = site.way(wire) {
            way.go_on();
        }
        if matches!(door, Door::Upload) {
            request.send(&bundle.bytes[half..]);
        }
        let answer = request.answer();
        site.mend();
        // 3. What the publisher sees.
        match stage.seen(struck) {
            Seen::Cut => assert_eq!(answer.status(), 0, "{stage:?}: {}", answer.json()),
            Seen::Unavailable(words) => Site::assert_unavailable(&answer, words),
            Seen::Done => assert!([200, 201].contains(&answer.status()), "{stage:?}: {}", answer.json()),
        }
        // 4. What is there.
        let is_published = stage.is_published_after(struck);
        site.assert_agrees();
        site.assert_published(&bundle, is_published);
        // 5. The same publish again.
        let again = || match door {
            Door::Upload => {
                let mut request = site.begin_upload(&bundle);
                request.send(&bundle.bytes);
                request.answer()
            }
            Door::Announce => site.begin_announce(&announcement).answer(),
        };
        let mut answer = again();
        // An issuer that did not answer is left alone for some seconds.
        site::until("the issuer's turn", || {
            if answer.status() == 503 {
                answer = again();
            }
            answer.status() != 503
        });
        let status = answer.json()["status"].clone();
        let expected = match (door, is_published) {
            (_, false) => "created",
            (Door::Upload, true) => "unchanged",
            (Door::Announce, true) => "updated",
        };
        assert_eq!(status, expected, "{stage:?}: {}", answer.json());
        site.assert_published(&bundle, true);
    }
    site.assert_agrees();
}

/// Strikes at every stage of a download.
fn downloads(struck: Struck) {
    let mut site = Site::start();
    let bundle = Bundle::new("@acme/widget", false);
    let mut request = site.begin_upload(&bundle);
    request.send(&bundle.bytes);
    assert_eq!(request.answer().status(), 201);
    for stage in DOWNLOAD {
        site.settle();
        let (wire, point) = stage.point(&site.prefix, &bundle.name);
        let way = site.way(wire).expect("nobody sends anything");
        way.arm(point.expect("it is met on a wire"));
        let request: Request = site.begin_blob(&bundle);
        way.wait();
        site.strike(struck);
        site.way(wire).expect("as before").go_on();
        let answer = request.answer();
        site.mend();
        match stage.seen(struck) {
            Seen::Cut => assert_eq!(answer.status(), 0, "{stage:?}: {}", answer.json()),
            Seen::Unavailable(words) => Site::assert_unavailable(&answer, words),
            Seen::Done => assert_eq!(answer.status(), 200, "{stage:?}: {}", answer.json()),
        }
        site.assert_published(&bundle, true);
    }
    site.assert_agrees();
}

/// Runs `mpak` up to a stage, strikes, and gives what it said.
fn person(site: &mut Site, arguments: &[&str], stage: Stage, struck: Struck) -> Ran {
    let (wire, point) = stage.point(&site.prefix, "");
    site.way(wire).expect("it is met on a wire").arm(point.expect("as before"));
    let mut command = site.world.command(arguments);
    command.args(["--registry", &site.url()]).env("MPAK_TOKEN", site.token());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.way(wire).expect("as before").wait();
    site.strike(struck);
    site.way(wire).expect("as before").go_on();
    let ran = Ran::from(child.wait_with_output().unwrap());
    site.mend();
    ran
}

#[test]
fn a_person_is_told_what_failed_and_what_to_do() {
    let mut site = Site::start();
    let bundle = Bundle::new("@acme/widget", false);
    let file = site.world.write("widget.mcpb", &bundle.bytes).display().to_string();
    let publish = ["publish", &file, "--name", &bundle.name];
    let pull = ["pull", &bundle.name, "--output", "pulled.mcpb"];
    // 1. A publish, with what the registry says.
    let said = person(&mut site, &publish, Stage::BlobArriving, Struck::Store).fails(6);
    assert!(said.contains("answers 503: The registry's storage does not answer"), "{said}");
    assert!(said.contains("help: try again later"), "{said}");
    // 2. A publish whose answer is lost: done again, it is told to be there.
    let said = person(&mut site, &publish, Stage::CommitUnanswered, Struck::Process).fails(6);
    assert!(said.contains("ended before it answered") && said.contains("help: do the same again"), "{said}");
    let mut again = site.world.command(&publish);
    let again = again.args(["--registry", &site.url(), "--json"]).env("MPAK_TOKEN", site.token()).output().unwrap();
    assert_eq!(Ran::from(again).json()["published"][0]["status"], "unchanged");
    // 3. A download that never ends well leaves no file.
    site.settle();
    for struck in [Struck::Process, Struck::Store] {
        let said = person(&mut site, &pull, Stage::BlobLeaving, struck).fails(6);
        assert!(said.contains("error: ") && !site.world.path("pulled.mcpb").exists(), "{said}");
    }
    let mut pulled = site.world.command(&pull);
    Ran::from(pulled.args(["--registry", &site.url()]).output().unwrap()).ok();
    assert!(std::fs::read(site.world.path("pulled.mcpb")).unwrap() == bundle.bytes, "other bytes");
}

macro_rules! every_stage {
    ($($name:ident: $strike:expr;)*) => {$(
        #[test]
        fn $name() {
            $strike;
        }
    )*};
}

every_stage! {
    an_upload_survives_the_death_of_the_process: publishes(Door::Upload, UPLOAD, Struck::Process);
    an_upload_survives_the_loss_of_its_database_connections: publishes(Door::Upload, UPLOAD, Struck::Database);
    an_upload_survives_the_loss_of_the_store: publishes(Door::Upload, UPLOAD, Struck::Store);
    an_announcement_survives_the_death_of_the_process: publishes(Door::Announce, ANNOUNCE, Struck::Process);
    an_announcement_survives_the_loss_of_its_database_connections:
        publishes(Door::Announce, ANNOUNCE, Struck::Database);
    an_announcement_survives_the_loss_of_the_store: publishes(Door::Announce, ANNOUNCE, Struck::Store);
    an_announcement_survives_the_loss_of_the_release_server: publishes(Door::Announce, ANNOUNCE, Struck::Release);
    a_download_survives_the_death_of_the_process: downloads(Struck::Process);
    a_download_survives_the_loss_of_its_database_connections: downloads(Struck::Database);
    a_download_survives_the_loss_of_the_store: downloads(Struck::Store);
    a_download_needs_no_release_server: downloads(Struck::Release);
}
