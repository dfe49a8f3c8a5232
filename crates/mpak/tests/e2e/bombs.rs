//! What a registry takes in costs it little memory, however much it becomes when it is unpacked or however large it
//! is: the kernel's own figure of the most that the process ever held. Row C26 of the wire's contract.
#![cfg(target_os = "linux")]

use std::fs;

use mpak_testkit::forge::{Delivery, Forge};
use mpak_testkit::issuer::{Issuer, SHA};
use mpak_testkit::zip::{ZipBuilder, ZipEntry, good_manifest};

use crate::faults::http::{Answer, Request};
use crate::faults::site::{Announcement, Bundle, REPOSITORY};
use crate::registry::Registry;
use crate::world::World;

/// Of each bomb, unpacked; several times what may be needed.
const BOMB_BYTES: usize = 192 << 20;
/// Of what is sound and large.
const NOISE_BYTES: usize = 96 << 20;
/// What one publish may need beyond what a small one needed: buffers, and what the allocator keeps.
const GROWTH_KIB_MAX: u64 = 48 << 10;

/// The most that the process held since its figure was last taken back, in KiB.
fn peak_kib(registry: &Registry) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", registry.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Takes it back to what it holds now.
fn forget_peak(registry: &Registry) {
    fs::write(format!("/proc/{}/clear_refs", registry.id()), "5").unwrap();
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let words = (0..bytes / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    });
    words.collect()
}

/// Zips with what they are called here; `true` for the sound one.
fn zips() -> Vec<(&'static str, Vec<u8>, bool)> {
    let mut manifest = good_manifest();
    manifest["name"] = "widget".into();
    manifest["version"] = "1.0.0".into();
    let with = |entry: ZipEntry| {
        let mut zip = ZipBuilder::with_manifest(&manifest);
        zip.entry(entry);
        zip.build()
    };
    let zeros = || vec![0; BOMB_BYTES];
    let mut manifest_bomb = ZipBuilder::with_manifest(&manifest);
    manifest_bomb.spoil("manifest.json", |entry| *entry = ZipEntry::new("manifest.json", vec![b' '; BOMB_BYTES]));
    let lie = ZipEntry::new("zeros", zeros()).with(|entry| {
        entry.local.bytes = Some(10);
        entry.central.bytes = Some(10);
    });
    vec![
        ("a file of zeros", with(ZipEntry::new("zeros", zeros())), false),
        ("a manifest of spaces", manifest_bomb.build(), false),
        ("a file that says that it is small", with(lie), false),
        ("no archive", vec![b'x'; NOISE_BYTES], false),
        ("a large sound bundle", with(ZipEntry::new("noise", noise(NOISE_BYTES)).stored()), true),
    ]
}

/// A way in for a bundle.
type Door<'a> = &'a dyn Fn(&Bundle) -> Answer;

#[test]
fn c26_bombs_and_large_bundles_cost_little_memory_by_upload_and_by_announcement() {
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (issuer, forge) = runtime.block_on(async { (Issuer::start().await, Forge::start().await) });
    world.write(
        "site.toml",
        format!(
            "data = 'registry'\n[outbound]\nallow_loopback = true\n[rates]\npublishes_per_minute = 0\n\
             [[publishing.issuer]]\nkind = 'github'\nissuer = '{}'\napi_url = '{}'\n",
            issuer.url(),
            forge.url(),
        ),
    );
    let registry = Registry::start_configured(&world, "site");
    forge.tag(REPOSITORY, "v1.0.0", SHA);
    let token = format!("authorization: Bearer {}", registry.token);
    let upload = |bundle: &Bundle| {
        let path = format!("/api/v1/packages/{}/versions/1.0.0/artifacts/any", bundle.name);
        Request::begin(&registry.url, "PUT", &path, &[&token], bundle.bytes.len()).whole(&bundle.bytes)
    };
    let announce = |bundle: &Bundle| {
        forge.asset(REPOSITORY, "v1.0.0", &bundle.file(), Delivery::Whole(bundle.bytes.clone()));
        Announcement::of(&issuer, bundle).begin(&registry.url).answer()
    };
    let doors: [(&str, Door<'_>); 2] = [("@up/widget", &upload), ("@acme/widget", &announce)];
    // Whatever is made once is made by small ones.
    for (name, door) in doors {
        assert_eq!(door(&Bundle::new(&name.replace("widget", "first"), false)).json()["status"], "created");
    }
    for (what, bytes, is_sound) in zips() {
        for (name, door) in doors {
            let bundle = Bundle::of(name, bytes.clone());
            forget_peak(&registry);
            let before = peak_kib(&registry);
            let answer = door(&bundle);
            let grown = peak_kib(&registry).saturating_sub(before);
            let expected: &[u16] = if is_sound { &[200, 201] } else { &[422] };
            assert!(expected.contains(&answer.status()), "{what} as {name}: {} {}", answer.status(), answer.json());
            assert!(grown < GROWTH_KIB_MAX, "{what} as {name} took {grown} KiB");
        }
    }
}
