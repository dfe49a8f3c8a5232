//! `mpak run` as a user meets it: rows of the compatibility checklist by number, and what a cached start
//! may not do.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::ZipEntry;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::registry::Registry;
use crate::servers::{Server, telling, told, told_env};
use crate::stand_in::{Answer, StandIn, download};
use crate::world::{Ran, World};

/// A world whose `mpak` asks this registry.
fn world_of(registry: &str) -> World {
    World::new().with("MPAK_REGISTRY_URL", registry)
}

fn local(world: &World, server: Server, more: &[&str]) -> Ran {
    let file = server.file(world, "local.mcpb").display().to_string();
    world.mpak(&[&["run", "--local", &file], more].concat())
}

/// Digests in the store of a world.
fn stored(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("home/.mpak/store/sha256")).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn all_paths(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        out.push(entry.path());
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            out.extend(all_paths(&entry.path()));
        }
    }
    out
}

// ---- starting

#[test]
fn a_local_bundle_is_started_from_the_store() {
    let world = World::new();
    let out = local(&world, Server::new("tell", "1.0.0").config(&["one", "two words"], &json!({})), &[]).ok();
    assert_eq!(told(&out, "arg"), ["one", "two words"]);
    let digest = Sha256::of(&fs::read(world.path("local.mcpb")).unwrap());
    let folder = world.path("home/.mpak/store/sha256").join(digest.to_string());
    assert_eq!(told(&out, "cwd"), [folder.canonicalize().unwrap().to_str().unwrap()]);
}

#[test]
fn what_is_not_there_and_what_is_no_bundle_are_told_apart() {
    let world = World::new();
    assert!(world.mpak(&["run", "--local", "none.mcpb"]).fails(5).contains("Bundle not found: "));
    world.write("x.zip", "x");
    assert!(world.mpak(&["run", "--local", "x.zip"]).fails(2).contains("Not an MCPB bundle: "));
    world.write("x.mcpb", "x");
    let error = world.mpak(&["run", "--local", "x.mcpb"]).fails(65);
    assert!(error.contains("nothing was installed\n  help: give a .mcpb file"), "{error}");
    assert!(world.mpak(&["run"]).fails(2).contains("Either provide a package name or use --local <path>"));
    let error = world.mpak(&["run", "widget"]).fails(2);
    assert!(error.contains("Invalid package spec: \"widget\". Expected scoped format: @scope/name"), "{error}");
}

#[test]
fn a_changed_local_file_is_stored_again() {
    let world = World::new();
    let first = local(&world, Server::new("tell", "1.0.0").config(&["first"], &json!({})), &[]).ok();
    let second = local(&world, Server::new("tell", "1.0.0").config(&["second!"], &json!({})), &[]).ok();
    assert_eq!((told(&first, "arg"), told(&second, "arg")), (vec!["first"], vec!["second!"]));
}

#[test]
fn a_package_is_found_installed_and_started_and_later_without_network() {
    let world = World::new();
    let registry = Registry::start(&world);
    let digest = Server::new("tell", "1.2.3").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let world_home = world_of(&registry.url);
    let first = world_home.mpak(&["run", "@acme/tell"]).ok();
    assert_eq!(told(&first, "arg"), ["x"]);
    assert_eq!(stored(&world_home), [digest.to_string()]);
    registry.kill();
    assert_eq!(world_home.mpak(&["run", "@acme/tell"]).ok(), first);
    assert_eq!(world_home.mpak(&["bundle", "run", "@acme/tell@1.2.3"]).ok(), first);
    assert_eq!(world_home.mpak(&["run", "@acme/tell@v1.2.3"]).ok(), first);
    world_home.mpak(&["run", "@acme/tell@2.0.0"]).fails(6);
    world_home.mpak(&["run", "@acme/tell@latest"]).fails(6);
    world_home.mpak(&["run", "@acme/tell", "--update"]).fails(6);
}

#[test]
fn update_takes_the_latest_and_older_versions_stay() {
    let world = World::new();
    let registry = Registry::start(&world);
    let version = |v: &'static str| Server::new("tell", v).config(&[v], &json!({}));
    let said =
        |args: &[&str]| told(&world.mpak(&[&["run", "--registry", &registry.url], args].concat()).ok(), "arg").concat();
    version("1.0.0").publish(&registry, "@acme/tell", "any");
    assert_eq!(said(&["@acme/tell"]), "1.0.0");
    version("1.1.0").publish(&registry, "@acme/tell", "any");
    assert_eq!(said(&["@acme/tell"]), "1.0.0");
    assert_eq!(said(&["@acme/tell", "--update"]), "1.1.0");
    assert_eq!(said(&["@acme/tell"]), "1.1.0");
    assert_eq!(said(&["@acme/tell@1.0.0"]), "1.0.0");
    assert_eq!(said(&["@acme/tell"]), "1.1.0");
}

