//! What the code can do, gathered for CD-02.

use serde_json::Value;

use super::{Code, Evidence, FileFact};
use crate::capabilities::{self, Capabilities, Server, permissions};
use crate::code::native::Native;
use crate::content::ContentKind;

/// Looks at the code and at how the manifest starts it.
pub(super) fn gather(
    code: &Code,
    document: Option<&Value>,
    files: &[FileFact],
    natives: &[Native],
    is_own: &dyn Fn(&str) -> bool,
) -> Capabilities {
    let native = files.iter().filter(|file| file.kind == ContentKind::Native).map(|file| file.path.as_str());
    capabilities::infer(code, &Server { document, native_files: native.collect(), natives, is_own })
}

impl Evidence {
    /// What the code can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The manifest's field that declares exactly what the code can do; `None` where nothing could be judged.
    pub fn suggested_permissions(&self) -> Option<Value> {
        self.capabilities.judged.then(|| permissions::suggestion(&self.capabilities, self.extension()))
    }
}
