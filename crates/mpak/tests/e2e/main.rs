//! The real binary, one file per command; `path.rs` walks the whole road.

mod registry;
mod servers;
mod stand_in;
mod world;

mod admin;
mod cache;
mod completion;
mod config;
mod example_server;
mod explain;
mod info;
mod init;
mod pack;
mod path;
mod publish;
mod pull;
mod run;
mod scan;
mod search;
mod serve;
mod show;
mod unpack;
mod validate;
