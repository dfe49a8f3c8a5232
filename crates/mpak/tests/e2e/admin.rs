//! `mpak admin` as a user meets it.
