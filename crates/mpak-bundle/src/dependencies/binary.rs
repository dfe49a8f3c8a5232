//! Programs that know what they were built from: Go's build information, and what `cargo auditable` leaves
//! in Rust programs.
//!
//! In: executables from an attacker. Out: components. Only files that can be programs of the bundle's own are
//! read, because reading means holding them whole: no extension or `.exe`, not inside an installed package, of
//! bounded size and number.
//! Spec: Go `debug/buildinfo` (format since Go 1.18); cargo-auditable, section `.dep-v0`.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde_json::Value;

use super::{Ecosystem, Records, file_name, first_party};

mod sections;

/// Largest program that is read.
const PROGRAM_BYTES_MAX: u64 = 96 << 20;
/// Smallest program that can hold either.
const PROGRAM_BYTES_MIN: u64 = 4 << 10;
/// Most programs that are read.
pub(super) const PROGRAMS_COUNT_MAX: usize = 8;
/// Largest build information, unpacked.
const INFORMATION_BYTES_MAX: u64 = 8 << 20;
/// Most modules of one program.
const MODULES_COUNT_MAX: usize = 20_000;

/// Modules and crates that a program was built from.
pub(super) fn built_in(path: &str, program: &[u8], records: &mut Records<'_>) {
    if !sections::is_program(program) {
        return;
    }
    let mut found = go(program);
    found.extend(rust(program));
    for (ecosystem, name, version) in found.into_iter().take(MODULES_COUNT_MAX) {
        records.found(ecosystem, &name, &version, None, path);
    }
}

/// Whether a file can be a program of the bundle's own.
pub(super) fn may_be_program(path: &str, bytes: u64) -> bool {
    let name = file_name(path);
    let plain = !name.contains('.') || name.to_ascii_lowercase().ends_with(".exe");
    plain && first_party(path) && (PROGRAM_BYTES_MIN..=PROGRAM_BYTES_MAX).contains(&bytes)
}

type Found = Vec<(Ecosystem, String, String)>;

/// What stands before Go's build information, at a multiple of 16.
const GO_MAGIC: &[u8] = b"\xff Go buildinf:";
const GO_ALIGNMENT: usize = 16;
/// Bit of the flags: texts follow in place.
const GO_INLINE: u8 = 2;

fn go(program: &[u8]) -> Found {
    let starts = program.chunks_exact(GO_ALIGNMENT).enumerate().filter(|(_, chunk)| chunk.starts_with(GO_MAGIC));
    // The words alone also stand in programs that look for them.
    starts.map(|(number, _)| &program[number * GO_ALIGNMENT..]).find_map(go_information).unwrap_or_default()
}

fn go_information(information: &[u8]) -> Option<Found> {
    const HEADER_BYTES: usize = 32;
    if information.get(15)? & GO_INLINE == 0 {
        return None;
    }
    let (version, rest) = text(information.get(HEADER_BYTES..)?)?;
    let version = std::str::from_utf8(version).ok()?.strip_prefix("go")?;
    let (modules, _) = text(rest)?;
    let mut found = vec![(Ecosystem::Golang, "stdlib".to_owned(), first_word(version).to_owned())];
    // Sixteen bytes mark begin and end.
    let modules = modules.get(16..modules.len().checked_sub(16)?).and_then(|m| std::str::from_utf8(m).ok());
    for line in modules.unwrap_or_default().lines().take(MODULES_COUNT_MAX) {
        let mut cells = line.split('\t');
        let (kind, name, version) = (cells.next(), cells.next(), cells.next());
        let (Some(name), Some(version)) = (name, version) else { continue };
        match kind {
            Some("dep") => found.push((Ecosystem::Golang, name.to_owned(), version.to_owned())),
            // What is built in, in place of the module before.
            Some("=>") if found.len() > 1 => {
                found.pop();
                // A folder of the builder's machine has no version.
                if !version.is_empty() {
                    found.push((Ecosystem::Golang, name.to_owned(), version.to_owned()));
                }
            }
            _ => {}
        }
    }
    Some(found)
}

/// `1.21.3 X:nocoverageredesign` is version 1.21.3.
fn first_word(text: &str) -> &str {
    text.split_ascii_whitespace().next().unwrap_or_default()
}

/// Length in base 128, then so many bytes.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(length);
        }
    }
    None
}

