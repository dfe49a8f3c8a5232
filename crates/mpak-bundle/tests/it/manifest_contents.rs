//! The table of nasty manifests, rows about the files around a manifest.

use std::collections::BTreeMap;

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Contents, FileKind, Problem, Reading, Severity, check_contents, read};
use serde_json::{Value, json};

use crate::manifest::{Verdict, good};
use Verdict::{Accepted, Refused, Warned};

/// Files in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Contents for Files {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let below = format!("{path}/");
        match self.0.get(path) {
            Some(bytes) => Some(FileKind::File(bytes.len() as u64)),
            None => self.0.keys().any(|p| p.starts_with(&below)).then_some(FileKind::Folder),
        }
    }
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        self.0.get(path).map(|bytes| bytes[..bytes.len().min(bytes_max)].to_vec())
    }
}

fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), b"\x08\x06\0\0\0"].concat()
}

const ELF: &[u8] = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0";

/// A 64-bit PE as far as its machine field.
fn pe() -> Vec<u8> {
    let mut bytes = vec![0; 0x46];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x40;
    bytes[0x40..].copy_from_slice(b"PE\0\0\x64\x86");
    bytes
}

fn problems(files: &[(&str, &[u8])], change: impl FnOnce(&mut Value)) -> Vec<Problem> {
    let mut manifest = good();
    change(&mut manifest);
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    // Only for files that cannot be missing in a row about something else.
    let mut files: BTreeMap<String, Vec<u8>> = files;
    if files.remove("-").is_none() {
        files.entry("server/index.js".to_owned()).or_default();
    }
    let read = read(manifest.to_string().as_bytes(), Reading::Tolerant, &Limits::default());
    let manifest = read.manifest.unwrap_or_else(|| panic!("{:#?}", read.problems));
    check_contents(&manifest, &Files(files), Reading::Tolerant, &Limits::default())
}

#[track_caller]
fn check(row: &str, verdict: Verdict, files: &[(&str, &[u8])], change: impl FnOnce(&mut Value)) {
    let problems = problems(files, change);
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let has = |severity, code| problems.iter().any(|p| p.severity == severity && p.code == code);
    let fits = match verdict {
        Accepted => problems.is_empty(),
        Warned(code) => errors == 0 && has(Severity::Warning, code),
        Refused(code) => has(Severity::Error, code),
    };
    assert!(fits, "{row}: expected {verdict:?}, found {problems:#?}");
    assert!(problems.iter().all(|p| p.line.is_some()), "{row}: {problems:#?}");
}

fn python(entry: &'static str) -> impl FnOnce(&mut Value) {
    move |m| {
        m["server"] =
            json!({"type": "python", "entry_point": entry, "mcp_config": {"command": "python", "args": ["x"]}});
    }
}

