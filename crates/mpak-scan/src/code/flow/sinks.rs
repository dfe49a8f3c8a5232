//! Where text becomes action: calls that are dangerous with text that others choose.

use crate::code::facts::Language;

/// What a sink does with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        | "sh.Command" => sink(K::Process, &[0, 1, 2, 3, 4, 5, 6, 7], &["args", "command"]),
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
        | "mako.template.Template"
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
        | "vm2.NodeVM().run" => sink(K::Code, BOTH, &[]),
        "setTimeout" | "setInterval" | "setImmediate" => sink(K::Code, FIRST, &[]),
        "node-serialize.unserialize"
        | "serialize-javascript.deserialize"
        | "v8.deserialize"
        | "funcster.deepDeserialize" => sink(K::Deserialise, FIRST, &[]),
        "ejs.render"
        | "ejs.compile"
        | "pug.render"
        | "pug.compile"
        | "handlebars.compile"
        | "nunjucks.renderString"
        | "nunjucks.compile"
        | "lodash.template"
        | "underscore.template"
        | "dot.template" => sink(K::Template, FIRST, &[]),
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
        "run" | "sudo" if before == "fabric.Connection()" => sink(K::Shell, FIRST, &["command"]),
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

/// Methods that run queries, whatever they are called on: databases come from too many places to be named.
pub fn is_query(name: &str) -> bool {
    matches!(
        name,
        "execute"
            | "executemany"
            | "executescript"
            | "raw"
            | "queryRaw"
            | "$queryRawUnsafe"
            | "$executeRawUnsafe"
            | "query"
            | "prepare"
            | "fetchall"
            | "fetchrow"
            | "fetchval"
            | "exec_driver_sql"
            | "read_sql"
            | "read_sql_query"
            | "sql"
            | "all"
            | "run"
            | "unsafe"
    )
}

/// Whether a text is the begin of a statement of SQL or of a like language.
pub fn is_statement(text: &str) -> bool {
    let text = text.trim_start().trim_start_matches('(');
    let first: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let rest = &text[first.len()..];
    matches!(
        first.to_ascii_uppercase().as_str(),
        "SELECT"
            | "INSERT"
            | "UPDATE"
            | "DELETE"
            | "CREATE"
            | "DROP"
            | "ALTER"
            | "REPLACE"
            | "MERGE"
            | "WITH"
            | "PRAGMA"
            | "TRUNCATE"
            | "EXPLAIN"
            | "DESCRIBE"
            | "SHOW"
            | "CALL"
            | "GRANT"
            | "ATTACH"
            | "COPY"
            | "USE"
            | "MATCH"
            | "VACUUM"
            | "ANALYZE"
    ) && rest.starts_with([' ', '\n', '\t', '(', '*'])
}

/// Programs that run what they are given after an option.
pub fn runs_its_argument(program: &str, option: &str) -> bool {
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "su" | "ash" => {
            option.starts_with('-') && option.ends_with('c')
        }
        "cmd" => option.eq_ignore_ascii_case("/c") || option.eq_ignore_ascii_case("/k"),
        "powershell" | "pwsh" => {
            let option = option.to_ascii_lowercase();
            option.starts_with("-c") || option.starts_with("-e")
        }
        "python" | "node" | "perl" | "ruby" | "php" | "osascript" | "deno" | "bun" | "lua" | "r" => {
            matches!(option, "-c" | "-e" | "-p" | "-r" | "eval" | "--eval" | "--print")
        }
        "sqlite" | "psql" | "mysql" => matches!(option, "-c" | "-e" | "-cmd" | "--command" | "--execute"),
        _ => false,
    }
}

/// Programs that run what they read from their input, where no argument names a script.
pub fn runs_its_input(program: &str) -> bool {
    matches!(
        bare(program),
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "ash" | "python" | "node" | "perl" | "ruby" | "php"
    )
}

/// Programs that take what follows the name of a script for the script's own arguments.
pub fn runs_a_script(program: &str) -> bool {
    runs_its_input(program) || bare(program) == "osascript"
}

