//! The machine's own snapshot of advisories: where it lies, whose signature counts, when it is used.
//!
//! A snapshot that is taken without being named must be signed by a key that this machine trusts, and never
//! gives way to an older one. One that the user names may be unsigned; the report then says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use mpak_scan::advisories::{PublicKey, Snapshot, SnapshotError};

use crate::error::{CommandError, Kind};
use crate::home::{self, Home, HomeError};
use crate::settings::Settings;
use crate::ui;

/// Days after which a snapshot is called old.
const AGE_DAYS_MAX: i32 = 14;

/// Keys by the address of the registry that they sign for.
pub type Keys = BTreeMap<String, String>;

/// The keys that this machine trusts.
///
/// # Errors
/// A damaged or unreadable file.
pub fn trusted(home: &Home) -> Result<Keys, HomeError> {
    Ok(home::read_json(&home.advisory_keys())?.unwrap_or_default())
}

/// Whether one of the keys is this one.
pub fn trusts(keys: &Keys, key: Option<PublicKey>) -> bool {
    key.is_some_and(|key| keys.values().any(|known| known.parse() == Ok(key)))
}

/// Opens a snapshot that the user names.
///
/// # Errors
/// Not found, not readable, or not a sound snapshot.
pub fn open(path: &Path) -> Result<Snapshot, CommandError> {
    let kind = |error: &io::Error| if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Usage };
    let failed = |error: &io::Error| {
        let mut out = CommandError::new(kind(error), format!("cannot read `{}`", path.display()));
        out.causes.push(error.to_string());
        out.hint("make one with `mpak advisories build`, or fetch the registry's with `mpak advisories update`")
    };
    // a pipe would be waited for
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(CommandError::new(Kind::Usage, format!("`{}` is not a file", path.display())));
    }
    Snapshot::open(File::open(path).map_err(|error| failed(&error))?).map_err(|error| unsound(path, &error))
}

/// A snapshot that is damaged, or none at all.
pub fn unsound(path: &Path, error: &SnapshotError) -> CommandError {
    let mut out =
        CommandError::new(Kind::Verification, format!("`{}` is not a sound snapshot of advisories", path.display()));
    out.causes.push(error.to_string());
    out.hint("make it again with `mpak advisories build`, or fetch the registry's with `mpak advisories update`")
}

/// The snapshot to scan with: the named one, else this machine's, if there is one that it trusts.
///
/// # Errors
/// The named one cannot be used.
pub fn for_scan(named: Option<&Path>, settings: &Settings) -> Result<Option<Snapshot>, CommandError> {
    if let Some(path) = named {
        return open(path).map(Some);
    }
    let home = Home::new(settings);
    let path = home.advisories();
    if !path.exists() {
        return Ok(None);
    }
    let shown = ui::safe(&path.display().to_string());
    let snapshot = match open(&path) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let why = error.causes.first().map_or(&error.message, |cause| cause);
            ui::note(&format!("{shown} is not used: {}; `mpak advisories update` repairs it", ui::safe(why)));
            return Ok(None);
        }
    };
    if !trusts(&trusted(&home)?, snapshot.signer()) {
        ui::note(&format!("{shown} is not used: no key that this machine trusts signed it"));
        return Ok(None);
    }
    if let Some(days) = age_days(&snapshot).filter(|days| *days > AGE_DAYS_MAX) {
        ui::note(&format!("the advisories are {days} days old; `mpak advisories update` fetches newer ones"));
    }
    Ok(Some(snapshot))
}

fn age_days(snapshot: &Snapshot) -> Option<i32> {
    let day: jiff::civil::Date = snapshot.head().date.parse().ok()?;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    day.until(today).ok().map(|span| span.get_days())
}
