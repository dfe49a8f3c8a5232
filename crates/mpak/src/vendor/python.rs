//! Python: `uv pip install --target` where there is uv, else pip; wheels only unless asked otherwise.
//!
//! The target is a folder that runners put on the module path: the one that the manifest's `PYTHONPATH`
//! names, else `server/lib` beside an entry point in `server/`, else `deps`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::durable;
use mpak_bundle::manifest::Manifest;
use mpak_bundle::platform::{Arch, Os, Platform};

use super::tool::Tool;
use super::{Installed, Request, Skipped, VendorError, in_bundle};

/// Last parts of folders that hold what package managers install, and nothing of the author's.
const VENDOR_NAMES: [&str; 7] = ["lib", "libs", "deps", "vendor", "_vendor", "vendored", "site-packages"];
/// Folders that runners look into by themselves.
const RUNNER_FOLDERS: [&str; 3] = ["server/lib", "lib", "deps"];

/// What is installed.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    /// For people.
    name: String,
    /// `-r` this file of the folder.
    requirements: Option<&'static str>,
    /// The dependencies of `pyproject.toml`.
    dependencies: Vec<String>,
    /// The versions of `uv.lock`.
    locked: bool,
    /// The project itself, because the server is a module of it.
    project: bool,
}

/// Folders of one installation.
struct Places<'a> {
    /// What will be packed.
    copy: &'a Path,
    /// Where packages go, in the copy.
    target: &'a Path,
    /// For what is needed meanwhile.
    outside: &'a Path,
}

/// The project's sources to build from, in `Places::outside`.
const PROJECT_FOLDER: &str = "project";

/// Installs what `requirements.txt` or `pyproject.toml` names.
pub(super) fn install(request: &Request<'_>, copy: &Path) -> Result<Installed, VendorError> {
    check_flags(request)?;
    // 1. With what, and what.
    let uv = Tool::find(&["uv"], request.settings);
    let source = source(request.manifest, copy, uv.is_some())?;
    let into = vendor_folder(request.manifest);
    let target = copy.join(&into);
    fs::create_dir_all(&target).map_err(VendorError::io(&target))?;
    // 2. Installed. Building the project leaves files beside its sources, so it is built elsewhere.
    let outside = tempfile::tempdir().map_err(VendorError::io(copy))?;
    if source.project {
        super::copy_rest(copy, &outside.path().join(PROJECT_FOLDER), std::slice::from_ref(&target))?;
    }
    let places = Places { copy, target: &target, outside: outside.path() };
    let tool = match &uv {
        Some(uv) => with_uv(uv, request, &source, &places)?,
        None => with_pip(request, &source, &places)?,
    };
    // 3. What belongs to this machine and not to the bundle, taken out.
    take_out_machine_files(&target)?;
    let names = names(&target)?;
    Ok(Installed {
        tool: tool.to_owned(),
        source: source.name,
        into,
        components_count: names.iter().filter(|name| name.ends_with(".dist-info")).count(),
        skipped: names.iter().filter(|name| has_ending(name, "pth")).map(|name| path_file(name)).collect(),
    })
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

fn path_file(name: &str) -> Skipped {
    Skipped {
        code: "path-file",
        name: name.to_owned(),
        message: "Python reads such files only in its own folders, so what it adds to the module path is missing"
            .to_owned(),
    }
}

fn check_flags(request: &Request<'_>) -> Result<(), VendorError> {
    if let Some(version) = request.python_version {
        let parts: Vec<&str> = version.split('.').collect();
        let digits = |part: &&str| !part.is_empty() && part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit());
        if parts.len() != 2 || !parts.iter().all(digits) {
            return Err(VendorError::Flags(format!("--python-version `{version}` is not like 3.12")));
        }
    }
    match request.platform {
        Some(platform) if platform.os == Os::Any || platform.arch == Arch::Any => Err(VendorError::Flags(format!(
            "--platform {platform}: name one system and one processor, since wheels hold native code"
        ))),
        _ => Ok(()),
    }
}

