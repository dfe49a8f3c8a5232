//! `mpak pack` as a user meets it.
