//! Which files and environment variables hold secrets. Source: MTF 0.1 §3.5 CD-02, `~/.ssh`, `~/.aws`,
//! `~/.config` and `AWS_*`, `*_TOKEN`, `*_KEY`, and what is of their kind.

/// Places that hold keys, sessions and money, wherever they lie.
const KEYS: [&str; 23] = [
    "/proc/self/environ",
    "/.ssh/",
    "/.aws/",
    "/.gnupg/",
    "/.azure/",
    "/.kube/",
    "/.docker/config",
    "/.config/gcloud",
    "/.config/gh/",
    "/.git-credentials",
    "/etc/shadow",
    "/etc/passwd",
    "/etc/sudoers",
    "/.mozilla/",
    "/google-chrome/",
    "/google/chrome/",
    "/bravesoftware/",
    "/.bitcoin/",
    "/.ethereum/",
    "/library/keychains/",
    "/.bash_history",
    "/.zsh_history",
    "/claude_desktop_config.json",
];
/// Those that do in a home folder only; elsewhere they are a project's.
const HOME_KEYS: [&str; 6] = ["~/.netrc", "~/.npmrc", "~/.pypirc", "~/.cursor/", "~/.claude", "~/.codeium/"];

/// How much is at stake in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stake {
    /// Nothing special.
    #[default]
    Plain,
    /// Other programs' configuration.
    Configuration,
    /// Keys and sessions.
    Keys,
}

/// What a path, as far as it is known, leads to. `~` is a home folder, `…` what is not known.
pub(super) fn path(text: &str) -> Stake {
    let lower = text.to_lowercase().replace('\\', "/");
    let whole = format!("/{lower}/");
    if KEYS.iter().any(|place| whole.contains(place)) || HOME_KEYS.iter().any(|place| whole.contains(place)) {
        return Stake::Keys;
    }
    let home = ["~/.config/", "/root/.config/", "/appdata/roaming/", "/library/application support/"];
    let below_home = |at: usize| whole[..at].contains("/home/") || whole[..at].contains("/users/");
    if home.iter().any(|place| whole.contains(place)) || whole.find("/.config/").is_some_and(below_home) {
        return Stake::Configuration;
    }
    Stake::Plain
}

/// Whether what stands in a file is run when a person signs in or a shell begins.
pub(super) fn starts_programs(text: &str) -> bool {
    const PLACES: [&str; 22] = [
        "/.config/autostart/",
        "/launchagents/",
        "/launchdaemons/",
        "/.config/systemd/user/",
        "/etc/systemd/",
        "/etc/cron",
        "/var/spool/cron",
        "/etc/init.d/",
        "/etc/profile",
        "/start menu/programs/startup/",
        "/.bashrc/",
        "/.bash_profile/",
        "/.bash_login/",
        "/.profile/",
        "/.zshrc/",
        "/.zprofile/",
        "/.zshenv/",
        "/.config/fish/config.fish/",
        "/.xinitrc/",
        "/.xprofile/",
        "/.git/hooks/",
        "/authorized_keys/",
    ];
    let whole = format!("/{}/", text.to_lowercase().replace('\\', "/"));
    PLACES.iter().any(|place| whole.contains(place))
}

/// Whether a variable's name is one of a secret.
pub(super) fn variable(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("AWS_") {
        return true;
    }
    let words: Vec<&str> = upper.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let Some(last) = words.last() else { return false };
    let place = [
        "PATH", "FILE", "DIR", "FOLDER", "NAME", "LENGTH", "LIMIT", "TTL", "COUNT", "URL", "URI", "HOST", "PORT",
        "TYPE", "SIZE", "ENABLED",
    ];
    if place.contains(last) {
        return false;
    }
    let ends = |ends: &[&str]| ends.iter().any(|end| last.ends_with(end));
    matches!(*last, "TOKEN" | "KEY" | "PAT" | "DSN")
        || ends(&["APIKEY", "ACCESSTOKEN", "AUTHTOKEN", "SECRETKEY", "PRIVATEKEY"])
        || words.iter().any(|word| {
            matches!(
                *word,
                "SECRET" | "SECRETS" | "PASSWORD" | "PASSWD" | "PASSPHRASE" | "CREDENTIAL" | "CREDENTIALS" | "APIKEY"
            )
        })
        || upper.ends_with("PASSWORD")
        || upper.ends_with("SECRET")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_weighed_by_what_they_lead_to() {
        for (text, expected) in [
            ("~/.ssh/id_rsa", Stake::Keys),
            (".aws/credentials", Stake::Keys),
            ("…/.ssh", Stake::Keys),
            ("C:\\Users\\x\\.aws\\config", Stake::Keys),
            ("~/.config/app/settings.json", Stake::Configuration),
            ("/home/me/.config/x", Stake::Configuration),
            ("./.config/x", Stake::Plain),
            ("~/.npmrc", Stake::Keys),
            ("./.npmrc", Stake::Plain),
            ("data/.sshd", Stake::Plain),
            ("~/notes/a.txt", Stake::Plain),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    #[test]
    fn places_that_start_programs_are_known() {
        for text in
            ["~/.config/autostart/x.desktop", "~/Library/LaunchAgents/a.plist", "~/.zshrc", "…/.git/hooks/pre-commit"]
        {
            assert!(starts_programs(text), "{text}");
        }
        for text in ["~/.config/app/x.toml", "./bashrc.md", "profile/x", "~/autostart"] {
            assert!(!starts_programs(text), "{text}");
        }
    }

    #[test]
    fn variables_are_weighed_by_their_name() {
        for name in [
            "AWS_REGION",
            "GITHUB_TOKEN",
            "API_KEY",
            "openai_api_key",
            "DB_PASSWORD",
            "PGPASSWORD",
            "TOKEN",
            "CLIENT_SECRET",
            "SECRET_KEY_BASE",
            "apiKey",
        ] {
            assert!(variable(name), "{name}");
        }
        for name in [
            "HOME",
            "MAX_TOKENS",
            "TOKENIZERS_PARALLELISM",
            "KEYBOARD",
            "PORT",
            "SSH_KEY_PATH",
            "TOKEN_URL",
            "MONKEY",
            "DEBUG",
            "KEYSTONE_HOST",
            "",
        ] {
            assert!(!variable(name), "{name}");
        }
    }
}
