//! `mpak completion` as a user meets it.
