//! `config.json`, byte for byte as existing clients write it: four keys, indented by two, no line feed at
//! the end. They refuse the file when it holds anything else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Home, HomeError, lock, now, read_json};

/// What the file says of itself.
const VERSION: &str = "1.0.0";

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfigFile {
    version: String,
    last_updated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<Map<String, Value>>,
}

impl Default for ConfigFile {
    fn default() -> Self {
        Self { version: VERSION.to_owned(), last_updated: String::new(), registry_url: None, packages: None }
    }
}

impl ConfigFile {
    /// Reads the file; an empty one where there is none.
    ///
    /// # Errors
    /// [`HomeError`], also when a value is not a text.
    pub fn read(home: &Home) -> Result<Self, HomeError> {
        let path = home.config();
        let Some(file) = read_json::<Self>(&path)? else { return Ok(Self::default()) };
        let texts_only = |values: &Value| values.as_object().is_some_and(|v| v.values().all(Value::is_string));
        match file.packages.iter().flatten().find(|(_, values)| !texts_only(values)) {
            Some((package, _)) => Err(HomeError::Damaged {
                path,
                reason: format!("the values of `{package}` are not an object of texts"),
            }),
            None => Ok(file),
        }
    }

    /// Changes the file while no other process does.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn change<T>(home: &Home, change: impl FnOnce(&mut Self) -> T) -> Result<T, HomeError> {
        let _held = lock::exclusive(home, "config")?;
        let mut file = Self::read(home)?;
        let result = change(&mut file);
        file.last_updated = now();
        home.write(&home.config(), &serde_json::to_vec_pretty(&file).expect("texts serialise"))?;
        Ok(result)
    }

    /// The stored registry.
    pub fn registry_url(&self) -> Option<&str> {
        self.registry_url.as_deref()
    }

    /// Stores or forgets the registry.
    pub fn set_registry_url(&mut self, url: Option<&str>) {
        self.registry_url = url.map(str::to_owned);
    }

    /// Packages that have values, in the file's order.
    pub fn packages(&self) -> impl Iterator<Item = (&str, usize)> {
        self.packages.iter().flatten().map(|(name, values)| (name.as_str(), values.as_object().map_or(0, Map::len)))
    }

    /// A package's values, in the file's order.
    pub fn values(&self, package: &str) -> Vec<(String, String)> {
        let values = self.packages.as_ref().and_then(|p| p.get(package)).and_then(Value::as_object);
        values.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
    }

    /// Sets a value.
    pub fn set(&mut self, package: &str, key: &str, value: &str) {
        let packages = self.packages.get_or_insert_default();
        let values = packages.entry(package).or_insert_with(|| Value::Object(Map::new()));
        values[key] = Value::String(value.to_owned());
    }

    /// Removes one value, or all of a package. Whether there was something.
    pub fn clear(&mut self, package: &str, key: Option<&str>) -> bool {
        let Some(packages) = &mut self.packages else { return false };
        let Some(key) = key else { return packages.shift_remove(package).is_some() };
        let Some(values) = packages.get_mut(package).and_then(Value::as_object_mut) else { return false };
        let removed = values.shift_remove(key).is_some();
        if values.is_empty() {
            packages.shift_remove(package);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::tests::home;

    #[test]
    fn e5_the_file_has_the_bytes_existing_clients_write() {
        let (_dir, home) = home();
        ConfigFile::change(&home, |file| {
            file.registry_url = Some("http://127.0.0.1:1".into());
            file.set("@acme/widget", "key", "a=b ü \u{1}");
            file.set("@acme/widget", "other", "");
        })
        .unwrap();
        let text = String::from_utf8(crate::home::read(&home.config()).unwrap().unwrap()).unwrap();
        let time = text.split('"').nth(7).unwrap().to_owned();
        let expected = "{\n  \"version\": \"1.0.0\",\n  \"lastUpdated\": \"TIME\",\n  \"registryUrl\": \"http://127.0.0.1:1\",\n  \"packages\": {\n    \"@acme/widget\": {\n      \"key\": \"a=b ü \\u0001\",\n      \"other\": \"\"\n    }\n  }\n}";
        assert_eq!(text.replace(&time, "TIME"), expected);
    }

    #[test]
    fn e8_values_of_existing_clients_are_read_as_they_are() {
        let (_dir, home) = home();
        let text =
            r#"{"version":"1.0.0","lastUpdated":"2026-01-01T00:00:00.000Z","packages":{"@a/b":{"z":"1=2","ä":"ö"}}}"#;
        home.write(&home.config(), text.as_bytes()).unwrap();
        let file = ConfigFile::read(&home).unwrap();
        assert_eq!(file.values("@a/b"), [("z".into(), "1=2".into()), ("ä".into(), "ö".into())]);
        assert_eq!(file.packages().collect::<Vec<_>>(), [("@a/b", 2)]);
    }

    #[test]
    fn e9_a_damaged_file_is_named() {
        for text in [
            "",
            "{",
            "[]",
            r#"{"version":"1.0.0","lastUpdated":"x","more":1}"#,
            r#"{"version":"1.0.0","lastUpdated":"x","packages":{"a":{"b":1}}}"#,
            r#"{"version":"1.0.0","lastUpdated":"x","packages":{"a":"b"}}"#,
        ] {
            let (_dir, home) = home();
            home.write(&home.config(), text.as_bytes()).unwrap();
            let error = ConfigFile::read(&home).unwrap_err().to_string();
            assert!(error.contains("config.json` is damaged"), "{error}");
            assert!(ConfigFile::change(&home, |_| ()).is_err());
            assert_eq!(crate::home::read(&home.config()).unwrap().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn clearing_tells_whether_there_was_something() {
        let mut file = ConfigFile::default();
        assert!(!file.clear("@a/b", None));
        file.set("@a/b", "x", "1");
        file.set("@a/b", "y", "2");
        assert!(!file.clear("@a/b", Some("z")));
        assert!(file.clear("@a/b", Some("x")));
        assert!(file.clear("@a/b", Some("y")));
        assert_eq!(file.packages().count(), 0);
    }
}
