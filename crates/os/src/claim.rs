//! A claim on a path, which does not end when what is there is removed.
//!
//! A [`Lock`](crate::lock::Lock) guards nothing once its file was removed: the next one makes a new file and locks that. A
//! name in the abstract namespace of Unix sockets (unix(7)) cannot be removed, and ends with its last holder, however that
//! died. So hold both. The claim does not replace the lock, since it reaches less far:
//!
//! * It is Linux's alone, and seen only by processes of the same network namespace.
//! * It is a claim on a path as this process sees it: by another mount, in another mount namespace or below another root
//!   it is another claim. So two containers that share their network are never in each other's way.
//! * Anybody may take any name. Only a holder of the same user, or root, is believed; of others [`ClaimError::Foreign`]
//!   tells, and they prove nothing.
//!
//! Forked children share the claim. It is close-on-exec.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::Unsupported;
use crate::port;

/// A claim. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Claim {
    socket: OwnedFd,
}

/// Why there is no claim.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// A process of the same user, or of root, has it, or this one has it already.
    #[error("{} is claimed by {}: stop that one first, or use another path", path.display(), Pid(*by))]
    Held {
        /// The process, if it can be seen from here.
        by: Option<u32>,
        /// The path.
        path: PathBuf,
    },
    /// Somebody has taken the name who has no say in it. It proves nothing about the path: go on without the claim.
    #[error("the name that guards {} from being used twice is taken by {}: ask why it does that", path.display(), Stranger(*by))]
    Foreign {
        /// Process and user, if they can be told.
        by: Option<(u32, u32)>,
        /// The path.
        path: PathBuf,
    },
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The system refuses.
    #[error("{doing} {} failed: {cause}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Claim {
    /// Claims a path that exists, or says who has claimed it; never waits.
    ///
    /// # Errors
    /// [`ClaimError::Held`] if another has it; for the rest nobody is known to have it.
    pub fn take(path: &Path) -> Result<Claim, ClaimError> {
        Unsupported::unless_linux("a claim on a path")?;
        let failed = |doing| move |cause| ClaimError::Io { doing, path: path.to_owned(), cause };
        let name = name_of(path).map_err(failed("finding"))?;
        match socket::take(&name).map_err(|cause| failed("claiming")(cause.into()))? {
            Taken::ByUs(socket) => Ok(Claim { socket }),
            Taken::ByOther(holder) => Err(refusal(path, holder.or_else(|| listed_holder(&name)))),
        }
    }
}

impl Claim {
    /// The claim that another image of this program has handed on, by its descriptor.
    #[must_use]
    pub fn inherited(descriptor: OwnedFd) -> Claim {
        Claim { socket: descriptor }
    }
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How an attempt to take a name ended.
enum Taken {
    ByUs(OwnedFd),
    /// Process and user, if they can be told.
    ByOther(Option<(u32, u32)>),
}

fn refusal(path: &Path, holder: Option<(u32, u32)>) -> ClaimError {
    let path = path.to_owned();
    match holder {
        Some((pid, user)) if user == 0 || user == nix::unistd::geteuid().as_raw() => {
            ClaimError::Held { by: (pid != 0).then_some(pid), path }
        }
        by => ClaimError::Foreign { by, path },
    }
}

/// For a holder to whom so many have come that it takes no more. Who owns it in `/proc` is not asked: that is root for
/// whoever does not want to be looked at (proc(5)).
fn listed_holder(name: &str) -> Option<(u32, u32)> {
    let pid = port::holder_of_unix(Path::new(&format!("@{name}")))?.pid;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    Some((pid, users.split_whitespace().nth(1)?.parse().ok()?))
}

/// What a name in the abstract namespace may have (unix(7)), without the zero byte at its beginning.
const LONGEST: usize = 107;

/// The hash tells apart; the end of the path is for people who look at a list of sockets.
fn name_of(path: &Path) -> io::Result<String> {
    let whole = fs::canonicalize(path)?;
    let root = fs::metadata("/")?;
    // Without a /proc the root alone tells two views apart.
    let mounts = fs::metadata("/proc/self/ns/mnt").map_or(0, |namespace| namespace.ino());
    let bytes = whole.as_os_str().as_encoded_bytes();
    let view = [root.dev(), root.ino(), mounts].map(u64::to_le_bytes);
    let hash = hash(view.as_flattened().iter().chain(bytes));
    let mut name = format!("sitebus:{hash:032x}:");
    let shown = &bytes[bytes.len().saturating_sub(LONGEST - name.len())..];
    name.extend(shown.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }));
    Ok(name)
}

/// FNV-1a of 128 bits: programs of all versions must find the same name, which `std`'s hashes do not promise.
fn hash<'a>(bytes: impl Iterator<Item = &'a u8>) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

struct Pid(Option<u32>);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) if pid == std::process::id() => write!(f, "this very process ({pid})"),
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

struct Stranger(Option<(u32, u32)>);

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((0, user)) => write!(f, "the user {user}"),
            Some((pid, user)) => write!(f, "process {pid} of the user {user}"),
            None => f.write_str("a process that does not say who it is"),
        }
    }
}

#[cfg(target_os = "linux")]
mod socket {
    use std::os::fd::{AsRawFd as _, OwnedFd};

    use nix::errno::Errno;
    use nix::sys::socket::sockopt::PeerCredentials;
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, socket,
    };

    use super::Taken;

    /// How often the holder may be one who does not listen: just not yet, or no longer.
    const TRIES: usize = 64;

    pub(super) fn take(name: &str) -> nix::Result<Taken> {
        let address = UnixAddr::new_abstract(name.as_bytes())?;
        for _ in 0..TRIES {
            let ours = new_socket()?;
            match bind(ours.as_raw_fd(), &address) {
                Ok(()) => {
                    // Listening, it tells whoever comes who we are.
                    listen(&ours, Backlog::MAXALLOWABLE)?;
                    return Ok(Taken::ByUs(ours));
                }
                Err(Errno::EADDRINUSE) => {}
                Err(error) => return Err(error),
            }
            let question = new_socket()?;
            match connect(question.as_raw_fd(), &address) {
                Ok(()) => {
                    let holder = getsockopt(&question, PeerCredentials)?;
                    return Ok(Taken::ByOther(Some((holder.pid().cast_unsigned(), holder.uid()))));
                }
                Err(Errno::ECONNREFUSED) => std::thread::yield_now(),
                Err(_) => break,
            }
        }
        Ok(Taken::ByOther(None))
    }

    /// One that never waits: a holder to whom too many have come would keep us.
    fn new_socket() -> nix::Result<OwnedFd> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        socket(AddressFamily::Unix, SockType::Stream, flags, None)
    }
}

#[cfg(not(target_os = "linux"))]
mod socket {
    pub(super) fn take(_: &str) -> nix::Result<super::Taken> {
        Err(nix::errno::Errno::ENOTSUP)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::{LONGEST, hash};

    #[test]
    fn a_hash_is_what_it_has_always_been() {
        assert_eq!(hash(b"".iter()), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(hash(b"a".iter()), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn a_name_is_short_and_plain_whatever_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("ä\n".repeat(20)).join("x".repeat(200)).join("shop");
        std::fs::create_dir_all(&deep).unwrap();
        let name = super::name_of(&deep).unwrap();
        assert!(name.len() == LONGEST && name.ends_with("xxx/shop"), "{name}");
        let above = super::name_of(deep.parent().unwrap().parent().unwrap()).unwrap();
        assert!(above.is_ascii() && !above.contains('\n') && above.ends_with("???"), "{above:?}");
    }
}
