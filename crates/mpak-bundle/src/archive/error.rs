//! Why an archive is refused: one variant per cause, each with a stable code and what to do.

use std::io;

use thiserror::Error;

use crate::path::PathError;

/// Why an archive is refused. Names are escaped for showing.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[source] io::Error),
    /// The data cannot be written where the caller wants it.
    #[error("cannot write the data of `{name}`")]
    Write {
        /// Entry.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file became shorter while it was read.
    #[error("the file ended at a place that existed when it was opened")]
    Changed,
    /// Not a regular file.
    #[error("this is not a regular file")]
    NotAFile,
    /// No sign of ZIP at all.
    #[error("this is not a ZIP file")]
    NotAZip,
    /// Begins like a ZIP, but the end record is missing.
    #[error("the end record of the ZIP file is missing: the file is cut off, or much follows it")]
    EndRecordMissing,
    /// Larger than allowed.
    #[error("the file has {bytes} bytes, expected at most {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// Bytes after the end record that are not exactly one signature block.
    #[error("{bytes} bytes follow the end of the ZIP file")]
    TrailingData {
        /// How many.
        bytes: u64,
    },
    /// The comment's length points beyond the end of the file.
    #[error("the archive comment is said to have {declared} bytes, but only {found} follow")]
    CommentOverrun {
        /// Declared length.
        declared: u64,
        /// Bytes that follow.
        found: u64,
    },
    /// Two end records both fit.
    #[error("two end records fit this file, so two readers may find two archives")]
    EndRecordAmbiguous,
    /// The footer of a signature block without a block in front of it.
    #[error("the signature block at the end of the file is malformed: {reason}")]
    SignatureMalformed {
        /// What is wrong.
        reason: &'static str,
    },
    /// Split over several disks.
    #[error("the archive is split over several disks")]
    MultiDisk,
    /// The ZIP64 end records are malformed or disagree with the short one.
    #[error("the ZIP64 end record is wrong: {reason}")]
    Zip64End {
        /// What is wrong.
        reason: &'static str,
    },
    /// No entries.
    #[error("the archive is empty")]
    Empty,
    /// More entries than allowed.
    #[error("the archive has {count} entries, expected at most {limit}")]
    EntriesCount {
        /// How many.
        count: u64,
        /// Most allowed.
        limit: usize,
    },
    /// More folders than allowed.
    #[error("the archive has more than {limit} folders")]
    FoldersCount {
        /// Most allowed.
        limit: usize,
    },
    /// The directory is larger than allowed.
    #[error("the directory of the archive has {bytes} bytes, expected at most {limit}")]
    DirectoryTooLarge {
        /// Its size.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The directory is not directly in front of the end record.
    #[error("the directory is said to end at byte {declared}, but the end record is at byte {found}")]
    DirectoryPlace {
        /// Where the end record says that it ends.
        declared: u64,
        /// Where the end record is.
        found: u64,
    },
    /// The number of records in the directory differs from the end record's.
    #[error("the end record counts {declared} entries, but the directory holds {found}")]
    DirectoryCount {
        /// Declared.
        declared: u64,
        /// Found.
        found: String,
    },
    /// A record of the directory is cut off or does not begin with its signature.
    #[error("record {index} of the directory is malformed: {reason}")]
    DirectoryRecord {
        /// Counted from 0.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The extra field is malformed.
    #[error("the extra field of `{name}` is malformed: {reason}")]
    Extra {
        /// Entry.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The name is not text in UTF-8.
    #[error("the name `{name}` is not valid UTF-8")]
    NameEncoding {
        /// Entry, as far as it can be shown.
        name: String,
    },
    /// The Unicode-path field gives another name.
    #[error("`{name}` has a second, different name in its extra field")]
    UnicodePath {
        /// Entry.
        name: String,
    },
    /// The name is not a path inside a bundle.
    #[error("entry `{name}`: {source}")]
    Name {
        /// Entry.
        name: String,
        /// Why not.
        source: PathError,
    },
    /// The same name twice.
    #[error("`{name}` is in the archive twice")]
    NameDuplicate {
        /// Entry.
        name: String,
    },
    /// Two names that some systems take for one.
    #[error("`{first}` and `{second}` are one file on systems that ignore case or Unicode form")]
    NameCollision {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A file where another entry needs a folder.
    #[error("`{name}` is both a file and a folder")]
    FileFolderConflict {
        /// Entry.
        name: String,
    },
    /// A symbolic link.
    #[error("`{name}` is a symbolic link")]
    SymbolicLink {
        /// Entry.
        name: String,
    },
    /// A device, FIFO or socket.
    #[error("`{name}` is a device, pipe or socket (mode {mode:o})")]
    SpecialFile {
        /// Entry.
        name: String,
        /// Its Unix mode.
        mode: u32,
    },
    /// Folder by its attributes and file by its name, or the reverse; or a folder with data.
    #[error("`{name}` is neither clearly a file nor clearly a folder")]
    KindUnclear {
        /// Entry.
        name: String,
    },
    /// Encrypted.
    #[error("`{name}` is encrypted")]
    Encrypted {
        /// Entry.
        name: String,
    },
    /// A flag that changes the format in a way nobody needs.
    #[error(
        "`{name}` sets the general purpose flags {flags:#06x}, expected none but deflate level, descriptor and UTF-8"
    )]
    Flags {
        /// Entry.
        name: String,
        /// Its flags.
        flags: u16,
    },
    /// A compression method other than 0 and 8.
    #[error("`{name}` is compressed with method {method}, expected 0 (stored) or 8 (deflate)")]
    Method {
        /// Entry.
        name: String,
        /// Its method.
        method: u16,
    },
    /// A stored entry whose two sizes differ.
    #[error("`{name}` is stored, but {packed_bytes} bytes are said to hold {bytes}")]
    StoredSize {
        /// Entry.
        name: String,
        /// Uncompressed size.
        bytes: u64,
        /// Compressed size.
        packed_bytes: u64,
    },
    /// One entry is larger than allowed.
    #[error("`{name}` has {bytes} bytes, expected at most {limit}")]
    EntryTooLarge {
        /// Entry.
        name: String,
        /// Its size.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// All entries together are larger than allowed.
    #[error("the archive unpacks to more than {limit} bytes")]
    UnpackedTooLarge {
        /// The largest allowed.
        limit: u64,
    },
    /// A ratio that deflate cannot reach.
    #[error("`{name}` is said to unpack {packed_bytes} bytes to {bytes}, more than deflate can")]
    RatioImpossible {
        /// Entry.
        name: String,
        /// Uncompressed size.
        bytes: u64,
        /// Compressed size.
        packed_bytes: u64,
    },
    /// The whole archive unpacks to far more than its size.
    #[error("the archive of {packed_bytes} bytes unpacks to {bytes}, more than {limit} times its size")]
    ArchiveRatio {
        /// Uncompressed size.
        bytes: u64,
        /// Size of the file.
        packed_bytes: u64,
        /// Largest allowed ratio.
        limit: u64,
    },
    /// Bytes in front of the first entry.
    #[error("{bytes} bytes stand in front of the ZIP file")]
    PrependedData {
        /// How many.
        bytes: u64,
    },
    /// Bytes that belong to no entry.
    #[error("{bytes} bytes in front of `{name}` belong to no entry")]
    Gap {
        /// The entry after the gap, or `the directory`.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// Two entries share bytes, or an entry reaches into the directory.
    #[error("the data of `{name}` overlaps what follows it")]
    Overlap {
        /// Entry.
        name: String,
    },
    /// There is no local header where the directory says.
    #[error("the local header of `{name}` is malformed: {reason}")]
    LocalHeader {
        /// Entry.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The local header says something else than the directory.
    #[error("`{name}` has another {field} in its local header than in the directory")]
    HeadersDiffer {
        /// Entry.
        name: String,
        /// Which field.
        field: &'static str,
    },
    /// The data descriptor is malformed or says something else than the directory.
    #[error("the data descriptor of `{name}` disagrees with the directory")]
    Descriptor {
        /// Entry.
        name: String,
    },
    /// Not a deflate stream.
    #[error("the compressed data of `{name}` is invalid")]
    DeflateInvalid {
        /// Entry.
        name: String,
    },
    /// The deflate stream stops before its end.
    #[error("the compressed data of `{name}` ends too early")]
    DeflateTruncated {
        /// Entry.
        name: String,
    },
    /// Bytes after the end of the deflate stream.
    #[error("{bytes} bytes follow the compressed data of `{name}` inside its entry")]
    DeflateTrailing {
        /// Entry.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// The data has another size than declared.
    #[error("`{name}` unpacks to {} than the declared {declared} bytes", if *longer { "more" } else { "less" })]
    SizeDiffers {
        /// Entry.
        name: String,
        /// Declared size.
        declared: u64,
        /// Whether there is more than declared.
        longer: bool,
    },
    /// The data has another checksum than declared.
    #[error("`{name}` has the checksum {found:08x}, expected {declared:08x}")]
    Crc {
        /// Entry.
        name: String,
        /// Declared CRC-32.
        declared: u32,
        /// CRC-32 of the data.
        found: u32,
    },
}

impl ArchiveError {
    /// Stable kebab-case code; each stands in `docs/formats/container.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "read-failed",
            Self::Write { .. } => "write-failed",
            Self::Changed => "file-changed",
            Self::NotAFile => "not-a-file",
            Self::NotAZip => "not-a-zip",
            Self::EndRecordMissing => "end-record-missing",
            Self::TooLarge { .. } => "archive-too-large",
            Self::TrailingData { .. } => "trailing-data",
            Self::CommentOverrun { .. } => "comment-overrun",
            Self::EndRecordAmbiguous => "end-record-ambiguous",
            Self::SignatureMalformed { .. } => "signature-malformed",
            Self::MultiDisk => "multi-disk",
            Self::Zip64End { .. } => "zip64-end",
            Self::Empty => "archive-empty",
            Self::EntriesCount { .. } => "entries-count",
            Self::FoldersCount { .. } => "folders-count",
            Self::DirectoryTooLarge { .. } => "directory-too-large",
            Self::DirectoryPlace { .. } => "directory-place",
            Self::DirectoryCount { .. } => "directory-count",
            Self::DirectoryRecord { .. } => "directory-record",
            Self::Extra { .. } => "extra-field",
            Self::NameEncoding { .. } => "name-encoding",
            Self::UnicodePath { .. } => "unicode-path-differs",
            Self::Name { source, .. } => source.code(),
            Self::NameDuplicate { .. } => "name-duplicate",
            Self::NameCollision { .. } => "name-collision",
            Self::FileFolderConflict { .. } => "file-folder-conflict",
            Self::SymbolicLink { .. } => "symbolic-link",
            Self::SpecialFile { .. } => "special-file",
            Self::KindUnclear { .. } => "kind-unclear",
            Self::Encrypted { .. } => "encrypted",
            Self::Flags { .. } => "flags-unknown",
            Self::Method { .. } => "method-unknown",
            Self::StoredSize { .. } => "stored-size",
            Self::EntryTooLarge { .. } => "entry-too-large",
            Self::UnpackedTooLarge { .. } => "unpacked-too-large",
            Self::RatioImpossible { .. } => "ratio-impossible",
            Self::ArchiveRatio { .. } => "archive-ratio",
            Self::PrependedData { .. } => "prepended-data",
            Self::Gap { .. } => "gap",
            Self::Overlap { .. } => "overlap",
            Self::LocalHeader { .. } => "local-header",
            Self::HeadersDiffer { .. } => "headers-differ",
            Self::Descriptor { .. } => "descriptor-differs",
            Self::DeflateInvalid { .. } => "deflate-invalid",
            Self::DeflateTruncated { .. } => "deflate-truncated",
            Self::DeflateTrailing { .. } => "deflate-trailing",
            Self::SizeDiffers { .. } => "size-differs",
            Self::Crc { .. } => "crc-differs",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io(_) | Self::Write { .. } => "check the permissions and the disk, then try again",
            Self::Changed => "something else writes this file; try again when it is finished",
            Self::NotAFile | Self::NotAZip => "give a .mcpb file, as `mpak pack` writes it",
            Self::EndRecordMissing => "download or copy the file again",
            Self::TooLarge { .. }
            | Self::EntriesCount { .. }
            | Self::FoldersCount { .. }
            | Self::DirectoryTooLarge { .. }
            | Self::EntryTooLarge { .. }
            | Self::UnpackedTooLarge { .. }
            | Self::ArchiveRatio { .. } => "leave out what the server does not need, with .mcpbignore, and pack again",
            Self::Empty => "pack a folder that holds manifest.json",
            Self::NameEncoding { .. }
            | Self::Name { .. }
            | Self::NameDuplicate { .. }
            | Self::NameCollision { .. }
            | Self::FileFolderConflict { .. } => "rename the file and pack again",
            Self::SymbolicLink { .. } | Self::SpecialFile { .. } | Self::KindUnclear { .. } => {
                "a bundle holds plain files only; pack the folder again with `mpak pack`"
            }
            Self::Encrypted { .. } | Self::Flags { .. } | Self::Method { .. } => {
                "pack again with `mpak pack`: plain deflate, no encryption"
            }
            Self::SignatureMalformed { .. } => "take the file from its publisher again",
            Self::SizeDiffers { .. }
            | Self::Crc { .. }
            | Self::DeflateInvalid { .. }
            | Self::DeflateTruncated { .. } => {
                "the file is damaged or made to deceive; take it from its publisher again"
            }
            Self::TrailingData { .. }
            | Self::CommentOverrun { .. }
            | Self::EndRecordAmbiguous
            | Self::MultiDisk
            | Self::Zip64End { .. }
            | Self::DirectoryPlace { .. }
            | Self::DirectoryCount { .. }
            | Self::DirectoryRecord { .. }
            | Self::Extra { .. }
            | Self::UnicodePath { .. }
            | Self::StoredSize { .. }
            | Self::RatioImpossible { .. }
            | Self::PrependedData { .. }
            | Self::Gap { .. }
            | Self::Overlap { .. }
            | Self::LocalHeader { .. }
            | Self::HeadersDiffer { .. }
            | Self::Descriptor { .. }
            | Self::DeflateTrailing { .. } => {
                "two readers could see two bundles here, so it is refused; pack the folder again with `mpak pack`"
            }
        }
    }
}
