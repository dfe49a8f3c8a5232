//! The rules: what calls from outside the bundle do, by their dotted names.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use foldhash::HashMap;
use serde::Deserialize;

use super::Access;
use crate::code::facts::Language;

/// The rules of CD-02.
pub const CAPABILITIES_TOML: &str = include_str!("../../rules/capabilities.toml");

/// Methods of Node's emitters and of event targets, which everything that connects has as well.
const LISTENS: [&str; 11] = [
    ".on",
    ".once",
    ".off",
    ".addListener",
    ".removeListener",
    ".removeAllListeners",
    ".prependListener",
    ".addEventListener",
    ".removeEventListener",
    ".setMaxListeners",
    ".unref",
];

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) access: Access,
    /// It only makes something that acts when it is used.
    pub(super) later: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    python: BTreeMap<String, String>,
    javascript: BTreeMap<String, String>,
}

/// The rules of one language. The effects of a name are a list; an empty one says that it does nothing.
#[derive(Debug, Default)]
struct Rules {
    exact: HashMap<String, Vec<Effect>>,
    /// `module.*`, by `module`.
    below: HashMap<String, Vec<Effect>>,
    /// `module..name`, by `name`: the modules with their effects.
    last: HashMap<String, Vec<(String, Vec<Effect>)>>,
    /// `module.na*`, by what stands before the star.
    starts: Vec<(String, Vec<Effect>)>,
}

impl Rules {
    fn new(entries: &BTreeMap<String, String>) -> Self {
        let mut rules = Self::default();
        for (key, names) in entries {
            let effect = effect(key);
            for name in names.split_ascii_whitespace() {
                rules.add(name, effect);
            }
        }
        rules
    }

    fn add(&mut self, name: &str, effect: Option<Effect>) {
        let effects = if let Some((module, last)) = name.split_once("..") {
            let of = self.last.entry(last.trim_end_matches(".*").to_owned()).or_default();
            let at = of.iter().position(|(known, _)| known == module).unwrap_or_else(|| {
                of.push((module.to_owned(), Vec::new()));
                of.len() - 1
            });
            &mut of[at].1
        } else if let Some(module) = name.strip_suffix(".*") {
            self.below.entry(module.to_owned()).or_default()
        } else if let Some(start) = name.strip_suffix('*') {
            let at = self.starts.iter().position(|(known, _)| known == start).unwrap_or_else(|| {
                self.starts.push((start.to_owned(), Vec::new()));
                self.starts.len() - 1
            });
            &mut self.starts[at].1
        } else {
            self.exact.entry(name.to_owned()).or_default()
        };
        effects.extend(effect);
    }

    /// The most exact rule, and the module if it is that of a whole one.
    fn find<'p>(&self, path: &'p str) -> Option<(&[Effect], Option<&'p str>)> {
        if let Some(effects) = self.exact.get(path) {
            return Some((effects, None));
        }
        let start = self.starts.iter().find(|(start, _)| path.starts_with(start.as_str()));
        if let Some((_, effects)) = start {
            return Some((effects, None));
        }
        // The end of the name below a module, then the longest module.
        let mut ends = path.rsplit('.');
        let last = ends.next().unwrap_or(path);
        let modules = self.last.get(last).into_iter().flatten();
        let within = modules.filter(|(module, _)| is_below(path, module)).max_by_key(|(module, _)| module.len());
        if let Some((_, effects)) = within {
            return Some((effects, None));
        }
        let mut module = path;
        while let Some((before, _)) = module.rsplit_once('.') {
            module = before;
            if let Some(effects) = self.below.get(module) {
                return Some((effects, Some(module)));
            }
        }
        None
    }
}

fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

/// What a key of the file says; none for `nothing`.
fn effect(key: &str) -> Option<Effect> {
    let (word, later) = key.strip_suffix("-later").map_or((key, false), |word| (word, true));
    let access = match word {
        "subprocess" => Access::Subprocess,
        "native" => Access::Native,
        "read" => Access::Read,
        "write" => Access::Write,
        "outbound" => Access::Outbound,
        "inbound" => Access::Inbound,
        "environment-read" => Access::EnvironmentRead,
        "environment-write" => Access::EnvironmentWrite,
        _ => return None,
    };
    Some(Effect { access, later })
}

/// Makes the tables.
pub(crate) fn prepare() {
    rules(Language::Python);
}

fn rules(language: Language) -> &'static Rules {
    static RULES: OnceLock<(Rules, Rules)> = OnceLock::new();
    let (python, javascript) = RULES.get_or_init(|| {
        let file: File = toml::from_str(CAPABILITIES_TOML).expect("the embedded rules are sound: a test reads them");
        (Rules::new(&file.python), Rules::new(&file.javascript))
    });
    if language == Language::Python { python } else { javascript }
}

