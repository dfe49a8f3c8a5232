//! The forms of a report.

use std::path::Path;

use mpak_scan::evidence::Evidence;
use mpak_scan::report::{Made, mtf, sarif, web};
use serde_json::{Value, json};

use super::judge::Judged;
use crate::error::CommandError;
use crate::settings::Settings;

/// The time of a list of components where none is given: the same as that of packed entries.
const COMPONENTS_TIME: &str = "1980-01-01T00:00:00Z";

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// Our own, with everything
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// The report of MTF 0.1
    Mtf,
    /// The report that existing web clients read
    Web,
    /// Components, CycloneDX 1.6
    Cyclonedx,
    /// Components, SPDX 2.3
    Spdx,
}

impl Format {
    /// The word of the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Mtf => "mtf",
            Self::Web => "web",
            Self::Cyclonedx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }

    /// A judged bundle in this form.
    ///
    /// # Errors
    /// The digest that some forms name cannot be computed.
    pub(super) fn value(self, judged: &Judged, path: &Path, settings: &Settings) -> Result<Value, CommandError> {
        let report = &judged.report;
        Ok(match self {
            Self::Text | Self::Json => json!(report),
            Self::Sarif => sarif(report),
            Self::Mtf => mtf(report, &judged.about(path, settings)?, &made(judged, settings)),
            Self::Web => web(report, &judged.about(path, settings)?, &made(judged, settings)),
            Self::Cyclonedx => judged.with_evidence(path, settings, Evidence::generated_sbom)?,
            Self::Spdx => {
                let created = given_time(settings).unwrap_or_else(|| COMPONENTS_TIME.to_owned());
                judged.with_evidence(path, settings, |evidence| evidence.generated_spdx(&created))?
            }
        })
    }
}

/// With a given time a report is the same again, so that it takes no time of its own.
fn made(judged: &Judged, settings: &Settings) -> Made {
    match given_time(settings) {
        Some(at) => Made { at, took_ms: 0 },
        None => Made { at: format!("{:.0}", jiff::Timestamp::now()), took_ms: judged.took_ms },
    }
}

fn given_time(settings: &Settings) -> Option<String> {
    let at = jiff::Timestamp::from_second(settings.source_date_epoch?).ok()?;
    Some(format!("{at:.0}"))
}