fn rust(program: &[u8]) -> Found {
    let Some(packed) = sections::find(program, ".dep-v0") else { return Vec::new() };
    let mut json = Vec::new();
    let read = ZlibDecoder::new(packed).take(INFORMATION_BYTES_MAX).read_to_end(&mut json);
    let Some(document) = read.ok().and_then(|_| serde_json::from_slice::<Value>(&json).ok()) else { return Vec::new() };
    let crates = document.get("packages").and_then(Value::as_array).into_iter().flatten();
    // What only ran while building is not in the program; the program itself is no component.
    let linked = crates.filter(|one| {
        let registry = one.get("source").and_then(Value::as_str) == Some("crates.io");
        registry
            && one.get("kind").and_then(Value::as_str) != Some("build")
            && one.get("root") != Some(&Value::Bool(true))
    });
    let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).map(str::to_owned);
    linked.filter_map(|one| Some((Ecosystem::Cargo, text(one, "name")?, text(one, "version")?))).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::super::tests::purls;

    fn varint(mut n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    }

    fn go_program(version: &str, modules: &str) -> Vec<u8> {
        let mut out = b"\x7fELF".to_vec();
        out.resize(8_192, 0);
        // the words alone, as in a program that looks for them
        out.extend(b"\xff Go buildinf:\x08\x00");
        out.resize(8_192 + 64, 0);
        out.extend(b"\xff Go buildinf:\x08\x02");
        out.resize(8_192 + 96, 0);
        let framed = [&[7; 16], modules.as_bytes(), &[9; 16]].concat();
        for text in [version.as_bytes(), &framed] {
            out.extend(varint(text.len()));
            out.extend(text);
        }
        out
    }

    #[test]
    fn go_programs_name_their_modules() {
        let modules = "path\texample.org/cmd\nmod\texample.org/me\t(devel)\t\ndep\texample.org/a\tv1.2.3\th1:x=\n\
                       dep\texample.org/b\tv1.0.0\th1:y=\n=>\texample.org/fork\tv1.0.1\th1:z=\ndep\texample.org/c\tv1.0.0\n=>\t./local\t\nbuild\tGOOS=linux\n";
        let program = go_program("go1.21.3 X:some", modules);
        assert_eq!(
            purls(&[("server/tool", program.clone())]),
            ["pkg:golang/example.org/a@v1.2.3", "pkg:golang/example.org/fork@v1.0.1", "pkg:golang/stdlib@1.21.3"]
        );
        // what is in the program beats what a lockfile says
        let sum = b"example.org/z v9.0.0 h1:xx=\n".to_vec();
        assert_eq!(purls(&[("server/tool", program.clone()), ("go.sum", sum)]).len(), 3);
        for elsewhere in ["node_modules/a/tool", "server/tool.so"] {
            assert_eq!(purls(&[(elsewhere, program.clone())]), [""; 0], "{elsewhere}");
        }
    }

    /// A little-endian ELF of 64 bits with one section beside the names.
    fn rust_program(json: &str) -> Vec<u8> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(json.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let names = b"\0.shstrtab\0.dep-v0\0";
        let mut out = vec![0; 64];
        out[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let packed_at = out.len() as u64;
        out.extend(&packed);
        let names_at = out.len() as u64;
        out.extend(names);
        out.resize(out.len().next_multiple_of(8).max(5_000), 0);
        let headers_at = out.len() as u64;
        for (name, at, bytes) in
            [(0_u32, 0, 0), (1, names_at, names.len() as u64), (11, packed_at, packed.len() as u64)]
        {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[24..32].copy_from_slice(&at.to_le_bytes());
            header[32..40].copy_from_slice(&bytes.to_le_bytes());
            out.extend(header);
        }
        out[40..48].copy_from_slice(&headers_at.to_le_bytes());
        out[58..64].copy_from_slice(&[64, 0, 3, 0, 1, 0]);
        out
    }

    #[test]
    fn auditable_rust_programs_name_their_crates() {
        let json = r#"{"packages":[{"name":"me","version":"0.1.0","source":"local","root":true},
            {"name":"serde","version":"1.0.0","source":"crates.io"},
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
            {"name":"git","version":"1.0.0","source":"git"}]}"#;
        assert_eq!(purls(&[("bin/tool", rust_program(json))]), ["pkg:cargo/serde@1.0.0"]);
        assert_eq!(purls(&[("bin/tool", rust_program("[]"))]), [""; 0]);
    }

    #[test]
    fn broken_programs_give_nothing_and_never_panic() {
        let go = go_program("go1.21.3", "dep\texample.org/a\tv1.2.3\n");
        let rust = rust_program(r#"{"packages":[{"name":"serde","version":"1.0.0","source":"crates.io"}]}"#);
        for program in [go, rust] {
            for at in (4..program.len()).filter(|at| *at < 128 || *at > 4_900) {
                for value in [0, 0x7f, 0xff] {
                    let mut broken = program.clone();
                    broken[at] = value;
                    let _found = purls(&[("tool", broken)]);
                }
            }
            for length in [4_096, 8_192, 8_260, program.len() - 1] {
                let _found = purls(&[("tool", &program[..length.min(program.len())])]);
            }
        }
    }
}
