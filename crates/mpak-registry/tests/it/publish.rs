//! The upload door: what is accepted, what is refused, and that a refusal leaves no trace.

use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::{GOOD_ENTRY_POINT, ZipBuilder, ZipEntry};
use serde_json::{Value, json};

use crate::world::{Registry, bundle, bundle_of, bundle_with, elf_x64, manifest};

#[tokio::test]
async fn a_publish_says_what_was_published() {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let published = registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    assert_eq!(published["package"], "@acme/widget");
    assert_eq!(published["version"], "1.0.0");
    assert_eq!(published["platform"], "any");
    assert_eq!(published["sha256"], Sha256::of(&bytes).to_string());
    assert_eq!(published["size"], bytes.len());
    assert_eq!(published["status"], "created");
    assert_eq!(published["url"], format!("{}/packages/@acme/widget", registry.url));
    assert!(published["event"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn the_same_bytes_again_change_nothing_and_answer_200() {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let first = registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let before = registry.everything();
    let response = registry.put("@acme/widget", "1.0.0", "any", bytes).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let second: Value = response.json().await.unwrap();
    assert_eq!(second["status"], "unchanged");
    for member in ["sha256", "size", "event", "url"] {
        assert_eq!(second[member], first[member], "{member}");
    }
    assert_eq!(registry.everything(), before);
}

#[tokio::test]
async fn other_bytes_for_the_same_version_and_platform_are_refused() {
    let registry = Registry::start().await;
    let first = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &first).await;
    let before = registry.everything();
    let second = bundle_with("@acme/widget", "1.0.0", "more.txt", b"other bytes");
    let response = registry.put("@acme/widget", "1.0.0", "any", second.clone()).send().await.unwrap();
    assert_eq!(response.status(), 422);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "VERSION_IMMUTABLE");
    assert_eq!(body["error"]["details"]["expected"], Sha256::of(&first).prefixed());
    assert_eq!(body["error"]["details"]["found"], Sha256::of(&second).prefixed());
    assert_eq!(registry.everything(), before);
    // The same bytes are welcome for another platform.
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &second).await;
}

