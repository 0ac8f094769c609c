//! Becoming another user for good.

use super::capability::{Capability, spell};
use super::everywhere::{Step, everywhere};
use super::standing::{SETS, Standing};
use super::{Group, User};
use crate::Unsupported;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::collections::BTreeSet;
use std::fmt;
use std::io;

const PERMITTED: usize = 1;
const EFFECTIVE: usize = 2;
const CAP_SETGID: u64 = 1 << 6;
const CAP_SETUID: u64 = 1 << 7;

/// Who a process is to be: user, group, supplementary groups, and the one capability that it may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// All user ids; not root.
    pub user: User,
    /// All group ids.
    pub group: Group,
    /// The supplementary groups, all of them; the group itself may be among them or not.
    pub groups: BTreeSet<u32>,
    /// What is left of root's power: permitted and effective, and not passed on to children.
    pub keep: Option<Capability>,
}

/// How a process became who it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Assumed {
    /// By this call, for good: every way back was tried, and is shut.
    Now,
    /// It was already, so no id was changed and nothing was tried.
    Already {
        /// Groups that it should be in but is not. It can lose no more than that, and only root can mend it.
        missing: BTreeSet<u32>,
    },
}

/// Why the process is not who it was to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// User 0 was asked for.
    #[error("user {0} is root, from whom nothing is dropped: name another user, or none at all to stay root")]
    Root(User),
    /// It runs as somebody else, and may not change that.
    #[error(
        "this process runs as user {is} and may not become user {wanted}: {why}; start it as root, or as that user, or name \
         no user"
    )]
    Unprivileged {
        /// The user that it runs as.
        is: User,
        /// The user that it was to be.
        wanted: User,
        /// What is in the way.
        why: String,
    },
    /// Something was refused. What was done before that stays done: the process must end.
    #[error(
        "becoming user {wanted} failed: {doing}: {cause}; end this process, which is neither what it was nor what it \
             should be"
    )]
    Refused {
        /// The user that it was to be.
        wanted: User,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// A capability that is to be kept is not there to be kept.
    #[error(
        "{capability} cannot be kept: {cause}; start the process as root, or with it among its ambient capabilities"
    )]
    NotKept {
        /// The capability.
        capability: Capability,
        /// What is in the way.
        cause: io::Error,
    },
    /// The kernel says that a thread is not what it should be. The process must end.
    #[error("becoming user {wanted} is not complete: {what}; end this process")]
    Incomplete {
        /// The user that it was to be.
        wanted: User,
        /// Which thread, and in what.
        what: String,
    },
    /// The way back is open. The process must end.
    #[error(
        "becoming user {wanted} is not for good, since {what} succeeded: end this process; which security module allows that?"
    )]
    Regained {
        /// The user that it was to be.
        wanted: User,
        /// What succeeded that should not.
        what: String,
    },
    /// Threads cannot be looked at.
    #[error(
        "who the threads of this process are cannot be read from /proc/self/task: {0}; is /proc mounted?"
    )]
    Unreadable(io::Error),
}

impl Identity {
    /// Whether the process is this already, or may become it. Changes nothing.
    ///
    /// # Errors
    /// [`IdentityError::Root`], [`IdentityError::Unprivileged`], or `/proc` does not answer.
    pub fn look(&self) -> Result<(), IdentityError> {
        Unsupported::unless_linux("becoming another user")?;
        if self.user.id == 0 {
            return Err(IdentityError::Root(self.user.clone()));
        }
        self.look_at(&Standing::all().map_err(IdentityError::Unreadable)?).map(drop)
    }

