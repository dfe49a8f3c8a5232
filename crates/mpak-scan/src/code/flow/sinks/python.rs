//! Calls of Python's library and of well-known packages that are dangerous with text that others choose.

use super::{BOTH, FIRST, MANY, SECOND, Sink, SinkKind as K, sink};

/// What a method is called on.
const RECEIVER: &[usize] = &[];
/// No argument but a keyword: no call has so many.
const KEYWORD_ONLY: &[usize] = &[usize::MAX];
const FILE: &[&str] = &["file", "path", "name", "filename", "path_or_buf", "filepath_or_buffer", "io", "fp", "fname"];

/// The sink of a dotted name.
pub(super) fn find(path: &str) -> Option<Sink> {
    runs(path).or_else(|| reads(path)).or_else(|| connects(path)).or_else(|| by_shape(path))
}

/// Shells, programs, code, objects, templates.
fn runs(path: &str) -> Option<Sink> {
    match path {
        "os.system"
        | "os.popen"
        | "commands.getoutput"
        | "commands.getstatusoutput"
        | "subprocess.getoutput"
        | "subprocess.getstatusoutput"
        | "asyncio.create_subprocess_shell"
        | "asyncio.subprocess.create_subprocess_shell"
        | "pty.spawn"
        | "popen2.popen2"
        | "pexpect.run"
        | "pexpect.runu"
        | "delegator.run"
        | "envoy.run"
        | "plumbum.local.session().run" => sink(K::Shell, FIRST, &["cmd", "command"]),
        "subprocess.run"
        | "subprocess.call"
        | "subprocess.check_call"
        | "subprocess.check_output"
        | "subprocess.Popen"
        | "psutil.Popen"
        | "gevent.subprocess.run"
        | "gevent.subprocess.Popen"
        | "gevent.subprocess.check_output"
        | "asyncio.create_subprocess_exec"
        | "asyncio.subprocess.create_subprocess_exec"
        | "anyio.run_process"
        | "anyio.open_process"
        | "trio.run_process"
        | "trio.lowlevel.open_process"
        | "os.execv"
        | "os.execvp"
        | "os.execl"
        | "os.execle"
        | "os.execlp"
        | "os.execlpe"
        | "os.execve"
        | "os.execvpe"
        | "os.posix_spawn"
        | "os.posix_spawnp"
        | "pexpect.spawn"
        | "pexpect.spawnu"
        | "pexpect.popen_spawn.PopenSpawn"
        | "ptyprocess.PtyProcess.spawn"
        | "winpty.PtyProcess.spawn"
        | "distutils.spawn.spawn"
        | "sh.Command" => sink(K::Process, MANY, &["args", "command", "cmd"]),
        // The first says how to wait.
        "os.spawnl" | "os.spawnlp" | "os.spawnv" | "os.spawnvp" | "os.spawnle" | "os.spawnlpe" | "os.spawnve"
        | "os.spawnvpe" => sink(K::Process, &[1, 2, 3, 4, 5, 6, 7], &["args"]),
        "os.startfile"
        | "webbrowser.open"
        | "webbrowser.open_new"
        | "webbrowser.open_new_tab"
        | "click.launch"
        | "typer.launch" => sink(K::Opener, FIRST, &["url", "path"]),
        "eval"
        | "exec"
        | "compile"
        | "builtins.eval"
        | "builtins.exec"
        | "builtins.compile"
        | "builtins.__import__"
        | "code.interact"
        | "codeop.compile_command"
        | "runpy.run_path"
        | "runpy.run_module"
        | "__import__"
        | "importlib.import_module"
        | "importlib.__import__"
        | "imp.load_source"
        | "imp.load_module"
        | "execfile"
        | "timeit.timeit"
        | "timeit.repeat"
        | "timeit.Timer"
        | "cProfile.run"
        | "profile.run"
        | "numexpr.evaluate"
        | "pandas.eval"
        | "sympy.sympify"
        | "sympy.parse_expr"
        | "sympy.parsing.sympy_parser.parse_expr"
        | "sympy.lambdify"
        | "js2py.eval_js"
        | "js2py.eval_js6"
        | "execjs.eval"
        | "execjs.compile"
        | "dukpy.evaljs"
        | "lupa.LuaRuntime().execute"
        | "lupa.LuaRuntime().eval"
        | "IPython.get_ipython().run_cell"
        | "IPython.core.interactiveshell.InteractiveShell.instance().run_cell"
        | "IPython.core.interactiveshell.InteractiveShell().run_cell" => {
            sink(K::Code, FIRST, &["source", "expr", "stmt", "ex"])
        }
        "importlib.util.spec_from_file_location" => sink(K::Code, SECOND, &["location"]),
        "types.FunctionType" => sink(K::Code, FIRST, &["code"]),
        "pickle.Unpickler" | "_pickle.Unpickler" | "dill.Unpickler" | "cloudpickle.Unpickler" | "pickle5.Unpickler" => {
            sink(K::Deserialise, FIRST, &["file"])
        }
        "pickle.load"
        | "pickle.loads"
        | "cPickle.load"
        | "cPickle.loads"
        | "_pickle.load"
        | "_pickle.loads"
        | "pickle5.loads"
        | "dill.loads"
        | "dill.load"
        | "dill.load_session"
        | "dill.load_module"
        | "cloudpickle.loads"
        | "cloudpickle.load"
        | "compress_pickle.load"
        | "compress_pickle.loads"
        | "srsly.pickle_loads"
        | "marshal.loads"
        | "marshal.load"
        | "shelve.open"
        | "jsonpickle.decode"
        | "jsonpickle.loads"
        | "jsonpickle.unpickler.decode"
        | "joblib.load"
        | "sklearn.externals.joblib.load"
        | "pandas.read_pickle"
        | "pandas.io.pickle.read_pickle"
        | "torch.load"
        | "keras.models.load_model"
        | "tensorflow.keras.models.load_model"
        | "yaml.load"
        | "yaml.load_all"
        | "yaml.unsafe_load"
        | "yaml.unsafe_load_all"
        | "yaml.full_load"
        | "yaml.full_load_all"
        | "ruamel.yaml.load"
        | "ruamel.yaml.load_all"
        | "ruamel.yaml.round_trip_load_unsafe"
        | "pyarrow.deserialize" => sink(K::Deserialise, FIRST, &["stream", "data", "filepath_or_buffer"]),
        "jinja2.Template"
        | "jinja2.Environment().from_string"
        | "jinja2.environment.Environment().from_string"
        | "jinja2.Environment().overlay().from_string"
        | "jinja2.NativeEnvironment().from_string"
        | "jinja2.nativetypes.NativeEnvironment().from_string"
        | "jinja2.nativetypes.NativeTemplate"
        | "jinja2.environment.Template"
        | "mako.template.Template"
        | "mako.lookup.TemplateLookup().put_string"
        | "tornado.template.Template"
        | "django.template.Template"
        | "django.template.Engine().from_string"
        | "django.template.engines['django'].from_string"
        | "bottle.template"
        | "bottle.SimpleTemplate"
        | "chameleon.PageTemplate"
        | "chameleon.PageTextTemplate"
        | "Cheetah.Template.Template"
        | "genshi.template.MarkupTemplate"
        | "genshi.template.NewTextTemplate"
        | "genshi.template.TextTemplate"
        | "web.template.Template"
        | "flask.render_template_string"
        | "quart.render_template_string" => sink(K::Template, FIRST, &["source", "text"]),
        "azure.kusto.data.KustoClient().execute"
        | "azure.kusto.data.KustoClient().execute_query"
        | "azure.kusto.data.KustoClient().execute_mgmt"
        | "azure.kusto.data.aio.KustoClient().execute"
        | "azure.kusto.data.aio.KustoClient().execute_query"
        | "azure.monitor.query.LogsQueryClient().query_workspace" => sink(K::Query, SECOND, &["query"]),
        _ => None,
    }
}