#[tokio::test]
async fn equal_bytes_under_two_names_are_kept_once() {
    let registry = Registry::start().await;
    let bytes = bundle("widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    registry.publish("@other/widget", "1.0.0", "any", &bytes).await;
    let blobs = registry.everything().into_keys().filter(|p| p.to_string_lossy().contains("blobs/")).count();
    assert_eq!(blobs, 1);
}

#[tokio::test]
async fn latest_is_the_highest_stable_version_whatever_the_order() {
    let registry = Registry::start().await;
    for (version, latest) in [
        ("1.0.0-rc.1", "1.0.0-rc.1"),
        ("1.0.0-rc.2", "1.0.0-rc.2"),
        ("0.9.0", "0.9.0"),
        ("1.10.0", "1.10.0"),
        ("1.9.0", "1.10.0"),
        ("2.0.0-beta", "1.10.0"),
    ] {
        registry.publish("@acme/widget", version, "any", &bundle("@acme/widget", version)).await;
        let detail = registry.json("/v1/bundles/@acme/widget").await;
        assert_eq!(detail["latest_version"], latest, "after {version}");
        assert_eq!(registry.json("/v1/bundles/search").await["bundles"][0]["latest_version"], latest);
    }
}

#[tokio::test]
async fn a_scoped_manifest_name_must_be_the_whole_name() {
    let registry = Registry::start().await;
    let mut scoped = manifest("@acme/widget", "1.0.0");
    scoped["name"] = "@acme/widget".into();
    registry.publish("@acme/widget", "1.0.0", "any", &bundle_of(&scoped)).await;
}

#[tokio::test]
async fn native_code_is_published_for_its_platform_only() {
    let registry = Registry::start().await;
    let bytes = bundle_with("@acme/widget", "1.0.0", "server/tool", &elf_x64());
    for platform in ["any", "darwin-arm64", "linux-arm64"] {
        let before = registry.everything();
        let response = registry.put("@acme/widget", "1.0.0", platform, bytes.clone()).send().await.unwrap();
        assert_eq!(response.status(), 422, "{platform}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "PLATFORM_MISMATCH", "{platform}");
        let details = &body["error"]["details"];
        assert_eq!(details["files"], json!([{"path": "server/tool", "platform": "linux-x64"}]));
        assert!(details["help"].as_str().unwrap().contains("--platform linux-x64"), "{details}");
        assert_eq!(registry.everything(), before);
    }
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &bytes).await;
}

/// One refusal: what is sent, and what must come back.
struct Refusal {
    what: &'static str,
    name: &'static str,
    version: &'static str,
    platform: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

fn refusals() -> Vec<Refusal> {
    let of = |what, body: Vec<u8>, status, code| Refusal {
        what,
        name: "@acme/widget",
        version: "1.0.0",
        platform: "any",
        body,
        status,
        code,
    };
    let good = || bundle("@acme/widget", "1.0.0");
    let named = |what, name| Refusal { name, ..of(what, good(), 422, "VALIDATION_ERROR") };
    let with = |member: &str, value: Value| {
        let mut manifest = manifest("@acme/widget", "1.0.0");
        manifest[member] = value;
        bundle_of(&manifest)
    };
    let mut traversal = ZipBuilder::with_manifest(&manifest("@acme/widget", "1.0.0"));
    traversal.file("../../etc/cron.d/x", "* * * * * root true");
    let mut twice = ZipBuilder::with_manifest(&manifest("@acme/widget", "1.0.0"));
    twice.file(GOOD_ENTRY_POINT.0, "console.log('other')");
    let mut last = ZipBuilder::with_manifest(&manifest("@acme/widget", "1.0.0"));
    last.entry(ZipEntry::new("data.bin", vec![b'x'; 9_000]).stored());
    let mut damaged = last.build();
    let end = damaged.windows(9).rposition(|w| w == b"xxxxxxxxx").expect("the data");
    damaged[end] = b'y';
    let mut no_manifest = ZipBuilder::default();
    no_manifest.file("readme", "hello");
    vec![
        of("no bytes", Vec::new(), 400, "BAD_REQUEST"),
        of("not an archive", b"hello".to_vec(), 422, "INVALID_BUNDLE"),
        of("half an archive", good()[..good().len() / 2].to_vec(), 422, "INVALID_BUNDLE"),
        of("path traversal", traversal.build(), 422, "INVALID_BUNDLE"),
        of("a name twice", twice.build(), 422, "INVALID_BUNDLE"),
        of("no manifest", no_manifest.build(), 422, "INVALID_BUNDLE"),
        of(
            "an entry point that is missing",
            with("server", json!({"type": "node", "entry_point": "no.js", "mcp_config": {"command": "node"}})),
            422,
            "INVALID_BUNDLE",
        ),
        of("a manifest without description", with("description", Value::Null), 422, "INVALID_BUNDLE"),
        of("another manifest name", with("name", "gadget".into()), 422, "VALIDATION_ERROR"),
        of("another scope in the manifest", with("name", "@other/widget".into()), 422, "VALIDATION_ERROR"),
        of("another version", with("version", "1.0.1".into()), 422, "VALIDATION_ERROR"),
        of("damaged data", damaged, 422, "INVALID_BUNDLE"),
        named("upper case", "@acme/Widget"),
        named("a dot", "@acme/wid.get"),
        named("no scope", "acme/widget"),
        named("an empty scope", "@/widget"),
        Refusal { version: "v1", ..of("no semver", good(), 422, "VALIDATION_ERROR") },
        Refusal { version: "latest", ..of("latest as a version", good(), 422, "VALIDATION_ERROR") },
        Refusal { platform: "freebsd-x64", ..of("an unknown platform", good(), 422, "VALIDATION_ERROR") },
    ]
}

#[tokio::test]
async fn a_refusal_says_why_and_leaves_storage_and_database_untouched() {
    let registry = Registry::start().await;
    registry.publish("@acme/other", "1.0.0", "any", &bundle("@acme/other", "1.0.0")).await;
    let before = registry.everything();
    for refusal in refusals() {
        let Refusal { what, name, version, platform, body, status, code } = refusal;
        let response = registry.put(name, version, platform, body).send().await.unwrap();
        let (found, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(found, status, "{what}: {text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["error"]["code"], code, "{what}: {text}");
        assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{what}");
        for member in ["expected", "found", "help"] {
            let said = body["error"]["details"][member].as_str();
            assert!(said.is_some_and(|s| !s.is_empty() || member == "found"), "{what}: `{member}` in {text}");
        }
        assert_eq!(registry.everything(), before, "{what}");
    }
}

#[tokio::test]
async fn the_digest_header_is_held_against_the_bytes() {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let put = |digest: &str| registry.put("@acme/widget", "1.0.0", "any", bytes.clone()).header("digest", digest);
    let before = registry.everything();
    // SHA-256 of nothing.
    let other = put("sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").send().await.unwrap();
    assert_eq!(other.status(), 400);
    let body: Value = other.json().await.unwrap();
    assert_eq!(body["error"]["details"]["found"], Sha256::of(&bytes).prefixed());
    assert_eq!(put("sha-256=nonsense").send().await.unwrap().status(), 400);
    assert_eq!(registry.everything(), before);
    let right = base64(Sha256::of(&bytes).as_bytes());
    assert_eq!(put(&format!("sha-256={right}")).send().await.unwrap().status(), 201);
}

/// Base64 by hand, so that the test does not share the code under test.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |n: u32| char::from(DIGITS[(n & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let n = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.extend([18, 12].map(|s| digit(n >> s)));
        text.push(if chunk.len() > 1 { digit(n >> 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(n) } else { '=' });
    }
    text
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_by_its_length_and_while_it_streams() {
    let registry = Registry::start_with(|config| config.limits.archive_bytes_max = 100_000).await;
    let before = registry.everything();
    let large = vec![0_u8; 300_000];
    let by_length = registry.put("@acme/widget", "1.0.0", "any", large.clone()).send().await.unwrap();
    assert_eq!(by_length.status(), 413);
    let body: Value = by_length.json().await.unwrap();
    assert_eq!(body["error"]["code"], "TOO_LARGE");
    assert_eq!(body["error"]["details"]["expected"], "at most 100000 bytes");
    let pieces = large.chunks(10_000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let streamed = registry.put("@acme/widget", "1.0.0", "any", "").body(stream).send().await.unwrap();
    assert_eq!(streamed.status(), 413);
    assert_eq!(registry.everything(), before);
}

/// A publisher who sends first and reads later, as simple clients do.
#[tokio::test]
async fn a_refusal_by_the_head_reaches_a_publisher_who_is_still_sending() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Registry::start().await;
    let mut stream = tokio::net::TcpStream::connect(registry.url.strip_prefix("http://").unwrap()).await.unwrap();
    let bytes = vec![0_u8; 30 << 20];
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer mpak_wrong\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes).await.expect("the registry reads on");
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.expect("the answer is still there");
    assert_eq!(answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    use tokio::io::AsyncWriteExt as _;
    let registry = Registry::start().await;
    let before = registry.everything();
    let address = registry.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Length: 1000\r\n\r\n",
        registry.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[7; 500]).await.unwrap();
    let tmp = registry.data().join("tmp");
    let uploads = || std::fs::read_dir(&tmp).unwrap().count();
    until("the upload began", || uploads() == 1).await;
    drop(stream);
    until("the upload is forgotten", || uploads() == 0).await;
    assert_eq!(registry.everything(), before);
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not in time: {what}");
}

#[tokio::test]
async fn a_stalled_upload_is_given_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Registry::start_with(|c| c.body_idle_timeout = std::time::Duration::from_millis(200)).await;
    let mut stream = tokio::net::TcpStream::connect(registry.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\n\r\nabc",
        registry.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
}

/// Each of the few places for uploads could otherwise be kept for months with a byte now and then.
#[tokio::test]
async fn an_upload_that_only_trickles_is_given_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Registry::start_with(|c| c.body_idle_timeout = std::time::Duration::from_millis(300)).await;
    let stream = tokio::net::TcpStream::connect(registry.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 100000\r\n\r\n",
        registry.token
    );
    to.write_all(head.as_bytes()).await.unwrap();
    let trickle = tokio::spawn(async move {
        while to.write_all(b"x").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), from.read_exact(&mut answer)).await;
    trickle.abort();
    read.expect("it is answered while it still comes").unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
}
