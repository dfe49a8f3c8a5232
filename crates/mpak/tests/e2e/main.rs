//! The real binary, one file per command; `path.rs` walks the whole road.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test binary has no outside, and a test that cannot go on fails"
)]

mod python;
mod registry;
mod servers;
mod stand_in;
mod static_files;
mod transfer;
mod world;

mod admin;
mod advisories;
mod bench;
mod bombs;
mod cache;
mod check;
mod cli;
mod completion;
mod config;
mod delete;
mod deprecate;
mod disk_full;
mod example_server;
mod existing_clients;
mod explain;
mod faults;
mod info;
mod init;
mod login;
mod logout;
mod moves;
mod operate;
mod owner;
mod pack;
mod path;
mod publish;
mod pull;
mod replicas;
mod run;
mod scan;
mod scan_again;
mod scan_worker;
mod schemathesis;
mod search;
mod serve;
mod show;
mod trust;
mod unpack;
mod validate;
mod whoami;
mod yank;
