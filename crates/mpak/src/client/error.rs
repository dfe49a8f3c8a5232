//! Why a registry did not answer as hoped, and how that is told to the user.

use thiserror::Error;

use crate::error::{CommandError, Kind};

/// Why a registry did not answer as hoped.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The configured address is none.
    #[error("`{url}` is not the address of a registry: {reason}")]
    Address {
        /// As configured.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// 404.
    #[error("{what} was not found at {registry}")]
    NotFound {
        /// Package and version, or the path.
        what: String,
        /// Its address.
        registry: String,
    },
    /// 401, 403.
    #[error("{registry} does not allow it: {message}")]
    Denied {
        /// Its address.
        registry: String,
        /// What it says.
        message: String,
    },
    /// 401, 403 of an address that the registry leads to; a token is for the registry's own only.
    #[error("{host}, where {registry} leads, does not allow it: {message}")]
    DeniedElsewhere {
        /// Who refused.
        host: String,
        /// Address of the registry.
        registry: String,
        /// What it says.
        message: String,
        /// Whether the address itself was the key.
        is_signed: bool,
    },
    /// 4xx otherwise.
    #[error("{registry} refuses: {message}")]
    Refused {
        /// Its address.
        registry: String,
        /// What it says.
        message: String,
        /// Its code, if it gives one.
        code: Option<String>,
        /// What it says to do.
        help: Option<String>,
    },
    /// Asked for patience more often, or for more, than we have.
    #[error("{registry} is busy and asks to wait {seconds} s{}", told(message.as_deref()))]
    Busy {
        /// Its address.
        registry: String,
        /// Its wish.
        seconds: u64,
        /// What it says.
        message: Option<String>,
    },
    /// 5xx otherwise.
    #[error("{url} answers {status}{}", told(message.as_deref()))]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// What it says, if it speaks as a registry does.
        message: Option<String>,
    },
    /// No answer.
    #[error("cannot reach {host}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The connection ended while something was sent, or before it was answered.
    #[error("the connection to {host} ended before it answered")]
    Interrupted {
        /// Host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer is longer than allowed.
    #[error("the answer of {url} has more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The answer began and did not end.
    #[error("the answer of {url} did not end within {seconds} s")]
    Slow {
        /// What was asked for.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The answer is not of the expected form.
    #[error("the answer of {url} is not what the API promises: {reason}")]
    Form {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An address that must not be followed.
    #[error("`{url}` is not allowed here, expected https or the registry itself")]
    Insecure {
        /// The address.
        url: String,
    },
    /// A token must not travel in the clear.
    #[error("a token is never sent over http to {host}")]
    TokenInClear {
        /// The host.
        host: String,
    },
    /// What was read cannot be written, or what is to be sent cannot be read.
    #[error("cannot read or write a local file")]
    Local {
        /// Why.
        #[from]
        source: std::io::Error,
    },
}

/// The registry's sentence after ours.
fn told(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        let (kind, hint) = match &error {
            ClientError::Address { .. } => {
                (Kind::Usage, Some("give it with --registry URL or MPAK_REGISTRY_URL".to_owned()))
            }
            ClientError::NotFound { what, .. } => (Kind::NotFound, Some(way_to(what))),
            ClientError::Denied { .. } => {
                (Kind::Refused, Some("log in with `mpak login`, or check MPAK_TOKEN".to_owned()))
            }
            ClientError::DeniedElsewhere { is_signed: true, .. } => {
                let hint = "do the same again: an address works for a while only; if that does not help, clocks or \
                            keys of registry and store differ, which its operator can mend";
                (Kind::Refused, Some(hint.to_owned()))
            }
            ClientError::DeniedElsewhere { registry, .. } => {
                let hint = format!(
                    "tokens go to {registry} only: name the registry by the address that it leads to, or ask its \
                     operator to correct `public_url`"
                );
                (Kind::Refused, Some(hint))
            }
            ClientError::Refused { help, .. } => (Kind::Refused, help.clone()),
            ClientError::TokenInClear { .. } => (Kind::Refused, Some("use the registry's https address".to_owned())),
            ClientError::Busy { .. } | ClientError::Status { message: Some(_), .. } => {
                (Kind::Network, Some("try again later".to_owned()))
            }
            ClientError::Unreachable { .. } => {
                (Kind::Network, Some("check the connection, or choose another registry with --registry URL".to_owned()))
            }
            ClientError::Interrupted { .. } => {
                (Kind::Network, Some("do the same again: what was published already stays as it is".to_owned()))
            }
            ClientError::Insecure { .. } => (Kind::Verification, None),
            ClientError::Local { .. } => (Kind::NeedsPerson, None),
            ClientError::Status { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Slow { .. }
            | ClientError::Form { .. } => (Kind::Network, Some("is this the address of an mpak registry?".to_owned())),
        };
        let is_unreachable = matches!(error, ClientError::Unreachable { .. } | ClientError::Interrupted { .. });
        let mut error = Self::from_error(kind, &error);
        if is_unreachable {
            // Each layer of the connection says that it failed; only the innermost says why.
            error.causes = error.causes.pop().into_iter().collect();
        }
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What to type after something was not found: a package, one of its versions, or something of it.
fn way_to(what: &str) -> String {
    match what.split_once(" of ") {
        Some(("a transfer", name)) => return format!("see how it stands: mpak transfer show {name}"),
        Some((_repository, name)) => return format!("see what there is: mpak trust list {name}"),
        None => {}
    }
    let is_version = |version: &&str| !version.is_empty() && *version != "latest";
    match what.rsplit_once('@').filter(|(name, version)| name.starts_with('@') && is_version(version)) {
        Some((name, _)) => format!("see its versions: mpak show {name}"),
        None => "look for it: mpak search WORD".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_fits_what_is_missing() {
        for (what, way) in [
            ("@acme/tell@9.9.9", "see its versions: mpak show @acme/tell"),
            ("@acme/tell@latest", "look for it: mpak search WORD"),
            ("@acme/tell", "look for it: mpak search WORD"),
            ("a transfer of @acme/tell", "see how it stands: mpak transfer show @acme/tell"),
            ("repository 7 of @acme/tell", "see what there is: mpak trust list @acme/tell"),
        ] {
            assert_eq!(way_to(what), way, "{what}");
        }
    }
}
