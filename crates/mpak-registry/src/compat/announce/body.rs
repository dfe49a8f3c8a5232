//! The body of an announcement: JSON of up to 50 MiB from anybody, read into a small typed value.
//!
//! Unknown members are dropped, scalars are read leniently, as existing publishers rely on. A manifest is parsed
//! when what that takes is bounded, and kept when it is not larger than manifests of bundles are: a larger one is
//! none of a bundle, which is said when they are compared.

use std::io;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Most memory that a manifest takes while it is read, and what one value of it takes about.
const MEMORY_BYTES_MAX: usize = 128 << 20;
const VALUE_BYTES: usize = 96;
/// Longest text of a member that is told back.
const VALUE_CHARS_MAX: usize = 200;

/// An announcement whose members have the right types; their values are not judged yet.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `null` where it is larger than any bundle's.
    pub(crate) manifest: Value,
    /// Whether it says what kind of server it is.
    pub(crate) has_server_type: bool,
    pub(crate) release_tag: String,
    pub(crate) artifact: Artifact,
}

/// The artifact of an announcement.
#[derive(Debug, Default)]
pub(crate) struct Artifact {
    pub(crate) filename: String,
    pub(crate) os: String,
    pub(crate) arch: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

/// Why a body is no announcement.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Not JSON at all, or not an object.
    Malformed(serde_json::Error),
    /// Members that break their rule, as the wire lists them.
    Invalid(Vec<Value>),
}

#[derive(Deserialize)]
struct Raw<'b> {
    #[serde(borrow)]
    name: Option<&'b RawValue>,
    #[serde(borrow)]
    version: Option<&'b RawValue>,
    #[serde(borrow)]
    manifest: Option<&'b RawValue>,
    #[serde(borrow)]
    release_tag: Option<&'b RawValue>,
    #[serde(borrow)]
    prerelease: Option<&'b RawValue>,
    #[serde(borrow)]
    artifact: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct RawArtifact<'b> {
    #[serde(borrow)]
    filename: Option<&'b RawValue>,
    #[serde(borrow)]
    os: Option<&'b RawValue>,
    #[serde(borrow)]
    arch: Option<&'b RawValue>,
    #[serde(borrow)]
    sha256: Option<&'b RawValue>,
    #[serde(borrow)]
    size: Option<&'b RawValue>,
}

/// Texts of the manifest that the existing registry keeps in columns of this width.
const WIDTHS: &[(&str, usize)] = &[
    ("/display_name", 255),
    ("/author/name", 255),
    ("/author/email", 255),
    ("/author/url", 512),
    ("/homepage", 512),
    ("/license", 100),
    ("/icon", 512),
];

