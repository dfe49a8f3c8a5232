//! What others know of an artifact beside its bytes: attestations beside the release's asset and in the forge's
//! store, and the age of the publisher's account.
//!
//! In: the event of a publish by an identity. Out: documents that nobody has verified yet; the scanner does. Asked
//! with the scan, which waits for nobody long; who does not answer is asked with the next scan. What was found once
//! stays as it is, so that nobody can exchange it later.

use std::time::Duration;

use mpak_bundle::digest::Sha256;
use serde_json::Value;
use url::Url;

use crate::auth::issuers::Issuer;
use crate::db::artifacts::Published;
use crate::db::{DbResult, attestations as stored};
use crate::forge::{ForgeError, attestations};
use crate::outbound::{Bounds, Fetch, OutboundError};
use crate::state::AppState;

/// Longest wait for everybody together.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest attestation that is kept.
const BUNDLE_BYTES_MAX: usize = 96 << 10;
/// Most of an artifact.
const BUNDLES_COUNT_MAX: usize = 8;
/// What attestations are called beside an asset.
const ENDINGS: [&str; 2] = [".sigstore.json", ".sigstore"];
/// A workflow may attest after it has announced: whoever had nothing is asked again for so long.
const LATE_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Sigstore bundles.
    pub(super) bundles: Vec<Value>,
    /// Whether everybody who may have some was asked and answered.
    pub(super) is_complete: bool,
    /// Since when the publisher's account exists.
    pub(super) account_created_at_ms: Option<i64>,
}

/// Reads what is stored, and asks for what is missing.
pub(super) async fn learn(state: &AppState, artifact_id: i64, artifact: &Published) -> DbResult<Learned> {
    let event: Value = serde_json::from_str(&artifact.payload_json).unwrap_or_default();
    let subject = Subject::of(state, &event, artifact.sha256()?);
    // 1. What is known already.
    let mut known = known(state, artifact_id, subject.as_ref()).await?;
    let Some(subject) = subject else { return Ok(known) };
    // 2. What is missing, from those who answer in time.
    let wants_bundles = !known.is_complete;
    let wants_account = known.account_created_at_ms.is_none();
    let looked = async {
        tokio::join!(async { if wants_bundles { subject.bundles(state).await } else { Looked::default() } }, async {
            if wants_account { subject.account(state).await } else { None }
        })
    };
    let Ok((looked, account)) = tokio::time::timeout(PATIENCE, looked).await else {
        tracing::debug!(package = artifact.package, "nobody told of attestations in time");
        return Ok(known);
    };
    // 3. Kept for all later scans, beside what was found before and never more than there may be.
    let looked = looked.beside(&known.bundles);
    store(state, artifact_id, &subject, &looked, account).await?;
    if wants_bundles {
        known.is_complete = looked.is_complete;
        known.bundles.extend(looked.bundles.into_iter().map(|(_, bundle)| bundle));
        order(&mut known.bundles);
    }
    known.account_created_at_ms = known.account_created_at_ms.or(account);
    Ok(known)
}

/// As they are read from the database later: the same knowledge is the same evidence.
fn order(bundles: &mut [Value]) {
    bundles.sort_by_cached_key(|bundle| *Sha256::of(bundle.to_string().as_bytes()).as_bytes());
}

async fn known(state: &AppState, artifact_id: i64, subject: Option<&Subject<'_>>) -> DbResult<Learned> {
    let mut c = state.db.read().await?;
    let bundles = stored::list(&mut c, artifact_id).await?;
    let looked_at_ms = stored::looked_at_ms(&mut c, artifact_id).await?;
    let account_created_at_ms = match subject {
        Some(subject) => stored::account_created_at_ms(&mut c, &subject.issuer.issuer, subject.owner_id).await?,
        None => None,
    };
    // Whoever had something has told it; who had nothing may have some later.
    let until_ms = subject.map_or(0, |subject| subject.published_at_ms + LATE_MS);
    Ok(Learned {
        is_complete: looked_at_ms.is_some_and(|at_ms| !bundles.is_empty() || at_ms > until_ms),
        bundles: bundles.iter().filter_map(|text| serde_json::from_str(text).ok()).collect(),
        account_created_at_ms,
    })
}

