//! The table of nasty manifests, row by row: what reading says, strict and tolerant. Rows about files are
//! in `manifest_contents`, rows about running in `manifest_substitute`.

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{ManifestRead, Reading, Severity, read};
use serde_json::{Value, json};

/// A manifest of version 0.3 without any problem.
pub(crate) fn good() -> Value {
    json!({
        "manifest_version": "0.3",
        "name": "my-server",
        "version": "1.0.0",
        "description": "Does things",
        "author": {"name": "A. Author"},
        "server": {
            "type": "node",
            "entry_point": "server/index.js",
            "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"]}
        }
    })
}

/// What a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No problem at all.
    Accepted,
    /// Accepted, with a warning of this code.
    Warned(&'static str),
    /// Refused, with an error of this code.
    Refused(&'static str),
}
use Verdict::{Accepted, Refused, Warned};

/// One document with its verdicts.
pub(crate) struct Case {
    /// Row of the table and what is special.
    pub(crate) row: &'static str,
    /// The document.
    pub(crate) bytes: Vec<u8>,
    /// Verdict of the strict reading.
    pub(crate) strict: Verdict,
    /// Verdict of the tolerant reading.
    pub(crate) tolerant: Verdict,
}

fn bytes(row: &'static str, bytes: impl Into<Vec<u8>>, strict: Verdict, tolerant: Verdict) -> Case {
    Case { row, bytes: bytes.into(), strict, tolerant }
}

/// The good manifest with a change, the same verdict both ways.
fn both(row: &'static str, verdict: Verdict, change: impl FnOnce(&mut Value)) -> Case {
    differ(row, verdict, verdict, change)
}

fn differ(row: &'static str, strict: Verdict, tolerant: Verdict, change: impl FnOnce(&mut Value)) -> Case {
    let mut manifest = good();
    change(&mut manifest);
    bytes(row, serde_json::to_vec_pretty(&manifest).unwrap(), strict, tolerant)
}

/// The good manifest with a member put in as text, so that what `serde_json` cannot hold gets through.
fn text(row: &'static str, verdict: Verdict, member: &str) -> Case {
    let good = good().to_string();
    bytes(row, format!("{},{member}}}", &good[..good.len() - 1]), verdict, verdict)
}

fn without(row: &'static str, verdict: Verdict, pointer: &str) -> Case {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    both(row, verdict, |m| {
        m.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    })
}

fn option(kind: &str, more: &Value) -> Value {
    let mut option = json!({"type": kind, "title": "T", "description": "D"});
    option.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    option
}

/// A `user_config` with one option, used in the environment.
fn with_option(row: &'static str, verdict: Verdict, kind: &str, more: &Value) -> Case {
    both(row, verdict, |m| {
        m["user_config"] = json!({"o": option(kind, more)});
        m["server"]["mcp_config"]["env"] = json!({"O": "${user_config.o}"});
    })
}

fn with_env(row: &'static str, verdict: Verdict, name: &str, value: &str) -> Case {
    both(row, verdict, |m| m["server"]["mcp_config"]["env"] = json!({name: value}))
}

fn with_command(row: &'static str, verdict: Verdict, command: &str, args: &[&str]) -> Case {
    both(row, verdict, |m| m["server"]["mcp_config"] = json!({"command": command, "args": args}))
}

