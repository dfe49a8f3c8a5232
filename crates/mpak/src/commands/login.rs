//! `mpak login`: connect this machine to a registry. Spec: RFC 8628, the registry is its own authorisation
//! server.
//!
//! The person decides in a browser that is signed in there; nothing is opened by force. The token lies in
//! the home's `secrets` file (0600) under the registry's address, and goes to that registry only.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mpak_api::person::{DeviceCode, DeviceRefusal, DeviceToken};

use crate::client::{Client, ClientError};
use crate::commands;
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::Home;
use crate::home::secrets::{Login, Secrets};
use crate::settings::Settings;
use crate::ui;

/// Longest wait between two questions, whatever the registry asks for.
const INTERVAL_MAX: Duration = Duration::from_mins(1);
/// Longest patience on all.
const PATIENCE_MAX: Duration = Duration::from_mins(30);
/// What `slow_down` adds. Spec: RFC 8628 §3.5.
const SLOWER: Duration = Duration::from_secs(5);

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// What the registry shows this machine as [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let client = Client::new(commands::configured_registry(args.registry.as_deref(), settings)?);
    // 1. Two codes: one for this machine, one for its person.
    let machine = args.machine.clone().unwrap_or_else(|| machine_name(settings));
    let code: DeviceCode = match client.device_code(&machine)? {
        Ok(code) => code,
        Err(refusal) => return Err(refused(&client, &refusal)),
    };
    // 2. The person decides, in a browser.
    let page = client.address_of(&code.verification_uri)?;
    ui::note("To connect this machine, open this page in a browser where you are signed in:");
    ui::note(&format!("    {}", ui::safe(page.as_str())));
    ui::note(&format!("and type the code  {}", ui::safe(&code.user_code)));
    ui::note("Waiting for the decision on that page; Ctrl-C stops.");
    let token = wait(&client, &code)?;
    // 3. Kept for this registry only.
    let registry = client.registry().to_string();
    let home = Home::new(settings);
    let login = Login { token: token.access_token, who: token.login, expires_at: token.expires_at };
    Secrets::change(&home, |secrets| secrets.log_in(&registry, login.clone()))?;
    let (login, expires_at) = (ui::safe(&login.who), ui::safe(&login.expires_at));
    if args.json {
        ui::json(&serde_json::json!({
            "registry": registry, "login": login, "role": token.role, "scope": token.scope, "expires_at": expires_at,
        }));
    }
    let role = ui::safe(&token.role);
    ui::note(&format!("logged in to {registry} as {login} ({role}), until {expires_at}"));
    Ok(ExitCode::SUCCESS)
}

fn wait(client: &Client, code: &DeviceCode) -> Result<DeviceToken, CommandError> {
    let began = Instant::now();
    let patience = Duration::from_secs(code.expires_in).min(PATIENCE_MAX);
    let mut interval = Duration::from_secs(code.interval.max(1)).min(INTERVAL_MAX);
    loop {
        std::thread::sleep(interval);
        match client.device_token(&code.device_code) {
            Ok(Ok(token)) => return Ok(token),
            Ok(Err(refusal)) => match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval = (interval + SLOWER).min(INTERVAL_MAX),
                _ => return Err(refused(client, &refusal)),
            },
            // A connection that fails once does not end it. Spec: RFC 8628 §3.5.
            Err(ClientError::Unreachable { .. } | ClientError::Busy { .. }) => {
                interval = (interval * 2).min(INTERVAL_MAX);
            }
            Err(error) => return Err(error.into()),
        }
        if began.elapsed() >= patience {
            let text = "nobody decided in time";
            return Err(CommandError::new(Kind::NeedsPerson, text).hint("run `mpak login` again"));
        }
    }
}

fn refused(client: &Client, refusal: &DeviceRefusal) -> CommandError {
    let registry = client.registry();
    match refusal.error.as_str() {
        "access_denied" => CommandError::new(Kind::Refused, format!("{registry} turned this machine away")),
        "expired_token" => {
            CommandError::new(Kind::NeedsPerson, "nobody decided in time").hint("run `mpak login` again")
        }
        word => {
            let mut error = CommandError::new(Kind::Refused, format!("{registry} gives no token: {word}"));
            error.causes.extend((!refusal.error_description.is_empty()).then(|| refusal.error_description.clone()));
            error
        }
    }
}

/// How this machine is called.
fn machine_name(settings: &Settings) -> String {
    let named = |name: &str| settings.environment.get(std::ffi::OsStr::new(name))?.to_str().map(str::to_owned);
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|text| text.trim().to_owned());
    let name = named("HOSTNAME").or_else(|| named("COMPUTERNAME")).or_else(kernel).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "a machine without a name".to_owned())
}
