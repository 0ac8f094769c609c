//! `[http]`

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use sitebus_serve::{Address, AddressError};

use crate::site::{Check, Period, Section, Size, Span, Spanned};

/// More threads than any machine has processors are a slip of the finger that could take the machine down.
const MOST_THREADS: u16 = 1024;
/// What the server takes.
const LARGEST_HEAD: u64 = 16 * 1024 * 1024;

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

impl HttpSection {
    /// An address as it stands in the file; the path of a Unix socket counts from the folder of the file.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn address(text: &str, folder: &Path) -> Result<Address, AddressError> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() && !path.starts_with(['@', '/']) => {
                format!("unix:{}", folder.join(path).display()).parse()
            }
            _ => text.parse(),
        }
    }

    fn check_addresses(&self, check: &mut Check<'_>) {
        let Some(listen) = &self.listen else { return };
        if listen.is_empty() {
            check.problem(listen, "the site would listen nowhere").help("write `[\"127.0.0.1:8080\"]`");
        }
        let mut seen: HashMap<Address, Span> = HashMap::new();
        for text in listen.iter() {
            match HttpSection::address(text, check.folder()) {
                Err(error) => bad_address(check, text, &error),
                Ok(address) => {
                    if let Some(first) = seen.get(&address) {
                        check
                            .problem(text, format!("`{}` is listened to twice", **text))
                            .note(*first, "first here")
                            .help("remove one of the two");
                    }
                    seen.entry(address).or_insert(text.span());
                }
            }
        }
    }
}

/// The report writes what stands in the file in backticks.
fn bad_address(check: &mut Check<'_>, text: &Spanned<String>, error: &AddressError) {
    let what = error.what().replace(&format!("{:?}", **text), &format!("`{}`", **text));
    check.problem(text, what).help(error.cure());
}

impl Section for HttpSection {
    fn check(&self, check: &mut Check<'_>) {
        self.check_addresses(check);
        for (name, period) in [("header_timeout", &self.header_timeout), ("idle_timeout", &self.idle_timeout)]
        {
            if let Some(period) = period
                && period.get().is_zero()
            {
                check
                    .problem(period, format!("with a `{name}` of zero no request could be answered"))
                    .help("write a duration such as \"30s\", or leave the key out");
            }
        }
        if let Some(threads) = &self.threads
            && **threads > MOST_THREADS
        {
            check.problem(threads, format!("{} threads would only be in each other's way", **threads)).help(
                "leave the key out for one for each processor; a thread answers thousands of connections",
            );
        }
        let at_least_one = [
            ("max_connections", self.max_connections.as_ref().map(|n| (n.span(), u64::from(**n)))),
            ("threads", self.threads.as_ref().map(|n| (n.span(), u64::from(**n)))),
        ];
        for (name, value) in at_least_one {
            if let Some((span, 0)) = value {
                check.problem(span, format!("`{name}` must be at least 1")).help("or leave the key out");
            }
        }
        if let Some(size) = &self.max_header_size {
            if size.bytes() < 1024 {
                check
                    .problem(size, "the head of an ordinary request is larger than that")
                    .help("write at least \"1 KiB\"; browsers need about 4 KiB");
            }
            if size.bytes() > LARGEST_HEAD {
                check
                    .problem(size, "the head of a request cannot be as large as that")
                    .help("write at most \"16 MiB\"; each connection may take that much memory");
            }
        }
    }
}
