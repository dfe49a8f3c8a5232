//! Every limit on what comes from outside in a bundle, in one place.
//!
//! Values: derived from real vendored bundles plus headroom; all can be changed by the caller.

/// Limits that reading, extracting and packing obey.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Largest archive file.
    pub archive_bytes_max: u64,
    /// Largest sum of all uncompressed entries.
    pub unpacked_bytes_max: u64,
    /// Largest single uncompressed entry.
    pub entry_bytes_max: u64,
    /// Most entries (existing readers cannot read more).
    pub entries_count_max: usize,
    /// Most folders: a path may name many that nothing else needs.
    pub folders_count_max: usize,
    /// Largest central directory.
    pub directory_bytes_max: u64,
    /// Per-entry ratio above which a finding is reported, for entries above `ratio_floor_bytes`.
    pub entry_ratio_warn: u64,
    /// Entries below this size are never reported for their ratio.
    pub ratio_floor_bytes: u64,
    /// Deflate cannot exceed this; a larger declared ratio is a lie.
    pub entry_ratio_max: u64,
    /// Whole-archive ratio refused above `archive_ratio_floor_bytes` unpacked.
    pub archive_ratio_max: u64,
    /// See `archive_ratio_max`.
    pub archive_ratio_floor_bytes: u64,
    /// Longest path.
    pub path_bytes_max: usize,
    /// Path length above which a finding is reported (Windows).
    pub path_bytes_warn: usize,
    /// Longest path component.
    pub component_bytes_max: usize,
    /// Deepest nesting of folders.
    pub path_depth_max: usize,
    /// Largest `manifest.json`.
    pub manifest_bytes_max: u64,
    /// Deepest nesting of JSON.
    pub json_depth_max: usize,
    /// Largest icon file.
    pub icon_bytes_max: u64,
    /// Largest icon side, in pixels.
    pub icon_side_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            archive_bytes_max: 512 * MIB,
            unpacked_bytes_max: 2048 * MIB,
            entry_bytes_max: 512 * MIB,
            entries_count_max: 65_534,
            folders_count_max: 65_534,
            directory_bytes_max: 64 * MIB,
            entry_ratio_warn: 100,
            ratio_floor_bytes: 64 << 10,
            entry_ratio_max: 1_032,
            archive_ratio_max: 200,
            archive_ratio_floor_bytes: 100 * MIB,
            path_bytes_max: 1_024,
            path_bytes_warn: 240,
            component_bytes_max: 255,
            path_depth_max: 64,
            manifest_bytes_max: MIB,
            json_depth_max: 64,
            icon_bytes_max: 5 * MIB,
            icon_side_max: 4_096,
        }
    }
}
