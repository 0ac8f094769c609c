//! What each key means, for editors. A test sees to it that every key has its words.

/// The words for one key.
#[derive(Debug)]
pub(super) struct Word {
    /// The key with dots: `http.listen`.
    pub(super) key: &'static str,
    /// What it means.
    pub(super) meaning: &'static str,
    /// The values that it may have, where they are few and its type does not say so.
    pub(super) choices: &'static [&'static str],
}

/// The words for a key of sitebus itself.
pub(super) fn word_for(key: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.key == key)
}

const fn word(key: &'static str, meaning: &'static str) -> Word {
    Word { key, meaning, choices: &[] }
}

const fn choice(key: &'static str, meaning: &'static str, choices: &'static [&'static str]) -> Word {
    Word { key, meaning, choices }
}

/// In the order of the page on the site file.
pub(super) const WORDS: &[Word] = &[
    word("site", "The site as a whole."),
    word(
        "site.name",
        "The name of the site, in log lines and in names of files. By default that of this file without .toml.",
    ),
    word("site.state", "The folder with what outlives the site's processes. By default .sitebus/NAME."),
    word("http", "Where the site listens, and its limits."),
    word(
        "http.listen",
        "Addresses such as \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:site.sock\". By default 127.0.0.1:8080.",
    ),
    word("http.header_timeout", "How long a client may take for the head of a request. By default 10 s."),
    word("http.idle_timeout", "How long a connection may lie idle between two requests. By default 75 s."),
    word(
        "http.drain_timeout",
        "How long requests that have begun may take when the site stops. By default 30 s.",
    ),
    word("http.max_connections", "Connections at once. By default 10000."),
    word("http.max_header_size", "How large the head of a request may be. By default 64 KiB."),
    word("http.max_body_size", "How large the body of a request may be. By default 16 MiB."),
    word("http.threads", "Threads that answer requests. By default one for each processor."),
    word("route", "A path, and one answer for it: static, respond, redirect or app."),
    word(
        "route.path",
        "The path. The longest one that fits a request wins; one that ends with / means everything below it too.",
    ),
    word("route.static", "A folder whose files are served."),
    word("route.respond", "A fixed response."),
    word("route.respond.status", "The status. By default 200."),
    word("route.respond.type", "The media type. By default text/plain; charset=utf-8."),
    word("route.respond.body", "The body. By default the name of the status."),
    word("route.redirect", "Somewhere else, for now unless a status says otherwise."),
    word("route.redirect.to", "A path of this site, or a whole address."),
    word("route.redirect.status", "301, 302, 303, 307 or 308. By default 307."),
    word("route.app", "The name of an application that the program mounts."),
    word(
        "signals",
        "Names of signals, and what each asks for: exit, drain, graceful, reopen-logs, restart, scale-up, scale-down, publish or ignore.",
    ),
    word("log", "What is written down, and where."),
    word("log.access", "Whether every request is a line. By default not."),
    word(
        "log.level",
        "Which lines are written, such as \"info\" or \"info,http=debug\". The environment variable RUST_LOG is stronger.",
    ),
    word("log.file", "A file that lines are written to, in place of standard error."),
    choice("log.format", "How lines look. By default for people.", &["human", "json"]),
    word("daemon", "How the site runs that was started in the background, with the command start."),
    word(
        "daemon.output",
        "Where its output goes: a file, \"null\", or \"keep\" for where it goes already. By default the file log in the state folder.",
    ),
    word("daemon.umask", "Which permissions new files do not get."),
    word("daemon.folder", "The folder that it runs in. By default the one that it was started in."),
    word("daemon.timeout", "How long the start may take. By default what the limits of the site allow."),
    word("pidfile", "A file with the number of the process."),
    word("pidfile.path", "The file. Its folder must exist."),
    word("pidfile.mode", "Who may read and write it. By default everybody may read it."),
    word("privileges", "As whom the site runs once its ports are bound."),
    word("privileges.user", "The user, by name or number."),
    word("privileges.group", "The group, by name or number. By default the user's own."),
    word("privileges.groups", "The supplementary groups. By default those that the user is a member of."),
    word("privileges.umask", "Which permissions new files do not get."),
    word("privileges.keep", "The part of root's power that is kept, such as \"CAP_NET_BIND_SERVICE\"."),
    word("systemd", "What the service manager is told, beside that the site is ready, reloads and stops."),
    word("systemd.watchdog", "That the process lives, if the unit has WatchdogSec=. By default it is told."),
    word(
        "systemd.extend",
        "That it needs more time, as long as the site itself grants it. By default it is told.",
    ),
    word("systemd.status", "What it is doing, in words. By default it is told."),
    word("autoreload", "Whether the site follows changes of its files."),
    word("autoreload.enabled", "Whether files are watched without --autoreload too. By default not."),
    word("autoreload.paths", "Files, and folders with all that is in them."),
    word("autoreload.include", "Of the files in folders only those that match one of these globs."),
    word("autoreload.ignore", "Of the files in folders none that matches one of these globs."),
    word(
        "autoreload.ignore_files",
        "Whether .gitignore and .ignore files are respected. By default they are.",
    ),
    word("autoreload.program", "Whether the program itself is watched. By default it is."),
    word("autoreload.settle", "How long nothing may happen before a change counts as complete."),
    word("autoreload.poll", "Looks at all files in this interval, instead of asking the kernel for events."),
    word("autoreload.command", "A command that must succeed before a change is acted on, and its arguments."),
    word("autoreload.command_timeout", "How long the command may take."),
    choice("autoreload.action", "What a change leads to. By default to a restart.", &["restart", "reload"]),
];
