//! Where text becomes action: calls that are dangerous with text that others choose.

use crate::code::facts::Language;

mod archives;
mod effects;
mod programs;
mod queries;

pub use archives::{lists_members, names_a_member, opens_archives};
pub use effects::{Effect, effect, fixes_host, is_strict};
pub use programs::{
    has_dangerous_options, runs_a_script, runs_its_argument, runs_its_input, shell_words_from, takes_a_value,
};
pub use queries::{
    is_filter, is_filter_search, is_fragment, is_query, is_statement, names_a_query, runs_whole_queries,
};

/// What a sink does with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum SinkKind {
    /// A shell runs it.
    Shell,
    /// A program gets it as arguments, the first as the program.
    Process,
    /// An interpreter runs it.
    Code,
    /// Objects are made from it.
    Deserialise,
    /// A database runs it.
    Query,
    /// It names a file.
    Path,
    /// It names a host.
    Host,
    /// A template engine runs it.
    Template,
    /// Its members are written where their names say.
    Extract,
    /// A page shows it as markup.
    Markup,
    /// The system opens it with whatever program it is made for.
    Opener,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// What it does.
    pub kind: SinkKind,
    /// Which positional arguments count.
    pub args: &'static [usize],
    /// Which keywords count.
    pub keywords: &'static [&'static str],
}

const FIRST: &[usize] = &[0];
const BOTH: &[usize] = &[0, 1];
const MANY: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];

