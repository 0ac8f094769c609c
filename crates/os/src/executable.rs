//! Executable files: where the running one is, and whether one is whole.
//!
//! A compiler or a copy writes for a while, and a program that is executed or compared meanwhile is half of one. An ELF file
//! says in its first bytes where its table of sections is, which linkers put last (elf(5)).

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Leads to the file that runs, whatever has its name by now (proc(5)).
pub(crate) const RUNNING: &str = "/proc/self/exe";

/// As many bytes as the header of an ELF file has.
const HEADER: usize = 64;

/// The path of the file that runs, without symbolic links. If the file was replaced since, that is the path of the new one.
///
/// # Errors
/// What the system says.
pub fn running() -> io::Result<PathBuf> {
    const DELETED: &[u8] = b" (deleted)";
    if !cfg!(target_os = "linux") {
        return env::current_exe();
    }
    let path = fs::read_link(RUNNING)?;
    let replaced = path.as_os_str().as_bytes().strip_suffix(DELETED).filter(|_| !path.exists());
    Ok(replaced.map_or(path.clone(), |path| PathBuf::from(OsString::from_vec(path.to_vec()))))
}

/// Whether an ELF file is as long as its own header says. Other formats count as whole.
///
/// # Errors
/// It cannot be read.
pub fn is_whole(path: &Path) -> io::Result<bool> {
    let head = Head::of(path)?;
    if !head.is_elf() {
        return Ok(true);
    }
    let length = fs::metadata(path)?.len();
    Ok(head.end().is_some_and(|end| end <= length))
}

/// The first bytes of a file.
pub(crate) struct Head {
    bytes: [u8; HEADER],
    filled: usize,
}

impl Head {
    pub(crate) fn of(path: impl AsRef<Path>) -> io::Result<Head> {
        let mut head = Head { bytes: [0; HEADER], filled: 0 };
        let mut file = File::open(path)?;
        while head.filled < HEADER {
            match file.read(&mut head.bytes[head.filled..]) {
                Ok(0) => break,
                Ok(read) => head.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(head)
    }

    /// Whether a file of this length would run here.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn fits(&self, length: u64) -> Result<(), String> {
        if self.filled == 0 {
            return Err("it is empty".to_owned());
        }
        if self.bytes.starts_with(b"#!") {
            return Ok(());
        }
        let Some(end) = self.end() else {
            return Err("it is neither a program nor a script".to_owned());
        };
        if Head::of(RUNNING).is_ok_and(|ours| ours.machine() != self.machine()) {
            return Err("it was made for another kind of machine".to_owned());
        }
        if end > length {
            return Err(format!(
                "it has {length} of {end} bytes: it is still being written, or was cut short"
            ));
        }
        Ok(())
    }

    fn is_elf(&self) -> bool {
        self.bytes.starts_with(b"\x7fELF")
    }

    /// Word length, byte order and instruction set.
    fn machine(&self) -> (&[u8], &[u8]) {
        (&self.bytes[4..6], &self.bytes[18..20])
    }

    /// Where the table of sections ends; none of a file without a whole header.
    fn end(&self) -> Option<u64> {
        if !self.is_elf() || self.filled < HEADER {
            return None;
        }
        let (start, size, count) = match self.bytes[4] {
            1 => (self.number(0x20, 4), self.number(0x2e, 2), self.number(0x30, 2)),
            _ => (self.number(0x28, 8), self.number(0x3a, 2), self.number(0x3c, 2)),
        };
        Some(start.saturating_add(size * count))
    }

    fn number(&self, at: usize, bytes: usize) -> u64 {
        let bytes = &self.bytes[at..at + bytes];
        let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.bytes[5] == 1 { bytes.iter().rev().fold(0, append) } else { bytes.iter().fold(0, append) }
    }
}
