//! Launch rules as tables: what a manifest's command line becomes (checklist E14, E20).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Manifest, PlatformOverride, Reading, ServerType, read};
use mpak_bundle::platform::Os;
use mpak_bundle::substitute::Substituted;
use mpak_runner::environment::Environment;
use mpak_runner::launch::{Launch, LaunchError, launch};
use mpak_runner::plan::Plan;
use mpak_runner::runtime::ProbeCache;

/// A bundle folder, a folder of programs, and a request with good values.
struct Case {
    dir: tempfile::TempDir,
    manifest: Manifest,
    command: Substituted,
    host: Environment,
    os: Os,
    inherit_env: bool,
    extra_env: Vec<(OsString, OsString)>,
    extra_args: Vec<OsString>,
    abis: BTreeSet<String>,
}

impl Case {
    fn new(kind: ServerType, command: &str, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let case = Self {
            manifest: manifest(kind, command, args),
            command: Substituted {
                command: command.into(),
                args: args.iter().map(|a| (*a).into()).collect(),
                env: BTreeMap::new(),
                env_is_option: BTreeMap::new(),
                unknown: Vec::new(),
            },
            host: Environment::from([("PATH".into(), dir.path().join("bin").into())]),
            os: Os::Linux,
            inherit_env: false,
            extra_env: Vec::new(),
            extra_args: Vec::new(),
            abis: BTreeSet::new(),
            dir,
        };
        case.file("server/index.js", "");
        case.program("bin/.keep", "");
        case
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    /// A file of the bundle.
    fn file(&self, path: &str, content: &str) {
        write(&self.bundle().join(path), content);
    }

    /// A script on `PATH`.
    fn program(&self, path: &str, body: &str) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // written by another process: a child that a parallel test forks meanwhile would keep our own
        // handle open, and a file that is open for writing cannot be started
        let line = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\"; chmod 755 \"$0\"";
        let status = std::process::Command::new("/bin/sh").args(["-c", line]).arg(&path).arg(body).status().unwrap();
        assert!(status.success());
        path
    }

    /// A stand-in for a Python of a version.
    fn python(&self, name: &str, version: &str) -> PathBuf {
        let digits: String = version.split('.').take(2).collect();
        let body = format!("echo {name}; echo {version}; echo .cpython-{digits}-x86_64-linux-gnu.so .abi3.so .so");
        self.program(&format!("bin/{name}"), &body)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env.insert(name.into(), value.into());
        if let Some(config) = &mut self.manifest.server.mcp_config {
            config.env.insert(name.into(), value.into());
        }
        self
    }

    fn try_launch(&self) -> Result<Plan, LaunchError> {
        let request = Launch {
            manifest: &self.manifest,
            bundle: &self.bundle(),
            command: &self.command,
            host: &self.host,
            os: self.os,
            inherit_env: self.inherit_env,
            extra_env: &self.extra_env,
            extra_args: &self.extra_args,
            workspace: Path::new("/host/.mpak"),
            uv_environment: &self.dir.path().join("venv/x"),
            python_abis: &self.abis,
        };
        launch(&request, &mut ProbeCache::default())
    }

    #[track_caller]
    fn plan(&self) -> Plan {
        self.try_launch().unwrap()
    }

    #[track_caller]
    fn error(&self) -> String {
        self.try_launch().unwrap_err().to_string().replace(&self.dir.path().display().to_string(), "DIR")
    }
}

fn manifest(kind: ServerType, command: &str, args: &[&str]) -> Manifest {
    let text = serde_json::json!({
        "manifest_version": "0.4", "name": "example", "version": "1.0.0", "description": "d", "author": {"name": "a"},
        "server": {"type": kind.as_str(), "entry_point": "server/index.js",
            "mcp_config": {"command": "node", "args": args, "env": {}}},
    });
    let bytes = serde_json::to_vec(&text).unwrap();
    let mut manifest = read(&bytes, Reading::Tolerant, &Limits::default()).manifest.unwrap();
    manifest.server.mcp_config.as_mut().unwrap().command = command.into();
    manifest
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn variable<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    plan.env.get(std::ffi::OsStr::new(name)).and_then(|v| v.to_str())
}

