//! `secrets`: values of sensitive options and tokens of `mpak login`, in a file of our own that only its owner can read.
//!
//! Existing clients keep all values in `config.json`. We read sensitive ones there, and never write new ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Home, HomeError, lock, read_json};

/// The file's content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Secrets {
    version: u32,
    #[serde(default)]
    packages: BTreeMap<String, BTreeMap<String, String>>,
    /// By the address of the registry, the only one that the token is sent to.
    #[serde(default)]
    registries: BTreeMap<String, Login>,
}

/// What `mpak login` got.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The secret.
    pub token: String,
    /// Whose it is, for people to read.
    pub who: String,
    /// RFC 3339, for people to read.
    pub expires_at: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("who", &self.who).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the file; an empty one where there is none.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn read(home: &Home) -> Result<Self, HomeError> {
        Ok(read_json(&home.secrets())?.unwrap_or_default())
    }

    /// Changes the file while no other process does.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn change<T>(home: &Home, change: impl FnOnce(&mut Self) -> T) -> Result<T, HomeError> {
        let _held = lock::exclusive(home, "secrets")?;
        let mut file = Self::read(home)?;
        let result = change(&mut file);
        file.version = 1;
        home.write_json(&home.secrets(), &file)?;
        Ok(result)
    }

    /// What a registry gave to this machine.
    pub fn login(&self, registry: &str) -> Option<&Login> {
        self.registries.get(registry)
    }

    /// Remembers what a registry gave.
    pub fn log_in(&mut self, registry: &str, login: Login) {
        self.registries.insert(registry.to_owned(), login);
    }

    /// Forgets it.
    pub fn log_out(&mut self, registry: &str) {
        self.registries.remove(registry);
    }

    /// Packages that have values.
    pub fn packages(&self) -> impl Iterator<Item = (&str, usize)> {
        self.packages.iter().map(|(name, values)| (name.as_str(), values.len()))
    }

    /// A package's values.
    pub fn values(&self, package: &str) -> Vec<(String, String)> {
        self.packages.get(package).into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Sets a value.
    pub fn set(&mut self, package: &str, key: &str, value: &str) {
        self.packages.entry(package.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    /// Removes one value, or all of a package. Whether there was something.
    pub fn clear(&mut self, package: &str, key: Option<&str>) -> bool {
        let Some(key) = key else { return self.packages.remove(package).is_some() };
        let Some(values) = self.packages.get_mut(package) else { return false };
        let removed = values.remove(key).is_some();
        if values.is_empty() {
            self.packages.remove(package);
        }
        removed
    }
}