fn binary(entry: &'static str, platforms: &'static [&'static str]) -> impl FnOnce(&mut Value) {
    move |m| {
        m["server"] = json!({"type": "binary", "entry_point": entry, "mcp_config": {"command": format!("${{__dirname}}/{entry}")}});
        m["compatibility"] = json!({"platforms": platforms});
    }
}

#[test]
fn the_entry_point_must_be_a_file_of_the_bundle() {
    let missing = Refused("entry-point-missing");
    check("M20 present", Accepted, &[], |_| {});
    check("M20 node", missing, &[("-", b"")], |_| {});
    check("M20 binary", missing, &[], binary("server/x", &["linux"]));
    check("M20 python file", missing, &[], python("server/main.py"));
    check("M20 python module in deps", Warned("entry-point-module"), &[("deps/a/b.py", b"")], python("a.b"));
    check("M20 python package", Warned("entry-point-module"), &[("src/a/b/__main__.py", b"")], python("a.b"));
    check("M20 python module nowhere", missing, &[], python("a.b"));
    check("M20 python module below PYTHONPATH", Warned("entry-point-module"), &[("x/y/a.py", b"")], |m| {
        python("a")(m);
        m["server"]["mcp_config"]["env"] = json!({"PYTHONPATH": "${__dirname}/x/y"});
    });
    check("M20 uv", missing, &[("pyproject.toml", b"")], |m| {
        m["manifest_version"] = json!("0.4");
        m["server"] = json!({"type": "uv", "entry_point": "src/main.py", "mcp_config": {"command": "uv"}});
    });
    check("M21 folder", Refused("entry-point-folder"), &[], |m| m["server"]["entry_point"] = json!("server"));
    check("case", Refused("entry-point-case"), &[], |m| m["server"]["entry_point"] = json!("Server/Index.js"));
    check("./", Accepted, &[], |m| m["server"]["entry_point"] = json!("./server//index.js"));
    check(".exe", Accepted, &[("server/x.exe", b"MZ")], binary("server/x", &["win32"]));
    check("command missing", Warned("command-missing"), &[], |m| {
        m["server"]["mcp_config"]["command"] = json!("${__dirname}/bin/x");
    });
    check("command of an override missing", Warned("command-missing"), &[], |m| {
        m["server"]["mcp_config"]["platform_overrides"] = json!({"win32": {"command": "bin/x"}});
    });
}

#[test]
fn icons_must_be_small_pictures_of_the_bundle() {
    let icon = |m: &mut Value| m["icon"] = json!("icon.png");
    let large = vec![0; 6 << 20];
    check("M48 present", Accepted, &[("icon.png", &png(512, 512))], icon);
    check("M48 missing", Refused("icon-missing"), &[], icon);
    check("M48 not PNG", Refused("icon-format"), &[("icon.png", b"GIF89a and more bytes than a header")], icon);
    check("M50 SVG", Refused("icon-format"), &[("i.svg", b"<svg xmlns=''/>")], |m| m["icon"] = json!("i.svg"));
    check("M50 bomb", Refused("icon-too-large"), &[("icon.png", &png(65_535, 65_535))], icon);
    check("M50 one pixel too many", Refused("icon-too-large"), &[("icon.png", &png(1, 4_097))], icon);
    check("M50 8 bytes", Warned("icon-truncated"), &[("icon.png", b"\x89PNG\r\n\x1a\n")], icon);
    check("many bytes", Refused("icon-too-large"), &[("icon.png", &large)], icon);
    check("remote", Accepted, &[], |m| m["icon"] = json!("https://example.org/x.png"));
    let icons = |m: &mut Value| m["icons"] = json!([{"src": "a.png", "size": "16x16"}]);
    check("M51 right", Accepted, &[("a.png", &png(16, 16))], icons);
    check("M51 missing", Warned("icon-missing"), &[], icons);
    check("M51 wrong size", Warned("icon-size-differs"), &[("a.png", &png(32, 32))], icons);
    check("M51 not PNG", Warned("icon-format"), &[("a.png", b"x")], icons);
    check("screenshot", Warned("screenshot-missing"), &[], |m| m["screenshots"] = json!(["s.png"]));
}

#[test]
fn locale_files_must_be_readable() {
    let locale = |m: &mut Value| m["localization"] = json!({"resources": "l/${locale}.json", "default_locale": "en"});
    check("M52 well", Accepted, &[("l/de.json", b"{\"display_name\":\"x\"}")], locale);
    check("M52 none", Warned("locale-file"), &[("l/_x.json", b"{}")], locale);
    check("M52 malformed", Warned("locale-file"), &[("l/de.json", b"{"), ("l/en.json", b"{}")], locale);
    check("M52 no object", Warned("locale-file"), &[("l/de.json", b"[]")], locale);
    check("M52 duplicate key", Warned("locale-file"), &[("l/de.json", b"{\"a\":1,\"a\":2}")], locale);
}

#[test]
fn uv_servers_have_a_project_and_no_vendored_packages() {
    let uv = |m: &mut Value| {
        m["manifest_version"] = json!("0.4");
        m["server"] = json!({"type": "uv", "entry_point": "server/index.js"});
    };
    check("M31 well", Accepted, &[("pyproject.toml", b"")], uv);
    check("M31 no project", Refused("uv-project-missing"), &[], uv);
    check("M31 vendored", Warned("uv-vendored"), &[("pyproject.toml", b""), ("server/lib/x.py", b"")], uv);
    check("M31 venv", Warned("uv-vendored"), &[("pyproject.toml", b""), ("server/venv/x", b"")], uv);
}

#[test]
fn native_code_must_fit_the_declared_platforms() {
    let elf = [("bin/x", ELF)];
    check("M37 fits", Accepted, &elf, binary("bin/x", &["linux"]));
    check("M37 ELF for Windows", Refused("native-platform"), &elf, binary("bin/x", &["win32"]));
    check("M37 ELF for both", Refused("native-platform"), &elf, binary("bin/x", &["linux", "darwin"]));
    check("M37 PE for Linux", Refused("native-platform"), &[("bin/x", &pe())], binary("bin/x", &["linux"]));
    check("M37 PE for Windows", Accepted, &[("bin/x.exe", &pe())], binary("bin/x", &["win32"]));
    let ia32 = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x03\0\x01\0\0\0";
    check("M37 32-bit ELF", Refused("native-platform"), &[("bin/x", ia32)], binary("bin/x", &["win32"]));
    check("M37 nothing declared", Accepted, &elf, |m| {
        binary("bin/x", &[])(m);
        m.as_object_mut().unwrap().remove("compatibility");
    });
    check(
        "M37 one per platform",
        Accepted,
        &[("bin/x", ELF), ("bin/x.exe", &pe())],
        binary("bin/x", &["linux", "win32"]),
    );
    check("M37 override", Accepted, &[("bin/x", ELF), ("bin/mac", b"\xcf\xfa\xed\xfe\x0c\0\0\x01")], |m| {
        binary("bin/x", &["linux", "darwin"])(m);
        m["server"]["mcp_config"]["platform_overrides"] = json!({"darwin": {"command": "${__dirname}/bin/mac"}});
    });
    check("M37 a script", Accepted, &[("bin/x", b"#!/bin/sh")], binary("bin/x", &["linux", "darwin"]));
    check("libraries", Warned("native-libraries"), &[("n/x.node", ELF)], |m| {
        m["compatibility"] = json!({"platforms": ["darwin"]});
    });
    check("libraries that fit", Accepted, &[("n/x.node", ELF)], |m| {
        m["compatibility"] = json!({"platforms": ["linux"]});
    });
}
