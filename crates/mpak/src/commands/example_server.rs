//! `mpak example-server`: a small MCP server over stdio, for demos, tests and bug reports.
//!
//! It is what `mpak serve --demo` packs as a `binary` bundle: a server that needs nothing but this
//! program.

use std::process::ExitCode;

use mpak_bundle::digest::Sha256;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::service::ServerInitializeError;
use rmcp::{ServerHandler, ServiceExt as _, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Deserialize, JsonSchema)]
struct Text {
    /// The text.
    text: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Numbers {
    /// The numbers to add.
    numbers: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Example {
    greeting: String,
}

#[tool_router]
impl Example {
    #[tool(description = "Return the text unchanged, after the configured greeting.")]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        if self.greeting.is_empty() { text } else { format!("{} {text}", self.greeting) }
    }

    #[tool(description = "Add numbers.")]
    async fn add(&self, Parameters(Numbers { numbers }): Parameters<Numbers>) -> String {
        numbers.iter().sum::<f64>().to_string()
    }

    #[tool(description = "SHA-256 of a text (UTF-8), as 64 hex digits.")]
    async fn sha256(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        Sha256::of(text.as_bytes()).to_string()
    }
}

#[tool_handler]
impl ServerHandler for Example {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("mpak-example", env!("CARGO_PKG_VERSION")))
            .with_instructions("Three harmless tools to try the road of a bundle with.")
    }
}

/// Serves until stdin closes.
pub fn run(_args: &Args, settings: &Settings) -> CommandResult {
    let greeting = settings.environment.get(std::ffi::OsStr::new("EXAMPLE_GREETING"));
    let example = Example { greeting: greeting.map(|g| g.to_string_lossy().into_owned()).unwrap_or_default() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    runtime
        .block_on(async move {
            match example.serve(rmcp::transport::stdio()).await {
                Ok(service) => service.waiting().await.map(drop).map_err(|e| e.to_string()),
                // Nobody spoke: like any server, it ends with its input.
                Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
                Err(e) => Err(e.to_string()),
            }
        })
        .map_err(|e| CommandError::new(Kind::Ours, format!("the example server stopped: {e}")))?;
    Ok(ExitCode::SUCCESS)
}
