//! Lockfiles, projects, records of installers and programs; the first byte chooses the file name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_bundle::dependencies;

const PATHS: [&str; 20] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "node_modules/.package-lock.json",
    "node_modules/a/package.json",
    "package.json",
    ".npmrc",
    "yarn.lock",
    "pnpm-lock.yaml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pyproject.toml",
    "pylock.x.toml",
    "requirements.txt",
    "Cargo.lock",
    "Cargo.toml",
    "go.sum",
    "go.mod",
    "a-1.dist-info/METADATA",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let _survey = dependencies::merge([dependencies::read(path, Some(content)), dependencies::read_program("tool", content)]);
});
