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
use mpak_testkit::emulators::{Call, Protocol};
use mpak_testkit::forge::Delivery;
use mpak_testkit::proxy::{Hold, Point, Proxy};
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

/// What a store says instead of doing what it is asked for.
fn says(status: &str) -> impl Fn(&Proxy) {
    let body = "<Error><Code>Told</Code></Error>";
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    move |way| way.answer(format!("{head}{body}").as_bytes())
}

/// A store that answers, and says no: told when that is its last word, tried again when it is not.
fn refused(protocol: Protocol) {
    let mut site = Site::start_on(protocol, Mode::Mirror);
    let statuses = [
        ("403 Forbidden", false),
        ("500 Internal Server Error", true),
        ("503 Slow Down", true),
        ("507 Insufficient Storage", true),
    ];
    let mut number = 0;
    for stage in [Stage::BlobLookedUp, Stage::BlobArriving] {
        for (status, is_tried_again) in statuses {
            number += 1;
            let bundle = Bundle::new(&format!("@acme/bundle-{number}"), false);
            site.settle();
            let way = site.way(Wire::Store).expect("it is a wire");
            // Before the bytes: a store that refuses reads them or not.
            let call = if stage == Stage::BlobArriving { Call::Put } else { Call::Look };
            way.arm(Point::new([site.begin_of(call, &bundle)], Hold::Request(0)));
            let mut request = site.begin_upload(&bundle);
            request.send(&bundle.bytes);
            way.wait();
            says(status)(way);
            let answer = request.answer();
            if is_tried_again {
                assert_eq!(answer.json()["status"], "created", "{stage:?} {status}: {}", answer.json());
            } else {
                site.assert_unavailable(&answer, "storage does not answer", stage);
                site.assert_published(&bundle, false);
                assert_eq!(site.begin_upload(&bundle).whole(&bundle.bytes).json()["status"], "created", "{status}");
            }
            site.assert_published(&bundle, true);
        }
    }
    let bundle = Bundle::new("@acme/bundle-1", false);
    for (status, is_tried_again) in statuses {
        site.settle();
        let way = site.way(Wire::Store).expect("it is a wire");
        way.arm(Point::new([site.begin_of(Call::Get, &bundle)], Hold::Request(0)));
        let request = site.begin_ask(&bundle, By::Name);
        way.wait();
        says(status)(way);
        let answer = request.answer();
        if is_tried_again {
            assert!(answer.body() == bundle.bytes, "{status}: {} {}", answer.status(), answer.json());
        } else {
            site.assert_unavailable(&answer, "storage does not answer", Stage::BlobAsked);
        }
    }
    site.mend();
    site.assert_agrees();
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
    for stage in [Stage::BlobAsked, Stage::BlobAnswering, Stage::BlobLeaving] {
        site.settle();
        let Answer::Whole { head, .. } = site.begin_ask(&bundle, By::Name).answer() else { panic!("no address") };
        let way = site.way(Wire::Store).expect("it is a wire");
        way.arm(Point::new([site.begin_of_signed(&bundle)], stage.of_blob()));
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

/// The same where the store itself gives the bytes: what a person sees of a store that is gone, says no, or
/// takes its time. The signature of an address is a key to the bytes for as long as it lasts.
fn a_person_pulls_from(protocol: Protocol) {
    let mut site = Site::start_redirecting(protocol);
    let bundle = Bundle::new("@acme/widget", false);
    assert_eq!(site.begin_upload(&bundle).whole(&bundle.bytes).json()["status"], "created");
    let signed = site.begin_of_signed(&bundle);
    let pulled = site.world.path("pulled.mcpb");
    let mut pull = |at: Stage, then: &dyn Fn(&Proxy)| {
        site.settle();
        let way = site.way(Wire::Store).expect("it is a wire");
        way.arm(Point::new([&*signed], at.of_blob()));
        let mut command = site.world.command(&["pull", &bundle.name, "--output", "pulled.mcpb"]);
        command.args(["--registry", &site.url()]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        way.wait();
        then(way);
        let ran = Ran::from(child.wait_with_output().unwrap());
        site.mend();
        let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
        assert!(!said.contains("signature=") && !said.contains("sig="), "{at:?}: {said}");
        ran
    };
    let gone = |way: &Proxy| {
        way.down();
        way.go_on();
    };
    // 1. It is gone, before the answer or in it: no file.
    for at in [Stage::BlobAsked, Stage::BlobAnswering, Stage::BlobLeaving] {
        let said = pull(at, &gone).fails(6);
        assert!(said.contains("error: ") && !pulled.exists(), "{at:?}: {said}");
    }
    //    Its connection alone ends: in the answer, the next one goes on there; before it, the next one may do.
    for at in [Stage::BlobAsked, Stage::BlobAnswering, Stage::BlobLeaving] {
        let ran = pull(at, &Proxy::cut);
        assert!(ran.code == 0 || at != Stage::BlobLeaving, "{}", ran.stderr);
        assert_eq!(pulled.exists(), ran.code == 0, "{at:?}: {}", ran.stderr);
        if ran.code == 0 {
            assert!(std::fs::read(&pulled).unwrap() == bundle.bytes, "{at:?}: other bytes");
            std::fs::remove_file(&pulled).unwrap();
        }
    }
    // 2. It says no: the address ended, the object is gone, something is broken there. Once, and the next address is
    //    tried; every time, and that is told.
    for status in ["403 Forbidden", "404 Not Found", "500 Internal Server Error"] {
        pull(Stage::BlobAsked, &says(status)).ok();
        assert!(std::fs::read(&pulled).unwrap() == bundle.bytes, "{status}: other bytes");
        std::fs::remove_file(&pulled).unwrap();
    }
    // 3. It asks for patience, and gives the bytes then.
    let ran = pull(Stage::BlobAsked, &says("503 Slow Down"));
    assert!(ran.stderr.contains("is busy; trying again in"), "{}", ran.stderr);
    ran.ok();
    assert!(std::fs::read(&pulled).unwrap() == bundle.bytes, "other bytes");
    std::fs::remove_file(&pulled).unwrap();
    // 4. It stops for a while in the middle.
    pull(Stage::BlobLeaving, &|way| {
        std::thread::sleep(std::time::Duration::from_secs(2));
        way.go_on();
    })
    .ok();
    assert!(std::fs::read(&pulled).unwrap() == bundle.bytes, "other bytes");
    std::fs::remove_file(&pulled).unwrap();
    for (status, code, words) in [
        ("403 Forbidden", 3, "does not allow it: status 403"),
        ("404 Not Found", 5, "was not found at"),
        ("500 Internal Server Error", 6, "answers 500"),
    ] {
        let said = refused_to_the_end(&site, &bundle, &signed, status).fails(code);
        assert!(said.contains(words) && said.contains("help: ") && !pulled.exists(), "{status}: {said}");
        assert!(!said.to_lowercase().contains("signature=") && !said.contains("sig="), "{said}");
    }
    site.assert_agrees();
}

/// Pulls where the store answers every request for the bytes with this.
fn refused_to_the_end(site: &Site, bundle: &Bundle, signed: &str, status: &str) -> Ran {
    let way = site.way(Wire::Store).expect("it is a wire");
    let point = Point::new([signed], Hold::Request(0));
    way.arm(point.clone());
    let mut command = site.world.command(&["pull", &bundle.name, "--output", "pulled.mcpb"]);
    command.args(["--registry", &site.url()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let answer = says(status);
    until("the end of the pull", || {
        if way.is_reached() {
            way.arm(point.clone());
            answer(way);
        }
        child.try_wait().unwrap().is_some()
    });
    Ran::from(child.wait_with_output().unwrap())
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
    s3_that_says_no_is_told_or_asked_again: refused(Protocol::S3);
    google_cloud_storage_that_says_no_is_told_or_asked_again: refused(Protocol::Google);
    azure_blob_storage_that_says_no_is_told_or_asked_again: refused(Protocol::Azure);
    signed_addresses_survive_the_death_of_the_process: signed(Protocol::S3, Struck::Process);
    signed_addresses_survive_the_loss_of_database_connections: signed(Protocol::S3, Struck::Database);
    signed_addresses_survive_the_loss_of_the_database: signed(Protocol::S3, Struck::Outage);
    signed_addresses_survive_the_loss_of_the_store: signed(Protocol::S3, Struck::Store);
    signed_addresses_of_google_cloud_storage_survive_the_death_of_the_process: signed(Protocol::Google, Struck::Process);
    signed_addresses_of_google_cloud_storage_survive_the_loss_of_database_connections: signed(Protocol::Google, Struck::Database);
    signed_addresses_of_google_cloud_storage_survive_the_loss_of_the_database: signed(Protocol::Google, Struck::Outage);
    signed_addresses_of_google_cloud_storage_survive_the_loss_of_the_store: signed(Protocol::Google, Struck::Store);
    signed_addresses_of_azure_blob_storage_survive_the_death_of_the_process: signed(Protocol::Azure, Struck::Process);
    signed_addresses_of_azure_blob_storage_survive_the_loss_of_database_connections: signed(Protocol::Azure, Struck::Database);
    signed_addresses_of_azure_blob_storage_survive_the_loss_of_the_database: signed(Protocol::Azure, Struck::Outage);
    signed_addresses_of_azure_blob_storage_survive_the_loss_of_the_store: signed(Protocol::Azure, Struck::Store);
    a_person_is_told_when_s3_does_not_give_the_bytes: a_person_pulls_from(Protocol::S3);
    a_person_is_told_when_google_cloud_storage_does_not_give_the_bytes: a_person_pulls_from(Protocol::Google);
    a_person_is_told_when_azure_blob_storage_does_not_give_the_bytes: a_person_pulls_from(Protocol::Azure);
    what_is_linked_survives_the_death_of_the_process: linked(Struck::Process);
    what_is_linked_survives_the_loss_of_its_database_connections: linked(Struck::Database);
    what_is_linked_needs_no_store: linked(Struck::Store);
    what_is_linked_survives_the_loss_of_the_release_server: linked(Struck::Release);
}
