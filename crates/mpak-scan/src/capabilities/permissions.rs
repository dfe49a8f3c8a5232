//! Permissions of the manifest: what is declared, what the uses need, and the difference.
//!
//! The words widen from left to right: `write` to files includes reading them, and only `full` includes files
//! that hold keys and sessions; `restricted` is for programs that are fixed, `full` for any. What is not declared
//! is `none`. Severities: MTF 0.1 §3.5 CD-02.

use serde_json::{Map, Value, json};

use super::{Access, Capabilities, Use, When};
use crate::evidence::MANIFEST;
use crate::report::{Finding, Severity};

/// The five permissions with their words, from nothing to everything. `outbound` and `inbound` are beside
/// each other.
const WORDS: [(&str, &[&str]); 5] = [
    ("filesystem", &["none", "read", "write", "full"]),
    ("network", &["none", "outbound", "inbound", "full"]),
    ("environment", &["none", "read", "write"]),
    ("subprocess", &["none", "restricted", "full"]),
    ("native", &["none", "required"]),
];
/// How to get the block.
const SUGGEST: &str = "`mpak scan --suggest-permissions` prints the block that covers what the code does";

/// A word for each permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    filesystem: &'static str,
    network: &'static str,
    environment: &'static str,
    subprocess: &'static str,
    native: &'static str,
}

impl Default for Permissions {
    fn default() -> Self {
        Self { filesystem: "none", network: "none", environment: "none", subprocess: "none", native: "none" }
    }
}

impl Permissions {
    /// As declared; words that nobody knows count as `none`.
    pub(crate) fn declared(block: Option<&Value>) -> Self {
        let word = |name: &str| {
            let given = block.and_then(|block| block.get(name)).and_then(Value::as_str).unwrap_or("none");
            let known = WORDS.iter().find(|(permission, _)| *permission == name).map_or(&[][..], |(_, words)| words);
            known.iter().find(|word| **word == given).copied().unwrap_or("none")
        };
        Self {
            filesystem: word("filesystem"),
            network: word("network"),
            environment: word("environment"),
            subprocess: word("subprocess"),
            native: word("native"),
        }
    }

    /// The least that covers all uses.
    pub(crate) fn needed(found: &Capabilities) -> Self {
        let mut needed = Self::default();
        let has = |wanted: &dyn Fn(&Use) -> bool| found.uses.iter().any(wanted);
        let does = |access: Access| has(&|found: &Use| found.access == access);
        needed.filesystem = if has(&|u| is_file(u) && u.secret) {
            "full"
        } else if does(Access::Write) {
            "write"
        } else if does(Access::Read) {
            "read"
        } else {
            "none"
        };
        needed.network = match (does(Access::Outbound), does(Access::Inbound)) {
            (true, true) => "full",
            (true, false) => "outbound",
            (false, true) => "inbound",
            (false, false) => "none",
        };
        needed.environment = if does(Access::EnvironmentWrite) {
            "write"
        } else if does(Access::EnvironmentRead) {
            "read"
        } else {
            "none"
        };
        needed.subprocess = if has(&|u| u.access == Access::Subprocess && u.open) {
            "full"
        } else if does(Access::Subprocess) {
            "restricted"
        } else {
            "none"
        };
        needed.native = if does(Access::Native) { "required" } else { "none" };
        needed
    }

    /// As the manifest's block.
    pub(crate) fn block(self) -> Value {
        let permissions = self.all().map(|(name, word)| (name.to_owned(), json!(word))).into_iter().collect();
        Value::Object(permissions)
    }

    fn all(self) -> [(&'static str, &'static str); 5] {
        [
            ("filesystem", self.filesystem),
            ("network", self.network),
            ("environment", self.environment),
            ("subprocess", self.subprocess),
            ("native", self.native),
        ]
    }