/// Where the packages go.
pub(super) fn vendor_folder(manifest: &Manifest) -> String {
    let is_vendor = |path: &&str| {
        let last = path.rsplit('/').next().unwrap_or(path);
        VENDOR_NAMES.contains(&last)
    };
    if let Some(path) = python_path(manifest).find(is_vendor) {
        return path.to_owned();
    }
    let beside_server = manifest.server.entry_point.starts_with("server/");
    if beside_server { "server/lib" } else { "deps" }.to_owned()
}

/// Folders of the bundle that the manifest puts on the module path.
fn python_path(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let env = manifest.server.mcp_config.as_ref().and_then(|config| config.env.get("PYTHONPATH"));
    env.into_iter().flat_map(|value| value.split([':', ';'])).filter_map(in_bundle)
}

/// Whether a folder holds what was installed there before, which is then made anew.
pub(super) fn is_vendored(folder: &Path) -> bool {
    names(folder).is_ok_and(|names| names.iter().any(|name| name.ends_with(".dist-info")))
}

fn names(folder: &Path) -> Result<Vec<String>, VendorError> {
    let entries = fs::read_dir(folder).map_err(VendorError::io(folder))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// The pinned list first, then the project file with its lock.
fn source(manifest: &Manifest, copy: &Path, has_uv: bool) -> Result<Source, VendorError> {
    const REQUIREMENTS: &str = "requirements.txt";
    const PROJECT: &str = "pyproject.toml";
    let nothing =
        Source { name: String::new(), requirements: None, dependencies: Vec::new(), locked: false, project: false };
    if copy.join(REQUIREMENTS).is_file() {
        return Ok(Source { name: REQUIREMENTS.to_owned(), requirements: Some(REQUIREMENTS), ..nothing });
    }
    let path = copy.join(PROJECT);
    if !path.is_file() {
        return Err(VendorError::NoSource { kind: "python", expected: "requirements.txt or pyproject.toml" });
    }
    let unreadable = |reason: String| VendorError::Record { file: PROJECT.to_owned(), reason };
    let text = fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?;
    let document: toml::Table = text.parse().map_err(|e: toml::de::Error| unreadable(e.to_string()))?;
    let dependencies = dependencies(&document).map_err(unreadable)?;
    let locked = has_uv && copy.join("uv.lock").is_file();
    let project = document.contains_key("build-system") && needs_project(manifest, copy);
    let name = if locked { "uv.lock" } else { PROJECT };
    Ok(Source { name: name.to_owned(), dependencies, locked, project, ..nothing })
}

/// `project.dependencies`; each must begin like a name, so that none can be read as a flag.
fn dependencies(document: &toml::Table) -> Result<Vec<String>, String> {
    let Some(list) = document.get("project").and_then(|project| project.get("dependencies")) else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or("`project.dependencies` is not a list")?;
    list.iter()
        .map(|entry| {
            let text = entry.as_str().unwrap_or_default().trim();
            match text.chars().next() {
                Some(first) if first.is_ascii_alphanumeric() => Ok(text.to_owned()),
                _ => Err(format!("`project.dependencies` holds `{text}`, which is no requirement")),
            }
        })
        .collect()
}

/// Whether the server is started as a module that no folder of the bundle holds.
fn needs_project(manifest: &Manifest, copy: &Path) -> bool {
    let entry = &manifest.server.entry_point;
    let args = manifest.server.mcp_config.as_ref().map(|config| config.args.as_slice()).unwrap_or_default();
    let after_m = args.iter().zip(args.iter().skip(1)).filter(|(flag, _)| *flag == "-m").map(|(_, module)| module);
    let missing_entry = (!copy.join(entry).exists()).then_some(entry);
    let roots: Vec<PathBuf> =
        [""].into_iter().chain(RUNNER_FOLDERS).chain(python_path(manifest)).map(|root| copy.join(root)).collect();
    missing_entry.into_iter().chain(after_m).any(|module| {
        let top = module.split('.').next().unwrap_or(module);
        !roots.iter().any(|root| root.join(top).is_dir() || root.join(format!("{top}.py")).is_file())
    })
}

fn with_uv(
    uv: &Tool<'_>,
    request: &Request<'_>,
    source: &Source,
    places: &Places<'_>,
) -> Result<&'static str, VendorError> {
    let locked = places.outside.join("locked.txt");
    if source.locked {
        let mut args = words(&["export", "--frozen", "--no-dev", "--no-emit-project", "--quiet", "--output-file"]);
        args.push(locked.clone().into());
        uv.run(&args, places.copy, "reading uv.lock", request.quiet, None)?;
    }
    let list: OsString = match source {
        Source { requirements: Some(file), .. } => (*file).into(),
        Source { locked: true, .. } => locked.into(),
        // uv also knows the project file's own sources.
        _ => "pyproject.toml".into(),
    };
    let install = |wheels_only: bool, what: [OsString; 2]| {
        let mut args = words(&["pip", "install", "--target"]);
        args.push(places.target.into());
        args.extend(words(&["--link-mode=copy", "--no-progress"]));
        if wheels_only && !request.allow_sdist {
            args.extend(words(&["--only-binary", ":all:"]));
        }
        args.extend(request.python_version.iter().flat_map(|version| words(&["--python-version", version])));
        let platform = request.platform.map(uv_platform);
        args.extend(platform.iter().flat_map(|platform| words(&["--python-platform", platform])));
        args.extend(what);
        uv.run(&args, places.copy, "vendoring with uv pip install", request.quiet, hint(request))
    };
    install(true, ["-r".into(), list])?;
    if source.project {
        // The author's own project has no wheel yet; it alone is built.
        install(false, ["--no-deps".into(), places.outside.join(PROJECT_FOLDER).into()])?;
    }
    Ok("uv pip install")
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn with_pip(request: &Request<'_>, source: &Source, places: &Places<'_>) -> Result<&'static str, VendorError> {
    let foreign = request.platform.is_some() || request.python_version.is_some();
    if foreign && request.allow_sdist {
        let text = "--allow-sdist builds for this machine; with --platform or --python-version it needs uv";
        return Err(VendorError::Flags(text.to_owned()));
    }
    let python = Tool::find(&["python3", "python"], request.settings).ok_or(VendorError::MissingTool {
        tool: "uv or python3",
        kind: "python",
        hint: "install uv, or Python with pip",
    })?;
    let mut args = words(&["-m", "pip", "install", "--target"]);
    args.push(places.target.into());
    args.extend(words(&["--upgrade", "--no-compile", "--no-input", "--disable-pip-version-check"]));
    args.extend(words(&["--progress-bar=off", "--quiet"]));
    if !request.allow_sdist {
        args.push("--only-binary=:all:".into());
    }
    args.extend(pip_target(request).into_iter().map(OsString::from));
    match source {
        Source { requirements: Some(file), .. } => args.extend(words(&["-r", file])),
        Source { project: true, .. } => args.push(places.outside.join(PROJECT_FOLDER).into()),
        Source { dependencies, .. } if dependencies.is_empty() => return Ok("pip install"),
        Source { dependencies, .. } => args.extend(dependencies.iter().map(OsString::from)),
    }
    python.run(&args, places.copy, "vendoring with pip install", request.quiet, hint(request))?;
    Ok("pip install")
}

