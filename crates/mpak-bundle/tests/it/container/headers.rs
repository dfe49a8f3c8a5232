//! Rows about what local and central headers say.

use mpak_testkit::zip::{Descriptor, ZipBuilder, ZipEntry, extra, zip64_extra};

use super::{Case, good};

const ONES: u32 = u32::MAX;
const TEXT: &str = "the content of the file";

pub(crate) fn cases() -> Vec<Case> {
    [disagreements(), descriptors(), flags(), extras(), times()].into_iter().flatten().collect()
}

fn entry(change: impl FnOnce(&mut ZipEntry)) -> ZipBuilder {
    good(|zip| {
        zip.entry(ZipEntry::new("a.txt", TEXT).with(change));
    })
}

fn disagreements() -> Vec<Case> {
    let other_name = entry(|e| e.local.name = Some(b"b.txt".to_vec()));
    let longer_name = entry(|e| e.local.name = Some(b"longer.txt".to_vec()));
    let method = entry(|e| e.local.method = Some(0));
    let method_of_stored = good(|zip| {
        zip.entry(ZipEntry::new("a.txt", TEXT).stored().with(|e| e.local.method = Some(8)));
    });
    vec![
        Case::refuse(18, "other name", &other_name, "headers-differ"),
        Case::refuse(18, "longer name", &longer_name, "headers-differ"),
        Case::refuse(19, "local stored", &method, "headers-differ"),
        Case::refuse(19, "local deflated", &method_of_stored, "headers-differ"),
        Case::refuse(19, "local flags", &entry(|e| e.local.flags = Some(2)), "headers-differ"),
        Case::refuse(20, "local checksum", &entry(|e| e.local.crc32 = Some(1)), "headers-differ"),
        Case::refuse(21, "local size", &entry(|e| e.local.bytes = Some(3)), "headers-differ"),
        Case::refuse(21, "local compressed size", &entry(|e| e.local.packed_bytes = Some(3)), "headers-differ"),
    ]
}

fn descriptors() -> Vec<Case> {
    let with = |descriptor: Descriptor| entry(|e| e.descriptor = descriptor);
    let raw = |bytes: Vec<u8>| with(Descriptor::Raw(bytes));
    let lie = [&b"PK\x07\x08"[..], &[1; 12]].concat();
    let sizes = |crc32: u32, bytes: u32| {
        entry(|e| {
            e.descriptor = Descriptor::Signed;
            e.local.crc32 = Some(crc32);
            e.local.bytes = Some(bytes);
        })
    };
    let crc32 = crc32fast::hash(TEXT.as_bytes());
    let bytes = TEXT.len() as u32;
    let stored = good(|zip| {
        zip.entry(ZipEntry::new("a.txt", TEXT).stored().with(|e| e.descriptor = Descriptor::Signed));
    });
    let streamed64 = entry(|e| {
        e.descriptor = Descriptor::Signed64;
        e.local.bytes = Some(ONES);
        e.local.packed_bytes = Some(ONES);
        e.local.extra = Some(zip64_extra(&[0, 0]));
    });
    vec![
        Case::accept(23, "signed", &with(Descriptor::Signed), &[]),
        Case::accept(23, "stored", &stored, &[]),
        Case::refuse(24, "other values", &raw(lie), "descriptor-differs"),
        Case::refuse(24, "too short", &raw(vec![0; 7]), "descriptor-differs"),
        Case::refuse(24, "missing", &raw(Vec::new()), "descriptor-differs"),
        Case::accept(67, "true sizes in front, too", &sizes(crc32, bytes), &["descriptor-sizes"]),
        Case::refuse(67, "another size in front", &sizes(crc32, bytes + 1), "headers-differ"),
        Case::refuse(67, "another checksum in front", &sizes(1, bytes), "headers-differ"),
        Case::accept(68, "without signature", &with(Descriptor::Unsigned), &[]),
        Case::accept(68, "64 bits", &with(Descriptor::Signed64), &[]),
        Case::accept(68, "64 bits without signature", &with(Descriptor::Unsigned64), &[]),
        Case::accept(68, "streamed with ZIP64", &streamed64, &[]),
    ]
}

