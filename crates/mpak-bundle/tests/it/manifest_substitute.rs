//! Substitution as a host meets it: the table of run-time cases, and what other hosts get wrong.

use std::collections::BTreeMap;
use std::path::Path;

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{ConfigValue, Manifest, Reading, read};
use mpak_bundle::platform::Os;
use mpak_bundle::substitute::{SubstituteError, Substituted, Variables, substitute, value_remarks};
use serde_json::{Value, json};

use crate::manifest::good;

fn manifest(config: Value, options: Value) -> Manifest {
    let mut manifest = good();
    manifest["server"]["mcp_config"] = config;
    manifest["user_config"] = options;
    parsed(&manifest)
}

fn parsed(manifest: &Value) -> Manifest {
    let read = read(manifest.to_string().as_bytes(), Reading::Tolerant, &Limits::default());
    read.manifest.unwrap_or_else(|| panic!("{:#?}", read.problems))
}

fn option(kind: &str, more: &Value) -> Value {
    let mut option = json!({"type": kind, "title": "T", "description": "D"});
    option.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    option
}

fn run_on(os: Os, manifest: &Manifest, values: &[(&str, ConfigValue)]) -> Result<Substituted, SubstituteError> {
    let dirs = [
        ("HOME", "/home/u"),
        ("DESKTOP", "/home/u/Desktop"),
        ("DOCUMENTS", "/home/u/Documents"),
        ("DOWNLOADS", "/home/u/Downloads"),
    ];
    let variables = Variables {
        dirname: Path::new("/store/b"),
        os,
        system_dirs: dirs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        user_config: values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
    };
    substitute(manifest, &variables)
}

fn run(manifest: &Manifest, values: &[(&str, ConfigValue)]) -> Result<Substituted, SubstituteError> {
    run_on(Os::Linux, manifest, values)
}

fn text(text: &str) -> ConfigValue {
    ConfigValue::Text(text.to_owned())
}

