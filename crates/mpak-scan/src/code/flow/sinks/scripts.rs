//! Calls of JavaScript's engines and of well-known packages that are dangerous with text that others choose.

use super::{BOTH, FIRST, MANY, SECOND, Sink, SinkKind as K, sink};

/// The sink of a dotted name.
pub(super) fn find(path: &str) -> Option<Sink> {
    runs(path).or_else(|| makes(path)).or_else(|| reads(path)).or_else(|| connects(path)).or_else(|| by_shape(path))
}

/// Shells and programs.
fn runs(path: &str) -> Option<Sink> {
    match path {
        "open" | "opn" | "open.openApp" | "electron.shell.openExternal" | "electron.shell.openPath" => {
            sink(K::Opener, FIRST, &[])
        }
        "child_process.exec"
        | "child_process.execSync"
        | "mz.child_process.exec"
        | "child-process-promise.exec"
        | "promisify-child-process.exec"
        | "exec-sh"
        | "exec-sh.promise"
        | "await-exec"
        | "async-exec"
        | "node-exec-promise.exec"
        | "sudo-prompt.exec"
        | "@vscode.sudo-prompt.exec"
        | "node-cmd.run"
        | "node-cmd.runSync"
        | "node-cmd.get"
        | "shelljs.exec"
        | "shelljs.global.exec"
        | "execa.command"
        | "execa.execaCommand"
        | "execa.commandSync"
        | "execa.execaCommandSync"
        | "node-powershell.PowerShell.invoke"
        | "node-powershell.PowerShell().invoke"
        | "node-powershell.PowerShell().addCommand" => sink(K::Shell, FIRST, &[]),
        "child_process.spawn"
        | "child_process.spawnSync"
        | "child_process.execFile"
        | "child_process.execFileSync"
        | "child_process.fork"
        | "mz.child_process.spawn"
        | "mz.child_process.execFile"
        | "child-process-promise.spawn"
        | "child-process-promise.execFile"
        | "promisify-child-process.spawn"
        | "promisify-child-process.execFile"
        | "cross-spawn"
        | "cross-spawn.sync"
        | "cross-spawn.spawn"
        | "@expo.spawn-async"
        | "@npmcli.promise-spawn"
        | "foreground-child"
        | "foreground-child.foregroundChild"
        | "nano-spawn"
        | "tinyexec.x"
        | "tinyexec.exec"
        | "tinyspawn"
        | "execa"
        | "execa.execa"
        | "execa.execaNode"
        | "execa.execaSync"
        | "execa.sync"
        | "execa.node"
        | "node-pty.spawn"
        | "@lydell.node-pty.spawn"
        | "Bun.spawn"
        | "Bun.spawnSync"
        | "bun.spawn"
        | "bun.spawnSync"
        | "Deno.run"
        | "Deno.Command" => sink(K::Process, BOTH, &[]),
        _ => None,
    }
}

