//! Small files beside the blobs of an object store: the static index and its position.

use futures_util::TryFutureExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{Attribute, Attributes, Error, ObjectStoreExt as _, PutOptions};

use super::BlobError;
use super::remote::Remote;

/// Largest file that is read back.
const BYTES_MAX: u64 = 64 << 10;

impl Remote {
    /// Writes or replaces a file at a path of the prefix, like `index/v1/@scope/name.json`.
    pub(crate) async fn put_beside(&self, path: &str, bytes: Vec<u8>) -> Result<(), BlobError> {
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, "application/json"),
            (Attribute::CacheControl, "public, max-age=60"),
        ]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.store().put_opts(&self.beside(path), bytes.into(), options).map_ok(drop).map_err(unavailable).await
    }

    /// Removes such a file; nothing happens when it is not there.
    pub(crate) async fn delete_beside(&self, path: &str) -> Result<(), BlobError> {
        match self.store().delete(&self.beside(path)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Reads such a file; nothing when it is not there or is larger than what we write.
    pub(crate) async fn read_beside(&self, path: &str) -> Result<Option<Vec<u8>>, BlobError> {
        match self.store().get(&self.beside(path)).await {
            Ok(found) if found.meta.size > BYTES_MAX => Ok(None),
            Ok(found) => Ok(Some(found.bytes().await.map_err(unavailable)?.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    fn beside(&self, path: &str) -> ObjectPath {
        path.split('/').fold(self.prefix(), object_store::path::Path::join)
    }
}

fn unavailable(error: Error) -> BlobError {
    BlobError::Unavailable(Box::new(error))
}
