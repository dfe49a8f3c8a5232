//! `user_config`: the settings a server asks for, their values, and whether the two agree.

use std::collections::BTreeMap;

use serde_json::{Number, Value};
use thiserror::Error;

use super::fields::{Fields, Need, Object, kind};
use super::problems::{At, code, shown};
use super::server::Uses;
use super::{ConfigValue, UserConfigOption, UserConfigType};

/// Options in the author's order.
pub(super) type Options = Vec<(String, UserConfigOption)>;

/// Options by name, so that many templates over many options stay cheap.
pub(super) type Index<'o> = BTreeMap<&'o str, &'o UserConfigOption>;

/// A text typed by a user is not a value of the option.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("expected {expected}, found `{found}`")]
pub struct ConfigValueError {
    /// What the option takes.
    pub expected: String,
    /// What was given, cut short.
    pub found: String,
}

impl UserConfigType {
    /// The manifest's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Directory => "directory",
            Self::File => "file",
        }
    }

    /// Reads the manifest's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::String, Self::Number, Self::Boolean, Self::Directory, Self::File]
            .into_iter()
            .find(|k| k.as_str() == text)
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Directory => "the path of a folder",
            Self::File => "the path of a file",
        }
    }
}

impl ConfigValue {
    /// Reads what a user typed or what was stored as text. With `multiple` a JSON list of texts gives
    /// several values; any other text is one value.
    ///
    /// # Errors
    /// [`ConfigValueError`] when the text is not of the kind.
    pub fn parse(kind: UserConfigType, multiple: bool, text: &str) -> Result<Self, ConfigValueError> {
        if multiple && let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
            return Ok(Self::List(list));
        }
        let fault = || ConfigValueError { expected: kind.in_words().to_owned(), found: shown(text) };
        match kind {
            UserConfigType::String | UserConfigType::Directory | UserConfigType::File => {
                let text = text.to_owned();
                Ok(if multiple {
                    Self::List(if text.is_empty() { Vec::new() } else { vec![text] })
                } else {
                    Self::Text(text)
                })
            }
            UserConfigType::Number => {
                serde_json::from_str::<Number>(text.trim()).map(Self::Number).map_err(|_json| fault())
            }
            UserConfigType::Boolean => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Self::Boolean(true)),
                "false" | "0" | "no" | "off" => Ok(Self::Boolean(false)),
                _ => Err(fault()),
            },
        }
    }

    /// From JSON: a text, a number, true or false, or a list of texts.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => Self::Number(number.clone()),
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Array(list) => {
                Self::List(list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>()?)
            }
            Value::Null | Value::Object(_) => return None,
        })
    }

    /// Whether it counts as given: an empty text, an empty list and a list with an empty text do not.
    pub fn is_given(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty() && list.iter().all(|text| !text.is_empty()),
            Self::Number(_) | Self::Boolean(_) => true,
        }
    }

    /// The texts a server gets; numbers as JavaScript writes them, because hosts do.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Number(number) => vec![number_text(number)],
            Self::Boolean(boolean) => vec![boolean.to_string()],
            Self::List(list) => list.clone(),
        }
    }
}

fn number_text(number: &Number) -> String {
    let value = match number.as_f64() {
        Some(value) if number.is_f64() => value,
        _ => return number.to_string(),
    };
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() < 1e21 && value.abs() >= 1e-6 {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if value.abs() >= 1e21 { text.replace('e', "e+") } else { text }
}

impl UserConfigOption {
    /// Whether a value is of the option's kind, count and range.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn accepts(&self, value: &ConfigValue) -> Result<(), String> {
        let fits = match (self.kind, value) {
            (UserConfigType::Number, ConfigValue::Number(number)) => self.in_range(number.as_f64()),
            (UserConfigType::Number, ConfigValue::List(list)) => {
                self.multiple && list.iter().all(|text| self.in_range(text.parse().ok()))
            }
            (UserConfigType::Boolean, ConfigValue::Boolean(_))
            | (UserConfigType::String | UserConfigType::Directory | UserConfigType::File, ConfigValue::Text(_)) => true,
            (UserConfigType::String | UserConfigType::Directory | UserConfigType::File, ConfigValue::List(_)) => {
                self.multiple
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.expected()) }
    }

    fn in_range(&self, number: Option<f64>) -> bool {
        number.is_some_and(|n| self.min.is_none_or(|min| n >= min) && self.max.is_none_or(|max| n <= max))
    }

    fn expected(&self) -> String {
        let number = |n: f64| Number::from_f64(n).map_or_else(|| n.to_string(), |n| number_text(&n));
        let range = match (self.kind, self.min, self.max) {
            (UserConfigType::Number, Some(min), Some(max)) => format!(" from {} to {}", number(min), number(max)),
            (UserConfigType::Number, Some(min), None) => format!(" of at least {}", number(min)),
            (UserConfigType::Number, None, Some(max)) => format!(" of at most {}", number(max)),
            _ => String::new(),
        };
        format!("{}{range}{}", self.kind.in_words(), if self.multiple { ", or several" } else { "" })
    }
}

/// Reads `user_config`.
pub(super) fn read(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Options {
    let Some(value) = f.member(map, at, "user_config", Need::Optional) else { return Options::new() };
    let here = at.key("user_config");
    let Some(inner) = f.object(value, &here, "") else { return Options::new() };
    let mut out = Options::new();
    for (key, value) in inner {
        let place = here.key(key);
        if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            let message = format!("expected letters, digits, `_` and `-`, found the option `{}`", shown(key));
            f.error(code::OPTION_KEY, &place, message, "rename it; existing hosts fail on other characters");
        }
        if let Some(option) = option(f, value, &place) {
            out.push((key.clone(), option));
        }
    }
    out
}

