//! A form that a page of ours sent.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mpak_api::error::Code;
use url::form_urlencoded;

use crate::error::ApiError;
use crate::state::AppState;

/// The fields of a form; of two with one name, the first counts.
#[derive(Debug)]
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    /// A field; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl FromRequest<AppState> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded")) {
            let message = "Expected a form: application/x-www-form-urlencoded";
            return Err(ApiError::new(Code::BadRequest, message).into_response());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(&bytes) {
            fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Ok(Self(fields))
    }
}
