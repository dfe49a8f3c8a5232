//! The stages of publish and download, where each is met on the wires between the registry and the servers
//! that it needs, and what everybody sees when one of these, or the registry itself, is struck there.

use mpak_testkit::emulators::Call;
use mpak_testkit::proxy::{Hold, Point};

use super::site::{Bundle, Site};

/// How much of a body is let through where something is struck in its middle.
const HALF_BYTES: usize = 32 << 10;

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// `mpak serve`, by SIGKILL.
    Process,
    /// All connections to the database end; new ones are served.
    Database,
    /// The database is gone until the client has its answer.
    Outage,
    /// The object store is gone until the client has its answer.
    Store,
    /// The servers that issue identities and deliver releases are.
    Release,
}

/// What becomes of announced bytes: `[storage] mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The registry keeps them.
    Mirror,
    /// They stay at their release.
    Link,
}

impl Mode {
    /// As in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Link => "link",
        }
    }
}

/// A wire of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// From whoever publishes.
    Client,
    /// To the database.
    Database,
    /// To the object store.
    Store,
    /// To the issuer of identities.
    Issuer,
    /// To the server of releases.
    Release,
}

/// A stage, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Upload: the token is looked up.
    TokenAsked,
    /// Upload: half of the body is there.
    BodyArriving,
    /// Announce: the keys of the issuer are asked for.
    KeysAsked,
    /// Announce: the release is asked for.
    ReleaseAsked,
    /// Announce: the head of the answer about the release is there, and half of its body.
    ReleaseArriving,
    /// Announce: the commit of the tag is asked for.
    TagAsked,
    /// Announce: the asset is asked for, and nobody yet tells where it is.
    AssetRedirecting,
    /// Announce: it is asked for where it is.
    AssetAsked,
    /// Announce: half of it is there.
    AssetArriving,
    /// All bytes are there; is the artifact new?
    BytesComplete,
    /// Does the store hold the blob?
    BlobLookedUp,
    /// Half of the blob is sent.
    BlobArriving,
    /// The store has it, and has not said so.
    BlobUnanswered,
    /// Half of the second part of a large blob is sent.
    PartArriving,
    /// The parts are to be put together.
    PartsJoining,
    /// They were, and the store has not said so.
    PartsUnanswered,
    /// The blob is stored; the transaction begins.
    TransactionBegins,
    /// Some rows are written.
    RowsArriving,
    /// All are; nobody has said COMMIT.
    CommitWithheld,
    /// It is committed, and the database has not said so.
    CommitUnanswered,
    /// It is committed; the search index takes it up before the publisher is answered.
    Answering,
    /// Announce: it is known, without a README; does the repository have one?
    ReadmeAsked,
    /// Download: may the blob be seen?
    BlobPermitted,
    /// Download: where is a blob that is not kept?
    ReleaseLookedUp,
    /// Download: the blob is asked for.
    BlobAsked,
    /// Download: the store has begun to answer, and nothing is there.
    BlobAnswering,
    /// Download: half of the blob is there.
    BlobLeaving,
}

use Stage::*;

/// What becomes known by upload goes through these.
pub const UPLOAD: &[Stage] = &[
    TokenAsked,
    BodyArriving,
    BytesComplete,
    BlobLookedUp,
    BlobArriving,
    BlobUnanswered,
    PartArriving,
    PartsJoining,
    PartsUnanswered,
    TransactionBegins,
    RowsArriving,
    CommitWithheld,
    CommitUnanswered,
    Answering,
];

/// By announcement, these.
pub const ANNOUNCE: &[Stage] = &[
    KeysAsked,
    ReleaseAsked,
    ReleaseArriving,
    TagAsked,
    AssetRedirecting,
    AssetAsked,
    AssetArriving,
    BytesComplete,
    BlobLookedUp,
    BlobArriving,
    BlobUnanswered,
    PartArriving,
    PartsJoining,
    PartsUnanswered,
    TransactionBegins,
    RowsArriving,
    CommitWithheld,
    CommitUnanswered,
    Answering,
    ReadmeAsked,
];

/// What is downloaded, these.
pub const DOWNLOAD: &[Stage] = &[BlobPermitted, BlobAsked, BlobAnswering, BlobLeaving];

/// What is not kept is downloaded from its release, which the registry names after these.
pub const LINKED_DOWNLOAD: &[Stage] = &[BlobPermitted, ReleaseLookedUp];

/// Those of some stages that are met on one wire.
pub fn on(wire: Wire, stages: &[Stage]) -> Vec<Stage> {
    stages.iter().copied().filter(|stage| stage.wire() == wire).collect()
}

/// Those of some stages that are met on another wire than this one.
pub fn beside(wire: Wire, stages: &[Stage]) -> Vec<Stage> {
    stages.iter().copied().filter(|stage| stage.wire() != wire).collect()
}

/// How something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// As clients do that know its digest from an index.
    Digest,
    /// As those do that take the bytes, or go where they are.
    Name,
    /// As those do that want to be told where it is.
    Json,
}

/// What the client is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An answer as if nothing had happened.
    Done,
    /// 503, with a message that has these words.
    Unavailable(&'static str),
    /// The connection ends before the answer does.
    Cut,
}

impl Stage {
    /// The wire that it is met on.
    pub fn wire(self) -> Wire {
        match self {
            BodyArriving => Wire::Client,
            KeysAsked => Wire::Issuer,
            ReleaseAsked | ReleaseArriving | TagAsked | AssetRedirecting | AssetAsked | AssetArriving | ReadmeAsked => {
                Wire::Release
            }
            BlobLookedUp | BlobArriving | BlobUnanswered | PartArriving | PartsJoining | PartsUnanswered => Wire::Store,
            BlobAsked | BlobAnswering | BlobLeaving => Wire::Store,
            TokenAsked | BytesComplete | TransactionBegins | RowsArriving | CommitWithheld | CommitUnanswered
            | Answering | BlobPermitted | ReleaseLookedUp => Wire::Database,
        }
    }

