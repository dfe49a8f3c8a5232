//! A package whose every text attacks the page it is shown on; shared with the browser tests.

use mpak_testkit::zip::ZipBuilder;
use serde_json::{Value, json};

/// Sets the title if it runs.
pub(crate) const SCRIPT: &str = "<script>document.title='pwned'</script>";
/// Its name: the only text that has a strict form.
pub(crate) const NAME: &str = "@evil/hostile";
/// More tools than a page shows.
pub(crate) const TOOLS_COUNT: usize = 300;

/// The manifest.
pub(crate) fn manifest() -> Value {
    let attack =
        |place: &str| format!("{place}\"'></title></textarea>{SCRIPT}<img src=x onerror=\"document.title='pwned'\">");
    let tool = |i: usize| {
        json!({"name": format!("tool_{i}<svg onload=document.title='pwned'>"),
               "description": format!("{} {}", attack("tool"), "word ".repeat(400))})
    };
    let mut manifest = super::world::manifest(NAME, "1.0.0");
    manifest["display_name"] = json!(format!("\u{202E}txt.exe {}", attack("title")));
    manifest["description"] = json!(format!("{} {}", attack("description"), "A".repeat(5_000)));
    manifest["license"] = json!(attack("licence"));
    manifest["author"] = json!({"name": attack("author")});
    manifest["homepage"] = json!("https://evil.example/?a=\"><script>document.title='pwned'</script>");
    manifest["keywords"] = json!((0..100).map(|i| format!("{i}{}", attack("k"))).collect::<Vec<_>>());
    manifest["compatibility"] = json!({"runtimes": {"node": ">=18"}});
    manifest["tools"] = json!((0..TOOLS_COUNT).map(tool).collect::<Vec<_>>());
    manifest["user_config"] = (0..60)
        .map(|i| {
            let option = json!({"type": "string", "title": attack("setting"), "description": attack(&"s".repeat(500)),
                                "required": true, "default": attack("default")});
            (format!("key_{i}"), option)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    manifest
}

/// The bundle.
pub(crate) fn bundle() -> Vec<u8> {
    let readme = format!(
        "# Heading {SCRIPT}\n\n{SCRIPT}\n\n<style>body{{display:none}}</style>\n\n<img src=x onerror=\"document.title='pwned'\">\n\n\
         [link](javascript:document.title='pwned') ![remote](https://pixel.example/p.gif)\n\n\
         <meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/\">\n\nVisible text.\n\n"
    );
    let mut zip = ZipBuilder::with_manifest(&manifest());
    zip.file("README.md", readme.repeat(400));
    // Places of findings are paths of files.
    zip.file("server/a<script>b.js", "x");
    zip.build()
}
