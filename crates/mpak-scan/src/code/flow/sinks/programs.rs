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
        "sshpass" => {
            let at = first_plain(0, &["-p", "-f", "-d", "-P"])?;
            let inner = words.get(at).copied().flatten()?;
            Some(shell_words_from(inner, words.get(at + 1..)?)? + at + 1)
        }
        _ => None,
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
