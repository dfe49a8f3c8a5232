//! Parsers of XML that read files and addresses which a document names.

use super::super::facts::{Arg, ExprId, ExprKind};
use super::super::program::UnitId;
use super::judge::Argument;
use super::sinks::SinkKind;
use super::value::Value;
use super::{Engine, Place};

/// Options that let a document name what is read.
const OPTIONS: [&str; 7] =
    ["resolve_entities", "load_dtd", "noent", "dtdload", "processEntities", "huge_tree_entities", "xinclude"];

impl Engine<'_> {
    /// Judges a call that parses a document with a parser that was told to follow what it names.
    pub(super) fn document(&mut self, place: Place, expr: ExprId, path: &str, args: &[Arg], values: &[Value]) {
        if !parses(path) {
            return;
        }
        let Some(text) = values.first().filter(|text| !text.deep().taints.is_empty()) else { return };
        let follows = args.iter().skip(1).any(|arg| self.follows_entities(place.unit, arg));
        let made = self.made_to_follow(place, expr);
        if follows || made {
            self.texts(place, expr, path, SinkKind::Path, &Value { prefix: None, ..text.deep() }, Argument::No);
        }
    }

    /// `resolve_entities=True`, `{ noent: true }`, or a parser that was made with it.
    fn follows_entities(&self, unit: UnitId, arg: &Arg) -> bool {
        let (unit, value) = self.program.value(unit, arg.value);
        let source = self.program.unit(unit);
        let on = |value: ExprId| matches!(source.expr(value), ExprKind::Bool(true));
        match (arg.name.as_deref(), source.expr(value)) {
            (Some(name), ExprKind::Bool(true)) => OPTIONS.contains(&name),
            (_, ExprKind::Dict(members)) => members.iter().take(32).any(|(key, value)| {
                key.and_then(|key| source.text(key)).is_some_and(|k| OPTIONS.contains(&k)) && on(*value)
            }),
            (_, ExprKind::Call { args, .. }) => {
                args.iter().any(|arg| arg.name.as_deref().is_some_and(|name| OPTIONS.contains(&name)) && on(arg.value))
            }
            _ => false,
        }
    }

    /// `parser.setFeature(feature_external_ges, True)` on what the text is parsed by.
    fn made_to_follow(&self, place: Place, expr: ExprId) -> bool {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return false };
        let ExprKind::Member { .. } = unit.expr(*callee) else { return false };
        unit.source.contains("feature_external_ges, True") && unit.source.contains("xml.sax")
    }
}

/// Calls that parse a document of XML whose first argument is its text.
fn parses(path: &str) -> bool {
    matches!(
        path,
        "lxml.etree.fromstring"
            | "lxml.etree.XML"
            | "lxml.etree.parse"
            | "lxml.etree.iterparse"
            | "lxml.etree.fromstringlist"
            | "lxml.objectify.fromstring"
            | "lxml.objectify.parse"
            | "xml.sax.make_parser().parse"
            | "xml.sax.parseString"
            | "libxmljs.parseXml"
            | "libxmljs.parseXmlString"
            | "libxmljs.parseXmlAsync"
            | "libxmljs2.parseXml"
            | "libxmljs2.parseXmlString"
            | "libxml-wasm.XmlDocument.fromString"
    )
}
