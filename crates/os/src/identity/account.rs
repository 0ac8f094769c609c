//! Users and groups by name or number: getpwnam(3), getgrnam(3), getgrouplist(3).
//!
//! The names come from wherever the system has them (nsswitch.conf(5)); a program that is linked statically sees only
//! `/etc/passwd` and `/etc/group`.

use crate::names::nearest;
use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;

/// A user, with or without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The number.
    pub id: u32,
    /// The name of the account; none if it was given by a number that has no account.
    pub name: Option<String>,
    /// The account's own group.
    pub group: Option<u32>,
}

/// A group, with or without an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The number.
    pub id: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
}

/// Why there is no such user or group.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Nobody has this name.
    #[error("there is no {what} '{given}' on this system{}", Hint(.nearest.as_deref(), .what))]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// What was asked for.
        given: String,
        /// The name that is most like it, if any is.
        nearest: Option<String>,
    },
    /// This number is none that anybody can have.
    #[error("{given} is no number of a {what}: the kernel reads it as \"leave it as it is\"; name another")]
    NoNumber {
        /// `user` or `group`.
        what: &'static str,
        /// What was asked for.
        given: String,
    },
    /// The system's accounts cannot be read.
    #[error(
        "looking up the {what} '{given}' failed: {cause}; are the sources in /etc/nsswitch.conf within reach?"
    )]
    Lookup {
        /// `user`, `group` or `groups of the user`.
        what: &'static str,
        /// What was asked for.
        given: String,
        /// What the system says.
        cause: io::Error,
    },
}

struct Hint<'a>(Option<&'a str>, &'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint(Some(nearest), _) => write!(f, ": did you mean '{nearest}'?"),
            Hint(None, what) => write!(f, ": create it, or name one that `getent {}` lists", database(what)),
        }
    }
}

fn database(what: &str) -> &'static str {
    if what == "user" { "passwd" } else { "group" }
}

impl User {
    /// The user of that name, or of that number; a number needs no account.
    ///
    /// # Errors
    /// [`AccountError`]: unknown, with the nearest name; or the accounts cannot be read.
    pub fn find(given: &str) -> Result<User, AccountError> {
        let lookup = |cause| lookup("user", given, cause);
        if let Some(number) = number("user", given)? {
            let account = found(unistd::User::from_uid(Uid::from_raw(number))).map_err(lookup)?;
            return Ok(account.map_or(User { id: number, name: None, group: None }, User::of));
        }
        let account = if given.contains('\0') {
            None
        } else {
            found(unistd::User::from_name(given)).map_err(lookup)?
        };
        account.map(User::of).ok_or_else(|| unknown("user", given))
    }

    /// The groups that the account is a member of, as initgroups(3) would set them for a process of this group.
    ///
    /// # Errors
    /// [`AccountError::Lookup`] if they cannot be read. A user without an account has none.
    pub fn groups(&self, group: u32) -> Result<BTreeSet<u32>, AccountError> {
        let Some(name) = &self.name else { return Ok(BTreeSet::new()) };
        let groups = CString::new(name.as_str())
            .map_err(io::Error::from)
            .and_then(|name| Ok(unistd::getgrouplist(&name, Gid::from_raw(group))?));
        let groups = groups.map_err(|cause| lookup("groups of the user", name, cause))?;
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }

    fn of(account: unistd::User) -> User {
        User { id: account.uid.as_raw(), name: Some(account.name), group: Some(account.gid.as_raw()) }
    }
}

impl Group {
    /// The group of that name, or of that number; a number needs no entry.
    ///
    /// # Errors
    /// [`AccountError`]: unknown, with the nearest name; or the groups cannot be read.
    pub fn find(given: &str) -> Result<Group, AccountError> {
        let lookup = |cause| lookup("group", given, cause);
        if let Some(number) = number("group", given)? {
            let entry = found(unistd::Group::from_gid(Gid::from_raw(number))).map_err(lookup)?;
            return Ok(Group { id: number, name: entry.map(|entry| entry.name) });
        }
        let entry = if given.contains('\0') {
            None
        } else {
            found(unistd::Group::from_name(given)).map_err(lookup)?
        };
        let entry = entry.ok_or_else(|| unknown("group", given))?;
        Ok(Group { id: entry.gid.as_raw(), name: Some(entry.name) })
    }

    /// The group of this number, with its name if that can be found.
    #[must_use]
    pub fn of(id: u32) -> Group {
        let entry = found(unistd::Group::from_gid(Gid::from_raw(id))).ok().flatten();
        Group { id, name: entry.map(|entry| entry.name) }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, self.name.as_deref(), self.id)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, self.name.as_deref(), self.id)
    }
}

fn named(f: &mut fmt::Formatter<'_>, name: Option<&str>, id: u32) -> fmt::Result {
    match name {
        Some(name) => write!(f, "{name} ({id})"),
        None => write!(f, "{id}"),
    }
}

/// Digits are a number, as in chown(1) where no account has them for a name.
fn number(what: &'static str, given: &str) -> Result<Option<u32>, AccountError> {
    if given.is_empty() || !given.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    // (uid_t) -1 says "unchanged" to setresuid(2): whoever passed it on would stay root.
    match given.parse() {
        Ok(number) if number != u32::MAX => Ok(Some(number)),
        _ => Err(AccountError::NoNumber { what, given: given.to_owned() }),
    }
}

/// Some sources say "not there" with an error (getpwnam(3)).
fn found<T>(answer: nix::Result<Option<T>>) -> io::Result<Option<T>> {
    match answer {
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        answer => Ok(answer?),
    }
}

fn lookup(what: &'static str, given: &str, cause: io::Error) -> AccountError {
    AccountError::Lookup { what, given: given.to_owned(), cause }
}

/// The file is only one source of names, but a hint need not be complete.
fn unknown(what: &'static str, given: &str) -> AccountError {
    let entries = fs::read_to_string(format!("/etc/{}", database(what))).unwrap_or_default();
    let names = entries.lines().filter_map(|line| line.split(':').next());
    AccountError::Unknown { what, given: given.to_owned(), nearest: nearest(given, names).map(str::to_owned) }
}
