//! What a name promises, and whether a value keeps it.

use base64::Engine as _;

use super::check::{BASE64, BASE64_URL};
use super::placeholder;
use super::public;
use super::published;
use super::words::randomness;

/// What stands behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// A key or token: made by a machine.
    Key,
    /// A password: perhaps made by a person.
    Password,
}

/// How sure a value is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It can hardly be anything else.
    Surely,
    /// It may be an identifier or a digest.
    Perhaps,
}

/// Pieces of names of keys, without separators.
const KEYS: [&str; 32] = [
    "apikey",
    "apitoken",
    "apisecret",
    "accesstoken",
    "accesskey",
    "authtoken",
    "authkey",
    "appkey",
    "appsecret",
    "accountkey",
    "adminkey",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "consumerkey",
    "cookiekey",
    "credential",
    "encryptionkey",
    "hmackey",
    "jwtkey",
    "licensekey",
    "masterkey",
    "privatekey",
    "refreshtoken",
    "secret",
    "servicekey",
    "sessionkey",
    "sharedkey",
    "signingkey",
    "storagekey",
    "subscriptionkey",
    "token",
];
const PASSWORDS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "contrasena",
    "contrasenya",
    "senha",
    "motdepasse",
    "wachtwoord",
    "parola",
    "parol",
    "losenord",
    "heslo",
    "haslo",
    "salasana",
];
/// The same words where they are not of ASCII, and those for keys.
const PASSWORDS_ELSEWHERE: [&str; 10] =
    ["contraseña", "пароль", "密码", "密碼", "パスワード", "비밀번호", "şifre", "hasło", "lösenord", "salaisuus"];
const KEYS_ELSEWHERE: [&str; 8] = ["令牌", "密钥", "密鑰", "トークン", "秘密鍵", "토큰", "токен", "секрет"];
/// Words whose names hold no secret, wherever they stand in them.
const HARMLESS: [&str; 50] = [
    "public",
    "pub",
    "publishable",
    "hash",
    "hashed",
    "digest",
    "checksum",
    "integrity",
    "fingerprint",
    "thumbprint",
    "etag",
    "nonce",
    "placeholder",
    "page",
    "pagination",
    "cursor",
    "continuation",
    "next",
    "previous",
    "sync",
    "primary",
    "foreign",
    "sort",
    "partition",
    "cache",
    "lookup",
    "idempotency",
    "site",
    "write",
    "ingest",
    "measurement",
    "analytics",
    "tracking",
    "search",
    "tokenizer",
    "csrf",
    "xsrf",
    "commit",
    "revision",
    "sha",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "checkpoint",
    "reset",
    "locale",
    "translation",
    "i18n",
    "color",
];
/// Words that tell at a name's end that it holds something about a secret.
const ABOUT: [&str; 63] = [
    "descriptor",
    "proto",
    "vector",
    "name",
    "names",
    "id",
    "ids",
    "type",
    "types",
    "url",
    "urls",
    "uri",
    "endpoint",
    "path",
    "file",
    "filename",
    "dir",
    "field",
    "header",
    "headers",
    "label",
    "prefix",
    "suffix",
    "regex",
    "regexp",
    "pattern",
    "length",
    "len",
    "size",
    "count",
    "limit",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "hint",
    "description",
    "title",
    "text",
    "message",
    "error",
    "format",
    "algorithm",
    "alg",
    "method",
    "version",
    "status",
    "state",
    "index",
    "kind",
    "scheme",
    "mode",
    "policy",
    "param",
    "class",
    "schema",
    "provider",
    "usage",
    "uses",
    "scope",
    "rotation",
    "age",
    "location",
];

/// What a name promises.
pub(super) fn promise(name: &[u8]) -> Option<Promise> {
    if !name.is_ascii() {
        let text = String::from_utf8_lossy(name).to_lowercase();
        if PASSWORDS_ELSEWHERE.iter().any(|word| text.contains(word)) {
            return Some(Promise::Password);
        }
        if KEYS_ELSEWHERE.iter().any(|word| text.contains(word)) {
            return Some(Promise::Key);
        }
    }
    let words = words(name);
    let last = words.last()?;
    let harmless = |word: &String| HARMLESS.contains(&word.as_str());
    if ABOUT.contains(&last.as_str()) || words.iter().any(harmless) {
        return None;
    }
    let whole = words.concat();
    if PASSWORDS.iter().any(|word| names_password(&words, &whole, word))
        || words.iter().any(|word| matches!(word.as_str(), "pwd" | "pass" | "mdp" | "clave"))
    {
        Some(Promise::Password)
    } else if KEYS.iter().any(|word| whole.contains(word))
        || words.len() > 1 && last == "pat"
        || is_header_of_key(&words)
    {
        Some(Promise::Key)
    } else {
        None
    }
}

