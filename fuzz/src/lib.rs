//! What the fuzz targets do.

pub mod targets;
