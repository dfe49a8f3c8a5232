//! Native code: what a file's first bytes say about the platform it was built for.
//!
//! Spec: System V ABI (ELF), Microsoft PE/COFF, Apple Mach-O including universal files. WebAssembly is
//! not native code: it runs everywhere.

use std::collections::BTreeSet;

use crate::manifest::Contents;
use crate::platform::{Arch, Os, Platform};

/// As many first bytes as are looked at; a PE header begins within them in what compilers write.
pub const HEAD_BYTES: usize = 4096;

/// What a file of native code was built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuiltFor {
    /// A platform of the wire.
    Platform(Platform),
    /// A platform the wire has no word for, as `linux-ia32`.
    Other(String),
}

/// What an executable or library was built for; `None` for a file that is not native code.
pub fn built_for(head: &[u8]) -> Option<BuiltFor> {
    elf(head).or_else(|| mach_o(head)).or_else(|| pe(head))
}

/// Like [`built_for`], for the platforms of the wire only.
pub fn platform_of(head: &[u8]) -> Option<Platform> {
    match built_for(head)? {
        BuiltFor::Platform(platform) => Some(platform),
        BuiltFor::Other(_) => None,
    }
}

/// Native code of a whole bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeCode {
    /// Each native file with its platform, sorted by path.
    pub files: Vec<(String, Platform)>,
    /// Native files for platforms that the wire has no word for, sorted by path.
    pub others: Vec<(String, String)>,
}

impl NativeCode {
    /// Looks at every file of a bundle.
    pub fn of(contents: &dyn Contents) -> Self {
        let mut native = Self::default();
        for path in contents.paths() {
            match contents.head(&path, HEAD_BYTES).as_deref().and_then(built_for) {
                Some(_) if is_launcher_stub(&path) => {}
                Some(BuiltFor::Platform(platform)) => native.files.push((path, platform)),
                Some(BuiltFor::Other(words)) => native.others.push((path, words)),
                None => {}
            }
        }
        native.files.sort();
        native.others.sort();
        native
    }

    /// The platform the bundle fits: `any` without native code, the one platform of all native files,
    /// `None` when files for several platforms lie side by side (a fat bundle: fits each of them), or
    /// when all native files are for platforms that the wire has no word for (fits none).
    pub fn platform(&self) -> Option<Platform> {
        if self.files.is_empty() {
            return self.others.is_empty().then_some(Platform::ANY);
        }
        let found: BTreeSet<Platform> = self.files.iter().map(|(_, platform)| *platform).collect();
        found.iter().copied().find(|narrow| found.iter().all(|one| one.fits(*narrow)))
    }

    /// The platforms of a fat bundle, or the one of another; without `any` in them where a file says more.
    pub fn platforms(&self) -> BTreeSet<Platform> {
        let narrow = self.platform();
        let all = self.files.iter().map(|(_, platform)| *platform);
        all.filter(|platform| narrow.is_none_or(|narrow| *platform == narrow)).collect()
    }

    /// Whether a bundle with this native code may be offered for `platform`: each file is for it, or in a
    /// fat bundle each of its processors (and, for `any`, each system) has its own files.
    pub fn allows(&self, platform: Platform) -> bool {
        if self.files.is_empty() {
            return self.others.is_empty();
        }
        let built = self.platforms();
        let covers = |os: Os, arch: Arch| built.iter().any(|one| one.fits(Platform { os, arch }));
        let covers_processors = |os: Os| match platform.arch {
            Arch::Any => covers(os, Arch::X64) && covers(os, Arch::Arm64),
            arch => covers(os, arch),
        };
        match platform {
            // Which processors a system needs is the author's business once every system has its files.
            Platform::ANY => SYSTEMS.iter().all(|os| covers(*os, Arch::X64) || covers(*os, Arch::Arm64)),
            Platform { os: Os::Any, .. } => SYSTEMS.iter().all(|os| covers_processors(*os)),
            Platform { os, .. } => covers_processors(os),
        }
    }
}

const SYSTEMS: [Os; 3] = [Os::Darwin, Os::Linux, Os::Win32];

/// Packaging tools of Python carry launchers for Windows as data in packages that are otherwise pure.
fn is_launcher_stub(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let begins = |starts: [&str; 2]| starts.iter().any(|start| name.starts_with(start));
    std::path::Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("exe"))
        && ((folder == "setuptools" && begins(["cli", "gui"])) || (folder == "distlib" && begins(["t", "w"])))
}

fn built(os: Os, arch: Result<Arch, &str>) -> BuiltFor {
    match arch {
        Ok(arch) => BuiltFor::Platform(Platform { os, arch }),
        Err(word) => BuiltFor::Other(format!("{}-{word}", os.as_str())),
    }
}

