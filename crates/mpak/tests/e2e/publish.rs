//! `mpak publish` as a user meets it.
