//! Refusals of `lifecycle` as answers of the API: a code, what was expected, what was found, what to do.

use mpak_api::error::Code;

use super::LifecycleError;
use crate::error::ApiError;

impl From<LifecycleError> for ApiError {
    fn from(error: LifecycleError) -> Self {
        let message = error.to_string();
        let refusal = |code, expected: &str, found: String, help: &str| {
            Self::refusal(code, message.clone(), expected, found, help)
        };
        let unfit = Code::ValidationError;
        match error {
            LifecycleError::Auth(e) => e.into(),
            LifecycleError::Db(e) => e.into(),
            e @ LifecycleError::Storage(_) => Self::internal(&e),
            LifecycleError::NoPackage | LifecycleError::NoVersion => Self::not_found(message),
            LifecycleError::Renamed { now, found } => refusal(unfit, &now, found, "use the new name"),
            LifecycleError::Text { chars, .. } => {
                refusal(unfit, "a short text", format!("{chars} characters"), "say it shorter, in plain text")
            }
            LifecycleError::Replacement { found, .. } => {
                refusal(unfit, "the name of another package", found, "name the package to use instead")
            }
            LifecycleError::InUse { version, hours, .. } => refusal(
                Code::Forbidden,
                &format!("a version younger than {hours} hours, or without downloads"),
                version,
                "yank it (`mpak yank`), so that nothing resolves to it any more; an administrator can remove it",
            ),
            LifecycleError::NoUser { login } => {
                refusal(unfit, "the login of an active account", login, "they have to sign in once first")
            }
            LifecycleError::ManyUsers { login } => {
                refusal(unfit, "one account", login, "ask an administrator of this registry")
            }
            LifecycleError::LastOwner { login, .. } => {
                refusal(unfit, "another owner", login, "add another owner first, or transfer or delete the package")
            }
            LifecycleError::NoOwner { login, .. } => {
                refusal(unfit, "an owner of the package", login, "see `mpak owner list`")
            }
            LifecycleError::NoPerson => {
                refusal(Code::Forbidden, "a person", "a token".to_owned(), "sign in with `mpak login`")
            }
            LifecycleError::NameTaken { name, .. } => refusal(unfit, "a free name", name, "choose another name"),
            LifecycleError::Name(_) => {
                refusal(unfit, "@scope/name", "another text".to_owned(), "use lower-case letters, digits and hyphens")
            }
            LifecycleError::NothingToTransfer => {
                refusal(unfit, "`name` or `owner`", "neither".to_owned(), "say what changes: `--name` or `--owner`")
            }
            LifecycleError::TransferOpen { package } => {
                refusal(unfit, "no transfer under way", package, "cancel it first with `mpak transfer cancel`")
            }
            LifecycleError::NoTransfer { package } => {
                refusal(Code::NotFound, "a transfer under way", package, "ask for one with `mpak transfer request`")
            }
            LifecycleError::NotTheOtherSide { needed } => {
                refusal(Code::Forbidden, &needed, "somebody else".to_owned(), "ask them to accept it")
            }
            LifecycleError::State { expected, found, .. } => {
                refusal(unfit, expected, found, "see `mpak admin package show`")
            }
            LifecycleError::ScopeOwned { scope } | LifecycleError::ScopeFree { scope } => {
                refusal(unfit, "the other state", format!("@{scope}"), "see `mpak admin scope list`")
            }
        }
    }
}