fn elf(head: &[u8]) -> Option<BuiltFor> {
    const BPF: u16 = 247;
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let two: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    let machine = if head[5] == 2 { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) };
    let arch = match machine {
        BPF => return None,
        62 => Ok(Arch::X64),
        183 => Ok(Arch::Arm64),
        3 => Err("ia32"),
        40 => Err("arm"),
        243 => Err("riscv"),
        20 | 21 => Err("ppc"),
        22 => Err("s390"),
        258 => Err("loong64"),
        _ => Err("other"),
    };
    // The ABI byte: 0 is what Linux compilers write, 3 is GNU.
    match head[7] {
        0 | 3 => Some(built(Os::Linux, arch)),
        2 => Some(BuiltFor::Other("netbsd".to_owned())),
        6 => Some(BuiltFor::Other("solaris".to_owned())),
        9 => Some(BuiltFor::Other("freebsd".to_owned())),
        12 => Some(BuiltFor::Other("openbsd".to_owned())),
        _ => Some(BuiltFor::Other("elf-other".to_owned())),
    }
}

fn mach_o(head: &[u8]) -> Option<BuiltFor> {
    let first: [u8; 4] = head.get(..4)?.try_into().ok()?;
    let second: [u8; 4] = head.get(4..8)?.try_into().ok()?;
    match (u32::from_be_bytes(first), u32::from_le_bytes(first)) {
        (0xcafe_babe, _) => universal(head, u32::from_be_bytes(second), 20),
        (0xcafe_babf, _) => universal(head, u32::from_be_bytes(second), 32),
        (_, 0xfeed_facf | 0xfeed_face) => Some(built(Os::Darwin, cpu(u32::from_le_bytes(second)))),
        (0xfeed_facf | 0xfeed_face, _) => Some(built(Os::Darwin, cpu(u32::from_be_bytes(second)))),
        _ => None,
    }
}

/// A universal file; Java class files begin alike, but their second number is their version, 45 or more.
fn universal(head: &[u8], count: u32, record_bytes: usize) -> Option<BuiltFor> {
    const COUNT_MAX: u32 = 20;
    if count == 0 || count > COUNT_MAX {
        return None;
    }
    let cpus: Option<Vec<_>> = (0..count as usize)
        .map(|index| {
            let at = 8 + index * record_bytes;
            Some(cpu(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?)))
        })
        .collect();
    let cpus = cpus?;
    let arch = match (cpus.contains(&Ok(Arch::X64)), cpus.contains(&Ok(Arch::Arm64))) {
        (true, true) => Ok(Arch::Any),
        (true, false) => Ok(Arch::X64),
        (false, true) => Ok(Arch::Arm64),
        (false, false) => *cpus.first()?,
    };
    Some(built(Os::Darwin, arch))
}

fn cpu(kind: u32) -> Result<Arch, &'static str> {
    match kind {
        0x0100_0007 => Ok(Arch::X64),
        0x0100_000c => Ok(Arch::Arm64),
        7 => Err("ia32"),
        12 => Err("arm"),
        _ => Err("other"),
    }
}

