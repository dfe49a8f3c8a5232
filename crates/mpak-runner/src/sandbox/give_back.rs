//! The launcher gives the memory of its own code back while it only waits.
#![allow(unsafe_code, reason = "the kernel is told about address ranges")]

/// Drops this program's code pages from its resident memory; the few that are needed again come back from
/// the file when they are. Linux only: elsewhere nothing happens. Without this a waiting launcher keeps
/// the pages of everything that it ran once, about half of its memory.
pub(crate) fn code_pages() {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::mman::{MmapAdvise, madvise};

        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for (start, end) in maps.lines().filter_map(code) {
            let Some(address) = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(start)) else { continue };
            // SAFETY: the range is a private mapping of a file that may be executed and not written, as the
            // kernel lists it. Position-independent code has no relocations in such pages, so each page is
            // still what the file holds, and an access after this brings the same bytes back.
            let _unchanged = unsafe { madvise(address, end - start, MmapAdvise::MADV_DONTNEED) };
        }
    }
}

/// Start and end of a line of `/proc/self/maps` that is unwritable code of a file.
#[cfg(target_os = "linux")]
fn code(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (mode, path) = (fields.next()?, fields.nth(3)?);
    let hex = |text| usize::from_str_radix(text, 16).ok();
    if mode == "r-xp" && path.starts_with('/') { Some((hex(start)?, hex(end)?)) } else { None }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_unwritable_code_of_files_is_given_back() {
        assert_eq!(code("1000-3000 r-xp 00001000 fe:00 42 /usr/bin/mpak"), Some((0x1000, 0x3000)));
        for other in [
            "1000-3000 r--p 0 fe:00 42 /usr/bin/mpak",
            "1000-3000 rw-p 0 00:00 0 [heap]",
            "1000-3000 r-xp 0 00:00 0 [vdso]",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_afterwards() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|l| l.starts_with("RssFile")).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
        };
        let before = resident();
        code_pages();
        assert!(resident() < before, "nothing was given back");
    }
}