/// Whether a name says a word for a password: `dbPassword2`, `motDePasse`, but not `chosenHandler`, in which
/// `senha` stands by chance.
fn names_password(words: &[String], whole: &str, password: &str) -> bool {
    const LONG: usize = 8;
    const WORDS_MAX: usize = 3;
    let says = |word: &String| word.starts_with(password) || word.ends_with(password);
    let several = || (2..=WORDS_MAX).any(|count| words.windows(count).any(|some| some.concat() == password));
    whole.contains(password) && (password.len() >= LONG || words.iter().any(says) || several())
}

/// `X-Functions-Key`
fn is_header_of_key(words: &[String]) -> bool {
    words.len() > 2 && words[0] == "x" && words.last().is_some_and(|last| matches!(last.as_str(), "key" | "auth"))
}

/// `myAPIKey2` is `my`, `api`, `key2`.
fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, byte) in name.iter().enumerate() {
        let before = at.checked_sub(1).map_or(b'_', |at| name[at]);
        let after = name.get(at + 1).copied().unwrap_or(b'_');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && after.is_ascii_lowercase()));
        if begins || !byte.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value is what its name promises.
pub(super) fn kept(promise: Promise, name: &[u8], value: &[u8]) -> Option<Kept> {
    if placeholder::is_placeholder(value) || is_reference(value) || repeats(name, value) || is_published(value) {
        return None;
    }
    if public::is_sealed(value) || public::is_digest(value) || public::is_content_id(value) {
        return None;
    }
    if promise == Promise::Key && is_of_escaped_bytes(value) {
        return Some(Kept::Surely);
    }
    // The value in base 64, as manifests of clusters hold it: what it says counts.
    if let Some(inner) = readable(value) {
        return if readable(&inner).is_some() { None } else { kept(promise, name, &inner) };
    }
    let kept = match promise {
        Promise::Key => key(value),
        Promise::Password => key(value).or_else(|| password(value)),
    };
    // What everybody knows opens nothing, unless somebody uses it; nor does the address of an account.
    let is_known =
        published::is_published(value) || public::is_address(name, value) || public::is_of_a_chain(name, value);
    kept.map(|kept| if is_known { Kept::Perhaps } else { kept })
}

/// Whether the name of a service's setting is that of a credential.
pub(super) fn is_key_of_service(name: &[u8]) -> bool {
    const WORDS: [&str; 9] = ["key", "token", "secret", "pass", "auth", "credential", "pat", "hec", "pwd"];
    let words = words(name);
    let about = |word: &String| ABOUT.contains(&word.as_str()) || HARMLESS.contains(&word.as_str());
    let last = words.last().is_some_and(about);
    !last && words.iter().any(|word| WORDS.iter().any(|key| word.contains(key)))
}

/// Least random characters of a key.
const RANDOM_MIN: usize = 14;
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

fn key(value: &[u8]) -> Option<Kept> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-_+/=.~!@#^&:".contains(b);
    if !KEY_BYTES.contains(&value.len()) || !(value.iter().all(allowed) || is_of_all_signs(value)) {
        return None;
    }
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let is_random = randomness(value).holds(RANDOM_MIN) || is_of_all_signs(value);
    if letters < 4 || !is_random || super::entropy(value) < 3.0 || encodes_something(value) {
        return None;
    }
    let capitals = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    if is_uuid(value) || (digits == 0 && !capitals) { Some(Kept::Perhaps) } else { Some(Kept::Surely) }
}

/// Long, of any signs but quotes, and its letters and digits are chance: no expression of a program is.
fn is_of_all_signs(value: &[u8]) -> bool {
    const BYTES_MIN: usize = 24;
    let plain: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let measured = randomness(&plain);
    value.len() >= BYTES_MIN
        && value.iter().all(|b| b.is_ascii_graphic() && !b"\"'`\\".contains(b))
        && plain.len() * 3 >= value.len() * 2
        && measured.random >= RANDOM_MIN
        && measured.random * 10 >= measured.total * 7
}

