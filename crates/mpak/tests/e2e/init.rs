//! `mpak init` as a user meets it.