#[test]
fn a_package_that_is_not_there_is_exit_code_5() {
    let world = World::new();
    let registry = Registry::start(&world);
    let error = world.mpak(&["run", "@acme/none", "--registry", &registry.url]).fails(5);
    assert!(error.contains("@acme/none@latest was not found at http://"), "{error}");
}

#[test]
fn many_first_runs_at_once_all_succeed() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let start = || world.command(&["run", "@acme/tell", "--registry", &registry.url]).stdout(Stdio::piped()).spawn();
    let children: Vec<_> = (0..8).map(|_| start().unwrap()).collect();
    for child in children {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success());
        assert_eq!(told(&String::from_utf8_lossy(&out.stdout), "arg"), ["x"]);
    }
    assert_eq!(stored(&world).len(), 1);
    assert_eq!(fs::read_dir(world.path("home/.mpak/tmp")).unwrap().count(), 0, "nothing is left in the making");
}

#[test]
fn the_plan_is_shown_without_secrets_and_nothing_starts() {
    let world = World::new().with("KEY", "sekret-value");
    let server = Server::running("tell", "1.0.0", "#!/bin/sh\ntouch \"$MPAK_WORKSPACE/../started\"")
        .config(&["--key=${user_config.key}"], &json!({"KEY": "${user_config.key}"}))
        .options(&json!({"key": {"type": "string", "title": "Key", "description": "", "sensitive": true}}));
    let ran = local(&world, server, &["--plan"]);
    let plan = ran.json();
    assert_eq!(plan["args"], json!(["--key=***"]));
    assert_eq!(plan["env"]["KEY"], "***");
    assert!(plan["program"].as_str().unwrap().ends_with("/server/tell"));
    assert!(!ran.stdout.contains("sekret-value"));
    assert!(!world.path("started").exists());
}

#[test]
fn real_interpreters_are_found() {
    let world = World::new();
    for (kind, command, entry, source) in [
        ("node", "node", "server/index.mjs", "console.log('arg:' + process.argv[2])"),
        ("python", "python", "server/main.py", "import sys, vendored\nprint('arg:' + sys.argv[1] + vendored.x)"),
    ] {
        let server = Server::new("real", "1.0.0")
            .entry(ZipEntry::new(entry, source))
            .entry(ZipEntry::new("deps/vendored.py", "x = ''"))
            .manifest(|m| {
                m["server"] = json!({"type": kind, "entry_point": entry, "mcp_config":
                    {"command": command, "args": [format!("${{__dirname}}/{entry}"), "hello"], "env": {}}});
            });
        assert_eq!(told(&local(&world, server, &[]).ok(), "arg"), ["hello"], "{kind}");
    }
}

#[test]
fn native_code_for_another_python_is_told_before_anything_starts() {
    let world = World::new();
    let server = Server::new("native", "1.0.0")
        .entry(ZipEntry::new("server/main.py", ""))
        .entry(ZipEntry::new("deps/x/_x.cpython-305-x86_64-linux-gnu.so", "\x7fELF"))
        .manifest(|m| {
            m["server"] = json!({"type": "python", "entry_point": "server/main.py",
                "mcp_config": {"command": "python", "args": ["server/main.py"], "env": {}}});
        });
    let ran = local(&world, server, &[]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the bundle was built for CPython 3.05, found 3."), "{}", ran.stderr);
    ran.fails(5);
}

// ---- the checklist

#[test]
fn e2_e13_of_wire_relative_addresses_are_resolved_against_the_registry() {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, _| match asked.path.as_str() {
        "/v1/bundles/@acme/tell/versions/latest/download?os=linux&arch=x64" => {
            Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/files/x"))
        }
        "/files/x" => Answer::bytes(bytes.clone()),
        _ => Answer::status(404),
    });
    let world = world_of(&stand_in.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let asked = stand_in.asked();
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[0].header("user-agent"), Some(concat!("mpak/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(asked[0].header("authorization"), None);
}

#[test]
fn e1_a_busy_registry_is_asked_again_later() {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, before| match (before, asked.path.as_str()) {
        (0, _) => Answer::status(500).header("retry-after", "1"),
        (1, _) => Answer::status(429).header("retry-after", "1"),
        (_, "/x") => Answer::bytes(bytes.clone()),
        _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x")),
    });
    let ran = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]);
    assert!(ran.stderr.contains("is busy; trying again in 1 s"), "{}", ran.stderr);
    ran.ok();

    let stand_in = StandIn::start(|_, _| Answer::status(429).header("retry-after", "3600"));
    let error = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]).fails(6);
    assert!(error.contains("is busy and asks to wait 3600 s"), "{error}");
    assert_eq!(stand_in.asked().len(), 1);
}

