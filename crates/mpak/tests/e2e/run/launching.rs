//! Rows E12 to E20 of the compatibility checklist: what a server is started with, and how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mpak_testkit::zip::ZipEntry;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{all_paths, local, stored};
use crate::registry::Registry;
use crate::servers::{Server, told, told_env};
use crate::world::World;

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