    /// Whether files may be touched, whatever they hold.
    fn covers_files(self, access: Access) -> bool {
        matches!(self.filesystem, "write" | "full") || access == Access::Read && self.filesystem == "read"
    }

    /// Whether a use is declared.
    fn allows(self, found: &Use) -> bool {
        match found.access {
            Access::Read | Access::Write if found.secret => self.filesystem == "full",
            Access::Read | Access::Write => self.covers_files(found.access),
            Access::Outbound => matches!(self.network, "outbound" | "full"),
            Access::Inbound => matches!(self.network, "inbound" | "full"),
            Access::EnvironmentRead => self.environment != "none",
            Access::EnvironmentWrite => self.environment == "write",
            Access::Subprocess if found.open => self.subprocess == "full",
            Access::Subprocess => self.subprocess != "none",
            Access::Native => self.native == "required",
        }
    }
}

fn is_file(found: &Use) -> bool {
    matches!(found.access, Access::Read | Access::Write)
}

/// The block that covers all uses, within the manifest's field for it; what else stands there is kept.
pub(crate) fn suggestion(found: &Capabilities, extension: Option<&Value>) -> Value {
    let mut extension = extension.and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    extension.entry("mtf_version").or_insert_with(|| json!("0.1"));
    extension.insert("permissions".to_owned(), Permissions::needed(found).block());
    json!({"_meta": {"org.mpaktrust": extension}})
}

