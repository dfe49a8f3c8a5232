//! `mpak info` as a user meets it.
