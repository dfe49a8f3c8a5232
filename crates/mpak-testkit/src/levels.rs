//! A bundle for each level of the framework, with the evidence that it needs: one good server, and what a
//! level lacks taken away.
//!
//! The server is a greeter in Python with one vendored package. It touches nothing, and says so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::zip::good_bundle;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPOSITORY: &str = "https://github.com/acme/greeter";

const MAIN: &str = "from mcp.server.fastmcp import FastMCP

from greetings import hello

server = FastMCP(\"greeter\")


@server.tool()
def greet(name: str) -> str:
    \"\"\"Says hello to somebody by name.\"\"\"
    return hello(name)


if __name__ == \"__main__\":
    server.run()
";
const PACKAGE: &str = "def hello(name: str) -> str:
    return \"Hello, \" + name
";
const METADATA: &str = "Metadata-Version: 2.1
Name: greetings
Version: 1.0.0
License-Expression: MIT
";

/// A bundle that reaches one level, and no higher, with its evidence.
pub struct Fixture {
    /// The level.
    pub level: u8,
    /// The bundle's file.
    pub bytes: Vec<u8>,
    /// For `mpak scan --evidence`; empty of facts where the level needs none.
    pub evidence: Value,
}

/// The fixture of a level, 0 to 4. From level 2 on a snapshot of advisories is needed as well.
pub fn fixture(level: u8) -> Fixture {
    let bytes = good_bundle(&manifest(level), &refs(&files(level)));
    let evidence = evidence(level, &hex(&bytes));
    Fixture { level, bytes, evidence }
}

/// Level 1 names no source and no address, level 0 no tools either.
fn manifest(level: u8) -> Value {
    let permissions =
        json!({"filesystem": "none", "network": "none", "environment": "none", "subprocess": "none", "native": "none"});
    let mut manifest = json!({
        "manifest_version": "0.3",
        "name": "@acme/greeter",
        "version": "1.0.0",
        "description": "Says hello.",
        "author": {"name": "Acme", "email": "security@acme.example"},
        "repository": {"type": "git", "url": REPOSITORY},
        "server": {
            "type": "python",
            "entry_point": "server/main.py",
            "mcp_config": {
                "command": "python",
                "args": ["${__dirname}/server/main.py"],
                "env": {"PYTHONPATH": "${__dirname}/server/lib"},
            },
        },
        "tools": [{"name": "greet", "description": "Says hello to somebody by name."}],
        "_meta": {"org.mpaktrust": {"mtf_version": "0.1", "permissions": permissions}},
    });
    let fields = manifest.as_object_mut().expect("an object");
    if level < 2 {
        fields.remove("repository");
        fields.remove("_meta");
        fields["author"] = json!({"name": "Acme"});
    }
    if level < 1 {
        fields.remove("tools");
    }
    if level >= 4 {
        fields["_meta"]["org.mpaktrust"]["source"] = json!({"commit": COMMIT});
        fields["_meta"]["org.mpaktrust"]["build"] =
            json!({"builder": "a workflow", "reproducible": true, "instructions": REPOSITORY});
    }
    manifest
}

fn files(level: u8) -> Vec<(&'static str, String)> {
    let line = |path: &str, text: &str| {
        format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())), text.len())
    };
    let record = line("greetings/__init__.py", PACKAGE)
        + &line("greetings-1.0.0.dist-info/METADATA", METADATA)
        + "greetings-1.0.0.dist-info/RECORD,,\n";
    let mut files = vec![
        ("server/main.py", MAIN.to_owned()),
        ("server/lib/greetings/__init__.py", PACKAGE.to_owned()),
        ("server/lib/greetings-1.0.0.dist-info/METADATA", METADATA.to_owned()),
        ("server/lib/greetings-1.0.0.dist-info/RECORD", record),
    ];
    if level >= 2 {
        let component = json!({"type": "library", "name": "greetings", "version": "1.0.0", "purl": "pkg:pypi/greetings@1.0.0",
            "hashes": [{"alg": "SHA-256", "content": hex(PACKAGE.as_bytes())}]});
        let sbom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [component]});
        files.push(("sbom.json", sbom.to_string()));
    }
    files
}

fn evidence(level: u8, sha256: &str) -> Value {
    let mut evidence = json!({"version": 1, "artifact": {"sha256": sha256}, "as_of": "2026-11-21"});
    let fields = evidence.as_object_mut().expect("an object");
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if level >= 2 {
        put(
            "publisher",
            json!({
                "verified": true, "issuer": "https://token.actions.githubusercontent.com",
                "subject": "repo:acme/greeter:ref:refs/tags/v1.0.0", "repository": "acme/greeter",
                "repository_id": "1", "owner_id": "2", "workflow": ".github/workflows/release.yml",
                "ref": "refs/tags/v1.0.0", "sha": COMMIT, "owners_count": 2, "account_age_days": 400,
            }),
        );
    }
    if level >= 3 {
        put(
            "signatures",
            json!([{"method": "sigstore", "state": "valid-trusted", "signer": "acme", "authorized": true}]),
        );
        put(
            "attestation",
            json!({"verified": {
                "subjects": [sha256], "predicate_type": "https://slsa.dev/provenance/v1",
                "builder": "https://github.com/actions/runner/github-hosted",
                "issuer": "https://token.actions.githubusercontent.com", "repository": REPOSITORY, "commit": COMMIT,
            }}),
        );
        put(
            "scorecard",
            json!({"repository": REPOSITORY, "score": 8.0, "date": "2026-11-16",
                "checks": {"Token-Permissions": 10, "Dangerous-Workflow": 10, "Branch-Protection": 8}}),
        );
    }
    if level >= 4 {
        put(
            "repository",
            json!({"url": REPOSITORY, "reachable": true, "commit": COMMIT, "commit_found": true, "commit_signed": true}),
        );
        put(
            "behaviour",
            json!({"started": true, "tools_listed": ["greet"], "tools_called": ["greet"], "network": [], "files": [],
                "environment": [], "processes": [], "observed_by": "the fixture"}),
        );
        put("rebuilds", json!([{"sha256": sha256, "by": "somebody else"}]));
    }
    evidence
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refs<'a>(files: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a [u8])> {
    files.iter().map(|(path, text)| (*path, text.as_bytes())).collect()
}