/// What a call of a dotted name does. Brackets of calls on the way are left out of the name.
pub(super) fn find(language: Language, path: &str) -> Vec<Effect> {
    let plain = path.replace("()", "");
    let Some((effects, module)) = rules(language).find(&plain) else { return Vec::new() };
    // To listen to what an instance tells does nothing.
    if module.is_some() && language != Language::Python && LISTENS.iter().any(|name| plain.ends_with(name)) {
        return Vec::new();
    }
    // Members of an instance act; those of an answer do not: `requests.get().headers.get()`.
    if let (Some(module), Some((before, _))) = (module, path.rsplit_once("()"))
        && before.replace("()", "").len() > module.len()
        && !makes_instance(language, before)
    {
        return Vec::new();
    }
    // Below the `*` of a module an instance is made for later use: `openai.OpenAI()`.
    let last = plain.rsplit('.').next().unwrap_or(&plain);
    let makes = module.is_some()
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.contains(|c: char| c.is_ascii_lowercase());
    let network = |access| matches!(access, Access::Outbound | Access::Inbound);
    effects.iter().map(|effect| Effect { later: effect.later || makes && network(effect.access), ..*effect }).collect()
}

/// Whether a call makes something that acts later.
fn makes_instance(language: Language, path: &str) -> bool {
    let plain = path.replace("()", "");
    let effects = rules(language).find(&plain).map_or(&[][..], |(effects, _)| effects);
    let last = plain.rsplit('.').next().unwrap_or(&plain);
    let class = last.starts_with(|c: char| c.is_ascii_uppercase());
    // A class that a rule says does nothing makes nothing that acts either.
    effects.iter().any(|effect| effect.later || class)
}

/// Whether a name is told of by a rule, `nothing` among them.
pub(super) fn knows(language: Language, path: &str) -> bool {
    rules(language).find(&path.replace("()", "")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_name_counts() {
        use Access as A;
        for (language, path, expected) in [
            (Language::Python, "subprocess.run", vec![(A::Subprocess, false)]),
            (Language::Python, "subprocess.CalledProcessError", vec![]),
            (Language::Python, "os.execvp", vec![(A::Subprocess, false)]),
            (Language::Python, "os.path.join", vec![]),
            (Language::Python, "requests.get", vec![(A::Outbound, false)]),
            (Language::Python, "requests.Session()", vec![(A::Outbound, true)]),
            (Language::Python, "requests.Session().get", vec![(A::Outbound, false)]),
            (Language::Python, "requests.get().json", vec![]),
            (Language::Python, "httpx.AsyncClient().get().headers.get", vec![]),
            (Language::Python, "httpx.Request().url.host.split", vec![]),
            (Language::Python, "git.Repo().git.status", vec![(A::Read, false), (A::Subprocess, false)]),
            (Language::JavaScript, "fs.promises.readFile().split", vec![]),
            (Language::JavaScript, "axios.create().post().data.on", vec![]),
            (Language::Python, "requests.exceptions.HTTPError", vec![]),
            (Language::Python, "urllib.parse.quote", vec![]),
            (Language::Python, "urllib.request.urlopen", vec![(A::Outbound, false)]),
            (Language::Python, "openai.OpenAI", vec![(A::Outbound, true)]),
            (Language::Python, "openai.OpenAI().chat.completions.create", vec![(A::Outbound, false)]),
            (Language::Python, "pathlib.Path().resolve().parent.write_text", vec![(A::Write, false)]),
            (Language::Python, "ctypes.c_int", vec![]),
            (Language::Python, "ctypes.cdll.LoadLibrary", vec![(A::Native, false)]),
            (Language::JavaScript, "fs.readFileSync", vec![(A::Read, false)]),
            (Language::JavaScript, "fs.promises.writeFile", vec![(A::Write, false)]),
            (Language::JavaScript, "fs.constants.R_OK", vec![]),
            (Language::JavaScript, "@aws-sdk.client-s3.S3Client", vec![(A::Outbound, true)]),
            (Language::JavaScript, "express().listen", vec![(A::Inbound, false)]),
            (Language::JavaScript, "axios.create().get", vec![(A::Outbound, false)]),
            (Language::JavaScript, "path.join", vec![]),
        ] {
            let found: Vec<_> = find(language, path).iter().map(|e| (e.access, e.later)).collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn every_key_of_the_file_is_known() {
        let file: File = toml::from_str(CAPABILITIES_TOML).unwrap();
        for key in file.python.keys().chain(file.javascript.keys()) {
            assert!(effect(key).is_some() || key == "nothing", "{key}");
        }
    }
}