/// The name of a program without its folder and version.
fn bare(program: &str) -> &str {
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// Options whose value is whatever stands behind them, and harmless.
pub fn takes_a_value(program: &str, option: &str) -> bool {
    match bare(program) {
        "find" => matches!(
            option,
            "-name"
                | "-iname"
                | "-path"
                | "-ipath"
                | "-wholename"
                | "-regex"
                | "-iregex"
                | "-type"
                | "-size"
                | "-mtime"
                | "-mmin"
                | "-user"
                | "-group"
                | "-perm"
                | "-maxdepth"
                | "-mindepth"
        ),
        "git" => {
            matches!(option, "-m" | "--message" | "--author" | "--since" | "--until" | "--grep" | "-S" | "-G" | "-n")
        }
        "curl" => matches!(option, "-A" | "--user-agent" | "-X" | "--request" | "--data-raw"),
        "wget" => option == "-U",
        "ssh" => matches!(option, "-p" | "-l"),
        _ => false,
    }
}

/// Programs whose options start other programs or write files, and those that run the file they are given.
pub fn has_dangerous_options(program: &str) -> bool {
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    matches!(
        program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'),
        "git"
            | "hg"
            | "svn"
            | "tar"
            | "curl"
            | "wget"
            | "find"
            | "rsync"
            | "ssh"
            | "scp"
            | "sftp"
            | "zip"
            | "sed"
            | "awk"
            | "sort"
            | "env"
            | "xargs"
            | "sudo"
            | "nohup"
            | "python"
            | "node"
            | "deno"
            | "bun"
            | "ruby"
            | "perl"
            | "php"
            | "bash"
            | "sh"
            | "zsh"
            | "osascript"
    )
}

/// Parameters that hold a whole query, as their name says: to run it is what the tool is for.
pub fn names_a_query(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["sql", "query", "statement", "stmt", "cypher", "kql", "command", "script", "expression"]
        .iter()
        .any(|word| name.contains(word))
}

/// Methods that only run queries, whatever they are called on.
pub fn runs_whole_queries(name: &str) -> bool {
    matches!(
        name,
        "execute"
            | "executemany"
            | "executescript"
            | "query"
            | "queryRaw"
            | "$queryRawUnsafe"
            | "$executeRawUnsafe"
            | "exec_driver_sql"
            | "read_sql"
            | "read_sql_query"
    )
}

/// Names of members that hold a name inside an archive, by the module that opens it.
pub fn names_a_member(module: &str, member: &str) -> bool {
    matches!(
        (module, member),
        ("adm-zip", "entryName") | ("yauzl" | "yauzl-promise", "fileName") | ("unzipper" | "unzip-stream", "path")
    )
}

/// Calls that list the members of an archive.
pub fn lists_members(path: &str) -> bool {
    let Some((before, name)) = path.rsplit_once('.') else { return false };
    matches!(name, "namelist" | "infolist" | "getmembers" | "getnames" | "getEntries" | "next")
        && matches!(
            before,
            "zipfile.ZipFile()"
                | "tarfile.open()"
                | "tarfile.TarFile()"
                | "tarfile.TarFile.open()"
                | "adm-zip()"
                | "py7zr.SevenZipFile()"
                | "rarfile.RarFile()"
        )
}

/// What a call makes of text that outsiders choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing of it is left: numbers, lengths, digests.
    Cleans,
    /// It is safe for these.
    Makes(super::value::Safe),
    /// Links and `..` are resolved.
    Resolves,
}

