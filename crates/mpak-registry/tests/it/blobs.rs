//! Blobs over HTTP: ranges, validators, and what is not a blob.

use mpak_bundle::digest::Sha256;

use crate::world::{Registry, bundle};

async fn published() -> (Registry, Vec<u8>, String) {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let hex = Sha256::of(&bytes).to_string();
    let url = format!("{}/blobs/sha256/{}/{}", registry.url, &hex[..2], &hex[2..]);
    (registry, bytes, url)
}

#[tokio::test]
async fn a_blob_may_be_kept_for_ever() {
    let (registry, bytes, url) = published().await;
    let response = registry.client.get(&url).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable, no-transform");
    assert_eq!(response.headers()["accept-ranges"], "bytes");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let etag = response.headers()["etag"].clone();
    assert_eq!(response.bytes().await.unwrap(), bytes);
    let again = registry.client.get(&url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert!(again.bytes().await.unwrap().is_empty());
    // What never was, or is not there any more, is not "unchanged".
    let nothing = Sha256::of(b"nothing").to_string();
    let unknown = format!("{}/blobs/sha256/{}/{}", registry.url, &nothing[..2], &nothing[2..]);
    let package = format!("{}/api/v1/packages/@acme/widget", registry.url);
    assert_eq!(registry.client.delete(package).bearer_auth(&registry.token).send().await.unwrap().status(), 200);
    for (url, hex) in [(&unknown, &nothing), (&url, &Sha256::of(&bytes).to_string())] {
        for tag in [format!("\"sha256-{hex}\""), "*".to_owned()] {
            let response = registry.client.get(url).header("if-none-match", &tag).send().await.unwrap();
            assert_eq!(response.status(), 404, "{url} {tag}");
        }
    }
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let (registry, bytes, url) = published().await;
    let size = bytes.len();
    for (range, part) in [
        ("bytes=0-9".to_owned(), 0..10),
        ("bytes=10-".to_owned(), 10..size),
        ("bytes=-5".to_owned(), size - 5..size),
        (format!("bytes=3-{}", size + 100), 3..size),
    ] {
        let response = registry.client.get(&url).header("range", &range).send().await.unwrap();
        assert_eq!(response.status(), 206, "{range}");
        let expect = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        assert_eq!(response.headers()["content-range"], expect.as_str(), "{range}");
        assert_eq!(response.headers()["content-length"], part.len().to_string().as_str(), "{range}");
        assert_eq!(response.bytes().await.unwrap(), bytes[part], "{range}");
    }
    let beyond = registry.client.get(&url).header("range", format!("bytes={size}-")).send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{size}").as_str());
}

#[tokio::test]
async fn a_range_of_something_else_is_answered_with_the_whole() {
    let (registry, bytes, url) = published().await;
    let get = |if_range: &str| registry.client.get(&url).header("range", "bytes=0-0").header("if-range", if_range);
    let other = get("\"another\"").send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap().len()), (200, bytes.len()));
    let etag = format!("\"sha256-{}\"", Sha256::of(&bytes));
    assert_eq!(get(&etag).send().await.unwrap().status(), 206);
}

#[tokio::test]
async fn only_digests_name_blobs() {
    let (registry, bytes, url) = published().await;
    let hex = Sha256::of(&bytes).to_string();
    for path in [
        format!("{}/{}", &hex[..3], &hex[3..]),
        format!("{}/{}", hex[..2].to_uppercase(), hex[2..].to_uppercase()),
        format!("{}/{}0", &hex[..2], &hex[2..]),
        format!("{}/{}", &hex[..2], "0".repeat(62)),
        format!("..%2f{}/x", &hex[..2]),
        "..%2f..%2fregistry.db/x".to_owned(),
    ] {
        let response = registry.get(&format!("/blobs/sha256/{path}")).await;
        assert_eq!(response.status(), 404, "{path}");
    }
    let head = registry.client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], bytes.len().to_string().as_str());
}
