//! Blobs in an object store: S3 and compatible, Google Cloud Storage, Azure Blob Storage.
//!
//! Puts are conditional (the first of several publishes of the same bytes writes); large ones go in parts,
//! which become visible together. Every call is bounded in time, tried again with growing pauses when the
//! store has a bad moment, and only so many run at once.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use mpak_bundle::digest::Sha256;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::path::Path as ObjectPath;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, RetryConfig, StaticCredentialProvider,
};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::address::{AddressError, Kind, RemoteAddress};
use super::connector::Connector;
use super::verified::verified;
use super::{BlobError, OpenError, Reading, blocking, digest_of, parts};
use crate::config::{Outbound, Storage};

/// Larger blobs are sent in parts of this size.
const PART_BYTES: usize = 8 << 20;
/// Parts of one blob that are on their way at once.
const PARTS_AT_ONCE: usize = 2;
/// Blobs that are sent at once.
const PUTS_MAX: usize = 4;
/// Blobs that are read at once.
const READS_MAX: usize = 512;
/// Longest wait for one of these places.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time until an answer begins, tries and pauses included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// How often a call is tried again.
const RETRIES_MAX: usize = 3;

/// An object store.
#[derive(Clone, Debug)]
pub(crate) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    store: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
    prefix: ObjectPath,
    /// `PREFIX/sha256`
    root: ObjectPath,
    tmp: PathBuf,
    puts: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl Remote {
    /// Prepares the store; nothing is sent yet.
    pub(super) fn open(
        address: &RemoteAddress,
        storage: &Storage,
        outbound: &Outbound,
        tmp: &Path,
    ) -> Result<Self, OpenError> {
        let (store, signer) = build(address, storage, outbound)?;
        Ok(Self(Arc::new(Inner {
            kind: address.kind,
            store,
            signer,
            prefix: address.prefix.clone(),
            root: address.prefix.clone().join("sha256"),
            tmp: tmp.to_owned(),
            puts: Arc::new(Semaphore::new(PUTS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        })))
    }

    pub(super) fn store(&self) -> &dyn ObjectStore {
        &*self.0.store
    }

    /// What everything of this registry lies below.
    pub(super) fn prefix(&self) -> ObjectPath {
        self.0.prefix.clone()
    }

    fn path(&self, sha256: &Sha256) -> ObjectPath {
        let [_, first, others] = parts(sha256);
        self.0.root.clone().join(first).join(others)
    }

    pub(super) async fn put(&self, file: &NamedTempFile, sha256: &Sha256, size: u64) -> Result<(), BlobError> {
        let _place = place(&self.0.puts).await?;
        // 1. It is there already, and sound.
        let mut mode = PutMode::Create;
        if let Some(found) = self.size(sha256).await? {
            if found == size && self.is_sound(sha256).await? {
                return Ok(());
            }
            tracing::warn!(%sha256, "a damaged blob is replaced");
            mode = PutMode::Overwrite;
        }
        // 2. Send it.
        let path = self.path(sha256);
        let mut file = tokio::fs::File::from_std(file.reopen()?);
        if size <= PART_BYTES as u64 {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(PART_BYTES));
            file.read_to_end(&mut bytes).await?;
            self.put_whole(&path, sha256, PutPayload::from(bytes), mode).await?;
        } else {
            self.put_parts(&path, file).await?;
        }
        // 3. What is there now.
        match self.size(sha256).await? {
            Some(found) if found == size => Ok(()),
            found => {
                let found = found.map_or_else(|| "nothing".to_owned(), |bytes| format!("{bytes} bytes"));
                Err(BlobError::Damaged { expected: *sha256, found })
            }
        }
    }

    async fn put_whole(
        &self,
        path: &ObjectPath,
        sha256: &Sha256,
        payload: PutPayload,
        mode: PutMode,
    ) -> Result<(), BlobError> {
        let put = |mode| {
            let options = PutOptions { mode, attributes: attributes(), ..PutOptions::default() };
            self.0.store.put_opts(path, payload.clone(), options)
        };
        match put(mode).await {
            Ok(_) => Ok(()),
            // Another publish of the same bytes was faster, or somebody put other bytes there.
            Err(Error::AlreadyExists { .. }) if self.is_sound(sha256).await? => Ok(()),
            // Overwriting is safe where the store knows no conditions: the name is that of the bytes.
            Err(Error::AlreadyExists { .. } | Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                put(PutMode::Overwrite).await.map(|_| ()).map_err(unavailable)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn put_parts(&self, path: &ObjectPath, file: tokio::fs::File) -> Result<(), BlobError> {
        let options = PutMultipartOptions { attributes: attributes(), ..PutMultipartOptions::default() };
        let mut upload = self.0.store.put_multipart_opts(path, options).await.map_err(unavailable)?;
        let sent = send_parts(upload.as_mut(), file).await;
        if sent.is_err() {
            // The store drops the parts by itself some day; the publisher is told why, not this.
            let _ = upload.abort().await;
        }
        sent
    }

    async fn is_sound(&self, sha256: &Sha256) -> Result<bool, BlobError> {
        let mut pieces = self.read(sha256, None).await?.pieces;
        loop {
            match pieces.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(BlobError::Damaged { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn size(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        let path = self.path(sha256);
        match in_time(self.0.store.head(&path)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Failed::Store(Error::NotFound { .. })) => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    pub(super) async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, BlobError> {
        let place = place(&self.0.reads).await?;
        let path = self.path(sha256);
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = in_time(self.0.store.get_opts(&path, options)).await.map_err(|failed| match failed {
            Failed::Store(error @ Error::NotFound { .. }) if !is_bucket_missing(&error) => {
                BlobError::Missing { sha256: *sha256 }
            }
            failed => failed.into(),
        })?;
        let (size_bytes, range) = (got.meta.size, got.range.clone());
        let whole = range == (0..size_bytes);
        // The place is given back when the last byte was read or the reader went away.
        let pieces = got.into_stream().map_err(unavailable).inspect(move |_| {
            let _place = &place;
        });
        let pieces = if whole { verified(pieces, *sha256).boxed() } else { pieces.boxed() };
        Ok(Reading { size_bytes, range, pieces })
    }

    pub(super) async fn file(&self, sha256: &Sha256) -> Result<File, BlobError> {
        let tmp = self.0.tmp.clone();
        let mut file = blocking(move || Ok(tempfile::tempfile_in(tmp)?)).await?;
        let mut pieces = self.read(sha256, None).await?.pieces;
        while let Some(piece) = pieces.try_next().await? {
            let write = move || {
                file.write_all(&piece)?;
                Ok(file)
            };
            file = blocking(write).await?;
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    pub(super) async fn signed_url(
        &self,
        sha256: &Sha256,
        ttl: Duration,
        filename: Option<&str>,
    ) -> Result<Url, BlobError> {
        let mut options = SignedUrlOptions::new();
        // Azure signs a fixed set of fields, in which the library leaves the file name empty.
        if let Some(name) = filename.filter(|_| self.0.kind != Kind::Azure) {
            options =
                options.with_query([("response-content-disposition", format!("attachment; filename=\"{name}\""))]);
        }
        let path = self.path(sha256);
        in_time(self.0.signer.signed_url_opts(object_store::signer::Method::GET, &path, ttl, &options))
            .await
            .map_err(BlobError::from)
    }

    pub(super) fn list(&self) -> BoxStream<'static, Result<(Sha256, u64), BlobError>> {
        let listed = self.0.store.list(Some(&self.0.root)).map_err(unavailable);
        let blobs = listed.try_filter_map(|meta| async move {
            let text = meta.location.as_ref();
            let named = text
                .rsplit_once('/')
                .and_then(|(folders, others)| digest_of(folders.rsplit('/').next().unwrap_or_default(), others));
            Ok(named.map(|sha256| (sha256, meta.size)))
        });
        blobs.boxed()
    }

    pub(super) async fn delete(&self, sha256: &Sha256) -> Result<(), BlobError> {
        match in_time(self.0.store.delete(&self.path(sha256))).await {
            Ok(()) | Err(Failed::Store(Error::NotFound { .. })) => Ok(()),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Lists a corner of the bucket: that needs its existence and our right to it.
    pub(super) async fn check(&self) -> Result<(), BlobError> {
        let corner = self.0.root.clone().join("00");
        let mut listed = self.0.store.list(Some(&corner));
        match in_time(listed.try_next()).await {
            Ok(_) => Ok(()),
            Err(failed) => Err(failed.into()),
        }
    }
}

async fn send_parts(upload: &mut dyn object_store::MultipartUpload, file: tokio::fs::File) -> Result<(), BlobError> {
    let parts = stream::try_unfold(file, |mut file| async move {
        let mut bytes = Vec::with_capacity(PART_BYTES);
        (&mut file).take(PART_BYTES as u64).read_to_end(&mut bytes).await?;
        Ok::<_, BlobError>((!bytes.is_empty()).then_some((bytes, file)))
    });
    parts
        .map_ok(|bytes| upload.put_part(PutPayload::from(bytes)).map_err(unavailable))
        .try_buffer_unordered(PARTS_AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    upload.complete().await.map(|_| ()).map_err(unavailable)
}

fn attributes() -> Attributes {
    [(Attribute::ContentType, "application/octet-stream")].into_iter().collect()
}

/// A place among those that may call at once.
async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, BlobError> {
    let waited = tokio::time::timeout(PLACE_TIMEOUT, Arc::clone(places).acquire_owned()).await;
    match waited {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(closed)) => Err(BlobError::Unavailable(Box::new(closed))),
        Err(_elapsed) => Err(BlobError::Unavailable("too many calls of the store run already".into())),
    }
}

/// Why a call has no result.
enum Failed {
    Store(Error),
    Time,
}

impl From<Failed> for BlobError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Store(error) => unavailable(error),
            Failed::Time => Self::Unavailable(format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs()).into()),
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
    match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
        Ok(result) => result.map_err(Failed::Store),
        Err(_elapsed) => Err(Failed::Time),
    }
}

fn unavailable(error: Error) -> BlobError {
    BlobError::Unavailable(Box::new(error))
}

/// The store answers 404 for a bucket, too; its name for that is in the answer's body.
fn is_bucket_missing(error: &Error) -> bool {
    let text = error.to_string();
    ["NoSuchBucket", "ContainerNotFound"].iter().any(|code| text.contains(code))
}

type Built = (Arc<dyn ObjectStore>, Arc<dyn Signer>);

fn build(address: &RemoteAddress, storage: &Storage, outbound: &Outbound) -> Result<Built, OpenError> {
    if address.kind == Kind::S3 && storage.access_key_id.is_some() != storage.secret_access_key.is_some() {
        let expected = "`access_key_id` and `secret_access_key` belong together: give both or none";
        return Err(AddressError::Keys { expected }.into());
    }
    let built = match address.kind {
        Kind::S3 => s3(address, storage, outbound),
        Kind::Google => google(address, storage, outbound),
        Kind::Azure => azure(address, storage, outbound)?,
    };
    built.map_err(|source| OpenError::Settings { store: address.kind.as_str(), source })
}

/// Both sides of one client.
fn sides(store: impl ObjectStore + Signer) -> Built {
    let store = Arc::new(store);
    (Arc::<_>::clone(&store) as Arc<dyn ObjectStore>, store as Arc<dyn Signer>)
}

fn s3(address: &RemoteAddress, storage: &Storage, outbound: &Outbound) -> Result<Built, Error> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&address.bucket)
        .with_virtual_hosted_style_request(!storage.path_style)
        .with_client_options(options(storage))
        .with_http_connector(Connector { proxy: outbound.proxy.clone() })
        .with_retry(retry())
        .with_disable_bulk_delete(true);
    if let Some(region) = &storage.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_endpoint(s3_endpoint(endpoint, &address.bucket, storage.path_style));
    }
    if let (Some(id), Some(key)) = (&storage.access_key_id, &storage.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(key.as_str());
    }
    builder.build().map(sides)
}

/// Where the bucket is part of the host, it is the first part of the endpoint's.
fn s3_endpoint(endpoint: &Url, bucket: &str, path_style: bool) -> String {
    let text = endpoint.as_str().trim_end_matches('/');
    match text.split_once("://") {
        Some((scheme, rest)) if !path_style => format!("{scheme}://{bucket}.{rest}"),
        _ => text.to_owned(),
    }
}

fn google(address: &RemoteAddress, storage: &Storage, outbound: &Outbound) -> Result<Built, Error> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&address.bucket)
        .with_client_options(options(storage))
        .with_http_connector(Connector { proxy: outbound.proxy.clone() })
        .with_retry(retry());
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_base_url(endpoint.as_str().trim_end_matches('/'));
    }
    match &storage.secret_access_key {
        Some(key) => builder = builder.with_service_account_key(key.as_str()),
        // The machine's own identity is for Google, not for whoever listens on a plain connection.
        None if is_http(storage) => {
            let nobody = GcpCredential { bearer: String::new() };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
        }
        None => {}
    }
    builder.build().map(sides)
}

fn azure(
    address: &RemoteAddress,
    storage: &Storage,
    outbound: &Outbound,
) -> Result<Result<Built, Error>, AddressError> {
    let expected = "`az://` needs the account's name in `access_key_id`";
    let account = storage.access_key_id.as_ref().ok_or(AddressError::Keys { expected })?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(&address.bucket)
        .with_client_options(options(storage))
        .with_http_connector(Connector { proxy: outbound.proxy.clone() })
        .with_retry(retry());
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/').to_owned());
    }
    if let Some(key) = &storage.secret_access_key {
        builder = builder.with_access_key(key.as_str());
    }
    Ok(builder.build().map(sides))
}

fn is_http(storage: &Storage) -> bool {
    storage.endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http")
}

/// Plain connections only to an endpoint that the operator wrote so.
fn options(storage: &Storage) -> ClientOptions {
    ClientOptions::new().with_allow_http(is_http(storage))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 3.0,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: Duration::from_mins(3),
    }
}

#[cfg(test)]
mod tests {
    use mpak_testkit::emulators::{Emulator, Protocol};

    use super::super::Blobs;
    use super::*;
    use crate::config::Secret;

    fn open(url: String, endpoint: &str, keys: Option<(Option<String>, String)>, tmp: &Path) -> Blobs {
        let mut storage = Storage::local(tmp);
        storage.url = url;
        storage.endpoint = Some(endpoint.parse().unwrap());
        storage.path_style = true;
        if let Some((id, secret)) = keys {
            (storage.access_key_id, storage.secret_access_key) = (id, Some(Secret::new(secret)));
        }
        Blobs::open(&storage, &Outbound::default(), tmp).unwrap()
    }

    fn upload(tmp: &Path, bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new_in(tmp).unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    async fn keeps_lists_and_deletes(protocol: Protocol) {
        let emulator = tokio::task::spawn_blocking(move || Emulator::start(protocol)).await.unwrap();
        let tmp = tempfile::tempdir().unwrap();
        let keys = (emulator.access_key_id(), emulator.secret_access_key());
        let blobs = open(emulator.url(), &emulator.endpoint(), Some(keys), tmp.path());
        blobs.check().await.unwrap();
        // 1. Listed are blobs, all of them (more than one page at Google's), and nothing else.
        let mut expect = Vec::new();
        for n in 0..20_u8 {
            let bytes = vec![n; usize::from(n) + 1];
            let sha256 = Sha256::of(&bytes);
            blobs.put(upload(tmp.path(), &bytes), &sha256, bytes.len() as u64).await.unwrap();
            expect.push((sha256, bytes.len() as u64));
        }
        emulator.put_object("sha256/00/notes", b"x");
        emulator.put_object("elsewhere", b"x");
        let mut found: Vec<_> = blobs.list().try_collect().await.unwrap();
        found.sort_unstable();
        expect.sort_unstable();
        assert_eq!(found, expect, "{protocol:?}");
        // 2. As a file that is verified; a part of it; its length.
        let (sha256, size) = expect[0];
        let mut file = blobs.file(&sha256).await.unwrap();
        assert_eq!(Sha256::of_reader(&mut file).unwrap(), (sha256, size));
        assert_eq!(blobs.size(&sha256).await.unwrap(), Some(size));
        let [_, first, others] = parts(&sha256);
        emulator.put_object(&format!("sha256/{first}/{others}"), b"other bytes");
        assert!(matches!(blobs.file(&sha256).await, Err(BlobError::Damaged { .. })));
        // 3. What is deleted is gone, and deleting it again is no error.
        for _ in 0..2 {
            blobs.delete(&sha256).await.unwrap();
        }
        assert_eq!(blobs.size(&sha256).await.unwrap(), None);
        assert!(matches!(blobs.file(&sha256).await, Err(BlobError::Missing { .. })));
        assert_eq!(blobs.list().try_collect::<Vec<_>>().await.unwrap().len(), 19);
        // 4. A bucket that is not there is the store's fault, not the blob's.
        let elsewhere = emulator.url().replace("blobs", "nowhere");
        let keys = (emulator.access_key_id(), emulator.secret_access_key());
        let nowhere = open(elsewhere, &emulator.endpoint(), Some(keys), tmp.path());
        assert!(matches!(nowhere.check().await, Err(BlobError::Unavailable(_))));
        assert!(matches!(nowhere.read(&sha256, None).await, Err(BlobError::Unavailable(_))));
        let put = nowhere.put(upload(tmp.path(), b"x"), &Sha256::of(b"x"), 1).await;
        assert!(matches!(put, Err(BlobError::Unavailable(_))));
        // 5. Wrong keys, where the emulator looks at them.
        if protocol != Protocol::S3 {
            let keys = (protocol == Protocol::Azure).then(|| (emulator.access_key_id(), "d3Jvbmc=".to_owned()));
            let stranger = open(emulator.url(), &emulator.endpoint(), keys, tmp.path());
            assert!(matches!(stranger.check().await, Err(BlobError::Unavailable(_))));
            assert!(matches!(stranger.read(&expect[1].0, None).await, Err(BlobError::Unavailable(_))));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn s3_keeps_lists_and_deletes() {
        keeps_lists_and_deletes(Protocol::S3).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn google_keeps_lists_and_deletes() {
        keeps_lists_and_deletes(Protocol::Google).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn azure_keeps_lists_and_deletes() {
        keeps_lists_and_deletes(Protocol::Azure).await;
    }

    #[tokio::test]
    async fn a_store_that_says_nothing_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let tmp = tempfile::tempdir().unwrap();
        let blobs = open("gs://blobs".to_owned(), &endpoint, None, tmp.path());
        let began = std::time::Instant::now();
        assert!(matches!(blobs.size(&Sha256::of(b"x")).await, Err(BlobError::Unavailable(_))));
        assert!(began.elapsed() < ANSWER_TIMEOUT + Duration::from_secs(5));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_at_start() {
        let open = |url: &str, id: Option<&str>, secret: Option<&str>| {
            let mut storage = Storage::local(Path::new("/"));
            storage.url = url.to_owned();
            storage.access_key_id = id.map(str::to_owned);
            storage.secret_access_key = secret.map(Secret::new);
            Blobs::open(&storage, &Outbound::default(), Path::new("/tmp")).map(|_| ())
        };
        for (url, id, secret) in [
            ("s3://blobs", Some("id"), None),
            ("s3://blobs", None, Some("a-secret")),
            ("az://blobs", None, Some("a-secret")),
        ] {
            assert!(matches!(open(url, id, secret), Err(OpenError::Address(AddressError::Keys { .. }))), "{url}");
        }
        for (url, id, secret) in [("gs://blobs", None, "a-secret"), ("az://blobs", Some("account"), "a-secret!")] {
            let refused = open(url, id, Some(secret)).unwrap_err();
            assert!(matches!(refused, OpenError::Settings { .. }), "{url}");
            assert!(!format!("{refused:?}").contains("a-secret"), "{refused:?}");
        }
        assert!(open("s3://blobs", Some("id"), Some("a-secret")).is_ok());
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        let endpoint: Url = "https://minio.example:9000/".parse().unwrap();
        assert_eq!(s3_endpoint(&endpoint, "blobs", true), "https://minio.example:9000");
        assert_eq!(s3_endpoint(&endpoint, "blobs", false), "https://blobs.minio.example:9000");
    }
}