/// Code, objects, templates, markup, queries.
fn makes(path: &str) -> Option<Sink> {
    match path {
        "eval"
        | "globalThis.eval"
        | "global.eval"
        | "window.eval"
        | "Function"
        | "globalThis.Function"
        | "Object.getPrototypeOf().constructor"
        | "vm.runInContext"
        | "vm.runInNewContext"
        | "vm.runInThisContext"
        | "vm.Script"
        | "vm.SourceTextModule"
        | "vm.compileFunction"
        | "require"
        | "import"
        | "module.createRequire()"
        | "vm2.VM().run"
        | "vm2.NodeVM().run"
        | "vm2.VMScript"
        | "require-from-string"
        | "node-eval"
        | "safe-eval"
        | "static-eval"
        | "notevil"
        | "eval5.evaluate"
        | "module()._compile"
        | "expression-eval.eval"
        | "expression-eval.compile" => sink(K::Code, MANY, &[]),
        "setTimeout" | "setInterval" | "setImmediate" => sink(K::Code, FIRST, &[]),
        "node-serialize.unserialize"
        | "serialize-to-js.deserialize"
        | "serialize-javascript.deserialize"
        | "cryo.parse"
        | "v8.deserialize"
        | "funcster.deepDeserialize" => sink(K::Deserialise, FIRST, &[]),
        "ejs.render"
        | "ejs.compile"
        | "pug.render"
        | "pug.compile"
        | "pug.compileClient"
        | "jade.render"
        | "jade.compile"
        | "handlebars.compile"
        | "handlebars.precompile"
        | "handlebars.create().compile"
        | "Handlebars.compile"
        | "nunjucks.renderString"
        | "nunjucks.compile"
        | "nunjucks.Template"
        | "nunjucks.configure().renderString"
        | "nunjucks.Environment().renderString"
        | "lodash.template"
        | "lodash-es.template"
        | "lodash.template.default"
        | "lodash.template()"
        | "underscore.template"
        | "dot.template"
        | "dot.compile"
        | "doT.template"
        | "eta.render"
        | "eta.renderString"
        | "eta.renderAsync"
        | "eta.compile"
        | "eta.Eta().renderString"
        | "eta.Eta().renderStringAsync"
        | "eta.Eta().compile"
        | "twig.twig"
        | "swig.render"
        | "swig.compile"
        | "swig-templates.render"
        | "swig-templates.compile"
        | "art-template.render"
        | "art-template.compile"
        | "squirrelly.render"
        | "squirrelly.compile"
        | "velocityjs.render"
        | "edge.js.Edge.create().renderRaw"
        | "edge.js.Edge().renderRaw"
        | "vm.templates"
        | "template7.compile"
        | "marko.compile"
        | "jsrender.templates" => sink(K::Template, FIRST, &[]),
        "document.write" | "document.writeln" => sink(K::Markup, FIRST, &[]),
        "azure-kusto-data.Client().execute" | "azure-kusto-data.Client().executeQuery" => {
            sink(K::Query, SECOND, &["query"])
        }
        _ => None,
    }
}

/// Files, by their names.
fn reads(path: &str) -> Option<Sink> {
    match path {
        "Bun.file"
        | "Bun.write"
        | "bun.file"
        | "rimraf"
        | "rimraf.rimraf"
        | "rimraf.rimrafSync"
        | "rimraf.sync"
        | "del"
        | "del.deleteAsync"
        | "del.deleteSync"
        | "trash"
        | "mkdirp"
        | "mkdirp.mkdirp"
        | "mkdirp.sync"
        | "mkdirp.mkdirpSync"
        | "make-dir"
        | "make-dir.makeDirectory"
        | "write-file-atomic"
        | "write-file-atomic.sync"
        | "jsonfile.readFile"
        | "jsonfile.readFileSync"
        | "jsonfile.writeFile"
        | "jsonfile.writeFileSync"
        | "load-json-file"
        | "load-json-file.loadJsonFile"
        | "write-json-file"
        | "write-json-file.writeJsonFile"
        | "sharp"
        | "jimp.read"
        | "jimp.Jimp.read"
        | "xlsx.readFile"
        | "xlsx.writeFile"
        | "adm-zip"
        | "better-sqlite3"
        | "sqlite3.Database"
        | "node:sqlite.DatabaseSync"
        | "sqlite.DatabaseSync"
        | "readdirp"
        | "extract-zip" => sink(K::Path, FIRST, &[]),
        "steno.writeFile" => sink(K::Path, FIRST, &[]),
        _ => None,
    }
}

/// Other machines.
fn connects(path: &str) -> Option<Sink> {
    match path {
        "fetch"
        | "globalThis.fetch"
        | "window.fetch"
        | "Request"
        | "WebSocket"
        | "EventSource"
        | "eventsource"
        | "eventsource.EventSource"
        | "ws"
        | "ws.WebSocket"
        | "node-fetch"
        | "node-fetch.fetch"
        | "node-fetch-native"
        | "node-fetch-native.fetch"
        | "isomorphic-fetch"
        | "cross-fetch"
        | "cross-fetch.fetch"
        | "cross-fetch.default"
        | "make-fetch-happen"
        | "fetch-retry()"
        | "undici.request"
        | "undici.fetch"
        | "undici.stream"
        | "undici.pipeline"
        | "undici.connect"
        | "undici.Client"
        | "undici.Pool"
        | "ofetch"
        | "ofetch.ofetch"
        | "ofetch.$fetch"
        | "$fetch"
        | "axios"
        | "got"
        | "got.got"
        | "ky"
        | "wretch"
        | "phin"
        | "bent"
        | "request"
        | "request-promise"
        | "request-promise-native"
        | "needle"
        | "superagent"
        | "urllib.request"
        | "urllib.curl"
        | "http.get"
        | "http.request"
        | "https.get"
        | "https.request"
        | "http2.connect"
        | "follow-redirects.http.get"
        | "follow-redirects.https.get"
        | "follow-redirects.http.request"
        | "follow-redirects.https.request"
        | "net.connect"
        | "net.createConnection"
        | "tls.connect"
        | "jsdom.JSDOM.fromURL"
        | "cheerio.fromURL"
        | "rss-parser().parseURL"
        | "feed-reader.extract"
        | "@extractus.feed-extractor.extract"
        | "@extractus.article-extractor.extract"
        | "download"
        | "image-downloader.image"
        | "axios.create" => sink(K::Host, FIRST, &["url"]),
        "needle.request" => sink(K::Host, SECOND, &["url"]),
        _ => None,
    }
}