    /// Has all threads become this user for good, in this order: supplementary groups, group, user, capabilities.
    ///
    /// Then the kernel is asked about each thread; and then root, and whoever the process was, are tried to be had back,
    /// which must fail. If the process is this user already, as after a restart, no id is changed and nothing is tried; only
    /// capabilities that are not to be kept are given up.
    ///
    /// From here on the process is not dumpable (`PR_SET_DUMPABLE`): what it read as root is in no core file and for no
    /// debugger of the same user to see, until its next exec. That is the kernel's default and is left so.
    ///
    /// # Errors
    /// [`IdentityError`]. But for [`look`](Identity::look)'s, the process must end after one: it is half of something.
    pub fn assume(&self) -> Result<Assumed, IdentityError> {
        self.look()?;
        let before = Standing::all().map_err(IdentityError::Unreadable)?;
        if let Some(missing) = self.look_at(&before)? {
            self.settle_capabilities()?;
            return Ok(Assumed::Already { missing });
        }
        if self.keep.is_some() {
            everywhere(Step::Hold).map_err(self.refused("holding its capabilities"))?;
        }
        self.change()?;
        self.settle_capabilities()?;
        let now = Standing::all().map_err(IdentityError::Unreadable)?;
        if let Some(what) = now.iter().find_map(|thread| self.difference(thread)) {
            return Err(IdentityError::Incomplete { wanted: self.user.clone(), what });
        }
        self.prove(&before)?;
        Ok(Assumed::Now)
    }

    /// Makes the kept capability pass through exec(2), for a new image in this one's place, and to every child from here
    /// on; [`assume`](Identity::assume), called there, ends that again.
    ///
    /// # Errors
    /// [`IdentityError::NotKept`] if it is not there.
    pub fn pass_on(&self) -> Result<(), IdentityError> {
        let Some(capability) = self.keep else { return Ok(()) };
        let passed = everywhere(Step::PassOn(capability.bit()));
        passed.map_err(|cause| IdentityError::NotKept { capability, cause })
    }

    /// If the process is this user: the groups that it lacks. If it may become it: nothing.
    fn look_at(&self, threads: &[Standing]) -> Result<Option<BTreeSet<u32>>, IdentityError> {
        let (user, group) = ([self.user.id; 4], [self.group.id; 4]);
        let same_ids = |thread: &Standing| thread.users == user && thread.groups == group;
        let extra: BTreeSet<u32> = threads.iter().flat_map(|thread| self.extra_groups(thread)).collect();
        if threads.iter().all(same_ids) && extra.is_empty() {
            let missing = threads.iter().flat_map(|thread| self.missing_groups(thread)).collect();
            return Ok(Some(missing));
        }
        let own = Standing::own().map_err(IdentityError::Unreadable)?;
        let lacking = (CAP_SETUID | CAP_SETGID) & !own.capabilities[EFFECTIVE];
        if lacking == 0 {
            return Ok(None);
        }
        let why = if same_ids(&own) && !extra.is_empty() {
            format!(
                "it is in groups {extra:?}, which it should not be in, and cannot leave them without {}",
                spell(lacking)
            )
        } else if same_ids(&own) || own.users != user {
            format!("it has not {}", spell(lacking))
        } else {
            format!("its group is {}, not {}, and it has not {}", own.group(), self.group, spell(lacking))
        };
        Err(IdentityError::Unprivileged { is: own.user(), wanted: self.user.clone(), why })
    }