    /// The ways of a download that come here.
    pub fn ways(self) -> &'static [By] {
        match self {
            // Who asks by name is answered from memory.
            BlobPermitted => &[By::Digest],
            ReleaseLookedUp => &[By::Digest, By::Name, By::Json],
            _ => &[By::Digest, By::Name],
        }
    }

    /// Where on that wire, for a bundle; nowhere when it is the client that pauses.
    pub fn point(self, site: &Site, bundle: &Bundle) -> Option<Point> {
        let at = |text: &str, hold| Some(Point::new([text], hold));
        let blob = |call, hold| Some(Point::new([site.begin_of(call, bundle)], hold));
        let asset = |repository: &str, hold| {
            Some(Point::new([format!("GET /acme/{repository}/releases/download/v1.0.0/{}", bundle.file())], hold))
        };
        let in_record = ["INSERT INTO artifacts", "COMMIT"];
        match self {
            TokenAsked => at("FROM tokens t", Hold::Request(0)),
            BodyArriving => None,
            KeysAsked => at("GET /.well-known/jwks", Hold::Request(0)),
            ReleaseAsked => at("GET /repos/acme/widget/releases/tags/", Hold::Request(0)),
            ReleaseArriving => at("GET /repos/acme/widget/releases/tags/", Hold::Answer(200)),
            TagAsked => at("GET /repos/acme/widget/git/ref/tags/", Hold::Request(0)),
            AssetRedirecting => asset("widget", Hold::Answer(0)),
            AssetAsked => asset("storage", Hold::Request(0)),
            AssetArriving => asset("storage", Hold::Answer(HALF_BYTES)),
            // Nobody else asks by name, version and platform.
            ReadmeAsked => at("GET /repos/acme/widget/contents/README.md", Hold::Request(0)),
            BytesComplete => at("p.name = $1 AND v.version = $2 AND a.os", Hold::Request(0)),
            BlobLookedUp => blob(Call::Look, Hold::Request(0)),
            BlobArriving => blob(Call::Put, Hold::Request(HALF_BYTES)),
            BlobUnanswered => blob(Call::Put, Hold::Answer(0)),
            PartArriving => blob(Call::Part, Hold::Request(HALF_BYTES)),
            PartsJoining => blob(Call::Join, Hold::Request(0)),
            PartsUnanswered => blob(Call::Join, Hold::Answer(0)),
            TransactionBegins => Some(Point::new(["BEGIN", "pg_advisory_xact_lock"], Hold::Request(0))),
            RowsArriving => at(in_record[0], Hold::Request(0)),
            CommitWithheld => Some(Point::new(in_record, Hold::Request(0))),
            CommitUnanswered => Some(Point::new(in_record, Hold::Answer(0))),
            // The index asks for this package alone; what it asks of earlier ones may come at any time.
            Answering => at(&format!("[\"{}\"]", bundle.name), Hold::Request(0)),
            BlobPermitted => at("SELECT p.state FROM artifacts a", Hold::Request(0)),
            ReleaseLookedUp => at("kept = 0", Hold::Request(0)),
            BlobAsked | BlobAnswering | BlobLeaving => blob(Call::Get, self.of_blob()),
        }
    }

    /// Where the request for a blob, or the answer to it, is held; also where a client sends it to a signed address.
    pub fn of_blob(self) -> Hold {
        match self {
            BlobAsked => Hold::Request(0),
            BlobAnswering => Hold::Answer(0),
            _ => Hold::Answer(HALF_BYTES),
        }
    }

    /// Whether the bundle must be so large that it is sent to the store in parts.
    pub fn is_of_parts(self) -> bool {
        matches!(self, PartArriving | PartsJoining | PartsUnanswered)
    }

    /// What the client sees when something is struck here.
    pub fn seen(self, struck: Struck, mode: Mode) -> Seen {
        match struck {
            Struck::Process => Seen::Cut,
            Struck::Database => match self.wire() {
                // What is recorded is recorded; search takes it up later.
                Wire::Database if self != Answering => Seen::Unavailable("database does not answer"),
                // Connections that nobody uses at this moment are opened again.
                _ => Seen::Done,
            },
            Struck::Outage => match self {
                // The database said yes already, or is not asked any more.
                BlobAsked | BlobAnswering | BlobLeaving | Answering => Seen::Done,
                _ => Seen::Unavailable("database does not answer"),
            },
            // Nothing of a linked release goes there.
            Struck::Store if mode == Mode::Link => Seen::Done,
            Struck::Store => match self {
                // The head was sent; only the missing end can tell.
                BlobLeaving => Seen::Cut,
                // It is asked for the last time in the transaction, before rows are written.
                RowsArriving | CommitWithheld | CommitUnanswered | Answering | ReadmeAsked => Seen::Done,
                _ => Seen::Unavailable("storage does not answer"),
            },
            Struck::Release => match self {
                KeysAsked => Seen::Unavailable("Invalid OIDC token: the keys of the issuer cannot be fetched"),
                ReleaseAsked | ReleaseArriving | TagAsked => Seen::Unavailable("Failed to fetch release v1.0.0"),
                AssetRedirecting | AssetAsked | AssetArriving => Seen::Unavailable("Failed to download "),
                _ => Seen::Done,
            },
        }
    }

    /// Whether the version is there after that.
    pub fn is_published_after(self, struck: Struck, mode: Mode) -> bool {
        self >= CommitUnanswered || self.seen(struck, mode) == Seen::Done
    }
}