fn json_cases() -> Vec<Case> {
    let text_of = good().to_string();
    let nested = |depth: usize| format!("\"_meta\":{{\"a.b\":{{\"x\":{}{}}}}}", "[".repeat(depth), "]".repeat(depth));
    let utf16: Vec<u8> = [0xFEFF_u16].into_iter().chain(text_of.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let syntax = Refused("json-syntax");
    vec![
        bytes("M1 byte order mark", format!("\u{feff}{text_of}"), Refused("json-bom"), Warned("json-bom")),
        bytes("M2 UTF-16", utf16, Refused("json-encoding"), Refused("json-encoding")),
        bytes("M2 invalid UTF-8", b"{\"name\":\"\xff\"}".to_vec(), Refused("json-encoding"), Refused("json-encoding")),
        text("M3 name twice", Refused("json-duplicate-key"), "\"name\":\"other\""),
        text("M3 nested key twice", Refused("json-duplicate-key"), "\"_meta\":{\"a.b\":{\"x\":1,\"x\":1}}"),
        text("M3 key twice by escape", Refused("json-duplicate-key"), "\"n\\u0061me\":\"other\""),
        text("M4 NaN", syntax, "\"_meta\":{\"a.b\":{\"x\":NaN}}"),
        bytes("M4 comment", format!("// hi\n{text_of}"), syntax, syntax),
        bytes("M4 trailing comma", format!("{},}}", &text_of[..text_of.len() - 1]), syntax, syntax),
        bytes("M4 trailing bytes", format!("{text_of}x"), Refused("json-trailing"), Refused("json-trailing")),
        bytes(
            "M4 second document",
            format!("{text_of}\n{text_of}"),
            Refused("json-trailing"),
            Refused("json-trailing"),
        ),
        bytes("M4 empty file", "", syntax, syntax),
        bytes("M4 trailing newline", format!("{text_of}\n"), Accepted, Accepted),
        bytes("M5 null", "null", Refused("field-type"), Refused("field-type")),
        bytes("M5 array", "[]", Refused("field-type"), Refused("field-type")),
        bytes("M5 text", "\"x\"", Refused("field-type"), Refused("field-type")),
        text("M6 deep", Refused("json-depth"), &nested(20_000)),
        text("M6 one too deep", Refused("json-depth"), &nested(62)),
        text("M6 as deep as allowed", Accepted, &nested(61)),
        text("M7 long", Refused("json-size"), &format!("\"license\":\"{}\"", "x".repeat(10 << 20))),
        text("M8 lone surrogate", Refused("json-surrogate"), "\"license\":\"\\ud800\""),
        text("M9 __proto__ at the top", Refused("json-proto-key"), "\"__proto__\":{}"),
        text(
            "M9 __proto__ as option",
            Refused("json-proto-key"),
            "\"user_config\":{\"__proto__\":{\"type\":\"string\",\"title\":\"\",\"description\":\"\"}}",
        ),
        text("M9 __proto__ in _meta", Warned("json-proto-key"), "\"_meta\":{\"a.b\":{\"__proto__\":1}}"),
        text("M10 too large", Warned("json-number"), "\"_meta\":{\"a.b\":{\"x\":1e999}}"),
        text(
            "M10 inexact default",
            Warned("json-number"),
            "\"user_config\":{\"o\":{\"type\":\"number\",\"title\":\"\",\"description\":\"\",\"default\":9007199254740993}}",
        ),
    ]
}

fn version_and_field_cases() -> Vec<Case> {
    let version = Refused("manifest-version");
    vec![
        both("M11 0.5", version, |m| m["manifest_version"] = json!("0.5")),
        both("M11 1.0", version, |m| m["manifest_version"] = json!("1.0")),
        both("M11 number", version, |m| m["manifest_version"] = json!(0.3)),
        without("M11 missing", version, "/manifest_version"),
        both("M12 dxt_version only", Warned("dxt-version"), |m| {
            m.as_object_mut().unwrap().remove("manifest_version");
            m["dxt_version"] = json!("0.1");
        }),
        both("M12 both, equal", Accepted, |m| m["dxt_version"] = json!("0.3")),
        both("M13 both, different", version, |m| m["dxt_version"] = json!("0.1")),
        both("M13 both, one unknown", version, |m| m["dxt_version"] = json!("9")),
        differ("M14 unknown top-level key", Refused("field-unknown"), Warned("field-unknown"), |m| m["x"] = json!(1)),
        differ("M14 unknown key of author", Refused("field-unknown"), Warned("field-unknown"), |m| {
            m["author"]["x"] = json!(1);
        }),
        both("M14 $schema", Accepted, |m| m["$schema"] = json!("https://example.org/x.json")),
        differ("M15 null", Refused("field-null"), Warned("field-null"), |m| m["license"] = Value::Null),
        differ("M15 null in an option", Refused("field-null"), Warned("field-null"), |m| {
            m["user_config"] = json!({"o": option("string", &json!({"default": null}))});
        }),
        both("M15 null for a required field", Refused("field-type"), |m| m["name"] = Value::Null),
        without("required: name", Refused("field-missing"), "/name"),
        without("required: version", Refused("field-missing"), "/version"),
        without("required: description", Refused("field-missing"), "/description"),
        without("required: author", Refused("field-missing"), "/author"),
        without("required: author.name", Refused("field-missing"), "/author/name"),
        without("required: server", Refused("field-missing"), "/server"),
        without("required: server.type", Refused("field-missing"), "/server/type"),
        without("required: server.entry_point", Refused("field-missing"), "/server/entry_point"),
        without("required: command", Refused("field-missing"), "/server/mcp_config/command"),
        differ("required: mcp_config", Refused("mcp-config-missing"), Warned("mcp-config-missing"), |m| {
            m["server"].as_object_mut().unwrap().remove("mcp_config");
        }),
        both("type: keywords", Refused("field-type"), |m| m["keywords"] = json!("a")),
        both("type: keywords element", Refused("field-type"), |m| m["keywords"] = json!(["a", 1])),
        both("type: tools_generated", Refused("field-type"), |m| m["tools_generated"] = json!("yes")),
        both("type: server", Refused("field-type"), |m| m["server"] = json!([])),
        both("type: $schema", Refused("field-type"), |m| m["$schema"] = json!(1)),
        both("server.type unknown", Refused("server-type"), |m| m["server"]["type"] = json!("ruby")),
        differ("M58 privacy_policies in 0.1", Refused("field-too-new"), Warned("field-too-new"), |m| {
            m["manifest_version"] = json!("0.1");
            m["privacy_policies"] = json!(["https://example.org/p"]);
        }),
        differ("M58 icons in 0.2", Refused("field-too-new"), Warned("field-too-new"), |m| {
            m["manifest_version"] = json!("0.2");
            m["icons"] = json!([{"src": "i.png", "size": "16x16"}]);
        }),
    ]
}

fn name_and_text_cases() -> Vec<Case> {
    let name = |row, verdict, name: &str| {
        let name = name.to_owned();
        both(row, verdict, move |m| m["name"] = json!(name))
    };
    let version = |row, version: &'static str| {
        differ(row, Refused("version-not-semver"), Warned("version-not-semver"), |m| m["version"] = json!(version))
    };
    let homepage = |row, verdict, url: &'static str| both(row, verdict, |m| m["homepage"] = json!(url));
    vec![
        version("M16 banana", "banana"),
        version("M16 empty", ""),
        version("M16 v", "v1.0.0"),
        version("M16 two parts", "1.0"),
        version("M16 leading zero", "01.0.0"),
        version("M16 latest", "latest"),
        name("M17 empty", Refused("name-invalid"), ""),
        name("M17 path", Refused("name-invalid"), "../../x"),
        name("M17 NUL", Refused("name-invalid"), "a\0b"),
        name("M17 control", Refused("name-invalid"), "a\u{1b}b"),
        name("M17 10 kB", Warned("name-unusual"), &"x".repeat(10_240)),
        name("M17 device", Warned("name-unusual"), "CON"),
        name("M17 scoped", Accepted, "@scope/x"),
        both("M18 mixed scripts", Warned("text-mixed-scripts"), |m| m["display_name"] = json!("p\u{430}ypal")),
        both("M18 bidi", Warned("text-bidi"), |m| m["display_name"] = json!("abc\u{202e}gpj.exe")),
        both("M19 escape sequence", Warned("text-control"), |m| m["description"] = json!("\u{1b}[2Jx")),
        both("M19 lines and tabs", Accepted, |m| m["long_description"] = json!("a\n\tb\r\n")),
        both("M56 tag characters", Warned("text-invisible"), |m| {
            m["tools"] = json!([{"name": "t", "description": "x\u{e0041}\u{e0042}"}]);
        }),
        both("M56 zero width", Warned("text-invisible"), |m| m["description"] = json!("a\u{200b}b")),
        homepage("M46 javascript", Refused("url-scheme"), "javascript:alert(1)"),
        homepage("M46 file", Refused("url-scheme"), "file:///etc/passwd"),
        homepage("M46 no slashes", Refused("url-scheme"), "https:x"),
        homepage("M46 credentials", Refused("url-credentials"), "https://u:p@example.org/"),
        homepage("M46 no URL", Refused("url-invalid"), "example"),
        homepage("M46 http", Accepted, "http://example.org/x"),
        both("M46 author.url", Refused("url-scheme"), |m| m["author"]["url"] = json!("javascript:x")),
        both("M46 privacy policy", Refused("url-scheme"), |m| m["privacy_policies"] = json!(["data:,x"])),
        both("author.email", Refused("email-invalid"), |m| m["author"]["email"] = json!("me")),
        both("M47 author as text", Refused("field-type"), |m| m["author"] = json!("me")),
        both("M47 repository as text", Refused("field-type"), |m| m["repository"] = json!("https://a.example/b")),
        both("M47 git@host", Refused("url-invalid"), |m| {
            m["repository"] = json!({"type": "git", "url": "git@host.example:a/b"});
        }),
        both("M47 git+https", Accepted, |m| {
            m["repository"] = json!({"type": "git", "url": "git+https://host.example/a/b.git"});
        }),
    ]
}

