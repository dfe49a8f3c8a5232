//! What a text is, as far as that is constant: paths, hosts, programs, names of variables.

use super::names::{Given, Names, Sense};
use crate::code::facts::{Arg, ExprId, ExprKind, Language};
use crate::code::program::UnitId;

/// Stands for what is not known.
pub(super) const UNKNOWN: char = '…';
/// Stands for the folder of the server's own code.
pub(super) const HERE: char = '\u{2}';
/// Most texts that one expression may be.
const TEXTS_COUNT_MAX: usize = 12;
/// Longest text, in bytes; the rest is not known.
const TEXT_BYTES_MAX: usize = 300;
/// Deepest nesting that is followed.
const DEPTH_MAX: u32 = 14;

impl Names<'_> {
    /// Everything that an expression may be, with [`UNKNOWN`] for the parts that are not constant.
    pub(super) fn texts(&self, unit: UnitId, expr: ExprId) -> Vec<String> {
        let mut steps = 400;
        let mut texts = self.rendered(unit, expr, DEPTH_MAX, &mut steps);
        texts.dedup();
        texts
    }

    fn rendered(&self, unit: UnitId, expr: ExprId, depth: u32, steps: &mut u32) -> Vec<String> {
        let unknown = || vec![UNKNOWN.to_string()];
        if depth == 0 || *steps == 0 {
            return unknown();
        }
        *steps -= 1;
        let depth = depth - 1;
        let source = self.program.unit(unit);
        let mut found: Vec<String> = match source.expr(expr) {
            ExprKind::Text(text) => vec![text.clone()],
            ExprKind::Number(number) => vec![number.to_string()],
            ExprKind::Bytes(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
            ExprKind::Join(parts) => self.together(unit, parts, "", depth, steps),
            ExprKind::Var(var) => {
                let mut found = Vec::new();
                for given in self.sources(unit, *var) {
                    match given {
                        Given::Value(unit, value) => found.extend(self.rendered(unit, value, depth, steps)),
                        Given::Element(unit, value) => found.extend(self.rendered_elements(unit, value, depth, steps)),
                    }
                }
                found
            }
            ExprKind::Free(name) if matches!(name.as_str(), "__file__" | "__dirname" | "__filename") => {
                vec![HERE.to_string()]
            }
            ExprKind::Either(ways) | ExprKind::All(ways) => {
                ways.iter().flat_map(|&way| self.rendered(unit, way, depth, steps)).collect()
            }
            ExprKind::Choice { then, otherwise, .. } => {
                let mut found = self.rendered(unit, *then, depth, steps);
                found.extend(self.rendered(unit, *otherwise, depth, steps));
                found
            }
            ExprKind::Call { callee, args, .. } => self.rendered_call(unit, *callee, args, depth, steps),
            ExprKind::Member { of, name } => self.rendered_member(unit, expr, *of, name, depth, steps),
            ExprKind::Index { of, key } => {
                let home = key.and_then(|key| source.text(key)).and_then(folder_of_variable);
                match (home, key) {
                    (Some(home), _) if self.is_environment(unit, *of) => vec![home.to_owned()],
                    _ => self.rendered_elements(unit, *of, depth, steps),
                }
            }
            // `path_or_none`, arithmetic.
            ExprKind::Other(parts) if parts.len() == 1 => self.rendered(unit, parts[0], depth, steps),
            _ => Vec::new(),
        };
        found.truncate(TEXTS_COUNT_MAX);
        for text in &mut found {
            if let Some((at, _)) = text.char_indices().nth(TEXT_BYTES_MAX) {
                text.truncate(at);
                text.push(UNKNOWN);
            }
        }
        if found.is_empty() { unknown() } else { found }
    }

    fn together(&self, unit: UnitId, parts: &[ExprId], between: &str, depth: u32, steps: &mut u32) -> Vec<String> {
        let mut whole = vec![String::new()];
        let mut flat = Vec::new();
        for &part in parts.iter().take(64) {
            self.spread(unit, part, &mut flat);
        }
        for (at, &(unit, part)) in flat.iter().enumerate().take(64) {
            let ways = self.rendered(unit, part, depth, steps);
            let between = if at > 0 { between } else { "" };
            whole = whole
                .iter()
                .flat_map(|before| {
                    ways.iter().map(move |way| {
                        // An absolute part of a path begins anew.
                        let anew = !between.is_empty() && (way.starts_with('/') || way.starts_with('~'));
                        if anew { way.clone() } else { format!("{before}{between}{way}") }
                    })
                })
                .take(TEXTS_COUNT_MAX)
                .collect();
        }
        whole
    }

    /// The parts that `...list` stands for, where the list is written out.
    fn spread(&self, unit: UnitId, part: ExprId, flat: &mut Vec<(UnitId, ExprId)>) {
        let ExprKind::Spread(of) = self.program.unit(unit).expr(part) else { return flat.push((unit, part)) };
        let senses = self.senses(unit, *of);
        let list = senses.iter().find_map(|sense| match sense {
            Sense::Value(unit, value) => match self.program.unit(*unit).expr(*value) {
                ExprKind::List(items) => Some((*unit, items)),
                _ => None,
            },
            _ => None,
        });
        match list {
            Some((unit, items)) => flat.extend(items.iter().take(64).map(|&item| (unit, item))),
            None => flat.push((unit, part)),
        }
    }

    /// What the elements of a list may be; nothing for what is no list.
    pub(super) fn element_texts(&self, unit: UnitId, expr: ExprId) -> Vec<String> {
        let mut steps = 200;
        self.rendered_elements(unit, expr, DEPTH_MAX, &mut steps)
    }

    fn rendered_elements(&self, unit: UnitId, of: ExprId, depth: u32, steps: &mut u32) -> Vec<String> {
        let mut found = Vec::new();
        let direct = matches!(self.program.unit(unit).expr(of), ExprKind::List(_) | ExprKind::Dict(_));
        let senses = self.senses(unit, of);
        let lists: Vec<(UnitId, ExprId)> = if direct {
            vec![(unit, of)]
        } else {
            senses.iter().filter_map(|s| if let Sense::Value(u, e) = s { Some((*u, *e)) } else { None }).collect()
        };
        for (unit, list) in lists {
            match self.program.unit(unit).expr(list) {
                ExprKind::List(items) => {
                    for &item in items.iter().take(TEXTS_COUNT_MAX) {
                        found.extend(self.rendered(unit, item, depth, steps));
                    }
                }
                ExprKind::Dict(members) => {
                    for &(_, item) in members.iter().take(TEXTS_COUNT_MAX) {
                        found.extend(self.rendered(unit, item, depth, steps));
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn rendered_call(&self, unit: UnitId, callee: ExprId, args: &[Arg], depth: u32, steps: &mut u32) -> Vec<String> {
        let source = self.program.unit(unit);
        let values: Vec<ExprId> = args.iter().filter(|arg| arg.name.is_none()).map(|arg| arg.value).collect();
        let first = values.first().copied();
        let mut found = Vec::new();
        let senses = self.senses(unit, callee);
        for sense in senses.iter() {
            match sense {
                Sense::Outside(path) => {
                    found.extend(self.rendered_outside(unit, path, &values, depth, steps));
                }
                Sense::Function(of_unit, function) => {
                    let mut made = Vec::new();
                    for &value in self.layout(*of_unit).returns(*function).iter().take(TEXTS_COUNT_MAX) {
                        made.extend(self.rendered(*of_unit, value, depth, steps));
                    }
                    // `under(".config", "gh")`: what is left goes below the folder that it begins with.
                    let params = &self.program.unit(*of_unit).function(*function).params;
                    if let Some(at) = params.iter().position(|param| param.rest).filter(|at| *at < values.len()) {
                        let rest = self.together(unit, &values[at..], "/", depth, steps);
                        let below = |folder: &String| {
                            let folder = folder.trim_end_matches([UNKNOWN, '/']);
                            let starts = folder.starts_with(['~', '/', HERE]);
                            let rest = rest.iter().take(TEXTS_COUNT_MAX);
                            rest.filter(move |_| starts).map(move |rest| format!("{folder}/{rest}")).collect::<Vec<_>>()
                        };
                        let more: Vec<String> = made.iter().flat_map(below).collect();
                        made.extend(more);
                    }
                    found.extend(made);
                }
                _ => {}
            }
        }
        // Methods that give the text or the path back, more or less.
        if let ExprKind::Member { of, name } = source.expr(callee)
            && (found.is_empty() || found.iter().all(|text| text.chars().all(|c| c == UNKNOWN)))
        {
            found = match name.as_str() {
                "expanduser" | "resolve" | "absolute" | "as_posix" | "strip" | "rstrip" | "lstrip" | "trim"
                | "toString" | "replace" | "format" | "lower" | "toLowerCase" | "upper" | "toUpperCase" | "encode"
                | "decode" => self.rendered(unit, *of, depth, steps),
                "joinpath" => {
                    let parts: Vec<ExprId> = std::iter::once(*of).chain(values.iter().copied()).collect();
                    self.together(unit, &parts, "/", depth, steps)
                }
                "get" if self.is_environment(unit, *of) => {
                    let home = first.and_then(|name| source.text(name)).and_then(folder_of_variable);
                    match (home, values.get(1)) {
                        (Some(home), _) => vec![home.to_owned()],
                        (None, Some(&default)) => self.rendered(unit, default, depth, steps),
                        _ => found,
                    }
                }
                _ => found,
            };
        }
        if let (ExprKind::Free(name), Some(first)) = (source.expr(callee), first)
            && matches!(name.as_str(), "str" | "String" | "repr" | "bytes" | "decodeURIComponent" | "encodeURI" | "URL")
        {
            return self.rendered(unit, first, depth, steps);
        }
        found
    }

    fn rendered_outside(&self, unit: UnitId, path: &str, args: &[ExprId], depth: u32, steps: &mut u32) -> Vec<String> {
        let plain = path.replace("()", "");
        let first = args.first().copied();
        match plain.as_str() {
            "os.path.join" | "posixpath.join" | "path.join" | "path.posix.join" | "path.resolve"
            | "path.default.join" | "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" | "anyio.Path" | "/" => {
                self.together(unit, args, "/", depth, steps)
            }
            "os.path.expanduser"
            | "os.path.abspath"
            | "os.path.realpath"
            | "os.path.normpath"
            | "os.path.expandvars"
            | "os.path.dirname"
            | "os.fspath"
            | "path.normalize"
            | "path.dirname"
            | "fs.realpathSync"
            | "untildify"
            | "shutil.which"
            | "url.fileURLToPath"
            | "fileURLToPath"
            | "url.URL"
            | "urllib.request.Request"
            | "shlex.split"
            | "httpx.URL"
            | "yarl.URL"
            | "which.sync"
            | "expand-tilde"
            | "url.pathToFileURL"
            | "os.getenv" => match first {
                Some(first) if plain == "os.getenv" => {
                    let name = self.program.unit(unit).text(first);
                    match (name.and_then(folder_of_variable), args.get(1)) {
                        (Some(home), _) => vec![home.to_owned()],
                        (None, Some(&default)) => self.rendered(unit, default, depth, steps),
                        _ => Vec::new(),
                    }
                }
                Some(first) => self.rendered(unit, first, depth, steps),
                None => Vec::new(),
            },
            "pathlib.Path.home" | "os.homedir" | "os.userInfo" | "electron.app.getPath" | "homedir" => {
                vec!["~".to_owned()]
            }
            "platformdirs.user_config_dir"
            | "appdirs.user_config_dir"
            | "platformdirs.user_config_path"
            | "click.get_app_dir"
            | "typer.get_app_dir"
            | "env-paths" => vec![format!("~/.local/{UNKNOWN}")],
            "os.getcwd" | "process.cwd" | "pathlib.Path.cwd" => vec![".".to_owned()],
            "os.tmpdir" | "tempfile.gettempdir" => vec!["/tmp".to_owned()],
            _ if plain.starts_with("importlib.resources.") || plain.starts_with("pkg_resources.") => {
                vec![HERE.to_string()]
            }
            _ => Vec::new(),
        }
    }

    fn rendered_member(
        &self,
        unit: UnitId,
        expr: ExprId,
        of: ExprId,
        name: &str,
        depth: u32,
        steps: &mut u32,
    ) -> Vec<String> {
        if self.is_environment(unit, of) {
            return folder_of_variable(name).map(|home| vec![home.to_owned()]).unwrap_or_default();
        }
        for path in self.outside(unit, expr) {
            match path.as_str() {
                "sys.executable" => return vec!["python".to_owned()],
                "process.execPath" | "process.argv0" => return vec!["node".to_owned()],
                _ if path.starts_with("import.meta.") => return vec![HERE.to_string()],
                _ => {}
            }
        }
        if matches!(name, "parent" | "parents" | "pathname" | "href" | "homedir") {
            return self.rendered(unit, of, depth, steps);
        }
        // A member of a written-out object, or a field of an instance.
        let mut found = Vec::new();
        for sense in self.senses(unit, of).iter() {
            match sense {
                Sense::Value(unit, value) => {
                    if let ExprKind::Dict(members) = self.program.unit(*unit).expr(*value) {
                        let source = self.program.unit(*unit);
                        let is = |key: Option<ExprId>| key.and_then(|key| source.text(key)) == Some(name);
                        for &(_, value) in members.iter().filter(|(key, _)| is(*key)).take(TEXTS_COUNT_MAX) {
                            found.extend(self.rendered(*unit, value, depth, steps));
                        }
                    }
                }
                Sense::Instance(unit, class) | Sense::Class(unit, class) => {
                    for &(_, value) in self.program.fields(*unit, *class, name).iter().take(TEXTS_COUNT_MAX) {
                        found.extend(self.rendered(*unit, value, depth, steps));
                    }
                    let class = &self.program.unit(*unit).classes[class.0 as usize];
                    for (_, value) in class.fields.iter().filter(|(field, _)| field == name).take(TEXTS_COUNT_MAX) {
                        found.extend(self.rendered(*unit, *value, depth, steps));
                    }
                }
                Sense::Unit(unit) => {
                    let exports = &self.program.unit(*unit).exports;
                    for export in exports.iter().filter(|export| export.name == name).take(TEXTS_COUNT_MAX) {
                        found.extend(self.rendered(*unit, export.value, depth, steps));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Whether an expression is the environment as a whole.
    pub(super) fn is_environment(&self, unit: UnitId, expr: ExprId) -> bool {
        let environments: &[&str] = match self.program.unit(unit).language {
            Language::Python => &["os.environ", "os.environb", "posix.environ", "os.environ.copy()"],
            _ => &["process.env", "Bun.env", "process.default.env", "process.process.env"],
        };
        self.is_one_of(unit, expr, environments)
    }

    /// Whether a text tells of something below the folder of the server's own code.
    pub(super) fn is_here(texts: &[String]) -> bool {
        texts.iter().all(|text| text.starts_with(HERE) || text.starts_with(&format!("file://{HERE}")))
    }
}

/// The folder that an environment variable names.
fn folder_of_variable(name: &str) -> Option<&'static str> {
    match name {
        "HOME" | "USERPROFILE" => Some("~"),
        "XDG_CONFIG_HOME" => Some("~/.config"),
        "APPDATA" | "LOCALAPPDATA" => Some("~/AppData/Roaming"),
        "GNUPGHOME" => Some("~/.gnupg"),
        "KUBECONFIG" => Some("~/.kube/config"),
        _ => None,
    }
}
