//! `mpak completion` as a user meets it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::world::World;

#[test]
fn every_shell_gets_commands_and_flags() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = world.mpak(&["completion", shell]).ok();
        for word in ["search", "publish", "inherit-env", "cache"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    world.mpak(&["completion", "cmd"]).fails(2);
}

#[test]
fn bash_understands_the_script() {
    let script = World::new().mpak(&["completion", "bash"]).ok();
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash starts");
    bash.stdin.take().expect("piped").write_all(script.as_bytes()).expect("it reads");
    assert!(bash.wait().expect("it ends").success());
}
