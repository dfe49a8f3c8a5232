//! The process, the connections to the database, the object store and the release server, each struck at
//! every stage of publish and download, with each object store: the client is told clearly or cut off, nothing is there by half,
//! `mpak admin verify` agrees, and the same publish works afterwards.
//!
//! `stage.rs` has the stages and what is expected at each; `docs/guides/faults.md` is the table for people.

pub mod http;
pub mod site;
pub mod sqlite;
mod stage;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use http::Answer;
use mpak_testkit::emulators::Protocol;
use mpak_testkit::forge::Delivery;
use reqwest::StatusCode;
use site::{Bundle, Site, until};
use stage::{ANNOUNCE, By, DOWNLOAD, LINKED_DOWNLOAD, Mode, Seen, Stage, Struck, UPLOAD, Wire, beside, on};

use crate::registry::Registry;
use crate::world::Ran;

/// How something is published.
#[derive(Clone, Copy, Debug)]
enum Door {
    Upload,
    Announce,
}

/// Strikes at every stage, one publish for each.
fn publishes(site: &mut Site, door: Door, stages: &[Stage], struck: Struck) {
    for (number, stage) in stages.iter().enumerate() {
        let bundle = Bundle::new(&format!("@acme/bundle-{number}"), stage.is_of_parts());
        let announcement = site.release(&bundle);
        site.settle();
        // 1. Up to the stage.
        let wire = stage.wire();
        if let (Some(way), Some(point)) = (site.way(wire), stage.point(site, &bundle)) {
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
        match stage.seen(struck, site.mode) {
            Seen::Cut => assert_eq!(answer.status(), 0, "{stage:?}: {}", answer.json()),
            Seen::Unavailable(words) => site.assert_unavailable(&answer, words, *stage),
            Seen::Done => assert!([200, 201].contains(&answer.status()), "{stage:?}: {}", answer.json()),
        }
        // 4. What is there.
        let is_published = stage.is_published_after(struck, site.mode);
        site.assert_agrees();
        site.assert_published(&bundle, is_published);
        // 5. The same publish again.
        let again = || match door {
            Door::Upload => site.begin_upload(&bundle).whole(&bundle.bytes),
            Door::Announce => site.begin_announce(&announcement).answer(),
        };
        let mut answer = again();
        // An issuer that did not answer is left alone for some seconds.
        until("the issuer's turn", || {
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
fn downloads(site: &mut Site, stages: &[Stage], struck: Struck) {
    let bundle = Bundle::new("@acme/widget", false);
    let published = match site.mode {
        Mode::Mirror => site.begin_upload(&bundle).whole(&bundle.bytes),
        Mode::Link => site.begin_announce(&site.release(&bundle)).answer(),
    };
    assert_eq!(published.json()["status"], "created");
    for (stage, by) in stages.iter().flat_map(|stage| stage.ways().iter().map(move |by| (stage, *by))) {
        site.settle();
        let wire = stage.wire();
        let way = site.way(wire).expect("nobody sends anything");
        way.arm(stage.point(site, &bundle).expect("it is met on a wire"));
        let request = site.begin_ask(&bundle, by);
        way.wait();
        site.strike(struck);
        site.way(wire).expect("as before").go_on();
        let answer = request.answer();
        site.mend();
        let done = if site.mode == Mode::Link && by != By::Json { 302 } else { 200 };
        match stage.seen(struck, site.mode) {
            Seen::Cut => assert_eq!(answer.status(), 0, "{stage:?} {by:?}: {}", answer.json()),
            Seen::Unavailable(words) => site.assert_unavailable(&answer, words, *stage),
            Seen::Done => assert_eq!(answer.status(), done, "{stage:?} {by:?}: {}", answer.json()),
        }
        site.assert_published(&bundle, true);
    }
    site.assert_agrees();
}

/// Where the store is another one: strikes at the stages that are met on the way to it.
fn of_store(protocol: Protocol, struck: Struck) {
    let mut site = Site::start_on(protocol, Mode::Mirror);
    publishes(&mut site, Door::Upload, &on(Wire::Store, UPLOAD), struck);
    downloads(&mut site, &on(Wire::Store, DOWNLOAD), struck);
}

/// Where bytes stay at their releases: strikes at all stages but those of the store, which has no part in it.
fn linked(struck: Struck) {
    let mut site = Site::start_on(Protocol::S3, Mode::Link);
    publishes(&mut site, Door::Announce, &beside(Wire::Store, ANNOUNCE), struck);
    downloads(&mut site, LINKED_DOWNLOAD, struck);
}

/// Where the store itself gives the bytes, at signed addresses: strikes while an address is made, and while the
/// bytes come from it.
fn signed(protocol: Protocol, struck: Struck) {
    let mut site = Site::start_redirecting(protocol);
    let bundle = Bundle::new("@acme/widget", false);
    assert_eq!(site.begin_upload(&bundle).whole(&bundle.bytes).json()["status"], "created");
    // 1. Whether it may be read is asked of the database; the store has no part in an address.
    site.settle();
    let way = site.way(Wire::Database).expect("it is a wire");
    way.arm(Stage::BlobPermitted.point(&site, &bundle).expect("it is met on a wire"));
    let request = site.begin_ask(&bundle, By::Digest);
    way.wait();
    site.strike(struck);
    site.way(Wire::Database).expect("as before").go_on();
    let answer = request.answer();
    match struck {
        Struck::Process => assert_eq!(answer.status(), 0, "{}", answer.json()),
        Struck::Store => assert_eq!(answer.status(), 302, "{}", answer.json()),
        _ => site.assert_unavailable(&answer, "database does not answer", Stage::BlobPermitted),
    }
    // Who asks by name is answered from memory, while the registry runs.
    if struck != Struck::Process {
        assert_eq!(site.begin_ask(&bundle, By::Name).answer().status(), 302);
        assert_eq!(site.begin_ask(&bundle, By::Json).answer().status(), 200);
    }
    site.mend();
    site.assert_published(&bundle, true);
    // 2. Whoever has an address needs nobody but the store.
    for stage in [Stage::BlobAsked, Stage::BlobLeaving] {
        site.settle();
        let Answer::Whole { head, .. } = site.begin_ask(&bundle, By::Name).answer() else { panic!("no address") };
        let way = site.way(Wire::Store).expect("it is a wire");
        way.arm(stage.point(&site, &bundle).expect("it is met on a wire"));
        let request = site.begin_follow(&head);
        way.wait();
        // The proxies' ends of the killed process' connections are cut, and with them the client's, which goes
        // through the same; so the process is struck by itself.
        if struck == Struck::Process {
            site.kill();
        } else {
            site.strike(struck);
        }
        site.way(Wire::Store).expect("as before").go_on();
        let answer = request.answer();
        match struck {
            Struck::Store => assert_eq!(answer.status(), 0, "{stage:?}"),
            _ => assert!(answer.body() == bundle.bytes, "{stage:?}: {} {}", answer.status(), answer.json()),
        }
        site.mend();
        site.assert_published(&bundle, true);
    }
    site.assert_agrees();
}

/// Runs `mpak` up to a stage and strikes there.
fn begin(site: &mut Site, arguments: &[&str], stage: Stage, bundle: &Bundle, struck: Struck) -> Child {
    let way = site.way(stage.wire()).expect("it is met on a wire");
    way.arm(stage.point(site, bundle).expect("as before"));
    let mut command = site.world.command(arguments);
    command.args(["--registry", &site.url()]).env("MPAK_TOKEN", site.token());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    way.wait();
    site.strike(struck);
    site.way(stage.wire()).expect("as before").go_on();
    child
}

/// The same, to its end, with what it said.
fn person(site: &mut Site, arguments: &[&str], stage: Stage, bundle: &Bundle, struck: Struck) -> Ran {
    let child = begin(site, arguments, stage, bundle, struck);
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
    let said = person(&mut site, &publish, Stage::BlobArriving, &bundle, Struck::Store).fails(6);
    assert!(said.contains("answers 503: The registry's storage does not answer"), "{said}");
    assert!(said.contains("help: try again later"), "{said}");
    // 2. A publish whose answer is lost: done again, it is told to be there.
    let said = person(&mut site, &publish, Stage::CommitUnanswered, &bundle, Struck::Process).fails(6);
    assert!(said.contains("ended before it answered") && said.contains("help: do the same again"), "{said}");
    let mut again = site.world.command(&publish);
    let again = again.args(["--registry", &site.url(), "--json"]).env("MPAK_TOKEN", site.token()).output().unwrap();
    assert_eq!(Ran::from(again).json()["published"][0]["status"], "unchanged");
    // 3. A download that never ends well leaves no file.
    site.settle();
    let said = person(&mut site, &pull, Stage::BlobLeaving, &bundle, Struck::Process).fails(6);
    assert!(said.contains("error: ") && !site.world.path("pulled.mcpb").exists(), "{said}");
    // 4. One that is told to wait goes on when the store is back.
    let mut child = begin(&mut site, &pull, Stage::BlobLeaving, &bundle, Struck::Store);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("is busy; trying again in")));
    assert!(!site.world.path("pulled.mcpb").exists());
    site.mend();
    assert!(child.wait().unwrap().success(), "{:?}", said.collect::<Vec<_>>());
    assert!(std::fs::read(site.world.path("pulled.mcpb")).unwrap() == bundle.bytes, "other bytes");
}

#[test]
fn a_person_is_told_when_the_store_that_gives_the_bytes_does_not() {
    let mut site = Site::start_redirecting(Protocol::S3);
    let bundle = Bundle::new("@acme/widget", false);
    assert_eq!(site.begin_upload(&bundle).whole(&bundle.bytes).json()["status"], "created");
    let pull = ["pull", &bundle.name, "--output", "pulled.mcpb"];
    for stage in [Stage::BlobAsked, Stage::BlobLeaving] {
        site.settle();
        let said = person(&mut site, &pull, stage, &bundle, Struck::Store).fails(6);
        assert!(said.contains("error: ") && !site.world.path("pulled.mcpb").exists(), "{stage:?}: {said}");
        // The signature of an address is a key to the bytes for as long as it lasts.
        assert!(!said.to_lowercase().contains("x-amz-signature"), "{said}");
    }
    site.world.mpak(&[&pull[..], &["--registry", &site.url()]].concat()).ok();
    assert!(std::fs::read(site.world.path("pulled.mcpb")).unwrap() == bundle.bytes, "other bytes");
}

#[test]
fn a_person_gets_what_is_linked_from_its_release() {
    let mut site = Site::start_on(Protocol::S3, Mode::Link);
    let bundle = Bundle::new("@acme/widget", false);
    assert_eq!(site.begin_announce(&site.release(&bundle)).answer().json()["status"], "created");
    site.settle();
    let pull = ["pull", &bundle.name, "--output", "pulled.mcpb"];
    let said = person(&mut site, &pull, Stage::AssetArriving, &bundle, Struck::Release).fails(6);
    assert!(said.contains("error: ") && !site.world.path("pulled.mcpb").exists(), "{said}");
    // It is gone, or other bytes lie there.
    let mut other = bundle.bytes.clone();
    other[1_000] ^= 1;
    for (delivery, code, words) in [
        (Delivery::Status(StatusCode::NOT_FOUND), 5, "the file was not found at"),
        (Delivery::Whole(other), 4, "integrity mismatch"),
    ] {
        site.redeliver(&bundle, delivery);
        let pulled = site.world.mpak(&[&pull[..], &["--registry", &site.url()]].concat());
        let said = pulled.fails(code);
        assert!(said.contains(words) && !site.world.path("pulled.mcpb").exists(), "{said}");
    }
    site.redeliver(&bundle, Delivery::Whole(bundle.bytes.clone()));
    // The store has no part in it.
    person(&mut site, &pull, Stage::AssetArriving, &bundle, Struck::Store).ok();
    assert!(std::fs::read(site.world.path("pulled.mcpb")).unwrap() == bundle.bytes, "other bytes");
    // What is restored elsewhere links to the same release.
    let from = site.world.path("backup").display().to_string();
    let made = site.world.mpak(&["admin", "backup", &from, "--config", &site.config(), "--json"]).json();
    assert_eq!((&made["blobs"], &made["tables"]["artifacts"]["rows"]), (&0.into(), &1.into()));
    let config = site.world.write("elsewhere.toml", "data = 'elsewhere'\n").display().to_string();
    site.world.mpak(&["admin", "restore", &from, "--config", &config, "--verify"]).ok();
    let elsewhere = Registry::start_configured(&site.world, "elsewhere");
    std::fs::remove_file(site.world.path("pulled.mcpb")).unwrap();
    site.world.mpak(&[&pull[..], &["--registry", &elsewhere.url]].concat()).ok();
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
    an_upload_survives_the_death_of_the_process: publishes(&mut Site::start(), Door::Upload, UPLOAD, Struck::Process);
    an_upload_survives_the_loss_of_its_database_connections: publishes(&mut Site::start(), Door::Upload, UPLOAD, Struck::Database);
    an_upload_survives_the_loss_of_the_database: publishes(&mut Site::start(), Door::Upload, UPLOAD, Struck::Outage);
    an_upload_survives_the_loss_of_the_store: publishes(&mut Site::start(), Door::Upload, UPLOAD, Struck::Store);
    an_announcement_survives_the_death_of_the_process: publishes(&mut Site::start(), Door::Announce, ANNOUNCE, Struck::Process);
    an_announcement_survives_the_loss_of_its_database_connections:
        publishes(&mut Site::start(), Door::Announce, ANNOUNCE, Struck::Database);
    an_announcement_survives_the_loss_of_the_store: publishes(&mut Site::start(), Door::Announce, ANNOUNCE, Struck::Store);
    an_announcement_survives_the_loss_of_the_release_server: publishes(&mut Site::start(), Door::Announce, ANNOUNCE, Struck::Release);
    a_download_survives_the_death_of_the_process: downloads(&mut Site::start(), DOWNLOAD, Struck::Process);
    a_download_survives_the_loss_of_its_database_connections: downloads(&mut Site::start(), DOWNLOAD, Struck::Database);
    a_download_survives_the_loss_of_the_database: downloads(&mut Site::start(), DOWNLOAD, Struck::Outage);
    a_download_survives_the_loss_of_the_store: downloads(&mut Site::start(), DOWNLOAD, Struck::Store);
    a_download_needs_no_release_server: downloads(&mut Site::start(), DOWNLOAD, Struck::Release);
    the_stages_of_google_cloud_storage_survive_the_death_of_the_process: of_store(Protocol::Google, Struck::Process);
    the_stages_of_google_cloud_storage_survive_its_loss: of_store(Protocol::Google, Struck::Store);
    the_stages_of_azure_blob_storage_survive_the_death_of_the_process: of_store(Protocol::Azure, Struck::Process);
    the_stages_of_azure_blob_storage_survive_its_loss: of_store(Protocol::Azure, Struck::Store);
    signed_addresses_survive_the_death_of_the_process: signed(Protocol::S3, Struck::Process);
    signed_addresses_survive_the_loss_of_database_connections: signed(Protocol::S3, Struck::Database);
    signed_addresses_survive_the_loss_of_the_database: signed(Protocol::S3, Struck::Outage);
    signed_addresses_survive_the_loss_of_the_store: signed(Protocol::S3, Struck::Store);
    what_is_linked_survives_the_death_of_the_process: linked(Struck::Process);
    what_is_linked_survives_the_loss_of_its_database_connections: linked(Struck::Database);
    what_is_linked_needs_no_store: linked(Struck::Store);
    what_is_linked_survives_the_loss_of_the_release_server: linked(Struck::Release);
}