#[test]
fn e3_a_copy_of_another_client_is_verified_before_it_is_believed() {
    let world = World::new();
    let registry = Registry::start(&world);
    for version in ["1.0.0", "2.0.0"] {
        Server::new("tell", version).config(&[version], &json!({})).publish(&registry, "@acme/tell", "any");
    }
    let copy = |world: &World| {
        let entry = "home/.mpak/cache/acme-tell";
        let manifest = mpak_testkit::zip::good_manifest().to_string();
        world.write(&format!("{entry}/manifest.json"), manifest);
        world.write(&format!("{entry}/server/index.js"), "console.log('arg:evil')");
        world.write(
            &format!("{entry}/.mpak-meta.json"),
            r#"{"version":"1.0.0","pulledAt":"2026-01-01T00:00:00.000Z","platform":{"os":"any","arch":"any"}}"#,
        );
    };
    let online = world_of(&registry.url);
    copy(&online);
    // the version of the copy, in the registry's bytes
    assert_eq!(told(&online.mpak(&["run", "@acme/tell"]).ok(), "arg"), ["1.0.0"]);
    assert!(online.path("home/.mpak/cache/acme-tell/server/tell").is_file(), "the copy is replaced too");

    let offline = world_of(&registry.url);
    copy(&offline);
    registry.kill();
    let ran = offline.mpak(&["run", "@acme/tell"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.fails(4).contains("was never verified against this registry"));
}

#[test]
fn e3_e4_e6_the_copy_for_other_clients_is_whole_and_nothing_else_is_in_their_way() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    let world = world_of(&registry.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let home = world.path("home/.mpak");
    assert_eq!(fs::read_dir(home.join("cache")).unwrap().count(), 1);
    let copy = home.join("cache/acme-tell");
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(copy.join(".mpak-meta.json")).unwrap()).unwrap();
    let keys: Vec<_> = meta.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["version", "pulledAt", "lastCheckedAt", "platform"]);
    assert_eq!(meta["platform"], json!({"os": "any", "arch": "any"}));
    let mut copied = all_paths(&copy);
    assert!(copied.iter().all(|p| !p.is_symlink()));
    copied.retain(|p| p.is_file() && !p.ends_with(".mpak-meta.json"));
    assert_eq!(copied.len(), 2);
    let tell = std::process::Command::new(copy.join("server/tell")).output().unwrap();
    assert!(tell.status.success(), "another client can start it");
    assert!(!home.join("config.json").exists(), "running stores no settings");
}

#[test]
fn e7_a_local_file_has_the_folder_that_other_clients_use() {
    let world = World::new();
    local(&world, Server::new("tell", "1.0.0"), &[]).ok();
    let entries: Vec<_> = fs::read_dir(world.path("home/.mpak/cache/_local")).unwrap().flatten().collect();
    assert_eq!(entries.len(), 1);
    let name = entries[0].file_name().to_string_lossy().into_owned();
    assert!(name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit()));
    let meta = fs::read_to_string(entries[0].path().join(".mpak-local-meta.json")).unwrap();
    let path = world.path("local.mcpb").display().to_string();
    assert!(meta.starts_with(&format!("{{\"localPath\":\"{path}\",\"extractedAt\":\"")), "{meta}");
}

#[test]
fn e9_damaged_settings_are_named_and_help_still_helps() {
    let world = World::new();
    world.write("home/.mpak/config.json", "{\"version\":");
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["completion", "bash"]] {
        world.mpak(args).ok();
    }
    let error = local(&world, Server::new("tell", "1.0.0"), &[]).fails(7);
    assert!(error.contains("home/.mpak/config.json` is damaged"), "{error}");
    assert!(error.contains("help: "), "{error}");
    assert!(
        world.mpak(&["config", "list", "--json"]).json()["error"]["message"].as_str().unwrap().contains("is damaged")
    );
}

