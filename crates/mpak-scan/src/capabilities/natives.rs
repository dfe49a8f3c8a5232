//! What native code of the server's own can do, by the names that it takes from the system and by its runtime.
//!
//! A name in a table of imports is linked in because some of the code asks for it; whether that code ever runs is not
//! known. So each is a use that is marked as such, and none where the tables say nothing at all.

use super::{Access, Capabilities, Server, Use, When, sensitive};
use crate::code::native::{Format, Native};

/// Most names that are shown.
const SHOWN_COUNT_MAX: usize = 4;

/// Names of systems' libraries by what they are for, from their manuals: POSIX and Linux, Windows, macOS, WASI.
const NAMES: [(Access, &[&str]); 7] = [
    (
        Access::Subprocess,
        &[
            "execl",
            "execle",
            "execlp",
            "execv",
            "execve",
            "execvp",
            "execvpe",
            "fexecve",
            "execveat",
            "posix_spawn",
            "posix_spawnp",
            "system",
            "popen",
            "wordexp",
            "CreateProcessA",
            "CreateProcessW",
            "CreateProcessAsUserA",
            "CreateProcessAsUserW",
            "CreateProcessWithLogonW",
            "CreateProcessWithTokenW",
            "ShellExecuteA",
            "ShellExecuteW",
            "ShellExecuteExA",
            "ShellExecuteExW",
            "WinExec",
            "_wsystem",
            "_popen",
            "_wpopen",
            "_spawnv",
            "_spawnvp",
            "_wspawnv",
            "_wspawnvp",
            "_execv",
            "_execvp",
            "_wexecv",
            "_wexecvp",
            "OBJC_CLASS_$_NSTask",
            "OBJC_CLASS_$_NSAppleScript",
        ],
    ),
    (
        Access::Outbound,
        &[
            "connect",
            "sendto",
            "getaddrinfo",
            "gethostbyname",
            "gethostbyname2",
            "gethostbyname_r",
            "res_query",
            "res_search",
            "SSL_connect",
            "gnutls_handshake",
            "curl_easy_perform",
            "curl_multi_perform",
            "WSAConnect",
            "WSASendTo",
            "ConnectEx",
            "GetAddrInfoW",
            "GetAddrInfoExW",
            "DnsQuery_A",
            "DnsQuery_W",
            "DnsQueryEx",
            "WinHttpConnect",
            "WinHttpSendRequest",
            "InternetConnectA",
            "InternetConnectW",
            "InternetOpenUrlA",
            "InternetOpenUrlW",
            "HttpSendRequestA",
            "HttpSendRequestW",
            "URLDownloadToFileA",
            "URLDownloadToFileW",
            "CFStreamCreatePairWithSocketToHost",
            "CFReadStreamCreateForHTTPRequest",
            "nw_connection_create",
            "OBJC_CLASS_$_NSURLSession",
            "OBJC_CLASS_$_NSURLConnection",
            "sock_connect",
            "sock_send",
        ],
    ),
    (
        Access::Inbound,
        &["listen", "accept", "accept4", "AcceptEx", "WSAAccept", "nw_listener_create", "sock_listen", "sock_accept"],
    ),
    (
        Access::Write,
        &[
            "unlink",
            "unlinkat",
            "remove",
            "rename",
            "renameat",
            "renameat2",
            "mkdir",
            "mkdirat",
            "rmdir",
            "truncate",
            "truncate64",
            "ftruncate",
            "ftruncate64",
            "symlink",
            "symlinkat",
            "link",
            "linkat",
            "chmod",
            "fchmodat",
            "chown",
            "creat",
            "mkstemp",
            "DeleteFileA",
            "DeleteFileW",
            "MoveFileA",
            "MoveFileW",
            "MoveFileExA",
            "MoveFileExW",
            "CopyFileA",
            "CopyFileW",
            "CopyFileExW",
            "CreateDirectoryA",
            "CreateDirectoryW",
            "RemoveDirectoryA",
            "RemoveDirectoryW",
            "SetEndOfFile",
            "path_create_directory",
            "path_remove_directory",
            "path_unlink_file",
            "path_rename",
            "path_symlink",
            "path_link",
        ],
    ),
    (
        Access::Read,
        &[
            "open",
            "open64",
            "openat",
            "openat64",
            "fopen",
            "fopen64",
            "opendir",
            "fdopendir",
            "readdir",
            "readdir64",
            "CreateFileA",
            "CreateFileW",
            "CreateFile2",
            "FindFirstFileW",
            "FindFirstFileExW",
            "path_open",
        ],
    ),
    (
        Access::EnvironmentRead,
        &[
            "getenv",
            "secure_getenv",
            "GetEnvironmentVariableA",
            "GetEnvironmentVariableW",
            "GetEnvironmentStringsW",
            "_wgetenv",
            "environ",
            "environ_get",
        ],
    ),
    (
        Access::EnvironmentWrite,
        &["setenv", "putenv", "unsetenv", "SetEnvironmentVariableA", "SetEnvironmentVariableW", "_putenv", "_wputenv"],
    ),
];
/// Packages of Go's library.
const GO: [(Access, &[&str]); 4] = [
    (Access::Subprocess, &["os/exec", "syscall.exec"]),
    (Access::Outbound, &["net.dial", "net/http"]),
    (Access::Inbound, &["net.listen"]),
    (Access::Read, &["os.files"]),
];

