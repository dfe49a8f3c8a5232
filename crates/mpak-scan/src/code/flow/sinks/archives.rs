//! Names inside archives.

/// Modules whose members hold names inside an archive.
pub fn opens_archives(module: &str) -> bool {
    matches!(module, "adm-zip" | "yauzl" | "yauzl-promise" | "unzipper" | "unzip-stream")
}

/// Names of members that hold a name inside an archive, by the module that opens it.
pub fn names_a_member(module: &str, member: &str) -> bool {
    matches!(
        (module, member),
        ("adm-zip", "entryName") | ("yauzl" | "yauzl-promise", "fileName") | ("unzipper" | "unzip-stream", "path")
    )
}

/// Calls that list the members of an archive.
pub fn lists_members(path: &str) -> bool {
    let Some((before, name)) = path.rsplit_once('.') else { return false };
    matches!(name, "namelist" | "infolist" | "getmembers" | "getnames" | "getEntries" | "next")
        && matches!(
            before,
            "zipfile.ZipFile()"
                | "tarfile.open()"
                | "tarfile.TarFile()"
                | "tarfile.TarFile.open()"
                | "adm-zip()"
                | "py7zr.SevenZipFile()"
                | "rarfile.RarFile()"
        )
}
