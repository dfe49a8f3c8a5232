//! What a person may do in the registry, and how the provider's claims say so.

use serde_json::Value;

use super::actor::Role;
use crate::config::SignIn;

impl Role {
    /// All, lowest first.
    pub(crate) const ALL: [Self; 3] = [Self::Reader, Self::Publisher, Self::Admin];

    /// Actions of tokens that a person of this role may have.
    pub(crate) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Reader => &["read"],
            Self::Publisher => &["read", "publish", "yank", "manage"],
            Self::Admin => &["read", "publish", "yank", "manage", "admin"],
        }
    }

    /// The role that the provider's claims give.
    pub(crate) fn of_claims(config: &SignIn, claims: &Value) -> Self {
        let held = config.role_claim.as_deref().map_or_else(Vec::new, |name| values(claim(claims, name)));
        let any = |wanted: &[String]| wanted.iter().any(|w| held.contains(&w.as_str()));
        if any(&config.admins) {
            Self::Admin
        } else if config.publishers.is_empty() || any(&config.publishers) {
            Self::Publisher
        } else {
            Self::Reader
        }
    }
}

/// A claim by its name, or by the path of names with dots between them (`realm_access.roles`).
pub(crate) fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, part| value.get(part)))
}

/// One text, or a list of texts. Anything else holds nothing.
fn values(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::actor::GRANTS;
    use super::*;

    fn config(publishers: &[&str]) -> SignIn {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        SignIn {
            issuer: "https://id.example".parse().unwrap(),
            client_id: "mpak".into(),
            client_secret: None,
            scopes: Vec::new(),
            role_claim: Some("realm.roles".into()),
            admins: list(&["root"]),
            publishers: list(publishers),
            github_claim: None,
        }
    }

    #[test]
    fn claims_give_roles() {
        for (claims, open, closed) in [
            (json!({}), Role::Publisher, Role::Reader),
            (json!({"realm": {"roles": ["dev"]}}), Role::Publisher, Role::Publisher),
            (json!({"realm": {"roles": "dev"}}), Role::Publisher, Role::Publisher),
            (json!({"realm.roles": ["x", "root"]}), Role::Admin, Role::Admin),
            (json!({"realm": {"roles": ["rooty", "Root"]}}), Role::Publisher, Role::Reader),
            (json!({"realm": {"roles": {"root": true}}}), Role::Publisher, Role::Reader),
            (json!({"realm": {"roles": [["root"], 1, null]}}), Role::Publisher, Role::Reader),
            (json!({"realm": {"roles": "root dev"}}), Role::Publisher, Role::Reader),
        ] {
            assert_eq!(Role::of_claims(&config(&[]), &claims), open, "{claims}");
            assert_eq!(Role::of_claims(&config(&["dev"]), &claims), closed, "{claims}");
        }
    }

    #[test]
    fn roles_hold_what_tokens_can_be_given() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert!(role.actions().iter().all(|action| GRANTS.contains(action)));
        }
        assert!(Role::ALL.is_sorted() && Role::Admin.actions() == GRANTS);
    }
}