fn server_cases() -> Vec<Case> {
    let entry =
        |row, entry: &'static str| both(row, Refused("path-invalid"), |m| m["server"]["entry_point"] = json!(entry));
    let uv = |version: &'static str| {
        move |m: &mut Value| {
            m["manifest_version"] = json!(version);
            m["server"] = json!({"type": "uv", "entry_point": "src/main.py"});
        }
    };
    let over = |row, verdict, platform: &'static str, value: Value| {
        both(row, verdict, move |m| m["server"]["mcp_config"]["platform_overrides"] = json!({platform: value}))
    };
    vec![
        entry("M21 outside", "../../etc/passwd"),
        entry("M21 absolute", "/bin/sh"),
        entry("M21 empty", ""),
        entry("M21 drive", "C:\\x.exe"),
        entry("M21 template", "${HOME}/x.js"),
        with_command("M22 absolute", Warned("command-shell"), "/bin/sh", &["x"]),
        with_command("M22 absolute program", Warned("command-outside"), "/opt/x/y", &[]),
        with_command("M22 out of the bundle", Warned("command-outside"), "${__dirname}/../x", &[]),
        with_command("M22 relative out of the bundle", Warned("command-outside"), "../x", &[]),
        with_command("M22 unknown program on PATH", Warned("command-outside"), "ruby", &["x.rb"]),
        with_command("M22 sh -c", Warned("command-shell"), "sh", &["-c", "x"]),
        with_command("M22 cmd /c", Warned("command-shell"), "cmd.exe", &["/c", "x"]),
        with_command("M22 powershell", Warned("command-shell"), "powershell", &["-enc", "x"]),
        with_command("M22 npx", Warned("command-fetches"), "npx", &["-y", "x"]),
        with_command("M22 uvx", Warned("command-fetches"), "uvx", &["x"]),
        with_command("M22 docker", Warned("command-fetches"), "docker", &["run", "x"]),
        with_command("M22 in the bundle", Accepted, "${__dirname}/server/x", &[]),
        with_command("M22 relative in the bundle", Accepted, "server/x", &[]),
        with_command("empty command", Warned("command-empty"), "", &[]),
        both("M23 the user's program", Warned("command-from-user"), |m| {
            m["user_config"] = json!({"bin": option("file", &json!({}))});
            m["server"]["mcp_config"] = json!({"command": "${user_config.bin}"});
        }),
        with_env("M24 LD_PRELOAD outside", Refused("env-loader"), "LD_PRELOAD", "/tmp/x.so"),
        with_env("M24 LD_LIBRARY_PATH inside", Warned("env-sensitive"), "LD_LIBRARY_PATH", "${__dirname}/lib"),
        with_env("M24 DYLD outside", Refused("env-loader"), "DYLD_INSERT_LIBRARIES", "/tmp/x.dylib"),
        with_env("M24 NODE_OPTIONS outside", Refused("env-loader"), "NODE_OPTIONS", "--require /tmp/x.js"),
        with_env("M24 NODE_OPTIONS", Warned("env-sensitive"), "NODE_OPTIONS", "--max-old-space-size=1"),
        with_env("M24 PYTHONSTARTUP outside", Refused("env-loader"), "PYTHONSTARTUP", "/tmp/x.py"),
        with_env("M24 PYTHONHOME outside", Refused("env-loader"), "PYTHONHOME", "/opt/python"),
        with_env("M24 PATH", Warned("env-sensitive"), "PATH", "/opt/bin"),
        with_env("M24 BASH_ENV outside", Refused("env-loader"), "BASH_ENV", "/tmp/x"),
        with_env("M24 GIT_SSH_COMMAND", Warned("env-sensitive"), "GIT_SSH_COMMAND", "ssh -v"),
        with_env("M24 NODE_EXTRA_CA_CERTS", Warned("env-sensitive"), "NODE_EXTRA_CA_CERTS", "x.pem"),
        with_env("M24 proxy", Warned("env-sensitive"), "https_proxy", "http://example.org"),
        with_env("M24 PYTHONPATH inside", Accepted, "PYTHONPATH", "${__dirname}/server/lib"),
        with_env("M25 =", Refused("env-name"), "A=B", "x"),
        with_env("M25 NUL", Refused("env-name"), "A\0", "x"),
        with_env("M25 empty", Refused("env-name"), "", "x"),
        both("M25 same but case", Refused("env-name-twice"), |m| {
            m["server"]["mcp_config"]["env"] = json!({"Path_x": "1", "PATH_X": "2"});
        }),
        with_env("NUL in a value", Refused("nul-character"), "A", "a\0b"),
        both("M26 number in args", Refused("field-type"), |m| m["server"]["mcp_config"]["args"] = json!([1])),
        both("M26 number in env", Refused("field-type"), |m| m["server"]["mcp_config"]["env"] = json!({"A": 1})),
        both("M26 cwd", Refused("field-unknown"), |m| m["server"]["mcp_config"]["cwd"] = json!("x")),
        over("M27 freebsd", Warned("override-platform"), "freebsd", json!({"args": []})),
        over("M27 win32", Accepted, "win32", json!({"command": "node", "args": [], "env": {}})),
        over("M28 unknown key", Refused("field-unknown"), "win32", json!({"cwd": "x"})),
        over("M24 in an override", Refused("env-loader"), "linux", json!({"env": {"LD_PRELOAD": "/x.so"}})),
        both("M29 uv without mcp_config", Warned("mcp-config-missing"), uv("0.4")),
        both("M30 uv in 0.3", Refused("server-uv-too-new"), |m| {
            m["server"]["type"] = json!("uv");
        }),
        both("M32 other client", Warned("client-unknown"), |m| m["compatibility"] = json!({"my_client": ">=1"})),
        both("M33 freebsd", Refused("value-unknown"), |m| m["compatibility"] = json!({"platforms": ["freebsd"]})),
        both("M33 any", Refused("value-unknown"), |m| m["compatibility"] = json!({"platforms": ["any"]})),
        both("M34 no platforms", Warned("platforms-empty"), |m| m["compatibility"] = json!({"platforms": []})),
        both("M35 no range", Warned("range-unreadable"), |m| {
            m["compatibility"] = json!({"runtimes": {"node": "banana"}});
        }),
        both("M35 both styles", Accepted, |m| {
            m["compatibility"] =
                json!({"claude_desktop": ">=0.10.0", "runtimes": {"python": ">=3.8,<4.0", "node": ">=18.0.0 <23"}});
        }),
    ]
}

