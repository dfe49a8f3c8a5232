//! Collecting and packing: what is left out, which links are followed, same input same bytes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::{CollectError, Collected, collect};
use mpak_bundle::extract::{ExtractOptions, extract};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::Contents as _;
use mpak_bundle::pack::{PackOptions, Packed, pack};
use proptest::prelude::*;

/// A folder built by a test; `manifest.json` is there from the start.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap()).with("manifest.json", "{}")
    }

    fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
        self
    }

    #[cfg(unix)]
    fn link(self, path: &str, target: impl AsRef<Path>) -> Self {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, place).unwrap();
        self
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn collect(&self) -> Result<Collected, CollectError> {
        collect(self.0.path(), &Limits::default(), &[])
    }

    #[track_caller]
    fn paths(&self) -> Vec<String> {
        self.collect().unwrap().paths()
    }

    #[track_caller]
    fn packed(&self) -> (Vec<u8>, Packed) {
        packed(&self.collect().unwrap(), &PackOptions::default())
    }
}

fn packed(collected: &Collected, options: &PackOptions) -> (Vec<u8>, Packed) {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("x.mcpb");
    let packed = pack(collected, &file, options).unwrap();
    (fs::read(file).unwrap(), packed)
}

#[test]
fn what_the_rules_leave_out_is_left_out_and_counted() {
    let tree = Tree::new()
        .with(
            ".mcpbignore",
            "  *.test.js \r\n# comment\r\n   # comment too\r\ntests/\n!tests/keep\ndocs/*\n!docs/keep\n!keep.log\n",
        )
        .with("server/index.js", "")
        .with("Foo.Test.JS", "")
        .with("X.LOG", "")
        .with("keep.log", "")
        .with("tests/keep", "")
        .with("docs/drop", "")
        .with("docs/keep/page", "")
        .with("node_modules/.bin/tool", "")
        .with("server/node_modules/.bin/tool", "")
        .with(".git/HEAD", "")
        .with(".git/config", "")
        .with(".gitattributes", "")
        .with("sub/.mcpbignore", "*")
        .with("sub/kept", "");
    let collected = tree.collect().unwrap();
    assert_eq!(
        collected.paths(),
        [
            "manifest.json",
            ".gitattributes",
            "docs/keep/page",
            "keep.log",
            "server/index.js",
            "server/node_modules/.bin/tool",
            "sub/kept",
        ]
    );
    // .git, .mcpbignore, Foo.Test.JS, X.LOG, docs/drop, node_modules/.bin, sub/.mcpbignore, tests: each once.
    assert_eq!(collected.ignored_count(), 8);
}

#[test]
fn an_ignore_file_that_cannot_be_read_is_told_and_taken_as_empty() {
    let tree = Tree::new().with("a.log", "").with("b", "");
    fs::create_dir(tree.at(".mcpbignore")).unwrap();
    let collected = tree.collect().unwrap();
    assert_eq!(collected.paths(), ["manifest.json", "b"]);
    assert_eq!(collected.findings()[0].code, "ignore-file");
}

#[test]
fn without_a_manifest_there_is_no_bundle() {
    let empty = tempfile::tempdir().unwrap();
    let error = collect(empty.path(), &Limits::default(), &[]).unwrap_err();
    assert!(matches!(error, CollectError::NoManifest { .. }), "{error}");
    let error = Tree::new().with(".mcpbignore", "*.json").collect().unwrap_err();
    assert!(matches!(error, CollectError::ManifestIgnored), "{error}");
    let tree = Tree::new();
    let missing = collect(&tree.at("nothing"), &Limits::default(), &[]).unwrap_err();
    assert!(matches!(missing, CollectError::Missing { .. }), "{missing}");
    let file = collect(&tree.at("manifest.json"), &Limits::default(), &[]).unwrap_err();
    assert!(matches!(file, CollectError::NotAFolder { .. }), "{file}");
}

