//! Whatever the bytes are: reading ends, without panic, within its limits.

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Manifest, Reading, Severity, range_allows, read};
use mpak_bundle::platform::Os;
use mpak_bundle::substitute::{Variables, substitute};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::manifest::good;

fn run(bytes: &[u8]) -> Option<Manifest> {
    let mut out = None;
    for reading in [Reading::Strict, Reading::Tolerant] {
        let read = read(bytes, reading, &Limits::default());
        assert_eq!(read.manifest.is_none(), read.problems.iter().any(|p| p.severity == Severity::Error));
        assert!(read.problems.len() <= 101);
        out = read.manifest;
    }
    out
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        prop::sample::select(vec!["0.3", "node", "${user_config.a}", "${", "${/}", "../x", "string", "number"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z_]{0,4}",
        prop::sample::select(vec![
            "name",
            "server",
            "mcp_config",
            "args",
            "env",
            "command",
            "type",
            "_meta",
            "user_config",
            "a"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run(&bytes);
    }

    #[test]
    fn any_text_like_json_is_read_without_panic(text in "[\\[\\]{}\",:0-9eE+.\\\\ua-f\\-tn \n]{0,200}") {
        prop_assert_eq!(serde_json::from_str::<Value>(&text).is_err() || text.contains('\u{feff}'), {
            let read = read(text.as_bytes(), Reading::Tolerant, &Limits::default());
            read.problems.iter().any(|p| p.code.starts_with("json-") && p.severity == Severity::Error
                && p.code != "json-duplicate-key")
        });
    }

    #[test]
    fn any_value_in_any_field_is_read_without_panic(
        field in prop::sample::select(vec!["/name", "/author", "/server", "/server/mcp_config", "/server/mcp_config/args", "/server/type", "/x"]),
        value in any_json(),
    ) {
        let mut manifest = good();
        match manifest.pointer_mut(field) {
            Some(place) => *place = value,
            None => manifest["user_config"] = value,
        }
        run(manifest.to_string().as_bytes());
    }

    #[test]
    fn any_template_is_filled_without_panic(template in "[${}a-z_./:]{0,40}", os in prop::sample::select(vec![Os::Linux, Os::Win32])) {
        let mut manifest = good();
        manifest["server"]["mcp_config"]["args"] = json!([template]);
        if let Some(manifest) = run(manifest.to_string().as_bytes()) {
            let variables = Variables {
                dirname: std::path::Path::new("/b"), os, system_dirs: [("HOME".to_owned(), "/h".to_owned())].into(), user_config: [].into(),
            };
            let done = substitute(&manifest, &variables).unwrap();
            if !template.contains("${") {
                prop_assert_eq!(&done.args, &[template]);
            }
        }
    }

    #[test]
    fn any_range_is_compared_without_panic(range in "[0-9.x*<>=~^!,| va-]{0,30}", version in "[0-9.va-]{0,12}") {
        let _ = range_allows(&range, &version);
    }
}