fn option_cases() -> Vec<Case> {
    let key = |row, key: &'static str| {
        both(row, Refused("option-key"), |m| m["user_config"] = json!({key: option("string", &json!({}))}))
    };
    let arg =
        |row, verdict, arg: &'static str| both(row, verdict, |m| m["server"]["mcp_config"]["args"] = json!([arg]));
    vec![
        with_option("M38 min above max", Refused("option-range"), "number", &json!({"min": 2, "max": 1})),
        with_option("M38 type of default", Refused("option-default"), "number", &json!({"default": "1"})),
        with_option("M38 type of default", Refused("option-default"), "boolean", &json!({"default": "true"})),
        with_option("M38 default out of range", Refused("option-default"), "number", &json!({"default": 3, "max": 2})),
        with_option("M38 list without multiple", Refused("option-default"), "directory", &json!({"default": ["/a"]})),
        with_option("M38 default of no type", Refused("field-type"), "string", &json!({"default": {}})),
        with_option("M38 all well", Accepted, "number", &json!({"default": 1, "min": 0, "max": 2, "required": true})),
        with_option("M39 multiple on string", Warned("option-multiple"), "string", &json!({"multiple": true})),
        with_option(
            "M40 secret default",
            Warned("option-secret-default"),
            "string",
            &json!({"sensitive": true, "default": "x"}),
        ),
        with_option("type of an option", Refused("value-unknown"), "secret", &json!({})),
        both("title missing", Refused("field-missing"), |m| {
            m["user_config"] = json!({"o": {"type": "string", "description": ""}});
        }),
        both("M41 secret in args", Warned("option-secret-argument"), |m| {
            m["user_config"] = json!({"o": option("string", &json!({"sensitive": true}))});
            m["server"]["mcp_config"]["args"] = json!(["--key=${user_config.o}"]);
        }),
        arg("M42 undeclared", Refused("option-undeclared"), "${user_config.nothing}"),
        both("M43 unused", Warned("option-unused"), |m| m["user_config"] = json!({"o": option("string", &json!({}))})),
        key("M44 dot", "a.b"),
        key("M44 space", "a b"),
        key("M44 parenthesis", "a("),
        key("M44 brace", "a}"),
        key("M44 empty", ""),
        arg("M45 unknown variable", Warned("variable-unknown"), "${TMP}"),
        arg("M45 unterminated", Warned("variable-open"), "${HOME"),
        arg("M45 nested", Warned("variable-unknown"), "${user_config.${x}}"),
        arg("M45 dollar without brace", Accepted, "$HOME"),
        both("several values inside a text", Warned("option-list-embedded"), |m| {
            m["user_config"] = json!({"o": option("directory", &json!({"multiple": true}))});
            m["server"]["mcp_config"]["args"] = json!(["--dirs=${user_config.o}"]);
        }),
        both("several values as arguments", Accepted, |m| {
            m["user_config"] = json!({"o": option("directory", &json!({"multiple": true, "default": ["${HOME}/a"]}))});
            m["server"]["mcp_config"]["args"] = json!(["${user_config.o}"]);
        }),
    ]
}