fn pe(head: &[u8]) -> Option<BuiltFor> {
    if !head.starts_with(b"MZ") {
        return None;
    }
    let at = u32::from_le_bytes(head.get(0x3c..0x40)?.try_into().ok()?) as usize;
    if head.get(at..at.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let machine = u16::from_le_bytes(head.get(at + 4..at + 6)?.try_into().ok()?);
    let arch = match machine {
        0x8664 => Ok(Arch::X64),
        0xaa64 => Ok(Arch::Arm64),
        0x14c => Err("ia32"),
        0x1c0 | 0x1c4 => Err("arm"),
        _ => Err("other"),
    };
    Some(built(Os::Win32, arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf_head(abi: u8, machine: u16, big: bool) -> Vec<u8> {
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, if big { 2 } else { 1 }, 1, abi];
        head.resize(16, 0);
        head.extend([3, 0]);
        head.extend(if big { machine.to_be_bytes() } else { machine.to_le_bytes() });
        head
    }

    fn pe_head(machine: u16) -> Vec<u8> {
        let mut head = b"MZ".to_vec();
        head.resize(0x3c, 0);
        head.extend(0x80_u32.to_le_bytes());
        head.resize(0x80, 0);
        head.extend(b"PE\0\0");
        head.extend(machine.to_le_bytes());
        head
    }

    fn universal_head(cpus: &[u32]) -> Vec<u8> {
        let mut head = 0xcafe_babe_u32.to_be_bytes().to_vec();
        head.extend(u32::try_from(cpus.len()).unwrap().to_be_bytes());
        for cpu in cpus {
            head.extend(cpu.to_be_bytes());
            head.extend([0; 16]);
        }
        head
    }

    fn thin_head(cpu: u32) -> Vec<u8> {
        [0xfeed_facf_u32.to_le_bytes(), cpu.to_le_bytes()].concat()
    }

    #[test]
    fn the_first_bytes_name_the_platform() {
        let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
            (elf_head(0, 62, false), Some("linux-x64")),
            (elf_head(3, 183, false), Some("linux-arm64")),
            (elf_head(0, 3, false), Some("linux-ia32")),
            (elf_head(0, 22, true), Some("linux-s390")),
            (elf_head(9, 62, false), Some("freebsd")),
            (elf_head(0, 247, false), None),
            (b"\x7fELF".to_vec(), None),
            (pe_head(0x8664), Some("win32-x64")),
            (pe_head(0xaa64), Some("win32-arm64")),
            (pe_head(0x14c), Some("win32-ia32")),
            (b"MZ not a program".to_vec(), None),
            ([b"MZ".to_vec(), vec![0xff; 70]].concat(), None),
            (thin_head(0x0100_0007), Some("darwin-x64")),
            (thin_head(0x0100_000c), Some("darwin-arm64")),
            (universal_head(&[0x0100_0007, 0x0100_000c]), Some("darwin-any")),
            (universal_head(&[7, 0x0100_0007]), Some("darwin-x64")),
            (universal_head(&[]), None),
            // A Java class file of version 52, a WebAssembly module, a script, nothing.
            ([0xcafe_babe_u32.to_be_bytes(), 52_u32.to_be_bytes()].concat(), None),
            (b"\0asm\x01\0\0\0".to_vec(), None),
            (b"#!/bin/sh\n".to_vec(), None),
            (Vec::new(), None),
        ];
        for (head, expect) in cases {
            let found = built_for(&head).map(|built| match built {
                BuiltFor::Platform(platform) => platform.to_string(),
                BuiltFor::Other(words) => words,
            });
            assert_eq!(found.as_deref(), expect, "{head:02x?}");
        }
    }

    #[test]
    fn a_bundle_fits_what_its_native_files_fit() {
        /// Native files, the platform, what it may be offered for, what not.
        type Case<'a> = (&'a [&'a str], Option<&'a str>, &'a [&'a str], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[], Some("any"), &["any", "linux-x64", "darwin-any"], &[]),
            (&["linux-x64"], Some("linux-x64"), &["linux-x64"], &["any", "linux-any", "linux-arm64", "any-x64"]),
            (&["darwin-any"], Some("darwin-any"), &["darwin-any", "darwin-x64"], &["any", "linux-x64"]),
            // One file is for one processor only, so the whole is.
            (&["darwin-any", "darwin-x64"], Some("darwin-x64"), &["darwin-x64"], &["darwin-any", "darwin-arm64"]),
            (&["linux-x64", "linux-arm64"], None, &["linux-any", "linux-x64", "linux-arm64"], &["any", "darwin-x64"]),
            (
                &["linux-x64", "darwin-any", "win32-x64"],
                None,
                &["any", "any-x64", "linux-x64", "win32-x64", "darwin-arm64", "darwin-any"],
                &["linux-any", "linux-arm64", "any-arm64"],
            ),
        ];
        for (files, platform, yes, no) in cases {
            let files = files.iter().map(|text| ((*text).to_owned(), text.parse().unwrap())).collect();
            let native = NativeCode { files, others: Vec::new() };
            assert_eq!(native.platform().map(|p| p.to_string()).as_deref(), *platform, "{native:?}");
            for (text, expect) in yes.iter().map(|text| (text, true)).chain(no.iter().map(|text| (text, false))) {
                assert_eq!(native.allows(text.parse().unwrap()), expect, "{native:?} {text}");
            }
        }
    }

    #[test]
    fn native_code_without_a_word_on_the_wire_fits_nothing() {
        let native = NativeCode { files: Vec::new(), others: vec![("x".into(), "linux-ia32".into())] };
        assert_eq!(native.platform(), None);
        assert!(!native.allows(Platform::ANY) && !native.allows("linux-x64".parse().unwrap()));
    }

    #[test]
    fn launchers_that_packaging_tools_carry_are_data() {
        assert!(is_launcher_stub("server/lib/setuptools/cli-64.exe"));
        assert!(is_launcher_stub("lib/pip/_vendor/distlib/w64-arm.exe"));
        assert!(!is_launcher_stub("server/tool.exe"));
        assert!(!is_launcher_stub("setuptools/other.exe"));
    }
}