#[expect(clippy::unnecessary_wraps, reason = "the table reads better")]
const fn sink(kind: SinkKind, args: &'static [usize], keywords: &'static [&'static str]) -> Option<Sink> {
    Some(Sink { kind, args, keywords })
}

/// The sink of a dotted name.
pub fn find(language: Language, path: &str) -> Option<Sink> {
    use SinkKind as K;
    if language != Language::Python && matches!(path, "open" | "opn") {
        return sink(K::Opener, FIRST, &[]);
    }
    match path {
        // Python: shells and processes.
        "os.system"
        | "os.popen"
        | "commands.getoutput"
        | "subprocess.getoutput"
        | "subprocess.getstatusoutput"
        | "asyncio.create_subprocess_shell"
        | "pty.spawn"
        | "popen2.popen2" => sink(K::Shell, FIRST, &["cmd", "command"]),
        "subprocess.run"
        | "subprocess.call"
        | "subprocess.check_call"
        | "subprocess.check_output"
        | "subprocess.Popen"
        | "asyncio.create_subprocess_exec"
        | "anyio.run_process"
        | "anyio.open_process"
        | "trio.run_process"
        | "os.execv"
        | "os.execvp"
        | "os.execl"
        | "os.execlp"
        | "os.execve"
        | "os.execvpe"
        | "os.posix_spawn"
        | "pexpect.spawn"
        | "sh.Command" => sink(K::Process, MANY, &["args", "command"]),
        // The first says how to wait.
        "os.spawnl" | "os.spawnlp" | "os.spawnv" | "os.spawnvp" | "os.spawnle" | "os.spawnlpe" | "os.spawnve"
        | "os.spawnvpe" => sink(K::Process, &[1, 2, 3, 4, 5, 6, 7], &["args"]),
        "os.startfile" | "webbrowser.open" => sink(K::Opener, FIRST, &["url", "path"]),
        // Python: code, objects, templates.
        "eval"
        | "exec"
        | "compile"
        | "builtins.eval"
        | "builtins.exec"
        | "code.interact"
        | "runpy.run_path"
        | "runpy.run_module"
        | "__import__"
        | "importlib.import_module"
        | "execfile" => sink(K::Code, FIRST, &["source"]),
        "pickle.Unpickler" | "_pickle.Unpickler" | "dill.Unpickler" => sink(K::Deserialise, FIRST, &["file"]),
        "pickle.load" | "pickle.loads" | "cPickle.loads" | "_pickle.loads" | "dill.loads" | "dill.load"
        | "cloudpickle.loads" | "cloudpickle.load" | "marshal.loads" | "marshal.load" | "shelve.open"
        | "jsonpickle.decode" | "joblib.load" | "pandas.read_pickle" | "torch.load" | "yaml.load" | "yaml.load_all"
        | "yaml.unsafe_load" | "yaml.full_load" => sink(K::Deserialise, FIRST, &["stream"]),
        "jinja2.Template"
        | "jinja2.Environment().from_string"
        | "jinja2.NativeEnvironment().from_string"
        | "jinja2.nativetypes.NativeEnvironment().from_string"
        | "mako.template.Template"
        | "tornado.template.Template"
        | "django.template.Template"
        | "django.template.Engine().from_string"
        | "bottle.template"
        | "bottle.SimpleTemplate"
        | "chameleon.PageTemplate"
        | "Cheetah.Template.Template"
        | "genshi.template.MarkupTemplate"
        | "genshi.template.NewTextTemplate"
        | "flask.render_template_string" => sink(K::Template, FIRST, &["source"]),
        // Python: files.
        "open"
        | "io.open"
        | "codecs.open"
        | "os.open"
        | "aiofiles.open"
        | "anyio.open_file"
        | "gzip.open"
        | "os.remove"
        | "os.unlink"
        | "os.rmdir"
        | "os.mkdir"
        | "os.makedirs"
        | "os.listdir"
        | "os.scandir"
        | "os.walk"
        | "os.chmod"
        | "os.chdir"
        | "os.removedirs"
        | "os.truncate"
        | "shutil.rmtree"
        | "linecache.getlines"
        | "numpy.load"
        | "pandas.read_csv"
        | "PIL.Image.open"
        | "fileinput.input"
        | "zipfile.ZipFile"
        | "tarfile.open"
        | "sqlite3.connect"
        | "shutil.unpack_archive" => sink(K::Path, FIRST, &["file", "path", "name", "filename"]),
        "os.rename" | "os.replace" | "os.link" | "os.symlink" | "shutil.copy" | "shutil.copy2" | "shutil.copyfile"
        | "shutil.copytree" | "shutil.move" => sink(K::Path, BOTH, &["src", "dst"]),
        "tarfile.open().extractall"
        | "tarfile.open().extract"
        | "tarfile.TarFile().extractall"
        | "tarfile.TarFile().extract"
        | "tarfile.TarFile.open().extractall" => sink(K::Extract, &[], &[]),
        "zipfile.ZipFile().extractall" => sink(K::Path, FIRST, &["path"]),
        "git.Repo" | "git.Repo.init" | "pygit2.Repository" | "pygit2.init_repository" => {
            sink(K::Path, FIRST, &["path"])
        }
        // Python: network.
        "requests.get"
        | "requests.post"
        | "requests.put"
        | "requests.delete"
        | "requests.patch"
        | "requests.head"
        | "requests.options"
        | "httpx.get"
        | "httpx.post"
        | "httpx.put"
        | "httpx.delete"
        | "httpx.patch"
        | "httpx.head"
        | "httpx.stream"
        | "urllib.request.urlopen"
        | "urllib.request.Request"
        | "urllib.request.urlretrieve"
        | "urllib3.request"
        | "http.client.HTTPConnection"
        | "http.client.HTTPSConnection"
        | "wget.download"
        | "feedparser.parse" => sink(K::Host, FIRST, &["url", "host"]),
        "httpx.Client" | "httpx.AsyncClient" | "aiohttp.ClientSession" | "axios.create" => {
            sink(K::Host, FIRST, &["base_url"])
        }
        "azure.kusto.data.KustoClient().execute"
        | "azure.kusto.data.KustoClient().execute_query"
        | "azure.kusto.data.KustoClient().execute_mgmt"
        | "azure.kusto.data.aio.KustoClient().execute"
        | "azure.kusto.data.aio.KustoClient().execute_query"
        | "azure.monitor.query.LogsQueryClient().query_workspace"
        | "azure-kusto-data.Client().execute"
        | "azure-kusto-data.Client().executeQuery" => sink(K::Query, &[1], &["query"]),
        "document.write" | "document.writeln" => sink(K::Markup, FIRST, &[]),
        "requests.request" | "httpx.request" => sink(K::Host, &[1], &["url"]),
        // JavaScript: shells and processes.
        "child_process.exec"
        | "child_process.execSync"
        | "shelljs.exec"
        | "execa.command"
        | "execa.execaCommand"
        | "execa.commandSync"
        | "execa.execaCommandSync" => sink(K::Shell, FIRST, &[]),
        "child_process.spawn"
        | "child_process.spawnSync"
        | "child_process.execFile"
        | "child_process.execFileSync"
        | "child_process.fork"
        | "cross-spawn"
        | "cross-spawn.sync"
        | "cross-spawn.spawn"
        | "execa"
        | "execa.execa"
        | "execa.execaSync"
        | "execa.sync"
        | "node-pty.spawn"
        | "Bun.spawn"
        | "Deno.Command" => sink(K::Process, BOTH, &[]),
        // JavaScript: code.
        "Function"
        | "Object.getPrototypeOf().constructor"
        | "vm.runInContext"
        | "vm.runInNewContext"
        | "vm.runInThisContext"
        | "vm.Script"
        | "vm.compileFunction"
        | "globalThis.eval"
        | "require"
        | "import"
        | "vm2.VM().run"
        | "vm2.NodeVM().run" => sink(K::Code, MANY, &[]),
        "setTimeout" | "setInterval" | "setImmediate" => sink(K::Code, FIRST, &[]),
        "node-serialize.unserialize"
        | "serialize-javascript.deserialize"
        | "v8.deserialize"
        | "funcster.deepDeserialize" => sink(K::Deserialise, FIRST, &[]),
        "ejs.render"
        | "ejs.compile"
        | "pug.render"
        | "pug.compile"
        | "pug.compileClient"
        | "handlebars.compile"
        | "handlebars.precompile"
        | "nunjucks.renderString"
        | "nunjucks.compile"
        | "nunjucks.Template"
        | "nunjucks.configure().renderString"
        | "nunjucks.Environment().renderString"
        | "lodash.template"
        | "lodash-es.template"
        | "underscore.template"
        | "dot.template"
        | "dot.compile"
        | "eta.render"
        | "eta.renderAsync"
        | "eta.Eta().renderString"
        | "eta.Eta().renderStringAsync"
        | "eta.Eta().compile"
        | "twig.twig"
        | "swig.render"
        | "swig.compile"
        | "swig-templates.render"
        | "art-template.render"
        | "art-template.compile"
        | "squirrelly.render"
        | "squirrelly.compile"
        | "velocityjs.render"
        | "jsrender.templates" => sink(K::Template, FIRST, &[]),
        // JavaScript: network.
        "fetch" | "node-fetch" | "axios" | "axios.get" | "axios.post" | "axios.put" | "axios.delete"
        | "axios.patch" | "axios.head" | "axios.request" | "got" | "got.get" | "got.post" | "got.stream" | "needle"
        | "superagent.get" | "superagent.post" | "undici.request" | "undici.fetch" | "http.get" | "http.request"
        | "https.get" | "https.request" | "ky" | "ky.get" | "ky.post" | "cross-fetch" => sink(K::Host, FIRST, &["url"]),
        _ => by_shape(path),
    }
}

/// Sinks told by the module and the last name.
fn by_shape(path: &str) -> Option<Sink> {
    use SinkKind as K;
    let (before, name) = path.rsplit_once('.')?;
    let file = matches!(before, "fs" | "fs.promises" | "fs-extra" | "graceful-fs" | "original-fs");
    match name {
        "rename" | "renameSync" | "copyFile" | "copyFileSync" | "cp" | "cpSync" | "symlink" | "symlinkSync"
        | "link" | "linkSync" | "move" | "moveSync" | "copy" | "copySync"
            if file =>
        {
            sink(K::Path, BOTH, &[])
        }
        "existsSync" | "exists" | "access" | "accessSync" | "stat" | "statSync" | "lstat" | "lstatSync"
        | "realpath" | "realpathSync" | "watch" | "watchFile"
            if file =>
        {
            None
        }
        _ if file && name.starts_with(|c: char| c.is_ascii_lowercase()) => sink(K::Path, FIRST, &[]),
        "get" | "post" | "put" | "delete" | "patch" | "head" | "stream" | "ws_connect"
            if matches!(
                before,
                "requests.Session()"
                    | "requests.session()"
                    | "httpx.AsyncClient()"
                    | "httpx.Client()"
                    | "aiohttp.ClientSession()"
                    | "urllib3.PoolManager()"
            ) =>
        {
            sink(K::Host, FIRST, &["url"])
        }
        "request"
            if matches!(
                before,
                "requests.Session()"
                    | "httpx.AsyncClient()"
                    | "httpx.Client()"
                    | "aiohttp.ClientSession()"
                    | "urllib3.PoolManager()"
            ) =>
        {
            sink(K::Host, &[1], &["url"])
        }
        "get" | "post" | "put" | "delete" | "patch" | "head" | "request" | "stream"
            if matches!(before, "axios.create()" | "got.extend()" | "ky.create()" | "ky.extend()") =>
        {
            sink(K::Host, FIRST, &["url"])
        }
        // A shell on another machine, and the interpreter inside the interpreter.
        "exec_command" if before.starts_with("paramiko.") => sink(K::Shell, FIRST, &["command"]),
        "run" | "sudo" | "local"
            if matches!(
                before,
                "fabric.Connection()"
                    | "fabric.connection.Connection()"
                    | "fabric.Group()"
                    | "fabric.SerialGroup()"
                    | "fabric.ThreadingGroup()"
                    | "fabric.api"
                    | "invoke.Context()"
                    | "invoke.context.Context()"
                    | "invoke"
            ) =>
        {
            sink(K::Shell, FIRST, &["command"])
        }
        "run" if before == "asyncssh.connect()" => sink(K::Shell, FIRST, &["command"]),
        "exec" if before == "ssh2.Client()" => sink(K::Shell, FIRST, &[]),
        "runsource" | "runcode" | "push"
            if matches!(before, "code.InteractiveInterpreter()" | "code.InteractiveConsole()") =>
        {
            sink(K::Code, FIRST, &["source"])
        }
        "read_text" | "write_text" | "read_bytes" | "write_bytes" | "open" | "unlink" | "rmdir" | "mkdir"
        | "iterdir" | "touch" | "rename" | "glob" | "rglob"
            if before.starts_with("pathlib.Path()") || before == "/()" || before.starts_with("anyio.Path()") =>
        {
            sink(K::Path, &[], &[])
        }
        _ => None,
    }
}
