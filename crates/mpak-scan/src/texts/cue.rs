//! What a text can give away, and how much each of it weighs.

/// A sign that a text works on the model rather than describing a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cue {
    TagCharacters,
    Invisible,
    Direction,
    TerminalEscape,
    Homoglyph,
    Disguise,
    Encoded,
    HiddenText,
    Override,
    Role,
    Secrecy,
    Exfiltration,
    Smuggling,
    Outbound,
    ImageExfiltration,
    ConstantRecipient,
    ParameterName,
    Shadowing,
    Promotion,
    Tampering,
    Deception,
    Consent,
    Command,
    Markup,
    Authority,
    Mismatch,
    NearName,
    Precondition,
    Everywhere,
    Wording,
}

/// What a cue is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Strength {
    /// Ordinary texts have it too; it supports another cue.
    Weak,
    /// Warns, and supports nothing: the text is worded like honest ones.
    Doubtful,
    /// Warns; two of them block.
    Strong,
    /// Blocks alone.
    Block,
}

/// A cue that was seen in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) cue: Cue,
    pub(super) strength: Strength,
    /// The words, invisible ones made visible.
    pub(super) excerpt: String,
}

impl Seen {
    pub(super) fn new(cue: Cue, strength: Strength, excerpt: impl Into<String>) -> Self {
        Self { cue, strength, excerpt: excerpt.into() }
    }
}

impl Cue {
    /// The last part of the rule's id.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::TagCharacters => "tag-characters",
            Self::Invisible => "invisible-characters",
            Self::Direction => "direction-control",
            Self::TerminalEscape => "terminal-escape",
            Self::Homoglyph => "homoglyph",
            Self::Disguise => "disguised-text",
            Self::Encoded => "encoded-instruction",
            Self::HiddenText => "hidden-text",
            Self::Override => "instruction-override",
            Self::Role => "role-change",
            Self::Secrecy => "secrecy",
            Self::Exfiltration => "sensitive-object",
            Self::Smuggling => "parameter-smuggling",
            Self::Outbound => "data-transmission",
            Self::ImageExfiltration => "image-exfiltration",
            Self::ConstantRecipient => "constant-recipient",
            Self::ParameterName => "parameter-name",
            Self::Shadowing => "tool-shadowing",
            Self::Promotion => "self-promotion",
            Self::Tampering => "argument-tampering",
            Self::Deception => "deception",
            Self::Consent => "consent-bypass",
            Self::Command => "command-request",
            Self::Markup => "role-markup",
            Self::Authority => "claimed-authority",
            Self::Mismatch => "name-mismatch",
            Self::NearName => "near-name",
            Self::Precondition => "precondition",
            Self::Everywhere => "standing-order",
            Self::Wording => "wording",
        }
    }

    /// What it is, for people; follows the tool's name.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::TagCharacters => "holds invisible tag characters",
            Self::Invisible => "holds invisible characters",
            Self::Direction => "holds characters that turn the direction of reading",
            Self::TerminalEscape => "holds control characters",
            Self::Homoglyph => "holds letters of another alphabet that look like Latin ones",
            Self::Disguise => "says something in disguise that it does not say openly",
            Self::Encoded => "holds encoded orders to the model",
            Self::HiddenText => "hides text from people",
            Self::Override => "tells the model to set its instructions aside",
            Self::Role => "gives the model another role or task",
            Self::Secrecy => "asks the model to keep something from the user",
            Self::Exfiltration => "directs the model to private data that the tool has no business with",
            Self::Smuggling => "asks the model to put private data into a parameter",
            Self::Outbound => "asks the model to send data to a fixed place",
            Self::ImageExfiltration => "asks for a picture or link whose address carries data away",
            Self::ConstantRecipient => "sets a fixed recipient",
            Self::ParameterName => "has a parameter that asks for private data by its name",
            Self::Shadowing => "gives orders about other tools",
            Self::Promotion => "urges the model to prefer it to other tools",
            Self::Tampering => "asks the model to change what the user asked for",
            Self::Deception => "tells the model what to make the user believe",
            Self::Consent => "asks the model to act without the user's consent",
            Self::Command => "asks the model to run a command",
            Self::Markup => "imitates the marks of a system or another speaker",
            Self::Authority => "claims to speak for the system or an authority",
            Self::Mismatch => "does something else than its name says",
            Self::NearName => "has a name that is read as that of another tool",
            Self::Precondition => "demands something before tools are used",
            Self::Everywhere => "gives a standing order beyond its own use",
            Self::Wording => "is worded like texts that work on the model against its user",
        }
    }

    /// What to do about it.
    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::TagCharacters | Self::Invisible | Self::Direction | Self::TerminalEscape | Self::Homoglyph => {
                "write the text with visible characters of one alphabet only"
            }
            Self::Disguise | Self::Encoded | Self::HiddenText => {
                "write what the tool does in plain words, and nothing else"
            }
            Self::ParameterName | Self::ConstantRecipient => "take only what the tool needs, from the user",
            Self::NearName => "give the tool a name of its own",
            Self::Mismatch => "name the tool after what it does",
            Self::Promotion | Self::Shadowing => {
                "describe this tool; leave the choice and the use of others to the user"
            }
            _ => "describe what the tool does; leave out orders to the model that go beyond the tool's own parameters",
        }
    }

    /// Whether it tells something of a text that only may be one for a model: characters, marks and claims are in code
    /// for many reasons.
    pub(super) fn tells_in_code(self) -> bool {
        let sent = matches!(self, Self::Exfiltration | Self::Smuggling | Self::Outbound | Self::ImageExfiltration);
        let ordered = matches!(self, Self::Command | Self::Encoded | Self::Disguise | Self::Wording);
        sent || ordered || self.is_against_the_user()
    }

    /// Whether it turns a model against its user or other tools.
    pub(super) fn is_against_the_user(self) -> bool {
        let word = matches!(self, Self::Override | Self::Role | Self::Secrecy | Self::Consent | Self::Deception);
        word || matches!(self, Self::Shadowing | Self::Tampering)
    }

    /// Whether MTF puts it among the gravest.
    pub(super) fn is_critical(self) -> bool {
        matches!(
            self,
            Self::Override
                | Self::Exfiltration
                | Self::Smuggling
                | Self::Outbound
                | Self::ImageExfiltration
                | Self::Tampering
                | Self::Encoded
        )
    }
}