async fn store(
    state: &AppState,
    artifact_id: i64,
    subject: &Subject<'_>,
    looked: &Looked,
    account: Option<i64>,
) -> DbResult<()> {
    if looked.bundles.is_empty() && !looked.is_complete && account.is_none() {
        return Ok(());
    }
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.update().await?;
    for (origin, bundle) in &looked.bundles {
        stored::insert(&mut tx, artifact_id, (origin, &bundle.to_string()), now_ms).await?;
    }
    if looked.is_complete {
        stored::looked(&mut tx, artifact_id, now_ms).await?;
    }
    if let Some(created_at_ms) = account {
        stored::insert_account(&mut tx, (&subject.issuer.issuer, subject.owner_id), created_at_ms).await?;
    }
    tx.commit().await
}

/// What came of a look, each with its origin.
#[derive(Default)]
struct Looked {
    bundles: Vec<(&'static str, Value)>,
    is_complete: bool,
}

/// Whom to ask for what.
struct Subject<'a> {
    issuer: &'a Issuer,
    repository: &'a str,
    owner: &'a str,
    owner_id: &'a str,
    asset: Option<Url>,
    sha256: Sha256,
    published_at_ms: i64,
}

impl<'a> Subject<'a> {
    /// Only identities of configured issuers are asked after.
    fn of(state: &'a AppState, event: &'a Value, sha256: Sha256) -> Option<Self> {
        let identity = &event["identity"];
        let text = |name: &str| identity[name].as_str().filter(|text| !text.is_empty());
        Some(Self {
            issuer: state.issuers.find(text("issuer")?)?,
            repository: text("repository")?,
            owner: text("owner")?,
            owner_id: text("owner_id")?,
            asset: event["source_url"].as_str().and_then(|url| Url::parse(url).ok()),
            sha256,
            // The event's own time is not at hand; a token is used minutes after it was made.
            published_at_ms: identity["expires_at_ms"].as_i64().unwrap_or(0),
        })
    }

    async fn account(&self, state: &AppState) -> Option<i64> {
        let who = (self.owner, self.owner_id);
        let told = attestations::account_created_at_ms(&state.outbound, self.issuer, who).await;
        told.inspect_err(|error| tracing::debug!(owner = self.owner, %error, "the account's age is not known"))
            .ok()
            .flatten()
    }

    /// Beside the asset first: what the release shows is what its readers see.
    async fn bundles(&self, state: &AppState) -> Looked {
        let mut looked = Looked { bundles: Vec::new(), is_complete: true };
        for ending in ENDINGS {
            match self.beside(state, ending).await {
                Ok(found) => looked.add("release", found),
                Err(error) => looked.failed(self, &error),
            }
        }
        match attestations::of_digest(&state.outbound, self.issuer, self.repository, &self.sha256).await {
            Ok(found) => looked.add("forge", found.into_iter().flatten()),
            Err(error) => looked.failed(self, &error),
        }
        looked
    }

    /// A file whose name is the asset's with an ending.
    async fn beside(&self, state: &AppState, ending: &str) -> Result<Option<Value>, ForgeError> {
        let Some(mut url) = self.asset.clone() else { return Ok(None) };
        let path = format!("{}{ending}", url.path());
        url.set_path(&path);
        let mut fetch = Fetch::public(url, Bounds::DOCUMENT.bytes_max(BUNDLE_BYTES_MAX as u64));
        // A forge of the operator's own delivers from itself, wherever it lies.
        if let Some(api) = &self.issuer.api_url {
            fetch = fetch.trusting(api);
        }
        match state.outbound.json(fetch).await {
            Ok(Ok(bundle)) => Ok(Some(bundle)),
            Ok(Err(status)) if status.is_client_error() && !matches!(status.as_u16(), 403 | 408 | 429) => Ok(None),
            Ok(Err(status)) => Err(ForgeError::Status { status }),
            // Something else that has the name, for good.
            Err(OutboundError::Json { .. } | OutboundError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Looked {
    /// What is new beside what is known, as far as there is room.
    fn beside(mut self, known: &[Value]) -> Self {
        self.bundles.retain(|(_, bundle)| !known.contains(bundle));
        self.bundles.truncate(BUNDLES_COUNT_MAX.saturating_sub(known.len()));
        self
    }

    fn add(&mut self, origin: &'static str, found: impl IntoIterator<Item = Value>) {
        for bundle in found {
            let fits = bundle.is_object() && bundle.to_string().len() <= BUNDLE_BYTES_MAX;
            let is_new = self.bundles.iter().all(|(_, known)| *known != bundle);
            if fits && is_new && self.bundles.len() < BUNDLES_COUNT_MAX {
                self.bundles.push((origin, bundle));
            }
        }
    }

    fn failed(&mut self, subject: &Subject<'_>, error: &ForgeError) {
        self.is_complete = false;
        tracing::debug!(repository = subject.repository, %error, "attestations cannot be looked up");
    }
}