#[cfg(unix)]
#[test]
fn links_inside_the_folder_are_followed() {
    let tree = Tree::new()
        .with("real/a.js", "content")
        .with(".env", "SECRET")
        .link("file.js", "real/a.js")
        .link("folder", "real")
        .link("config", ".env");
    let absolute = tree.at("real/a.js");
    let tree = tree.link("absolute.js", absolute);
    let collected = tree.collect().unwrap();
    assert_eq!(collected.paths(), ["manifest.json", "absolute.js", "config", "file.js", "folder/a.js", "real/a.js"]);
    assert_eq!(collected.head("folder/a.js", 99).unwrap(), b"content");
    let told: Vec<_> = collected.findings().iter().map(|f| (f.code, f.path.as_str())).collect();
    assert_eq!(told, [("link-to-ignored", "config")]);
}

#[cfg(unix)]
#[test]
fn links_that_leave_loop_or_dangle_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "x").unwrap();
    // Row 85: to a file, to a folder, by `..`.
    for target in [outside.path().join("secret"), outside.path().to_owned(), PathBuf::from("..")] {
        let error = Tree::new().link("server/link", &target).collect();
        let expect_loop = target == Path::new("..");
        match error.unwrap_err() {
            CollectError::LinkOutside { path, .. } => assert!(!expect_loop && path == "server/link"),
            CollectError::LinkLoop { path } => assert!(expect_loop && path == "server/link"),
            other => panic!("{other}"),
        }
    }
    let error = Tree::new().link("up", "..").collect().unwrap_err();
    assert!(matches!(error, CollectError::LinkOutside { .. }), "{error}");
    // Row 86: to itself, in a circle, to a folder above through another folder, to nothing.
    let loops = [
        Tree::new().link("a", "a"),
        Tree::new().link("a", "b").link("b", "a"),
        Tree::new().with("x/y/f", "").link("x/y/m", "../../x").link("l", "x/y"),
    ];
    for tree in loops {
        let error = tree.collect().unwrap_err();
        assert!(matches!(error, CollectError::LinkLoop { .. }), "{error}");
    }
    let error = Tree::new().link("a", "nothing").collect().unwrap_err();
    assert!(matches!(&error, CollectError::LinkDangling { target, .. } if target == Path::new("nothing")), "{error}");
    // What the rules leave out is never looked at.
    assert_eq!(
        Tree::new().link("x.log", "/etc/passwd").link("node_modules/.bin", "nothing").paths(),
        ["manifest.json"]
    );
}

