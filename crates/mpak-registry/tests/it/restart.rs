//! What a start finds: an empty folder, its own data, leftovers, another server, another program's file.

use std::fs;

use mpak_registry::config::Config;
use mpak_registry::{ServeError, start};

use crate::world::{Registry, bundle, checklist};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let mut registry = checklist().await;
    let paths = [
        "/v1/bundles/search?sort=name",
        "/v1/bundles/search?q=cogwheel",
        "/v1/bundles/@acme/widget",
        "/v1/bundles/@acme/widget/versions",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(registry.json(path).await);
    }
    registry.restart().await;
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(registry.json(path).await, before, "{path}");
    }
    let bytes = bundle("@acme/new", "1.0.0");
    registry.publish("@acme/new", "1.0.0", "any", &bytes).await;
}

#[tokio::test]
async fn a_kept_text_that_the_disk_changed_is_not_shown_and_made_anew() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/new", "1.0.0", "any", &bundle("@acme/new", "1.0.0")).await;
    let versions = "/v1/bundles/@acme/new/versions";
    let before = registry.json(versions).await;
    registry.stop().await;
    let path = registry.data().join("search.index");
    let mut kept = fs::read(&path).unwrap();
    // The end of the last of the texts: of what is offered of a package.
    *kept.last_mut().unwrap() ^= 1;
    fs::write(&path, kept).unwrap();
    registry.begin().await;
    assert_eq!(registry.get(versions).await.status(), 500);
    for _ in 0..400 {
        let answer = registry.get(versions).await;
        if answer.status() == 200 {
            assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), before);
            return;
        }
        assert_eq!(answer.status(), 500);
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the index was not made anew");
}

#[tokio::test]
async fn the_first_start_leaves_one_token_for_its_owner() {
    let mut registry = Registry::start().await;
    let path = registry.data().join("first-token");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim(), registry.token);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(registry.data()).unwrap().permissions().mode() & 0o777, 0o700);
    }
    fs::remove_file(&path).unwrap();
    registry.restart().await;
    assert!(!path.exists(), "only the first start makes one");
}

#[tokio::test]
async fn leftovers_of_killed_uploads_are_removed() {
    let mut registry = Registry::start().await;
    registry.stop().await;
    let stray = registry.data().join("tmp/upload-stray");
    fs::write(&stray, "half").unwrap();
    // `restart` stops what runs: begin again by hand.
    let running = start(Config::new(registry.data(), "127.0.0.1:0".parse().unwrap())).await.unwrap();
    assert!(!stray.exists());
    running.stop().await;
}

#[tokio::test]
async fn a_folder_is_served_by_one_server_at_a_time() {
    let registry = Registry::start().await;
    let second = start(Config::new(registry.data(), "127.0.0.1:0".parse().unwrap())).await;
    assert!(matches!(second, Err(ServeError::InUse { .. })));
}

#[tokio::test]
async fn a_folder_that_is_none_and_an_address_that_is_taken_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let on_file = start(Config::new(&file, "127.0.0.1:0".parse().unwrap())).await;
    assert!(matches!(on_file, Err(ServeError::Data { .. })));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new(folder.path().join("data"), taken.local_addr().unwrap());
    assert!(matches!(start(config).await, Err(ServeError::Listen { .. })));
    let data = folder.path().join("other");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("registry.db"), "this is not a database, but somebody's only copy of a poem").unwrap();
    let foreign = start(Config::new(&data, "127.0.0.1:0".parse().unwrap())).await;
    assert!(matches!(foreign, Err(ServeError::Db(_))));
    assert!(fs::read_to_string(data.join("registry.db")).unwrap().ends_with("poem"));
}
