//! Native code: what a file's first bytes say about the platform it was built for.

use crate::manifest::Contents;
use crate::platform::Platform;

/// What an executable or library was built for; `None` for a file that is not native code.
pub fn platform_of(head: &[u8]) -> Option<Platform> {
    let _ = head;
    unimplemented!("helper: pack")
}

/// Native code of a whole bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeCode {
    /// Each native file with its platform, sorted by path.
    pub files: Vec<(String, Platform)>,
}

impl NativeCode {
    /// Looks at every file of a bundle.
    pub fn of(contents: &dyn Contents) -> Self {
        let _ = contents;
        unimplemented!("helper: pack")
    }

    /// The platform the bundle fits: `any` without native code, the one platform of all native files,
    /// `None` when files for several platforms lie side by side (a fat bundle: fits each of them).
    pub fn platform(&self) -> Option<Platform> {
        unimplemented!("helper: pack")
    }

    /// Whether a bundle with this native code may be offered for `platform`.
    pub fn allows(&self, platform: Platform) -> bool {
        let _ = platform;
        unimplemented!("helper: pack")
    }
}