/// `\x8f\x1b…`: random bytes, written as escapes where they are no letters.
fn is_of_escaped_bytes(value: &[u8]) -> bool {
    const BYTES_MIN: usize = 16;
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut bytes, mut at, mut escapes) = (Vec::new(), 0, 0);
    while let Some(byte) = value.get(at) {
        let escaped = match value.get(at..at + 4) {
            Some([b'\\', b'x', high, low]) => digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*byte));
        escapes += usize::from(escaped.is_some());
        at += if escaped.is_some() { 4 } else { 1 };
    }
    escapes * 3 >= bytes.len()
        && bytes.len() >= BYTES_MIN
        && super::entropy(&bytes) >= 3.5
        && !placeholder::is_placeholder(&bytes)
        && !published::is_published(&bytes)
}

/// What base 64 stands for, if that is nothing but signs that can be typed; chance hardly ever is.
fn readable(value: &[u8]) -> Option<Vec<u8>> {
    const BYTES: std::ops::RangeInclusive<usize> = 8..=384;
    let whole = value.len().is_multiple_of(4) || value.len() % 4 != 1 && !value.contains(&b'=');
    let inner = BASE64.decode(value).ok().filter(|inner| whole && BYTES.contains(&inner.len()))?;
    let inner = inner.strip_suffix(b"\n").unwrap_or(&inner);
    inner.iter().all(u8::is_ascii_graphic).then(|| inner.to_vec())
}

/// Base 64 of what is no key: a known kind of file, or words with a few other bytes between them, as in
/// descriptors, certificates of names, serialised messages. What it says is searched as a text of its own.
fn encodes_something(value: &[u8]) -> bool {
    const FILES: [&[u8]; 12] = [
        b"\x89PNG",
        b"GIF8",
        b"\xff\xd8\xff",
        b"RIFF",
        b"%PDF",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"wOFF",
        b"wOF2",
        b"\0asm",
        b"<svg",
        b"OggS",
    ];
    // Fewer say little about what they are.
    const BYTES_MIN: usize = 24;
    let engine = if value.iter().any(|b| matches!(b, b'-' | b'_')) { &BASE64_URL } else { &BASE64 };
    let Ok(inner) = engine.decode(value) else { return false };
    if inner.len() < BYTES_MIN {
        return false;
    }
    let shown = inner.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count();
    // Of random bytes a good third can be shown.
    let readable = shown * 10 >= inner.len() * 7;
    FILES.iter().any(|start| inner.starts_with(start)) || readable && !randomness(&inner).holds(RANDOM_MIN)
}

/// Made by a person to be hard: several kinds of characters, and more than a word with digits behind it.
fn password(value: &[u8]) -> Option<Kept> {
    // Letters and signs of other alphabets are as good as any; dots stand for what is not shown.
    let is_sign = |b: &u8| b.is_ascii_graphic() || !b.is_ascii();
    let veiled = ["·", "•", "…"].iter().any(|dot| memchr::memmem::find(value, dot.as_bytes()).is_some());
    if !(8..=128).contains(&value.len()) || !value.iter().all(is_sign) || veiled {
        return None;
    }
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
    let kinds = kinds.iter().filter(|kind| value.iter().any(kind)).count();
    let measured = randomness(value);
    let words = value.split(|b| !b.is_ascii_alphabetic()).map(<[u8]>::len).max().unwrap_or(0);
    match kinds {
        _ if is_common(value) => None,
        4 if (measured.random >= 6 || words <= 3) && value.len() >= 10 => Some(Kept::Surely),
        3.. if measured.holds(10) => Some(Kept::Surely),
        3.. => Some(Kept::Perhaps),
        _ => None,
    }
}

/// The words of everybody's passwords, also with digits for letters.
fn is_common(value: &[u8]) -> bool {
    let plain: Vec<u8> = value
        .iter()
        .map(|b| match b {
            b'0' => b'o',
            b'1' | b'!' => b'i',
            b'3' => b'e',
            b'4' | b'@' => b'a',
            b'5' | b'$' => b's',
            b'7' => b't',
            other => other.to_ascii_lowercase(),
        })
        .collect();
    [
        &b"pass"[..],
        b"admin",
        b"welcome",
        b"qwerty",
        b"letmein",
        b"change",
        b"secret",
        b"test",
        b"demo",
        b"root",
        b"user",
    ]
    .iter()
    .any(|word| plain.windows(word.len()).any(|w| w == *word))
}

