//! No bundle raises its own level: what its author adds, suppresses or makes too large satisfies no control.

use mpak_bundle::limits::Limits;
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::report::{Report, Severity};
use mpak_scan::suppressions::Suppressions;
use mpak_testkit::zip::good_bundle;
use serde_json::{Value, json};

use crate::unchanged::{snapshot, tar_gz};
use crate::world::{archive, complete_manifest, control};

const NATIVE: &str = "\u{7f}ELF\u{2}\u{1}\u{1}program";
/// A tool that runs and opens what the model chooses.
const DECOY: &str = "import fs from 'fs';\nimport { exec } from 'child_process';\nimport { z } from 'zod';
server.tool('run', { cmd: z.string() }, ({ cmd }) => { exec(cmd); return fs.readFileSync(cmd); });\n";

fn evidence(entry_point: &str, suppressed: &[Value], files: &[(&str, &str)]) -> Evidence {
    let mut manifest = complete_manifest();
    manifest["server"]["entry_point"] = json!(entry_point);
    manifest["_meta"]["org.mpaktrust"]["suppressions"] = json!(suppressed);
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    Evidence::from_archive(&archive(&good_bundle(&manifest, &files)), &Limits::default()).expect("evidence")
}

fn entry(id: &str, place: &str) -> Value {
    json!({"id": id, "place": place, "reason": "checked by hand"})
}

fn status(report: &Report, id: &str) -> Status {
    control(report, id).status
}

#[test]
fn suppressed_decoys_do_not_speak_for_code_that_was_not_judged() {
    let all = [entry("CQ-05/shell", "decoy.js"), entry("CQ-03/path", "decoy.js")];
    let judged = |entry_point, suppressed: &[Value]| {
        scan(&evidence(entry_point, suppressed, &[("server/run", NATIVE), ("decoy.js", DECOY)]))
    };
    for id in ["CQ-03", "CQ-05"] {
        assert_eq!(status(&judged("server/run", &[]), id), Status::Fail, "{id}");
        let report = judged("server/run", &all);
        let result = control(&report, id);
        assert_eq!(result.status, Status::NotRun, "{result:?}");
        assert!(result.reason.contains("native code, which was not judged") && result.reason.contains("suppressed"));
        // The same of a server that is what was judged.
        assert_eq!(status(&judged("decoy.js", &all), id), Status::Warn, "{id}");
    }
}

#[test]
fn an_entry_point_that_is_never_started_does_not_speak_for_what_is() {
    let limits = Limits::default();
    let judged = |config: &Value| {
        let mut manifest = complete_manifest();
        manifest["server"]["mcp_config"] = config.clone();
        let files: [(&str, &[u8]); 2] =
            [("server/index.js", b"console.log(1);\n"), ("server/run.exe", NATIVE.as_bytes())];
        scan(&Evidence::from_archive(&archive(&good_bundle(&manifest, &files)), &limits).expect("evidence"))
    };
    let node = json!({"command": "node", "args": ["${__dirname}/server/index.js"]});
    let native = json!({"command": "${__dirname}/server/run"});
    let on_windows =
        json!({"command": "node", "platform_overrides": {"win32": {"command": "${__dirname}\\server\\run.exe"}}});
    let handed = json!({"command": "/usr/bin/env", "args": ["./server/run.exe"]});
    for (config, expected) in
        [(node, Status::Pass), (native, Status::NotRun), (on_windows, Status::NotRun), (handed, Status::NotRun)]
    {
        let report = judged(&config);
        assert_eq!((status(&report, "CQ-03"), status(&report, "CQ-05")), (expected, expected), "{config}");
    }
}

#[test]
fn an_author_does_not_answer_for_code_that_nobody_could_read() {
    let deep = format!("x = {}1{}\n", "(".repeat(1_000), ")".repeat(1_000));
    let files = [("main.py", "import more\n"), ("more.py", deep.as_str())];
    let report = scan(&evidence("main.py", &[entry("CQ-03/unread", "more.py")], &files));
    assert_eq!(status(&report, "CQ-03"), Status::Fail);
    assert!(report.suppressions[0].note.as_ref().is_some_and(|note| note.contains("nobody could read")));
}

#[test]
fn what_whoever_scans_answers_for_is_not_what_could_not_be_compared() {
    let deep = format!("x = {}1{}\n", "(".repeat(1_000), ")".repeat(1_000));
    let runs = "import os, more\nos.system('id')\n";
    let file = json!({"version": 1, "suppressions": [entry("CD-02/subprocess", "main.py")]}).to_string();
    for (more, expected) in [("print(1)\n", Status::Warn), (&deep, Status::NotRun)] {
        let evidence = evidence("main.py", &[], &[("main.py", runs), ("more.py", more)]);
        assert_eq!(status(&scan(&evidence), "CD-02"), Status::Fail);
        let given = Suppressions::read(file.as_bytes()).expect("a sound file").suppressions;
        assert_eq!(status(&scan(&evidence.with_suppressions(given)), "CD-02"), expected);
    }
}