fn list_and_resource_cases() -> Vec<Case> {
    let icon = |row, verdict, icon: &'static str| both(row, verdict, |m| m["icon"] = json!(icon));
    let locale = |row, verdict, value: Value| both(row, verdict, |m| m["localization"] = value);
    vec![
        icon("M48 absolute", Refused("path-invalid"), "/x.png"),
        icon("M48 __dirname", Refused("path-invalid"), "${__dirname}/x.png"),
        icon("M48 remote", Warned("icon-remote"), "https://example.org/x.png"),
        icon("M48 empty", Accepted, ""),
        icon("M49 outside", Refused("path-invalid"), "../../x.png"),
        both("M51 zero size", Warned("icon-size-differs"), |m| m["icons"] = json!([{"src": "a.png", "size": "0x0"}])),
        both("M51 no size", Refused("icon-size-text"), |m| m["icons"] = json!([{"src": "a.png", "size": "big"}])),
        both("M51 empty theme", Refused("value-unknown"), |m| {
            m["icons"] = json!([{"src": "a.png", "size": "1x1", "theme": ""}]);
        }),
        locale(
            "M52 outside",
            Refused("path-invalid"),
            json!({"resources": "../../${locale}.json", "default_locale": "en"}),
        ),
        locale(
            "M52 no placeholder",
            Refused("locale-template"),
            json!({"resources": "x.json", "default_locale": "en"}),
        ),
        locale("M52 tag", Refused("locale-tag"), json!({"resources": "${locale}.json", "default_locale": "en_US"})),
        locale("M52 well", Accepted, json!({"resources": "l/${locale}.json", "default_locale": "en-US"})),
        differ("M52 without resources", Refused("field-missing"), Warned("field-missing"), |m| {
            m["localization"] = json!({"default_locale": "en"});
        }),
        both("M53 tool twice", Refused("tool-duplicate"), |m| m["tools"] = json!([{"name": "a"}, {"name": "a"}])),
        both("M53 prompt twice", Refused("prompt-duplicate"), |m| {
            m["prompts"] = json!([{"name": "a", "text": ""}, {"name": "a", "text": ""}]);
        }),
        both("M54 inputSchema", Warned("tool-schema"), |m| m["tools"] = json!([{"name": "a", "inputSchema": {}}])),
        both("M57 scalar", Refused("field-type"), |m| m["_meta"] = json!({"a.b": 1})),
        both("M57 key without dot", Warned("meta-key"), |m| m["_meta"] = json!({"a": {}})),
    ]
}