/// Adds what the native code can do that is started or loaded.
pub(super) fn add(server: &Server<'_>, started: &[Use], found: &mut Capabilities) {
    let own = started.iter().filter(|used| used.access == Access::Native && !used.dependency);
    for path in own.map(|used| used.file.as_str()).filter(|path| server.native_files.contains(path)) {
        found.natives.push(path.to_owned());
        match server.natives.iter().find(|native| native.path == path) {
            None => found.silent.push((path.to_owned(), "it is too large to be looked into")),
            Some(native) if !native.whole => found.silent.push((path.to_owned(), "its tables cannot be read")),
            Some(native) if !native.tells() => {
                found.silent.push((path.to_owned(), "it is linked with nothing and its language is not known"));
            }
            Some(native) => found.uses.extend(uses(native)),
        }
    }
}

/// What one file can do.
fn uses(native: &Native) -> Vec<Use> {
    let of_go = native.runtime.as_ref().map_or(&[][..], |runtime| runtime.packages.as_slice());
    let imported = NAMES.iter().map(|(access, names)| {
        let taken = names.iter().copied().filter(|name| native.imports.iter().any(|import| import == name));
        (*access, taken.collect::<Vec<&str>>())
    });
    let packages = GO.iter().map(|(access, names)| {
        (*access, names.iter().copied().filter(|name| of_go.contains(name)).collect::<Vec<&str>>())
    });
    let mut found: Vec<Use> = Vec::new();
    for (access, names) in imported.chain(packages).filter(|(_, names)| !names.is_empty()) {
        if found.iter().any(|used| used.access == access) {
            continue;
        }
        found.push(linked(native, access, &names));
    }
    // Files that it names.
    let keys = native.texts.iter().find(|text| sensitive::path(text) == sensitive::Stake::Keys);
    if let Some(path) = keys {
        found.push(Use { what: Some(path.clone()), secret: true, ..linked(native, Access::Read, &[path]) });
    }
    found
}

fn linked(native: &Native, access: Access, names: &[&str]) -> Use {
    let from = match native.format {
        Format::Wasm => "imports of the module",
        Format::Elf | Format::Pe | Format::MachO if native.imports.is_empty() => "library that is linked in",
        Format::Elf | Format::Pe | Format::MachO => "table of imports",
    };
    let shown: Vec<&str> = names.iter().take(SHOWN_COUNT_MAX).copied().collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Use {
        code: format!("{}{more}", shown.join(", ")),
        linked: true,
        ..Use::new(access, When::Elsewhere, &native.path, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::native::Runtime;

    fn native(imports: &[&str], texts: &[&str], packages: &[&'static str]) -> Native {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Native {
            path: "server/run".to_owned(),
            format: Format::Elf,
            libraries: Vec::new(),
            imports: names(imports),
            texts: names(texts),
            runtime: (!packages.is_empty()).then(|| Runtime { name: "go", packages: packages.to_vec() }),
            whole: true,
        }
    }

    #[test]
    fn imports_say_what_can_be_done() {
        for (native, expected) in [
            (native(&["execvp", "connect", "malloc"], &[], &[]), vec![Access::Subprocess, Access::Outbound]),
            (native(&["posix_spawnp", "system"], &[], &[]), vec![Access::Subprocess]),
            (native(&["CreateFileW", "DeleteFileW"], &[], &[]), vec![Access::Write, Access::Read]),
            (native(&["malloc"], &["~/.ssh/id_rsa", "https://example.org"], &[]), vec![Access::Read]),
            (native(&[], &[], &["os/exec", "net/http"]), vec![Access::Subprocess, Access::Outbound]),
            (native(&["malloc", "free"], &[], &[]), vec![]),
        ] {
            let found: Vec<Access> = uses(&native).iter().map(|used| used.access).collect();
            assert_eq!(found, expected, "{native:?}");
            assert!(uses(&native).iter().all(|used| used.linked));
        }
    }
}
