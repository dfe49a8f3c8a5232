//! Rows about names.

use serde_json::json;

use mpak_testkit::zip::{ZipBuilder, ZipEntry, extra, good_manifest};

use super::{Case, good};

pub(crate) fn cases() -> Vec<Case> {
    [refused(), windows(), collisions(), encodings(), remarked(), manifest()].into_iter().flatten().collect()
}

fn named(name: &str) -> ZipBuilder {
    good(|zip| {
        zip.file(name, "content");
    })
}

fn refused() -> Vec<Case> {
    let part = format!("{}/a.txt", "x".repeat(300));
    let nested = format!("{}x", "d/".repeat(2000));
    let deep = format!("{}x", "d/".repeat(65));
    let table: &[(u32, &str, &'static str)] = &[
        (2, "../evil.txt", "name-traversal"),
        (3, "a/../b.txt", "name-traversal"),
        (4, "/tmp/x", "name-absolute"),
        (5, "..\\..\\evil.txt", "name-backslash"),
        (6, "C:\\evil", "name-drive"),
        (6, "C:evil", "name-drive"),
        (12, "a.txt\0.png", "name-control"),
        (40, "", "name-empty"),
        (41, ".", "name-dot"),
        (41, "..", "name-traversal"),
        (41, "a/./b", "name-dot"),
        (48, &part, "name-part-length"),
        (49, &nested, "name-length"),
        (49, &deep, "name-depth"),
        (52, "a\u{202e}txt.js", "name-bidi"),
        (52, "a\u{2067}b", "name-bidi"),
        (53, "a\u{1b}[31mb", "name-control"),
        (53, "a\nb", "name-control"),
        (57, "//server/share/x", "name-absolute"),
        (57, "./y", "name-dot"),
        (57, "a//b", "name-empty-part"),
        (75, "\\\\?\\C:\\x", "name-backslash"),
    ];
    table.iter().map(|(row, name, code)| Case::refuse(*row, name, &named(name), code)).collect()
}

/// Refused where Windows is a target or nothing is said, else accepted with a remark.
fn windows() -> Vec<Case> {
    let names = [
        (13, "CON"),
        (13, "aux.txt"),
        (13, "nul"),
        (13, "COM1.log"),
        (13, "trail."),
        (13, "trail "),
        (13, "a:b"),
        (75, "manifest.json::$DATA"),
        (75, "MANIFE~1.JSO"),
        (75, "CON .txt"),
        (75, "COM\u{b9}"),
        (75, "CONIN$"),
    ];
    let offered = |platforms: &[&str], name: &str| {
        let mut manifest = good_manifest();
        manifest["compatibility"] = json!({ "platforms": platforms });
        let mut zip = ZipBuilder::with_manifest(&manifest);
        zip.file(name, "content");
        zip
    };
    let mut cases = Vec::new();
    for (row, name) in names {
        let mut remarks = vec!["name-windows"];
        if name.contains('$') {
            remarks.push("name-shell");
        }
        cases.push(Case::refuse(row, name, &named(name), "name-windows"));
        cases.push(Case::refuse(row, name, &offered(&["linux", "win32"], name), "name-windows"));
        cases.push(Case::accept(row, name, &offered(&["linux"], name), &remarks));
    }
    cases
}

fn collisions() -> Vec<Case> {
    let table: &[(u32, &[&str], &'static str)] = &[
        (9, &["manifest.json"], "name-duplicate"),
        (10, &["Manifest.json"], "name-collision"),
        (10, &["SERVER/INDEX.JS"], "name-collision"),
        (10, &["Server/other.js"], "name-collision"),
        (11, &["caf\u{e9}", "cafe\u{301}"], "name-collision"),
        (42, &["a", "a/b"], "file-folder-conflict"),
        (42, &["a/b", "a"], "file-folder-conflict"),
        (42, &["a", "a-b", "a/b"], "file-folder-conflict"),
        (73, &["x", "x/"], "file-folder-conflict"),
        (73, &["x/", "x/", "x/y"], "name-duplicate"),
        (74, &["\u{212a}", "k"], "name-collision"),
        (74, &["stra\u{df}e", "STRASSE"], "name-collision"),
        (74, &["\u{130}x", "i\u{307}x"], "name-collision"),
        (74, &["d\u{131}r", "DIR"], "name-collision"),
    ];
    let with = |names: &[&str]| {
        good(|zip| {
            for name in names {
                zip.file(name, if name.ends_with('/') { "" } else { "content" });
            }
            for entry in zip.entries.iter_mut().filter(|e| e.name.ends_with(b"/")) {
                entry.attributes = 0o040_755 << 16;
            }
        })
    };
    table.iter().map(|(row, names, code)| Case::refuse(*row, &names.join(" + "), &with(names), code)).collect()
}

fn encodings() -> Vec<Case> {
    let entry = |name: &[u8], flags: u16, made_by: u16| {
        good(|zip| {
            zip.entry(ZipEntry::new(name, "content").with(|e| {
                e.flags = flags;
                e.made_by = made_by;
            }));
        })
    };
    let path = |content: &[u8]| {
        let field = extra(0x7075, &[&[1, 0, 0, 0, 0], content].concat());
        good(|zip| {
            zip.entry(ZipEntry::new("a.txt", "content").with(|e| e.extra = field));
        })
    };
    let local_path = good(|zip| {
        zip.entry(ZipEntry::new("a.txt", "content").with(|e| {
            e.local.extra = Some(extra(0x7075, b"\x01\0\0\0\0b.txt"));
        }));
    });
    vec![
        Case::refuse(37, "flagged, invalid", &entry(b"a\xff", 1 << 11, 0x0314), "name-encoding"),
        Case::refuse(38, "code page 437", &entry(b"\x81.txt", 0, 0x0014), "name-encoding"),
        Case::refuse(38, "code page 437 that is UTF-8 by chance", &entry("ü".as_bytes(), 0, 0x0014), "name-encoding"),
        Case::refuse(38, "not UTF-8 on Unix", &entry(b"\x81.txt", 0, 0x0314), "name-encoding"),
        Case::accept(38, "as Info-ZIP writes it", &entry("ü.txt".as_bytes(), 0, 0x031e), &["name-not-flagged"]),
        Case::refuse(39, "leaves the folder", &path(b"../evil.txt"), "unicode-path-differs"),
        Case::refuse(39, "another name", &path(b"b.txt"), "unicode-path-differs"),
        Case::refuse(39, "in the local header only", &local_path, "unicode-path-differs"),
        Case::accept(39, "the same name", &path(b"a.txt"), &[]),
    ]
}

fn remarked() -> Vec<Case> {
    let long = format!("{}x", "directory/".repeat(24));
    let table: &[(u32, &str, &'static str)] = &[
        (50, "__proto__", "name-object-property"),
        (50, "constructor", "name-object-property"),
        (52, "zero\u{200b}width", "name-invisible"),
        (63, "nested.zip", "archive-nested"),
        (63, "again.MCPB", "archive-nested"),
        (76, &long, "path-long"),
        (77, "-rf", "name-shell"),
        (77, "$(id)", "name-shell"),
        (77, "a;b", "name-shell"),
        (77, "a|b", "name-shell"),
        (77, "~root", "name-shell"),
    ];
    table.iter().map(|(row, name, code)| Case::accept(*row, name, &named(name), &[code])).collect()
}

fn manifest() -> Vec<Case> {
    let mut none = ZipBuilder::default();
    none.file("server/index.js", "x");
    let mut below = ZipBuilder::default();
    below.file("bundle/manifest.json", good_manifest().to_string()).file("bundle/server/index.js", "x");
    let other_case = {
        let mut zip = ZipBuilder::default();
        zip.file("manifest.json", good_manifest().to_string()).file("server/Index.js", "x");
        zip
    };
    let invalid = {
        let mut zip = ZipBuilder::default();
        zip.file("manifest.json", "{").file("server/index.js", "x");
        zip
    };
    vec![
        Case::refuse(43, "no manifest", &none, "manifest-missing"),
        Case::refuse(43, "no JSON", &invalid, "manifest-refused"),
        Case::refuse(44, "one folder too deep", &below, "manifest-missing"),
        Case::refuse(78, "entry point in another case", &other_case, "manifest-refused"),
    ]
}

#[test]
fn a_bundle_one_folder_too_deep_gets_a_hint() {
    let mut zip = ZipBuilder::default();
    zip.file("bundle/manifest.json", "{}").file("bundle/x", "x");
    let file = mpak_testkit::zip::temporary(&zip.build());
    let error = mpak_bundle::archive::Bundle::open(file, &mpak_bundle::limits::Limits::default()).err().unwrap();
    assert!(error.help().contains("`bundle/manifest.json` is there"), "{}", error.help());
}
