//! `mpak example-server` as a user meets it.
