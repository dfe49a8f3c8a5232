//! Links that sign the local administrator in, where no provider is configured.
//!
//! Made by whoever can reach the data (`mpak serve` at its first start, `mpak admin user link`), good for
//! one sign-in within a day. Looking at a link does not use it up.

use mpak_bundle::digest::Sha256;

use super::actor::Role;
use super::cookie;
use super::session;
use crate::db::{Db, DbResult, sign_in_links, users};

/// How long a link is good.
pub(crate) const LIFE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Who vouches for the local administrator.
pub(crate) const LOCAL: &str = "local";
/// The administrator's subject there.
pub(crate) const ADMIN: &str = "admin";

/// Makes a link's secret.
pub(crate) async fn make(db: &Db, now_ms: i64) -> DbResult<String> {
    let secret = cookie::secret()?;
    let mut tx = db.update().await?;
    sign_in_links::insert(&mut tx, &Sha256::of(secret.as_bytes()), now_ms, now_ms + LIFE_MS).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Where a link leads, in a registry at this address.
pub(crate) fn address(base_url: &str, secret: &str) -> String {
    format!("{}/auth/link?token={secret}", base_url.trim_end_matches('/'))
}

/// Whether a link is still good.
pub(crate) async fn is_usable(db: &Db, secret: &str, now_ms: i64) -> DbResult<bool> {
    sign_in_links::is_usable(&mut *db.read().await?, &Sha256::of(secret.as_bytes()), now_ms).await
}

/// Uses a link up and gives a session's cookie; nothing where it is not good any more.
pub(crate) async fn redeem(db: &Db, secret: &str, former: Option<&str>, now_ms: i64) -> DbResult<Option<String>> {
    let mut tx = db.update().await?;
    if !sign_in_links::take(&mut tx, &Sha256::of(secret.as_bytes()), now_ms).await? {
        return Ok(None);
    }
    let who = users::SignedIn {
        issuer: LOCAL,
        subject: ADMIN,
        login: "admin",
        email: None,
        github_login: None,
        role: Role::Admin.as_str(),
        role_decided: true,
    };
    let user = users::upsert(&mut tx, who, now_ms).await?;
    // Whoever makes links reaches the data, so a link also lifts what the pages did to its administrator.
    users::set_disabled(&mut tx, user.id, None).await?;
    let session = session::begin(&mut tx, user.id, former, now_ms).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// Whether a start should offer a link: nobody can decide anything yet.
pub(crate) async fn is_needed(db: &Db) -> DbResult<bool> {
    Ok(!users::any_admin(&mut *db.read().await?).await?)
}