    fn change(&self) -> Result<(), IdentityError> {
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups).map_err(self.refused("setting its supplementary groups (setgroups(2))"))?;
        let group = Gid::from_raw(self.group.id);
        setresgid(group, group, group).map_err(self.refused("setting its group (setresgid(2))"))?;
        let user = Uid::from_raw(self.user.id);
        setresuid(user, user, user).map_err(self.refused("setting its user (setresuid(2))"))
    }

    /// The kernel clears them when a process leaves root, but not the inheritable ones, and not for somebody who was given
    /// some without being root. Giving up is always allowed.
    fn settle_capabilities(&self) -> Result<(), IdentityError> {
        let wanted = self.capabilities();
        let threads = Standing::all().map_err(IdentityError::Unreadable)?;
        if threads.iter().all(|thread| thread.capabilities == wanted) {
            return Ok(());
        }
        let settled = everywhere(Step::Have(wanted[PERMITTED]));
        settled.map_err(|cause| match self.keep {
            Some(capability) => IdentityError::NotKept { capability, cause },
            None => self.refused("giving up its capabilities (capset(2))")(cause),
        })
    }

    fn capabilities(&self) -> [u64; 4] {
        let kept = self.keep.map_or(0, Capability::bit);
        [0, kept, kept, 0]
    }

    fn difference(&self, thread: &Standing) -> Option<String> {
        let is_not = |what: &str, is: &dyn fmt::Debug, wanted: &dyn fmt::Debug| {
            Some(format!(
                "thread {} {} has {what} {is:?} where {wanted:?} was set",
                thread.name, thread.thread
            ))
        };
        let (user, group) = ([self.user.id; 4], [self.group.id; 4]);
        if thread.users != user {
            return is_not("user ids", &thread.users, &user);
        }
        if thread.groups != group {
            return is_not("group ids", &thread.groups, &group);
        }
        if thread.supplementary != self.groups {
            return is_not("groups", &thread.supplementary, &self.groups);
        }
        let sets = thread.capabilities.into_iter().zip(self.capabilities()).zip(SETS);
        let mut wrong = sets.filter(|((is, wanted), _)| is != wanted);
        wrong.next().and_then(|((is, wanted), set)| {
            is_not(&format!("{set} capabilities"), &spell(is), &spell(wanted))
        })
    }

    /// All threads were seen to be alike, so the C library, which changes all of them, fails in all of them alike.
    fn prove(&self, before: &[Standing]) -> Result<(), IdentityError> {
        let open = |what: String| Err(IdentityError::Regained { wanted: self.user.clone(), what });
        let users: BTreeSet<u32> = before.iter().flat_map(|thread| thread.users).chain([0]).collect();
        for user in users.into_iter().filter(|user| *user != self.user.id) {
            let user = Uid::from_raw(user);
            if setresuid(user, user, user).is_ok() {
                return open(format!("becoming user {user} again"));
            }
        }
        let groups: BTreeSet<u32> = before.iter().flat_map(|thread| thread.groups).chain([0]).collect();
        for group in groups.into_iter().filter(|group| *group != self.group.id) {
            let group = Gid::from_raw(group);
            if setresgid(group, group, group).is_ok() {
                return open(format!("taking group {group} again"));
            }
        }
        if setgroups(&[Gid::from_raw(0)]).is_ok() {
            return open("joining group 0".to_owned());
        }
        let more = self.capabilities()[PERMITTED] | CAP_SETUID;
        if everywhere(Step::Have(more)).is_ok() {
            return open(format!("taking {} again", spell(CAP_SETUID)));
        }
        Ok(())
    }

    fn extra_groups(&self, thread: &Standing) -> BTreeSet<u32> {
        thread
            .supplementary
            .difference(&self.groups)
            .copied()
            .filter(|group| *group != self.group.id)
            .collect()
    }

    fn missing_groups(&self, thread: &Standing) -> BTreeSet<u32> {
        self.groups
            .difference(&thread.supplementary)
            .copied()
            .filter(|group| *group != self.group.id)
            .collect()
    }

    fn refused<E: Into<io::Error>>(&self, doing: &'static str) -> impl Fn(E) -> IdentityError {
        move |cause| IdentityError::Refused { wanted: self.user.clone(), doing, cause: cause.into() }
    }
}

/// Which permissions a new file does not get: umask(2). It belongs to the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask(u32);

impl Umask {
    /// Such as `0o027`. Only the nine bits of permission count; nothing if there are others.
    #[must_use]
    pub fn new(mask: u32) -> Option<Umask> {
        (mask <= 0o777).then_some(Umask(mask))
    }

    /// Puts it in force, and returns the one before.
    pub fn put(self) -> Umask {
        Umask(umask(Mode::from_bits_truncate(self.0)).bits())
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}
