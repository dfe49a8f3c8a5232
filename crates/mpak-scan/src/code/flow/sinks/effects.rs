//! What calls make of text that outsiders choose, and what patterns let through.

/// What a call makes of text that outsiders choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing of it is left: numbers, lengths, digests.
    Cleans,
    /// It is safe for these.
    Makes(crate::code::flow::value::Safe),
    /// Links or `..` are resolved.
    Resolves(crate::code::flow::value::Resolved),
}

/// Calls that change what a text is safe for.
pub fn effect(path: &str) -> Option<Effect> {
    use crate::code::flow::value::{Resolved, Safe};
    Some(match path {
        "int"
        | "float"
        | "bool"
        | "len"
        | "ord"
        | "hash"
        | "abs"
        | "round"
        | "min"
        | "max"
        | "sum"
        | "Number"
        | "parseInt"
        | "parseFloat"
        | "Boolean"
        | "Number.parseInt"
        | "Number.parseFloat"
        | "uuid.UUID"
        | "isinstance"
        | "typeof"
        | "decimal.Decimal"
        | "fractions.Fraction"
        | "Array.isArray"
        | "Number.isInteger"
        | "Math.min"
        | "Math.max"
        | "Math.floor"
        | "Math.round"
        | "Math.ceil"
        | "dataclasses.fields"
        | "attrs.fields"
        | "binascii.hexlify"
        | "datetime.date.fromisoformat"
        | "datetime.datetime.fromisoformat"
        | "Date"
        | "os.path.exists"
        | "os.path.isfile"
        | "os.path.isdir"
        | "fs.existsSync"
        | "path.isAbsolute"
        | "os.path.getsize"
        | "crypto.createHash().update().digest" => Effect::Cleans,
        // Figures and dots only, of whatever host.
        "ipaddress.ip_address"
        | "ipaddress.ip_network"
        | "ipaddress.ip_interface"
        | "ipaddress.IPv4Address"
        | "ipaddress.IPv6Address"
        | "ipaddress.IPv4Network"
        | "ipaddress.IPv6Network" => Effect::Makes(Safe::ALL.without(Safe::HOST)),
        "strict-url-sanitise.sanitizeUrl" => Effect::Makes(Safe::OPENER),
        "shlex.quote" | "pipes.quote" | "shescape.quote" => Effect::Makes(Safe::QUOTED),
        "shlex.join" | "subprocess.list2cmdline" | "shell-quote.quote" | "shell-escape" => Effect::Makes(Safe::SHELL),
        "os.path.basename"
        | "path.basename"
        | "path.posix.basename"
        | "ntpath.basename"
        | "werkzeug.utils.secure_filename"
        | "sanitize-filename"
        | "pathvalidate.sanitize_filename" => Effect::Makes(Safe::PATH),
        "encodeURIComponent" => Effect::Makes(Safe::HOST.and(Safe::PATH).and(Safe::SHELL).and(Safe::OPENER)),
        "urllib.parse.quote"
        | "urllib.parse.quote_plus"
        | "urllib.parse.urlencode"
        | "querystring.escape"
        | "querystring.stringify"
        | "encodeURI" => Effect::Makes(Safe::HOST.and(Safe::OPENER)),
        "mysql.escape"
        | "mysql2.escape"
        | "pg-format"
        | "sqlstring.escape"
        | "sqlstring.escapeId"
        | "pg-format.ident"
        | "psycopg2.sql.Identifier"
        | "psycopg.sql.Identifier"
        | "psycopg2.sql.Literal"
        | "psycopg2.sql.Placeholder"
        | "psycopg.sql.Placeholder"
        | "psycopg.sql.Literal" => Effect::Makes(Safe::QUERY),
        "ldap.filter.escape_filter_chars"
        | "ldap.dn.escape_dn_chars"
        | "ldap3.utils.conv.escape_filter_chars"
        | "ldap-escape.filter"
        | "ldap-escape.escapeFilter" => Effect::Makes(Safe::QUERY),
        "ast.literal_eval" => Effect::Makes(Safe::CODE),
        "os.path.realpath"
        | "fs.realpathSync"
        | "fs.realpathSync.native"
        | "fs.realpath"
        | "fs.realpath.native"
        | "fs.promises.realpath"
        | "fs-extra.realpath"
        | "fs-extra.realpathSync" => Effect::Resolves(Resolved::Links),
        // What a text says; a link in it may lead anywhere.
        "os.path.abspath"
        | "os.path.normpath"
        | "path.resolve"
        | "path.normalize"
        | "path.posix.normalize"
        | "path.posix.resolve"
        | "path.win32.resolve"
        | "path.win32.normalize" => Effect::Resolves(Resolved::Dots),
        _ => return None,
    })
}

/// Whether the constant begin of a URL fixes its host.
pub fn fixes_host(prefix: &str) -> bool {
    match prefix.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?', '#']).is_some_and(|end| end > 0 && !rest[..end].contains('@')),
        // A path alone goes to the host that the client was made with.
        None => prefix.starts_with('/') && !prefix.starts_with("//"),
    }
}
