//! How object stores are reached: through the operator's proxy or none, never one of the environment.

use std::time::Duration;

use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::{ClientOptions, Error};
use url::Url;

/// Longest time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time without a byte of an answer; also for sending a part of an upload.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the HTTP clients of a store.
#[derive(Debug)]
pub(super) struct Connector {
    /// From `[outbound]`.
    pub(super) proxy: Option<Url>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, Error> {
        let failed = |source: reqwest::Error| Error::Generic { store: "HTTP", source: Box::new(source) };
        let http = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|allowed| allowed == "true");
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!http)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("mpak/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(failed)?);
        }
        Ok(HttpClient::new(builder.build().map_err(failed)?))
    }
}
