//! Who holds a port, so that "address in use" can name somebody.
//!
//! Best effort, for a message: it is never an error, and nobody is found where the system does not tell (another user's
//! process, another network namespace, another platform than Linux). The tables are those of `/proc/net` (proc(5)).

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// How much of a table is read: who listens comes before the connections, of which there may be a million.
const ROWS: usize = 50_000;
/// How many descriptors are looked at, over all processes, before the search is given up.
const DESCRIPTORS: usize = 500_000;

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number; the lowest one if several processes share the socket.
    pub pid: u32,
    /// Its name, of which the kernel keeps 15 bytes. It chose that itself, so control characters are escaped: a message
    /// that quotes it stays one line.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == std::process::id() {
            write!(f, "this very process ({}, {})", self.name, self.pid)
        } else {
            write!(f, "{} (process {})", self.name, self.pid)
        }
    }
}

/// Who listens on this address, or on one that overlaps with it: `0.0.0.0` and `[::]` overlap with all of that port.
#[must_use]
pub fn holder_of_tcp(address: SocketAddr) -> Option<Holder> {
    let listens = |row: &str| tcp_inode(row, address);
    let inodes: Vec<u64> =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|table| rows(table, listens)).collect();
    holder_of(&inodes)
}

/// Who listens on this Unix socket. The path must be as that process wrote it when it bound the socket.
#[must_use]
pub fn holder_of_unix(path: &Path) -> Option<Holder> {
    let inodes = rows("/proc/net/unix", |row| unix_inode(row, path));
    holder_of(&inodes)
}

fn rows(table: &str, inode: impl Fn(&str) -> Option<u64>) -> Vec<u64> {
    let Ok(file) = File::open(table) else { return Vec::new() };
    BufReader::new(file)
        .split(b'\n')
        .take(ROWS)
        .map_while(Result::ok)
        .filter_map(|row| inode(&String::from_utf8_lossy(&row)))
        .collect()
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`
fn tcp_inode(row: &str, asked: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = row.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields[1].split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if port != asked.port() || !overlap(hex_ip(ip)?, asked.ip()) {
        return None;
    }
    fields.get(9)?.parse().ok()
}

fn overlap(one: IpAddr, other: IpAddr) -> bool {
    let (one, other) = (one.to_canonical(), other.to_canonical());
    one.is_unspecified() || other.is_unspecified() || one == other
}

/// The kernel prints each 32-bit word of the address, which is in network order, as a number of this machine.
fn hex_ip(hex: &str) -> Option<IpAddr> {
    let word = |place: usize| {
        let digits = hex.get(place * 8..place * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(IpAddr::from(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (place, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(place)?);
            }
            Some(IpAddr::from(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// `Num RefCount Protocol Flags Type St Inode Path`, where the path may hold blanks, and is missing if there is none.
fn unix_inode(row: &str, asked: &Path) -> Option<u64> {
    const ACCEPTS: u32 = 0x1_0000; // __SO_ACCEPTCON
    let mut rest = row;
    let mut fields = [""; 7];
    for field in &mut fields {
        (*field, rest) = rest.trim_start().split_once(' ')?;
    }
    let flags = u32::from_str_radix(fields[3], 16).ok()?;
    if flags & ACCEPTS == 0 || Path::new(rest) != asked {
        return None;
    }
    fields[6].parse().ok()
}

fn holder_of(inodes: &[u64]) -> Option<Holder> {
    if inodes.is_empty() {
        return None;
    }
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let mut left = DESCRIPTORS;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            left = left.checked_sub(1)?;
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            if links.iter().any(|link| target.as_os_str() == link.as_str()) {
                let name = fs::read(process.path().join("comm")).ok()?;
                return Some(Holder { pid, name: tame(&name) });
            }
        }
    }
    None
}

/// The kernel adds a newline to the name; all else is the process's own choice.
fn tame(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(name));
    name.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::tame;

    #[test]
    fn a_name_cannot_end_the_line_that_quotes_it() {
        assert_eq!(tame(b"nginx: master\n"), "nginx: master");
        assert_eq!(tame(b"a\nINFO x\x1b[2J\n"), "a\\nINFO x\\u{1b}[2J");
        assert_eq!(tame(b"caf\xc3\xa9\xff\n"), "caf\u{e9}\u{fffd}");
    }
}