fn flags() -> Vec<Case> {
    let with = |flags: u16| entry(|e| e.flags = flags);
    let mut cases = vec![
        Case::refuse(31, "encrypted", &with(1), "encrypted"),
        Case::refuse(69, "strong encryption", &with(1 << 6), "encrypted"),
        Case::refuse(69, "masked headers", &with(1 << 13), "encrypted"),
        Case::refuse(69, "patched data", &with(1 << 5), "flags-unknown"),
        Case::refuse(69, "enhanced deflate", &with(1 << 4), "flags-unknown"),
        Case::accept(0, "deflate level bits", &with(0b110), &[]),
        Case::refuse(32, "method 99", &entry(|e| e.method = 99), "method-unknown"),
    ];
    for method in [9, 12, 14, 93, 95] {
        cases.push(Case::refuse(33, &format!("method {method}"), &entry(|e| e.method = method), "method-unknown"));
    }
    cases
}

fn extras() -> Vec<Case> {
    let with = |field: Vec<u8>| entry(|e| e.extra = field);
    let bytes = TEXT.len() as u64;
    let packed_bytes = mpak_testkit::zip::deflate(TEXT.as_bytes()).len() as u64;
    let wide = entry(|e| {
        e.extra = zip64_extra(&[bytes, packed_bytes]);
        for spoil in [&mut e.local, &mut e.central] {
            spoil.bytes = Some(ONES);
            spoil.packed_bytes = Some(ONES);
        }
    });
    let wide_without_values = entry(|e| e.central.bytes = Some(ONES));
    let wide_local = entry(|e| {
        e.local.extra = Some(zip64_extra(&[bytes, packed_bytes]));
        e.local.bytes = Some(ONES);
        e.local.packed_bytes = Some(ONES);
    });
    let two = [zip64_extra(&[bytes, packed_bytes]), zip64_extra(&[bytes, packed_bytes])].concat();
    let info_zip = entry(|e| {
        e.local.extra = Some([extra(0x5455, &[3; 9]), extra(0x7875, &[1; 11])].concat());
        e.central.extra = Some([extra(0x5455, &[3; 5]), extra(0x7875, &[1; 11])].concat());
    });
    let overrun = extra(0x5455, &[0; 4]).into_iter().take(6).collect();
    vec![
        Case::accept(58, "values without need", &with(zip64_extra(&[bytes, packed_bytes])), &[]),
        Case::accept(58, "values in both headers", &wide, &[]),
        Case::accept(58, "values in the local header", &wide_local, &[]),
        Case::accept(58, "long local extra", &entry(|e| e.local.extra = Some(extra(0x9999, &[0; 5000]))), &[]),
        Case::accept(0, "as Info-ZIP writes them", &info_zip, &[]),
        Case::refuse(70, "overruns the header", &entry(|e| e.central.extra_length = Some(50)), "directory-record"),
        Case::refuse(70, "overruns the file", &entry(|e| e.local.extra_length = Some(5000)), "local-header"),
        Case::refuse(70, "field overruns", &with(overrun), "extra-field"),
        Case::refuse(70, "rest that is no field", &with(vec![0; 3]), "extra-field"),
        Case::refuse(71, "two ZIP64 fields", &with(two), "extra-field"),
        Case::refuse(71, "values disagree", &with(zip64_extra(&[bytes + 1, packed_bytes])), "extra-field"),
        Case::refuse(71, "values missing", &wide_without_values, "extra-field"),
    ]
}

fn times() -> Vec<Case> {
    let with = |time: u32| entry(|e| e.time = time);
    vec![
        Case::accept(79, "zero", &with(0), &[]),
        Case::accept(79, "month 0", &with(0x5801_0000), &[]),
        Case::accept(79, "year 2107", &with(0xff9f_bf7d), &[]),
    ]
}
