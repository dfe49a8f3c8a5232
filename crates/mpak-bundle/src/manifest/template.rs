//! Splitting a template at its `${…}`: one scan from left to right, names taken literally.

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// The name between `${` and the next `}`.
    Variable(&'a str),
    /// A `${` without end, with everything after it.
    Open(&'a str),
}

/// The pieces of a template, in order.
pub(crate) fn parts(template: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            out.push(Part::Text(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            out.push(Part::Open(&rest[start..]));
            return out;
        };
        out.push(Part::Variable(&inner[..end]));
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        out.push(Part::Text(rest));
    }
    out
}

/// The option `x` of a template that is exactly `${user_config.x}`.
pub(crate) fn exact_option(template: &str) -> Option<&str> {
    match parts(template)[..] {
        [Part::Variable(name)] => option(name),
        _ => None,
    }
}

/// The option a variable names.
pub(crate) fn option(variable: &str) -> Option<&str> {
    variable.strip_prefix("user_config.")
}

/// Variables that exist beside options; hosts supply the folders.
pub(crate) const FIXED: [&str; 7] = ["__dirname", "pathSeparator", "/", "HOME", "DESKTOP", "DOCUMENTS", "DOWNLOADS"];

/// What follows `${__dirname}` and a separator, for a template that starts so and holds nothing else
/// that varies: a path in the bundle, not yet checked for `..`.
pub(crate) fn in_bundle(template: &str) -> Option<String> {
    let mut path = String::new();
    for (index, part) in parts(template).into_iter().enumerate() {
        match part {
            Part::Variable("__dirname") if index == 0 => {}
            Part::Variable("/" | "pathSeparator") if index > 0 => path.push('/'),
            Part::Text(text) if index > 0 => path.push_str(text),
            _ => return None,
        }
    }
    if path.is_empty() { Some(path) } else { path.strip_prefix('/').map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_split_at_the_first_closing_brace() {
        use Part::{Open, Text, Variable};
        for (template, expected) in [
            ("", vec![]),
            ("plain $HOME {x}", vec![Text("plain $HOME {x}")]),
            ("a${b}c", vec![Text("a"), Variable("b"), Text("c")]),
            ("${a}${b}", vec![Variable("a"), Variable("b")]),
            ("x${open", vec![Text("x"), Open("${open")]),
            ("${user_config.${x}}", vec![Variable("user_config.${x"), Text("}")]),
            ("$${a}", vec![Text("$"), Variable("a")]),
        ] {
            assert_eq!(parts(template), expected, "{template}");
        }
        assert_eq!(exact_option("${user_config.a.b}"), Some("a.b"));
        assert_eq!(exact_option("${user_config.a} "), None);
        assert_eq!(exact_option("${user_config_p}"), None);
    }

    #[test]
    fn paths_in_the_bundle_start_with_its_folder() {
        for (template, expected) in [
            ("${__dirname}/server/x", Some("server/x")),
            ("${__dirname}${/}server${pathSeparator}x", Some("server/x")),
            ("${__dirname}", Some("")),
            ("${__dirname}x", None),
            ("server/x", None),
            ("${__dirname}/${user_config.x}", None),
            ("x${__dirname}/y", None),
        ] {
            assert_eq!(in_bundle(template).as_deref(), expected, "{template}");
        }
    }
}
