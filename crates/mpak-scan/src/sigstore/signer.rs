//! Who signed: what a certificate says of a workload, and whether that is somebody who may sign for a package.

use sigstore_verify::VerificationResult;

use crate::outside::{ExpectedSigner, Publisher, repository_key};

/// Whom a certificate names. All of it was verified by the authority that issued it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// The workflow's URI with its reference, or a person's address.
    pub identity: String,
    /// Who vouches for the identity.
    pub issuer: String,
    /// Page of the repository that ran the workflow.
    pub repository: Option<String>,
    /// The forge's number of it.
    pub repository_id: Option<String>,
    /// The forge's number of its owner.
    pub owner_id: Option<String>,
    /// File of the workflow that was started, which may call one of another repository.
    pub workflow: Option<String>,
    /// Commit that it ran on.
    pub commit: Option<String>,
    /// `github-hosted` or `self-hosted`.
    pub runner: Option<String>,
}

impl Signer {
    pub(super) fn of(result: &VerificationResult) -> Option<Self> {
        let certificate = result.certificate()?;
        let identity = certificate.identity.as_ref()?.as_str().to_owned();
        let issuer = certificate.issuer.clone().filter(|issuer| !issuer.is_empty())?;
        let (claims, old) = (&certificate.ci_claims, &certificate.ci_claims.deprecated_github);
        // Certificates from before 2023 name the repository in short.
        let short = || old.workflow_repository.as_ref().map(|short| format!("https://github.com/{short}"));
        let repository = claims.source_repository_uri.clone().or_else(short);
        let started = claims.build_config_uri.as_deref().unwrap_or(&identity);
        let workflow = repository.as_deref().and_then(|repository| workflow(started, repository));
        Some(Self {
            workflow,
            repository,
            repository_id: claims.source_repository_identifier.clone(),
            owner_id: claims.source_repository_owner_identifier.clone(),
            commit: claims.source_repository_digest.clone().or_else(|| old.workflow_sha.clone()),
            runner: claims.runner_environment.clone(),
            identity,
            issuer,
        })
    }

    /// In one line.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.identity, self.issuer)
    }

    /// Whether it is one of those who may sign; `None` where nobody says who they are.
    pub(crate) fn is_expected(&self, publisher: Option<&Publisher>) -> Option<bool> {
        let expected = expected(publisher?);
        (!expected.is_empty()).then(|| expected.iter().any(|one| self.is(one)))
    }

    fn is(&self, expected: &ExpectedSigner) -> bool {
        let same_id = |ours: &Option<String>, theirs: &Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let issuer = self.issuer.trim_end_matches('/') == expected.issuer.trim_end_matches('/');
        let named = match (&expected.identity, &expected.repository) {
            (None, None) => false,
            (identity, repository) => {
                identity.as_ref().is_none_or(|identity| *identity == self.identity)
                    && repository.as_ref().is_none_or(|repository| self.is_of(repository))
            }
        };
        // An expected workflow that the certificate does not name is another one.
        let workflow = expected.workflow.as_deref().is_none_or(|path| self.workflow.as_deref() == Some(path));
        issuer
            && named
            && workflow
            && same_id(&self.repository_id, &expected.repository_id)
            && same_id(&self.owner_id, &expected.owner_id)
    }

    /// Whether it ran in this repository.
    pub(crate) fn is_of(&self, repository: &str) -> bool {
        let ours = self.repository.as_deref().and_then(repository_key);
        ours.is_some() && ours == repository_key(repository)
    }
}

/// Who may sign: the publisher's own workflow, and who is named beside it.
fn expected(publisher: &Publisher) -> Vec<ExpectedSigner> {
    let own = publisher.issuer.as_ref().zip(publisher.repository.as_ref()).filter(|_| publisher.verified);
    let own = own.map(|(issuer, repository)| ExpectedSigner {
        issuer: issuer.clone(),
        identity: None,
        repository: Some(repository.clone()),
        repository_id: publisher.repository_id.clone(),
        owner_id: publisher.owner_id.clone(),
        workflow: publisher.workflow.clone(),
    });
    own.into_iter().chain(publisher.signers.iter().cloned()).collect()
}

/// `.github/workflows/x.yml` of `https://host/owner/name/.github/workflows/x.yml@refs/…`, `.gitlab-ci.yml` of
/// `https://host/group/name//.gitlab-ci.yml@refs/…`.
fn workflow(uri: &str, repository: &str) -> Option<String> {
    let path = uri.split_once('@').map_or(uri, |(path, _)| path);
    let front = path.get(..repository.len()).filter(|front| front.eq_ignore_ascii_case(repository))?;
    let rest = path[front.len()..].strip_prefix('/')?.trim_start_matches('/');
    (!rest.is_empty()).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workflow_is_a_file_of_its_repository() {
        for (uri, repository, expected) in [
            (
                "https://github.com/a/b/.github/workflows/x.yml@refs/tags/v1",
                "https://github.com/A/b",
                Some(".github/workflows/x.yml"),
            ),
            (
                "https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com/g/p",
                Some(".gitlab-ci.yml"),
            ),
            ("https://github.com/a/bc/.github/workflows/x.yml@x", "https://github.com/a/b", None),
            ("https://github.com/a/b", "https://github.com/a/b", None),
            ("https://github.com/a/b/@x", "https://github.com/a/b", None),
            ("é", "aé", None),
        ] {
            assert_eq!(workflow(uri, repository).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn who_may_sign_is_compared_part_by_part() {
        let signer = Signer {
            identity: "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1".into(),
            issuer: "https://issuer.example".into(),
            repository: Some("https://github.com/acme/widget".into()),
            repository_id: Some("1".into()),
            owner_id: Some("2".into()),
            workflow: Some(".github/workflows/release.yml".into()),
            ..Signer::default()
        };
        let own = json!({"verified": true, "issuer": "https://issuer.example/", "repository": "Acme/widget",
            "repository_id": "1", "owner_id": "2", "workflow": ".github/workflows/release.yml"});
        let with = |field: &str, value: serde_json::Value| {
            let mut publisher = own.clone();
            publisher[field] = value;
            publisher
        };
        let signers = |one: serde_json::Value| json!({"verified": false, "signers": [one]});
        for (publisher, expected) in [
            (own.clone(), Some(true)),
            (with("verified", json!(false)), None),
            (with("issuer", json!("https://other.example")), Some(false)),
            (with("repository", json!("acme/other")), Some(false)),
            // Somebody else took the name of a deleted repository.
            (with("repository_id", json!("7")), Some(false)),
            (with("owner_id", json!("7")), Some(false)),
            (with("workflow", json!(".github/workflows/other.yml")), Some(false)),
            (with("workflow", json!(null)), Some(true)),
            (with("repository", json!(null)), None),
            (signers(json!({"issuer": "https://issuer.example", "repository": "acme/widget"})), Some(true)),
            (signers(json!({"issuer": "https://issuer.example", "identity": "me@acme.example"})), Some(false)),
            (signers(json!({"issuer": "https://issuer.example", "identity": signer.identity})), Some(true)),
            // Only an issuer is nobody.
            (signers(json!({"issuer": "https://issuer.example"})), Some(false)),
        ] {
            let typed: Publisher = serde_json::from_value(publisher.clone()).unwrap();
            assert_eq!(signer.is_expected(Some(&typed)), expected, "{publisher}");
        }
        assert_eq!(signer.is_expected(None), None);
    }
}