#[cfg(unix)]
#[test]
fn links_that_multiply_folders_end_at_a_limit() {
    let mut tree = Tree::new().with("l0/f", "");
    for level in 1..30 {
        for name in ["a", "b"] {
            tree = tree.link(&format!("l{level}/{name}"), format!("../l{}", level - 1));
        }
    }
    let limits = Limits { entries_count_max: 1000, ..Limits::default() };
    let error = collect(tree.0.path(), &limits, &[]).unwrap_err();
    assert!(matches!(error, CollectError::Limit { limit: 1000, .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_are_refused_without_opening_them() {
    let tree = Tree::new();
    let made = std::process::Command::new("mkfifo").arg(tree.at("pipe")).status().expect("`mkfifo` is on this machine");
    assert!(made.success());
    let error = tree.collect().unwrap_err();
    assert!(matches!(error, CollectError::Special { kind: "named pipe", .. }), "{error}");
    let tree = Tree::new();
    let _socket = std::os::unix::net::UnixListener::bind(tree.at("socket")).unwrap();
    let error = tree.collect().unwrap_err();
    assert!(matches!(error, CollectError::Special { kind: "socket", .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn names_that_not_every_system_can_keep_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let tree = Tree::new();
    fs::write(tree.0.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "").unwrap();
    let error = tree.collect().unwrap_err();
    assert!(matches!(error, CollectError::NotUtf8 { .. }), "{error}");
    for name in ["a\\b", "a\u{202e}b", "a\nb"] {
        let error = Tree::new().with(name, "").collect().unwrap_err();
        assert!(matches!(error, CollectError::Path { .. }), "{name:?}: {error}");
    }
    for (one, other) in [("Read.md", "read.md"), ("caf\u{e9}", "cafe\u{301}"), ("A/x", "a/y"), ("a", "A/y")] {
        let error = Tree::new().with(one, "").with(other, "").collect().unwrap_err();
        assert!(matches!(error, CollectError::Collision { .. }), "{one} {other}: {error}");
    }
}

#[test]
fn limits_hold_while_collecting() {
    let tree = Tree::new().with("a", "12345").with("b", "12345");
    let cases = [
        Limits { entry_bytes_max: 4, ..Limits::default() },
        Limits { unpacked_bytes_max: 11, ..Limits::default() },
        Limits { entries_count_max: 2, ..Limits::default() },
    ];
    for limits in cases {
        let error = collect(tree.0.path(), &limits, &[]).unwrap_err();
        assert!(matches!(error, CollectError::Limit { .. }), "{error}");
    }
    let exact = Limits { entry_bytes_max: 5, unpacked_bytes_max: 12, entries_count_max: 3, ..Limits::default() };
    assert_eq!(collect(tree.0.path(), &exact, &[]).unwrap().files().len(), 3);
}

#[test]
fn what_should_perhaps_not_be_packed_is_told() {
    let certificate = "-----BEGIN CERTIFICATE-----\n";
    let tree = Tree::new()
        .with(".venv/pyvenv.cfg", "")
        .with(".venv/bin/python", "")
        .with(".ssh/config", "")
        .with("deploy.PEM", "-----BEGIN PRIVATE KEY-----\n")
        .with("chain.pem", format!("{certificate}-----BEGIN RSA PRIVATE KEY-----\n"))
        .with("lib/certifi/cacert.pem", certificate)
        .with("home/.pypirc", "")
        .with("lib/x/__pycache__/x.pyc", "")
        .with(".mcpbignore", "!.env\n!.npmrc")
        .with(".env", "")
        .with(".npmrc", "")
        .with("server/index.js", "");
    let collected = tree.collect().unwrap();
    let told: Vec<_> = collected.findings().iter().map(|f| (f.code, f.path.as_str())).collect();
    assert_eq!(
        told,
        [
            ("byte-code", "lib/x/__pycache__"),
            ("credentials", ".env"),
            ("credentials", ".npmrc"),
            ("credentials", ".ssh"),
            ("credentials", "chain.pem"),
            ("credentials", "deploy.PEM"),
            ("credentials", "home/.pypirc"),
            ("virtual-environment", ".venv"),
        ]
    );
}

/// Row 88.
#[test]
fn the_output_and_stray_temporary_files_are_never_packed() {
    let tree = Tree::new().with("a", "").with(".mpak-new-x1", "left by a killed run");
    let out = tree.at("out.zip");
    let run = || {
        let collected = collect(tree.0.path(), &Limits::default(), std::slice::from_ref(&out)).unwrap();
        pack(&collected, &out, &PackOptions::default()).unwrap()
    };
    let (first, second) = (run(), run());
    assert_eq!(first.sha256, second.sha256);
    assert_eq!(second.files_count, 2);
}

/// Row 89: other times, modes as another umask gives them, another order of creation, another folder.
#[cfg(unix)]
#[test]
fn same_input_same_bytes() {
    use std::os::unix::fs::PermissionsExt as _;
    let files: Vec<(String, String)> =
        (0..200).map(|i| (format!("d{}/f{i}", i % 7), format!("content {i} ").repeat(i))).collect();
    let build = |order: Vec<&(String, String)>, mode: u32, age_s: u64| {
        let tree = order.into_iter().fold(Tree::new(), |tree, (path, content)| tree.with(path, content));
        for (path, _) in &files {
            let executable = if path.ends_with('7') { mode & 0o100 | mode >> 2 & 0o111 } else { 0 };
            let place = tree.at(path);
            fs::set_permissions(&place, fs::Permissions::from_mode(mode & 0o666 | executable)).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000 + age_s);
            File::options().append(true).open(place).unwrap().set_modified(time).unwrap();
        }
        tree
    };
    let one = build(files.iter().collect(), 0o755, 0);
    let other = build(files.iter().rev().collect(), 0o700, 100_000_000);
    let (bytes, digest) = one.packed();
    assert_eq!(bytes, other.packed().0);
    assert_eq!(digest.sha256, mpak_bundle::digest::Sha256::of(&bytes));
    assert_eq!(digest.bytes, bytes.len() as u64);
}

#[test]
fn the_time_of_all_entries_is_the_given_one() {
    let tree = Tree::new().with("a", "");
    let collected = tree.collect().unwrap();
    let at = |epoch| packed(&collected, &PackOptions { source_date_epoch: epoch }).0;
    assert_eq!(at(None), at(Some(0)));
    assert_ne!(at(None), at(Some(1_700_000_000)));
    assert_eq!(at(Some(1_700_000_000)), at(Some(1_700_000_001)), "the format counts in steps of two seconds");
}

#[test]
fn the_old_bundle_stays_when_writing_fails() {
    let tree = Tree::new();
    let out = tree.at("folder.mcpb");
    fs::create_dir_all(out.join("x")).unwrap();
    let error = pack(&tree.collect().unwrap(), &out, &PackOptions::default()).unwrap_err();
    assert!(error.to_string().contains("folder.mcpb"), "{error}");
    let left: Vec<_> = fs::read_dir(tree.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn entries_lie_in_order_and_keep_their_execute_bit() {
    let tree = Tree::new().with("z", "").with("a/b", "").with("a-b", "");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(tree.at("a/b"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let archive = opened(&tree.packed().0);
    let entries: Vec<_> = archive.entries().iter().map(|e| (e.path.as_str(), e.executable)).collect();
    assert_eq!(entries, [("manifest.json", false), ("a-b", false), ("a/b", cfg!(unix)), ("z", false)]);
    assert_eq!(archive.findings(), []);
}

fn opened(bytes: &[u8]) -> Archive {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    Archive::open(file, &Limits::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the files: extracted, they are what was packed; packed again, the same bytes.
    #[test]
    fn pack_then_extract_is_identity(files in prop::collection::btree_map(
        "[a-z\u{e4}0-9 _.+-]{1,12}(/[A-Za-z]{1,5}){0,3}", (any::<bool>(), content()), 0..12,
    )) {
        let mut tree = Tree::new().with(".mcpbignore", "");
        for (path, (executable, content)) in &files {
            let place = tree.at(path);
            // A file where another needs a folder, or a name that is left out: not this test's matter.
            if path.split('/').any(|part| part.chars().all(|c| c == '.'))
                || place.exists() || place.parent().is_some_and(|p| fs::create_dir_all(p).is_err()) {
                continue;
            }
            tree = tree.with(path, content);
            #[cfg(unix)]
            if *executable {
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let collected = match tree.collect() {
            Ok(collected) => collected,
            Err(CollectError::Collision { .. } | CollectError::Path { .. }) => return Ok(()),
            Err(other) => panic!("{other}"),
        };
        let (bytes, _) = packed(&collected, &PackOptions::default());
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("x");
        extract(&opened(&bytes), &folder, ExtractOptions::default()).unwrap();
        let again = collect(&folder, &Limits::default(), &[]).unwrap();
        prop_assert_eq!(again.paths(), collected.paths());
        for (before, after) in collected.files().iter().zip(again.files()) {
            prop_assert_eq!(read(&before.source), read(&after.source));
            prop_assert_eq!(before.executable, after.executable);
        }
        prop_assert_eq!(packed(&again, &PackOptions::default()).0, bytes);
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0_usize..300_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
