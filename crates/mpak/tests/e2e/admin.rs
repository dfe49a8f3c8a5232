//! `mpak admin` as an administrator meets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::faults::site::until;
use crate::registry::Registry;
use crate::servers::{Server, upload};
use crate::world::{Ran, World};

fn data(world: &World) -> String {
    world.path("registry").display().to_string()
}

#[test]
fn a_token_is_made_listed_and_revoked_while_the_server_runs() {
    let world = World::new();
    let _registry = Registry::start(&world);
    let data = data(&world);
    let made = world.mpak(&[
        "admin",
        "token",
        "create",
        "--data",
        &data,
        "--name",
        "ci",
        "--package",
        "@acme/*",
        "--package",
        "@b/c",
        "--days",
        "7",
        "--json",
    ]);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("mpak_") && token.len() == 48, "{token}");
    assert_eq!(made["name"], "ci");
    assert_eq!(made["packages"], serde_json::json!(["@acme/*", "@b/c"]));
    assert!(made["expires_at"].as_str().unwrap().ends_with('Z'));

    let listed = world.mpak(&["admin", "token", "list", "--data", &data, "--json"]).json();
    let names: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["first-token", "test", "ci"]);
    let table = world.mpak(&["admin", "token", "list", "--data", &data]).ok();
    assert!(table.contains("@acme/* @b/c") && !table.contains(token), "{table}");

    let id = made["id"].to_string();
    world.mpak(&["admin", "token", "revoke", &id, "--data", &data]).ok();
    let listed = world.mpak(&["admin", "token", "list", "--data", &data, "--json"]).json();
    assert_eq!(listed["tokens"][2]["state"], "revoked");
    let again = world.mpak(&["admin", "token", "revoke", &id, "--data", &data]).fails(5);
    assert!(again.contains("mpak admin token list"), "{again}");
}

#[test]
fn a_folder_that_is_no_registry_is_told_and_not_made_one() {
    let world = World::new();
    for args in [&["list", "--data", "typo"][..], &["revoke", "1", "--data", "typo"]] {
        let error = world.mpak(&[&["admin", "token"], args].concat()).fails(5);
        assert!(error.contains("there is no registry in `typo`\n  help: "), "{error}");
        assert!(!world.path("typo").exists());
    }
}

#[test]
fn without_json_only_the_token_is_on_stdout() {
    let world = World::new();
    let ran = world.mpak(&["admin", "token", "create", "--data", &data(&world), "--name", "ci"]);
    assert!(ran.stderr.contains("not shown again"), "{}", ran.stderr);
    let stdout = ran.ok();
    assert_eq!(stdout.lines().count(), 1);
    assert!(stdout.starts_with("mpak_"), "{stdout}");
}

#[test]
fn a_token_that_makes_no_sense_is_a_usage_error() {
    let world = World::new();
    let data = data(&world);
    for arguments in [
        ["--name", "", "--days", "1"],
        ["--name", "ci", "--days", "0"],
        ["--name", "ci", "--days", "91"],
        ["--name", "ci", "--package", "acme"],
    ] {
        let command = [&["admin", "token", "create", "--data", &data, "--json"][..], &arguments].concat();
        let ran = world.mpak(&command);
        assert_eq!(ran.json()["error"]["code"], "usage", "{arguments:?}");
        ran.fails(2);
    }
}

#[test]
fn the_data_folder_has_a_usual_place() {
    let world = World::new();
    world.mpak(&["admin", "token", "create", "--name", "ci"]).ok();
    assert!(world.path("home/.mpak/registry/registry.db").exists());
}

/// Publishes two packages, one of them for two platforms.
fn fill(registry: &Registry) {
    Server::new("one", "1.0.0").publish(registry, "@acme/one", "any");
    Server::new("one", "1.0.0").publish(registry, "@acme/one", "linux-x64");
    Server::new("two", "0.3.0-rc.1").publish(registry, "@acme/two", "any");
}

fn verify(world: &World, data: &str) -> Ran {
    world.mpak(&["admin", "verify", "--data", data, "--json"])
}

