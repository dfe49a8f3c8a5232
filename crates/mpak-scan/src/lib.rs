//! What is wrong with a bundle: the MTF controls, evidence in, verdicts out; the report, the level, the
//! score. Pure: no socket, no clock, no environment, no `async`.

pub mod advisories;
pub mod code;
pub mod control;
pub mod controls;
pub mod evidence;
pub mod level;
pub mod names;
pub mod report;
pub mod rules;
pub mod secrets;
pub mod vex;
