//! A person at a terminal: questions, secrets, Ctrl-C.

use std::fs;

use serde_json::json;

use crate::servers::Server;
use crate::world::World;

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