#[test]
fn e10_names_that_share_a_folder_are_never_confused() {
    let world = World::new();
    let registry = Registry::start(&world);
    for name in ["@a-b/c", "@a/b-c"] {
        let base = name.split_once('/').unwrap().1;
        Server::new(base, "1.0.0").config(&[name], &json!({})).publish(&registry, name, "any");
    }
    let world = world_of(&registry.url);
    for name in ["@a-b/c", "@a/b-c", "@a-b/c", "@a/b-c"] {
        assert_eq!(told(&world.mpak(&["run", name]).ok(), "arg"), [name]);
    }
    registry.kill();
    for name in ["@a-b/c", "@a/b-c"] {
        assert_eq!(told(&world.mpak(&["run", name]).ok(), "arg"), [name]);
    }
}

#[test]
fn e11_an_installed_bundle_for_another_machine_is_not_run() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let world = world_of(&registry.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let record = all_paths(&world.path("home/.mpak/state/registries")).into_iter().find(|p| p.is_file()).unwrap();
    let text = fs::read_to_string(&record).unwrap().replace(r#""os":"any""#, r#""os":"darwin""#);
    fs::write(&record, text).unwrap();
    world.mpak(&["run", "@acme/tell"]).ok();
    registry.kill();
    fs::write(&record, fs::read_to_string(&record).unwrap().replace(r#""os":"any""#, r#""os":"darwin""#)).unwrap();
    world.mpak(&["run", "@acme/tell"]).fails(4);
}

#[test]
fn registries_do_not_share_what_a_name_means() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    world.mpak(&["run", "@acme/tell", "--registry", &registry.url]).ok();
    let other = StandIn::start(|_, _| Answer::status(404));
    world.mpak(&["run", "@acme/tell", "--registry", &other.url]).fails(5);
}

/// A server with one option, `key`, that variable `KEY` stands for.
fn with_key(option: &serde_json::Value) -> Server {
    Server::new("tell", "1.0.0")
        .config(&["${user_config.key}", "last"], &json!({"KEY": "${user_config.key}"}))
        .options(&json!({"key": option}))
}

#[test]
fn e12_stored_beats_environment_beats_default_and_the_flag_beats_all() {
    let option = json!({"type": "string", "title": "Key", "description": "", "default": "default"});
    let run = |world: &World, more: &[&str]| {
        let out = local(world, with_key(&option), more).ok();
        (told(&out, "arg")[0].to_owned(), told_env(&out, "KEY").unwrap().to_owned())
    };
    let both = |value: &str| (value.to_owned(), value.to_owned());
    let world = World::new();
    assert_eq!(run(&world, &[]), both("default"));
    let world = World::new().with("KEY", "environment");
    assert_eq!(run(&world, &[]), both("environment"));
    world.mpak(&["config", "set", "tell", "key=stored"]).ok();
    assert_eq!(run(&world, &[]), both("stored"));
    assert_eq!(run(&world, &["--env", "KEY=flag"]), ("stored".into(), "flag".into()));
    assert_eq!(run(&world, &["--env", "KEY"]), ("stored".into(), "environment".into()));
    assert_eq!(run(&world, &["--inherit-env"]), both("stored"));
    let world = World::new().with("KEY", "");
    assert_eq!(run(&world, &[]), both("default"));
}

#[test]
fn e13_an_option_without_value_leaves_no_placeholder() {
    let world = World::new();
    let option = json!({"type": "string", "title": "Key", "description": ""});
    let out = local(&world, with_key(&option), &[]).ok();
    assert_eq!(told(&out, "arg"), ["last"]);
    assert_eq!(told_env(&out, "KEY"), None);
    assert!(!out.contains("user_config"));
}

#[test]
fn e14_the_server_gets_what_it_needs_and_no_more() {
    let world = World::new()
        .with("AWS_SECRET_ACCESS_KEY", "sekret")
        .with("MPAK_TOKEN", "sekret")
        .with("LANG", "C.UTF-8")
        .with("DECLARED", "host")
        .with("FIXED", "host");
    let env =
        json!({"FIXED": "${__dirname}${/}x", "WHERE": "${HOME}|${DOCUMENTS}", "DECLARED": "${user_config.none}x"});
    let server = Server::new("tell", "1.0.0")
        .config(&["$HOME", "$(id)", "${UNKNOWN}"], &env)
        .options(&json!({"none": {"type": "string", "title": "N", "description": ""}}));
    let out = local(&world, server, &["--", "-v", "more"]).ok();
    assert_eq!(told(&out, "arg"), ["$HOME", "$(id)", "${UNKNOWN}", "-v", "more"]);
    let home = world.path("home").display().to_string();
    assert_eq!(told_env(&out, "WHERE"), Some(format!("{home}|{home}/Documents").as_str()));
    assert_eq!(told_env(&out, "FIXED"), Some(format!("{}/x", told(&out, "cwd")[0]).as_str()));
    assert_eq!(told_env(&out, "DECLARED"), Some("host"));
    assert_eq!(told_env(&out, "LANG"), Some("C.UTF-8"));
    let workspace = world.root().canonicalize().unwrap().join(".mpak");
    assert_eq!(told_env(&out, "MPAK_WORKSPACE"), workspace.to_str());
    assert!(!out.contains("sekret"));

    let out = local(&world, Server::new("tell", "1.0.0"), &["--inherit-env"]).ok();
    assert_eq!(told_env(&out, "AWS_SECRET_ACCESS_KEY"), Some("sekret"));
    assert_eq!(told_env(&out, "MPAK_TOKEN"), None);
}

#[test]
fn e15_the_servers_exit_code_is_ours() {
    let world = World::new();
    local(&world, Server::running("tell", "1.0.0", "#!/bin/sh\nexit 7"), &[]).fails(7);
    local(&world, Server::running("tell", "1.0.0", "#!/bin/sh\nkill -9 $$"), &[]).fails(137);
}

/// A started server that said `ready` and its process id.
fn started(world: &World, script: &str) -> (std::process::Child, i32) {
    let script = format!("#!/bin/sh\n{script}");
    let file = Server::running("tell", "1.0.0", &script).file(world, "local.mcpb").display().to_string();
    let mut child =
        world.command(&["run", "--local", &file]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().strip_prefix("ready ").unwrap().parse().unwrap())
}

#[test]
fn e15_signals_are_forwarded() {
    let world = World::new();
    let (mut child, _) = started(&world, "trap 'exit 21' TERM\necho ready $$\nwhile :; do sleep 0.05; done");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(21));
}

#[test]
#[cfg(target_os = "linux")]
fn no_server_outlives_a_killed_host() {
    let world = World::new();
    let file = Server::running("tell", "1.0.0", "#!/bin/sh\necho $$ > \"$MPAK_WORKSPACE.pid\"\nsleep 100")
        .file(&world, "local.mcpb");
    let mpak = env!("CARGO_BIN_EXE_mpak");
    let mut host = std::process::Command::new("/bin/sh");
    host.args(["-c", &format!("exec 3<&0; {mpak} run --local {} <&3 >/dev/null & wait", file.display())]);
    host.current_dir(world.root()).env("HOME", world.path("home")).stdin(Stdio::piped());
    let mut host = host.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait_for = |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(Instant::now() < deadline, "it never came");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let pid_file = world.path(".mpak.pid");
    let pid = || fs::read_to_string(&pid_file).ok()?.trim().parse::<i32>().ok();
    wait_for(&|| pid().is_some());
    let pid = Pid::from_raw(pid().unwrap());
    host.kill().unwrap();
    host.wait().unwrap();
    wait_for(&|| kill(pid, None).is_err());
}

#[test]
fn e16_missing_config_without_a_terminal_is_told_and_nothing_starts() {
    let world = World::new();
    let option = json!({"type": "string", "title": "Key", "description": "", "required": true});
    let server = with_key(&option).manifest(|m| m["user_config"]["other"] = option.clone());
    let ran = local(&world, server, &[]);
    assert_eq!(ran.stdout, "");
    let error = ran.fails(1);
    assert!(error.contains("Missing required config: key, other"), "{error}");
    assert!(error.contains("mpak config set tell KEY=VALUE"), "{error}");
}

#[test]
fn e17_standard_output_carries_the_servers_bytes_only() {
    let world = World::new();
    let registry = Registry::start(&world);
    let script = "#!/bin/sh\nprintf 'a\\000b\\377'\nprintf 'person' >&2";
    let bytes = b"a\0b\xff".to_vec();
    Server::running("tell", "1.0.0", script).config(&["${UNKNOWN}"], &json!({})).publish(
        &registry,
        "@acme/tell",
        "any",
    );
    for update in [&[][..], &[], &["--update"]] {
        let args = [&["run", "@acme/tell", "--registry", &registry.url], update].concat();
        let out = world.command(&args).output().unwrap();
        assert_eq!(out.stdout, bytes);
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(stderr.ends_with("person") && stderr.contains("`${UNKNOWN}`, which has no value"), "{stderr}");
    }
}

#[test]
fn e18_hostile_containers_leave_nothing_behind() {
    let link = ZipEntry::new("server/link", "/etc/passwd").mode(0o120_777);
    for (what, entry) in [
        ("link", link),
        ("parent", ZipEntry::new("../evil", "x")),
        ("absolute", ZipEntry::new("/tmp/evil", "x")),
        ("nul", ZipEntry::new("a\0b", "x")),
        (
            "huge",
            ZipEntry::new("huge", "x").with(|e| {
                e.local.bytes = Some(3 << 30);
                e.central.bytes = Some(3 << 30);
            }),
        ),
    ] {
        let world = World::new();
        let ran = local(&world, Server::new("tell", "1.0.0").entry(entry), &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{what}: {}", ran.stderr);
        assert_eq!(stored(&world), Vec::<String>::new(), "{what}");
        assert!(!world.path("home/.mpak/cache").exists(), "{what}");
    }
}

#[test]
fn e18_special_bits_do_not_survive() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let server = Server::new("tell", "1.0.0").entry(ZipEntry::new("server/suid", "x").mode(0o106_755));
    local(&world, server, &[]).ok();
    for path in all_paths(&world.path("home/.mpak/store")).iter().chain(&all_paths(&world.path("home/.mpak/cache"))) {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7000, 0, "{}", path.display());
        assert!(mode & 0o222 == 0 || !path.starts_with(world.path("home/.mpak/store/sha256")) || !path.is_file());
    }
}

