//! `mpak search` as a user meets it.
