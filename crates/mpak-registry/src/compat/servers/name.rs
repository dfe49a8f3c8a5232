//! Server names, `NAMESPACE/NAME` in reverse-DNS form: which name a package has, and which package a
//! name means.
//!
//! A package is called `dev.mpak.<scope>/<name>`, or by the curated namespace of its scope. Its author may
//! choose another last part, in a namespace that is the scope's own and only while no other package has
//! the name; every name that lists show can be looked up.

use std::sync::LazyLock;

use mpak_bundle::name::PackageName;
use regex::Regex;
use serde_json::Value;

use crate::db::{Connection, DbResult, catalogue, servers};

/// Namespaces that stand for a scope: `(scope, namespace)`.
const CURATED: &[(&str, &str)] = &[("nimblebraininc", "ai.nimblebrain")];
/// Bytes of a server name.
const BYTES: std::ops::RangeInclusive<usize> = 3..=200;

static FORM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$").expect("a valid expression"));

fn is_name(text: &str) -> bool {
    BYTES.contains(&text.len()) && FORM.is_match(text)
}

fn namespace(scope: &str) -> String {
    let curated = CURATED.iter().find(|(s, _)| *s == scope);
    curated.map_or_else(|| format!("dev.mpak.{scope}"), |(_, namespace)| (*namespace).to_owned())
}

/// What a package is called when its author asks for nothing.
fn derived(package: &PackageName) -> String {
    format!("{}/{}", namespace(package.scope()), package.base())
}

/// The name that an author asks for, where the namespace is the scope's own.
fn asked_for(package: &PackageName, manifest: &Value) -> Option<String> {
    let name = manifest["_meta"]["dev.mpak/registry"]["name"].as_str().filter(|n| is_name(n))?;
    let (space, _) = name.split_once('/')?;
    let own = space == namespace(package.scope()) || space == format!("dev.mpak.{}", package.scope());
    own.then(|| name.to_owned())
}

/// The package whose own name a server name is, exactly as [`derived`] makes it.
fn underived(name: &str) -> Option<PackageName> {
    let (space, base) = name.split_once('/')?;
    let curated = CURATED.iter().find(|(_, namespace)| *namespace == space).map(|(scope, _)| *scope);
    let scope = curated.or_else(|| space.strip_prefix("dev.mpak."))?;
    PackageName::lookup(&format!("@{scope}/{base}")).ok()
}

/// What a package is called; `None` when no server name fits, because the package's is too long.
pub(super) async fn name_of(c: &mut Connection, package: &str, manifest: &Value) -> DbResult<Option<String>> {
    let Ok(package) = PackageName::lookup(package) else { return Ok(None) };
    let otherwise = Some(derived(&package)).filter(|name| is_name(name));
    let Some(asked) = asked_for(&package, manifest) else { return Ok(otherwise) };
    let free = owner_of(c, &asked.to_lowercase()).await?.is_some_and(|owner| owner == package.as_str());
    Ok(if free { Some(asked) } else { otherwise })
}

/// The package that has a lower-case server name: the one that it derives from, else the oldest of the
/// scope that asks for it.
async fn owner_of(c: &mut Connection, name: &str) -> DbResult<Option<String>> {
    if let Some(package) = underived(name)
        && catalogue::has(c, package.as_str()).await?
    {
        return Ok(Some(package.as_str().to_owned()));
    }
    let Some((space, _)) = name.split_once('/') else { return Ok(None) };
    let curated = CURATED.iter().find(|(_, namespace)| *namespace == space).map(|(scope, _)| *scope);
    let Some(scope) = curated.or_else(|| space.strip_prefix("dev.mpak.")) else { return Ok(None) };
    for (package, manifest) in servers::naming_themselves(c, scope).await? {
        let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
        let Ok(package) = PackageName::lookup(&package) else { continue };
        if asked_for(&package, &manifest).is_some_and(|asked| asked.to_lowercase() == name) {
            return Ok(Some(package.as_str().to_owned()));
        }
    }
    Ok(None)
}