#[test]
fn e19_an_entry_point_outside_the_bundle_is_refused() {
    for entry in ["../../bin/sh", "server\\tell", "/bin/sh", ""] {
        let world = World::new();
        let server = Server::new("tell", "1.0.0").manifest(|m| m["server"]["entry_point"] = json!(entry));
        let ran = local(&world, server, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{entry}: {}", ran.stderr);
        assert_eq!(stored(&world), Vec::<String>::new(), "{entry}");
    }
}

#[test]
fn e20_folders_lists_numbers_and_overrides_are_understood() {
    let world = World::new();
    let server = Server::new("tell", "1.0.0")
        .config(&["unused"], &json!({"BASE": "1"}))
        .options(&json!({
            "folders": {"type": "directory", "title": "F", "description": "", "multiple": true, "default": ["${HOME}/a", "/b c"]},
            "file": {"type": "file", "title": "F", "description": "", "default": "${DESKTOP}/f"},
            "port": {"type": "number", "title": "P", "description": "", "default": 8080, "min": 1, "max": 65535},
            "loud": {"type": "boolean", "title": "L", "description": "", "default": false},
        }))
        .manifest(|m| {
            m["server"]["mcp_config"]["platform_overrides"] = json!({
                "linux": {"args": ["${user_config.folders}", "${user_config.file}", "-p=${user_config.port}", "${user_config.loud}"]},
                "win32": {"command": "server/none.exe"},
            });
        });
    let home = world.path("home").display().to_string();
    let out = local(&world, server, &[]).ok();
    let expected = [&format!("{home}/a"), "/b c", &format!("{home}/Desktop/f"), "-p=8080", "false"];
    assert_eq!(told(&out, "arg"), expected);
    assert_eq!(told_env(&out, "BASE"), Some("1"));
}

#[test]
fn a_value_that_does_not_fit_is_told_without_showing_it() {
    let option = json!({"type": "number", "title": "Key", "description": "", "max": 5});
    for value in ["sekret", "7"] {
        let world = World::new().with("KEY", value);
        let error = local(&world, with_key(&option), &[]).fails(2);
        assert!(error.contains("the value of `key` from the environment is not ") && !error.contains(value), "{error}");
    }
}

// ---- a registry that is not to be trusted

/// Runs `@acme/tell` against a stand-in that gives this download answer for good bytes.
fn against(spoil: impl Fn(&mut serde_json::Value) + Send + 'static) -> (World, Ran) {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, _| {
        if asked.path == "/x" {
            return Answer::bytes(bytes.clone());
        }
        let mut answer = download("@acme/tell", "1.0.0", &bytes, "/x");
        spoil(&mut answer);
        Answer::json(&answer)
    });
    let world = world_of(&stand_in.url);
    let ran = world.mpak(&["run", "@acme/tell"]);
    (world, ran)
}