fn option(f: &mut Fields<'_>, value: &Value, at: &At<'_>) -> Option<UserConfigOption> {
    const KNOWN: [&str; 9] =
        ["type", "title", "description", "required", "default", "multiple", "sensitive", "min", "max"];
    let map = f.object(value, at, "")?;
    f.known(map, at, &KNOWN, f.strictly());
    let kind = f.text(map, at, "type", Need::Required);
    let title = f.text(map, at, "title", Need::Required);
    let description = f.text(map, at, "description", Need::Required);
    let kind = kind.and_then(|text| {
        UserConfigType::parse(&text).or_else(|| {
            let message =
                format!("expected `string`, `number`, `boolean`, `directory` or `file`, found `{}`", shown(&text));
            f.error(code::VALUE_UNKNOWN, &at.key("type"), message, "choose one of them");
            None
        })
    });
    let default = default(f, map, at);
    let option = UserConfigOption {
        required: f.boolean(map, at, "required").unwrap_or(false),
        multiple: f.boolean(map, at, "multiple").unwrap_or(false),
        sensitive: f.boolean(map, at, "sensitive").unwrap_or(false),
        min: f.number(map, at, "min"),
        max: f.number(map, at, "max"),
        kind: kind?,
        title: title?,
        description: description?,
        default,
    };
    check(f, &option, at);
    Some(option)
}

fn default(f: &mut Fields<'_>, map: &Object, at: &At<'_>) -> Option<ConfigValue> {
    let value = f.member(map, at, "default", Need::Optional)?;
    ConfigValue::from_json(value).or_else(|| {
        let found = kind(value);
        let message = format!("expected a text, a number, true or false, or a list of texts, found {found}");
        f.error(code::FIELD_TYPE, &at.key("default"), message, "write a value of the option's type");
        None
    })
}

fn check(f: &mut Fields<'_>, option: &UserConfigOption, at: &At<'_>) {
    if let (Some(min), Some(max)) = (option.min, option.max)
        && min > max
    {
        let message = format!("expected `min` not above `max`, found {min} and {max}");
        f.error(code::OPTION_RANGE, &at.key("min"), message, "exchange them");
    } else if let Some(default) = &option.default
        && let Err(expected) = option.accepts(default)
    {
        let found = default.texts().join(", ");
        let message = format!("expected {expected} as default, found `{}`", shown(&found));
        let list = matches!(default, ConfigValue::List(_)) && !option.multiple;
        let help = if list { "set `multiple` to true" } else { "write a default that the option accepts" };
        f.error(code::OPTION_DEFAULT, &at.key("default"), message, help);
    }
    if option.multiple && !matches!(option.kind, UserConfigType::Directory | UserConfigType::File) {
        let message =
            format!("expected `multiple` on `directory` and `file` only, found it on `{}`", option.kind.as_str());
        f.warn(code::OPTION_MULTIPLE, &at.key("multiple"), message, "hosts may ask for one value only");
    }
    if option.sensitive && option.default.is_some() {
        let message = "expected no default of a sensitive option, found one that everybody can read in the bundle";
        f.warn(
            code::OPTION_SECRET_DEFAULT,
            &at.key("default"),
            message,
            "remove it; if it is a real secret, revoke it",
        );
    }
}

/// Reports options that nothing uses.
pub(super) fn check_uses(f: &mut Fields<'_>, at: &At<'_>, options: &Options, uses: &Uses) {
    let here = at.key("user_config");
    for (key, _) in options.iter().filter(|(key, _)| !uses.contains(key)) {
        let message = format!("expected `${{user_config.{}}}` in `mcp_config`, found no use of the option", shown(key));
        f.warn(code::OPTION_UNUSED, &here.key(key), message, "use it or remove it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_texts_become_values_of_their_kind() {
        use UserConfigType::{Boolean, Directory, Number as Num, String as Str};
        let ok = |kind, multiple, text: &str| ConfigValue::parse(kind, multiple, text).unwrap();
        assert_eq!(ok(Str, false, "[\"a\"]"), ConfigValue::Text("[\"a\"]".into()));
        assert_eq!(ok(Directory, true, "[\"/a\", \"/b\"]"), ConfigValue::List(vec!["/a".into(), "/b".into()]));
        assert_eq!(ok(Directory, true, "/a b,c"), ConfigValue::List(vec!["/a b,c".into()]));
        assert_eq!(ok(Directory, true, ""), ConfigValue::List(vec![]));
        assert_eq!(ok(Num, false, " 42 ").texts(), ["42"]);
        assert_eq!(ok(Num, false, "0.50").texts(), ["0.5"]);
        assert_eq!(ok(Boolean, false, "Yes"), ConfigValue::Boolean(true));
        assert_eq!(ok(Boolean, false, "0"), ConfigValue::Boolean(false));
        for (kind, text) in
            [(Num, "NaN"), (Num, "1e999"), (Num, "+1"), (Num, "0x10"), (Num, ""), (Boolean, "maybe"), (Boolean, "")]
        {
            assert!(ConfigValue::parse(kind, false, text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_hosts_write_them() {
        for (json, text) in [
            ("1", "1"),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("1e21", "1e+21"),
            ("1.5e-7", "1.5e-7"),
            ("0.000001", "0.000001"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(ConfigValue::Number(serde_json::from_str(json).unwrap()).texts(), [text], "{json}");
        }
    }
}
