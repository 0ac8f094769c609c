//! Requests over raw sockets, so that what happens to each connection is seen as it is.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::transcript::{Missing, Transcript, after};

/// GET requests of HTTP/1.1 (RFC 9112) from several connections at once, bounded in number and in time.
///
/// An answer counts if it came whole and with status 200; its length must be given by `content-length`. Nothing is asked
/// twice: RFC 9112, 9.3.1 lets a client do so when a connection was closed while idle, but a site that is careful closes
/// none, and a test wants to know.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before run() or start()"]
pub struct Load {
    address: SocketAddr,
    path: String,
    connections: usize,
    requests: u64,
    within: Duration,
    keep_alive: bool,
}

/// What became of the requests of a [`Load`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Whole answers with status 200.
    pub answered: u64,
    /// Nobody listened.
    pub refused: u64,
    /// The connection was reset, or the pipe was broken, before a whole answer.
    pub reset: u64,
    /// The connection was closed without one byte of an answer.
    pub closed: u64,
    /// The connection was closed in the middle of an answer.
    pub short: u64,
    /// The status was another one than 200, or there was none.
    pub bad_status: u64,
    /// The time was over before a whole answer.
    pub timed_out: u64,
    /// Anything else that a socket can fail with.
    pub other: u64,
}

impl LoadReport {
    /// The requests that got no whole answer with status 200.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let LoadReport { answered: _, refused, reset, closed, short, bad_status, timed_out, other } = self;
        refused + reset + closed + short + bad_status + timed_out + other
    }
}

impl AddAssign for LoadReport {
    fn add_assign(&mut self, other: LoadReport) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.reset += other.reset;
        self.closed += other.closed;
        self.short += other.short;
        self.bad_status += other.bad_status;
        self.timed_out += other.timed_out;
        self.other += other.other;
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadReport { answered, refused, reset, closed, short, bad_status, timed_out, other } = self;
        write!(
            f,
            "{answered} answered, {} lost ({refused} refused, {reset} reset, {closed} closed, {short} short, {bad_status} with \
             a bad status, {timed_out} timed out, {other} other)",
            self.lost()
        )
    }
}

impl Load {
    /// 100 requests for `/` over 4 connections that are kept alive, within 30 s.
    pub fn new(address: SocketAddr) -> Load {
        let path = "/".to_owned();
        Load {
            address,
            path,
            connections: 4,
            requests: 100,
            within: Duration::from_secs(30),
            keep_alive: true,
        }
    }

    /// What is asked for.
    pub fn path(self, path: impl Into<String>) -> Load {
        Load { path: path.into(), ..self }
    }

    /// How many connections ask at once.
    pub fn connections(self, connections: usize) -> Load {
        Load { connections, ..self }
    }

    /// How many requests are sent, all together.
    pub fn requests(self, requests: u64) -> Load {
        Load { requests, ..self }
    }

    /// After how long it ends, whether all requests were sent or not.
    pub fn within(self, within: Duration) -> Load {
        Load { within, ..self }
    }

    /// A new connection for each request.
    pub fn close_each(self) -> Load {
        Load { keep_alive: false, ..self }
    }

    /// Sends all of them and waits for the end.
    #[must_use]
    pub fn run(self) -> LoadReport {
        self.start().wait()
    }

    /// Begins to send.
    pub fn start(self) -> Running {
        let shared = Arc::new(Shared {
            deadline: after(self.within),
            left: AtomicU64::new(self.requests),
            stopped: AtomicBool::new(false),
            answers: Transcript::new(),
        });
        let threads = (0..self.connections.max(1)).map(|_| {
            let (load, shared) = (self.clone(), Arc::clone(&shared));
            thread::spawn(move || load.send(&shared))
        });
        Running { threads: threads.collect(), shared }
    }

