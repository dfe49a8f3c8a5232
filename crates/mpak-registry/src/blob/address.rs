//! Which store `[storage] url` names.

use std::path::PathBuf;

use object_store::path::Path as ObjectPath;
use thiserror::Error;
use url::Url;

use crate::config::Storage;

/// What the address is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `file:DIR`
    Folder(PathBuf),
    /// Something behind a network.
    Remote(RemoteAddress),
}

/// `s3://BUCKET/PREFIX` and the like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RemoteAddress {
    /// Whose protocol.
    pub(super) kind: Kind,
    /// Bucket or container.
    pub(super) bucket: String,
    /// Empty, or `a/b`.
    pub(super) prefix: ObjectPath,
}

/// A protocol of object storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// S3 and what is compatible.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Kind {
    /// For people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "S3 store",
            Self::Google => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
        }
    }
}

/// Why an address names no store.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// Another scheme, or none.
    #[error(
        "`{found}` names no storage; expected `file:DIR`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`"
    )]
    Scheme {
        /// What was given.
        found: String,
    },
    /// The bucket has no name, or one that no store takes.
    #[error("`{found}` names no bucket; bucket names have letters, digits, `.`, `_` and `-` only")]
    Bucket {
        /// What was given.
        found: String,
    },
    /// The prefix would not come back as it was written.
    #[error("the prefix of `{found}` may have letters, digits, `.`, `_` and `-` between its slashes only")]
    Prefix {
        /// What was given.
        found: String,
    },
    /// The address of the store itself.
    #[error("the endpoint `{found}` is no address like `https://HOST`")]
    Endpoint {
        /// What was given.
        found: String,
    },
    /// A bucket that cannot stand in front of the store's host.
    #[error("the bucket `{bucket}` cannot stand in front of the host of `{found}`; set `storage.path_style = true`")]
    HostStyle {
        /// Which bucket.
        bucket: String,
        /// The endpoint.
        found: String,
    },
    /// Half of a pair of keys, or none where they are needed.
    #[error("{expected}")]
    Keys {
        /// What is missing.
        expected: &'static str,
    },
}

impl Address {
    /// Reads the setting.
    pub(super) fn parse(storage: &Storage) -> Result<Self, AddressError> {
        let found = || storage.url.clone();
        if let Some(folder) = storage.url.strip_prefix("file:") {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            let named = !folder.is_empty();
            return named
                .then(|| Self::Folder(PathBuf::from(folder)))
                .ok_or_else(|| AddressError::Scheme { found: found() });
        }
        let kinds = [("s3://", Kind::S3), ("gs://", Kind::Google), ("az://", Kind::Azure)];
        let (kind, rest) = kinds
            .into_iter()
            .find_map(|(scheme, kind)| storage.url.strip_prefix(scheme).map(|rest| (kind, rest)))
            .ok_or_else(|| AddressError::Scheme { found: found() })?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_plain(bucket) {
            return Err(AddressError::Bucket { found: found() });
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
            return Err(AddressError::Prefix { found: found() });
        }
        if let Some(endpoint) = &storage.endpoint {
            check_endpoint(endpoint)?;
        }
        if let Some(endpoint) = storage.endpoint.as_ref().filter(|_| kind == Kind::S3 && !storage.path_style) {
            check_host_style(endpoint, bucket)?;
        }
        Ok(Self::Remote(RemoteAddress { kind, bucket: bucket.to_owned(), prefix: ObjectPath::from(prefix) }))
    }
}

fn is_plain(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !part.is_empty() && part.len() <= 255 && part.bytes().all(plain) && part != "." && part != ".."
}

/// An address of numbers, for one, has no names below it.
fn check_host_style(endpoint: &Url, bucket: &str) -> Result<(), AddressError> {
    let host = endpoint.host_str().unwrap_or_default();
    let below = Url::parse(&format!("{}://{bucket}.{host}/", endpoint.scheme()));
    let found = || AddressError::HostStyle { bucket: bucket.to_owned(), found: endpoint.to_string() };
    below.ok().filter(|url| url.domain().is_some()).map(|_named| ()).ok_or_else(found)
}

