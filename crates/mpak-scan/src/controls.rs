//! The list of controls, in the order of checking.

use crate::control::Control;

/// All controls that judge a bundle. Source: MTF 0.1 Appendix A.1.
pub static CONTROLS: &[Control] = &[];
