//! Cargo: `Cargo.lock` beside a compiled server.

use super::{Ecosystem, LOCKFILE_BYTES_MAX, Records, own_file};

/// Packages with a source; those without are the workspace itself.
pub(super) fn locked(paths: &[String], records: &mut Records<'_>) {
    for path in paths.iter().filter(|path| own_file(path, "Cargo.lock")) {
        let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { continue };
        for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
            let text = |field: &str| package.get(field).and_then(toml::Value::as_str);
            if let (Some(name), Some(version), Some(_)) = (text("name"), text("version"), text("source")) {
                records.found(Ecosystem::Cargo, name, version, None, path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::tests::purls;

    #[test]
    fn the_workspace_itself_is_no_component() {
        let lock = "[[package]]\nname = \"me\"\nversion = \"0.1.0\"\n[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n";
        assert_eq!(purls(&[("Cargo.lock", lock)]), ["pkg:cargo/serde@1.0.0"]);
    }
}
