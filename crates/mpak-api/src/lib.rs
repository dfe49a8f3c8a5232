//! The words of the wire: request and response types, URLs, error codes.

pub mod bundle;
pub mod error;
pub mod index;
pub mod manage;
pub mod path;
pub mod person;
pub mod publish;
pub mod report;
pub mod server;