fn hint(request: &Request<'_>) -> Option<&'static str> {
    let text = "a package without a wheel for the target needs --allow-sdist, which runs its build code";
    (!request.allow_sdist).then_some(text)
}

/// pip's words for another interpreter or platform. It does not know which manylinux versions include
/// which, so all are named.
fn pip_target(request: &Request<'_>) -> Vec<String> {
    let mut args = Vec::new();
    if let Some(platform) = request.platform {
        args.extend(pip_platforms(platform).into_iter().map(|tag| format!("--platform={tag}")));
    }
    if let Some(version) = request.python_version {
        let abi = format!("cp{}", version.replace('.', ""));
        args.push(format!("--python-version={version}"));
        args.push("--implementation=cp".to_owned());
        args.extend([abi.as_str(), "abi3", "none"].map(|abi| format!("--abi={abi}")));
    }
    args
}

fn pip_platforms(platform: Platform) -> Vec<String> {
    const NEWEST_GLIBC: u32 = 28;
    let machine = if platform.arch == Arch::Arm64 { "aarch64" } else { "x86_64" };
    match (platform.os, platform.arch) {
        (Os::Darwin, Arch::Arm64) => vec!["macosx_12_0_arm64".to_owned()],
        (Os::Darwin, _) => vec!["macosx_12_0_x86_64".to_owned()],
        (Os::Win32, Arch::Arm64) => vec!["win_arm64".to_owned()],
        (Os::Win32, _) => vec!["win_amd64".to_owned()],
        _ => {
            let numbered = (5..=NEWEST_GLIBC).rev().map(|minor| format!("manylinux_2_{minor}_{machine}"));
            let named = ["manylinux2014", "manylinux2010", "manylinux1", "linux"];
            numbered.chain(named.map(|name| format!("{name}_{machine}"))).collect()
        }
    }
}

fn uv_platform(platform: Platform) -> String {
    let machine = if platform.arch == Arch::Arm64 { "aarch64" } else { "x86_64" };
    let system = match platform.os {
        Os::Darwin => "apple-darwin",
        Os::Win32 => "pc-windows-msvc",
        Os::Linux | Os::Any => "manylinux_2_28",
    };
    format!("{machine}-{system}")
}

/// Removes what names this machine: starters with its interpreter's path, where local files came from,
/// locks and caches; and their lines in the lists of files.
fn take_out_machine_files(target: &Path) -> Result<(), VendorError> {
    let remove = |path: &Path| fs::remove_file(path).map_err(VendorError::io(path));
    let mut removed_starters = Vec::new();
    for folder in ["bin", "Scripts"].map(|name| target.join(name)) {
        if !folder.is_dir() {
            continue;
        }
        for name in names(&folder)? {
            if is_starter(&folder.join(&name)) {
                remove(&folder.join(&name))?;
                removed_starters.push(name);
            }
        }
        // Only an empty one goes.
        let _ = fs::remove_dir(&folder);
    }
    if target.join(".lock").is_file() {
        remove(&target.join(".lock"))?;
    }
    for name in names(target)?.iter().filter(|name| name.ends_with(".dist-info")) {
        let folder = target.join(name);
        for file in ["direct_url.json", "uv_cache.json", "uv_build.json"].map(|name| folder.join(name)) {
            if file.is_file() {
                remove(&file)?;
            }
        }
        shorten_record(&folder.join("RECORD"), &removed_starters)?;
    }
    Ok(())
}

/// A script that starts with the path of an interpreter, or its Windows form.
fn is_starter(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_scripts = path.parent().is_some_and(|folder| folder.ends_with("Scripts"));
    (in_scripts && has_ending(&name, "exe")) || fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"))
}

fn shorten_record(path: &Path, removed_starters: &[String]) -> Result<(), VendorError> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    let is_gone = |line: &str| {
        let file = line.split(',').next().unwrap_or_default();
        let mut parts = file.rsplit('/');
        let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        matches!(name, "direct_url.json" | "uv_cache.json" | "uv_build.json")
            || (matches!(folder, "bin" | "Scripts") && removed_starters.iter().any(|starter| starter == name))
    };
    let kept: String = text.split_inclusive('\n').filter(|line| !is_gone(line)).collect();
    if kept == text { Ok(()) } else { durable::replace(path, kept.as_bytes(), 0o644).map_err(VendorError::io(path)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpak_bundle::limits::Limits;
    use mpak_bundle::manifest::{Reading, read};

    fn manifest(entry_point: &str, args: &[&str], python_path: Option<&str>) -> Manifest {
        let env = python_path.map_or(serde_json::json!({}), |path| serde_json::json!({"PYTHONPATH": path}));
        let text = serde_json::json!({
            "manifest_version": "0.3", "name": "x", "version": "1.0.0", "description": "d", "author": {"name": "a"},
            "server": {"type": "python", "entry_point": entry_point,
                "mcp_config": {"command": "python", "args": args, "env": env}},
        });
        read(text.to_string().as_bytes(), Reading::Tolerant, &Limits::default()).into_result().unwrap().0
    }

    #[test]
    fn packages_go_where_runners_look() {
        let cases = [
            ("server/main.py", None, "server/lib"),
            ("main.py", None, "deps"),
            ("main.py", Some("${__dirname}/lib"), "lib"),
            ("server/main.py", Some("${__dirname}/src:${__dirname}/vendor"), "vendor"),
            ("main.py", Some("${__dirname}/src"), "deps"),
        ];
        for (entry_point, python_path, expect) in cases {
            assert_eq!(
                vendor_folder(&manifest(entry_point, &[], python_path)),
                expect,
                "{entry_point} {python_path:?}"
            );
        }
    }

    #[test]
    fn what_is_installed_follows_from_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path();
        let module = manifest("pkg.server", &["-m", "pkg.server"], None);
        assert!(matches!(source(&module, copy, true), Err(VendorError::NoSource { .. })));
        let build = "[build-system]\nrequires=[]\n[project]\nname='pkg'\ndependencies=['mcp>=1']\n";
        fs::create_dir_all(copy.join("src/pkg")).unwrap();
        fs::write(copy.join("pyproject.toml"), build).unwrap();
        // Nothing on the module path holds `pkg`: the project itself is installed.
        let found = source(&module, copy, false).unwrap();
        assert!(found.project && found.dependencies == ["mcp>=1"], "{found:?}");
        // Here something does.
        assert!(!source(&manifest("src/pkg", &["-m", "pkg"], Some("${__dirname}/src")), copy, false).unwrap().project);
        // The lock counts with uv only.
        fs::write(copy.join("uv.lock"), "").unwrap();
        assert!(source(&module, copy, true).unwrap().locked && !source(&module, copy, false).unwrap().locked);
        fs::write(copy.join("requirements.txt"), "mcp==1").unwrap();
        assert_eq!(source(&module, copy, true).unwrap().name, "requirements.txt");
    }

    #[test]
    fn no_dependency_can_be_a_flag() {
        for bad in ["'--index-url=x'", "'-r x'", "''", "1", "'./x'"] {
            let document: toml::Table = format!("[project]\ndependencies=[{bad}]").parse().unwrap();
            assert!(dependencies(&document).is_err(), "{bad}");
        }
    }

    #[test]
    fn platforms_in_the_words_of_pip_and_uv() {
        let linux = pip_platforms("linux-x64".parse().unwrap());
        for tag in ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"] {
            assert!(linux.iter().any(|t| t == tag), "{tag}");
        }
        assert_eq!(pip_platforms("win32-x64".parse().unwrap()), ["win_amd64"]);
        assert_eq!(uv_platform("darwin-arm64".parse().unwrap()), "aarch64-apple-darwin");
        assert_eq!(uv_platform("linux-arm64".parse().unwrap()), "aarch64-manylinux_2_28");
    }

    #[test]
    fn what_names_this_machine_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let place = dir.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        };
        write("bin/tool", "#!/home/me/python\n");
        write("bin/program", "\x7fELF");
        write("x-1.dist-info/direct_url.json", "{}");
        write(
            "x-1.dist-info/RECORD",
            "../../bin/tool,sha256=a,1\n../../bin/program,,\nx-1.dist-info/direct_url.json,,\nx.py,,\n",
        );
        write(".lock", "");
        take_out_machine_files(dir.path()).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("x-1.dist-info/RECORD")).unwrap(),
            "../../bin/program,,\nx.py,,\n"
        );
        assert_eq!(names(dir.path()).unwrap(), ["bin", "x-1.dist-info"]);
        assert_eq!(names(&dir.path().join("bin")).unwrap(), ["program"]);
    }
}
