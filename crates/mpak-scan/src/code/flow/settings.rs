//! Checks that only whoever starts the server can switch off, and clients that check by themselves where they connect.

use super::super::facts::{Block, ExprId, ExprKind, FunctionId, Statement};
use super::super::program::{Meaning, UnitId};
use foldhash::HashMap;

use super::env::{Changes, Layer};
use super::value::{Origin, Safe, Source, Value};
use super::{Engine, Place};

/// Deepest nesting of tests, statements and values that is looked into.
const DEPTH_MAX: u32 = 6;
/// Most parts of a value that are looked at.
const PARTS_COUNT_MAX: usize = 32;

/// What holds wherever a function comes back.
pub(super) struct Exit {
    layer: Layer,
    depth: usize,
    proven: Option<HashMap<Origin, Safe>>,
}

/// Whether a function gives back something before its end.
fn comes_back_early(body: &Block) -> bool {
    body.iter().any(|statement| match statement {
        Statement::If { then, otherwise, .. } => returns(then, DEPTH_MAX) || returns(otherwise, DEPTH_MAX),
        Statement::Loop { body, .. } => returns(body, DEPTH_MAX),
        Statement::Any(ways) => ways.iter().any(|way| returns(way, DEPTH_MAX)),
        _ => false,
    })
}

fn returns(block: &Block, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    block.iter().any(|statement| match statement {
        Statement::Return(_) => true,
        Statement::If { then, otherwise, .. } => returns(then, depth) || returns(otherwise, depth),
        Statement::Loop { body, .. } => returns(body, depth),
        Statement::Any(ways) => ways.iter().any(|way| returns(way, depth)),
        _ => false,
    })
}