    fn send(&self, shared: &Shared) -> LoadReport {
        let mut report = LoadReport::default();
        let mut connection = None;
        while shared.take_one() {
            match self.ask(&mut connection, shared) {
                Ok(()) => {
                    report.answered += 1;
                    shared.answers.note("");
                }
                Err(lost) => *lost.counter(&mut report) += 1,
            }
        }
        report
    }

    /// One request and its answer. The connection stays if it can be used again.
    fn ask(&self, connection: &mut Option<BufReader<TcpStream>>, shared: &Shared) -> Result<(), Lost> {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect_timeout(&self.address, shared.time_left())?),
        };
        stream.get_ref().set_read_timeout(Some(shared.time_left()))?;
        stream.get_ref().set_write_timeout(Some(shared.time_left()))?;
        let ends = if self.keep_alive { "" } else { "connection: close\r\n" };
        let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n{ends}\r\n", self.path, self.address);
        stream.get_mut().write_all(request.as_bytes())?;
        if read_answer(&mut stream)? && self.keep_alive {
            *connection = Some(stream);
        }
        Ok(())
    }
}

/// Reads one answer; true if the connection stays open after it.
fn read_answer(stream: &mut impl BufRead) -> Result<bool, Lost> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(Lost::Closed);
    }
    let status = line.split(' ').nth(1).map(str::to_owned);
    let (mut length, mut stays) = (None, true);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(Lost::Short);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "connection" => stays = !value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let length = length.ok_or(Lost::BadStatus)?;
    let read = io::copy(&mut stream.take(length), &mut io::sink())?;
    match status.as_deref() {
        _ if read < length => Err(Lost::Short),
        Some("200") => Ok(stays),
        _ => Err(Lost::BadStatus),
    }
}

/// A [`Load`] on its way.
#[derive(Debug)]
#[must_use = "the report is in it"]
pub struct Running {
    threads: Vec<JoinHandle<LoadReport>>,
    shared: Arc<Shared>,
}

impl Running {
    /// Waits until that many requests were answered: now the load is really there.
    ///
    /// # Errors
    /// They were not within `patience`.
    pub fn wait_for_answers(&self, count: usize, patience: Duration) -> Result<(), Missing> {
        let what = format!("answer number {count}");
        self.shared.answers.wait_until(patience, &what, |answers| (answers.len() >= count).then_some(()))
    }

    /// Lets every connection finish the request that it is at, and ends.
    pub fn stop(self) -> LoadReport {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// Waits for the end, which comes with the last request or when the time is over.
    pub fn wait(self) -> LoadReport {
        let mut sum = LoadReport::default();
        for thread in self.threads {
            sum += thread.join().unwrap_or_default();
        }
        sum
    }
}

#[derive(Debug)]
struct Shared {
    deadline: Instant,
    left: AtomicU64,
    stopped: AtomicBool,
    answers: Transcript,
}

impl Shared {
    fn take_one(&self) -> bool {
        let goes_on = !self.stopped.load(Ordering::Relaxed) && Instant::now() < self.deadline;
        goes_on
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }

    /// Never zero, which a socket takes for endless.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }
}

/// Why a request got no answer.
enum Lost {
    Refused,
    Reset,
    Closed,
    Short,
    BadStatus,
    TimedOut,
    Other,
}

impl Lost {
    fn counter(self, report: &mut LoadReport) -> &mut u64 {
        match self {
            Lost::Refused => &mut report.refused,
            Lost::Reset => &mut report.reset,
            Lost::Closed => &mut report.closed,
            Lost::Short => &mut report.short,
            Lost::BadStatus => &mut report.bad_status,
            Lost::TimedOut => &mut report.timed_out,
            Lost::Other => &mut report.other,
        }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        match error.kind() {
            ErrorKind::ConnectionRefused => Lost::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => Lost::Reset,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Lost::TimedOut,
            ErrorKind::InvalidData => Lost::BadStatus, // a head that is not text
            _ => Lost::Other,
        }
    }
}
