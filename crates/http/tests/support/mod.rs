//! A site with one server on a free port, and a client that speaks HTTP by hand.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, LOG, Limit, Limits as BusLimits, Record};
use sitebus_http::{Http, HttpService, Response, Server};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    pub(crate) bus: Bus,
    pub(crate) server: Server,
    log: Arc<Mutex<Vec<Record>>>,
}

/// A server that greets.
pub(crate) fn greeter() -> Http<impl HttpService> {
    Http::new("http").answer(|_| Response::new("hello".into()))
}

pub(crate) fn start(http: Http<impl HttpService>) -> Site {
    start_with_stop_limit(http, PATIENCE)
}

/// Each stop listener may take `each`.
pub(crate) fn start_with_stop_limit(http: Http<impl HttpService>, each: Duration) -> Site {
    let mut limits = BusLimits::default();
    limits.stop = Limit::new(each, PATIENCE);
    let bus = Bus::builder("site").limits(limits).build();
    let log = record(&bus);
    let server = http.listen("127.0.0.1:0").unwrap().subscribe(&bus).unwrap();
    bus.start().unwrap();
    Site { bus, server, log }
}

pub(crate) fn record(bus: &Bus) -> Arc<Mutex<Vec<Record>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    bus.on(LOG)
        .unwrap()
        .subscribe("recorder", move |record: &Record| sink.lock().unwrap().push(record.clone()));
    log
}

impl Site {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0].tcp().unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// What was logged that contains this.
    pub(crate) fn said(&self, part: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|record| record.message.contains(part))
            .map(|record| record.message.clone())
            .collect()
    }

    pub(crate) fn records_of(&self, source: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|record| &*record.source == source).map(|record| record.message.clone()).collect()
    }

    pub(crate) fn wait_for_connections(&self, count: usize) {
        wait_until("the connections are as many as expected", || self.server.connections() == count);
    }
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

pub(crate) struct Client<T = TcpStream> {
    pub(crate) stream: T,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::new(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, read: Vec::new() }
    }

    pub(crate) fn end_writing(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl<T: Read + Write> Client<T> {
    pub(crate) fn over(stream: T) -> Client<T> {
        Client { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        self.answer()
    }

    /// The next answer; of a request that is no HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        let answer = self.try_answer();
        answer.unwrap_or_else(|| {
            panic!("the connection ended instead: {:?}", String::from_utf8_lossy(&self.read))
        })
    }

    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let mut answer = Answer { head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.body = self.take(length)?;
        } else if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk()? {
                answer.body.extend(chunk);
            }
        } else if answer.status() != 101 {
            answer.body = self.rest();
        }
        Some(answer)
    }

    pub(crate) fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.take(end + 4)?;
                return Some(String::from_utf8(head).unwrap());
            }
            self.more()?;
        }
    }

    /// `Some(None)` is the last chunk.
    pub(crate) fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let end = loop {
            match self.read.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None => self.more()?,
            }
        };
        let size = String::from_utf8(self.take(end + 2)?).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let chunk = self.take(size + 2)?;
        Some((size > 0).then(|| chunk[..size].to_vec()))
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        Some(self.read.drain(..length).collect())
    }

    /// Everything up to the end, orderly or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more().is_some() {}
        std::mem::take(&mut self.read)
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => None,
            Ok(read) => {
                self.read.extend(&bytes[..read]);
                Some(())
            }
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                panic!("the server neither answered nor closed the connection")
            }
            Err(_) => None,
        }
    }
}
