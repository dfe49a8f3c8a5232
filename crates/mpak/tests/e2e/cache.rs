//! `mpak cache` as a user meets it.
