//! Statements that a vulnerability does not apply (VEX): OpenVEX and CycloneDX, reduced to what counts.
//!
//! In: documents from a bundle, which its author may write as they like, or from outside, by whoever
//! answers for the bundle. Only the latter change a verdict: MTF 0.1 §5.4 demands a signature, and an
//! unsigned file in a bundle proves nothing. Out: [`Statement`]s, bounded, in their order.

use mpak_bundle::dependencies::Component;
use serde_json::Value;

use crate::advisories::Package;

/// Largest document in a bundle.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// Most documents of a bundle.
const DOCUMENTS_COUNT_MAX: usize = 64;
/// Most statements, and most products or aliases of one.
const STATEMENTS_COUNT_MAX: usize = 10_000;
/// Longest text that is kept.
const TEXT_CHARS_MAX: usize = 200;

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does not apply; needs a justification.
    NotAffected,
    /// It applies.
    Affected,
    /// It is repaired in the product.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Ids of the vulnerability.
    pub ids: Vec<String>,
    /// The packages that it is about; one without any is about nothing.
    pub packages: Vec<Package>,
    /// What it says.
    pub status: Status,
    /// Why, in the words of the format; only its own words count.
    pub justification: Option<String>,
    /// The file in the bundle; `None` for one from outside.
    pub file: Option<String>,
}

impl Statement {
    /// Whether it is about a vulnerability of a component.
    pub fn is_about(&self, component: &Component, ids: &[String]) -> bool {
        self.ids.iter().any(|id| ids.contains(id)) && self.packages.iter().any(|package| package.is(component))
    }
}

/// Statements of documents from outside. What is no statement is left out.
pub fn from_outside(documents: &[Value]) -> Vec<Statement> {
    let mut out: Vec<Statement> = documents.iter().flat_map(|document| statements(document, None)).collect();
    out.truncate(STATEMENTS_COUNT_MAX);
    out
}

/// Whether a file of a bundle holds statements: `vex.json` and `.vex/*.json`.
pub(crate) fn is_statements(path: &str) -> bool {
    let folder = path.strip_prefix(".vex/").and_then(|name| name.strip_suffix(".json"));
    path == "vex.json" || folder.is_some_and(|name| !name.contains('/'))
}

/// Statements of one file of a bundle; too large a file has none.
pub(crate) fn in_file(path: &str, text: &[u8]) -> Vec<Statement> {
    let document = (text.len() <= DOCUMENT_BYTES_MAX).then(|| serde_json::from_slice(text).ok()).flatten();
    document.map(|document: Value| statements(&document, Some(path))).unwrap_or_default()
}

/// Puts the statements of a bundle's files together.
pub(crate) fn in_bundle(files: impl Iterator<Item = Vec<Statement>>) -> Vec<Statement> {
    files.take(DOCUMENTS_COUNT_MAX).flatten().take(STATEMENTS_COUNT_MAX).collect()
}

fn statements(document: &Value, file: Option<&str>) -> Vec<Statement> {
    let list =
        |field: &str| document.get(field).and_then(Value::as_array).into_iter().flatten().take(STATEMENTS_COUNT_MAX);
    let open = list("statements").filter_map(|statement| open_vex(statement, file));
    let cyclone = list("vulnerabilities").filter_map(|statement| cyclone_dx(statement, file));
    open.chain(cyclone).collect()
}

/// Spec: OpenVEX 0.2.0.
fn open_vex(statement: &Value, file: Option<&str>) -> Option<Statement> {
    let status = match text(statement, "status")?.as_str() {
        "not_affected" => Status::NotAffected,
        "affected" => Status::Affected,
        "fixed" => Status::Fixed,
        "under_investigation" => Status::UnderInvestigation,
        _ => return None,
    };
    let vulnerability = statement.get("vulnerability")?;
    let mut ids: Vec<String> = vulnerability.as_str().map(last_part).into_iter().collect();
    ids.extend(["@id", "name"].iter().filter_map(|field| text(vulnerability, field)).map(|id| last_part(&id)));
    ids.extend(list(vulnerability, "aliases").filter_map(Value::as_str).map(last_part));
    let mut packages = Vec::new();
    for product in list(statement, "products") {
        // A product with parts speaks of the parts.
        let parts: Vec<Package> = list(product, "subcomponents").flat_map(package).collect();
        packages.extend(if parts.is_empty() { package(product) } else { parts });
    }
    let justification = text(statement, "justification").filter(|word| JUSTIFICATIONS.contains(&word.as_str()));
    Some(Statement { ids, packages, status, justification, file: file.map(str::to_owned) })
}

/// The reasons that MTF 0.1 §5.4 and OpenVEX know.
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// The reasons that CycloneDX knows.
const CYCLONE_JUSTIFICATIONS: [&str; 9] = [
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
];

