//! What the kernel says of a thread: `/proc/self/task/*/status` (proc(5)).

use super::User;
use super::account::Group;
use std::collections::BTreeSet;
use std::fs;
use std::io;

/// Who a thread is to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The thread's number.
    pub thread: u32,
    /// Its name.
    pub name: String,
    /// Real, effective and saved user, and the one for files.
    pub users: [u32; 4],
    /// Real, effective and saved group, and the one for files.
    pub groups: [u32; 4],
    /// The supplementary groups.
    pub supplementary: BTreeSet<u32>,
    /// Capabilities, one bit each: inheritable, permitted, effective and ambient.
    pub capabilities: [u64; 4],
    pub(super) blocked: u64,
    pub(super) over: bool,
}

pub(super) const SETS: [&str; 4] = ["inheritable", "permitted", "effective", "ambient"];

impl Standing {
    /// Of the calling thread.
    ///
    /// # Errors
    /// `/proc` does not answer.
    pub fn own() -> io::Result<Standing> {
        parse(&fs::read_to_string("/proc/thread-self/status")?)
    }

    /// Of every thread of the process. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// `/proc` does not answer.
    pub fn all() -> io::Result<Vec<Standing>> {
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc/self/task")? {
            let text = match fs::read_to_string(entry?.path().join("status")) {
                Ok(text) => text,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            let standing = parse(&text)?;
            if !standing.over {
                all.push(standing);
            }
        }
        Ok(all)
    }

    /// The effective user, by name if there is an account.
    #[must_use]
    pub fn user(&self) -> User {
        let id = self.users[1];
        User::find(&id.to_string()).unwrap_or(User { id, name: None, group: None })
    }

    /// The effective group, by name if it has one.
    #[must_use]
    pub fn group(&self) -> Group {
        Group::of(self.groups[1])
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn parse(text: &str) -> io::Result<Standing> {
    let field = |name: &'static str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim).ok_or_else(|| malformed(name))
    };
    let four = |name| {
        let numbers: Option<Vec<u32>> =
            field(name)?.split_whitespace().map(|number| number.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| malformed(name))
    };
    let set = |name| u64::from_str_radix(field(name)?, 16).map_err(|_| malformed(name));
    let supplementary: Option<_> =
        field("Groups")?.split_whitespace().map(|group| group.parse().ok()).collect();
    Ok(Standing {
        thread: field("Pid")?.parse().map_err(|_| malformed("Pid"))?,
        name: field("Name")?.to_owned(),
        users: four("Uid")?,
        groups: four("Gid")?,
        supplementary: supplementary.ok_or_else(|| malformed("Groups"))?,
        capabilities: [set("CapInh")?, set("CapPrm")?, set("CapEff")?, set("CapAmb")?],
        blocked: set("SigBlk")?,
        over: field("State")?.starts_with(['Z', 'X']),
    })
}

fn malformed(field: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a thread's status has no sound field {field}"))
}