impl Announcement {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`].
    pub(crate) fn read(body: &[u8], manifest_bytes_max: u64) -> Result<Self, BodyError> {
        let raw: Raw<'_> = serde_json::from_slice(body).map_err(BodyError::Malformed)?;
        let mut check = Check { problems: Vec::new() };
        let name = check.text(raw.name, "", "name", 1, 300);
        let version = check.text(raw.version, "", "version", 1, 50);
        let manifest = check.manifest(raw.manifest);
        let has_server_type = has_server_type(&manifest);
        let manifest = if bytes_of(&manifest) > manifest_bytes_max { Value::Null } else { manifest };
        let release_tag = check.text(raw.release_tag, "", "release_tag", 1, 255);
        check.flag(raw.prerelease);
        let artifact = check.artifact(raw.artifact);
        if check.problems.is_empty() {
            Ok(Self { name, version, manifest, has_server_type, release_tag, artifact })
        } else {
            Err(BodyError::Invalid(check.problems))
        }
    }
}

struct Check {
    problems: Vec<Value>,
}

impl Check {
    fn problem(&mut self, path: &str, keyword: &str, params: &Value, message: &str) {
        let path = path.to_owned();
        self.problems.push(json!({
            "instancePath": path, "schemaPath": format!("#{path}/{keyword}"), "keyword": keyword,
            "params": params, "message": message,
        }));
    }

    fn missing(&mut self, at: &str, name: &str) {
        let message = format!("must have required property '{name}'");
        self.problem(at, "required", &json!({"missingProperty": name}), &message);
    }

    /// A small value; nothing when it is missing or `null`, which counts as missing.
    fn scalar(&mut self, raw: Option<&RawValue>, at: &str, name: &str) -> Option<Value> {
        let value = raw.filter(|raw| raw.get().len() <= 8 << 10).map(|raw| serde_json::from_str(raw.get()));
        match value {
            Some(Ok(Value::Null)) | None if raw.is_none_or(|raw| raw.get() == "null") => {
                self.missing(at, name);
                None
            }
            Some(Ok(value)) => Some(value),
            _ => {
                self.problem(&format!("{at}/{name}"), "maxLength", &json!({}), "is too long");
                None
            }
        }
    }

    fn text(&mut self, raw: Option<&RawValue>, at: &str, name: &str, least: usize, most: usize) -> String {
        let path = format!("{at}/{name}");
        let text = match self.scalar(raw, at, name) {
            None => return String::new(),
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(_) => {
                self.problem(&path, "type", &json!({"type": "string"}), "must be string");
                return String::new();
            }
        };
        let chars = text.chars().count();
        if chars < least {
            let message = format!("must NOT have fewer than {least} characters");
            self.problem(&path, "minLength", &json!({"limit": least}), &message);
        } else if chars > most {
            let message = format!("must NOT have more than {most} characters");
            self.problem(&path, "maxLength", &json!({"limit": most}), &message);
        }
        text
    }

    fn size(&mut self, raw: Option<&RawValue>) -> u64 {
        let at = "/artifact";
        let size = match self.scalar(raw, at, "size") {
            None => return 0,
            Some(Value::Number(number)) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        size.unwrap_or_else(|| {
            self.problem("/artifact/size", "type", &json!({"type": "integer"}), "must be integer");
            0
        })
    }

    /// `prerelease` says nothing that the version does not say; it must merely be a flag.
    fn flag(&mut self, raw: Option<&RawValue>) {
        let fine = raw.is_none_or(|raw| {
            matches!(raw.get(), "true" | "false" | "null" | "\"true\"" | "\"false\"" | "0" | "1" | "\"\"")
        });
        if !fine {
            self.problem("/prerelease", "type", &json!({"type": "boolean"}), "must be boolean");
        }
    }

    fn artifact(&mut self, raw: Option<&RawValue>) -> Artifact {
        let members: RawArtifact<'_> = match raw.map(|raw| serde_json::from_str(raw.get())) {
            Some(Ok(members)) => members,
            Some(Err(_)) if raw.is_some_and(|raw| raw.get() != "null") => {
                self.problem("/artifact", "type", &json!({"type": "object"}), "must be object");
                return Artifact::default();
            }
            _ => {
                self.missing("", "artifact");
                return Artifact::default();
            }
        };
        let at = "/artifact";
        Artifact {
            // Its length has a rule and a message of its own.
            filename: self.text(members.filename, at, "filename", 0, 4_096),
            os: self.text(members.os, at, "os", 1, VALUE_CHARS_MAX),
            arch: self.text(members.arch, at, "arch", 1, VALUE_CHARS_MAX),
            sha256: self.text(members.sha256, at, "sha256", 64, 64),
            size: self.size(members.size),
        }
    }

    fn manifest(&mut self, raw: Option<&RawValue>) -> Value {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            self.missing("", "manifest");
            return Value::Null;
        };
        if memory_of(raw.get()) > MEMORY_BYTES_MAX {
            let message = format!("must NOT take more than {MEMORY_BYTES_MAX} bytes of memory");
            self.problem("/manifest", "maxLength", &json!({"limit": MEMORY_BYTES_MAX}), &message);
            return Value::Null;
        }
        let Ok(manifest @ Value::Object(_)) = serde_json::from_str::<Value>(raw.get()) else {
            self.problem("/manifest", "type", &json!({"type": "object"}), "must be object");
            return Value::Null;
        };
        for (pointer, width) in WIDTHS {
            if manifest.pointer(pointer).and_then(Value::as_str).is_some_and(|text| text.chars().count() > *width) {
                let message = format!("must NOT have more than {width} characters");
                self.problem(&format!("/manifest{pointer}"), "maxLength", &json!({"limit": width}), &message);
            }
        }
        manifest
    }
}

fn has_server_type(manifest: &Value) -> bool {
    let truthy = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    truthy(manifest.pointer("/server/type")) || truthy(manifest.get("server_type"))
}

/// About what a parsed text takes: its letters, and a place for each value.
fn memory_of(json: &str) -> usize {
    let values = json.bytes().filter(|b| matches!(b, b',' | b'[' | b'{' | b':')).count();
    json.len() + values * VALUE_BYTES
}

/// How long a document is as text, without room between its parts.
fn bytes_of(value: &Value) -> u64 {
    struct Counted(u64);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).map_or(u64::MAX, |()| counted.0)
}

/// A whole number that was written with a point.
fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_sign_loss, reason = "checked")]
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        json!({
            "name": "@acme/widget", "version": "1.0.0", "manifest": {"name": "widget"}, "release_tag": "v1.0.0",
            "artifact": {"filename": "a.mcpb", "os": "any", "arch": "any", "sha256": "a".repeat(64), "size": 5},
        })
    }

    fn problems(body: &Value) -> Vec<(String, String)> {
        match Announcement::read(body.to_string().as_bytes(), 1_000) {
            Ok(_) => Vec::new(),
            Err(BodyError::Invalid(problems)) => {
                let text = |p: &Value, name: &str| p[name].as_str().unwrap().to_owned();
                problems.iter().map(|p| (text(p, "instancePath"), text(p, "keyword"))).collect()
            }
            Err(BodyError::Malformed(e)) => panic!("{e}"),
        }
    }

    #[test]
    fn a_good_body_is_read_leniently() {
        let mut body = good();
        body["version"] = json!(1);
        body["artifact"]["size"] = json!("5");
        body["prerelease"] = json!("true");
        body["more"] = json!({"dropped": true});
        let read = Announcement::read(body.to_string().as_bytes(), 1_000).unwrap();
        assert_eq!((read.version.as_str(), read.artifact.size), ("1", 5));
        body["artifact"]["size"] = json!(5.0);
        assert_eq!(Announcement::read(body.to_string().as_bytes(), 1_000).unwrap().artifact.size, 5);
    }

    #[test]
    fn every_missing_member_is_told() {
        assert_eq!(problems(&json!({})).len(), 5);
        let mut body = good();
        body["artifact"] = json!({});
        assert_eq!(problems(&body).len(), 5);
        body["artifact"] = json!(null);
        assert_eq!(problems(&body), [(String::new(), "required".to_owned())]);
    }

    #[test]
    fn what_breaks_its_rule_is_told_with_its_place() {
        for (pointer, value, place, keyword) in [
            ("/version", json!("1".repeat(51)), "/version", "maxLength"),
            ("/version", json!(""), "/version", "minLength"),
            ("/version", json!({}), "/version", "type"),
            ("/release_tag", json!("v".repeat(256)), "/release_tag", "maxLength"),
            ("/name", json!("x".repeat(9_000)), "/name", "maxLength"),
            ("/artifact", json!("text"), "/artifact", "type"),
            ("/artifact/size", json!(-1), "/artifact/size", "type"),
            ("/artifact/size", json!(1.5), "/artifact/size", "type"),
            ("/artifact/sha256", json!("abc"), "/artifact/sha256", "minLength"),
            ("/manifest", json!([]), "/manifest", "type"),
            ("/manifest", json!({"license": "y".repeat(101)}), "/manifest/license", "maxLength"),
        ] {
            let mut body = good();
            *body.pointer_mut(pointer).unwrap() = value;
            assert_eq!(problems(&body), [(place.to_owned(), keyword.to_owned())], "{pointer}");
        }
        let mut body = good();
        body["prerelease"] = json!("maybe");
        assert_eq!(problems(&body).len(), 1);
    }

    #[test]
    fn a_large_manifest_is_read_within_bounds_and_kept_when_a_bundle_can_have_it() {
        let read = |manifest: &str| {
            let body = good().to_string().replace(r#"{"name":"widget"}"#, manifest);
            Announcement::read(body.as_bytes(), 1_000)
        };
        // Spelled at length, it is a small one.
        let spelled =
            format!(r#"{{"server": {{"type": "node"}},{}"x": "{}"}}"#, " ".repeat(2_000), "\\u0061".repeat(500));
        let kept = read(&spelled).unwrap();
        assert_eq!((kept.manifest["x"].as_str().map(str::len), kept.has_server_type), (Some(500), true));
        // A large one is none of a bundle's.
        let large = read(&format!(r#"{{"server": {{"type": "node"}}, "x": "{}"}}"#, "y".repeat(1_000))).unwrap();
        assert_eq!((large.manifest, large.has_server_type), (Value::Null, true));
        // What is made to swell in memory is not read.
        let swelling = format!(r#"{{"x": [{}0]}}"#, "0,".repeat(1_500_000));
        assert!(
            matches!(read(&swelling), Err(BodyError::Invalid(problems)) if problems[0]["instancePath"] == "/manifest")
        );
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        for text in ["", "{", "[]", "\"x\"", "{\"name\": 1, \"name\": 2}"] {
            assert!(matches!(Announcement::read(text.as_bytes(), 1_000), Err(BodyError::Malformed(_))), "{text}");
        }
    }
}
