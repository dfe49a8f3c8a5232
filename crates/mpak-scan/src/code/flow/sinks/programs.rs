//! Programs, by what they do with their arguments.

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
        "Rscript" | "R" | "julia" | "elixir" | "erl" | "ghci" | "groovy" | "swift" | "tsx" | "ts-node" | "luajit"
        | "scala" | "kotlin" | "crystal" | "raku" | "clojure" | "bb" => {
            matches!(option, "-e" | "--eval" | "--expr" | "-p" | "--print" | "-eval" | "-r")
        }
        "sqlite" | "psql" | "mysql" | "mariadb" | "duckdb" | "cqlsh" | "snowsql" => {
            matches!(option, "-c" | "-e" | "-cmd" | "--command" | "--execute" | "-q" | "--query")
        }
        "clickhouse-client" | "clickhouse" | "trino" | "presto" | "sqlcmd" | "osqueryi" | "influx" => {
            matches!(option, "-q" | "--query" | "-Q" | "--execute" | "-execute")
        }
        "mongo" | "mongosh" => option == "--eval",
        "awk" | "gawk" | "mawk" => matches!(option, "-e" | "--source"),
        "sed" | "gsed" => matches!(option, "-e" | "--expression" | "-ne" | "-Ee" | "-re"),
        "vim" | "nvim" | "vi" => matches!(option, "-c" | "--cmd"),
        "emacs" => matches!(option, "--eval" | "-eval" | "--execute"),
        "gdb" => matches!(option, "-ex" | "-eval-command" | "--eval-command"),
        "lldb" => matches!(option, "-o" | "--one-line"),
        "gnuplot" => option == "-e",
        "script" => option == "-c",
        "npx" | "npm" | "pnpm" => matches!(option, "-c" | "--call"),
        "flock" => option == "-c",
        "nix-shell" => matches!(option, "--run" | "--command"),
        "vagrant" => matches!(option, "-c" | "--command"),
        "find" | "fd" => matches!(option, "-exec" | "-execdir" | "-ok" | "-x" | "-X" | "--exec"),
        _ => false,
    }
}

/// Programs that run what they read from their input, where no argument names a script.
pub fn runs_its_input(program: &str) -> bool {
    matches!(
        bare(program),
        "sh" | "bash"
            | "zsh"
            | "dash"
            | "ksh"
            | "fish"
            | "ash"
            | "python"
            | "node"
            | "perl"
            | "ruby"
            | "php"
            | "R"
            | "lua"
            | "julia"
            | "deno"
            | "bun"
            | "tsx"
            | "ts-node"
    )
}

/// Programs that take what follows the name of a script for the script's own arguments.
pub fn runs_a_script(program: &str) -> bool {
    runs_its_input(program) || bare(program) == "osascript"
}

/// From which word on a program hands its words to a shell; none where it does not. Words that are not constant have no
/// text.
pub fn shell_words_from(program: &str, words: &[Option<&str>]) -> Option<usize> {
    // What stands first and is no option, nor the value of one.
    let first_plain = |from: usize, valued: &[&str]| {
        let mut at = from;
        while let Some(word) = words.get(at) {
            match word {
                Some(option) if valued.contains(option) => at += 2,
                Some(option) if option.starts_with('-') => at += 1,
                _ => return Some(at),
            }
        }
        None
    };
    match bare(program) {
        "ssh" | "autossh" => {
            let valued = [
                "-i", "-o", "-p", "-l", "-F", "-J", "-L", "-R", "-D", "-b", "-c", "-E", "-e", "-I", "-m", "-O", "-Q",
                "-S", "-W", "-w", "-B",
            ];
            Some(first_plain(0, &valued)? + 1)
        }
        "adb" => {
            let at = first_plain(0, &["-s", "-t", "-H", "-P", "-L"])?;
            (words.get(at)? == &Some("shell")).then_some(at + 1)
        }
        "watch" => first_plain(0, &["-n", "--interval"]),
        // All words behind the option are one line, in which `&` and `|` mean something.
        "cmd" => {
            let is_line = |word: Option<&str>| {
                word.is_some_and(|word| word.eq_ignore_ascii_case("/c") || word.eq_ignore_ascii_case("/k"))
            };
            Some(words.iter().copied().position(is_line)? + 1)
        }
        "powershell" | "pwsh" => {
            let is_line = |word: Option<&str>| {
                word.is_some_and(|word| {
                    let word = word.to_ascii_lowercase();
                    word.len() > 1 && ("-command".starts_with(&word) || word == "/c" || word == "/command")
                })
            };
            Some(words.iter().copied().position(is_line)? + 1)
        }
        // Keys that are typed into a terminal.
        "tmux" => {
            let is_keys = |word: Option<&str>| {
                matches!(
                    word,
                    Some(
                        "send-keys"
                            | "send"
                            | "new-session"
                            | "new"
                            | "new-window"
                            | "neww"
                            | "split-window"
                            | "splitw"
                            | "respawn-pane"
                            | "run-shell"
                            | "run"
                            | "if-shell"
                            | "pipe-pane"
                    )
                )
            };
            let at = words.iter().copied().position(is_keys)? + 1;
            let valued = ["-t", "-s", "-n", "-c", "-F", "-x", "-y", "-e", "-N"];
            // What is named by an option is no line.
            first_plain(at, &valued)
        }
        "wsl" => {
            let at = first_plain(0, &["-d", "--distribution", "-u", "--user", "--cd"])?;
            (!words[..at].iter().any(|word| matches!(word, Some("-e" | "--exec")))).then_some(at)
        }
        "gcloud" => {
            let at = words.iter().position(|word| word == &Some("--command"))?;
            Some(at + 1)
        }
        "sudo" | "doas" | "nohup" | "env" | "nice" | "time" | "timeout" | "setsid" | "stdbuf" | "xvfb-run" => {
            let known = |word: &&str| shell_words_from(word, &[]).is_some() || names_a_line(word);
            let at = words.iter().position(|word| word.as_ref().is_some_and(known))?;
            Some(shell_words_from(words[at]?, words.get(at + 1..)?)? + at + 1)
        }
        "sshpass" => {
            let at = first_plain(0, &["-p", "-f", "-d", "-P"])?;
            let inner = words.get(at).copied().flatten()?;
            Some(shell_words_from(inner, words.get(at + 1..)?)? + at + 1)
        }
        _ => None,
    }
}

