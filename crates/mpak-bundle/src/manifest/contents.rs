//! What a manifest says about the files around it, compared with those files.

use std::cell::RefCell;

use super::fields::Fields;
use super::json;
use super::problems::{At, Problems, code, shown};
use super::{Contents, FileKind, Manifest, Problem, Reading, ServerType, png, template, values};
use crate::limits::Limits;
use crate::native::{self, BuiltFor};
use crate::platform::Os;

/// Where Python looks for modules in the layouts that exist, beside `PYTHONPATH`.
const MODULE_ROOTS: [&str; 6] = ["", "server", "src", "server/lib", "lib", "deps"];
/// Most native files that are looked at.
const NATIVE_FILES_COUNT_MAX: usize = 1_000;
/// Most icons and roots of modules that are looked at.
const PLACES_COUNT_MAX: usize = 100;
/// Most locale files that are read.
const LOCALE_FILES_COUNT_MAX: usize = 200;

/// Runs every comparison.
pub(super) fn check(manifest: &Manifest, contents: &dyn Contents, reading: Reading, limits: &Limits) -> Vec<Problem> {
    let fields = Fields::new(&manifest.raw, &manifest.lines, reading, Problems::new());
    let mut check = Check { manifest, contents, limits, f: fields };
    check.entry_point();
    check.commands();
    check.icon();
    check.icons();
    check.screenshots();
    check.localization();
    check.uv_layout();
    check.native_program();
    check.native_files();
    check.f.problems.finish()
}

/// Which first bytes [`check`] asks for, in its order: it asks for the same ones whatever they are.
pub(super) fn heads(manifest: &Manifest, contents: &dyn Contents, limits: &Limits) -> Vec<(String, usize)> {
    let asked = Asked { contents, heads: RefCell::default() };
    drop(check(manifest, &asked, Reading::Tolerant, limits));
    asked.heads.into_inner()
}

/// Contents that give no bytes, and remember which were asked for.
struct Asked<'a> {
    contents: &'a dyn Contents,
    heads: RefCell<Vec<(String, usize)>>,
}

impl Contents for Asked<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.contents.kind(path)
    }
    fn paths(&self) -> Vec<String> {
        self.contents.paths()
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        self.heads.borrow_mut().push((path.to_owned(), bytes_max));
        None
    }
}

struct Check<'a> {
    manifest: &'a Manifest,
    contents: &'a dyn Contents,
    limits: &'a Limits,
    f: Fields<'a>,
}