#[test]
fn only_the_promised_bytes_of_the_wanted_package_are_installed() {
    type Spoil = fn(&mut serde_json::Value);
    let cases: [(&str, Spoil, &str); 8] = [
        ("digest", |a| a["bundle"]["sha256"] = json!("0".repeat(64)), "integrity mismatch: expected sha256 000"),
        ("longer", |a| a["bundle"]["size"] = json!(10_000), "the download has "),
        ("shorter", |a| a["bundle"]["size"] = json!(10), "has more than 10 bytes"),
        ("name", |a| a["bundle"]["name"] = json!("@acme/evil"), "answers with name `@acme/evil`"),
        ("platform", |a| a["bundle"]["platform"]["os"] = json!("darwin"), "answers with platform `darwin-any`"),
        ("version", |a| a["bundle"]["version"] = json!("../../../x"), "unusable version"),
        ("file", |a| a["url"] = json!("file:///etc/passwd"), "is not allowed here"),
        ("plain", |a| a["url"] = json!("http://example.invalid/x"), "is not allowed here"),
    ];
    for (what, spoil, expected) in cases {
        let (world, ran) = against(spoil);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{what}: {}", ran.stderr);
        assert_eq!(stored(&world), Vec::<String>::new(), "{what}");
        let left = fs::read_dir(world.path("home/.mpak/tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{what}: nothing wrong is kept for the next run");
    }
    against(|_| ()).1.ok();
}

#[test]
fn redirects_lead_to_safe_places_only() {
    for (to, code) in [("/x", 0), ("http://example.invalid/x", 4), ("file:///etc/passwd", 4), ("/loop", 4)] {
        let bytes = Server::new("tell", "1.0.0").bytes();
        let stand_in = StandIn::start(move |asked, _| match asked.path.as_str() {
            "/x" => Answer::bytes(bytes.clone()),
            "/start" | "/loop" => Answer::status(302).header("location", to),
            _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/start")),
        });
        let ran = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]);
        assert_eq!(ran.code, code, "{to}: {}", ran.stderr);
    }
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    let bytes = Server::new("tell", "1.0.0").entry(ZipEntry::new("big", vec![7; 1 << 20]).stored()).bytes();
    let stand_in = StandIn::start(move |asked, before| {
        if asked.path != "/x" {
            return Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x"));
        }
        match asked.header("range") {
            None => Answer::bytes(bytes.clone()).cut_after(400_000),
            Some(range) => {
                let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
                let answer = Answer::bytes(bytes[from..].to_vec()).with_status(206);
                if before < 4 { answer.cut_after(200_000) } else { answer }
            }
        }
    });
    let world = world_of(&stand_in.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let ranges: Vec<_> = stand_in.asked().iter().filter_map(|a| a.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=400000-", "bytes=600000-"]);
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start() {
    let bytes = Server::new("tell", "1.0.0").entry(ZipEntry::new("big", vec![7; 1 << 20]).stored()).bytes();
    let stand_in = StandIn::start(move |asked, before| match (asked.path.as_str(), before) {
        ("/x", 1) => Answer::bytes(bytes.clone()).cut_after(400_000),
        ("/x", _) => Answer::bytes(bytes.clone()),
        _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x")),
    });
    world_of(&stand_in.url).mpak(&["run", "@acme/tell"]).ok();
}

#[test]
fn nobody_there_is_exit_code_6_with_a_way_on() {
    let error = world_of("http://127.0.0.1:9").mpak(&["run", "@acme/tell"]).fails(6);
    assert!(error.contains("cannot reach 127.0.0.1:9") && error.contains("help: "), "{error}");
    let error = world_of("ftp://x").mpak(&["run", "@acme/tell"]).fails(2);
    assert!(error.contains("`ftp://x` is not the address of a registry"), "{error}");
}

#[test]
fn the_store_cannot_be_changed_by_a_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    local(&world, Server::running("tell", "1.0.0", &telling("")), &[]).ok();
    for path in all_paths(&world.path("home/.mpak/store/sha256")) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o222, 0, "{}", path.display());
    }
}