/// Good documents of every version, with every field.
fn good_cases() -> Vec<Case> {
    let full = json!({
        "$schema": "https://example.org/s.json", "display_name": "My server", "long_description": "# Long\n",
        "license": "Apache-2.0", "repository": {"type": "git", "url": "https://example.org/r.git"},
        "homepage": "https://example.org", "documentation": "https://example.org/d", "support": "https://example.org/s",
        "icon": "icon.png", "screenshots": ["s/1.png"], "tools": [{"name": "t", "description": "d"}, {"name": "u"}],
        "tools_generated": true, "prompts": [{"name": "p", "description": "d", "arguments": ["a"], "text": "${arguments.a}"}],
        "prompts_generated": false, "keywords": ["a", "b"],
        "compatibility": {"claude_desktop": ">=1.0.0", "platforms": ["darwin", "win32", "linux"], "runtimes": {"node": ">=18"}},
        "user_config": {"key": option("string", &json!({"sensitive": true, "required": true}))},
    });
    let newer = [
        ("0.2", json!({"privacy_policies": ["https://example.org/p"]})),
        (
            "0.3",
            json!({"icons": [{"src": "i.png", "size": "16x16", "theme": "dark"}], "_meta": {"org.example": {"a": 1}},
            "localization": {"resources": "l/${locale}.json", "default_locale": "en-US"}}),
        ),
        ("0.4", json!({})),
    ];
    let mut manifest = good();
    let map = manifest.as_object_mut().unwrap();
    map.extend(full.as_object().unwrap().clone());
    map.insert("manifest_version".into(), "0.1".into());
    map["author"] = json!({"name": "A", "email": "a@example.org", "url": "https://example.org"});
    map["server"]["mcp_config"]["env"] =
        json!({"KEY": "${user_config.key}", "D": "${HOME}${/}${pathSeparator}${DOCUMENTS}"});
    map["server"]["mcp_config"]["platform_overrides"] = json!({"win32": {"command": "node.exe"}});
    let mut out = vec![bytes("good 0.1", manifest.to_string(), Accepted, Accepted)];
    for (version, more) in newer {
        let map = manifest.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        map["manifest_version"] = json!(version);
        out.push(bytes("good, later version", manifest.to_string(), Accepted, Accepted));
    }
    out.push(both("good uv", Accepted, |m| {
        m["manifest_version"] = json!("0.4");
        m["server"] = json!({"type": "uv", "entry_point": "src/main.py",
            "mcp_config": {"command": "uv", "args": ["run", "--directory", "${__dirname}", "src/main.py"]}});
    }));
    out
}

