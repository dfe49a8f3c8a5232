//! `mpak show` as a user meets it.
