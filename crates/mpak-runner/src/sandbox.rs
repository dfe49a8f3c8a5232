//! What ties a server to its launcher. The only place with `unsafe`.

pub(crate) mod die_with_parent;
pub(crate) mod give_back;