fn blobs(data: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("blobs/sha256"))
        .unwrap()
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_sound_registry_agrees_while_it_serves_and_when_it_was_killed() {
    let world = World::new();
    let registry = Registry::start(&world);
    fill(&registry);
    let verdict = verify(&world, &data(&world)).json();
    assert_eq!((&verdict["agrees"], &verdict["artifacts"], &verdict["strays"]), (&true.into(), &3.into(), &0.into()));
    assert_eq!(verdict["hashed"], true);
    registry.kill();
    verify(&world, &data(&world)).ok();
    let told = world.mpak(&["admin", "verify", "--data", &data(&world), "--quick"]);
    assert!(told.stderr.contains("database, blobs and events agree: 3 artifacts"), "{}", told.stderr);
    assert_eq!(told.ok(), "");
    world.mpak(&["admin", "verify", "--data", "typo"]).fails(5);
}

/// Runs SQL on the stopped registry's database, with the rules of the tables switched off.
fn spoil(world: &World, sql: &str) {
    let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nfor (t,) in c.execute(\"select name from sqlite_master where \
         type='trigger'\").fetchall(): c.execute('drop trigger '+t)\nassert c.execute(sys.argv[2]).rowcount>0\nc.commit()\n";
    let database = world.path("registry/registry.db");
    let ran = std::process::Command::new("python3").arg("-c").arg(script).arg(database).arg(sql).status().unwrap();
    assert!(ran.success(), "{sql}");
}

#[test]
fn every_disagreement_is_told() {
    for (spoiled, expected) in [
        ("update artifacts set digest = (select digest from blobs where digest <> artifacts.digest)", "do not agree"),
        ("update artifacts set size_bytes = size_bytes + 1", "bytes"),
        ("update events set payload_json = '{}' where kind = 'artifact_published'", "the event tells of nothing"),
        ("update events set version = '9.9.9' where kind = 'artifact_published'", "tells of @acme/one 9.9.9"),
        ("delete from artifacts where os = 'linux'", "neither an artifact nor a tombstone"),
        ("delete from events where kind = 'artifact_published'", "there is no such event"),
        ("update packages set latest_version = '7.0.0'", "names 7.0.0 as its latest version"),
        (
            "insert into versions (package_id, version, server_type, manifest_json, publish_method, published_at_ms) \
          values (1, '2.0.0', 'node', '{}', 'token', 1)",
            "2.0.0 has no artifact",
        ),
        ("update blobs set size_bytes = size_bytes + 1", "instead of"),
        ("update blobs set digest = zeroblob(32) where digest = (select min(digest) from blobs)", "is missing"),
        ("update artifacts set version_id = 99 where id = 1", "refers to a row of"),
    ] {
        let world = World::new();
        let registry = Registry::start(&world);
        fill(&registry);
        registry.kill();
        verify(&world, &data(&world)).ok();
        spoil(&world, spoiled);
        let ran = verify(&world, &data(&world));
        let verdict = ran.json();
        assert_eq!(ran.code, 1, "{spoiled}");
        assert!(verdict["problems"].to_string().contains(expected), "{spoiled}: {verdict}");
    }
}

#[test]
fn blobs_that_are_gone_cut_or_changed_are_told_and_strays_are_not_held_against_it() {
    let world = World::new();
    let registry = Registry::start(&world);
    fill(&registry);
    registry.kill();
    let path = blobs(&world.path("registry"))[0].clone();
    let good = fs::read(&path).unwrap();
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    for (bytes, quick, expected) in [(&good[1..], 1, "bytes instead of"), (&changed[..], 0, "is damaged")] {
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let ran = verify(&world, &data(&world));
        assert!(ran.json()["problems"].to_string().contains(expected), "{}", ran.stdout);
        ran.fails(1);
        let ran = world.mpak(&["admin", "verify", "--data", &data(&world), "--quick"]);
        assert_eq!(ran.code, quick, "without reading, only the length tells");
    }
    fs::remove_file(&path).unwrap();
    assert!(verify(&world, &data(&world)).json()["problems"].to_string().contains("is missing"));
    fs::write(&path, &good).unwrap();
    fs::create_dir_all(world.path("registry/blobs/sha256/00")).unwrap();
    fs::write(world.path("registry/blobs/sha256/00").join("0".repeat(62)), b"stray").unwrap();
    let ran = verify(&world, &data(&world));
    assert_eq!(ran.json()["strays"], 1);
    ran.ok();
}

#[test]
fn a_backup_of_a_serving_registry_is_restored_to_the_same() {
    let world = World::new();
    let registry = Registry::start(&world);
    fill(&registry);
    let backup = world.path("backup").display().to_string();
    let made = world.mpak(&["admin", "backup", &backup, "--data", &data(&world), "--json"]).json();
    assert_eq!((&made["blobs"], &made["tables"]["artifacts"]["rows"]), (&2.into(), &3.into()));
    let again = world.mpak(&["admin", "backup", &backup, "--data", &data(&world)]).fails(3);
    assert!(again.contains("exists already"), "{again}");
    let before = fs::read_dir(world.root()).unwrap().count();
    registry.kill();

    let restored = world.path("restored").display().to_string();
    let told = world.mpak(&["admin", "restore", &backup, "--data", &restored, "--verify"]);
    assert!(told.stderr.contains("database, blobs and events agree: 3 artifacts, 2 blobs hashed"), "{}", told.stderr);
    told.ok();
    assert_eq!(fs::read_dir(world.root()).unwrap().count(), before + 1, "nothing half-written is left");
    // A backup of what was restored is the same, row by row.
    let second = world.path("second").display().to_string();
    world.mpak(&["admin", "backup", &second, "--data", &restored]).ok();
    for table in fs::read_dir(world.path("backup/tables")).unwrap() {
        let name = table.unwrap().file_name();
        let read = |root: &str| fs::read_to_string(world.path(root).join("tables").join(&name)).unwrap();
        assert_eq!(read("backup"), read("second"), "{name:?}");
    }
    let full = world.mpak(&["admin", "restore", &backup, "--data", &restored]).fails(3);
    assert!(full.contains("is not empty"), "{full}");

    // It serves, with the tokens of before, and goes on numbering.
    fs::rename(world.path("registry"), world.path("old")).unwrap();
    fs::rename(world.path("restored"), world.path("registry")).unwrap();
    let old_token = fs::read_to_string(world.path("old/first-token")).unwrap();
    let mut registry = Registry::start(&world);
    registry.token = old_token.trim().to_owned();
    upload(&registry, "@acme/one", "1.1.0", "any", &Server::new("one", "1.1.0").bytes());
    verify(&world, &data(&world)).ok();
}

#[test]
fn a_backup_that_is_not_whole_restores_nothing() {
    let world = World::new();
    let registry = Registry::start(&world);
    fill(&registry);
    let backup = world.path("backup").display().to_string();
    world.mpak(&["admin", "backup", &backup, "--data", &data(&world)]).ok();
    drop(registry);
    let target = world.path("target").display().to_string();
    let restore = || world.mpak(&["admin", "restore", &backup, "--data", &target, "--verify"]);
    let blob = blobs(Path::new(&backup))[0].clone();
    for path in [blob, world.path("backup/tables/events.jsonl"), world.path("backup/manifest.json")] {
        let good = fs::read(&path).unwrap();
        fs::write(&path, [&good[1..], b"x"].concat()).unwrap();
        let told = restore().fails(4);
        assert!(told.contains("is not a whole backup"), "{told}");
        fs::remove_file(&path).unwrap();
        restore().fails(2);
        // A link may lead anywhere, also to what never ends.
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(restore().fails(4).contains("it is not a file"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, good).unwrap();
    }
    restore().ok();
}

#[test]
fn people_are_added_changed_and_shut_out() {
    let world = World::new();
    let data = data(&world);
    let user = |arguments: &[&str]| world.mpak(&[&["admin", "user"], arguments, &["--data", &data, "--json"]].concat());
    world.mpak(&["admin", "migrate", "--data", &data]).ok();
    let add = ["add", "ada", "--issuer", "https://id.example", "--subject", "42", "--role", "publisher"];
    let id = user(&add).json()["id"].to_string();
    assert!(user(&add).fails(3).contains("is a user already"));
    user(&["role", &id, "admin"]).ok();
    user(&["disable", &id]).ok();
    let listed = user(&["list"]).json();
    let ada = &listed["users"][0];
    assert_eq!((&ada["login"], &ada["role"], &ada["disabled"]), (&"ada".into(), &"admin".into(), &true.into()));
    user(&["enable", &id]).ok();
    assert_eq!(user(&["list"]).json()["users"][0]["disabled"], false);
    user(&["role", &id, "king"]).fails(2);
    user(&["role", "99", "admin"]).fails(5);
}

#[test]
fn what_is_derived_is_made_again() {
    let world = World::new();
    let registry = Registry::start(&world);
    fill(&registry);
    registry.kill();
    spoil(&world, "update packages set latest_version = '7.0.0' where name = '@acme/one'");
    world.mpak(&["admin", "verify", "--data", &data(&world)]).fails(1);
    let done = world.mpak(&["admin", "reindex", "--data", &data(&world), "--json"]).json();
    assert_eq!(done["packages"], 2);
    world.mpak(&["admin", "verify", "--data", &data(&world)]).ok();
}

#[test]
fn a_held_package_waits_for_the_operator() {
    let (world, _registry) = crate::yank::published(&["1.0.0"]);
    let data = world.path("registry").display().to_string();
    let file = world.path("widget.mcpb").display().to_string();
    let published = world.mpak(&["publish", &file, "--name", "@antropic/widget"]);
    assert!(published.stderr.starts_with("published @antropic/widget"), "{}", published.stderr);
    world.mpak(&["show", "@antropic/widget"]).fails(5);
    let held = world.mpak(&["admin", "package", "held", "--data", &data]).ok();
    assert!(held.contains("@antropic/widget") && held.contains("`@anthropic"), "{held}");
    let shown = world.mpak(&["admin", "package", "show", "@antropic/widget", "--data", &data]).ok();
    assert!(shown.contains("@antropic/widget is held") && shown.contains("artifact_published"), "{shown}");
    world.mpak(&["admin", "package", "release", "@antropic/widget", "--data", &data]).ok();
    world.mpak(&["show", "@antropic/widget"]).ok();
    let again = world.mpak(&["admin", "package", "release", "@antropic/widget", "--data", &data]);
    assert!(again.fails(3).contains("is public, not held"));
    world.mpak(&["admin", "package", "show", "@acme/nothing", "--data", &data]).fails(5);
    assert!(world.mpak(&["admin", "package", "held", "--data", &data]).stderr.contains("no package waits"));
    world.mpak(&["admin", "package", "remove", "@antropic/widget", "--reason", "malware", "--data", &data]).ok();
    // The running server hears of it within its next look at the events.
    until("its removal", || world.mpak(&["show", "@antropic/widget"]).code == 5);
    assert!(world.mpak(&["admin", "package", "removed", "--data", &data]).ok().contains("malware"));
}

#[test]
fn a_scope_is_reserved_and_released() {
    let (world, _registry) = crate::yank::published(&["1.0.0"]);
    let data = world.path("registry").display().to_string();
    let file = world.path("widget.mcpb").display().to_string();
    world.mpak(&["admin", "scope", "reserve", "@nova", "--reason", "for Nova Inc", "--data", &data]).ok();
    assert!(world.mpak(&["admin", "scope", "list", "--data", &data]).ok().contains("@nova  for Nova Inc"));
    assert!(world.mpak(&["publish", &file, "--name", "@nova/widget"]).fails(3).contains("for Nova Inc"));
    world.mpak(&["admin", "scope", "release", "@nova", "--data", &data]).ok();
    world.mpak(&["publish", &file, "--name", "@nova/widget"]).ok();
}

#[test]
fn a_package_is_hidden_released_rejected_and_brought_back() {
    let (world, _registry) = crate::yank::published(&["1.0.0"]);
    let data = world.path("registry").display().to_string();
    let decide = |what: &str, reason: &[&str]| {
        world.mpak(&[&["admin", "package", what, "@acme/widget", "--data", &data], reason].concat())
    };
    let shown = |code: i32| until("the decision", || world.mpak(&["show", "@acme/widget"]).code == code);
    // The running server hears of each within its next look at the events.
    decide("hold", &["--reason", "under review"]).ok();
    shown(5);
    let held = world.mpak(&["admin", "package", "held", "--data", &data]).ok();
    assert!(held.contains("@acme/widget") && held.contains("under review"), "{held}");
    decide("release", &[]).ok();
    shown(0);
    assert!(decide("reject", &[]).fails(3).contains("is public"));
    decide("hold", &[]).ok();
    decide("reject", &["--reason", "a trick"]).ok();
    shown(5);
    assert!(world.mpak(&["admin", "package", "removed", "--data", &data]).ok().contains("a trick"));
    decide("restore", &[]).ok();
    shown(0);
    assert!(decide("restore", &[]).fails(3).contains("is public"));
    world.mpak(&["admin", "verify", "--data", &data]).ok();
}

#[test]
fn a_token_does_what_its_actions_say_and_nothing_else() {
    let (world, _registry) = crate::yank::published(&["1.0.0"]);
    let data = world.path("registry").display().to_string();
    let create = |actions: &[&str]| {
        let mut arguments = vec!["admin", "token", "create", "--name", "one", "--data", &data, "--json"];
        arguments.extend(actions.iter().flat_map(|action| ["--action", action]));
        world.mpak(&arguments)
    };
    let token = |actions: &[&str]| create(actions).json()["token"].as_str().unwrap().to_owned();
    let [publish, yank, both] = [token(&["publish"]), token(&["yank"]), token(&["publish", "yank"])];
    let file = world.path("widget.mcpb").display().to_string();
    let run = |token: &str, arguments: &[&str]| {
        world.command(arguments).env("MPAK_TOKEN", token).output().map(Ran::from).unwrap().code
    };
    for (token, name, publishes, yanks) in
        [(&publish, "@one/widget", 0, 3), (&yank, "@two/widget", 3, 0), (&both, "@three/widget", 0, 0)]
    {
        assert_eq!(run(token, &["publish", &file, "--name", name]), publishes, "{name}");
        assert_eq!(run(token, &["yank", "@acme/widget@1.0.0", "--reason", "x"]), yanks, "{name}");
        world.mpak(&["unyank", "@acme/widget@1.0.0"]);
    }
    assert!(create(&["everything"]).fails(2).contains("everything"));
}

#[test]
fn who_is_shut_out_or_made_a_reader_does_nothing_more() {
    let (world, registry) = crate::yank::published(&["1.0.0"]);
    let data = world.path("registry").display().to_string();
    crate::login::log_in(&world, &registry);
    let user = |arguments: &[&str]| world.mpak(&[&["admin", "user"], arguments, &["--data", &data, "--json"]].concat());
    // Another administrator: the only one is not shut out.
    let add = ["add", "ada", "--issuer", "https://id.example", "--subject", "42", "--role", "admin"];
    user(&add).ok();
    let listed = user(&["list"]).json();
    let own =
        listed["users"].as_array().unwrap().iter().find(|user| user["login"] == "admin").unwrap()["id"].to_string();
    let file = world.path("widget.mcpb").display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        Ran::from(command.env_remove("MPAK_TOKEN").output().unwrap())
    };
    run(&["publish", &file, "--name", "@before/widget"]).ok();
    user(&["role", &own, "reader"]).ok();
    assert_eq!(run(&["publish", &file, "--name", "@after/widget"]).code, 3);
    run(&["whoami"]).ok();
    user(&["disable", &own]).ok();
    run(&["whoami"]).fails(1);
    user(&["role", &own, "publisher"]).ok();
    user(&["enable", &own]).ok();
}

#[test]
fn several_processes_that_bring_a_database_up_to_date_at_once_agree_and_a_newer_one_is_refused() {
    let world = World::new();
    let data = data(&world);
    let migrate = || world.command(&["admin", "migrate", "--data", &data]);
    let children: Vec<_> = (0..4).map(|_| migrate().stderr(Stdio::piped()).spawn().unwrap()).collect();
    for child in children {
        Ran::from(child.wait_with_output().unwrap()).ok();
    }
    verify(&world, &data).ok();
    spoil(
        &world,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9000, 'of tomorrow', 1, x'00', 0)",
    );
    for arguments in [&["admin", "migrate"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let refused = world.mpak(&[arguments, &["--data", &data]].concat());
        assert!(refused.code != 0 && refused.stderr.contains("newer"), "{}", refused.stderr);
    }
}
