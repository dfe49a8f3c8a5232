//! Who this machine is to a registry: the device flow, the token's holder, its end.

use mpak_api::person::{self, DeviceCode, DeviceRefusal, DeviceToken, Me};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use super::transport::{ERROR_BYTES_MAX, JSON_BYTES_MAX, JSON_TIMEOUT, parse, patience, read, unreachable};
use super::{Client, ClientError};

/// What this program is called in the device flow.
const CLIENT_ID: &str = "mpak-cli";

impl Client {
    /// Begins the device flow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn device_code(&self, machine: &str) -> Result<Result<DeviceCode, DeviceRefusal>, ClientError> {
        self.form(person::DEVICE_CODE, &[("client_id", CLIENT_ID), ("machine", machine)])
    }

    /// Asks for the device flow's token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn device_token(&self, code: &str) -> Result<Result<DeviceToken, DeviceRefusal>, ClientError> {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        self.form(person::DEVICE_TOKEN, &[("client_id", CLIENT_ID), ("grant_type", grant), ("device_code", code)])
    }

    /// Who the registry takes the token's holder for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn me(&self) -> Result<Me, ClientError> {
        self.private()?;
        self.json(&self.registry.at(person::ME)?, "who you are")
    }

    /// Ends the token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn end_token(&self) -> Result<(), ClientError> {
        self.private()?;
        let url = self.registry.at(person::MY_TOKEN)?;
        let open = self.open()?;
        open.runtime.block_on(async {
            let mut request = open.http.delete(url.clone());
            if let Some(token) = self.token_for(&url) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.send().await.map_err(|e| unreachable(&url, e))?;
            self.checked(response, &url, "the token").await.map(|_ended| ())
        })
    }

    /// A form whose answer is or gives a secret.
    fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Result<T, DeviceRefusal>, ClientError> {
        self.private()?;
        let url = self.registry.at(path)?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let open = self.open()?;
        open.runtime.block_on(async {
            let request = open.http.post(url.clone()).header(ACCEPT, "application/json");
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
            let response = request.send().await.map_err(|e| unreachable(&url, e))?;
            if let Some(wait) = patience(&response) {
                return Err(self.busy(response, &url, wait).await);
            }
            if response.status() != StatusCode::BAD_REQUEST {
                let response = self.checked(response, &url, "the device flow").await?;
                return parse(&read(response, &url, JSON_BYTES_MAX, JSON_TIMEOUT).await?, &url).map(Ok);
            }
            parse(&read(response, &url, ERROR_BYTES_MAX, JSON_TIMEOUT).await?, &url).map(Err)
        })
    }
}
