//! `mpak explain` as a user meets it.
