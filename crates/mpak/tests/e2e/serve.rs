//! `mpak serve` as a user meets it.