#[test]
fn e14_the_working_folder_is_the_bundle_and_the_workspace_the_hosts() {
    let case = Case::new(ServerType::Node, "node", &["server/index.js"]);
    let node = case.program("bin/node", "");
    let plan = case.plan();
    assert_eq!((plan.program, plan.cwd.clone()), (node, case.bundle()));
    assert_eq!(plan.args, ["server/index.js"]);
    assert_eq!(variable(&case.plan(), "MPAK_WORKSPACE"), Some("/host/.mpak"));
}

#[test]
fn a_workspace_that_the_host_names_is_kept() {
    let mut case = Case::new(ServerType::Node, "node", &["x"]);
    case.program("bin/node", "");
    case.host.insert("MPAK_WORKSPACE".into(), "/elsewhere".into());
    assert_eq!(variable(&case.plan(), "MPAK_WORKSPACE"), Some("/elsewhere"));
}

#[test]
fn node_without_arguments_starts_the_entry_point() {
    let case = Case::new(ServerType::Node, "", &[]);
    case.program("bin/node", "");
    assert_eq!(case.plan().args, [case.bundle().join("server/index.js")]);
}

#[test]
fn the_users_arguments_and_variables_come_last() {
    let mut case = Case::new(ServerType::Node, "node", &["a"]).env("MODE", "manifest").env("KEPT", "manifest");
    case.program("bin/node", "");
    case.host.insert("MODE".into(), "host".into());
    case.host.insert("KEPT".into(), "host".into());
    case.extra_args = vec!["--port".into(), "1".into()];
    case.extra_env = vec![("MODE".into(), "user".into())];
    let plan = case.plan();
    assert_eq!(plan.args, ["a", "--port", "1"]);
    assert_eq!((variable(&plan, "MODE"), variable(&plan, "KEPT")), (Some("user"), Some("manifest")));
}

#[test]
fn a_host_variable_that_the_manifest_declares_passes_when_the_manifest_has_no_value() {
    let mut case = Case::new(ServerType::Node, "node", &["a"]).env("TOKEN", "x");
    case.program("bin/node", "");
    case.command.env.clear();
    case.host.insert("TOKEN".into(), "host".into());
    case.host.insert("OTHER".into(), "host".into());
    let plan = case.plan();
    assert_eq!((variable(&plan, "TOKEN"), variable(&plan, "OTHER")), (Some("host"), None));
    case.inherit_env = true;
    assert_eq!(variable(&case.plan(), "OTHER"), Some("host"));
}

#[test]
fn e20_names_of_a_platform_override_are_the_declared_ones() {
    let mut case = Case::new(ServerType::Node, "node", &["a"]).env("BASE", "x");
    case.program("bin/node", "");
    let over =
        PlatformOverride { env: Some(BTreeMap::from([("ONLY_LINUX".into(), String::new())])), ..Default::default() };
    case.manifest.server.mcp_config.as_mut().unwrap().platform_overrides.insert("linux".into(), over);
    case.command.env.clear();
    case.host.extend([("BASE".into(), "host".into()), ("ONLY_LINUX".into(), "host".into())]);
    let plan = case.plan();
    assert_eq!((variable(&plan, "BASE"), variable(&plan, "ONLY_LINUX")), (None, Some("host")));
}

#[test]
fn a_missing_interpreter_says_where_it_was_looked_for() {
    let case = Case::new(ServerType::Node, "node", &["a"]);
    assert_eq!(case.error(), "`node` was not found in DIR/bin");
    let case = Case::new(ServerType::Python, "python", &["a"]);
    assert_eq!(case.error(), "`python` was not found in DIR/bin");
}

#[test]
fn a_relative_command_is_a_file_of_the_bundle() {
    let case = Case::new(ServerType::Node, "server/start", &[]);
    assert_eq!(case.error(), "the command `DIR/bundle/server/start` does not exist");
    case.file("server/start", "");
    assert_eq!(case.plan().program, case.bundle().join("server/start"));
    let case = Case::new(ServerType::Node, "../../bin/sh", &[]);
    assert_eq!(case.error(), "the command `../../bin/sh` leaves the bundle");
}