impl Check<'_> {
    fn is_file(&self, path: &str) -> bool {
        matches!(self.contents.kind(path), Some(FileKind::File(_)))
    }

    /// The path of a program, on Windows also with `.exe`.
    fn program_file(&self, path: &str) -> Option<String> {
        [path.to_owned(), format!("{path}.exe")].into_iter().find(|p| self.is_file(p))
    }

    fn same_but_case(&self, path: &str) -> Option<String> {
        let folded = path.to_lowercase();
        self.contents.paths().into_iter().find(|other| other.to_lowercase() == folded)
    }

    fn entry_point(&mut self) {
        let manifest = self.manifest;
        let root = At::root();
        let server = root.key("server");
        let at = server.key("entry_point");
        // What is no path was reported by the reading.
        let Ok(path) = values::bundle_path(&manifest.server.entry_point) else { return };
        let found = shown(&path);
        match self.contents.kind(&path) {
            Some(FileKind::File(_)) => return,
            Some(FileKind::Folder) => {
                let message = format!("expected a file at the entry point `{found}`, found a folder");
                return self.f.error(code::ENTRY_POINT_FOLDER, &at, message, "name the file that starts the server");
            }
            None => {}
        }
        if manifest.server.kind == ServerType::Binary && self.program_file(&path).is_some() {
            return;
        }
        if let Some(other) = self.same_but_case(&path) {
            let message = format!("expected the entry point `{found}` in the bundle, found `{}`", shown(&other));
            return self.f.error(code::ENTRY_POINT_CASE, &at, message, "write it with the same upper and lower case");
        }
        if manifest.server.kind == ServerType::Python && values::is_module_name(&path) {
            return self.module_entry_point(&path, &at);
        }
        let message = format!("expected the entry point `{found}` in the bundle, found no such file");
        self.f.error(code::ENTRY_POINT_MISSING, &at, message, "add the file or correct the path");
    }

    fn module_entry_point(&mut self, module: &str, at: &At<'_>) {
        let found = shown(module);
        if let Some(file) = self.module_file(module) {
            let message = format!("expected a path, found the module `{found}` (`{}`)", shown(&file));
            self.f.warn(code::ENTRY_POINT_MODULE, at, message, "some hosts need the path of a file here");
        } else {
            let message = format!("expected the module `{found}` in the bundle, found neither it nor such a file");
            self.f.error(code::ENTRY_POINT_MISSING, at, message, "add the file or correct the name");
        }
    }

    /// The file of a dotted module name.
    fn module_file(&self, module: &str) -> Option<String> {
        let path = module.replace('.', "/");
        let env = self.manifest.server.mcp_config.as_ref().and_then(|c| c.env.get("PYTHONPATH"));
        let named = env.into_iter().flat_map(|v| v.split([':', ';'])).filter_map(template::in_bundle);
        let roots = named.take(PLACES_COUNT_MAX).chain(MODULE_ROOTS.map(str::to_owned));
        roots
            .flat_map(|root| [".py", "/__init__.py", "/__main__.py"].map(|end| format!("{root}/{path}{end}")))
            .filter_map(|file| values::bundle_path(file.trim_start_matches('/')).ok())
            .find(|file| self.is_file(file))
    }

    fn commands(&mut self) {
        let Some(config) = &self.manifest.server.mcp_config else { return };
        let root = At::root();
        let server = root.key("server");
        let at = server.key("mcp_config");
        self.command(&config.command, &at.key("command"));
        let overrides = at.key("platform_overrides");
        for (platform, part) in &config.platform_overrides {
            if let Some(command) = &part.command {
                let place = overrides.key(platform);
                self.command(command, &place.key("command"));
            }
        }
    }

    fn command(&mut self, command: &str, at: &At<'_>) {
        let Some(path) = program_path(command) else { return };
        if self.program_file(&path).is_none() {
            let message = format!("expected the program `{}` in the bundle, found no such file", shown(&path));
            self.f.warn(code::COMMAND_MISSING, at, message, "add the file or correct the path");
        }
    }

    fn icon(&mut self) {
        let Some(icon) = self.manifest.icon.as_deref() else { return };
        let root = At::root();
        let at = root.key("icon");
        let Some(path) = local(icon) else { return };
        let Some(FileKind::File(bytes)) = self.contents.kind(&path) else {
            let message = format!("expected the icon `{}` in the bundle, found no such file", shown(&path));
            return self.f.error(code::ICON_MISSING, &at, message, "add the file or correct the path");
        };
        if bytes > self.limits.icon_bytes_max {
            let message = format!("expected an icon of at most {} bytes, found {bytes}", self.limits.icon_bytes_max);
            return self.f.error(code::ICON_TOO_LARGE, &at, message, "512×512 pixels are enough");
        }
        match self.picture(&path) {
            png::Header::Size { width, height } if width.max(height) > self.limits.icon_side_max => {
                let side = self.limits.icon_side_max;
                let message = format!("expected an icon of at most {side}×{side} pixels, found {width}×{height}");
                self.f.error(code::ICON_TOO_LARGE, &at, message, "512×512 pixels are enough");
            }
            png::Header::Size { width, height } if width == 0 || height == 0 => {
                let message = format!("expected a picture, found {width}×{height} pixels");
                self.f.warn(code::ICON_TRUNCATED, &at, message, "export it again");
            }
            png::Header::Size { .. } => {}
            png::Header::Truncated => {
                let message = format!("expected a picture, found only the first {bytes} bytes of a PNG");
                self.f.warn(code::ICON_TRUNCATED, &at, message, "export it again");
            }
            png::Header::Other => {
                let message = format!("expected a PNG picture, found something else in `{}`", shown(&path));
                self.f.error(code::ICON_FORMAT, &at, message, "convert it to PNG, 512×512 pixels");
            }
        }
    }

    fn picture(&self, path: &str) -> png::Header {
        png::header(&self.contents.head(path, png::HEADER_BYTES).unwrap_or_default())
    }

    fn icons(&mut self) {
        let root = At::root();
        let list = root.key("icons");
        for (index, icon) in self.manifest.icons.iter().take(PLACES_COUNT_MAX).enumerate() {
            let here = list.index(index);
            let Some(path) = local(&icon.src) else { continue };
            if !self.is_file(&path) {
                let message = format!("expected the icon `{}` in the bundle, found no such file", shown(&path));
                self.f.warn(code::ICON_MISSING, &here.key("src"), message, "add the file or correct the path");
                continue;
            }
            let declared = values::icon_size(&icon.size);
            match self.picture(&path) {
                png::Header::Size { width, height } if declared.is_some_and(|size| size != (width, height)) => {
                    let message = format!("expected a picture of {} pixels, found {width}x{height}", shown(&icon.size));
                    self.f.warn(code::ICON_SIZE_DIFFERS, &here.key("size"), message, "write the real size");
                }
                png::Header::Size { .. } => {}
                png::Header::Truncated | png::Header::Other => {
                    let message = format!("expected a PNG picture, found something else in `{}`", shown(&path));
                    self.f.warn(code::ICON_FORMAT, &here.key("src"), message, "convert it to PNG");
                }
            }
        }
    }

    fn screenshots(&mut self) {
        let root = At::root();
        let list = root.key("screenshots");
        for (index, screenshot) in self.manifest.screenshots.iter().take(PLACES_COUNT_MAX).enumerate() {
            let Some(path) = local(screenshot).filter(|path| !self.is_file(path)) else { continue };
            let message = format!("expected the screenshot `{}` in the bundle, found no such file", shown(&path));
            self.f.warn(code::SCREENSHOT_MISSING, &list.index(index), message, "add the file or correct the path");
        }
    }

    fn localization(&mut self) {
        let Some(localization) = &self.manifest.localization else { return };
        let Ok(template) = values::bundle_path(&localization.resources) else { return };
        let Some((before, after)) = template.split_once("${locale}") else { return };
        let root = At::root();
        let place = root.key("localization");
        let at = place.key("resources");
        let fits = |path: &String| {
            let inner = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            inner.is_some_and(|locale| values::is_locale(locale) || template.matches("${locale}").count() > 1)
        };
        let files: Vec<String> = self.contents.paths().into_iter().filter(fits).take(LOCALE_FILES_COUNT_MAX).collect();
        if files.is_empty() {
            let message = format!(
                "expected files like `{}`, found none",
                shown(&template.replace("${locale}", &localization.default_locale))
            );
            self.f.warn(code::LOCALE_FILE, &at, message, "add them or remove `localization`");
        }
        for file in files {
            if let Some(fault) = self.locale_fault(&file) {
                let message = format!("expected overrides as JSON in `{}`, found {fault}", shown(&file));
                self.f.warn(code::LOCALE_FILE, &at, message, "correct the file; its texts are not shown");
            }
        }
    }

    fn locale_fault(&self, path: &str) -> Option<String> {
        let limit = self.limits.manifest_bytes_max as usize;
        let bytes = self.contents.head(path, limit.saturating_add(1)).unwrap_or_default();
        let mut problems = Problems::new();
        match json::parse(&bytes, true, self.limits, &mut problems) {
            Ok(document) if document.root.is_object() && !problems.has_errors() => None,
            Ok(_) if !problems.has_errors() => Some("no object".to_owned()),
            _ => problems
                .finish()
                .into_iter()
                .find(|p| p.severity == super::Severity::Error)
                .map(|p| p.line.map_or_else(|| p.message.clone(), |line| format!("in line {line}: {}", p.message))),
        }
    }

    fn uv_layout(&mut self) {
        if self.manifest.server.kind != ServerType::Uv {
            return;
        }
        let root = At::root();
        let server = root.key("server");
        let at = server.key("type");
        if !self.is_file("pyproject.toml") {
            let message = "expected `pyproject.toml` beside manifest.json for a `uv` server, found none";
            self.f.error(code::UV_PROJECT_MISSING, &at, message, "add it, or use the type `python`");
        }
        for folder in ["server/lib", "server/venv"] {
            if self.contents.kind(folder).is_some() {
                let message = format!("expected no vendored packages for a `uv` server, found `{folder}`");
                self.f.warn(
                    code::UV_VENDORED,
                    &at,
                    message,
                    "remove the folder: uv installs what pyproject.toml names",
                );
            }
        }
    }

    /// The program that each declared platform starts must be built for it.
    fn native_program(&mut self) {
        let manifest = self.manifest;
        let root = At::root();
        let server = root.key("server");
        let at = server.key("entry_point");
        for os in manifest.compatibility.platforms.iter().copied() {
            let Some(path) = self.program_of(os) else { continue };
            let Some(built) = self.native_os(&path).filter(|built| *built != os && *built != Os::Any) else { continue };
            let message = format!(
                "expected a program for the declared platform {}, found `{}` built for {}",
                os.as_str(),
                shown(&path),
                built.as_str()
            );
            let help = "correct `compatibility.platforms`, or name the right program in `platform_overrides`";
            self.f.error(code::NATIVE_PLATFORM, &at, message, help);
        }
    }

    /// The file of the bundle that is started on a system.
    fn program_of(&self, os: Os) -> Option<String> {
        let server = &self.manifest.server;
        let config = server.mcp_config.as_ref();
        let own = config.and_then(|c| c.platform_overrides.get(os.as_str())).and_then(|o| o.command.as_deref());
        let command = own.filter(|c| !c.is_empty()).or(config.map(|c| c.command.as_str()));
        let path = command.and_then(program_path).or_else(|| {
            (server.kind == ServerType::Binary).then(|| values::bundle_path(&server.entry_point).ok()).flatten()
        })?;
        let exe = format!("{path}.exe");
        if os == Os::Win32 && self.is_file(&exe) { Some(exe) } else { self.program_file(&path) }
    }

    fn native_os(&self, path: &str) -> Option<Os> {
        match native::built_for(&self.contents.head(path, native::HEAD_BYTES)?)? {
            BuiltFor::Platform(platform) => Some(platform.os),
            BuiltFor::Other(words) => words.split('-').next().and_then(Os::parse),
        }
    }

    /// Native libraries that fit none of the files a declared platform needs are worth a remark.
    fn native_files(&mut self) {
        let manifest = self.manifest;
        if manifest.compatibility.platforms.is_empty() {
            return;
        }
        let paths = self.contents.paths();
        let native: Vec<(&str, Os)> = paths
            .iter()
            .filter(|path| looks_native(path))
            .take(NATIVE_FILES_COUNT_MAX)
            .filter_map(|path| Some((path.as_str(), self.native_os(path)?)))
            .collect();
        let Some((example, built)) = native.first().copied() else { return };
        let root = At::root();
        let compatibility = root.key("compatibility");
        let list = compatibility.key("platforms");
        for (index, os) in manifest.compatibility.platforms.iter().enumerate() {
            if native.iter().any(|(_, other)| other == os || *other == Os::Any) {
                continue;
            }
            let message = format!(
                "expected native code for the declared platform {}, found it for others only, like `{}` for {}",
                os.as_str(),
                shown(example),
                built.as_str()
            );
            self.f.warn(code::NATIVE_LIBRARIES, &list.index(index), message, "correct the list, or add the libraries");
        }
    }
}

/// The path of a command that lies in the bundle.
fn program_path(command: &str) -> Option<String> {
    let relative = match template::in_bundle(command) {
        Some(path) => path,
        None if command.contains('/') && !command.contains("${") => command.to_owned(),
        None => return None,
    };
    values::bundle_path(&relative).ok()
}

/// The plain path of a picture in the bundle; `None` for URLs and for what the reading has refused.
fn local(text: &str) -> Option<String> {
    let remote = text.starts_with("http://") || text.starts_with("https://");
    if remote { None } else { values::bundle_path(text).ok() }
}

fn looks_native(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    [".node", ".so", ".dylib", ".dll", ".pyd"].iter().any(|end| name.ends_with(end)) || name.contains(".so.")
}
