//! What the calls of a store's client look like on the wire, by protocol.

use super::{AZURE_ACCOUNT, BUCKET, Protocol};

/// What a client asks a store for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Whether an object is there.
    Look,
    /// An object.
    Get,
    /// To keep an object that is sent at once.
    Put,
    /// To keep a part of a large one.
    Part,
    /// To put its parts together.
    Join,
}

impl Protocol {
    /// How the request for a call about the object with this key begins.
    pub fn begin_of(self, call: Call, key: &str) -> String {
        let path = match self {
            Self::S3 => format!("/{BUCKET}/{key}"),
            Self::Google => format!("/{BUCKET}/{}", encoded(key)),
            Self::Azure => format!("/{AZURE_ACCOUNT}/{BUCKET}/{key}"),
        };
        match (call, self) {
            (Call::Look, _) => format!("HEAD {path}"),
            (Call::Get, _) => format!("GET {path}"),
            (Call::Put, _) => format!("PUT {path}"),
            // Its blocks have names that tell nothing of their order.
            (Call::Part, Self::Azure) => format!("PUT {path}?comp=block&"),
            (Call::Part, _) => format!("PUT {path}?partNumber=2&"),
            (Call::Join, Self::Azure) => format!("PUT {path}?comp=blocklist"),
            (Call::Join, _) => format!("POST {path}?uploadId="),
        }
    }
}

/// Everything but letters and digits is escaped.
fn encoded(key: &str) -> String {
    key.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
