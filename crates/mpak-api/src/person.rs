//! People and their machines: who asks, and how a machine gets a token (RFC 8628).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/device/code`: starts the device flow. Form: `client_id=mpak-cli`, `machine`.
pub const DEVICE_CODE: &str = "/api/v1/device/code";
/// `POST /api/v1/device/token`: asks for the token. Form: `grant_type`, `client_id`, `device_code`.
pub const DEVICE_TOKEN: &str = "/api/v1/device/token";
/// `GET`: who asks.
pub const ME: &str = "/api/v1/me";
/// `DELETE`: ends the token that is sent.
pub const MY_TOKEN: &str = "/api/v1/me/token";

/// Answer of `GET /api/v1/me`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person; nobody where an administrator made the token.
    pub login: Option<String>,
    /// The person's address, where the provider tells it.
    pub email: Option<String>,
    /// `reader`, `publisher`, `admin`.
    pub role: Option<String>,
    /// The token that was sent; none with a session.
    pub token: Option<MyToken>,
}

/// A token, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MyToken {
    /// Key.
    pub id: i64,
    /// As given.
    pub name: String,
    /// `read`, `publish`, `admin`: what it may do now.
    pub actions: Vec<String>,
    /// Patterns of packages.
    pub packages: Vec<String>,
    /// RFC 3339.
    pub expires_at: String,
}

/// Answer of `POST /api/v1/device/code`. RFC 8628 §3.2.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceCode {
    /// For the machine only.
    pub device_code: String,
    /// For the person.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same with the code filled in.
    pub verification_uri_complete: String,
    /// Seconds.
    pub expires_in: u64,
    /// Seconds between two questions.
    pub interval: u64,
}

/// Answer of `POST /api/v1/device/token`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceToken {
    /// The secret.
    pub access_token: String,
    /// `Bearer`
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    /// RFC 3339.
    pub expires_at: String,
    /// What it may do, separated by spaces.
    pub scope: String,
    /// Whose it is.
    pub login: String,
    /// `reader`, `publisher`, `admin`.
    pub role: String,
}

/// An error of the device flow. RFC 6749 §5.2.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceRefusal {
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, …
    pub error: String,
    /// For people.
    #[serde(default)]
    pub error_description: String,
}