/// Every document of the table.
pub(crate) fn cases() -> Vec<Case> {
    let all = [
        good_cases(),
        json_cases(),
        version_and_field_cases(),
        name_and_text_cases(),
        server_cases(),
        option_cases(),
        list_and_resource_cases(),
    ];
    all.into_iter().flatten().collect()
}

/// Whether a reading agrees with the verdict; says why not.
#[track_caller]
fn check(row: &str, reading: Reading, read: &ManifestRead, verdict: Verdict) {
    let has = |severity, code| read.problems.iter().any(|p| p.severity == severity && p.code == code);
    let fits = match verdict {
        Accepted => read.problems.is_empty() && read.manifest.is_some(),
        Warned(code) => read.manifest.is_some() && has(Severity::Warning, code),
        Refused(code) => read.manifest.is_none() && has(Severity::Error, code),
    };
    assert!(fits, "{row}, {reading:?}: expected {verdict:?}, found {:#?}", read.problems);
}

#[test]
fn every_row_of_the_table_has_its_verdict() {
    for case in cases() {
        for (reading, verdict) in [(Reading::Strict, case.strict), (Reading::Tolerant, case.tolerant)] {
            check(case.row, reading, &read(&case.bytes, reading, &Limits::default()), verdict);
        }
    }
}

