//! Software bills of materials: reading the ones in a bundle, writing the one we generate.

use serde_json::Value;

use crate::dependencies::Component;

/// A CycloneDX 1.6 document of the components; deterministic, without wall-clock values.
pub fn cyclonedx(name: &str, version: &str, components: &[Component]) -> Value {
    let _ = (name, version, components);
    unimplemented!("helper: scan")
}