/// Files, by their names.
fn reads(path: &str) -> Option<Sink> {
    match path {
        "open"
        | "io.open"
        | "io.FileIO"
        | "builtins.open"
        | "codecs.open"
        | "os.open"
        | "os.mkfifo"
        | "os.mknod"
        | "aiofiles.open"
        | "aiofile.async_open"
        | "aiofile.AIOFile"
        | "anyio.open_file"
        | "trio.open_file"
        | "gzip.open"
        | "gzip.GzipFile"
        | "bz2.open"
        | "bz2.BZ2File"
        | "lzma.open"
        | "lzma.LZMAFile"
        | "wave.open"
        | "tokenize.open"
        | "smart_open.open"
        | "os.remove"
        | "os.unlink"
        | "os.rmdir"
        | "os.mkdir"
        | "os.makedirs"
        | "os.listdir"
        | "os.scandir"
        | "os.walk"
        | "os.fwalk"
        | "os.chmod"
        | "os.chown"
        | "os.chdir"
        | "os.removedirs"
        | "os.truncate"
        | "os.readlink"
        | "os.utime"
        | "aiofiles.os.remove"
        | "aiofiles.os.unlink"
        | "aiofiles.os.rmdir"
        | "aiofiles.os.mkdir"
        | "aiofiles.os.makedirs"
        | "aiofiles.os.listdir"
        | "aiofiles.os.scandir"
        | "glob.glob"
        | "glob.iglob"
        | "shutil.rmtree"
        | "shutil.chown"
        | "send2trash.send2trash"
        | "linecache.getlines"
        | "linecache.getline"
        | "numpy.load"
        | "numpy.loadtxt"
        | "numpy.genfromtxt"
        | "numpy.fromfile"
        | "numpy.memmap"
        | "numpy.save"
        | "numpy.savez"
        | "numpy.savetxt"
        | "PIL.Image.open"
        | "cv2.imread"
        | "cv2.imwrite"
        | "cv2.VideoCapture"
        | "imageio.imread"
        | "imageio.v2.imread"
        | "imageio.v3.imread"
        | "matplotlib.pyplot.savefig"
        | "matplotlib.pyplot.imread"
        | "openpyxl.load_workbook"
        | "xlrd.open_workbook"
        | "docx.Document"
        | "pptx.Presentation"
        | "fitz.open"
        | "pymupdf.open"
        | "pypdf.PdfReader"
        | "PyPDF2.PdfReader"
        | "PyPDF2.PdfFileReader"
        | "pdfplumber.open"
        | "pdfminer.high_level.extract_text"
        | "docx2txt.process"
        | "soundfile.read"
        | "librosa.load"
        | "h5py.File"
        | "netCDF4.Dataset"
        | "rasterio.open"
        | "fiona.open"
        | "geopandas.read_file"
        | "pyarrow.parquet.read_table"
        | "xml.etree.ElementTree.parse"
        | "xml.dom.minidom.parse"
        | "lxml.etree.parse"
        | "configparser.ConfigParser().read"
        | "dotenv.load_dotenv"
        | "dotenv.dotenv_values"
        | "fileinput.input"
        | "zipfile.ZipFile"
        | "zipfile.PyZipFile"
        | "tarfile.open"
        | "tarfile.TarFile"
        | "tarfile.TarFile.open"
        | "py7zr.SevenZipFile"
        | "rarfile.RarFile"
        | "sqlite3.connect"
        | "aiosqlite.connect"
        | "duckdb.connect"
        | "flask.send_file"
        | "starlette.responses.FileResponse"
        | "fastapi.responses.FileResponse"
        | "ctypes.CDLL"
        | "ctypes.cdll.LoadLibrary"
        | "os.statvfs" => sink(K::Path, FIRST, FILE),
        "shutil.unpack_archive" => sink(K::Path, BOTH, &["filename", "extract_dir"]),
        "shutil.make_archive" => sink(K::Path, &[0, 2], &["base_name", "root_dir"]),
        "os.rename"
        | "os.replace"
        | "os.renames"
        | "os.link"
        | "os.symlink"
        | "shutil.copy"
        | "shutil.copy2"
        | "shutil.copyfile"
        | "shutil.copytree"
        | "shutil.move"
        | "shutil.copymode"
        | "aiofiles.os.rename"
        | "aiofiles.os.replace"
        | "aioshutil.copy"
        | "aioshutil.move"
        | "aioshutil.copytree"
        | "aioshutil.rmtree" => sink(K::Path, BOTH, &["src", "dst"]),
        "tarfile.open().extractall"
        | "tarfile.open().extract"
        | "tarfile.TarFile().extractall"
        | "tarfile.TarFile().extract"
        | "tarfile.TarFile.open().extractall"
        | "tarfile.TarFile.open().extract" => sink(K::Extract, &[], &[]),
        "zipfile.ZipFile().extractall" => sink(K::Path, FIRST, &["path"]),
        "zipfile.ZipFile().extract" => sink(K::Path, SECOND, &["path"]),
        "git.Repo" | "git.Repo.init" | "pygit2.Repository" | "pygit2.init_repository" | "dulwich.repo.Repo" => {
            sink(K::Path, FIRST, &["path"])
        }
        "git.Repo.clone_from" => sink(K::Path, SECOND, &["to_path"]),
        _ => None,
    }
}