#[test]
fn every_problem_is_complete() {
    for case in cases() {
        for problem in read(&case.bytes, Reading::Strict, &Limits::default()).problems {
            assert!(mpak_bundle::manifest::CODES.contains(&problem.code), "{problem:?}");
            assert!(problem.message.contains("found") || problem.code == "too-many", "{problem:?}");
            assert!(problem.message.len() < 600 && problem.pointer.len() < 1_000, "{problem:?}");
            assert!(!problem.message.ends_with('.'), "{problem:?}");
            let document = serde_json::from_slice::<Value>(&case.bytes);
            if let Ok(document) = document.as_ref().map(|d| d.pointer(&problem.pointer)) {
                let cut = problem.pointer.contains('…');
                assert!(document.is_some() || cut, "{}: {problem:?} points nowhere", case.row);
                assert!(problem.line.is_some() || cut || problem.code == "json-size", "{problem:?}");
            }
        }
    }
}

#[test]
fn problems_name_pointer_and_line_in_the_order_of_the_document() {
    let text = "{\n \"manifest_version\": \"0.3\",\n \"name\": \"\",\n \"version\": \"1\",\n \"description\": \"d\",\n \
                \"author\": {\n  \"name\": \"a\",\n  \"email\": \"me\"\n },\n \"server\": {\"type\": \"node\",\n  \
                \"entry_point\": \"x.js\",\n  \"mcp_config\": {\n   \"args\": [\n    \"a\",\n    7\n   ]\n  }\n }\n}\n";
    let problems = read(text.as_bytes(), Reading::Strict, &Limits::default()).problems;
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.pointer.as_str(), p.code)).collect();
    assert_eq!(
        places,
        [
            (Some(3), "/name", "name-invalid"),
            (Some(4), "/version", "version-not-semver"),
            (Some(8), "/author/email", "email-invalid"),
            (Some(12), "/server/mcp_config", "field-missing"),
            (Some(15), "/server/mcp_config/args/1", "field-type"),
        ]
    );
    assert_eq!(problems[4].message, "expected a text, found a number");
    assert_eq!(problems[4].help.as_deref(), Some("put it in double quotes"));
}

#[test]
fn a_field_nobody_knows_is_kept_and_a_slip_of_the_pen_is_named() {
    let mut manifest = good();
    manifest["descripton"] = json!("x");
    manifest["x_other"] = json!({"a": [1, 2]});
    let read = read(manifest.to_string().as_bytes(), Reading::Tolerant, &Limits::default());
    assert_eq!(read.problems[0].help.as_deref(), Some("did you mean `description`?"));
    assert_eq!(read.manifest.unwrap().raw, manifest);
}

#[test]
fn every_field_arrives() {
    let case = good_cases().into_iter().nth(3).unwrap();
    let manifest = read(&case.bytes, Reading::Strict, &Limits::default()).manifest.unwrap();
    let m = &manifest;
    insta::assert_debug_snapshot!(
        "every_field",
        (
            (&m.manifest_version, &m.author, &m.repository, &m.server, &m.compatibility, &m.user_config),
            (&m.icons, &m.tools, &m.prompts, &m.localization, &m.keywords, &m.screenshots, &m.privacy_policies),
            (&m.display_name, &m.long_description, &m.license, &m.homepage, &m.documentation, &m.support, &m.icon),
            (m.tools_generated, m.prompts_generated, &m.meta),
        )
    );
}

#[test]
fn many_problems_are_capped_and_cost_little() {
    let names: serde_json::Map<String, Value> = (0..60_000).map(|i| (format!("k{i}"), json!(0))).collect();
    let mut manifest = good();
    manifest.as_object_mut().unwrap().extend(names);
    let read = read(manifest.to_string().as_bytes(), Reading::Strict, &Limits::default());
    assert_eq!(read.problems.len(), 101);
    assert_eq!(read.problems[100].message, "59900 more problems are not listed");
}
