//! Installation: stages 12 to 17, from a request to a folder in the store that may be run.
//!
//! A value of each stage can only be made by that stage, so holding an [`activate::Activated`] is the proof
//! that its bytes were verified.

use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;

use crate::client::{Client, Registry};
use crate::error::CommandError;
use crate::home::record::Record;
use crate::home::{Home, HomeError, lock};

pub mod activate;
pub mod download;
pub mod extract;
pub mod local;
pub mod resolve;
pub mod verify;

use activate::Activated;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// The package.
    pub name: PackageName,
    /// The version; none means the one that is installed, else the latest.
    pub version: Option<String>,
    /// The machine.
    pub platform: Platform,
}

/// What is installed already; asks nobody.
///
/// # Errors
/// [`HomeError::Io`].
pub fn installed(home: &Home, registry: &Registry, request: &Request) -> Result<Option<Activated>, HomeError> {
    let record = Record::read(home, registry.as_str(), &request.name)?;
    let found = record.as_ref().and_then(|record| record.find(request.version.as_deref(), request.platform));
    Ok(found.and_then(|artifact| Activated::from_record(home, artifact)))
}

/// Installs from the registry.
///
/// # Errors
/// Those of the stages.
pub fn install(home: &Home, client: &Client, request: &Request) -> Result<Activated, CommandError> {
    // 12. what exactly
    let resolved = resolve::resolve(home, client, request)?;
    // others that install the same bundle wait here, and find it done
    let _held = lock::exclusive(home, &format!("install-{}", resolved.sha256()))?;
    if let Some(activated) = activate::again(home, &resolved)? {
        return Ok(activated);
    }
    // 13–14. its bytes
    let downloaded = download::download(home, client, resolved)?;
    let verified = verify::verify(downloaded)?;
    // 16–17. into the store, and known from now on
    let extracted = extract::extract(home, verified)?;
    Ok(activate::activate(home, &extracted)?)
}
