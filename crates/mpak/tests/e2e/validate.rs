//! `mpak validate` as a user meets it.