/// What is done and not declared, the worst first.
pub(crate) fn undeclared(found: &Capabilities, declared: Permissions) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut told = std::collections::BTreeSet::new();
    for used in found.uses.iter().filter(|used| !declared.allows(used)) {
        let (rule, severity) = weight(used, declared);
        // The same variable, and the same line, once.
        let place = if is_variable(used) && used.what.is_some() { None } else { used.line };
        let file = if place.is_none() && is_variable(used) { "" } else { used.file.as_str() };
        if told.insert((rule, file.to_owned(), place, used.what.clone())) {
            findings.push(finding(used, rule, severity, declared));
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn is_variable(found: &Use) -> bool {
    matches!(found.access, Access::EnvironmentRead | Access::EnvironmentWrite)
}

/// The row of the table.
fn weight(used: &Use, declared: Permissions) -> (&'static str, Severity) {
    match used.access {
        // What is linked in can be done; that it is done is not known.
        Access::EnvironmentRead | Access::EnvironmentWrite if used.linked => ("native-import", Severity::Low),
        _ if used.linked => ("native-import", Severity::Medium),
        Access::Native if used.dependency => ("native-dependency", Severity::Low),
        Access::Native => ("native", Severity::Critical),
        // Some program is declared, and which one could not be told.
        Access::Subprocess if declared.subprocess == "restricted" && !used.chosen => ("any-program", Severity::Medium),
        Access::Subprocess => ("subprocess", Severity::Critical),
        Access::Outbound | Access::Inbound if used.when == When::Start => ("network-at-start", Severity::High),
        Access::Outbound | Access::Inbound => ("network", Severity::Medium),
        Access::EnvironmentRead if used.secret => ("secret-variable", Severity::High),
        Access::EnvironmentRead | Access::EnvironmentWrite => ("variable", Severity::Low),
        // Declared, but not by the word that names it.
        Access::Read | Access::Write if used.secret && declared.covers_files(used.access) => {
            ("sensitive-file", Severity::Medium)
        }
        Access::Read | Access::Write if used.secret => ("sensitive-file", Severity::High),
        Access::Read | Access::Write if used.configuration && declared.filesystem == "none" => {
            ("sensitive-file", Severity::High)
        }
        Access::Read | Access::Write => ("file", Severity::Medium),
    }
}

fn finding(used: &Use, rule: &str, severity: Severity, declared: Permissions) -> Finding {
    let what = used.what.as_deref().unwrap_or_default();
    let named = if what.is_empty() { String::new() } else { format!(" `{what}`") };
    let (does, permission, word, needed) = match used.access {
        Access::Subprocess if what.is_empty() => (
            "runs another program".to_owned(),
            "subprocess",
            declared.subprocess,
            if used.open { "full" } else { "restricted" },
        ),
        Access::Subprocess => {
            (format!("runs{named}"), "subprocess", declared.subprocess, if used.open { "full" } else { "restricted" })
        }
        Access::Native if used.dependency => {
            (format!("comes with packages of native code ({what})"), "native", declared.native, "required")
        }
        Access::Native => (format!("loads native code{named}"), "native", declared.native, "required"),
        Access::Outbound if what.is_empty() => {
            ("connects to others".to_owned(), "network", declared.network, "outbound")
        }
        Access::Outbound => (format!("connects to{named}"), "network", declared.network, "outbound"),
        Access::Inbound => ("takes connections".to_owned(), "network", declared.network, "inbound"),
        Access::EnvironmentRead if what == "*" => {
            ("takes the whole environment".to_owned(), "environment", declared.environment, "read")
        }
        Access::EnvironmentRead if what.is_empty() => {
            ("reads environment variables".to_owned(), "environment", declared.environment, "read")
        }
        Access::EnvironmentRead => {
            (format!("reads the environment variable{named}"), "environment", declared.environment, "read")
        }
        Access::EnvironmentWrite => {
            (format!("sets the environment variable{named}"), "environment", declared.environment, "write")
        }
        Access::Read => (
            format!("reads files{named}"),
            "filesystem",
            declared.filesystem,
            if used.secret { "full" } else { "read" },
        ),
        Access::Write => (
            format!("writes files{named}"),
            "filesystem",
            declared.filesystem,
            if used.secret { "full" } else { "write" },
        ),
    };
    let when = match used.when {
        When::Start if used.dependency => "",
        When::Start => " while it starts",
        When::Handler => " when a tool is called",
        When::Elsewhere => "",
    };
    let title = if used.linked {
        format!("the server's native code is linked with what {does}{when}, and `{permission}` is `{word}`")
    } else {
        format!("the server {does}{when}, and `{permission}` is `{word}`")
    };
    let seen = if used.code.is_empty() { used.call.clone() } else { format!("{}: {}", used.call, used.code) };
    Finding::new(format!("CD-02/{rule}"), severity, title)
        .at(used.file.clone(), used.line)
        .seen(seen)
        .fix(format!("remove it, or declare `\"{permission}\": \"{needed}\"`; {SUGGEST}"))
}

/// What is declared and not done.
pub(crate) fn unused(found: &Capabilities, declared: Permissions) -> Vec<Finding> {
    let needed = Permissions::needed(found);
    let mut findings = Vec::new();
    for ((permission, declared), (_, needed)) in declared.all().into_iter().zip(needed.all()) {
        if !wider(permission, declared, needed) {
            continue;
        }
        let title = if needed == "none" {
            format!("`{permission}` is declared as `{declared}`, and nothing in the code uses it")
        } else {
            format!("`{permission}` is declared as `{declared}`, and `{needed}` is enough for the code")
        };
        findings.push(
            Finding::new("CD-02/unused", Severity::Low, title)
                .at(MANIFEST, None)
                .seen(format!("/_meta/org.mpaktrust/permissions/{permission}"))
                .fix(format!("declare `\"{permission}\": \"{needed}\"`; {SUGGEST}")),
        );
    }
    findings
}

/// Whether a word grants more than another.
fn wider(permission: &str, declared: &str, needed: &str) -> bool {
    let words = WORDS.iter().find(|(name, _)| *name == permission).map_or(&[][..], |(_, words)| words);
    let rank = |word: &str| words.iter().position(|known| *known == word).unwrap_or(0);
    match (permission, declared, needed) {
        // Beside each other: the missing one is told as undeclared.
        ("network", "outbound", "inbound") | ("network", "inbound", "outbound") => true,
        _ => rank(declared) > rank(needed),
    }
}

/// Nothing is said about permissions, in a manifest or for want of one.
pub(crate) fn missing(has_manifest: bool) -> Finding {
    let title = if has_manifest {
        "the manifest declares no permissions, so that each counts as `none`"
    } else {
        "there is no manifest that declares permissions, so that each counts as `none`"
    };
    let found = Finding::new("CD-02/not-declared", Severity::Medium, title);
    let found = if has_manifest { found.at(MANIFEST, None).seen("/_meta/org.mpaktrust/permissions") } else { found };
    found.fix(format!("declare them; {SUGGEST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_wider_or_not() {
        for (permission, declared, needed, expected) in [
            ("filesystem", "full", "write", true),
            ("filesystem", "write", "read", true),
            ("filesystem", "read", "read", false),
            ("filesystem", "read", "write", false),
            ("network", "full", "outbound", true),
            ("network", "outbound", "full", false),
            ("network", "inbound", "outbound", true),
            ("native", "required", "none", true),
            ("subprocess", "restricted", "full", false),
        ] {
            assert_eq!(wider(permission, declared, needed), expected, "{permission} {declared} {needed}");
        }
    }

    /// One use of each kind, none of them special.
    fn used(access: Access) -> Use {
        Use { line: Some(1), ..Use::new(access, When::Elsewhere, "a.py", "") }
    }

    #[test]
    fn what_is_declared_and_not_done_is_told() {
        let every = [
            Access::Subprocess,
            Access::Native,
            Access::Outbound,
            Access::Inbound,
            Access::Read,
            Access::Write,
            Access::EnvironmentRead,
            Access::EnvironmentWrite,
        ];
        for (permission, word, does, needed) in [
            ("filesystem", "read", vec![], "none"),
            ("filesystem", "write", vec![Access::Read], "read"),
            ("filesystem", "full", vec![Access::Write], "write"),
            ("network", "outbound", vec![], "none"),
            ("network", "full", vec![Access::Outbound], "outbound"),
            ("network", "inbound", vec![Access::Outbound], "outbound"),
            ("environment", "write", vec![Access::EnvironmentRead], "read"),
            ("environment", "read", vec![], "none"),
            ("subprocess", "full", vec![Access::Subprocess], "restricted"),
            ("subprocess", "restricted", vec![], "none"),
            ("native", "required", vec![], "none"),
        ] {
            // Everything else is done as declared.
            let found = Capabilities { uses: does.iter().copied().map(used).collect(), ..Capabilities::default() };
            let declared = Permissions::declared(Some(&json!({permission: word})));
            let told = unused(&found, declared);
            assert_eq!(told.len(), 1, "{permission} {word} {does:?}");
            assert_eq!((told[0].rule.as_str(), told[0].severity), ("CD-02/unused", Severity::Low));
            let place = format!("/_meta/org.mpaktrust/permissions/{permission}");
            assert_eq!(told[0].evidence.as_deref(), Some(place.as_str()));
            let fix = told[0].remediation.as_deref().unwrap_or_default();
            assert!(fix.contains(&format!("`\"{permission}\": \"{needed}\"`")), "{fix}");
        }
        let found = Capabilities { uses: every.map(used).to_vec(), ..Capabilities::default() };
        let exact = Permissions::needed(&found);
        assert!(unused(&found, exact).is_empty() && undeclared(&found, exact).is_empty());
        assert!(unused(&Capabilities::default(), Permissions::default()).is_empty());
    }

    #[test]
    fn unknown_words_and_missing_fields_are_none() {
        let block = json!({"filesystem": "some", "network": "outbound", "native": true});
        let declared = Permissions::declared(Some(&block));
        assert_eq!(declared, Permissions { network: "outbound", ..Permissions::default() });
        assert_eq!(Permissions::declared(None), Permissions::default());
    }
}
