//! The environment: single variables, all of them, and classes that read them by their fields.

use super::{Finder, UNKNOWN};
use crate::capabilities::layout::Role;
use crate::capabilities::names::Sense;
use crate::capabilities::{Access, sensitive};
use crate::code::facts::{Arg, Class, ExprId, ExprKind, Language};
use crate::code::program::UnitId;

/// A name of which something is known.
fn partly(text: String) -> Option<String> {
    Some(text).filter(|text| text.chars().any(|c| c != UNKNOWN))
}

/// Most names of variables that one expression gives.
const NAMES_COUNT_MAX: usize = 64;
/// How far up is looked for what the whole environment is put into.
const PARENTS_COUNT_MAX: usize = 8;

impl Finder<'_> {
    /// One variable; any of them where the name is not constant.
    pub(super) fn variable(&mut self, at: ExprId, access: Access, call: &str, name: Option<String>) {
        let secret = access == Access::EnvironmentRead && name.as_deref().is_some_and(sensitive::variable);
        self.add(access, false, call, self.unit.span(at), Some(at), |found| {
            (found.what, found.secret) = (name, secret);
        });
    }

    /// The variables that a text may name.
    pub(super) fn variables(&mut self, at: ExprId, access: Access, call: &str, named: Option<ExprId>) {
        let Some(named) = named else { return self.variable(at, access, call, None) };
        for text in self.names.texts(self.id, named).into_iter().take(NAMES_COUNT_MAX) {
            self.variable(at, access, call, partly(text));
        }
    }

    /// `expandvars("$API_KEY/x")`
    pub(super) fn expanded(&mut self, at: ExprId, call: &str, text: Option<ExprId>) {
        let texts = text.map(|text| self.names.texts(self.id, text)).unwrap_or_default();
        for text in texts {
            for part in text.split('$').skip(1).take(NAMES_COUNT_MAX) {
                let part = part.trim_start_matches('{');
                let length = part.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                if length > 0 {
                    self.variable(at, Access::EnvironmentRead, call, Some(part[..length].to_owned()));
                }
            }
        }
    }

    /// `map(os.environ.get, ("A", "B"))`: what is handed on reads what stands beside it.
    pub(super) fn handed_getter(&mut self, at: ExprId, path: &str) -> bool {
        let getters = ["os.environ.get", "os.environ.__getitem__", "os.getenv"];
        if self.unit.language != Language::Python || !getters.contains(&path) {
            return false;
        }
        let parent = self.names.layout(self.id).parent(at);
        let Some(ExprKind::Call { args, .. }) = parent.map(|parent| self.unit.expr(parent)) else { return false };
        let beside = args.iter().map(|arg| arg.value).filter(|value| *value != at);
        let beside: Vec<ExprId> = beside.take(NAMES_COUNT_MAX).collect();
        let mut names: Vec<String> =
            beside.into_iter().flat_map(|value| self.names.element_texts(self.id, value)).collect();
        names.truncate(NAMES_COUNT_MAX);
        if names.is_empty() {
            self.variable(at, Access::EnvironmentRead, path, None);
        }
        for name in names {
            self.variable(at, Access::EnvironmentRead, path, partly(name));
        }
        true
    }

    /// `click.option("--key", envvar="API_KEY")`
    pub(super) fn option_variable(&mut self, call: ExprId, path: &str, args: &[Arg]) {
        let is_option = ["click", "rich_click", "asyncclick", "typer", "cyclopts", "configargparse"]
            .iter()
            .any(|module| path.split('.').next() == Some(module));
        let named = |arg: &&Arg| matches!(arg.name.as_deref(), Some("envvar" | "env_var"));
        for arg in args.iter().filter(named).filter(|_| is_option) {
            let mut names = self.names.element_texts(self.id, arg.value);
            if names.is_empty() {
                names = self.names.texts(self.id, arg.value);
            }
            for name in names.into_iter().take(NAMES_COUNT_MAX) {
                self.variable(call, Access::EnvironmentRead, path, partly(name));
            }
        }
    }

    /// `os.environ.get("X")`, `environ.items()`, `env.parse(process.env)`.
    pub(super) fn environment_call(&mut self, call: ExprId, callee: ExprId, args: &[Arg]) {
        let ExprKind::Member { of, name } = self.unit.expr(callee) else { return };
        if self.unit.language != Language::Python || !self.names.is_environment(self.id, *of) {
            return;
        }
        let first = args.first().map(|arg| self.names.texts(self.id, arg.value)).unwrap_or_default();
        match name.as_str() {
            "get" | "__getitem__" | "__contains__" | "pop" | "setdefault" => {
                let access = if matches!(name.as_str(), "pop" | "setdefault") {
                    Access::EnvironmentWrite
                } else {
                    Access::EnvironmentRead
                };
                for text in first.into_iter().take(NAMES_COUNT_MAX) {
                    let text = partly(text);
                    self.variable(call, access, "os.environ", text);
                }
            }
            "update" | "clear" => self.variable(call, Access::EnvironmentWrite, "os.environ", None),
            "copy" => self.everything(call),
            "items" | "keys" | "values" => self.everything(call),
            _ => {}
        }
    }

    /// `process.env.X`.
    pub(super) fn environment_member(&mut self, expr: ExprId, of: ExprId, name: &str, role: Role) {
        if self.unit.language == Language::Python || !self.names.is_environment(self.id, of) {
            return;
        }
        if role == Role::Callee || name == "constructor" {
            return;
        }
        let access = if role == Role::Target { Access::EnvironmentWrite } else { Access::EnvironmentRead };
        self.variable(expr, access, "process.env", Some(name.to_owned()));
    }

    /// `os.environ["X"]`, `process.env[name]`.
    pub(super) fn environment_index(&mut self, expr: ExprId, of: ExprId, key: Option<ExprId>, role: Role) {
        if !self.names.is_environment(self.id, of) {
            return;
        }
        let Some(key) = key else { return self.everything(expr) };
        let access = if role == Role::Target { Access::EnvironmentWrite } else { Access::EnvironmentRead };
        let call = if self.unit.language == Language::Python { "os.environ" } else { "process.env" };
        for text in self.names.texts(self.id, key).into_iter().take(NAMES_COUNT_MAX) {
            self.variable(expr, access, call, partly(text));
        }
    }

    /// `"X" in os.environ`.
    pub(super) fn environment_test(&mut self, expr: ExprId, left: ExprId, right: ExprId) {
        if self.names.is_environment(self.id, right) {
            for text in self.names.texts(self.id, left).into_iter().take(NAMES_COUNT_MAX) {
                let name = partly(text);
                self.variable(expr, Access::EnvironmentRead, "environ", name);
            }
        }
    }

    /// The environment as a whole, given away or kept.
    pub(super) fn environment_whole(&mut self, expr: ExprId) {
        if !matches!(self.unit.expr(expr), ExprKind::Var(_) | ExprKind::Member { .. } | ExprKind::Spread(_)) {
            return;
        }
        let inner = if let ExprKind::Spread(of) = self.unit.expr(expr) { *of } else { expr };
        if !self.names.is_environment(self.id, inner) {
            return;
        }
        if inner != expr {
            // The spread itself is looked at; its inside comes by on its own.
            return;
        }
        let layout = self.names.layout(self.id);
        if let Some(parent) = layout.parent(expr)
            && let ExprKind::Call { callee, .. } = self.unit.expr(parent)
            && layout.role(expr) == Role::Argument
        {
            // Its own functions read single variables of what they are given; schemas those that they name.
            let senses = self.names.senses(self.id, *callee);
            if senses.iter().any(|s| matches!(s, Sense::Function(..) | Sense::Class(..))) {
                return;
            }
            if let Some(names) = self.schema_names(*callee) {
                for name in names {
                    self.variable(expr, Access::EnvironmentRead, "process.env", Some(name));
                }
                return;
            }
        }
        self.everything(expr);
    }

    /// Every variable at once; it is told apart whether only a started program inherits them.
    fn everything(&mut self, at: ExprId) {
        let inherited = self.is_for_a_program(at);
        self.add(Access::EnvironmentRead, false, "the whole environment", self.unit.span(at), Some(at), |found| {
            found.what = Some("*".to_owned());
            found.secret = !inherited;
        });
    }

    /// Whether what holds the expression is called `env`.
    fn is_for_a_program(&self, at: ExprId) -> bool {
        let layout = self.names.layout(self.id);
        let mut at = at;
        for _ in 0..PARENTS_COUNT_MAX {
            let Some(parent) = layout.parent(at) else { return false };
            match self.unit.expr(parent) {
                ExprKind::Call { args, .. }
                    if args.iter().any(|arg| arg.value == at && arg.name.as_deref() == Some("env")) =>
                {
                    return true;
                }
                ExprKind::Dict(members) => {
                    let key = members.iter().find(|(_, value)| *value == at).and_then(|(key, _)| *key);
                    if key.and_then(|key| self.unit.text(key)) == Some("env") {
                        return true;
                    }
                }
                ExprKind::Var(var) => {
                    return self.unit.vars[var.0 as usize].name.to_lowercase().contains("env");
                }
                ExprKind::Member { name, .. } if layout.role(parent) == Role::Target => {
                    return name.to_lowercase().contains("env");
                }
                _ => {}
            }
            at = parent;
        }
        false
    }

    /// Names that a schema reads: `z.object({ API_KEY: z.string() }).parse(process.env)`.
    fn schema_names(&self, callee: ExprId) -> Option<Vec<String>> {
        let ExprKind::Member { of, name } = self.unit.expr(callee) else { return None };
        if !matches!(name.as_str(), "parse" | "safeParse" | "parseAsync" | "safeParseAsync") {
            return None;
        }
        self.schema_keys(self.id, *of, 8)
    }

    fn schema_keys(&self, unit: UnitId, expr: ExprId, steps: u32) -> Option<Vec<String>> {
        let steps = steps.checked_sub(1)?;
        let (unit, expr) = self.names.program.value(unit, expr);
        let source = self.names.program.unit(unit);
        match source.expr(expr) {
            ExprKind::Call { callee, args, .. } => {
                let first = args.first().and_then(|arg| match source.expr(arg.value) {
                    ExprKind::Dict(members) => {
                        let keys = members.iter().filter_map(|(key, _)| source.text((*key)?));
                        Some(keys.take(NAMES_COUNT_MAX).map(str::to_owned).collect())
                    }
                    _ => None,
                });
                // `z.object({…}).strict()`.
                first.or_else(|| match source.expr(*callee) {
                    ExprKind::Member { of, .. } => self.schema_keys(unit, *of, steps),
                    _ => None,
                })
            }
            _ => None,
        }
    }

    /// Classes of settings, whose fields are variables: those of pydantic.
    pub(super) fn settings_classes(&mut self) {
        let unit = self.unit;
        for class in &unit.classes {
            if !class.bases.iter().any(|&base| self.is_of_settings(self.id, base, 4)) {
                continue;
            }
            let prefix = self.prefix(class);
            for (field, value) in class.fields.iter().take(NAMES_COUNT_MAX) {
                if field == "model_config" || field.starts_with('_') {
                    continue;
                }
                let name = self.alias(*value).unwrap_or_else(|| format!("{prefix}{field}").to_uppercase());
                let secret = sensitive::variable(&name);
                let span = unit.span(*value);
                let span = if span.line == 0 { class.span } else { span };
                self.add(Access::EnvironmentRead, false, "BaseSettings", span, None, |found| {
                    (found.what, found.secret) = (Some(name), secret);
                });
            }
        }
    }

    /// Whether a class is one of settings, or extends one of the bundle's that is.
    fn is_of_settings(&self, unit: UnitId, base: ExprId, depth: u32) -> bool {
        const SETTINGS: [&str; 3] =
            ["pydantic_settings.BaseSettings", "pydantic.BaseSettings", "pydantic.v1.BaseSettings"];
        let Some(depth) = depth.checked_sub(1) else { return false };
        self.names.senses(unit, base).iter().any(|sense| match sense {
            Sense::Outside(path) => SETTINGS.contains(&path.as_str()),
            Sense::Class(unit, class) => {
                let bases = &self.names.program.unit(*unit).classes[class.0 as usize].bases;
                bases.iter().any(|&base| self.is_of_settings(*unit, base, depth))
            }
            _ => false,
        })
    }

    /// `Field(validation_alias="API_KEY")`
    fn alias(&self, field: ExprId) -> Option<String> {
        let ExprKind::Call { args, .. } = self.unit.expr(field) else { return None };
        let named = |arg: &&Arg| matches!(arg.name.as_deref(), Some("validation_alias" | "alias" | "env"));
        let alias = args.iter().find(named)?;
        self.unit.text(alias.value).map(str::to_uppercase)
    }

    /// `env_prefix` of a class of settings.
    fn prefix(&self, class: &Class) -> String {
        let config = class.fields.iter().find(|(field, _)| field == "model_config").map(|(_, value)| *value);
        let found = config.and_then(|config| match self.unit.expr(config) {
            ExprKind::Call { args, .. } => {
                args.iter().find(|arg| arg.name.as_deref() == Some("env_prefix")).map(|arg| arg.value)
            }
            ExprKind::Dict(members) => members
                .iter()
                .find(|(key, _)| key.and_then(|key| self.unit.text(key)) == Some("env_prefix"))
                .map(|(_, value)| *value),
            _ => None,
        });
        found.and_then(|value| self.unit.text(value)).unwrap_or_default().to_owned()
    }
}