fn list(list: &[&str]) -> ConfigValue {
    ConfigValue::List(list.iter().map(|t| (*t).to_owned()).collect())
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// One string option `v`, as a whole argument, inside an argument, and in the environment.
fn one_option(more: &Value) -> Manifest {
    let config = json!({"command": "node", "args": ["x", "${user_config.v}", "--v=${user_config.v}"], "env": {"V": "${user_config.v}", "W": "w:${user_config.v}"}});
    manifest(config, json!({"v": option("string", more)}))
}

#[test]
fn fixed_variables_are_filled_once_from_left_to_right() {
    let config = json!({"command": "${__dirname}/bin/x", "args": ["${HOME}${/}a", "${DESKTOP}|${DOCUMENTS}|${DOWNLOADS}", "$HOME ${TMP} ${env:X} ${", "${user_config_v}"],
        "env": {"A": "${__dirname}${pathSeparator}b"}});
    let done = run(&manifest(config.clone(), json!({})), &[]).unwrap();
    assert_eq!(done.command, "/store/b/bin/x");
    assert_eq!(
        done.args,
        [
            "/home/u/a",
            "/home/u/Desktop|/home/u/Documents|/home/u/Downloads",
            "$HOME ${TMP} ${env:X} ${",
            "${user_config_v}"
        ]
    );
    assert_eq!(done.env, env(&[("A", "/store/b/b")]));
    assert_eq!(done.unknown, ["TMP", "env:X", "user_config_v"]);
    let windows = run_on(Os::Win32, &manifest(config, json!({})), &[]).unwrap();
    assert_eq!((windows.args[0].as_str(), windows.env["A"].as_str()), ("/home/u\\a", "/store/b\\b"));
}

#[test]
fn x1_x3_x4_values_pass_literally_and_are_never_scanned_again() {
    for value in [
        "; rm -rf ~",
        "`id`",
        "$(id)",
        "\"&calc",
        "${HOME}",
        "${__dirname}",
        "${user_config.v}",
        "$&",
        "$$",
        "$`",
        "$'",
        "a\nb",
        "é\u{1F600}",
    ] {
        let done = run(&one_option(&json!({})), &[("v", text(value))]).unwrap();
        assert_eq!(done.args, ["x".to_owned(), value.to_owned(), format!("--v={value}")]);
        assert_eq!(done.env, env(&[("V", value), ("W", &format!("w:{value}"))]));
        assert_eq!(done.unknown, Vec::<String>::new());
    }
}

#[test]
fn x2_x5_values_that_programs_read_otherwise_are_remarked() {
    let manifest = one_option(&json!({}));
    assert_eq!(value_remarks(&manifest, "v", &text("-rf")).len(), 1);
    assert_eq!(value_remarks(&manifest, "v", &text("a\nb")).len(), 1);
    assert_eq!(value_remarks(&manifest, "v", &text("fine-value")), Vec::<String>::new());
    let only_env = self::manifest(
        json!({"command": "node", "env": {"V": "${user_config.v}"}}),
        json!({"v": option("string", &json!({}))}),
    );
    assert_eq!(value_remarks(&only_env, "v", &text("-a\nb")), Vec::<String>::new());
}

#[test]
fn x5_nul_is_refused() {
    assert_eq!(run(&one_option(&json!({})), &[("v", text("a\0b"))]), Err(SubstituteError::Nul { key: "v".into() }));
}

#[test]
fn x6_long_values_are_refused_before_the_system_does() {
    let manifest = one_option(&json!({}));
    let long = |n: usize| text(&"x".repeat(n));
    // The longest place is `W=w:…` with its NUL.
    assert!(run(&manifest, &[("v", long((128 << 10) - 5))]).is_ok());
    match run(&manifest, &[("v", long((128 << 10) - 4))]) {
        Err(SubstituteError::Length { bytes, limit, .. }) => assert_eq!((bytes, limit), (131_072, 131_071)),
        other => panic!("{other:?}"),
    }
    assert!(run_on(Os::Win32, &manifest, &[("v", long(10_000))]).is_ok());
    assert!(matches!(run_on(Os::Win32, &manifest, &[("v", long(20_000))]), Err(SubstituteError::Length { .. })));
}

#[test]
fn x9_lists_are_spliced_as_arguments() {
    let manifest = manifest(
        json!({"command": "node", "args": ["a", "${user_config.d}", "b"]}),
        json!({"d": option("directory", &json!({"multiple": true}))}),
    );
    for (value, args) in [
        (list(&[]), vec!["a", "b"]),
        (list(&["/1"]), vec!["a", "/1", "b"]),
        (list(&["/1", "/2 2", "${HOME}"]), vec!["a", "/1", "/2 2", "${HOME}", "b"]),
        (text("/1"), vec!["a", "/1", "b"]),
    ] {
        assert_eq!(run(&manifest, &[("d", value)]).unwrap().args, args);
    }
}

#[test]
fn lists_elsewhere_stay_literal_and_are_told() {
    let manifest = manifest(
        json!({"command": "node", "args": ["--d=${user_config.d}"], "env": {"D": "${user_config.d}"}}),
        json!({"d": option("directory", &json!({"multiple": true}))}),
    );
    let done = run(&manifest, &[("d", list(&["/1", "/2"]))]).unwrap();
    assert_eq!(done.args, ["--d=${user_config.d}"]);
    assert_eq!(done.env, env(&[("D", "${user_config.d}")]));
    assert_eq!(done.unknown, ["user_config.d"]);
}

#[test]
fn x10_required_options_without_value_are_all_named() {
    let manifest = manifest(
        json!({"command": "node", "args": ["${user_config.a}", "${user_config.b}", "${user_config.c}"]}),
        json!({"a": option("string", &json!({"required": true})), "b": option("directory", &json!({"required": true, "multiple": true})),
               "c": option("number", &json!({"required": true}))}),
    );
    let missing =
        |keys: &[&str]| Err(SubstituteError::Missing { keys: keys.iter().map(|k| (*k).to_owned()).collect() });
    assert_eq!(run(&manifest, &[]), missing(&["a", "b", "c"]));
    assert_eq!(
        run(&manifest, &[("a", text("")), ("b", list(&[])), ("c", ConfigValue::Number(0.into()))]),
        missing(&["a", "b"])
    );
    assert_eq!(
        run(&manifest, &[("a", text("x")), ("b", list(&[""])), ("c", ConfigValue::Number(0.into()))]),
        missing(&["b"])
    );
    assert_eq!(run(&manifest, &[]).unwrap_err().to_string(), "missing required config: a, b, c");
}

#[test]
fn a_default_satisfies_required_and_is_expanded_with_the_folders_of_the_machine() {
    let manifest = manifest(
        json!({"command": "node", "args": ["${user_config.d}", "${user_config.s}", "${user_config.n}", "${user_config.b}"]}),
        json!({"d": option("directory", &json!({"required": true, "multiple": true, "default": ["${HOME}/Desktop", "${DOCUMENTS}", "${OTHER}"]})),
               "s": option("string", &json!({"default": "${user_config.n}${/}x"})),
               "n": option("number", &json!({"default": 1.50})), "b": option("boolean", &json!({"default": false}))}),
    );
    let done = run(&manifest, &[]).unwrap();
    assert_eq!(done.args, ["/home/u/Desktop", "/home/u/Documents", "${OTHER}", "${user_config.n}/x", "1.5", "false"]);
    assert_eq!(run(&manifest, &[("s", text("${HOME}"))]).unwrap().args[3], "${HOME}");
}

#[test]
fn x11_an_unset_option_takes_its_argument_and_variable_with_it() {
    let done = run(&one_option(&json!({})), &[]).unwrap();
    assert_eq!(done.args, ["x"]);
    assert_eq!(done.env, env(&[]));
    assert_eq!(done.unknown, ["user_config.v"], "text of the author was lost with it");
    assert_eq!(done, run(&one_option(&json!({})), &[("v", text(""))]).unwrap());
    let command = manifest(json!({"command": "${user_config.v}"}), json!({"v": option("file", &json!({}))}));
    assert_eq!(run(&command, &[]), Err(SubstituteError::Missing { keys: vec!["v".into()] }));
}

#[test]
fn values_must_be_of_their_type_and_range() {
    let manifest = manifest(
        json!({"command": "node", "args": ["${user_config.n}", "${user_config.b}", "${user_config.s}"]}),
        json!({"n": option("number", &json!({"min": 1, "max": 5})), "b": option("boolean", &json!({})), "s": option("string", &json!({"sensitive": true}))}),
    );
    let number = |n: f64| ConfigValue::Number(serde_json::Number::from_f64(n).unwrap());
    assert_eq!(
        run(&manifest, &[("n", number(5.0)), ("b", ConfigValue::Boolean(true)), ("s", text("x"))]).unwrap().args,
        ["5", "true", "x"]
    );
    for (key, value, expected) in [
        ("n", number(5.5), "a number from 1 to 5"),
        ("n", number(0.0), "a number from 1 to 5"),
        ("n", text("3"), "a number from 1 to 5"),
        ("b", text("true"), "true or false"),
        ("s", list(&["a"]), "a text"),
    ] {
        let found = if key == "s" { "…".to_owned() } else { value.texts().join(", ") };
        let error = SubstituteError::Type { key: key.into(), expected: expected.into(), found };
        assert_eq!(run(&manifest, &[(key, value)]), Err(error));
    }
}

#[test]
fn an_override_replaces_whole_members_on_its_system_only() {
    let config = json!({"command": "node", "args": ["a"], "env": {"A": "1", "B": "2"}, "platform_overrides": {
        "win32": {"command": "node.exe", "env": {"C": "3"}}, "darwin": {"args": [], "command": ""}}});
    let manifest = manifest(config, json!({}));
    let on = |os| run_on(os, &manifest, &[]).unwrap();
    assert_eq!(
        (on(Os::Linux).command, on(Os::Linux).args, on(Os::Linux).env),
        ("node".into(), vec!["a".into()], env(&[("A", "1"), ("B", "2")]))
    );
    assert_eq!(
        (on(Os::Win32).command, on(Os::Win32).args, on(Os::Win32).env),
        ("node.exe".into(), vec!["a".into()], env(&[("C", "3")]))
    );
    assert_eq!((on(Os::Darwin).command, on(Os::Darwin).args), ("node".into(), Vec::<String>::new()));
}

#[test]
fn variables_that_are_options_are_named() {
    let done = run(&one_option(&json!({})), &[("v", text("x"))]).unwrap();
    assert_eq!(done.env_is_option, env(&[("V", "v")]));
}

#[test]
fn without_mcp_config_the_type_decides() {
    for (kind, entry, command, args) in [
        ("node", "server/index.js", "node", vec!["/store/b/server/index.js"]),
        ("python", "server/main.py", "python", vec!["/store/b/server/main.py"]),
        ("python", "pkg.server", "python", vec!["-m", "pkg.server"]),
        ("binary", "./bin/x", "/store/b/bin/x", vec![]),
        ("uv", "src/main.py", "uv", vec!["run", "--directory", "/store/b", "src/main.py"]),
    ] {
        let mut manifest = good();
        manifest["manifest_version"] = json!("0.4");
        manifest["server"] = json!({"type": kind, "entry_point": entry});
        let done = run(&parsed(&manifest), &[]).unwrap();
        assert_eq!(
            (done.command.as_str(), done.args),
            (command, args.into_iter().map(str::to_owned).collect()),
            "{kind}"
        );
    }
}
