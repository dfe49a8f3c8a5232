//! `mpak scan` as a user meets it.
