//! `[http]`

use std::path::Path;

use serde::Deserialize;

use crate::http::{Settings, SettingsError};
use crate::serve::{Address, AddressError};
use crate::site::{Check, Period, Section, Size, Span, Spanned};

/// More threads than any machine has processors are a slip of the finger that could take the machine down.
const MOST_THREADS: u16 = 1024;
/// The address of a site that names none.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// `[http]`: where the site listens, and its limits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HttpSection {
    /// The addresses: `"127.0.0.1:8080"`, `"[::1]:8080"`, `"unix:site.sock"`, `"unix:@name"`.
    pub listen: Option<Spanned<Vec<Spanned<String>>>>,
    /// How long a client may take for the head of a request.
    pub header_timeout: Option<Spanned<Period>>,
    /// How long a connection may lie idle between two requests.
    pub idle_timeout: Option<Spanned<Period>>,
    /// How long requests that have begun may take when the site stops.
    pub drain_timeout: Option<Spanned<Period>>,
    /// How many connections may be open at once.
    pub max_connections: Option<Spanned<u32>>,
    /// How large the head of a request may be.
    pub max_header_size: Option<Spanned<Size>>,
    /// How large the body of a request may be.
    pub max_body_size: Option<Spanned<Size>>,
    /// How many threads answer requests.
    pub threads: Option<Spanned<u16>>,
}

/// A key that is one setting of the server: puts it there, and says where it was written. What cannot work is the server's
/// to say.
type Key = (&'static str, fn(&HttpSection, &mut Settings) -> Option<Span>);

const KEYS: [Key; 6] = [
    ("header_timeout", |section, settings| {
        let time = section.header_timeout.as_ref()?;
        settings.limits.header_time = time.get();
        Some(time.span())
    }),
    ("idle_timeout", |section, settings| {
        let time = section.idle_timeout.as_ref()?;
        settings.limits.idle_time = time.get();
        Some(time.span())
    }),
    ("max_connections", |section, settings| {
        let count = section.max_connections.as_ref()?;
        settings.limits.connections = usize::try_from(**count).unwrap_or(usize::MAX);
        Some(count.span())
    }),
    ("max_header_size", |section, settings| {
        let size = section.max_header_size.as_ref()?;
        settings.limits.header_bytes = usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        Some(size.span())
    }),
    ("max_body_size", |section, settings| {
        let size = section.max_body_size.as_ref()?;
        settings.limits.body_bytes = size.bytes();
        Some(size.span())
    }),
    ("threads", |section, settings| {
        let count = section.threads.as_ref()?;
        settings.threads = usize::from(**count);
        Some(count.span())
    }),
];

impl HttpSection {
    /// As settings of the server; sockets count from `folder`. An address that is not understood is left out; after
    /// [`Known::check`](crate::site::Known::check) there is none.
    pub fn settings(&self, folder: &Path) -> Settings {
        let mut settings = Settings::default();
        for (_, put) in KEYS {
            put(self, &mut settings);
        }
        let listen: Vec<&str> = match &self.listen {
            Some(listen) => listen.iter().map(|address| address.as_str()).collect(),
            None => vec![DEFAULT_LISTEN],
        };
        settings.listen =
            listen.into_iter().filter_map(|text| HttpSection::address(text, folder).ok()).collect();
        settings
    }

    /// An address as it stands in the file; the path of a Unix socket counts from the folder of the file.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn address(text: &str, folder: &Path) -> Result<Address, AddressError> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() && !path.starts_with(['@', '/']) => {
                let whole = folder.join(path);
                // The folder need not be UTF-8, and the text only what the server checks.
                match format!("unix:{}", whole.display()).parse()? {
                    Address::Unix(_) => Ok(Address::Unix(whole)),
                    other => Ok(other),
                }
            }
            _ => text.parse(),
        }
    }

    fn check_addresses(&self, check: &mut Check<'_>) {
        let Some(listen) = &self.listen else { return };
        if listen.is_empty() {
            check.problem(listen, "the site would listen nowhere").help("write `[\"127.0.0.1:8080\"]`");
        }
        let (mut settings, mut spans) = (Settings::default(), Vec::new());
        for text in listen.iter() {
            match HttpSection::address(text, check.folder()) {
                Err(error) => bad_address(check, text, &error),
                Ok(address) => {
                    settings.listen.push(address);
                    spans.push(text.span());
                }
            }
            if let Err(SettingsError::Twice { address: twice }) = settings.check() {
                let first = settings.listen.iter().position(|address| *address == twice).unwrap_or(0);
                settings.listen.pop();
                spans.pop();
                check
                    .problem(text, format!("`{}` is listened to twice", **text))
                    .note(spans[first], "first here")
                    .help("remove one of the two");
            }
        }
    }

    /// Each by itself, so that none hides another.
    fn check_keys(&self, check: &mut Check<'_>) {
        for (name, put) in KEYS {
            let mut settings = Settings::default();
            let Some(span) = put(self, &mut settings) else { continue };
            if let Err(error) = settings.check() {
                refuse(check, name, span, &error);
            }
        }
    }

    /// The server counts the processors if it is told 0, which is for the key that is left out.
    fn check_threads(&self, check: &mut Check<'_>) {
        match &self.threads {
            Some(none) if **none == 0 => {
                check
                    .problem(none, "without threads no request could be answered")
                    .help("leave the key out for one for each processor");
            }
            Some(many) if **many > MOST_THREADS => {
                check.problem(many, format!("{} threads would only be in each other's way", **many)).help(
                    "leave the key out for one for each processor; a thread answers thousands of connections",
                );
            }
            _ => {}
        }
    }
}

/// The server speaks of its settings; here they have the names of the file.
fn refuse(check: &mut Check<'_>, name: &str, span: Span, error: &SettingsError) {
    match error {
        SettingsError::Zero { .. } => check
            .problem(span, format!("with a `{name}` of zero no request could be answered"))
            .help("write more than that, or leave the key out"),
        SettingsError::HeaderBytes { value } if *value < Settings::default().limits.header_bytes => check
            .problem(span, "the head of an ordinary request is larger than that")
            .help("browsers need about \"4 KiB\"; or leave the key out"),
        SettingsError::HeaderBytes { .. } => check
            .problem(span, "the head of a request cannot be as large as that")
            .help("each connection may take that much memory; write less, or leave the key out"),
        other => check.problem(span, other.to_string()),
    };
}

/// The report writes what stands in the file in backticks.
fn bad_address(check: &mut Check<'_>, text: &Spanned<String>, error: &AddressError) {
    let what = error.what().replace(&format!("{:?}", **text), &format!("`{}`", **text));
    check.problem(text, what).help(error.cure());
}

impl Section for HttpSection {
    fn check(&self, check: &mut Check<'_>) {
        self.check_addresses(check);
        self.check_keys(check);
        self.check_threads(check);
    }
}
