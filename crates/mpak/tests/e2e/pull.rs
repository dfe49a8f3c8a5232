//! `mpak pull` as a user meets it.
