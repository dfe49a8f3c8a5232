//! `mpak unpack` as a user meets it.
