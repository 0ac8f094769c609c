//! Requests, byte by byte, and answers as they come.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::process::SOON;

/// An answer of HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields, names in small letters, in their order.
    pub fields: Vec<(String, String)>,
    /// Its body, to the end of its length or of the connection.
    pub body: Vec<u8>,
}

impl Answer {
    /// A field's value; the first, if there are several.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection to a site.
pub struct Connection {
    reader: BufReader<Box<dyn Socket>>,
    method_is_head: bool,
}

/// No answer, or none to the end.
#[derive(Debug)]
pub struct Stuck(pub String);

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stuck {}

impl From<io::Error> for Stuck {
    fn from(error: io::Error) -> Stuck {
        Stuck(error.to_string())
    }
}

trait Socket: Read + Write + Send {}

impl Socket for TcpStream {}

impl Socket for UnixStream {}

impl Connection {
    /// To a TCP address. Reads and writes on it wait for no longer than [`SOON`].
    ///
    /// # Errors
    /// What the system says.
    pub fn tcp(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, SOON)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        Ok(Connection { reader: BufReader::new(Box::new(stream)), method_is_head: false })
    }

    /// To a Unix socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn unix(path: &Path) -> io::Result<Connection> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        Ok(Connection { reader: BufReader::new(Box::new(stream)), method_is_head: false })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.method_is_head = bytes.starts_with(b"HEAD ");
        self.reader.get_mut().write_all(bytes)
    }

    /// The next answer, to its end.
    ///
    /// # Errors
    /// There is none, or it is cut short.
    pub fn answer(&mut self) -> Result<Answer, Stuck> {
        let (status, fields) = self.head()?;
        let mut answer = Answer { status, fields, body: Vec::new() };
        let length = answer.field("content-length").map(str::to_owned);
        match length.and_then(|length| length.parse::<u64>().ok()) {
            _ if self.method_is_head || matches!(status, 204 | 304) => {}
            Some(length) => {
                let read = (&mut self.reader).take(length).read_to_end(&mut answer.body)?;
                if (read as u64) < length {
                    return Err(Stuck(format!("{read} of {length} bytes of the body came")));
                }
            }
            None if answer.field("transfer-encoding") == Some("chunked") => self.chunks(&mut answer.body)?,
            None => drop(self.reader.read_to_end(&mut answer.body)?),
        }
        Ok(answer)
    }

    /// Status and fields of the next answer; its body is still to be read.
    ///
    /// # Errors
    /// There is none.
    pub fn head(&mut self) -> Result<(u16, Vec<(String, String)>), Stuck> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let status = status.ok_or_else(|| Stuck(format!("{first:?} is no first line of an answer")))?;
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { return Ok((status, fields)) };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads up to so many bytes; none means that the site has closed.
    ///
    /// # Errors
    /// What the system says.
    pub fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let read = self.reader.read(&mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Everything that still comes until the site closes.
    ///
    /// # Errors
    /// What the system says, such as a reset.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String, Stuck> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(Stuck("the connection was closed before a whole answer".to_owned()));
        }
        Ok(line.trim_end().to_owned())
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Stuck> {
        loop {
            let line = self.line()?;
            let size = u64::from_str_radix(&line, 16).map_err(|error| Stuck(format!("{line:?}: {error}")))?;
            let read = (&mut self.reader).take(size).read_to_end(body)?;
            self.line()?;
            if (read as u64) < size {
                return Err(Stuck("a chunk was cut short".to_owned()));
            }
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// The text of a request without a body, after which the connection is to be closed.
pub fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: site.example\r\nconnection: close\r\n{fields}\r\n")
}

/// One request on a connection of its own, and its answer.
///
/// # Errors
/// There is none.
pub fn ask(address: SocketAddr, request: &str) -> Result<Answer, Stuck> {
    let mut connection = Connection::tcp(address)?;
    connection.send(request)?;
    connection.answer()
}

/// One GET request on a connection of its own.
///
/// # Errors
/// There is no answer.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer, Stuck> {
    ask(address, &request("GET", path, ""))
}