/// Something that stands for a value elsewhere: an address, a path, a template, a call, prose, a file's name.
fn is_reference(value: &[u8]) -> bool {
    let has = |text: &[u8]| value.windows(text.len()).any(|w| w == text);
    has(b"://")
        || has(b"::")
        || has(b"()")
        || has(b" ")
        || has(b"**")
        || public::is_contract(value)
        || is_file(value)
        || value.starts_with(b"/")
        || value.starts_with(b"./")
        || value.starts_with(b"../")
        || value.starts_with(b"arn:")
        || value.starts_with(b"urn:")
        || value.starts_with(b"data:")
        || value.starts_with(b"sha256-")
        || value.starts_with(b"sha384-")
        || value.starts_with(b"sha512-")
}

/// `token-3f2a….js`
fn is_file(value: &[u8]) -> bool {
    const EXTENSIONS: [&[u8]; 20] = [
        b".js", b".mjs", b".cjs", b".ts", b".tsx", b".css", b".json", b".map", b".html", b".svg", b".png", b".jpg",
        b".webp", b".woff2", b".wasm", b".py", b".md", b".txt", b".yaml", b".pem",
    ];
    EXTENSIONS.iter().any(|extension| value.ends_with(extension))
}

/// The name again, or its words.
fn repeats(name: &[u8], value: &[u8]) -> bool {
    let plain = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let (name, value) = (plain(name), plain(value));
    !value.is_empty() && (name == value || name.ends_with(&value))
}

/// Keys that are made to be public.
fn is_published(value: &[u8]) -> bool {
    [
        &b"pk_live_"[..],
        b"pk_test_",
        b"pk_prod_",
        b"pk.",
        b"phc_",
        b"pk-lf-",
        b"ca-pub-",
        b"sb_publishable_",
        b"ssh-",
        b"AAAAB3NzaC1",
        b"MIIBIjANBgkq",
        b"MFkwEwYHKo",
    ]
    .iter()
    .any(|prefix| value.starts_with(prefix))
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_promise_or_not() {
        for name in [
            "apiKey",
            "API_KEY",
            "x-api-key",
            "client_secret",
            "authToken",
            "SIGNING_KEY",
            "spring.jwt.secret",
            "APIKEY",
        ] {
            assert_eq!(promise(name.as_bytes()), Some(Promise::Key), "{name}");
        }
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPwd",
            "smtp.passwd",
            "PGPASSWORD",
            "rootPassword",
            "motDePasse",
            "dbSenha",
            "haslo2",
        ] {
            assert_eq!(promise(name.as_bytes()), Some(Promise::Password), "{name}");
        }
        for name in [
            "apiKeyName",
            "tokenType",
            "nextPageToken",
            "public_key",
            "publicKey",
            "secretHash",
            "token_url",
            "passwordField",
            "primaryKey",
            "cacheKey",
            "tokenizer",
            "key",
            "keyboard",
            "siteKey",
            "csrfToken",
            "secret_id",
            "chosenHandler",
            "hasLodging",
        ] {
            assert_eq!(promise(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn values_keep_the_promise_or_not() {
        let judged = |value: &str| kept(Promise::Key, b"api_key", value.replace('·', "").as_bytes());
        for value in ["q8Zr2Xv0T·bN5wLc7Yk3MhD", "9f2c81d0·4b7ae365f0c92d18ab4e7701", "kTq7testVx93L·wPz0aBn5Rj"] {
            assert_eq!(judged(value), Some(Kept::Surely), "{value}");
        }
        assert_eq!(judged("7d9e1c52-4f0a-·4b6d-9c3e-8a2f5b1d7e60"), Some(Kept::Perhaps));
        for value in [
            "getAccessTokenFromEnvironment",
            "<your-api-key>",
            "${API_KEY}",
            "/etc/secrets/api_key_2024",
            "api_key",
            "urn:ietf:params:oauth",
            "WebStandardStreamableHTTPServerTransport",
            "pk_live_·q8Zr2Xv0TbN5wLc7Yk3MhD",
            "00000000000000000000000000000000",
        ] {
            assert_eq!(judged(value), None, "{value}");
        }
        let judged = |value: &str| kept(Promise::Password, b"password", value.as_bytes());
        assert_eq!(judged("vK3#pQz9!xLm"), Some(Kept::Surely));
        for value in ["password", "changeme", "hunter2", "your-password", "secret123"] {
            assert_eq!(judged(value), None, "{value}");
        }
    }
}
