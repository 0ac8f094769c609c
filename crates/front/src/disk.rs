//! How files are read: in few hops to the blocking threads, and never from anything but a regular file.
//!
//! A file that fits into one chunk is opened, measured and read in one hop; larger ones stream. A pipe, a socket or
//! a device in the folder is as good as absent: opening a pipe would hold a thread until somebody writes to it.

use std::fs;
use std::future::{Ready, ready};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::JoinHandle;
use tower_http::services::fs::{Backend, File, Metadata};

/// The size in bytes up to which a file is read whole, and the size of the pieces that larger ones are sent in.
pub(crate) const CHUNK: u64 = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk;

impl Backend for Disk {
    type File = Opened;
    type Metadata = About;
    type OpenFuture = Hop<Opened>;
    type MetadataFuture = Hop<About>;

    fn open(&self, path: PathBuf) -> Hop<Opened> {
        Hop(tokio::task::spawn_blocking(move || open(&path)))
    }

    fn metadata(&self, path: PathBuf) -> Hop<About> {
        Hop(tokio::task::spawn_blocking(move || about(&path)))
    }
}

fn about(path: &Path) -> io::Result<About> {
    let about = About::of(&fs::metadata(path)?)?;
    // A folder of this name is the index of nothing; GET finds that out by itself, HEAD does not.
    if about.dir && path.file_name().is_some_and(|name| name == "index.html") {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(about)
}

fn open(path: &Path) -> io::Result<Opened> {
    if about(path)?.dir {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut file = fs::File::open(path)?; // asked about first: opening a pipe blocks
    let mut about = About::of(&file.metadata()?)?;
    if about.len > CHUNK {
        return Ok(Opened { about, bytes: Bytes::Streamed(tokio::fs::File::from_std(file)) });
    }
    let mut whole = Vec::with_capacity(usize::try_from(about.len).unwrap_or(0));
    file.by_ref().take(about.len).read_to_end(&mut whole)?;
    about.len = whole.len() as u64; // it may have been shortened meanwhile
    Ok(Opened { about, bytes: Bytes::Whole(Cursor::new(whole)) })
}

/// A piece of work on the blocking threads.
pub(crate) struct Hop<T>(JoinHandle<io::Result<T>>);

impl<T> Future for Hop<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|joined| joined.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    dir: bool,
    len: u64,
    modified: Option<SystemTime>,
}

impl About {
    fn of(metadata: &fs::Metadata) -> io::Result<About> {
        if metadata.is_file() || metadata.is_dir() {
            let modified = metadata.modified().ok();
            Ok(About { dir: metadata.is_dir(), len: metadata.len(), modified })
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, "not a regular file"))
        }
    }
}

impl Metadata for About {
    fn is_dir(&self) -> bool {
        self.dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

pub(crate) struct Opened {
    about: About,
    bytes: Bytes,
}

enum Bytes {
    Whole(Cursor<Vec<u8>>),
    Streamed(tokio::fs::File),
}

impl File for Opened {
    type Metadata = About;
    type MetadataFuture<'a> = Ready<io::Result<About>>;

    fn metadata(&self) -> Ready<io::Result<About>> {
        ready(Ok(self.about))
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.bytes {
            Bytes::Whole(bytes) => Pin::new(bytes).poll_read(cx, buf),
            Bytes::Streamed(file) => Pin::new(file).poll_read(cx, buf),
        }
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::Whole(bytes) => Pin::new(bytes).start_seek(position),
            Bytes::Streamed(file) => Pin::new(file).start_seek(position),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.bytes {
            Bytes::Whole(bytes) => Pin::new(bytes).poll_complete(cx),
            Bytes::Streamed(file) => Pin::new(file).poll_complete(cx),
        }
    }
}