#[test]
fn another_system_is_refused() {
    let mut case = Case::new(ServerType::Node, "node", &["a"]);
    case.manifest.compatibility.platforms = vec![Os::Darwin, Os::Win32];
    assert_eq!(case.error(), "the bundle is for darwin, win32, this machine is linux");
    case.program("bin/node", "");
    case.manifest.compatibility.platforms = Vec::new();
    case.plan();
}

#[test]
fn e14_python_finds_every_vendoring_folder_after_the_manifests_own() {
    let case = Case::new(ServerType::Python, "python", &["-m", "x"]).env("PYTHONPATH", "/given");
    case.python("python3", "3.11.7");
    for folder in ["deps", "server/lib"] {
        case.file(&format!("{folder}/x.py"), "");
    }
    let plan = case.plan();
    let bundle = case.bundle().display().to_string();
    let expected = format!("/given:{bundle}/server/lib:{bundle}/deps:{bundle}");
    assert_eq!(variable(&plan, "PYTHONPATH"), Some(expected.as_str()));
    for name in ["PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONUTF8"] {
        assert_eq!(variable(&plan, name), Some("1"));
    }
}

#[test]
fn python_paths_are_joined_as_the_system_does() {
    let mut case = Case::new(ServerType::Python, "server/py", &["x"]).env("PYTHONPATH", "given");
    case.file("server/py", "");
    case.os = Os::Win32;
    // only the separator is of interest: the rest of this path belongs to this machine
    let plan = launch_with_posix_path(&case);
    assert!(variable(&plan, "PYTHONPATH").unwrap().starts_with("given;"));
}

fn launch_with_posix_path(case: &Case) -> Plan {
    fs::write(case.bundle().join("server\\py"), "").unwrap();
    case.plan()
}

#[test]
fn a_host_python_path_never_reaches_the_server() {
    let mut case = Case::new(ServerType::Python, "python", &["x"]);
    case.python("python3", "3.11.7");
    case.host.insert("PYTHONPATH".into(), "/evil".into());
    case.inherit_env = true;
    assert_eq!(variable(&case.plan(), "PYTHONPATH"), Some(case.bundle().to_str().unwrap()));
}

#[test]
fn python_is_python3_where_there_is_one() {
    let case = Case::new(ServerType::Python, "python", &["x"]);
    let python = case.python("python", "3.11.7");
    assert_eq!(case.plan().program, python);
    let python3 = case.python("python3", "3.11.7");
    assert_eq!(case.plan().program, python3);
}

#[test]
fn python_without_arguments_starts_file_or_module() {
    let mut case = Case::new(ServerType::Python, "", &[]);
    case.python("python3", "3.11.7");
    case.manifest.server.entry_point = "mcp_echo.server".into();
    assert_eq!(case.plan().args, ["-m", "mcp_echo.server"]);
    case.file("server/main.py", "");
    case.manifest.server.entry_point = "server/main.py".into();
    assert_eq!(case.plan().args, [case.bundle().join("server/main.py")]);
    case.manifest.server.entry_point = "../x".into();
    assert!(matches!(case.try_launch(), Err(LaunchError::EntryPoint { .. })));
}

#[test]
fn native_code_chooses_its_interpreter() {
    let mut case = Case::new(ServerType::Python, "python", &["x"]);
    case.abis = BTreeSet::from(["cpython-311".into()]);
    case.python("python3", "3.12.1");
    assert_eq!(case.error(), "the bundle was built for CPython 3.11, found 3.12.1 (CPython 3.12) at `DIR/bin/python3`");
    let fitting = case.python("python3.11", "3.11.7");
    assert_eq!(case.plan().program, fitting);
}

#[test]
fn a_version_outside_the_manifests_range_is_refused() {
    let mut case = Case::new(ServerType::Node, "node", &["x"]);
    let node = case.program("bin/node", "echo v18.20.4");
    case.manifest.compatibility.node = Some(">=20".into());
    assert_eq!(case.error(), "the bundle needs Node.js >=20, found 18.20.4 at `DIR/bin/node`");
    case.manifest.compatibility.node = Some(">=18.0.0 <19".into());
    assert_eq!(case.plan().program, node);
    case.manifest.compatibility.node = Some("banana".into());
    case.plan();

    let mut case = Case::new(ServerType::Python, "python", &["x"]);
    case.python("python3", "3.11.7");
    case.manifest.compatibility.python = Some(">=3.12,<4.0".into());
    assert_eq!(case.error(), "the bundle needs Python >=3.12,<4.0, found 3.11.7 (CPython 3.11) at `DIR/bin/python3`");
}

