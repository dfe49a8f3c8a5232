//! Files beside copies for existing clients: `.mpak-meta.json` and `.mpak-local-meta.json`.

use std::path::Path;

use mpak_api::bundle::WirePlatform;
use serde::{Deserialize, Serialize};

use super::{HomeError, read_json};

/// Beside the copy of a package.
pub const META: &str = ".mpak-meta.json";

/// Beside the copy of a local file.
pub const LOCAL_META: &str = ".mpak-local-meta.json";

/// `.mpak-meta.json`: four keys and no more, indented by two.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Version of the copy.
    pub version: String,
    /// ISO 8601 with milliseconds.
    pub pulled_at: String,
    /// ISO 8601 with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_checked_at: Option<String>,
    /// The artifact's platform, not the machine's.
    pub platform: WirePlatform,
}

/// `.mpak-local-meta.json`, on one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalMeta {
    /// Absolute path of the file.
    pub local_path: String,
    /// ISO 8601 with milliseconds.
    pub extracted_at: String,
}

impl Meta {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts serialise")
    }

    /// Reads what an existing client (or we) left beside a copy; nothing where it is damaged.
    pub fn read(entry: &Path) -> Option<Self> {
        let read: Result<Option<Self>, HomeError> = read_json(&entry.join(META));
        read.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4_the_file_has_its_four_keys_and_no_more() {
        let meta = Meta {
            version: "1.0.0".into(),
            pulled_at: "P".into(),
            last_checked_at: Some("C".into()),
            platform: WirePlatform { os: "any".into(), arch: "any".into() },
        };
        let expected = "{\n  \"version\": \"1.0.0\",\n  \"pulledAt\": \"P\",\n  \"lastCheckedAt\": \"C\",\n  \"platform\": {\n    \"os\": \"any\",\n    \"arch\": \"any\"\n  }\n}";
        assert_eq!(String::from_utf8(meta.to_bytes()).unwrap(), expected);
    }
}
