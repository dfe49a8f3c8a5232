//! Go: `go.sum` beside a compiled server.

use super::{Ecosystem, LOCKFILE_BYTES_MAX, Records, own_file};

/// Modules whose content is hashed; a line for `go.mod` alone does not mean that the module is built in.
pub(super) fn locked(paths: &[String], records: &mut Records<'_>) {
    for path in paths.iter().filter(|path| own_file(path, "go.sum")) {
        let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { continue };
        for line in text.lines() {
            let mut parts = line.split_ascii_whitespace();
            if let (Some(module), Some(version), Some(hash)) = (parts.next(), parts.next(), parts.next())
                && hash.starts_with("h1:")
                && !version.ends_with("/go.mod")
            {
                records.found(Ecosystem::Golang, module, version, None, path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::tests::purls;

    #[test]
    fn modules_known_only_by_their_go_mod_are_left_out() {
        let sum = "example.org/a v1.0.0 h1:xx=\nexample.org/a v1.0.0/go.mod h1:yy=\nexample.org/b v2.0.0/go.mod h1:zz=\nnonsense\n";
        assert_eq!(purls(&[("go.sum", sum)]), ["pkg:golang/example.org/a@v1.0.0"]);
    }
}
