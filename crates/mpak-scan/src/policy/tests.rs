//! Each rule of a policy, broken and kept.

use serde_json::{Value, json};

use super::*;
use crate::evidence::{Evidence, scan};

const PACKAGE: &str = r#"{"name":"left-pad","version":"1.3.0","license":"(MIT OR WTFPL)"}"#;

fn evidence() -> Evidence {
    let document = json!({"name": "x", "server": {"type": "python", "entry_point": "server/main.py"}});
    let code = "import os\nfrom mcp.server.fastmcp import FastMCP\nm = FastMCP('x')\n@m.tool()\ndef run(cmd: str):\n    os.system(cmd)\n";
    Evidence::of_files(&document, &[("server/main.py", code), ("node_modules/left-pad/package.json", PACKAGE)])
}

fn broken(policy: &Value) -> Vec<String> {
    let policy = Policy::read(policy.to_string().as_bytes()).unwrap();
    let evidence = evidence().with_policy(policy);
    let decision = scan(&evidence).policy.unwrap();
    assert_eq!(decision.satisfied, decision.violations.is_empty());
    decision.violations.into_iter().map(|v| format!("{}: {}", v.rule, v.message)).collect()
}

#[test]
fn each_rule_can_be_broken_and_kept() {
    for (rule, kept, broken_by) in [
        ("level", json!({"level": 0}), json!({"level": 4})),
        ("score", json!({"score": 0}), json!({"score": 100})),
        ("required", json!({"required": ["CQ-01"]}), json!({"required": ["CQ-06"]})),
        ("required", json!({"required": ["CQ-01"]}), json!({"required": ["CQ-05"]})),
        (
            "fail.CQ-05",
            json!({"fail": {"default": "low", "CQ-05/shell": "critical"}}),
            json!({"fail": {"CQ-05": "high"}}),
        ),
        ("fail.default", json!({"fail": {}}), json!({"fail": {"default": "critical"}})),
        ("deny.rules", json!({"deny": {"rules": ["CQ-05/query"]}}), json!({"deny": {"rules": ["CQ-05/*"]}})),
        (
            "deny.packages",
            json!({"deny": {"packages": ["pkg:npm/left-pad@1.0.0", "pkg:npm/left"]}}),
            json!({"deny": {"packages": ["pkg:npm/left-pad"]}}),
        ),
        ("deny.packages", json!({"deny": {"packages": []}}), json!({"deny": {"packages": ["pkg:npm/left-pad@1.3.0"]}})),
        ("deny.licenses", json!({"deny": {"licenses": ["GPL-3.0-only"]}}), json!({"deny": {"licenses": ["WTFPL"]}})),
    ] {
        let with_version = |mut policy: Value| {
            policy["version"] = json!(1);
            policy
        };
        let of =
            |violations: Vec<String>| violations.into_iter().filter(|v| v.starts_with(&format!("{rule}:"))).count();
        assert_eq!(of(broken(&with_version(kept.clone()))), 0, "{kept}");
        assert!(of(broken(&with_version(broken_by.clone()))) > 0, "{broken_by}");
    }
}

#[test]
fn the_nearest_severity_decides() {
    let policy = json!({"version": 1, "fail": {"default": "info", "CQ-05": "info", "CQ-05/shell": "critical"}});
    let violations = broken(&policy);
    assert!(violations.iter().any(|v| v.starts_with("fail.CQ-05/shell: critical")), "{violations:?}");
    assert!(!violations.iter().any(|v| v.starts_with("fail.CQ-05: ")), "{violations:?}");
}

#[test]
fn toml_and_json_say_the_same() {
    let text = "version = 1\nname = \"ours\"\nlevel = 2\n[fail]\ndefault = \"critical\"\n[suppressions]\nby = [\"file\"]\nuntil_required = true\n[deny]\nlicenses = [\"AGPL-3.0-only\"]\n";
    let toml = Policy::read(text.as_bytes()).unwrap();
    let json = json!({"version": 1, "name": "ours", "level": 2, "fail": {"default": "critical"},
        "suppressions": {"by": ["file"], "until_required": true}, "deny": {"licenses": ["AGPL-3.0-only"]}});
    let json = Policy::read(json.to_string().as_bytes()).unwrap();
    assert_eq!(format!("{toml:?}"), format!("{json:?}"));
    assert_eq!(toml.level(), Some(2));
}

#[test]
fn a_policy_decides_which_suppressions_count() {
    let entry = |until: Option<&str>| {
        let mut entry = json!({"id": "CQ-05/shell", "place": "a.py", "reason": "looked at by hand"});
        if let Some(until) = until {
            entry["until"] = json!(until);
        }
        crate::suppressions::Suppressions::read(json!({"version": 1, "suppressions": [entry]}).to_string().as_bytes())
            .unwrap()
            .suppressions
    };
    for (rules, until, refused) in [
        (json!({}), None, None),
        (json!({"by": ["manifest"]}), None, Some("from there")),
        (json!({"by": ["file"], "allow": ["CQ-05/*"]}), None, None),
        (json!({"allow": ["CQ-05/query"]}), None, Some("of this rule")),
        (json!({"allow": []}), None, Some("of this rule")),
        (json!({"until_required": true}), None, Some("`until`")),
        (json!({"until_required": true}), Some("2030-01-01"), None),
    ] {
        let policy = Policy::read(json!({"version": 1, "suppressions": rules}).to_string().as_bytes()).unwrap();
        let mut all = entry(until).on(Some("2026-11-21".to_owned()));
        all.permitted(&|entry| policy.refuses(entry));
        let note = all.applied().told().remove(0).note.unwrap_or_default();
        match refused {
            Some(words) => assert!(note.contains(words), "{rules}: {note}"),
            None => assert!(!note.contains("policy"), "{rules}: {note}"),
        }
    }
}

#[test]
fn what_is_no_policy_is_refused_with_the_place() {
    for (text, expected) in [
        ("{}", "version"),
        (r#"{"version":2}"#, "`version` is `2`"),
        (r#"{"version":1,"levels":2}"#, "levels"),
        (r#"{"version":1,"level":9}"#, "`level` is `9`"),
        (r#"{"version":1,"score":101}"#, "`score`"),
        (r#"{"version":1,"required":["CQ-99"]}"#, "CQ-99"),
        (r#"{"version":1,"required":["cq-01"]}"#, "cq-01"),
        (r#"{"version":1,"fail":{"all":"high"}}"#, "`all`"),
        (r#"{"version":1,"fail":{"CQ-05":"bad"}}"#, "bad"),
        (r#"{"version":1,"deny":{"rules":["CQ-05"]}}"#, "`CQ-05`"),
        (r#"{"version":1,"deny":{"packages":["left-pad"]}}"#, "`left-pad`"),
        (r#"{"version":1,"suppressions":{"by":["anybody"]}}"#, "anybody"),
        ("version = 1\nlevel = \"high\"\n", "level"),
        ("\u{0}", "cannot be read"),
    ] {
        let error = Policy::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(matches!(Policy::read(b"\xff\xfe"), Err(PolicyError::Text)));
    assert!(matches!(Policy::read(&vec![b' '; POLICY_BYTES_MAX + 1]), Err(PolicyError::TooLarge { .. })));
}
