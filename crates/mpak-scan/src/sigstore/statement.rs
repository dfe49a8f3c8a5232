//! What a signed statement says of a build. Spec: in-toto Statement 1; SLSA provenance 1.

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use super::{DETAIL_CHARS_MAX, Signer, SigstoreError};
use crate::outside::{Provenance, repository_key};

/// Most subjects of a statement.
const SUBJECTS_COUNT_MAX: usize = 1_024;
/// Longest identifier that is taken over.
const TEXT_CHARS_MAX: usize = 1_000;

/// A statement about an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it says. Source and commit are those of the certificate, or nothing: the rest is the signer's word.
    pub provenance: Provenance,
    /// Where the statement itself names another source than the certificate.
    pub contradictions: Vec<Contradiction>,
}

/// Something that statement and certificate say differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What.
    pub field: &'static str,
    /// In the statement.
    pub stated: String,
    /// In the certificate.
    pub certified: String,
}

impl Statement {
    pub(super) fn read(payload: &[u8]) -> Result<Self, SigstoreError> {
        let wrong = |detail: String| SigstoreError::Statement { detail };
        let document: Value = serde_json::from_slice(payload).map_err(|error| {
            let text = error.to_string();
            wrong(text.chars().take(DETAIL_CHARS_MAX).collect())
        })?;
        let all = document.get("subject").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if all.len() > SUBJECTS_COUNT_MAX {
            return Err(wrong(format!("it has {} subjects, expected at most {SUBJECTS_COUNT_MAX}", all.len())));
        }
        let digest = |subject: &Value| subject.pointer("/digest/sha256")?.as_str()?.to_ascii_lowercase().parse().ok();
        let predicate_type = text(document.get("predicateType")).ok_or_else(|| wrong("it names no type".to_owned()))?;
        let predicate = document.get("predicate").unwrap_or(&Value::Null);
        let workflow = predicate.pointer("/buildDefinition/externalParameters/workflow");
        let repository = workflow.and_then(|workflow| text(workflow.get("repository")));
        Ok(Self {
            provenance: Provenance {
                subjects: all.iter().filter_map(digest).collect::<Vec<Sha256>>(),
                predicate_type,
                builder: text(predicate.pointer("/runDetails/builder/id")).unwrap_or_default(),
                issuer: None,
                identity: None,
                commit: commit(predicate, repository.as_deref()),
                workflow: workflow.and_then(|workflow| text(workflow.get("path"))),
                repository,
            },
            contradictions: Vec::new(),
        })
    }

    /// Puts what the certificate says in place of what the signer only claims.
    pub(super) fn of_signer(mut self, signer: &Signer) -> Self {
        let provenance = &mut self.provenance;
        provenance.issuer = Some(signer.issuer.clone());
        provenance.identity = Some(signer.identity.clone());
        let same_page = |a: &str, b: &str| repository_key(a).is_some() && repository_key(a) == repository_key(b);
        let same_commit = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let repository = settle("repository", &mut provenance.repository, signer.repository.as_ref(), same_page);
        let commit = settle("commit", &mut provenance.commit, signer.commit.as_ref(), same_commit);
        self.contradictions.extend(repository.into_iter().chain(commit));
        self
    }
}

/// Puts what is certified in place of what is stated, also where that is nothing; gives both where they differ.
fn settle(
    field: &'static str,
    stated: &mut Option<String>,
    certified: Option<&String>,
    same: impl Fn(&str, &str) -> bool,
) -> Option<Contradiction> {
    let before = std::mem::replace(stated, certified.cloned());
    let (certified, stated) = (certified?.clone(), before?);
    (!same(&stated, &certified)).then_some(Contradiction { field, stated, certified })
}

/// The commit of the repository that was built, among everything that the build used.
fn commit(predicate: &Value, repository: Option<&str>) -> Option<String> {
    let used = predicate.pointer("/buildDefinition/resolvedDependencies")?.as_array()?;
    let commits = used.iter().take(SUBJECTS_COUNT_MAX).filter_map(|one| {
        let commit = one.pointer("/digest/gitCommit").or_else(|| one.pointer("/digest/sha1"));
        Some((one.get("uri").and_then(Value::as_str).unwrap_or_default(), text(commit)?))
    });
    let wanted = repository.and_then(repository_key);
    let same = |uri: &str| {
        // `git+https://host/owner/name@refs/tags/v1`
        let page = uri.rsplit_once('@').map_or(uri, |(page, _)| page);
        wanted.is_some() && repository_key(page) == wanted
    };
    commits.into_iter().find(|(uri, _)| same(uri)).map(|(_, commit)| commit)
}

fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Result<Provenance, String> {
        let read = Statement::read(document.to_string().as_bytes());
        read.map(|statement| statement.provenance).map_err(|error| error.to_string())
    }

    #[test]
    fn the_commit_is_that_of_the_repository_that_was_built() {
        let of = |repository: Value, used: Value| {
            let predicate = json!({"buildDefinition": {"resolvedDependencies": used,
                "externalParameters": {"workflow": {"repository": repository}}}});
            read(&json!({"predicateType": "t", "predicate": predicate})).unwrap().commit
        };
        let ours = json!({"uri": "git+https://github.com/a/b@refs/tags/v1", "digest": {"gitCommit": "aa"}});
        let other = json!({"uri": "git+https://github.com/x/y@main", "digest": {"gitCommit": "bb"}});
        assert_eq!(of(json!("https://github.com/a/b"), json!([other, ours])).as_deref(), Some("aa"));
        assert_eq!(of(json!("https://github.com/a/c"), json!([other, ours])), None);
        assert_eq!(of(json!(null), json!([ours])), None);
        assert_eq!(of(json!("https://github.com/a/b"), json!({"uri": 7})), None);
    }

    #[test]
    fn what_is_no_statement_is_an_error_and_odd_parts_are_left_out() {
        for document in [json!([]), json!({}), json!({"predicateType": 7}), json!({"predicateType": " "})] {
            assert!(read(&document).is_err(), "{document}");
        }
        let many = json!({"predicateType": "t", "subject": vec![0; SUBJECTS_COUNT_MAX + 1]});
        assert!(read(&many).unwrap_err().contains("1025 subjects"));
        let odd = json!({"predicateType": "t", "subject": [{"digest": {"sha256": "xyz"}}, 7], "predicate": {"runDetails": []}});
        let found = read(&odd).unwrap();
        assert_eq!((found.subjects.len(), found.builder.as_str(), found.commit), (0, "", None));
    }

    #[test]
    fn source_and_commit_are_the_certificates_or_nothing() {
        let certified = Signer {
            repository: Some("https://github.com/a/b".to_owned()),
            commit: Some("aa".to_owned()),
            ..Signer::default()
        };
        let stated = json!({"predicateType": "t", "predicate": {"buildDefinition": {
            "externalParameters": {"workflow": {"repository": "https://github.com/a/b"}},
            "resolvedDependencies": [{"uri": "git+https://github.com/a/b", "digest": {"gitCommit": "aa"}}]}}});
        let of = |signer: &Signer| Statement::read(stated.to_string().as_bytes()).unwrap().of_signer(signer);
        let named = of(&certified).provenance;
        assert_eq!((named.repository, named.commit), (certified.repository.clone(), certified.commit.clone()));
        // A certificate of a person names neither.
        let silent = of(&Signer::default());
        assert_eq!((silent.provenance.repository, silent.provenance.commit), (None, None));
        assert!(silent.contradictions.is_empty());
        let other = Signer { commit: Some("bb".to_owned()), ..certified };
        assert_eq!(of(&other).contradictions[0].field, "commit");
    }
}