/// Sinks told by the module and the last name.
fn by_shape(path: &str) -> Option<Sink> {
    let (before, name) = path.rsplit_once('.')?;
    let file = matches!(
        before,
        "fs" | "fs.promises" | "fs-extra" | "graceful-fs" | "original-fs" | "mz.fs" | "memfs.fs" | "Deno"
    );
    let verb = matches!(
        name,
        "get"
            | "post"
            | "put"
            | "delete"
            | "del"
            | "patch"
            | "head"
            | "options"
            | "stream"
            | "getUri"
            | "postForm"
            | "putForm"
            | "patchForm"
    );
    let client = matches!(
        before,
        "axios"
            | "axios.create()"
            | "axios.default"
            | "axios.Axios()"
            | "got"
            | "got.got"
            | "got.extend()"
            | "got.got.extend()"
            | "ky"
            | "ky.create()"
            | "ky.extend()"
            | "needle"
            | "superagent"
            | "superagent.agent()"
            | "request"
            | "request.defaults()"
            | "request-promise"
            | "request-promise-native"
            | "wretch"
            | "gaxios"
            | "typed-rest-client.HttpClient()"
            | "@actions.http-client.HttpClient()"
    );
    match name {
        "renameSync" | "copyFile" | "copyFileSync" | "cp" | "cpSync" | "symlink" | "symlinkSync" | "link"
        | "linkSync" | "move" | "moveSync" | "copy" | "copySync" | "rename"
            if file =>
        {
            sink(K::Path, BOTH, &[])
        }
        "existsSync" | "exists" | "access" | "accessSync" | "stat" | "statSync" | "lstat" | "lstatSync"
        | "realpath" | "realpathSync" | "watch" | "watchFile" | "pathExists" | "pathExistsSync"
            if file =>
        {
            None
        }
        "serve" | "exit" | "cwd" | "listen" | "listenTls" | "connect" | "resolveDns" | "addSignalListener" | "env"
            if before == "Deno" =>
        {
            None
        }
        _ if file && name.starts_with(|c: char| c.is_ascii_lowercase()) => sink(K::Path, FIRST, &[]),
        "request" if before == "axios" || before == "axios.create()" => sink(K::Host, FIRST, &["url"]),
        "request" if client => sink(K::Host, FIRST, &["url"]),
        _ if verb && client => sink(K::Host, FIRST, &["url"]),
        // A shell on another machine.
        "exec" | "execCommand"
            if matches!(
                before,
                "ssh2.Client()" | "node-ssh.NodeSSH()" | "node-ssh()" | "ssh2-promise()" | "ssh2.Connection()"
            ) =>
        {
            sink(K::Shell, FIRST, &[])
        }
        "eval"
            if matches!(
                before,
                "ioredis()" | "redis.createClient()" | "ioredis.Redis()" | "@upstash.redis.Redis()"
            ) =>
        {
            sink(K::Code, FIRST, &[])
        }
        "sendFile" | "download" if before == "?" => sink(K::Path, FIRST, &[]),
        "readFile" | "writeFile" if before.ends_with("Workbook().xlsx") || before.ends_with("Workbook().csv") => {
            sink(K::Path, FIRST, &[])
        }
        "toFile" if before.starts_with("sharp()") => sink(K::Path, FIRST, &[]),
        "extractAllTo" | "extractAllToAsync" if before.starts_with("adm-zip()") => sink(K::Path, FIRST, &[]),
        _ => None,
    }
}