/// Other machines.
fn connects(path: &str) -> Option<Sink> {
    const URL: &[&str] = &["url", "host", "uri", "fullurl"];
    match path {
        "urllib.request.urlopen"
        | "urllib.request.Request"
        | "urllib.request.urlretrieve"
        | "urllib.request.URLopener().open"
        | "urllib.request.FancyURLopener().open"
        | "urllib.request.build_opener().open"
        | "urllib.urlopen"
        | "urllib2.urlopen"
        | "six.moves.urllib.request.urlopen"
        | "http.client.HTTPConnection"
        | "http.client.HTTPSConnection"
        | "socket.create_connection"
        | "socket.socket().connect"
        | "asyncio.open_connection"
        | "anyio.connect_tcp"
        | "websockets.connect"
        | "websockets.sync.client.connect"
        | "websockets.asyncio.client.connect"
        | "websocket.create_connection"
        | "websocket.WebSocketApp"
        | "websocket.WebSocket().connect"
        | "httpx_ws.connect_ws"
        | "httpx_ws.aconnect_ws"
        | "ftplib.FTP"
        | "ftplib.FTP_TLS"
        | "ftplib.FTP().connect"
        | "smtplib.SMTP"
        | "smtplib.SMTP_SSL"
        | "telnetlib.Telnet"
        | "paramiko.SSHClient().connect"
        | "asyncssh.connect"
        | "xmlrpc.client.ServerProxy"
        | "wget.download"
        | "feedparser.parse"
        | "trafilatura.fetch_url"
        | "newspaper.Article"
        | "treq.get"
        | "treq.post"
        | "cloudscraper.create_scraper().get"
        | "crawl4ai.AsyncWebCrawler().arun"
        | "pandas.read_html" => sink(K::Host, FIRST, URL),
        "httpx.Client" | "httpx.AsyncClient" | "aiohttp.ClientSession" => sink(K::Host, KEYWORD_ONLY, &["base_url"]),
        _ => None,
    }
}