/// Spec: CycloneDX 1.6, `vulnerabilities[].analysis`.
fn cyclone_dx(statement: &Value, file: Option<&str>) -> Option<Statement> {
    let analysis = statement.get("analysis")?;
    let status = match text(analysis, "state")?.as_str() {
        "not_affected" | "false_positive" => Status::NotAffected,
        "exploitable" => Status::Affected,
        "resolved" | "resolved_with_pedigree" => Status::Fixed,
        "in_triage" => Status::UnderInvestigation,
        _ => return None,
    };
    let references = list(statement, "references").filter_map(|reference| text(reference, "id"));
    let ids = text(statement, "id").into_iter().chain(references).collect();
    let packages = list(statement, "affects").filter_map(|target| Package::of_purl(&text(target, "ref")?)).collect();
    let justification = text(analysis, "justification").filter(|word| CYCLONE_JUSTIFICATIONS.contains(&word.as_str()));
    Some(Statement { ids, packages, status, justification, file: file.map(str::to_owned) })
}

/// The package of a product: its id is a package URL, or names one.
fn package(product: &Value) -> Vec<Package> {
    let id = product.as_str().map(str::to_owned).or_else(|| text(product, "@id"));
    let purl = product.get("identifiers").and_then(|identifiers| text(identifiers, "purl"));
    purl.into_iter().chain(id).filter_map(|purl| Package::of_purl(&purl)).take(1).collect()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().take(STATEMENTS_COUNT_MAX)
}

fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(TEXT_CHARS_MAX).collect())
}

/// An id may be written as an address that ends with it.
fn last_part(id: &str) -> String {
    let id = id.trim().trim_end_matches('/');
    id.rsplit('/').next().unwrap_or(id).chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use mpak_bundle::dependencies::Ecosystem;
    use serde_json::json;

    use super::*;

    fn component(version: &str) -> Component {
        Component {
            ecosystem: Ecosystem::Pypi,
            name: "my-package".into(),
            version: version.into(),
            license: None,
            found_in: String::new(),
        }
    }

    fn open(vulnerability: &Value, products: &Value) -> Value {
        json!({"statements": [{"vulnerability": vulnerability, "products": products, "status": "not_affected",
            "justification": "vulnerable_code_not_present"}]})
    }

    #[test]
    fn a_statement_is_about_the_ids_and_packages_that_it_names() {
        let purl = json!([{"@id": "pkg:pypi/My_Package@1.0"}]);
        for (vulnerability, products, about) in [
            (json!({"@id": "CVE-2026-1234"}), purl.clone(), true),
            (json!("CVE-2026-1234"), json!(["pkg:pypi/my-package"]), true),
            (json!({"@id": "https://nvd.example/vuln/CVE-2026-1234"}), purl.clone(), true),
            (json!({"name": "X-1", "aliases": ["CVE-2026-1234"]}), purl.clone(), true),
            (json!({"name": "CVE-2026-9999"}), purl.clone(), false),
            (json!("CVE-2026-1234"), json!(["pkg:pypi/my-package@1.0.1"]), false),
            (json!("CVE-2026-1234"), json!(["pkg:npm/my-package@1.0"]), false),
            (json!("CVE-2026-1234"), json!([]), false),
            (
                json!("CVE-2026-1234"),
                json!([{"@id": "pkg:x/server", "subcomponents": [{"@id": "pkg:pypi/my-package@1.0.0"}]}]),
                true,
            ),
            (
                json!("CVE-2026-1234"),
                json!([{"@id": "pkg:pypi/my-package", "subcomponents": [{"@id": "pkg:pypi/other"}]}]),
                false,
            ),
            (json!("CVE-2026-1234"), json!([{"@id": "x", "identifiers": {"purl": "pkg:pypi/my-package@1.0"}}]), true),
        ] {
            let statements = from_outside(&[open(&vulnerability, &products)]);
            let ids = ["GHSA-1".to_owned(), "CVE-2026-1234".to_owned()];
            assert_eq!(statements[0].is_about(&component("1.0.0"), &ids), about, "{vulnerability} {products}");
        }
    }

    #[test]
    fn only_words_of_the_format_justify() {
        for (word, expected) in [
            (json!("vulnerable_code_not_present"), true),
            (json!("trust me"), false),
            (json!(""), false),
            (json!(1), false),
        ] {
            let mut document = open(&json!("CVE-1-1"), &json!(["pkg:pypi/a"]));
            document["statements"][0]["justification"] = word.clone();
            assert_eq!(from_outside(&[document])[0].justification.is_some(), expected, "{word}");
        }
    }

    #[test]
    fn cyclone_dx_is_read_too() {
        let document = json!({"bomFormat": "CycloneDX", "vulnerabilities": [{"id": "CVE-2026-1234",
            "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
            "affects": [{"ref": "pkg:pypi/my-package@1.0.0"}]}]});
        let statements = from_outside(&[document]);
        assert_eq!(statements[0].status, Status::NotAffected);
        assert!(
            statements[0].justification.is_some()
                && statements[0].is_about(&component("1.0"), &["CVE-2026-1234".into()])
        );
    }

    #[test]
    fn what_is_no_statement_is_left_out() {
        for document in
            [json!(null), json!([]), json!({"statements": 1}), json!({"statements": [null, {}, {"status": "odd"}]})]
        {
            assert_eq!(from_outside(&[document]), []);
        }
    }
}
