//! What is wrong with a bundle: the MTF controls, evidence in, verdicts out; the report, the level, the
//! score. Pure: no socket, no clock, no environment, no `async`.

pub mod advice;
pub mod advisories;
pub mod capabilities;
pub mod code;
pub mod completeness;
pub mod content;
pub mod control;
pub mod controls;
mod credentials;
pub mod evidence;
pub mod level;
pub mod malware;
pub mod names;
mod oauth;
pub mod outside;
pub mod policy;
mod provenance;
pub mod report;
pub mod rules;
pub mod secrets;
mod signatures;
pub mod sigstore;
mod supply;
pub mod suppressions;
pub mod task;
pub mod texts;
pub mod vex;
