//! `mpak trust`, and `mpak publish` by the identity of a CI job.

use std::time::{SystemTime, UNIX_EPOCH};

use mpak_testkit::issuer::{Issuer, JOB_SECRET, Stamp, github_claims};
use mpak_testkit::zip::{good_bundle, good_manifest};
use serde_json::Value;

use crate::registry::Registry;
use crate::world::World;

/// A registry that trusts an issuer, and a job of that issuer.
struct Ci {
    world: World,
    registry: Registry,
    issuer: Issuer,
    /// The issuer answers as long as it runs.
    _runtime: tokio::runtime::Runtime,
}

impl Ci {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let issuer = runtime.block_on(Issuer::start());
        let world = World::new();
        let config = format!("[[publishing.issuer]]\nkind = \"github\"\nissuer = \"{}\"\n", issuer.url());
        let file = world.write("registry.toml", config).display().to_string();
        let registry = Registry::start_with(&world, &["--config", &file]);
        let world = world
            .with("MPAK_REGISTRY_URL", &registry.url)
            .with("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?version=1", issuer.url()))
            .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_SECRET);
        let ci = Self { world, registry, issuer, _runtime: runtime };
        ci.job("acme/widget", "one");
        ci
    }

    /// What the job is.
    fn job(&self, repository: &str, jti: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let issuer = self.issuer.url();
        let stamp = Stamp { issuer: &issuer, audience: "", issued_at: i64::try_from(now).expect("this era"), jti };
        let claims = github_claims(stamp, repository, "v1.0.0");
        self.issuer.set_job(claims.clone());
        claims
    }

    fn widget(&self, version: &str) -> String {
        let mut manifest = good_manifest();
        manifest["name"] = "@acme/widget".into();
        manifest["version"] = version.into();
        let entry = manifest["server"]["entry_point"].as_str().expect("an entry point").to_owned();
        let bytes = good_bundle(&manifest, &[(entry.as_str(), b"// hello")]);
        self.world.write("widget.mcpb", bytes).display().to_string()
    }
}

#[test]
fn a_ci_job_publishes_without_a_token() {
    let ci = Ci::start();
    let published = ci.world.mpak(&["publish", &ci.widget("1.0.0"), "--json"]);
    assert_eq!(published.json()["published"][0]["status"], "created", "{}", published.stderr);
    assert!(
        published.stderr.contains("publishing by the identity of this job (GitHub Actions)"),
        "{}",
        published.stderr
    );
    for secret in [JOB_SECRET, "eyJ"] {
        assert!(!published.stderr.contains(secret) && !published.stdout.contains(secret), "{secret} was printed");
    }
}

/// As GitLab CI and others hand it over.
#[test]
fn a_job_that_has_its_token_in_the_environment_publishes_with_it() {
    let ci = Ci::start();
    let file = ci.widget("1.0.0");
    let mut claims = ci.job("acme/widget", "two");
    claims["aud"] = ci.registry.url.as_str().into();
    let token = ci.issuer.token(&claims);
    // It wins over what is for the asking, which fails here.
    let world = ci.world.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another").with("MPAK_ID_TOKEN", format!("{token}\n"));
    let published = world.mpak(&["publish", &file, "--json"]);
    assert_eq!(published.json()["published"][0]["status"], "created", "{}", published.stderr);
    assert!(published.stderr.contains("identity of this job (MPAK_ID_TOKEN)"), "{}", published.stderr);
    assert!(!published.stderr.contains("eyJ") && !published.stdout.contains("eyJ"), "the token was printed");
}

#[test]
fn an_identity_is_explained_and_nothing_is_published() {
    let ci = Ci::start();
    let file = ci.widget("1.0.0");
    let explained = ci.world.mpak(&["publish", &file, "--explain-auth"]);
    assert!(explained.stderr.contains(&format!("expected  audience {}", ci.registry.url)), "{}", explained.stderr);
    assert!(explained.stderr.contains("got       repository acme/widget"), "{}", explained.stderr);
    assert!(explained.stderr.contains(&format!("got       aud {}", ci.registry.url)), "{}", explained.stderr);
    assert!(explained.ok().contains("@acme/widget 1.0.0 may be published"));
    ci.world.mpak(&["show", "@acme/widget"]).fails(5);
    // Somebody else's job is told what is wrong.
    ci.job("evil/widget", "two");
    let refused = ci.world.mpak(&["publish", &file, "--explain-auth"]);
    assert!(refused.stderr.contains("got       repository evil/widget"), "{}", refused.stderr);
    assert!(refused.stderr.contains("Scope mismatch"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("eyJ"), "the token was printed");
}

#[test]
fn a_job_without_permission_is_told_what_to_set() {
    let ci = Ci::start();
    let file = ci.widget("1.0.0");
    let world = ci.world.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another");
    let refused = world.mpak(&["publish", &file]).fails(6);
    assert!(refused.contains("id-token: write"), "{refused}");
    let world = world.with("ACTIONS_ID_TOKEN_REQUEST_URL", "http://issuer.example/token?x=1");
    assert!(world.mpak(&["publish", &file]).fails(6).contains("expected https"));
}

#[test]
fn a_token_is_used_when_it_is_asked_for_or_nothing_else_is_there() {
    let ci = Ci::start();
    let file = ci.widget("1.0.0");
    let refused = ci.world.mpak(&["publish", &file, "--auth", "token"]).fails(2);
    assert!(refused.contains("set MPAK_TOKEN"), "{refused}");
    let outside = World::new().with("MPAK_REGISTRY_URL", &ci.registry.url);
    let refused = outside.mpak(&["publish", &file, "--auth", "oidc"]).fails(2);
    assert!(refused.contains("no CI job with an identity"), "{refused}");
}

#[test]
fn another_repository_is_trusted_listed_and_removed() {
    let ci = Ci::start();
    ci.world.mpak(&["publish", &ci.widget("1.0.0")]).ok();
    ci.job("partner/fork", "two");
    let file = ci.widget("1.1.0");
    ci.world.mpak(&["publish", &file]).fails(3);
    let first = std::fs::read_to_string(ci.world.path("registry/first-token")).expect("the first token");
    let world = ci.world.with("MPAK_TOKEN", first.trim());
    let added = world.mpak(&["trust", "add", "@acme/widget", "--repository", "partner/fork", "--json"]);
    let id = added.json()["id"].as_i64().expect("an id");
    world.mpak(&["publish", &file]).ok();
    let listed = world.mpak(&["trust", "list", "@acme/widget"]).ok();
    let fork = listed.lines().find(|line| line.contains("partner/fork")).expect("it is listed");
    assert!(fork.starts_with(&format!("{id} ")) && fork.contains("release.yml"), "{listed}");
    world.mpak(&["trust", "remove", "@acme/widget", &id.to_string()]).ok();
    assert!(!world.mpak(&["trust", "list", "@acme/widget"]).ok().contains("partner/fork"));
    world.mpak(&["trust", "remove", "@acme/widget", &id.to_string()]).fails(5);
}

#[test]
fn trust_needs_a_token_and_a_name() {
    let world = World::new().with("MPAK_REGISTRY_URL", "http://127.0.0.1:1");
    assert!(world.mpak(&["trust", "list", "@acme/widget"]).fails(2).contains("MPAK_TOKEN"));
    let world = world.with("MPAK_TOKEN", "mpak_x");
    world.mpak(&["trust", "list", "acme"]).fails(2);
    world.mpak(&["trust", "add", "@acme/widget"]).fails(2);
}