/// Sinks told by the module and the last name.
fn by_shape(path: &str) -> Option<Sink> {
    let (before, name) = path.rsplit_once('.')?;
    let verb = matches!(name, "get" | "post" | "put" | "delete" | "patch" | "head" | "options" | "stream");
    let library = matches!(
        before,
        "requests"
            | "requests.api"
            | "httpx"
            | "curl_cffi.requests"
            | "niquests"
            | "primp"
            | "requests_futures"
            | "grequests"
    );
    let client = matches!(
        before,
        "requests.Session()"
            | "requests.session()"
            | "requests.sessions.Session()"
            | "httpx.AsyncClient()"
            | "httpx.Client()"
            | "aiohttp.ClientSession()"
            | "aiohttp.client.ClientSession()"
            | "urllib3.PoolManager()"
            | "urllib3.ProxyManager()"
            | "urllib3"
            | "aiohttp"
            | "requests_html.HTMLSession()"
            | "requests_html.AsyncHTMLSession()"
            | "requests_cache.CachedSession()"
            | "requests_futures.sessions.FuturesSession()"
            | "cloudscraper.create_scraper()"
            | "curl_cffi.requests.Session()"
            | "curl_cffi.requests.AsyncSession()"
            | "niquests.Session()"
            | "niquests.AsyncSession()"
            | "primp.Client()"
            | "httplib2.Http()"
            | "tornado.httpclient.AsyncHTTPClient()"
            | "tornado.httpclient.HTTPClient()"
    );
    match name {
        "request" if before == "httplib2.Http()" => sink(K::Host, FIRST, &["uri"]),
        "fetch" if client => sink(K::Host, FIRST, &["request"]),
        _ if verb && (library || client) => sink(K::Host, FIRST, &["url"]),
        "ws_connect" | "urlopen" if client => sink(K::Host, FIRST, &["url"]),
        "request" | "build_request" if library || client => sink(K::Host, SECOND, &["url"]),
        "Request" if library => sink(K::Host, SECOND, &["url"]),
        // A shell on another machine, and the interpreter inside the interpreter.
        "exec_command" if before.starts_with("paramiko.") => sink(K::Shell, FIRST, &["command"]),
        "send_command" | "send_command_timing" | "send_config_set" if before.starts_with("netmiko.") => {
            sink(K::Shell, FIRST, &["command_string"])
        }
        "run_cmd" | "run_ps" if before.starts_with("winrm.") => sink(K::Shell, FIRST, &["command", "script"]),
        "run_command" if before.starts_with("pssh.") => sink(K::Shell, FIRST, &["command"]),
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
        "run" | "create_process" if before == "asyncssh.connect()" => sink(K::Shell, FIRST, &["command"]),
        "runsource" | "runcode" | "push"
            if matches!(before, "code.InteractiveInterpreter()" | "code.InteractiveConsole()") =>
        {
            sink(K::Code, FIRST, &["source"])
        }
        "eval" | "register_script" if before.starts_with("redis.") || before.starts_with("aioredis.") => {
            sink(K::Code, FIRST, &["script"])
        }
        "oneshot" | "create" | "export"
            if before.starts_with("splunklib.") && before.rsplit('.').next() == Some("jobs") =>
        {
            sink(K::Query, FIRST, &["query"])
        }
        // Containers: what is run in them.
        "exec_run" if before.starts_with("docker.") => sink(K::Process, FIRST, &["cmd"]),
        "run" | "create" if before.starts_with("docker.") && before.ends_with(".containers") => {
            sink(K::Process, SECOND, &["command"])
        }
        // Frames of data: `query` and `eval` run their text.
        "eval" | "query" if is_frame(before) => sink(K::Code, FIRST, &["expr"]),
        _ if name.starts_with("read_") && matches!(before, "pandas" | "polars" | "modin.pandas" | "dask.dataframe") => {
            (!matches!(
                name,
                "read_sql" | "read_sql_query" | "read_clipboard" | "read_gbq" | "read_sql_table" | "read_database"
            ))
            .then_some(())
            .and_then(|()| sink(K::Path, FIRST, FILE))
        }
        _ if is_frame(before) && (writes_frame(name) || name.starts_with("write_") || name.starts_with("sink_")) => {
            sink(K::Path, FIRST, &["path_or_buf", "path", "excel_writer", "file"])
        }
        "save" if before.starts_with("PIL.") || before.starts_with("openpyxl.") || before.starts_with("docx.") => {
            sink(K::Path, FIRST, &["fp", "filename", "path"])
        }
        "savefig" if before.starts_with("matplotlib.") => sink(K::Path, FIRST, &["fname"]),
        "read_text" | "write_text" | "read_bytes" | "write_bytes" | "open" | "unlink" | "rmdir" | "mkdir"
        | "iterdir" | "touch" | "glob" | "rglob" | "walk" | "chmod" | "readlink" | "lchmod" | "rmtree"
            if is_path(before) =>
        {
            sink(K::Path, RECEIVER, &[])
        }
        "rename" | "replace" | "symlink_to" | "hardlink_to" | "link_to" | "copy" | "move" | "copy_into"
            if is_path(before) =>
        {
            sink(K::Path, RECEIVER, &[])
        }
        _ => None,
    }
}

/// Objects of `pathlib` and its likes, also where methods made them of others.
fn is_path(before: &str) -> bool {
    before.starts_with("pathlib.Path()")
        || before == "/()"
        || before.starts_with("anyio.Path()")
        || before.starts_with("pathlib.PosixPath()")
        || before.starts_with("aiopath.AsyncPath()")
        || before.starts_with("upath.UPath()")
        || before.starts_with("trio.Path()")
        || before.starts_with("/().") && !before.contains(".read_text") && !before.contains(".read_bytes")
        || before.starts_with("pathlib.Path.home()")
        || before.starts_with("pathlib.Path.cwd()")
}

fn is_frame(before: &str) -> bool {
    let library = ["pandas.", "polars.", "modin.pandas.", "dask.dataframe.", "geopandas."];
    library.iter().any(|module| before.starts_with(module)) && before.ends_with(')')
}

fn writes_frame(name: &str) -> bool {
    matches!(
        name,
        "to_csv"
            | "to_excel"
            | "to_parquet"
            | "to_pickle"
            | "to_json"
            | "to_html"
            | "to_feather"
            | "to_hdf"
            | "to_orc"
            | "to_xml"
            | "to_stata"
            | "to_latex"
            | "to_markdown"
            | "to_file"
    )
}