/// Calls that change what a text is safe for.
pub fn effect(path: &str) -> Option<Effect> {
    use super::value::Safe;
    Some(match path {
        "int"
        | "float"
        | "bool"
        | "len"
        | "ord"
        | "hash"
        | "abs"
        | "round"
        | "min"
        | "max"
        | "sum"
        | "Number"
        | "parseInt"
        | "parseFloat"
        | "Boolean"
        | "Number.parseInt"
        | "Number.parseFloat"
        | "uuid.UUID"
        | "isinstance"
        | "typeof"
        | "decimal.Decimal"
        | "fractions.Fraction"
        | "Array.isArray"
        | "Number.isInteger"
        | "Math.min"
        | "Math.max"
        | "Math.floor"
        | "Math.round"
        | "Math.ceil"
        | "ipaddress.ip_address"
        | "ipaddress.ip_network"
        | "ipaddress.ip_interface"
        | "ipaddress.IPv4Address"
        | "ipaddress.IPv6Address"
        | "ipaddress.IPv4Network"
        | "ipaddress.IPv6Network"
        | "binascii.hexlify"
        | "datetime.date.fromisoformat"
        | "datetime.datetime.fromisoformat"
        | "Date"
        | "os.path.exists"
        | "os.path.isfile"
        | "os.path.isdir"
        | "fs.existsSync"
        | "path.isAbsolute"
        | "os.path.getsize"
        | "crypto.createHash().update().digest" => Effect::Cleans,
        "shlex.quote" | "pipes.quote" | "shescape.quote" => Effect::Makes(Safe::QUOTED),
        "shlex.join" | "subprocess.list2cmdline" | "shell-quote.quote" | "shell-escape" => Effect::Makes(Safe::SHELL),
        "os.path.basename"
        | "path.basename"
        | "path.posix.basename"
        | "ntpath.basename"
        | "werkzeug.utils.secure_filename"
        | "sanitize-filename"
        | "pathvalidate.sanitize_filename" => Effect::Makes(Safe::PATH),
        "encodeURIComponent" => Effect::Makes(Safe::HOST.and(Safe::PATH).and(Safe::SHELL).and(Safe::OPENER)),
        "urllib.parse.quote"
        | "urllib.parse.quote_plus"
        | "urllib.parse.urlencode"
        | "querystring.escape"
        | "querystring.stringify"
        | "encodeURI" => Effect::Makes(Safe::HOST.and(Safe::OPENER)),
        "mysql.escape"
        | "mysql2.escape"
        | "pg-format"
        | "sqlstring.escape"
        | "sqlstring.escapeId"
        | "pg-format.ident"
        | "psycopg2.sql.Identifier"
        | "psycopg.sql.Identifier"
        | "psycopg2.sql.Literal"
        | "psycopg.sql.Literal" => Effect::Makes(Safe::QUERY),
        "ast.literal_eval" => Effect::Makes(Safe::CODE),
        "os.path.realpath"
        | "os.path.abspath"
        | "os.path.normpath"
        | "path.resolve"
        | "path.normalize"
        | "fs.realpathSync"
        | "fs.realpath"
        | "fs.promises.realpath"
        | "path.posix.normalize"
        | "path.posix.resolve" => Effect::Resolves,
        _ => return None,
    })
}

/// Whether the constant begin of a URL fixes its host.
pub fn fixes_host(prefix: &str) -> bool {
    match prefix.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?', '#']).is_some_and(|end| end > 0 && !rest[..end].contains('@')),
        // A path alone goes to the host that the client was made with.
        None => prefix.starts_with('/') && !prefix.starts_with("//"),
    }
}

/// Whether a pattern that a whole text must match lets no dangerous character through.
pub fn is_strict(pattern: &str) -> bool {
    let inner = pattern.trim_start_matches('^').trim_end_matches('$');
    let mut class = false;
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('w' | 'd' | '.' | '-' | '_' | '/' | 'A' | 'Z' | 'z' | 'b' | '+' | ':' | '@' | '=') => {}
                _ => return false,
            },
            '[' if !class => {
                class = true;
                if chars.peek() == Some(&'^') {
                    return false;
                }
            }
            ']' => class = false,
            '.' if !class => return false,
            '$' | '`' | ';' | '&' | '<' | '>' | '\'' | '"' | ' ' => return false,
            '|' | '(' | ')' | '*' if class => return false,
            _ => {}
        }
    }
    true
}