fn check_endpoint(endpoint: &Url) -> Result<(), AddressError> {
    let plain = matches!(endpoint.scheme(), "http" | "https")
        && endpoint.has_host()
        && endpoint.query().is_none()
        && endpoint.username().is_empty()
        && endpoint.password().is_none();
    let found = format!("{}://{}", endpoint.scheme(), endpoint.host_str().unwrap_or_default());
    plain.then_some(()).ok_or(AddressError::Endpoint { found })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(url: &str) -> Result<Address, AddressError> {
        Address::parse(&Storage { url: url.to_owned(), ..Storage::local(Path::new("/")) })
    }

    fn remote(kind: Kind, bucket: &str, prefix: &str) -> Address {
        Address::Remote(RemoteAddress { kind, bucket: bucket.to_owned(), prefix: ObjectPath::from(prefix) })
    }

    #[test]
    fn a_bucket_stands_in_front_of_names_only() {
        for (endpoint, path_style, works) in [
            ("https://s3.example", false, true),
            ("http://localhost:9000", false, true),
            ("http://127.0.0.1:9000", false, false),
            ("http://[::1]:9000", false, false),
            ("http://127.0.0.1:9000", true, true),
        ] {
            let endpoint = Some(endpoint.parse().unwrap());
            let url = "s3://bucket/a".to_owned();
            let parsed = Address::parse(&Storage {
                url,
                endpoint: endpoint.clone(),
                path_style,
                ..Storage::local(Path::new("/"))
            });
            assert_eq!(parsed.is_ok(), works, "{endpoint:?} {path_style}: {parsed:?}");
            let told = parsed.err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(told.contains("storage.path_style = true"), !works, "{told}");
        }
    }

    #[test]
    fn addresses_name_stores() {
        for (url, expect) in [
            ("file:/var/blobs", Address::Folder("/var/blobs".into())),
            ("file:///var/blobs", Address::Folder("/var/blobs".into())),
            ("file:blobs", Address::Folder("blobs".into())),
            ("s3://bucket", remote(Kind::S3, "bucket", "")),
            ("s3://my.bucket/a/b/", remote(Kind::S3, "my.bucket", "a/b")),
            ("gs://bucket/mpak", remote(Kind::Google, "bucket", "mpak")),
            ("az://container/mpak_1", remote(Kind::Azure, "container", "mpak_1")),
        ] {
            assert_eq!(parse(url), Ok(expect), "{url}");
        }
        for url in ["", "file:", "/var/blobs", "http://bucket/x", "s3:bucket", "S3://bucket"] {
            assert!(matches!(parse(url), Err(AddressError::Scheme { .. })), "{url}");
        }
        for url in ["s3://", "s3:///prefix", "s3://key:secret@host/x", "gs://b%20c", "az://.."] {
            assert!(matches!(parse(url), Err(AddressError::Bucket { .. })), "{url}");
        }
        for url in ["s3://b/../x", "s3://b//x", "s3://b/a b", "s3://b/x?y=z"] {
            assert!(matches!(parse(url), Err(AddressError::Prefix { .. })), "{url}");
        }
    }

    #[test]
    fn endpoints_hold_no_secrets() {
        for (endpoint, sound) in [
            ("https://minio.example:9000", true),
            ("http://127.0.0.1:9000/base", true),
            ("https://user:secret@minio.example", false),
            ("ftp://minio.example", false),
            ("https://minio.example/?x=y", false),
        ] {
            let endpoint: Url = endpoint.parse().unwrap();
            let storage = Storage {
                url: "s3://b".to_owned(),
                endpoint: Some(endpoint),
                path_style: true,
                ..Storage::local(Path::new("/"))
            };
            let parsed = Address::parse(&storage);
            assert_eq!(parsed.is_ok(), sound);
            assert!(!format!("{parsed:?}").contains("secret"));
        }
    }
}
