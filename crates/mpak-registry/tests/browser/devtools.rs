//! A page in a browser that is asked and told what to do while it runs, over the browser's own debugging pipe
//! (Chrome DevTools Protocol): what `--dump-dom` cannot see, as inside of shadow roots and after a click.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for an answer, or for something to happen.
const SOON: Duration = Duration::from_mins(1);

/// A page; the browser ends when it is dropped.
pub(crate) struct Page {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// What it asked for, in order.
    pub(crate) requests: Vec<String>,
    /// Messages of the console, refusals of the policy, failed resources, errors of scripts.
    pub(crate) console: Vec<String>,
    _home: tempfile::TempDir,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pipes are the descriptors 3 and 4.
const THROUGH: &str = r#"exec "$@" 3<"$0/commands" 4>"$0/messages""#;

impl Page {
    /// Opens an address in a browser of its own.
    pub(crate) fn open(program: &str, arguments: impl Fn(&Path) -> Vec<String>, path: &str, url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        for name in ["commands", "messages"] {
            assert!(Command::new("mkfifo").arg(home.path().join(name)).status().unwrap().success());
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", THROUGH]).arg(home.path()).arg(program).args(arguments(home.path()));
        command.args(["--remote-debugging-pipe", "about:blank"]);
        command.env_clear().env("PATH", path).env("HOME", home.path()).env("LANG", "C.UTF-8");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let commands = OpenOptions::new().write(true).open(home.path().join("commands")).unwrap();
        let answers = File::open(home.path().join("messages")).unwrap();
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let (requests, console) = (Vec::new(), Vec::new());
        let mut page = Self { child, commands, messages, last: 0, session: None, requests, console, _home: home };
        let target = page.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        page.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Runtime", "Log", "Network", "Page"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.call("Page.navigate", &json!({"url": url}));
        page
    }

    /// What an expression is worth there.
    pub(crate) fn worth(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is worth something else than nothing.
    pub(crate) fn until(&mut self, expression: &str) -> Value {
        let began = Instant::now();
        loop {
            let worth = self.worth(expression);
            if !matches!(worth, Value::Null | Value::Bool(false)) {
                return worth;
            }
            assert!(began.elapsed() < SOON, "it never came: {expression}; console: {:#?}", self.console);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let mut message = self.messages.recv_timeout(SOON).unwrap_or_else(|e| panic!("{method}: {e}"));
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                self.requests.push(event["params"]["request"]["url"].as_str().unwrap().to_owned());
            }
            "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" => {
                self.console.push(event["params"].to_string());
            }
            _ => {}
        }
    }
}
