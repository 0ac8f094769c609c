//! The capabilities that a process may keep when it is no longer root: capabilities(7).

use crate::names::nearest;
use std::fmt;
use std::str::FromStr;

/// A part of root's power that does not lead back to all of it.
///
/// Parses from `CAP_NET_BIND_SERVICE` and `net_bind_service`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

/// This capability cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// There is none of this name.
    #[error("there is no capability '{given}'{}; capabilities(7) lists them", Hint(*.nearest))]
    Unknown {
        /// What was asked for.
        given: String,
        /// The name that is most like it, if any is.
        nearest: Option<&'static str>,
    },
    /// Whoever has it can become root again, or do all that root can.
    #[error(
        "CAP_{name} leads back to root, so keeping it would drop nothing; what a server may keep: {}",
        Keepable
    )]
    LeadsBack {
        /// Its name without `CAP_`.
        name: &'static str,
    },
}

struct Hint(Option<&'static str>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |nearest| write!(f, ": did you mean 'CAP_{nearest}'?"))
    }
}

/// By their numbers, and whether they may be kept (linux/capability.h).
const NAMES: [(&str, bool); 41] = [
    ("CHOWN", false),
    ("DAC_OVERRIDE", false),
    ("DAC_READ_SEARCH", false),
    ("FOWNER", false),
    ("FSETID", false),
    ("KILL", true),
    ("SETGID", false),
    ("SETUID", false),
    ("SETPCAP", false),
    ("LINUX_IMMUTABLE", true),
    ("NET_BIND_SERVICE", true),
    ("NET_BROADCAST", true),
    ("NET_ADMIN", true),
    ("NET_RAW", true),
    ("IPC_LOCK", true),
    ("IPC_OWNER", true),
    ("SYS_MODULE", false),
    ("SYS_RAWIO", false),
    ("SYS_CHROOT", false),
    ("SYS_PTRACE", false),
    ("SYS_PACCT", true),
    ("SYS_ADMIN", false),
    ("SYS_BOOT", false),
    ("SYS_NICE", true),
    ("SYS_RESOURCE", true),
    ("SYS_TIME", true),
    ("SYS_TTY_CONFIG", true),
    ("MKNOD", false),
    ("LEASE", true),
    ("AUDIT_WRITE", true),
    ("AUDIT_CONTROL", false),
    ("SETFCAP", false),
    ("MAC_OVERRIDE", false),
    ("MAC_ADMIN", false),
    ("SYSLOG", true),
    ("WAKE_ALARM", true),
    ("BLOCK_SUSPEND", true),
    ("AUDIT_READ", true),
    ("PERFMON", false),
    ("BPF", false),
    ("CHECKPOINT_RESTORE", false),
];

impl Capability {
    /// Binding ports below 1024.
    pub const NET_BIND_SERVICE: Capability = Capability(10);

    /// The name without `CAP_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)].0
    }

    /// Its number (linux/capability.h).
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// As one bit of a set.
    pub(super) fn bit(self) -> u64 {
        1 << self.0
    }
}

/// What a set has in it, for a message.
pub(super) fn spell(set: u64) -> String {
    let known = NAMES.iter().enumerate().filter(|(number, _)| set & (1 << number) != 0);
    let names: Vec<String> = known.map(|(_, (name, _))| format!("CAP_{name}")).collect();
    if set >> NAMES.len() == 0 { names.join(", ") } else { format!("{} (set {set:#x})", names.join(", ")) }
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(given: &str) -> Result<Capability, CapabilityError> {
        let name = given.trim().to_ascii_uppercase().replace('-', "_");
        let name = name.strip_prefix("CAP_").unwrap_or(&name);
        match (0..).zip(NAMES).find(|(_, (known, _))| *known == name) {
            Some((number, (_, true))) => Ok(Capability(number)),
            Some((_, (name, false))) => Err(CapabilityError::LeadsBack { name }),
            None => Err(CapabilityError::Unknown {
                given: given.to_owned(),
                nearest: nearest(name, NAMES.iter().map(|(name, _)| *name)),
            }),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAP_{}", self.name())
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Keepable;

impl fmt::Display for Keepable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keepable: Vec<_> = NAMES.iter().filter(|(_, keep)| *keep).map(|(name, _)| *name).collect();
        f.write_str(&keepable.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_spelling_and_wrong_ones_have_a_hint() {
        for given in ["CAP_NET_BIND_SERVICE", "net_bind_service", "Net-Bind-Service"] {
            assert_eq!(given.parse(), Ok(Capability::NET_BIND_SERVICE), "{given}");
        }
        assert_eq!(Capability::NET_BIND_SERVICE.to_string(), "CAP_NET_BIND_SERVICE");
        let wrong = "net_bind_servce".parse::<Capability>().unwrap_err().to_string();
        assert!(wrong.contains("did you mean 'CAP_NET_BIND_SERVICE'?"), "{wrong}");
    }

    #[test]
    fn what_leads_back_to_root_is_refused_and_told_what_does_not() {
        for given in ["setuid", "CAP_SYS_ADMIN", "dac_override", "sys_ptrace"] {
            let refused = given.parse::<Capability>().unwrap_err().to_string();
            assert!(
                refused.contains("leads back to root") && refused.contains("NET_BIND_SERVICE"),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_numbers_are_the_kernels() {
        for (number, name) in
            [(0, "CHOWN"), (7, "SETUID"), (21, "SYS_ADMIN"), (34, "SYSLOG"), (40, "CHECKPOINT_RESTORE")]
        {
            assert_eq!(NAMES[number].0, name);
        }
    }
}
