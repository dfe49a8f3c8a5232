//! `mpak config` as a user meets it.