#[test]
fn handlers_that_are_brought_along_say_nothing_of_a_server_that_was_not_read() {
    let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
    let tool = "import { z } from 'zod';\nserver.tool('a', { q: z.string() }, ({ q }) => q);\n";
    let files = [("node_modules/widget/package.json", about.as_str()), ("node_modules/widget/index.js", tool)];
    let of = |entry, text| scan(&evidence(entry, &[], &[&[(entry, text)], &files[..]].concat()));
    assert_eq!(status(&of("server/run", NATIVE), "CQ-04"), Status::NotRun);
    assert_eq!(status(&of("server/run.rb", "puts 1\n"), "CQ-04"), Status::NotRun);
    assert_eq!(status(&of("server/index.js", "import 'widget';\n"), "CQ-04"), Status::Pass);
}

#[test]
fn code_that_is_larger_than_what_is_followed_is_not_passed() {
    let tools = |count: usize| -> String {
        let tools = (0..count).map(|i| format!("server.tool('t{i}', {{ a: z.string() }}, ({{ a }}) => a);\n"));
        std::iter::once("import { z } from 'zod';\n".to_owned()).chain(tools).collect()
    };
    for (count, expected) in [(3, Status::Pass), (5_000, Status::NotRun)] {
        let text = tools(count);
        let report = scan(&evidence("server/index.js", &[], &[("server/index.js", &text)]));
        assert_eq!((status(&report, "CQ-03"), status(&report, "CQ-05")), (expected, expected), "{count}");
        // No own code at all: what stands in packages is code of the bundle as well.
        let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
        let files = [("node_modules/widget/package.json", about.as_str()), ("node_modules/widget/index.js", &text)];
        let report = scan(&evidence("server/none.js", &[], &files));
        let passes = (status(&report, "CQ-03").satisfied(), status(&report, "CQ-05").satisfied());
        assert_eq!(passes, (count == 3, count == 3), "{count}");
    }
}

#[test]
fn what_the_servers_own_code_hands_to_an_unchanged_package_is_its_own_doing() {
    let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
    let helper = "import { exec } from 'child_process';\nimport { z } from 'zod';
export function run(text) { exec(text); }
export function serve(server) { server.tool('w', { q: z.string() }, ({ q }) => q); }\n";
    let own = "import { run } from '../node_modules/widget/index.js';\nimport { z } from 'zod';
server.tool('a', { q: z.string() }, ({ q }) => run(q));\n";
    let known =
        snapshot(&[("widget-2.0.0.tgz", &tar_gz(&[("package/package.json", &about), ("package/index.js", helper)]))]);
    let package = [("node_modules/widget/package.json", about.as_str()), ("node_modules/widget/index.js", helper)];
    let judged = |own: &str| {
        let files = [&[("server/index.js", own)], &package[..]].concat();
        scan(&evidence("server/index.js", &[], &files).with_advisories(&known).expect("a sound snapshot"))
    };
    // It calls the package, or takes a function of it for a tool.
    let takes = "import { run } from '../node_modules/widget/index.js';\nimport { z } from 'zod';\nserver.tool('a', { q: z.string() }, run);\n";
    for own in [own, takes] {
        let report = judged(own);
        let result = control(&report, "CQ-05");
        let finding = &result.findings[0];
        assert_eq!((result.status, finding.severity), (Status::Fail, Severity::Critical), "{result:?}");
        assert_eq!(finding.file.as_deref(), Some("node_modules/widget/index.js"));
        assert!(!finding.title.starts_with("as published"), "{}", finding.title);
        assert_eq!(finding.path[0].file, "server/index.js", "{finding:?}");
    }
}

#[test]
fn what_is_in_unchanged_files_does_not_speak_for_code_that_was_not_judged() {
    let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
    let known =
        snapshot(&[("widget-2.0.0.tgz", &tar_gz(&[("package/package.json", &about), ("package/index.js", DECOY)]))]);
    let package = [("node_modules/widget/package.json", about.as_str()), ("node_modules/widget/index.js", DECOY)];
    for (entry_point, text, expected) in
        [("server/run", NATIVE, Status::NotRun), ("server/index.js", "import 'widget';\n", Status::Warn)]
    {
        let files = [&[(entry_point, text)], &package[..]].concat();
        let evidence = evidence(entry_point, &[], &files);
        let report = scan(&evidence.with_advisories(&known).expect("a sound snapshot"));
        for id in ["CQ-03", "CQ-05"] {
            let result = control(&report, id);
            assert_eq!(result.status, expected, "{result:?}");
            assert!(result.reason.contains("in a file as it was published"), "{}", result.reason);
        }
    }
}