impl Engine<'_> {
    /// `if not self.allow_private: check(url)`: what the check proves holds as long as nobody who starts the server
    /// says otherwise. Whether the way ends, where it was such a test.
    pub(super) fn by_default(
        &mut self,
        place: Place,
        test: ExprId,
        then: &Block,
        returned: &mut Vec<Value>,
    ) -> Option<bool> {
        if self.default_of(place, test, DEPTH_MAX) != Some(true) {
            return None;
        }
        let layer = self.env.open();
        self.prove(place, test, true);
        let mut mine = Vec::new();
        let ends = self.block(place, then, &mut mine);
        let changes = self.env.restart(layer);
        self.charge(changes.count());
        let proves = changes.proven().iter().any(|(origin, safe)| !self.env.proven(*origin).has(*safe));
        if ends || !proves {
            self.env.close(layer, Changes::default());
            return None;
        }
        self.env.close(layer, changes);
        returned.append(&mut mine);
        Some(false)
    }

    /// Runs a function's body: what it proves holds wherever it comes back, not only at its end.
    pub(super) fn body(&mut self, place: Place, body: &Block, returned: &mut Vec<Value>) -> bool {
        let key = (place.unit, place.function);
        let early = *self.early.entry(key).or_insert_with(|| comes_back_early(body));
        if !early || self.stack.len() < 2 {
            return self.block(place, body, returned);
        }
        let layer = self.env.open();
        self.exits.push(Exit { layer, depth: self.stack.len(), proven: None });
        let ends = self.block(place, body, returned);
        if !ends {
            self.exited();
        }
        let proven = self.exits.pop().and_then(|exit| exit.proven).unwrap_or_default();
        let mut changes = self.env.restart(layer);
        self.charge(changes.count());
        changes.keep_proven(&proven);
        self.env.close(layer, changes);
        ends
    }

    /// Notes what holds where the innermost function comes back.
    pub(super) fn exited(&mut self) {
        let depth = self.stack.len();
        let Some(layer) = self.exits.last().filter(|exit| exit.depth == depth).map(|exit| exit.layer) else { return };
        let mine = self.env.proven_since(layer);
        self.charge(mine.len());
        let Some(exit) = self.exits.last_mut() else { return };
        exit.proven = Some(match exit.proven.take() {
            None => mine,
            Some(others) => others
                .into_iter()
                .filter_map(|(origin, safe)| Some((origin, safe.common(*mine.get(&origin)?))))
                .collect(),
        });
    }

    /// Whether nothing that outsiders choose opens a way: it proves nothing, and refutes nothing.
    pub(super) fn is_off_by_default(&mut self, place: Place, test: ExprId) -> bool {
        self.exits.last().is_some_and(|exit| exit.depth == self.stack.len())
            && (self.default_of(place, test, DEPTH_MAX) == Some(false) || !self.depends(place, test, DEPTH_MAX))
    }

    /// Whether a test looks at something that outsiders choose, or at what nobody knows.
    fn depends(&mut self, place: Place, test: ExprId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return true };
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Not(of) => self.depends(place, *of, depth),
            ExprKind::All(parts) | ExprKind::Either(parts) => {
                parts.iter().take(PARTS_COUNT_MAX).any(|&part| self.depends(place, part, depth))
            }
            ExprKind::Compare { left, right, .. } => {
                self.depends(place, *left, depth) || self.depends(place, *right, depth)
            }
            ExprKind::Nothing | ExprKind::Text(_) | ExprKind::Number(_) | ExprKind::Bool(_) => false,
            ExprKind::Var(_) | ExprKind::Member { .. } => {
                let value = self.eval(place, test);
                value.deep().taints.iter().any(|taint| !matches!(taint.source, Source::Environment | Source::Unknown))
            }
            _ => true,
        }
    }

    /// How a test on settings alone comes out where nobody set them; none where something else decides.
    fn default_of(&mut self, place: Place, test: ExprId, depth: u32) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Not(of) => self.default_of(place, *of, depth).map(|holds| !holds),
            ExprKind::All(parts) => {
                let parts: Option<Vec<bool>> = parts.iter().map(|&part| self.default_of(place, part, depth)).collect();
                parts.map(|parts| parts.into_iter().all(|holds| holds))
            }
            ExprKind::Member { of, name } => {
                let own = match unit.expr(*of) {
                    ExprKind::Free(name) => name == "this",
                    ExprKind::Var(var) => {
                        let var = &unit.vars[var.0 as usize];
                        matches!(var.name.as_str(), "self" | "cls") || var.function == FunctionId::TOP
                    }
                    ExprKind::Member { .. } => true,
                    _ => false,
                };
                let name = name.clone();
                own.then(|| self.setting(place, test, &name))?
            }
            ExprKind::Var(var) => {
                let var = &unit.vars[var.0 as usize];
                let name = var.name.clone();
                // Of the file, or given once by whoever makes the server.
                (var.function == FunctionId::TOP || is_off(&name)).then(|| self.setting(place, test, &name))?
            }
            _ => None,
        }
    }

    fn setting(&mut self, place: Place, expr: ExprId, name: &str) -> Option<bool> {
        let value = self.eval(place, expr);
        if value.taints.iter().any(|taint| !matches!(taint.source, Source::Environment | Source::Unknown)) {
            return None;
        }
        if let Some(is) = value.is {
            return Some(is);
        }
        // By its name it lets something through, or keeps it out.
        is_off(name).then_some(false)
    }

    /// Whether what makes a request refuses addresses by itself: hooks of the client, agents that filter.
    pub(super) fn checks_requests(
        &mut self,
        place: Place,
        expr: ExprId,
        client: Option<&Value>,
        values: &[Value],
    ) -> bool {
        let unit = self.program.unit(place.unit);
        if values.iter().chain(client).any(|value| self.refuses(value, DEPTH_MAX)) {
            return true;
        }
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return false };
        let ExprKind::Member { of, .. } = unit.expr(*callee) else { return false };
        let (made_in, made) = self.made(place, *of);
        if made_in != place.unit {
            return false;
        }
        let ExprKind::Call { args, .. } = self.program.unit(made_in).expr(made) else { return false };
        let hooks = args.iter().filter(|arg| {
            matches!(
                arg.name.as_deref(),
                None | Some("event_hooks" | "transport" | "mounts" | "hooks" | "connector" | "auth" | "request_hook")
            )
        });
        let hooks: Vec<ExprId> = hooks.map(|arg| arg.value).take(8).collect();
        hooks.into_iter().any(|hook| {
            let value = self.eval(place, hook);
            self.refuses(&value, DEPTH_MAX)
        })
    }

    /// Where the thing is made that an expression stands for.
    fn made(&self, place: Place, of: ExprId) -> (UnitId, ExprId) {
        let (unit, made) = self.program.value(place.unit, of);
        if let ExprKind::Member { of, name } = self.program.unit(unit).expr(made)
            && let Meaning::Instance(inside, class) = self.program.meaning(unit, place.function, *of)
            && let Some((_, value)) = self.program.fields(inside, class, name).first()
        {
            return (inside, *value);
        }
        (unit, made)
    }

    fn refuses(&self, value: &Value, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let by_itself = value.meanings().iter().any(|meaning| match meaning {
            Meaning::Function(unit, function) => raises(&self.program.unit(*unit).function(*function).body, DEPTH_MAX),
            Meaning::Instance(unit, class) => {
                let names = ["handle_async_request", "handle_request", "send", "createConnection", "resolve"];
                names
                    .iter()
                    .filter_map(|name| self.program.method_of((*unit, *class), name))
                    .any(|(unit, method)| raises(&self.program.unit(unit).function(method).body, DEPTH_MAX))
            }
            Meaning::Outside(path) => path.contains("ssrf") || path.contains("request-filtering-agent"),
            _ => false,
        });
        let fields = value.fields.iter().flat_map(|fields| fields.iter()).take(PARTS_COUNT_MAX);
        let mut hooks = fields.filter(|(name, _)| {
            matches!(
                name.as_str(),
                "request"
                    | "event_hooks"
                    | "beforeRequest"
                    | "beforeRedirect"
                    | "hooks"
                    | "lookup"
                    | "agent"
                    | "httpAgent"
                    | "httpsAgent"
                    | "http"
                    | "https"
                    | "dispatcher"
                    | "connect"
                    | "*"
            )
        });
        let mut items = value.items.iter().flat_map(|items| items.iter()).take(PARTS_COUNT_MAX);
        by_itself || hooks.any(|(_, part)| self.refuses(part, depth)) || items.any(|item| self.refuses(item, depth))
    }
}

/// Settings that let through what is refused otherwise, by their names.
fn is_off(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["allow", "unsafe", "insecure", "disable", "skip", "bypass", "permit", "unrestricted", "no_check"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether some way through statements raises.
fn raises(block: &Block, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    block.iter().any(|statement| match statement {
        Statement::Raise(_) => true,
        Statement::If { then, otherwise, .. } => raises(then, depth) || raises(otherwise, depth),
        Statement::Loop { body, .. } => raises(body, depth),
        Statement::Any(ways) => ways.iter().any(|way| raises(way, depth)),
        _ => false,
    })
}