#[test]
fn an_interpreter_that_does_not_run_is_told_from_one_that_does_not_fit() {
    let mut case = Case::new(ServerType::Python, "python", &["x"]);
    case.abis = BTreeSet::from(["cpython-311".into()]);
    case.program("bin/python3", "exit 9");
    assert_eq!(case.error(), "the bundle was built for CPython 3.11, found one that does not run at `DIR/bin/python3`");
}

#[test]
fn a_binary_is_a_program_of_the_bundle_and_never_the_hosts() {
    let mut case = Case::new(ServerType::Binary, "bash", &["x"]);
    case.program("bin/bash", "");
    case.manifest.server.entry_point = "server/tool".into();
    assert_eq!(case.error(), "`DIR/bundle/server/tool` is missing in the bundle");
    case.file("server/tool", "");
    let plan = case.plan();
    assert_eq!(plan.program, case.bundle().join("server/tool"));
    assert_eq!(plan.notes, ["the command `bash` is no file of the bundle; its entry point is started"]);
    assert_eq!(plan.args, ["x"]);
}

#[test]
fn a_binary_gets_its_missing_execute_bit() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut case = Case::new(ServerType::Binary, "", &[]);
    case.manifest.server.entry_point = "server/tool".into();
    case.file("server/tool", "");
    let path = case.bundle().join("server/tool");
    for (before, after) in [(0o644, 0o755), (0o444, 0o555), (0o700, 0o700)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        case.plan();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, after);
    }
}

#[test]
fn a_windows_binary_may_leave_out_its_ending() {
    let mut case = Case::new(ServerType::Binary, "tool", &[]);
    case.os = Os::Win32;
    case.file("tool.exe", "");
    assert_eq!(case.plan().program, case.bundle().join("tool.exe"));
}

#[test]
fn uv_installs_once_outside_the_bundle_and_then_stays_offline() {
    let mut case = Case::new(ServerType::Uv, "", &[]);
    let uv = case.program("bin/uv", "");
    case.manifest.server.mcp_config = None;
    case.manifest.server.entry_point = "src/server.py".into();
    case.file("pyproject.toml", "");
    case.file("uv.lock", "");
    case.host.insert("UV_INDEX_URL".into(), "https://user:secret@index.example".into());
    let plan = case.plan();
    let bundle = case.bundle().display().to_string();
    assert_eq!(plan.args, ["run", "--directory", &bundle, "src/server.py"]);
    for (name, value) in [("UV_FROZEN", "1"), ("UV_NO_SYNC", "1"), ("UV_OFFLINE", "1"), ("UV_NO_DEV", "1")] {
        assert_eq!(variable(&plan, name), Some(value));
    }
    let venv = case.dir.path().join("venv/x");
    assert_eq!(variable(&plan, "UV_PROJECT_ENVIRONMENT"), venv.to_str());
    assert_eq!(variable(&plan, "UV_INDEX_URL"), None);

    let step = plan.prepare.unwrap();
    assert_eq!(step.program, uv);
    assert_eq!(step.args, ["sync", "--frozen", "--quiet", "--no-dev", "--no-progress", "--directory", &bundle]);
    assert!(step.env.contains_key(std::ffi::OsStr::new("UV_INDEX_URL")));
    assert!(!step.env.contains_key(std::ffi::OsStr::new("UV_OFFLINE")));

    write(&step.marker, "");
    assert_eq!(case.plan().prepare, None);
}

#[test]
fn a_uv_bundle_without_lock_is_resolved() {
    let mut case = Case::new(ServerType::Uv, "uv", &["run", "--directory", ".", "server.py"]);
    case.program("bin/uv", "");
    case.manifest.server.entry_point = "server.py".into();
    assert!(case.error().contains("pyproject.toml"));
    case.file("pyproject.toml", "");
    let plan = case.plan();
    assert_eq!(plan.args, ["run", "--directory", ".", "server.py"]);
    assert_eq!(variable(&plan, "UV_FROZEN"), None);
    assert_eq!(plan.prepare.unwrap().args[0..2], ["sync", "--quiet"]);
}
