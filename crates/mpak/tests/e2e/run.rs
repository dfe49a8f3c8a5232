//! `mpak run` as a user meets it.