/// The package that a client's text means: a package name, a server name, or the last part of a
/// namespace and a name. Once more percent-decoded, in lower case; `None` when nothing is meant.
pub(super) async fn resolve(c: &mut Connection, text: &str) -> DbResult<Option<String>> {
    let text = decoded(text).to_lowercase();
    if PackageName::lookup(&text).is_ok() {
        return Ok(Some(text));
    }
    if !is_name(&text) {
        return Ok(None);
    }
    owner_of(c, &text).await
}

/// The package whose derived name or package name a client's text is, whether it is there or not.
pub(super) fn underived_text(text: &str) -> Option<String> {
    let text = decoded(text).to_lowercase();
    let package = PackageName::lookup(&text).ok().or_else(|| underived(&text))?;
    Some(package.as_str().to_owned())
}

/// Whether the name that derives from a package's is short enough.
pub(super) fn has_one(package: &str) -> bool {
    PackageName::lookup(package).is_ok_and(|package| is_name(&derived(&package)))
}

/// Whether a lower-case text can be a piece of a derived name without being one of the package's own: where it
/// reaches into a namespace.
pub(super) fn reaches_namespaces(text: &str) -> bool {
    let spaces = CURATED.iter().map(|(_, namespace)| *namespace).chain(["dev.mpak."]);
    let reaches = |space: &str| space.contains(text) || (0..space.len()).any(|at| text.starts_with(&space[at..]));
    text.is_empty() || spaces.into_iter().any(reaches)
}

/// Whether a lower-case text is a piece of a package's derived name.
pub(super) fn is_piece(package: &str, text: &str) -> bool {
    PackageName::lookup(package).is_ok_and(|package| derived(&package).contains(text))
}

/// Percent-decodes once more what was encoded twice; what cannot be decoded stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = bytes.get(i + 1..i + 3).filter(|hex| bytes[i] == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let byte = pair.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte {
            out.push(byte);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_not_text| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str) -> PackageName {
        PackageName::lookup(name).unwrap()
    }

    #[test]
    fn names_are_derived_and_read_back() {
        for (name, server) in [
            ("@acme/widget", "dev.mpak.acme/widget"),
            ("@nimblebraininc/echo", "ai.nimblebrain/echo"),
            ("@acme/with.dots_and", "dev.mpak.acme/with.dots_and"),
        ] {
            assert_eq!(derived(&package(name)), server);
            assert_eq!(underived(server).unwrap().as_str(), name);
        }
        for other in ["com.example/x", "dev.mpak/x", "dev.mpak.acme", "dev.mpak./x", "dev.mpak.acme/"] {
            assert_eq!(underived(other), None, "{other}");
        }
    }

    #[test]
    fn authors_choose_in_their_own_namespace_only() {
        let asks =
            |name: Value| asked_for(&package("@acme/widget"), &json!({"_meta": {"dev.mpak/registry": {"name": name}}}));
        assert_eq!(asks(json!("dev.mpak.acme/Other")).as_deref(), Some("dev.mpak.acme/Other"));
        for foreign in [
            json!("com.example/x"),
            json!("dev.mpak.other/x"),
            json!("dev.mpak.acme.evil/x"),
            json!("ai.nimblebrain/x"),
            json!("dev.mpak.acme/a/b"),
            json!("dev.mpak.acme/"),
            json!("x".repeat(300)),
            json!(7),
            json!(["dev.mpak.acme/x"]),
        ] {
            assert_eq!(asks(foreign.clone()), None, "{foreign}");
        }
        let curated = asked_for(
            &package("@nimblebraininc/x"),
            &json!({"_meta": {"dev.mpak/registry": {"name": "ai.nimblebrain/y"}}}),
        );
        assert_eq!(curated.as_deref(), Some("ai.nimblebrain/y"));
    }

    #[test]
    fn what_was_encoded_twice_is_decoded_and_the_rest_stays() {
        for (given, expect) in [
            ("%40acme%2Fwidget", "@acme/widget"),
            ("%", "%"),
            ("%zz", "%zz"),
            ("%ff", "%ff"),
            ("a%2", "a%2"),
            ("é%41", "éA"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(decoded(given), expect, "{given}");
        }
    }
}
