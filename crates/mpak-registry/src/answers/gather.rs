//! What the database knows of some packages, read in a few questions for all of them.

use std::collections::HashMap;

use crate::compat::servers::templates;
use crate::db::artifacts::{self, Artifact};
use crate::db::catalogue::{self, Row, Versioned};
use crate::db::scans::{self, Certified};
use crate::db::{Connection, DbResult};

/// A public package with all that its answers say.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    /// Itself and its latest version.
    pub(crate) row: Row,
    /// Newest published first.
    pub(crate) versions: Vec<Versioned>,
    /// Of each version, exact platforms before `any`.
    pub(crate) artifacts: Vec<Artifact>,
    /// The newest reports on all artifacts.
    pub(crate) certified: Vec<Certified>,
    /// The templates of its entries in server lists; empty where they depend on other packages.
    pub(crate) flat: Vec<u8>,
    pub(crate) official: Vec<u8>,
}

/// Reads what belongs to some packages.
pub(crate) async fn gather(c: &mut Connection, rows: Vec<Row>) -> DbResult<Vec<Gathered>> {
    // 1. Their versions.
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut versions: HashMap<i64, Vec<Versioned>> = HashMap::new();
    for version in catalogue::versions(c, &ids).await? {
        versions.entry(version.package_id).or_default().push(version);
    }
    // 2. The artifacts of these.
    let package_of: HashMap<i64, i64> = versions.values().flatten().map(|v| (v.id, v.package_id)).collect();
    let version_ids: Vec<i64> = package_of.keys().copied().collect();
    let mut all: HashMap<i64, Vec<Artifact>> = HashMap::new();
    for artifact in artifacts::of_versions(c, &version_ids).await? {
        all.entry(package_of[&artifact.version_id]).or_default().push(artifact);
    }
    // 3. What they reach.
    let mut reached: HashMap<i64, Vec<Certified>> = HashMap::new();
    for certified in scans::certified(c, &version_ids).await? {
        reached.entry(package_of[&certified.version_id]).or_default().push(certified);
    }
    // 4. Their entries in server lists.
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let mut entries = templates(c, &names).await?;
    let gathered = rows.into_iter().map(|row| {
        let (flat, official) = entries.remove(&row.id).unwrap_or_default();
        let (versions, artifacts) = (versions.remove(&row.id), all.remove(&row.id));
        let (versions, artifacts) = (versions.unwrap_or_default(), artifacts.unwrap_or_default());
        let certified = reached.remove(&row.id).unwrap_or_default();
        Gathered { row, versions, artifacts, certified, flat, official }
    });
    Ok(gathered.collect())
}

impl Gathered {
    /// What a version reaches.
    pub(crate) fn reached(&self, version_id: i64) -> Option<&Certified> {
        Certified::worst(self.certified.iter().filter(|c| c.version_id == version_id))
    }

    /// What the latest version reaches.
    pub(crate) fn latest_reached(&self) -> Option<&Certified> {
        let latest = self.versions.iter().find(|v| v.version == self.row.latest_version)?;
        self.reached(latest.id)
    }
}
