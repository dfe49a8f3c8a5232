//! Error bodies of the API: `{"error":{"code","message","details"?}}`, and the one table of codes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The body of every error answer of `/v1/bundles` and `/api`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A code of [`Code`], for programs.
    pub code: String,
    /// One sentence, for people.
    pub message: String,
    /// Further members: `expected`, `found`, `help`, `validation`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// The body of answers where no route is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteNotFound {
    /// Which route.
    pub message: String,
    /// `Not Found`.
    pub error: String,
    /// 404.
    pub status_code: u16,
}

/// Error codes with their HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 400: the request contradicts itself.
    BadRequest,
    /// 401: no or no valid token.
    Unauthorized,
    /// 403: the token does not allow it.
    Forbidden,
    /// 404: not there.
    NotFound,
    /// 413: larger than allowed.
    TooLarge,
    /// 422: a field breaks its rule.
    ValidationError,
    /// 422: the container or manifest is refused.
    InvalidBundle,
    /// 422: this version and platform exists with other bytes.
    VersionImmutable,
    /// 422: this version may not follow the ones that there are.
    VersionOrder,
    /// 422: this version is published and complete; no platform is added any more.
    VersionClosed,
    /// 422: this name or version was deleted and is never used again.
    Retired,
    /// 422: native code does not fit the platform.
    PlatformMismatch,
    /// 429: too fast.
    RateLimited,
    /// 500: our fault; the cause is in the log.
    InternalError,
    /// 503: not now.
    ServiceUnavailable,
    /// 507: there is no room for more.
    StorageFull,
}

impl Code {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::TooLarge => "TOO_LARGE",
            Self::ValidationError => "VALIDATION_ERROR",
            Self::InvalidBundle => "INVALID_BUNDLE",
            Self::VersionImmutable => "VERSION_IMMUTABLE",
            Self::VersionOrder => "VERSION_ORDER",
            Self::VersionClosed => "VERSION_CLOSED",
            Self::Retired => "RETIRED",
            Self::PlatformMismatch => "PLATFORM_MISMATCH",
            Self::RateLimited => "RATE_LIMITED",
            Self::InternalError => "INTERNAL_ERROR",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::StorageFull => "STORAGE_FULL",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::ValidationError
            | Self::InvalidBundle
            | Self::VersionImmutable
            | Self::VersionOrder
            | Self::VersionClosed
            | Self::Retired
            | Self::PlatformMismatch => 422,
            Self::RateLimited => 429,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
            Self::StorageFull => 507,
        }
    }
}
