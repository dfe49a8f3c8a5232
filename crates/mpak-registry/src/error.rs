//! Errors at the edge of the API: a code of the one table, a sentence, details. Causes of 5xx go to the
//! log and are never shown.

use std::error::Error as StdError;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mpak_api::error::{Code, ErrorBody, ErrorDetail};
use serde_json::{Value, json};

use crate::blob::{BlobError, is_full};
use crate::db::DbError;

/// When a database that does not answer may answer again.
const DATABASE_RETRY_S: u32 = 5;
/// When a storage that does not work may work again.
const STORAGE_RETRY_S: u32 = 10;
/// When somebody else's server that does not answer may answer again.
const OTHERS_RETRY_S: u32 = 10;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    message: String,
    details: Option<Value>,
    /// When it may work again, in seconds.
    retry_after: Option<u32>,
}

/// What handlers give.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// With a sentence only.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, retry_after: None }
    }

    /// Something that is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Adds a member to `details`.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        let details = self.details.get_or_insert_with(|| json!({}));
        if let Some(object) = details.as_object_mut() {
            object.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Our disk failed; that it is full is told, since waiting helps.
    pub(crate) fn disk(cause: &std::io::Error) -> Self {
        let internal = Self::internal(cause);
        if is_full(cause) { Self::full() } else { internal }
    }

    /// Somebody else's server, which is needed, does not answer.
    pub(crate) fn others(message: impl Into<String>) -> Self {
        Self::new(Code::ServiceUnavailable, message).retry_after(OTHERS_RETRY_S)
    }

    fn full() -> Self {
        let message = "The registry's storage is full. Nothing was published; please try again later.";
        Self::new(Code::StorageFull, message).retry_after(STORAGE_RETRY_S)
    }

    /// What was expected, what was found and what to do.
    pub(crate) fn refusal(
        code: Code,
        message: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(code, message)
            .detail("expected", expected.into())
            .detail("found", found.into())
            .detail("help", help.into())
    }

    /// Its status and sentence, for routes whose errors have another shape.
    pub(crate) fn into_parts(self) -> (StatusCode, String) {
        (StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), self.message)
    }

    /// Our fault: logs the cause with all its sources, tells the client nothing of it.
    pub(crate) fn internal(cause: &(dyn StdError + 'static)) -> Self {
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(next) = source {
            text = format!("{text}: {next}");
            source = next.source();
        }
        tracing::error!(cause = %text, "request failed");
        Self::new(Code::InternalError, "An internal error occurred. Please try again later.")
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        let internal = Self::internal(&error);
        if error.is_full() {
            Self::full()
        } else if error.is_unavailable() {
            let message = "The registry's database does not answer. Please try again in a moment.";
            Self::new(Code::ServiceUnavailable, message).retry_after(DATABASE_RETRY_S)
        } else if error.is_text_refused() {
            Self::new(Code::ValidationError, "The request holds a character that cannot be stored (U+0000).")
        } else {
            internal
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let internal = Self::internal(&error);
        match error {
            BlobError::Full(_) => Self::full(),
            BlobError::Unavailable(_) => {
                let message = "The registry's storage does not answer. Please try again in a moment.";
                Self::new(Code::ServiceUnavailable, message).retry_after(STORAGE_RETRY_S)
            }
            BlobError::Missing { .. } | BlobError::Damaged { .. } | BlobError::Io(_) => internal,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let unauthorized = self.code == Code::Unauthorized;
        let detail = ErrorDetail { code: self.code.as_str().to_owned(), message: self.message, details: self.details };
        let mut response = (status, crate::http::json(&ErrorBody { error: detail })).into_response();
        if unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