/// Calls that take a program and its arguments in one text.
pub fn splits_its_text(path: &str) -> bool {
    path.starts_with("docker.") || path.starts_with("pexpect.") || path.starts_with("execa.")
}

/// Programs that hand words to a shell.
fn names_a_line(program: &str) -> bool {
    matches!(bare(program), "ssh" | "autossh" | "adb" | "sshpass" | "watch" | "cmd" | "powershell" | "pwsh" | "wsl")
}

/// Which word of a program's arguments is a program of its own, written in the program's language; none where a file
/// holds it. Words that are not constant have no text.
pub fn script_word(program: &str, words: &[Option<&str>]) -> Option<usize> {
    let (valued, held, after): (&[&str], &[&str], usize) = match bare(program) {
        "awk" | "gawk" | "mawk" | "nawk" => (&["-F", "-v", "--field-separator", "--assign"], &["-f", "--file"], 0),
        "sed" | "gsed" => {
            (&["-l", "--line-length"], &["-f", "--file", "-e", "--expression", "-ne", "-Ee", "-re", "-nE"], 0)
        }
        "sqlite" | "duckdb" => {
            (&["-cmd", "-separator", "-init", "-newline", "-nullvalue", "-maxsize", "-c", "-s"], &["-init"], 1)
        }
        "osqueryi" => (&["--config_path", "--database_path"], &[], 0),
        _ => return None,
    };
    if words.iter().any(|word| word.is_some_and(|word| held.contains(&word))) {
        return None;
    }
    let (mut at, mut left) = (0, after);
    while let Some(word) = words.get(at) {
        match word {
            Some(option) if valued.contains(option) => at += 2,
            Some(option) if option.starts_with('-') && option.len() > 1 => at += 1,
            _ if left > 0 => (at, left) = (at + 1, left - 1),
            _ => return Some(at),
        }
    }
    None
}

/// Options whose value is not the name of a script.
pub fn has_a_value(program: &str, option: &str) -> bool {
    match bare(program) {
        "osascript" => matches!(option, "-l" | "-s"),
        "python" => matches!(option, "-W" | "-X"),
        "node" => matches!(option, "-r" | "--require" | "--import" | "--loader"),
        "bash" | "sh" | "zsh" | "ksh" => matches!(option, "-o" | "+o" | "-O" | "--rcfile" | "--init-file"),
        "perl" | "ruby" => option == "-I",
        _ => false,
    }
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
            matches!(
                option,
                "--contains"
                    | "--no-contains"
                    | "-m"
                    | "--message"
                    | "--author"
                    | "--since"
                    | "--until"
                    | "--grep"
                    | "-S"
                    | "-G"
                    | "-n"
            )
        }
        "curl" => matches!(option, "-A" | "--user-agent" | "-X" | "--request" | "--data-raw"),
        "wget" => option == "-U",
        "rg" => matches!(option, "-e" | "--regexp" | "-g" | "--glob" | "-t" | "--type" | "-m" | "--max-count"),
        "kubectl" | "oc" | "helm" => {
            matches!(option, "-n" | "--namespace" | "-o" | "--output" | "-l" | "--selector" | "-c" | "--container")
        }
        "docker" | "podman" => matches!(option, "--name" | "-w" | "--workdir" | "--filter" | "-f" | "--format"),
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
            | "go"
            | "npx"
            | "make"
            | "nmap"
            | "tcpdump"
            | "rg"
            | "fd"
            | "less"
            | "man"
            | "vim"
            | "yt-dlp"
            | "youtube-dl"
            | "aria2c"
            | "pandoc"
            | "exiftool"
            | "ansible"
            | "ansible-playbook"
            | "java"
            | "busybox"
            | "timeout"
            | "nice"
            | "time"
            | "watch"
            | "strace"
    )
}