// ---- a person at a terminal

/// Runs the binary on a terminal of its own: each pair is text to wait for and a line to type. Gives the
/// exit code and everything that was shown.
fn at_a_terminal(world: &World, args: &[&str], dialogue: &[(&str, &str)]) -> (i32, String) {
    let driver = r"
import json, os, pty, sys
args, dialogue = json.loads(sys.argv[1]), json.loads(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    os.execv(args[0], args)
shown = b''
def more():
    try:
        return os.read(fd, 65536)
    except OSError:
        return b''
for wait, line in dialogue:
    at = len(shown)
    while wait.encode() not in shown[at:] :
        new = more()
        if not new:
            break
        shown += new
    os.write(fd, line.encode())
while True:
    new = more()
    if not new:
        break
    shown += new
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(shown)
sys.exit(code if code >= 0 else 128 - code)
";
    let mpak = world.command(args);
    let argv: Vec<String> =
        std::iter::once(mpak.get_program()).chain(mpak.get_args()).map(|a| a.to_string_lossy().into_owned()).collect();
    let mut python = std::process::Command::new("python3");
    python.args(["-c", driver, &json!(argv).to_string(), &json!(dialogue).to_string()]).current_dir(world.root());
    for (name, value) in mpak.get_envs() {
        python.env(name, value.unwrap_or_default());
    }
    let out = python.output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A bundle with a required secret and a required word.
fn asking(world: &World) -> String {
    let option = |title: &str, sensitive: bool| json!({"type": "string", "title": title, "description": "why", "required": true, "sensitive": sensitive});
    let server = Server::new("tell", "1.0.0")
        .config(&["${user_config.word}"], &json!({"KEY": "${user_config.key}"}))
        .options(&json!({"key": option("Key", true), "word": option("Word", false)}));
    server.file(world, "local.mcpb").display().to_string()
}

#[test]
fn a_person_is_asked_for_what_is_missing_and_secrets_are_not_echoed() {
    let world = World::new();
    let file = asking(&world);
    let (code, shown) = at_a_terminal(
        &world,
        &["run", "--local", &file],
        &[
            ("=> Key (why): ", "sekret-1\r"),
            ("=> Save Key for future runs? [Y/n]: ", "\r"),
            ("=> Word (why): ", "hello\r"),
            ("=> Save Word for future runs? [Y/n]: ", "n\r"),
        ],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("=> Package requires configuration:"), "{shown}");
    // only the server itself shows it, in what it tells of its environment
    assert_eq!(shown.matches("sekret-1").count(), 1, "{shown}");
    assert!(shown.contains("arg:hello") && shown.contains("env:KEY=sekret-1"), "{shown}");
    let stored = |name: &str| fs::read_to_string(world.path("home/.mpak").join(name)).unwrap_or_default();
    assert!(stored("secrets").contains("sekret-1"));
    assert!(!stored("config.json").contains("sekret-1") && !stored("config.json").contains("hello"));
    // what was saved is not asked again, what was not is
    let (code, shown) =
        at_a_terminal(&world, &["run", "--local", &file], &[("=> Word (why): ", "again\r"), ("[Y/n]: ", "y\r")]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("=> Key") && shown.contains("arg:again"), "{shown}");
    world.mpak(&["run", "--local", &file]).ok();
}

#[test]
fn an_empty_answer_is_no_answer() {
    let world = World::new();
    let file = asking(&world);
    let (code, shown) = at_a_terminal(&world, &["run", "--local", &file], &[("=> Key (why): ", "\r")]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("Key is required") && !shown.contains("arg:"), "{shown}");
}

#[test]
fn a_server_on_a_terminal_can_read_it_and_is_ended_by_control_c() {
    let world = World::new();
    let script = "#!/bin/sh\ntrap 'echo told-once; exit 9' INT\necho ready; read line; echo got $line; while :; do sleep 0.05; done";
    let file = Server::running("tell", "1.0.0", script).file(&world, "local.mcpb").display().to_string();
    let (code, shown) =
        at_a_terminal(&world, &["run", "--local", &file], &[("ready", "hello\r"), ("got hello", "\u{3}")]);
    assert_eq!((code, shown.matches("told-once").count()), (9, 1), "{shown}");
}
