//! Runs an extracted bundle: runtimes, launch, environment, signals.
//!
//! Two steps: [`launch::launch`] turns a manifest, the folder of the extracted bundle and the substituted
//! command line into a [`plan::Plan`] that can be shown; [`run::run`] starts the plan and stays with it to
//! its end. The environment is handed in by the caller; nothing here reads it.

pub mod environment;
pub mod launch;
pub mod plan;
pub mod run;
pub mod runtime;
mod sandbox;
